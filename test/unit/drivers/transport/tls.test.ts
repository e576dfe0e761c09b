// TLS against a server of the test's own: who is trusted, what is said ahead, and the sentence for every reason not to.

import { once } from 'node:events'
import { createServer as createPlainServer, type AddressInfo } from 'node:net'
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { TLSCredentials } from '../../../../drivers/credentials.ts'
import { AuthenticationFailed } from '../../../../drivers/errors.ts'
import { tlsTransport } from '../../../../drivers/remote/transport/tls.ts'
import { carry, refusalOf } from '../../../support/carried.ts'
import { createAuthority, type Authority, type Issued } from '../../../support/certificates.ts'

let authority: Authority
let other: Authority
let host: Issued
let client: Issued
beforeAll(async () => {
  [authority, other] = await Promise.all([createAuthority('ours'), createAuthority('theirs')])
  host = await authority.issue('host', { names: ['localhost', '127.0.0.1'] })
  client = await authority.issue('client')
})

const closing: (() => void)[] = []
afterEach(() => { for (const close of closing.splice(0)) close() })

interface Server { port: number; sockets: TLSSocket[]; names: (string | false | null)[] }

/** Greets each connection with `greeting`; the client's certificate is demanded unless `options` say otherwise. */
const serve = async (greeting: Buffer, options: TlsOptions = {}): Promise<Server> => {
  const sockets: TLSSocket[] = []
  const names: (string | false | null)[] = []
  const server = createServer({ cert: host.cert, key: host.key, ca: authority.ca, requestCert: true, rejectUnauthorized: true, ...options }, (socket) => {
    sockets.push(socket)
    names.push(socket.servername)
    socket.on('error', () => {})
    socket.write(greeting)
  })
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => { for (const socket of sockets) socket.destroy(); server.close() })
  return { port: (server.address() as AddressInfo).port, sockets, names }
}

const confirmed = Buffer.from([1])
const given = (): TLSCredentials => ({ ca: authority.ca, cert: client.cert, key: client.key })
const to = (port: number, credentials: TLSCredentials = given(), { verify = true, name = 'localhost' } = {}) =>
  tlsTransport({ host: name, port }, { verify, credentials: () => Promise.resolve(credentials) })

describe('a host that is trusted', () => {
  test('is open after its one byte, which is not part of what arrives', async () => {
    const server = await serve(Buffer.concat([confirmed, Buffer.from('hello')]))
    const carried = await carry(to(server.port))
    await carried.until('hello')
    expect(carried.text()).toBe('hello')
    carried.transport.write(Buffer.from('back'))
    expect(String((await once(server.sockets[0]!, 'data'))[0])).toBe('back')
    carried.transport.close()
    await carried.ended
  })

  test('is told the name that is meant, and no address', async () => {
    const server = await serve(confirmed)
    for (const name of ['localhost', '127.0.0.1']) (await carry(to(server.port, given(), { name }))).transport.close()
    expect(server.names).toEqual(['localhost', false])
  })

  test('of which nothing is believed but its word, with no_verify', async () => {
    const stranger = await other.issue('stranger', { names: ['elsewhere'] })
    const server = await serve(confirmed, { cert: stranger.cert, key: stranger.key })
    const carried = await carry(to(server.port, { cert: client.cert, key: client.key }, { verify: false }))
    carried.transport.close()
    expect((await carried.ended).message).toBe('the other side closed the connection')
  })

  test('and whose authority revokes others is open', async () => {
    const server = await serve(confirmed)
    const crl = await authority.revoke([client])
    const carried = await carry(to(server.port, { ...given(), crl }))
    carried.transport.close()
    expect((await carried.ended).message).toBe('the other side closed the connection')
  })
})

describe('a host that is not trusted', () => {
  const sentence = async (credentials: TLSCredentials, options: TlsOptions, name?: string): Promise<string> => {
    const server = await serve(confirmed, options)
    const error = await refusalOf(to(server.port, credentials, { name }))
    expect(error).toBeInstanceOf(AuthenticationFailed)
    return error.message
  }
  const of = ({ cert, key }: Issued): TlsOptions => ({ cert, key })

  test('expired', async () => {
    expect(await sentence(given(), of(await authority.issue('host', { names: ['localhost'], from: -9, until: -1 })))).toContain('has expired: renew it on the host')
  })
  test('not valid yet', async () => {
    expect(await sentence(given(), of(await authority.issue('host', { names: ['localhost'], from: 2 })))).toContain('is not valid yet: compare the clocks')
  })
  test('of another authority', async () => {
    expect(await sentence(given(), of(await other.issue('host', { names: ['localhost'] })))).toContain('signed by an authority that is not the trusted one')
  })
  test('of another name', async () => {
    expect(await sentence(given(), of(await authority.issue('host', { names: ['kvm7.example.org', '192.0.2.7'] })))).toBe('the host’s certificate is for kvm7.example.org, 192.0.2.7, not for localhost: use a name that it holds, or issue one that holds localhost')
  })
  test('of another address', async () => {
    expect(await sentence(given(), of(await authority.issue('host', { names: ['localhost'] })), '127.0.0.1')).toContain('is for localhost, not for 127.0.0.1')
  })
  test('revoked', async () => {
    expect(await sentence({ ...given(), crl: await authority.revoke([host]) }, {})).toContain('is revoked by its authority')
  })
  test('with a list of revoked ones that is out of date', async () => {
    expect(await sentence({ ...given(), crl: await authority.revoke([], -1) }, {})).toContain('the list of revoked certificates is out of date')
  })
  test('with a list of revoked ones of somebody else', async () => {
    expect(await sentence({ ...given(), crl: await other.revoke([]) }, {})).toContain('is not of the authority that signed')
  })
  test('without an authority to ask, not even those of the web', async () => {
    expect(await sentence({ cert: client.cert, key: client.key }, {})).toContain('no authority is trusted')
  })
})

describe('a host that does not trust this side', () => {
  test.each([['TLSv1.2'], ['TLSv1.3']] as const)('because it shows no certificate (%s)', async (maxVersion) => {
    const server = await serve(confirmed, { maxVersion, minVersion: maxVersion })
    expect(await refusalOf(to(server.port, { ca: authority.ca }))).toMatchObject({ name: 'AuthenticationFailed', message: expect.stringMatching(/asks for a certificate of this side|refuses the certificate of this side/) })
  })
  test.each([['TLSv1.2', 'Error'], ['TLSv1.3', 'AuthenticationFailed']] as const)('because its certificate is of another authority (%s)', async (maxVersion, name) => {
    const stranger = await other.issue('client')
    const server = await serve(confirmed, { maxVersion, minVersion: maxVersion })
    expect(await refusalOf(to(server.port, { ca: authority.ca, cert: stranger.cert, key: stranger.key }))).toMatchObject({ name, message: expect.stringMatching(/certificate of this side/) })
  })
  test('and says so by ending the connection before its byte', async () => {
    const server = await serve(Buffer.alloc(0))
    const opening = refusalOf(to(server.port))
    while (server.sockets.length === 0) await new Promise((resolve) => { setImmediate(resolve) })
    server.sockets[0]!.end()
    expect(await opening).toMatchObject({ name: 'AuthenticationFailed', message: expect.stringContaining('tls_allowed_dn_list') })
  })
})

describe('what is no libvirt', () => {
  test('confirms with another byte', async () => {
    const server = await serve(Buffer.from('HTTP/1.1 400'))
    expect((await refusalOf(to(server.port))).message).toBe('the host confirms the connection with 72 instead of 1: what listens there is not libvirt')
  })
  test('speaks no TLS', async () => {
    const server = createPlainServer((socket) => { socket.on('error', () => {}).end('SSH-2.0-hello there, this is no TLS at all\r\n') })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    closing.push(() => server.close())
    expect((await refusalOf(to((server.address() as AddressInfo).port))).message).toContain('does not speak TLS')
  })
  test('is not there', async () => {
    const server = createPlainServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => { server.close(resolve) })
    expect((await refusalOf(to(port))).message).toBe('nothing listens there (ECONNREFUSED)')
  })
})

describe('credentials that cannot be used', () => {
  test.each([
    ['a key alone', { cert: undefined }, 'a key without the certificate'],
    ['a certificate alone', { key: undefined }, 'a certificate without the key'],
    ['no PEM', { cert: 'nonsense' }, 'are not what TLS can use'],
  ])('%s', async (_, wrong, sentence) => {
    expect((await refusalOf(to(1, { ...given(), ...wrong }))).message).toContain(sentence)
  })
  test('a key of another certificate, which no message repeats', async () => {
    const { key } = await authority.issue('other')
    const { message } = await refusalOf(to(1, { ...given(), key }))
    expect(message).toContain('are not what TLS can use')
    expect(message).not.toContain(key.slice(40, 60))
  })
})

test('an abort ends the handshake and the wait for the byte with its reason', async () => {
  const server = await serve(Buffer.alloc(0))
  const aborter = new AbortController()
  const opening = refusalOf(to(server.port), aborter.signal)
  while (server.sockets.length === 0) await new Promise((resolve) => { setImmediate(resolve) })
  const gone = new Promise((resolve) => { server.sockets[0]!.on('close', resolve) })
  aborter.abort(new Error('shutting down'))
  expect((await opening).message).toBe('shutting down')
  await gone
})

test('every write is a record of its own, also those that had to wait: the daemon would leave the second frame of one lying', async () => {
  const server = await serve(confirmed)
  const carried = await carry(to(server.port))
  expect(carried.transport.frameByFrame).toBe(true)
  const records: string[] = []
  // Node hands over the content of one record at a time.
  const all = new Promise<void>((resolve) => {
    server.sockets[0]!.on('data', (chunk: Buffer) => { if (records.push(String(chunk)) === 3) resolve() })
  })
  for (const text of ['one', 'two', 'three']) carried.transport.write(Buffer.from(text))
  await all
  expect(records).toEqual(['one', 'two', 'three'])
  carried.transport.close()
})
