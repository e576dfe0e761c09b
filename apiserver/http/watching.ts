// Watches: each change that a client's selectors let through, as a line of JSON, encoded once for all who want it in the same form.

import type { Clock, Timer } from '../../clock/clock.ts'
import type { FieldError, JsonObject } from '../schema/types.ts'
import { ApiFailure, badRequest, expired, invalidOptions } from '../registry/failure.ts'
import { notARevision, parseRevision } from '../registry/listing.ts'
import type { FieldSelector } from '../select/fields.ts'
import type { LabelSelector } from '../select/labels.ts'
import { type Change, Entry, type Stored } from '../store/entry.ts'
import { StoreError } from '../store/errors.ts'
import type { Store, Subscription } from '../store/store.ts'
import type { Exchange } from './exchange.ts'
import type { Wanted } from './negotiate.ts'
import { type Served, bytesOf, includeOf, presented, transformed } from './render.ts'

export interface WatchQuery {
  namespace: string | undefined
  labels: LabelSelector
  fields: FieldSelector
  selective: boolean
  resourceVersion: string
  resourceVersionMatch: string
  bookmarks: boolean
  /** Undefined where it was not asked for either way. */
  sendInitialEvents: boolean | undefined
  /** Seconds; 0 is the server's choice. */
  timeout: number
}

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED'

const BOOKMARK_EVERY = 60_000
/** A watch that nobody limits lasts for 30 to 60 minutes. */
const LONGEST = 30 * 60_000
/** Bytes that a client may be behind before it is cut off: it lists and watches anew. */
const BACKLOG = 16 * 1024 * 1024

function checkWatch({ sendInitialEvents, resourceVersionMatch }: WatchQuery): void {
  const field = 'resourceVersionMatch'
  const forbidden = (why: string): FieldError => ({ reason: 'FieldValueForbidden', message: `Forbidden: ${why}`, field })
  if (sendInitialEvents === undefined) {
    if (resourceVersionMatch !== '') throw invalidOptions('ListOptions', [forbidden('resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided')])
  } else if (resourceVersionMatch !== 'NotOlderThan') {
    const unsupported: FieldError[] = resourceVersionMatch === '' ? [] : [{ reason: 'FieldValueNotSupported', message: `Unsupported value: "${resourceVersionMatch}": supported values: "NotOlderThan"`, field }]
    throw invalidOptions('ListOptions', [forbidden('sendInitialEvents requires setting resourceVersionMatch to NotOlderThan'), ...unsupported])
  }
}

/** Resolves when the watch has ended. */
export async function watch(exchange: Exchange, served: Served, query: WatchQuery, wanted: Wanted, { store, clock, signal }: { store: Store; clock: Clock; signal: AbortSignal }): Promise<void> {
  checkWatch(query)
  if (exchange.response.socket === null || exchange.request.httpVersion === '1.0') throw badRequest('a watch needs HTTP/1.1, and may not be pipelined behind another request')
  const stream = new WatchStream(exchange, served, query, wanted)
  if (query.resourceVersion !== '' && !/^\d+$/.test(query.resourceVersion)) throw new ApiFailure(500, '', notARevision(query.resourceVersion))
  const asked = query.resourceVersion === '' || query.resourceVersion === '0' ? undefined : parseRevision(query.resourceVersion)
  const initial = query.sendInitialEvents ?? asked === undefined
  const from = initial ? store.revision : asked ?? store.revision
  stream.begin()
  if (initial) {
    const { name } = query.fields
    const single = name !== undefined && query.namespace !== undefined ? store.get({ resource: served.kind.resource, namespace: query.namespace, name }) : undefined
    const entries = name !== undefined && query.namespace !== undefined ? (single === undefined ? [] : [single]) : store.list(served.kind.resource, query.namespace)
    for (const entry of entries) stream.initial(entry)
    if (query.sendInitialEvents === true && query.bookmarks) stream.bookmark(from, true)
  }
  let subscription: Subscription | undefined
  const timers: Timer[] = []
  try {
    subscription = await store.watch(served.kind.resource, from, change => { stream.tell(change) })
    if (query.bookmarks) {
      const tick = (): void => { stream.bookmark(store.revision, false); timers[0] = clock.setTimeout(tick, BOOKMARK_EVERY) }
      timers[0] = clock.setTimeout(tick, BOOKMARK_EVERY)
    }
    const limit = query.timeout > 0 ? query.timeout * 1_000 : LONGEST * (1 + Math.random())
    timers[1] = clock.setTimeout(() => { stream.end() }, limit)
    await stream.ended(signal)
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'Compacted') throw error
    stream.error(expired(`too old resource version: ${from} (${store.compacted})`).status as unknown as JsonObject)
  } finally {
    subscription?.end()
    for (const timer of timers) timer?.cancel()
    stream.end()
  }
}

/** Encoded events of a change, shared by all watches of the same form: each is one chunk of a response. */
const chunks = new WeakMap<Change, Map<string, Buffer>>()

const chunkOf = (type: string, object: Buffer): Buffer => {
  const [before, after] = [`{"type":"${type}","object":`, '}\n']
  return Buffer.concat([Buffer.from(`${(before.length + object.length + after.length).toString(16)}\r\n${before}`), object, Buffer.from(`${after}\r\n`)])
}

class WatchStream {
  readonly #exchange: Exchange
  readonly #served: Served
  readonly #query: WatchQuery
  readonly #wanted: Wanted
  readonly #form: string

  constructor(exchange: Exchange, served: Served, query: WatchQuery, wanted: Wanted) {
    this.#exchange = exchange
    this.#served = served
    this.#query = query
    this.#wanted = wanted
    this.#form = `${served.version.apiVersion} ${wanted.transform ?? ''} ${wanted.transformVersion ?? ''} ${wanted.transform === 'Table' ? includeOf(exchange) : ''}`
  }

  begin(): void {
    const { response } = this.#exchange
    response.writeHead(200, { 'Content-Type': 'application/json', 'Cache-Control': 'no-cache, private', 'Transfer-Encoding': 'chunked' })
    response.flushHeaders()
  }

  initial(entry: Entry): void {
    if (this.#matches(entry)) this.#write(this.#encode('ADDED', entry))
  }

  tell(change: Change): void {
    const { entry, previous, type } = change
    const was = previous !== undefined && this.#matches(previous)
    const is = type !== 'DELETED' && this.#matches(entry)
    if (!was && !is) return
    if (is) this.#write(this.#chunk(change, was ? 'MODIFIED' : 'ADDED', entry))
    // What the client knows is what goes, under the revision of the change.
    else this.#write(this.#chunk(change, 'DELETED', type === 'DELETED' ? entry : () => renumbered(previous!, change.revision)))
  }

  bookmark(revision: number, initialEnd: boolean): void {
    const { kind, version } = this.#served
    const metadata = { resourceVersion: String(revision), creationTimestamp: null, ...initialEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {} }
    const object = this.#wanted.transform === undefined
      ? { kind: kind.kind, apiVersion: version.apiVersion, metadata }
      : transformed(this.#served, { kind: kind.kind, apiVersion: version.apiVersion, metadata }, this.#wanted, 'Metadata')
    this.#write(chunkOf('BOOKMARK', Buffer.from(JSON.stringify(object))))
  }

  error(status: JsonObject): void {
    this.#write(chunkOf('ERROR', Buffer.from(JSON.stringify(status))))
  }

  end(): void {
    if (!this.#exchange.response.writableEnded) this.#exchange.response.end()
  }

  /** Resolves when the client left, the watch was ended, or the signal aborts. */
  async ended(signal: AbortSignal): Promise<void> {
    const { response } = this.#exchange
    if (response.closed || signal.aborted) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const done = (): void => { resolve() }
    response.once('close', done)
    signal.addEventListener('abort', done, { once: true })
    await promise
    signal.removeEventListener('abort', done)
  }

  #matches(entry: Entry): boolean {
    const { namespace, labels, fields, selective } = this.#query
    if (namespace !== undefined && entry.namespace !== namespace) return false
    return !selective || (fields.matches(entry) && labels.matches(entry.object.metadata.labels))
  }

  #chunk(change: Change, type: EventType, entry: Entry | (() => Entry)): Buffer {
    let known = chunks.get(change)
    if (known === undefined) chunks.set(change, known = new Map())
    const form = `${type} ${this.#form} ${this.#first}`
    let chunk = known.get(form)
    if (chunk === undefined) known.set(form, chunk = this.#encode(type, typeof entry === 'function' ? entry() : entry))
    return chunk
  }

  /** Columns are told with a table's first event. */
  #first = true

  #encode(type: EventType, entry: Entry): Buffer {
    const object = this.#wanted.transform === undefined
      ? bytesOf(this.#served, entry)
      : Buffer.from(JSON.stringify(transformed(this.#served, presented(this.#served, entry), this.#wanted, includeOf(this.#exchange), this.#first)))
    return chunkOf(type, object)
  }

  /** Straight to the connection: through the response, each of hundreds of watchers would cost four writes for one chunk. */
  #write(chunk: Buffer): void {
    const { response } = this.#exchange
    if (response.destroyed || response.writableEnded) return
    this.#first = false
    response.socket?.write(chunk)
    if (response.writableLength > BACKLOG) response.destroy()
  }
}

function renumbered({ namespace, name, object }: Entry, revision: number): Entry {
  const changed = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } } as Stored
  return new Entry(namespace, name, revision, Buffer.from(JSON.stringify(changed)), changed)
}
