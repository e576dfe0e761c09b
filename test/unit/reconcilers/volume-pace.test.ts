// Transfers whose server gives little: the server is real, time is the test's.

import { type Server, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Connection, StorageVolRef, UploadStream } from '../../../drivers/driver.ts'
import { ConnectionLost, ErrorNumber, LibvirtError } from '../../../drivers/errors.ts'
import type { Host } from '../../../observed/host.ts'
import { SourceError } from '../../../reconcilers/volume/source/error.ts'
import type { JobControl } from '../../../reconcilers/volume/source/jobs.ts'
import { SourceReach } from '../../../reconcilers/volume/source/reach.ts'
import { transferUrl } from '../../../reconcilers/volume/source/transfer.ts'
import { FakeClock } from '../../support/fakeclock.ts'

const MIB = 2 ** 20

let server: Server
let responses: AsyncIterator<ServerResponse>
beforeAll(async () => {
  const waiting: ((response: IteratorResult<ServerResponse>) => void)[] = []
  const arrived: ServerResponse[] = []
  server = createServer((_, response) => {
    const next = waiting.shift()
    if (next) next({ done: false, value: response })
    else arrived.push(response)
  })
  responses = { next: () => { const value = arrived.shift(); return value ? Promise.resolve({ done: false, value }) : new Promise(resolve => { waiting.push(resolve) }) } }
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
})
afterAll(async () => {
  server.closeAllConnections()
  await new Promise(resolve => { server.close(resolve) })
})

/** One transfer of 8 MiB, and what became of it on the host. */
async function begin({ contended = false, deaf = false } = {}) {
  const clock = new FakeClock()
  const stop = new AbortController()
  const log: string[] = []
  let written = 0
  let news = Promise.withResolvers<void>()
  const stream: UploadStream = {
    write: async chunk => {
      written += chunk.length
      news.resolve()
      news = Promise.withResolvers()
      await Promise.resolve()
    },
    finish: async () => { log.push('finished'); await Promise.resolve() },
    abort: async () => { log.push('aborted'); await Promise.resolve() },
  }
  const ended = Promise.withResolvers<never>()
  ended.promise.catch(() => undefined)
  const volume: StorageVolRef = { pool: 'images', name: 'web', key: '/web' }
  const calls = {
    storagePoolGetInfo: async () => ({ state: 2, capacity: 0, allocation: 0, available: 2 ** 40 }),
    storagePoolRefresh: async () => undefined,
    storageVolLookupByName: () => Promise.reject(new LibvirtError({ code: ErrorNumber.NO_STORAGE_VOL, domain: 18, level: 2, message: 'no volume', procedure: 'storageVolLookupByName' })),
    storageVolCreateXML: async () => { log.push('created'); return volume },
    storageVolDelete: async () => { log.push('removed') },
    storageVolUpload: () => (deaf ? ended.promise : Promise.resolve(stream)),
    close: async () => { log.push('closed'); ended.reject(new ConnectionLost('closed')); await Promise.resolve() },
  } as unknown as Connection
  const control: JobControl = {
    signal: stop.signal,
    place: { open: async () => calls, release: () => calls.close() },
    contended: () => contended,
    inspected: async () => { log.push('inspected'); await Promise.resolve() },
    progress: () => undefined,
  }
  const host = { use: () => calls, refresh: async () => undefined } as unknown as Host
  const result = transferUrl(control, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/image?token=secret`, asRaw: true, reach: new SourceReach(['127.0.0.0/8']), check: () => undefined,
    destination: { host, hypervisor: 'kvm7', clock, pool: { name: 'images', uuid: 'pool' }, name: 'web', render: () => '<volume/>' },
  }).then(value => value, (error: unknown) => error)
  const response: ServerResponse = (await responses.next()).value
  response.writeHead(200, { 'content-length': 8 * MIB })
  response.flushHeaders()
  return {
    clock, stop, log, result, response,
    /** Sends bytes, and waits until they are on the host. */
    send: async (bytes: number) => {
      const goal = written + bytes
      response.write(Buffer.alloc(bytes))
      if (goal === 8 * MIB) response.end()
      while (written < goal) await news.promise
    },
  }
}

describe('a server that drips', () => {
  test('has its place taken by those who wait, and nothing half is left', async () => {
    const { clock, log, result, send } = await begin({ contended: true })
    await send(2 * MIB)
    await clock.advance(60_000)
    await send(5_000)
    expect(log).toEqual(['inspected', 'created'])
    await clock.advance(60_000)
    const error = await result
    expect(error).toBeInstanceOf(SourceError)
    expect(error).toMatchObject({ failure: 'Transient', message: expect.stringMatching(/^Only 5000 bytes of http.*\/image arrived on the host within a minute while other transfers wait/) })
    expect(log.slice(2)).toEqual(expect.arrayContaining(['aborted', 'removed']))
    expect((error as Error).message).not.toContain('secret')
  })

  test('keeps it while nobody waits, and comes to its end', async () => {
    const { clock, log, result, send } = await begin()
    await send(5_000)
    for (let minutes = 0; minutes < 10; minutes++) {
      await clock.advance(60_000)
      await send(1_000)
    }
    await send(8 * MIB - 15_000)
    expect(await result).toEqual({ format: 'raw' })
    expect(log).toEqual(['inspected', 'created', 'finished'])
    expect(clock.timers).toEqual([])
  })

  test('keeps it while enough comes, whoever waits', async () => {
    const { clock, result, send } = await begin({ contended: true })
    for (let minutes = 0; minutes < 8; minutes++) {
      await send(MIB)
      await clock.advance(60_000)
    }
    expect(await result).toEqual({ format: 'raw' })
  })

  test('is not alone in that: a host that does not take the stream is left as well', async () => {
    const { clock, log, result, response } = await begin({ contended: true, deaf: true })
    response.write(Buffer.alloc(MIB))
    await clock.asleep(ms => ms === 60_000)
    await clock.advance(60_000)
    expect(await result).toMatchObject({ failure: 'Transient', message: expect.stringMatching(/^Only 0 bytes/) })
    expect(log).toEqual(['inspected', 'created', 'closed', 'removed'])
  })

  test('at the beginning is given two minutes, whether others wait or not', async () => {
    const { clock, log, result, response } = await begin()
    response.write(Buffer.alloc(100))
    await clock.advance(120_000)
    expect(await result).toMatchObject({ failure: 'Transient', message: expect.stringMatching(/took more than 2 minutes/) })
    expect(log).toEqual([])
  })
})

test('a transfer that is stopped ends with the reason for that, at once', async () => {
  const { stop, log, result, send } = await begin()
  await send(5_000)
  stop.abort(new Error('the transfer was stopped'))
  expect(await result).toMatchObject({ message: 'the transfer was stopped' })
  expect(log).toContain('removed')
})
