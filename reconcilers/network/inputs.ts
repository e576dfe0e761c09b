// What the plan of a network looks at: gathered from the mirrors, held as plain data; and the actions it may hold.

import type { VirtualNetwork } from '../../crds/virtualnetwork.ts'
import type { ObservedNetwork } from '../../observed/objects.ts'
import type { XmlElement } from '../../xml/tree.ts'
import type { Owner, Ownership } from '../identity.ts'
import type { Inputs } from '../kind.ts'
import type { Action } from '../plan.ts'
import type { Documents } from './compare.ts'
import type { LiveUpdate } from './inplace.ts'
import type { Spec } from './render.ts'

export interface NetworkInputs extends Inputs<VirtualNetwork> {
  spec: Spec
  owner: Owner
  /** The network on the host that is this object's, or that stands in its place. */
  observed?: ObservedNetwork
  found?: Documents
  ownership: Ownership
  /** Whose it is where it is not ours; a sentence's part. */
  whose: string
  /** What is to be on the host; absent while only looking or removing. */
  wanted?: XmlElement
  /** Running domains plugged into it. */
  running: number
  /** Interfaces of running domains plugged into it. */
  connections: number
  /** Who keeps it from being removed. Only gathered for that. */
  users: string[]
  /** The host was asked just now: that the network is absent is libvirt's own answer. */
  verified: boolean
  /** It carries our own mark as released: a deletion that retains has done its work. */
  released: boolean
  /** The CRD is being deleted: everything stays on the host. */
  retainAll: boolean
}

export type NetworkAction = Action & (
  | { type: 'Defined'; xml: string }
  | { type: 'Updated'; updates: LiveUpdate[] }
  /** `defineStopped`: the host takes a new configuration only while the network is stopped. */
  | { type: 'Recreated'; xml: string; defineStopped: boolean }
  | { type: 'AutostartSet'; autostart: boolean }
  | { type: 'Started' }
  | { type: 'Stopped' }
  | { type: 'Released'; xml: string }
  | { type: 'LookedUp' }
  | { type: 'Undefined' })
