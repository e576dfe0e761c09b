// What pools and volumes may not reach: places of other pools, servers, and what vireo has for others; gathered from mirrors.
import { describe, expect, test } from 'vitest'
import { Mirror } from '../../../controller/mirror.ts'
import type { KubeObject } from '../../../controller/resource.ts'
import type { Hypervisor } from '../../../crds/hypervisor.ts'
import type { StoragePool, StoragePoolSpec } from '../../../crds/storagepool.ts'
import type { StorageVolume, StorageVolumeSpec } from '../../../crds/storagevolume.ts'
import type { VirtualDomain } from '../../../crds/virtualdomain.ts'
import type { VirtualNetwork } from '../../../crds/virtualnetwork.ts'
import type { Host } from '../../../observed/host.ts'
import { HostMirror } from '../../../observed/mirror.ts'
import type { ObservedDomain, ObservedPool, ObservedVolume } from '../../../observed/objects.ts'
import { addIndexes } from '../../../operator/wake.ts'
import { computedUUID } from '../../../reconcilers/identity.ts'
import { type Plan, Refusal, type Standing } from '../../../reconcilers/plan.ts'
import { poolKind } from '../../../reconcilers/pool/index.ts'
import { volumeKind } from '../../../reconcilers/volume/index.ts'
import type { World } from '../../../reconcilers/world.ts'
import { FakeClock } from '../../support/fakeclock.ts'

const INSTALLATION = '11111111-1111-4111-8111-111111111111'
const uuidOf = (namespace: string, name: string): string => computedUUID(INSTALLATION, 'StoragePool', namespace, name)
const ready = [{ type: 'Ready', status: 'True' as const, reason: 'Available', message: '', lastTransitionTime: '2026-11-22T20:00:00Z' }]
const meta = (namespace: string, name: string): KubeObject['metadata'] => ({ namespace, name, uid: `${namespace}/${name}`, resourceVersion: '1', generation: 1, creationTimestamp: '2026-11-22T20:00:00Z' })

interface Made { origin?: 'Created' | 'Adopted' | 'Observed'; uuid?: string; path?: string; metadata?: Partial<KubeObject['metadata']> }
const pool = (namespace: string, name: string, spec: StoragePoolSpec, made?: Made): StoragePool => ({
  apiVersion: 'vireo.dev/v1alpha1', kind: 'StoragePool', metadata: { ...meta(namespace, name), ...made?.metadata }, spec,
  ...(made?.origin === undefined ? {} : { status: { observedGeneration: 1, conditions: ready, path: made.path, binding: { hypervisor: 'kvm7', name: `${namespace}.${name}`, uuid: made.uuid ?? uuidOf(namespace, name), origin: made.origin } } }),
})
const onHost = (name: string, path: string, uuid: string): ObservedPool =>
  ({ kind: 'pool', ref: { name, uuid }, active: true, autostart: true, path, xml: `<pool type='dir'><name>${name}</name><uuid>${uuid}</uuid><target><path>${path}</path></target></pool>`, info: { state: 2, capacity: 1, allocation: 0, available: 1 } })
const volume = (namespace: string, name: string, spec: Partial<StorageVolumeSpec>, binding?: object): StorageVolume => ({
  apiVersion: 'vireo.dev/v1alpha1', kind: 'StorageVolume', metadata: meta(namespace, name), spec: { poolRef: { name: 'images', namespace: 'infra' }, ...spec },
  ...(binding === undefined ? {} : { status: { observedGeneration: 1, conditions: ready, binding: { hypervisor: 'kvm7', pool: 'infra.images', ...binding } } }),
} as StorageVolume)
const inPool = (name: string, uuid: string): ObservedVolume => {
  const path = `/var/lib/vireo/images/${name}`
  return { kind: 'volume', ref: { pool: 'infra.images', name, key: path }, poolUUID: uuid, path, key: path, type: 'file', format: 'qcow2', capacity: 2 ** 30, allocation: 2 ** 20, xml: '<volume/>' }
}

interface Setting { pools?: StoragePool[]; volumes?: StorageVolume[]; observed?: (ObservedPool | ObservedVolume | ObservedDomain)[]; policy?: Hypervisor['spec']['policy'] }
function world({ pools = [], volumes = [], observed = [], policy = {} }: Setting): World {
  const mirror = new HostMirror()
  for (const object of observed) mirror.set(object)
  const filled = <T extends KubeObject>(objects: T[]): Mirror<T> => {
    const held = new Mirror<T>()
    held.takeWriter().replace(objects, '1')
    return held
  }
  const host = { state: 'Open', since: 0, mirror, readSince: () => true } as unknown as Host
  const made: World = {
    installation: INSTALLATION, cluster: 'c', clock: new FakeClock(),
    mirrors: {
      Hypervisor: filled<Hypervisor>([{ apiVersion: 'v', kind: 'Hypervisor', metadata: { name: 'kvm7', uid: 'hv', resourceVersion: '1' }, spec: { uri: 'qemu:///system', default: true, policy } }]),
      StoragePool: filled(pools), StorageVolume: filled(volumes), VirtualNetwork: filled<VirtualNetwork>([]), VirtualDomain: filled<VirtualDomain>([]),
    },
    namespaces: filled<KubeObject>(['shop', 'infra'].map(name => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, uid: name, resourceVersion: '1' }, spec: {} }))),
    data: { get: () => undefined }, host: () => host, hosts: () => new Map([['kvm7', host]]), leases: () => [], guest: () => undefined,
  }
  addIndexes(made)
  return made
}

/** What becomes of the pool `mine`, or of the volume, in a world that holds it too. */
function stand(setting: Setting, object: StoragePool | StorageVolume): { standing: Standing; plan?: Plan; status?: Record<string, unknown> } {
  const { pools = [], volumes = [] } = setting
  const at = world({ ...setting, pools: object.kind === 'StoragePool' ? [...pools, object as StoragePool] : pools, volumes: object.kind === 'StorageVolume' ? [...volumes, object as StorageVolume] : volumes })
  try {
    if (object.kind === 'StoragePool') {
      const kind = poolKind()
      const inputs = kind.gather(at, object as StoragePool)
      const plan = kind.plan(inputs)
      return { standing: plan.standing, plan, status: kind.describe(inputs) }
    }
    const kind = volumeKind({ clock: at.clock, wake: () => undefined })
    const inputs = kind.gather(at, object as StorageVolume)
    const plan = kind.plan(inputs)
    return { standing: plan.standing, plan, status: kind.describe(inputs) }
  } catch (error) {
    if (error instanceof Refusal) return { standing: error.standing }
    throw error
  }
}

const images = pool('infra', 'images', { dir: { path: '/var/lib/vireo/images' } }, { origin: 'Created', path: '/var/lib/vireo/images' })
const imagesOnHost = onHost('infra.images', '/var/lib/vireo/images', uuidOf('infra', 'images'))

describe('the place of a pool', () => {
  const there = { pools: [images], observed: [imagesOnHost] }
  test.each<[string, string]>([['another pool\'s', '/var/lib/vireo/images'], ['another pool\'s, with a slash', '/var/lib/vireo/images/'], ['in another pool\'s', '/var/lib/vireo/images/sub'], ['around another pool\'s', '/var/lib/vireo']])('is not %s', (_what, path) => {
    const policy = { hostPaths: ['/var/lib'], networkHosts: ['nas'] }
    for (const spec of [{ dir: { path } }, { netfs: { host: 'nas', dir: '/', path } }]) {
      const { standing } = stand({ ...there, policy }, pool('shop', 'mine', spec))
      expect(standing).toMatchObject({ reason: 'Conflict', message: expect.stringMatching(/^The place of the pool, .* Use another path\.$/) })
      expect(standing.message, 'whose the other is, is not told').not.toContain('infra')
    }
  })
  test('is not that of a pool that is gone while its volumes may be there', () => {
    expect(stand({ pools: [images] }, pool('shop', 'mine', { dir: { path: '/var/lib/vireo/images' } })).standing.reason).toBe('Conflict')
  })
  test('is given to the older of two that are begun at once', () => {
    const begun = (name: string, creationTimestamp: string): StoragePool => pool('shop', name, { dir: { path: `/var/lib/vireo/x${name === 'a' ? '/y' : ''}` } }, { metadata: { creationTimestamp, finalizers: ['vireo.dev/finalizer'] } })
    const [older, younger] = [begun('a', '2026-11-22T20:00:00Z'), begun('b', '2026-11-22T20:00:01Z')]
    expect(stand({ pools: [older] }, younger).standing.reason).toBe('Conflict')
    expect(stand({ pools: [younger] }, older).standing.reason).toBe('Available')
  })
  test('of a volume group is one pool\'s; the links of iSCSI are everybody\'s', () => {
    const vg = onHost('vg', '/dev/vg', 'u1')
    const policy = { hostPaths: ['/dev/vg', '/dev/disk/by-path'], networkHosts: ['san'] }
    expect(stand({ observed: [vg, onHost('san1', '/dev/disk/by-path', 'u2')], policy }, pool('shop', 'mine', { iscsi: { host: 'san', target: 'iqn' } })).standing.reason).toBe('Available')
    expect(stand({ observed: [vg], policy }, pool('shop', 'mine', { logical: { name: 'vg' } })).standing.reason).toBe('Conflict')
  })
  test('may be moved to no other pool\'s, either', () => {
    const uuid = uuidOf('shop', 'mine')
    const mine = pool('shop', 'mine', { netfs: { host: 'nas', dir: '/', path: '/var/lib/vireo/images' } }, { origin: 'Created', path: '/var/lib/vireo/mine' })
    const found = { ...onHost('shop.mine', '/var/lib/vireo/mine', uuid), xml: `<pool type='netfs'><name>shop.mine</name><uuid>${uuid}</uuid><source><host name='nas'/><dir path='/'/><format type='auto'/></source><target><path>/var/lib/vireo/mine</path></target></pool>` }
    expect(stand({ ...there, observed: [imagesOnHost, found], policy: { networkHosts: ['nas'] } }, mine).standing.reason).toBe('Conflict')
  })
})

describe('a pool of another object', () => {
  const there: Setting = { pools: [images], observed: [imagesOnHost], policy: { foreignObjects: 'Adopt' } }
  const same = { dir: { path: '/var/lib/vireo/images' }, name: 'infra.images', adoptionPolicy: 'Always' as const, deletionPolicy: 'Delete' as const }
  test('is not adopted, whatever is granted', () => {
    expect(stand(there, pool('shop', 'mine', same)).standing).toEqual({ reason: 'Conflict', message: 'The pool infra.images on Hypervisor kvm7 belongs to an object of another namespace. Choose another spec.name, or refer to that object instead of making this one.' })
    expect(stand(there, pool('infra', 'twin', same)).standing.message).toContain('belongs to StoragePool images.')
  })
  test('is not its who recorded the UUID before it was made', () => {
    const thief = pool('shop', 'mine', { ...same, uuid: uuidOf('infra', 'images') }, { origin: 'Created', uuid: uuidOf('infra', 'images') })
    const going = { ...thief, metadata: { ...thief.metadata, deletionTimestamp: '2026-11-22T20:00:00Z' } }
    expect(stand(there, thief).standing.reason).toBe('Conflict')
    expect(stand(there, going).plan).toMatchObject({ actions: [], gone: true })
  })
  test('is looked at by its own namespace alone', () => {
    const look = { name: 'infra.images', managementPolicy: 'ObserveOnly' as const }
    const stranger = stand(there, pool('shop', 'mine', look))
    expect(stranger.standing).toMatchObject({ reason: 'Forbidden', message: expect.stringContaining('belongs to an object of another namespace') })
    expect(stranger.status).toEqual({})
    expect(stand(there, pool('infra', 'twin', look)).standing.reason).toBe('Observed')
  })
  test('is used by who has volumes in it through an object of its own', () => {
    const view = pool('infra', 'view', { managementPolicy: 'ObserveOnly', name: 'infra.images' }, { origin: 'Observed', uuid: uuidOf('infra', 'images') })
    const user = volume('infra', 'data', { poolRef: { name: 'view' } }, { name: 'data', format: 'raw', origin: 'Created' })
    const going = { ...images, metadata: { ...images.metadata, deletionTimestamp: '2026-11-22T20:00:00Z' } }
    expect(stand({ ...there, pools: [view], volumes: [user] }, going).plan?.deletionBlocked?.message).toContain('StorageVolume data')
  })
})

describe('a volume that is only looked at', () => {
  const shared = { ...images, spec: { ...images.spec, export: { namespaceSelector: {} } } }
  const there: Setting = { pools: [shared], observed: [imagesOnHost, inPool('theirs', imagesOnHost.ref.uuid)], policy: { foreignObjects: 'Adopt' } }
  const look = (spec: Partial<StorageVolumeSpec> = {}, binding?: object): StorageVolume => volume('shop', 'seen', { name: 'theirs', managementPolicy: 'ObserveOnly', ...spec }, binding)

  test('has the format that its owner says, not what a guest wrote', () => {
    expect(stand(there, look()).status?.binding).toMatchObject({ format: undefined, origin: 'Observed' })
    expect(stand(there, look({}, { name: 'theirs', format: 'qcow2', origin: 'Observed' })).status).toMatchObject({ format: undefined, binding: { format: undefined } })
    expect(stand(there, look({ format: 'raw' })).status).toMatchObject({ format: 'raw', binding: { format: 'raw', origin: 'Observed' } })
  })
  test('is no other namespace\'s', () => {
    const owned = { ...there, volumes: [volume('infra', 'theirs', {}, { name: 'theirs', format: 'qcow2', origin: 'Created' })] }
    const stranger = stand(owned, look())
    expect(stranger.standing).toMatchObject({ reason: 'Forbidden', message: expect.stringContaining('belongs to an object of another namespace') })
    expect(stranger.status).toEqual({})
  })
  test('is no seed, with what users wrote into cloudInit', () => {
    expect(stand(there, look({ name: 'vireo-6f1c2d3e-0000-5000-8000-000000000001-abcdef012345.iso' })).standing).toMatchObject({ reason: 'Invalid', message: expect.stringContaining('is kept for the seeds') })
  })
  test('is what a clone is made from only where its format is said and trusted', () => {
    const seen = volume('infra', 'seen', { name: 'theirs', managementPolicy: 'ObserveOnly', export: { namespaceSelector: {} } }, { name: 'theirs', origin: 'Observed' })
    const clone = volume('shop', 'mine', { source: { clone: { volumeRef: { name: 'seen', namespace: 'infra' } } } })
    const from = (format: string | undefined, foreignObjects: 'Observe' | 'Adopt'): Standing => stand({ ...there, policy: { foreignObjects }, volumes: [{ ...seen, spec: { ...seen.spec, format } }] }, clone).standing
    expect(from(undefined, 'Adopt')).toMatchObject({ reason: 'Invalid', message: expect.stringContaining('Set spec.format of that object') })
    expect(from('qcow2', 'Observe')).toMatchObject({ reason: 'Forbidden', message: expect.stringContaining('format qcow2 can name any file') })
    expect(from('qcow2', 'Adopt').reason).toBe('Transferring')
    expect(from('raw', 'Observe').reason).toBe('Transferring')
  })
})

test('a volume that a domain starts from, or keeps its firmware variables in, is in use', () => {
  const starts: ObservedDomain = {
    kind: 'domain', ref: { name: 'x', uuid: 'x', id: -1 }, state: 5, reason: 0, persistent: true, autostart: false, inactive: '<domain/>', disks: [], interfaces: [],
    bootFiles: ['/var/lib/vireo/images/vars'],
  }
  const vars = volume('infra', 'vars', {}, { name: 'vars', format: 'raw', origin: 'Created' })
  const going = { ...vars, metadata: { ...vars.metadata, deletionTimestamp: '2026-11-22T20:00:00Z' } }
  const made = (observed: Setting['observed']): Plan | undefined => stand({ pools: [images], observed }, going).plan
  expect(made([imagesOnHost, inPool('vars', imagesOnHost.ref.uuid), starts])?.deletionBlocked).toMatchObject({ reason: 'InUse', message: expect.stringContaining('1 domain that vireo does not manage') })
  expect(made([imagesOnHost, inPool('vars', imagesOnHost.ref.uuid)])?.actions.map(action => action.type)).toEqual(['Deleted'])
})
