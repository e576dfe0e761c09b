// The fair queue between changes and reconciles: which key is next, and never one key twice at once.

import type { Clock, Timer } from '../clock/clock.ts'
import { Fifo } from './fifo.ts'
import type { QueueMetrics } from './metrics.ts'

export type Priority = 'low' | 'normal'

export interface WorkQueueOptions {
  clock: Clock
  /** The group (host) a key belongs to, asked when it is added and again when it is taken. Must not throw. */
  groupOf?: (key: string) => string
  /** Keys of one group that are worked on at once; 4. */
  perGroup?: number
  /** Keys that are worked on at once; no limit. */
  total?: number
  /** Milliseconds before the first retry of a key, doubled with each further one; 1 s. */
  retryBase?: number
  /** Milliseconds between retries at most; 60 s. */
  retryMax?: number
  metrics?: QueueMetrics
}

export interface Taken { key: string; group: string }

/** `take` after `shutdown`. */
export class QueueShutDown extends Error {
  override readonly name = 'QueueShutDown'
}

/** Waiting in `groups`, being worked on, or both: then it was added while it was being worked on and waits for `done`. */
interface Entry {
  group: string
  priority: Priority
  addedAt: number
  waiting: boolean
  work: { group: string; since: number } | undefined
}

interface Group { normal: Fifo; low: Fifo; working: number; parked: boolean }

interface Waiter { resolve: (taken: Taken) => void; reject: (reason: unknown) => void }

/**
 * client-go's queue (dirty and processing sets, rate limit per key), with round robin over groups: a group with 10,000 keys
 * delays another group's one key by at most one key. Within a group, normal keys go before low ones, each in order of arrival.
 * A parked group's keys are kept and not handed out. Every operation is O(1).
 */
export class WorkQueue {
  readonly #clock: Clock
  readonly #groupOf: (key: string) => string
  readonly #perGroup: number
  readonly #total: number
  readonly #retryBase: number
  readonly #retryMax: number
  readonly #metrics: QueueMetrics | undefined
  readonly #entries = new Map<string, Entry>()
  readonly #groups = new Map<string, Group>()
  /** Groups that may hand out a key now, in the order of their turns. */
  readonly #ring = new Fifo()
  readonly #timers = new Map<string, { due: number; timer: Timer }>()
  readonly #failures = new Map<string, number>()
  /** A set used as a queue: every waiter may leave it early. */
  readonly #waiters = new Set<Waiter>()
  readonly #working = new Set<Entry>()
  #length = 0
  #isShutDown = false

  constructor({ clock, groupOf = () => '', perGroup = 4, total = Infinity, retryBase = 1_000, retryMax = 60_000, metrics }: WorkQueueOptions) {
    this.#clock = clock
    this.#groupOf = groupOf
    this.#perGroup = perGroup
    this.#total = total
    this.#retryBase = retryBase
    this.#retryMax = retryMax
    this.#metrics = metrics
    metrics?.unfinished(() => this.#unfinished())
  }

  /** Keys that wait to be taken, those of parked groups included; not those that wait for a time or for `done`. */
  get length(): number { return this.#length }
  /** Keys taken and not yet done. */
  get working(): number { return this.#working.size }

  /** A key that waits already stays where it is, but for a higher priority or another group. */
  add(key: string, { priority = 'normal' }: { priority?: Priority } = {}): void {
    if (this.#isShutDown) return
    const entry = this.#entries.get(key)
    if (!entry) {
      const added: Entry = { group: '', priority, addedAt: this.#clock.now(), waiting: true, work: undefined }
      this.#entries.set(key, added)
      this.#metrics?.added()
      this.#enqueue(key, added)
    } else if (!entry.waiting) {
      entry.waiting = true
      entry.priority = priority
      entry.addedAt = this.#clock.now()
      this.#metrics?.added()
    } else {
      const promoted = entry.priority === 'low' && priority === 'normal'
      if (promoted) entry.priority = 'normal'
      if (!entry.work && (promoted || this.#groupOf(key) !== entry.group)) {
        this.#withdraw(key, entry)
        this.#enqueue(key, entry)
      }
    }
    this.#handOut()
  }

  /** Nothing is due for the key later any more: whatever looked at it knows when it is to be looked at again. */
  cancelAfter(key: string): void {
    this.#timers.get(key)?.timer.cancel()
    this.#timers.delete(key)
  }

  /** Adds the key in `ms`. A key has one such time: the earlier of two. */
  addAfter(key: string, ms: number, { priority = 'normal' }: { priority?: Priority } = {}): void {
    if (this.#isShutDown) return
    if (ms <= 0) { this.add(key, { priority }); return }
    const due = this.#clock.now() + ms
    const waiting = this.#timers.get(key)
    if (waiting && waiting.due <= due) return
    waiting?.timer.cancel()
    const timer = this.#clock.setTimeout(() => {
      this.#timers.delete(key)
      this.add(key, { priority })
    }, ms)
    this.#timers.set(key, { due, timer })
  }

  /** Adds the key after its backoff, which doubles until `forget`. Returns the backoff in milliseconds. */
  addRateLimited(key: string): number {
    const failures = this.#failures.get(key) ?? 0
    this.#failures.set(key, failures + 1)
    this.#metrics?.retried()
    const backoff = Math.min(this.#retryBase * 2 ** failures, this.#retryMax)
    this.addAfter(key, backoff)
    return backoff
  }

  /** The key did well: its next failure is its first. */
  forget(key: string): void { this.#failures.delete(key) }

  failures(key: string): number { return this.#failures.get(key) ?? 0 }

  /** Keeps the group's keys from being handed out. What is being worked on goes on. */
  park(group: string): void {
    this.#group(group).parked = true
    this.#ring.remove(group)
  }

  unpark(group: string): void {
    const known = this.#groups.get(group)
    if (!known) return
    known.parked = false
    this.#settle(group, known)
    this.#handOut()
  }

  parked(group: string): boolean { return this.#groups.get(group)?.parked ?? false }

  /**
   * The next key, as soon as there is one and the limits allow it. Every key taken must be given back by `done`.
   * @throws the signal's reason, or QueueShutDown.
   */
  take(signal?: AbortSignal): Promise<Taken> {
    if (signal?.aborted) return Promise.reject(asError(signal.reason))
    if (this.#isShutDown) return Promise.reject(new QueueShutDown('the work queue was shut down'))
    const { promise, resolve, reject } = Promise.withResolvers<Taken>()
    const leave = (): void => signal?.removeEventListener('abort', abort)
    const waiter: Waiter = {
      resolve: (taken) => { leave(); resolve(taken) },
      reject: (reason) => { leave(); reject(reason) },
    }
    const abort = (): void => {
      this.#waiters.delete(waiter)
      waiter.reject(signal?.reason)
    }
    signal?.addEventListener('abort', abort, { once: true })
    this.#waiters.add(waiter)
    this.#handOut()
    return promise
  }

  /** The key is no longer worked on. If it was added in the meantime, it waits again from now. */
  done(key: string): void {
    const entry = this.#entries.get(key)
    if (!entry?.work) return
    const { group, since } = entry.work
    entry.work = undefined
    this.#working.delete(entry)
    this.#metrics?.worked((this.#clock.now() - since) / 1000)
    const worked = this.#group(group)
    worked.working--
    if (entry.waiting && !this.#isShutDown) this.#enqueue(key, entry)
    else this.#entries.delete(key)
    this.#settle(group, worked)
    this.#handOut()
  }

  /** Hands out nothing more and takes nothing in; keys being worked on may still be given back. */
  shutdown(): void {
    this.#isShutDown = true
    for (const { timer } of this.#timers.values()) timer.cancel()
    this.#timers.clear()
    for (const waiter of this.#waiters) waiter.reject(new QueueShutDown('the work queue was shut down'))
    this.#waiters.clear()
  }

  #handOut(): void {
    if (this.#isShutDown) return
    while (this.#waiters.size > 0 && this.#working.size < this.#total) {
      const taken = this.#next()
      if (!taken) return
      const [waiter] = this.#waiters
      this.#waiters.delete(waiter!)
      waiter!.resolve(taken)
    }
  }

  /** Takes the first key of the group whose turn it is, and puts the group at the end of the ring. */
  #next(): Taken | undefined {
    for (let name = this.#ring.shift(); name !== undefined; name = this.#ring.shift()) {
      const group = this.#groups.get(name)!
      const key = (group.normal.shift() ?? group.low.shift())!
      const entry = this.#entries.get(key)!
      this.#changeLength(-1)
      if (this.#groupOf(key) !== name) {
        // The object was bound to another host while it waited: that host's limits and turn apply.
        this.#enqueue(key, entry)
        this.#settle(name, group)
        continue
      }
      entry.waiting = false
      entry.work = { group: name, since: this.#clock.now() }
      this.#working.add(entry)
      group.working++
      this.#settle(name, group)
      this.#metrics?.queued((this.#clock.now() - entry.addedAt) / 1000)
      return { key, group: name }
    }
    return undefined
  }

  #enqueue(key: string, entry: Entry): void {
    entry.group = this.#groupOf(key)
    const group = this.#group(entry.group)
    group[entry.priority].push(key)
    this.#changeLength(1)
    this.#settle(entry.group, group)
  }

  #withdraw(key: string, entry: Entry): void {
    const group = this.#group(entry.group)
    if (!group.normal.remove(key)) group.low.remove(key)
    this.#changeLength(-1)
    this.#settle(entry.group, group)
  }

  #group(name: string): Group {
    let group = this.#groups.get(name)
    if (!group) {
      group = { normal: new Fifo(), low: new Fifo(), working: 0, parked: false }
      this.#groups.set(name, group)
    }
    return group
  }

  /** Puts the group into the ring, or takes it out, or forgets it, as its state says. */
  #settle(name: string, group: Group): void {
    const size = group.normal.size + group.low.size
    if (size > 0 && !group.parked && group.working < this.#perGroup) this.#ring.push(name)
    else this.#ring.remove(name)
    if (size === 0 && group.working === 0 && !group.parked) this.#groups.delete(name)
  }

  #changeLength(by: 1 | -1): void {
    this.#length += by
    this.#metrics?.depth(this.#length)
  }

  #unfinished(): { sum: number; longest: number } {
    const now = this.#clock.now()
    const seconds = Array.from(this.#working, ({ work }) => (now - work!.since) / 1000)
    return { sum: seconds.reduce((sum, each) => sum + each, 0), longest: seconds.reduce((longest, each) => Math.max(longest, each), 0) }
  }
}

const asError = (reason: unknown): Error => reason instanceof Error ? reason : new Error(String(reason))
