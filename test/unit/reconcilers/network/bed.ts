// A cluster and a host in memory for the tests of the network kind: what the mirrors would hold, without either end.

import { Mirror } from '../../../../controller/mirror.ts'
import type { KubeObject } from '../../../../controller/resource.ts'
import type { Hypervisor } from '../../../../crds/hypervisor.ts'
import type { StoragePool } from '../../../../crds/storagepool.ts'
import type { StorageVolume } from '../../../../crds/storagevolume.ts'
import type { VirtualDomain } from '../../../../crds/virtualdomain.ts'
import type { VirtualNetwork } from '../../../../crds/virtualnetwork.ts'
import type { Host } from '../../../../observed/host.ts'
import { HostMirror } from '../../../../observed/mirror.ts'
import type { ObservedDomain, ObservedNetwork } from '../../../../observed/objects.ts'
import { type Owner, computedUUID } from '../../../../reconcilers/identity.ts'
import { firstDocument } from '../../../../reconcilers/network/compare.ts'
import { networkKind } from '../../../../reconcilers/network/index.ts'
import type { NetworkInputs } from '../../../../reconcilers/network/inputs.ts'
import type { NetworkPlan } from '../../../../reconcilers/network/plan.ts'
import { type Spec, renderNetwork } from '../../../../reconcilers/network/render.ts'
import { Refusal } from '../../../../reconcilers/plan.ts'
import type { World } from '../../../../reconcilers/world.ts'
import { childOf, cloneXml, el, parseXml, serializeXml, type XmlElement } from '../../../../xml/tree.ts'
import { FakeClock } from '../../../support/fakeclock.ts'

export const INSTALLATION = '11111111-1111-4111-8111-111111111111'
const CLUSTER = '22222222-2222-4222-8222-222222222222'
const UID = '33333333-3333-4333-8333-333333333333'
export const uuidOf = (namespace: string, name: string): string => computedUUID(INSTALLATION, 'VirtualNetwork', namespace, name)
export const ownerOf = (rest: Partial<Owner> = {}): Owner => ({ installation: INSTALLATION, cluster: CLUSTER, namespace: 'shop', name: 'lab', uid: UID, released: false, ...rest })

export const LAB: Spec = { forward: { mode: 'nat' }, ipv4: { address: '192.168.150.1/24', dhcp: {} } }
export const edited = (change: (spec: Spec) => void, from: Spec = LAB): Spec => {
  const spec = structuredClone(from)
  change(spec)
  return spec
}

export interface ObjectOptions { spec?: Spec; namespace?: string; terminating?: boolean; bound?: 'Created' | 'Adopted' | 'Observed'; inForce?: boolean; reason?: string }

export function networkObject({ spec = LAB, namespace = 'shop', terminating = false, bound, inForce = bound !== undefined, reason = 'Available' }: ObjectOptions = {}): VirtualNetwork {
  return {
    apiVersion: 'vireo.dev/v1alpha1',
    kind: 'VirtualNetwork',
    metadata: { name: 'lab', namespace, uid: UID, resourceVersion: '5', generation: 2, ...(terminating ? { deletionTimestamp: '2026-11-22T20:00:00Z' } : {}) },
    spec,
    status: bound === undefined ? { observedGeneration: -1 } : {
      observedGeneration: 2,
      binding: { hypervisor: 'kvm7', name: 'shop.lab', uuid: uuidOf(namespace, 'lab'), origin: bound },
      conditions: [{ type: 'Ready', status: reason === 'NotFound' ? 'False' : 'True', reason, message: '', lastTransitionTime: '2026-11-22T20:00:00Z', observedGeneration: inForce ? 2 : 1 }],
    },
  }
}

/** A document as libvirt shows it: with a bridge name and a MAC address of its own choice. */
function filledIn(document: XmlElement): XmlElement {
  const filled = cloneXml(document)
  const bridge = childOf(filled, 'bridge')
  if (bridge === undefined) filled.children.push(el('bridge', { name: 'virbr3', stp: 'on', delay: 0 }))
  else bridge.attributes = { name: 'virbr3', stp: 'on', delay: '0', ...bridge.attributes }
  filled.children.push(el('mac', { address: '52:54:00:12:34:56' }))
  return filled
}

export interface HostedOptions { owner?: Owner; active?: boolean; autostart?: boolean; name?: string; uuid?: string; liveSpec?: Spec; byHand?: (document: XmlElement) => void; liveByHand?: (document: XmlElement) => void; stagedUnreadable?: boolean }

/** The network on the host after a spec was in force; `liveSpec` is the one it was started with. */
export function hosted(spec: Spec, options: HostedOptions = {}): ObservedNetwork {
  const { owner = ownerOf(), active = true, autostart = true, name = 'shop.lab', uuid = uuidOf('shop', 'lab'), liveSpec = spec, byHand, liveByHand, stagedUnreadable } = options
  const shown = (from: Spec): XmlElement => filledIn(firstDocument(renderNetwork(from), name, uuid, owner))
  const inactive = shown(spec)
  byHand?.(inactive)
  const live = shown(liveSpec)
  const forward = childOf(live, 'forward')
  if (forward?.attributes.mode === 'nat' && childOf(forward, 'nat') === undefined) forward.children.push(el('nat', {}, el('port', { start: 1024, end: 65535 })))
  live.attributes.connections = '1'
  liveByHand?.(live)
  return { kind: 'network', ref: { name, uuid }, active, autostart, inactive: serializeXml(inactive), live: active ? serializeXml(live) : undefined, bridge: 'virbr3', stagedUnreadable }
}

/** A network that somebody else made. */
export const foreign = (xml: string, { name = 'shop.lab', uuid = '99999999-9999-4999-8999-999999999999', active = true, autostart = true } = {}): ObservedNetwork => {
  const document = parseXml(`<network><name>${name}</name><uuid>${uuid}</uuid>${xml}</network>`)
  return { kind: 'network', ref: { name, uuid }, active, autostart, inactive: serializeXml(document), live: active ? serializeXml(document) : undefined, bridge: 'virbr0' }
}

export const guest = (name: string, { network = 'shop.lab', running = true, uuid = `uuid-${name}` } = {}): ObservedDomain => ({
  kind: 'domain', ref: { name, uuid, id: running ? 1 : -1 }, state: running ? 1 : 5, reason: 1, persistent: true, autostart: false,
  inactive: '<domain/>', live: running ? '<domain/>' : undefined, disks: [], bootFiles: [],
  interfaces: [{ mac: '52:54:00:00:00:01', type: 'network', network }, { mac: '52:54:00:00:00:01', type: 'network', network, target: 'vnet0' }],
})

export const domainObject = (name: string, { namespace = 'shop', network = 'lab', networkNamespace = undefined as string | undefined, uuid = undefined as string | undefined, terminating = false } = {}): VirtualDomain => ({
  apiVersion: 'vireo.dev/v1alpha1',
  kind: 'VirtualDomain',
  metadata: { name, namespace, uid: `uid-${namespace}-${name}`, resourceVersion: '5', ...(terminating ? { deletionTimestamp: '2026-11-22T20:00:00Z' } : {}) },
  spec: { memory: '1Gi', interfaces: [{ name: 'lan', networkRef: { name: network, namespace: networkNamespace } }] },
  ...(uuid === undefined ? {} : { status: { binding: { hypervisor: 'kvm7', name, uuid, origin: 'Created' as const } } }),
})

export interface WorldOptions { observed?: (ObservedNetwork | ObservedDomain)[]; domains?: VirtualDomain[]; policy?: Hypervisor['spec']['policy']; state?: Host['state']; verified?: boolean }

export function world({ observed = [], domains = [], policy = { hostInterfaces: ['br0'] }, state = 'Open', verified = true }: WorldOptions = {}): World {
  const mirror = new HostMirror()
  for (const object of observed) mirror.set(object)
  const host = { state, since: 0, mirror, readSince: () => verified, unread: () => undefined, use: () => { throw new Error('a plan makes no call') } } as unknown as Host
  const filled = <T extends KubeObject>(objects: T[]): Mirror<T> => {
    const held = new Mirror<T>()
    held.takeWriter().replace(objects, '5')
    return held
  }
  const hypervisor: Hypervisor = { apiVersion: 'vireo.dev/v1alpha1', kind: 'Hypervisor', metadata: { name: 'kvm7', uid: 'hv', resourceVersion: '5' }, spec: { uri: 'qemu:///system', default: true, policy } }
  return {
    installation: INSTALLATION, cluster: CLUSTER, clock: new FakeClock(),
    mirrors: { Hypervisor: filled([hypervisor]), StoragePool: filled<StoragePool>([]), StorageVolume: filled<StorageVolume>([]), VirtualNetwork: filled<VirtualNetwork>([]), VirtualDomain: filled(domains) },
    namespaces: filled<KubeObject>([]),
    data: { get: () => undefined },
    host: () => host,
    hosts: () => new Map([['kvm7', host]]),
    leases: () => [],
    guest: () => undefined,
  }
}

export const kind = networkKind()
export const gather = (object: VirtualNetwork, options: WorldOptions = {}): NetworkInputs => kind.gather(world(options), object)
export const plan = (object: VirtualNetwork, options: WorldOptions = {}): NetworkPlan => kind.plan(gather(object, options))

/** Why an object is refused. */
export function refusal(object: VirtualNetwork, options: WorldOptions = {}): Refusal['standing'] {
  try {
    gather(object, options)
  } catch (error) {
    if (error instanceof Refusal) return error.standing
    throw error
  }
  throw new Error('it was not refused')
}
export const types = (made: NetworkPlan): string[] => made.actions.map(action => action.type)
