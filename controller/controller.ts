// The workers: take a key from the queue, reconcile it, and put it back as the result says.

import type { Clock } from '../clock/clock.ts'
import { isConflict } from './errors.ts'
import type { Log } from './log.ts'
import type { ControllerMetrics } from './metrics.ts'
import { QueueShutDown, type Taken, type WorkQueue } from './workqueue.ts'

/** `retry` is tried again after the key's backoff; `requeueAfter` is no failure and ends a series of them. */
export type Result = { type: 'done' } | { type: 'requeueAfter'; ms: number } | { type: 'retry'; error: Error }

export interface WorkersOptions {
  queue: WorkQueue
  /** Must not block: long work is a state that a later event advances. The signal aborts when the workers are to stop. */
  reconcile: (key: string, signal: AbortSignal) => Promise<Result>
  concurrency: number
  clock: Clock
  log: Log
  signal: AbortSignal
  metrics?: ControllerMetrics
}

/** Runs until the signal aborts and the reconciles that were under way have ended; never rejects. */
export async function runWorkers({ queue, reconcile, concurrency, clock, log, signal, metrics }: WorkersOptions): Promise<void> {
  let active = 0

  async function work(): Promise<void> {
    for (;;) {
      const taken = await next()
      if (!taken) return
      metrics?.active(++active)
      const started = clock.now()
      // What was due for the key is this very look: its outcome says when the next one is.
      queue.cancelAfter(taken.key)
      let outcome: Result = { type: 'done' }
      try {
        outcome = await attempt(taken.key)
        settle(taken, outcome)
      } finally {
        queue.done(taken.key)
        metrics?.active(--active)
        metrics?.reconciled(label[outcome.type], (clock.now() - started) / 1000)
      }
    }
  }

  async function next(): Promise<Taken | undefined> {
    try {
      return await queue.take(signal)
    } catch (error) {
      if (signal.aborted || error instanceof QueueShutDown) return undefined
      throw error
    }
  }

  async function attempt(key: string): Promise<Result> {
    try {
      return await reconcile(key, signal)
    } catch (error) {
      return { type: 'retry', error: error instanceof Error ? error : new Error(String(error)) }
    }
  }

  function settle({ key, group }: Taken, result: Result): void {
    if (result.type === 'retry') {
      if (signal.aborted) return
      const retryInMs = queue.addRateLimited(key)
      // Somebody else wrote first: the next attempt sees what they wrote, nobody needs to know.
      log[isConflict(result.error) ? 'debug' : 'warn']({ key, group, retryInMs, failures: queue.failures(key), err: result.error }, `reconcile of ${key} failed: ${result.error.message}`)
      return
    }
    queue.forget(key)
    if (result.type === 'requeueAfter') queue.addAfter(key, result.ms)
  }

  await Promise.all(Array.from({ length: concurrency }, work))
}

const label = { done: 'success', requeueAfter: 'requeue_after', retry: 'error' } as const
