// Runs a real SSH server inside a private libvirt host, with a host key and an authorized key of its own.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runOk } from '../../scripts/run.ts'
import { forwardInto, type Forward } from './forward.ts'
import type { PrivateLibvirtd } from './libvirtd.ts'
import { until } from './until.ts'

export interface KeyPair { privateKey: string; publicKey: string }

export async function createKeyPair(): Promise<KeyPair> {
  const folder = await mkdtemp(join(tmpdir(), 'vireo-key-'))
  try {
    await runOk(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', join(folder, 'key')])
    return { privateKey: await readFile(join(folder, 'key'), 'utf8'), publicKey: await readFile(join(folder, 'key.pub'), 'utf8') }
  } finally {
    await rm(folder, { recursive: true })
  }
}

export interface SSHServer extends AsyncDisposable {
  /** Port on loopback that leads to the server. */
  readonly port: number
  /** The way to the server: to cut it, and to see whether it was gone. */
  readonly forward: Forward
  /** A line of known_hosts for 127.0.0.1 and the port; `[name]:port` for another name. */
  knownHosts(name?: string): string
  /** Shows another host key from now on. */
  changeHostKey(): Promise<void>
}

const config = `
Port 22
ListenAddress 127.0.0.1
HostKey /etc/libvirt/ssh/host_key
AuthorizedKeysFile /etc/libvirt/ssh/authorized_keys
PidFile /run/sshd.pid
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
# A login of root here would read the files of the machine's own root.
SetEnv HOME=/srv
`

/** `authorized` may log in as root, by its public key. */
export async function startSSHServer(host: PrivateLibvirtd, authorized: KeyPair): Promise<SSHServer> {
  const write = async (path: string, content: string): Promise<void> => { await host.execOk(['sh', '-c', 'umask 077; cat > "$0"', path], { input: content }) }
  await host.execOk(['mkdir', '-p', '/etc/libvirt/ssh', '/run/sshd'])
  let hostKey = await createKeyPair()
  await write('/etc/libvirt/ssh/host_key', hostKey.privateKey)
  await write('/etc/libvirt/ssh/authorized_keys', authorized.publicKey)
  await write('/etc/libvirt/ssh/config', config)
  const start = async (): Promise<void> => {
    await host.execOk(['/usr/sbin/sshd', '-f', '/etc/libvirt/ssh/config'])
    await until('the SSH server listens', async () => (await host.exec(['socat', '-u', 'OPEN:/dev/null', 'TCP:127.0.0.1:22'])).code === 0)
  }
  await start()
  const forward = await forwardInto(host, 'TCP:127.0.0.1:22')
  return {
    port: forward.port,
    forward,
    knownHosts: (name = `[127.0.0.1]:${forward.port}`) => `${name} ${hostKey.publicKey}`,
    async changeHostKey() {
      await host.execOk(['sh', '-c', 'kill "$(cat /run/sshd.pid)"'])
      await until('the SSH server is gone', async () => (await host.exec(['socat', '-u', 'OPEN:/dev/null', 'TCP:127.0.0.1:22'])).code !== 0)
      hostKey = await createKeyPair()
      await write('/etc/libvirt/ssh/host_key', hostKey.privateKey)
      await start()
    },
    [Symbol.asyncDispose]: () => forward.close(),
  }
}
