// Ends a transfer that makes no use of its place: one whose beginning drags on, and one whose content only drips while others wait.

import type { Clock, Timer } from '../../../clock/clock.ts'
import { SourceError } from './error.ts'
import { shownUrl } from './fetch.ts'
import type { JobControl } from './jobs.ts'

/** From asking the server to knowing what it serves, and that there is room for it, ms. */
const BEGINNING = 120_000
/** While others wait, so many bytes have to arrive on the host in so many ms. */
const WINDOW = { ms: 60_000, bytes: 2 ** 20 }

export class Pace implements Disposable {
  /** Aborts with a SourceError where the transfer is too slow, and with the job's own reason where that is stopped. */
  readonly signal: AbortSignal
  readonly #slow = new AbortController()
  readonly #clock: Clock
  readonly #control: JobControl
  readonly #url: string
  #timer: Timer
  #moved = 0

  constructor(clock: Clock, control: JobControl, url: string) {
    this.#clock = clock
    this.#control = control
    this.#url = shownUrl(url)
    this.signal = AbortSignal.any([control.signal, this.#slow.signal])
    this.#timer = clock.setTimeout(() => { this.#end(`Looking at what ${this.#url} serves took more than ${BEGINNING / 60_000} minutes.`) }, BEGINNING)
  }

  /** Nobody is waited for whose pace could be judged. */
  rest(): void {
    this.#timer.cancel()
  }

  /** Content is on its way from now on. */
  begin(): void {
    this.#moved = 0
    this.#timer = this.#clock.setTimeout(() => {
      if (this.#moved >= WINDOW.bytes || !this.#control.contended()) return this.begin()
      this.#end(`Only ${this.#moved} bytes of ${this.#url} arrived on the host within a minute while other transfers wait for a place: this one gives way to them and begins again.`)
    }, WINDOW.ms)
  }

  moved(bytes: number): void {
    this.#moved += bytes
  }

  #end(why: string): void {
    this.#slow.abort(new SourceError('Transient', why))
  }

  [Symbol.dispose](): void {
    this.#timer.cancel()
  }
}
