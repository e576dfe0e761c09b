// Sets the stage of an end-to-end test: a real API server, a real libvirt host, and the controller as a process of its own
// under the service account of manifests/install.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import { createReadStream } from 'node:fs'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Client } from '../../../controller/client.ts'
import { kubeConfigLoader } from '../../../controller/credentials.ts'
import type { KubeObject, Resource } from '../../../controller/resource.ts'
import { Transport } from '../../../controller/transport.ts'
import { kinds } from '../../../crds/kinds.ts'
import { startControlPlane } from '../../../scripts/devcluster/controlplane.ts'
import type { ControlPlane } from '../../../scripts/devcluster/controlplane.ts'
import { startLibvirtd } from '../../support/libvirtd.ts'
import type { PrivateLibvirtd } from '../../support/libvirtd.ts'
import { vireo } from '../../support/program.ts'
import { until } from '../../support/until.ts'
import { besideLibvirt } from '../../support/views.ts'
import { startStandalonePlane } from './standaloneplane.ts'
import { Watched } from './watched.ts'

/** VIREO_API=standalone: the same tests on vireo's own API. */
const onStandalone = (): boolean => process.env['VIREO_API'] === 'standalone'

const checkout = join(import.meta.dirname, '../../..')

export interface Condition { type: string; status: string; reason: string; message: string }
// What kubectl prints as JSON: any object of any kind.
export interface AnyObject { metadata: { name: string; namespace?: string; uid: string; generation: number; resourceVersion: string; finalizers?: string[]; annotations?: Record<string, string>; deletionTimestamp?: string }; spec: Record<string, any>; status?: Record<string, any> & { conditions?: Condition[] } } // oxlint-disable-line typescript/no-explicit-any -- JSON of any kind

const resources = new Map<string, Resource>(kinds.map(({ resource }) => [resource.kind.toLowerCase(), resource]))

export class Stage implements AsyncDisposable {
  readonly plane: ControlPlane
  readonly host: PrivateLibvirtd
  readonly #dir: string
  readonly #kubeconfig: string
  readonly #ownsHost: boolean
  /** Looks are many: a kubectl for each would take the machine from what is looked at. */
  readonly #transport: Transport
  readonly #client: Client
  readonly #watched: Watched
  #controller: ChildProcess | undefined
  #log = ''
  #healthPort = 0

  private constructor(dir: string, plane: ControlPlane, host: PrivateLibvirtd, kubeconfig: string, ownsHost: boolean, transport: Transport, watched: Watched) {
    this.#dir = dir
    this.#ownsHost = ownsHost
    this.plane = plane
    this.host = host
    this.#kubeconfig = kubeconfig
    this.#transport = transport
    this.#client = new Client({ transport })
    this.#watched = watched
  }

  /** `existing`: another stage's host, which then stays that one's. `halting`: no guest boots (LibvirtdOptions). */
  static async start({ existing, halting }: { existing?: PrivateLibvirtd; halting?: boolean } = {}): Promise<Stage> {
    const standalone = onStandalone()
    const dir = await mkdtemp(join(tmpdir(), `vireo-e2e-${process.pid}-`))
    const [plane, host] = await Promise.all([standalone ? startStandalonePlane(dir) : startControlPlane({ dir, durable: false }), existing ?? startLibvirtd({ name: 'e2e', halting })])
    // The Deployment is left out: no node runs here, and the controller runs beside the test instead.
    for (const file of ['namespace', 'serviceaccount', ...standalone ? [] : ['rbac']]) await ok(plane, ['apply', '-f', join(checkout, `manifests/install/${file}.yaml`)])
    await ok(plane, ['apply', '--server-side', '-k', join(checkout, 'manifests/crds')])
    await ok(plane, ['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s'])
    const kubeconfig = await plane.kubeconfigForServiceAccount('vireo-system', 'vireo')
    const transport = new Transport({ kubeConfig: kubeConfigLoader({ file: plane.kubeconfig }) })
    return new Stage(dir, plane, host, kubeconfig, existing === undefined, transport, await Watched.start(transport))
  }

  /**
   * Starts the controller. In its own view /run/libvirt is the private host's, so that the samples' qemu:///system leads there.
   * `env` reaches the process; `kubeconfig` replaces that of the service account. Without leader election it works at once
   * after a SIGKILL, which leaves the lease to expire.
   */
  async startController(env: Record<string, string> = {}, kubeconfig = this.#kubeconfig, { leaderElection = false, allowLocalURIs = true } = {}): Promise<void> {
    const [program, ...args] = [...besideLibvirt(dirname(this.host.socket)),
      process.execPath, vireo(), 'controller', '--kubeconfig', kubeconfig, '--health-address', '127.0.0.1:0', ...leaderElection ? [] : ['--no-leader-election'], ...allowLocalURIs ? ['--allow-local-uris'] : [], '--log-level', 'debug', '--source-addresses', '127.0.0.1']
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } })
    this.#controller = child
    child.stderr.setEncoding('utf8')
    child.stderr.on('data', (text: string) => {
      this.#log += text
      const port = /"port":(\d+)/.exec(text)?.[1]
      if (port !== undefined) this.#healthPort = Number(port)
    })
    await until('the controller is ready', async () => this.#healthPort !== 0 && (await fetch(`http://127.0.0.1:${this.#healthPort}/readyz`)).ok)
  }

  /** The kubeconfig that the controller uses. */
  get kubeconfig(): string { return this.#kubeconfig }
  /** A folder of this stage's own, removed at its end. */
  get folder(): string { return this.#dir }
  /** What the API tells of vireo's objects. */
  get watched(): Watched { return this.#watched }
  get controllerLog(): string { return this.#log }
  get controllerPid(): number | undefined { return this.#controller?.pid }

  async metrics(): Promise<string> {
    return await (await fetch(`http://127.0.0.1:${this.#healthPort}/metrics`)).text()
  }

  async stopController(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#controller
    this.#controller = undefined
    this.#healthPort = 0
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill(signal)
    await once(child, 'exit')
  }

  /** Runs kubectl; throws unless it succeeds. Answers what it printed. */
  async kubectl(args: readonly string[], input?: string): Promise<string> {
    return await ok(this.plane, args, input)
  }

  async apply(yaml: string): Promise<void> {
    await this.kubectl(['apply', '-f', '-'], yaml)
  }

  /** `kind` is one of vireo's. */
  async get(kind: string, name: string, namespace = 'default'): Promise<AnyObject | undefined> {
    const resource = resources.get(kind.toLowerCase())
    if (resource === undefined) throw new Error(`no kind ${kind}`)
    return await this.#client.find<KubeObject>(resource, resource.namespaced ? namespace : undefined, name) as unknown as AnyObject | undefined
  }

  /** Answers how an object looks: at first by asking, then by what is heard of it since. */
  #looker(kind: string, name: string, namespace: string): () => Promise<AnyObject | undefined> {
    const { resource } = kinds.find(one => one.resource.kind.toLowerCase() === kind.toLowerCase())!
    let asked = false
    let gone: string | undefined
    return async () => {
      const heard = (): AnyObject | undefined => this.#watched.get(resource.kind, resource.namespaced ? namespace : undefined, name) as AnyObject | undefined
      if (asked) return heard()?.metadata.uid === gone ? undefined : heard()
      const live = await this.get(kind, name, namespace)
      asked = true
      if (live === undefined) gone = heard()?.metadata.uid
      else this.#watched.observe(live as unknown as KubeObject)
      return live
    }
  }

  /** Waits until the object looks as `test` says; the failure shows how it looks instead. */
  async until(kind: string, name: string, test: (object: AnyObject) => unknown, { namespace = 'default', timeoutMs = 60_000 } = {}): Promise<AnyObject> {
    const look = this.#looker(kind, name, namespace)
    let last: AnyObject | undefined
    try {
      return await until(`${kind} ${name} is as expected`, async () => {
        last = await look()
        return last !== undefined && test(last) ? last : undefined
      }, { timeoutMs, everyMs: 20 })
    } catch (error) {
      throw new Error(`${kind} ${name}: ${this.#picture(last)}`, { cause: error })
    }
  }

  async untilReady(kind: string, name: string, options?: { namespace?: string; timeoutMs?: number }): Promise<AnyObject> {
    return await this.until(kind, name, object => condition(object, 'Ready')?.status === 'True' && object.status?.observedGeneration === object.metadata.generation, options)
  }

  async untilReason(kind: string, name: string, reason: string, options?: { namespace?: string; timeoutMs?: number }): Promise<Condition> {
    const object = await this.until(kind, name, found => condition(found, 'Ready')?.reason === reason && found.status?.observedGeneration === found.metadata.generation, options)
    return condition(object, 'Ready')!
  }

  async untilGone(kind: string, name: string, { namespace = 'default', timeoutMs = 60_000 } = {}): Promise<void> {
    const look = this.#looker(kind, name, namespace)
    await until(`${kind} ${name} is gone`, async () => await look() === undefined, { timeoutMs, everyMs: 20 }).catch(async (error: unknown) => {
      throw new Error(`${kind} ${name} stays: ${this.#picture(await this.get(kind, name, namespace))}`, { cause: error })
    })
  }

  /** What a failure shows of an object: its conditions in one line, its status in full, and what the controller said last. */
  #picture(object: AnyObject | undefined): string {
    const conditions = (object?.status?.conditions ?? []).map(({ type, status, reason, message }) => `${type} ${status} ${reason} (${message})`)
    const line = object === undefined ? 'not there' : [`generation ${object.metadata.generation}, observed ${object.status?.observedGeneration}`, ...conditions].join('; ')
    return `${line}\n${JSON.stringify(object?.status, null, 1)}\nlog: ${this.#log.slice(-4000)}`
  }

  /** Runs virsh on the host. */
  async virsh(...args: string[]): Promise<string> {
    return await this.host.execOk(['virsh', '-c', 'qemu:///system', ...args])
  }

  /** Everything on the host that vireo could have made: to compare before and after. */
  async inventory(): Promise<string> {
    const parts = await Promise.all([
      this.virsh('list', '--all', '--name'), this.virsh('net-list', '--all', '--name'), this.virsh('pool-list', '--all', '--name'),
      this.host.execOk(['find', '/var/lib/vireo', '/var/lib/libvirt/images', '/var/lib/libvirt/qemu/nvram', '/etc/libvirt/qemu', '/etc/libvirt/storage']).catch(() => ''),
      // Names and addresses: whether the kernel sees a carrier on somebody's bridge comes and goes.
      this.host.execOk(['ip', '-brief', 'link']).then(links => links.replaceAll(/^(\S+)\s+\S+\s+(\S+).*$/gm, '$1 $2')),
    ])
    return parts.map(part => part.trim().split('\n').toSorted().join('\n')).join('\n--\n')
  }

  async stop(): Promise<void> {
    await this.stopController()
    await this.#watched[Symbol.asyncDispose]()
    await this.#transport.close()
    await Promise.all([this.plane.stop(), this.#ownsHost ? this.host.stop() : undefined])
    await rm(this.#dir, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

export const condition = (object: AnyObject, type: string): Condition | undefined => object.status?.conditions?.find(entry => entry.type === type)

async function ok(plane: ControlPlane, args: readonly string[], input?: string): Promise<string> {
  const result = await plane.kubectl(args, input)
  if (result.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stderr.trim()}`)
  return result.stdout
}

/** Serves files on loopback; `answers` counts requests. */
export async function serveFiles(files: Record<string, string>): Promise<{ url: string; close(): Promise<void> }> {
  const server: Server = createServer((request, response) => {
    const path = files[request.url ?? '']
    if (path === undefined) {
      response.writeHead(404).end()
      return
    }
    void stat(path).then(({ size }) => {
      response.writeHead(200, { 'content-length': size, 'content-type': 'application/octet-stream' })
      createReadStream(path).pipe(response)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => { server.closeAllConnections(); await new Promise(resolve => server.close(resolve)) },
  }
}

/** A sample's text. */
export const sample = async (name: string): Promise<string> => await readFile(join(checkout, 'manifests/samples', name), 'utf8')
