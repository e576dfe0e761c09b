// The workers' invariants.

import { expect, test } from 'vitest'
import { runWorkers, type Result } from '../../../controller/controller.ts'
import { ApiError } from '../../../controller/errors.ts'
import { createLog } from '../../../controller/log.ts'
import { Metrics } from '../../../controller/metrics.ts'
import { WorkQueue } from '../../../controller/workqueue.ts'
import { FakeClock, settle } from '../../support/fakeclock.ts'
import { Writable } from 'node:stream'

interface Line { level: string; msg: string; key?: string; retryInMs?: number; err?: { stack: string } }

function start(reconcile: (key: string, signal: AbortSignal) => Promise<Result>, concurrency = 2) {
  const clock = new FakeClock()
  const metrics = new Metrics()
  const stop = new AbortController()
  const queue = new WorkQueue({ clock })
  const lines: Line[] = []
  const stream = new Writable({ write(chunk: Buffer, _encoding, done) { lines.push(JSON.parse(chunk.toString()) as Line); done() } })
  const log = createLog({ format: 'json', level: 'debug', stream })
  const running = runWorkers({ queue, reconcile, concurrency, clock, log, signal: stop.signal, metrics: metrics.controller('virtualdomain') })
  return { clock, metrics, stop, queue, lines, running }
}

test('a failure is tried again with growing delays, and a success forgets it', async () => {
  let failures = 3
  const at: number[] = []
  const { clock, queue, stop, running } = start(async () => {
    at.push(clock.now())
    return failures-- > 0 ? { type: 'retry', error: new Error('not yet') } : { type: 'done' }
  })
  queue.add('a')
  await clock.advance(60_000)
  expect(at.map((time) => time - at[0]!)).toEqual([0, 1_000, 3_000, 7_000])
  expect(queue.failures('a')).toBe(0)
  stop.abort()
  await running
})

test('an exception is a failure: logged with its stack, and the worker goes on', async () => {
  const { clock, queue, stop, running, lines, metrics } = start(async (key) => {
    if (key === 'bad') throw new TypeError('cannot read')
    return { type: 'done' }
  }, 1)
  queue.add('bad')
  queue.add('good')
  await clock.advance(10)
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatchObject({ level: 'warn', key: 'bad', retryInMs: 1_000, msg: 'reconcile of bad failed: cannot read' })
  expect(lines[0]!.err!.stack).toContain('controller.test.ts')
  const text = await metrics.registry.metrics()
  expect(text).toContain('controller_runtime_reconcile_total{controller="virtualdomain",result="error"} 1')
  expect(text).toContain('controller_runtime_reconcile_total{controller="virtualdomain",result="success"} 1')
  expect(text).toContain('controller_runtime_reconcile_errors_total{controller="virtualdomain"} 1')
  expect(text).toContain('controller_runtime_active_workers{controller="virtualdomain"} 0')
  stop.abort()
  await running
})

test('a conflict of versions is no news', async () => {
  const { clock, queue, stop, running, lines } = start(async () => { throw new ApiError({ status: 409, reason: 'Conflict', message: 'modified' }) })
  queue.add('a')
  await clock.advance(10)
  expect(lines.map(({ level }) => level)).toEqual(['debug'])
  stop.abort()
  await running
})

test('requeueAfter comes back after its time and is no failure', async () => {
  let runs = 0
  const { clock, queue, stop, running } = start(async () => ++runs === 1 ? { type: 'retry', error: new Error('once') } : { type: 'requeueAfter', ms: 30_000 })
  queue.add('a')
  await clock.advance(1_000)
  expect(queue.failures('a')).toBe(0)
  await clock.advance(29_999)
  expect(runs).toBe(2)
  await clock.advance(1)
  expect(runs).toBe(3)
  stop.abort()
  await running
})

test('whatever brings a key back earlier takes the place of what was due', async () => {
  let runs = 0
  const { clock, queue, stop, running } = start(async () => ++runs === 1 ? { type: 'requeueAfter', ms: 30_000 } : { type: 'done' })
  queue.add('a')
  await clock.advance(10_000)
  queue.add('a')
  await clock.advance(60_000)
  expect(runs).toBe(2)
  stop.abort()
  await running
})

test('no more reconciles run at once than there are workers', async () => {
  let active = 0
  let most = 0
  const { clock, queue, stop, running } = start(async () => {
    most = Math.max(most, ++active)
    await settle()
    active--
    return { type: 'done' }
  }, 3)
  for (let i = 0; i < 50; i++) queue.add(`key${i}`)
  while (queue.length + queue.working > 0) await clock.advance(1)
  expect(most).toBe(3)
  stop.abort()
  await running
})

test('stopping tells the reconciles and waits for them', async () => {
  const began = Promise.withResolvers<void>()
  const finish = Promise.withResolvers<Result>()
  let told = false
  const { queue, stop, running } = start(async (_key, signal) => {
    signal.addEventListener('abort', () => { told = true })
    began.resolve()
    return finish.promise
  })
  queue.add('a')
  queue.add('b')
  await began.promise
  let ended = false
  void running.then(() => { ended = true })
  stop.abort()
  await settle()
  expect([told, ended]).toEqual([true, false])
  finish.resolve({ type: 'retry', error: new Error('aborted') })
  await running
  expect(queue.failures('a')).toBe(0)
  expect(queue.working).toBe(0)
})
