// What the host tells unasked.

import type { DomainRef } from './domain.ts'
import type { NetworkRef } from './network.ts'
import type { NodeDeviceRef } from './device.ts'
import type { SecretRef } from './secret.ts'
import type { StoragePoolRef } from './storage.ts'

/**
 * Events only mark an object dirty; the content beside the identity serves logs and the wake-up of what waits (a removed
 * device, a finished block job), never the mirror. `event` and `detail` are libvirt's numbers of that object's lifecycle.
 */
export type DriverEvent =
  | { type: 'domain'; name: 'lifecycle'; dom: DomainRef; event: number; detail: number }
  | { type: 'domain'; name: 'device-added' | 'device-removed' | 'device-removal-failed'; dom: DomainRef; devAlias: string }
  | { type: 'domain'; name: 'agent-lifecycle'; dom: DomainRef; state: number; reason: number }
  | { type: 'domain'; name: 'io-error'; dom: DomainRef; srcPath: string; devAlias: string; action: number; reason: string }
  /** `job` is a virDomainBlockJobType; `status` 0 completed, 1 failed, 2 canceled, 3 ready to pivot. */
  | { type: 'domain'; name: 'block-job'; dom: DomainRef; path: string; job: number; status: number }
  | { type: 'domain'; name: BareDomainEvent; dom: DomainRef }
  | { type: 'network'; name: 'lifecycle'; net: NetworkRef; event: number; detail: number }
  | { type: 'network'; name: 'metadata-change'; net: NetworkRef }
  | { type: 'pool'; name: 'lifecycle'; pool: StoragePoolRef; event: number; detail: number }
  | { type: 'pool'; name: 'refresh'; pool: StoragePoolRef }
  | { type: 'nodedev'; name: 'lifecycle'; dev: NodeDeviceRef; event: number; detail: number }
  | { type: 'nodedev'; name: 'update'; dev: NodeDeviceRef }
  | { type: 'secret'; name: 'lifecycle'; secret: SecretRef; event: number; detail: number }
  | { type: 'secret'; name: 'value-changed'; secret: SecretRef }
  /** The daemon closes the hypervisor connection behind ours. */
  | { type: 'connection'; name: 'closed'; reason: number }

/** Domain events of which only the fact is handed on. */
export type BareDomainEvent =
  | 'reboot' | 'rtc-change' | 'watchdog' | 'graphics' | 'control-error' | 'disk-change' | 'tray-change' | 'pmwakeup' | 'pmsuspend' | 'pmsuspend-disk'
  | 'balloon-change' | 'tunable' | 'migration-iteration' | 'job-completed' | 'metadata-change' | 'block-threshold' | 'memory-failure' | 'memory-device-size-change' | 'nic-mac-change'
