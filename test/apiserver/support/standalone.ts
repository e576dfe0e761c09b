// Runs `vireo standalone` as a process of its own, in a folder of its own, on a port that is free.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { withoutLibvirt } from '../../support/views.ts'
import { vireo } from '../../support/program.ts'

const root = join(import.meta.dirname, '../../..')

export class Standalone implements AsyncDisposable {
  readonly folder: string
  readonly url: string
  readonly #child: ChildProcess
  /** All that it printed. */
  readonly output: () => string

  private constructor(folder: string, url: string, child: ChildProcess, output: () => string) {
    this.folder = folder
    this.url = url
    this.#child = child
    this.output = output
  }

  get kubeconfig(): string { return join(this.folder, 'kubeconfig') }

  /** Resolves when it says where it is; rejects with its words when it ends instead. An operator that runs in it sees no libvirtd of this machine. */
  static async start(folder: string, { flags = [], under = flags.includes('--no-operator') ? [] : withoutLibvirt, listen = '127.0.0.1:0' }: { flags?: readonly string[]; under?: readonly string[]; listen?: string } = {}): Promise<Standalone> {
    const [program, ...args] = [...under, process.execPath, vireo(), 'standalone', '--data', folder, '--listen', listen, '--log-level', 'warn', ...flags]
    const child = spawn(program!, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const hear = (chunk: Buffer): void => {
      output += chunk.toString()
      const url = /vireo runs at (https:\S+)\. /.exec(output)?.[1]
      if (url !== undefined) resolve(url)
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.once('exit', code => { reject(new Error(`vireo standalone ended with code ${code}: ${output}`)) })
    return new Standalone(folder, await promise, child, () => output)
  }

  signal(signal: NodeJS.Signals): void { this.#child.kill(signal) }

  /** Answers the exit code; null where it was killed. */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode
    const ended = once(this.#child, 'exit')
    this.#child.kill(signal)
    return (await ended)[0] as number | null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL')
  }
}
