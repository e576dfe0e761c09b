// When to ask again for what has no event: often while it is awaited, ever more rarely while it does not come.

import type { Clock } from '../clock/clock.ts'

/** The first delay, ms; each further one is twice as long. */
const FIRST = 1_000

export class Patience {
  readonly #clock: Clock
  readonly #often: number
  readonly #last: number
  #until = 0
  #delay = FIRST

  /** Each second for `often` ms after begin(), then ever more rarely up to `last` ms. */
  constructor(clock: Clock, { often, last }: { often: number; last: number }) {
    this.#clock = clock
    this.#often = often
    this.#last = last
  }

  /** Something is awaited from now on. */
  begin(): void {
    this.#until = this.#clock.now() + this.#often
    this.#delay = FIRST
  }

  /** It has come; should it go, the delays begin short again. */
  rest(): void {
    this.#delay = FIRST
  }

  /** How long until the next question while it has not come, ms. */
  next(): number {
    if (this.#clock.now() < this.#until) return FIRST
    this.#delay = Math.min(this.#delay * 2, this.#last)
    return this.#delay
  }
}
