// The transport: errors, deadlines, and credentials that rotate under it.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { KubeConfig } from '@kubernetes/client-node'
import { Client } from '../../../controller/client.ts'
import { ApiError, ApiUnreachable, isConflict, isExpired, isNamespaceTerminating, isNotFound, isTransient, RequestTimeout } from '../../../controller/errors.ts'
import { Metrics } from '../../../controller/metrics.ts'
import { configMaps } from '../../../controller/resource.ts'
import { Transport, type TransportOptions } from '../../../controller/transport.ts'
import { FakeClock } from '../../support/fakeclock.ts'
import { FaultyApi, type TlsOptions } from '../../support/faultyapi/server.ts'
import { until } from '../../support/until.ts'

const certificates = new URL('../../support/faultyapi/certificates/', import.meta.url)
const pem = (name: string): string => readFileSync(new URL(name, certificates), 'utf8')
const serverTls = (by: 'one' | 'two', clientsBy?: 'one' | 'two'): TlsOptions => ({
  cert: pem(`${by}-server.crt`), key: pem(`${by}-server.key`),
  ...(clientsBy ? { ca: [pem('one-ca.crt'), pem('two-ca.crt')], requestCert: true, rejectUnauthorized: false } : {}),
})

let api: FaultyApi
let clock: FakeClock
let transport: Transport | undefined
let directory: string

beforeEach(async () => {
  clock = new FakeClock()
  directory = await mkdtemp(join(tmpdir(), 'vireo-transport-'))
})

afterEach(async () => {
  await transport?.close()
  await api.close()
  await rm(directory, { recursive: true })
})

function open(kubeConfig: () => KubeConfig, options: Partial<TransportOptions> = {}): Client {
  transport = new Transport({ kubeConfig, clock, ...options })
  return new Client({ transport })
}

const file = async (name: string, content: string): Promise<string> => {
  const path = join(directory, name)
  await writeFile(path, content)
  return path
}

describe('requests', () => {
  beforeEach(async () => { api = await FaultyApi.start() })

  test('carry what the verb needs, and give the answer as it came', async () => {
    const client = open(api.kubeConfig({ token: 'abc' }))
    const getting = client.get(configMaps, 'shop', 'a')
    const get = await api.next()
    expect([get.method, get.path, get.headers['authorization'], get.headers['accept']]).toEqual(['GET', '/api/v1/namespaces/shop/configmaps/a', 'Bearer abc', 'application/json'])
    get.json({ kind: 'ConfigMap', data: { a: '1' }, unknownField: { kept: true } })
    expect(await getting).toEqual({ kind: 'ConfigMap', data: { a: '1' }, unknownField: { kept: true } })

    const applying = client.applyPatch(configMaps, 'shop', 'a', { data: {} }, { fieldManager: 'vireo', force: true, subresource: 'status' })
    const apply = await api.next()
    expect([apply.method, apply.path, Object.fromEntries(apply.query), apply.headers['content-type'], apply.body]).toEqual(
      ['PATCH', '/api/v1/namespaces/shop/configmaps/a/status', { fieldManager: 'vireo', force: 'true' }, 'application/apply-patch+yaml', { data: {} }])
    apply.json({})
    await applying

    const merging = client.mergePatch(configMaps, 'shop', 'a', { data: { a: null } })
    const merge = await api.next()
    expect([merge.headers['content-type'], merge.body]).toEqual(['application/merge-patch+json', { data: { a: null } }])
    merge.json({})
    await merging

    const patching = client.jsonPatch(configMaps, 'shop', 'a', [{ op: 'remove', path: '/data' }])
    const patch = await api.next()
    expect([patch.headers['content-type'], patch.body]).toEqual(['application/json-patch+json', [{ op: 'remove', path: '/data' }]])
    patch.json({})
    await patching

    const deleting = client.delete(configMaps, 'shop', 'a', { preconditions: { uid: 'u' }, propagationPolicy: 'Foreground' })
    const del = await api.next()
    expect([del.method, del.body]).toEqual(['DELETE', { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: 'u' }, propagationPolicy: 'Foreground' }])
    del.json({})
    await deleting
  })

  test('find answers undefined for 404 and for nothing else', async () => {
    const client = open(api.kubeConfig())
    const missing = client.find(configMaps, 'shop', 'a')
    ;(await api.next()).refuse(404, 'NotFound')
    expect(await missing).toBeUndefined()
    const refused = client.find(configMaps, 'shop', 'a').catch((error: unknown) => error)
    ;(await api.next()).refuse(403, 'Forbidden')
    expect(await refused).toMatchObject({ status: 403 })
  })

  test.each([
    [404, 'NotFound', {}, isNotFound],
    [409, 'Conflict', {}, isConflict],
    [410, 'Expired', {}, isExpired],
    [429, 'TooManyRequests', {}, isTransient],
    [503, 'ServiceUnavailable', {}, isTransient],
    [403, 'Forbidden', { details: { causes: [{ reason: 'NamespaceTerminating' }] } }, isNamespaceTerminating],
  ])('refused with %i %s reject with the parts of the Status', async (code, reason, more, is) => {
    const getting = open(api.kubeConfig()).get(configMaps, 'shop', 'a')
    const caught = getting.catch((error: unknown) => error)
    ;(await api.next()).refuse(code, reason, { message: 'a sentence', headers: { 'retry-after': '3' }, ...more })
    const error = await caught
    expect(error).toBeInstanceOf(ApiError)
    expect(error).toMatchObject({ status: code, reason, message: 'a sentence', retryAfter: 3 })
    expect(is(error)).toBe(true)
  })

  test('a 409 of a name that exists is no conflict of versions', async () => {
    const caught = open(api.kubeConfig()).create(configMaps, 'shop', {}).catch((error: unknown) => error)
    ;(await api.next()).refuse(409, 'AlreadyExists')
    expect(isConflict(await caught)).toBe(false)
  })

  test('an error page of a proxy is an ApiError too', async () => {
    const caught = open(api.kubeConfig()).get(configMaps, 'shop', 'a').catch((error: unknown) => error)
    ;(await api.next()).json('<html>no</html>', 502)
    expect(await caught).toMatchObject({ name: 'ApiError', status: 502, reason: '' })
  })

  test('without an answer end after the timeout, and say so', async () => {
    const caught = open(api.kubeConfig(), { timeout: 5_000 }).get(configMaps, 'shop', 'a').catch((error: unknown) => error)
    const held = await api.next()
    await clock.advance(5_000)
    expect(await caught).toBeInstanceOf(RequestTimeout)
    await held.closed
    expect(clock.timers).toEqual([])
  })

  test('whose answer stops half-way end after the timeout', async () => {
    const caught = open(api.kubeConfig(), { timeout: 5_000 }).get(configMaps, 'shop', 'a').catch((error: unknown) => error)
    ;(await api.next()).open().raw('{"kind":')
    await clock.advance(5_000)
    expect(await caught).toBeInstanceOf(RequestTimeout)
  })

  test('cut off reject as unknown, with the cause', async () => {
    const caught = open(api.kubeConfig()).get(configMaps, 'shop', 'a').catch((error: unknown) => error)
    ;(await api.next()).cut()
    const error = await caught
    expect(error).toBeInstanceOf(ApiUnreachable)
    expect((error as Error).cause).toBeInstanceOf(Error)
    expect(isTransient(error)).toBe(true)
  })

  test('end with the caller’s signal and its reason', async () => {
    const stop = new AbortController()
    const caught = open(api.kubeConfig()).get(configMaps, 'shop', 'a', { signal: stop.signal }).catch((error: unknown) => error)
    await api.next()
    const reason = new Error('stopping')
    stop.abort(reason)
    expect(await caught).toBe(reason)
  })

  test('reuse their sockets: 100 in a row need two at most', async () => {
    api.auto = (exchange) => { exchange.json({}); return true }
    const client = open(api.kubeConfig())
    for (let i = 0; i < 100; i++) await client.get(configMaps, 'shop', 'a')
    expect(api.connections).toBeLessThanOrEqual(2)
  })

  test('are answered however many watches are open', async () => {
    api.auto = (exchange) => { if (exchange.isWatch) exchange.open(); else exchange.json({}); return true }
    const client = open(api.kubeConfig())
    const stop = new AbortController()
    const watching = Array.from({ length: 200 }, async () => {
      for await (const line of transport!.watch({ path: '/api/v1/secrets', query: { watch: true }, idleTimeout: 60_000, signal: stop.signal })) expect(line).toBeUndefined()
    })
    await until('all watches are open', () => api.openSockets >= 200)
    expect(await client.get(configMaps, 'shop', 'a')).toEqual({})
    stop.abort(new Error('stopping'))
    for (const outcome of await Promise.allSettled(watching)) expect(outcome).toMatchObject({ status: 'rejected', reason: { message: 'stopping' } })
  })

  test('that wait for a socket end after the timeout too', async () => {
    const client = open(api.kubeConfig(), { timeout: 5_000 })
    const caught = Array.from({ length: 130 }, () => client.get(configMaps, 'shop', 'a').catch((error: unknown) => error))
    await until('all sockets are taken', () => api.held === 128)
    await clock.advance(5_000)
    for (const error of await Promise.all(caught)) expect(error).toBeInstanceOf(RequestTimeout)
  })

  test('are counted by code, method and host, and shown to the hook', async () => {
    const metrics = new Metrics()
    const seen: string[] = []
    api.auto = (exchange) => { exchange.json({}); return true }
    const client = open(api.kubeConfig(), { metrics: metrics.requests, onRequest: ({ method, path }) => seen.push(`${method} ${path}`) })
    await client.get(configMaps, 'shop', 'a')
    await client.mergePatch(configMaps, 'shop', 'a', {})
    const { host } = new URL(api.url)
    const text = await metrics.registry.metrics()
    expect(text).toContain(`rest_client_requests_total{code="200",method="GET",host="${host}"} 1`)
    expect(text).toContain(`rest_client_requests_total{code="200",method="PATCH",host="${host}"} 1`)
    expect(seen).toEqual(['GET /api/v1/namespaces/shop/configmaps/a', 'PATCH /api/v1/namespaces/shop/configmaps/a'])
  })

  test('keep the path that the server’s address has', async () => {
    const client = open(() => {
      const config = api.kubeConfig()()
      config.clusters = [{ ...config.clusters[0]!, server: `${api.url}/k8s/clusters/c-1/` }]
      return config
    })
    const getting = client.get(configMaps, 'shop', 'a')
    const exchange = await api.next()
    expect(exchange.path).toBe('/k8s/clusters/c-1/api/v1/namespaces/shop/configmaps/a')
    exchange.json({})
    await getting
  })
})

describe('credentials', () => {
  test('a token that the server refuses is read again, once for all requests, and each is sent again', async () => {
    api = await FaultyApi.start()
    const path = await file('token', 'old')
    let reads = 0
    const client = open(() => { reads++; return api.kubeConfig({ authProvider: { name: 'tokenFile', config: { tokenFile: path } } })() })
    const warmUp = client.get(configMaps, 'shop', 'a')
    ;(await api.next()).json({})
    await warmUp
    await file('token', 'new\n')
    api.auto = (exchange) => {
      if (exchange.headers['authorization'] === 'Bearer new') exchange.json({ ok: true })
      else exchange.refuse(401, 'Unauthorized')
      return true
    }
    const before = reads
    const answers = await Promise.all(Array.from({ length: 10 }, () => client.get(configMaps, 'shop', 'a')))
    expect(answers).toEqual(Array.from({ length: 10 }, () => ({ ok: true })))
    expect(reads - before).toBe(1)
  })

  test('the first requests, sent together, read the credentials once and share their sockets', async () => {
    api = await FaultyApi.start()
    api.auto = (exchange) => { exchange.json({}); return true }
    let reads = 0
    const client = open(() => { reads++; return api.kubeConfig()() })
    const before = reads
    await Promise.all(Array.from({ length: 10 }, () => client.get(configMaps, 'shop', 'a')))
    expect(reads - before).toBe(1)
  })

  test('an exec plugin, a program of the user’s, is not run again until its token is refused', async () => {
    api = await FaultyApi.start()
    let runs = 0
    const client = open(() => {
      const config = api.kubeConfig({ exec: { command: 'login' } })()
      let token: string | undefined
      config.applyToHTTPSOptions = async (options) => {
        token ??= `token ${++runs}`
        options.headers = { Authorization: token }
      }
      return Object.assign(config, { clusters: [{ ...config.clusters[0]!, skipTLSVerify: true }] })
    })
    const tokens: (string | undefined)[] = []
    api.auto = (exchange) => {
      const token = exchange.headers['authorization']
      tokens.push(token)
      if (token === 'token 1' && tokens.length > 2) exchange.refuse(401, 'Unauthorized')
      else exchange.json({})
      return true
    }
    await client.get(configMaps, 'shop', 'a')
    await clock.advance(600_000)
    await client.get(configMaps, 'shop', 'a')
    await client.get(configMaps, 'shop', 'a')
    expect(tokens).toEqual(['token 1', 'token 1', 'token 1', 'token 2'])
  })

  test('a token that stays refused is an error after the second answer', async () => {
    api = await FaultyApi.start()
    api.auto = (exchange) => { exchange.refuse(401, 'Unauthorized'); return true }
    await expect(open(api.kubeConfig({ token: 'bad' })).get(configMaps, 'shop', 'a')).rejects.toMatchObject({ status: 401 })
    expect(api.requests).toBe(2)
  })

  test('a watch refused for its token goes on with the new one', async () => {
    api = await FaultyApi.start()
    const path = await file('token', 'old')
    open(api.kubeConfig({ authProvider: { name: 'tokenFile', config: { tokenFile: path } } }))
    const lines = transport!.watch({ path: '/x', idleTimeout: 60_000 })
    const first = lines.next()
    const old = await api.next()
    await file('token', 'new')
    old.refuse(401, 'Unauthorized')
    const watch = await api.next()
    expect(watch.headers['authorization']).toBe('Bearer new')
    watch.open().raw('{}\n')
    expect(String((await first).value)).toBe('{}')
    await lines.return()
    await watch.closed
  })

  test('a rotated token is used after a minute, before the server refuses the old one', async () => {
    api = await FaultyApi.start()
    const tokens: (string | undefined)[] = []
    api.auto = (exchange) => { tokens.push(exchange.headers['authorization']); exchange.json({}); return true }
    const path = await file('token', 'old')
    const client = open(api.kubeConfig({ authProvider: { name: 'tokenFile', config: { tokenFile: path } } }))
    await client.get(configMaps, 'shop', 'a')
    await file('token', 'new')
    await client.get(configMaps, 'shop', 'a')
    await clock.advance(60_000)
    await client.get(configMaps, 'shop', 'a')
    expect(tokens).toEqual(['Bearer old', 'Bearer old', 'Bearer new'])
    expect(api.connections).toBeLessThanOrEqual(2)
  })

  test('a rotated client certificate is used after a minute, on a new connection; a watch on the old one goes on', async () => {
    api = await FaultyApi.start(serverTls('one', 'one'))
    const peers: string[] = []
    api.auto = (exchange) => {
      if (exchange.isWatch) return false
      peers.push(String((exchange.socket as TLSSocket).getPeerCertificate().subject.CN))
      exchange.json({})
      return true
    }
    const certFile = await file('tls.crt', pem('one-client.crt'))
    const keyFile = await file('tls.key', pem('one-client.key'))
    const client = open(api.kubeConfig({ certFile, keyFile }, { caData: Buffer.from(pem('one-ca.crt')).toString('base64') }))
    const lines = transport!.watch({ path: '/x', query: { watch: true }, idleTimeout: 600_000 })
    const first = lines.next()
    const watch = (await api.next()).open()
    await client.get(configMaps, 'shop', 'a')
    await file('tls.crt', pem('two-client.crt'))
    await file('tls.key', pem('two-client.key'))
    await clock.advance(60_000)
    await client.get(configMaps, 'shop', 'a')
    expect(peers).toEqual(['client one', 'client two'])
    watch.raw('{"still":"here"}\n')
    expect(String((await first).value)).toBe('{"still":"here"}')
    await lines.return()
  })

  test('a server whose authority was replaced is trusted as soon as the file says so', async () => {
    api = await FaultyApi.start(serverTls('one'))
    api.auto = (exchange) => { exchange.json({}, 200, { connection: 'close' }); return true }
    const caFile = await file('ca.crt', pem('one-ca.crt'))
    const client = open(api.kubeConfig({}, { caFile }))
    await client.get(configMaps, 'shop', 'a')
    api.setCertificates(serverTls('two'))
    await expect(client.get(configMaps, 'shop', 'a')).rejects.toBeInstanceOf(ApiUnreachable)
    await file('ca.crt', pem('two-ca.crt'))
    expect(await client.get(configMaps, 'shop', 'a')).toEqual({})
  })

  test('a certificate that nobody signed is refused', async () => {
    api = await FaultyApi.start(serverTls('two'))
    const caFile = await file('ca.crt', await readFile(new URL('one-ca.crt', certificates), 'utf8'))
    await expect(open(api.kubeConfig({}, { caFile })).get(configMaps, 'shop', 'a')).rejects.toBeInstanceOf(ApiUnreachable)
    expect(api.requests).toBe(0)
  })
})
