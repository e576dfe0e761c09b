// What is known of a volume by record: its format, and what lies above it. Never by a look into its content.

import { hasFinalizer } from '../../controller/finalizers.ts'
import { finalizer } from '../../crds/names.ts'
import type { StorageVolume } from '../../crds/storagevolume.ts'
import type { HostView } from '../../observed/mirror.ts'
import type { ObservedVolume } from '../../observed/objects.ts'
import { Refusal } from '../plan.ts'
import { checkTrust, grantFor } from '../policy.ts'
import { referrersOf } from '../pool/users.ts'
import type { BoundHost } from '../references.ts'
import { type World, call } from '../world.ts'

/**
 * The format that a volume is used as. Of one that vireo only looks at nothing is recorded: its owner has to say what it
 * is, and to be trusted with headers that vireo did not write. `from` is the reader's namespace. Throws Invalid or Forbidden.
 */
export function formatOf(volume: StorageVolume, bound: BoundHost, field: string, from: string): string {
  const { namespace, name } = volume.metadata
  const { binding } = volume.status ?? {}
  if (binding?.origin !== 'Observed') return binding?.format ?? volume.spec.format ?? 'raw'
  const called = call('StorageVolume', namespace, name, from)
  const { format } = volume.spec
  if (format === undefined) throw new Refusal('Invalid', `${field}: vireo only looks at ${called}, and its content may look like what a guest wrote there. Set spec.format of that object to the format that it really has.`)
  checkTrust(grantFor(bound.hypervisor, namespace!), format, field)
  return format
}

/** Thin clones above a volume: objects of the API that are made or being made, and how many volumes of the host that are no object's. */
export function volumesAbove(world: World, object: StorageVolume, hypervisor: string, volume: ObservedVolume, mirror: HostView): { objects: StorageVolume[]; foreign: number } {
  const objects = referrersOf(world, 'StorageVolume', object)
    .filter((user): user is StorageVolume => user.kind === 'StorageVolume' && (user as StorageVolume).spec.backingStore !== undefined && (user.status?.binding !== undefined || hasFinalizer(user, finalizer)))
  let foreign = 0
  for (const backed of mirror.volumesBackedBy(volume.path)) {
    if (backed.path === volume.path) continue
    const owner = world.mirrors.StorageVolume.list().find(({ status }) => status?.binding?.hypervisor === hypervisor && status.binding.pool === backed.ref.pool && status.binding.name === backed.ref.name)
    // A guest can write such a name into a raw volume: it must not hold up what belongs to others.
    if (owner?.status?.binding?.format === 'raw') continue
    if (owner === undefined) foreign++
    else if (!objects.includes(owner)) objects.push(owner)
  }
  return { objects, foreign }
}
