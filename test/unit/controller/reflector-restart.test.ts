// The reflector when its version expired, and when it is to stop.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Reflecting, status, thing } from './reflecting.ts'

let t: Reflecting
beforeEach(async () => { t = await Reflecting.open() })
afterEach(() => t.close())

describe('an expired version', () => {
  const relist = async (): Promise<void> => {
    await t.passBackoff(800)
    const list = await t.api.nextList()
    expect(list.query.get('resourceVersion')).toBeNull()
    list.list([thing('a', '30')], '40')
    await t.api.nextWatch()
  }

  test('as 410 status of a watch lists again', async () => {
    t.start()
    ;(await t.api.nextList()).list([thing('a', '1')], '10')
    ;(await t.api.nextWatch()).refuse(410, 'Expired')
    await relist()
    expect(t.told.at(-1)).toBe('list updated a@30')
  })

  test('as ERROR event lists again', async () => {
    const watch = await t.startAndWatch()
    watch.event('ERROR', status(410, 'Expired'))
    await relist()
    expect(t.told.at(-1)).toBe('list updated a@30')
  })

  test('lists again at once when the last list is not fresh: an old version is no overload', async () => {
    const watch = await t.startAndWatch()
    await t.clock.asleep((ms) => ms === 330_000)
    await t.clock.advance(31_000)
    watch.event('ERROR', status(410, 'Expired'))
    await t.passBackoff(0)
    expect((await t.api.nextList()).query.get('resourceVersion')).toBeNull()
  })

  test('a deletion that no watch brought is found by the list', async () => {
    const watch = await t.startAndWatch()
    watch.event('ADDED', thing('b', '11')).event('ERROR', status(410, 'Gone'))
    await relist()
    expect(t.told.slice(2)).toEqual(['list deleted b@11', 'list updated a@30'])
  })

  test('another UID after it is a deletion and a new object', async () => {
    const watch = await t.startAndWatch()
    watch.event('ERROR', status(410, 'Expired'))
    await t.passBackoff(800)
    ;(await t.api.nextList()).list([thing('a', '30', { uid: 'another' })], '40')
    await t.api.nextWatch()
    expect(t.told.slice(1)).toEqual(['list deleted a@1', 'list added a@30'])
  })

  test('a resource that vanished leaves the mirror as it was: unknown is not absent', async () => {
    const watch = await t.startAndWatch()
    watch.event('ERROR', status(410, 'Expired'))
    await t.passBackoff(800)
    ;(await t.api.nextList()).refuse(404, 'NotFound')
    await t.passBackoff(1_600)
    await t.api.nextList()
    expect(t.mirror.size).toBe(1)
    expect(t.mirror.synced).toBe(true)
  })
})

describe('stopping', () => {
  /** What became of it: no state but stopped, no change t.told, no timer left. */
  const stopped = async (): Promise<unknown> => {
    const before = [...t.told]
    t.stop.abort()
    await t.running
    return { state: t.reflector.state.name, changes: t.told.length - before.length, timers: t.clock.timers.length }
  }
  const atRest = { state: 'stopped', changes: 0, timers: 0 }

  test('while the list is on its way', async () => {
    t.start()
    const list = await t.api.nextList()
    expect(await stopped()).toEqual(atRest)
    await list.closed
  })

  test('between two pages', async () => {
    t.start()
    ;(await t.api.nextList()).list([thing('a', '1')], '10', 'page2')
    await t.api.nextList()
    expect(await stopped()).toEqual(atRest)
    expect(t.mirror.synced).toBe(false)
  })

  test('while the watch is being opened', async () => {
    t.start()
    ;(await t.api.nextList()).list([], '10')
    const watch = await t.api.nextWatch()
    expect(await stopped()).toEqual(atRest)
    await watch.closed
  })

  test('while watching, with events on their way', async () => {
    const watch = await t.startAndWatch()
    watch.event('ADDED', thing('b', '11'))
    await t.changes(2)
    watch.event('ADDED', thing('c', '12'))
    expect(await stopped()).toEqual(atRest)
    await watch.closed
  })

  test('within a batch of events: the rest of them is not applied', async () => {
    const watch = await t.startAndWatch()
    t.changed = () => { if (t.told.length === 2) t.stop.abort() }
    watch.raw(['b', 'c', 'd'].map((name, i) => `${JSON.stringify({ type: 'ADDED', object: thing(name, String(11 + i)) })}\n`).join(''))
    await t.running
    expect(t.told.slice(1)).toEqual(['watch added b@11'])
  })

  test('while backing off', async () => {
    t.start()
    ;(await t.api.nextList()).refuse(500, 'InternalError')
    await t.clock.asleep((ms) => ms === 800)
    expect(await stopped()).toEqual(atRest)
  })

  test('before it began', async () => {
    t.stop.abort()
    t.start()
    await t.running
    expect(t.api.requests).toBe(0)
  })
})
