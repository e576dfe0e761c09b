// libvirt's streams, over a connection that carries nothing else.
//
// To the host:   call -> reply -> data packets (CONTINUE) -> empty OK -> the host's empty OK. From the host: call ->
// reply -> data packets -> an empty CONTINUE from the host -> our empty OK -> the host's empty OK. Consoles do both at
// once. The host's packets come from another thread than its reply: the first of them, even all, may be here before that.
// Either side ends it early with ERROR. Streams have no deadline: they take as long as the bytes take, and
// `abort` ends them at any time.

import { ConnectionLost, LibvirtError } from '../errors.ts'
import type { DownloadStream, DuplexStream, UploadStream } from '../driver.ts'
import { remoteError, type Client, type StreamSink } from './client.ts'
import { MessageStatus } from './frame.ts'
import type { Procedure } from './protocol.ts'

/** What libvirt's own client sends per packet. */
const PACKET_MAX = 262_120
/** Packets of one write that the transport may have before it has taken the first: one alone would wait for the system each time. */
const WINDOW = 4
/** Bytes that wait for a slow consumer before the socket is no longer read, and when reading starts again. */
const BUFFER_HIGH = 4 * 1024 * 1024
const BUFFER_LOW = 1024 * 1024

/** One stream on one client, in any direction, and how it is over. */
class Stream implements StreamSink, DuplexStream {
  readonly procedure: Procedure<any, any>
  readonly #client: Client
  /** Whether the host has bytes for us, and the end of them is the end of the stream. */
  readonly #reads: boolean
  #serial = 0
  /** The host has answered the call that opens it: only then it takes what we say. */
  #opened = false
  /** Why it cannot go on; null while it can and after it went well. */
  #failure: Error | null = null
  /** The host's last word has come, or the connection's end. */
  #over = false
  /** Our last word was said. */
  #finishing = false
  /** The host has said that it has no more bytes. */
  #ended = false
  #aborting = false
  readonly #waiting = new Set<() => void>()
  readonly #chunks: Buffer[] = []
  #buffered = 0
  #paused = false

  constructor(client: Client, procedure: Procedure<any, any>, reads: boolean) {
    this.#client = client
    this.procedure = procedure
    this.#reads = reads
  }

  /** Answers what the call that opens it answered. */
  async open<A, R>(procedure: Procedure<A, R>, args: A): Promise<R> {
    try {
      return await this.#client.call(procedure, args, {
        sending: (serial) => {
          this.#serial = serial
          this.#client.addStream(serial, this)
        },
        answered: () => {
          this.#opened = true
          if (this.#ended) this.#sayEnd()
        },
      })
    } catch (error) {
      this.#client.close()
      // An error of the stream itself came before the answer and tells more than the end that it led to.
      throw this.#failure instanceof LibvirtError ? this.#failure : error
    }
  }

  packet(status: number, payload: Buffer): void {
    if (status === MessageStatus.CONTINUE) return this.#data(payload)
    if (status === MessageStatus.ERROR && payload.length > 0) this.#failure ??= remoteError(payload, this.procedure.name)
    // The host's OK is the confirmation only after ours.
    else if (status === MessageStatus.ERROR || !this.#finishing) this.#failure ??= new ConnectionLost(`the host ended the stream of ${this.procedure.name} before all bytes were through`)
    this.#finish()
  }

  end(reason: Error): void {
    if (!this.#over) this.#failure ??= reason
    this.#finish()
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#ended) throw new ConnectionLost(`the host has ended the stream of ${this.procedure.name}`)
    if (this.#finishing) throw new TypeError(`the stream of ${this.procedure.name} takes no bytes after finish`)
    let untaken = 0
    const taken = (): void => { untaken--; this.#wake() }
    for (let at = 0; at < chunk.length; at += PACKET_MAX) {
      while (untaken >= WINDOW && !this.#failure) await this.#wait()
      if (this.#failure) throw this.#failure
      untaken++
      this.#send(MessageStatus.CONTINUE, chunk.subarray(at, at + PACKET_MAX), taken)
    }
    while (untaken > 0 && !this.#failure) await this.#wait()
    if (this.#failure) throw this.#failure
  }

  async finish(): Promise<void> {
    if (!this.#failure) this.#sayEnd()
    // What has come stays for the reader; what waits in the socket must not keep the host's last word from us.
    this.#unpause()
    while (!this.#over && !this.#failure) await this.#wait()
    if (this.#failure) throw this.#failure
  }

  async abort(reason: string): Promise<void> {
    if (this.#over) return
    this.#failure ??= new ConnectionLost(`the stream of ${this.procedure.name} was aborted: ${reason}`)
    this.#wake()
    if (!this.#aborting) {
      this.#aborting = true
      this.#send(MessageStatus.ERROR)
      this.#unpause()
    }
    // A host that does not even acknowledge loses the connection, and with it the stream.
    const patience = this.#client.clock.setTimeout(() => this.#client.close(), this.#client.callTimeout)
    while (!this.#over) await this.#wait()
    patience.cancel()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      for (;;) {
        const chunk = this.#chunks.shift()
        if (this.#failure) throw this.#failure
        if (chunk) {
          this.#take(chunk.length)
          yield chunk
        } else if (this.#over) {
          return
        } else {
          await this.#wait()
        }
      }
    } finally {
      await this.abort('its reader left')
    }
  }

  #data(payload: Buffer): void {
    // A host that only receives has nothing to say until its last word.
    if (this.#failure || !this.#reads) return
    if (payload.length === 0) {
      this.#ended = true
      if (this.#opened) this.#sayEnd()
      return
    }
    if (this.#finishing) return
    this.#chunks.push(payload)
    this.#buffered += payload.length
    if (this.#buffered > BUFFER_HIGH && !this.#paused) {
      this.#paused = true
      this.#client.pause()
    }
    this.#wake()
  }

  #take(bytes: number): void {
    this.#buffered -= bytes
    if (this.#buffered < BUFFER_LOW) this.#unpause()
  }

  #unpause(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#client.resume()
  }

  #sayEnd(): void {
    if (this.#finishing) return
    this.#finishing = true
    this.#send(MessageStatus.OK)
  }

  #send(status: number, data?: Uint8Array, taken?: () => void): void {
    this.#client.sendStream(this.#serial, this.procedure, status, data, taken)
  }

  /** Resolves at the next change of anything. */
  #wait(): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(resolve))
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }

  #finish(): void {
    this.#over = true
    this.#client.removeStream(this.#serial)
    this.#client.close()
    this.#wake()
  }
}

export interface Opened<S, R> { stream: S; ret: R }
const opened = async <A, R>(client: Client, procedure: Procedure<A, R>, args: A, reads: boolean): Promise<Opened<Stream, R>> => {
  const stream = new Stream(client, procedure, reads)
  return { stream, ret: await stream.open(procedure, args) }
}

// Each takes the client over: it is closed when the stream is.
export const openUpload = <A, R>(client: Client, procedure: Procedure<A, R>, args: A): Promise<Opened<UploadStream, R>> => opened(client, procedure, args, false)
export const openDownload = <A, R>(client: Client, procedure: Procedure<A, R>, args: A): Promise<Opened<DownloadStream, R>> => opened(client, procedure, args, true)
export const openDuplex = <A, R>(client: Client, procedure: Procedure<A, R>, args: A): Promise<Opened<DuplexStream, R>> => opened(client, procedure, args, true)
