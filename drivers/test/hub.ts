// Carries the host's events to its connections, in the order in which they happened, never inside the call that caused them.

import type { DriverEvent } from '../driver.ts'
import type { Faults } from './faults.ts'

export type Listener = (event: DriverEvent) => void

export class Hub {
  readonly #listeners = new Set<Listener>()
  readonly #faults: Faults
  #queue: DriverEvent[] = []

  constructor(faults: Faults) { this.#faults = faults }

  add(listener: Listener): void { this.#listeners.add(listener) }
  remove(listener: Listener): void { this.#listeners.delete(listener) }

  emit(event: DriverEvent): void {
    if (this.#listeners.size === 0) return
    if (!this.#faults.none && this.#faults.take('lostEvent', fault => fault.of === event.type && (fault.name ?? event.name) === event.name) !== undefined) return
    if (this.#queue.length === 0) queueMicrotask(() => this.#deliver())
    this.#queue.push(event)
  }

  #deliver(): void {
    const events = this.#queue
    this.#queue = []
    for (const event of events) for (const listener of this.#listeners) listener(event)
  }
}
