// Asks one thing of many objects, each in its own time and only a few at once.

import type { Clock, Timer } from '../clock/clock.ts'

interface Entry {
  /** When it is due, ms; in line and while being asked: in the past. */
  at: number
  timer?: Timer
  asking: boolean
  /** It is to be asked once more as soon as the answer is there. */
  again: boolean
}

export interface QuestionsOptions {
  clock: Clock
  /** Questions under way at once. */
  atOnce: number
  /** Asks; answers when to ask again, ms from then (undefined: not by itself). Never rejects. */
  ask: (id: string) => Promise<number | undefined>
}

export class Questions {
  readonly #options: QuestionsOptions
  readonly #entries = new Map<string, Entry>()
  readonly #line = new Set<string>()
  #asking = 0

  constructor(options: QuestionsOptions) {
    this.#options = options
  }

  /** Asks in `ms`; a question that comes sooner stays, and one that is under way is followed by another. */
  ask(id: string, ms: number): void {
    const { clock } = this.#options
    const at = clock.now() + ms
    const entry: Entry = this.#entries.get(id) ?? { at: Infinity, asking: false, again: false }
    this.#entries.set(id, entry)
    if (entry.asking) entry.again = true
    if (entry.asking || entry.at <= at) return
    entry.timer?.cancel()
    entry.at = at
    entry.timer = clock.setTimeout(() => {
      this.#line.add(id)
      this.#fill()
    }, ms)
  }

  /** Asks no more; an answer that is still to come changes no time table. */
  drop(id: string): void {
    this.#entries.get(id)?.timer?.cancel()
    this.#entries.delete(id)
    this.#line.delete(id)
  }

  dropAll(): void {
    for (const id of this.#entries.keys()) this.drop(id)
  }

  #fill(): void {
    for (const id of this.#line) {
      if (this.#asking >= this.#options.atOnce) return
      this.#line.delete(id)
      void this.#run(id, this.#entries.get(id)!)
    }
  }

  async #run(id: string, entry: Entry): Promise<void> {
    this.#asking++
    entry.asking = true
    const next = await this.#options.ask(id)
    this.#asking--
    if (this.#entries.get(id) === entry) {
      this.#entries.delete(id)
      if (entry.again) this.ask(id, 0)
      else if (next !== undefined) this.ask(id, next)
    }
    this.#fill()
  }
}
