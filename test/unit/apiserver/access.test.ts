// Who comes in, what they may do, and what is noted of it.

import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { accountFile, addAccount, followAccounts, readAccounts } from '../../../apiserver/access/accountfile.ts'
import { AuditLog } from '../../../apiserver/access/audit.ts'
import { issueClient, loadTls } from '../../../apiserver/access/authority.ts'
import { type Attempt, isAllowed, isPathAllowed, refusal } from '../../../apiserver/access/authorize.ts'
import { Accounts, type User, hashToken, parseAccounts, userOfCertificate } from '../../../apiserver/access/users.ts'
import { FakeClock } from '../../support/fakeclock.ts'

let folder: string
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'vireo-access-')) })
afterEach(() => { rmSync(folder, { recursive: true, force: true }) })

const user = (name: string, ...groups: string[]): User => ({ name, uid: '', groups: [...groups, 'system:authenticated'] })
const attempt = (verb: string, more: Partial<Attempt> = {}): Attempt => ({ verb, group: 'vireo.dev', plural: 'virtualdomains', subresource: '', namespace: 'a', name: 'x', ...more })

describe('roles', () => {
  const accounts = new Accounts([{ name: 'ann', role: 'admin' }, { name: 'vic', role: 'view' }, { name: 'ned', role: 'admin', namespaces: ['a'] }, { name: 'val', role: 'view', namespaces: ['a'] }])
  const secret = { group: '', plural: 'secrets' }
  test.each<[string, Attempt, boolean]>([
    ['ann', attempt('delete', { namespace: '' }), true], ['ann', attempt('get', secret), true],
    ['vic', attempt('list', { namespace: '' }), true], ['vic', attempt('watch'), true], ['vic', attempt('delete'), false], ['vic', attempt('get', secret), false], ['vic', attempt('patch', { subresource: 'status' }), false],
    ['ned', attempt('delete'), true], ['ned', attempt('get', secret), true], ['ned', attempt('get', { namespace: 'b' }), false], ['ned', attempt('list', { namespace: '' }), false], ['ned', attempt('get', { plural: 'hypervisors', namespace: '' }), false],
    ['ned', attempt('get', { group: '', plural: 'namespaces', name: 'a', namespace: 'a' }), true], ['ned', attempt('delete', { group: '', plural: 'namespaces', name: 'a', namespace: 'a' }), false],
    ['val', attempt('get'), true], ['val', attempt('create'), false], ['nobody', attempt('get'), false],
    ['nobody', attempt('create', { group: 'authorization.k8s.io', plural: 'selfsubjectaccessreviews', namespace: '' }), true],
  ])('%s: %j → %j', (name, what, expected) => { expect(isAllowed(accounts, user(name), what)).toBe(expected) })

  test('system:masters may everything, also where no account is', () => {
    expect(isAllowed(accounts, user('root', 'system:masters'), attempt('delete', { namespace: '' }))).toBe(true)
    expect(isPathAllowed(user('root', 'system:masters'), 'get', '/metrics')).toBe(true)
    expect(isPathAllowed(user('vic'), 'get', '/metrics')).toBe(false)
    expect(isPathAllowed(user('vic'), 'get', '/apis/vireo.dev')).toBe(true)
  })

  test('a refusal says who may not do what where, as RBAC words it', () => {
    expect(refusal(user('vic'), attempt('patch', { subresource: 'status' })).message).toBe('virtualdomains.vireo.dev "x" is forbidden: User "vic" cannot patch resource "virtualdomains/status" in API group "vireo.dev" in the namespace "a"')
    expect(refusal(user('vic'), attempt('list', { group: '', plural: 'secrets', namespace: '', name: '' })).message).toBe('secrets is forbidden: User "vic" cannot list resource "secrets" in API group "" at the cluster scope')
  })
})

describe('accounts', () => {
  test('a token leads to its user, another to nobody, and the file holds no token', () => {
    const token = addAccount(folder, { name: 'ann', role: 'admin' })
    const accounts = followAccounts(folder, [], new FakeClock(), error => { throw error })()
    expect(accounts.byToken(token)?.name).toBe('ann')
    expect(accounts.byToken('x')).toBeUndefined()
    expect(readFileSync(accountFile(folder), 'utf8')).not.toContain(token)
    expect(statSync(accountFile(folder)).mode & 0o777).toBe(0o600)
  })

  test('the same name again replaces the token', () => {
    const first = addAccount(folder, { name: 'ann', role: 'admin' })
    addAccount(folder, { name: 'ann', role: 'view' })
    expect(readAccounts(folder)).toHaveLength(1)
    expect(new Accounts(readAccounts(folder)!).byToken(first)).toBeUndefined()
  })

  test('a change of the file counts a second later, at once for who asks for it; one that cannot be read leaves what was, and is told', async () => {
    const clock = new FakeClock()
    const errors: string[] = []
    const own = { name: 'own', role: 'admin' as const, tokenHash: hashToken('own') }
    const token = addAccount(folder, { name: 'ann', role: 'admin' })
    const accounts = followAccounts(folder, [own], clock, error => { errors.push(error.message) })
    expect(accounts().byToken(token)?.name).toBe('ann')
    writeFileSync(accountFile(folder), '[]')
    utimesSync(accountFile(folder), 1, 1)
    expect(accounts().byToken(token)?.name).toBe('ann')
    expect(accounts({ fresh: true }).byToken(token)).toBeUndefined()
    await clock.advance(1_000)
    expect(accounts().byToken(token)).toBeUndefined()
    expect(accounts().byToken('own')?.name).toBe('own')
    writeFileSync(accountFile(folder), '{')
    await clock.advance(1_000)
    expect(accounts().byToken('own')?.name).toBe('own')
    expect(errors[0]).toMatch(/users.json is not JSON/)
  })

  test.each<[unknown, RegExp]>([
    [{}, /is not a list/], [[1], /entry 1 is not an object/], [[{ role: 'view' }], /has no name/], [[{ name: 'a', role: 'owner' }], /neither admin nor view/], [[{ name: 'a', role: 'view', tokenHash: 'x' }], /64 hexadecimal/],
    [[{ name: 'a', role: 'view' }, { name: 'a', role: 'view' }], /repeats the name a/], [[{ name: 'a', role: 'view', namespaces: 'x' }], /no list of names/], [[{ name: 'a', role: 'view', password: 'x' }], /unknown field password/],
  ])('%j is refused with what is wrong', (value, message) => { expect(() => parseAccounts(value, 'users.json')).toThrow(message) })
})

describe('the authority', () => {
  const now = Date.parse('2026-06-01T00:00:00Z')

  test('signs a server certificate for every name, finds both again, and keeps the keys to itself', async () => {
    const made = await loadTls(folder, ['localhost', '127.0.0.1', '::1'], now)
    const certificate = new X509Certificate(made.cert)
    expect(certificate.checkHost('localhost')).toBe('localhost')
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1')
    expect(certificate.verify(new X509Certificate(made.ca).publicKey)).toBe(true)
    expect(await loadTls(folder, ['localhost'], now)).toEqual(made)
    for (const name of ['ca.key', 'server.key']) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600)
  })

  test('makes a new server certificate for a new name, and before the old one ends; the authority stays', async () => {
    const first = await loadTls(folder, ['localhost'], now)
    const second = await loadTls(folder, ['localhost', 'host.example'], now)
    const third = await loadTls(folder, ['localhost'], now + 300 * 24 * 3_600_000)
    expect(new Set([first.cert, second.cert, third.cert]).size).toBe(3)
    expect(new Set([first.ca, second.ca, third.ca]).size).toBe(1)
  })

  test('a client certificate names the user and its groups', async () => {
    await loadTls(folder, ['localhost'], now)
    const { cert } = await issueClient(folder, 'ann', ['one', 'two'], now)
    const { subject } = new X509Certificate(cert).toLegacyObject()
    expect(userOfCertificate(subject as { CN: string; O: string[] })).toEqual({ name: 'ann', uid: '', groups: ['one', 'two', 'system:authenticated'] })
    await expect(issueClient(join(folder, 'none'), 'ann', [], now)).rejects.toThrow(/there is no authority/)
  })
})

test('the audit log holds a line per write, in order, readable by its owner alone', async () => {
  const file = join(folder, 'audit.log')
  const log = new AuditLog(file)
  const record = (name: string): Parameters<AuditLog['write']>[0] => ({ time: 't', user: name, address: '::1', agent: 'x', verb: 'create', uri: '/x', code: 201 })
  log.write(record('a'))
  log.write(record('b'))
  await log.close()
  const again = new AuditLog(file)
  again.write(record('c'))
  await again.close()
  expect(readFileSync(file, 'utf8').trim().split('\n').map(line => (JSON.parse(line) as { user: string }).user)).toEqual(['a', 'b', 'c'])
  expect(statSync(file).mode & 0o777).toBe(0o600)
})
