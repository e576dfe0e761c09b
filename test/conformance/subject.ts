// What the conformance suite needs of a driver under test, and what it asks of the ways in which drivers differ.

import type { Connection, DomainState, OpenOptions } from '../../drivers/driver.ts'
import type { Operation } from '../../drivers/test/faults.ts'

/** An event's number and its detail, as in libvirt's header files. */
export type Event = readonly [event: number, detail: number]

export type Power = 'create' | 'createPaused' | 'suspend' | 'resume' | 'shutdown' | 'reboot' | 'reset' | 'destroy' | 'undefine'
export type State = 'shut off' | 'running' | 'paused' | 'transient' | 'transient and paused'
/** What a power operation comes to: the code of a refusal, or the state and reason with the events before it; `gone` where nothing is left of the domain. */
export type Outcome = { refused: number } | { state: readonly [DomainState, number] | 'gone'; events: Event[]; persistent?: boolean; others?: string[] }

/**
 * In what libvirt's drivers differ by design. Each trait changes what the suite expects, never whether it looks: where a driver
 * lacks something, the suite expects exactly the refusal that the driver gives.
 */
export interface Traits {
  /** The code with which a power operation is refused in a state that has no room for it. */
  wrongState: number
  /** Power operations that come to something else than they do on QEMU. */
  power: Partial<Record<State, Partial<Record<Power, Outcome>>>>
  /** Starting paused is possible; otherwise the flag is refused (8). */
  startsPaused: boolean
  /** Lifecycle events of a start and of a destroy, beside those of every driver: QEMU tells each step of its process. */
  tellsSteps: boolean
  /** A reset is told by the event `reboot`. */
  tellsReset: boolean
  /** The guests answer a request to shut down, to reboot or to let go of a device. Firmware that halts does not. */
  guestsObey: boolean
  /** A transient domain has no autostart to set (55). */
  autostartNeedsConfig: boolean
  /** Memory can be set live and in the configuration by one call; otherwise the two flags exclude each other (8). */
  setsMemoryTwice: boolean
  /** A managed save that is not there cannot be removed (38). */
  missesSave: boolean
  /** A running network or pool has a next configuration that can be read (flag 1) and is taken at the next start; otherwise the flag is refused (8) and a definition over a running network lost. */
  keepsNext: boolean
  /** An inactive network or pool cannot be stopped (55); otherwise it is stopped again. */
  stopsOnce: boolean
  /** A running network that is undefined runs on as a transient one; otherwise it is refused (55). */
  undefinesRunning: boolean
  /** Bridges and address blocks belong to one running network each. */
  ownsAddresses: boolean
  /** Pools lie in folders that must be there, and must be empty when they are deleted; names of volumes and snapshots are file names. */
  hasFolders: boolean
  /** The code for a volume whose name is taken, when it is made and when it is copied. */
  volumeExists: { made: number; copied: number }
}

export interface Subject {
  /** The column of the support table. */
  title: string
  /** `<domain type=…>`. */
  domainType: string
  /** The `<os>` of a guest that does nothing. */
  os: string
  /** Operations that the driver answers with error 3 and nothing else. */
  lacks: ReadonlySet<Operation>
  traits: Traits
  /** Starts what the driver needs; called once. */
  start(): Promise<Stage>
}

/** A driver that can be asked. */
export interface Stage extends AsyncDisposable {
  open(options?: Partial<OpenOptions>): Promise<Connection>
}
