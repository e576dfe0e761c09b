// Faults that a test injects into the in-memory host: what goes wrong, at which call, and how often.

import type { Connection, DriverEvent } from '../driver.ts'

/** The calls of a connection by name. */
export type Operation = Exclude<keyof Connection, 'name' | 'closed' | 'pending' | 'onEvent' | 'close'>

interface At { /** The call it strikes; all calls where it is left out. */ call?: Operation }
export type Fault =
  /** The answer comes `ms` later than it would; the call takes effect at once. */
  | (At & { type: 'delay'; ms: number })
  /** The host refuses with this error and does nothing. */
  | (At & { type: 'error'; code: number; message: string })
  /** The connection ends instead of an answer; `effect` says whether the call was done before. */
  | (At & { type: 'disconnect'; effect: 'done' | 'lost' })
  /** An event never arrives. */
  | { type: 'lostEvent'; of: DriverEvent['type']; name?: DriverEvent['name'] }
  /** A guest takes `ms` to shut down; Infinity: it ignores the request. */
  | { type: 'slowShutdown'; domain?: string; ms: number }
  /** A guest does not let go of a device: it says so (device-removal-failed), or stays silent. */
  | { type: 'removalFails'; domain?: string; alias?: string; how: 'refused' | 'silent' }

type Of<T extends Fault['type']> = Extract<Fault, { type: T }>
interface Entry { fault: Fault; left: number }

/** Consulted by the host it was given to; changes of it count from the next call on. */
export class Faults {
  readonly #entries = new Set<Entry>()

  /** Strikes the next `times` matching occasions. Answers the function that takes it back. */
  inject(fault: Fault, times = Infinity): () => void {
    const entry: Entry = { fault, left: times }
    this.#entries.add(entry)
    return () => { this.#entries.delete(entry) }
  }

  /** The oldest fault of this type that matches, one of its times used up. */
  take<T extends Fault['type']>(type: T, matches: (fault: Of<T>) => boolean): Of<T> | undefined {
    for (const entry of this.#entries) {
      const { fault } = entry
      if (fault.type !== type || !matches(fault as Of<T>)) continue
      if (--entry.left <= 0) this.#entries.delete(entry)
      return fault as Of<T>
    }
    return undefined
  }

  get none(): boolean { return this.#entries.size === 0 }
}
