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
import { boundHost, isProven } from '../references.ts'
import type { World } from '../world.ts'
import { type PoolInputs, type Relation, folderIntent } from './inputs.ts'
import { checkPaths, differences, poolType, targetPath } from './render.ts'
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
    checkPaths(bound.grant, spec)
  }
  const { mirror } = bound.host
  const name = recorded?.name ?? spec.name ?? libvirtName(bound.hypervisor.spec.nameFormat, namespace, metadata.name)
  const { relation, uuid } = find(object, mirror, { recorded, wanted, computed, name }, remembered?.adopted)
  const pool = relation.type === 'Absent' ? undefined : relation.pool
  const mine = relation.type === 'Ours' || observing
  const binding: Binding = { hypervisor: bound.name, name: mine && pool ? pool.ref.name : name, uuid, origin: originOf(observing, recorded, remembered?.adopted) }
  const now = world.clock.now()
  const different = pool === undefined || observing ? [] : differences(parsed(pool.xml), spec)
  return {
    object, bound, binding, terminating, relation, retainAll, now,
    differences: different,
    rival: relation.type === 'Absent' && !terminating ? rivalOf(mirror, spec, uuid) : undefined,
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

function rivalOf(mirror: HostView, spec: StoragePool['spec'], uuid: string): PoolInputs['rival'] {
  const path = spec.dir === undefined && spec.netfs === undefined ? undefined : targetPath(spec)
  if (path === undefined) return undefined
  for (const pool of mirror.pools()) if (pool.path === path && pool.ref.uuid !== uuid) return { name: pool.ref.name, uuid: pool.ref.uuid }
  return undefined
}

const usesPool = (domain: ObservedDomain, pool: ObservedPool): boolean => domain.disks.some(disk => disk.pool === pool.ref.name)

function usersAtDeletion(world: World, object: StoragePool, hypervisor: string, pool: ObservedPool, mirror: HostView): string[] {
  return listUsers(world, hypervisor, object.metadata.namespace!, {
    objects: referrersOf(world, 'StoragePool', object),
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
