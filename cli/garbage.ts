// Collects garbage while there is nothing else to do: V8 by itself lets a heap stand as high as work has driven it, for hours.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Clock } from '../clock/clock.ts'

export interface Usage {
  /** CPU time of the process so far, ms. */
  cpu: number
  /** Its resident memory, bytes. */
  memory: number
}

export interface GarbageOptions {
  clock: Clock
  usage?: () => Usage
  collect?: () => void
}

const EVERY = 5_000
/** A process that took less than this share of a core is at rest. */
const QUIET = 0.05
/** Memory beyond what was left after the last collection that makes another worth its pause (a tenth of a second with 5,000 guests). */
const GROWN = 1.25

/** Looks every 5 s until `signal` aborts. */
export function collectWhenQuiet({ clock, usage = usageOfProcess, collect = collector() }: GarbageOptions, signal: AbortSignal): void {
  let before = usage()
  let collected = false
  /** What was left after the last collection, once its pages were given back. */
  let floor: number | undefined
  const look = (): void => {
    const now = usage()
    const quiet = now.cpu - before.cpu < EVERY * QUIET
    before = now
    if (quiet && collected) {
      floor = now.memory
      collected = false
    } else if (quiet && now.memory > (floor ?? 0) * GROWN) {
      collect()
      collected = true
      // The collection itself is no work.
      before = usage()
    }
    timer = clock.setTimeout(look, EVERY)
  }
  let timer = clock.setTimeout(look, EVERY)
  signal.addEventListener('abort', () => { timer.cancel() }, { once: true })
}

function usageOfProcess(): Usage {
  const { user, system } = process.cpuUsage()
  return { cpu: (user + system) / 1_000, memory: process.memoryUsage.rss() }
}

/** V8's collector is not there by itself, and comes with a new context once its flag is set. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}
