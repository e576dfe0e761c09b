// Decides what a pool needs: from gathered inputs to actions and standing, without a call.

import { deletionPolicyOf, driftActionOf } from '../defaults.ts'
import { findCondition } from '../../controller/conditions.ts'
import { PoolBuildFlags } from '../../drivers/driver.ts'
import type { ObservedPool } from '../../observed/objects.ts'
import { serializeXml } from '../../xml/tree.ts'
import { notForeign } from '../references.ts'
import { type DriftEntry, type Plan, type Standing, planOf } from '../plan.ts'
import type { Holder, PoolAction, PoolInputs } from './inputs.ts'
import { poolType, renderPool, targetPath } from './render.ts'

type PoolPlan = Plan<PoolAction>

/** A folder that is gone has no event when it comes back. */
const LOOK_AGAIN = 60_000

const lookUp = (inputs: PoolInputs): PoolAction => ({ type: 'LookedUp', reason: `Asked the host whether pool ${inputs.binding.name} is there.` })

export function planPool(inputs: PoolInputs): PoolPlan {
  if (inputs.terminating) return planDeletion(inputs)
  if (inputs.object.spec.managementPolicy === 'ObserveOnly') return planObserved(inputs)
  const { relation } = inputs
  switch (relation.type) {
    case 'Absent': return planAbsent(inputs)
    case 'Foreign': return planForeign(inputs, relation.pool, relation.holder)
    case 'Ours': return planPresent(inputs, relation.pool)
  }
}

function planObserved({ relation, bound, binding }: PoolInputs): PoolPlan {
  if (relation.type === 'Absent') return planOf({ reason: 'NotFound', message: `Hypervisor ${bound.name} has no pool ${binding.name}, which managementPolicy: ObserveOnly says to look at. Name an existing one in spec.name, or create it on the host.` })
  if (relation.type === 'Foreign' && relation.holder?.stranger) return planOf(notForeign(`The pool ${relation.pool.ref.name}`, bound.name).standing)
  if (relation.type === 'Foreign' && bound.grant.foreignObjects === 'Forbidden') return planOf(lookingForbidden(bound.name, bound.grant.namespace, relation.pool.ref.name))
  return planOf({ reason: 'Observed', message: `The pool ${relation.pool.ref.name} is ${relation.pool.active ? 'active' : 'inactive'}; vireo only looks at it.` })
}

const lookingForbidden = (hypervisor: string, namespace: string, name: string): Standing =>
  ({ reason: 'Forbidden', message: `vireo did not create the pool ${name}, and Hypervisor ${hypervisor} does not let namespace ${namespace} look at such objects: its policy.foreignObjects has to be Observe or Adopt.` })

function planAbsent(inputs: PoolInputs): PoolPlan {
  const { object, binding, announced, rival, bound } = inputs
  const owned = object.status?.binding !== undefined && object.status.binding.origin !== 'Observed'
  if (owned && !announced) return inputs.verified ? planOf(lost(inputs)) : planOf({ reason: 'Updating', message: 'Looking for the pool on the host.' }, { actions: [lookUp(inputs)] })
  if (rival?.free === false) return crowded(inputs)
  if (rival) return planOf({ reason: 'Conflict', message: `The pool ${rival.name} (${rival.uuid}) on Hypervisor ${bound.name} lies at ${targetPath(object.spec)} already, and vireo did not create it for this object. Use another path, or take that pool over with spec.name: ${rival.name} and adoptionPolicy: IfUnchanged or Always.` })
  // A UUID that the spec chose proves nothing by being found: it is recorded as ours before the pool exists.
  if (!announced && object.spec.uuid !== undefined) return planOf({ reason: 'Creating', message: `Creating the pool ${binding.name}.` }, { requeueAfter: 1 })
  const { spec } = object
  const actions: PoolAction[] = [{
    type: 'Defined', guarded: true, xml: serializeXml(renderPool(spec, binding)),
    reason: `Defined the ${poolType(spec)} pool ${binding.name}${targetPath(spec) === undefined ? '' : ` at ${targetPath(spec)}`}.`,
  }]
  if (wantsAutostart(inputs)) actions.push(autostart(inputs, true))
  if (wantsActive(inputs)) actions.push(...starting(inputs))
  return planOf(settled(inputs, wantsActive(inputs)), { actions })
}

/** Looked at again by time: nothing announces to one pool that another has gone. */
const crowded = ({ object, bound }: PoolInputs): PoolPlan =>
  planOf({ reason: 'Conflict', message: `The place of the pool, ${targetPath(object.spec) ?? object.spec.zfs?.name}, is that of another pool on Hypervisor ${bound.name}, or one of the two lies in the other: what is in one would be reached through the other. Use another path.` }, { requeueAfter: LOOK_AGAIN })

const lost = ({ object, binding, bound }: PoolInputs): Standing =>
  ({ reason: 'Lost', message: `The pool ${binding.name} (${binding.uuid}) was on Hypervisor ${bound.name} and is not any more; vireo does not make it anew, for its volumes may be elsewhere. Define it again on the host with this UUID${targetPath(object.spec) === undefined ? '' : ` and the path ${targetPath(object.spec)}`}, or delete this object and create it again.` })

function planForeign(inputs: PoolInputs, pool: ObservedPool, holder: Holder | undefined): PoolPlan {
  const { object, bound, binding, differences } = inputs
  const policy = object.spec.adoptionPolicy ?? 'Never'
  const what = `The pool ${pool.ref.name} (${pool.ref.uuid}) is on Hypervisor ${bound.name} already, and vireo did not create it for this object`
  if (holder !== undefined) return planOf({ reason: 'Conflict', message: `The pool ${pool.ref.name} on Hypervisor ${bound.name} belongs to ${holder.called}. Choose another spec.name, or refer to that object instead of making this one.` })
  if (policy === 'Never') return planOf({ reason: 'Conflict', message: `${what}. Choose another spec.name, or take it over with adoptionPolicy: IfUnchanged or Always.` })
  if (bound.grant.foreignObjects !== 'Adopt') return planOf({ reason: 'Forbidden', message: `${what}. adoptionPolicy: ${policy} would take it over, but Hypervisor ${bound.name} does not grant that to namespace ${bound.grant.namespace}: its policy.foreignObjects has to be Adopt.` })
  const fixed = differences.find(difference => difference.path === 'type' || difference.path === 'dir.path')
  if (fixed) return planOf({ reason: 'Conflict', message: `${what}. It cannot be taken over: its ${fixed.path} is ${fixed.found ?? 'not set'}, not ${fixed.wanted ?? 'set'}, and that cannot change. Choose another spec.name, or write the spec as the pool is.` })
  if (object.spec.uuid !== undefined && object.spec.uuid.toLowerCase() !== pool.ref.uuid) return planOf({ reason: 'Conflict', message: `${what}. Its UUID is not that of spec.uuid: leave spec.uuid out, or choose another spec.name.` })
  if (policy === 'IfUnchanged') {
    const changes = [
      ...differences.map(difference => difference.path),
      ...(pool.active === wantsActive(inputs) ? [] : ['state']),
      ...(pool.autostart === wantsAutostart(inputs) ? [] : ['autostart']),
    ]
    if (changes.length > 0) return planOf({ reason: 'Conflict', message: `${what}. adoptionPolicy: IfUnchanged takes it over only as it is, and the spec would change ${changes.join(', ')}. Write these as the pool has them, or set adoptionPolicy: Always.` })
  }
  return planOf({ reason: 'Updating', message: `Taking over the pool ${binding.name}.` }, {
    actions: [{ type: 'Adopted', guarded: true, uuid: pool.ref.uuid, reason: `Took over the pool ${pool.ref.name}, which vireo did not create.` }],
  })
}

const wantsActive = ({ object }: PoolInputs): boolean => object.spec.state !== 'Inactive'
const wantsAutostart = ({ object }: PoolInputs): boolean => object.spec.autostart !== 'Disabled'

function autostart({ binding }: PoolInputs, on: boolean): PoolAction {
  return { type: 'AutostartSet', autostart: on, reason: on ? `Pool ${binding.name} starts with the host.` : `Pool ${binding.name} no longer starts with the host.` }
}

/** The place of a pool is made before its first start only, and only where nothing can be lost by it. */
function starting(inputs: PoolInputs): PoolAction[] {
  const { object, binding, wasUp, missing } = inputs
  const { spec } = object
  const type = poolType(spec)
  const path = targetPath(spec)
  const mayBuild = binding.origin === 'Created' && !wasUp && (spec.build === 'IfMissing' || (spec.build === undefined && (type === 'dir' || type === 'netfs')))
  const start: PoolAction = { type: 'Started', otherwise: mayBuild && !missing && (type === 'dir' || type === 'logical') ? 'Build' : wasUp && type === 'dir' ? 'Lost' : 'Refuse', reason: `Started pool ${binding.name}.` }
  if (mayBuild && type === 'dir' && missing) return [{ type: 'Built', guarded: true, flags: PoolBuildFlags.NEW, reason: `Made the folder ${path}, which was missing.` }, start]
  if (mayBuild && type === 'netfs') return [{ type: 'Built', guarded: true, flags: PoolBuildFlags.NEW, reason: `Made sure of the folder ${path} to mount at.` }, start]
  if (mayBuild && type === 'logical' && missing) return [{ type: 'Built', guarded: true, flags: PoolBuildFlags.NO_OVERWRITE, reason: `Made the volume group ${spec.logical?.name} on devices that hold nothing.` }, start]
  return [start]
}

function planPresent(inputs: PoolInputs, pool: ObservedPool): PoolPlan {
  const { object, differences, users, binding } = inputs
  const { spec } = object
  if (spec.uuid !== undefined && spec.uuid.toLowerCase() !== binding.uuid && object.status?.binding !== undefined) {
    return planOf({ reason: 'Invalid', message: `spec.uuid is not ${binding.uuid}, to which the object is bound: leave it out or put it back, and make a new object for the other UUID.` })
  }
  if (differences.some(difference => difference.path === 'type' || difference.path === 'dir.path') && object.status?.binding !== undefined && !specIsInForce(inputs)) {
    return planOf({ reason: 'Invalid', message: `The type and the folder of a pool cannot change (${differences.map(difference => difference.path).join(', ')}): make a new pool, and clone the volumes into it.` })
  }
  if (inputs.rival !== undefined) return crowded(inputs)
  const actions: PoolAction[] = []
  const drift: DriftEntry[] = []
  const correct = (entry: DriftEntry, action: () => PoolAction[]): void => {
    const policy = driftActionOf(spec)
    if (policy === 'Correct' || !specIsInForce(inputs)) actions.push(...action())
    else if (policy === 'Report') drift.push(entry)
  }
  const active = wantsActive(inputs)
  const left = differences.length > 0 && specIsInForce(inputs) && driftActionOf(spec) !== 'Correct'
  if (left && driftActionOf(spec) === 'Report') drift.push(...differences.map(({ path, found, wanted }) => ({ path, expected: wanted, found })))
  const recreate = !left && differences.length > 0 && (spec.updatePolicy?.recreate ?? 'WhenUnused') === 'WhenUnused' && users.length === 0
  if (recreate) {
    if (pool.active) actions.push({ type: 'Stopped', reason: `Stopped pool ${binding.name}, which nothing uses, to change ${differences.map(difference => difference.path).join(', ')}.` })
    actions.push({ type: 'Defined', guarded: true, xml: serializeXml(renderPool(spec, { name: pool.ref.name, uuid: pool.ref.uuid })), reason: `Defined pool ${binding.name} with another ${differences.map(difference => difference.path).join(', ')}.` })
  }
  if (pool.autostart !== wantsAutostart(inputs)) {
    correct({ path: 'autostart', expected: wantsAutostart(inputs) ? 'Enabled' : 'Disabled', found: pool.autostart ? 'Enabled' : 'Disabled' }, () => [autostart(inputs, wantsAutostart(inputs))])
  }
  if (recreate ? active : active && !pool.active) {
    if (recreate) actions.push(...starting(inputs))
    else correct({ path: 'state', expected: 'Active', found: 'Inactive' }, () => starting(inputs))
  } else if (!active && pool.active && !recreate) {
    correct({ path: 'state', expected: 'Inactive', found: 'Active' }, () => [{ type: 'Stopped', reason: `Stopped pool ${binding.name}.` }])
  }
  const pending = recreate || left ? [] : differences.map(difference => ({ path: difference.path, current: difference.found, desired: difference.wanted, apply: 'Recreate' as const }))
  const willBeActive = drift.some(entry => entry.path === 'state') ? pool.active : active
  return planOf(settled(inputs, willBeActive), { actions, drift, pending, restartRequired: pending.length > 0 })
}

/** The spec was in force before: a difference now is the host's doing. */
function specIsInForce({ object }: PoolInputs): boolean {
  const { status, metadata } = object
  if (status?.binding === undefined || status.observedGeneration !== metadata.generation) return false
  const synced = findCondition(status.conditions, 'Synced')
  return synced?.status === 'True' || synced?.reason === 'Drifted'
}

function settled({ object, binding }: PoolInputs, active: boolean): Standing {
  const path = targetPath(object.spec)
  const at = path === undefined ? '' : ` at ${path}`
  return active
    ? { reason: 'Available', message: `The pool ${binding.name} is active${at}.` }
    : { reason: 'Stopped', message: `The pool ${binding.name} is defined${at} and not active.` }
}

function planDeletion(inputs: PoolInputs): PoolPlan {
  const { object, relation, binding, users, madeFolder } = inputs
  const leave = (why: string): PoolPlan => planOf({ reason: 'Deleting', message: why }, { gone: true })
  if (inputs.unfinished.length > 0) {
    const message = `The pool ${binding.name} is left when what was begun in it is done: ${inputs.unfinished.join(', ')}.`
    return planOf({ reason: 'Deleting', message }, { deletionBlocked: { reason: 'InUse', message } })
  }
  if (object.spec.managementPolicy === 'ObserveOnly' || object.status?.binding?.origin === 'Observed') return leave(`Left the pool ${binding.name} as it is: vireo only looked at it.`)
  if (relation.type === 'Absent') {
    if (!inputs.verified) return planOf({ reason: 'Deleting', message: 'Making sure that the pool is gone.' }, { actions: [lookUp(inputs)] })
    return leave(`The pool ${binding.name} is gone from the host.`)
  }
  if (relation.type === 'Foreign') return leave(`Left the pool ${relation.pool.ref.name} as it is: vireo did not create it for this object.`)
  if (inputs.retainAll) return leave(`Left the pool ${binding.name} on the host: the API of StoragePools is being removed, and that deletes nothing.`)
  const policy = deletionPolicyOf(object.spec, object.status?.binding?.origin)
  if (policy === 'Retain') return leave(`Left the pool ${binding.name} on the host, as deletionPolicy: Retain says.`)
  if (users.length > 0) {
    const message = `The pool ${binding.name} is in use by ${users.join(', ')}: it is removed when these are gone.`
    return planOf({ reason: 'Deleting', message }, { deletionBlocked: { reason: 'InUse', message } })
  }
  const actions: PoolAction[] = []
  if (relation.pool.active) actions.push({ type: 'Stopped', guarded: true, reason: `Stopped pool ${binding.name}.` })
  if (madeFolder) actions.push({ type: 'FolderRemoved', guarded: true, reason: `Removed the folder ${relation.pool.path}, which vireo had made, unless something is in it.` })
  actions.push({ type: 'Undefined', guarded: true, reason: `Removed the pool ${binding.name}; what lies in it stays.` })
  return planOf({ reason: 'Deleting', message: `Removing the pool ${binding.name}.` }, { actions })
}

/** The standing of a pool whose folder went away; looked at again by time, for nothing announces a mount. */
export const folderLost = (path: string | undefined, why: string): { standing: Standing; requeueAfter: number } => ({
  standing: { reason: 'Lost', message: `The pool cannot be started, for its folder ${path ?? ''} was there and is not (${why}). vireo does not make it anew: mount its file system or restore the folder on the host, and the pool is started again.` },
  requeueAfter: LOOK_AGAIN,
})
