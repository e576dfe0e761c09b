// What goes when objects are deleted, in which order, and what stays: in use, retained, adopted, or because the API itself is removed.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Stacks, areGone, areReady, everything } from './support/stacks.ts'
import type { Stack } from './support/stacks.ts'
import { Stage, condition } from './support/stage.ts'

const moved = (first: string): string[] => [first, ...everything.filter(each => each !== first)]
const orders: Record<string, string[]> = {
  'in the order of creation': [...everything],
  'in reverse': everything.toReversed(),
  'the pool first': moved('StoragePool/pool'),
  'the lowest volume first': moved('StorageVolume/base'),
  'the upper volume first': moved('StorageVolume/root'),
  'the network first': moved('VirtualNetwork/lab'),
  'the domain first': moved('VirtualDomain/web'),
  'the Hypervisor first': ['Hypervisor/', ...everything],
}

describe('deletion', () => {
  let stage: Stage
  let stacks: Stacks
  let before: string
  let made = 0

  const stackOf = (extra?: Stack['extra'], hypervisor = 'local'): Stack => ({ token: `d${made}`, hypervisor, number: made++, extra })
  const create = async (...set: Stack[]): Promise<void> => {
    await stacks.create(set)
    await stacks.until('the stacks are ready', set, areReady)
  }
  const untilGone = (...set: Stack[]): Promise<void> => stacks.until('the stacks are gone', set, areGone)
  const blocked = async ({ token }: Stack, kind: string, name: string, test: (message: string) => boolean): Promise<string> => {
    const of = (object: Parameters<typeof condition>[0]): string => condition(object, 'DeletionBlocked')?.message ?? ''
    return of(await stage.until(kind, name, object => condition(object, 'DeletionBlocked')?.reason === 'InUse' && test(of(object)), { namespace: token }))
  }
  const define = async (command: string, xml: string): Promise<void> => { await stage.host.execOk(['virsh', command, '/dev/stdin'], { input: xml }) }

  beforeAll(async () => {
    stage = await Stage.start({ halting: true })
    stacks = await Stacks.over(stage)
    await stacks.createHypervisor('local', 'qemu:///system', { default: true, policy: { foreignObjects: 'Adopt', hostPaths: ['/var/lib/vireo', '/srv'] } })
    await stage.startController()
    await stacks.untilConnected('local')
  })
  beforeEach(async () => { before = await stage.inventory() })
  afterAll(async () => {
    await stacks?.[Symbol.asyncDispose]()
    await stage?.stop()
  })

  test('leaves the host as it was, in whatever order the objects are deleted', async () => {
    await stacks.createHypervisor('first', 'qemu:///system')
    const set = Object.values(orders).map(order => stackOf(undefined, order[0] === 'Hypervisor/' ? 'first' : 'local'))
    await create(...set)
    await Promise.all(Object.values(orders).map((order, i) => stacks.deleteInOrder(set[i]!, order)))
    await untilGone(...set)
    await stage.untilGone('hypervisor', 'first')
    expect(await stage.inventory()).toBe(before)
  })

  test('waits while foreign domains and volumes use something, names whom one may know, and goes on by event', async () => {
    const stack = stackOf()
    const { token } = stack
    await create(stack)
    const folder = `/var/lib/vireo/${token}`
    await stage.host.execOk(['qemu-img', 'create', '-f', 'qcow2', '-b', `${folder}/${token}.base`, '-F', 'raw', `${folder}/overlay`])
    await stage.virsh('pool-refresh', `${token}.pool`)
    await define('define', `<domain type="qemu"><name>reader</name><memory>65536</memory><os><type>hvm</type></os><devices><disk type="file"><source file="${folder}/${token}.root"/><target dev="vda"/></disk><interface type="network"><source network="${token}.lab"/></interface></devices></domain>`)

    await stacks.delete([stack])
    const root = await blocked(stack, 'storagevolume', 'root', message => !message.includes('VirtualDomain'))
    expect(root).toContain('1 domain that vireo does not manage')
    expect(root).not.toContain('reader')
    expect(await blocked(stack, 'storagevolume', 'base', message => message.includes('1 volume above it'))).toContain('StorageVolume root')
    expect(await blocked(stack, 'virtualnetwork', 'lab', message => !message.includes('VirtualDomain'))).toMatch(/1 domain/)
    expect(await blocked(stack, 'storagepool', 'pool', message => message.includes('StorageVolume base'))).toContain('StorageVolume root')

    await stage.virsh('undefine', 'reader')
    await stage.untilGone('storagevolume', 'root', { namespace: token })
    await stage.untilGone('virtualnetwork', 'lab', { namespace: token })
    expect(await blocked(stack, 'storagevolume', 'base', message => !message.includes('StorageVolume root'))).toContain('1 volume above it')
    await stage.virsh('vol-delete', '--pool', `${token}.pool`, 'overlay')
    // libvirt tells of no volume's end; whoever looks through the pool is told of.
    await stage.virsh('pool-refresh', `${token}.pool`)
    await untilGone(stack)
    expect(await stage.inventory()).toBe(before)
  })

  test('with deletionPolicy Retain leaves each kind on the host, running as it was', async () => {
    const retain = { deletionPolicy: 'Retain' }
    const stack = stackOf({ StoragePool: retain, StorageVolume: retain, VirtualNetwork: retain, VirtualDomain: retain })
    await create(stack)
    const kept = await stacks.onHost(stack)
    const ids = await stacks.domainIds()
    await stacks.delete([stack])
    await untilGone(stack)
    expect(await stacks.onHost(stack)).toEqual(kept)
    expect(await stacks.domainIds()).toEqual(ids)
    expect(await stage.virsh('dumpxml', '--inactive', `${stack.token}.web`)).toContain('released="yes"')
    expect(await stage.virsh('net-dumpxml', '--inactive', `${stack.token}.lab`)).toContain('released="yes"')
    await sweep(stack)
  })

  test('leaves what was adopted', async () => {
    await define('net-define', '<network><name>lan</name><ip address="10.98.0.1" prefix="24"/></network>')
    await define('define', '<domain type="qemu"><name>old</name><memory unit="MiB">64</memory><os><type machine="pc">hvm</type></os></domain>')
    await stage.host.execOk(['mkdir', '/srv/old'])
    await define('pool-define', '<pool type="dir"><name>store</name><target><path>/srv/old</path></target></pool>')
    await stage.virsh('pool-start', 'store')
    await stage.virsh('vol-create-as', 'store', 'disk', '1M')
    const adopt = { adoptionPolicy: 'Always' }
    await stacks.apply('StoragePool', 'default', 'store', { ...adopt, dir: { path: '/srv/old' } })
    await stacks.apply('StorageVolume', 'default', 'disk', { ...adopt, poolRef: { name: 'store' }, capacity: '1Mi', format: 'raw' })
    await stacks.apply('VirtualNetwork', 'default', 'lan', { ...adopt, ipv4: { address: '10.98.0.1/24' } })
    await stacks.apply('VirtualDomain', 'default', 'old', { ...adopt, memory: '64Mi', powerState: 'Stopped', os: { machine: 'pc' } })
    const adopted = [['storagepool', 'store'], ['storagevolume', 'disk'], ['virtualnetwork', 'lan'], ['virtualdomain', 'old']] as const
    for (const [kind, name] of adopted) expect((await stage.untilReady(kind, name)).status?.binding.origin).toBe('Adopted')
    await stage.kubectl(['delete', ...adopted.map(([kind, name]) => `${kind}/${name}`), '--timeout=60s'])
    expect((await stage.virsh('list', '--all', '--name')).split('\n')).toContain('old')
    expect((await stage.virsh('net-list', '--all', '--name')).split('\n')).toContain('lan')
    expect(await stage.virsh('vol-list', 'store')).toContain('/srv/old/disk')
    for (const command of ['undefine old', 'net-destroy lan', 'net-undefine lan', 'vol-delete --pool store disk', 'pool-destroy store', 'pool-undefine store']) await stage.virsh(...command.split(' '))
    await stage.host.execOk(['rmdir', '/srv/old'])
  })

  test('of volumes whose pool has vanished from the host holds nothing for ever', async () => {
    // Otherwise the pool would be started again before it can be undefined.
    const stack = stackOf({ StoragePool: { driftPolicy: { action: 'Report' } } })
    await create(stack)
    await stage.kubectl(['delete', 'virtualdomain', 'web', '-n', stack.token, '--timeout=60s'])
    await stage.virsh('pool-destroy', `${stack.token}.pool`)
    await stage.virsh('pool-undefine', `${stack.token}.pool`)
    await stacks.deleteInOrder(stack, everything.filter(each => each !== 'VirtualDomain/web'))
    await untilGone(stack)
    await stage.host.execOk(['rm', '-r', `/var/lib/vireo/${stack.token}`])
    expect(await stage.inventory()).toBe(before)
  })

  test('of a domain takes along its managed save, the metadata of its snapshots and its firmware\'s variables', async () => {
    const stack = stackOf({ VirtualDomain: { memory: '128Mi', maxMemory: '128Mi', os: { machine: 'q35', firmware: { uefi: {} } } } })
    const { token } = stack
    await create(stack)
    expect(await stage.host.execOk(['find', '/var/lib/libvirt/qemu/nvram', '-type', 'f'])).toContain(`${token}.web`)
    await stage.virsh('managedsave', `${token}.web`)
    await stage.host.execOk(['virsh', 'snapshot-create', `${token}.web`, '/dev/stdin', '--redefine'], { input: `<domainsnapshot><name>old</name><state>shutoff</state><creationTime>1</creationTime>${await stage.virsh('dumpxml', '--inactive', `${token}.web`)}</domainsnapshot>` })
    await stacks.delete([stack])
    await untilGone(stack)
    expect(await stage.inventory()).toBe(before)
    expect(await stage.host.execOk(['find', '/var/lib/libvirt/qemu/save', '/var/lib/libvirt/qemu/snapshot', '-type', 'f'])).toBe('')
  })

  test('of a namespace takes everything in it, and Events refused there are no error', async () => {
    const stack = stackOf()
    await create(stack)
    const from = stage.controllerLog.length
    await stage.kubectl(['delete', 'namespace', stack.token, '--timeout=90s'])
    expect(await stage.inventory()).toBe(before)
    const complaints = stage.controllerLog.slice(from).split('\n').filter(line => /"level":"(error|fatal)"|could not be recorded/.test(line))
    expect(complaints).toEqual([])
  })

  test('of a Hypervisor waits until nothing refers to it any more', async () => {
    await stacks.createHypervisor('busy', 'qemu:///system')
    const stack = stackOf(undefined, 'busy')
    await create(stack)
    await stage.kubectl(['delete', 'hypervisor', 'busy', '--wait=false'])
    const found = await stage.until('hypervisor', 'busy', object => condition(object, 'DeletionBlocked'))
    expect(condition(found, 'DeletionBlocked')?.message).toContain('1 VirtualDomain, 3 StorageVolumes, 1 VirtualNetwork, 1 StoragePool')
    await stacks.delete([stack])
    await untilGone(stack)
    await stage.untilGone('hypervisor', 'busy')
    expect(await stage.inventory()).toBe(before)
  })

  // The last one: it takes the API away.
  test('of the definitions leaves everything on the host', async () => {
    const stack = stackOf()
    await create(stack)
    const kept = await stacks.onHost(stack)
    const ids = await stacks.domainIds()
    await stage.kubectl(['delete', 'crd', '--all', '--timeout=90s'])
    expect(await stacks.onHost(stack)).toEqual(kept)
    expect(await stacks.domainIds()).toEqual(ids)
    expect(stage.controllerLog.split('\n').filter(line => /"level":"(error|fatal)"/.test(line))).toEqual([])
  })

  /** Removes by hand what was retained. */
  async function sweep({ token }: Stack): Promise<void> {
    for (const command of [`destroy ${token}.web`, `undefine ${token}.web`, `net-destroy ${token}.lab`, `net-undefine ${token}.lab`, `pool-destroy ${token}.pool`, `pool-undefine ${token}.pool`]) await stage.virsh(...command.split(' '))
    await stage.host.execOk(['rm', '-r', `/var/lib/vireo/${token}`])
    expect(await stage.inventory()).toBe(before)
  }
})
