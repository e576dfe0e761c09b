// How long to wait before the next attempt of something that keeps failing.

import type { Clock } from '../clock/clock.ts'

export interface BackoffOptions {
  clock: Clock
  /** Milliseconds of the first wait, and of the longest before jitter. */
  base: number
  max: number
  /** A random part of up to this share is added on top; 1 doubles the wait at most. */
  jitter: number
  /** Milliseconds without a failure after which the next one is the first again. */
  resetAfter: number
  random?: () => number
}

/** client-go's exponential backoff: doubles with each call, starts over after a quiet time. */
export class Backoff {
  readonly #options: Required<BackoffOptions>
  #attempts = 0
  #lastAt = -Infinity

  constructor(options: BackoffOptions) {
    this.#options = { random: Math.random, ...options }
  }

  /** Milliseconds to wait now. */
  next(): number {
    const { clock, base, max, jitter, resetAfter, random } = this.#options
    if (clock.now() - this.#lastAt > resetAfter) this.#attempts = 0
    const wait = Math.min(base * 2 ** this.#attempts, max) * (1 + jitter * random())
    this.#attempts++
    this.#lastAt = clock.now() + wait
    return wait
  }
}
