// Finds the host an object belongs to and the objects it refers to, or says in a sentence what is missing.

import { findCondition } from '../controller/conditions.ts'
import { hasFinalizer } from '../controller/finalizers.ts'
import type { Hypervisor } from '../crds/hypervisor.ts'
import type { StoragePool } from '../crds/storagepool.ts'
import type { StorageVolume } from '../crds/storagevolume.ts'
import type { VirtualDomain } from '../crds/virtualdomain.ts'
import type { VirtualNetwork } from '../crds/virtualnetwork.ts'
import type { Host } from '../observed/host.ts'
import { finalizer } from '../crds/names.ts'
import type { Binding } from '../crds/common.ts'
import { uuidOf } from './defaults.ts'
import { computedUUID } from './identity.ts'
import { type Grant, type Place, type LabelSelector, grantFor, selects } from './policy.ts'
import { Refusal } from './plan.ts'
import { type HostObject, type HostObjectKind, type World, call } from './world.ts'

export interface Ref { name: string; namespace?: string }

/** A connected hypervisor and what the object's namespace may use of it. */
export interface BoundHost { name: string; hypervisor: Hypervisor; host: Host; grant: Grant }

/** An unreachable host is reported on its objects only after this long: a flapping one must not write a status for each. */
export const UNREACHABLE_AFTER = 40_000

/** An absence that the host itself confirmed so recently (ms) holds: what was just removed need not be looked up again. */
const PROOF = 60_000

/** True where the host was asked for the object lately: that the mirror lacks it is then libvirt's own answer. */
export const isProven = (world: World, host: Host, id: string): boolean => host.readSince(id, world.clock.now() - PROOF)

type Referable = 'StoragePool' | 'StorageVolume' | 'VirtualNetwork'
interface ObjectOf { StoragePool: StoragePool; StorageVolume: StorageVolume; VirtualNetwork: VirtualNetwork }

/** What is not known of a namespace yet opens nothing. Throws WaitingForReference until its labels are. */
function labelsOf(world: World, namespace: string): Record<string, string> {
  const known = world.namespaces.get(undefined, namespace)
  if (known === undefined) throw new Refusal('WaitingForReference', `Waiting for namespace ${namespace} to be seen: its labels decide what it may use.`)
  return { 'kubernetes.io/metadata.name': namespace, ...known.metadata.labels }
}

const selectsAll = ({ matchLabels = {}, matchExpressions = [] }: LabelSelector): boolean => Object.keys(matchLabels).length + matchExpressions.length === 0

/** The object a field refers to. Throws WaitingForReference or Forbidden, naming it. `field` is the spec's path. */
export function resolve<K extends Referable>(world: World, from: HostObject, kind: K, ref: Ref, field: string): ObjectOf[K] {
  const own = from.metadata.namespace!
  const namespace = ref.namespace ?? own
  const target = world.mirrors[kind].get(namespace, ref.name) as ObjectOf[K] | undefined
  const name = call(kind, namespace, ref.name, own)
  if (namespace !== own) {
    // An object that is not there and one that is not exported answer alike: a tenant learns nothing of its neighbour.
    const labels = labelsOf(world, own)
    const exported = target?.spec.export?.namespaceSelector
    if (exported === undefined || !selects(exported, labels)) {
      throw new Refusal('Forbidden', `${field}: ${name} is not exported to namespace ${own}, or does not exist. Its owner can set spec.export.namespaceSelector so that it selects this namespace.`)
    }
  }
  if (target === undefined) throw new Refusal('WaitingForReference', `${field}: waiting for ${name}, which does not exist.`)
  if (target.metadata.deletionTimestamp !== undefined && from.metadata.deletionTimestamp === undefined) {
    throw new Refusal('WaitingForReference', `${field}: waiting, for ${name} is being deleted. Refer to another one, or wait until it is made again.`)
  }
  return target
}

/** Throws WaitingForReference unless the object a field refers to is Ready. */
export function requireReady(target: { kind: string; metadata: { namespace?: string; name: string; generation?: number }; status?: { conditions?: { type: string; status: string; message: string }[] } }, field: string, from: string): void {
  const ready = findCondition(target.status?.conditions, 'Ready')
  if (ready?.status === 'True') return
  // What it waits for itself stands in its own condition; why it can't go on is worth repeating.
  const stalled = target.status?.conditions?.some(condition => condition.type === 'Stalled' && condition.status === 'True')
  const why = stalled && ready?.message ? `: ${ready.message}` : ' yet.'
  throw new Refusal('WaitingForReference', `${field}: waiting for ${call(target.kind, target.metadata.namespace, target.metadata.name, from)}, which is not ready${why}`)
}

/** Names every object of ours that the spec refers to, with the field. */
export function referencesOf(object: HostObject): { kind: Referable; ref: Ref; field: string }[] {
  switch (object.kind) {
    case 'StorageVolume': {
      const { spec } = object as StorageVolume
      const list: { kind: Referable; ref: Ref; field: string }[] = [{ kind: 'StoragePool', ref: spec.poolRef, field: 'spec.poolRef' }]
      if (spec.backingStore) list.push({ kind: 'StorageVolume', ref: spec.backingStore.volumeRef, field: 'spec.backingStore.volumeRef' })
      if (spec.source?.clone) list.push({ kind: 'StorageVolume', ref: spec.source.clone.volumeRef, field: 'spec.source.clone.volumeRef' })
      return list
    }
    case 'VirtualDomain': {
      const { spec } = object as VirtualDomain
      const list: { kind: Referable; ref: Ref; field: string }[] = []
      for (const disk of spec.disks ?? []) if (disk.volumeRef) list.push({ kind: 'StorageVolume', ref: disk.volumeRef, field: `spec.disks[${disk.name}].volumeRef` })
      for (const nic of spec.interfaces ?? []) if (nic.networkRef) list.push({ kind: 'VirtualNetwork', ref: nic.networkRef, field: `spec.interfaces[${nic.name}].networkRef` })
      for (const part of ['kernel', 'initrd'] as const) {
        const ref = spec.os?.kernelBoot?.[part]?.volumeRef
        if (ref) list.push({ kind: 'StorageVolume', ref, field: `spec.os.kernelBoot.${part}.volumeRef` })
      }
      if (spec.cloudInit?.poolRef) list.push({ kind: 'StoragePool', ref: spec.cloudInit.poolRef, field: 'spec.cloudInit.poolRef' })
      return list
    }
    default: return []
  }
}

/** What an object is entered under in the index `refs` of its mirror, for each object that it refers to. */
export const refKey = (kind: string, namespace: string | undefined, name: string): string => `${kind}/${namespace ?? ''}/${name}`
export const refKeys = (object: HostObject): string[] => referencesOf(object).map(({ kind, ref }) => refKey(kind, ref.namespace ?? object.metadata.namespace, ref.name))

/** Something may have been made for the object: its finalizer is written before the first create. */
export const isBegun = (object: HostObject): boolean => hasFinalizer(object, finalizer)

/** The default Hypervisor: of two, the older serves; one that is being deleted does only where `evenTerminating` and no other can. */
export function defaultHypervisor(world: World, evenTerminating = false): Hypervisor | undefined {
  const going = (hypervisor: Hypervisor): number => Number(hypervisor.metadata.deletionTimestamp !== undefined)
  return world.mirrors.Hypervisor.list()
    .filter(hypervisor => hypervisor.spec.default === true && (evenTerminating || !going(hypervisor)))
    .toSorted((a, b) => going(a) - going(b) || (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? '') || a.metadata.name.localeCompare(b.metadata.name))[0]
}

/** The name of the host an object belongs to, by binding, reference, the objects referred to, where its UUID is found, or default. */
export function hypervisorNameOf(world: World, object: HostObject, uuid?: string, depth = 0): string | undefined {
  const bound = object.status?.binding?.hypervisor
  if (bound !== undefined) return bound
  if (object.kind !== 'StorageVolume') {
    const named = (object as StoragePool).spec.hypervisorRef?.name
    if (named !== undefined) return named
  }
  if (depth < 3) {
    for (const { kind, ref } of referencesOf(object)) {
      const target = world.mirrors[kind].get(ref.namespace ?? object.metadata.namespace, ref.name)
      const name = target && hypervisorNameOf(world, target, undefined, depth + 1)
      if (name !== undefined) return name
    }
  }
  if (object.kind === 'StorageVolume') return undefined
  // What was begun there is taken away there, even while the Hypervisor is being deleted: it stays for that.
  const standard = defaultHypervisor(world, isBegun(object))?.metadata.name
  if (uuid !== undefined) {
    const has = ({ mirror }: Host): boolean => (mirror.domain(uuid) ?? mirror.network(uuid) ?? mirror.pool(uuid)) !== undefined
    // Two Hypervisors may lead to one host: the default is asked first.
    const serving = standard === undefined ? undefined : world.host(standard)
    if (serving !== undefined && has(serving)) return standard
    for (const [name, host] of world.hosts()) if (has(host)) return name
  }
  return standard
}

/**
 * A host that is being read for the first time may hold what an object without a host had before its cluster was rebuilt: the default
 * takes it only when every host has been asked that can be. Answers the name of one that has not.
 */
function unasked(world: World, object: HostObject, chosen: string, uuid: string | undefined): string | undefined {
  const named = object.status?.binding !== undefined || (object as StoragePool).spec.hypervisorRef !== undefined || object.kind === 'StorageVolume'
  if (named || uuid === undefined || referencesOf(object).length > 0) return undefined
  const { mirror } = world.host(chosen) ?? {}
  if (mirror?.domain(uuid) ?? mirror?.network(uuid) ?? mirror?.pool(uuid)) return undefined
  return world.mirrors.Hypervisor.list().map(hypervisor => hypervisor.metadata.name).find(name => {
    const state = world.host(name)?.state
    return name !== chosen && (state === undefined || state === 'Connecting' || state === 'Authenticating' || state === 'Opening' || state === 'Draining')
  })
}

/**
 * The object as its kind is to see it: on a Hypervisor that is only observed, every object is. What is written to the API
 * stays the object itself.
 */
export function asManaged<O extends HostObject>(world: World, object: O): O {
  if (object.spec.managementPolicy === 'ObserveOnly') return object
  const name = hypervisorNameOf(world, object, uuidOf(world, object))
  const observed = name !== undefined && world.mirrors.Hypervisor.get(undefined, name)?.spec.managementPolicy === 'ObserveOnly'
  return observed ? { ...object, spec: { ...object.spec, managementPolicy: 'ObserveOnly' } } : object
}

/**
 * The other object to which what has the UUID on a host belongs: the one whose computed UUID it is, else the one that was
 * bound to it first. What vireo made or took over for one object is not foreign to the others.
 */
export function holderOf(world: World, object: HostObject, uuid: string): HostObject | undefined {
  const rank = ({ kind, metadata: { namespace, name }, status }: HostObject): number => {
    const bound = status?.binding !== undefined && status.binding.origin !== 'Observed'
    if (bound && (status.binding as Binding).uuid !== uuid) return 0
    return computedUUID(world.installation, kind, namespace!, name) === uuid ? 2 : bound ? 1 : 0
  }
  const age = ({ metadata: { creationTimestamp = '', uid } }: HostObject): string => `${creationTimestamp} ${uid}`
  const others: HostObject[] = world.mirrors[object.kind as HostObjectKind].list()
  return others.find(other => {
    const held = other.metadata.uid === object.metadata.uid ? 0 : rank(other)
    return held > 0 && (held > rank(object) || (held === rank(object) && age(other) < age(object)))
  })
}

/** The grant foreignObjects opens what is no object's; of another namespace's object nothing is looked at. Throws Forbidden. */
export function requireForeign(world: World, object: HostObject, uuid: string, what: string, hypervisor: string): void {
  const holder = holderOf(world, object, uuid)
  if (holder !== undefined && holder.metadata.namespace !== object.metadata.namespace) throw notForeign(what, hypervisor)
}
export const notForeign = (what: string, hypervisor: string): Refusal =>
  new Refusal('Forbidden', `${what} on Hypervisor ${hypervisor} belongs to an object of another namespace: policy.foreignObjects opens only what is no object's. Ask its owner to set spec.export where it has one, and refer to that object.`)

/** Whose it is, as a sentence's part for a reader of the namespace. */
export const holderCalled = (holder: HostObject, namespace: string): string =>
  holder.metadata.namespace === namespace ? `${holder.kind} ${holder.metadata.name}` : 'an object of another namespace'

/** Every pool of a host: those that it has, and those that were there and are gone while what lies in them may be not. */
function * placesOn(world: World, hypervisor: string, { mirror }: Host): Generator<Place> {
  for (const { ref, path } of mirror.pools()) if (path !== undefined) yield { name: ref.name, uuid: ref.uuid, path }
  for (const { status } of world.mirrors.StoragePool.list()) {
    if (status?.path && status.binding?.hypervisor === hypervisor) yield { name: status.binding.name, uuid: status.binding.uuid, path: status.path }
  }
}

/** Throws Forbidden where a Hypervisor's policy does not select the namespace, WaitingForReference while that is not known. */
function requireSelected(world: World, hypervisor: Hypervisor, namespace: string): void {
  const selector = hypervisor.spec.policy?.namespaceSelector
  if (selector === undefined || selectsAll(selector) || selects(selector, labelsOf(world, namespace))) return
  throw new Refusal('Forbidden', `Namespace ${namespace} may not use Hypervisor ${hypervisor.metadata.name}: its policy.namespaceSelector does not select the namespace. Ask for a label that it selects, or use another Hypervisor.`)
}

/** The connected host of an object. Throws WaitingForHypervisor, HypervisorUnreachable, HostChanged or Forbidden. */
export function boundHost(world: World, object: HostObject, uuid?: string): BoundHost {
  const name = hypervisorNameOf(world, object, uuid)
  if (name === undefined) {
    throw new Refusal('WaitingForHypervisor', object.kind === 'StorageVolume'
      ? 'Waiting for the pool of spec.poolRef to have a Hypervisor.'
      : 'No Hypervisor is named by spec.hypervisorRef and none is marked default: create one, or set spec.default: true on one.')
  }
  const hypervisor = world.mirrors.Hypervisor.get(undefined, name)
  if (hypervisor === undefined) throw new Refusal('WaitingForHypervisor', `Waiting for Hypervisor ${name}, which does not exist.`)
  if (hypervisor.metadata.deletionTimestamp !== undefined && object.status?.binding === undefined && !isBegun(object)) {
    throw new Refusal('WaitingForHypervisor', `Waiting, for Hypervisor ${name} is being deleted. Refer to another one, or wait until it is made again.`)
  }
  // What was made while the namespace was selected can still be taken away.
  if (object.metadata.deletionTimestamp === undefined || object.status?.binding === undefined) requireSelected(world, hypervisor, object.metadata.namespace!)
  const host = world.host(name)
  if (host?.state !== 'Open') {
    const unknownFor = host === undefined ? 0 : world.clock.now() - host.since
    if (host?.state === 'HostChanged') throw new Refusal('HostChanged', `Hypervisor ${name}: ${host.error?.message ?? 'another host answers'}`)
    const why = host?.error ? ` (${host.error.message})` : ''
    if (object.status?.binding !== undefined && unknownFor >= UNREACHABLE_AFTER) {
      throw new Refusal('HypervisorUnreachable', `Hypervisor ${name} has not been reachable for ${UNREACHABLE_AFTER / 1000} s or more${why}: the object's state is not known, and nothing is changed until it is back.`)
    }
    // Nothing announces that the time is over after which the object says so.
    throw new Refusal('WaitingForHypervisor', `Waiting for the connection to Hypervisor ${name}${why}.`, object.status?.binding === undefined ? undefined : UNREACHABLE_AFTER - unknownFor + 100)
  }
  const waiting = unasked(world, object, name, uuid)
  if (waiting !== undefined) throw new Refusal('WaitingForHypervisor', `Waiting for the first look at Hypervisor ${waiting}: the object may have been there before, and Hypervisor ${name} takes it only if it was not. Name one in spec.hypervisorRef to go on at once.`)
  return { name, hypervisor, host, grant: grantFor(hypervisor, object.metadata.namespace!, () => placesOn(world, name, host)) }
}

/** Throws Invalid where a referenced object lives on another host. */
export function requireSameHost(world: World, object: HostObject, target: HostObject, host: string, field: string): void {
  const other = hypervisorNameOf(world, target)
  if (other === undefined || other === host) return
  throw new Refusal('Invalid', `${field}: ${call(target.kind, target.metadata.namespace, target.metadata.name, object.metadata.namespace)} is on Hypervisor ${other}, this object on ${host}. An object can only use what is on its own host.`)
}
