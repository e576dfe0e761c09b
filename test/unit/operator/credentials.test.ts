// Which Secrets a Hypervisor's connection is made with, and the sentence for each that does not do.

import { describe, expect, test } from 'vitest'
import type { Hypervisor, HypervisorAuth } from '../../../crds/hypervisor.ts'
import { credentialsOf, secretsOf } from '../../../operator/credentials.ts'

const NAMESPACE = 'vireo-system'
const hypervisor = (auth?: HypervisorAuth): Hypervisor => ({ apiVersion: 'vireo.dev/v1alpha1', kind: 'Hypervisor', metadata: { name: 'kvm7', uid: 'u', resourceVersion: '1' }, spec: { uri: 'qemu+tls://kvm7/system', auth } })

type Values = Record<string, string> | 'loading'
const read = (auth: HypervisorAuth | undefined, secrets: Record<string, Values> = {}) =>
  credentialsOf(hypervisor(auth), NAMESPACE, { get: (kind, namespace, name) => (kind === 'Secret' && namespace === NAMESPACE ? secrets[name] : undefined) })

const tls = { secretRef: { name: 't' } }
const ssh = { secretRef: { name: 's' } }
const sasl = { secretRef: { name: 'p' } }

test('without auth there are none, and no Secret is named', () => {
  expect(read(undefined)).toBeUndefined()
  expect(secretsOf(hypervisor(), NAMESPACE)).toEqual([])
})

test('all three together, each from its Secret in the namespace of the controller', () => {
  const auth: HypervisorAuth = { tls, ssh, sasl: { ...sasl, mechanism: 'SCRAM-SHA-256' } }
  expect(secretsOf(hypervisor(auth), NAMESPACE)).toEqual(['Secret/vireo-system/t', 'Secret/vireo-system/s', 'Secret/vireo-system/p'])
  expect(read(auth, { t: { 'ca.crt': 'A', 'tls.crt': 'C', 'tls.key': 'K', 'ca.crl': 'L' }, s: { 'ssh-privatekey': 'P', 'known_hosts': 'H' }, p: { username: 'u', password: 'w' } })).toEqual({
    tls: { ca: 'A', cert: 'C', key: 'K', crl: 'L' }, ssh: { privateKey: 'P', knownHosts: 'H' }, sasl: { username: 'u', password: 'w', mechanism: 'SCRAM-SHA-256' },
  })
})

test('an empty value is none', () => {
  expect(read({ tls }, { t: { 'ca.crt': 'A', 'tls.crt': '', 'tls.key': '' } })).toEqual({ tls: { ca: 'A' } })
})

test('while one is read, nothing is said', () => {
  expect(read({ tls, ssh }, { t: {}, s: 'loading' })).toBe('loading')
})

describe('a sentence', () => {
  test.each([
    ['for a Secret that is not there', { tls }, {}, 'Secret vireo-system/t (spec.auth.tls) does not exist: create it, in the namespace of the controller'],
    ['for one without certificates', { tls }, { t: { 'token': 'hunter2' } }, 'Secret vireo-system/t (spec.auth.tls) holds neither ca.crt nor tls.crt'],
    ['for one without key and hosts', { ssh }, { s: { id_rsa: 'hunter2' } }, 'holds neither ssh-privatekey nor known_hosts'],
    ['for one without a user', { sasl }, { p: { password: 'hunter2' } }, 'Secret vireo-system/p (spec.auth.sasl) has to hold both username and password'],
  ] as [string, HypervisorAuth, Record<string, Values>, string][])('%s', (_what, auth, secrets, sentence) => {
    const error = read(auth, secrets)
    expect(error).toMatchObject({ name: 'AuthenticationFailed', message: expect.stringContaining(sentence) })
    expect((error as Error).message).not.toContain('hunter2')
  })
})
