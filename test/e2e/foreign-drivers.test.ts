// The whole controller on other hypervisors than QEMU: containers (with events), ESX and VMware (polled, without a mark).
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Connection } from '../../drivers/driver.ts'
import { createRegistry } from '../../drivers/registry.ts'
import { EsxServer } from '../support/hosts/esx.ts'
import { containerInit, containerRoot, lxc } from '../support/hosts/lxc.ts'
import { vmware, vmwareDisk } from '../support/hosts/vmware.ts'
import { startLibvirtd, type PrivateLibvirtd } from '../support/libvirtd.ts'
import { until } from '../support/until.ts'
import { annotate, countEvents, domain, isTrue, object, patchSpec, ready } from './support/domains.ts'
import { Stage } from './support/stage.ts'
import type { AnyObject } from './support/stage.ts'

const inController = '/run/libvirt/libvirt-sock'
const esx = new EsxServer('esx')
let host: PrivateLibvirtd
let stage: Stage

const hypervisor = (name: string, uri: string, policy: Record<string, unknown>): string => object('Hypervisor', { name }, { uri, connection: { pollInterval: '1s' }, policy })
/** A connection of somebody else's. */
const other = (uri: string): Promise<Connection> => createRegistry({}, { allowLocal: true }).open(uri, { callTimeout: 60_000, keepAliveInterval: 5_000, keepAliveCount: 6 })
const unsupported = async (name: string): Promise<string> => (await stage.untilReason('virtualdomain', name, 'Unsupported')).message
const restarted = (name: string, before: AnyObject): Promise<AnyObject> => stage.until('virtualdomain', name, found => found.status?.powerState === 'Running' && found.status.id !== before.status?.id)

beforeAll(async () => {
  host = await startLibvirtd({ name: 'foreign', extensions: [lxc, esx.extension, vmware] })
  stage = await Stage.start({ existing: host })
  await stage.startController()
  await stage.apply([
    hypervisor('containers', 'lxc:///system', { rawXML: 'Allowed', hostPaths: ['/var/lib/vireo', '/bin/tini'] }),
    hypervisor('esx', esx.uri(inController), { hostPaths: ['[LocalDS_0]'] }),
    hypervisor('workstation', `vmwarews+unix:///session?socket=${inController}`, {}),
  ].join(''))
})
afterAll(async () => {
  await stage?.stop()
  await host?.stop()
})

test('each host is learnt as its driver describes it', async () => {
  expect((await stage.untilReady('hypervisor', 'containers')).status).toMatchObject({ driver: 'LXC', hostUUID: host.hostUUID, domains: 0 })
  expect((await stage.untilReady('hypervisor', 'esx')).status).toMatchObject({ driver: 'ESX', hypervisorVersion: '6.5.0', domains: 0 })
  const workstation = (await stage.untilReady('hypervisor', 'workstation')).status
  expect(workstation).toMatchObject({ driver: 'VMware', hypervisorVersion: '17.5.0', domains: 0 })
  expect(workstation).not.toHaveProperty('hostUUID')
})

describe('a container', () => {
  test('runs, and has its address from its network', async () => {
    const root = await containerRoot(host, 'box')
    await stage.apply([
      object('VirtualNetwork', { name: 'lab' }, { hypervisorRef: { name: 'containers' }, forward: { mode: 'nat' }, bridge: { stp: 'Disabled' }, ipv4: { address: '192.168.153.1/24', dhcp: {} } }),
      domain('box', {
        hypervisorRef: { name: 'containers' }, memory: '64Mi', cpus: 1, shutdown: { mode: 'signal', gracePeriod: '2s' },
        interfaces: [{ name: 'lan', networkRef: { name: 'lab' } }],
        xml: `<os>${containerInit}</os><devices><filesystem type='mount'><source dir='${root}'/><target dir='/'/></filesystem><console type='pty'/></devices>`,
      }),
    ].join(''))
    const found = await stage.until('virtualdomain', 'box', box => ready(box)?.status === 'True' && box.status?.interfaces?.[0]?.addresses?.length === 1)
    expect(found.status).toMatchObject({ type: 'lxc', powerState: 'Running', interfaces: [{ name: 'lan', addresses: [{ prefix: 24, source: 'Lease' }] }] })
  })

  test('that somebody cut off is started again', async () => {
    const before = (await stage.get('virtualdomain', 'box'))!
    await using connection = await closing(host.uri('lxc:///system'))
    await connection.domainDestroyFlags(await connection.domainLookupByName('box'), 0)
    expect((await restarted('box', before)).status?.id).toBeGreaterThan(0)
  })

  test('stages a processor, which the driver cannot add, and refuses a reset at once, with its name', async () => {
    await patchSpec(stage, 'box', { cpus: 2 })
    const staged = await stage.until('virtualdomain', 'box', box => isTrue(box, 'RestartRequired'))
    expect(staged.status?.pendingChanges).toContainEqual({ path: 'cpus', current: '1', desired: '2', apply: 'ColdStart' })
    await annotate(stage, 'box', { 'vireo.dev/reset': '1' })
    expect(await unsupported('box')).toMatch(/Hypervisor containers \(driver LXC\) does not support this: libvirt's LXC driver has no domainReset/)
    await annotate(stage, 'box', { 'vireo.dev/reset': null })
    await stage.untilReady('virtualdomain', 'box')
  })

  test('is gone with its object', async () => {
    await stage.kubectl(['delete', 'virtualdomain/box', 'virtualnetwork/lab', '--timeout=30s'])
    await using connection = await closing(host.uri('lxc:///system'))
    expect([await connection.connectListAllDomains(), await connection.connectListAllNetworks()]).toEqual([[], []])
  })
})

describe('a machine on ESX', () => {
  test('runs', async () => {
    await stage.apply(domain('web', { hypervisorRef: { name: 'esx' }, memory: '64Mi', cpus: 1, disks: [{ name: 'root', file: { path: await esx.disk('web') } }] }))
    const found = await stage.untilReady('virtualdomain', 'web')
    expect(found.status).toMatchObject({ type: 'vmware', powerState: 'Running', cpus: 1, memory: '64Mi', disks: [{ name: 'root', target: 'sda', source: '[LocalDS_0] web/web.vmdk' }] })
  })

  test('that somebody cut off is started again, as the poll finds out; a paused one goes on', async () => {
    await using connection = await closing(esx.uri(host.socket))
    const web = await connection.domainLookupByName('web')
    await connection.domainDestroyFlags(web, 0)
    await until('it is started again', async () => await countEvents(stage, 'web', 'Started') === 2)
    await connection.domainSuspend(web)
    await until('it is resumed', async () => await countEvents(stage, 'web', 'Resumed') === 1)
    expect((await connection.domainGetState(web)).state).toBe(1)
  })

  test('another size of memory is Unsupported at once, with the driver and the field', async () => {
    await patchSpec(stage, 'web', { memory: '128Mi' })
    expect(await unsupported('web')).toBe('Hypervisor esx (driver ESX) cannot change the configuration of a domain that exists; it differs in maxMemory, memory. Write these as they are on the host, or delete the object and create it again.')
    await patchSpec(stage, 'web', { memory: '64Mi' })
    await stage.untilReady('virtualdomain', 'web')
  })

  test('stays ours over a restart of the controller, and is gone with its object', async () => {
    await stage.stopController()
    await stage.startController()
    await stage.untilReady('hypervisor', 'esx')
    await patchSpec(stage, 'web', { powerState: 'Stopped' })
    await stage.until('virtualdomain', 'web', found => found.status?.powerState === 'Stopped' && ready(found).status === 'True')
    await stage.kubectl(['delete', 'virtualdomain/web', '--timeout=30s'])
    await using connection = await closing(esx.uri(host.socket))
    expect(await connection.connectListAllDomains()).toEqual([])
  })
})

describe('a machine on VMware Workstation', () => {
  test('runs, and is started again where somebody stopped it', async () => {
    const path = await vmwareDisk(host, 'desk')
    await stage.apply(domain('desk', { hypervisorRef: { name: 'workstation' }, memory: '64Mi', cpus: 1, disks: [{ name: 'root', file: { path } }] }))
    const before = await stage.untilReady('virtualdomain', 'desk')
    expect(before.status).toMatchObject({ type: 'vmware', powerState: 'Running' })
    await host.execOk(['/opt/vmware/vmrun', '-T', 'ws', 'stop', path.replace(/vmdk$/, 'vmx')])
    expect((await restarted('desk', before)).status?.id).toBeGreaterThan(0)
  })

  test('stages what only its next start brings, and is gone with its object', async () => {
    await patchSpec(stage, 'desk', { cpus: 2 })
    await stage.until('virtualdomain', 'desk', found => isTrue(found, 'RestartRequired'))
    await stage.kubectl(['delete', 'virtualdomain/desk', '--timeout=30s'])
    expect(await host.execOk(['/opt/vmware/vmrun', '-T', 'ws', 'list'])).toMatch(/^Total running VMs: 0\n/)
  })
})

async function closing(uri: string): Promise<Connection & AsyncDisposable> {
  const connection = await other(uri)
  return Object.assign(connection, { [Symbol.asyncDispose]: () => connection.close() })
}
