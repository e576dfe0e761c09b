// Keeps a mirror equal to the API server: lists, watches, and starts over where Kubernetes says to. The mirror's one writer.

import { Backoff } from './backoff.ts'
import { sleep, type Clock } from '../clock/clock.ts'
import { ApiError, apiErrorOf, isExpired, isTransient, WatchBroken, type Status } from './errors.ts'
import type { Log } from './log.ts'
import type { Mirror, MirrorWriter } from './mirror.ts'
import { apiVersion, resourcePath, type KubeObject, type ObjectList, type Resource } from './resource.ts'
import type { Transport } from './transport.ts'

/**
 * What the reflector is doing, and what leaves it:
 * - listing: collects the pages of one consistent list into a buffer. The last page swaps the buffer in → watching.
 *   An expired continue token → listing, in one page. Any other error → waiting to list.
 * - watching: applies events from `version` on. The server's time limit → watching again at once. An expired version →
 *   waiting to list (not at all, unless the list is fresh). A dead, broken or refused connection → waiting to watch from the last version seen.
 * - waiting: a backoff, or the time the server asked for → `next`.
 * - stopped: the signal aborted, in any state. Nothing leaves it, and nothing is written to the mirror any more.
 */
export type ReflectorState =
  | { name: 'listing'; paged: boolean }
  | { name: 'watching'; version: string }
  | { name: 'waiting'; ms: number; next: ReflectorState }
  | { name: 'stopped' }

export interface ReflectorOptions<T extends KubeObject> {
  transport: Transport
  resource: Resource
  mirror: Mirror<T>
  /** One namespace only; all of them if absent. */
  namespace?: string
  labelSelector?: string
  fieldSelector?: string
  clock: Clock
  log: Log
  /** Objects in one page of a list; 500. */
  pageSize?: number
  random?: () => number
}

interface WatchEvent<T> { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'; object: T & Status }

/** Milliseconds after the server's own time limit before a silent watch is taken for dead. */
const margin = 30_000
/** A server that sends bookmarks does so about once a minute: after the first, three minutes of silence mean a dead socket. */
const bookmarkSilence = 180_000
/** A list older than this may expire without a reason to slow down. */
const freshList = 30_000
/** A watch that ends sooner than this without an event was not a success. */
const shortest = 1_000

export class Reflector<T extends KubeObject = KubeObject> {
  readonly #options: ReflectorOptions<T>
  readonly #random: () => number
  readonly #writer: MirrorWriter<T>
  readonly #backoff: Backoff
  readonly #path: string
  #state: ReflectorState = { name: 'listing', paged: true }
  #listedAt = -Infinity

  constructor(options: ReflectorOptions<T>) {
    this.#options = options
    this.#random = options.random ?? Math.random
    this.#writer = options.mirror.takeWriter()
    this.#backoff = new Backoff({ clock: options.clock, base: 800, max: 30_000, jitter: 1, resetAfter: 120_000, random: this.#random })
    this.#path = resourcePath(options.resource, options.namespace)
  }

  get state(): ReflectorState { return this.#state }

  /** Runs until the signal aborts; resolves then, and never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        this.#state = await this.#step(this.#state, signal)
      } catch (error) {
        if (signal.aborted) break
        this.#state = this.#afterFailure(this.#state, error)
      }
    }
    this.#state = { name: 'stopped' }
  }

  #step(state: ReflectorState, signal: AbortSignal): Promise<ReflectorState> | ReflectorState {
    switch (state.name) {
      case 'listing': return this.#list(state.paged, signal)
      case 'watching': return this.#watch(state.version, signal)
      case 'waiting': return sleep(this.#options.clock, state.ms, signal).then(() => state.next)
      case 'stopped': return state
    }
  }

  async #list(paged: boolean, signal: AbortSignal): Promise<ReflectorState> {
    const { transport, labelSelector, fieldSelector, pageSize = 500 } = this.#options
    this.#writer.listing()
    const buffer: T[] = []
    let token: string | undefined
    let version: string
    do {
      // No resourceVersion: a consistent read. 0 would be any replica's cache, in which the dead may still live.
      const query = { labelSelector, fieldSelector, limit: paged ? pageSize : undefined, continue: token }
      const page = await transport.request({ method: 'GET', path: this.#path, query, signal }) as ObjectList<T>
      signal.throwIfAborted()
      for (const item of page.items ?? []) buffer.push(this.#complete(item))
      token = page.metadata.continue
      version = page.metadata.resourceVersion
    } while (token)
    this.#listedAt = this.#options.clock.now()
    this.#writer.replace(buffer, version)
    return { name: 'watching', version }
  }

  async #watch(from: string, signal: AbortSignal): Promise<ReflectorState> {
    const { transport, labelSelector, fieldSelector, clock } = this.#options
    const timeoutSeconds = Math.round(300 * (1 + this.#random()))
    let idleTimeout = timeoutSeconds * 1000 + margin
    const query = { watch: true, resourceVersion: from, allowWatchBookmarks: true, timeoutSeconds, labelSelector, fieldSelector }
    const started = clock.now()
    let version = from
    let events = 0
    for await (const line of transport.watch({ path: this.#path, query, idleTimeout: () => idleTimeout, signal })) {
      const { type, object } = parse<T>(line)
      if (type === 'ERROR') throw apiErrorOf(object)
      events++
      version = object.metadata.resourceVersion
      if (type === 'BOOKMARK') {
        idleTimeout = Math.min(idleTimeout, bookmarkSilence)
        this.#writer.progress(version)
      } else {
        this.#writer.apply(type, this.#complete(object))
      }
      // What an error that follows resumes from.
      this.#state = { name: 'watching', version }
    }
    const next: ReflectorState = { name: 'watching', version }
    return events === 0 && clock.now() - started < shortest ? { name: 'waiting', ms: this.#backoff.next(), next } : next
  }

  #afterFailure(state: ReflectorState, error: unknown): ReflectorState {
    const { log, resource } = this.#options
    if (state.name === 'listing' && state.paged && isExpired(error)) {
      log.debug({ resource: resource.plural, err: error }, 'the list took longer than the server keeps its pages: listing again in one page')
      return { name: 'listing', paged: false }
    }
    const resumes = state.name === 'watching' && isTransient(error) && !isExpired(error)
    const ms = this.#waitAfter(state, error)
    const quiet = isExpired(error) || error instanceof WatchBroken
    const known = error instanceof ApiError || isTransient(error)
    log[quiet ? 'debug' : 'warn']({ resource: resource.plural, retryInMs: Math.round(ms), ...(known ? {} : { err: error }) }, `could not ${state.name === 'watching' ? 'watch' : 'list'} ${resource.plural}: ${messageOf(error)}`)
    return { name: 'waiting', ms, next: resumes ? state : { name: 'listing', paged: true } }
  }

  /** Milliseconds until the next attempt. */
  #waitAfter(state: ReflectorState, error: unknown): number {
    // The server knows best when it can serve us; the jitter keeps its clients from coming all at once.
    if (error instanceof ApiError && error.retryAfter) return error.retryAfter * 1000 * (1 + this.#random() / 2)
    // An old version is no sign of trouble, unless a list a moment ago was old already.
    if (state.name === 'watching' && isExpired(error) && this.#options.clock.now() - this.#listedAt > freshList) return 0
    return this.#backoff.next()
  }

  /** Items of a list of built-in kinds come without apiVersion and kind. */
  #complete(object: T): T {
    object.apiVersion ??= apiVersion(this.#options.resource)
    object.kind ??= this.#options.resource.kind
    return object
  }
}

function parse<T>(line: Buffer): WatchEvent<T> {
  try {
    return JSON.parse(line.toString('utf8')) as WatchEvent<T>
  } catch (cause) {
    throw new WatchBroken('the watch sent a line that is not JSON', { cause })
  }
}

const messageOf = (error: unknown): string => error instanceof Error ? error.message : String(error)
