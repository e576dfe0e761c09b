// What a pool's plan looks at: gathered from the mirrors, held as plain data.

import type { Action } from '../plan.ts'
import type { Inputs } from '../kind.ts'
import type { StoragePool } from '../../crds/storagepool.ts'
import type { ObservedPool } from '../../observed/objects.ts'
import type { Difference } from './render.ts'

/** How what is found on the host stands to the object. */
export type Relation =
  /** Nothing on the host has the object's UUID or name. */
  | { type: 'Absent' }
  /** Bound to this object, or carries its computed UUID. */
  | { type: 'Ours'; pool: ObservedPool }
  /** Has the name or the UUID that the object would have, and vireo did not make it for this object. */
  | { type: 'Foreign'; pool: ObservedPool; holder?: Holder }

/** The object of ours that the pool belongs to, as the reader's namespace may know it. */
export interface Holder { called: string; /** It is of another namespace. */ stranger: boolean }

/** `free`: it lies at the very path and belongs to no object, so that it could be taken over. */
export interface Rival { name: string; uuid: string; free: boolean }

export interface PoolInputs extends Inputs<StoragePool> {
  relation: Relation
  /** What the spec says otherwise than the pool that was found. */
  differences: Difference[]
  /** Another pool whose place is, holds or lies in the one that the spec names: what is in one would be reached through the other. */
  rival?: Rival
  /** The host itself was asked just now: an absence is libvirt's own answer. */
  verified: boolean
  /** The pool was active once under this object: its place on the host is not made again. */
  wasUp: boolean
  /** The identity in the status was recorded before anything was created. */
  announced: boolean
  /** A first start failed for want of the pool's place, which vireo may make. */
  missing: boolean
  /** vireo made the pool's folder (the intent recorded before says so). */
  madeFolder: boolean
  /** Who needs the pool: of the object's own namespace by name, others as a count. Only gathered where it matters. */
  users: string[]
  /** Volumes that were begun in it and whose objects do not say so yet: without the pool they could not be found again. Only gathered at its deletion. */
  unfinished: string[]
  /** How many volumes lie in it. */
  volumes?: number
  /** The kind itself is being removed from the API: everything stays on the hosts. */
  retainAll: boolean
  now: number
}

export type PoolAction = Action & (
  | { type: 'Defined'; xml: string }
  | { type: 'Adopted'; uuid: string }
  | { type: 'Built'; flags: number }
  /** `otherwise`: what a start that finds no place leads to. */
  | { type: 'Started'; otherwise: 'Build' | 'Lost' | 'Refuse' }
  | { type: 'Stopped' }
  | { type: 'AutostartSet'; autostart: boolean }
  | { type: 'FolderRemoved' }
  | { type: 'Undefined' }
  | { type: 'LookedUp' })

/** The annotation's value, written before the folder is made: who made it is known after a crash. */
export const folderIntent = (path: string): string => `folder:${path}`
