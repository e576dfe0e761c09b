import { describe, expect, test } from 'vitest'
import type { StorageVolume, StorageVolumeSpec } from '../../../crds/storagevolume.ts'
import type { ObservedVolume } from '../../../observed/objects.ts'
import { describeVolume } from '../../../reconcilers/volume/describe.ts'
import type { VolumeInputs } from '../../../reconcilers/volume/inputs.ts'
import { planVolume } from '../../../reconcilers/volume/plan.ts'
import { capacityOf, createFlags, nameProblem, renderVolume } from '../../../reconcilers/volume/render.ts'
import type { JobState } from '../../../reconcilers/volume/source/jobs.ts'
import { serializeXml } from '../../../xml/tree.ts'

const Mi = 2 ** 20
const path = '/pool/disk'
const volume = (fields: Partial<ObservedVolume> = {}): ObservedVolume => ({
  kind: 'volume', ref: { pool: 'images', name: 'disk', key: path }, poolUUID: 'p', path, key: path, type: 'file', format: 'qcow2',
  capacity: 64 * Mi, allocation: 200_704, xml: `<volume><physical unit='bytes'>${8 * Mi}</physical></volume>`, ...fields,
})
const complete = { hypervisor: 'h', name: 'disk', pool: 'images', format: 'qcow2', origin: 'Created' } as const
const { format: _format, ...begun } = complete

interface Case { spec?: Partial<StorageVolumeSpec>; status?: unknown; generation?: number; grants?: 'Forbidden' | 'Observe' | 'Adopt'; job?: JobState; attempt?: string; fields?: Partial<VolumeInputs> }

function inputs({ spec = {}, status, generation = 1, grants = 'Forbidden', job, attempt = '1/', fields = {} }: Case): VolumeInputs {
  const binding = (status as { binding?: VolumeInputs['binding'] } | undefined)?.binding
  const object = { apiVersion: 'v', kind: 'StorageVolume', metadata: { name: 'disk', namespace: 'ns', uid: 'u', resourceVersion: '1', generation }, spec: { poolRef: { name: 'images' }, capacity: '64Mi', ...spec }, status } as unknown as StorageVolume
  const url = object.spec.source?.url
  return {
    object, terminating: false, bound: { name: 'h', grant: { hypervisor: 'h', namespace: 'ns', foreignObjects: grants } } as VolumeInputs['bound'],
    binding: { hypervisor: 'h', name: 'disk', uuid: 'p', pool: 'images', format: 'qcow2', origin: binding?.origin ?? 'Created' },
    pool: { ref: { name: 'images', uuid: 'p' }, type: 'dir', active: true },
    record: binding === undefined ? 'None' : binding.format === undefined ? 'Begun' : 'Complete',
    intended: false, verified: false, retainAll: false, writers: [], users: [], now: 1000, attempt: '1/',
    origin: url ? { type: 'Url', url } : { type: 'Empty', capacity: 64 * Mi },
    job: job && { state: job, attempt },
    ...fields,
  }
}
const source = { url: { url: 'http://u/image?token=secret', verification: 'None' as const } }
const user = { domain: 'web', uuid: 'd', target: 'vda', below: false }
const ready = (reason: string): unknown => [{ type: 'Ready', reason }]

describe('the plan of a volume', () => {
  test.each<[string, Case, string, string[]]>([
    ['nothing is there: it is made', {}, 'Available', ['Created']],
    ['ours and as wanted: nothing is done', { status: { binding: complete }, fields: { observed: volume() } }, 'Available', []],
    ['not seen, not looked for: the host is asked first', { status: { binding: complete } }, 'Updating', ['LookedUp']],
    ['absent by the host\'s own answer: Lost', { status: { binding: complete }, fields: { verified: true } }, 'Lost', []],
    ['Lost stays Lost when the spec changes', { status: { binding: complete, observedGeneration: 1 }, generation: 2, spec: { capacity: '1Gi' }, fields: { verified: true } }, 'Lost', []],
    ['a stranger\'s: Conflict', { fields: { observed: volume() } }, 'Conflict', []],
    ['a stranger\'s, with an intention that anybody may write, and data in it: Conflict', { fields: { observed: volume({ allocation: 10 * Mi }), intended: true } }, 'Conflict', []],
    ['begun by us before a crash, and empty: ours', { fields: { observed: volume(), intended: true } }, 'Available', []],
    ['begun by us and empty, but bound to another object: Conflict', { fields: { observed: volume(), intended: true, claimed: { called: 'StorageVolume x', stranger: false } } }, 'Conflict', []],
    ['begun by us and empty, but above a file: Conflict', { fields: { observed: volume({ backing: '/etc/passwd' }), intended: true } }, 'Conflict', []],
    ['content is never taken for ours by an annotation', { spec: { source }, fields: { observed: volume(), intended: true } }, 'Conflict', []],
    ['adoption without the grant: Forbidden', { spec: { adoptionPolicy: 'Always' }, fields: { observed: volume() } }, 'Forbidden', []],
    ['adoption as it is', { spec: { adoptionPolicy: 'IfUnchanged' }, grants: 'Adopt', fields: { observed: volume() } }, 'Updating', ['Adopted']],
    ['IfUnchanged does not grow', { spec: { adoptionPolicy: 'IfUnchanged', capacity: '1Gi' }, grants: 'Adopt', fields: { observed: volume() } }, 'Conflict', []],
    ['Always does', { spec: { adoptionPolicy: 'Always', capacity: '1Gi' }, grants: 'Adopt', fields: { observed: volume() } }, 'Updating', ['Adopted']],
    ['adopted now: what differs is corrected', { spec: { adoptionPolicy: 'Always', capacity: '1Gi' }, grants: 'Adopt', fields: { observed: volume(), made: 'Adopted' } }, 'Available', ['Grown']],
    ['a probe that says otherwise is not believed at adoption', { spec: { adoptionPolicy: 'Always' }, grants: 'Adopt', fields: { observed: volume({ format: 'raw' }) } }, 'Conflict', []],
    ['a header that names a file is not adopted', { spec: { adoptionPolicy: 'Always' }, grants: 'Adopt', fields: { observed: volume({ backing: '/etc/passwd' }) } }, 'Conflict', []],
    ['larger wanted: grown', { spec: { capacity: '128Mi' }, status: { binding: complete }, fields: { observed: volume() } }, 'Available', ['Grown']],
    ['larger wanted under a guest: by its block device', { spec: { capacity: '128Mi' }, status: { binding: complete }, fields: { observed: volume(), writers: [user] } }, 'Available', ['BlockResized']],
    ['larger wanted below a running overlay: at the next cold start', { spec: { capacity: '128Mi' }, status: { binding: complete }, fields: { observed: volume(), writers: [{ ...user, below: true }] } }, 'Available', []],
    ['larger wanted, but the content pretends to another format', { spec: { capacity: '128Mi' }, status: { binding: { ...complete, format: 'raw' } }, fields: { observed: volume(), binding: { ...complete, uuid: 'p', format: 'raw' } } }, 'Unsupported', []],
    ['smaller wanted: Invalid', { spec: { capacity: '32Mi' }, status: { binding: complete, observedGeneration: 1 }, generation: 2, fields: { observed: volume() } }, 'Invalid', []],
    ['smaller wanted stays Invalid', { spec: { capacity: '32Mi' }, status: { binding: complete, observedGeneration: 1, conditions: ready('Invalid') }, fields: { observed: volume() } }, 'Invalid', []],
    ['made larger by hand: drift, and still there', { spec: { capacity: '32Mi' }, status: { binding: complete, observedGeneration: 1, conditions: ready('Available') }, fields: { observed: volume() } }, 'Available', []],
    ['ObserveOnly without a grant', { spec: { managementPolicy: 'ObserveOnly' }, fields: { observed: volume() } }, 'Forbidden', []],
    ['ObserveOnly with one', { spec: { managementPolicy: 'ObserveOnly' }, grants: 'Observe', fields: { observed: volume() } }, 'Observed', []],
    ['ObserveOnly of what is not there', { spec: { managementPolicy: 'ObserveOnly' }, grants: 'Observe' }, 'NotFound', []],

    ['an image is looked at first', { spec: { source } }, 'Transferring', ['SourceOpened']],
    ['space taken at once is made by a transfer too', { spec: { preallocation: 'Full' } }, 'Transferring', ['SourceOpened']],
    ['looked at, not recorded: the record comes first', { spec: { source }, job: { phase: 'Inspected' } }, 'Transferring', []],
    ['looked at and recorded: it begins', { spec: { source }, status: { binding: begun }, job: { phase: 'Inspected' } }, 'Transferring', ['TransferStarted']],
    ['under way: left alone, though the volume is there', { spec: { source }, status: { binding: begun }, job: { phase: 'Writing', transferred: 1 }, fields: { observed: volume() } }, 'Transferring', []],
    ['whole', { spec: { source, capacity: undefined }, status: { binding: begun }, job: { phase: 'Done', format: 'qcow2' }, fields: { observed: volume() } }, 'Available', []],
    ['whole and gone is Lost', { spec: { source }, status: { binding: begun }, job: { phase: 'Done', format: 'qcow2' }, fields: { verified: true } }, 'Lost', []],
    ['half, and nobody writes: removed', { spec: { source }, status: { binding: begun }, fields: { observed: volume() } }, 'Transferring', ['HalfRemoved']],
    ['half, and in use: left alone', { spec: { source }, status: { binding: begun }, fields: { observed: volume(), users: ['VirtualDomain x'] } }, 'Conflict', []],
    ['what the transfer met as a stranger\'s is not removed', { spec: { source }, status: { binding: begun }, job: { phase: 'Failed', reason: 'Conflict', message: 'm', stalled: true }, fields: { observed: volume() } }, 'Conflict', []],
    ['failed for good', { spec: { source }, job: { phase: 'Failed', reason: 'SourceFailed', message: 'm', stalled: true } }, 'SourceFailed', []],
    ['failed for good, and the spec was changed', { spec: { source }, attempt: '0/', job: { phase: 'Failed', reason: 'SourceFailed', message: 'm', stalled: true } }, 'Transferring', ['SourceOpened']],
    ['failed for now', { spec: { source }, job: { phase: 'Failed', reason: 'SourceFailed', message: 'm', stalled: false, retryAt: 2000 } }, 'Transferring', []],
    ['failed for now, and due', { spec: { source }, job: { phase: 'Failed', reason: 'SourceFailed', message: 'm', stalled: false, retryAt: 1000 } }, 'Transferring', ['SourceOpened']],
    ['the spec was changed while the source was looked at', { spec: { source }, attempt: '0/', job: { phase: 'Inspecting' } }, 'Transferring', ['TransferStopped']],
  ])('%s', (_, given, reason, actions) => {
    const plan = planVolume(inputs(given))
    expect({ reason: plan.standing.reason, actions: plan.actions.map(action => action.type) }).toEqual({ reason, actions })
    expect(JSON.stringify(plan)).not.toContain('secret')
  })

  const going = { terminating: true, origin: undefined } as const
  test.each<[string, Case, boolean, string[], string?]>([
    ['deleted', { status: { binding: complete }, fields: { ...going, observed: volume() } }, false, ['Deleted']],
    ['kept by Retain', { spec: { deletionPolicy: 'Retain' }, status: { binding: complete }, fields: { ...going, observed: volume() } }, true, []],
    ['kept because it was adopted', { status: { binding: { ...complete, origin: 'Adopted' } }, fields: { ...going, observed: volume() } }, true, []],
    ['deleted though adopted, when asked', { spec: { deletionPolicy: 'Delete' }, status: { binding: { ...complete, origin: 'Adopted' } }, fields: { ...going, observed: volume() } }, false, ['Deleted']],
    ['kept because it was only looked at', { spec: { managementPolicy: 'ObserveOnly' }, status: { binding: complete }, fields: { ...going, observed: volume() } }, true, []],
    ['kept because the kind itself goes', { status: { binding: complete }, fields: { ...going, observed: volume(), retainAll: true } }, true, []],
    ['not there, not asked', { status: { binding: complete }, fields: going }, false, ['LookedUp']],
    ['not there', { status: { binding: complete }, fields: { ...going, verified: true } }, true, []],
    ['its pool is not there, not asked', { status: { binding: complete }, fields: { ...going, pool: undefined } }, false, ['LookedUp']],
    ['its pool is gone', { status: { binding: complete }, fields: { ...going, pool: undefined, verified: true } }, true, []],
    ['its pool is not active: nothing is known', { status: { binding: complete }, fields: { ...going, verified: true, pool: { ref: { name: 'images', uuid: 'p' }, type: 'dir', active: false } } }, false, []],
    ['in use', { status: { binding: complete }, fields: { ...going, observed: volume(), users: ['VirtualDomain web'] } }, false, [], 'InUse'],
    ['never begun', { fields: { ...going, observed: volume() } }, true, []],
    ['begun, crashed, empty', { fields: { ...going, observed: volume(), intended: true } }, false, ['Deleted']],
    ['an intention by anybody, and data', { fields: { ...going, observed: volume({ allocation: 10 * Mi }), intended: true } }, true, []],
    ['half, whatever the policy', { spec: { source, deletionPolicy: 'Retain' }, status: { binding: begun }, fields: { ...going, observed: volume() } }, false, ['Deleted']],
    ['under way: stopped first', { spec: { source }, status: { binding: begun }, job: { phase: 'Writing', transferred: 1 }, fields: { ...going, observed: volume() } }, false, ['TransferStopped']],
  ])('at deletion: %s', (_, given, gone, actions, blocked) => {
    const plan = planVolume(inputs(given))
    expect({ gone: plan.gone ?? false, actions: plan.actions.map(action => action.type), blocked: plan.deletionBlocked?.reason }).toEqual({ gone, actions, blocked })
    for (const action of plan.actions) if (action.type === 'Deleted') expect(action.guarded).toBe(true)
  })
})

describe('the status of a volume', () => {
  const status = (given: Case): Record<string, unknown> => JSON.parse(JSON.stringify(describeVolume(inputs(given), {}))) as Record<string, unknown>
  test.each<[string, Case, unknown]>([
    ['whole', { status: { binding: complete }, fields: { observed: volume() } }, complete],
    ['about to be begun', { spec: { source }, job: { phase: 'Inspected' } }, begun],
    ['under way', { spec: { source }, status: { binding: begun }, job: { phase: 'Writing', transferred: 1 } }, begun],
    ['only looked at', { spec: { source }, job: { phase: 'Inspecting' } }, undefined],
    ['failed: the spec may be mended', { spec: { source }, status: { binding: begun }, job: { phase: 'Failed', reason: 'SourceFailed', message: 'm', stalled: true } }, undefined],
    ['a stranger\'s', { fields: { observed: volume() } }, undefined],
    ['Lost keeps it', { status: { binding: complete }, fields: { verified: true } }, complete],
  ])('binds %s', (_, given, binding) => {
    expect(status(given).binding).toEqual(binding)
  })
  test('shows how far a transfer is, only while it is', () => {
    expect(status({ spec: { source }, status: { binding: begun }, job: { phase: 'Writing', transferred: 180.5 * Mi, total: 430 * Mi } })).toMatchObject({ progress: '41%', transferred: '180Mi' })
    expect(status({ status: { binding: complete }, fields: { observed: volume() } })).not.toHaveProperty('progress')
  })
  test('tells nothing of a stranger\'s volume', () => {
    expect(status({ fields: { observed: volume() } })).toEqual({})
  })
  test('writes the allocation again only after a move of 1 %, and not within 5 minutes', () => {
    const memory: { at?: number } = {}
    const at = (allocation: number, now: number, before?: string): unknown => describeVolume(inputs({ status: { binding: complete, allocation: before }, fields: { observed: volume({ allocation, capacity: 1000 * Mi }), now } }), memory).allocation
    expect(at(100 * Mi, 0)).toBe('100Mi')
    expect(at(105 * Mi, 400_000, '100Mi')).toBe('100Mi')
    expect(at(120 * Mi, 200_000, '100Mi')).toBe('100Mi')
    expect(at(120 * Mi, 400_000, '100Mi')).toBe('120Mi')
  })
})

describe('the document of a volume', () => {
  test.each<[string, Parameters<typeof renderVolume>[0], string, number]>([
    ['qcow2', { name: 'a&b', poolType: 'dir', capacity: 4096, format: 'qcow2' }, '<volume><name>a&amp;b</name><capacity unit="bytes">4096</capacity><allocation unit="bytes">0</allocation><target><format type="qcow2"/></target></volume>', 0],
    ['a thin clone names the format below', { name: 'a', poolType: 'dir', capacity: 1, format: 'qcow2', backing: { path: '/p', format: 'raw' } }, '<volume><name>a</name><capacity unit="bytes">1</capacity><allocation unit="bytes">0</allocation><target><format type="qcow2"/></target><backingStore><path>/p</path><format type="raw"/></backingStore></volume>', 0],
    ['space taken', { name: 'a', poolType: 'dir', capacity: 9, format: 'qcow2', preallocation: 'Full' }, '<volume><name>a</name><capacity unit="bytes">9</capacity><allocation unit="bytes">9</allocation><target><format type="qcow2"/></target></volume>', 1],
    ['a logical volume', { name: 'a', poolType: 'logical', capacity: 9, format: 'raw' }, '<volume><name>a</name><capacity unit="bytes">9</capacity><allocation unit="bytes">9</allocation><target/></volume>', 0],
  ])('%s', (_, facts, xml, flags) => {
    expect(serializeXml(renderVolume(facts))).toBe(xml)
    expect(createFlags(facts)).toBe(flags)
  })
  test.each([['a/b', true], ['..', true], ['a\nb', true], ['x'.repeat(256), true], ['disk 1.qcow2', false], ['ns.web', false]])('the name %j', (name, refused) => {
    expect(nameProblem(name) !== undefined).toBe(refused)
  })
  test('the size in a header that a guest wrote into a raw volume does not count', () => {
    expect(capacityOf(volume({ capacity: 2 ** 40 }), 'raw')).toBe(8 * Mi)
    expect(capacityOf(volume({ capacity: 2 ** 40 }), 'qcow2')).toBe(2 ** 40)
  })
})
