// A host over TLS with SASL, its credentials in Secrets that come, change and go under a controller that may do just what manifests/install lets it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAuthority, type Authority, type Issued } from '../support/certificates.ts'
import { forwardInto, type Forward } from '../support/forward.ts'
import { startLibvirtd, type PrivateLibvirtd } from '../support/libvirtd.ts'
import { Stage, condition, type Condition } from './support/stage.ts'

const SOON = 5_000
const PASSWORD = 'hunter2-is-the-password'

let authority: Authority
let other: Authority
let client: Issued
let host: PrivateLibvirtd
let tls: Forward
let stage: Stage

/** Puts a Secret of the controller's namespace there, or replaces its content. */
const secret = async (name: string, values: Record<string, string>): Promise<void> => {
  const body = { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'vireo-system' }, data: Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Buffer.from(value).toString('base64')])) }
  await stage.kubectl(['apply', '-f', '-'], JSON.stringify(body))
}
const certificates = (ca = authority.ca, own = client): Record<string, string> => ({ 'ca.crt': ca, 'tls.crt': own.cert, 'tls.key': own.key })
const connected = async (test: (found: Condition) => boolean, timeoutMs = 60_000): Promise<Condition> =>
  condition(await stage.until('Hypervisor', 'kvm7', object => test(condition(object, 'Connected') ?? { type: '', status: '', reason: '', message: '' }), { timeoutMs }), 'Connected')!
const isOpen = ({ status, reason }: Condition): boolean => status === 'True' && reason === 'Open'
const isRefused = (words: string) => ({ reason, message }: Condition): boolean => reason === 'AuthFailed' && message.includes(words)

beforeAll(async () => {
  [authority, other] = await Promise.all([createAuthority('ours'), createAuthority('theirs')])
  const server = await authority.issue('localhost', { names: ['localhost'] })
  client = await authority.issue('client')
  host = await startLibvirtd({
    name: 'connections', listen: true,
    files: {
      'sasl2/libvirt.conf': 'mech_list: scram-sha-256\nsasldb_path: /etc/libvirt/passwd.db\n',
      'pki/cacert.pem': authority.ca, 'pki/servercert.pem': server.cert, 'pki/serverkey.pem': server.key,
    },
    conf: [
      'auth_tls = "sasl"', 'listen_tls = 1', 'listen_addr = "127.0.0.1"',
      'ca_file = "/etc/libvirt/pki/cacert.pem"', 'cert_file = "/etc/libvirt/pki/servercert.pem"', 'key_file = "/etc/libvirt/pki/serverkey.pem"',
    ],
  })
  await host.execOk(['saslpasswd2', '-p', '-c', '-f', '/etc/libvirt/passwd.db', '-a', 'libvirt', 'vireo'], { input: PASSWORD })
  tls = await forwardInto(host, 'TCP:127.0.0.1:16514')
  stage = await Stage.start({ existing: host })
  // No flag: as manifests/install starts it.
  await stage.startController({}, stage.kubeconfig, { allowLocalURIs: false })
})
afterAll(async () => {
  await stage?.stop()
  await tls?.close()
  await host?.stop()
})

describe('credentials from Secrets', () => {
  test('that are not there yet are asked for by name', async () => {
    await stage.apply(JSON.stringify({
      apiVersion: 'vireo.dev/v1alpha1', kind: 'Hypervisor', metadata: { name: 'kvm7' },
      spec: { uri: `test+tls://localhost:${tls.port}/default`, auth: { tls: { secretRef: { name: 'kvm7-tls' } }, sasl: { secretRef: { name: 'kvm7-sasl' }, mechanism: 'SCRAM-SHA-256' } } },
    }))
    expect((await connected(isRefused('does not exist'))).message).toBe('One side does not trust the other. Secret vireo-system/kvm7-tls (spec.auth.tls) does not exist: create it, in the namespace of the controller.')
    expect(tls.taken).toBe(0)
  })

  test('connect once all are there', async () => {
    await secret('kvm7-tls', certificates())
    await connected(isRefused('kvm7-sasl'), SOON)
    await secret('kvm7-sasl', { username: 'vireo', password: PASSWORD })
    expect(await connected(isOpen, SOON)).toMatchObject({ message: 'Connected.' })
  })

  test('that were rotated make the connection anew', async () => {
    const before = tls.taken
    await secret('kvm7-tls', certificates(authority.ca, await authority.issue('client', { until: 5 })))
    await stage.until('Hypervisor', 'kvm7', () => tls.taken > before, { timeoutMs: SOON })
    expect(await connected(isOpen, SOON)).toMatchObject({ message: 'Connected.' })
  })

  test('that trust another authority are refused at once, and accepted again', async () => {
    await secret('kvm7-tls', certificates(other.ca))
    expect((await connected(isRefused('not the trusted one'), SOON)).message).toContain(`localhost:${tls.port}: the host cannot be trusted: its certificate is signed by an authority that is not the trusted one`)
    await secret('kvm7-tls', certificates())
    expect(await connected(isOpen, SOON)).toMatchObject({ status: 'True' })
  })

  test('with a wrong password are refused without it', async () => {
    await secret('kvm7-sasl', { username: 'vireo', password: 'guessed-wrong' })
    expect((await connected(isRefused('refuses user name or password'), SOON)).message).not.toContain('guessed-wrong')
    await secret('kvm7-sasl', { username: 'vireo', password: PASSWORD })
    expect(await connected(isOpen, SOON)).toMatchObject({ status: 'True' })
  })

  test('that are taken away end the connection', async () => {
    await stage.kubectl(['-n', 'vireo-system', 'delete', 'secret', 'kvm7-sasl'])
    expect(await connected(isRefused('kvm7-sasl (spec.auth.sasl) does not exist'), SOON)).toMatchObject({ status: 'False' })
  })

  test('are in no status, no Event and no log', async () => {
    const shown = [await stage.kubectl(['get', 'hypervisors', '-o', 'json']), await stage.kubectl(['get', 'events', '-A', '-o', 'json']), stage.controllerLog].join('\n')
    for (const hidden of [PASSWORD, 'guessed-wrong', client.key.split('\n')[1]!, Buffer.from(PASSWORD).toString('base64')]) expect(shown).not.toContain(hidden)
  })
})

describe('a URI that reaches into the controller’s machine', () => {
  test.each([
    ['a socket', `qemu+unix:///system?socket=/run/libvirt/libvirt-sock`, 'socket'], ['a program', 'qemu+ext:///system?command=/bin/cat', 'command'], ['a key', 'qemu+ssh://h/system?keyfile=/root/.ssh/id', 'keyfile'],
  ])('%s is Forbidden and Stalled', async (_what, uri, named) => {
    const name = `local-${named}`
    await stage.apply(JSON.stringify({ apiVersion: 'vireo.dev/v1alpha1', kind: 'Hypervisor', metadata: { name }, spec: { uri } }))
    expect((await stage.untilReason('Hypervisor', name, 'Forbidden')).message).toContain(`spec.uri: ${named} makes the controller itself read files or run programs`)
    expect(condition((await stage.get('Hypervisor', name))!, 'Stalled')).toMatchObject({ status: 'True', reason: 'Forbidden' })
  })

  test('plain TCP is Forbidden where connection.plaintext does not allow it', async () => {
    await stage.apply(JSON.stringify({ apiVersion: 'vireo.dev/v1alpha1', kind: 'Hypervisor', metadata: { name: 'plain' }, spec: { uri: 'qemu+tcp://127.0.0.1/system' } }))
    expect((await stage.untilReason('Hypervisor', 'plain', 'Forbidden')).message).toContain('connection.plaintext: Allowed')
  })
})
