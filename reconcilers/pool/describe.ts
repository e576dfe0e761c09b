// Turns what is observed of a pool into its part of the status.

import { formatBytes, parseQuantity } from '../../crds/quantity.ts'
import { StoragePoolState } from '../../drivers/driver.ts'
import type { ObservedPool } from '../../observed/objects.ts'
import type { PoolInputs } from './inputs.ts'

const Mi = 2 ** 20
/** Sizes are written again at most this often (ms): guests write all day, vireo must not. */
const SIZES_EVERY = 5 * 60_000

const stateOf = (pool: ObservedPool): string => {
  if (!pool.active) return 'Inactive'
  switch (pool.info.state) {
    case StoragePoolState.Building: return 'Building'
    case StoragePoolState.Degraded: return 'Degraded'
    case StoragePoolState.Inaccessible: return 'Inaccessible'
    default: return 'Active'
  }
}

const rounded = (bytes: number): string => formatBytes(Math.round(bytes / Mi) * Mi)
const read = (quantity: string | undefined): number | undefined => (quantity === undefined ? undefined : parseQuantity(quantity))

/** True where a size is written anew: it moved by 1 % of the whole. */
const moved = (before: number | undefined, now: number, whole: number): boolean => before === undefined || Math.abs(now - before) >= whole / 100

export interface SizesMemory {
  /** When the sizes were written last, ms. */
  at?: number
}

export function describePool(inputs: PoolInputs, memory: SizesMemory): Record<string, unknown> {
  const { object, relation, binding, bound, announced } = inputs
  const before = object.status
  const { path, capacity, allocation, available } = before ?? {}
  if (relation.type !== 'Ours') {
    if (relation.type === 'Foreign' && !relation.holder?.stranger && object.spec.managementPolicy === 'ObserveOnly' && bound.grant.foreignObjects !== 'Forbidden') return observed(inputs, relation.pool, memory)
    // Of a pool that is gone, what was known stays readable; of another's, nothing is told.
    const announce = announced || (relation.type === 'Absent' && object.spec.uuid !== undefined && object.spec.managementPolicy !== 'ObserveOnly' && inputs.rival === undefined)
    return before?.binding !== undefined ? { path, capacity, allocation, available } : announce && !inputs.terminating ? { binding: { ...binding, hypervisor: bound.name, origin: 'Created' } } : {}
  }
  return observed(inputs, relation.pool, memory)
}

function observed({ object, binding, bound, now, volumes }: PoolInputs, pool: ObservedPool, memory: SizesMemory): Record<string, unknown> {
  const before = object.status
  const state = stateOf(pool)
  const path = pool.path ?? ''
  const common = { binding: { ...binding, hypervisor: bound.name }, state, path, volumes }
  const { capacity, allocation, available } = pool.info
  if (!pool.active || capacity === 0) return { ...common, capacity: before?.capacity, allocation: before?.allocation, available: before?.available }
  const same = before?.state === state && before.path === path && before.volumes === volumes
  const still = !moved(read(before?.capacity), capacity, capacity) && !moved(read(before?.allocation), allocation, capacity) && !moved(read(before?.available), available, capacity)
  if (before?.capacity !== undefined && same && (still || (memory.at !== undefined && now - memory.at < SIZES_EVERY))) {
    return { ...common, capacity: before.capacity, allocation: before.allocation, available: before.available }
  }
  memory.at = now
  return { ...common, capacity: rounded(capacity), allocation: rounded(allocation), available: rounded(available) }
}
