// The reflector's lists and watches, against an API server that does everything Kubernetes documents, and what networks do.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { settle } from '../../support/fakeclock.ts'
import { bookmark, Reflecting, status, thing } from './reflecting.ts'

let t: Reflecting
beforeEach(async () => { t = await Reflecting.open() })
afterEach(() => t.close())

describe('the first list', () => {
  test('is consistent: it asks for no resourceVersion, page by page, and all of it is swapped in at once', async () => {
    t.start({ pageSize: 2 })
    const first = await t.api.nextList()
    expect(first.path).toBe('/apis/vireo.dev/v1alpha1/things')
    expect(Object.fromEntries(first.query)).toEqual({ limit: '2' })
    first.list([thing('a', '1'), thing('b', '2')], '10', 'page2')
    const second = await t.api.nextList()
    expect(Object.fromEntries(second.query)).toEqual({ limit: '2', continue: 'page2' })
    expect(t.mirror.synced).toBe(false)
    expect(t.mirror.size).toBe(0)
    second.list([thing('c', '3')], '10')
    await t.mirror.whenSynced()
    expect(t.mirror.size).toBe(3)
    expect((await t.api.nextWatch()).query.get('resourceVersion')).toBe('10')
  })

  test('completes the items of built-in kinds, which come without apiVersion and kind', async () => {
    t.start()
    ;(await t.api.nextList()).list([{ metadata: thing('a', '1').metadata }], '10')
    await t.mirror.whenSynced()
    expect(t.mirror.list()[0]).toMatchObject({ apiVersion: 'vireo.dev/v1alpha1', kind: 'Thing' })
  })

  test('keeps to its namespace and selectors', async () => {
    t.start({ namespace: 'shop', labelSelector: 'app=web', fieldSelector: 'status.binding.hypervisor=kvm7' })
    const list = await t.api.nextList()
    expect(list.path).toBe('/apis/vireo.dev/v1alpha1/namespaces/shop/things')
    expect(list.query.get('labelSelector')).toBe('app=web')
    list.list([], '10')
    expect((await t.api.nextWatch()).query.get('fieldSelector')).toBe('status.binding.hypervisor=kvm7')
  })

  test.each([[500, 'InternalError'], [429, 'TooManyRequests'], [403, 'Forbidden'], [404, 'NotFound']])('answered %i is asked again after a backoff', async (code, reason) => {
    t.start()
    ;(await t.api.nextList()).refuse(code, reason)
    await t.passBackoff(800)
    ;(await t.api.nextList()).refuse(code, reason)
    await t.passBackoff(1_600)
    ;(await t.api.nextList()).list([thing('a', '1')], '10')
    await t.mirror.whenSynced()
    expect(t.mirror.size).toBe(1)
  })

  test('answered 429 waits as long as the server asks', async () => {
    t.start()
    ;(await t.api.nextList()).refuse(429, 'TooManyRequests', { headers: { 'retry-after': '7' } })
    await t.passBackoff(7_000)
    ;(await t.api.nextList()).list([], '10')
    await t.mirror.whenSynced()
    expect(t.mirror.size).toBe(0)
  })

  test('whose pages expire on the way is asked again in one page', async () => {
    t.start()
    ;(await t.api.nextList()).list([thing('a', '1')], '10', 'page2')
    ;(await t.api.nextList()).refuse(410, 'Expired')
    const whole = await t.api.nextList()
    expect(Object.fromEntries(whole.query)).toEqual({})
    whole.list([thing('b', '20')], '21')
    await t.mirror.whenSynced()
    expect(t.told).toEqual(['list added b@20'])
  })

  test('that is cut off is asked again', async () => {
    t.start()
    ;(await t.api.nextList()).cut()
    await t.passBackoff(800)
    ;(await t.api.nextList()).list([], '10')
    await t.mirror.whenSynced()
    expect(t.mirror.size).toBe(0)
  })

  test('that is never answered is given up after the request timeout', async () => {
    t.start()
    await t.api.nextList()
    await t.passBackoff(30_000)
    await t.passBackoff(800)
    ;(await t.api.nextList()).list([], '10')
    await t.mirror.whenSynced()
    expect(t.mirror.size).toBe(0)
  })
})

describe('watching', () => {
  test('asks for bookmarks and for an end in 5 to 10 minutes, and applies events', async () => {
    const watch = await t.startAndWatch({ random: () => 0.5 })
    expect(Object.fromEntries(watch.query)).toEqual({ watch: 'true', resourceVersion: '10', allowWatchBookmarks: 'true', timeoutSeconds: '450' })
    watch.event('ADDED', thing('b', '11')).event('MODIFIED', thing('a', '12')).event('DELETED', thing('b', '13'))
    expect((await t.changes(4)).slice(1)).toEqual(['watch added b@11', 'watch updated a@12', 'watch deleted b@13'])
  })

  test('goes on from the last event when the server ends it in order', async () => {
    const watch = await t.startAndWatch()
    watch.event('ADDED', thing('b', '11')).end()
    expect((await t.api.nextWatch()).query.get('resourceVersion')).toBe('11')
  })

  test('a bookmark advances the version and changes nothing', async () => {
    const watch = await t.startAndWatch()
    watch.event('BOOKMARK', bookmark('99')).end()
    expect((await t.api.nextWatch()).query.get('resourceVersion')).toBe('99')
    expect(t.told).toHaveLength(1)
  })

  test('a watch that ends at once without an event is not repeated in a tight loop', async () => {
    const watch = await t.startAndWatch()
    watch.end()
    await t.clock.asleep((ms) => ms === 800)
    expect(t.api.held).toBe(0)
    await t.clock.advance(800)
    expect((await t.api.nextWatch()).query.get('resourceVersion')).toBe('10')
  })

  test('a character split across chunks arrives whole', async () => {
    const watch = await t.startAndWatch()
    const bytes = Buffer.from(`${JSON.stringify({ type: 'ADDED', object: thing('b', '11', { note: 'Größe → 大きさ 🦜' }) })}\n`)
    for (const byte of bytes) {
      watch.raw(Uint8Array.of(byte))
      await settle()
    }
    await t.changes(2)
    expect(t.mirror.get('default', 'b')!.spec).toEqual({ note: 'Größe → 大きさ 🦜' })
  })

  test('an end within a line is a broken watch, not an event', async () => {
    const watch = await t.startAndWatch()
    watch.event('ADDED', thing('b', '11')).raw(JSON.stringify({ type: 'DELETED', object: thing('b', '12') })).end()
    await t.changes(2)
    await t.passBackoff(800)
    expect((await t.api.nextWatch()).query.get('resourceVersion')).toBe('11')
    expect(t.mirror.size).toBe(2)
  })

  test('a line that is no JSON breaks the watch, and it goes on from the last good event', async () => {
    const watch = await t.startAndWatch()
    watch.event('ADDED', thing('b', '11')).raw('<html>bad gateway</html>\n')
    await t.passBackoff(800)
    expect((await t.api.nextWatch()).query.get('resourceVersion')).toBe('11')
  })

  test('a connection reset goes on from the last event, without a list', async () => {
    const watch = await t.startAndWatch()
    watch.event('ADDED', thing('b', '11'))
    await t.changes(2)
    watch.cut()
    await t.passBackoff(800)
    expect((await t.api.nextWatch()).query.get('resourceVersion')).toBe('11')
  })

  test('a half-open socket is noticed after the server’s own time limit and a margin', async () => {
    await t.startAndWatch()
    await t.clock.asleep((ms) => ms === 330_000)
    await t.clock.advance(329_999)
    expect(t.api.held).toBe(0)
    await t.clock.advance(1)
    await t.passBackoff(800)
    expect((await t.api.nextWatch()).query.get('resourceVersion')).toBe('10')
  })

  test('a half-open socket to a server that sends bookmarks is noticed after three minutes', async () => {
    const watch = await t.startAndWatch()
    watch.event('BOOKMARK', bookmark('50')).event('ADDED', thing('b', '51'))
    await t.changes(2)
    await t.clock.asleep((ms) => ms === 180_000)
    await t.clock.advance(180_000)
    await t.passBackoff(800)
    expect((await t.api.nextWatch()).query.get('resourceVersion')).toBe('51')
  })

  test('a watch that is never answered is given up after the request timeout', async () => {
    t.start()
    ;(await t.api.nextList()).list([], '10')
    await t.api.nextWatch()
    await t.passBackoff(30_000)
    await t.passBackoff(800)
    expect((await t.api.nextWatch()).query.get('resourceVersion')).toBe('10')
  })

  test.each([[500, 'InternalError'], [503, 'ServiceUnavailable'], [429, 'TooManyRequests']])('refused with %i goes on from the last version', async (code, reason) => {
    t.start()
    ;(await t.api.nextList()).list([], '10')
    ;(await t.api.nextWatch()).refuse(code, reason)
    await t.passBackoff(800)
    expect((await t.api.nextWatch()).query.get('resourceVersion')).toBe('10')
  })

  test.each([[400, 'BadRequest'], [403, 'Forbidden'], [404, 'NotFound']])('refused with %i lists again: the version may mean nothing any more', async (code, reason) => {
    t.start()
    ;(await t.api.nextList()).list([], '10')
    ;(await t.api.nextWatch()).refuse(code, reason)
    await t.passBackoff(800)
    expect((await t.api.nextList()).isWatch).toBe(false)
  })

  test('refused with 429 waits as long as the server asks', async () => {
    t.start()
    ;(await t.api.nextList()).list([], '10')
    ;(await t.api.nextWatch()).refuse(429, 'TooManyRequests', { details: { retryAfterSeconds: 12 } })
    await t.passBackoff(12_000)
    expect((await t.api.nextWatch()).query.get('resourceVersion')).toBe('10')
  })

  test.each([[429, 'TooManyRequests'], [500, 'InternalError']])('an ERROR event of %i goes on from the last version', async (code, reason) => {
    const watch = await t.startAndWatch()
    watch.event('ADDED', thing('b', '11')).event('ERROR', status(code, reason))
    await t.passBackoff(800)
    expect((await t.api.nextWatch()).query.get('resourceVersion')).toBe('11')
  })

  test('waits twice as long each time, at most 30 s, and starts over after two healthy minutes', async () => {
    t.start()
    ;(await t.api.nextList()).list([], '10')
    for (const ms of [800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]) {
      ;(await t.api.nextWatch()).refuse(503, 'ServiceUnavailable')
      await t.passBackoff(ms)
    }
    const watch = (await t.api.nextWatch()).open()
    await t.clock.asleep((ms) => ms === 330_000)
    await t.clock.advance(120_001)
    watch.cut()
    await t.passBackoff(800)
    expect((await t.api.nextWatch()).query.get('resourceVersion')).toBe('10')
  })

  test('jitter adds up to the whole of a wait', async () => {
    t.start({ random: () => 1 })
    ;(await t.api.nextList()).refuse(500, 'InternalError')
    await t.passBackoff(1_600)
    expect((await t.api.nextList()).path).toContain('/things')
  })
})

test('a handler that throws does not end the watch', async () => {
  t.mirror.onChange(() => { throw new Error('broken handler') })
  const watch = await t.startAndWatch()
  watch.event('ADDED', thing('b', '11')).event('ADDED', thing('c', '12'))
  await t.changes(3)
  expect(t.errors).toHaveLength(3)
})

test('1,000 reconnects leave no more than a few sockets', async () => {
  let watches = 0
  const enough = Promise.withResolvers<void>()
  t.api.auto = (exchange) => {
    if (!exchange.isWatch) { exchange.list([], '10'); return true }
    if (++watches > 1_000) { enough.resolve(); return false }
    const version = String(10 + watches)
    exchange.open().event('BOOKMARK', bookmark(version))
    if (watches % 100 === 0) exchange.cut()
    else exchange.end()
    return true
  }
  t.start()
  const pushing = (async () => {
    while (watches <= 1_000) {
      await t.clock.asleep((ms) => ms <= 30_000)
      await t.clock.advance(1_000)
    }
  })()
  await enough.promise
  expect(t.api.openSockets).toBeLessThanOrEqual(3)
  expect(t.api.connections).toBeLessThanOrEqual(20)
  await pushing
})
