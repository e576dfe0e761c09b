// Runs a machine under QEMU's TCG whose hypervisor is Xen, with its libvirtd on two loopback ports.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createConnection, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createRegistry } from '../../../drivers/registry.ts'
import { until } from '../until.ts'

export interface XenImage {
  xen: string
  vmlinuz: string
  initrd: string
  disk: string
  /** The memory of the machine with its libvirtd up; absent while it is being made. */
  state?: string
  /** JSON: what a client of its libvirtd proves itself with. */
  tls?: string
}

export interface XenMachine extends AsyncDisposable {
  /** Loopback ports that lead to its libvirtd. */
  readonly ports: { tcp: number; tls: number }
  /** Resolves once libvirtd serves its Xen driver. */
  answers(timeoutMs: number): Promise<void>
  /** Stops the machine and writes its memory into a file. */
  save(state: string): Promise<void>
  stop(): Promise<void>
}

/** `keepsDisk`: what the machine writes stays in the image; otherwise it is gone with the machine. */
export async function bootXen(image: XenImage, { keepsDisk = false } = {}): Promise<XenMachine> {
  const folder = await mkdtemp(join(tmpdir(), `vireo-xen-${process.pid}-`))
  const ports = { tcp: await freePort(), tls: await freePort() }
  const serial = join(folder, 'serial.log')
  const qmp = join(folder, 'qmp')
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'qemu-system-x86_64',
    // Other processors than this one stop libxl, or dom0.
    '-accel', 'tcg,thread=multi', '-machine', 'q35', '-cpu', 'Nehalem', '-smp', '2', '-m', '1024', '-nodefaults', '-display', 'none',
    '-kernel', image.xen, '-append', 'dom0_mem=512M,max:512M dom0_max_vcpus=1 console=com1 com1=115200,8n1 spec-ctrl=no no-real-mode',
    '-initrd', `${image.vmlinuz} root=/dev/vda console=hvc0 mitigations=off,${image.initrd}`,
    '-drive', `file=${image.disk},format=qcow2,if=virtio,snapshot=${keepsDisk ? 'off' : 'on'}`,
    '-netdev', `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${ports.tcp}-:16509,hostfwd=tcp:127.0.0.1:${ports.tls}-:16514`, '-device', 'virtio-net-pci,netdev=net,romfile=',
    '-serial', `file:${serial}`, '-qmp', `unix:${qmp},server=on,wait=off`,
    ...(image.state === undefined ? [] : ['-incoming', `exec:cat ${image.state}`]),
  ], { stdio: ['ignore', 'ignore', 'pipe'] })
  const machine = new Machine(child, folder, ports, serial, qmp)
  if (image.state !== undefined) {
    try {
      await machine.continue()
    } catch (error) {
      await machine.stop()
      throw error
    }
  }
  return machine
}

class Machine implements XenMachine {
  readonly ports: XenMachine['ports']
  readonly #child: ChildProcess
  readonly #folder: string
  readonly #serial: string
  readonly #qmp: string
  #said = ''

  constructor(child: ChildProcess, folder: string, ports: XenMachine['ports'], serial: string, qmp: string) {
    this.#child = child
    this.#folder = folder
    this.ports = ports
    this.#serial = serial
    this.#qmp = qmp
    child.stderr?.on('data', (chunk: Buffer) => { this.#said += chunk.toString() })
  }

  async answers(timeoutMs: number): Promise<void> {
    const uri = `xen+tcp://127.0.0.1:${this.ports.tcp}/system`
    try {
      await until('the Xen host answers', async () => {
        if (this.#child.exitCode !== null) return 'ended'
        const connection = await createRegistry().open(uri, { plaintext: 'Allowed', callTimeout: 20_000, keepAliveInterval: 5_000, keepAliveCount: 6, signal: AbortSignal.timeout(20_000) })
        await connection.close()
        return 'up'
      }, { timeoutMs, everyMs: 250 })
    } catch (error) {
      const serial = await readFile(this.#serial, 'utf8').catch(() => '')
      throw new Error(`the Xen host did not come up; QEMU said ${JSON.stringify(this.#said)}, and its console ends: ${serial.slice(-2000)}`, { cause: error })
    }
    if (this.#child.exitCode !== null) throw new Error(`QEMU ended: ${this.#said}`)
  }

  async save(state: string): Promise<void> {
    await using monitor = await Monitor.open(this.#qmp)
    await monitor.execute('stop')
    await monitor.execute('migrate-set-parameters', { 'max-bandwidth': 10 ** 10 })
    await monitor.execute('migrate', { uri: `exec:cat > ${state}` })
    await until('the machine\'s memory is written', async () => (await monitor.execute('query-migrate') as { status: string }).status === 'completed', { timeoutMs: 60_000 })
    // So that what is on the disk goes with what is in the memory.
    const ended = once(this.#child, 'exit')
    await monitor.execute('quit')
    await ended
  }

  /** A machine that was stopped when its memory was written is so when it has been read. */
  async continue(): Promise<void> {
    await using monitor = await until('QEMU has its monitor', () => Monitor.open(this.#qmp))
    await until('the machine\'s memory is read', async () => (await monitor.execute('query-status') as { status: string }).status === 'paused', { timeoutMs: 60_000 })
    await monitor.execute('cont')
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, 'exit')
      this.#child.kill('SIGKILL')
      await ended
    }
    await rm(this.#folder, { recursive: true, force: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

/** QEMU's own protocol: a line of JSON for each command and each answer. */
class Monitor {
  readonly #socket: Socket
  readonly #lines: AsyncIterator<string>

  private constructor(socket: Socket) {
    this.#socket = socket
    this.#lines = createInterface(socket)[Symbol.asyncIterator]()
  }

  static async open(path: string): Promise<Monitor> {
    const socket = createConnection(path)
    await once(socket, 'connect')
    const monitor = new Monitor(socket)
    await monitor.execute('qmp_capabilities')
    return monitor
  }

  async execute(command: string, args: Record<string, unknown> = {}): Promise<unknown> {
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args })}\n`)
    for (;;) {
      const { value, done } = await this.#lines.next()
      if (done === true) throw new Error(`QEMU ended before it answered ${command}`)
      const answer = JSON.parse(value) as { return?: unknown; error?: { desc: string } }
      if (answer.error !== undefined) throw new Error(`QEMU refused ${command}: ${answer.error.desc}`)
      // Greetings and events come between.
      if ('return' in answer) return answer.return
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#socket.destroy()
    return Promise.resolve()
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}
