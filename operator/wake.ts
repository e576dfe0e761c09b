// From changes to keys: which objects a change of the API, of a host or of a lease concerns. Never polls.

import { uuidOf } from '../reconcilers/defaults.ts'
import { findCondition } from '../controller/conditions.ts'
import type { Change } from '../controller/mirror.ts'
import type { WorkQueue } from '../controller/workqueue.ts'
import type { ObservedChange } from '../observed/mirror.ts'
import type { HostState } from '../observed/state.ts'
import { type ObservedDomain, type ObservedPool, type ObservedVolume, isActive } from '../observed/objects.ts'
import { annotations } from '../crds/names.ts'
import type { VirtualDomainSpec } from '../crds/virtualdomain.ts'
import { computedMac, libvirtName } from '../reconcilers/identity.ts'
import { UNREACHABLE_AFTER, hypervisorNameOf, refKey, refKeys, referencesOf } from '../reconcilers/references.ts'
import { type HostObject, type HostObjectKind, type KindName, type World, keyOf } from '../reconcilers/world.ts'
import { CONTROLLER_NAMESPACE, secretsOf } from './credentials.ts'

const HOST_KINDS = ['StoragePool', 'StorageVolume', 'VirtualNetwork', 'VirtualDomain'] as const

/** Adds the indexes that waking asks; call before the mirrors are filled. `namespace` is where the Secrets of Hypervisors lie. */
export function addIndexes(world: World, namespace = CONTROLLER_NAMESPACE): void {
  world.mirrors.Hypervisor.addIndex('data', object => secretsOf(object, namespace))
  for (const kind of HOST_KINDS) {
    const mirror = world.mirrors[kind] as { addIndex(name: string, values: (object: HostObject) => string[]): void }
    mirror.addIndex('refs', refKeys)
    mirror.addIndex('hypervisor', object => [hypervisorOf(object)])
    mirror.addIndex('uuid', object => uuidsOf(world, kind, object))
    mirror.addIndex('name', namesOf)
    mirror.addIndex('data', dataOf)
    mirror.addIndex('terminating', object => (object.metadata.deletionTimestamp === undefined ? [] : ['yes']))
  }
  world.mirrors.StorageVolume.addIndex('path', ({ status }) => (status?.path === undefined ? [] : [status.path]))
  world.mirrors.VirtualDomain.addIndex('mac', object => (object.spec.interfaces ?? []).flatMap(nic => {
    const uuid = object.status?.binding?.uuid
    const mac = nic.mac ?? (uuid === undefined ? undefined : computedMac(uuid, nic.name))
    return mac === undefined ? [] : [mac.toLowerCase()]
  }))
}

/** Bound, else as named: unnamed ones are found under '' by whoever looks for those that wait for a default. */
const hypervisorOf = (object: HostObject): string =>
  object.status?.binding?.hypervisor ?? (object.spec as { hypervisorRef?: { name: string } }).hypervisorRef?.name ?? ''

/** The bound name, else each that it may get: which of them depends on the Hypervisor's nameFormat. */
function namesOf({ metadata: { name, namespace }, spec, status }: HostObject): string[] {
  const known = status?.binding?.name ?? (spec as { name?: string }).name
  return known === undefined ? [name, libvirtName('NamespaceName', namespace!, name)] : [known]
}

function uuidsOf(world: World, kind: HostObjectKind, object: HostObject): string[] {
  return kind === 'StorageVolume' ? [] : [uuidOf(world, object)]
}

/** Secrets and ConfigMaps an object names: `Secret/namespace/name`. */
export function dataOf(object: HostObject): string[] {
  if (object.kind !== 'VirtualDomain') return []
  const { namespace } = object.metadata
  const names: string[] = []
  const { graphics, cloudInit } = object.spec as VirtualDomainSpec
  for (const display of graphics ?? []) {
    const ref = (display.vnc ?? display.spice)?.passwordSecretRef
    if (ref !== undefined) names.push(`Secret/${namespace}/${ref.name}`)
  }
  for (const text of [cloudInit?.userData, cloudInit?.networkData, cloudInit?.metaData]) {
    if (text?.secretRef !== undefined) names.push(`Secret/${namespace}/${text.secretRef.name}`)
    if (text?.configMapRef !== undefined) names.push(`ConfigMap/${namespace}/${text.configMapRef.name}`)
  }
  return names
}

export class Wake {
  readonly #world: World
  readonly #queue: Pick<WorkQueue, 'add' | 'addAfter'>

  constructor(world: World, queue: Pick<WorkQueue, 'add' | 'addAfter'>) {
    this.#world = world
    this.#queue = queue
  }

  #mirror(kind: HostObjectKind): { by(index: string, value: string): HostObject[]; list(): HostObject[] } {
    return this.#world.mirrors[kind]
  }
  #add(object: HostObject | undefined): void {
    if (object !== undefined) this.#queue.add(keyOf(object))
  }
  #allBy(index: string, value: string, kinds: readonly HostObjectKind[] = HOST_KINDS): void {
    for (const kind of kinds) for (const object of this.#mirror(kind).by(index, value)) this.#add(object)
  }

  /** Those of them that live on this host, or may come to. */
  #allOn(hypervisor: string, index: string, value: string, kinds: readonly HostObjectKind[]): void {
    for (const kind of kinds) for (const object of this.#found(hypervisor, kind, index, value)) this.#add(object)
  }
  #found(hypervisor: string, kind: HostObjectKind, index: string, value: string): HostObject[] {
    return this.#mirror(kind).by(index, value).filter(object => [hypervisor, ''].includes(hypervisorOf(object)))
  }

  /** An object of ours changed in the API: itself, and those that refer to it or wait for it to go. */
  object(kind: KindName, change: Change<HostObject & { spec: object }>): void {
    const { object, old } = change
    if (change.type === 'updated' && old !== undefined && !concerns(old, object)) return this.#dependents(kind, object, old)
    this.#queue.add(keyOf(object), change.source === 'list' ? { priority: 'low' } : undefined)
    this.#dependents(kind, object, old)
    if (kind === 'StorageVolume' && change.type === 'deleted') this.#writers(object)
  }

  /** A volume that nothing lies on any more may be written again. */
  #writers(clone: HostObject): void {
    for (const { kind, ref } of referencesOf(clone)) if (kind === 'StorageVolume') this.#allBy('refs', refKey(kind, ref.namespace ?? clone.metadata.namespace, ref.name), ['VirtualDomain'])
  }

  #dependents(kind: KindName, object: HostObject, old: HostObject | undefined): void {
    const { namespace, name } = object.metadata
    if (old !== undefined && !mattersToOthers(old, object)) return
    if (kind === 'Hypervisor') {
      this.#allBy('hypervisor', name)
      this.#allBy('hypervisor', '')
      for (const other of this.#world.mirrors.Hypervisor.list()) if (other.spec.default && other.metadata.name !== name) this.#queue.add(keyOf(other))
      return
    }
    this.#allBy('refs', refKey(kind, namespace, name))
    // What this object refers to, or did, may be waiting to be deleted until nothing does.
    for (const { kind: to, ref } of [...referencesOf(object), ...old === undefined ? [] : referencesOf(old)]) {
      const referred = this.#world.mirrors[to].get(ref.namespace ?? namespace, ref.name)
      if (referred?.metadata.deletionTimestamp !== undefined) this.#queue.add(keyOf(referred))
    }
    const hypervisor = hypervisorNameOf(this.#world, object)
    if (hypervisor !== undefined && this.#world.mirrors.Hypervisor.get(undefined, hypervisor)?.metadata.deletionTimestamp !== undefined) this.#queue.add(refKey('Hypervisor', undefined, hypervisor))
  }

  /** A namespace's labels changed: what its objects may use may have changed. */
  namespace(name: string): void {
    for (const kind of HOST_KINDS) for (const object of this.#mirror(kind).list()) if (object.metadata.namespace === name) this.#add(object)
  }

  /** A Secret or ConfigMap that objects name. */
  data(reference: string): void {
    this.#allBy('data', reference)
    for (const object of this.#world.mirrors.Hypervisor.by('data', reference)) this.#queue.add(keyOf(object))
  }

  /** The connection of a Hypervisor changed its state, or is in it again for another reason, which its objects do not tell. */
  host(hypervisor: string, state: HostState, again = false): void {
    this.#queue.add(refKey('Hypervisor', undefined, hypervisor))
    if (again) return
    if (state === 'Open' || state === 'HostChanged') {
      this.#allBy('hypervisor', hypervisor)
      this.#allBy('hypervisor', '')
    } else if (state === 'Broken' || state === 'AuthFailed') {
      // Objects without a host wait for each to be asked once, or to fail.
      this.#allBy('hypervisor', '')
      // Only when it stays away do its objects say so.
      for (const kind of HOST_KINDS) for (const object of this.#mirror(kind).by('hypervisor', hypervisor)) this.#queue.addAfter(keyOf(object), UNREACHABLE_AFTER + 100)
    }
  }

  /** An object on a host changed. */
  observed(hypervisor: string, change: ObservedChange): void {
    const { object } = change
    this.#queue.add(refKey('Hypervisor', undefined, hypervisor), { priority: 'low' })
    const kind = ({ domain: 'VirtualDomain', network: 'VirtualNetwork', pool: 'StoragePool', volume: 'StorageVolume' } as const)[object.kind]
    const before = change.type === 'set' ? change.before : undefined
    const appeared = change.type === 'gone' || before === undefined
    if (object.kind === 'volume') {
      this.#allOn(hypervisor, 'name', object.ref.name, ['StorageVolume'])
      if (appeared || (before as ObservedVolume).capacity !== object.capacity) for (const volume of this.#found(hypervisor, 'StorageVolume', 'name', object.ref.name)) this.#referrers(volume)
      // What waits to be deleted looks again when a volume above it changed, or one in it.
      for (const path of new Set([(before as ObservedVolume | undefined)?.backing, object.backing])) if (path !== undefined) this.#terminatingVolumes(hypervisor, 'path', path)
      this.#allOn(hypervisor, 'terminating', 'yes', ['StoragePool'])
      return
    }
    this.#allOn(hypervisor, 'uuid', object.ref.uuid, [kind])
    this.#allOn(hypervisor, 'name', object.ref.name, [kind])
    // What lies in a pool can be seen only while it is active.
    if (object.kind === 'pool' && (appeared || (before as ObservedPool).active !== object.active)) for (const pool of this.#found(hypervisor, 'StoragePool', 'uuid', object.ref.uuid)) this.#referrers(pool)
    if (object.kind === 'domain') this.#domainSurroundings(hypervisor, before as ObservedDomain | undefined, object, change.type === 'gone')
  }

  #referrers({ kind, metadata: { namespace, name } }: HostObject): void {
    this.#allBy('refs', refKey(kind, namespace, name))
  }

  #domainSurroundings(hypervisor: string, before: ObservedDomain | undefined, domain: ObservedDomain, gone: boolean): void {
    const nets = (list: ObservedDomain | undefined): string => JSON.stringify([...new Set(list?.interfaces.map(nic => nic.network))])
    if (gone || before === undefined || nets(before) !== nets(domain) || isActive(before) !== isActive(domain)) {
      for (const network of new Set([...before?.interfaces ?? [], ...domain.interfaces].map(nic => nic.network))) if (network !== undefined) this.#allOn(hypervisor, 'name', network, ['VirtualNetwork'])
    }
    const disks = (list: ObservedDomain | undefined): string => JSON.stringify([list?.bootFiles, list?.disks.map(({ source, pool, volume, backing }) => [source, pool, volume, backing])])
    if (gone || before === undefined || disks(before) !== disks(domain) || isActive(before) !== isActive(domain)) {
      const used = [...before?.disks ?? [], ...domain.disks]
      const paths = [...used.flatMap(({ source, backing }) => [source, ...backing]), ...before?.bootFiles ?? [], ...domain.bootFiles]
      for (const path of new Set(paths)) if (path !== undefined) this.#terminatingVolumes(hypervisor, 'path', path)
      for (const name of new Set(used.map(({ volume }) => volume))) if (name !== undefined) this.#terminatingVolumes(hypervisor, 'name', name)
      this.#allOn(hypervisor, 'terminating', 'yes', ['StoragePool', 'VirtualNetwork'])
    }
  }

  /** Only those that may be waited with: waking all of them at each of their ends would be a look at each for each. */
  #terminatingVolumes(hypervisor: string, index: 'path' | 'name', value: string): void {
    for (const volume of this.#found(hypervisor, 'StorageVolume', index, value)) if (volume.metadata.deletionTimestamp !== undefined) this.#add(volume)
  }

  /** Leases of these MAC addresses changed. */
  leases(macs: Set<string>): void {
    for (const mac of macs) for (const object of this.#world.mirrors.VirtualDomain.by('mac', mac.toLowerCase())) this.#add(object)
  }

  /** A guest's agent, or the host's ARP table, told something new. */
  guest(uuid: string): void {
    this.#allBy('uuid', uuid, ['VirtualDomain'])
  }
}

/** Our own status writes never enqueue: only what people and controllers write does. */
function concerns(old: HostObject, object: HostObject): boolean {
  const { metadata: a } = old
  const { metadata: b } = object
  // The intent is written by the reconcile that acts on it.
  const asked = ({ annotations: { [annotations.intent]: _intent, ...others } = {} }: HostObject['metadata']): string => JSON.stringify(others)
  return a.uid !== b.uid || a.generation !== b.generation || a.deletionTimestamp !== b.deletionTimestamp || asked(a) !== asked(b) || (b.deletionTimestamp !== undefined && JSON.stringify(a.finalizers) !== JSON.stringify(b.finalizers))
}

/** Readiness, binding, deletion and spec are what others look at. */
function mattersToOthers(old: HostObject, object: HostObject): boolean {
  const look = (at: HostObject): string => JSON.stringify([at.metadata.uid, at.metadata.generation, at.metadata.deletionTimestamp, at.status?.binding, findCondition(at.status?.conditions, 'Ready')?.status, at.metadata.finalizers])
  return look(old) !== look(object)
}
