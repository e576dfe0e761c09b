// libvirt's object model as vireo uses it: what a driver can do, under libvirt's own names.
//
// Each file of driver/ is one kind of object, in libvirt's groups: lookup, enumeration, description, accessors,
// creation, destruction, live change, streams. Every method is one libvirt call unless it says otherwise; names drop the
// `vir` prefix. Where libvirt has a call with flags and one without, only the former is here; a driver takes the latter
// itself where a hypervisor has nothing else. Sizes keep the unit of the libvirt call and say so.
//
// Every method rejects with one of the errors of errors.ts: LibvirtError (the host answered "no"; Unsupported where the
// driver lacks the call altogether), CallTimeout or ConnectionLost (nobody knows).

import type { Credentials } from './credentials.ts'
import type { DomainBlockCalls } from './driver/block.ts'
import type { ConnectCalls } from './driver/connect.ts'
import type { InterfaceCalls, NodeDeviceCalls } from './driver/device.ts'
import type { DomainCalls } from './driver/domain.ts'
import type { DriverEvent } from './driver/events.ts'
import type { MigrationCalls } from './driver/migration.ts'
import type { NetworkCalls } from './driver/network.ts'
import type { NWFilterCalls } from './driver/nwfilter.ts'
import type { SecretCalls } from './driver/secret.ts'
import type { SnapshotCalls } from './driver/snapshot.ts'
import type { StorageCalls } from './driver/storage.ts'
import type { DomainTuningCalls } from './driver/tuning.ts'

export * from './driver/block.ts'
export * from './driver/connect.ts'
export * from './driver/device.ts'
export * from './driver/domain.ts'
export type * from './driver/events.ts'
export * from './driver/migration.ts'
export * from './driver/network.ts'
export type * from './driver/nwfilter.ts'
export * from './driver/secret.ts'
export * from './driver/snapshot.ts'
export * from './driver/storage.ts'
export type * from './driver/streams.ts'
export * from './driver/tuning.ts'
export * from './driver/values.ts'

/** Every call of every kind of object. */
export interface Calls extends
  ConnectCalls, DomainCalls, DomainTuningCalls, DomainBlockCalls, SnapshotCalls, MigrationCalls,
  NetworkCalls, NWFilterCalls, NodeDeviceCalls, InterfaceCalls, StorageCalls, SecretCalls {}

/** One open connection to one hypervisor driver. */
export interface Connection extends Calls {
  /** The name given to the host's ConnectOpen. */
  readonly name: string
  /** Resolves (never rejects) with the reason when the connection has ended, by whichever side. */
  readonly closed: Promise<Error>
  /** Calls that have no answer yet, streams and those without a deadline included; undefined where calls take no time. */
  readonly pending?: number
  /** Events arrive here once `eventsRegister` has resolved; handlers run synchronously in arrival order and must not throw. */
  onEvent(handler: (event: DriverEvent) => void): void
  /** Registers for all events vireo knows; answers the classes that the driver supports (no `domain`: the driver must be polled). */
  eventsRegister(): Promise<Set<DriverEvent['type']>>
  /** Ends the connection. Never rejects. */
  close(): Promise<void>
}

/** How a driver is asked for a connection. */
export interface OpenOptions {
  signal?: AbortSignal
  /** What to prove oneself with; without them, what the machine has in libvirt's and OpenSSH's usual places. */
  credentials?: Credentials
  /** Whether the connection may cross the network without encryption; Forbidden unless given. */
  plaintext?: 'Forbidden' | 'Allowed'
  /** Nothing on the host can be changed, and no document shows what is secret (VIR_CONNECT_RO). */
  readOnly?: boolean
  /** Called as the opening goes on: bytes flow and authentication begins; it is over and the driver is opened. */
  onProgress?: (state: 'Authenticating' | 'Opening') => void
  /** Deadline of every call that has none of its own, ms. */
  callTimeout: number
  /** Calls may take as long as their bytes take: for a connection that carries nothing but such work. A stream runs on it, and ends it, instead of on a further one. */
  unhurried?: boolean
  /** Keepalive: a PING each interval (ms), broken after `keepAliveCount` unanswered ones. */
  keepAliveInterval: number
  keepAliveCount: number
  /** Called once per finished call: for metrics and tests that count. */
  onCall?: (call: { procedure: string; seconds: number; outcome: 'ok' | 'error' | 'timeout' | 'lost'; /** virErrorNumber, where the host refused. */ code?: number; /** Whether it refused because the driver lacks the call altogether. */ lacking?: boolean }) => void
}
export interface Driver {
  open(uri: string, options: OpenOptions): Promise<Connection>
}
