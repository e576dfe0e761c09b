// Plans a domain: config (the next document), live changes, power and the end. Pure: the same inputs give the same plan.

import { ErrorNumber } from '../../drivers/errors.ts'
import { type ObservedDomain, isActive } from '../../observed/objects.ts'
import { type XmlElement, childOf, serializeXml, textOf } from '../../xml/tree.ts'
import { type Owner, type Ownership } from '../identity.ts'
import { type Inputs } from '../kind.ts'
import { type Action, type PendingChange, type Plan, type Standing, isSettled, planOf } from '../plan.ts'
import { type VirtualDomain } from '../../crds/virtualdomain.ts'
import { appliedOf, nextDocument, released } from './document.ts'
import { type LiveAction, liveActions, pendingChanges } from './live.ts'
import { specPath } from './paths.ts'
import { type PowerAction, type PowerMemory, type PowerPlan, powerPlan } from './power.ts'
import { type SeedInput, type SeedAction, seedActions } from './seed.ts'
import { cpusOf, memoryKiB } from './render.ts'

/** An address that a network's DHCP server leased. */
export interface LeasedAddress { ipaddr: string; prefix: number }

export type DomainAction =
  | (Action & { type: 'Defined'; xml: string; guarded: boolean })
  | (Action & { type: 'AutostartSet'; enabled: boolean })
  | (Action & { type: 'Undefined'; guarded: true })
  | (Action & { type: 'Released'; xml: string })
  | SeedAction | LiveAction | PowerAction

/** What the process remembers of a domain between two reconciles. */
export interface DomainMemory extends PowerMemory {
  /** Paths whose value the host spells otherwise than we do, learnt by reading back right after a define. */
  accepted: Map<string, string>
  /** Devices that the guest was asked to let go of. */
  detaching: Set<string>
  askedMemory?: number
  /** Live changes that this guest or its driver refused: they wait for a cold start. By reason sentence. */
  refusedLive: Map<string, string>
  /** The running id that detaching, askedMemory and refusedLive belong to. */
  id?: number
}

export interface DomainInputs extends Inputs<VirtualDomain> {
  owner: Owner
  ownership: Ownership
  /** A foreign domain may be taken: never, if nothing would change, or in any case. */
  adoption: 'Never' | 'IfUnchanged' | 'Always'
  observed?: ObservedDomain
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
  /** Addresses leased to a MAC address. */
  leases(mac: string): LeasedAddress[]
}

/** Live changes that a host refuses with these codes are staged; any other refusal is an error to show. */
export const STAGES_LIVE = new Set<number>([ErrorNumber.NO_SUPPORT, ErrorNumber.OPERATION_UNSUPPORTED, ErrorNumber.CONFIG_UNSUPPORTED, ErrorNumber.OPERATION_INVALID])

const origin = (inputs: DomainInputs): string | undefined => inputs.object.status?.binding?.origin

export function planDomain(inputs: DomainInputs): Plan<DomainAction> {
  if (inputs.terminating) return planEnd(inputs)
  const { object, observed } = inputs
  if (object.spec.managementPolicy === 'ObserveOnly') return planObserve(inputs)
  if (observed === undefined) {
    if (object.status?.binding !== undefined) {
      return planOf({ reason: 'Lost', message: `Domain ${inputs.binding.name} was on Hypervisor ${inputs.bound.name} and is no longer defined there: it was undefined, migrated away, or the host was made anew. Nothing is created in its place. If it is gone for good, delete this object (its volumes keep their own objects) and create it again.` })
    }
    return planCreation(inputs)
  }
  return planExisting(inputs, observed)
}

function planObserve({ observed, bound, binding }: DomainInputs): Plan<DomainAction> {
  if (observed === undefined) return planOf({ reason: 'NotFound', message: `There is no domain ${binding.name} on Hypervisor ${bound.name} to observe.` })
  return planOf({ reason: 'Observed', message: 'Observed only; nothing is changed (managementPolicy: ObserveOnly).' })
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

function powerOf(inputs: DomainInputs, state: Pick<ObservedDomain, 'state' | 'reason'> & { active: boolean }): PowerPlan {
  const { object, memory, now, verbs, terminating, gracePeriod } = inputs
  const { spec } = object
  return powerPlan({
    ...state,
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

const corrects = ({ object }: DomainInputs): boolean => (object.spec.driftPolicy?.action ?? 'Correct') === 'Correct'
const reports = ({ object }: DomainInputs): boolean => (object.spec.driftPolicy?.action ?? 'Correct') !== 'Ignore'

function planExisting(inputs: DomainInputs, observed: ObservedDomain): Plan<DomainAction> {
  const { rendered, owner, found, ownership, adoption, binding } = inputs
  const correct = corrects(inputs)
  const next = nextDocument({ ...rendered!, owner, found: found!.inactive, accepted: inputs.memory.accepted, correct })
  const foreign = ownership === 'Foreign' || ownership === 'Remade'
  if (foreign && adoption === 'IfUnchanged' && next.changes.length > 0) {
    return planOf({ reason: 'Conflict', message: `Domain ${binding.name} on the host differs from the spec and adoptionPolicy is IfUnchanged; it differs in ${[...new Set(next.changes.map(change => specPath(change.path)))].slice(0, 8).join(', ')}. Write these into the spec as they are, or set adoptionPolicy: Always to have them corrected.` })
  }
  const actions: DomainAction[] = [...seedActions(inputs.seed)]
  if (next.differs || !observed.persistent) {
    const paths = [...new Set(next.changes.map(change => specPath(change.path)))]
    const what = foreign ? `Adopted domain ${binding.name}.` : ownership === 'Rebuilt' ? `Took over domain ${binding.name} from a cluster that was rebuilt.` : !observed.persistent ? 'Made the transient domain persistent.' : paths.length === 0 ? 'Updated our record in the domain.' : `Redefined the domain: ${paths.slice(0, 8).join(', ')}.`
    actions.push({ type: 'Defined', guarded: foreign || ownership === 'Rebuilt', xml: serializeXml(next.document), reason: what })
  }
  actions.push(...autostart(inputs, observed.autostart))
  const active = isActive(observed)
  const pending: PendingChange[] = []
  if (active && found?.live !== undefined) {
    const started = appliedOf(found.live)
    const live = { live: found.live, wanted: rendered!.wanted, started }
    for (const action of liveActions({ ...live, detaching: inputs.memory.detaching, askedMemory: inputs.memory.askedMemory })) {
      const refused = inputs.memory.refusedLive.get(action.reason)
      if (refused === undefined) actions.push(action)
      else pending.push({ path: refused, apply: 'ColdStart' })
    }
    pending.push(...pendingChanges(found.live, rendered!.record, started))
  }
  const power = powerOf(inputs, { ...observed, active })
  const drift = reports(inputs) ? [...next.drift.map(change => ({ path: specPath(change.path), expected: change.wanted, found: change.found })), ...power.drift] : []
  return planOf(standing(power, inputs), {
    actions: [...actions, ...power.actions],
    pending: unique(pending),
    restartRequired: active && pending.some(change => !followsUnset(change.path, inputs)),
    drift: [...new Map(drift.map(entry => [entry.path, entry])).values()],
    verbs: power.verbs,
    requeueAfter: power.requeueAfter,
  })
}

function standing(power: PowerPlan, inputs: DomainInputs): Standing {
  if (!isSettled(power.standing) || inputs.memory.detaching.size === 0) return power.standing
  return { reason: 'Updating', message: `Waiting for the guest to let go of ${[...inputs.memory.detaching].map(alias => specPath(`devices/${alias.startsWith('ua-interface') ? 'interface' : 'disk'}[${alias}]`)).join(', ')}.` }
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
    return seeds.length > 0 ? planOf(deleting('Removing the cloud-init seed.'), { actions: seeds }) : planOf(deleting(`Domain ${binding.name} is gone from Hypervisor ${bound.name}.`), { gone: true })
  }
  const mine = ownership === 'Ours' || ownership === 'Rebuilt'
  if (!mine || object.spec.managementPolicy === 'ObserveOnly' || inputs.retainAll) return planOf(deleting(`Domain ${binding.name} stays on Hypervisor ${bound.name}, untouched.`), { gone: true })
  const policy = object.spec.deletionPolicy ?? (origin(inputs) === 'Adopted' ? 'Retain' : 'Delete')
  if (policy === 'Retain') {
    return planOf(deleting(`Domain ${binding.name} stays on Hypervisor ${bound.name} (deletionPolicy: Retain).`), { actions: [{ type: 'Released', xml: serializeXml(released(found!.inactive)), reason: `Marked domain ${binding.name} as released; it stays on the host.` }] })
  }
  if (isActive(observed)) {
    const power = powerOf(inputs, { ...observed, active: true })
    return planOf(power.standing, { actions: power.actions, requeueAfter: power.requeueAfter })
  }
  return planOf(deleting('Removing the domain.'), { actions: [{ type: 'Undefined', guarded: true, reason: `Undefined domain ${binding.name} on Hypervisor ${bound.name}.` }] })
}
