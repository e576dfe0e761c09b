// The transfers under way: each writes one volume's content beside the workers, and wakes its object when there is news.

import type { Clock } from '../../../clock/clock.ts'
import type { Log } from '../../../controller/log.ts'
import { LibvirtError, isUnknown, isUnsupported } from '../../../drivers/errors.ts'
import type { StreamPlace, Streams } from '../../../observed/streams.ts'
import { SourceError } from './error.ts'

/** Each phase and what leaves it. */
export type JobState =
  /** Waits in line for one of the host's places for streams; leaves when it has got one. */
  | { phase: 'Queued' }
  /** The source and the place are looked at, nothing is made on the host; leaves with the verdict on them. */
  | { phase: 'Inspecting' }
  /** Waits for allow(): that the volume is about to be made has to be recorded with the object first. Leaves with it, or is forgotten when that takes too long. */
  | { phase: 'Inspected' }
  /** Content is on its way; leaves with the last byte confirmed (Done) or a failure, after the half volume is removed. */
  | { phase: 'Writing'; transferred: number; total?: number }
  /** The content is whole and confirmed by the host. */
  | { phase: 'Done'; format: string }
  /** Nothing more happens before `retryAt` (ms; undefined: not by itself). */
  | { phase: 'Failed'; reason: 'SourceFailed' | 'Invalid' | 'Conflict' | 'HostError' | 'Unsupported'; message: string; retryAt?: number; /** To be shown as a failure, not as a delay. */ stalled: boolean }

export interface Job { readonly state: JobState; readonly attempt: string }

export interface JobControl {
  readonly signal: AbortSignal
  /** All is well so far; resolves once the volume may be made. */
  inspected(): Promise<void>
  progress(transferred: number, total?: number): void
  /** The host's place for this transfer; given back when it ends. */
  readonly place: StreamPlace
  /** Others wait for a place. */
  contended(): boolean
}

/** Where a transfer goes to: the host by its name, and the places that it lends. */
export interface JobTarget { name: string; streams: Pick<Streams, 'take' | 'contended'> }

export interface JobOptions {
  clock: Clock
  /** News of an object, by its key. */
  wake: (key: string) => void
  log?: Pick<Log, 'info' | 'warn'>
}

interface Entry extends Job {
  state: JobState
  uid: string
  host: JobTarget
  failures: number
  abort: AbortController
  allowed: PromiseWithResolvers<void>
  run: (control: JobControl) => Promise<{ format: string }>
  ended: PromiseWithResolvers<void>
  toldAt: number
}

const TELL_EVERY = 5_000
const BACKOFF = { first: 5_000, last: 300_000 }
/** An object that is paused, or whose status cannot be written, holds its place no longer than this, ms. */
const ALLOWED_WITHIN = 60_000
/** So many failures in a row are shown as a delay only. */
const DELAYS = 2

export const isRunning = (job: Job | undefined): boolean => job !== undefined && job.state.phase !== 'Done' && job.state.phase !== 'Failed'

export class Jobs {
  readonly #options: JobOptions
  readonly #jobs = new Map<string, Entry>()

  constructor(options: JobOptions) {
    this.#options = options
  }

  get(key: string, uid: string): Job | undefined {
    const job = this.#jobs.get(key)
    return job?.uid === uid ? job : undefined
  }

  /** Starts a transfer, or queues it. `attempt` changes when the object asks for another try. At most one runs for a key. */
  start(key: string, { uid, host, attempt }: { uid: string; host: JobTarget; attempt: string }, run: Entry['run']): void {
    const before = this.#jobs.get(key)
    if (isRunning(before)) return
    const failures = before?.uid === uid && before.attempt === attempt ? before.failures : 0
    const job: Entry = {
      state: { phase: 'Queued' }, uid, host, attempt, failures, run,
      abort: new AbortController(), allowed: Promise.withResolvers(), ended: Promise.withResolvers(), toldAt: -Infinity,
    }
    this.#jobs.set(key, job)
    void this.#drive(key, job)
  }

  /** The record is written: the volume may be made. */
  allow(key: string): void {
    const job = this.#jobs.get(key)
    if (job?.state.phase !== 'Inspected') return
    job.state = { phase: 'Writing', transferred: 0 }
    job.allowed.resolve()
  }

  /** Ends a transfer and forgets it. Resolves once it has let go of the host, the half volume removed where that was possible. */
  async abort(key: string): Promise<void> {
    const job = this.#jobs.get(key)
    if (job === undefined) return
    job.abort.abort(new Error('the transfer was stopped'))
    job.allowed.resolve()
    if (isRunning(job)) await job.ended.promise
    if (this.#jobs.get(key) === job) this.#jobs.delete(key)
  }

  /** Forgets a transfer that has ended. */
  drop(key: string): void {
    if (!isRunning(this.#jobs.get(key))) this.#jobs.delete(key)
  }

  /** Ends every transfer. */
  async close(): Promise<void> {
    await Promise.all([...this.#jobs.keys()].map(async key => { await this.abort(key) }))
  }

  async #drive(key: string, job: Entry): Promise<void> {
    const { clock, wake, log } = this.#options
    const began = clock.now()
    let place: StreamPlace | undefined
    try {
      place = await job.host.streams.take(job.abort.signal)
      job.state = { phase: 'Inspecting' }
      const { format } = await job.run(this.#control(key, job, place))
      job.state = { phase: 'Done', format }
      log?.info({ object: key, hypervisor: job.host.name, ms: clock.now() - began }, 'content transferred')
    } catch (error) {
      job.failures++
      job.state = this.#failure(job, error)
      // Nothing is wrong with it: it begins anew as soon as it may.
      if (error instanceof NotAllowed && this.#jobs.get(key) === job) this.#jobs.delete(key)
      log?.warn({ object: key, hypervisor: job.host.name, ms: clock.now() - began, error: error instanceof Error ? error.message : String(error) }, 'transfer failed')
    }
    await place?.release()
    job.ended.resolve()
    if (!job.abort.signal.aborted) wake(key)
  }

  #control(key: string, job: Entry, place: StreamPlace): JobControl {
    const { clock, wake } = this.#options
    return {
      signal: job.abort.signal,
      place,
      contended: () => job.host.streams.contended,
      inspected: async () => {
        job.state = { phase: 'Inspected' }
        wake(key)
        const limit = clock.setTimeout(() => { job.allowed.reject(new NotAllowed()) }, ALLOWED_WITHIN)
        await job.allowed.promise.finally(() => { limit.cancel() })
        job.abort.signal.throwIfAborted()
      },
      progress: (transferred, total) => {
        job.state = { phase: 'Writing', transferred, total }
        if (clock.now() - job.toldAt < TELL_EVERY) return
        job.toldAt = clock.now()
        wake(key)
      },
    }
  }

  #failure(job: Entry, error: unknown): JobState {
    const text = error instanceof Error ? error.message : String(error)
    const refused = error instanceof LibvirtError
    const message = refused ? `The host refused: ${text}.` : text
    if (error instanceof SourceError && error.failure === 'Permanent') return { phase: 'Failed', reason: error.reason, message, stalled: true }
    if (isUnsupported(error)) return { phase: 'Failed', reason: 'Unsupported', message, stalled: true }
    const wait = Math.min(BACKOFF.first * 2 ** (job.failures - 1), BACKOFF.last)
    const stalled = !isUnknown(error) && (job.failures > DELAYS || (error instanceof SourceError && error.failure === 'Truncated'))
    return { phase: 'Failed', reason: refused ? 'HostError' : 'SourceFailed', message, retryAt: this.#options.clock.now() + wait, stalled }
  }
}

/** The object was paused, or nothing could be recorded with it, for too long to hold a place meanwhile. */
class NotAllowed extends Error {
  override readonly name = 'NotAllowed'
  constructor() {
    super('the transfer was not allowed to begin in time and has given its place back')
  }
}
