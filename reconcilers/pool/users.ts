// Tells who uses a thing of the host, in the words of one namespace: its own objects by name, everything else as a count.

import { hasFinalizer } from '../../controller/finalizers.ts'
import { finalizer } from '../../crds/names.ts'
import type { StorageVolume } from '../../crds/storagevolume.ts'
import type { VirtualDomain } from '../../crds/virtualdomain.ts'
import type { ObservedDomain } from '../../observed/objects.ts'
import { refKey } from '../references.ts'
import type { World } from '../world.ts'

export interface Users { objects: (StorageVolume | VirtualDomain)[]; domains: ObservedDomain[] }

/** Volumes and domains in the API that refer to the object. What is about to vanish without having touched the host does not count. */
export function referrersOf(world: World, kind: 'StoragePool' | 'StorageVolume', target: { metadata: { namespace?: string; name: string; uid: string } }): (StorageVolume | VirtualDomain)[] {
  const { namespace, name, uid } = target.metadata
  const key = refKey(kind, namespace, name)
  return [...world.mirrors.StorageVolume.by('refs', key), ...world.mirrors.VirtualDomain.by('refs', key)].filter(object =>
    object.metadata.uid !== uid && (object.metadata.deletionTimestamp === undefined || hasFinalizer(object, finalizer)))
}

const plural = (count: number, one: string): string => (count === 1 ? `1 ${one}` : `${count} ${one}s`)

/** `VirtualDomain web`, `2 objects of other namespaces`, `1 domain that vireo does not manage`: no stranger is named. */
export function listUsers(world: World, hypervisor: string, namespace: string, { objects, domains }: Users): string[] {
  const managed = new Map<string, VirtualDomain>()
  if (domains.length > 0) {
    for (const object of world.mirrors.VirtualDomain.list()) {
      const binding = object.status?.binding
      if (binding?.hypervisor === hypervisor) managed.set(binding.uuid, object)
    }
  }
  const known = new Set<StorageVolume | VirtualDomain>(objects)
  let foreign = 0
  for (const domain of domains) {
    const object = managed.get(domain.ref.uuid)
    if (object) known.add(object)
    else foreign++
  }
  const own = [...known].filter(object => object.metadata.namespace === namespace).map(object => `${object.kind} ${object.metadata.name}`).toSorted()
  const others = known.size - own.length
  return [
    ...(own.length > 8 ? [...own.slice(0, 8), `${own.length - 8} more of this namespace`] : own),
    ...(others > 0 ? [plural(others, 'object') + ' of other namespaces'] : []),
    ...(foreign > 0 ? [plural(foreign, 'domain') + ' that vireo does not manage'] : []),
  ]
}
