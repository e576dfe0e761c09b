// The places for streams that a host lends: so many connections at once and no more, in order of asking, small things first.

import type { Clock, Timer } from '../clock/clock.ts'
import type { Connection } from '../drivers/driver.ts'

export interface StreamPlace {
  /** Opens the place's connection; what takes long runs on it, alone. Rejects as the host's connecting does. */
  open(): Promise<Connection>
  /** Closes the connection and gives the place to the next in line. Harmless when repeated; never rejects. */
  release(): Promise<void>
}

export interface StreamsOptions {
  /** Places. */
  max: number
  clock: Clock
  open: () => Promise<Connection>
}

interface Waiting { key?: string; give: (place: StreamPlace) => void }

/** A place that is kept for somebody and not fetched goes to the next in line, ms. */
const KEPT = 30_000

export class Streams {
  readonly #options: StreamsOptions
  readonly #line: Waiting[] = []
  readonly #kept = new Map<string, { place: StreamPlace; timer: Timer }>()
  #taken = 0

  constructor(options: StreamsOptions) {
    this.#options = options
  }

  get max(): number { return this.#options.max }

  /** Somebody waits: who makes no use of a place has to leave it. */
  get contended(): boolean { return this.#line.length > 0 }

  /** Waits in line for a place. Rejects with the signal's reason when it aborts. */
  async take(signal: AbortSignal): Promise<StreamPlace> {
    signal.throwIfAborted()
    if (this.#taken < this.#options.max) return this.#place()
    const { promise, resolve, reject } = Promise.withResolvers<StreamPlace>()
    const leave = (): void => {
      this.#line.splice(this.#line.indexOf(waiting), 1)
      reject(signal.reason as Error)
    }
    const waiting: Waiting = {
      give: place => {
        signal.removeEventListener('abort', leave)
        resolve(place)
      },
    }
    signal.addEventListener('abort', leave, { once: true })
    this.#line.push(waiting)
    return await promise
  }

  /**
   * For what is small and must not wait in a worker: a place, or undefined. Then the next one that is free is kept for the key
   * before anybody else gets it, `free` is called, and asking again within half a minute fetches it.
   */
  takeSoon(key: string, free: () => void): StreamPlace | undefined {
    const kept = this.#kept.get(key)
    if (kept !== undefined) {
      kept.timer.cancel()
      this.#kept.delete(key)
      return kept.place
    }
    if (this.#taken < this.#options.max) return this.#place()
    if (!this.#line.some(waiting => waiting.key === key)) {
      const first = this.#line.findIndex(waiting => waiting.key === undefined)
      this.#line.splice(first < 0 ? this.#line.length : first, 0, { key, give: place => { this.#keep(key, place, free) } })
    }
    return undefined
  }

  #keep(key: string, place: StreamPlace, free: () => void): void {
    const timer = this.#options.clock.setTimeout(() => {
      this.#kept.delete(key)
      void place.release()
    }, KEPT)
    this.#kept.set(key, { place, timer })
    free()
  }

  #place(): StreamPlace {
    this.#taken++
    let connection: Promise<Connection> | undefined
    let released: Promise<void> | undefined
    const release = async (): Promise<void> => {
      await connection?.then(opened => opened.close(), () => { /* it was not opened */ })
      this.#taken--
      // Who comes in between finds the line before himself.
      const next = this.#line.shift()
      if (next !== undefined) next.give(this.#place())
    }
    return {
      open: () => connection ??= this.#options.open(),
      release: () => released ??= release(),
    }
  }
}
