// What a volume's plan looks at: gathered from the mirrors and the transfers under way, held as plain data.

import type { Binding } from '../../crds/common.ts'
import type { StorageVolume, UrlSource } from '../../crds/storagevolume.ts'
import type { StoragePoolRef, StorageVolRef } from '../../drivers/driver.ts'
import type { ObservedVolume } from '../../observed/objects.ts'
import type { Inputs } from '../kind.ts'
import type { Holder } from '../pool/inputs.ts'
import type { Action } from '../plan.ts'
import type { Job } from './source/jobs.ts'

/** Where the content comes from, looked up. Sizes in bytes. */
export type Origin =
  | { type: 'Empty'; capacity: number }
  | { type: 'Backing'; path: string; format: string; capacity: number }
  | { type: 'Clone'; source: StorageVolRef; pool: StoragePoolRef; format: string; capacity: number }
  | { type: 'Url'; url: UrlSource }

/** What the status says of the volume: only vireo writes it, so it proves what an annotation cannot. */
export type Recorded =
  /** Nothing was begun, or only looked at. */
  | 'None'
  /** About to be made, or made and not whole: a binding without a format. */
  | 'Begun'
  /** Made, or taken over, and whole. */
  | 'Complete'

/** A running domain that has the volume as a disk of its own. */
export interface DiskUser { domain: string; uuid: string; target: string; /** Its disk lies on an overlay above the volume. */ below: boolean }

export interface VolumeInputs extends Inputs<StorageVolume> {
  /** `uuid` is the pool's: a volume has none. `format` is the recorded one, or the one it would have. */
  binding: Binding & { pool: string; format?: string }
  /** undefined: the host has no such pool. */
  pool?: { ref: StoragePoolRef; type: string; active: boolean }
  observed?: ObservedVolume
  record: Recorded
  /** The annotation that is written before a create names this very volume. */
  intended: boolean
  /** The volume is bound to another object. */
  claimed?: Holder
  /** Made or taken over in this process; the status does not say so yet. */
  made?: 'Created' | 'Adopted'
  /** The host itself was asked just now: an absence is libvirt's own answer. */
  verified: boolean
  job?: Job
  /** Changes when the object asks for another try. */
  attempt: string
  /** Only known while the volume is still to be made or taken over. */
  origin?: Origin
  /** Running domains that write it. */
  writers: DiskUser[]
  /** Who keeps it from going; only gathered where it may have to go. */
  users: string[]
  /** The kind itself is being removed from the API: everything stays on the hosts. */
  retainAll: boolean
  now: number
}

export type VolumeAction = Action & (
  | { type: 'Created'; xml: string; flags: number }
  | { type: 'SourceOpened' }
  | { type: 'TransferStarted' }
  | { type: 'TransferStopped' }
  | { type: 'HalfRemoved' }
  | { type: 'Adopted' }
  | { type: 'Grown'; capacity: number }
  | { type: 'BlockResized'; capacity: number; user: DiskUser }
  | { type: 'Deleted' }
  | { type: 'LookedUp' })
