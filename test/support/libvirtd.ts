// Starts libvirt hosts of the tests' own: each a libvirtd with its own namespaces, folders, socket and host UUID, that the
// machine's own libvirt never meets and that ends with the process that started it.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { copyFile, cp, mkdir, mkdtemp, readdir, readFile, readlink, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { cacheFolder } from '../../scripts/cache.ts'
import { run } from '../../scripts/run.ts'
import type { RunResult } from '../../scripts/run.ts'
import { until } from './until.ts'

export interface LibvirtdOptions {
  /** Appears in the folder's name, so that a person finds it. */
  name?: string
  hostUUID?: string
  /** Full debug log in `log/libvirtd.log` instead of warnings. */
  log?: boolean
  /** Guests whose firmware stops the processor at once: they run, do nothing, and cost no CPU. Default: they boot. */
  halting?: boolean
  /** Further lines of libvirtd.conf; they come first, and of two lines the first counts. */
  conf?: readonly string[]
  /** Further files below the host's /etc/libvirt, by their paths there. `sasl2/…` takes the place of /etc/sasl2. */
  files?: Readonly<Record<string, string>>
  /** Whether libvirtd listens for TCP and TLS, inside the host: see forward.ts for the way in. */
  listen?: boolean
  /** What the host has besides: other hypervisors than QEMU. */
  extensions?: readonly HostExtension[]
}

/** What makes a private host one of another hypervisor too. */
export interface HostExtension {
  /** A shell script that private-host.sh sources inside the namespaces before anything runs there; `$base` is the host's folder. */
  setup?: string
  /** Writes what the script needs into the host's folder, before there are namespaces. Files of `conf` end up in /etc/libvirt. */
  prepare?(folder: string): Promise<void>
  /** Starts what the hypervisor consists of, before libvirtd. It runs inside the host and ends with it. */
  start?(host: PrivateLibvirtd): Promise<void>
  /** Removes what outlives the namespaces. */
  ended?(folder: string): Promise<void>
  /** Runs libvirtd: the command follows. */
  launcher?: readonly string[]
}

export interface PrivateLibvirtd extends AsyncDisposable {
  /** Path of the unix socket, as seen from outside. */
  readonly socket: string
  readonly hostUUID: string
  /** libvirtd's process id, as seen from outside; changes with `restart`. */
  readonly pid: number
  /** The folder that holds `root`, `log` and `run`. */
  readonly folder: string
  /** This host's storage from outside: `${root}/var/lib/vireo` and `${root}/srv` are the host's own `/var/lib/vireo` and `/srv`. */
  readonly root: string
  /** A connection URI for use from outside: `qemu:///system` becomes `qemu+unix:///system?socket=…`. */
  uri(driver?: string): string
  /** Runs a program inside the host's namespaces; plain `virsh` works there, and `/dev/stdin` names the input. */
  exec(command: readonly string[], options?: { input?: string; timeoutMs?: number }): Promise<RunResult>
  /** The command line that runs a program inside the host's namespaces, for whoever wants to spawn it himself. */
  enter(command: readonly string[]): string[]
  /** Like exec, but throws unless the program ends with code 0; answers its standard output. */
  execOk(command: readonly string[], options?: { input?: string; timeoutMs?: number }): Promise<string>
  /** Sends a signal to libvirtd itself; guests and the rest of the host stay. SIGKILL and SIGTERM resolve once it is gone. */
  kill(signal: NodeJS.Signals): Promise<void>
  /** Starts libvirtd again after a kill (and ends it first where it runs); guests survive. */
  restart(): Promise<void>
  /** What libvirtd has logged so far. */
  log(): Promise<string>
  /** Ends everything on this host, makes sure that nothing is left, and removes its folder. */
  stop(): Promise<void>
}

const setup = join(import.meta.dirname, 'private-host.sh')

export async function startLibvirtd(options: LibvirtdOptions = {}): Promise<PrivateLibvirtd> {
  if (process.getuid?.() !== 0) throw new Error('a private libvirtd needs root: it makes namespaces of its own')
  const hostUUID = options.hostUUID ?? randomUUID()
  const folder = await mkdtemp(join(tmpdir(), `vireo-${options.name ?? 'host'}-${process.pid}-`))
  const extensions = options.extensions ?? []
  try {
    await prepare(folder, hostUUID, options)
    const host = new Host(folder, hostUUID, await Namespaces.start(folder), options)
    try {
      for (const extension of extensions) await extension.start?.(host)
      await host.restart()
    } catch (error) {
      const log = await host.log()
      await host.stop()
      throw new Error(`libvirtd did not start; its log: ${log.slice(-2000)}`, { cause: error })
    }
    return host
  } catch (error) {
    for (const extension of extensions) await extension.ended?.(folder)
    await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** A firmware for the machine `pc`: at the reset vector, disable interrupts and halt, for ever. */
function haltingFirmware(): Buffer {
  const rom = Buffer.alloc(256 * 1024, 0xf4)
  rom.set([0xfa, 0xf4, 0xeb, 0xfd], rom.length - 16)
  return rom
}

async function prepare(folder: string, hostUUID: string, { log = false, halting = false, conf = [], files = {}, extensions = [] }: LibvirtdOptions): Promise<void> {
  // QEMU runs as a user of its own and must be able to walk to its disks.
  await run(['chmod', '755', folder])
  for (const sub of ['conf', 'run', 'log', 'setup', 'capabilities', 'root/var/lib/vireo', 'root/srv']) {
    await mkdir(join(folder, sub), { recursive: true })
  }
  if (halting) await writeFile(join(folder, 'firmware.rom'), haltingFirmware())
  await writeFile(join(folder, 'conf/libvirtd.conf'), [
    ...conf,
    `host_uuid = "${hostUUID}"`,
    'auth_unix_ro = "none"',
    'auth_unix_rw = "none"',
    'unix_sock_rw_perms = "0777"',
    `log_outputs = "${log ? 1 : 3}:file:/var/log/libvirt/libvirtd.log"`,
    'audit_level = 0',
    '',
  ].join('\n'))
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, 'conf', path)), { recursive: true })
    await writeFile(join(folder, 'conf', path), content)
  }
  await writeFile(join(folder, 'conf/qemu.conf'), [
    // Ownership is managed as in a default installation; AppArmor or SELinux profiles know nothing of these folders.
    'security_driver = "none"',
    // What the processor of a guest became is asked of QEMU in one question. Otherwise it is one for each of four hundred features, read byte by byte: four fifths of what a start costs, for the same answer.
    'capability_filters = ["cpu-unavailable-features"]',
    '',
  ].join('\n'))
  await writeFile(join(folder, 'conf/virtlogd.conf'), 'log_outputs = "3:file:/var/log/libvirt/virtlogd.log"\n')
  await capabilitiesFrom(capabilitiesCache(), join(folder, 'capabilities'))
  for (const { setup, prepare: own } of extensions) {
    if (setup !== undefined) await copyFile(setup, join(folder, 'setup', basename(setup)))
    await own?.(folder)
  }
}

/** libvirt's own cache of what QEMU can do. It checks each entry's validity itself; without it the first QEMU call probes for seconds. */
function capabilitiesCache(): string {
  return join(cacheFolder(), 'libvirt-capabilities')
}

async function capabilitiesFrom(source: string, target: string): Promise<void> {
  await cp(source, target, { recursive: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
}

/** The processes that hold one host together: `unshare` outside, an init and a waiting shell inside. */
class Namespaces {
  readonly #outer: ChildProcess
  readonly init: number
  readonly #pidNamespace: string

  private constructor(outer: ChildProcess, init: number, pidNamespace: string) {
    this.#outer = outer
    this.init = init
    this.#pidNamespace = pidNamespace
  }

  static async start(folder: string): Promise<Namespaces> {
    // Inside, `cat` waits on our end of the pipe: it closes when this process ends in any way, and takes the host with it.
    const outer = spawn('unshare', [
      '--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc', '--', 'tini', '--', 'bash', setup, folder,
    ], { stdio: ['pipe', 'pipe', 'pipe'], cwd: '/' })
    await new Promise<void>((resolve, reject) => {
      const said: Buffer[] = []
      outer.stderr.on('data', (chunk: Buffer) => said.push(chunk))
      outer.stdout.once('data', () => resolve())
      outer.once('error', error => reject(new Error(`cannot run unshare: ${error.message}`, { cause: error })))
      outer.once('close', () => reject(new Error(`the host's namespaces could not be set up: ${Buffer.concat(said).toString().trim()}`)))
    })
    const children = await readFile(`/proc/${outer.pid}/task/${outer.pid}/children`, 'utf8')
    const init = Number(children.trim())
    return new Namespaces(outer, init, await readlink(`/proc/${init}/ns/pid`))
  }

  enter(command: readonly string[]): string[] {
    const inside = ['nsenter', '--target', String(this.init), '--mount', '--net', '--pid', '--wd=/', '--']
    // nsenter waits outside for its child; killing it has to end the child too.
    return [...inside, 'setpriv', '--pdeathsig', 'KILL', '--', ...command]
  }

  /** Outer process ids of everything that runs in these namespaces; who has ended and waits to be reaped runs no more. */
  async processes(): Promise<number[]> {
    const ids = (await readdir('/proc')).map(Number).filter(Number.isInteger)
    const inside = await Promise.all(ids.map(id => readlink(`/proc/${id}/ns/pid`).catch(() => '')))
    const members = ids.filter((_, index) => inside[index] === this.#pidNamespace)
    const states = await Promise.all(members.map(id => readFile(`/proc/${id}/stat`, 'utf8').catch(() => ') Z')))
    return members.filter((_, index) => !/\) Z/.test(states[index] ?? ''))
  }

  /** The outer process id of the process that the namespace knows as `inner`. */
  async outerPid(inner: number): Promise<number | undefined> {
    for (const id of await this.processes()) {
      const status = await readFile(`/proc/${id}/status`, 'utf8').catch(() => '')
      if (/^NSpid:.*\t(\d+)$/m.exec(status)?.[1] === String(inner)) return id
    }
    return undefined
  }

  async end(): Promise<void> {
    if (this.#outer.exitCode === null && this.#outer.signalCode === null) {
      const closed = new Promise(resolve => this.#outer.once('close', resolve))
      this.#outer.kill('SIGKILL')
      await closed
    }
    await until('every process of the host is gone', async () => (await this.processes()).length === 0)
  }
}

class Host implements PrivateLibvirtd {
  readonly folder: string
  readonly hostUUID: string
  readonly socket: string
  readonly root: string
  readonly #namespaces: Namespaces
  readonly #listen: boolean
  readonly #extensions: readonly HostExtension[]
  #pid: number | undefined

  constructor(folder: string, hostUUID: string, namespaces: Namespaces, { listen = false, extensions = [] }: LibvirtdOptions) {
    this.folder = folder
    this.hostUUID = hostUUID
    this.socket = join(folder, 'run/libvirt-sock')
    this.root = join(folder, 'root')
    this.#namespaces = namespaces
    this.#listen = listen
    this.#extensions = extensions
  }

  get pid(): number {
    if (this.#pid === undefined) throw new Error('libvirtd does not run on this host')
    return this.#pid
  }

  uri(driver = 'qemu:///system'): string {
    const [scheme, rest] = driver.split('://')
    return `${scheme}+unix://${rest}?socket=${this.socket}`
  }

  exec(command: readonly string[], options?: { input?: string; timeoutMs?: number }): Promise<RunResult> {
    // Node's pipes are sockets, which nothing can open by the name /dev/stdin; a shell's are pipes.
    const piped = options?.input === undefined ? command : ['sh', '-c', 'cat | "$0" "$@"', ...command]
    return run(this.enter(piped), options)
  }

  enter(command: readonly string[]): string[] {
    return this.#namespaces.enter(command)
  }

  async execOk(command: readonly string[], options?: { input?: string; timeoutMs?: number }): Promise<string> {
    const result = await this.exec(command, options)
    if (result.code !== 0) throw new Error(`${command.join(' ')} ended with code ${result.code}: ${result.stderr.trim()}`)
    return result.stdout
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    const pid = this.pid
    process.kill(pid, signal)
    if (signal !== 'SIGKILL' && signal !== 'SIGTERM') return
    await until('libvirtd is gone', async () => !(await this.#namespaces.processes()).includes(pid))
    this.#pid = undefined
  }

  async restart(): Promise<void> {
    if (this.#pid !== undefined) {
      // A stopped process acts on SIGTERM only once it continues.
      await this.kill('SIGCONT')
      await this.kill('SIGTERM')
    }
    if ((await this.exec(['test', '-S', '/run/libvirt/virtlogd-sock'])).code !== 0) await this.execOk(['virtlogd', '-d'])
    const launchers = this.#extensions.flatMap(({ launcher = [] }) => launcher)
    await this.execOk([...launchers, 'libvirtd', '-d', ...(this.#listen ? ['-l'] : []), '-p', '/run/libvirtd.pid'])
    const inner = Number(await this.execOk(['cat', '/run/libvirtd.pid']))
    this.#pid = await until('libvirtd shows among the processes', () => this.#namespaces.outerPid(inner))
    // The daemon serves clients once its drivers are up, not before.
    await this.execOk(['virsh', '-c', 'test:///default', 'version'], { timeoutMs: 60_000 })
  }

  async log(): Promise<string> {
    return readFile(join(this.folder, 'log/libvirtd.log'), 'utf8').catch(() => '')
  }

  async stop(): Promise<void> {
    await this.#keepCapabilities()
    await this.#namespaces.end()
    this.#pid = undefined
    for (const extension of this.#extensions) await extension.ended?.(this.folder)
    await rm(this.folder, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** Keeps a probe's result for the next host; written whole under another name first, since several hosts may do so at once. */
  async #keepCapabilities(): Promise<void> {
    const target = capabilitiesCache()
    const inside = `/proc/${this.#namespaces.init}/root/var/cache/libvirt/qemu/capabilities`
    await mkdir(target, { recursive: true })
    const known = await readdir(target)
    for (const file of await readdir(inside).catch(() => [])) {
      if (known.includes(file)) continue
      const draft = join(target, `.${file}.${randomUUID()}`)
      await copyFile(join(inside, file), draft)
      await rename(draft, join(target, file))
    }
  }
}
