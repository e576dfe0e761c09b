// Plans a domain: config (the next document), live changes, power and the end. Pure: the same inputs give the same plan.

import { deletionPolicyOf, driftActionOf } from '../defaults.ts'
import { DomainState } from '../../drivers/driver.ts'
import { ErrorNumber } from '../../drivers/errors.ts'
import type { GuestFacts } from '../../observed/told.ts'
import { type ObservedDomain, agentConnected, isActive, isEnding } from '../../observed/objects.ts'
import { type XmlElement, childOf, serializeXml, textOf } from '../../xml/tree.ts'
import type { Owner, Ownership } from '../identity.ts'
import type { Inputs } from '../kind.ts'
import { type Action, type PendingChange, type Plan, type Standing, isSettled, planOf } from '../plan.ts'
import { ConditionType } from '../../crds/conditions.ts'
import type { VirtualDomain } from '../../crds/virtualdomain.ts'
import { type NextDocument, type Spelling, appliedOf, nextDocument, released } from './document.ts'
import type { DriverLimits } from './limits.ts'
import { type AskedMemory, type LiveAction, balloonOf, liveActions, pendingChanges, shown, waits } from './live.ts'
import { LIFECYCLE, specPath } from './paths.ts'
import { OFF_BY_WISH, type PowerAction, type PowerMemory, type PowerPlan, RESTARTING, askToEnd, powerPlan, reasonInForce } from './power.ts'
import { type SeedInput, type SeedAction, seedActions } from './seed.ts'
import { cpusOf, memoryKiB } from './rendering.ts'

/** An address that a network's DHCP server leased. */
export interface LeasedAddress { ipaddr: string; prefix: number }

export type DomainAction =
  | (Action & { type: 'Defined'; xml: string; guarded: boolean; adopted?: PendingChange[] })
  | (Action & { type: 'AutostartSet'; enabled: boolean })
  | (Action & { type: 'Undefined'; guarded: true })
  | (Action & { type: 'LookedUp' })
  | (Action & { type: 'Released'; xml: string })
  | SeedAction | LiveAction | PowerAction

/** A device that the guest was asked to let go of: when last, how often, and whether it refused. */
export interface Detaching { asked: number; times: number; refused: boolean }
/** A live change that this guest or its driver refused. `again`: when it is worth another try, ms; absent: a cold start brings it. */
export interface RefusedLive extends PendingChange { again?: number }

/** What the process remembers of a domain between two reconciles. */
export interface DomainMemory extends PowerMemory {
  /** What the host made of values we gave it, learnt by reading back right after a define. */
  spelling: Spelling
  /** By alias. */
  detaching: Map<string, Detaching>
  askedMemory?: AskedMemory
  /** By the reason sentence of the action. */
  refusedLive: Map<string, RefusedLive>
  /** What an adoption staged for a guest that ran already: it carries no record of what it was started with. */
  adopted: PendingChange[]
  /** Tokens of verbs that were acted on, until the status says so. */
  handled: { restart?: string; reset?: string; 'power-off'?: string }
  /** The running id that detaching, askedMemory, refusedLive and adopted belong to. */
  id?: number
}

export interface DomainInputs extends Inputs<VirtualDomain> {
  owner: Owner
  ownership: Ownership
  /** A foreign domain may be taken: never, if nothing would change, or in any case. */
  adoption: 'Never' | 'IfUnchanged' | 'Always'
  observed?: ObservedDomain
  /** The host itself was asked lately: an absence is libvirt's own answer. */
  verified: boolean
  found?: { inactive: XmlElement; live?: XmlElement }
  /** Absent while deleting or observing only. */
  rendered?: { wanted: XmlElement; record: XmlElement }
  seed?: SeedInput
  memory: DomainMemory
  verbs: { restart?: string; reset?: string; 'power-off'?: string }
  now: number
  /** The CRD itself is being deleted: everything stays on the host. */
  retainAll: boolean
  gracePeriod: number
  /** What the driver cannot do with a configuration. */
  limits: DriverLimits
  /** Addresses that a network (libvirt's name) leased to a MAC address. */
  leases(mac: string, network: string): LeasedAddress[]
  /** What is known of the running guest beside its documents. */
  guest?: GuestFacts
}

/** Live changes that a host refuses with these codes are staged; any other refusal is an error to show. */
export const STAGES_LIVE = new Set<number>([ErrorNumber.NO_SUPPORT, ErrorNumber.OPERATION_UNSUPPORTED, ErrorNumber.CONFIG_UNSUPPORTED, ErrorNumber.OPERATION_INVALID])


export function planDomain(inputs: DomainInputs): Plan<DomainAction> {
  if (inputs.terminating) return planEnd(inputs)
  const { object, observed } = inputs
  if (object.spec.managementPolicy === 'ObserveOnly') return planObserve(inputs)
  if (observed === undefined) {
    if (object.status?.binding !== undefined && object.status.binding.origin !== 'Observed') {
      return planOf({ reason: 'Lost', message: `Domain ${inputs.binding.name} was on Hypervisor ${inputs.bound.name} and is no longer defined there: it was undefined, migrated away, or the host was made anew. Nothing is created in its place. If it is gone for good, delete this object (its volumes keep their own objects) and create it again.` })
    }
    return planCreation(inputs)
  }
  return planExisting(inputs, observed)
}

/** The agent has opened its end of the channel: the guest has booted. */
const agentOf = (live: XmlElement | undefined): Pick<Plan, 'conditions'> =>
  (agentConnected(live) ? { conditions: [{ type: ConditionType.AgentConnected, reason: 'Connected', message: 'The guest agent is connected.' }] } : {})

function planObserve({ observed, bound, binding, found }: DomainInputs): Plan<DomainAction> {
  if (observed === undefined) return planOf({ reason: 'NotFound', message: `There is no domain ${binding.name} on Hypervisor ${bound.name} to observe.` })
  return planOf({ reason: 'Observed', message: 'Observed only; nothing is changed (managementPolicy: ObserveOnly).' }, agentOf(found?.live))
}

function planCreation(inputs: DomainInputs): Plan<DomainAction> {
  const { rendered, owner, binding, bound } = inputs
  const { document } = nextDocument({ ...rendered!, owner, correct: true })
  const actions: DomainAction[] = [...seedActions(inputs.seed)]
  actions.push({ type: 'Defined', guarded: true, xml: serializeXml(document), reason: `Defined domain ${binding.name} on Hypervisor ${bound.name}.` })
  actions.push(...autostart(inputs, false))
  const power = powerOf(inputs, { active: false, state: 5, reason: 0 })
  return planOf(power.standing, { actions: [...actions, ...power.actions], verbs: power.verbs, requeueAfter: power.requeueAfter })
}

function autostart({ object }: DomainInputs, now: boolean): DomainAction[] {
  const enabled = object.spec.autostart === 'Enabled'
  return object.spec.autostart === undefined && !now || enabled === now ? [] : [{ type: 'AutostartSet', enabled, reason: `${enabled ? 'Enabled' : 'Disabled'} autostart.` }]
}

/** True while the guest's run is the one that the status tells of. */
const isRunOfStatus = ({ object, observed }: DomainInputs): boolean => observed !== undefined && object.status?.id === observed.ref.id

function powerOf(inputs: DomainInputs, state: Pick<ObservedDomain, 'state' | 'reason'> & { active: boolean; ending?: boolean }): PowerPlan {
  const { object, memory, now, verbs, terminating, gracePeriod } = inputs
  const { spec, status } = object
  const begun = status?.actions?.find(action => action.name === 'restart' && action.outcome === RESTARTING)
  return powerPlan({
    ...state,
    reason: reasonInForce(state, status),
    restart: begun === undefined ? undefined : { token: begun.token, sameRun: isRunOfStatus(inputs) },
    wasStopped: wasStopped(object),
    wish: spec.powerState ?? 'Running',
    restartPolicy: spec.restartPolicy ?? 'Always',
    memory,
    now,
    gracePeriod,
    onTimeout: spec.shutdown?.onTimeout ?? 'PowerOff',
    correct: corrects(inputs),
    verbs,
    terminating,
  })
}

const corrects = ({ object }: DomainInputs): boolean => driftActionOf(object.spec) === 'Correct'
const reports = ({ object }: DomainInputs): boolean => driftActionOf(object.spec) !== 'Ignore'

/** True where the last look found the guest off because powerState said so. */
export const wasStopped = ({ status }: VirtualDomain): boolean =>
  status?.conditions?.some(condition => condition.type === 'Ready' && condition.message.startsWith(OFF_BY_WISH)) ?? false

/** A guest that does not let go of a device is asked again ever more rarely, ms. */
const DETACH_AGAIN = { first: 30_000, last: 300_000 }
const detachDue = ({ asked, times }: Detaching): number => asked + Math.min(DETACH_AGAIN.first * 2 ** (times - 1), DETACH_AGAIN.last)

/** libvirt tells displays apart by their type, the spec by their name. */
const inSpec = (text: string, { spec }: VirtualDomain): string =>
  text.replace(/graphics\[(vnc|spice)\]/g, (all, type: 'vnc' | 'spice') => { const entry = spec.graphics?.find(display => display[type] !== undefined); return entry === undefined ? all : `graphics[${entry.name}]` })

const differences = (changes: NextDocument['changes']): string => [...new Set(changes.map(change => specPath(change.path)))].slice(0, 8).join(', ')

function planExisting(inputs: DomainInputs, observed: ObservedDomain): Plan<DomainAction> {
  const { rendered, owner, found, ownership, adoption, binding, bound, memory, object, limits } = inputs
  const unmarked = !limits.keepsMetadata
  // Without a record the newest difference is taken for what was just asked.
  const correct = corrects(inputs) || (unmarked && object.status?.observedGeneration !== object.metadata.generation)
  const next = nextDocument({ ...rendered!, owner, found: found!.inactive, spelling: memory.spelling, correct, unmarked })
  const foreign = ownership === 'Foreign' || ownership === 'Remade'
  // A name for a device of the host's is no change of the device.
  const altered = next.changes.filter(change => !change.path.endsWith('/alias'))
  if (foreign && adoption === 'IfUnchanged' && altered.length > 0) {
    return planOf({ reason: 'Conflict', message: `Domain ${binding.name} on the host differs from the spec and adoptionPolicy is IfUnchanged; it differs in ${differences(altered)}. Write these into the spec as they are, or set adoptionPolicy: Always to have them corrected.` })
  }
  const config: DomainAction[] = []
  const active = isActive(observed)
  const defines = next.differs || !observed.persistent
  const waiting = defines && (limits.redefines === 'Never' || (limits.redefines === 'WhileOff' && active))
  if (defines && !waiting) {
    const what = foreign ? `Adopted domain ${binding.name}.` : ownership === 'Rebuilt' ? `Took over domain ${binding.name} from a cluster that was rebuilt.` : !observed.persistent ? 'Made the transient domain persistent.' : next.changes.length === 0 ? 'Updated our record in the domain.' : `Redefined the domain: ${differences(next.changes)}.`
    const adopted = foreign && found!.live !== undefined ? altered.filter(change => waits(rendered!.wanted, change)).map(change => ({ path: specPath(change.path), current: shown(specPath(change.path), change.found), desired: shown(specPath(change.path), change.wanted), apply: 'ColdStart' as const })) : undefined
    config.push({ type: 'Defined', guarded: foreign || ownership === 'Rebuilt', xml: serializeXml(next.document), reason: inSpec(what, object), adopted })
  }
  config.push(...autostart(inputs, observed.autostart))
  const live = waiting ? unstaged(planLive(inputs, next, active), next, inputs) : planLive(inputs, next, active)
  const power = updated(powerOf(inputs, { ...observed, active, ending: isEnding(observed) }), inputs, live, observed)
  const drift = reports(inputs) ? [...next.drift.map(change => ({ path: specPath(change.path), expected: change.wanted, found: change.found })), ...live.drift, ...power.drift] : []
  const stands = standing(power, inputs)
  const fixed: Standing = { reason: 'Unsupported', message: `Hypervisor ${bound.name} (driver ${bound.host.facts?.driver}) cannot change the configuration of a domain that exists; it differs in ${inSpec(differences(next.changes), object)}. Write these as they are on the host, or delete the object and create it again.` }
  return planOf(waiting && limits.redefines === 'Never' && isSettled(stands) ? fixed : stands, {
    // What is drift is told by the record: where drift stays, the record may say "done" only once it is.
    actions: [...seedActions(inputs.seed), ...(correct ? [...config, ...live.actions] : [...live.actions, ...config]), ...power.actions],
    pending: live.pending,
    restartRequired: active && live.restartRequired,
    unsynced: live.unsynced,
    drift: [...new Map(drift.map(entry => [entry.path, { ...entry, path: inSpec(entry.path, object), expected: shown(entry.path, entry.expected), found: shown(entry.path, entry.found) }])).values()],
    ...agentOf(found?.live),
    verbs: [...unrecorded(inputs), ...power.verbs],
    requeueAfter: soonest(power.requeueAfter, live.requeueAfter),
  })
}

/** Verbs that were acted on and of which the status does not tell yet. */
const unrecorded = ({ memory, object }: DomainInputs): { name: string; token: string; outcome: string }[] =>
  Object.entries(memory.handled)
    .filter(([name, token]) => object.status?.actions?.find(action => action.name === name)?.token !== token)
    .map(([name, token]) => ({ name, token, outcome: name === 'restart' && memory.restarting ? RESTARTING : 'Done' }))

const soonest = (...times: (number | undefined)[]): number | undefined => {
  const known = times.filter(time => time !== undefined)
  return known.length === 0 ? undefined : Math.max(0, Math.min(...known))
}

interface LivePlan { actions: LiveAction[]; pending: PendingChange[]; restartRequired: boolean; unsynced?: string; drift: { path: string; expected?: string; found?: string }[]; requeueAfter?: number }

/** What the running guest takes now, what it has refused or cannot take, and what somebody else changed on it. */
function planLive(inputs: DomainInputs, next: NextDocument, active: boolean): LivePlan {
  const { rendered, found, memory, now, object } = inputs
  const plan: LivePlan = { actions: [], pending: [], restartRequired: false, drift: [] }
  if (!active || found?.live === undefined) return plan
  const live = found.live
  const started = appliedOf(live)
  const due: (number | undefined)[] = []
  const pending = unique([...pendingChanges(live, rendered!.record, started), ...memory.adopted]).map(change => ({ ...change, path: inSpec(change.path, object) }))
  const { updatePolicy, restartPolicy = 'Always' } = object.spec
  // A guest that powers itself off looks the same then: only where that, too, would start it again.
  const rebootEnds = pending.length > 0 && updatePolicy?.restart === 'OnGuestReboot' && restartPolicy === 'Always'
  const detaching = (alias: string): boolean => {
    const asked = memory.detaching.get(alias)
    if (asked === undefined) return false
    due.push(detachDue(asked) - now)
    return detachDue(asked) > now
  }
  for (const action of liveActions({ live, wanted: rendered!.wanted, next: next.document, started, applied: appliedOf(found.inactive), detaching, asked: memory.askedMemory, rebootEnds }).map(found => ({ ...found, path: inSpec(found.path, object), reason: inSpec(found.reason, object) }))) {
    const refused = memory.refusedLive.get(action.reason)
    if (refused !== undefined && (refused.again === undefined || refused.again > now)) {
      const { again, ...change } = refused
      pending.push(change)
      due.push(again === undefined ? undefined : again - now)
    } else if (corrects(inputs) || next.asked(documentPath(action)) || isOurs(action, object)) plan.actions.push(action)
    else plan.drift.push({ path: action.path, expected: action.expected, found: action.found })
  }
  plan.pending = unique(pending)
  plan.restartRequired = plan.pending.some(change => !followsUnset(change.path, inputs))
  const balloon = balloonOf({ live, wanted: rendered!.wanted, asked: memory.askedMemory, now })
  // The process before this one may have said so already of this run of the guest. A new run has its own minute: what was staged for it stands in the status until it is seen.
  const told = isRunOfStatus(inputs) ? object.status?.pendingChanges : undefined
  if (balloon !== undefined && (balloon.left === 0 || told?.some(({ path, desired }) => path === 'memory' && desired === balloon.change.desired))) {
    // A restart is asked of nobody: where the driver is missing, the guest would be restarted for ever.
    plan.pending = unique([...plan.pending, balloon.change])
    plan.unsynced = balloon.message
  } else due.push(balloon?.left)
  plan.requeueAfter = soonest(...due)
  return plan
}

/** What waits where the configuration cannot be changed now: for the guest to be off, or, where it never can be, nothing. */
function unstaged(live: LivePlan, next: NextDocument, { limits, object }: DomainInputs): LivePlan {
  if (limits.redefines === 'Never') return { ...live, pending: [], restartRequired: false }
  const staged = next.changes.map(change => {
    const path = specPath(change.path)
    return { path: inSpec(path, object), current: shown(path, change.found), desired: shown(path, change.wanted), apply: 'ColdStart' as const }
  })
  return { ...live, pending: unique([...live.pending, ...staged]), restartRequired: true }
}

/** Where a live change stands in the document: to tell whether it was asked for. */
function documentPath(action: LiveAction): string {
  switch (action.type) {
    case 'MemorySet': return 'currentMemory'
    case 'VcpusSet': return 'vcpu'
    case 'TitleSet': return 'title'
    case 'DescriptionSet': return 'description'
    case 'LifecycleSet': return LIFECYCLE[action.event]![0]
    default: {
      const kind = /^<(\w+)/.exec(action.xml)?.[1]
      const label = /<alias name="([^"]+)"/.exec(action.xml)?.[1] ?? /<target dev="([^"]+)"/.exec(action.xml)?.[1] ?? ''
      return `devices/${kind}[${label}]${action.type === 'DeviceUpdated' && kind === 'interface' ? (action.path.endsWith('.linkState') ? '/link' : '/source') : action.type === 'DeviceUpdated' && kind === 'disk' ? '/source' : ''}`
    }
  }
}

/** Changes that no field of the spec stands for, or whose value no record holds: nobody else's doing is repaired by them. */
const isOurs = (action: LiveAction, { spec }: VirtualDomain): boolean =>
  action.path === 'cloudInit' || action.path.endsWith('.passwordSecretRef') || (action.type === 'LifecycleSet' && (action.armed || (action.path === 'lifecycle.onReboot' && action.found === 'destroy' && spec.updatePolicy?.restart !== undefined)))

/** Restarts a guest for what is staged, where updatePolicy says so. */
function updated(power: PowerPlan, inputs: DomainInputs, live: LivePlan, observed: ObservedDomain): PowerPlan {
  const { object, gracePeriod } = inputs
  const wanted = object.spec.updatePolicy?.restart === 'WhenRequired' && live.restartRequired && live.actions.length === 0
  if (!wanted || observed.state !== DomainState.Running || power.actions.length > 0 || power.standing.reason !== 'Available' || object.spec.powerState === 'Unmanaged') return power
  return { ...askToEnd({ ...observed, gracePeriod }, `to restart it for ${live.pending.map(change => change.path).slice(0, 8).join(', ')}, as updatePolicy.restart: WhenRequired says`), verbs: power.verbs }
}

function standing(power: PowerPlan, { memory }: DomainInputs): Standing {
  if (!isSettled(power.standing) || memory.detaching.size === 0) return power.standing
  const devices = [...memory.detaching].map(([alias, { times, refused }]) => {
    const kind = /^ua-([a-z]+)-/.exec(alias)?.[1] ?? 'disk'
    return `${specPath(`devices/${kind}[${alias}]`)}${refused ? ' (it refused)' : ''}${times > 1 ? `, asked ${times} times` : ''}`
  })
  return { reason: 'Updating', message: `Waiting for the guest to let go of ${devices.join('; ')}. It is asked again; a cold start (annotation vireo.dev/restart) removes it for certain.` }
}

/** A maximum that nobody set follows its value: it is staged, but no restart is asked for it unless the value needs it. */
function followsUnset(path: string, { object: { spec }, found }: DomainInputs): boolean {
  const live = found!.live
  if (path === 'maxMemory') return spec.maxMemory === undefined && memoryKiB(spec) <= Number(textOf(childOf(live, 'memory')))
  if (path === 'maxCpus') return spec.maxCpus === undefined && cpusOf(spec) <= Number(textOf(childOf(live, 'vcpu')))
  return false
}

const unique = (pending: PendingChange[]): PendingChange[] => [...new Map(pending.map(change => [change.path, change])).values()]

function planEnd(inputs: DomainInputs): Plan<DomainAction> {
  const { observed, ownership, object, binding, bound, found, seed } = inputs
  const seeds = seedActions(seed)
  const deleting = (message: string): Standing => ({ reason: 'Deleting', message })
  if (observed === undefined) {
    if (seeds.length > 0) return planOf(deleting('Removing the cloud-init seed.'), { actions: seeds })
    if (!inputs.verified) return planOf(deleting('Making sure that the domain is gone.'), { actions: [{ type: 'LookedUp', reason: `Asked Hypervisor ${bound.name} whether domain ${binding.name} is gone.` }] })
    return planOf(deleting(`Domain ${binding.name} is gone from Hypervisor ${bound.name}.`), { gone: true })
  }
  const mine = ownership === 'Ours' || ownership === 'Rebuilt'
  if (!mine || object.spec.managementPolicy === 'ObserveOnly' || inputs.retainAll) return planOf(deleting(`Domain ${binding.name} stays on Hypervisor ${bound.name}, untouched.`), { gone: true })
  const policy = deletionPolicyOf(object.spec, binding.origin)
  if (policy === 'Retain') {
    if (!inputs.limits.keepsMetadata) return planOf(deleting(`Domain ${binding.name} stays on Hypervisor ${bound.name} (deletionPolicy: Retain).`), { gone: true })
    return planOf(deleting(`Domain ${binding.name} stays on Hypervisor ${bound.name} (deletionPolicy: Retain).`), { actions: [{ type: 'Released', xml: serializeXml(released(found!.inactive)), reason: `Marked domain ${binding.name} as released; it stays on the host.` }] })
  }
  const [active, ending] = [isActive(observed), isEnding(observed)]
  if (active || ending) {
    const power = powerOf(inputs, { ...observed, active, ending })
    return planOf(power.standing, { actions: power.actions, requeueAfter: power.requeueAfter })
  }
  return planOf(deleting('Removing the domain.'), { actions: [{ type: 'Undefined', guarded: true, reason: `Undefined domain ${binding.name} on Hypervisor ${bound.name}.` }] })
}
