// The reflector against an API server that does everything Kubernetes documents, and what networks do.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { silentLog } from '../../../controller/log.ts'
import { Mirror, type Change } from '../../../controller/mirror.ts'
import { Reflector, type ReflectorOptions } from '../../../controller/reflector.ts'
import type { KubeObject, Resource } from '../../../controller/resource.ts'
import { Transport } from '../../../controller/transport.ts'
import { FakeClock, settle } from '../../support/fakeclock.ts'
import { FaultyApi } from '../../support/faultyapi/server.ts'

const things: Resource = { group: 'vireo.dev', version: 'v1alpha1', plural: 'things', kind: 'Thing', namespaced: true }
const thing = (name: string, version: string, { uid = `uid-${name}`, ...spec }: { uid?: string; [field: string]: unknown } = {}): KubeObject =>
  ({ apiVersion: 'vireo.dev/v1alpha1', kind: 'Thing', metadata: { name, namespace: 'default', uid, resourceVersion: version }, spec })
const bookmark = (version: string): unknown => ({ apiVersion: 'vireo.dev/v1alpha1', kind: 'Thing', metadata: { resourceVersion: version, creationTimestamp: null }, spec: {} })
const status = (code: number, reason: string, more: object = {}): unknown => ({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: reason, ...more })

let api: FaultyApi
let clock: FakeClock
let transport: Transport
let mirror: Mirror
let stop: AbortController
let told: string[]
let errors: unknown[]
let running: Promise<void>
let reflector: Reflector
let changed: () => void

beforeEach(async () => {
  api = await FaultyApi.start()
  clock = new FakeClock()
  transport = new Transport({ kubeConfig: api.kubeConfig(), clock })
  errors = []
  mirror = new Mirror({ onError: (error) => errors.push(error) })
  told = []
  changed = () => undefined
  mirror.onChange(({ type, object, source }: Change<KubeObject>) => {
    told.push(`${source} ${type} ${object.metadata.name}@${object.metadata.resourceVersion}`)
    changed()
  })
  stop = new AbortController()
})

afterEach(async () => {
  stop.abort()
  await running
  await transport.close()
  await api.close()
})

function start(options: Partial<ReflectorOptions<KubeObject>> = {}): void {
  reflector = new Reflector({ transport, resource: things, mirror, clock, log: silentLog, random: () => 0, ...options })
  running = reflector.run(stop.signal)
}

/** Waits until the mirror has told that many changes since the start. */
async function changes(count: number): Promise<string[]> {
  while (told.length < count) await new Promise<void>((resolve) => { changed = resolve })
  return told
}

/** Waits until the reflector backs off for about that long, and lets the time pass. */
async function passBackoff(ms: number): Promise<void> {
  await clock.asleep((delay) => delay === ms)
  await clock.advance(ms)
}

/** Answers the first list, with one object at version 1, and gives the watch that follows. */
async function startAndWatch(options: Partial<ReflectorOptions<KubeObject>> = {}): ReturnType<FaultyApi['nextWatch']> {
  start(options)
  ;(await api.nextList()).list([thing('a', '1')], '10')
  return (await api.nextWatch()).open()
}

describe('the first list', () => {
  test('is consistent: it asks for no resourceVersion, page by page, and all of it is swapped in at once', async () => {
    start({ pageSize: 2 })
    const first = await api.nextList()
    expect(first.path).toBe('/apis/vireo.dev/v1alpha1/things')
    expect(Object.fromEntries(first.query)).toEqual({ limit: '2' })
    first.list([thing('a', '1'), thing('b', '2')], '10', 'page2')
    const second = await api.nextList()
    expect(Object.fromEntries(second.query)).toEqual({ limit: '2', continue: 'page2' })
    expect(mirror.synced).toBe(false)
    expect(mirror.size).toBe(0)
    second.list([thing('c', '3')], '10')
    await mirror.whenSynced()
    expect(mirror.size).toBe(3)
    expect((await api.nextWatch()).query.get('resourceVersion')).toBe('10')
  })

  test('completes the items of built-in kinds, which come without apiVersion and kind', async () => {
    start()
    ;(await api.nextList()).list([{ metadata: thing('a', '1').metadata }], '10')
    await mirror.whenSynced()
    expect(mirror.list()[0]).toMatchObject({ apiVersion: 'vireo.dev/v1alpha1', kind: 'Thing' })
  })

  test('keeps to its namespace and selectors', async () => {
    start({ namespace: 'shop', labelSelector: 'app=web', fieldSelector: 'status.binding.hypervisor=kvm7' })
    const list = await api.nextList()
    expect(list.path).toBe('/apis/vireo.dev/v1alpha1/namespaces/shop/things')
    expect(list.query.get('labelSelector')).toBe('app=web')
    list.list([], '10')
    expect((await api.nextWatch()).query.get('fieldSelector')).toBe('status.binding.hypervisor=kvm7')
  })

  test.each([[500, 'InternalError'], [429, 'TooManyRequests'], [403, 'Forbidden'], [404, 'NotFound']])('answered %i is asked again after a backoff', async (code, reason) => {
    start()
    ;(await api.nextList()).refuse(code, reason)
    await passBackoff(800)
    ;(await api.nextList()).refuse(code, reason)
    await passBackoff(1_600)
    ;(await api.nextList()).list([thing('a', '1')], '10')
    await mirror.whenSynced()
  })

  test('answered 429 waits as long as the server asks', async () => {
    start()
    ;(await api.nextList()).refuse(429, 'TooManyRequests', { headers: { 'retry-after': '7' } })
    await passBackoff(7_000)
    ;(await api.nextList()).list([], '10')
    await mirror.whenSynced()
  })

  test('whose pages expire on the way is asked again in one page', async () => {
    start()
    ;(await api.nextList()).list([thing('a', '1')], '10', 'page2')
    ;(await api.nextList()).refuse(410, 'Expired')
    const whole = await api.nextList()
    expect(Object.fromEntries(whole.query)).toEqual({})
    whole.list([thing('b', '20')], '21')
    await mirror.whenSynced()
    expect(told).toEqual(['list added b@20'])
  })

  test('that is cut off is asked again', async () => {
    start()
    ;(await api.nextList()).cut()
    await passBackoff(800)
    ;(await api.nextList()).list([], '10')
    await mirror.whenSynced()
  })

  test('that is never answered is given up after the request timeout', async () => {
    start()
    await api.nextList()
    await passBackoff(30_000)
    await passBackoff(800)
    ;(await api.nextList()).list([], '10')
    await mirror.whenSynced()
  })
})

describe('watching', () => {
  test('asks for bookmarks and for an end in 5 to 10 minutes, and applies events', async () => {
    const watch = await startAndWatch({ random: () => 0.5 })
    expect(Object.fromEntries(watch.query)).toEqual({ watch: 'true', resourceVersion: '10', allowWatchBookmarks: 'true', timeoutSeconds: '450' })
    watch.event('ADDED', thing('b', '11')).event('MODIFIED', thing('a', '12')).event('DELETED', thing('b', '13'))
    expect((await changes(4)).slice(1)).toEqual(['watch added b@11', 'watch updated a@12', 'watch deleted b@13'])
  })

  test('goes on from the last event when the server ends it in order', async () => {
    const watch = await startAndWatch()
    watch.event('ADDED', thing('b', '11')).end()
    expect((await api.nextWatch()).query.get('resourceVersion')).toBe('11')
  })

  test('a bookmark advances the version and changes nothing', async () => {
    const watch = await startAndWatch()
    watch.event('BOOKMARK', bookmark('99')).end()
    expect((await api.nextWatch()).query.get('resourceVersion')).toBe('99')
    expect(told).toHaveLength(1)
  })

  test('a watch that ends at once without an event is not repeated in a tight loop', async () => {
    const watch = await startAndWatch()
    watch.end()
    await clock.asleep((ms) => ms === 800)
    expect(api.held).toBe(0)
    await clock.advance(800)
    expect((await api.nextWatch()).query.get('resourceVersion')).toBe('10')
  })

  test('a character split across chunks arrives whole', async () => {
    const watch = await startAndWatch()
    const bytes = Buffer.from(`${JSON.stringify({ type: 'ADDED', object: thing('b', '11', { note: 'Größe → 大きさ 🦜' }) })}\n`)
    for (const byte of bytes) {
      watch.raw(Uint8Array.of(byte))
      await settle()
    }
    await changes(2)
    expect(mirror.get('default', 'b')!.spec).toEqual({ note: 'Größe → 大きさ 🦜' })
  })

  test('an end within a line is a broken watch, not an event', async () => {
    const watch = await startAndWatch()
    watch.event('ADDED', thing('b', '11')).raw(JSON.stringify({ type: 'DELETED', object: thing('b', '12') })).end()
    await changes(2)
    await passBackoff(800)
    expect((await api.nextWatch()).query.get('resourceVersion')).toBe('11')
    expect(mirror.size).toBe(2)
  })

  test('a line that is no JSON breaks the watch, and it goes on from the last good event', async () => {
    const watch = await startAndWatch()
    watch.event('ADDED', thing('b', '11')).raw('<html>bad gateway</html>\n')
    await passBackoff(800)
    expect((await api.nextWatch()).query.get('resourceVersion')).toBe('11')
  })

  test('a connection reset goes on from the last event, without a list', async () => {
    const watch = await startAndWatch()
    watch.event('ADDED', thing('b', '11'))
    await changes(2)
    watch.cut()
    await passBackoff(800)
    expect((await api.nextWatch()).query.get('resourceVersion')).toBe('11')
  })

  test('a half-open socket is noticed after the server’s own time limit and a margin', async () => {
    await startAndWatch()
    await clock.asleep((ms) => ms === 330_000)
    await clock.advance(329_999)
    expect(api.held).toBe(0)
    await clock.advance(1)
    await passBackoff(800)
    expect((await api.nextWatch()).query.get('resourceVersion')).toBe('10')
  })

  test('a half-open socket to a server that sends bookmarks is noticed after three minutes', async () => {
    const watch = await startAndWatch()
    watch.event('BOOKMARK', bookmark('50')).event('ADDED', thing('b', '51'))
    await changes(2)
    await clock.asleep((ms) => ms === 180_000)
    await clock.advance(180_000)
    await passBackoff(800)
    expect((await api.nextWatch()).query.get('resourceVersion')).toBe('51')
  })

  test('a watch that is never answered is given up after the request timeout', async () => {
    start()
    ;(await api.nextList()).list([], '10')
    await api.nextWatch()
    await passBackoff(30_000)
    await passBackoff(800)
    await api.nextWatch()
  })

  test.each([[500, 'InternalError'], [503, 'ServiceUnavailable'], [429, 'TooManyRequests']])('refused with %i goes on from the last version', async (code, reason) => {
    start()
    ;(await api.nextList()).list([], '10')
    ;(await api.nextWatch()).refuse(code, reason)
    await passBackoff(800)
    expect((await api.nextWatch()).query.get('resourceVersion')).toBe('10')
  })

  test('refused with 429 waits as long as the server asks', async () => {
    start()
    ;(await api.nextList()).list([], '10')
    ;(await api.nextWatch()).refuse(429, 'TooManyRequests', { details: { retryAfterSeconds: 12 } })
    await passBackoff(12_000)
    await api.nextWatch()
  })

  test.each([[429, 'TooManyRequests'], [500, 'InternalError']])('an ERROR event of %i goes on from the last version', async (code, reason) => {
    const watch = await startAndWatch()
    watch.event('ADDED', thing('b', '11')).event('ERROR', status(code, reason))
    await passBackoff(800)
    expect((await api.nextWatch()).query.get('resourceVersion')).toBe('11')
  })

  test('waits twice as long each time, at most 30 s, and starts over after two healthy minutes', async () => {
    start()
    ;(await api.nextList()).list([], '10')
    for (const ms of [800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]) {
      ;(await api.nextWatch()).refuse(503, 'ServiceUnavailable')
      await passBackoff(ms)
    }
    const watch = (await api.nextWatch()).open()
    await clock.asleep((ms) => ms === 330_000)
    await clock.advance(120_001)
    watch.cut()
    await passBackoff(800)
    await api.nextWatch()
  })

  test('jitter adds up to the whole of a wait', async () => {
    start({ random: () => 1 })
    ;(await api.nextList()).refuse(500, 'InternalError')
    await passBackoff(1_600)
    await api.nextList()
  })
})

describe('an expired version', () => {
  const relist = async (): Promise<void> => {
    await passBackoff(800)
    const list = await api.nextList()
    expect(list.query.get('resourceVersion')).toBeNull()
    list.list([thing('a', '30')], '40')
    await api.nextWatch()
  }

  test('as 410 status of a watch lists again', async () => {
    start()
    ;(await api.nextList()).list([thing('a', '1')], '10')
    ;(await api.nextWatch()).refuse(410, 'Expired')
    await relist()
    expect(told.at(-1)).toBe('list updated a@30')
  })

  test('as ERROR event lists again', async () => {
    const watch = await startAndWatch()
    watch.event('ERROR', status(410, 'Expired'))
    await relist()
    expect(told.at(-1)).toBe('list updated a@30')
  })

  test('a deletion that no watch brought is found by the list', async () => {
    const watch = await startAndWatch()
    watch.event('ADDED', thing('b', '11')).event('ERROR', status(410, 'Gone'))
    await relist()
    expect(told.slice(2)).toEqual(['list deleted b@11', 'list updated a@30'])
  })

  test('another UID after it is a deletion and a new object', async () => {
    const watch = await startAndWatch()
    watch.event('ERROR', status(410, 'Expired'))
    await passBackoff(800)
    ;(await api.nextList()).list([thing('a', '30', { uid: 'another' })], '40')
    await api.nextWatch()
    expect(told.slice(1)).toEqual(['list deleted a@1', 'list added a@30'])
  })

  test('a resource that vanished leaves the mirror as it was: unknown is not absent', async () => {
    const watch = await startAndWatch()
    watch.event('ERROR', status(410, 'Expired'))
    await passBackoff(800)
    ;(await api.nextList()).refuse(404, 'NotFound')
    await passBackoff(1_600)
    await api.nextList()
    expect(mirror.size).toBe(1)
    expect(mirror.synced).toBe(true)
  })
})

describe('stopping', () => {
  const stopped = async (): Promise<void> => {
    const before = [...told]
    stop.abort()
    await running
    expect(reflector.state).toEqual({ name: 'stopped' })
    expect(told).toEqual(before)
    expect(clock.timers).toEqual([])
  }

  test('while the list is on its way', async () => {
    start()
    const list = await api.nextList()
    await stopped()
    await list.closed
  })

  test('between two pages', async () => {
    start()
    ;(await api.nextList()).list([thing('a', '1')], '10', 'page2')
    await api.nextList()
    await stopped()
    expect(mirror.synced).toBe(false)
  })

  test('while the watch is being opened', async () => {
    start()
    ;(await api.nextList()).list([], '10')
    const watch = await api.nextWatch()
    await stopped()
    await watch.closed
  })

  test('while watching, with events on their way', async () => {
    const watch = await startAndWatch()
    watch.event('ADDED', thing('b', '11'))
    await changes(2)
    watch.event('ADDED', thing('c', '12'))
    await stopped()
    await watch.closed
  })

  test('within a batch of events: the rest of them is not applied', async () => {
    const watch = await startAndWatch()
    changed = () => { if (told.length === 2) stop.abort() }
    watch.raw(['b', 'c', 'd'].map((name, i) => `${JSON.stringify({ type: 'ADDED', object: thing(name, String(11 + i)) })}\n`).join(''))
    await running
    expect(told.slice(1)).toEqual(['watch added b@11'])
  })

  test('while backing off', async () => {
    start()
    ;(await api.nextList()).refuse(500, 'InternalError')
    await clock.asleep((ms) => ms === 800)
    await stopped()
  })

  test('before it began', async () => {
    stop.abort()
    start()
    await running
    expect(api.requests).toBe(0)
  })
})

test('a handler that throws does not end the watch', async () => {
  mirror.onChange(() => { throw new Error('broken handler') })
  const watch = await startAndWatch()
  watch.event('ADDED', thing('b', '11')).event('ADDED', thing('c', '12'))
  await changes(3)
  expect(errors).toHaveLength(3)
})

test('1,000 reconnects leave no more than a few sockets', async () => {
  let watches = 0
  const enough = Promise.withResolvers<void>()
  api.auto = (exchange) => {
    if (!exchange.isWatch) { exchange.list([], '10'); return true }
    if (++watches > 1_000) { enough.resolve(); return false }
    const version = String(10 + watches)
    exchange.open().event('BOOKMARK', bookmark(version))
    if (watches % 100 === 0) exchange.cut()
    else exchange.end()
    return true
  }
  start()
  const pushing = (async () => {
    while (watches <= 1_000) {
      await clock.asleep((ms) => ms <= 30_000)
      await clock.advance(1_000)
    }
  })()
  await enough.promise
  expect(api.openSockets).toBeLessThanOrEqual(3)
  expect(api.connections).toBeLessThanOrEqual(20)
  await pushing
})
