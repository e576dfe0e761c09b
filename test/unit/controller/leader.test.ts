// Leader election: one leader at a time, as far as a lease can promise it.

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Client } from '../../../controller/client.ts'
import { LeaderElection, LeaseLost, type LeaderOptions, type LeaseSpec } from '../../../controller/leader.ts'
import { silentLog } from '../../../controller/log.ts'
import { Metrics } from '../../../controller/metrics.ts'
import { Transport } from '../../../controller/transport.ts'
import { FakeClock } from '../../support/fakeclock.ts'
import { FaultyApi, type Exchange } from '../../support/faultyapi/server.ts'

let api: FaultyApi
let transport: Transport
let client: Client
let clock: FakeClock
let store: LeaseStore
let elections: Promise<unknown>[]

/** One Lease behind the API: optimistic locking as the API server does it, and faults on demand. */
class LeaseStore {
  spec: LeaseSpec | undefined
  version = 0
  broken: 'no' | 'refuses' | 'silent' = 'no'
  readonly writes: { method: string; spec: LeaseSpec }[] = []
  #next = Promise.withResolvers<void>()

  handle = (exchange: Exchange): boolean => {
    if (this.broken === 'silent') return true
    if (this.broken === 'refuses') { exchange.refuse(500, 'InternalError'); return true }
    if (exchange.method === 'GET') {
      if (this.spec) exchange.json(this.object())
      else exchange.refuse(404, 'NotFound')
      return true
    }
    const { spec, metadata } = exchange.body as { spec: LeaseSpec; metadata: { resourceVersion?: string } }
    if (exchange.method === 'POST' ? this.spec !== undefined : metadata.resourceVersion !== String(this.version)) {
      exchange.refuse(409, exchange.method === 'POST' ? 'AlreadyExists' : 'Conflict')
      return true
    }
    this.write({ ...this.spec, ...spec })
    this.writes.push({ method: exchange.method, spec })
    exchange.json(this.object())
    this.#next.resolve()
    this.#next = Promise.withResolvers()
    return true
  }

  write(spec: LeaseSpec): void {
    this.spec = spec
    this.version++
  }

  object(): unknown {
    return { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'vireo', namespace: 'vireo-system', uid: 'u', resourceVersion: String(this.version) }, spec: this.spec }
  }

  async written(count: number): Promise<void> {
    while (this.writes.length < count) await this.#next.promise
  }
}

beforeEach(async () => {
  api = await FaultyApi.start()
  clock = new FakeClock()
  transport = new Transport({ kubeConfig: api.kubeConfig(), clock })
  client = new Client({ transport })
  store = new LeaseStore()
  api.auto = store.handle
  elections = []
})

afterEach(async () => {
  store.broken = 'refuses'
  await Promise.allSettled(elections)
  await transport.close()
  await api.close()
})

function run(identity: string, options: Partial<LeaderOptions> = {}) {
  const stop = new AbortController()
  const leads = Promise.withResolvers<AbortSignal>()
  const election = new LeaderElection({ client, clock, log: silentLog, namespace: 'vireo-system', name: 'vireo', identity, random: () => 0, ...options })
  const ended = election.run(async (signal) => {
    leads.resolve(signal)
    await new Promise<void>((resolve) => { signal.addEventListener('abort', () => resolve()) })
  }, stop.signal)
  const outcome = ended.then(() => 'ended' as const, (error: unknown) => error)
  elections.push(outcome)
  return { stop, leading: leads.promise, outcome }
}

/** Lets the sleep of one retry period pass. */
async function period(ms = 2_000): Promise<void> {
  await clock.asleep((delay) => delay === ms)
  await clock.advance(ms)
}

test('takes a lease that does not exist, with times of six fraction digits', async () => {
  const { leading, stop, outcome } = run('a')
  await leading
  expect(store.spec).toEqual({ holderIdentity: 'a', leaseDurationSeconds: 15, acquireTime: '2026-11-22T20:00:00.000000Z', renewTime: '2026-11-22T20:00:00.000000Z', leaseTransitions: 0 })
  stop.abort()
  expect(await outcome).toBe('ended')
})

test('renews every two seconds with one request, and is released last', async () => {
  const { leading, stop, outcome } = run('a')
  const signal = await leading
  await period()
  await store.written(2)
  await period()
  await store.written(3)
  expect(store.writes.slice(1)).toEqual([
    { method: 'PATCH', spec: { holderIdentity: 'a', leaseDurationSeconds: 15, renewTime: '2026-11-22T20:00:02.000000Z' } },
    { method: 'PATCH', spec: { holderIdentity: 'a', leaseDurationSeconds: 15, renewTime: '2026-11-22T20:00:04.000000Z' } },
  ])
  expect(api.requests).toBe(4)
  stop.abort()
  expect(await outcome).toBe('ended')
  expect(signal.aborted).toBe(true)
  expect(store.spec).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1 })
  expect(clock.timers).toEqual([])
})

describe('a lease that somebody else holds', () => {
  const held = (renewTime = '2026-11-22T19:00:00.000000Z'): LeaseSpec => ({ holderIdentity: 'b', leaseDurationSeconds: 15, renewTime, leaseTransitions: 3 })

  test('is taken only after it did not change for 15 s of our own time, however old its timestamp', async () => {
    store.write(held())
    const { leading, stop } = run('a')
    for (let i = 0; i < 7; i++) await period()
    expect(store.writes).toEqual([])
    await period()
    await leading
    expect(store.spec).toMatchObject({ holderIdentity: 'a', leaseTransitions: 4 })
    stop.abort()
  })

  test('is not taken while it is renewed', async () => {
    store.write(held())
    const { stop, outcome } = run('a')
    for (let i = 0; i < 30; i++) {
      await period()
      store.write(held(`2026-11-22T19:00:${String(i).padStart(2, '0')}.000000Z`))
    }
    expect(store.writes).toEqual([])
    stop.abort()
    expect(await outcome).toBe('ended')
    expect(store.spec?.holderIdentity).toBe('b')
  })

  test('is not taken when it expired and was renewed before we looked again', async () => {
    store.write(held())
    const { stop, outcome } = run('a')
    for (let i = 0; i < 7; i++) await period()
    await clock.asleep((ms) => ms === 2_000)
    await clock.advance(1_500)
    store.write(held('2026-11-22T19:59:59.000000Z'))
    await clock.advance(500)
    await period()
    expect(store.writes).toEqual([])
    stop.abort()
    await outcome
  })

  test('is taken at once when it was released', async () => {
    store.write({ ...held(), holderIdentity: '' })
    const { leading, stop } = run('a')
    await leading
    expect(store.spec?.holderIdentity).toBe('a')
    stop.abort()
  })

  test('of two who want it, one leads', async () => {
    const first = run('a')
    const second = run('c')
    const winner = await Promise.race([first.leading.then(() => first), second.leading.then(() => second)])
    const loser = winner === first ? second : first
    let both = false
    void loser.leading.then(() => { both = true })
    for (let i = 0; i < 20; i++) await period()
    expect(both).toBe(false)
    winner.stop.abort()
    expect(await winner.outcome).toBe('ended')
    await period()
    await loser.leading
    loser.stop.abort()
    await loser.outcome
  })
})

describe('a lease is lost', () => {
  test.each(['refuses', 'silent'] as const)('when no renewal succeeds for 10 s because the server %s', async (fault) => {
    const { leading, outcome } = run('a')
    const signal = await leading
    store.broken = fault
    await clock.asleep((ms) => ms === 2_000)
    await clock.advance(2_000)
    let lost: unknown
    void outcome.then((error) => { lost = error })
    while (lost === undefined) {
      await clock.asleep()
      await clock.advance(500)
    }
    expect(lost).toBeInstanceOf(LeaseLost)
    expect(signal.aborted).toBe(true)
    expect(clock.now() - Date.parse('2026-11-22T20:00:00Z')).toBeLessThan(15_000)
  })

  test('at once when somebody else took it, and is then not released', async () => {
    const { leading, outcome } = run('a')
    const signal = await leading
    store.write({ holderIdentity: 'b', leaseDurationSeconds: 15, renewTime: 'x' })
    await period()
    await period()
    expect(await outcome).toBeInstanceOf(LeaseLost)
    expect(signal.aborted).toBe(true)
    expect(store.spec?.holderIdentity).toBe('b')
  })

  test('without waiting for work that hangs', async () => {
    const election = new LeaderElection({ client, clock, log: silentLog, namespace: 'vireo-system', name: 'vireo', identity: 'a', random: () => 0 })
    const leads = Promise.withResolvers<void>()
    const outcome = election.run(async () => { leads.resolve(); await new Promise(() => undefined) }, new AbortController().signal).catch((error: unknown) => error)
    elections.push(outcome)
    await leads.promise
    store.write({ holderIdentity: 'b', leaseDurationSeconds: 15, renewTime: 'x' })
    await period()
    await period()
    expect(await outcome).toBeInstanceOf(LeaseLost)
  })
})

test('a renewal that fails once is tried again, and the leader goes on', async () => {
  const { leading, stop, outcome } = run('a')
  const signal = await leading
  store.broken = 'refuses'
  await period()
  store.broken = 'no'
  await period()
  await store.written(2)
  expect(signal.aborted).toBe(false)
  stop.abort()
  expect(await outcome).toBe('ended')
})

test('an error of the leader’s work ends the election and releases the lease', async () => {
  const election = new LeaderElection({ client, clock, log: silentLog, namespace: 'vireo-system', name: 'vireo', identity: 'a' })
  await expect(election.run(() => Promise.reject(new Error('broken')), new AbortController().signal)).rejects.toThrow('broken')
  expect(store.spec?.holderIdentity).toBe('')
})

test('stopping while waiting for the lease ends the wait and changes nothing', async () => {
  store.write({ holderIdentity: 'b', renewTime: 'x' })
  const { stop, outcome } = run('a')
  await clock.asleep((ms) => ms === 2_000)
  stop.abort()
  expect(await outcome).toBe('ended')
  expect(store.writes).toEqual([])
  expect(clock.timers).toEqual([])
})

test('the metric says who leads, from 0 on', async () => {
  const metrics = new Metrics()
  const status = async (): Promise<string | undefined> => (await metrics.registry.metrics()).split('\n').find((line) => line.startsWith('leader_election_master_status{'))?.split(' ')[1]
  const { leading, stop, outcome } = run('a', { metrics: metrics.leader('vireo') })
  expect(await status()).toBe('0')
  await leading
  expect(await status()).toBe('1')
  stop.abort()
  await outcome
  expect(await status()).toBe('0')
})

test('times that cannot work together are refused', () => {
  expect(() => new LeaderElection({ client, clock, log: silentLog, namespace: 'n', name: 'l', identity: 'a', leaseDuration: 10_000 })).toThrow('leaseDuration')
})
