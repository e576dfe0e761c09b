// Probes and the metrics page, as the kubelet and Prometheus ask for them.

import { Writable } from 'node:stream'
import { request } from 'undici'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { HealthServer, parseAddress } from '../../../controller/health.ts'
import { createLog } from '../../../controller/log.ts'
import { Metrics } from '../../../controller/metrics.ts'

let server: HealthServer
let url: string

beforeEach(async () => {
  server = new HealthServer({ address: '127.0.0.1:0', registry: new Metrics().registry })
  url = `http://127.0.0.1:${await server.listen()}`
})

afterEach(() => server.close())

async function get(path: string, method: 'GET' | 'HEAD' | 'POST' = 'GET'): Promise<[number, string]> {
  const { statusCode, body } = await request(url + path, { method })
  return [statusCode, await body.text()]
}

test('is well as long as no check says otherwise', async () => {
  expect(await get('/healthz')).toEqual([200, 'ok'])
  expect(await get('/readyz')).toEqual([200, 'ok'])
})

test('a failing check fails its endpoint and names itself; the other endpoint stays well', async () => {
  server.addReadinessCheck('mirrors', () => undefined)
  server.addReadinessCheck('leader', async () => { throw new Error('the lease is held by b') })
  expect(await get('/readyz')).toEqual([500, '[+]mirrors ok\n[-]leader failed: the lease is held by b\nreadyz check failed\n'])
  expect(await get('/readyz/leader')).toEqual([500, '[-]leader failed: the lease is held by b\nreadyz/leader check failed\n'])
  expect(await get('/readyz/mirrors')).toEqual([200, 'ok'])
  expect(await get('/healthz')).toEqual([200, 'ok'])
})

test('verbose lists the checks', async () => {
  server.addLivenessCheck('ping', () => undefined)
  expect(await get('/healthz?verbose')).toEqual([200, '[+]ping ok\nhealthz check passed\n'])
})

test('metrics are Prometheus text', async () => {
  const [status, body] = await get('/metrics')
  expect(status).toBe(200)
  expect(body).toContain('# TYPE controller_runtime_reconcile_total counter')
})

test('what is not there is 404, what is not read is 405', async () => {
  expect((await get('/'))[0]).toBe(404)
  expect((await get('/readyz/unknown'))[0]).toBe(404)
  expect((await get('/readyz/a/b'))[0]).toBe(404)
  expect((await get('/healthz', 'POST'))[0]).toBe(405)
  expect(await get('/healthz', 'HEAD')).toEqual([200, ''])
})

test('a port that is taken is an error of listen, and closing twice is none', async () => {
  const second = new HealthServer({ address: new URL(url).host })
  await expect(second.listen()).rejects.toMatchObject({ code: 'EADDRINUSE' })
  await second.close()
})

describe('addresses', () => {
  test.each([
    [':8081', { host: undefined, port: 8081 }],
    ['127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
    ['[::1]:8081', { host: '::1', port: 8081 }],
    ['localhost:80', { host: 'localhost', port: 80 }],
  ])('%s', (address, expected) => expect(parseAddress(address)).toEqual(expected))

  test.each(['8081', '::1:8081', 'host:99999', 'host:', ''])('"%s" is refused with the forms that work', (address) => {
    expect(() => parseAddress(address)).toThrow('HOST:PORT')
  })
})

test('the log is JSON off a terminal and for people on one, and keeps to its level', () => {
  const lines: string[] = []
  const stream = (): NodeJS.WritableStream & { isTTY?: boolean } => new Writable({ write(chunk: Buffer, _encoding, done) { lines.push(chunk.toString()); done() } })
  const log = createLog({ level: 'warn', stream: stream() })
  log.info('quiet')
  log.warn({ key: 'shop/web' }, 'loud')
  expect(lines).toHaveLength(1)
  expect(JSON.parse(lines[0]!)).toMatchObject({ level: 'warn', key: 'shop/web', msg: 'loud' })
  createLog({ stream: Object.assign(stream(), { isTTY: true }) }).info('hello')
  expect(lines[1]).toMatch(/INFO.*hello/)
})
