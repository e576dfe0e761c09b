// Runs a development control plane: etcd, kube-apiserver and kube-controller-manager on free loopback ports.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { run } from '../run.ts'
import type { RunResult } from '../run.ts'
import { controlPlanePrograms } from './build.ts'
import { Daemon } from './daemon.ts'
import { loadIdentity } from './identity.ts'
import type { Identity, User } from './identity.ts'

export interface ControlPlaneOptions {
  /** Holds all state: a second start in the same folder finds the objects of the first. Made where it is missing. */
  dir: string
  /** Writes reach the disk before they are answered. Default true; tests of throw-away state do without. */
  durable?: boolean
  /** Users besides `admin`, which is in system:masters. */
  users?: readonly User[]
  /** Hears what takes long: a build. */
  say?: (line: string) => void
}

export interface ControlPlane extends AsyncDisposable {
  readonly url: string
  /** Path of the administrator's kubeconfig: `kubeconfig` in the folder. */
  readonly kubeconfig: string
  /** Path of the kubectl that belongs to this API server. */
  readonly kubectlProgram: string
  /** Runs kubectl as administrator, or with another kubeconfig where one is named. */
  kubectl(args: readonly string[], input?: string, kubeconfig?: string): Promise<RunResult>
  /** Makes a kubeconfig for a user of the options; answers its path. */
  kubeconfigForUser(name: string): Promise<string>
  /** Makes a kubeconfig with a fresh token of an existing service account; answers its path. */
  kubeconfigForServiceAccount(namespace: string, name: string, durationSeconds?: number): Promise<string>
  /** Sends a signal to kube-apiserver: SIGSTOP hangs it, SIGCONT goes on, SIGKILL ends it. */
  signalApiserver(signal: NodeJS.Signals): void
  /** Ends kube-apiserver in whatever state it is and starts it again on the same port. */
  restartApiserver(): Promise<void>
  /** Rejects, with its last words, when one of the programs ends by itself. */
  readonly failure: Promise<never>
  stop(): Promise<void>
}

export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const programs = await controlPlanePrograms(options.say)
  const { dir } = options
  for (const folder of ['certs', 'logs']) await mkdir(join(dir, folder), { recursive: true })
  const identity = await loadIdentity(dir, [{ name: 'admin', groups: ['system:masters'] }, ...options.users ?? []])
  const [etcdPort, peerPort, port] = await freePorts(3)
  const plane = new DevControlPlane(dir, programs, identity, { etcd: etcdPort!, peer: peerPort!, apiserver: port! }, options.durable ?? true)
  try {
    await plane.start()
  } catch (error) {
    await plane.stop()
    throw error
  }
  return plane
}

class DevControlPlane implements ControlPlane {
  readonly url: string
  readonly kubeconfig: string
  readonly kubectlProgram: string
  readonly failure: Promise<never>
  readonly #dir: string
  readonly #programs: string
  readonly #identity: Identity
  readonly #ports: { etcd: number; peer: number; apiserver: number }
  readonly #durable: boolean
  readonly #fail: (error: Error) => void
  /** In the order of starting. */
  readonly #daemons: { etcd?: Daemon; apiserver?: Daemon; manager?: Daemon } = {}
  /** Programs whose end is our own doing. */
  readonly #dismissed = new Set<Daemon>()

  constructor(dir: string, programs: string, identity: Identity, ports: { etcd: number; peer: number; apiserver: number }, durable: boolean) {
    this.#dir = dir
    this.#programs = programs
    this.#identity = identity
    this.#ports = ports
    this.#durable = durable
    this.url = `https://127.0.0.1:${ports.apiserver}`
    this.kubeconfig = join(dir, 'kubeconfig')
    this.kubectlProgram = join(programs, 'kubectl')
    const { promise, reject } = Promise.withResolvers<never>()
    // Whoever does not look at it is not brought down by it.
    promise.catch(() => {})
    this.failure = promise
    this.#fail = reject
  }

  async start(): Promise<void> {
    const { etcd, peer } = this.#ports
    this.#daemons.etcd = this.#run('etcd', [
      `--data-dir=${join(this.#dir, 'etcd')}`, '--name=dev', '--log-level=warn',
      `--listen-client-urls=http://127.0.0.1:${etcd}`, `--advertise-client-urls=http://127.0.0.1:${etcd}`,
      `--listen-peer-urls=http://127.0.0.1:${peer}`, `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-cluster=dev=http://127.0.0.1:${peer}`, `--unsafe-no-fsync=${!this.#durable}`,
    ])
    await this.#startApiserver()
    await this.#writeKubeconfig(this.kubeconfig, 'admin', this.#identity.token('admin'))
    this.#daemons.manager = this.#run('kube-controller-manager', [
      `--kubeconfig=${this.kubeconfig}`, '--leader-elect=false', '--secure-port=0', `--root-ca-file=${this.#authority}`,
      '--controllers=namespace-controller,garbage-collector-controller,serviceaccount-controller,root-ca-certificate-publisher-controller',
      '--kube-api-qps=200', '--kube-api-burst=400',
    ])
  }

  async #startApiserver(): Promise<void> {
    const key = this.#identity.serviceAccountKey
    const apiserver = this.#run('kube-apiserver', [
      `--etcd-servers=http://127.0.0.1:${this.#ports.etcd}`, `--secure-port=${this.#ports.apiserver}`, '--bind-address=127.0.0.1',
      `--cert-dir=${join(this.#dir, 'certs')}`, '--service-cluster-ip-range=10.0.0.0/24',
      '--service-account-issuer=https://kubernetes.default.svc', `--service-account-key-file=${key}`, `--service-account-signing-key-file=${key}`,
      `--token-auth-file=${this.#identity.tokenFile}`, '--authorization-mode=RBAC',
      // No pods run here, so none needs a token mounted.
      '--disable-admission-plugins=ServiceAccount',
    ])
    this.#daemons.apiserver = apiserver
    const deadline = performance.now() + 60_000
    while (!await this.#answers()) {
      if (!apiserver.running || this.#daemons.etcd?.running === false || performance.now() > deadline) {
        throw new Error(`the API server did not come up; its log ends: ${await apiserver.lastWords()}`)
      }
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }

  /** Whether the API server is ready and has made the namespace that everyone uses. */
  async #answers(): Promise<boolean> {
    return await this.#status('/readyz') === 200 && await this.#status('/api/v1/namespaces/default') === 200
  }

  async #status(path: string): Promise<number | undefined> {
    const ca = await readFile(this.#authority).catch(() => undefined)
    if (ca === undefined) return undefined
    return new Promise(resolve => {
      const asked = request(this.url + path, {
        ca, headers: { authorization: `Bearer ${this.#identity.token('admin')}` }, agent: false, timeout: 5000,
      }, answer => {
        answer.resume()
        resolve(answer.statusCode)
      })
      asked.on('timeout', () => asked.destroy())
      asked.on('error', () => resolve(undefined))
      asked.end()
    })
  }

  /** The API server makes its certificate itself; the file holds the authority beside it. */
  get #authority(): string {
    return join(this.#dir, 'certs/apiserver.crt')
  }

  #run(name: string, args: readonly string[]): Daemon {
    // One that lasts for a test only would rather have the memory than the work of its collector.
    const collector = this.#durable ? [] : ['env', 'GOGC=300']
    const daemon = new Daemon(name, [...collector, join(this.#programs, name), ...args], join(this.#dir, 'logs', `${name}.log`))
    void this.#watch(daemon)
    return daemon
  }

  async #watch(daemon: Daemon): Promise<void> {
    await daemon.ended
    if (!this.#dismissed.has(daemon)) this.#fail(new Error(`${daemon.name} ended by itself; its log ends: ${await daemon.lastWords()}`))
  }

  async #end(daemon: Daemon | undefined, signal: NodeJS.Signals): Promise<void> {
    if (daemon === undefined) return
    this.#dismissed.add(daemon)
    await daemon.stop(signal)
  }

  async #writeKubeconfig(path: string, user: string, token: string): Promise<void> {
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'vireo-dev',
      contexts: [{ name: 'vireo-dev', context: { cluster: 'vireo-dev', user } }],
      clusters: [{
        name: 'vireo-dev',
        cluster: { server: this.url, 'certificate-authority-data': (await readFile(this.#authority)).toString('base64') },
      }],
      users: [{ name: user, user: { token } }],
    }
    await writeFile(path, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 })
  }

  kubectl(args: readonly string[], input?: string, kubeconfig = this.kubeconfig): Promise<RunResult> {
    return run([this.kubectlProgram, ...args], {
      input, env: { ...process.env, KUBECONFIG: kubeconfig, KUBECACHEDIR: join(this.#dir, 'kubectl-cache') },
    })
  }

  async kubeconfigForUser(name: string): Promise<string> {
    const path = join(this.#dir, `kubeconfig-${name}`)
    await this.#writeKubeconfig(path, name, this.#identity.token(name))
    return path
  }

  async kubeconfigForServiceAccount(namespace: string, name: string, durationSeconds = 24 * 3600): Promise<string> {
    const made = await this.kubectl(['create', 'token', name, '--namespace', namespace, `--duration=${durationSeconds}s`])
    if (made.code !== 0) throw new Error(`no token for service account ${namespace}/${name}: ${made.stderr.trim()}`)
    const path = join(this.#dir, `kubeconfig-${namespace}-${name}`)
    await this.#writeKubeconfig(path, name, made.stdout.trim())
    return path
  }

  signalApiserver(signal: NodeJS.Signals): void {
    const { apiserver } = this.#daemons
    if (apiserver === undefined) return
    if (signal === 'SIGKILL' || signal === 'SIGTERM') this.#dismissed.add(apiserver)
    apiserver.signal(signal)
  }

  async restartApiserver(): Promise<void> {
    await this.#end(this.#daemons.apiserver, 'SIGKILL')
    await this.#startApiserver()
  }

  async stop(): Promise<void> {
    // Only etcd holds state; the other two lose nothing by being killed.
    await this.#end(this.#daemons.manager, 'SIGKILL')
    await this.#end(this.#daemons.apiserver, 'SIGKILL')
    await this.#end(this.#daemons.etcd, 'SIGTERM')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

/** Ports that nothing listens on, all different. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(servers.map(server => new Promise<number>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })))
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  return ports
}
