// Status, conditions and metadata: written only when something changed, and never over somebody else's.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Client } from '../../../controller/client.ts'
import { findCondition, removeCondition, setCondition, type Condition } from '../../../controller/conditions.ts'
import { addFinalizer, patchAnnotations, patchMetadata, removeFinalizer } from '../../../controller/finalizers.ts'
import { Mirror, type MirrorWriter } from '../../../controller/mirror.ts'
import type { KubeObject, ObjectMeta, Resource } from '../../../controller/resource.ts'
import { sameStatus, StatusWriter } from '../../../controller/status.ts'
import { Transport } from '../../../controller/transport.ts'
import { FakeClock } from '../../support/fakeclock.ts'
import { FaultyApi } from '../../support/faultyapi/server.ts'

const domains: Resource = { group: 'vireo.dev', version: 'v1alpha1', plural: 'virtualdomains', kind: 'VirtualDomain', namespaced: true }
interface Status { observedGeneration?: number; powerState?: string; conditions?: Condition[] }
type Domain = KubeObject<unknown, Status>
const domain = (metadata: Partial<ObjectMeta> = {}, status?: Status): Domain => ({
  apiVersion: 'vireo.dev/v1alpha1', kind: 'VirtualDomain',
  metadata: { name: 'web', namespace: 'shop', uid: 'u1', resourceVersion: '5', ...metadata }, spec: {}, ...(status ? { status } : {}),
})
const noon = Date.parse('2026-11-22T12:00:00Z')
const ready = (status: Condition['status'], message = 'fine'): Omit<Condition, 'lastTransitionTime'> => ({ type: 'Ready', status, reason: 'Available', message, observedGeneration: 2 })

let api: FaultyApi
let transport: Transport
let client: Client
let mirror: Mirror<Domain>
let source: MirrorWriter<Domain>

beforeEach(async () => {
  api = await FaultyApi.start()
  transport = new Transport({ kubeConfig: api.kubeConfig(), clock: new FakeClock() })
  client = new Client({ transport })
  mirror = new Mirror<Domain>()
  source = mirror.takeWriter()
})

afterEach(async () => {
  await transport.close()
  await api.close()
})

describe('setCondition', () => {
  test('moves lastTransitionTime only when the status changes', () => {
    const first = setCondition(undefined, ready('False'), noon)
    expect(first[0]!.lastTransitionTime).toBe('2026-11-22T12:00:00Z')
    const same = setCondition(first, ready('False', 'another sentence'), noon + 60_000)
    expect(same[0]).toMatchObject({ message: 'another sentence', lastTransitionTime: '2026-11-22T12:00:00Z' })
    expect(setCondition(same, ready('True'), noon + 60_000)[0]!.lastTransitionTime).toBe('2026-11-22T12:01:00Z')
  })

  test('gives a new list, sorted by type, and leaves the old one alone', () => {
    const old = Object.freeze(setCondition(setCondition(undefined, { ...ready('True'), type: 'Synced' }, noon), ready('True'), noon))
    const next = setCondition(old, { ...ready('True'), type: 'Connected' }, noon)
    expect(next.map(({ type }) => type)).toEqual(['Connected', 'Ready', 'Synced'])
    expect(old).toHaveLength(2)
  })

  test('removeCondition takes one out, and none that is not there', () => {
    const conditions = setCondition(undefined, ready('True'), noon)
    expect(removeCondition(conditions, 'Stalled')).toEqual(conditions)
    expect(removeCondition(conditions, 'Ready')).toEqual([])
    expect(findCondition(conditions, 'Ready')?.status).toBe('True')
  })
})

describe('sameStatus', () => {
  const conditions = (time: string, status: Condition['status'] = 'True'): Condition[] => [{ ...ready(status), lastTransitionTime: time }]
  test.each([
    ['equal values in another order of keys', { a: 1, b: [1, { c: 2 }] }, { b: [1, { c: 2 }], a: 1 }, true],
    ['absent and undefined', { a: 1, b: undefined }, { a: 1 }, true],
    ['no status and an empty one', undefined, {}, true],
    ['another transition time alone', { conditions: conditions('x') }, { conditions: conditions('y') }, true],
    ['another condition status', { conditions: conditions('x') }, { conditions: conditions('x', 'False') }, false],
    ['a field of that name elsewhere', { lease: { lastTransitionTime: 'x' } }, { lease: { lastTransitionTime: 'y' } }, false],
    ['another length', { a: [1] }, { a: [1, 2] }, false],
    ['a list and an object', { a: [] }, { a: {} }, false],
    ['null and absent', { a: null }, {}, false],
  ])('%s', (_what, a, b, expected) => {
    expect(sameStatus(a, b)).toBe(expected)
    expect(sameStatus(b, a)).toBe(expected)
  })
})

describe('writing status', () => {
  const newWriter = (): StatusWriter<Domain> => new StatusWriter({ client, resource: domains, mirror })

  test('applies the whole status as vireo-status, by force, bound to the version it knows, and reads its own write', async () => {
    source.replace([domain()], '5')
    const writing = newWriter().write(domain(), { powerState: 'Running' })
    const apply = await api.next()
    expect([apply.method, apply.path, Object.fromEntries(apply.query)]).toEqual(
      ['PATCH', '/apis/vireo.dev/v1alpha1/namespaces/shop/virtualdomains/web/status', { fieldManager: 'vireo-status', force: 'true' }])
    expect(apply.body).toEqual({ apiVersion: 'vireo.dev/v1alpha1', kind: 'VirtualDomain', metadata: { name: 'web', namespace: 'shop', resourceVersion: '5' }, status: { powerState: 'Running' } })
    apply.json(domain({ resourceVersion: '6' }, { powerState: 'Running' }))
    expect((await writing)?.metadata.resourceVersion).toBe('6')
    expect(mirror.get('shop', 'web')?.status).toEqual({ powerState: 'Running' })
  })

  test('costs no request when the mirror has it, also when the caller’s object is older', async () => {
    source.replace([domain({ resourceVersion: '9' }, { powerState: 'Running', conditions: [{ ...ready('True'), lastTransitionTime: 'then' }] })], '9')
    const answer = await newWriter().write(domain(), { powerState: 'Running', conditions: [{ ...ready('True'), lastTransitionTime: 'now' }] })
    expect(answer?.metadata.resourceVersion).toBe('9')
    expect(api.requests).toBe(0)
  })

  test('is not written over an object that was made again under the name', async () => {
    source.replace([domain({ uid: 'u2', resourceVersion: '9' }, { powerState: 'Running' })], '9')
    const writing = newWriter().write(domain(), { powerState: 'Running' })
    const apply = await api.next()
    expect(apply.body.metadata.resourceVersion).toBe('5')
    apply.refuse(409, 'Conflict')
    ;(await api.next()).json(domain({ uid: 'u2', resourceVersion: '9' }))
    expect(await writing).toBeUndefined()
    expect(api.requests).toBe(2)
    expect(mirror.get('shop', 'web')?.metadata.uid).toBe('u2')
  })

  test('that loses a race to another writer is written to what that one left', async () => {
    source.replace([domain({ resourceVersion: '9' })], '9')
    const writing = newWriter().write(domain(), { powerState: 'Running' })
    const first = await api.next()
    expect(first.body.metadata.resourceVersion).toBe('9')
    first.refuse(409, 'Conflict')
    ;(await api.next()).json(domain({ resourceVersion: '11' }))
    const second = await api.next()
    expect(second.body.metadata.resourceVersion).toBe('11')
    second.json(domain({ resourceVersion: '12' }, { powerState: 'Running' }))
    expect((await writing)?.metadata.resourceVersion).toBe('12')
  })

  test('of an object that is gone is no error', async () => {
    source.replace([domain()], '5')
    const writing = newWriter().write(domain(), { powerState: 'Running' })
    ;(await api.next()).refuse(404, 'NotFound')
    expect(await writing).toBeUndefined()
  })

  test('that is invalid is the caller’s error', async () => {
    source.replace([domain()], '5')
    const caught = newWriter().write(domain(), { powerState: 'Nonsense' }).catch((error: unknown) => error)
    ;(await api.next()).refuse(422, 'Invalid')
    expect(await caught).toMatchObject({ status: 422 })
  })
})

describe('finalizers and annotations', () => {
  const ours = 'vireo.dev/finalizer'

  test('are patched together, guarded by the version, keeping everybody else’s', async () => {
    const patching = patchMetadata(client, domains, domain({ finalizers: ['other/one'], annotations: { theirs: 'x' } }), { addFinalizers: [ours], annotations: { 'vireo.dev/intent': 'images/web' } })
    const patch = await api.next()
    expect([patch.headers['content-type'], patch.query.get('fieldManager')]).toEqual(['application/merge-patch+json', 'vireo'])
    expect(patch.body).toEqual({ metadata: { resourceVersion: '5', finalizers: ['other/one', ours], annotations: { 'vireo.dev/intent': 'images/web' } } })
    patch.json(domain({ resourceVersion: '6' }))
    expect((await patching)?.metadata.resourceVersion).toBe('6')
  })

  test('that are as wanted cost no request', async () => {
    const object = domain({ finalizers: [ours], annotations: { a: '1' } })
    expect(await addFinalizer(client, domains, object, ours)).toBe(object)
    expect(await removeFinalizer(client, domains, object, 'other/one')).toBe(object)
    expect(await patchAnnotations(client, domains, object, { a: '1', b: null })).toBe(object)
    expect(api.requests).toBe(0)
  })

  test('a lost race is computed again from the live object, so that a concurrent finalizer survives', async () => {
    const removing = removeFinalizer(client, domains, domain({ finalizers: [ours] }), ours)
    const first = await api.next()
    expect(first.body.metadata.finalizers).toEqual([])
    first.refuse(409, 'Conflict')
    ;(await api.next()).json(domain({ resourceVersion: '8', finalizers: [ours, 'other/late'] }))
    const second = await api.next()
    expect(second.body.metadata).toEqual({ resourceVersion: '8', finalizers: ['other/late'] })
    second.json(domain({ resourceVersion: '9', finalizers: ['other/late'] }))
    expect((await removing)?.metadata.finalizers).toEqual(['other/late'])
  })

  test('an object that was made again under the name is left alone', async () => {
    const removing = removeFinalizer(client, domains, domain({ finalizers: [ours] }), ours)
    ;(await api.next()).refuse(409, 'Conflict')
    ;(await api.next()).json(domain({ uid: 'u2', resourceVersion: '8', finalizers: [ours] }))
    expect(await removing).toBeUndefined()
    expect(api.requests).toBe(2)
  })

  test.each([['when it is patched', true], ['when it is read again', false]])('an object that is gone %s is no error', async (_when, atOnce) => {
    const removing = removeFinalizer(client, domains, domain({ finalizers: [ours] }), ours)
    if (!atOnce) (await api.next()).refuse(409, 'Conflict')
    ;(await api.next()).refuse(404, 'NotFound')
    expect(await removing).toBeUndefined()
  })

  test('five lost races in a row are the queue’s business', async () => {
    let version = 5
    api.auto = (exchange) => {
      if (exchange.method === 'GET') exchange.json(domain({ resourceVersion: String(++version), finalizers: [ours] }))
      else exchange.refuse(409, 'Conflict')
      return true
    }
    await expect(removeFinalizer(client, domains, domain({ finalizers: [ours] }), ours)).rejects.toMatchObject({ status: 409 })
    expect(api.requests).toBe(9)
  })
})
