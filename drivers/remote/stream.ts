// Uploads and downloads: libvirt's streams over a connection that carries nothing else.
//
// Upload:   call -> reply -> data packets (CONTINUE) -> empty OK -> the host's empty OK. Download: call -> reply ->
// data packets -> an empty CONTINUE from the host -> our empty OK -> the host's empty OK. Either side ends it early
// with ERROR. Streams have no deadline: they take as long as the bytes take, and `abort` ends them at any time.

import { ConnectionLost } from '../errors.ts'
import type { DownloadStream, UploadStream } from '../driver.ts'
import { remoteError, type Client, type StreamSink } from './client.ts'
import { MessageStatus } from './frame.ts'
import { procedures, type Procedure } from './protocol.ts'

/** What libvirt's own client sends per packet. */
const PACKET_MAX = 262_120
/** Bytes that wait for a slow consumer before the socket is no longer read, and when reading starts again. */
const BUFFER_HIGH = 4 * 1024 * 1024
const BUFFER_LOW = 1024 * 1024

interface Transfer { vol: { pool: string; name: string; key: string }; offset: number; length: number; flags: number }

/** What both directions share: one stream on one client, and how it is over. */
abstract class Stream implements StreamSink {
  readonly procedure: Procedure<any, any>
  protected readonly client: Client
  protected serial = 0
  /** Why it cannot go on; null while it can and after it went well. */
  protected failure: Error | null = null
  /** The host's last word has come, or the connection's end. */
  protected over = false
  #aborting = false
  readonly #waiting = new Set<() => void>()

  constructor(client: Client, procedure: Procedure<any, any>) {
    this.client = client
    this.procedure = procedure
  }

  async open(args: Transfer): Promise<this> {
    try {
      await this.client.call(this.procedure, args, (_, serial) => {
        this.serial = serial
        this.client.addStream(serial, this)
      })
    } catch (error) {
      this.client.close()
      throw error
    }
    return this
  }

  packet(status: number, payload: Buffer): void {
    if (status === MessageStatus.CONTINUE) return this.data(payload)
    if (status === MessageStatus.ERROR && payload.length > 0) this.failure ??= remoteError(payload, this.procedure.name)
    else if (status === MessageStatus.ERROR || !this.complete()) this.failure ??= new ConnectionLost(`the host ended the stream of ${this.procedure.name} before all bytes were through`)
    this.#finish()
  }

  end(reason: Error): void {
    if (!this.over) this.failure ??= reason
    this.#finish()
  }

  async abort(reason: string): Promise<void> {
    if (this.over) return
    this.failure ??= new ConnectionLost(`the stream of ${this.procedure.name} was aborted: ${reason}`)
    this.wake()
    if (!this.#aborting) {
      this.#aborting = true
      this.send(MessageStatus.ERROR)
      this.client.resume()
    }
    // A host that does not even acknowledge loses the connection, and with it the stream.
    const patience = this.client.clock.setTimeout(() => this.client.close(), this.client.callTimeout)
    while (!this.over) await this.wait()
    patience.cancel()
  }

  /** Whether all bytes are through, so that the host's OK is the confirmation. */
  protected abstract complete(): boolean

  /** A data packet; empty at the end of a download. */
  protected abstract data(payload: Buffer): void

  protected send(status: number, data?: Uint8Array, taken?: () => void): void {
    this.client.sendStream(this.serial, this.procedure, status, data, taken)
  }

  /** Resolves at the next change of anything. */
  protected wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve))
  }

  protected wake(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }

  #finish(): void {
    this.over = true
    this.client.removeStream(this.serial)
    this.client.close()
    this.wake()
  }
}

class Upload extends Stream implements UploadStream {
  #finishing = false

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#finishing) throw new TypeError('an upload takes no bytes after finish')
    for (let at = 0; at < chunk.length; at += PACKET_MAX) {
      if (this.failure) throw this.failure
      let taken = false
      this.send(MessageStatus.CONTINUE, chunk.subarray(at, at + PACKET_MAX), () => { taken = true; this.wake() })
      while (!taken && !this.failure) await this.wait()
    }
    if (this.failure) throw this.failure
  }

  async finish(): Promise<void> {
    if (!this.#finishing && !this.failure) {
      this.#finishing = true
      this.send(MessageStatus.OK)
    }
    while (!this.over && !this.failure) await this.wait()
    if (this.failure) throw this.failure
  }

  protected override complete(): boolean {
    return this.#finishing
  }

  protected override data(): void {
    // The host has nothing to say in this direction until its last word.
  }
}

class Download extends Stream implements DownloadStream {
  #chunks: Buffer[] = []
  #buffered = 0
  #paused = false
  #ended = false

  protected override complete(): boolean {
    return this.#ended
  }

  protected override data(payload: Buffer): void {
    if (this.failure) return
    if (payload.length === 0) {
      if (!this.#ended) this.send(MessageStatus.OK)
      this.#ended = true
      return
    }
    this.#chunks.push(payload)
    this.#buffered += payload.length
    if (this.#buffered > BUFFER_HIGH && !this.#paused) {
      this.#paused = true
      this.client.pause()
    }
    this.wake()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift()
        if (this.failure) throw this.failure
        if (chunk) {
          this.#take(chunk.length)
          yield chunk
        } else if (this.over) {
          return
        } else {
          await this.wait()
        }
      }
    } finally {
      await this.abort('its reader left')
    }
  }

  #take(bytes: number): void {
    this.#buffered -= bytes
    if (this.#paused && this.#buffered < BUFFER_LOW) {
      this.#paused = false
      this.client.resume()
    }
  }
}

/** Takes the client over: it is closed when the stream is. */
export const openUpload = (client: Client, args: Transfer): Promise<UploadStream> => new Upload(client, procedures.storageVolUpload).open(args)
/** Takes the client over: it is closed when the stream is. */
export const openDownload = (client: Client, args: Transfer): Promise<DownloadStream> => new Download(client, procedures.storageVolDownload).open(args)
