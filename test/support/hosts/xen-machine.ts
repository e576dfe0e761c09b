// Runs a machine under QEMU's TCG whose hypervisor is Xen, and forwards its libvirtd to this machine.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createConnection, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
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
}

export interface XenMachine extends AsyncDisposable {
  /** A unix socket of this machine that leads to the libvirtd. */
  readonly socket: string
  /** The loopback port that leads to the libvirtd, where it listens without encryption. */
  readonly port: number
  /** Resolves once libvirtd serves its Xen driver. */
  answers(timeoutMs: number): Promise<void>
  /** Stops the machine and writes its memory into a file. */
  save(state: string): Promise<void>
  stop(): Promise<void>
}

/** `keepsDisk`: what the machine writes stays in the image; otherwise it is gone with the machine. */
export async function bootXen(image: XenImage, { keepsDisk = false } = {}): Promise<XenMachine> {
  const folder = await mkdtemp(join(tmpdir(), `vireo-xen-${process.pid}-`))
  const port = await freePort()
  const serial = join(folder, 'serial.log')
  const qmp = join(folder, 'qmp')
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', 'qemu-system-x86_64',
    // Other processors than this one stop libxl, or dom0.
    '-accel', 'tcg,thread=multi', '-machine', 'q35', '-cpu', 'Nehalem', '-smp', '2', '-m', '1024', '-nodefaults', '-display', 'none',
    '-kernel', image.xen, '-append', 'dom0_mem=512M,max:512M dom0_max_vcpus=1 console=com1 com1=115200,8n1 spec-ctrl=no no-real-mode',
    '-initrd', `${image.vmlinuz} root=/dev/vda console=hvc0 mitigations=off,${image.initrd}`,
    '-drive', `file=${image.disk},format=qcow2,if=virtio,snapshot=${keepsDisk ? 'off' : 'on'}`,
    '-netdev', `user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:${port}-:16509`, '-device', 'virtio-net-pci,netdev=net,romfile=',
    '-serial', `file:${serial}`, '-qmp', `unix:${qmp},server=on,wait=off`,
    ...(image.state === undefined ? [] : ['-incoming', `exec:cat ${image.state}`]),
  ], { stdio: ['ignore', 'ignore', 'pipe'] })
  const relay = await startRelay(join(folder, 'libvirt-sock'), port)
  return new Machine(child, relay, folder, port, serial, qmp)
}

class Machine implements XenMachine {
  readonly socket: string
  readonly port: number
  readonly #child: ChildProcess
  readonly #relay: Relay
  readonly #folder: string
  readonly #serial: string
  readonly #qmp: string
  #said = ''

  constructor(child: ChildProcess, relay: Relay, folder: string, port: number, serial: string, qmp: string) {
    this.#child = child
    this.#relay = relay
    this.#folder = folder
    this.port = port
    this.socket = relay.path
    this.#serial = serial
    this.#qmp = qmp
    child.stderr?.on('data', (chunk: Buffer) => { this.#said += chunk.toString() })
  }

  async answers(timeoutMs: number): Promise<void> {
    const uri = `xen+unix:///system?socket=${this.socket}`
    try {
      await until('the Xen host answers', async () => {
        if (this.#child.exitCode !== null) return 'ended'
        const connection = await createRegistry().open(uri, { callTimeout: 20_000, keepAliveInterval: 5_000, keepAliveCount: 6, signal: AbortSignal.timeout(20_000) })
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
    const monitor = createConnection(this.#qmp)
    await once(monitor, 'connect')
    const answers = createInterface(monitor)[Symbol.asyncIterator]()
    const command = async (execute: string, args: Record<string, unknown> = {}): Promise<unknown> => {
      monitor.write(`${JSON.stringify({ execute, arguments: args })}\n`)
      for (;;) {
        const { value } = await answers.next() as { value: string }
        const answer = JSON.parse(value) as { return?: unknown; error?: { desc: string } }
        if (answer.error !== undefined) throw new Error(`QEMU refused ${execute}: ${answer.error.desc}`)
        if ('return' in answer) return answer.return
      }
    }
    await command('qmp_capabilities')
    await command('stop')
    await command('migrate-set-parameters', { 'max-bandwidth': 10 ** 10 })
    await command('migrate', { uri: `exec:cat > ${state}` })
    await until('the machine\'s memory is written', async () => {
      const { status } = await command('query-migrate') as { status: string }
      if (status === 'failed') throw new Error('QEMU could not write the memory of the machine')
      return status === 'completed'
    }, { timeoutMs: 60_000 })
    // So that what is on the disk goes with what is in the memory.
    await command('quit')
    await once(this.#child, 'exit')
    monitor.destroy()
  }

  async stop(): Promise<void> {
    await this.#relay.close()
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

interface Relay { path: string; close(): Promise<void> }

/** Carries every connection to a unix socket to a loopback port. */
async function startRelay(path: string, port: number): Promise<Relay> {
  const open = new Set<Socket>()
  const server: Server = createServer({ allowHalfOpen: false }, near => {
    const far = createConnection(port, '127.0.0.1')
    for (const [side, other] of [[near, far], [far, near]] as const) {
      open.add(side)
      side.on('error', () => other.destroy())
      side.on('close', () => { open.delete(side); other.destroy() })
      side.pipe(other)
    }
  })
  server.listen(path)
  await once(server, 'listening')
  return {
    path,
    close: async () => {
      for (const socket of open) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
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
