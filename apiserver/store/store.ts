// The objects, in memory as they are on the disk: reads at once, writes one after the other per object, changes told to whoever watches.

import type { Clock, Timer } from '../../clock/clock.ts'
import type { JsonObject } from '../schema/types.ts'
import type { Backend } from './backend.ts'
import { Collection } from './collection.ts'
import { type Change, Entry, type Stored } from './entry.ts'
import { StoreError } from './errors.ts'
import { type HistoryChange, KEPT, type Key, type Version } from './types.ts'

/** What a write makes of an object. `keep` writes nothing; `gone` neither, as there is nothing. */
export type Decision = { type: 'put' | 'delete'; object: JsonObject } | { type: 'keep' } | { type: 'gone' }

export type Written = { entry: Entry; type: 'created' | 'updated' | 'deleted' | 'kept' } | { entry: undefined; type: 'gone' }

export interface Subscription { end(): void }

const COMPACT_EVERY = 60_000
/** Changes read at once when a watch catches up. */
const CHUNK = 500

export class Store {
  readonly #backend: Backend
  readonly #clock: Clock
  readonly #collections = new Map<string, Collection>()
  readonly #watchers = new Map<string, Set<(change: Change) => void>>()
  readonly #observers = new Set<(change: Change) => void>()
  /** Writes on their way to the disk, by object. */
  readonly #underway = new Map<string, Promise<void>>()
  /** The revision at the start. */
  #opened = 0
  #given = 0
  #revision = 0
  #compacted = 0
  #timer: Timer | undefined

  private constructor(backend: Backend, clock: Clock) {
    this.#backend = backend
    this.#clock = clock
  }

  /** Reads everything that is current. The store closes the backend. */
  static async open(backend: Backend, clock: Clock): Promise<Store> {
    const store = new Store(backend, clock)
    const { revision, compacted, objects } = await backend.load()
    const byResource = Map.groupBy(objects, ({ resource }) => resource)
    for (const [resource, versions] of byResource) store.#collection(resource).fill(versions.map(entryOf))
    store.#opened = store.#given = store.#revision = revision
    store.#compacted = compacted
    store.#compactLater()
    return store
  }

  /** The newest revision that can be read. */
  get revision(): number { return this.#revision }

  get compacted(): number { return this.#compacted }

  /** Why nothing can be written any more, if so. */
  get failure(): Error | undefined { return this.#backend.failure }

  get({ resource, namespace, name }: Key): Entry | undefined {
    return this.#collections.get(resource)?.get(namespace, name)
  }

  list(resource: string, namespace?: string, after?: { namespace: string; name: string }): Entry[] {
    return this.#collections.get(resource)?.list(namespace, after) ?? []
  }

  size(resource: string): number { return this.#collections.get(resource)?.size ?? 0 }

  /** Whether a list of this resource is the same at `revision` as it is now. What was deleted before the start is not in memory: the disk knows. */
  unchangedSince(resource: string, revision: number): boolean {
    return revision >= this.#opened && (this.#collections.get(resource)?.changedAt ?? 0) <= revision
  }

  /** Objects as they were at a kept revision. Rejects with Compacted. */
  async page(resource: string, namespace: string | undefined, revision: number, after: { namespace: string; name: string }, limit: number): Promise<Entry[]> {
    return (await this.#backend.page({ resource, namespace, revision, after: { namespace: after.namespace, name: after.name }, limit })).map(entryOf)
  }

  /** How many there were at a kept revision behind `after`. Rejects with Compacted. */
  async count(resource: string, namespace: string | undefined, revision: number, { namespace: of, name }: { namespace: string; name: string }): Promise<number> {
    return await this.#backend.count({ resource, namespace, revision, after: { namespace: of, name } })
  }

  /**
   * Changes one object: `decide` sees it as it is on the disk, with nothing in between, and must not wait. What it throws rejects.
   * Resolves when the change is on the disk and can be read. Rejects with StoreError where the disk refuses.
   */
  async mutate(key: Key, decide: (current: Entry | undefined) => Decision): Promise<Written> {
    const id = `${key.resource}/${key.namespace}/${key.name}`
    for (let before = this.#underway.get(id); before !== undefined; before = this.#underway.get(id)) await before
    const current = this.get(key)
    const decision = decide(current)
    if (decision.type === 'keep' || decision.type === 'gone') return current === undefined ? { entry: undefined, type: 'gone' } : { entry: current, type: 'kept' }
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#underway.set(id, promise)
    try {
      return await this.#write(key, current, decision)
    } finally {
      this.#underway.delete(id)
      resolve()
    }
  }

  async #write(key: Key, current: Entry | undefined, decision: { type: 'put' | 'delete'; object: JsonObject }): Promise<Written> {
    const revision = ++this.#given
    const deleted = decision.type === 'delete'
    const { apiVersion, kind, metadata, ...rest } = decision.object
    // What every object has comes first: a reader may look for it there.
    const object = { apiVersion, kind, metadata: { ...metadata as JsonObject, resourceVersion: String(revision) }, ...rest } as Stored
    const bytes = Buffer.from(JSON.stringify(object))
    const { error } = await this.#backend.commit({ ...key, revision, expected: current?.revision ?? 0, deleted, value: bytes, time: this.#clock.now() })
    if (error !== undefined) throw new StoreError(error.code === 'Full' ? 'Full' : 'Failed', error.message)
    const entry = new Entry(key.namespace, key.name, revision, bytes, object)
    this.#applied(key, revision, entry, current, deleted)
    return { entry, type: deleted ? 'deleted' : current === undefined ? 'created' : 'updated' }
  }

  /** Answers come in the order of revisions: this runs once per change, in that order. */
  #applied(key: Key, revision: number, entry: Entry, previous: Entry | undefined, deleted: boolean): void {
    const collection = this.#collection(key.resource)
    if (deleted) collection.delete(key.namespace, key.name, revision)
    else collection.set(entry)
    this.#revision = revision
    const change: Change = { type: deleted ? 'DELETED' : previous === undefined ? 'ADDED' : 'MODIFIED', resource: key.resource, revision, entry, previous }
    for (const tell of this.#watchers.get(key.resource) ?? []) tell(change)
    for (const tell of this.#observers) tell(change)
  }

  /** Every change of every resource from now on, told as soon as it can be read. */
  observe(tell: (change: Change) => void): Subscription {
    this.#observers.add(tell)
    return { end: () => { this.#observers.delete(tell) } }
  }

  /**
   * Tells each change of a resource after revision `after` once, in order: first from the history, then as they happen.
   * Resolves when the history was told. Rejects with Compacted where it does not reach back so far.
   */
  async watch(resource: string, after: number, tell: (change: Change) => void): Promise<Subscription> {
    if (after < this.#compacted) throw new StoreError('Compacted', `revision ${after} is older than the history, which begins at ${this.#compacted}`)
    const upto = this.#revision
    // What happens while the history is read waits here.
    let waiting: Change[] | undefined = []
    const hear = (change: Change): void => {
      if (change.revision <= after) return
      if (waiting === undefined) tell(change)
      else waiting.push(change)
    }
    const watchers = this.#watchersOf(resource)
    watchers.add(hear)
    const end = (): void => { watchers.delete(hear) }
    try {
      if (!this.unchangedSince(resource, after)) await this.#tellHistory(resource, after, upto, tell)
    } catch (error) {
      end()
      throw error
    }
    for (const change of waiting) tell(change)
    waiting = undefined
    return { end }
  }

  async #tellHistory(resource: string, after: number, upto: number, tell: (change: Change) => void): Promise<void> {
    for (let from = after; from < upto;) {
      const changes = await this.#backend.changes({ resource, after: from, upto, limit: CHUNK })
      for (const change of changes) tell(changeOf(change))
      from = changes.length < CHUNK ? upto : changes.at(-1)!.revision
    }
  }

  /** What was kept under `name`, or `value`, kept from now on. */
  async constant(name: string, value: string): Promise<string> {
    return await this.#backend.constant(name, value)
  }

  /** Forgets what the history need not hold. Runs by itself once a minute. */
  async compact(): Promise<void> {
    this.#compacted = await this.#backend.compact(KEPT, this.#clock.now())
  }

  /** Waits for the writes under way. */
  async close(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    await Promise.all(this.#underway.values())
    await this.#backend.close()
  }

  #compactLater(): void {
    this.#timer = this.#clock.setTimeout(() => {
      // A disk that is full has nothing to spare for this either; the next minute asks again.
      this.compact().catch(() => undefined).finally(() => { if (this.#timer !== undefined) this.#compactLater() })
    }, COMPACT_EVERY)
  }

  #collection(resource: string): Collection {
    let found = this.#collections.get(resource)
    if (found === undefined) this.#collections.set(resource, found = new Collection())
    return found
  }

  #watchersOf(resource: string): Set<(change: Change) => void> {
    let found = this.#watchers.get(resource)
    if (found === undefined) this.#watchers.set(resource, found = new Set())
    return found
  }
}

const entryOf = ({ namespace, name, revision, value }: Version): Entry => new Entry(namespace, name, revision, value)

function changeOf(version: HistoryChange): Change {
  const { resource, namespace, name, revision, deleted, previous } = version
  return {
    type: deleted ? 'DELETED' : previous === undefined ? 'ADDED' : 'MODIFIED',
    resource,
    revision,
    entry: entryOf(version),
    previous: previous && new Entry(namespace, name, previous.revision, previous.value),
  }
}
