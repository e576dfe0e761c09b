// The plan of a network: a pure function from what was gathered to the actions, and to the words for where things stand.

import { deletionPolicyOf, driftActionOf } from '../defaults.ts'
import { findCondition } from '../../controller/conditions.ts'
import type { VirtualNetwork } from '../../crds/virtualnetwork.ts'
import { serializeXml } from '../../xml/tree.ts'
import { type DriftEntry, type Plan, type Standing, planOf } from '../plan.ts'
import { type Comparison, compare, firstDocument } from './compare.ts'
import type { NetworkAction, NetworkInputs } from './inputs.ts'
import { released } from './mark.ts'
import { driftOf, fieldsOf, pendingOf } from './paths.ts'

export type NetworkPlan = Plan<NetworkAction>

export function planNetwork(inputs: NetworkInputs): NetworkPlan {
  if (inputs.terminating) return planDeletion(inputs)
  if (inputs.object.spec.managementPolicy === 'ObserveOnly') return planObservation(inputs)
  return inputs.observed === undefined ? planAbsent(inputs) : planPresent(inputs)
}

const wantsActive = ({ spec }: NetworkInputs): boolean => spec.state !== 'Inactive'
const wantsAutostart = ({ spec }: NetworkInputs): boolean => spec.autostart !== 'Disabled'
const word = (on: boolean, yes: string, no: string): string => (on ? yes : no)

/** The present spec was in force before: what then differs in state and autostart came about on the host. */
const inForce = (object: VirtualNetwork): boolean => readyOf(object)?.status === 'True'

/** What is said about the present spec of a bound object. */
function readyOf({ status, metadata }: VirtualNetwork): { status: string; reason: string } | undefined {
  const ready = findCondition(status?.conditions, 'Ready')
  return status?.binding !== undefined && ready?.observedGeneration === metadata.generation ? ready : undefined
}

function planObservation({ observed, binding, bound }: NetworkInputs): NetworkPlan {
  if (observed === undefined) return planOf({ reason: 'NotFound', message: `There is no network ${binding.name} on Hypervisor ${bound.name} to observe. Name an existing one in spec.name, or set managementPolicy: Full to have it made.` })
  return planOf({ reason: 'Observed', message: `The network ${observed.ref.name} is ${word(observed.active, 'active', 'not active')}; vireo only looks at it.` })
}

function settled({ binding, observed }: NetworkInputs, active: boolean): Standing {
  const bridge = observed?.bridge === undefined ? '' : ` on bridge ${observed.bridge}`
  return active
    ? { reason: 'Available', message: `The network ${binding.name} is active${bridge}.` }
    : { reason: 'Stopped', message: `The network ${binding.name} is defined and not active.` }
}

const autostartSet = ({ binding }: NetworkInputs, autostart: boolean): NetworkAction =>
  ({ type: 'AutostartSet', autostart, reason: `Network ${binding.name} ${word(autostart, 'starts', 'no longer starts')} with the host.` })

function planAbsent(inputs: NetworkInputs): NetworkPlan {
  const { object, binding, bound, wanted, owner } = inputs
  const away = inForce(object) || readyOf(object)?.reason === 'NotFound'
  if (away && driftActionOf(inputs.spec) !== 'Correct') {
    const drift: DriftEntry[] = driftActionOf(inputs.spec) === 'Report' ? [{ path: 'state', expected: wantsActive(inputs) ? 'Active' : 'Inactive', found: 'Absent' }] : []
    return planOf({ reason: 'NotFound', message: `The network ${binding.name} was removed from Hypervisor ${bound.name} by hand, and driftPolicy leaves it so. Set driftPolicy.action: Correct to have it made again.` }, { drift })
  }
  const xml = serializeXml(firstDocument(wanted!, binding.name, binding.uuid, owner))
  const again = object.status?.binding !== undefined && object.status.binding.origin !== 'Observed'
  const actions: NetworkAction[] = [{ type: 'Defined', guarded: true, xml, reason: again ? `Defined network ${binding.name} again, for it was gone from the host.` : `Defined network ${binding.name}.` }]
  if (wantsAutostart(inputs)) actions.push(autostartSet(inputs, true))
  if (wantsActive(inputs)) actions.push({ type: 'Started', reason: `Started network ${binding.name}.` })
  return planOf({ reason: 'Creating', message: `Making the network ${binding.name}.` }, { actions })
}

/** Whether the running network may be recreated now; else why not. */
function mayRecreate({ spec, running }: NetworkInputs): { allowed: boolean; why: string } {
  const policy = spec.updatePolicy?.recreate ?? 'WhenUnused'
  if (policy === 'Always') return { allowed: true, why: 'updatePolicy.recreate is Always' }
  if (policy === 'Never') return { allowed: false, why: 'updatePolicy.recreate is Never' }
  return running === 0
    ? { allowed: true, why: 'no running domain uses it' }
    : { allowed: false, why: `${running} running ${running === 1 ? 'domain has' : 'domains have'} an interface on it` }
}

function planPresent(inputs: NetworkInputs): NetworkPlan {
  const { object, observed, found, wanted, owner, binding, spec, ownership } = inputs
  const policy = driftActionOf(inputs.spec)
  const taking = ownership !== 'Ours'
  const comparison = compare(found!, wanted!, owner, policy === 'Correct' || taking)
  const changing = planDocument(inputs, comparison)
  const { actions } = changing
  const drift = policy === 'Report' ? driftOf(comparison.drift, spec) : []

  const correct = policy === 'Correct' || taking || !inForce(object)
  const recreated = actions.some(action => action.type === 'Recreated')
  const differs = (path: string, expected: string, is: string, action: () => NetworkAction): void => {
    if (correct) actions.push(action())
    else if (policy === 'Report') drift.push({ path, expected, found: is })
  }
  if (observed!.autostart !== wantsAutostart(inputs)) {
    differs('autostart', word(wantsAutostart(inputs), 'Enabled', 'Disabled'), word(observed!.autostart, 'Enabled', 'Disabled'), () => autostartSet(inputs, wantsAutostart(inputs)))
  }
  if (wantsActive(inputs) && !observed!.active && !recreated) {
    differs('state', 'Active', 'Inactive', () => ({ type: 'Started', reason: `Started network ${binding.name}${inForce(object) ? ', which had been stopped' : ''}.` }))
  } else if (!wantsActive(inputs) && observed!.active) {
    differs('state', 'Inactive', 'Active', () => ({ type: 'Stopped', reason: `Stopped network ${binding.name}${inForce(object) ? ', which had been started' : ''}.` }))
  }
  const pending = pendingOf(changing.pending, spec)
  const rest = { actions, drift, pending, restartRequired: pending.length > 0 }
  if (actions.length > 0) return planOf(progress(actions), rest)
  const standing = settled(inputs, observed!.active)
  return planOf(pending.length === 0 ? standing : { ...standing, message: `${standing.message.slice(0, -1)}; ${pending.map(change => change.path).join(', ')} will change when it is recreated: ${mayRecreate(inputs).why}.` }, rest)
}

const progress = (actions: NetworkAction[]): Standing => {
  const [first] = actions
  const reason = first!.type === 'Started' ? 'Starting' : first!.type === 'Stopped' ? 'Stopping' : 'Updating'
  return { reason, message: first!.reason }
}

/** The part of the plan that the documents ask for: in place where libvirt can, by recreation where policy lets, else pending. */
function planDocument(inputs: NetworkInputs, comparison: Comparison): { actions: NetworkAction[]; pending: Comparison['recreate'] } {
  const { observed, found, binding, spec } = inputs
  const { document, redefine, changes, updates, recreate } = comparison
  const xml = serializeXml(document)
  const staysActive = observed!.active && wantsActive(inputs)
  const { stagedUnreadable } = found!
  const needed = staysActive && (recreate.length > 0 || (stagedUnreadable && redefine))
  const fields = (list: Comparison['recreate']): string => fieldsOf(list, spec).join(', ') || "vireo's mark"
  if (needed && mayRecreate(inputs).allowed) {
    return { pending: [], actions: [{ type: 'Recreated', guarded: true, xml, defineStopped: stagedUnreadable, reason: `Recreated network ${binding.name} to change ${fields(recreate)}: ${mayRecreate(inputs).why}.` }] }
  }
  const actions: NetworkAction[] = []
  // In place first: the record that a define writes must not be ahead of what the running network was told.
  if (staysActive && updates.length > 0) actions.push({ type: 'Updated', updates, reason: updateReason(binding.name, updates.map(update => update.what)) })
  if (redefine && !(observed!.active && stagedUnreadable && staysActive)) {
    actions.push({ type: 'Defined', xml, reason: definedReason(inputs, changes.length > 0 ? fields(changes) : undefined) })
  }
  return { actions, pending: needed ? recreate : [] }
}

function definedReason({ ownership, whose, binding }: NetworkInputs, fields: string | undefined): string {
  const what = fields === undefined ? '' : `, with ${fields} as the spec says`
  if (ownership === 'Rebuilt') return `Took network ${binding.name} over from the cluster that was there before${what}.`
  if (ownership !== 'Ours') return `Adopted network ${binding.name}, of which ${whose}${what}.`
  return fields === undefined ? `Recorded the present spec with network ${binding.name}.` : `Changed the configuration of network ${binding.name}: ${fields}.`
}

function updateReason(name: string, whats: string[]): string {
  const list = whats.length <= 4 ? whats.join(', ') : `${whats.slice(0, 4).join(', ')} and ${whats.length - 4} more`
  return `Changed running network ${name} in place: ${list}.`
}

function planDeletion(inputs: NetworkInputs): NetworkPlan {
  const { object, observed, found, binding, bound, ownership, users, whose } = inputs
  const gone = (message: string): NetworkPlan => planOf({ reason: 'Deleting', message }, { gone: true })
  const kept = object.status?.binding
  if (object.spec.managementPolicy === 'ObserveOnly' || kept?.origin === 'Observed') return gone(`Left the network ${binding.name} as it is: vireo only looked at it.`)
  if (observed === undefined) {
    if (!inputs.verified) return planOf({ reason: 'Deleting', message: 'Making sure that the network is gone.' }, { actions: [{ type: 'LookedUp', reason: `Asked Hypervisor ${bound.name} whether network ${binding.name} is gone.` }] })
    return gone(`The network ${binding.name} is gone from Hypervisor ${bound.name}.`)
  }
  if (inputs.released) return gone(`Left the network ${binding.name} on the host and released it.`)
  if (ownership !== 'Ours' && ownership !== 'Rebuilt') {
    if (kept === undefined) return gone(`Left the network ${observed.ref.name} as it is: ${whose}.`)
    const message = `The network ${observed.ref.name} on Hypervisor ${bound.name} no longer carries this object's mark: ${whose}. vireo does not remove what is not its own: remove the network by hand, or annotate this object with vireo.dev/release=true to leave the network there.`
    return planOf({ reason: 'Deleting', message }, { deletionBlocked: { reason: 'ForeignObject', message } })
  }
  const policy = inputs.retainAll ? 'Retain' : deletionPolicyOf(object.spec, binding.origin)
  if (policy === 'Retain') {
    if (observed.active && found!.stagedUnreadable) return gone(`Left the network ${binding.name} on the host; it is running, and this host cannot mark it as released until it stops.`)
    return planOf({ reason: 'Deleting', message: `Releasing the network ${binding.name}.` }, {
      actions: [{ type: 'Released', guarded: true, xml: serializeXml(released(found!.inactive)), reason: `Left network ${binding.name} on the host, marked as released${inputs.retainAll ? ', for its definition is being deleted from the cluster' : ''}.` }],
    })
  }
  if (users.length > 0) {
    const message = `The network ${binding.name} is in use by ${users.join(', ')}: it is removed when these are gone, or unplugged from it.`
    return planOf({ reason: 'Deleting', message }, { deletionBlocked: { reason: 'InUse', message } })
  }
  const actions: NetworkAction[] = []
  if (observed.active) actions.push({ type: 'Stopped', guarded: true, reason: `Stopped network ${binding.name}.` })
  actions.push({ type: 'Undefined', guarded: true, reason: `Removed network ${binding.name}.` })
  return planOf({ reason: 'Deleting', message: `Removing the network ${binding.name}.` }, { actions })
}
