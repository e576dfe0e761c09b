import { describe, expect, test } from 'vitest'
import type { StoragePool, StoragePoolSpec } from '../../../crds/storagepool.ts'
import type { ObservedPool } from '../../../observed/objects.ts'
import type { Grant } from '../../../reconcilers/policy.ts'
import { describePool } from '../../../reconcilers/pool/describe.ts'
import type { PoolInputs, Relation } from '../../../reconcilers/pool/inputs.ts'
import { planPool } from '../../../reconcilers/pool/plan.ts'
import { checkPlaces, differences, renderPool } from '../../../reconcilers/pool/render.ts'
import { parseXml, serializeXml } from '../../../xml/tree.ts'

const Gi = 2 ** 30
const uuid = '6f1c2d3e-0000-5000-8000-000000000001'
const binding = { hypervisor: 'h', name: 'images', uuid, origin: 'Created' as const }
const pool = (fields: Partial<ObservedPool> = {}): ObservedPool => ({
  kind: 'pool', ref: { name: 'images', uuid }, active: true, autostart: true, path: '/p', xml: '',
  info: { state: 2, capacity: 400 * Gi, allocation: 88 * Gi, available: 312 * Gi }, ...fields,
})
const ours = (fields?: Partial<ObservedPool>): Relation => ({ type: 'Ours', pool: pool(fields) })
const foreign = (fields?: Partial<ObservedPool>): Relation => ({ type: 'Foreign', pool: pool(fields) })
const up = { binding, observedGeneration: 1, capacity: '400Gi', state: 'Active', path: '/p', conditions: [{ type: 'Synced', status: 'True' }] }

interface Case { spec?: Partial<StoragePoolSpec>; status?: unknown; generation?: number; grants?: 'Forbidden' | 'Observe' | 'Adopt'; fields?: Partial<PoolInputs> }
function inputs({ spec = {}, status, generation = 1, grants = 'Forbidden', fields = {} }: Case): PoolInputs {
  const object = { apiVersion: 'v', kind: 'StoragePool', metadata: { name: 'images', namespace: 'ns', uid: 'u', resourceVersion: '1', generation }, spec: { dir: { path: '/p' }, ...spec }, status } as unknown as StoragePool
  return {
    object, terminating: false, bound: { name: 'h', grant: { hypervisor: 'h', namespace: 'ns', foreignObjects: grants } } as PoolInputs['bound'], binding,
    relation: { type: 'Absent' }, differences: [], verified: false, wasUp: status !== undefined, announced: false, missing: false, madeFolder: false, users: [], unfinished: [], retainAll: false, now: 0, ...fields,
  }
}
const changed = [{ path: 'netfs.host', found: 'a', wanted: 'b' }]
const netfs = { dir: undefined, netfs: { host: 'b', dir: '/e', path: '/p' } }

describe('the plan of a pool', () => {
  test.each<[string, Case, string, string[]]>([
    ['nothing is there', {}, 'Available', ['Defined', 'AutostartSet', 'Started']],
    ['nothing is there, and it is to be still', { spec: { state: 'Inactive', autostart: 'Disabled' } }, 'Stopped', ['Defined']],
    ['a mount point is made before its first start', { spec: netfs }, 'Available', ['Defined', 'AutostartSet', 'Built', 'Started']],
    ['a mount point is not made where build says Never', { spec: { ...netfs, build: 'Never' } }, 'Available', ['Defined', 'AutostartSet', 'Started']],
    ['the folder turned out to be missing', { fields: { relation: ours({ active: false }), missing: true } }, 'Available', ['Built', 'Started']],
    ['the folder is missing, and build says Never', { spec: { build: 'Never' }, fields: { relation: ours({ active: false }), missing: true } }, 'Available', ['Started']],
    ['a folder that was there is never made again', { status: up, fields: { relation: ours({ active: false }), missing: true } }, 'Available', ['Started']],
    ['nor is that of an adopted pool', { fields: { relation: ours({ active: false }), missing: true, binding: { ...binding, origin: 'Adopted' } } }, 'Available', ['Started']],
    ['a UUID that the spec chose is recorded first', { spec: { uuid } }, 'Creating', []],
    ['and then made', { spec: { uuid }, status: { binding }, fields: { announced: true, wasUp: false } }, 'Available', ['Defined', 'AutostartSet', 'Started']],
    ['in sync', { status: up, fields: { relation: ours() } }, 'Available', []],
    ['stopped by hand', { status: up, fields: { relation: ours({ active: false }) } }, 'Available', ['Started']],
    ['stopped by hand, to be reported', { spec: { driftPolicy: { action: 'Report' } }, status: up, fields: { relation: ours({ active: false }) } }, 'Stopped', []],
    ['a spec change is applied though drift is only reported', { spec: { driftPolicy: { action: 'Report' }, autostart: 'Disabled' }, status: up, generation: 2, fields: { relation: ours() } }, 'Available', ['AutostartSet']],
    ['to be still', { spec: { state: 'Inactive' }, status: up, fields: { relation: ours() } }, 'Stopped', ['Stopped']],
    ['gone, not asked', { status: up }, 'Updating', ['LookedUp']],
    ['gone', { status: up, fields: { verified: true } }, 'Lost', []],
    ['a stranger\'s', { fields: { relation: foreign() } }, 'Conflict', []],
    ['a stranger\'s at our path', { fields: { rival: { name: 'x', uuid: 'y', free: true } } }, 'Conflict', []],
    ['another object\'s at, above or below our path', { fields: { rival: { name: 'x', uuid: 'y', free: false } } }, 'Conflict', []],
    ['moved to where another pool is', { spec: netfs, status: up, generation: 2, fields: { relation: ours(), differences: [{ path: 'netfs.path', found: '/q', wanted: '/p' }], rival: { name: 'x', uuid: 'y', free: true } } }, 'Conflict', []],
    ['another object\'s cannot be adopted, whatever is granted', { spec: { adoptionPolicy: 'Always' }, grants: 'Adopt', fields: { relation: { ...foreign(), holder: { called: 'StoragePool images', stranger: false } } as Relation } }, 'Conflict', []],
    ['another namespace\'s is not looked at, whatever is granted', { spec: { managementPolicy: 'ObserveOnly' }, grants: 'Adopt', fields: { relation: { ...foreign(), holder: { called: 'x', stranger: true } } as Relation } }, 'Forbidden', []],
    ['one\'s own namespace\'s may be looked at', { spec: { managementPolicy: 'ObserveOnly' }, grants: 'Observe', fields: { relation: { ...foreign(), holder: { called: 'x', stranger: false } } as Relation } }, 'Observed', []],
    ['a stranger\'s, to be adopted, not granted', { spec: { adoptionPolicy: 'Always' }, grants: 'Observe', fields: { relation: foreign() } }, 'Forbidden', []],
    ['a stranger\'s as it is', { spec: { adoptionPolicy: 'IfUnchanged' }, grants: 'Adopt', fields: { relation: foreign() } }, 'Updating', ['Adopted']],
    ['a stranger\'s, not as it is', { spec: { adoptionPolicy: 'IfUnchanged' }, grants: 'Adopt', fields: { relation: foreign({ active: false }) } }, 'Conflict', []],
    ['a stranger\'s at another path cannot be adopted', { spec: { adoptionPolicy: 'Always' }, grants: 'Adopt', fields: { relation: foreign(), differences: [{ path: 'dir.path', found: '/a', wanted: '/p' }] } }, 'Conflict', []],
    ['changed, and nothing uses it: recreated over the same UUID', { spec: netfs, status: up, generation: 2, fields: { relation: ours(), differences: changed } }, 'Available', ['Stopped', 'Defined', 'Started']],
    ['changed, and in use: waits', { spec: netfs, status: up, generation: 2, fields: { relation: ours(), differences: changed, users: ['x'] } }, 'Available', []],
    ['changed, and never to be recreated', { spec: { ...netfs, updatePolicy: { recreate: 'Never' } }, status: up, generation: 2, fields: { relation: ours(), differences: changed } }, 'Available', []],
    ['moved past the API\'s own rule', { status: up, generation: 2, fields: { relation: ours(), differences: [{ path: 'dir.path', found: '/a', wanted: '/p' }] } }, 'Invalid', []],
    ['ObserveOnly, not granted', { spec: { managementPolicy: 'ObserveOnly' }, fields: { relation: foreign() } }, 'Forbidden', []],
    ['ObserveOnly', { spec: { managementPolicy: 'ObserveOnly' }, grants: 'Observe', fields: { relation: foreign() } }, 'Observed', []],
    ['ObserveOnly of nothing', { spec: { managementPolicy: 'ObserveOnly' }, grants: 'Observe' }, 'NotFound', []],
  ])('%s', (_, given, reason, actions) => {
    const plan = planPool(inputs(given))
    expect({ reason: plan.standing.reason, actions: plan.actions.map(action => action.type) }).toEqual({ reason, actions })
    expect(plan.actions.some(action => action.type === 'Undefined'), 'an update never undefines').toBe(false)
  })

  test('lists what waits, and what only is reported', () => {
    expect(planPool(inputs({ spec: netfs, status: up, generation: 2, fields: { relation: ours(), differences: changed, users: ['x'] } })).pending).toEqual([{ path: 'netfs.host', current: 'a', desired: 'b', apply: 'Recreate' }])
    expect(planPool(inputs({ spec: { driftPolicy: { action: 'Report' } }, status: up, fields: { relation: ours({ active: false }) } })).drift).toEqual([{ path: 'state', expected: 'Active', found: 'Inactive' }])
  })

  test.each<[string, Case, boolean, string[], string?]>([
    ['ended', { status: up, fields: { relation: ours() } }, false, ['Stopped', 'Undefined']],
    ['ended with the folder that vireo made', { status: up, fields: { relation: ours(), madeFolder: true } }, false, ['Stopped', 'FolderRemoved', 'Undefined']],
    ['in use', { status: up, fields: { relation: ours(), users: ['StorageVolume x'] } }, false, [], 'InUse'],
    ['left, and something in it is not done', { spec: { deletionPolicy: 'Retain' }, status: up, fields: { relation: ours(), unfinished: ['StorageVolume x'] } }, false, [], 'InUse'],
    ['kept by Retain', { spec: { deletionPolicy: 'Retain' }, status: up, fields: { relation: ours() } }, true, []],
    ['kept because it was adopted', { status: { ...up, binding: { ...binding, origin: 'Adopted' } }, fields: { relation: ours() } }, true, []],
    ['kept because it is a stranger\'s', { fields: { relation: foreign() } }, true, []],
    ['kept because the kind itself goes', { status: up, fields: { relation: ours(), retainAll: true } }, true, []],
    ['not there, not asked', { status: up }, false, ['LookedUp']],
    ['not there', { status: up, fields: { verified: true } }, true, []],
  ])('at deletion: %s', (_, given, gone, actions, blocked) => {
    const plan = planPool(inputs({ ...given, fields: { ...given.fields, terminating: true } }))
    expect({ gone: plan.gone ?? false, actions: plan.actions.map(action => action.type), blocked: plan.deletionBlocked?.reason }).toEqual({ gone, actions, blocked })
  })
})

const documents: [string, Partial<StoragePoolSpec>, string][] = [
  ['dir', { dir: { path: '/var/lib/vireo/images/' } }, '<target><path>/var/lib/vireo/images</path></target>'],
  ['netfs', { netfs: { host: 'nas', dir: '/export', path: '/mnt', protocolVersion: '4' } }, '<source><host name="nas"/><dir path="/export"/><format type="auto"/><protocol ver="4"/></source><target><path>/mnt</path></target>'],
  ['logical', { logical: { name: 'vg', devices: ['/dev/sdc', '/dev/sdb'] } }, '<source><device path="/dev/sdb"/><device path="/dev/sdc"/><name>vg</name><format type="lvm2"/></source><target><path>/dev/vg</path></target>'],
  ['iscsi', { iscsi: { host: 'san', port: 3261, target: 'iqn.2026-01.org:t' } }, '<source><host name="san" port="3261"/><device path="iqn.2026-01.org:t"/></source><target><path>/dev/disk/by-path</path></target>'],
  ['zfs', { zfs: { name: 'tank/vm' } }, '<source><name>tank/vm</name></source>'],
  ['rbd', { rbd: { name: 'vm', monitors: ['c1', 'c2:3300', '[fd00::1]:6789', 'fd00::2'] } }, '<source><host name="c1"/><host name="c2" port="3300"/><host name="fd00::1" port="6789"/><host name="fd00::2"/><name>vm</name></source>'],
]

describe('the document of a pool', () => {
  test.each(documents)('%s', (type, spec, content) => {
    const document = renderPool(spec, { name: 'images', uuid })
    expect(serializeXml(document)).toBe(`<pool type="${type}"><name>images</name><uuid>${uuid}</uuid>${content}</pool>`)
    expect(differences(parseXml(serializeXml(document)), spec as StoragePoolSpec), 'read back, nothing differs').toEqual([])
  })
  test('what libvirt fills in is no difference, what was changed is', () => {
    const found = parseXml('<pool type="netfs"><source><host name="old"/><dir path="/export"/><format type="auto"/></source><target><path>/mnt</path><permissions><mode>0711</mode></permissions></target></pool>')
    const spec = { netfs: { host: 'nas', dir: '/export', path: '/mnt' } } as StoragePoolSpec
    expect(differences(found, spec)).toEqual([{ path: 'netfs.host', found: 'old', wanted: 'nas' }])
  })
  const closed = /not within what Hypervisor h grants/
  const host = /policy\.networkHosts: nas, san:3260/
  test.each<[Partial<StoragePoolSpec>, RegExp | undefined]>([
    [{ dir: { path: '/var/lib/vireo/x' } }, undefined], [{ dir: { path: '/var/lib/vireo/../x' } }, closed], [{ dir: { path: '/var/lib//vireo' } }, closed], [{ dir: { path: '/etc' } }, closed],
    [{ dir: { path: '/var/lib/vireo' } }, /the very folder/], [{ dir: { path: '/var/lib/vireo/' } }, /the very folder/],
    [{ netfs: { host: 'nas', dir: '/', path: '/mnt' } }, closed], [{ netfs: { host: 'nas', dir: '/', path: '/var/lib/vireo' } }, /the very folder/],
    [{ netfs: { host: 'NAS', dir: '/', path: '/var/lib/vireo/x' } }, undefined], [{ netfs: { host: 'evil', dir: '/', path: '/var/lib/vireo/x' } }, host],
    [{ logical: { name: 'root' } }, closed], [{ logical: { name: 'vg' } }, undefined], [{ logical: { name: 'vg', devices: ['/dev/sda'] } }, closed], [{ zfs: { name: 'rpool' } }, closed],
    [{ rbd: { name: 'vm', monitors: ['nas'] } }, undefined], [{ rbd: { name: 'vm', monitors: ['nas', 'm'] } }, host], [{ rbd: { name: 'vm', monitors: [] } }, host],
    [{ iscsi: { host: 'san', target: 'iqn' } }, closed],
  ])('%j is refused for %s', (spec, why) => {
    const grant = { hypervisor: 'h', namespace: 'n', hostPaths: ['/var/lib/vireo', '/dev/vg'], networkHosts: new Set(['nas', 'san:3260']) } as unknown as Grant
    const check = (): void => { checkPlaces(grant, spec) }
    if (why === undefined) expect(check).not.toThrow()
    else expect(check).toThrow(why)
  })
  test('an iSCSI pool needs the folder of its links and its server', () => {
    const check = (hostPaths: string[], networkHosts: string[], port?: number) => (): void => { checkPlaces({ hypervisor: 'h', namespace: 'n', hostPaths, networkHosts: new Set(networkHosts) } as unknown as Grant, { iscsi: { host: 'san', port, target: 'iqn' } }) }
    expect(check(['/dev/disk/by-path'], ['san'])).not.toThrow()
    expect(check(['/dev/disk'], ['san:3260'])).not.toThrow()
    expect(check(['/dev/disk/by-path'], ['san:3260'], 22)).toThrow(/san:22 is not among the hosts/)
    expect(check([], ['san'])).toThrow(closed)
  })
})

describe('the status of a pool', () => {
  const sizes = (available: number, now: number, status: unknown, memory: { at?: number }, fields: Partial<ObservedPool> = {}): unknown =>
    describePool(inputs({ status, fields: { now, volumes: 7, relation: ours({ info: { state: 2, capacity: 400 * Gi, allocation: 400 * Gi - available, available }, ...fields }) } }), memory).available
  test('writes sizes again only after a move of 1 %, and not within 5 minutes', () => {
    const memory: { at?: number } = {}
    const before = { ...up, allocation: '88Gi', available: '312Gi', volumes: 7 }
    expect(sizes(312 * Gi + 5, 0, undefined, memory)).toBe('312Gi')
    expect(sizes(310 * Gi, 400_000, before, memory)).toBe('312Gi')
    expect(sizes(300 * Gi, 200_000, before, memory)).toBe('312Gi')
    expect(sizes(300 * Gi, 400_000, before, memory)).toBe('300Gi')
    expect(sizes(310 * Gi, 400_001, { ...before, volumes: 6 }, memory)).toBe('310Gi')
    expect(sizes(0, 900_000, before, memory, { active: false }), 'an inactive pool tells no sizes').toBe('312Gi')
  })
  test('tells nothing of a stranger\'s pool, and keeps what was known of one that is Lost', () => {
    expect(describePool(inputs({ fields: { relation: foreign() } }), {})).toEqual({})
    expect(describePool(inputs({ status: up }), {})).toMatchObject({ path: '/p', capacity: '400Gi' })
  })
})
