// What the server does by itself: namespaces, owners, definitions, events; on a store without a thread, in time that a test moves.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { configMaps, leases, namespaces, secrets, serviceAccounts } from '../../../apiserver/builtin/core.ts'
import { definitions } from '../../../apiserver/builtin/definitions.ts'
import { events, modernEvents } from '../../../apiserver/builtin/events.ts'
import { type Propagation, remove } from '../../../apiserver/registry/deleting.ts'
import { Kinds } from '../../../apiserver/registry/kinds.ts'
import type { Target } from '../../../apiserver/registry/context.ts'
import { Writing } from '../../../apiserver/registry/writing.ts'
import type { JsonObject } from '../../../apiserver/schema/types.ts'
import { inProcess } from '../../../apiserver/store/backend.ts'
import type { Stored } from '../../../apiserver/store/entry.ts'
import { Store } from '../../../apiserver/store/store.ts'
import { Tasks } from '../../../apiserver/upkeep/tasks.ts'
import { Upkeep } from '../../../apiserver/upkeep/upkeep.ts'
import { FakeClock } from '../../support/fakeclock.ts'

let folder: string
let clock: FakeClock
let store: Store
let kinds: Kinds
let writing: Writing
let upkeep: Upkeep
let errors: string[]

async function start(): Promise<void> {
  store = await Store.open(inProcess({ folder }), clock)
  kinds = new Kinds([namespaces, secrets, configMaps, serviceAccounts, events, modernEvents, leases, definitions])
  writing = new Writing({ store, clock })
  upkeep = new Upkeep({ store, kinds, writing, clock, authority: 'a certificate', onError: (task, error) => { errors.push(`${task}: ${String(error)}`) } })
  await upkeep.begin()
  await upkeep.idle()
}
async function stop(): Promise<void> {
  await upkeep.close()
  await store.close()
}
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vireo-upkeep-'))
  clock = new FakeClock()
  errors = []
  await start()
})
afterEach(async () => {
  await stop()
  rmSync(folder, { recursive: true, force: true })
})

const options = { manager: 'test', dryRun: false, validation: 'Strict' as const, warn: (): void => undefined }
function target(resource: string, name: string, namespace = 'default'): Target {
  const kind = kinds.kept(resource)!
  return { kind, version: kind.versions[0]!, namespace: kind.namespaced ? namespace : '', name, subresource: '' }
}
async function create(resource: string, name: string, more: JsonObject = {}, namespace = 'default'): Promise<Stored> {
  const where = target(resource, name, namespace)
  const { metadata, ...rest } = more
  return (await writing.create(where, { apiVersion: where.version.apiVersion, kind: where.kind.kind, ...rest, metadata: { name, ...metadata as JsonObject } }, [], options)).object
}
const read = (resource: string, name: string, namespace = 'default'): Stored | undefined => store.get({ resource, namespace: target(resource, name, namespace).namespace, name })?.object
async function drop(resource: string, name: string, propagation?: Propagation, namespace = 'default'): Promise<void> {
  await remove(store, clock, target(resource, name, namespace), { dryRun: false, propagation })
  await upkeep.idle()
}
async function unhold(resource: string, name: string, namespace = 'default'): Promise<void> {
  await writing.change(target(resource, name, namespace), { type: 'patch', patched: live => { const { finalizers: _, ...metadata } = live['metadata'] as JsonObject; return { ...live, metadata } }, complaints: [] }, options)
  await upkeep.idle()
}
const owner = ({ metadata: { name, uid } }: Stored, more: JsonObject = {}): JsonObject => ({ apiVersion: 'v1', kind: 'ConfigMap', name, uid, ...more })

describe('namespaces', () => {
  test('the first ones are there, each with its account and the authority', () => {
    for (const name of ['default', 'kube-system', 'kube-public', 'kube-node-lease']) {
      expect(read('namespaces', name)?.['status']).toEqual({ phase: 'Active' })
      expect(read('serviceaccounts', 'default', name)).toBeDefined()
      expect(read('configmaps', 'kube-root-ca.crt', name)?.['data']).toEqual({ 'ca.crt': 'a certificate' })
    }
  })

  test('what each of them has is made anew when it is deleted', async () => {
    const { uid } = read('serviceaccounts', 'default')!.metadata
    await drop('serviceaccounts', 'default')
    expect(read('serviceaccounts', 'default')?.metadata.uid).not.toBe(uid)
    expect(read('serviceaccounts', 'default')).toBeDefined()
  })

  test('the end takes all that is in it, and waits for what finalizers hold', async () => {
    await create('namespaces', 'team')
    await upkeep.idle()
    await create('configmaps', 'free', {}, 'team')
    await create('secrets', 'held', { metadata: { finalizers: ['example.dev/hold'] } }, 'team')
    await drop('namespaces', 'team')
    expect(read('configmaps', 'free', 'team')).toBeUndefined()
    expect(read('namespaces', 'team')?.['status']).toEqual({ phase: 'Terminating' })
    await expect(create('configmaps', 'late', {}, 'team')).rejects.toThrow(/is being terminated/)
    await unhold('secrets', 'held', 'team')
    expect(read('namespaces', 'team')).toBeUndefined()
  })

  test('an object that comes after the end of its namespace goes too', async () => {
    const { metadata } = await create('configmaps', 'model')
    await store.mutate({ resource: 'configmaps', namespace: 'gone', name: 'late' }, () => ({ type: 'put', object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...metadata, name: 'late', namespace: 'gone' } } }))
    await upkeep.idle()
    expect(store.list('configmaps', 'gone')).toEqual([])
  })

  test('an end that a stop interrupted is taken up at the next start', async () => {
    await create('namespaces', 'team')
    await create('configmaps', 'free', {}, 'team')
    await upkeep.close()
    await remove(store, clock, target('namespaces', 'team'), { dryRun: false })
    await store.close()
    await start()
    expect(read('namespaces', 'team')).toBeUndefined()
    expect(store.list('configmaps', 'team')).toEqual([])
  })
})

describe('owners', () => {
  test('what all owners are gone of goes too, and what those owned', async () => {
    const first = await create('configmaps', 'first')
    const second = await create('configmaps', 'second', { metadata: { ownerReferences: [owner(first)] } })
    await create('secrets', 'third', { metadata: { ownerReferences: [owner(second)] } })
    await drop('configmaps', 'first')
    expect(read('configmaps', 'second')).toBeUndefined()
    expect(read('secrets', 'third')).toBeUndefined()
  })

  test('one owner that is left keeps it, and the reference to the other is taken off', async () => {
    const [one, two] = [await create('configmaps', 'one'), await create('configmaps', 'two')]
    await create('secrets', 'shared', { metadata: { ownerReferences: [owner(one), owner(two)] } })
    await drop('configmaps', 'one')
    expect(read('secrets', 'shared')?.metadata.ownerReferences?.map(({ name }) => name)).toEqual(['two'])
  })

  test('an owner of the same name and another uid is none', async () => {
    const { metadata } = await create('configmaps', 'owner')
    await create('secrets', 'owned', { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: metadata.name, uid: '11111111-1111-1111-1111-111111111111' }] } })
    await upkeep.idle()
    expect(read('secrets', 'owned')).toBeUndefined()
  })

  test('an owner of a kind that is not served is unknown, and unknown deletes nothing', async () => {
    await create('secrets', 'owned', { metadata: { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'x', uid: '11111111-1111-1111-1111-111111111111' }] } })
    await upkeep.idle()
    expect(read('secrets', 'owned')).toBeDefined()
  })

  test('orphans stay without their reference', async () => {
    const first = await create('configmaps', 'first')
    await create('secrets', 'orphan', { metadata: { ownerReferences: [owner(first)] } })
    await drop('configmaps', 'first', 'Orphan')
    expect(read('configmaps', 'first')).toBeUndefined()
    expect(read('secrets', 'orphan')?.metadata.ownerReferences).toBeUndefined()
  })

  test('in the foreground the owner waits for those that block it, and for no others', async () => {
    const first = await create('configmaps', 'first')
    await create('secrets', 'blocks', { metadata: { finalizers: ['example.dev/hold'], ownerReferences: [owner(first, { blockOwnerDeletion: true })] } })
    await create('secrets', 'loose', { metadata: { finalizers: ['example.dev/hold'], ownerReferences: [owner(first)] } })
    await drop('configmaps', 'first', 'Foreground')
    expect(read('configmaps', 'first')?.metadata.finalizers).toEqual(['foregroundDeletion'])
    expect(read('secrets', 'blocks')?.metadata.deletionTimestamp).toBeDefined()
    await unhold('secrets', 'blocks')
    expect(read('configmaps', 'first')).toBeUndefined()
    expect(read('secrets', 'loose')?.metadata.deletionTimestamp).toBeDefined()
  })

  test('an owner that went while nobody looked is noticed at the next start', async () => {
    const first = await create('configmaps', 'first')
    await create('secrets', 'owned', { metadata: { ownerReferences: [owner(first)] } })
    await upkeep.close()
    await remove(store, clock, target('configmaps', 'first'), { dryRun: false })
    await store.close()
    await start()
    expect(read('secrets', 'owned')).toBeUndefined()
  })
})

describe('definitions', () => {
  const definition = { spec: { group: 'kinds.dev', scope: 'Namespaced', names: { plural: 'things', kind: 'Thing' }, versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', properties: { a: { type: 'string' } } } } } } }] } }

  test('a kind is served when its definition is stored, after a restart too, and goes with its objects', async () => {
    await create('customresourcedefinitions.apiextensions.k8s.io', 'things.kinds.dev', definition)
    expect(kinds.find('kinds.dev', 'v1', 'things')?.kind.kind).toBe('Thing')
    await create('things.kinds.dev', 'held', { metadata: { finalizers: ['kinds.dev/hold'] } })
    await stop()
    await start()
    expect(read('things.kinds.dev', 'held')).toBeDefined()
    await drop('customresourcedefinitions.apiextensions.k8s.io', 'things.kinds.dev')
    await expect(create('things.kinds.dev', 'late')).rejects.toThrow(/while custom resource definition is terminating/)
    await unhold('things.kinds.dev', 'held')
    expect(read('customresourcedefinitions.apiextensions.k8s.io', 'things.kinds.dev')).toBeUndefined()
    expect(kinds.find('kinds.dev', 'v1', 'things')).toBeUndefined()
    await expect(stop().then(start)).resolves.toBeUndefined()
  })
})

test('events are kept for an hour after their last change', async () => {
  const about = { involvedObject: { kind: 'ConfigMap', name: 'x', namespace: 'default' } }
  await create('events', 'old', about)
  await create('events', 'renewed', about)
  await clock.advance(40 * 60_000)
  await writing.change(target('events', 'renewed'), { type: 'patch', patched: live => ({ ...live, count: 2 }), complaints: [] }, options)
  await clock.advance(30 * 60_000)
  await upkeep.idle()
  expect([read('events', 'old'), read('events', 'renewed')?.metadata.name]).toEqual([undefined, 'renewed'])
  expect(errors).toEqual([])
})

describe('tasks', () => {
  test('one that fails is tried again, later each time; one that is added while it runs runs once more', async () => {
    const failures: string[] = []
    const tasks = new Tasks({ clock, onError: (task, error) => { failures.push(`${task}: ${String(error)}`) } })
    let attempts = 0
    tasks.add('fails', async () => { if (++attempts < 3) throw new Error('not yet') })
    await tasks.idle()
    expect(attempts).toBe(1)
    await clock.advance(1_000)
    await tasks.idle()
    expect(attempts).toBe(2)
    await clock.advance(1_999)
    expect(attempts).toBe(2)
    await clock.advance(1)
    await tasks.idle()
    expect(attempts).toBe(3)
    expect(failures).toHaveLength(2)
    let runs = 0
    const again = async (): Promise<void> => { if (++runs === 1) tasks.add('again', again) }
    tasks.add('again', again)
    await tasks.idle()
    expect(runs).toBe(2)
    await tasks.close()
  })
})
