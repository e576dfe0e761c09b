// The mirror's invariants.

import { describe, expect, test } from 'vitest'
import { Mirror, type Change } from '../../../controller/mirror.ts'
import { compareVersions, type KubeObject } from '../../../controller/resource.ts'

type Thing = KubeObject<{ host?: string }>
const thing = (name: string, version: string, { uid = `uid-${name}`, host }: { uid?: string; host?: string } = {}): Thing =>
  ({ apiVersion: 'vireo.dev/v1alpha1', kind: 'Thing', metadata: { name, namespace: 'default', uid, resourceVersion: version }, spec: { host } })

function newMirror(): { mirror: Mirror<Thing>; writer: ReturnType<Mirror<Thing>['takeWriter']>; told: string[]; errors: unknown[] } {
  const errors: unknown[] = []
  const told: string[] = []
  const mirror = new Mirror<Thing>({ onError: (error) => errors.push(error) })
  const describeChange = ({ type, object, old, source }: Change<Thing>): string =>
    `${source} ${type} ${object.metadata.name} ${old ? `${old.metadata.resourceVersion}→` : ''}${object.metadata.resourceVersion}`
  mirror.onChange((change) => told.push(describeChange(change)))
  return { mirror, writer: mirror.takeWriter(), told, errors }
}

describe('versions', () => {
  test.each([
    ['9', '10', -1, 'are integers, not strings'],
    ['10', '10', 0, 'are equal to themselves'],
    ['18446744073709551616', '18446744073709551615', 1, 'have no upper limit'],
    ['a', 'b', undefined, 'that are no integers have no order'],
    ['a', 'a', 0, 'that are no integers can still be equal'],
    ['', '1', undefined, 'that are absent have no order'],
  ] as [string, string, number | undefined, string][])('%s and %s: %s (%s)', (a, b, expected) => {
    const order = compareVersions(a, b)
    expect(order === undefined ? undefined : Math.sign(order)).toBe(expected)
  })
})

describe('writing', () => {
  test('is given to one writer only', () => {
    const { mirror } = newMirror()
    expect(() => mirror.takeWriter()).toThrow('writer')
  })

  test('a list tells what was added, changed and removed, and nothing of what stayed', () => {
    const { writer, told } = newMirror()
    writer.replace([thing('a', '1'), thing('b', '2'), thing('c', '3')], '5')
    told.length = 0
    writer.replace([thing('a', '1'), thing('b', '8'), thing('d', '9')], '10')
    expect(told).toEqual(['list deleted c 3', 'list updated b 2→8', 'list added d 9'])
  })

  test('a list is swapped in atomically: a handler never sees half of it', () => {
    const { mirror, writer } = newMirror()
    const sizes: number[] = []
    mirror.onChange(() => { sizes.push(mirror.size) })
    writer.replace([thing('a', '1'), thing('b', '2'), thing('c', '3')], '5')
    expect(sizes).toEqual([3, 3, 3])
  })

  test('another UID under the same name is a deletion and a new object', () => {
    const { writer, told } = newMirror()
    writer.replace([thing('a', '1', { uid: 'first' })], '1')
    told.length = 0
    writer.replace([thing('a', '5', { uid: 'second' })], '6')
    writer.apply('MODIFIED', thing('a', '9', { uid: 'third' }))
    expect(told).toEqual(['list deleted a 1', 'list added a 5', 'watch deleted a 5', 'watch added a 9'])
  })

  test('a list from a server that was restored from a backup counts, though its versions are lower', () => {
    const { mirror, writer } = newMirror()
    writer.replace([thing('a', '100'), thing('b', '101')], '110')
    writer.replace([thing('a', '7')], '8')
    writer.apply('MODIFIED', thing('a', '9'))
    expect(mirror.list().map(({ metadata }) => metadata.resourceVersion)).toEqual(['9'])
  })

  test('a deletion carries the last state', () => {
    const { mirror, writer, told } = newMirror()
    writer.replace([thing('a', '1')], '1')
    writer.apply('DELETED', thing('a', '2'))
    writer.apply('DELETED', thing('b', '3'))
    expect(told.slice(1)).toEqual(['watch deleted a 2'])
    expect(mirror.get('default', 'a')).toBeUndefined()
  })

  test('a handler that throws neither stops the others nor the writer', () => {
    const { mirror, writer, errors } = newMirror()
    const later: string[] = []
    mirror.onChange(() => { throw new Error('broken handler') })
    mirror.onChange(({ object }) => { later.push(object.metadata.name) })
    writer.replace([thing('a', '1'), thing('b', '2')], '2')
    expect(later).toEqual(['a', 'b'])
    expect(errors).toHaveLength(2)
  })

  test('changes that a handler causes are told after the one it was told', () => {
    const { mirror, writer, told } = newMirror()
    mirror.onChange(({ object }) => { if (object.metadata.resourceVersion === '1') mirror.observeWrite(thing('a', '4')) })
    writer.replace([thing('b', '2'), thing('a', '1'), thing('c', '3')], '3')
    expect(told).toEqual(['list added b 2', 'list added a 1', 'list added c 3', 'write updated a 1→4'])
  })
})

describe('synced', () => {
  test('is false until the first list is in, even an empty one', async () => {
    const { mirror, writer } = newMirror()
    expect(mirror.synced).toBe(false)
    const synced = mirror.whenSynced()
    writer.replace([], '1')
    await synced
    expect(mirror.synced).toBe(true)
  })

  test('waiting for it ends with the signal', async () => {
    const { mirror } = newMirror()
    const stop = new AbortController()
    const waiting = mirror.whenSynced(stop.signal)
    stop.abort(new Error('stopped'))
    await expect(waiting).rejects.toThrow('stopped')
    await expect(mirror.whenSynced(stop.signal)).rejects.toThrow('stopped')
  })
})

describe('indexes', () => {
  test('follow every change, whether made before or after the objects came', () => {
    const { mirror, writer } = newMirror()
    writer.replace([thing('a', '1', { host: 'x' }), thing('b', '2', { host: 'x' })], '2')
    mirror.addIndex('host', ({ spec }) => spec.host === undefined ? [] : [spec.host])
    const on = (host: string): string[] => mirror.by('host', host).map(({ metadata }) => metadata.name)
    expect(on('x')).toEqual(['a', 'b'])
    writer.apply('MODIFIED', thing('a', '3', { host: 'y' }))
    expect([on('x'), on('y')]).toEqual([['b'], ['a']])
    writer.apply('DELETED', thing('b', '4', { host: 'x' }))
    writer.replace([thing('a', '5'), thing('c', '6', { host: 'x' })], '6')
    expect([on('x'), on('y')]).toEqual([['c'], []])
  })

  test('an index function that throws finds the object under no value and stops nothing', () => {
    const { mirror, writer, errors } = newMirror()
    mirror.addIndex('broken', () => { throw new Error('no') })
    writer.replace([thing('a', '1')], '1')
    expect(mirror.by('broken', 'x')).toEqual([])
    expect(errors).toHaveLength(1)
    expect(mirror.size).toBe(1)
  })

  test('an index that does not exist is a mistake, not an empty answer', () => {
    expect(() => newMirror().mirror.by('host', 'x')).toThrow('no index')
  })
})

describe('our own writes', () => {
  test('are read at once, told once, and not again when the watch brings them', () => {
    const { mirror, writer, told } = newMirror()
    writer.replace([thing('a', '5')], '5')
    told.length = 0
    mirror.observeWrite(thing('a', '8'))
    expect(mirror.get('default', 'a')!.metadata.resourceVersion).toBe('8')
    writer.apply('MODIFIED', thing('a', '8'))
    expect(told).toEqual(['write updated a 5→8'])
  })

  test('are not undone by older events on their way', () => {
    const { mirror, writer, told } = newMirror()
    writer.replace([thing('a', '5')], '5')
    mirror.observeWrite(thing('a', '8'))
    told.length = 0
    writer.apply('MODIFIED', thing('a', '6'))
    expect(mirror.get('default', 'a')!.metadata.resourceVersion).toBe('8')
    writer.apply('MODIFIED', thing('a', '8'))
    writer.apply('MODIFIED', thing('a', '9'))
    expect(told).toEqual(['watch updated a 8→9'])
  })

  test('do not bring back an object whose deletion the watch has delivered', () => {
    const { mirror, writer } = newMirror()
    writer.replace([thing('a', '5')], '5')
    writer.apply('DELETED', thing('a', '9'))
    mirror.observeWrite(thing('a', '8'))
    expect(mirror.get('default', 'a')).toBeUndefined()
  })

  test('of a new object stand before the watch knows it', () => {
    const { mirror, writer, told } = newMirror()
    writer.replace([], '5')
    mirror.observeWrite(thing('a', '7'))
    expect(mirror.size).toBe(1)
    writer.apply('ADDED', thing('a', '7'))
    expect(told).toEqual(['write added a 7'])
  })

  test('of an object made again are not deleted by the old one’s deletion', () => {
    const { mirror, writer } = newMirror()
    writer.replace([thing('a', '5', { uid: 'old' })], '5')
    mirror.observeWrite(thing('a', '9', { uid: 'new' }))
    writer.apply('DELETED', thing('a', '8', { uid: 'old' }))
    expect(mirror.get('default', 'a')!.metadata.uid).toBe('new')
    writer.apply('ADDED', thing('a', '9', { uid: 'new' }))
    writer.apply('DELETED', thing('a', '10', { uid: 'new' }))
    expect(mirror.size).toBe(0)
  })

  test('made while a list was on its way outlive the list', () => {
    const { mirror, writer } = newMirror()
    writer.replace([thing('a', '5')], '5')
    writer.listing()
    mirror.observeWrite(thing('a', '12'))
    mirror.observeWrite(thing('b', '11'))
    writer.replace([thing('a', '5')], '10')
    expect(mirror.list().map(({ metadata }) => `${metadata.name}@${metadata.resourceVersion}`)).toEqual(['a@12', 'b@11'])
  })

  test('made before a list was asked for do not outlive a list without them', () => {
    const { mirror, writer } = newMirror()
    writer.replace([], '5')
    mirror.observeWrite(thing('a', '12'))
    writer.listing()
    writer.replace([], '7')
    expect(mirror.size).toBe(0)
  })

  test('where versions have no order, older events are ignored until ours comes', () => {
    const { mirror, writer, told } = newMirror()
    writer.replace([thing('a', 'x')], 'r')
    mirror.observeWrite(thing('a', 'z'))
    told.length = 0
    writer.apply('MODIFIED', thing('a', 'y'))
    writer.apply('MODIFIED', thing('a', 'z'))
    writer.apply('MODIFIED', thing('a', 'q'))
    expect(told).toEqual(['watch updated a z→q'])
  })

  test('a stale answer of ours does not undo a newer event', () => {
    const { mirror, writer } = newMirror()
    writer.replace([thing('a', '9')], '9')
    mirror.observeWrite(thing('a', '8'))
    expect(mirror.get('default', 'a')!.metadata.resourceVersion).toBe('9')
  })

  test('before the first list are nobody’s truth', () => {
    const { mirror } = newMirror()
    mirror.observeWrite(thing('a', '8'))
    expect(mirror.size).toBe(0)
  })
})
