// The time that the protocol core sees: tests bring their own and advance it.

export interface Timer { cancel(): void }
export interface Clock {
  /** Milliseconds, monotonic. */
  now(): number
  setTimeout(run: () => void, ms: number): Timer
}

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (run, ms) => {
    const timer = setTimeout(run, ms)
    return { cancel: () => clearTimeout(timer) }
  },
}
