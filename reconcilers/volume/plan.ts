// Decides what a volume needs: from gathered inputs to actions and standing, without a call.

import { deletionPolicyOf, driftActionOf } from '../defaults.ts'
import { findCondition } from '../../controller/conditions.ts'
import { formatBytes, parseQuantity } from '../../crds/quantity.ts'
import type { ObservedVolume } from '../../observed/objects.ts'
import { serializeXml } from '../../xml/tree.ts'
import { type Plan, type Standing, planOf } from '../plan.ts'
import { holdsFiles } from '../pool/render.ts'
import { notForeign } from '../references.ts'
import { planContent } from './content.ts'
import type { VolumeAction, VolumeInputs } from './inputs.ts'
import { capacityOf, createFlags, looksFresh, renderVolume } from './render.ts'
import { isRunning } from './source/jobs.ts'

type VolumePlan = Plan<VolumeAction>

export const lookUp = (inputs: VolumeInputs): VolumeAction => ({ type: 'LookedUp', reason: `Asked the host whether volume ${called(inputs)} is there.` })
const called = ({ binding }: VolumeInputs): string => `${binding.pool}/${binding.name}`

/**
 * Made by a transfer, with a record before it: content that is not there with one call, and what a look cannot tell from
 * a stranger's volume after a crash.
 */
export const isTransfer = ({ object: { spec }, pool }: VolumeInputs): boolean =>
  spec.source?.url !== undefined || spec.source?.clone !== undefined || (spec.preallocation ?? 'None') !== 'None' || (pool !== undefined && !holdsFiles(pool.type))

/** The volume on the host is whole and belongs to the object. */
export function isMade(inputs: VolumeInputs): boolean {
  const { record, job, observed, made, intended, claimed, binding } = inputs
  if (record === 'Complete') return true
  if (record === 'Begun') return job?.state.phase === 'Done'
  if (made !== undefined) return true
  // We may have crashed between the create and the status: the annotation says that we began, and that nothing is in
  // the volume says that believing the annotation, which anybody could write, takes nothing from anybody.
  return observed !== undefined && intended && claimed === undefined && !isTransfer(inputs) && inputs.origin !== undefined
    && binding.format !== undefined && looksFresh(observed, binding.format) && hasShape(inputs, observed)
}

function hasShape({ origin }: VolumeInputs, observed: ObservedVolume): boolean {
  if (origin?.type === 'Backing') return observed.backing === origin.path
  return origin?.type === 'Empty' && observed.backing === undefined && observed.capacity >= origin.capacity
}

export function planVolume(inputs: VolumeInputs): VolumePlan {
  if (inputs.terminating) return planDeletion(inputs)
  if (inputs.object.spec.managementPolicy === 'ObserveOnly') return planObserved(inputs)
  const { observed, record, verified } = inputs
  if (isMade(inputs)) {
    if (observed !== undefined) return planMade(inputs, observed)
    return verified ? planOf(lost(inputs)) : planOf({ reason: 'Updating', message: 'Looking for the volume on the host.' }, { actions: [lookUp(inputs)] })
  }
  // A job that was started before a stranger's volume came up has nothing to write to.
  if (observed !== undefined && record === 'None') return planForeign(inputs, observed)
  if (record === 'Begun' || isTransfer(inputs)) return planContent(inputs)
  return planCreation(inputs)
}

const lost = ({ binding, bound, object }: VolumeInputs): Standing =>
  ({ reason: 'Lost', message: `The volume ${binding.name} was in pool ${binding.pool} on Hypervisor ${bound.name} and is not any more${object.status?.path === undefined ? '' : ` (${object.status.path})`}: its file may have been removed, or the pool's file system is not mounted. vireo does not make it anew. Restore it on the host, or delete this object and create it again to begin with fresh content.` })

function planObserved({ observed, binding, bound, record, object, claimed }: VolumeInputs): VolumePlan {
  if (observed === undefined) return planOf({ reason: 'NotFound', message: `Pool ${binding.pool} on Hypervisor ${bound.name} has no volume ${binding.name}, which managementPolicy: ObserveOnly says to look at. Name an existing one in spec.name, or create it on the host.` })
  const ours = record !== 'None' && object.status?.binding?.origin !== 'Observed'
  if (!ours && claimed?.stranger) return planOf(notForeign(`The volume ${binding.name} in pool ${binding.pool}`, bound.name).standing)
  if (!ours && bound.grant.foreignObjects === 'Forbidden') {
    return planOf({ reason: 'Forbidden', message: `vireo did not create the volume ${binding.name}, and Hypervisor ${bound.name} does not let namespace ${bound.grant.namespace} look at such objects: its policy.foreignObjects has to be Observe or Adopt.` })
  }
  return planOf({ reason: 'Observed', message: `The volume ${binding.name} is in pool ${binding.pool}; vireo only looks at it.` })
}

function planForeign(inputs: VolumeInputs, observed: ObservedVolume): VolumePlan {
  const { object, bound, binding, claimed, job } = inputs
  if (isRunning(job)) return planOf({ reason: 'Updating', message: 'Stopping the transfer.' }, { actions: [stop('a volume of that name turned up on the host')] })
  const conflict = (message: string): VolumePlan => planOf({ reason: 'Conflict', message })
  if (claimed !== undefined) return conflict(`The volume ${binding.name} in pool ${binding.pool} belongs to ${claimed.called}. Choose another spec.name.`)
  const policy = object.spec.adoptionPolicy ?? 'Never'
  const what = `The volume ${binding.name} is in pool ${binding.pool} on Hypervisor ${bound.name} already, and vireo did not create it for this object`
  if (policy === 'Never') return conflict(`${what}. Choose another spec.name, or take it over with adoptionPolicy: IfUnchanged or Always.`)
  if (bound.grant.foreignObjects !== 'Adopt') return planOf({ reason: 'Forbidden', message: `${what}. adoptionPolicy: ${policy} would take it over, but Hypervisor ${bound.name} does not grant that to namespace ${bound.grant.namespace}: its policy.foreignObjects has to be Adopt.` })
  const problem = misfit(inputs, observed)
  if (problem !== undefined) return conflict(`${what}. It cannot be taken over: ${problem}`)
  const wanted = object.spec.capacity === undefined ? undefined : parseQuantity(object.spec.capacity)
  if (policy === 'IfUnchanged' && wanted !== undefined && grows(inputs, observed, wanted)) {
    return conflict(`${what}. adoptionPolicy: IfUnchanged takes it over only as it is, and it has ${formatBytes(observed.capacity)} instead of ${String(object.spec.capacity)}. Write its size, or set adoptionPolicy: Always.`)
  }
  return planOf({ reason: 'Updating', message: `Taking over the volume ${binding.name}.` }, {
    actions: [{ type: 'Adopted', guarded: true, reason: `Took over the volume ${called(inputs)}, which vireo did not create.` }],
  })
}

/** Why the volume found is not the one described; a probe of its content is believed only where it can do no harm. */
function misfit({ object: { spec }, origin, binding }: VolumeInputs, observed: ObservedVolume): string | undefined {
  const format = binding.format ?? 'raw'
  if (observed.format !== format && !(spec.format === 'raw')) return `its content looks like ${observed.format}, not ${format}. Set spec.format to the format that it really has.`
  if (format === 'raw') return spec.backingStore === undefined ? undefined : 'it is raw, and spec.backingStore wants a thin clone.'
  const below = origin?.type === 'Backing' ? origin.path : undefined
  if (observed.backing === below) return undefined
  return observed.backing === undefined
    ? 'it has no volume below it, and spec.backingStore names one.'
    : `its header names ${observed.backing} below it. Describe that volume by a StorageVolume, and name it in spec.backingStore.`
}

function planCreation(inputs: VolumeInputs): VolumePlan {
  const { object, binding, origin, pool } = inputs
  if (origin === undefined || origin.type === 'Url' || origin.type === 'Clone' || pool === undefined) return planOf({ reason: 'Creating', message: 'Waiting for what the volume is made from.' })
  const format = binding.format ?? 'raw'
  const { preallocation } = object.spec
  const backing = origin.type === 'Backing' ? origin : undefined
  const xml = serializeXml(renderVolume({ name: binding.name, poolType: pool.type, capacity: origin.capacity, format, preallocation, backing }))
  return planOf(available(inputs), {
    actions: [{
      type: 'Created', guarded: true, intended: true, xml, flags: createFlags({ format, preallocation }),
      reason: `Created the ${format} volume ${called(inputs)} of ${formatBytes(origin.capacity)}${backing ? ` above ${backing.path}` : ''}.`,
    }],
  })
}

const available = ({ binding }: VolumeInputs): Standing => ({ reason: 'Available', message: `The volume ${binding.name} is in pool ${binding.pool}.` })

/** Storage rounds sizes up: extents of volume groups, clusters of images. */
const tolerance = (poolType: string): number => (holdsFiles(poolType) ? 2 ** 20 : 64 * 2 ** 20)
const grows = ({ binding }: VolumeInputs, observed: ObservedVolume, wanted: number): boolean => wanted > capacityOf(observed, binding.format)

function planMade(inputs: VolumeInputs, observed: ObservedVolume): VolumePlan {
  const { object, binding, pool } = inputs
  if (object.spec.capacity === undefined) return planOf(available(inputs))
  const wanted = parseQuantity(object.spec.capacity)
  const found = capacityOf(observed, binding.format)
  if (wanted > found) {
    if (observed.format !== binding.format) return planOf({ reason: 'Unsupported', message: `The volume ${binding.name} cannot grow: its content looks like ${observed.format} though it is ${binding.format} by record, and libvirt would follow what that header names. Take spec.capacity back to ${formatBytes(found)}, or overwrite the first bytes from inside a guest.` })
    return planGrowth(inputs, observed, wanted, found)
  }
  if (found - wanted < tolerance(pool?.type ?? 'dir')) return planOf(available(inputs))
  if (wasShrunk(inputs)) return planOf({ reason: 'Invalid', message: `spec.capacity: ${String(object.spec.capacity)} is less than the ${formatBytes(found)} that the volume has, and a volume only grows. Set spec.capacity to ${formatBytes(found)}, or make a new, smaller volume and copy the content from inside a guest.` })
  const drift = driftActionOf(object.spec) === 'Ignore' ? [] : [{ path: 'capacity', expected: formatBytes(wanted), found: formatBytes(found) }]
  return planOf(available(inputs), { drift })
}

/** The spec was made smaller; otherwise somebody made the volume larger on the host. */
function wasShrunk({ object: { status, metadata } }: VolumeInputs): boolean {
  if (status?.binding === undefined) return false
  return status.observedGeneration !== metadata.generation || findCondition(status.conditions, 'Ready')?.reason === 'Invalid'
}

function planGrowth(inputs: VolumeInputs, observed: ObservedVolume, wanted: number, found: number): VolumePlan {
  const { writers, pool } = inputs
  const sizes = `from ${formatBytes(found)} to ${formatBytes(wanted)}`
  if (writers.some(writer => writer.below)) {
    return planOf(available(inputs), { pending: [{ path: 'capacity', current: formatBytes(found), desired: formatBytes(wanted), apply: 'ColdStart' }], restartRequired: true })
  }
  const user = writers[0]
  const action: VolumeAction = user === undefined
    ? { type: 'Grown', capacity: wanted, reason: `Grew the volume ${observed.ref.pool}/${observed.ref.name} ${sizes}.` }
    : { type: 'BlockResized', capacity: wanted, user, reason: `Grew the volume ${observed.ref.pool}/${observed.ref.name} ${sizes} under the running domain ${user.domain} (${user.target}).` }
  return pool === undefined ? planOf(available(inputs)) : planOf(available(inputs), { actions: [action] })
}

export const stop = (why: string): VolumeAction => ({ type: 'TransferStopped', reason: `Stopped the transfer: ${why}.` })

function planDeletion(inputs: VolumeInputs): VolumePlan {
  const { object, binding, record, job, observed, pool, verified, users } = inputs
  const { spec, status } = object
  const leave = (message: string): VolumePlan => planOf({ reason: 'Deleting', message }, { gone: true })
  if (isRunning(job)) return planOf({ reason: 'Deleting', message: 'Stopping the transfer.' }, { actions: [stop('the object is being deleted')] })
  if (spec.managementPolicy === 'ObserveOnly' || status?.binding?.origin === 'Observed') return leave(`Left the volume ${called(inputs)} as it is: vireo only looked at it.`)
  const policy = deletionPolicyOf(spec, binding.origin)
  if (inputs.retainAll) return leave(`Left the volume ${called(inputs)} on the host: the API of StorageVolumes is being removed, and that deletes nothing.`)
  // What is not whole is nobody's data.
  if (policy === 'Retain' && record !== 'Begun') return leave(`Left the volume ${called(inputs)} on the host, as deletionPolicy: ${spec.deletionPolicy === undefined ? 'Retain (the default for what was taken over)' : 'Retain'} says.`)
  if (record === 'None' && !inputs.intended) return leave('Nothing was made on the host for this object.')
  if (observed === undefined) {
    if (pool !== undefined && !pool.active) return planOf({ reason: 'Deleting', message: `Waiting for the pool ${binding.pool} to be active: while it is not, the volume ${binding.name} in it can neither be seen nor removed.` })
    if (!verified && binding.uuid !== '') return planOf({ reason: 'Deleting', message: 'Making sure that the volume is gone.' }, { actions: [lookUp(inputs)] })
    return leave(pool === undefined ? `The pool ${binding.pool} is gone from the host, and the volume ${binding.name} with it.` : `The volume ${called(inputs)} is gone from the host.`)
  }
  if (record === 'None' && !ownLeftover(inputs, observed)) return leave(`Left the volume ${called(inputs)} as it is: vireo did not create it for this object.`)
  if (users.length > 0) {
    const message = `The volume ${called(inputs)} is in use by ${users.join(', ')}: it is deleted when these are gone.`
    return planOf({ reason: 'Deleting', message }, { deletionBlocked: { reason: 'InUse', message } })
  }
  return planOf({ reason: 'Deleting', message: `Deleting the volume ${called(inputs)}.` }, {
    actions: [{ type: 'Deleted', guarded: true, reason: `Deleted the volume ${called(inputs)}.` }],
  })
}

/** We crashed after a create that no status tells of: only what holds nothing is ours to remove. */
function ownLeftover(inputs: VolumeInputs, observed: ObservedVolume): boolean {
  const { made, intended, claimed, binding } = inputs
  return made !== undefined || (intended && !isTransfer(inputs) && claimed === undefined && binding.format !== undefined && looksFresh(observed, binding.format))
}
