// Turns what is observed of a volume, and of the transfer into it, into its part of the status.

import { formatBytes, parseQuantity } from '../../crds/quantity.ts'
import type { VolumeInputs } from './inputs.ts'
import { isMade } from './plan.ts'
import { capacityOf } from './render.ts'

const Mi = 2 ** 20
/** The allocation is written again at most this often (ms): guests write all day, vireo must not. */
const ALLOCATION_EVERY = 5 * 60_000

export interface AllocationMemory {
  /** When the allocation was written last, ms. */
  at?: number
}

export function describeVolume(inputs: VolumeInputs, memory: AllocationMemory): Record<string, unknown> {
  return { ...recorded(inputs), ...content(inputs, memory), ...progress(inputs) }
}

/** The binding with a format says that the volume is whole; one without, that it was begun: what a restart goes by. */
function recorded(inputs: VolumeInputs): { binding?: unknown } {
  const { binding: { hypervisor, name, pool, format, origin }, object, terminating, observed, record } = inputs
  // At deletion the record stays as it is.
  if (terminating) return {}
  const whole = { hypervisor, name, pool, format, origin }
  if (object.spec.managementPolicy === 'ObserveOnly') return observed !== undefined && isVisible(inputs) ? { binding: whole } : {}
  if (isMade(inputs) && (observed !== undefined || record === 'Complete')) return { binding: whole }
  return { binding: isBegun(inputs) ? { hypervisor, name, pool, origin: 'Created' } : undefined }
}

/** Of what is only looked at: the object's own, or what is no other namespace's where looking is granted. */
const isVisible = ({ object, record, bound, claimed }: VolumeInputs): boolean =>
  (record !== 'None' && object.status?.binding?.origin !== 'Observed') || (!claimed?.stranger && bound.grant.foreignObjects !== 'Forbidden')

function isBegun(inputs: VolumeInputs): boolean {
  const { observed, record, job } = inputs
  const phase = job?.state.phase
  if (phase === 'Inspected' || phase === 'Writing' || phase === 'Done') return true
  // A half volume that could not be removed yet; what a transfer found in its way is no such thing.
  return observed !== undefined && record === 'Begun' && !(job?.state.phase === 'Failed' && job.state.reason === 'Conflict')
}

function content(inputs: VolumeInputs, memory: AllocationMemory): Record<string, unknown> {
  const { observed, object, binding, record, now, terminating } = inputs
  const before = object.status
  const observing = object.spec.managementPolicy === 'ObserveOnly'
  const visible = observing ? isVisible(inputs) : isMade(inputs) || (terminating && record !== 'None')
  if (!visible) return {}
  // Of a volume that is gone, what was known stays readable.
  if (observed === undefined) return { type: before?.type, path: before?.path, key: before?.key, format: before?.format, capacity: before?.capacity }
  return {
    type: observed.type, path: observed.path, key: observed.key, format: binding.format,
    capacity: formatBytes(capacityOf(observed, binding.format)),
    allocation: allocation(before?.allocation, observed.allocation, observed.capacity, now, memory),
  }
}

function allocation(before: string | undefined, bytes: number, capacity: number, now: number, memory: AllocationMemory): string {
  const still = before !== undefined && Math.abs(parseQuantity(before) - bytes) < Math.max(capacity / 100, Mi)
  if (before !== undefined && (still || (memory.at !== undefined && now - memory.at < ALLOCATION_EVERY))) return before
  memory.at = now
  return formatBytes(Math.round(bytes / Mi) * Mi)
}

function progress({ job }: VolumeInputs): { progress?: string; transferred?: string } {
  if (job?.state.phase !== 'Writing') return {}
  const { transferred, total } = job.state
  if (total === undefined) return {}
  return { progress: `${Math.floor((transferred / total) * 100)}%`, transferred: formatBytes(Math.floor(transferred / Mi) * Mi) }
}
