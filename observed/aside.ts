// A connection for questions that may hang: opened for the first one, shared, and closed when none has come for a while.

import type { Clock, Timer } from '../clock/clock.ts'
import type { Connection } from '../drivers/driver.ts'

/** Questions often come in groups, ms. */
const LINGER = 10_000

export class Aside<C extends Pick<Connection, 'closed' | 'close'>> {
  readonly #open: () => Promise<C>
  readonly #clock: Clock
  #connection: Promise<C> | undefined
  #users = 0
  #idle: Timer | undefined

  constructor(open: () => Promise<C>, clock: Clock) {
    this.#open = open
    this.#clock = clock
  }

  /** Rejects as `open` or `work` do. */
  async use<T>(work: (connection: C) => Promise<T>): Promise<T> {
    this.#users++
    this.#idle?.cancel()
    try {
      return await work(await (this.#connection ??= this.#begin()))
    } finally {
      this.#users--
      if (this.#users === 0) this.#idle = this.#clock.setTimeout(() => { this.close() }, LINGER)
    }
  }

  /** Ends what is under way on it; the next question opens another one. */
  close(): void {
    const connection = this.#connection
    this.#connection = undefined
    this.#idle?.cancel()
    void connection?.then(async opened => { await opened.close() }, () => { /* whoever asked was told */ })
  }

  #begin(): Promise<C> {
    const opening = this.#open()
    const forget = (): void => { if (this.#connection === opening) this.#connection = undefined }
    opening.then(({ closed }) => closed).then(forget, forget)
    return opening
  }
}
