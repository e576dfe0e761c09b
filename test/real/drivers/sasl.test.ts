// SASL with a real libvirtd and a real sasldb: over its unix socket and over TLS.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SASLCredentials, SASLMechanism } from '../../../drivers/credentials.ts'
import type { Connection } from '../../../drivers/driver.ts'
import { createRegistry } from '../../../drivers/registry.ts'
import { createAuthority, type Authority, type Issued } from '../../support/certificates.ts'
import { forwardInto, type Forward } from '../../support/forward.ts'
import { startLibvirtd, type PrivateLibvirtd } from '../../support/libvirtd.ts'
import { failure, settings } from './libvirtd.ts'

let authority: Authority
let client: Issued
let host: PrivateLibvirtd
let tls: Forward

const mechanisms = ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1'] as const

/** Which mechanisms libvirtd offers: libsasl reads the file at each of its starts. */
const offer = async (list: readonly string[]): Promise<void> => {
  await host.execOk(['tee', '/etc/sasl2/libvirt.conf'], { input: `mech_list: ${list.join(' ').toLowerCase()}\nsasldb_path: /etc/libvirt/passwd.db\n` })
  await host.restart()
}

beforeAll(async () => {
  authority = await createAuthority('ours')
  const server = await authority.issue('localhost', { names: ['localhost'] })
  client = await authority.issue('client')
  host = await startLibvirtd({
    name: 'sasl', listen: true,
    files: {
      'sasl2/libvirt.conf': `mech_list: ${[...mechanisms, 'PLAIN'].join(' ').toLowerCase()}\nsasldb_path: /etc/libvirt/passwd.db\n`,
      'pki/cacert.pem': authority.ca, 'pki/servercert.pem': server.cert, 'pki/serverkey.pem': server.key,
    },
    conf: [
      'auth_unix_rw = "sasl"', 'auth_tls = "sasl"', 'auth_tcp = "sasl"', 'listen_tls = 1', 'listen_tcp = 1', 'listen_addr = "127.0.0.1"',
      'ca_file = "/etc/libvirt/pki/cacert.pem"', 'cert_file = "/etc/libvirt/pki/servercert.pem"', 'key_file = "/etc/libvirt/pki/serverkey.pem"',
    ],
  })
  await host.execOk(['saslpasswd2', '-p', '-c', '-f', '/etc/libvirt/passwd.db', '-a', 'libvirt', 'vireo'], { input: 'the secret, with = and ü' })
  tls = await forwardInto(host, 'TCP:127.0.0.1:16514')
})
afterAll(async () => {
  await tls?.close()
  await host?.stop()
})

const right = { username: 'vireo', password: 'the secret, with = and ü' }
const overUnix = (sasl?: SASLCredentials): Promise<Connection> => createRegistry({}, { allowLocal: true }).open(host.uri('test:///default'), { ...settings, credentials: { sasl } })
const overTLS = (sasl?: SASLCredentials, query = ''): Promise<Connection> => createRegistry().open(`test+tls://localhost:${tls.port}/default${query}`, { ...settings, credentials: { tls: { ca: authority.ca, cert: client.cert, key: client.key }, sasl } })

describe('over the unix socket', () => {
  test.each(mechanisms)('%s lets the right password in', async (mechanism) => {
    const connection = await overUnix({ ...right, mechanism })
    expect(await connection.connectGetType()).toBe('TEST')
    await connection.close()
  })

  test('the strongest that both know is taken by itself', async () => {
    const connection = await overUnix(right)
    expect(await connection.connectGetType()).toBe('TEST')
    await connection.close()
  })

  test.each([...mechanisms])('%s refuses the wrong password and the unknown user alike', async (mechanism) => {
    for (const wrong of [{ ...right, password: 'guessed' }, { ...right, username: 'nobody' }]) {
      expect(await failure(overUnix({ ...wrong, mechanism }))).toMatchObject({ name: 'AuthenticationFailed', message: `${host.socket} refuses user name or password (SASL ${mechanism})` })
    }
  })

  test('PLAIN is not used', async () => {
    expect(await failure(overUnix({ ...right, mechanism: 'PLAIN' }))).toMatchObject({ name: 'AuthenticationFailed', message: expect.stringContaining('used over TLS only') })
  })

  test('without a user name and a password the sentence says what is missing', async () => {
    expect(await failure(overUnix())).toMatchObject({ name: 'AuthenticationFailed', message: expect.stringContaining('asks for a user name and a password (SASL)') })
  })
})

describe('over TLS', () => {
  test.each<SASLMechanism>([...mechanisms, 'PLAIN'])('%s lets the right password in, and no other', async (mechanism) => {
    const connection = await overTLS({ ...right, mechanism })
    expect(await connection.connectGetType()).toBe('TEST')
    await connection.close()
    expect(await failure(overTLS({ ...right, password: 'guessed', mechanism }))).toMatchObject({ name: 'AuthenticationFailed', message: expect.stringContaining('refuses user name or password') })
  })

  test('the mechanism can be named in the URI', async () => {
    const connection = await overTLS(right, '?auth=sasl.scram-sha-1')
    expect(await connection.connectGetType()).toBe('TEST')
    await connection.close()
  })
})

test('over plain TCP a daemon that asks for SASL is refused with what to use', async () => {
  await using tcp = await forwardInto(host, 'TCP:127.0.0.1:16509')
  expect(await failure(createRegistry().open(`test+tcp://127.0.0.1:${tcp.port}/default`, { ...settings, plaintext: 'Allowed', credentials: { sasl: right } })))
    .toMatchObject({ name: 'AuthenticationFailed', message: expect.stringContaining('over plain TCP nothing would protect it: use the transport tls or ssh') })
})

test('a daemon that is set to what it does not have is refused with what to use instead', async () => {
  await offer(['GSSAPI'])
  expect(await failure(overTLS(right))).toMatchObject({ name: 'AuthenticationFailed', message: expect.stringContaining('has no mechanism to offer') })
  expect(await failure(overTLS(right))).toMatchObject({ message: expect.stringContaining('have the host offer SCRAM (mech_list: scram-sha-256') })
})
