// Hosts, guests, storage and the API server failing under a running controller: what it says, what it leaves alone, and how it comes back.
import { symlink, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startLibvirtd } from '../support/libvirtd.ts'
import type { PrivateLibvirtd } from '../support/libvirtd.ts'
import { until } from '../support/until.ts'
import { Stage, condition } from './support/stage.ts'
import type { AnyObject } from './support/stage.ts'

type Kind = 'Hypervisor' | 'StoragePool' | 'StorageVolume' | 'VirtualNetwork' | 'VirtualDomain'
interface Manifest { apiVersion: string; kind: Kind; metadata: { name: string }; spec: object }

const manifest = (kind: Kind, name: string, spec: object): Manifest => ({ apiVersion: 'vireo.dev/v1alpha1', kind, metadata: { name }, spec })
/** A guest that finds nothing to boot and waits for ever: QEMU runs, and costs little. */
const guest = (name: string, hypervisor: string, spec: object = {}): Manifest =>
  manifest('VirtualDomain', name, { hypervisorRef: { name: hypervisor }, memory: '64Mi', shutdown: { gracePeriod: '1s' }, ...spec })
const stopped = { powerState: 'Stopped' }

const KEEPALIVE = { interval: 1, count: 2 }
/** Seconds after which silence is the end, and what a busy machine may add. */
const SILENCE = KEEPALIVE.interval * (KEEPALIVE.count + 1)
const connection = { keepAliveInterval: `${KEEPALIVE.interval}s`, keepAliveCount: KEEPALIVE.count, callTimeout: '5s' }

let stage: Stage
let second: PrivateLibvirtd

const apply = async (...manifests: Manifest[]): Promise<void> => {
  await stage.kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests }))
}
const patch = async (kind: Kind, name: string, spec: object): Promise<void> => {
  await stage.kubectl(['patch', kind, name, '--type=merge', '-p', JSON.stringify({ spec })])
}
const remove = async (...manifests: Manifest[]): Promise<void> => {
  await stage.kubectl(['delete', '--wait=true', '--timeout=90s', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests }))
}
const annotate = async (kind: Kind, name: string, annotation: string): Promise<void> => { await stage.kubectl(['annotate', '--overwrite', kind, name, annotation]) }
const untilConnected = async (name: string): Promise<AnyObject> => await stage.until('Hypervisor', name, object => condition(object, 'Connected')?.status === 'True', { timeoutMs: 90_000 })
const untilDisconnected = async (name: string): Promise<AnyObject> => await stage.until('Hypervisor', name, object => condition(object, 'Connected')?.status === 'False')
const since = (object: AnyObject, type: string): number => Date.parse((condition(object, type) as unknown as { lastTransitionTime: string }).lastTransitionTime)

const processOf = async (host: PrivateLibvirtd, name: string): Promise<string> => (await host.execOk(['cat', `/run/libvirt/qemu/${name}.pid`])).trim()
const signalGuest = async (host: PrivateLibvirtd, name: string, signal: string): Promise<void> => { await host.execOk(['kill', `-${signal}`, await processOf(host, name)]) }
const domains = async (host: PrivateLibvirtd): Promise<string> => await host.execOk(['virsh', 'list', '--all', '--name'])
/** Everything that libvirt and the file system of a host hold. */
const inventory = async (host: PrivateLibvirtd): Promise<string> => (await Promise.all([
  domains(host), host.execOk(['virsh', 'net-list', '--all', '--name']), host.execOk(['virsh', 'pool-list', '--all', '--name']),
  host.execOk(['sh', '-c', 'find /var/lib/vireo /etc/libvirt/qemu /etc/libvirt/storage -exec stat -c "%n %s %Y" {} + | sort']),
])).join('\n--\n')
const events = async (name: string): Promise<string> => await stage.kubectl(['get', 'events', '-A', '--field-selector', `involvedObject.name=${name}`, '-o', 'jsonpath={range .items[*]}{.reason}: {.message}{"\\n"}{end}'])

const quiet: Manifest[] = [
  manifest('StoragePool', 'images', { hypervisorRef: { name: 'local' }, dir: { path: '/var/lib/vireo/images' } }),
  manifest('StorageVolume', 'disk', { poolRef: { name: 'images' }, capacity: '8Mi' }),
  manifest('VirtualNetwork', 'lan', { hypervisorRef: { name: 'local' } }),
]
const versions = async (): Promise<string[]> => await Promise.all(quiet.map(async ({ kind, metadata }) => `${kind} ${(await stage.get(kind, metadata.name))!.metadata.resourceVersion}`))

beforeAll(async () => {
  [stage, second] = await Promise.all([Stage.start({ halting: true }), startLibvirtd({ name: 'e2e-second', halting: true })])
  await symlink(second.socket, join(stage.folder, 'moving.sock'))
  await stage.startController()
  await apply(
    manifest('Hypervisor', 'local', { uri: stage.host.uri(), default: true, connection }),
    manifest('Hypervisor', 'second', { uri: second.uri(), connection }),
    ...quiet,
    guest('stays', 'local', { disks: [{ name: 'root', volumeRef: { name: 'disk' } }], interfaces: [{ name: 'lan', networkRef: { name: 'lan' } }] }),
    guest('ends', 'local'),
    guest('changes', 'local', stopped),
    guest('vanishes', 'local', stopped),
  )
  for (const { kind, metadata } of quiet) await stage.untilReady(kind, metadata.name)
  for (const name of ['stays', 'ends', 'changes', 'vanishes']) await stage.untilReady('VirtualDomain', name)
})
afterAll(async () => {
  await Promise.all([stage?.stop(), second?.stop()])
})

describe('libvirtd', () => {
  test.each<[string, NodeJS.Signals]>([
    ['stopped', 'SIGTERM'],
    ['killed', 'SIGKILL'],
    ['hung', 'SIGSTOP'],
  ])('%s: told within the keepalive time, nothing is changed, the other host goes on, and all converges when it is back', async (word, signal) => {
    const { host } = stage
    const [staying, ending] = await Promise.all([processOf(host, 'stays'), processOf(host, 'ends')])
    const runs = (await stage.get('VirtualDomain', 'stays'))!.status!.id
    const written = await versions()
    const began = Date.now()
    await host.kill(signal)
    const hypervisor = await untilDisconnected('local')
    expect((since(hypervisor, 'Connected') - began) / 1000).toBeLessThanOrEqual(SILENCE + 1)
    expect(condition(hypervisor, 'Connected')).toMatchObject({ reason: 'Broken', message: expect.stringMatching(/^The connection is broken\. .*\.$/) })
    expect(condition(hypervisor, 'Ready')?.status).toBe('False')

    // What happens meanwhile: a guest ends, somebody changes a spec, somebody makes a guest elsewhere.
    await host.execOk(['kill', '-KILL', ending])
    await patch('VirtualDomain', 'changes', { title: `since it was ${word}` })
    await apply(guest(`beside-${word}`, 'second'))
    await stage.untilReady('VirtualDomain', `beside-${word}`, { timeoutMs: 20_000 })
    expect(await domains(second)).toContain(`beside-${word}`)
    expect(condition((await stage.get('Hypervisor', 'local'))!, 'Connected')?.status, 'it is still away').toBe('False')
    expect(await versions(), 'one Hypervisor away is no write for each of its objects').toEqual(written)

    await (signal === 'SIGSTOP' ? host.kill('SIGCONT') : host.restart())
    await untilConnected('local')
    await stage.untilReady('VirtualDomain', 'changes')
    expect(await stage.virsh('dumpxml', 'changes')).toContain(`<title>since it was ${word}</title>`)
    const restarted = await until('the guest that ended runs again', async () => {
      const pid = await processOf(host, 'ends')
      return pid !== ending && pid
    })
    expect(restarted).not.toBe(ending)
    await stage.untilReady('VirtualDomain', 'ends')
    expect(await processOf(host, 'stays'), 'a running guest is not restarted').toBe(staying)
    expect((await stage.untilReady('VirtualDomain', 'stays')).status!.id).toBe(runs)
    await remove(guest(`beside-${word}`, 'second'))
  })

  test('away for long: objects say after 40 s that nothing is known; what is deleted waits, or is released', async () => {
    const { host } = stage
    const going = [manifest('VirtualNetwork', 'going', {}), manifest('VirtualNetwork', 'released', {})]
    await apply(...going)
    for (const { kind, metadata } of going) await stage.untilReady(kind, metadata.name)
    await host.kill('SIGSTOP')
    const hypervisor = await untilDisconnected('local')
    for (const { metadata } of going) await stage.kubectl(['delete', 'virtualnetwork', metadata.name, '--wait=false'])
    const blocked = await stage.until('VirtualNetwork', 'going', object => condition(object, 'DeletionBlocked')?.status === 'True')
    expect(condition(blocked, 'DeletionBlocked')).toMatchObject({ reason: 'HypervisorUnreachable', message: expect.stringMatching(/Hypervisor local.*vireo\.dev\/release=true/) })
    expect(condition((await stage.get('VirtualDomain', 'stays'))!, 'Ready')?.status, 'not yet').toBe('True')

    const unknown = await stage.until('VirtualDomain', 'stays', object => condition(object, 'Ready')?.status === 'Unknown', { timeoutMs: 90_000 })
    expect(condition(unknown, 'Ready')).toMatchObject({ reason: 'HypervisorUnreachable', message: expect.stringMatching(/^Hypervisor local has not been reachable for 40 s or more .*nothing is changed until it is back\.$/) })
    expect((since(unknown, 'Ready') - since(hypervisor, 'Connected')) / 1000).toBeGreaterThanOrEqual(39)
    expect(unknown.status?.powerState, 'what was seen last').toBe('Running')
    for (const { kind, metadata } of quiet) await stage.until(kind, metadata.name, object => condition(object, 'Ready')?.reason === 'HypervisorUnreachable')
    expect(await stage.get('VirtualNetwork', 'going'), 'stays Terminating').toBeDefined()

    await annotate('VirtualNetwork', 'released', 'vireo.dev/release=true')
    await stage.untilGone('VirtualNetwork', 'released')
    await until('an Event tells of the release', async () => (await events('released')).includes('Released: Released by the annotation vireo.dev/release, written by kubectl-annotate: '))

    await host.kill('SIGCONT')
    await untilConnected('local')
    await stage.untilGone('VirtualNetwork', 'going')
    for (const { kind, metadata } of quiet) await stage.untilReady(kind, metadata.name)
    await stage.untilReady('VirtualDomain', 'stays')
    const networks = await stage.virsh('net-list', '--all', '--name')
    expect(networks).not.toContain('going')
    expect(networks, 'what was released was not touched').toContain('released')
    await stage.virsh('net-destroy', 'released')
    await stage.virsh('net-undefine', 'released')
  })

  test('back without a domain that it had: Lost, and not made anew; so is one undefined before our eyes', async () => {
    const { host } = stage
    const uuid = (await stage.get('VirtualDomain', 'vanishes'))!.status!.binding.uuid as string
    await host.kill('SIGKILL')
    await untilDisconnected('local')
    await host.execOk(['rm', '/etc/libvirt/qemu/vanishes.xml'])
    await host.restart()
    await untilConnected('local')
    const { message } = await stage.untilReason('VirtualDomain', 'vanishes', 'Lost')
    expect(message).toMatch(/^Domain vanishes was on Hypervisor local and is no longer defined there: .*Nothing is created in its place\..*\.$/)
    await patch('VirtualDomain', 'vanishes', { title: 'still wanted' })
    await stage.untilReason('VirtualDomain', 'vanishes', 'Lost')
    await stage.virsh('undefine', 'changes')
    await stage.untilReason('VirtualDomain', 'changes', 'Lost')
    expect(await domains(host)).not.toMatch(/vanishes|changes/)
    await remove(guest('vanishes', 'local'), guest('changes', 'local'))
    // Made again by a person, it is the same machine: its UUID is computed.
    await apply(guest('vanishes', 'local', stopped))
    expect((await stage.untilReady('VirtualDomain', 'vanishes')).status!.binding.uuid).toBe(uuid)
  })
})

describe('a guest whose QEMU hangs', () => {
  test('is told of; other guests and the connection do not notice; what was asked of it happens when it goes on', async () => {
    const { host } = stage
    await apply(guest('hangs', 'local'))
    await stage.untilReady('VirtualDomain', 'hangs')
    const connected = since(await untilConnected('local'), 'Connected')
    await signalGuest(host, 'hangs', 'STOP')
    await patch('VirtualDomain', 'hangs', { powerState: 'Paused' })
    const told = await stage.until('VirtualDomain', 'hangs', object => condition(object, 'Ready')?.message.includes('did not answer'))
    expect(condition(told, 'Ready')?.message).toMatch(/Hypervisor local answers, but not this: the host did not answer domainSuspend within 5 s\. A guest's process may hang\./)

    await apply(guest('beside', 'local'))
    await stage.untilReady('VirtualDomain', 'beside')
    await patch('VirtualDomain', 'beside', { powerState: 'Paused' })
    await stage.untilReason('VirtualDomain', 'beside', 'Paused')
    await remove(guest('beside', 'local'))
    expect(since(await untilConnected('local'), 'Connected'), 'it never was away').toBe(connected)

    await signalGuest(host, 'hangs', 'CONT')
    await stage.untilReason('VirtualDomain', 'hangs', 'Paused', { timeoutMs: 90_000 })
    expect(await stage.virsh('domstate', 'hangs')).toContain('paused')
  })

  test('can be deleted: its power is cut when its time is over', async () => {
    await patch('VirtualDomain', 'hangs', { powerState: 'Running' })
    await stage.untilReady('VirtualDomain', 'hangs')
    await signalGuest(stage.host, 'hangs', 'STOP')
    await remove(guest('hangs', 'local'))
    expect(await domains(stage.host)).not.toContain('hangs')
  })
})

describe('another host behind the URI', () => {
  const uri = (): string => `qemu+unix:///system?socket=${join(stage.folder, 'moving.sock')}`
  const objects = [
    guest('moved', 'moving', stopped), manifest('VirtualNetwork', 'moved', { hypervisorRef: { name: 'moving' } }),
    manifest('StoragePool', 'moved', { hypervisorRef: { name: 'moving' }, dir: { path: '/var/lib/vireo/moved' } }),
  ]
  /** From now on the path leads to this host, as after a reinstallation or a changed name. */
  const lead = async (host: PrivateLibvirtd): Promise<void> => {
    await symlink(host.socket, join(stage.folder, 'next.sock'))
    await rename(join(stage.folder, 'next.sock'), join(stage.folder, 'moving.sock'))
  }
  const changed = async (): Promise<AnyObject> => await stage.until('Hypervisor', 'moving', object => condition(object, 'Connected')?.reason === 'HostChanged', { timeoutMs: 60_000 })

  beforeAll(async () => {
    await apply(manifest('Hypervisor', 'moving', { uri: uri(), connection }), ...objects)
    for (const { kind, metadata } of objects) await stage.untilReady(kind, metadata.name)
  })

  test('is HostChanged: its objects say so, nothing is touched on either, and it is over when the first one answers again', async () => {
    await lead(stage.host)
    await second.restart()
    const before = [await inventory(second), await inventory(stage.host)]
    const hypervisor = await changed()
    const words = new RegExp(`is ${stage.host.hostUUID}, not ${second.hostUUID} as learnt before: nothing on it is touched.*vireo\\.dev/accept-host=${stage.host.hostUUID}`)
    expect(condition(hypervisor, 'Ready')).toMatchObject({ reason: 'HostChanged', message: expect.stringMatching(words) })
    expect(hypervisor.status?.hostUUID).toBe(second.hostUUID)
    for (const { kind, metadata } of objects) expect((await stage.untilReason(kind, metadata.name, 'HostChanged')).message).toMatch(words)
    await patch('VirtualDomain', 'moved', { powerState: 'Running' })
    await stage.kubectl(['delete', 'storagepool', 'moved', '--wait=false'])
    await stage.until('StoragePool', 'moved', object => condition(object, 'DeletionBlocked')?.status === 'True')
    expect([await inventory(second), await inventory(stage.host)]).toEqual(before)

    await lead(second)
    await untilConnected('moving')
    await stage.untilGone('StoragePool', 'moved')
    await stage.untilReady('VirtualDomain', 'moved')
    expect(await second.execOk(['virsh', 'domstate', 'moved'])).toContain('running')
  })

  test('also when the URI was changed; put back, all goes on', async () => {
    const before = [await inventory(second), await inventory(stage.host)]
    const running = await processOf(second, 'moved')
    await patch('Hypervisor', 'moving', { uri: stage.host.uri() })
    await changed()
    for (const kind of ['VirtualDomain', 'VirtualNetwork'] as const) await stage.untilReason(kind, 'moved', 'HostChanged')
    expect([await inventory(second), await inventory(stage.host)]).toEqual(before)
    await patch('Hypervisor', 'moving', { uri: uri() })
    await untilConnected('moving')
    for (const kind of ['VirtualDomain', 'VirtualNetwork'] as const) await stage.untilReady(kind, 'moved')
    expect(await processOf(second, 'moved')).toBe(running)
  })

  test('accepted by annotation: what was on the first one is Lost, and no domain is made anew', async () => {
    await patch('Hypervisor', 'moving', { uri: stage.host.uri() })
    await changed()
    await annotate('Hypervisor', 'moving', `vireo.dev/accept-host=${stage.host.hostUUID}`)
    const hypervisor = await untilConnected('moving')
    expect(hypervisor.status?.hostUUID).toBe(stage.host.hostUUID)
    await stage.untilReason('VirtualDomain', 'moved', 'Lost')
    expect(await domains(stage.host)).not.toContain('moved')
    expect(await domains(second), 'the first host keeps what it has').toContain('moved')
    await remove(guest('moved', 'moving'), manifest('VirtualNetwork', 'moved', {}))
    await remove(manifest('Hypervisor', 'moving', {}))
  })
})

describe('storage', () => {
  test('whose file system is not mounted: the volumes are Lost, nothing is made in their place, and all is well once it is mounted', async () => {
    const { host } = stage
    // One pool is where a file system is mounted, the other in a folder of one.
    const mount = (): Promise<string> => host.execOk(['sh', '-c', 'mount --bind /srv/disk /var/lib/vireo/mounted && mount --bind /srv/other /var/lib/vireo/around'])
    const unmount = (): Promise<string> => host.execOk(['umount', '-l', '/var/lib/vireo/mounted', '/var/lib/vireo/around'])
    await host.execOk(['mkdir', '-p', '/srv/disk', '/srv/other', '/var/lib/vireo/mounted', '/var/lib/vireo/around'])
    await mount()
    const objects = [
      manifest('StoragePool', 'mounted', { dir: { path: '/var/lib/vireo/mounted' } }), manifest('StorageVolume', 'precious', { poolRef: { name: 'mounted' }, capacity: '8Mi' }),
      manifest('StoragePool', 'within', { dir: { path: '/var/lib/vireo/around/within' } }), manifest('StorageVolume', 'inner', { poolRef: { name: 'within' }, capacity: '8Mi' }),
    ]
    await apply(...objects)
    for (const { kind, metadata } of objects) await stage.untilReady(kind, metadata.name)
    const sum = await host.execOk(['sha256sum', '/srv/disk/precious'])

    await unmount()
    await stage.virsh('pool-refresh', 'mounted')
    await stage.virsh('pool-destroy', 'within')
    expect((await stage.untilReason('StorageVolume', 'precious', 'Lost')).message).toMatch(/its file may have been removed, or the pool's file system is not mounted\. vireo does not make it anew\..*\.$/)
    expect((await stage.untilReason('StoragePool', 'within', 'Lost')).message).toMatch(/its folder \/var\/lib\/vireo\/around\/within was there and is not .*vireo does not make it anew/)
    expect((await stage.untilReason('StorageVolume', 'inner', 'WaitingForReference')).message).toContain('StoragePool within')
    await annotate('StorageVolume', 'precious', 'vireo.dev/reconcile=1')
    await annotate('StoragePool', 'within', 'vireo.dev/reconcile=1')
    await stage.untilReason('StorageVolume', 'precious', 'Lost')
    expect(await host.execOk(['sh', '-c', 'ls -A /var/lib/vireo/mounted; ls -A /var/lib/vireo/around'])).toBe('')

    await mount()
    await stage.virsh('pool-refresh', 'mounted')
    await annotate('StoragePool', 'within', 'vireo.dev/reconcile=2')
    for (const { kind, metadata } of objects) await stage.untilReady(kind, metadata.name, { timeoutMs: 90_000 })
    expect(await host.execOk(['sha256sum', '/srv/disk/precious'])).toBe(sum)
    await remove(...objects)
    expect(await host.execOk(['sh', '-c', 'ls -A /srv/disk; ls -A /srv/other'])).toBe('')
    await unmount()
  })

  test('a file removed by hand is Lost and stays away; a look asked for by annotation finds it', async () => {
    const { host } = stage
    await apply(manifest('StorageVolume', 'removed', { poolRef: { name: 'images' }, capacity: '8Mi' }), guest('without-disk', 'local', { ...stopped, disks: [{ name: 'root', volumeRef: { name: 'removed' } }] }))
    await stage.untilReady('StorageVolume', 'removed')
    await stage.untilReady('VirtualDomain', 'without-disk')
    await host.execOk(['rm', '/var/lib/vireo/images/removed'])
    await annotate('StoragePool', 'images', 'vireo.dev/reconcile=1')
    expect((await stage.untilReason('StorageVolume', 'removed', 'Lost')).message).toContain('(/var/lib/vireo/images/removed)')
    await patch('StorageVolume', 'removed', { capacity: '16Mi' })
    await stage.untilReason('StorageVolume', 'removed', 'Lost')
    expect(await host.execOk(['ls', '/var/lib/vireo/images'])).not.toContain('removed')
    await remove(guest('without-disk', 'local'))
    await remove(manifest('StorageVolume', 'removed', {}))
  })
})

test('the API server killed and back: the controller goes on where it was', async () => {
  const { host } = stage
  const [staying, ending] = await Promise.all([processOf(host, 'stays'), processOf(host, 'ends')])
  const pid = stage.controllerPid
  await Promise.all([stage.plane.restartApiserver(), host.execOk(['kill', '-KILL', ending])])
  await until('the guest that ended meanwhile runs again', async () => await processOf(host, 'ends') !== ending, { timeoutMs: 60_000 })
  await apply(guest('after', 'local', stopped))
  await stage.untilReady('VirtualDomain', 'after')
  await stage.untilReady('VirtualDomain', 'ends')
  expect(await processOf(host, 'stays')).toBe(staying)
  expect(stage.controllerPid).toBe(pid)
  await remove(guest('after', 'local'))
})
