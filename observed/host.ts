// One hypervisor: keeps the connection open, pins the host, and turns lists and events into writes of the observed mirror.

import type { Connection, DriverEvent, OpenOptions } from '../drivers/driver.ts'
import { AuthenticationFailed, ConnectionLost } from '../drivers/errors.ts'
import { shownURI } from '../drivers/uri.ts'
import { dirtiedBy } from './dirty.ts'
import { listHost } from './list.ts'
import { HostMirror } from './mirror.ts'
import type { Observed } from './objects.ts'
import type { HostOptions } from './options.ts'
import { HostChanged, capabilitiesOf, uuidIn, uuidOf } from './pin.ts'
import { orElse } from './read.ts'
import { Reader } from './reader.ts'
import { Renewed, stateOf, type HostState, type StateHandler } from './state.ts'
import { Streams } from './streams.ts'

export interface HostFacts { driver: string; hostname: string; hostUUID?: string; libvirtVersion: number; hypervisorVersion: number; cpus: number; memoryKiB: number; capabilities: string }

/** How long calls that are under way may delay the end of a connection that is to be made anew, ms. */
const DRAIN = 2_000
const BACKOFF = { first: 1_000, last: 30_000 }

export class Host {
  readonly mirror = new HostMirror()
  /** For what takes long: a big upload must not stand in the way of calls. */
  readonly streams: Streams
  #options: HostOptions
  #state: HostState = 'Connecting'
  #since: number
  #error: Error | undefined
  #facts: HostFacts | undefined
  #connection: Connection | undefined
  readonly #further = new Set<Connection>()
  #closing = new AbortController()
  /** Ends the attempt to connect, or the opening, that is under way. */
  #attempt = new AbortController()
  #drained: (() => void) | undefined
  #running: Promise<void> | undefined
  #wake: (() => void) | undefined
  /** Ends the connection that is followed. */
  #end: ((reason: Error) => void) | undefined
  /** The host UUID that has to answer; learnt at the first contact unless it was known before. */
  #expected: string | undefined
  readonly #unsupported = new Set<string>()
  #sessions = 0
  readonly #reader: Reader
  readonly #stateHandlers: StateHandler[] = []
  readonly #eventHandlers: ((event: DriverEvent) => void)[] = []
  /** Pools whose content vireo answers for: a relist refreshes them, for libvirt's own list of volumes never renews itself. */
  refreshesPool: (uuid: string) => boolean = () => false

  constructor(options: HostOptions) {
    this.#options = options
    this.#since = options.clock.now()
    this.#expected = options.expectedUUID?.toLowerCase()
    this.#reader = new Reader({
      clock: options.clock,
      mirror: this.mirror,
      current: () => this.#connection,
      refreshesPool: uuid => this.#state !== 'Opening' && this.refreshesPool(uuid),
      onUnread: (id, error) => { options.log?.('an object could not be read', { uri: this.uri, id, error: error.message }) },
    })
    this.streams = new Streams({ max: options.maxConnections, clock: options.clock, open: () => this.openFurther({ unhurried: true }) })
  }

  /** Without a password, should somebody have written one into it. */
  get uri(): string { return shownURI(this.#options.uri) }
  get state(): HostState { return this.#state }
  /** Which connection this is, counted from the first: what a driver lacks holds for one only. */
  get session(): number { return this.#sessions }
  /** When the host became Open, or ceased to be (before the first contact: when it was started), ms. */
  get since(): number { return this.#since }
  /** Why the host is not Open; a sentence. */
  get error(): Error | undefined { return this.#error }
  /** Known after the first contact. */
  get facts(): HostFacts | undefined { return this.#facts }
  /** Calls that the driver turned out not to have, since the connection was opened. */
  get unsupported(): ReadonlySet<string> { return this.#unsupported }
  onState(handler: StateHandler): void { this.#stateHandlers.push(handler) }
  onEvent(handler: (event: DriverEvent) => void): void { this.#eventHandlers.push(handler) }

  /** The connection to act on. Throws ConnectionLost unless Open. */
  use(): Connection {
    if (this.#state !== 'Open' || this.#connection === undefined) throw new ConnectionLost(`the hypervisor at ${this.uri} is not connected (${this.#state})`)
    return this.#connection
  }

  /** A further connection to the same host, with settings of its own: for what must not stand in the way of calls. The caller closes it. */
  async openFurther(settings: Partial<OpenOptions>): Promise<Connection> {
    this.use()
    const connection = await this.#options.open(this.#options.uri, { ...this.#openOptions(), ...settings })
    try {
      // A name may lead to another machine than it did when the first connection was opened.
      if (this.#facts?.hostUUID !== undefined) this.#requirePinned(await uuidOf(connection))
      this.#further.add(connection)
      void connection.closed.then(() => this.#further.delete(connection))
      return connection
    } catch (error) {
      await connection.close()
      throw error
    }
  }

  start(): void {
    this.#running ??= this.#run()
  }

  async close(): Promise<void> {
    this.#enter('Draining')
    this.#closing.abort()
    this.#wake?.()
    // A stream that the host does not take would outlive everything else.
    await Promise.all([this.#connection, ...this.#further].map(async connection => { await connection?.close() }))
    await this.#running
  }

  /**
   * Other credentials count from now on: the connection is made anew with them, and the mirror stays. Streams that are
   * open go on; calls that are under way get the time to end.
   */
  renew(credentials: HostOptions['credentials']): void {
    this.#options = { ...this.#options, credentials }
    if (this.#closing.signal.aborted) return
    if (this.#state === 'Open' && this.#connection !== undefined) void this.#drain(this.#connection)
    else if (this.#state !== 'Draining') {
      this.#attempt.abort(new Renewed())
      this.#wake?.()
    }
  }

  async #drain(connection: Connection): Promise<void> {
    this.#enter('Draining')
    if ((connection.pending ?? 0) > 0) {
      const over = Promise.withResolvers<void>()
      const timer = this.#options.clock.setTimeout(over.resolve, DRAIN)
      this.#drained = () => { if ((connection.pending ?? 0) === 0) over.resolve() }
      void connection.closed.then(() => { over.resolve() })
      await over.promise
      this.#drained = undefined
      timer.cancel()
    }
    this.#end?.(new Renewed())
  }

  /** Only the machine with this UUID may answer from now on. Undefined leaves what was learnt. */
  expect(uuid: string | undefined): void {
    const wanted = uuid?.toLowerCase()
    if (wanted === undefined || this.#expected === wanted) return
    this.#expected = wanted
    if (this.#state === 'HostChanged') this.#wake?.()
    else if (this.#state === 'Open' && this.#facts?.hostUUID !== wanted) this.#end?.(new HostChanged(this.uri, wanted, this.#facts?.hostUUID))
  }

  /** Throws where credentials are wanted and there are none. */
  #openOptions(): OpenOptions {
    const { callTimeout, keepAliveInterval, keepAliveCount, credentials, plaintext, readOnly, onCall } = this.#options
    if (credentials instanceof AuthenticationFailed) throw credentials
    const finished: OpenOptions['onCall'] = call => {
      if (call.lacking) this.#unsupported.add(call.procedure)
      onCall?.(call)
      this.#drained?.()
    }
    return { callTimeout, keepAliveInterval, keepAliveCount, credentials, plaintext, readOnly, onCall: finished, signal: this.#closing.signal }
  }

  /** Another reason for the same state is news too. */
  #enter(state: HostState, error?: Error): void {
    const again = this.#state === state
    const news = !again || this.#error?.message !== error?.message
    this.#error = error
    if (!news || this.#closing.signal.aborted) return
    if (!again && (state === 'Open' || this.#state === 'Open')) this.#since = this.#options.clock.now()
    this.#state = state
    for (const handler of this.#stateHandlers) handler(state, again)
  }

  async #run(): Promise<void> {
    let delay = BACKOFF.first
    while (!this.#closing.signal.aborted) {
      if (this.#state !== 'Connecting' && this.#error === undefined) this.#enter('Connecting')
      const reason = await this.#session(() => { delay = BACKOFF.first })
      if (this.#closing.signal.aborted) return
      if (reason instanceof Renewed) {
        this.#enter('Connecting')
        delay = BACKOFF.first
        continue
      }
      this.#enter(stateOf(reason), reason)
      this.#options.log?.('connection ended', { uri: this.uri, state: this.#state, error: reason.message })
      await this.#pause(delay * (0.8 + 0.4 * Math.random()))
      delay = Math.min(delay * 2, BACKOFF.last)
    }
  }

  /** One life of a connection, from opening to its end. Answers why it ended. */
  async #session(opened: () => void): Promise<Error> {
    let connection: Connection | undefined
    this.#attempt = new AbortController()
    const { signal } = this.#attempt
    try {
      this.#unsupported.clear()
      const options = this.#openOptions()
      // A host that was away stays so, with its reason, until it is open again.
      const onProgress: OpenOptions['onProgress'] = state => { if (this.#state === 'Connecting' || this.#state === 'Authenticating') this.#enter(state) }
      connection = await this.#options.open(this.#options.uri, { ...options, onProgress, signal: AbortSignal.any([options.signal!, signal]) })
      signal.throwIfAborted()
      this.#connection = connection
      this.#sessions++
      onProgress('Opening')
      const opening = connection
      signal.addEventListener('abort', () => { void opening.close() }, { once: true })
      connection.onEvent(event => { this.#event(event) })
      await this.#learn(connection)
      const classes = await connection.eventsRegister()
      await this.#relist(connection)
      if (this.#facts?.hostUUID !== undefined) this.#requirePinned(this.#facts.hostUUID)
      signal.throwIfAborted()
      this.#enter('Open')
      opened()
      return await this.#follow(connection, classes.has('domain') ? this.#options.relistInterval : this.#options.pollInterval)
    } catch (error) {
      if (signal.aborted) return signal.reason as Error
      return error instanceof Error ? error : new Error(String(error))
    } finally {
      this.#connection = undefined
      this.#reader.reset()
      await connection?.close()
    }
  }

  #requirePinned(found: string | undefined): void {
    if (this.#expected !== undefined && found !== this.#expected) throw new HostChanged(this.uri, this.#expected, found)
  }

  /** Learns who answers, and refuses a host that is not the one learnt before. */
  async #learn(connection: Connection): Promise<void> {
    const [driver, hostname, libvirtVersion, hypervisorVersion, node, capabilities] = await Promise.all([
      connection.connectGetType(),
      connection.connectGetHostname().catch(orElse('')),
      connection.connectGetLibVersion(),
      connection.connectGetVersion().catch(orElse(0)),
      connection.nodeGetInfo().catch(orElse(undefined)),
      capabilitiesOf(connection),
    ])
    const hostUUID = uuidIn(capabilities)
    this.#requirePinned(hostUUID)
    this.#expected = hostUUID
    this.#facts = { driver, hostname, hostUUID, libvirtVersion, hypervisorVersion, cpus: node?.cpus ?? 0, memoryKiB: node?.memory ?? 0, capabilities }
  }

  /** Lists again at each interval until the connection ends. */
  async #follow(connection: Connection, interval: number): Promise<Error> {
    const { clock } = this.#options
    const ended = Promise.withResolvers<Error>()
    let timer: { cancel(): void } | undefined
    let over = false
    const again = (): void => {
      if (over) return
      timer = clock.setTimeout(() => {
        this.#relist(connection).then(again, (error: unknown) => { ended.resolve(error instanceof Error ? error : new Error(String(error))) })
      }, interval * (0.9 + 0.2 * Math.random()))
    }
    again()
    void connection.closed.then(ended.resolve)
    this.#end = ended.resolve
    try {
      return await ended.promise
    } finally {
      over = true
      this.#end = undefined
      timer?.cancel()
    }
  }

  /** Reads everything listed, and looks up what a list omits: a list never proves absence. */
  async #relist(connection: Connection): Promise<void> {
    const listed = await listHost(connection)
    const ids = new Set(listed.ids)
    for (const id of this.mirror.ids()) {
      if (listed.storageHangs !== undefined && id.startsWith('pool/')) this.#reader.later(connection, id, listed.storageHangs)
      else if (!id.startsWith('volume/')) ids.add(id)
    }
    // Two at a time: a relist of thousands must leave room on the connection for what somebody waits for.
    const queue = [...ids]
    const reader = async (): Promise<void> => {
      for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
        // What one object's description fails on says nothing about the others; it is read again by itself.
        await this.#reader.read(connection, id, true).catch((error: unknown) => { if (error instanceof ConnectionLost) throw error })
      }
    }
    await Promise.all([reader(), reader()])
    this.#reader.prune()
  }

  #event(event: DriverEvent): void {
    const connection = this.#connection
    const id = dirtiedBy(event)
    if (id !== undefined && connection !== undefined) {
      // Defined and undefined change what no other event tells of: persistence and autostart.
      // A refreshed pool is only read: refreshing it for that would be answered by the same event, for ever.
      const full = event.type === 'domain' ? event.name === 'lifecycle' && event.event <= 1 : event.name !== 'refresh'
      this.#reader.dirty(connection, id, full)
    }
    for (const handler of this.#eventHandlers) handler(event)
  }

  /** Reads an object afresh: resolves once a read that began after this call has reached the mirror. */
  async refresh(id: string): Promise<Observed | undefined> {
    await this.#reader.read(this.use(), id, true)
    return this.mirror.get(id)
  }

  /** True where the object was read to the end at or after `time` (ms) and nothing has dirtied it since. */
  readSince(id: string, time: number): boolean { return this.#reader.since(id, time) }
  /** Why what the mirror holds of an object (or that it holds nothing) is not to be believed: its last read failed. */
  unread(id: string): Error | undefined { return this.#reader.unread(id) }
  /** Events of an object are no reason to read it until the answer is called, for whoever acts on it reads it afterwards. */
  hold(id: string): () => void { return this.#reader.hold(id) }

  #pause(ms: number): Promise<void> {
    return new Promise(resolve => {
      const timer = this.#options.clock.setTimeout(resolve, ms)
      this.#wake = () => { timer.cancel(); resolve() }
    })
  }
}
