// The small parts of vireo standalone's command: addresses, kubeconfigs, users.

import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { KubeConfig } from '@kubernetes/client-node'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { addAccount, readAccounts } from '../../../apiserver/access/accountfile.ts'
import { loadTls } from '../../../apiserver/access/authority.ts'
import { backUp, restore } from '../../../apiserver/backup.ts'
import { inProcess } from '../../../apiserver/store/backend.ts'
import { kubeconfig, writeKubeconfig } from '../../../cli/kubeconfig.ts'
import { parseAddress, runStandalone } from '../../../cli/standalone.ts'
import { user } from '../../../cli/user.ts'

describe('addresses', () => {
  test.each([['127.0.0.1:6443', '127.0.0.1', 6443], ['localhost:0', 'localhost', 0], ['[::1]:80', '::1', 80], [':6443', '0.0.0.0', 6443]])('%s is %s, port %d', (text, host, port) => {
    expect(parseAddress(text)).toEqual({ host, port })
  })
  test.each(['6443', 'localhost', '::1:80', 'a:b', 'host:70000', ''])('%j is refused with what to write', text => { expect(() => parseAddress(text)).toThrow(/write HOST:PORT/) })
  test('one that other machines reach is refused unless it is meant', async () => {
    await expect(runStandalone({ data: '/nowhere', listen: '0.0.0.0:0', operator: true, allowLocalUris: false, relistInterval: '10m', logLevel: 'error' }, new AbortController().signal)).rejects.toThrow(/reachable from other machines: add --public/)
  })
})

describe('in a folder', () => {
  let folder: string
  const data = (): string => join(folder, 'data')
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'vireo-cli-'))
    mkdirSync(data())
    await loadTls(join(data(), 'certificates'), ['localhost'], Date.now())
    const token = addAccount(data(), { name: 'admin', role: 'admin' })
    writeKubeconfig(join(data(), 'kubeconfig'), { url: 'https://127.0.0.1:6443', authority: 'a certificate', user: 'admin', credentials: { token } })
  })
  afterEach(() => { rmSync(folder, { recursive: true, force: true }) })

  test('a kubeconfig is one that clients read, and nobody else does', () => {
    expect(statSync(join(data(), 'kubeconfig')).mode & 0o777).toBe(0o600)
    const config = new KubeConfig()
    config.loadFromFile(join(data(), 'kubeconfig'))
    expect(config.getCurrentCluster()?.server).toBe('https://127.0.0.1:6443')
    expect(JSON.stringify(kubeconfig({ url: 'https://x', authority: 'a', user: 'u', credentials: { certificate: 'c', key: 'k' } }))).toContain('client-key-data')
  })

  test('a user is let in by a token or a certificate, with a role and namespaces, and taken away', async () => {
    const printed = JSON.parse(await user('bob', { data: data(), role: 'view', namespace: ['a'] })) as { users: { name: string; user: { token: string } }[] }
    expect(printed.users[0]).toMatchObject({ name: 'bob', user: { token: expect.stringMatching(/^.{43}$/) } })
    expect(await user('eve', { data: data(), role: 'admin', certificate: true })).toContain('client-certificate-data')
    expect(readAccounts(data())).toMatchObject([{ name: 'admin' }, { name: 'bob', role: 'view', namespaces: ['a'] }, { name: 'eve', role: 'admin' }])
    expect(readAccounts(data())?.[2]?.tokenHash).toBeUndefined()
    await user('bob', { data: data(), role: 'view', remove: true })
    expect(readAccounts(data())?.map(({ name }) => name)).toEqual(['admin', 'eve'])
    await expect(user('bob', { data: data(), role: 'view', remove: true })).rejects.toThrow(/there is no user bob/)
    await expect(user('bob', { data: folder, role: 'view' })).rejects.toThrow(/start "vireo standalone" once/)
  })

  test('a backup holds the database as it is while it is written, and is put back into an empty folder only', async () => {
    const backend = inProcess({ folder: data() })
    await backend.commit({ resource: 'secrets', namespace: 'a', name: 'b', revision: 1, expected: 0, deleted: false, value: Buffer.from('{}'), time: 1 })
    backUp(data(), join(folder, 'backup'))
    await backend.close()
    expect(() => { backUp(data(), join(folder, 'backup')) }).toThrow(/is there already/)
    expect(() => { backUp(folder, join(folder, 'other')) }).toThrow(/there is no database/)
    expect(() => { restore(join(folder, 'backup'), data()) }).toThrow(/is not overwritten/)
    restore(join(folder, 'backup'), join(folder, 'again'))
    const again = inProcess({ folder: join(folder, 'again') })
    expect((await again.load()).objects).toMatchObject([{ resource: 'secrets', name: 'b', revision: 1 }])
    await again.close()
    expect(statSync(join(folder, 'again/secrets.key')).mode & 0o777).toBe(0o600)
    writeFileSync(join(folder, 'backup/vireo.db'), 'no database')
    expect(() => { restore(join(folder, 'backup'), join(folder, 'third')) }).toThrow(/the backup .* is damaged/)
  })
})
