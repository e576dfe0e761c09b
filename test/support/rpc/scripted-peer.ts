// The host's side of a connection in memory: sees what the client sends as frames, and answers what a test tells it to.

import { Client, type ClientOptions } from '../../../drivers/remote/client.ts'
import { FrameParser, MessageStatus, MessageType, Program, writeFrame, type Frame, type Header } from '../../../drivers/remote/frame.ts'
import type { Procedure } from '../../../drivers/remote/protocol.ts'
import type { Transport, TransportEvents } from '../../../drivers/remote/transport/transport.ts'
import { RemoteError } from '../../../drivers/remote/types.ts'
import { Writer, type Codec } from '../../../drivers/remote/xdr.ts'

/** The bytes of one frame, its payload encoded or raw. */
export const frameOf = (header: Partial<Header>, body?: (to: Writer) => void): Buffer => {
  const to = new Writer()
  writeFrame(to, { program: Program.REMOTE, procedure: 1, type: MessageType.REPLY, serial: 1, status: MessageStatus.OK, ...header }, body)
  return Buffer.from(to.flush())
}
export const encoded = <T>(codec: Codec<T>, value: T): Buffer => {
  const to = new Writer()
  codec.write(to, value)
  return Buffer.from(to.flush())
}
export const raw = (bytes: Uint8Array) => (to: Writer): void => {
  const at = to.skip(bytes.length)
  to.bytes.set(bytes, at)
  to.at = at + bytes.length
}

export class ScriptedPeer {
  /** What the client has sent. */
  readonly frames: Frame[] = []
  /** How many writes it came in. */
  writes = 0
  closed = false
  paused = false
  /** While set, data that the client hands over counts as not taken. */
  stalled = false
  readonly #untaken: (() => void)[] = []
  #events: TransportEvents | null = null
  readonly #parser = new FrameParser((frame) => this.frames.push(frame))

  readonly transport: Transport = {
    peer: '/scripted',
    open: (events) => { this.#events = events; return Promise.resolve() },
    write: (bytes, taken) => {
      this.writes++
      this.#parser.push(Buffer.from(bytes))
      if (!taken) return
      if (this.stalled) this.#untaken.push(taken)
      else taken()
    },
    pause: () => { this.paused = true },
    resume: () => { this.paused = false },
    close: () => { this.closed = true; this.drop(new Error('closed')) },
  }

  /** Bytes to the client, as one chunk. */
  send(...chunks: Uint8Array[]): void {
    this.#events?.data(Buffer.concat(chunks))
  }

  reply<R>(frame: Frame, procedure: Procedure<any, R>, ret: R): void {
    this.send(replyTo(frame, procedure, ret))
  }

  refuse(frame: Frame, error: { code: number; message?: string | null }): void {
    this.send(refusalOf(frame, error))
  }

  /** The transport ends under the client. */
  drop(reason: Error): void {
    const events = this.#events
    this.#events = null
    events?.end(reason)
  }

  takeAll(): void {
    this.stalled = false
    for (const taken of this.#untaken.splice(0)) taken()
  }

  /** The calls among the frames, without keepalive. */
  get calls(): Frame[] {
    return this.frames.filter((frame) => frame.program !== Program.KEEPALIVE && frame.type === MessageType.CALL)
  }
}

export const replyTo = <R>({ program, procedure, serial }: Frame, { ret }: Procedure<any, R>, value: R): Buffer =>
  frameOf({ program, procedure, serial }, (to) => ret.write(to, value))

export const refusalOf = ({ program, procedure, serial, type }: Frame, { code, message = 'no', str2 = null }: { code: number; message?: string | null; str2?: string | null }): Buffer =>
  frameOf({ program, procedure, serial, status: MessageStatus.ERROR, type: type === MessageType.STREAM ? MessageType.STREAM : MessageType.REPLY }, (to) => RemoteError.write(to, {
    code, domain: 10, message, level: 2, dom: null, str1: null, str2, str3: null, int1: 0, int2: 0, net: null,
  }))

export const quiet: ClientOptions = { callTimeout: 10_000, keepAliveInterval: 0, keepAliveCount: 0 }

/** A client that talks to a fresh ScriptedPeer. */
export const connected = async (options: Partial<ClientOptions> = {}, onMessage?: (procedure: number, payload: Buffer) => void): Promise<{ client: Client; peer: ScriptedPeer }> => {
  const peer = new ScriptedPeer()
  const client = await Client.connect(peer.transport, { ...quiet, ...options }, onMessage)
  return { client, peer }
}
