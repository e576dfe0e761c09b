// Event recording: aggregation, the spam filter, and never in anybody's way.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Client } from '../../../controller/client.ts'
import { cutBytes, EventRecorder } from '../../../controller/events.ts'
import { silentLog } from '../../../controller/log.ts'
import type { KubeObject } from '../../../controller/resource.ts'
import { Transport } from '../../../controller/transport.ts'
import { FakeClock } from '../../support/fakeclock.ts'
import { FaultyApi, type Exchange } from '../../support/faultyapi/server.ts'

const domain = (name = 'web', namespace: string | undefined = 'shop'): KubeObject => ({
  apiVersion: 'vireo.dev/v1alpha1', kind: 'VirtualDomain',
  metadata: { name, ...(namespace ? { namespace } : {}), uid: `uid-${name}`, resourceVersion: '42' }, spec: {},
})

let api: FaultyApi
let clock: FakeClock
let transport: Transport
let recorder: EventRecorder

beforeEach(async () => {
  api = await FaultyApi.start()
  clock = new FakeClock()
  transport = new Transport({ kubeConfig: api.kubeConfig(), clock })
  recorder = newRecorder()
})

afterEach(async () => {
  recorder.stop()
  await recorder.flush()
  await transport.close()
  await api.close()
})

const newRecorder = (maxQueued?: number): EventRecorder =>
  new EventRecorder({ client: new Client({ transport }), component: 'vireo', instance: 'vireo_1', clock, log: silentLog, maxQueued })

/** Accepts every write, and keeps what was written. */
function accept(): Exchange[] {
  const written: Exchange[] = []
  api.auto = (exchange) => { written.push(exchange); exchange.json({}); return true }
  return written
}

test('an event names its object as kubectl describe looks for it', async () => {
  const [written] = [accept()]
  recorder.event(domain(), 'Normal', 'Started', 'the guest was started', 'Start')
  await recorder.flush()
  expect(written[0]!.path).toBe('/api/v1/namespaces/shop/events')
  expect(written[0]!.body).toEqual({
    apiVersion: 'v1', kind: 'Event',
    metadata: { name: expect.stringMatching(/^web\.[0-9a-f]{16}$/) as string, namespace: 'shop' },
    involvedObject: { apiVersion: 'vireo.dev/v1alpha1', kind: 'VirtualDomain', name: 'web', namespace: 'shop', uid: 'uid-web', resourceVersion: '42' },
    type: 'Normal', reason: 'Started', message: 'the guest was started', action: 'Start',
    source: { component: 'vireo' }, reportingComponent: 'vireo', reportingInstance: 'vireo_1',
    count: 1, firstTimestamp: '2026-11-22T20:00:00Z', lastTimestamp: '2026-11-22T20:00:00Z',
  })
})

test('a cluster-scoped object’s events stand in the namespace default', async () => {
  const written = accept()
  recorder.event({ ...domain('kvm7'), kind: 'Hypervisor', metadata: { name: 'kvm7', uid: 'u', resourceVersion: '1' } }, 'Warning', 'HostChanged', 'another host')
  await recorder.flush()
  expect(written[0]!.path).toBe('/api/v1/namespaces/default/events')
  expect(written[0]!.body.involvedObject).not.toHaveProperty('namespace')
})

describe('aggregation', () => {
  test('the same fact within 10 minutes is counted, not repeated', async () => {
    const written = accept()
    recorder.event(domain(), 'Warning', 'Failed', 'no')
    await recorder.flush()
    await clock.advance(60_000)
    recorder.event(domain(), 'Warning', 'Failed', 'no')
    await recorder.flush()
    expect(written.map(({ method }) => method)).toEqual(['POST', 'PATCH'])
    expect(written[1]!.path).toBe(`/api/v1/namespaces/shop/events/${written[0]!.body.metadata.name}`)
    expect(written[1]!.body).toEqual({ count: 2, lastTimestamp: '2026-11-22T20:01:00Z' })
  })

  test('another message, reason or object is another event', async () => {
    const written = accept()
    recorder.event(domain(), 'Warning', 'Failed', 'no')
    recorder.event(domain(), 'Warning', 'Failed', 'never')
    recorder.event(domain(), 'Warning', 'Refused', 'no')
    recorder.event(domain('db'), 'Warning', 'Failed', 'no')
    await recorder.flush()
    expect(written.map(({ method }) => method)).toEqual(['POST', 'POST', 'POST', 'POST'])
    expect(new Set(written.map(({ body }) => body.metadata.name)).size).toBe(4)
  })

  test('the same fact after 10 quiet minutes is told anew', async () => {
    const written = accept()
    recorder.event(domain(), 'Warning', 'Failed', 'no')
    await recorder.flush()
    await clock.advance(600_000)
    recorder.event(domain(), 'Warning', 'Failed', 'no')
    await recorder.flush()
    expect(written.map(({ method }) => method)).toEqual(['POST', 'POST'])
  })

  test('repetitions while the first is on its way become one write', async () => {
    recorder.event(domain(), 'Warning', 'Failed', 'no')
    const first = await api.next()
    for (let i = 0; i < 5; i++) recorder.event(domain(), 'Warning', 'Failed', 'no')
    first.json({})
    const second = await api.next()
    expect(second.body.count).toBe(6)
    second.json({})
    await recorder.flush()
    expect(api.requests).toBe(2)
  })

  test('an event that expired at the server is created again, with its count', async () => {
    recorder.event(domain(), 'Warning', 'Failed', 'no')
    ;(await api.next()).json({})
    await recorder.flush()
    recorder.event(domain(), 'Warning', 'Failed', 'no')
    ;(await api.next()).refuse(404, 'NotFound')
    const again = await api.next()
    expect([again.method, again.body.count]).toEqual(['POST', 2])
    again.json({})
    await recorder.flush()
  })
})

describe('limits', () => {
  test('an object may have 25 events at once, then one in 5 minutes; others are not affected', async () => {
    const written = accept()
    for (let i = 0; i < 40; i++) recorder.event(domain(), 'Warning', 'Failed', `failure ${i}`)
    recorder.event(domain('db'), 'Normal', 'Started', 'fine')
    await recorder.flush()
    expect(written).toHaveLength(26)
    expect(recorder.dropped).toBe(15)
    await clock.advance(300_000)
    recorder.event(domain(), 'Warning', 'Failed', 'failure 41')
    recorder.event(domain(), 'Warning', 'Failed', 'failure 42')
    await recorder.flush()
    expect(written).toHaveLength(27)
  })

  test('a server that does not answer costs a bounded queue, not memory', async () => {
    const bounded = newRecorder(10)
    for (let i = 0; i < 50; i++) bounded.event(domain(`vm${i}`), 'Normal', 'Started', 'fine')
    expect(bounded.dropped).toBe(39)
    bounded.stop()
    await bounded.flush()
  })

  test('a message is cut at 1 kB, between characters', async () => {
    const written = accept()
    recorder.event(domain(), 'Warning', 'Failed', '大'.repeat(1_000))
    await recorder.flush()
    const { message } = written[0]!.body as { message: string }
    expect(Buffer.byteLength(message)).toBeLessThanOrEqual(1024)
    expect(message).toMatch(/^大+…$/)
    expect(cutBytes('short', 1024)).toBe('short')
  })

  test('an object with the longest name has events with a legal one', async () => {
    const written = accept()
    recorder.event(domain(`${'a'.repeat(234)}.${'b'.repeat(18)}`), 'Normal', 'Started', 'fine')
    await recorder.flush()
    expect(written[0]!.body.metadata.name).toMatch(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/)
    expect(written[0]!.body.metadata.name).not.toMatch(/[.-]\./)
  })
})

describe('a refusal', () => {
  test.each([
    ['of a Terminating namespace', 403, 'Forbidden', { details: { causes: [{ reason: 'NamespaceTerminating' }] } }],
    ['of a namespace that is gone', 404, 'NotFound', {}],
    ['for good', 422, 'Invalid', {}],
  ])('%s drops the event and nothing else', async (_what, code, reason, more) => {
    recorder.event(domain(), 'Normal', 'Deleted', 'gone')
    recorder.event(domain('db'), 'Normal', 'Started', 'fine')
    ;(await api.next()).refuse(code, reason, more)
    const other = await api.next()
    expect(other.body.involvedObject.name).toBe('db')
    other.json({})
    await recorder.flush()
    expect(recorder.dropped).toBe(1)
  })

  test('that may pass is tried again, a few times', async () => {
    recorder.event(domain(), 'Normal', 'Started', 'fine')
    for (const wait of [2_000, 4_000, 6_000, 8_000]) {
      ;(await api.next()).refuse(503, 'ServiceUnavailable')
      await clock.asleep((ms) => ms === wait)
      await clock.advance(wait)
    }
    ;(await api.next()).refuse(503, 'ServiceUnavailable')
    await recorder.flush()
    expect(recorder.dropped).toBe(1)
  })

  test('as AlreadyExists after a lost answer counts as recorded', async () => {
    recorder.event(domain(), 'Normal', 'Started', 'fine')
    ;(await api.next()).cut()
    await clock.asleep((ms) => ms === 2_000)
    await clock.advance(2_000)
    ;(await api.next()).refuse(409, 'AlreadyExists')
    await recorder.flush()
    expect(recorder.dropped).toBe(0)
  })
})

test('after stop nothing is sent', async () => {
  recorder.event(domain(), 'Normal', 'Started', 'fine')
  const held = await api.next()
  recorder.stop()
  await recorder.flush()
  await held.closed
  recorder.event(domain('db'), 'Normal', 'Started', 'fine')
  await recorder.flush()
  expect(api.requests).toBe(1)
})
