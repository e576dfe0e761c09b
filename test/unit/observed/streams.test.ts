// Who gets a connection for streams, when, and who gives it back.

import { describe, expect, test } from 'vitest'
import type { Connection } from '../../../drivers/driver.ts'
import { ConnectionLost } from '../../../drivers/errors.ts'
import { type StreamPlace, Streams } from '../../../observed/streams.ts'
import { FakeClock, settle } from '../../support/fakeclock.ts'

interface Bed { streams: Streams; clock: FakeClock; open: () => number; most: () => number; fails: (error: Error | undefined) => void }
const setUp = (max = 2): Bed => {
  const clock = new FakeClock()
  let [now, most] = [0, 0]
  let failure: Error | undefined
  const streams = new Streams({
    max, clock,
    open: async () => {
      if (failure) throw failure
      most = Math.max(most, ++now)
      return { close: async () => { now--; await settle() } } as Connection
    },
  })
  return { streams, clock, open: () => now, most: () => most, fails: error => { failure = error } }
}
const never = new AbortController().signal
/** Whether a promise has settled. */
const isThere = async (promise: Promise<unknown>): Promise<boolean> => { await settle(); return await Promise.race([promise.then(() => true, () => true), settle().then(() => false)]) }
const SMALL = 'VirtualDomain/shop/web'

describe('connections for streams', () => {
  test('are never more than the host lends, whatever comes and goes', async () => {
    const { streams, open, most } = setUp(3)
    const users = Array.from({ length: 40 }, async (_, i) => {
      const place = await streams.take(never)
      await place.open()
      for (let turns = 0; turns < i % 4; turns++) await settle()
      await place.release()
      await place.release()
    })
    await Promise.all(users)
    expect(most()).toBe(3)
    expect(open()).toBe(0)
    expect(streams.contended).toBe(false)
  })

  test('go to those who wait in the order in which they came', async () => {
    const { streams } = setUp(1)
    const got: number[] = []
    let place = await streams.take(never)
    const waiting = [1, 2, 3].map(async n => { const mine = await streams.take(never); got.push(n); return mine })
    expect(streams.contended).toBe(true)
    for (const next of waiting) {
      await place.release()
      place = await next
    }
    expect(got).toEqual([1, 2, 3])
    expect(streams.contended).toBe(false)
  })

  test('are closed before the next one is opened', async () => {
    const { streams, most } = setUp(1)
    const first = await streams.take(never)
    await first.open()
    const second = streams.take(never).then(async place => { await place.open(); return place })
    await Promise.all([first.release(), second])
    expect(most()).toBe(1)
  })

  test('are not waited for any more by whoever was stopped', async () => {
    const { streams } = setUp(1)
    const place = await streams.take(never)
    const stopped = new AbortController()
    const waiting = streams.take(stopped.signal)
    const next = streams.take(never)
    stopped.abort(new Error('stopped'))
    await expect(waiting).rejects.toThrow('stopped')
    await expect(streams.take(stopped.signal)).rejects.toThrow('stopped')
    await place.release()
    expect(await isThere(next)).toBe(true)
  })

  test('that cannot be opened leave their place to others', async () => {
    const { streams, fails } = setUp(1)
    fails(new ConnectionLost('away'))
    const place = await streams.take(never)
    await expect(place.open()).rejects.toThrow('away')
    await place.release()
    fails(undefined)
    await expect((await streams.take(never)).open()).resolves.toBeDefined()
  })
})

describe('something small', () => {
  test('gets a place at once where one is free', () => {
    expect(setUp().streams.takeSoon(SMALL, () => undefined)).toBeDefined()
  })

  test('is told of the next one, before all that wait in line, and finds it kept', async () => {
    const { streams } = setUp(1)
    const place = await streams.take(never)
    const long = streams.take(never)
    let told = 0
    for (let again = 0; again < 3; again++) expect(streams.takeSoon(SMALL, () => { told++ })).toBeUndefined()
    expect(streams.takeSoon('VirtualDomain/shop/db', () => undefined)).toBeUndefined()
    await place.release()
    expect(told).toBe(1)
    expect(await isThere(long)).toBe(false)
    const mine = streams.takeSoon(SMALL, () => undefined) as StreamPlace
    expect(mine).toBeDefined()
    await mine.release()
    await (streams.takeSoon('VirtualDomain/shop/db', () => undefined) as StreamPlace).release()
    expect(await isThere(long)).toBe(true)
  })

  test('that does not fetch its place loses it to the next', async () => {
    const { streams, clock } = setUp(1)
    const place = await streams.take(never)
    const long = streams.take(never)
    streams.takeSoon(SMALL, () => undefined)
    await place.release()
    await clock.advance(29_000)
    expect(await isThere(long)).toBe(false)
    await clock.advance(1_000)
    expect(await isThere(long)).toBe(true)
    expect(streams.takeSoon(SMALL, () => undefined)).toBeUndefined()
  })
})
