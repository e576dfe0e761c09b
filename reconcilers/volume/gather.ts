// Gathers from the mirrors what a volume's plan looks at: its pool, what is on the host, where content comes from, who uses it.

import { annotations } from '../../crds/names.ts'
import { parseQuantity } from '../../crds/quantity.ts'
import type { StoragePool } from '../../crds/storagepool.ts'
import type { StorageVolume } from '../../crds/storagevolume.ts'
import { type HostView, idOf } from '../../observed/mirror.ts'
import { type ObservedDomain, type ObservedPool, type ObservedVolume, isActive } from '../../observed/objects.ts'
import { libvirtName } from '../identity.ts'
import { Refusal } from '../plan.ts'
import type { Holder } from '../pool/inputs.ts'
import { listUsers, referrersOf } from '../pool/users.ts'
import { type BoundHost, boundHost, holderCalled, isProven, requireReady, requireSameHost, resolve } from '../references.ts'
import { type World, call } from '../world.ts'
import type { DiskUser, Origin, Recorded, VolumeInputs } from './inputs.ts'
import { capacityOf, defaultFormat, nameProblem } from './render.ts'
import { formatOf, volumesAbove } from './record.ts'
import type { Job } from './source/jobs.ts'


/** What the kind knows of one object beside the mirrors. */
export interface Kept { job?: Job; made?: 'Created' | 'Adopted'; retainAll: boolean }

export const intentOf = (pool: string, name: string): string => `${pool}/${name}`

/** The pool on the host: by the UUID that its object is bound to, else by the bound name. */
function poolOn(mirror: HostView, pool: StoragePool | undefined, boundName: string | undefined): ObservedPool | undefined {
  const uuid = pool?.status?.binding?.uuid
  if (uuid !== undefined) return mirror.pool(uuid)
  return boundName === undefined ? undefined : mirror.poolByName(boundName)
}

const typeOf = (pool: ObservedPool): string => /^\s*<pool [^>]*\btype=['"]([^'"]+)/.exec(pool.xml)?.[1] ?? 'dir'

function recordOf({ spec, status }: StorageVolume): Recorded {
  const binding = status?.binding
  if (binding === undefined) return 'None'
  if (binding.origin === 'Observed') return spec.managementPolicy === 'ObserveOnly' ? 'Complete' : 'None'
  return binding.format === undefined ? 'Begun' : 'Complete'
}

export function gatherVolume(world: World, object: StorageVolume, kept: Kept): VolumeInputs {
  const { spec, status, metadata } = object
  const namespace = metadata.namespace!
  const terminating = metadata.deletionTimestamp !== undefined
  const observing = spec.managementPolicy === 'ObserveOnly'
  const record = recordOf(object)
  const made = record === 'Complete' || kept.made !== undefined
  const poolObject = terminating
    ? world.mirrors.StoragePool.get(spec.poolRef.namespace ?? namespace, spec.poolRef.name)
    : resolve(world, object, 'StoragePool', spec.poolRef, 'spec.poolRef')
  const bound = boundHost(world, object)
  const { mirror } = bound.host
  const pool = poolOn(mirror, poolObject, status?.binding?.pool)
  if (!terminating) requirePool(object, poolObject!, pool, bound, made || observing)
  const name = status?.binding?.name ?? spec.name ?? libvirtName(bound.hypervisor.spec.nameFormat, namespace, metadata.name)
  const problem = nameProblem(name)
  if (problem !== undefined && !terminating) throw new Refusal('Invalid', `spec.name: ${JSON.stringify(name)} ${problem}. Choose another name for the volume.`)
  const poolName = pool?.ref.name ?? status?.binding?.pool ?? poolObject?.status?.binding?.name ?? spec.poolRef.name
  const poolUUID = pool?.ref.uuid ?? poolObject?.status?.binding?.uuid ?? ''
  const observed = pool === undefined ? undefined : ownOnly(mirror.volume(pool.ref.uuid, name), object, poolObject)
  const capacity = terminating ? undefined : quantityOf(object)
  const origin = terminating || observing || record === 'Complete' ? undefined : originOf(world, object, bound, capacity)
  const now = world.clock.now()
  const inputs: VolumeInputs = {
    object, bound, terminating, observed, record, origin, now,
    binding: {
      hypervisor: bound.name, name, uuid: poolUUID, pool: poolName,
      format: recordedFormat(object, kept) ?? wantedFormat(object, pool, origin, observed),
      origin: observing ? status?.binding?.origin ?? 'Observed' : record !== 'None' ? status!.binding!.origin : kept.made ?? 'Created',
    },
    pool: pool && { ref: pool.ref, type: typeOf(pool), active: pool.active },
    intended: metadata.annotations?.[annotations.intent] === intentOf(poolName, name),
    claimed: observed !== undefined && (record === 'None' || observing) ? claimant(world, object, bound.name, poolName, name) : undefined,
    made: kept.made,
    retainAll: kept.retainAll,
    verified: isProven(world, bound.host, pool === undefined ? idOf.pool(poolUUID) : idOf.volume(pool.ref.uuid, name)),
    job: kept.job,
    attempt: `${metadata.generation ?? 0}/${metadata.annotations?.[annotations.reconcile] ?? ''}`,
    writers: observed === undefined || terminating || observing ? [] : writersOf(mirror, observed),
    users: observed !== undefined && (terminating || record === 'Begun') ? usersOf(world, object, bound.name, observed, mirror) : [],
  }
  return inputs
}

/** Without the pool's own object its name alone leads here: another pool may bear it by now. */
function ownOnly(observed: ObservedVolume | undefined, { status }: StorageVolume, poolObject: StoragePool | undefined): ObservedVolume | undefined {
  if (poolObject?.status?.binding !== undefined) return observed
  return observed !== undefined && observed.path === status?.path ? observed : undefined
}

function requirePool(object: StorageVolume, poolObject: StoragePool, pool: ObservedPool | undefined, bound: BoundHost, made: boolean): void {
  const { namespace } = object.metadata
  if (!made) {
    requireReady(poolObject, 'spec.poolRef', namespace!)
    if (poolObject.status?.binding?.origin === 'Observed' && bound.grant.foreignObjects !== 'Adopt') {
      throw new Refusal('Forbidden', `spec.poolRef: vireo only looks at ${call('StoragePool', poolObject.metadata.namespace, poolObject.metadata.name, namespace)}, and Hypervisor ${bound.name} does not let namespace ${namespace} change such objects: its policy.foreignObjects has to be Adopt. Use a pool that vireo manages, or managementPolicy: ObserveOnly.`)
    }
  }
  const name = call('StoragePool', poolObject.metadata.namespace, poolObject.metadata.name, namespace)
  if (pool === undefined) {
    requireReady(poolObject, 'spec.poolRef', namespace!)
    throw new Refusal('WaitingForReference', `spec.poolRef: waiting for ${name}, which is not on Hypervisor ${bound.name}.`)
  }
  if (!pool.active) throw new Refusal('WaitingForReference', `spec.poolRef: waiting for ${name}, which is not active on Hypervisor ${bound.name}: its volumes cannot be seen.`)
}

/** What was recorded, or is about to be for a transfer that has just ended. */
function recordedFormat({ status }: StorageVolume, kept: Kept): string | undefined {
  if (status?.binding?.origin === 'Observed') return undefined
  return status?.binding?.format ?? (kept.job?.state.phase === 'Done' ? kept.job.state.format : undefined)
}

/** The format the volume would be made with; undefined: its image will tell. */
function wantedFormat({ spec }: StorageVolume, pool: ObservedPool | undefined, origin: Origin | undefined, observed: ObservedVolume | undefined): string | undefined {
  if (pool === undefined) return spec.format
  // A probe of its content says what a guest wrote there.
  if (spec.managementPolicy === 'ObserveOnly') return spec.format
  if (origin?.type === 'Clone') return spec.format ?? origin.format
  // Only a volume that is taken over comes here with content: a header that names another file is refused by the plan.
  if (origin?.type === 'Url') return spec.format ?? observed?.format
  return spec.format ?? defaultFormat(typeOf(pool))
}

const quantityOf = (object: StorageVolume): number | undefined => {
  if (object.spec.capacity === undefined) return undefined
  try {
    return parseQuantity(object.spec.capacity)
  } catch (error) {
    throw new Refusal('Invalid', `spec.capacity: ${(error as Error).message}.`)
  }
}

function originOf(world: World, object: StorageVolume, bound: BoundHost, capacity: number | undefined): Origin {
  const { spec } = object
  if (spec.source?.url) return { type: 'Url', url: spec.source.url }
  const field = spec.backingStore ? 'spec.backingStore.volumeRef' : 'spec.source.clone.volumeRef'
  const ref = spec.backingStore?.volumeRef ?? spec.source?.clone?.volumeRef
  if (ref === undefined) {
    if (capacity === undefined) throw new Refusal('Invalid', 'spec.capacity is needed: nothing else tells the size of an empty volume.')
    return { type: 'Empty', capacity }
  }
  const below = other(world, object, bound, ref, field)
  if (capacity !== undefined && capacity < below.capacity) {
    throw new Refusal('Invalid', `spec.capacity: ${String(spec.capacity)} is less than the ${below.capacity} bytes of ${below.called}. Leave it out, or ask for at least as much.`)
  }
  if (spec.backingStore) return { type: 'Backing', path: below.observed.path, format: below.format, capacity: capacity ?? below.capacity }
  return { type: 'Clone', source: below.observed.ref, pool: below.pool.ref, format: below.format, capacity: below.capacity }
}

interface Other { observed: ObservedVolume; pool: ObservedPool; format: string; capacity: number; called: string }

/** The volume that content comes from: whole, on the same host, and written by nobody just now. */
function other(world: World, object: StorageVolume, bound: BoundHost, ref: { name: string; namespace?: string }, field: string): Other {
  const { namespace } = object.metadata
  const target = resolve(world, object, 'StorageVolume', ref, field)
  requireReady(target, field, namespace!)
  requireSameHost(world, object, target, bound.name, field)
  const called = call('StorageVolume', target.metadata.namespace, target.metadata.name, namespace)
  const binding = target.status?.binding
  const { mirror } = bound.host
  const poolObject = world.mirrors.StoragePool.get(target.spec.poolRef.namespace ?? target.metadata.namespace, target.spec.poolRef.name)
  const pool = poolOn(mirror, poolObject, binding?.pool)
  const observed = pool && binding ? mirror.volume(pool.ref.uuid, binding.name) : undefined
  if (pool === undefined || observed === undefined || (binding?.format === undefined && binding?.origin !== 'Observed')) throw new Refusal('WaitingForReference', `${field}: waiting for ${called}, which is not on Hypervisor ${bound.name}.`)
  const format = formatOf(target, bound, field, namespace!)
  const writers = writersOf(mirror, observed).filter(writer => !writer.below)
  if (writers.length > 0) throw new Refusal('WaitingForReference', `${field}: waiting, for ${called} is being written by ${writers.length === 1 ? 'a running domain' : `${writers.length} running domains`}: what is taken from it now would be torn. Stop what uses it.`, 10_000)
  return { observed, pool, format, capacity: capacityOf(observed, format), called }
}

/** Another object that has the volume, as its own namespace may know it. */
function claimant(world: World, object: StorageVolume, hypervisor: string, pool: string, name: string): Holder | undefined {
  const intent = intentOf(pool, name)
  const claimed = world.mirrors.StorageVolume.list().find(({ metadata, spec, status }) => {
    if (metadata.uid === object.metadata.uid) return false
    if (status?.binding !== undefined) return status.binding.origin !== 'Observed' && status.binding.hypervisor === hypervisor && status.binding.pool === pool && status.binding.name === name
    const samePool = (spec.poolRef.namespace ?? metadata.namespace) === (object.spec.poolRef.namespace ?? object.metadata.namespace) && spec.poolRef.name === object.spec.poolRef.name
    return samePool && metadata.annotations?.[annotations.intent] === intent && (metadata.creationTimestamp ?? '') < (object.metadata.creationTimestamp ?? '')
  })
  if (claimed === undefined) return undefined
  const { namespace } = object.metadata
  return { called: holderCalled(claimed, namespace!), stranger: claimed.metadata.namespace !== namespace }
}

function writersOf(mirror: HostView, volume: ObservedVolume): DiskUser[] {
  const users: DiskUser[] = []
  for (const domain of mirror.domainsUsingPath(volume.path)) {
    if (!isActive(domain)) continue
    const below = domain.disks.some(disk => disk.backing.includes(volume.path))
    const disk = domain.disks.find(found => !found.readOnly && isDisk(found, volume))
    if (disk !== undefined) users.push({ domain: domain.ref.name, uuid: domain.ref.uuid, target: disk.target, below })
  }
  return users
}

const isDisk = (disk: ObservedDomain['disks'][number], volume: ObservedVolume): boolean =>
  disk.source === volume.path || (disk.pool === volume.ref.pool && disk.volume === volume.ref.name)

/**
 * Domains and volumes of the host, and objects of the API, that need the volume. Of a half volume only what is on the host
 * counts: the objects that refer to it wait for it to be whole.
 */
function usersOf(world: World, object: StorageVolume, hypervisor: string, volume: ObservedVolume, mirror: HostView): string[] {
  const half = object.metadata.deletionTimestamp === undefined
  const objects = half ? [] : referrersOf(world, 'StorageVolume', object).filter(user => user.kind !== 'StorageVolume' || needsBelow(user as StorageVolume))
  const above = volumesAbove(world, object, hypervisor, volume, mirror)
  const users = listUsers(world, hypervisor, object.metadata.namespace!, { objects: [...new Set([...objects, ...above.objects])], domains: mirror.domainsUsingPath(volume.path) })
  return above.foreign === 0 ? users : [...users, above.foreign === 1 ? '1 volume above it that vireo does not manage' : `${above.foreign} volumes above it that vireo does not manage`]
}

/** A copy needs its source only until it is made; a thin clone for good. */
const needsBelow = ({ spec, status }: StorageVolume): boolean => spec.backingStore !== undefined || status?.binding?.format === undefined
