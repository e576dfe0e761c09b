// The server over TLS on loopback: who is let in, what is too much, what goes on when the disk is full.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TLSSocket, connect } from 'node:tls'
import { Agent, request } from 'undici'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { issueClient } from '../../../apiserver/access/authority.ts'
import { type Account, Accounts, hashToken } from '../../../apiserver/access/users.ts'
import { type ApiServer, type ApiServerOptions, certificateFolder, startApiServer } from '../../../apiserver/server.ts'
import { onThread } from '../../../apiserver/store/thread.ts'
import { systemClock } from '../../../clock/clock.ts'
import { FakeClock } from '../../support/fakeclock.ts'

const accounts = new Accounts([
  { name: 'admin', role: 'admin', tokenHash: hashToken('admin-token') }, { name: 'viewer', role: 'view', namespaces: ['default'], tokenHash: hashToken('viewer-token') }, { name: 'certified', role: 'view' },
] satisfies Account[])

let folder: string
let server: ApiServer
let agent: Agent
let errors: string[]

async function start(options: Partial<ApiServerOptions> = {}): Promise<void> {
  server = await startApiServer({ folder, host: '127.0.0.1', port: 0, names: ['localhost', '127.0.0.1'], accounts: () => accounts, clock: systemClock, onError: (error, what) => { errors.push(`${what}: ${error.message}`) }, ...options })
  agent = new Agent({ connect: { ca: server.authority } })
  await server.idle()
}
async function stop(): Promise<void> {
  await agent.close()
  await server.close()
}
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vireo-http-'))
  errors = []
  await start()
})
afterEach(async () => {
  await stop()
  rmSync(folder, { recursive: true, force: true })
  if (errors.length > 0) throw new Error(`the server met errors: ${errors.join(', ')}`)
})

interface Answer { code: number; body: any; headers: Record<string, unknown>; size: number } // oxlint-disable-line typescript/no-explicit-any -- any JSON

async function ask(method: string, path: string, { body, token = 'admin-token', headers = {}, dispatcher = agent }: { body?: unknown; token?: string | null; headers?: Record<string, string>; dispatcher?: Agent } = {}): Promise<Answer> {
  const answer = await request(server.url + path, { method, dispatcher, body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body), headers: { ...token === null ? {} : { authorization: `Bearer ${token}` }, ...body === undefined ? {} : { 'content-type': 'application/json' }, ...headers } })
  const bytes = Buffer.from(await answer.body.arrayBuffer())
  const text = bytes.toString()
  return { code: answer.statusCode, headers: answer.headers, size: bytes.length, body: String(answer.headers['content-type']).startsWith('application/json') && answer.headers['content-encoding'] === undefined ? JSON.parse(text) : text }
}

const MAPS = '/api/v1/namespaces/default/configmaps'
const map = (name: string, data: Record<string, string> = {}): object => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data })

describe('access', () => {
  test('nobody comes in without credentials or with wrong ones; health is for everybody', async () => {
    expect(await ask('GET', MAPS, { token: null })).toMatchObject({ code: 401, body: { kind: 'Status', reason: 'Unauthorized' } })
    expect((await ask('GET', '/api', { token: 'wrong' })).code).toBe(401)
    for (const path of ['/healthz', '/livez', '/readyz']) expect(await ask('GET', path, { token: null })).toMatchObject({ code: 200, body: 'ok' })
    expect((await ask('GET', '/version', { token: null })).body).toMatchObject({ major: '1' })
  })

  test('a client certificate of the server\'s authority is a user; one of another authority is nobody', async () => {
    const { cert, key } = await issueClient(certificateFolder(folder), 'certified', [], Date.now())
    const certified = new Agent({ connect: { ca: server.authority, cert, key } })
    expect((await ask('GET', MAPS, { token: null, dispatcher: certified })).code).toBe(200)
    expect((await ask('DELETE', `${MAPS}/x`, { token: null, dispatcher: certified })).code).toBe(403)
    await certified.close()
    const other = mkdtempSync(join(tmpdir(), 'vireo-http-'))
    const { loadTls } = await import('../../../apiserver/access/authority.ts')
    await loadTls(other, ['x'], Date.now())
    const foreign = await issueClient(other, 'certified', [], Date.now())
    const stranger = new Agent({ connect: { ca: server.authority, ...foreign } })
    expect((await ask('GET', MAPS, { token: null, dispatcher: stranger })).code).toBe(401)
    await stranger.close()
    rmSync(other, { recursive: true })
  })

  test('a role is refused with what it lacks, and nobody is somebody else', async () => {
    expect((await ask('GET', MAPS, { token: 'viewer-token' })).code).toBe(200)
    expect(await ask('POST', MAPS, { token: 'viewer-token', body: map('x') })).toMatchObject({ code: 403, body: { reason: 'Forbidden', message: 'configmaps is forbidden: User "viewer" cannot create resource "configmaps" in API group "" in the namespace "default"' } })
    expect((await ask('GET', '/api/v1/configmaps', { token: 'viewer-token' })).code).toBe(403)
    expect((await ask('GET', '/api/v1/namespaces/default/secrets', { token: 'viewer-token' })).code).toBe(403)
    expect(await ask('GET', MAPS, { headers: { 'impersonate-user': 'root' } })).toMatchObject({ code: 403, body: { message: expect.stringContaining('cannot impersonate') } })
  })

  test('writes are noted in the audit log, also refused ones; reads are not, nor what is in them', async () => {
    await ask('GET', MAPS)
    await ask('POST', MAPS, { body: map('noted', { a: 'a word of its own' }) })
    await ask('POST', MAPS, { token: 'viewer-token', body: map('x') })
    await stop()
    const lines = readFileSync(join(folder, 'audit.log'), 'utf8').trim().split('\n').map(line => JSON.parse(line) as { user: string; verb: string; code: number; uri: string })
    expect(lines.map(({ user, verb, code }) => [user, verb, code])).toEqual([['admin', 'create', 201], ['viewer', 'create', 403]])
    expect(JSON.stringify(lines)).not.toContain('a word of its own')
    await start()
  })
})

describe('limits', () => {
  test('a body of more than 3 MiB is refused, told or not', async () => {
    const large = JSON.stringify(map('large', { a: 'x'.repeat(3 * 1024 * 1024) }))
    expect(await ask('POST', MAPS, { body: large })).toMatchObject({ code: 413, body: { reason: 'RequestEntityTooLarge' } })
    expect((await ask('GET', `${MAPS}/large`)).code).toBe(404)
  })

  test('nesting without end is refused, in JSON and YAML, as are aliases that multiply', async () => {
    const deep = `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`
    expect((await ask('POST', MAPS, { body: deep })).code).toBe(400)
    const laughs = ['a: &a [x,x,x,x,x,x,x,x,x]', ...Array.from('bcdefghi', (name, at) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdefghi'[at]}`).join(',')}]`)].join('\n')
    expect((await ask('POST', MAPS, { body: laughs, headers: { 'content-type': 'application/yaml' } })).code).toBe(400)
  })

  test('a client that sends its request too slowly is cut off', async () => {
    await stop()
    await start({ limits: { headers: 200, request: 400, idle: 400, keepAlive: 5_000 } })
    for (const sent of ['GET /api HTTP/1.1\r\nHost: x\r\n', `POST ${MAPS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`]) {
      const socket = connect({ port: Number(new URL(server.url).port), host: '127.0.0.1', ca: server.authority, servername: 'localhost' })
      socket.on('error', () => undefined)
      socket.write(sent)
      await closed(socket)
    }
    expect((await ask('GET', MAPS)).code).toBe(200)
    // What it had begun is no fault of the server.
    errors = []
  })

  test('a watcher that does not read is cut off, and the others go on', async () => {
    const lazy = connect({ port: Number(new URL(server.url).port), host: '127.0.0.1', ca: server.authority, servername: 'localhost' })
    lazy.on('error', () => undefined)
    lazy.write(`GET ${MAPS}?watch=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer admin-token\r\n\r\n`)
    await new Promise(resolve => { lazy.once('data', resolve) })
    lazy.pause()
    const diligent = await request(`${server.url}${MAPS}?watch=true`, { dispatcher: agent, headers: { authorization: 'Bearer admin-token' } })
    let bytes = 0
    const reading = (async () => { for await (const chunk of diligent.body as AsyncIterable<Buffer>) bytes += chunk.length })().catch(() => undefined)
    const gone = new Promise<void>(resolve => { lazy.once('close', () => { resolve() }) })
    for (let at = 0; at < 40; at++) expect((await ask('POST', MAPS, { body: map(`m${at}`, { a: 'x'.repeat(900_000) }) })).code).toBe(201)
    lazy.resume()
    await gone
    await expect.poll(() => bytes).toBeGreaterThan(36_000_000)
    diligent.body.destroy()
    await reading
  })
})

async function closed(socket: TLSSocket): Promise<void> {
  await new Promise<void>(resolve => {
    socket.once('close', () => { resolve() })
    socket.resume()
  })
}

describe('storage', () => {
  test('a full disk: writes are refused with a sentence, reads go on, nothing is lost', async () => {
    await stop()
    await start({ backend: onThread({ folder, maxPages: 100 }) })
    expect((await ask('POST', MAPS, { body: map('small') })).code).toBe(201)
    const refused = await ask('POST', MAPS, { body: map('large', { a: 'x'.repeat(900_000) }) })
    expect(refused).toMatchObject({ code: 507, body: { kind: 'Status', message: expect.stringMatching(/is full: nothing was written; free some space/) } })
    expect((await ask('GET', `${MAPS}/large`)).code).toBe(404)
    expect((await ask('GET', `${MAPS}/small`)).code).toBe(200)
    await stop()
    await start()
    expect((await ask('GET', `${MAPS}/small`)).code).toBe(200)
    expect((await ask('POST', MAPS, { body: map('large', { a: 'x'.repeat(900_000) }) })).code).toBe(201)
  })

  test('of two writers with one version exactly one wins', async () => {
    const { body } = await ask('POST', MAPS, { body: map('one') })
    const codes = await Promise.all(Array.from({ length: 20 }, async (_, at) => (await ask('PUT', `${MAPS}/one`, { body: { ...body, data: { writer: String(at) } } })).code))
    expect(codes.filter(code => code === 200)).toHaveLength(1)
    expect(codes.filter(code => code === 409)).toHaveLength(19)
  })

  test('a restart finds everything: objects, revisions, who was let in, the certificate', async () => {
    const { body } = await ask('POST', MAPS, { body: map('kept', { a: 'b' }) })
    const { authority } = server
    await stop()
    await start()
    expect(server.authority).toBe(authority)
    expect((await ask('GET', `${MAPS}/kept`)).body).toEqual(body)
    expect(Number((await ask('POST', MAPS, { body: map('later') })).body.metadata.resourceVersion)).toBeGreaterThan(Number(body.metadata.resourceVersion))
  })
})

describe('history', () => {
  test('what is older than five minutes is answered 410: a watch by an event, a page with a token that goes on', async () => {
    await stop()
    const clock = new FakeClock()
    await start({ clock })
    const { body: first } = await ask('POST', MAPS, { body: map('a') })
    await ask('POST', MAPS, { body: map('b', { old: 'x' }) })
    const { body: page } = await ask('GET', `${MAPS}?limit=1`)
    await ask('PUT', `${MAPS}/b`, { body: map('b', { new: 'x' }) })
    expect((await ask('GET', `${MAPS}?limit=1&continue=${page.metadata.continue}`)).body.items[0]).toMatchObject({ metadata: { name: 'b' }, data: { old: 'x' } })
    const watch = `${MAPS}?watch=true&timeoutSeconds=1&resourceVersion=${first.metadata.resourceVersion}`
    await expect.poll(async () => { await clock.advance(60_000); return (await ask('GET', `${MAPS}?resourceVersionMatch=Exact&resourceVersion=${first.metadata.resourceVersion}`)).code }).toBe(410)
    expect((await ask('GET', watch)).body).toMatchObject({ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: expect.stringMatching(/^too old resource version: \d+ \(\d+\)$/) } })
    const expired = await ask('GET', `${MAPS}?limit=1&continue=${page.metadata.continue}`)
    expect(expired).toMatchObject({ code: 410, body: { reason: 'Expired', metadata: { continue: expect.any(String) } } })
    const rest = await ask('GET', `${MAPS}?continue=${expired.body.metadata.continue}`)
    expect(rest.body.items.map(({ metadata, data }: { metadata: { name: string }; data?: object }) => [metadata.name, data])).toEqual([['b', { new: 'x' }], ['kube-root-ca.crt', expect.anything()]])
  })

  test('a bookmark comes every minute, with the newest revision; a watch ends at its time', async () => {
    await stop()
    const clock = new FakeClock()
    await start({ clock })
    const watching = ask('GET', `${MAPS}?watch=true&timeoutSeconds=90&allowWatchBookmarks=true&resourceVersion=0&fieldSelector=metadata.name%3Dnone`)
    await clock.asleep(ms => ms === 90_000)
    const { body: made } = await ask('POST', MAPS, { body: map('other') })
    await clock.advance(60_000)
    await clock.advance(30_000)
    expect((await watching).body).toMatchObject({ type: 'BOOKMARK', object: { kind: 'ConfigMap', metadata: { resourceVersion: made.metadata.resourceVersion } } })
  })
})

test('a large list is compressed for who takes that, and for nobody else', async () => {
  await ask('POST', MAPS, { body: map('large', { a: 'x'.repeat(300_000) }) })
  const plain = await ask('GET', MAPS)
  const zipped = await ask('GET', MAPS, { headers: { 'accept-encoding': 'gzip' } })
  expect(plain.headers['content-encoding']).toBeUndefined()
  expect(zipped.headers['content-encoding']).toBe('gzip')
  expect(zipped.size).toBeLessThan(plain.size / 10)
  expect((await ask('GET', `${MAPS}/none`, { headers: { 'accept-encoding': 'gzip' } })).headers['content-encoding']).toBeUndefined()
})
