// Gathers from the mirrors what a pool's plan looks at: who the pool is on the host, whose it is, and who uses it.

import { uuidOf } from '../defaults.ts'
import type { Binding } from '../../crds/common.ts'
import { hasFinalizer } from '../../controller/finalizers.ts'
import { annotations, finalizer } from '../../crds/names.ts'
import type { StoragePool } from '../../crds/storagepool.ts'
import { idOf, type HostView } from '../../observed/mirror.ts'
import { type ObservedDomain, type ObservedPool, isActive } from '../../observed/objects.ts'
import { parsed } from '../../xml/parsed.ts'
import { computedUUID, libvirtName } from '../identity.ts'
import { Refusal } from '../plan.ts'
import { overlap, plainPath } from '../policy.ts'
import { type BoundHost, boundHost, holderCalled, holderOf, hypervisorNameOf, isProven } from '../references.ts'
import type { World } from '../world.ts'
import { type PoolInputs, type Relation, type Rival, folderIntent } from './inputs.ts'
import { checkPlaces, differences, poolType, targetPath } from './render.ts'
import { listUsers, referrersOf } from './users.ts'

/** What the kind keeps in memory for one object. */
export interface Remembered { uid: string; adopted?: string; missing: boolean; sizesAt?: number }

interface Found { relation: Relation; uuid: string }

function find(object: StoragePool, mirror: HostView, identity: { recorded?: Binding; wanted: string; computed: string; name: string }, adopted: string | undefined): Found {
  const { recorded, wanted, computed, name } = identity
  const owned = recorded !== undefined && recorded.origin !== 'Observed'
  const uuid = adopted ?? wanted
  const pool = mirror.pool(uuid)
  if (pool !== undefined) return { uuid, relation: { type: owned || adopted !== undefined || uuid === computed ? 'Ours' : 'Foreign', pool } }
  const named = owned ? undefined : mirror.poolByName(name)
  if (named === undefined) return { uuid, relation: { type: 'Absent' } }
  return { uuid: object.spec.managementPolicy === 'ObserveOnly' ? named.ref.uuid : uuid, relation: { type: 'Foreign', pool: named } }
}

/** A pool carries no mark: what another object has a better claim to is not ours, whatever was recorded. */
function held(world: World, object: StoragePool, found: Found): Found {
  if (found.relation.type === 'Absent') return found
  const { pool } = found.relation
  const holder = holderOf(world, object, pool.ref.uuid)
  if (holder === undefined) return found
  const { namespace } = object.metadata
  return { ...found, relation: { type: 'Foreign', pool, holder: { called: holderCalled(holder, namespace!), stranger: holder.metadata.namespace !== namespace } } }
}

export function gatherPool(world: World, object: StoragePool, remembered: Remembered | undefined, retainAll: boolean): PoolInputs {
  const { spec, status, metadata } = object
  const namespace = metadata.namespace!
  const terminating = metadata.deletionTimestamp !== undefined
  const observing = spec.managementPolicy === 'ObserveOnly'
  const recorded = status?.binding
  const computed = computedUUID(world.installation, 'StoragePool', namespace, metadata.name)
  const wanted = uuidOf(world, object)
  const bound = boundHost(world, object, wanted)
  if (!terminating && !observing) {
    if (poolType(spec) === undefined) throw new Refusal('Invalid', 'The spec names no kind of pool: set one of dir, netfs, logical, iscsi, zfs, rbd, or managementPolicy: ObserveOnly.')
    checkPlaces(bound.grant, spec)
  }
  const { mirror } = bound.host
  const name = recorded?.name ?? spec.name ?? libvirtName(bound.hypervisor.spec.nameFormat, namespace, metadata.name)
  const { relation, uuid } = held(world, object, find(object, mirror, { recorded, wanted, computed, name }, remembered?.adopted))
  const pool = relation.type === 'Absent' ? undefined : relation.pool
  const mine = relation.type === 'Ours' || observing
  const binding: Binding = { hypervisor: bound.name, name: mine && pool ? pool.ref.name : name, uuid, origin: originOf(observing, recorded, remembered?.adopted) }
  const now = world.clock.now()
  const different = pool === undefined || observing ? [] : differences(parsed(pool.xml), spec)
  return {
    object, bound, binding, terminating, relation, retainAll, now,
    differences: different,
    rival: terminating || observing || (relation.type !== 'Absent' && different.length === 0) ? undefined : rivalOf(world, object, bound, uuid),
    verified: isProven(world, bound.host, idOf.pool(uuid)),
    wasUp: status?.capacity !== undefined && status.capacity !== '0',
    announced: recorded?.origin === 'Created' && status?.state === undefined && status?.path === undefined && status?.capacity === undefined,
    missing: remembered?.missing ?? false,
    madeFolder: pool?.path !== undefined && spec.dir !== undefined && metadata.annotations?.[annotations.intent] === folderIntent(pool.path),
    users: relation.type !== 'Ours' ? [] : terminating ? usersAtDeletion(world, object, bound.name, relation.pool, mirror) : different.length > 0 ? usersNow(world, object, bound.name, relation.pool, mirror) : [],
    unfinished: terminating ? unfinishedIn(world, object) : [],
    volumes: pool === undefined ? undefined : mirror.volumesOf(pool.ref.uuid).length,
  }
}

function originOf(observing: boolean, recorded: Binding | undefined, adopted: string | undefined): Binding['origin'] {
  if (observing) return recorded?.origin ?? 'Observed'
  if (recorded !== undefined && recorded.origin !== 'Observed') return recorded.origin
  return adopted === undefined ? 'Created' : 'Adopted'
}

function rivalOf(world: World, object: StoragePool, bound: BoundHost, uuid: string): Rival | undefined {
  const mine = placeOf(object.spec)
  if (mine === undefined) return undefined
  for (const place of bound.grant.places()) {
    if (place.uuid === uuid || !overlap(mine, plainPath(place.path))) continue
    return { name: place.name, uuid: place.uuid, free: plainPath(place.path) === mine && holderOf(world, object, place.uuid) === undefined }
  }
  const earlier = world.mirrors.StoragePool.list().find(other => isBegunBefore(other, object)
    && hypervisorNameOf(world, other) === bound.name && placesOverlap(mine, placeOf(other.spec)))
  return earlier && { name: earlier.metadata.name, uuid: uuidOf(world, earlier), free: false }
}

/** What a pool has for itself; the folder of an iSCSI pool is one of links that all such pools share. */
function placeOf(spec: StoragePool['spec']): string | undefined {
  const path = spec.zfs === undefined ? targetPath(spec) : `/dev/zvol/${spec.zfs.name}`
  return path === undefined || spec.iscsi !== undefined ? undefined : plainPath(path)
}
const placesOverlap = (a: string, b: string | undefined): boolean => b !== undefined && overlap(a, b)

/** Two that are begun at once don't see each other on the host: the older goes on. */
function isBegunBefore(other: StoragePool, object: StoragePool): boolean {
  const age = ({ metadata: { creationTimestamp = '', uid } }: StoragePool): string => `${creationTimestamp} ${uid}`
  return other.metadata.uid !== object.metadata.uid && other.spec.managementPolicy !== 'ObserveOnly' && hasFinalizer(other, finalizer) && other.status?.path === undefined && age(other) < age(object)
}

const usesPool = (domain: ObservedDomain, pool: ObservedPool): boolean => domain.disks.some(disk => disk.pool === pool.ref.name)

function usersAtDeletion(world: World, object: StoragePool, hypervisor: string, pool: ObservedPool, mirror: HostView): string[] {
  // Whoever looks at the pool through an object of its own may have volumes in it too.
  const views = world.mirrors.StoragePool.list().filter(other => other.metadata.uid !== object.metadata.uid && other.status?.binding?.uuid === pool.ref.uuid)
  return listUsers(world, hypervisor, object.metadata.namespace!, {
    objects: [object, ...views].flatMap(view => referrersOf(world, 'StoragePool', view)),
    domains: [...mirror.domains()].filter(domain => usesPool(domain, pool)),
  })
}

function unfinishedIn(world: World, object: StoragePool): string[] {
  const begun = referrersOf(world, 'StoragePool', object).filter(user => user.kind === 'StorageVolume' && user.status?.binding === undefined && hasFinalizer(user, finalizer))
  return listUsers(world, '', object.metadata.namespace!, { objects: begun, domains: [] })
}

/** Domains that run on what lies in the pool. */
function usersNow(world: World, object: StoragePool, hypervisor: string, pool: ObservedPool, mirror: HostView): string[] {
  const domains = new Set([...mirror.domains()].filter(domain => usesPool(domain, pool)))
  for (const volume of mirror.volumesOf(pool.ref.uuid)) for (const domain of mirror.domainsUsingPath(volume.path)) domains.add(domain)
  return listUsers(world, hypervisor, object.metadata.namespace!, { objects: [], domains: [...domains].filter(isActive) })
}
