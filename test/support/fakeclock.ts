// Time that stands still until a test moves it.

import type { Clock, Timer } from '../../clock/clock.ts'

interface Pending { at: number; fn: () => void }

export class FakeClock implements Clock {
  #now: number
  readonly #pending = new Set<Pending>()
  #scheduled: (() => void)[] = []

  constructor(start = Date.parse('2026-11-22T20:00:00Z')) {
    this.#now = start
  }

  now(): number { return this.#now }

  setTimeout(fn: () => void, ms: number): Timer {
    const pending: Pending = { at: this.#now + Math.max(ms, 0), fn }
    this.#pending.add(pending)
    for (const wake of this.#scheduled.splice(0)) wake()
    return { cancel: () => { this.#pending.delete(pending) } }
  }

  /** Delays of the timers that wait, in milliseconds from now, shortest first. */
  get timers(): number[] { return Array.from(this.#pending, ({ at }) => at - this.#now).toSorted((a, b) => a - b) }

  /** Waits, in real time, until a timer whose delay satisfies `wanted` is set: then the code under test is asleep. */
  async asleep(wanted: (ms: number) => boolean = () => true): Promise<void> {
    while (!this.timers.some(wanted)) await new Promise<void>((resolve) => { this.#scheduled.push(resolve) })
  }

  /** Moves time, running what is due in order; promises settle between two timers and at the end. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    await settle()
    for (;;) {
      const due = [...this.#pending].filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0]
      if (!due) break
      this.#pending.delete(due)
      this.#now = Math.max(this.#now, due.at)
      due.fn()
      await settle()
    }
    this.#now = end
    await settle()
  }
}

/** Lets every promise that can settle without the outside world do so. */
export const settle = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve) })
