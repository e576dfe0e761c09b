// A cluster and a QEMU host in memory for the tests of the domain kind: the mirrors, and a host that does what a plan says, as libvirt would.

import { Mirror } from '../../../controller/mirror.ts'
import type { KubeObject } from '../../../controller/resource.ts'
import type { Hypervisor } from '../../../crds/hypervisor.ts'
import type { StoragePool } from '../../../crds/storagepool.ts'
import type { StorageVolume } from '../../../crds/storagevolume.ts'
import type { VirtualDomain } from '../../../crds/virtualdomain.ts'
import type { VirtualNetwork } from '../../../crds/virtualnetwork.ts'
import { DomainState } from '../../../drivers/driver.ts'
import type { GuestFacts } from '../../../observed/told.ts'
import type { Host } from '../../../observed/host.ts'
import { HostMirror } from '../../../observed/mirror.ts'
import { type ObservedDomain, type ObservedVolume, bootFiles, diskFacts, interfaceFacts } from '../../../observed/objects.ts'
import { addIndexes } from '../../../operator/wake.ts'
import { domainKind } from '../../../reconcilers/domain/index.ts'
import type { DomainAction } from '../../../reconcilers/domain/plan.ts'
import { computedUUID } from '../../../reconcilers/identity.ts'
import { type Plan, Refusal, type Standing } from '../../../reconcilers/plan.ts'
import type { World } from '../../../reconcilers/world.ts'
import { type XmlElement, attributeOf, childOf, childrenOf, cloneXml, el, elementsOf, parseXml, serializeXml, textOf } from '../../../xml/tree.ts'
import { FakeClock } from '../../support/fakeclock.ts'

export type Spec = VirtualDomain['spec']

export const INSTALLATION = '11111111-1111-4111-8111-111111111111'
export const UUID = computedUUID(INSTALLATION, 'VirtualDomain', 'shop', 'web')
const POOL = '44444444-4444-4444-8444-444444444444'

const CAPABILITIES = `<capabilities><host><uuid>55555555-5555-4555-8555-555555555555</uuid><cpu><arch>x86_64</arch></cpu></host>
  <guest><os_type>hvm</os_type><arch name='x86_64'><machine canonical='pc-q35-7.2'>q35</machine><machine canonical='pc-i440fx-7.2'>pc</machine><domain type='qemu'/><domain type='kvm'/></arch></guest></capabilities>`

/** The shortest useful domain. */
export const SHORTEST: Spec = { memory: '1Gi', disks: [{ name: 'root', volumeRef: { name: 'web-root' } }] }
/** One of most things. */
export const FULL: Spec = {
  title: 'Web', description: 'shop front', cpus: 2, maxCpus: 4, memory: '1Gi', maxMemory: '2Gi',
  disks: [{ name: 'root', volumeRef: { name: 'web-root' } }, { name: 'data', file: { path: '/var/lib/vireo/data.raw', format: 'raw' } }, { name: 'cd', device: 'cdrom' }],
  interfaces: [{ name: 'lan', networkRef: { name: 'lab' } }, { name: 'mgmt', bridge: { name: 'br0' }, linkState: 'down' }],
  graphics: [{ name: 'main', vnc: { listen: '127.0.0.1', passwordSecretRef: { name: 'web-vnc', key: 'password' } } }],
}
export const PASSWORD = 'correct-horse'

const meta = (name: string): KubeObject['metadata'] & { namespace: string } => ({ name, namespace: 'shop', uid: `uid-${name}`, resourceVersion: '5', generation: 1 })
const ready = { observedGeneration: 1, conditions: [{ type: 'Ready', status: 'True' as const, reason: 'Available', message: '', lastTransitionTime: '2026-11-22T20:00:00Z', observedGeneration: 1 }] }
const apiVersion = 'vireo.dev/v1alpha1'

export interface BedOptions {
  spec?: Spec
  driver?: string
  policy?: Hypervisor['spec']['policy']
  /** What the host's probe says of web-root; a guest may have written it. */
  probe?: Partial<ObservedVolume>
  /** The volumes of the API, changed: debian-12 is below middle, that below web-root; scratch is raw. */
  volumes?: (volumes: StorageVolume[]) => StorageVolume[]
}

export class Bed {
  readonly clock = new FakeClock()
  readonly mirror = new HostMirror()
  readonly kind = domainKind()
  readonly world: World
  readonly secrets: Record<string, Record<string, string>> = { 'web-vnc': { password: PASSWORD } }
  /** What is known of the guest beside its documents. */
  guest: GuestFacts | undefined
  leases: { ipaddr: string; prefix: number }[] = []
  object: VirtualDomain
  #runs = 0

  constructor({ spec = SHORTEST, driver = 'QEMU', policy = { hostInterfaces: ['br0'], networkHosts: ['127.0.0.1:4000'], rawXML: 'Allowed', foreignObjects: 'Adopt' }, probe = {}, volumes = all => all }: BedOptions = {}) {
    this.object = { apiVersion, kind: 'VirtualDomain', metadata: { ...meta('web'), finalizers: ['vireo.dev/finalizer'] }, spec }
    const filled = <T extends KubeObject>(objects: T[]): Mirror<T> => {
      const held = new Mirror<T>()
      held.takeWriter().replace(objects, '5')
      return held
    }
    const volume = (name: string, backingStore?: StorageVolume['spec']['backingStore'], format = 'qcow2'): StorageVolume => {
      const path = `/var/lib/vireo/images/${name}`
      const observed: ObservedVolume = { kind: 'volume', ref: { pool: 'images', name, key: path }, poolUUID: POOL, path, key: path, type: 'file', format, capacity: 2 ** 30, allocation: 0, xml: '<volume/>' }
      this.mirror.set(name === 'web-root' ? { ...observed, ...probe } : observed)
      return { apiVersion, kind: 'StorageVolume', metadata: meta(name), spec: { poolRef: { name: 'images' }, backingStore }, status: { ...ready, binding: { hypervisor: 'kvm7', name, pool: 'images', format, origin: 'Created' } } }
    }
    this.mirror.set({ kind: 'pool', ref: { name: 'images', uuid: POOL }, active: true, autostart: true, xml: '<pool/>', info: { state: 2, capacity: 0, allocation: 0, available: 0 }, path: '/var/lib/vireo/images' })
    const hypervisor: Hypervisor = { apiVersion, kind: 'Hypervisor', metadata: { name: 'kvm7', uid: 'hv', resourceVersion: '5' }, spec: { uri: 'qemu:///system', default: true, policy } }
    const pool: StoragePool = { apiVersion, kind: 'StoragePool', metadata: meta('images'), spec: {}, status: { ...ready, binding: { hypervisor: 'kvm7', name: 'images', uuid: POOL, origin: 'Created' } } }
    const network = (name: string): VirtualNetwork => ({ apiVersion, kind: 'VirtualNetwork', metadata: meta(name), spec: {}, status: { ...ready, binding: { hypervisor: 'kvm7', name: `shop.${name}`, uuid: `net-${name}`, origin: 'Created' } } })
    const host = {
      state: 'Open', since: 0, session: 1, mirror: this.mirror, readSince: () => true, use: () => { throw new Error('a plan makes no call') },
      facts: { driver, hostname: 'kvm7', libvirtVersion: 9_000_000, hypervisorVersion: 7_002_000, cpus: 4, memoryKiB: 2 ** 24, capabilities: CAPABILITIES },
    } as unknown as Host
    this.world = {
      installation: INSTALLATION, cluster: 'cluster', clock: this.clock,
      mirrors: {
        Hypervisor: filled([hypervisor]), StoragePool: filled([pool]), VirtualNetwork: filled([network('lab'), network('dmz')]), VirtualDomain: filled<VirtualDomain>([]),
        StorageVolume: filled(volumes([volume('debian-12', undefined, 'qcow2'), volume('middle', { volumeRef: { name: 'debian-12' } }), volume('web-root', { volumeRef: { name: 'middle' } }), volume('scratch', undefined, 'raw')])),
      },
      namespaces: filled<KubeObject>([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', uid: 'shop', resourceVersion: '5' }, spec: {} }]),
      data: { get: (_kind, _namespace, name) => this.secrets[name] },
      host: () => host, hosts: () => new Map([['kvm7', host]]), leases: () => this.leases, guest: () => this.guest,
    }
    addIndexes(this.world)
  }

  /** A new generation of the spec. */
  edit(change: (spec: Spec) => void): this {
    const spec = structuredClone(this.object.spec)
    change(spec)
    this.object = { ...this.object, metadata: { ...this.object.metadata, generation: this.object.metadata.generation! + 1 }, spec }
    return this
  }
  annotate(annotations: Record<string, string>): this {
    this.object = { ...this.object, metadata: { ...this.object.metadata, annotations } }
    return this
  }
  delete(): this {
    this.object = { ...this.object, metadata: { ...this.object.metadata, deletionTimestamp: '2026-11-22T20:00:00Z' } }
    return this
  }

  plan(): Plan<DomainAction> {
    return this.kind.plan(this.kind.gather(this.world, this.object))
  }

  /** What is written into the status now, in full. */
  status(): Record<string, unknown> {
    return this.kind.describe(this.kind.gather(this.world, this.object))
  }

  /** Plans and does what was planned, until nothing is left; answers every action. Bound afterwards. */
  settle(): DomainAction[] {
    const done: DomainAction[] = []
    for (let round = 0; round < 8; round++) {
      const inputs = this.kind.gather(this.world, this.object)
      const plan = this.kind.plan(inputs)
      if (plan.actions.length === 0) {
        this.object = { ...this.object, status: { ...this.object.status, ...ready, binding: inputs.binding } }
        return done
      }
      for (const action of plan.actions) this.#perform(action)
      done.push(...plan.actions)
    }
    throw new Error(`the plan has no end: ${done.map(action => action.type).join(', ')}`)
  }

  get observed(): ObservedDomain | undefined { return this.mirror.domain(UUID) }
  get inactive(): XmlElement { return parseXml(this.observed!.inactive) }
  get live(): XmlElement { return parseXml(this.observed!.live!) }

  /** Puts a domain onto the host, as it is observed. */
  host(inactive: XmlElement, fields: Partial<ObservedDomain> = {}, live?: XmlElement): void {
    const documents = live === undefined ? [inactive] : [inactive, live]
    const running = live !== undefined
    this.mirror.set({
      kind: 'domain', ref: { name: textOf(childOf(inactive, 'name')), uuid: textOf(childOf(inactive, 'uuid')), id: running ? this.#runs : -1 },
      state: running ? DomainState.Running : DomainState.Shutoff, reason: running ? 1 : 0, persistent: true, autostart: false,
      inactive: serializeXml(inactive), live: live && serializeXml(live),
      disks: documents.flatMap(diskFacts), interfaces: documents.flatMap(interfaceFacts), bootFiles: documents.flatMap(bootFiles), ...fields,
    })
  }

  /** Defines over what is there; the running guest keeps its document. */
  define(xml: string): void {
    const { observed } = this
    const fields = observed === undefined ? {} : { state: observed.state, reason: observed.reason, autostart: observed.autostart, ref: observed.ref }
    this.host(filledIn(parseXml(xml)), fields, observed?.live === undefined ? undefined : this.live)
  }

  /** Somebody changes the documents on the host. */
  byHand(change: (document: XmlElement) => void, which: 'inactive' | 'live' | 'both' = 'inactive'): this {
    const { inactive, observed } = this
    const live = observed!.live === undefined ? undefined : this.live
    if (which !== 'live') change(inactive)
    if (which !== 'inactive' && live !== undefined) change(live)
    this.host(inactive, { state: observed!.state, reason: observed!.reason, autostart: observed!.autostart, ref: observed!.ref }, live)
    return this
  }

  /** The guest, or somebody on the host, changes the power state. */
  power(state: DomainState, reason: number): this {
    const { observed } = this
    const off = state === DomainState.Shutoff
    this.mirror.set({ ...observed!, state, reason, live: off ? undefined : observed!.live, ref: { ...observed!.ref, id: off ? -1 : observed!.ref.id } })
    return this
  }

  /** What performing does to the memory that outlives a reconcile. */
  remember(change: (memory: ReturnType<typeof this.kind.gather>['memory']) => void): this {
    change(this.kind.gather(this.world, this.object).memory)
    return this
  }

  #perform(action: DomainAction): void {
    const { observed } = this
    switch (action.type) {
      case 'Defined': case 'Released': this.define(action.xml); return
      case 'AutostartSet': this.mirror.set({ ...observed!, autostart: action.enabled }); return
      case 'Undefined': this.mirror.remove(`domain/${UUID}`); return
      case 'Started': {
        this.#runs++
        this.remember(memory => { Object.assign(memory, { started: this.clock.now(), ended: undefined, stopping: undefined, restarting: undefined }) })
        const live = cloneXml(this.inactive)
        live.attributes['id'] = String(this.#runs)
        for (const [n, nic] of childrenOf(childOf(live, 'devices'), 'interface').entries()) nic.children.push(el('target', { dev: `vnet${n}` }))
        this.host(this.inactive, { autostart: observed!.autostart, ...(action.paused ? { state: DomainState.Paused, reason: 11 } : {}) }, live)
        return
      }
      case 'PoweredOff': this.power(DomainState.Shutoff, 2); return
      case 'Suspended': this.power(DomainState.Paused, 1); return
      case 'Resumed': this.power(DomainState.Running, 5); return
      case 'ShutdownRequested': this.remember(memory => { memory.stopping = this.clock.now() }).power(DomainState.Shutoff, 1); return
      default: this.#live(action)
    }
  }

  #live(action: DomainAction): void {
    const devices = (document: XmlElement): XmlElement => childOf(document, 'devices')!
    const sameAs = (device: XmlElement) => (other: XmlElement): boolean => other.name === device.name && key(other) === key(device)
    const put = (document: XmlElement, name: string, text: string): void => {
      const at = childOf(document, name)
      if (at === undefined) document.children.push(el(name, {}, text))
      else at.children = [text]
    }
    this.byHand(live => {
      switch (action.type) {
        case 'MemorySet': put(live, 'currentMemory', String(action.kib)); return
        case 'VcpusSet': childOf(live, 'vcpu')!.attributes['current'] = String(action.count); return
        case 'TitleSet': put(live, 'title', action.text ?? ''); return
        case 'DescriptionSet': put(live, 'description', action.text ?? ''); return
        case 'DeviceAttached': devices(live).children.push(parseXml(action.xml)); return
        case 'DeviceDetached': { const gone = parseXml(action.xml); devices(live).children = elementsOf(devices(live)).filter(other => !sameAs(gone)(other)); return }
        case 'DeviceUpdated': { const next = parseXml(action.xml); devices(live).children = elementsOf(devices(live)).map(other => (sameAs(next)(other) ? next : other)); return }
        case 'SeedWritten': case 'SeedRemoved': throw new Error('this host takes no seeds')
        default: throw new Error(`this host does not know ${action.type}`)
      }
    }, 'live')
  }
}

const key = (device: XmlElement): string => attributeOf(childOf(device, 'alias'), 'name') ?? attributeOf(childOf(device, 'target'), 'dev') ?? device.attributes['type'] ?? ''

/** A document as libvirt keeps it: a machine's version, device addresses, controllers and an emulator of its own choice. */
export function filledIn(document: XmlElement): XmlElement {
  const filled = cloneXml(document)
  const type = childOf(filled, 'os', 'type')
  if (type?.attributes['machine'] === 'q35') type.attributes['machine'] = 'pc-q35-7.2'
  const devices = childOf(filled, 'devices')!
  for (const [n, device] of elementsOf(devices).entries()) {
    if (['disk', 'interface'].includes(device.name) && childOf(device, 'address') === undefined) device.children.push(el('address', { type: 'pci', slot: `0x${(n + 1).toString(16)}` }))
  }
  if (childOf(devices, 'emulator') === undefined) devices.children.unshift(el('emulator', {}, '/usr/bin/qemu-system-x86_64'), el('controller', { type: 'usb', index: 0 }))
  return filled
}

/** Why an object is refused. */
export function refusal(bed: Bed): Standing {
  try {
    bed.plan()
  } catch (error) {
    if (error instanceof Refusal) return error.standing
    throw error
  }
  throw new Error('it was not refused')
}

export const types = (actions: readonly { type: string }[]): string[] => actions.map(action => action.type)
