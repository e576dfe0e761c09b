// Tells people what happened, as core/v1 Events of the object: never blocks, never throws, never floods.

import type { Client } from './client.ts'
import { sleep, type Clock } from '../clock/clock.ts'
import { timestamp } from './timestamp.ts'
import { isAlreadyExists, isNamespaceTerminating, isNotFound, isTransient } from './errors.ts'
import type { Log } from './log.ts'
import { events, type KubeObject } from './resource.ts'

export type EventType = 'Normal' | 'Warning'

export interface EventRecorderOptions {
  client: Client
  /** Shown as the event's source, and as its reportingComponent. */
  component: string
  /** Which process of them: reportingInstance. */
  instance?: string
  clock: Clock
  log: Log
  /** Events that wait to be sent; further ones are dropped. 1,000. */
  maxQueued?: number
}

/** The same fact about the same object within this time is counted, not repeated. */
const sameWithin = 10 * 60_000
/** client-go's spam filter: an object may have 25 events at once, then one in 5 minutes. */
const burst = 25
const refill = 5 * 60_000
const maxMessage = 1024
/** Facts and objects remembered; the oldest are forgotten first. */
const maxRemembered = 4096
const attempts = 5
const retryAfter = 2_000

/** One Event object: what is wanted of it, and whether the API server has it. */
interface Series {
  readonly key: string
  readonly namespace: string
  readonly name: string
  readonly fields: Record<string, unknown>
  readonly firstAt: number
  lastAt: number
  count: number
  exists: boolean
  queued: boolean
}

interface Bucket { tokens: number; at: number }

export class EventRecorder {
  readonly #options: EventRecorderOptions
  readonly #series = new Map<string, Series>()
  readonly #buckets = new Map<string, Bucket>()
  readonly #queue: Series[] = []
  readonly #stopped = new AbortController()
  #sending: Promise<void> | undefined
  #serial = 0
  #dropped = 0

  constructor(options: EventRecorderOptions) {
    this.#options = options
  }

  /** Events dropped by the spam filter, a full queue or a refusal. */
  get dropped(): number { return this.#dropped }

  /** Records one event. `reason` is CamelCase, `message` a sentence for a person (cut at 1 kB), `action` what was being done. */
  event(object: KubeObject, type: EventType, reason: string, message: string, action?: string): void {
    const now = this.#options.clock.now()
    const cut = cutBytes(message, maxMessage)
    const key = JSON.stringify([object.metadata.uid || object.metadata.name, object.kind, object.metadata.namespace, type, reason, cut])
    if (this.#stopped.signal.aborted || !this.#allowed(object, now)) { this.#dropped++; return }
    const known = this.#series.get(key)
    const series = known && now - known.lastAt < sameWithin ? known : this.#newSeries(key, object, now, { type, reason, message: cut, action })
    series.count++
    series.lastAt = now
    remember(this.#series, key, series)
    this.#enqueue(series)
  }

  /** Resolves when everything recorded so far was sent or given up. */
  async flush(): Promise<void> {
    await this.#sending
  }

  /** Gives up what waits. */
  stop(): void {
    this.#stopped.abort()
  }

  #newSeries(key: string, object: KubeObject, now: number, { type, reason, message, action }: { type: EventType; reason: string; message: string; action?: string }): Series {
    const { component, instance } = this.#options
    const { name, namespace, uid, resourceVersion } = object.metadata
    const home = namespace ?? 'default'
    const fields = {
      involvedObject: { apiVersion: object.apiVersion, kind: object.kind, name, namespace, uid, resourceVersion },
      type, reason, message, action,
      source: { component },
      reportingComponent: component,
      reportingInstance: instance,
    }
    return { key, namespace: home, name: this.#nameFor(name, now), fields, firstAt: now, lastAt: now, count: 0, exists: false, queued: false }
  }

  /** client-go's form, NAME.HEXTIME, unique within the process by a serial number in the place of nanoseconds. */
  #nameFor(name: string, now: number): string {
    this.#serial = (this.#serial + 1) % 1_000_000
    const suffix = (BigInt(now) * 1_000_000n + BigInt(this.#serial)).toString(16)
    return `${name.slice(0, 252 - suffix.length).replace(/[^a-z0-9]+$/, '')}.${suffix}`
  }

  #allowed(object: KubeObject, now: number): boolean {
    const key = `${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}/${object.metadata.uid}`
    const bucket = this.#buckets.get(key) ?? { tokens: burst, at: now }
    bucket.tokens = Math.min(burst, bucket.tokens + (now - bucket.at) / refill)
    bucket.at = now
    remember(this.#buckets, key, bucket)
    if (bucket.tokens < 1) return false
    bucket.tokens--
    return true
  }

  #enqueue(series: Series): void {
    if (series.queued) return
    if (this.#queue.length >= (this.#options.maxQueued ?? 1_000)) {
      this.#dropped++
      return
    }
    series.queued = true
    this.#queue.push(series)
    this.#sending ??= this.#sendAll().finally(() => { this.#sending = undefined })
  }

  async #sendAll(): Promise<void> {
    for (let series = this.#queue.shift(); series && !this.#stopped.signal.aborted; series = this.#queue.shift()) {
      series.queued = false
      await this.#send(series)
    }
  }

  async #send(series: Series): Promise<void> {
    const { clock, log } = this.#options
    const signal = this.#stopped.signal
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await this.#write(series, signal)
        return
      } catch (error) {
        if (signal.aborted) return
        if (isTransient(error) && attempt < attempts) {
          await sleep(clock, retryAfter * attempt, signal).catch(() => undefined)
          continue
        }
        this.#dropped++
        this.#series.delete(series.key)
        // The namespace is on its way out, or gone: nobody could read the event.
        if (!isNamespaceTerminating(error) && !isNotFound(error)) log.warn({ err: error, event: series.name, namespace: series.namespace }, 'an event could not be recorded')
        return
      }
    }
  }

  async #write(series: Series, signal: AbortSignal): Promise<void> {
    const { client } = this.#options
    const { namespace, name, count } = series
    const lastTimestamp = timestamp(series.lastAt)
    if (series.exists) {
      try {
        await client.mergePatch(events, namespace, name, { count, lastTimestamp }, { signal })
        return
      } catch (error) {
        // Events expire (after an hour, by default): then it is told again.
        if (!isNotFound(error)) throw error
      }
    }
    try {
      await client.create(events, namespace, {
        apiVersion: 'v1', kind: 'Event', metadata: { name, namespace }, ...series.fields, count, firstTimestamp: timestamp(series.firstAt), lastTimestamp,
      }, { signal })
    } catch (error) {
      // An earlier attempt went through, though its answer was lost.
      if (!isAlreadyExists(error)) throw error
    }
    series.exists = true
  }
}

/** Keeps the map to its size, forgetting what was not used for longest. */
function remember<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= maxRemembered) return
  const [oldest] = map.keys()
  map.delete(oldest!)
}

/** At most `max` bytes of UTF-8, whole characters, with an ellipsis where something was cut. */
export function cutBytes(text: string, max: number): string {
  const bytes = Buffer.from(text)
  if (bytes.length <= max) return text
  let end = max - Buffer.byteLength('…')
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--
  return `${bytes.toString('utf8', 0, end)}…`
}
