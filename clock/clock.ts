// Time for the whole process: every delay, deadline and timestamp goes through a Clock, so that tests advance time instead of sleeping.

export interface Timer { cancel(): void }

export interface Clock {
  /** Milliseconds: since the epoch, or of the monotonic clock since the process began. */
  now(): number
  /** Calls `fn` once after `ms` milliseconds, unless cancelled before. */
  setTimeout(fn: () => void, ms: number): Timer
}

/** Node runs a timer of more than 2^31-1 ms at once; we would rather be early by weeks than by months. */
const longest = 2 ** 31 - 1

function after(fn: () => void, ms: number): Timer {
  const timer = setTimeout(fn, Math.min(Math.max(ms, 0), longest))
  return { cancel: () => clearTimeout(timer) }
}

export const systemClock: Clock = { now: () => Date.now(), setTimeout: after }

/** For durations alone: nobody sets it. */
export const monotonicClock: Clock = { now: () => performance.now(), setTimeout: after }

/** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) { reject(signal.reason); return }
    const timer = clock.setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, ms)
    const abort = (): void => {
      timer.cancel()
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', abort, { once: true })
  })
}

/** What `promise` comes to, or the signal's reason as soon as it aborts: for work that does not heed the signal itself. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => { reject(signal.reason) }
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => { signal.removeEventListener('abort', abort) })
  })
}

export interface Deadline extends Disposable {
  readonly signal: AbortSignal
  /** Starts the time over: for a stream that must never be silent for longer than `ms`. */
  extend(ms?: number): void
}

/**
 * A signal that aborts with `reason()` after `ms`, or with the parent's reason before that.
 * Dispose it (`using`) when the work is over, or the timer and the listener stay.
 */
export function deadline(clock: Clock, ms: number, reason: () => Error, parent?: AbortSignal): Deadline {
  const controller = new AbortController()
  const start = (after: number): Timer => clock.setTimeout(() => controller.abort(reason()), after)
  const abort = (): void => controller.abort(parent?.reason)
  let timer = start(ms)
  if (parent?.aborted) abort()
  else parent?.addEventListener('abort', abort, { once: true })
  return {
    signal: controller.signal,
    extend(after = ms) {
      timer.cancel()
      timer = start(after)
    },
    [Symbol.dispose]() {
      timer.cancel()
      parent?.removeEventListener('abort', abort)
    },
  }
}
