// TCP and TLS to a real libvirtd: what is open, what is refused, and by whom.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Connection, OpenOptions } from '../../../drivers/driver.ts'
import { createRegistry } from '../../../drivers/registry.ts'
import { createAuthority, type Authority, type Issued } from '../../support/certificates.ts'
import { forwardInto, type Forward } from '../../support/forward.ts'
import { startLibvirtd, type PrivateLibvirtd } from '../../support/libvirtd.ts'
import { failure, recorder, settings } from './libvirtd.ts'

const open = (uri: string, options: Partial<OpenOptions> = {}): Promise<Connection> => createRegistry({}, { allowLocal: true }).open(uri, { ...settings, ...options })

/** A libvirtd with these certificates, and the way to its TLS port. */
const withTLS = async (authority: Authority, server: Issued, conf: string[] = []): Promise<{ host: PrivateLibvirtd; tls: Forward }> => {
  const host = await startLibvirtd({
    name: 'tls', listen: true,
    files: { 'pki/cacert.pem': authority.ca, 'pki/servercert.pem': server.cert, 'pki/serverkey.pem': server.key },
    conf: [
      'listen_tls = 1', 'listen_tcp = 1', 'auth_tcp = "none"', 'auth_tls = "none"', 'tcp_port = "16509"', 'listen_addr = "127.0.0.1"',
      'ca_file = "/etc/libvirt/pki/cacert.pem"', 'cert_file = "/etc/libvirt/pki/servercert.pem"', 'key_file = "/etc/libvirt/pki/serverkey.pem"',
      ...conf,
    ],
  })
  return { host, tls: await forwardInto(host, 'TCP:127.0.0.1:16514') }
}

let authority: Authority
let other: Authority
let server: Issued
let client: Issued
let host: PrivateLibvirtd
let tls: Forward
let tcp: Forward
let folder: string

beforeAll(async () => {
  [authority, other] = await Promise.all([createAuthority('ours'), createAuthority('theirs')])
  server = await authority.issue('localhost', { names: ['localhost'] })
  client = await authority.issue('client')
  ;({ host, tls } = await withTLS(authority, server))
  tcp = await forwardInto(host, 'TCP:127.0.0.1:16509')
  folder = await mkdtemp(join(tmpdir(), 'vireo-pki-'))
})
afterAll(async () => {
  await tls?.close()
  await tcp?.close()
  await host?.stop()
  if (folder) await rm(folder, { recursive: true })
})

describe('plain TCP', () => {
  const plain = { plaintext: 'Allowed' } as const

  test('is open where it is allowed, with calls and events', async () => {
    const connection = await open(`test+tcp://127.0.0.1:${tcp.port}/default`, plain)
    const events = recorder(connection)
    await connection.eventsRegister()
    const domain = await connection.domainLookupByName('test')
    await connection.domainSuspend(domain)
    expect(await events.saw('domain', 'lifecycle', ({ dom }) => dom.name === 'test')).toMatchObject({ dom: { uuid: domain.uuid } })
    await connection.domainResume(domain)
    await connection.close()
  })

  test('is refused where it is not, before anything is sent', async () => {
    const before = tcp.taken
    expect(await failure(open(`test+tcp://127.0.0.1:${tcp.port}/default`))).toMatchObject({ name: 'UriError', reason: 'forbidden', message: expect.stringContaining('use the transport tls or ssh') })
    expect(tcp.taken).toBe(before)
  })

  test('ends with a sentence when the way is cut', async () => {
    const connection = await open(`test+tcp://127.0.0.1:${tcp.port}/default`, plain)
    tcp.drop()
    expect((await connection.closed).message).toContain(`the connection to 127.0.0.1:${tcp.port} has ended`)
    expect(await failure(connection.connectGetHostname())).toMatchObject({ name: 'ConnectionLost' })
  })
})

describe('TLS', () => {
  const uri = (query = '', name = 'localhost'): string => `test+tls://${name}:${tls.port}/default${query}`
  const credentials = () => ({ tls: { ca: authority.ca, cert: client.cert, key: client.key } })

  test('is open with certificates from memory', async () => {
    const states: string[] = []
    const connection = await open(uri(), { credentials: credentials(), onProgress: (state) => { states.push(state) } })
    expect(await connection.connectGetType()).toBe('TEST')
    expect(states).toEqual(['Authenticating', 'Opening'])
    await connection.close()
  })

  test('carries 4 MiB to a volume and back, byte for byte', async () => {
    const connection = await open(uri().replace('test+tls', 'qemu+tls').replace('/default', '/system'), { credentials: credentials() })
    const pool = await connection.storagePoolDefineXML('<pool type="dir"><name>p</name><target><path>/var/lib/vireo/p</path></target></pool>')
    await connection.storagePoolBuild(pool, 0)
    await connection.storagePoolCreate(pool)
    const size = 4 << 20
    const volume = await connection.storageVolCreateXML(pool, `<volume><name>v</name><capacity>${size}</capacity><target><format type="raw"/></target></volume>`, 0)
    const bytes = Buffer.from(Array.from({ length: size }, (_, i) => (i * 31) & 0xff))
    const upload = await connection.storageVolUpload(volume, 0, size, 0)
    for (let at = 0; at < size; at += 256 << 10) await upload.write(bytes.subarray(at, at + (256 << 10)))
    await upload.finish()
    const back: Uint8Array[] = []
    for await (const chunk of await connection.storageVolDownload(volume, 0, size, 0)) back.push(Buffer.from(chunk))
    expect(Buffer.concat(back).equals(bytes)).toBe(true)
    await connection.close()
  })

  test('is open with certificates from a folder', async () => {
    for (const [name, text] of [['cacert', authority.ca], ['clientcert', client.cert], ['clientkey', client.key]] as const) await writeFile(join(folder, `${name}.pem`), text)
    const connection = await open(uri(`?pkipath=${folder}`))
    expect(await connection.connectGetType()).toBe('TEST')
    await connection.close()
  })

  test('is open to another name with no_verify', async () => {
    const connection = await open(uri('?no_verify=1', '127.0.0.1'), { credentials: credentials() })
    expect(await connection.connectGetType()).toBe('TEST')
    await connection.close()
  })

  test('refuses a host of another name', async () => {
    expect(await failure(open(uri('', '127.0.0.1'), { credentials: credentials() }))).toMatchObject({ name: 'AuthenticationFailed', message: `127.0.0.1:${tls.port}: the host’s certificate is for localhost, not for 127.0.0.1: use a name that it holds, or issue one that holds 127.0.0.1` })
  })

  test('refuses a host of another authority', async () => {
    expect(await failure(open(uri(), { credentials: { tls: { ...credentials().tls, ca: other.ca } } }))).toMatchObject({ name: 'AuthenticationFailed', message: expect.stringContaining('signed by an authority that is not the trusted one') })
  })

  test('refuses a host that is revoked', async () => {
    expect(await failure(open(uri(), { credentials: { tls: { ...credentials().tls, crl: await authority.revoke([server]) } } }))).toMatchObject({ name: 'AuthenticationFailed', message: expect.stringContaining('is revoked by its authority') })
  })

  test('is refused without a certificate of this side, and with one that the host cannot trust', async () => {
    const stranger = await other.issue('client')
    for (const own of [{ cert: undefined, key: undefined }, { cert: stranger.cert, key: stranger.key }]) {
      expect(await failure(open(uri(), { credentials: { tls: { ca: authority.ca, ...own } } }))).toMatchObject({ name: 'AuthenticationFailed', message: expect.stringMatching(/certificate of this side/) })
    }
  })
})

describe('a TLS host with a fault of its own', () => {
  test('whose certificate has expired', async () => {
    // The daemon itself would refuse to start with it.
    const expired = await withTLS(authority, await authority.issue('localhost', { names: ['localhost'], from: -9, until: -1 }), ['tls_no_sanity_certificate = 1'])
    try {
      expect(await failure(open(`test+tls://localhost:${expired.tls.port}/default`, { credentials: { tls: { ca: authority.ca, cert: client.cert, key: client.key } } })))
        .toMatchObject({ name: 'AuthenticationFailed', message: expect.stringContaining('has expired: renew it on the host') })
    } finally {
      await expired.tls.close()
      await expired.host.stop()
    }
  })

  test('that lets only others in', async () => {
    const strict = await withTLS(authority, server, ['tls_allowed_dn_list = ["CN=somebody-else"]'])
    try {
      expect(await failure(open(`test+tls://localhost:${strict.tls.port}/default`, { credentials: { tls: { ca: authority.ca, cert: client.cert, key: client.key } } })))
        .toMatchObject({ name: 'AuthenticationFailed', message: expect.stringContaining('tls_allowed_dn_list') })
    } finally {
      await strict.tls.close()
      await strict.host.stop()
    }
  })
})
