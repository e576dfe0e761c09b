// The store, on its own thread and without one: what readers, writers and watchers may rely on.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Backend, inProcess } from '../../../apiserver/store/backend.ts'
import type { Change } from '../../../apiserver/store/entry.ts'
import { Store } from '../../../apiserver/store/store.ts'
import { onThread } from '../../../apiserver/store/thread.ts'
import type { Outcome, Write } from '../../../apiserver/store/types.ts'
import { FakeClock } from '../../support/fakeclock.ts'

const backends: [string, (folder: string) => Promise<Backend>][] = [
  ['in process', async folder => inProcess({ folder })],
  ['on a thread', async folder => await onThread({ folder })],
]

const key = (name: string, namespace = 'default'): { resource: string; namespace: string; name: string } => ({ resource: 'things', namespace, name })
const thing = (name: string, value: unknown, namespace = 'default'): any => ({ apiVersion: 'v1', kind: 'Thing', metadata: { name, namespace }, value }) // oxlint-disable-line typescript/no-explicit-any -- any JSON
const seen = ({ type, entry, previous }: Change): string => `${type} ${entry.name}@${entry.revision}${previous === undefined ? '' : ` after ${previous.revision}`}`

describe.each(backends)('%s', (_, makeBackend) => {
  let folder: string
  let clock: FakeClock
  let store: Store
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'vireo-store-'))
    clock = new FakeClock()
    store = await Store.open(await makeBackend(folder), clock)
  })
  afterEach(async () => {
    await store.close()
    rmSync(folder, { recursive: true, force: true })
  })
  const put = async (name: string, value: unknown, namespace?: string): Promise<number> => (await store.mutate(key(name, namespace), () => ({ type: 'put', object: thing(name, value, namespace) }))).entry!.revision
  const remove = async (name: string): Promise<number> => (await store.mutate(key(name), current => ({ type: 'delete', object: current!.object }))).entry!.revision
  const reopen = async (): Promise<void> => {
    await store.close()
    store = await Store.open(await makeBackend(folder), clock)
  }

  test('a write can be read when it is answered, with its revision, and after a restart', async () => {
    const revision = await put('a', 1)
    expect(store.get(key('a'))?.object).toMatchObject({ value: 1, metadata: { resourceVersion: String(revision) } })
    await reopen()
    expect(store.get(key('a'))?.object).toMatchObject({ value: 1, metadata: { resourceVersion: String(revision) } })
    expect(await put('b', 1)).toBeGreaterThan(revision)
  })

  test('writers of one object go one after the other: each sees what the one before left', async () => {
    await put('counter', 0)
    await Promise.all(Array.from({ length: 50 }, async () => {
      await store.mutate(key('counter'), current => ({ type: 'put', object: thing('counter', Number(current!.object['value']) + 1) }))
    }))
    expect(store.get(key('counter'))?.object['value']).toBe(50)
  })

  test('a writer that throws changes nothing and holds nobody up', async () => {
    await put('a', 1)
    await expect(store.mutate(key('a'), () => { throw new Error('no') })).rejects.toThrow('no')
    expect(await store.mutate(key('a'), () => ({ type: 'keep' }))).toMatchObject({ type: 'kept' })
    await put('a', 2)
    expect(store.get(key('a'))?.object['value']).toBe(2)
  })

  test('lists are in the order of namespace and name, of all or of one namespace, and behind a key', async () => {
    for (const [name, namespace] of [['b', 'x'], ['a', 'y'], ['c', 'x'], ['a', 'x'], ['a', 'x-y']]) await put(name!, 1, namespace)
    const names = (namespace?: string, after?: { namespace: string; name: string }): string[] => store.list('things', namespace, after).map(({ namespace: of, name }) => `${of}/${name}`)
    expect(names()).toEqual(['x/a', 'x/b', 'x/c', 'x-y/a', 'y/a'])
    expect(names('x')).toEqual(['x/a', 'x/b', 'x/c'])
    expect(names(undefined, { namespace: 'x', name: 'b' })).toEqual(['x/c', 'x-y/a', 'y/a'])
    expect(names('x', { namespace: 'x', name: 'b' })).toEqual(['x/c'])
    await reopen()
    expect(names()).toEqual(['x/a', 'x/b', 'x/c', 'x-y/a', 'y/a'])
  })

  test('a watch tells every change after its revision once and in order, whatever happens while it catches up', async () => {
    await put('a', 0)
    const from = store.revision
    for (let at = 1; at <= 20; at++) await put('a', at)
    await remove('a')
    const told: Change[] = []
    const writing = Promise.all(Array.from({ length: 20 }, (__, at) => put(`b${at}`, 1)))
    const subscription = await store.watch('things', from, change => { told.push(change) })
    await writing
    await put('a', 100)
    const revisions = told.map(({ revision }) => revision)
    expect(revisions).toEqual(revisions.toSorted((a, b) => a - b))
    expect(new Set(revisions).size).toBe(42)
    expect(seen(told[0]!)).toBe(`MODIFIED a@${from + 1} after ${from}`)
    expect(told.filter(({ entry }) => entry.name === 'a').slice(-2).map(({ type }) => type)).toEqual(['DELETED', 'ADDED'])
    subscription.end()
    await put('a', 101)
    expect(told).toHaveLength(42)
  })

  test('after a restart a watch from before it tells also what was deleted last', async () => {
    await put('a', 1)
    await put('b', 1)
    const from = store.revision
    await remove('b')
    await remove('a')
    await reopen()
    const told: string[] = []
    await store.watch('things', from, change => { told.push(`${change.type} ${change.entry.name}`) })
    expect(told).toEqual(['DELETED b', 'DELETED a'])
    expect((await store.page('things', undefined, from, { namespace: '', name: '' }, 10)).map(({ name }) => name)).toEqual(['a', 'b'])
  })

  test('a page shows the state of its revision, whatever was written since', async () => {
    for (const name of ['a', 'b', 'c']) await put(name, 1)
    const at = store.revision
    await remove('b')
    await put('c', 2)
    expect(store.unchangedSince('things', at)).toBe(false)
    const page = await store.page('things', undefined, at, { namespace: 'default', name: 'a' }, 10)
    expect(page.map(({ name, object }) => [name, object['value']])).toEqual([['b', 1], ['c', 1]])
  })

  test('history is forgotten five minutes later: a watch and a page from before are refused', async () => {
    await put('a', 1)
    const old = store.revision
    await put('a', 2)
    await put('a', 3)
    await clock.advance(6 * 60_000)
    await store.compact()
    await expect(store.watch('things', old, () => undefined)).rejects.toMatchObject({ code: 'Compacted' })
    await expect(store.page('things', undefined, old, { namespace: '', name: '' }, 1)).rejects.toMatchObject({ code: 'Compacted' })
    await store.watch('things', store.revision, () => undefined)
    expect(store.get(key('a'))?.object['value']).toBe(3)
  })

  test('what is kept once is found again', async () => {
    expect(await store.constant('installation', 'one')).toBe('one')
    expect(await store.constant('installation', 'two')).toBe('one')
    await reopen()
    expect(await store.constant('installation', 'three')).toBe('one')
  })

  test('a folder that is in use is refused', async () => {
    await expect(makeBackend(folder)).rejects.toMatchObject({ code: 'InUse' })
  })
})

test('while a write is on its way to the disk, reads are answered and nobody is told of it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vireo-store-'))
  const slow = Promise.withResolvers<void>()
  const backend = inProcess({ folder })
  const store = await Store.open({ ...backend, commit: async (write: Write): Promise<Outcome> => { await slow.promise; return await backend.commit(write) } }, new FakeClock())
  const told: string[] = []
  await store.watch('things', 0, change => { told.push(seen(change)) })
  const writing = store.mutate(key('a'), () => ({ type: 'put', object: thing('a', 1) }))
  expect(store.get(key('a'))).toBeUndefined()
  expect(store.revision).toBe(0)
  slow.resolve()
  await writing
  expect(told).toEqual(['ADDED a@1'])
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

test('a write that the disk refused changed nothing, and the next one succeeds', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'vireo-store-'))
  const store = await Store.open(await onThread({ folder, maxPages: 20 }), new FakeClock())
  await store.mutate(key('a'), () => ({ type: 'put', object: thing('a', 1) }))
  await expect(store.mutate(key('a'), () => ({ type: 'put', object: thing('a', 'x'.repeat(200_000)) }))).rejects.toMatchObject({ code: 'Full' })
  expect(store.get(key('a'))?.object['value']).toBe(1)
  await store.mutate(key('a'), () => ({ type: 'put', object: thing('a', 2) }))
  expect(store.get(key('a'))?.object['value']).toBe(2)
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})
