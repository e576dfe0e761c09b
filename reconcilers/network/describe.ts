// The network's own part of the status: what is observed on the host, and the identity that the object is bound to.

import type { VirtualNetworkStatus } from '../../crds/virtualnetwork.ts'
import { childOf } from '../../xml/tree.ts'
import type { NetworkInputs } from './inputs.ts'
import { hasOwnBridge } from './render.ts'

/** What a bridge of libvirt's carries where nobody said otherwise, in bytes. */
const DEFAULT_MTU = 1500

export function describeNetwork({ object, observed, found, binding, connections, terminating }: NetworkInputs): Partial<VirtualNetworkStatus> {
  const kept = object.status?.binding
  if (observed === undefined) return { binding: kept }
  const document = found!.live ?? found!.inactive
  const mtu = childOf(document, 'mtu')?.attributes.size
  const mode = childOf(document, 'forward')?.attributes.mode
  return {
    binding: terminating ? kept : binding,
    state: observed.active ? 'Active' : 'Inactive',
    bridge: observed.bridge,
    mtu: mtu === undefined ? (hasOwnBridge(mode) ? DEFAULT_MTU : undefined) : Number(mtu),
    connections,
  }
}
