// Work that follows from changes: each task by its name, one after the other, and again later where it failed.

import type { Clock, Timer } from '../../clock/clock.ts'

const RETRY_FIRST = 1_000
const RETRY_LAST = 60_000

/** A task added while it runs runs once more. */
export class Tasks {
  readonly #clock: Clock
  readonly #onError: (task: string, error: unknown) => void
  readonly #waiting = new Map<string, () => Promise<void>>()
  readonly #failures = new Map<string, { count: number; timer: Timer }>()
  #running: Promise<void> | undefined
  #closed = false

  constructor({ clock, onError }: { clock: Clock; onError: (task: string, error: unknown) => void }) {
    this.#clock = clock
    this.#onError = onError
  }

  add(name: string, work: () => Promise<void>): void {
    if (this.#closed) return
    this.#waiting.set(name, work)
    this.#running ??= this.#run().finally(() => { this.#running = undefined })
  }

  /** Resolves when nothing is left but what waits for another try. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#waiting.clear()
    for (const { timer } of this.#failures.values()) timer.cancel()
    await this.idle()
  }

  async #run(): Promise<void> {
    // Whoever adds is in the middle of a change; it ends first.
    await Promise.resolve()
    for (let next = this.#take(); next !== undefined; next = this.#take()) {
      const [name, work] = next
      this.#failures.get(name)?.timer.cancel()
      try {
        await work()
        this.#failures.delete(name)
      } catch (error) {
        this.#onError(name, error)
        this.#again(name, work)
      }
    }
  }

  #take(): [string, () => Promise<void>] | undefined {
    const next = this.#waiting.entries().next()
    if (next.done === true) return undefined
    this.#waiting.delete(next.value[0])
    return next.value
  }

  #again(name: string, work: () => Promise<void>): void {
    if (this.#closed) return
    const count = (this.#failures.get(name)?.count ?? 0) + 1
    const timer = this.#clock.setTimeout(() => { this.add(name, work) }, Math.min(RETRY_FIRST * 2 ** (count - 1), RETRY_LAST))
    this.#failures.set(name, { count, timer })
  }
}
