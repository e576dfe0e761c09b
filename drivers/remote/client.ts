// The protocol core: gives calls their serials and slots, routes replies, events and stream packets, keeps deadlines.
//
// It knows no socket (a Transport carries the bytes) and no procedure (protocol.ts describes them).
//
// A call is in one of these states:
//   waiting   for a slot, nothing sent   -> sent when a slot is free; finished at its deadline or the connection's end
//   sent      holds a slot               -> finished by its reply or the connection's end; overdue at its deadline
//   overdue   the caller has CallTimeout, the daemon still works on it: holds its slot until the reply or the end
//   finished  the caller has its answer

import { CallTimeout, ConnectionLost, LibvirtError } from '../errors.ts'
import type { OpenOptions } from '../driver.ts'
import { FrameParser, MessageStatus, MessageType, PROTOCOL_VERSION, Program, writeFrame, type Frame, type Header } from './frame.ts'
import { Keepalive, startKeepalive } from './keepalive.ts'
import { ProtocolError, Reader, Writer, type Codec } from './xdr.ts'
import { RemoteError } from './types.ts'
import { monotonicClock, type Clock, type Timer } from '../../clock/clock.ts'
import type { Procedure } from './protocol.ts'
import type { Transport } from './transport/transport.ts'

/** libvirtd stops reading a connection that has five requests under way, keepalive included: stay below. */
const SLOTS = 4

export type ClientOptions = Pick<OpenOptions, 'callTimeout' | 'unhurried' | 'keepAliveInterval' | 'keepAliveCount' | 'onCall'> & {
  clock?: Clock
  /**
   * What comes of a connection all of whose slots are held by overdue calls. `end`: it ends, and whoever makes a new one has
   * free slots. `refuse`: further calls are CallTimeout at once until a late answer comes; each new connection would hang
   * as many threads of the daemon again.
   */
  jammed?: 'end' | 'refuse'
}

/** Receives what belongs to one stream. Called synchronously, in order of arrival. */
export interface StreamSink {
  /** The procedure that opened the stream. */
  procedure: Procedure<any, any>
  packet(status: number, payload: Buffer): void
  end(reason: Error): void
}

/** Run synchronously, each once. */
export interface CallHooks<R> {
  /** Before the call is on its way: the place to install routes, for a host may begin to send before it answers. */
  sending?(serial: number): void
  /** When the answer arrives, before any later byte is looked at. */
  answered?(ret: R): void
}

/** What hangs on it runs at the end of the current turn: queueMicrotask would make three objects for each. */
const turn = Promise.resolve()

interface Call {
  state: 'waiting' | 'sent' | 'overdue' | 'finished'
  procedure: Procedure<any, any>
  args: unknown
  serial: number
  started: number
  /** When its deadline passes; never, where it has none or it has passed. */
  due: number
  /** When it became overdue. */
  overdue: number
  hooks: CallHooks<any> | undefined
  resolve(value: any): void
  reject(error: Error): void
}

/** Reads one value that must fill the payload exactly. */
const decodeAll = <T>(codec: Codec<T>, payload: Buffer, what: string): T => {
  const from = new Reader(payload)
  const value = codec.read(from)
  if (from.left > 0) throw new ProtocolError(`${what} has ${from.left} bytes more than its description`)
  return value
}

/** libvirt's error struct as the error that callers match on. */
export const remoteError = (payload: Buffer, procedure: string): LibvirtError => {
  const { code, domain, level, message, str2 } = decodeAll(RemoteError, payload, `the error of ${procedure}`)
  return new LibvirtError({ code, domain, level, message: message ?? `libvirt error ${code} without a message`, procedure, str2 })
}

export class Client {
  readonly peer: string
  readonly clock: Clock
  /** The deadline of every call that has none of its own, ms. */
  readonly callTimeout: number
  /** Resolves with the reason once the connection has ended, by whichever side. Never rejects. */
  readonly closed: Promise<ConnectionLost>
  readonly #transport: Transport
  readonly #options: Pick<ClientOptions, 'unhurried' | 'jammed'>
  readonly #onCall: ClientOptions['onCall']
  readonly #onMessage: (procedure: number, payload: Buffer) => void
  readonly #keepalive: ReturnType<typeof startKeepalive>
  readonly #parser = new FrameParser((frame) => this.#dispatch(frame))
  readonly #out = new Writer()
  #flushing = false
  /** In order of their calls. */
  readonly #waiting = new Set<Call>()
  /** Who holds a slot, in order of their calls: so few that looking through them beats any index. */
  readonly #inFlight: Call[] = []
  readonly #streams = new Map<number, StreamSink>()
  #deadline: Timer | null = null
  // What each call would otherwise make anew.
  readonly #header: Header = { program: 0, procedure: 0, type: MessageType.CALL, serial: 0, status: MessageStatus.OK }
  #sending: Call | null = null
  readonly #writeArgs = (to: Writer): void => this.#sending!.procedure.args.write(to, this.#sending!.args)
  readonly #flushNow = (): void => this.#flush()
  #serial = 0
  #ended: ConnectionLost | null = null
  #resolveClosed!: (reason: ConnectionLost) => void

  /**
   * Connects. `onMessage` gets every event message, synchronously and in order of arrival.
   * Rejects with the transport's error.
   */
  static async connect(transport: Transport, options: ClientOptions, onMessage: (procedure: number, payload: Buffer) => void = () => {}, signal?: AbortSignal): Promise<Client> {
    // Between the transport's `open` and the next line nothing can arrive: both run in one turn.
    let client: Client | null = null
    await transport.open({ data: (chunk) => client?.receive(chunk), end: (reason) => client?.end(reason) }, signal)
    client = new Client(transport, options, onMessage)
    return client
  }

  private constructor(transport: Transport, options: ClientOptions, onMessage: (procedure: number, payload: Buffer) => void) {
    this.#transport = transport
    this.peer = transport.peer
    this.clock = options.clock ?? monotonicClock
    this.callTimeout = options.callTimeout
    this.#options = options
    this.#onCall = options.onCall
    this.#onMessage = onMessage
    this.closed = new Promise((resolve) => { this.#resolveClosed = resolve })
    this.#keepalive = startKeepalive({
      clock: this.clock, interval: options.keepAliveInterval, count: options.keepAliveCount,
      ping: () => this.#sendKeepalive(Keepalive.PING),
      broken: (reason) => this.end(reason),
    })
  }

  /**
   * Calls a procedure. Rejects with LibvirtError, CallTimeout or ConnectionLost, and with TypeError or RangeError for
   * arguments that cannot be sent.
   */
  call<A, R>(procedure: Procedure<A, R>, args: A, hooks?: CallHooks<R>): Promise<R> {
    if (this.#ended) return Promise.reject(this.#lost(`${procedure.name} was not sent`))
    if (this.#options.jammed === 'refuse' && this.#isJammed(this.clock.now())) return Promise.reject(new CallTimeout(procedure.name, this.callTimeout, `the host has not answered ${this.#holders()} for ${this.callTimeout / 1000} s and more: ${procedure.name} was not sent`))
    return new Promise<R>((resolve, reject) => {
      const started = this.clock.now()
      const hurried = procedure.deadline === 'default' && !this.#options.unhurried
      const call: Call = { state: 'waiting', procedure, args, serial: 0, started, due: hurried ? started + this.callTimeout : Infinity, overdue: Infinity, hooks, resolve, reject }
      if (hurried) this.#deadline ??= this.clock.setTimeout(() => this.#passDeadlines(), this.callTimeout)
      // Who waits goes first.
      if (this.#inFlight.length < SLOTS && this.#waiting.size === 0) this.#send(call)
      else this.#waiting.add(call)
    })
  }

  /** Calls that have no answer yet. */
  get pending(): number {
    return this.#waiting.size + this.#inFlight.length
  }

  /** Routes the packets of the stream that the call with this serial opens. For use in `sending`. */
  addStream(serial: number, sink: StreamSink): void {
    this.#streams.set(serial, sink)
  }

  removeStream(serial: number): void {
    this.#streams.delete(serial)
  }

  /** `taken` is called when the system has the data and its memory may be used again. */
  sendStream(serial: number, procedure: Procedure<any, any>, status: number, data?: Uint8Array, taken?: () => void): void {
    if (this.#ended) return
    const header = { program: procedure.program, procedure: procedure.number, type: MessageType.STREAM, serial, status }
    writeFrame(this.#out, header, undefined, data?.length ?? 0)
    if (data) {
      this.#flush()
      this.#transport.write(data, taken)
    } else {
      this.#flushSoon()
    }
  }

  /** Stops reading (only for connections that carry nothing but one stream). */
  pause(): void {
    this.#keepalive.suspend(true)
    this.#transport.pause()
  }

  resume(): void {
    this.#transport.resume()
    this.#keepalive.suspend(false)
  }

  /** Ends the connection; what is under way rejects with ConnectionLost. */
  close(reason = new Error('it was closed on this side')): void {
    this.end(reason)
  }

  /** Bytes from the transport. */
  receive(chunk: Buffer): void {
    try {
      this.#parser.push(chunk)
    } catch (error) {
      this.end(error as Error)
    }
  }

  end(reason: Error): void {
    if (this.#ended) return
    this.#ended = new ConnectionLost(`the connection to ${this.peer} has ended: ${reason.message}`, { cause: reason })
    this.#keepalive.stop()
    this.#deadline?.cancel()
    for (const call of this.#inFlight) {
      if (call.state === 'sent') this.#fail(call, 'lost', this.#lost(`${call.procedure.name} got no answer${call.procedure.changing ? ' and may have taken effect' : ''}`))
    }
    for (const call of this.#waiting) this.#fail(call, 'lost', this.#lost(`${call.procedure.name} was not sent`))
    this.#inFlight.length = 0
    this.#waiting.clear()
    for (const sink of this.#streams.values()) sink.end(this.#lost(`the stream of ${sink.procedure.name} is broken`))
    this.#streams.clear()
    this.#transport.close()
    this.#resolveClosed(this.#ended)
  }

  #lost(what: string): ConnectionLost {
    return new ConnectionLost(`${this.#ended!.message}; ${what}`, { cause: this.#ended!.cause })
  }

  #fail(call: Call, outcome: 'error' | 'timeout' | 'lost', error: Error): void {
    call.state = outcome === 'timeout' && call.serial !== 0 ? 'overdue' : 'finished'
    call.due = Infinity
    call.reject(error)
    this.#report(call, outcome, outcome === 'error' && error instanceof LibvirtError ? error : undefined)
  }

  #report(call: Call, outcome: 'ok' | 'error' | 'timeout' | 'lost', refusal?: LibvirtError): void {
    this.#onCall?.({ procedure: call.procedure.name, seconds: (this.clock.now() - call.started) / 1000, outcome, ...(refusal && { code: refusal.code, lacking: refusal.lacksFunction }) })
  }

  /** One timer serves for all: it is set to the first deadline that is ahead. */
  #passDeadlines(): void {
    this.#deadline = null
    const now = this.clock.now()
    const calls = [...this.#inFlight, ...this.#waiting]
    for (const call of calls) if (call.due <= now) this.#pastDeadline(call)
    if (this.#ended) return
    const next = calls.reduce((first, { due }) => Math.min(first, due), Infinity)
    if (next < Infinity) this.#deadline = this.clock.setTimeout(() => this.#passDeadlines(), next - now)
  }

  #pastDeadline(call: Call): void {
    call.overdue = this.clock.now()
    this.#fail(call, 'timeout', new CallTimeout(call.procedure.name, this.callTimeout))
    // A call that spent its whole time behind overdue ones shows that this connection leads nowhere; a new one has free slots.
    if (this.#waiting.delete(call) && this.#options.jammed !== 'refuse' && this.#isJammed(call.started)) this.end(new Error(`${SLOTS} calls (${this.#holders()}) have been without an answer since before their deadlines and let no other call through`))
  }

  /** True where every slot is held by a call that was overdue at `time` already. */
  #isJammed(time: number): boolean {
    return this.#inFlight.length >= SLOTS && this.#inFlight.every((holder) => holder.overdue <= time)
  }

  #holders(): string {
    return this.#inFlight.map(({ procedure }) => procedure.name).join(', ')
  }

  #fillSlots(): void {
    if (this.#waiting.size === 0) return
    for (const call of this.#waiting) {
      if (this.#inFlight.length >= SLOTS) break
      this.#waiting.delete(call)
      this.#send(call)
    }
  }

  #send(call: Call): void {
    do this.#serial = this.#serial === 0xffff_ffff ? 1 : this.#serial + 1
    while (this.#holder(this.#serial) >= 0 || this.#streams.has(this.#serial))
    try {
      this.#header.program = call.procedure.program
      this.#header.procedure = call.procedure.number
      this.#header.serial = this.#serial
      this.#sending = call
      writeFrame(this.#out, this.#header, this.#writeArgs)
    } catch (error) {
      this.#fail(call, 'error', error as Error)
      return
    }
    call.serial = this.#serial
    call.state = 'sent'
    this.#inFlight.push(call)
    call.hooks?.sending?.(call.serial)
    this.#flushSoon()
  }

  /** Where the call with this serial is among those in flight; -1 where no call has it. */
  #holder(serial: number): number {
    for (let i = 0; i < this.#inFlight.length; i++) if (this.#inFlight[i]!.serial === serial) return i
    return -1
  }

  #sendKeepalive(procedure: number): void {
    writeFrame(this.#out, { program: Program.KEEPALIVE, procedure, type: MessageType.MESSAGE, serial: 0, status: MessageStatus.OK })
    this.#flushSoon()
  }

  /** What is sent in one turn travels in one write, where the transport takes more than one frame at a time. */
  #flushSoon(): void {
    if (this.#transport.frameByFrame) return this.#flush()
    if (this.#flushing) return
    this.#flushing = true
    void turn.then(this.#flushNow)
  }

  #flush(): void {
    this.#flushing = false
    const bytes = this.#out.flush()
    if (bytes.length > 0 && !this.#ended) this.#transport.write(bytes)
  }

  #dispatch(frame: Frame): void {
    if (this.#ended) return
    if (frame.version !== PROTOCOL_VERSION) throw new ProtocolError(`the host speaks version ${frame.version} of the protocol instead of ${PROTOCOL_VERSION}`)
    this.#keepalive.heard()
    if (frame.program === Program.KEEPALIVE) {
      if (frame.procedure === Keepalive.PING) this.#sendKeepalive(Keepalive.PONG)
      return
    }
    switch (frame.type) {
      case MessageType.REPLY: return this.#reply(frame)
      case MessageType.MESSAGE:
        if (frame.program !== Program.REMOTE) throw new ProtocolError(`the host sent an event of program 0x${frame.program.toString(16)}, which nobody asked for`)
        return this.#onMessage(frame.procedure, frame.payload)
      // Packets may still be under way when their stream is over on our side.
      case MessageType.STREAM: return this.#streams.get(frame.serial)?.packet(frame.status, frame.payload)
      default: throw new ProtocolError(`the host sent a message of type ${frame.type}, which a client does not receive`)
    }
  }

  #reply(frame: Frame): void {
    const at = this.#holder(frame.serial)
    const call = this.#inFlight[at]
    if (!call) throw new ProtocolError(`the host answered serial ${frame.serial}, which no call waits for`)
    const { procedure } = call
    if (frame.program !== procedure.program) throw new ProtocolError(`the host answered ${procedure.name} as program 0x${frame.program.toString(16)} instead of 0x${procedure.program.toString(16)}`)
    if (frame.procedure !== procedure.number) throw new ProtocolError(`the host answered ${procedure.name} (${procedure.number}) as procedure ${frame.procedure}`)
    if (frame.status === MessageStatus.OK) {
      const ret = decodeAll(procedure.ret, frame.payload, `the reply to ${procedure.name}`)
      this.#inFlight.splice(at, 1)
      if (call.state === 'sent') {
        call.hooks?.answered?.(ret)
        call.state = 'finished'
        call.resolve(ret)
        this.#report(call, 'ok')
      }
    } else if (frame.status === MessageStatus.ERROR) {
      const error = remoteError(frame.payload, procedure.name)
      this.#inFlight.splice(at, 1)
      if (call.state === 'sent') this.#fail(call, 'error', error)
    } else {
      throw new ProtocolError(`the reply to ${procedure.name} has status ${frame.status} instead of 0 or 1`)
    }
    this.#fillSlots()
  }
}
