// What a spec means where it says nothing, for the four host-object kinds alike.

import type { Binding } from '../crds/common.ts'
import { computedUUID } from './identity.ts'
import type { HostObject, World } from './world.ts'

type Spec = HostObject['spec']

/** The UUID libvirt knows the object by, or would: the bound one, the named one, else the computed one. Volumes have none. */
export function uuidOf(world: Pick<World, 'installation'>, object: HostObject): string {
  const bound = object.status?.binding as Binding | undefined
  const named = (object.spec as { uuid?: string }).uuid?.toLowerCase()
  return bound?.uuid ?? named ?? computedUUID(world.installation, object.kind, object.metadata.namespace!, object.metadata.name)
}

/** What vireo created goes with its object; what it took over stays. */
export const deletionPolicyOf = (spec: Spec, origin: string | undefined): 'Delete' | 'Retain' =>
  spec.deletionPolicy ?? (origin === 'Adopted' ? 'Retain' : 'Delete')

export const driftActionOf = (spec: Spec): 'Correct' | 'Report' | 'Ignore' => spec.driftPolicy?.action ?? 'Correct'
