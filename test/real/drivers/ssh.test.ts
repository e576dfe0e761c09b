// SSH to a real server in front of a real libvirtd, with the system's own ssh.

import { chmod, mkdir, mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SSHCredentials } from '../../../drivers/credentials.ts'
import type { Connection } from '../../../drivers/driver.ts'
import { createRegistry } from '../../../drivers/registry.ts'
import { run } from '../../../scripts/run.ts'
import { startLibvirtd, type PrivateLibvirtd } from '../../support/libvirtd.ts'
import { createKeyPair, startSSHServer, type KeyPair, type SSHServer } from '../../support/sshd.ts'
import { until } from '../../support/until.ts'
import { failure, recorder, settings } from './libvirtd.ts'

let host: PrivateLibvirtd
let server: SSHServer
let key: KeyPair
let folder: string

beforeAll(async () => {
  host = await startLibvirtd({ name: 'ssh' })
  key = await createKeyPair()
  server = await startSSHServer(host, key)
  folder = await mkdtemp(join(tmpdir(), 'vireo-ssh-'))
  await writeFile(join(folder, 'id'), key.privateKey, { mode: 0o600 })
  await writeFile(join(folder, 'known_hosts'), server.knownHosts())
})
afterAll(async () => {
  await server?.[Symbol.asyncDispose]()
  await host?.stop()
  if (folder) await rm(folder, { recursive: true })
})

const uri = (query = '', transport = 'ssh', driver = 'qemu', path = '/system'): string => `${driver}+${transport}://root@127.0.0.1:${server.port}${path}${query}`
const given = (): SSHCredentials => ({ privateKey: key.privateKey, knownHosts: server.knownHosts() })
const open = (to: string, ssh?: SSHCredentials): Promise<Connection> => createRegistry({}, { allowLocal: true }).open(to, { ...settings, credentials: { ssh } })
/** Which connections the daemon sees. */
const clients = async (): Promise<number> => (await host.execOk(['virt-admin', '-c', 'libvirtd:///system', 'client-list', 'libvirtd'])).split('\n').filter((line) => /^\s*\d+/.test(line)).length

describe('with key and known hosts from memory', () => {
  test.each(['ssh', 'libssh', 'libssh2'])('%s is open by the helper, with calls and events', async (transport) => {
    const connection = await open(uri('', transport), given())
    expect(await connection.connectGetType()).toBe('QEMU')
    const events = recorder(connection)
    await connection.eventsRegister()
    const pool = await connection.storagePoolDefineXML(`<pool type="dir"><name>${transport}</name><target><path>/var/lib/vireo/${transport}</path></target></pool>`)
    expect(await events.saw('pool', 'lifecycle', (event) => event.pool.name === transport)).toMatchObject({ event: 0 })
    await connection.storagePoolUndefine(pool)
    expect((await run(['pgrep', '-f', '-n', 'virt-ssh-helper qemu:///system'])).code).toBe(0)
    await connection.close()
  })

  test('a stream has a connection of its own', async () => {
    const connection = await open(uri(), given())
    const pool = await connection.storagePoolDefineXML('<pool type="dir"><name>p</name><target><path>/var/lib/vireo/p</path></target></pool>')
    await connection.storagePoolBuild(pool, 0)
    await connection.storagePoolCreate(pool)
    const bytes = Buffer.from(Array.from({ length: 1 << 20 }, (_, i) => (i * 7) & 0xff))
    const volume = await connection.storageVolCreateXML(pool, `<volume><name>v</name><capacity>${bytes.length}</capacity><target><format type="raw"/></target></volume>`, 0)
    const upload = await connection.storageVolUpload(volume, 0, bytes.length, 0)
    await upload.write(bytes)
    await upload.finish()
    const back: Uint8Array[] = []
    for await (const chunk of await connection.storageVolDownload(volume, 0, bytes.length, 0)) back.push(Buffer.from(chunk))
    expect(Buffer.concat(back).equals(bytes)).toBe(true)
    await connection.close()
  })

  test('no file of them has a name while the connection lasts, and none is held after it', async () => {
    const places = ['/dev/shm', tmpdir()]
    const look = async (): Promise<string[]> => (await Promise.all(places.map((place) => readdir(place)))).flat().filter((name) => !name.startsWith('vireo-'))
    const held = async (): Promise<string[]> => (await Promise.all((await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')))).filter((target) => /\/#\d+ \(deleted\)$/.test(target))
    await until('those of connections before are closed', async () => (await held()).length === 0)
    const files = await look()
    const connection = await open(uri(), given())
    expect(await look()).toEqual(files)
    expect(await held()).toHaveLength(2)
    await connection.close()
    await until('both are closed', async () => (await held()).length === 0)
  })

  test('the end of the connection ends ssh here and the helper there', async () => {
    const before = await clients()
    const connection = await open(uri(), given())
    expect(await clients()).toBe(before + 1)
    expect((await run(['pgrep', '-f', '--', `-p ${server.port} -l root`])).code).toBe(0)
    await connection.close()
    await until('the daemon has one client less', async () => (await clients()) === before)
    await until('ssh is gone', async () => (await run(['pgrep', '-f', '--', `-p ${server.port} -l root`])).code === 1)
  })
})

describe('with files', () => {
  test('keyfile and known_hosts', async () => {
    const connection = await open(uri(`?keyfile=${folder}/id&known_hosts=${folder}/known_hosts&known_hosts_verify=normal`))
    expect(await connection.connectGetType()).toBe('QEMU')
    await connection.close()
  })

  test('a host never met is written down with known_hosts_verify=auto, and known from then on', async () => {
    const path = join(folder, 'met')
    for (const verify of ['auto', 'normal']) await (await open(uri(`?keyfile=${folder}/id&known_hosts=${path}&known_hosts_verify=${verify}`))).close()
    expect((await run(['cat', path])).stdout).toContain('ssh-ed25519')
  })

  test('a program of one’s own in place of ssh, here with a configuration that knows the host by an alias', async () => {
    await writeFile(join(folder, 'config'), `Host alias\n  HostName 127.0.0.1\n  Port ${server.port}\n  User root\n  IdentityFile ${folder}/id\n  UserKnownHostsFile ${folder}/known_hosts\n`)
    await writeFile(join(folder, 'my-ssh'), `#!/bin/sh\nexec ssh -F ${folder}/config "$@"\n`, { mode: 0o755 })
    const connection = await open(`qemu+ssh://alias/system?command=${folder}/my-ssh`)
    expect(await connection.connectGetType()).toBe('QEMU')
    await connection.close()
  })

  test('a jump over another host, as the configuration says', async () => {
    await writeFile(join(folder, 'jump'), [
      'Host jump', '  HostName 127.0.0.1', `  Port ${server.port}`, 'Host inner', '  HostName 127.0.0.1', '  Port 22', '  ProxyJump jump', '  HostKeyAlias inner',
      'Host *', '  User root', `  IdentityFile ${folder}/id`, `  UserKnownHostsFile ${folder}/known_hosts ${folder}/known_inner`, '',
    ].join('\n'))
    await writeFile(join(folder, 'known_inner'), server.knownHosts('inner'))
    await writeFile(join(folder, 'jumping-ssh'), `#!/bin/sh\nexec ssh -F ${folder}/jump "$@"\n`, { mode: 0o755 })
    const connection = await open(`qemu+ssh://inner/system?command=${folder}/jumping-ssh`)
    expect(await connection.connectGetType()).toBe('QEMU')
    await connection.close()
  })

  test('an agent', async () => {
    const socket = join(folder, 'agent')
    const agent = await run(['ssh-agent', '-a', socket, '-s'])
    const pid = Number(/SSH_AGENT_PID=(\d+)/.exec(agent.stdout)?.[1])
    try {
      await run(['ssh-add', '-q', join(folder, 'id')], { env: { ...process.env, SSH_AUTH_SOCK: socket } })
      await writeFile(join(folder, 'agent-ssh'), `#!/bin/sh\nSSH_AUTH_SOCK=${socket} exec ssh -F none "$@"\n`, { mode: 0o755 })
      const connection = await open(uri(`?command=${folder}/agent-ssh&sshauth=agent&known_hosts=${folder}/known_hosts`))
      expect(await connection.connectGetType()).toBe('QEMU')
      await connection.close()
    } finally {
      process.kill(pid)
    }
  })
})

describe('without the helper', () => {
  test.each([['proxy=netcat', 'by netcat at the usual socket'], ['socket=/run/libvirt/libvirt-sock', 'by netcat at a socket that is named'], ['proxy=netcat&netcat=/usr/bin/nc', 'by a netcat that is named']])('%s: %s', async (query) => {
    const before = await clients()
    const connection = await open(uri(`?${query}`), given())
    expect(await connection.connectGetType()).toBe('QEMU')
    await connection.close()
    await until('netcat has ended with its input', async () => (await clients()) === before)
  })

  test('a netcat that is not there is a sentence', async () => {
    expect((await failure(open(uri('?proxy=netcat&netcat=no-such-nc'), given()))).message).toContain('neither virt-ssh-helper nor no-such-nc is installed there')
  })
})

describe('is refused with a sentence', () => {
  test('with another key', async () => {
    const other = await createKeyPair()
    expect(await failure(open(uri(), { ...given(), privateKey: other.privateKey }))).toMatchObject({ name: 'AuthenticationFailed', message: expect.stringContaining('127.0.0.1 refuses every key of this side: put the public key into authorized_keys') })
  })

  test('with what is no key, which the sentence does not repeat', async () => {
    const { name, message } = await failure(open(uri(), { ...given(), privateKey: 'not a key but something secret\n' }))
    expect([name, message.includes('something secret')]).toEqual(['AuthenticationFailed', false])
  })

  test('from a host whose key is not known', async () => {
    expect(await failure(open(uri(), { ...given(), knownHosts: '' }))).toMatchObject({ name: 'AuthenticationFailed', message: expect.stringContaining('the host key of 127.0.0.1 is not known') })
  })

  test('from a host that is not there', async () => {
    expect(await failure(open('qemu+ssh://root@127.0.0.1:1/system', given()))).toMatchObject({ name: 'ConnectionLost', message: expect.stringMatching(/Connection refused/) })
  })

  test('by a program that is not there', async () => {
    expect((await failure(open(uri('?command=/no/such/ssh'), given()))).message).toContain('/no/such/ssh')
  })
})

test('a way that is cut ends the connection with a sentence', async () => {
  const connection = await open(uri(), given())
  server.forward.drop()
  expect((await connection.closed).message).toContain('has ended')
  expect(await failure(connection.connectGetHostname())).toMatchObject({ name: 'ConnectionLost' })
})

test('an abort ends ssh while it waits for the host', async () => {
  await mkdir(join(folder, 'slow'))
  await writeFile(join(folder, 'slow/ssh'), '#!/bin/sh\nexec sleep 987\n')
  await chmod(join(folder, 'slow/ssh'), 0o755)
  const aborter = new AbortController()
  const opening = failure(createRegistry({}, { allowLocal: true }).open(uri(`?command=${folder}/slow/ssh`), { ...settings, signal: aborter.signal }))
  await until('it waits', async () => (await run(['pgrep', '-f', '^sleep 987'])).code === 0)
  aborter.abort(new Error('shutting down'))
  expect((await opening).message).toBe('shutting down')
  await until('it is gone', async () => (await run(['pgrep', '-f', '^sleep 987'])).code === 1)
})

// Last: the host is another one from here on.
test('a host that shows another key than before is refused, and the sentence says how it may be meant', async () => {
  const before = given()
  await server.changeHostKey()
  expect(await failure(open(uri(), before))).toMatchObject({ name: 'AuthenticationFailed', message: expect.stringContaining('127.0.0.1 shows another host key than the one that is known: somebody may be in between') })
})
