// Keeps one program running beside this process, in a process group of its own, and ends it when this process ends.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

export class Daemon {
  readonly name: string
  readonly #child: ChildProcess
  readonly #logFile: string
  readonly #ended: Promise<void>

  /** Starts `command`; what it prints is appended to `logFile`. */
  constructor(name: string, command: readonly string[], logFile: string) {
    this.name = name
    this.#logFile = logFile
    const log = openSync(logFile, 'a')
    // The parent-death signal covers every way in which this process can end, SIGKILL included. A group of its own keeps a
    // terminal's Ctrl-C away, so that the programs end in their order.
    this.#child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...command], { detached: true, stdio: ['ignore', log, log] })
    closeSync(log)
    this.#ended = new Promise(resolve => {
      this.#child.once('exit', () => resolve())
      this.#child.once('error', () => resolve())
    })
  }

  get running(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Resolves when the program has ended, for whatever reason. */
  get ended(): Promise<void> {
    return this.#ended
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** Sends `signal` and waits for the end; after ten seconds the program is killed. */
  async stop(signal: NodeJS.Signals): Promise<void> {
    if (!this.running) return
    this.#child.kill(signal)
    const deadline = setTimeout(() => this.#child.kill('SIGKILL'), 10_000)
    await this.#ended
    clearTimeout(deadline)
  }

  /** The last lines that the program has printed. */
  async lastWords(): Promise<string> {
    const log = await readFile(this.#logFile, 'utf8').catch(() => '')
    return log.trimEnd().split('\n').slice(-5).join('\n')
  }
}
