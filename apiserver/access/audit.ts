// The audit log: a line of JSON for every write, who did what to what and how it ended; never what was in it.

import { type WriteStream, createWriteStream, renameSync, statSync } from 'node:fs'

export interface AuditRecord {
  time: string
  user: string
  address: string
  agent: string
  verb: string
  /** Path and query of the request. */
  uri: string
  code: number
}

/** Bytes after which a new file is begun; the one before is kept as FILE.1. */
const ROTATE = 32 * 1024 * 1024

export class AuditLog {
  readonly #file: string
  #stream: WriteStream
  #size: number
  /** Why lines are lost, if they are. */
  failure: Error | undefined

  constructor(file: string) {
    this.#file = file
    this.#size = sizeOf(file)
    this.#stream = this.#open()
  }

  write(record: AuditRecord): void {
    const line = `${JSON.stringify(record)}\n`
    if (this.#size > ROTATE) this.#rotate()
    this.#size += line.length
    this.#stream.write(line)
  }

  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#stream.end(resolve)
    this.#stream.once('error', () => { resolve() })
    await promise
  }

  #open(): WriteStream {
    const stream = createWriteStream(this.#file, { flags: 'a', mode: 0o600 })
    // A full disk must not end the process.
    stream.on('error', error => { this.failure = error })
    return stream
  }

  #rotate(): void {
    this.#stream.end()
    try {
      renameSync(this.#file, `${this.#file}.1`)
    } catch (error) {
      this.failure = error instanceof Error ? error : new Error(String(error))
    }
    this.#size = 0
    this.#stream = this.#open()
  }
}

function sizeOf(file: string): number {
  try {
    return statSync(file).size
  } catch {
    return 0
  }
}
