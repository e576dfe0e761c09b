// Which change wakes which keys: every waiting object is woken by the change that it waits for, and nobody by our own status writes.

import { beforeEach, describe, expect, test } from 'vitest'
import { Mirror, type MirrorWriter } from '../../../controller/mirror.ts'
import type { KubeObject } from '../../../controller/resource.ts'
import type { ObservedChange } from '../../../observed/mirror.ts'
import type { Observed, ObservedDomain } from '../../../observed/objects.ts'
import { Wake, addIndexes } from '../../../operator/wake.ts'
import { computedMac, computedUUID } from '../../../reconcilers/identity.ts'
import type { KindName, Mirrors, World } from '../../../reconcilers/world.ts'
import { FakeClock } from '../../support/fakeclock.ts'

const INSTALLATION = '11111111-1111-4111-8111-111111111111'
const kindNames: KindName[] = ['Hypervisor', 'StoragePool', 'StorageVolume', 'VirtualNetwork', 'VirtualDomain']

interface Fields { spec?: object; status?: object; metadata?: object }
const uuidOf = (kind: string, name: string, namespace = 'shop'): string => computedUUID(INSTALLATION, kind, namespace, name)

/** A cluster of mirrors alone, each written as its reflector would. */
class Bed {
  readonly mirrors = Object.fromEntries(kindNames.map(kind => [kind, new Mirror<KubeObject>()])) as unknown as Mirrors
  readonly #writers = {} as Record<KindName, MirrorWriter<KubeObject>>
  readonly wake: Wake
  readonly later: [string, number][] = []
  #woken: string[] = []
  #version = 100

  constructor() {
    const clock = new FakeClock()
    const world: World = {
      installation: INSTALLATION, cluster: 'c', clock, mirrors: this.mirrors, namespaces: new Mirror<KubeObject>(),
      data: { get: () => undefined }, host: () => undefined, hosts: () => [], leases: () => [], guest: () => undefined,
    }
    addIndexes(world, 'vireo-system')
    this.wake = new Wake(world, {
      add: key => { this.#woken.push(key) },
      addAfter: (key, ms) => { this.later.push([key, ms]) },
    })
    for (const kind of kindNames) {
      const mirror = this.mirrors[kind] as unknown as Mirror<KubeObject>
      this.#writers[kind] = mirror.takeWriter()
      this.#writers[kind].replace([], '1')
      mirror.onChange(change => { this.wake.object(kind, change as never) })
    }
  }

  #object(kind: KindName, name: string, fields: Fields): KubeObject {
    const { metadata = {}, spec = {}, status } = fields
    return {
      apiVersion: 'vireo.dev/v1alpha1', kind, spec, status,
      metadata: { name, ...(kind === 'Hypervisor' ? {} : { namespace: 'shop' }), uid: `${kind}-${name}`, generation: 1, ...metadata, resourceVersion: String(++this.#version) },
    }
  }

  /** Puts an object there, or changes it; answers which keys that woke. */
  put(kind: KindName, name: string, fields: Fields = {}): string[] {
    return this.woken(() => {
      this.#writers[kind].apply('MODIFIED', this.#object(kind, name, fields))
    })
  }

  /** The answer to a write of our own. */
  write(kind: KindName, name: string, fields: Fields): string[] {
    return this.woken(() => { this.mirrors[kind].observeWrite(this.#object(kind, name, fields) as never) })
  }

  remove(kind: KindName, name: string, fields: Fields = {}): string[] {
    return this.woken(() => { this.#writers[kind].apply('DELETED', this.#object(kind, name, fields)) })
  }

  observe(change: ObservedChange): string[] {
    return this.woken(() => { this.wake.observed('kvm7', change) })
  }

  woken(act: () => void): string[] {
    this.#woken = []
    act()
    return [...new Set(this.#woken)].toSorted()
  }
}

const ready = (status: 'True' | 'False', rest: object = {}): object => ({ observedGeneration: 1, conditions: [{ type: 'Ready', status, reason: 'x', message: '', lastTransitionTime: '' }], ...rest })
const bound = (name: string, uuid?: string): object => ({ binding: { hypervisor: 'kvm7', name, uuid, origin: 'Created' } })
/** A volume that was made and is being deleted. */
const going = (name: string): Fields => ({ spec: { poolRef: { name: 'images' } }, status: { ...bound(`shop.${name}`), path: `/p/shop.${name}` }, metadata: { deletionTimestamp: 'now' } })
const set = (object: Observed, before?: Observed): ObservedChange => ({ type: 'set', id: 'id', object, before })
const gone = (object: Observed): ObservedChange => ({ type: 'gone', id: 'id', object })

const domain = (fields: Partial<ObservedDomain> = {}): ObservedDomain => ({
  kind: 'domain', ref: { name: 'other', uuid: 'u-other', id: -1 }, state: 5, reason: 0, persistent: true, autostart: false, inactive: '<domain/>', disks: [], interfaces: [], bootFiles: [], ...fields,
})
const pool = (uuid: string, active: boolean): Observed => ({ kind: 'pool', ref: { name: 'shop.images', uuid }, active, autostart: true, xml: '', info: { state: 2, capacity: 0, allocation: 0, available: 0 } })
const volume = (name: string, capacity = 1): Observed => ({ kind: 'volume', ref: { pool: 'shop.images', name, key: '' }, poolUUID: 'p', path: `/p/${name}`, key: '', type: 'file', format: 'raw', capacity, allocation: 0, xml: '' })
const nic = (network: string): ObservedDomain['interfaces'][number] => ({ mac: '', type: 'network', network })
const disk = (source: string): ObservedDomain['disks'][number] => ({ target: 'vda', device: 'disk', source, backing: [], readOnly: false })

let bed: Bed
const web = { disks: [{ name: 'root', volumeRef: { name: 'root' } }], interfaces: [{ name: 'lan', networkRef: { name: 'lab' } }] }

beforeEach(() => {
  bed = new Bed()
  bed.put('Hypervisor', 'kvm7', { spec: { uri: 'test:///default', default: true } })
  bed.put('StoragePool', 'images')
  bed.put('StorageVolume', 'root', { spec: { poolRef: { name: 'images' } } })
  bed.put('VirtualNetwork', 'lab')
  bed.put('VirtualDomain', 'web', { spec: web })
})

describe('our own writes', () => {
  test.each([
    ['a condition that says something else', ready('False', { path: '/elsewhere' })],
    ['a size', ready('False', { capacity: '2Gi' })],
    ['the generation seen', ready('False', { observedGeneration: 7 })],
  ])('a status write never enqueues: %s', (_what, status) => {
    bed.write('StoragePool', 'images', { status: ready('False') })
    expect(bed.write('StoragePool', 'images', { status })).toEqual([])
  })

  test('the intent that a reconcile records does not enqueue its object', () => {
    expect(bed.write('StorageVolume', 'root', { spec: { poolRef: { name: 'images' } }, metadata: { finalizers: ['vireo.dev/finalizer'], annotations: { 'vireo.dev/intent': 'shop.images/shop.root' } } })).not.toContain('StorageVolume/shop/root')
  })

  test('a finalizer does not enqueue its object', () => {
    expect(bed.write('VirtualNetwork', 'lab', { metadata: { finalizers: ['vireo.dev/finalizer'] } })).toEqual(['VirtualDomain/shop/web'])
  })

  test('what somebody wrote between shows in the answer and does enqueue', () => {
    expect(bed.write('VirtualNetwork', 'lab', { metadata: { generation: 2 } })).toContain('VirtualNetwork/shop/lab')
  })
})

describe('a change in the API', () => {
  test.each<[string, () => string[], string[]]>([
    ['a new spec wakes the object and whoever refers to it', () => bed.put('StoragePool', 'images', { metadata: { generation: 2 } }), ['StoragePool/shop/images', 'StorageVolume/shop/root']],
    ['an annotation wakes the object alone', () => bed.put('VirtualNetwork', 'lab', { metadata: { annotations: { 'vireo.dev/reconcile': '1' } } }), ['VirtualNetwork/shop/lab']],
    ['readiness wakes whoever waits for it', () => bed.write('StorageVolume', 'root', { spec: { poolRef: { name: 'images' } }, status: ready('True') }), ['VirtualDomain/shop/web']],
    ['a binding wakes whoever waits for it', () => bed.write('VirtualNetwork', 'lab', { status: bound('shop.lab') }), ['VirtualDomain/shop/web']],
    ['the end of an object wakes whoever refers to it', () => bed.remove('VirtualNetwork', 'lab'), ['VirtualDomain/shop/web', 'VirtualNetwork/shop/lab']],
    ['a deletion wakes the object and whoever refers to it', () => bed.put('VirtualNetwork', 'lab', { metadata: { deletionTimestamp: 'now' } }), ['VirtualDomain/shop/web', 'VirtualNetwork/shop/lab']],
    ['a Hypervisor wakes those that name none', () => bed.put('Hypervisor', 'kvm7', { spec: { uri: 'test:///default', default: true }, metadata: { generation: 2 } }), ['Hypervisor/kvm7', 'StoragePool/shop/images', 'StorageVolume/shop/root', 'VirtualDomain/shop/web', 'VirtualNetwork/shop/lab']],
  ])('%s', (_what, act, keys) => {
    expect(act().map(key => key.replace('Hypervisor//', 'Hypervisor/'))).toEqual(keys)
  })

  test('the end of a clone wakes the domains that may write what it lay on again', () => {
    bed.put('StorageVolume', 'clone', { spec: { poolRef: { name: 'images' }, backingStore: { volumeRef: { name: 'root' } } } })
    expect(bed.remove('StorageVolume', 'clone', { spec: { poolRef: { name: 'images' }, backingStore: { volumeRef: { name: 'root' } } } })).toContain('VirtualDomain/shop/web')
  })

  test('what is being deleted is woken when its last user goes', () => {
    bed.put('VirtualNetwork', 'lab', { metadata: { deletionTimestamp: 'now' } })
    expect(bed.remove('VirtualDomain', 'web', { spec: web })).toContain('VirtualNetwork/shop/lab')
  })

  test('what is being deleted is woken when its user turns to another', () => {
    bed.put('VirtualNetwork', 'lab', { metadata: { deletionTimestamp: 'now' } })
    expect(bed.put('VirtualDomain', 'web', { spec: { ...web, interfaces: [] }, metadata: { generation: 2 } })).toContain('VirtualNetwork/shop/lab')
  })

  test('a Hypervisor that is being deleted is woken when something of it goes', () => {
    bed.put('StoragePool', 'images', { status: bound('shop.images') })
    bed.put('Hypervisor', 'kvm7', { metadata: { deletionTimestamp: 'now' } })
    expect(bed.remove('StoragePool', 'images', { status: bound('shop.images') })).toContain('Hypervisor//kvm7')
  })

  test('a Secret wakes the domains that name it, and no other', () => {
    bed.put('VirtualDomain', 'db', { spec: { cloudInit: { userData: { secretRef: { name: 'seed', key: 'x' } } } } })
    expect(bed.woken(() => { bed.wake.data('Secret/shop/seed') })).toEqual(['VirtualDomain/shop/db'])
    expect(bed.woken(() => { bed.wake.data('ConfigMap/shop/seed') })).toEqual([])
  })

  test('labels of a namespace wake what is in it', () => {
    expect(bed.woken(() => { bed.wake.namespace('shop') })).toEqual(['StoragePool/shop/images', 'StorageVolume/shop/root', 'VirtualDomain/shop/web', 'VirtualNetwork/shop/lab'])
    expect(bed.woken(() => { bed.wake.namespace('other') })).toEqual([])
  })
})

describe('a change on the host', () => {
  const own = (kind: string, name: string): string => uuidOf(kind, name)

  test.each<[string, () => string[], string[]]>([
    ['of a domain wakes its object, by UUID', () => bed.observe(set(domain({ ref: { name: 'x', uuid: own('VirtualDomain', 'web'), id: 1 } }))), ['VirtualDomain/shop/web']],
    ['that takes the name an object waits for wakes it', () => bed.observe(gone(domain({ ref: { name: 'shop.web', uuid: 'u', id: -1 } }))), ['VirtualDomain/shop/web']],
    ['of a domain wakes the networks it is plugged into', () => bed.observe(set(domain({ interfaces: [nic('shop.lab')] }), domain())), ['VirtualNetwork/shop/lab']],
    ['of a volume wakes its object and the domains that have it as a disk', () => bed.observe(set(volume('shop.root'))), ['StorageVolume/shop/root', 'VirtualDomain/shop/web']],
    ['that only moves a volume\'s allocation wakes nobody else', () => bed.observe(set(volume('shop.root'), volume('shop.root'))), ['StorageVolume/shop/root']],
    ['that makes a pool active wakes the volumes in it', () => bed.observe(set(pool(own('StoragePool', 'images'), true), pool(own('StoragePool', 'images'), false))), ['StoragePool/shop/images', 'StorageVolume/shop/root']],
    ['that moves a pool\'s sizes wakes the pool alone', () => bed.observe(set(pool(own('StoragePool', 'images'), true), pool(own('StoragePool', 'images'), true))), ['StoragePool/shop/images']],
    ['of what nobody here knows wakes nobody', () => bed.observe(set(domain())), []],
  ])('%s', (_what, act, keys) => {
    expect(act().filter(key => !key.startsWith('Hypervisor/'))).toEqual(keys)
  })

  test.each<[string, ObservedChange]>([
    ['lets go of a disk', set(domain(), domain({ disks: [disk('/p/shop.root')] }))],
    ['lets go of a disk that it named by pool and volume', set(domain(), domain({ disks: [{ ...disk('/p'), source: undefined, pool: 'shop.images', volume: 'shop.root' }] }))],
    ['is undefined', gone(domain({ disks: [disk('/p/shop.root')] }))],
    ['drops an overlay above it', set(domain({ disks: [disk('/p/x')] }), domain({ disks: [{ ...disk('/p/x'), backing: ['/p/shop.root'] }] }))],
  ])('wakes the volume that is being deleted, and no other, when a domain %s', (_what, change) => {
    bed.put('StorageVolume', 'root', going('root'))
    bed.put('StorageVolume', 'other', going('other'))
    expect(bed.observe(change).filter(key => key.startsWith('StorageVolume/'))).toEqual(['StorageVolume/shop/root'])
  })

  test('wakes the volume that is being deleted, and no other, when one above it goes or turns to another', () => {
    bed.put('StorageVolume', 'root', going('root'))
    bed.put('StorageVolume', 'other', going('other'))
    const overlay = { ...volume('overlay'), backing: '/p/shop.root' } as Observed
    expect(bed.observe(gone(overlay)).filter(key => key.startsWith('StorageVolume/'))).toEqual(['StorageVolume/shop/root'])
    expect(bed.observe(set(volume('overlay'), overlay)).filter(key => key.startsWith('StorageVolume/'))).toEqual(['StorageVolume/shop/root'])
  })

  test('wakes nobody of that name who lives on another host', () => {
    bed.put('VirtualNetwork', 'here', { spec: { name: 'everywhere' }, status: bound('everywhere', uuidOf('VirtualNetwork', 'here')) })
    bed.put('VirtualNetwork', 'bound-elsewhere', { spec: { name: 'everywhere' }, status: { binding: { hypervisor: 'kvm8', name: 'everywhere', origin: 'Created' } } })
    bed.put('VirtualNetwork', 'meant-for-elsewhere', { spec: { name: 'everywhere', hypervisorRef: { name: 'kvm8' } } })
    bed.put('VirtualNetwork', 'anywhere', { spec: { name: 'everywhere' } })
    const ref = { name: 'everywhere', uuid: '99999999-0000-4000-8000-000000000000' }
    expect(bed.observe(set({ kind: 'network', ref, active: true, autostart: false, inactive: '<network/>' }))).toEqual(['Hypervisor//kvm7', 'VirtualNetwork/shop/anywhere', 'VirtualNetwork/shop/here'])
  })

  test('of a lease wakes the domain with the MAC address', () => {
    const uuid = own('VirtualDomain', 'web')
    bed.put('VirtualDomain', 'web', { spec: web, status: bound('shop.web', uuid) })
    expect(bed.woken(() => { bed.wake.leases(new Set([computedMac(uuid, 'lan').toUpperCase()])) })).toEqual(['VirtualDomain/shop/web'])
  })

  test('of what a guest tells wakes its domain alone', () => {
    const uuid = own('VirtualDomain', 'web')
    bed.put('VirtualDomain', 'web', { spec: web, status: bound('shop.web', uuid) })
    expect(bed.woken(() => { bed.wake.guest(uuid) })).toEqual(['VirtualDomain/shop/web'])
  })
})

describe('a connection', () => {
  test('that opens wakes its Hypervisor, its objects and those that have no host yet', () => {
    bed.put('VirtualNetwork', 'far', { spec: { hypervisorRef: { name: 'elsewhere' } } })
    bed.put('VirtualDomain', 'web', { spec: web, status: bound('shop.web') })
    const keys = bed.woken(() => { bed.wake.host('kvm7', 'Open') })
    expect(keys).toEqual(['Hypervisor//kvm7', 'StoragePool/shop/images', 'StorageVolume/shop/root', 'VirtualDomain/shop/web', 'VirtualNetwork/shop/lab'])
  })

  test('that breaks wakes its Hypervisor and the objects without a host now, and its own objects only when it stays away', () => {
    bed.put('VirtualDomain', 'web', { spec: web, status: bound('shop.web') })
    bed.later.length = 0
    expect(bed.woken(() => { bed.wake.host('kvm7', 'Broken') })).toEqual(['Hypervisor//kvm7', 'StoragePool/shop/images', 'StorageVolume/shop/root', 'VirtualNetwork/shop/lab'])
    expect(bed.later).toEqual([['VirtualDomain/shop/web', 40_100]])
  })

  test('that is away for another reason than before wakes its Hypervisor alone', () => {
    bed.later.length = 0
    expect(bed.woken(() => { bed.wake.host('kvm7', 'Broken', true) })).toEqual(['Hypervisor//kvm7'])
    expect(bed.later).toEqual([])
  })

  test('that is being made wakes its Hypervisor alone', () => {
    expect(bed.woken(() => { bed.wake.host('kvm7', 'Connecting') })).toEqual(['Hypervisor//kvm7'])
  })
})

test('a Secret of a Hypervisor wakes it, and in the namespace of the controller alone', () => {
  const bed = new Bed()
  bed.put('Hypervisor', 'kvm7', { spec: { uri: 'qemu+tls://kvm7/system', auth: { tls: { secretRef: { name: 'certs' } }, sasl: { secretRef: { name: 'user' } } } } })
  bed.put('Hypervisor', 'kvm8', { spec: { uri: 'qemu+tls://kvm8/system', auth: { tls: { secretRef: { name: 'others' } } } } })
  for (const name of ['certs', 'user']) expect(bed.woken(() => { bed.wake.data(`Secret/vireo-system/${name}`) })).toEqual(['Hypervisor//kvm7'])
  expect(bed.woken(() => { bed.wake.data('Secret/shop/certs') })).toEqual([])
})
