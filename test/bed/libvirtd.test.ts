// Private libvirt hosts keep to themselves, survive what they should and leave nothing.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { run } from '../../scripts/run.ts'
import { startLibvirtd } from '../support/libvirtd.ts'
import type { PrivateLibvirtd } from '../support/libvirtd.ts'
import { until } from '../support/until.ts'

const network = `<network><name>lab</name><forward mode='nat'/><bridge name='vireo-lab'/>
  <ip address='192.168.150.1' netmask='255.255.255.0'><dhcp><range start='192.168.150.10' end='192.168.150.99'/></dhcp></ip></network>`

/** Outer ids of the processes of a PID namespace, without those that have ended and wait to be reaped. */
async function processesIn(pidNamespace: string): Promise<string[]> {
  const found: string[] = []
  for (const id of (await readdir('/proc')).filter(name => /^\d+$/.test(name))) {
    if (await readlink(`/proc/${id}/ns/pid`).catch(() => '') !== pidNamespace) continue
    if (!/\) Z/.test(await readFile(`/proc/${id}/stat`, 'utf8').catch(() => ') Z'))) found.push(id)
  }
  return found
}

describe('two hosts on one machine', () => {
  let one: PrivateLibvirtd
  let two: PrivateLibvirtd

  beforeAll(async () => {
    [one, two] = await Promise.all([startLibvirtd({ name: 'one' }), startLibvirtd({ name: 'two' })])
  })
  afterAll(async () => {
    await Promise.all([one, two].map(host => host?.stop()))
  })

  test('answer on their sockets from outside, each with its own host UUID', async () => {
    for (const host of [one, two]) {
      const capabilities = await run(['virsh', '-c', host.uri(), 'capabilities'])
      expect(capabilities.stdout).toContain(`<uuid>${host.hostUUID}</uuid>`)
      expect((await run(['virsh', '-c', host.uri('test:///default'), 'list', '--name'])).stdout.trim()).toBe('test')
    }
    expect(one.hostUUID).not.toBe(two.hostUUID)
  })

  test('carry the same network at once, unseen by the machine', async () => {
    const before = (await run(['ip', '-brief', 'address'])).stdout
    for (const host of [one, two]) {
      await host.execOk(['virsh', 'net-define', '/dev/stdin'], { input: network })
      await host.execOk(['virsh', 'net-start', 'lab'])
      expect((await host.execOk(['ip', '-brief', 'address']))).toContain('192.168.150.1/24')
    }
    expect((await run(['ip', '-brief', 'address'])).stdout).toBe(before)
  })

  test('have storage of their own under the usual paths', async () => {
    await mkdir(join(one.root, 'var/lib/vireo/images'))
    await writeFile(join(one.root, 'var/lib/vireo/images/marker'), '')
    expect((await one.execOk(['ls', '/var/lib/vireo/images'])).trim()).toBe('marker')
    expect((await two.exec(['ls', '/var/lib/vireo/images'])).code).not.toBe(0)
    await one.execOk(['touch', '/srv/seen-outside'])
    await stat(join(one.root, 'srv/seen-outside'))
  })
})

test('a host keeps what it runs over a killed libvirtd', async () => {
  await using host = await startLibvirtd()
  await host.execOk(['virsh', 'net-define', '/dev/stdin'], { input: network })
  await host.execOk(['virsh', 'net-start', 'lab'])
  const before = host.pid
  await host.kill('SIGKILL')
  expect((await run(['virsh', '-c', host.uri(), 'list'])).code).not.toBe(0)
  await host.restart()
  expect(host.pid).not.toBe(before)
  expect((await host.execOk(['virsh', 'net-list', '--name'])).trim()).toBe('lab')
})

test('a hung libvirtd answers again after SIGCONT', async () => {
  await using host = await startLibvirtd()
  await host.kill('SIGSTOP')
  await expect(run(['virsh', '-c', host.uri(), 'list'], { timeoutMs: 1000 })).rejects.toThrow(/did not end/)
  await host.kill('SIGCONT')
  expect((await run(['virsh', '-c', host.uri(), 'list'])).code).toBe(0)
})

test('stop leaves no process and no folder', async () => {
  const host = await startLibvirtd()
  const namespace = await readlink(`/proc/${host.pid}/ns/pid`)
  expect(await processesIn(namespace)).not.toHaveLength(0)
  await host.stop()
  expect(await processesIn(namespace)).toHaveLength(0)
  await expect(stat(host.folder)).rejects.toThrow(/ENOENT/)
})

test('a killed owner takes its host with it', async () => {
  const owner = spawn(process.execPath, ['--input-type=module', '-e', `
    import { startLibvirtd } from ${JSON.stringify(join(import.meta.dirname, '../support/libvirtd.ts'))}
    const host = await startLibvirtd({ name: 'orphan' })
    console.log(JSON.stringify({ pid: host.pid, folder: host.folder }))
    setInterval(() => {}, 1000)
  `], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [said] = await once(owner.stdout, 'data') as [Buffer]
  const { pid, folder } = JSON.parse(said.toString()) as { pid: number; folder: string }
  const namespace = await readlink(`/proc/${pid}/ns/pid`)
  owner.kill('SIGKILL')
  await expect(until('the host is gone', async () => (await processesIn(namespace)).length === 0)).resolves.toBe(true)
  await rm(folder, { recursive: true })
})
