// Reads dirty objects of one host into its mirror: each once, and once more if it was dirtied while it was being read.

import type { Clock } from '../clock/clock.ts'
import type { Connection } from '../drivers/driver.ts'
import { ConnectionLost, isAbsent } from '../drivers/errors.ts'
import { type HostMirror, idOf } from './mirror.ts'
import type { Observed } from './objects.ts'
import { orElse, readDomain, readNetwork, readPool, readVolume, readVolumes } from './read.ts'

export interface ReaderOptions {
  clock: Clock
  mirror: HostMirror
  /** The connection that counts now: what is read over another one is of no use. */
  current: () => Connection | undefined
  /** Whether a full read of a pool looks at its place anew. */
  refreshesPool: (uuid: string) => boolean
  /** Told once of an object that cannot be read. */
  onUnread: (id: string, error: Error) => void
}

/** A read under way; `next` resolves with the one after it. */
interface Reading { full: boolean; again: boolean; done: PromiseWithResolvers<void>; next?: PromiseWithResolvers<void> }

/** An object that could not be read although the connection lives: it stays dirty, and is read again. */
interface Unread { error: Error; failures: number; timer: { cancel(): void } }

/** An object that is being acted on; `dirty`: an event came since its last read began, and whether it asks for a full one. */
interface Held { by: number; dirty: 'no' | 'partly' | 'fully' }

const READ_AGAIN = { first: 1_000, last: 60_000 }
/** How long (ms) it is remembered that an object was looked for in vain. */
const GONE_FOR = 600_000

export class Reader {
  readonly #options: ReaderOptions
  readonly #readings = new Map<string, Reading>()
  /** When each object was last read, ms. */
  readonly #readAt = new Map<string, number>()
  readonly #unread = new Map<string, Unread>()
  readonly #held = new Map<string, Held>()

  constructor(options: ReaderOptions) {
    this.#options = options
  }

  /** True where the object was read to the end at or after `time` (ms) and nothing has dirtied it since. */
  since(id: string, time: number): boolean {
    return !this.#readings.has(id) && (this.#readAt.get(id) ?? -Infinity) >= time
  }

  /** Why what the mirror holds of an object (or that it holds nothing) is not to be believed: its last read failed. */
  unread(id: string): Error | undefined {
    return this.#unread.get(id)?.error
  }

  /** An event said that the object changed. `full` also asks for what no event tells of. */
  dirty(connection: Connection, id: string, full: boolean): void {
    const held = this.#held.get(id)
    if (held !== undefined) held.dirty = full || held.dirty === 'fully' ? 'fully' : 'partly'
    // The connection's end is seen by whoever follows it; after any other refusal the object is read again.
    else void this.read(connection, id, full).catch(() => undefined)
  }

  /**
   * Whoever acts on an object reads it afterwards anyway: events that come until the answer is called are no reason to read it
   * in between. What came after the last read began is.
   */
  hold(id: string): () => void {
    const held = this.#held.get(id) ?? { by: 0, dirty: 'no' }
    held.by++
    this.#held.set(id, held)
    return () => {
      if (--held.by > 0) return
      this.#held.delete(id)
      const connection = this.#options.current()
      if (held.dirty !== 'no' && connection !== undefined) this.dirty(connection, id, held.dirty === 'fully')
    }
  }

  /** Resolves once a read that began after this call has reached the mirror. Rejects where it failed. */
  read(connection: Connection, id: string, full: boolean): Promise<void> {
    if (connection !== this.#options.current()) return Promise.reject(new ConnectionLost('the connection has ended'))
    const held = this.#held.get(id)
    if (held !== undefined) held.dirty = 'no'
    const reading = this.#readings.get(id)
    if (reading !== undefined) {
      reading.full ||= full
      reading.again = true
      reading.next ??= Promise.withResolvers()
      return reading.next.promise
    }
    const started: Reading = { full, again: false, done: Promise.withResolvers() }
    this.#readings.set(id, started)
    void this.#readLoop(connection, id, started)
    return started.done.promise
  }

  async #readLoop(connection: Connection, id: string, reading: Reading): Promise<void> {
    for (;;) {
      const { full, done } = reading
      reading.full = false
      reading.again = false
      try {
        const began = this.#options.clock.now()
        await this.#readOnce(connection, id, full)
        this.#readAt.set(id, began)
        this.#unread.get(id)?.timer.cancel()
        if (this.#unread.delete(id)) this.#options.mirror.announce(id)
        done.resolve()
      } catch (error) {
        this.#readAt.delete(id)
        this.later(connection, id, error instanceof Error ? error : new Error(String(error)))
        done.reject(error)
      }
      if (!reading.again || reading.next === undefined) break
      reading.done = reading.next
      reading.next = undefined
    }
    this.#readings.delete(id)
  }

  /** The object is unread for now, and read again by and by: nothing will announce that the host can describe it again. */
  later(connection: Connection, id: string, error: Error): void {
    if (connection !== this.#options.current() || error instanceof ConnectionLost) return
    const before = this.#unread.get(id)
    before?.timer.cancel()
    const failures = (before?.failures ?? 0) + 1
    const delay = Math.min(READ_AGAIN.first * 2 ** (failures - 1), READ_AGAIN.last)
    const timer = this.#options.clock.setTimeout(() => {
      void this.read(connection, id, true).catch(() => { /* counted, and tried again */ })
    }, delay)
    this.#unread.set(id, { error, failures, timer })
    if (before === undefined) this.#options.onUnread(id, error)
  }

  async #readOnce(connection: Connection, id: string, full: boolean): Promise<void> {
    const { mirror } = this.#options
    const [kind, uuid, ...rest] = id.split('/') as [Observed['kind'], string, ...string[]]
    try {
      if (kind === 'domain') {
        const before = mirror.domain(uuid)
        mirror.set(await readDomain(connection, before?.ref ?? { name: '', uuid, id: -1 }, before, full))
      } else if (kind === 'network') {
        const before = mirror.network(uuid)
        mirror.set(await readNetwork(connection, before?.ref ?? await connection.networkLookupByUUID(uuid)))
      } else if (kind === 'pool') {
        const ref = mirror.pool(uuid)?.ref ?? await connection.storagePoolLookupByUUID(uuid)
        if (full && this.#options.refreshesPool(uuid)) await connection.storagePoolRefresh(ref).catch(orElse(undefined))
        const pool = await readPool(connection, ref)
        mirror.set(pool)
        await readVolumes(connection, pool, mirror)
      } else {
        const pool = mirror.pool(uuid)
        if (pool?.active) await readVolume(connection, pool, rest.join('/'), mirror)
      }
    } catch (error) {
      if (!isAbsent(error, kind)) throw error
      mirror.remove(id)
      if (kind === 'pool') for (const volume of mirror.volumesOf(uuid)) mirror.remove(idOf.volume(uuid, volume.ref.name))
    }
  }

  /** Forgets what has been gone for long: it is asked for by nobody any more. */
  prune(): void {
    const long = this.#options.clock.now() - GONE_FOR
    for (const [id, time] of this.#readAt) if (time < long && this.#options.mirror.get(id) === undefined) this.#readAt.delete(id)
  }

  /** The connection has ended: nothing is read again over it. */
  reset(): void {
    for (const { timer } of this.#unread.values()) timer.cancel()
    this.#unread.clear()
  }
}
