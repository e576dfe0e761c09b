// Bad input that only the host or another object shows to be bad: what is refused, in which words, and that nothing is lost.
import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startLibvirtd } from '../support/libvirtd.ts'
import type { PrivateLibvirtd } from '../support/libvirtd.ts'
import { until } from '../support/until.ts'
import { Stage, condition, serveFiles } from './support/stage.ts'

type Kind = 'Hypervisor' | 'StoragePool' | 'StorageVolume' | 'VirtualNetwork' | 'VirtualDomain'
interface Manifest { apiVersion: string; kind: Kind; metadata: { name: string; namespace?: string; finalizers?: string[] }; spec: object }

const manifest = (kind: Kind, name: string, spec: object, namespace?: string): Manifest =>
  ({ apiVersion: 'vireo.dev/v1alpha1', kind, metadata: { name, ...(namespace === undefined ? {} : { namespace }) }, spec })
/** The least of a domain: it is defined and never started. */
const domain = (name: string, spec: object = {}, namespace?: string): Manifest =>
  manifest('VirtualDomain', name, { hypervisorRef: { name: 'local' }, memory: '64Mi', powerState: 'Stopped', ...spec }, namespace)
const network = (name: string, spec: object = {}, namespace?: string): Manifest =>
  manifest('VirtualNetwork', name, { hypervisorRef: { name: 'local' }, ...spec }, namespace)
const volume = (name: string, spec: object = {}, namespace?: string): Manifest =>
  manifest('StorageVolume', name, { poolRef: { name: 'images' }, capacity: '8Mi', ...spec }, namespace)

let stage: Stage
let second: PrivateLibvirtd

const apply = async (...manifests: Manifest[]): Promise<void> => {
  await stage.kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests }))
}
const patch = async (kind: Kind, name: string, change: object, namespace = 'default'): Promise<void> => {
  await stage.kubectl(['patch', kind, name, '-n', namespace, '--type=merge', '-p', JSON.stringify(change)])
}
const remove = async (...manifests: Manifest[]): Promise<void> => {
  await stage.kubectl(['delete', '--wait=true', '--timeout=60s', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests }))
}
const refused = async (manifest: Manifest, reason: string): Promise<string> =>
  (await stage.untilReason(manifest.kind, manifest.metadata.name, reason, { namespace: manifest.metadata.namespace })).message
/** One sample of a metric, 0 where there is none yet. */
const metric = async (start: string): Promise<number> =>
  (await stage.metrics()).split('\n').filter(line => line.startsWith(start)).reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
/** Calls that change something on a host. */
const changes = async (): Promise<string[]> =>
  (await stage.metrics()).split('\n').filter(line => /^vireo_rpc_calls_total\{procedure="\w*(Define|Create|Undefine|Destroy|Shutdown|Set|Update|Attach|Detach|Build|Delete|Upload|Refresh|Resume|Suspend|Resize|Reset)/.test(line))

beforeAll(async () => {
  [stage, second] = await Promise.all([Stage.start({ halting: true }), startLibvirtd({ name: 'e2e-second', halting: true })])
  await stage.startController()
  await apply(
    manifest('Hypervisor', 'local', { uri: 'qemu:///system', default: true }),
    manifest('Hypervisor', 'second', { uri: second.uri(), policy: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'default' } } } }),
    manifest('Hypervisor', 'raw', { uri: stage.host.uri(), policy: { rawXML: 'Allowed' } }),
    manifest('StoragePool', 'images', { hypervisorRef: { name: 'local' }, dir: { path: '/var/lib/vireo/images' } }),
  )
  for (const name of ['other', 'team', 'guest']) await stage.kubectl(['create', 'namespace', name])
  await stage.untilReady('StoragePool', 'images')
  await stage.untilReady('Hypervisor', 'second')
  await stage.untilReady('Hypervisor', 'raw')
})
afterAll(async () => {
  await Promise.all([stage?.stop(), second?.stop()])
})

test('of two default Hypervisors the older serves, and the younger says so', async () => {
  await patch('Hypervisor', 'second', { spec: { default: true } })
  const { message } = await stage.untilReason('Hypervisor', 'second', 'Invalid')
  expect(message).toMatch(/^Hypervisor local is the default already.* Set spec.default: false here, or there\.$/)
  expect(condition((await stage.get('Hypervisor', 'local'))!, 'Ready')?.status).toBe('True')
  await patch('Hypervisor', 'second', { spec: { default: false } })
  await stage.untilReady('Hypervisor', 'second')
})

describe('a reference', () => {
  test('to what does not exist waits without a timer, and goes on by itself when it comes', async () => {
    const waiting = [
      domain('no-volume', { disks: [{ name: 'root', volumeRef: { name: 'later' }, readOnly: true }] }),
      domain('no-network', { interfaces: [{ name: 'lan', networkRef: { name: 'later' } }] }),
      volume('no-pool', { poolRef: { name: 'later' } }),
      volume('no-base', { backingStore: { volumeRef: { name: 'later' } } }),
    ]
    await apply(...waiting)
    expect(await refused(waiting[0]!, 'WaitingForReference')).toBe('spec.disks[root].volumeRef: waiting for StorageVolume later, which does not exist.')
    expect(await refused(waiting[1]!, 'WaitingForReference')).toBe('spec.interfaces[lan].networkRef: waiting for VirtualNetwork later, which does not exist.')
    expect(await refused(waiting[2]!, 'WaitingForReference')).toBe('spec.poolRef: waiting for StoragePool later, which does not exist.')
    expect(await refused(waiting[3]!, 'WaitingForReference')).toBe('spec.backingStore.volumeRef: waiting for StorageVolume later, which does not exist.')
    expect(await metric('workqueue_retries_total')).toBe(0)
    expect(condition((await stage.get('VirtualDomain', 'no-volume'))!, 'Reconciling')?.status).toBe('True')

    const come = [network('later'), volume('later'), manifest('StoragePool', 'later', { hypervisorRef: { name: 'local' }, dir: { path: '/var/lib/vireo/later' } })]
    await apply(...come)
    for (const { kind, metadata } of waiting) await stage.untilReady(kind, metadata.name)
    await remove(...waiting, ...come)
  })

  test('into another namespace needs an export, by its label too; what is not exported and what is not there answer alike', async () => {
    const there = [network('lan', { export: { namespaceSelector: { matchLabels: { team: 'web' } } } }, 'other'), manifest('StoragePool', 'shared', { hypervisorRef: { name: 'local' }, dir: { path: '/var/lib/vireo/shared' } }, 'other')]
    await apply(...there)
    await stage.untilReady('VirtualNetwork', 'lan', { namespace: 'other' })
    const here = [
      domain('crossing', { interfaces: [{ name: 'lan', networkRef: { name: 'lan', namespace: 'other' } }] }, 'guest'),
      domain('crossing-nowhere', { interfaces: [{ name: 'lan', networkRef: { name: 'nothing', namespace: 'other' } }] }, 'guest'),
      volume('crossing', { poolRef: { name: 'shared', namespace: 'other' } }, 'guest'),
    ]
    await apply(...here)
    const words = (name: string): string => `VirtualNetwork other/${name} is not exported to namespace guest, or does not exist.`
    expect(await refused(here[0]!, 'Forbidden')).toContain(words('lan'))
    expect(await refused(here[1]!, 'Forbidden')).toContain(words('nothing'))
    expect(await refused(here[2]!, 'Forbidden')).toContain('StoragePool other/shared is not exported')

    await stage.kubectl(['label', 'namespace', 'guest', 'team=web'])
    await stage.untilReady('VirtualDomain', 'crossing', { namespace: 'guest' })
    await patch('StoragePool', 'shared', { spec: { export: { namespaceSelector: {} } } }, 'other')
    await stage.untilReady('StorageVolume', 'crossing', { namespace: 'guest' })
    await remove(...here)
    await remove(...there)
  })

  test('to what is on another host is Invalid and names both; mended in place it goes on', async () => {
    const there = [network('far', { hypervisorRef: { name: 'second' } }), manifest('StoragePool', 'far', { hypervisorRef: { name: 'second' }, dir: { path: '/var/lib/vireo/far' } }), volume('far', { poolRef: { name: 'far' } })]
    await apply(...there, network('near'))
    await stage.untilReady('VirtualNetwork', 'far')
    await stage.untilReady('StorageVolume', 'far')
    const here = [
      domain('far-network', { interfaces: [{ name: 'lan', networkRef: { name: 'far' } }] }),
      domain('far-volume', { disks: [{ name: 'root', volumeRef: { name: 'far' } }] }),
      volume('far-base', { backingStore: { volumeRef: { name: 'far' } } }),
    ]
    await apply(...here)
    expect(await refused(here[0]!, 'Invalid')).toBe('spec.interfaces[lan].networkRef: VirtualNetwork far is on Hypervisor second, this object on local. An object can only use what is on its own host.')
    expect(await refused(here[1]!, 'Invalid')).toContain('StorageVolume far is on Hypervisor second, this object on local.')
    expect(await refused(here[2]!, 'Invalid')).toContain('StorageVolume far is on Hypervisor second, this object on local.')
    await apply(domain('far-network', { interfaces: [{ name: 'lan', networkRef: { name: 'near' } }] }))
    await stage.untilReady('VirtualDomain', 'far-network')
    await apply(domain('far-volume', { hypervisorRef: { name: 'second' }, disks: [{ name: 'root', volumeRef: { name: 'far' } }] }))
    await stage.untilReady('VirtualDomain', 'far-volume')
    await remove(...here)
    await remove(...there, network('near'))
  })

  test('to what is being deleted waits for its successor', async () => {
    const held = network('going')
    held.metadata.finalizers = ['test.vireo.dev/hold']
    await apply(held)
    await stage.untilReady('VirtualNetwork', 'going')
    await stage.kubectl(['delete', 'virtualnetwork', 'going', '--wait=false'])
    const user = domain('late', { interfaces: [{ name: 'lan', networkRef: { name: 'going' } }] })
    await apply(user)
    expect(await refused(user, 'WaitingForReference')).toContain('VirtualNetwork going is being deleted')
    await stage.kubectl(['patch', 'virtualnetwork', 'going', '--type=json', '-p', '[{"op":"remove","path":"/metadata/finalizers/0"}]'])
    await stage.until('VirtualDomain', 'late', object => condition(object, 'Ready')?.message.includes('VirtualNetwork going, which does not exist'))
    await apply(network('going'))
    await stage.untilReady('VirtualDomain', 'late')
    await remove(user)
    await remove(network('going'))
  })
})

describe('what is on the host already and not ours', () => {
  /** Everything about the host but how full its file system is. */
  const fingerprint = async (): Promise<string> => {
    const { host } = stage
    const sums = await host.execOk(['sh', '-c', 'find /var/lib/vireo /srv -type f -exec sha256sum {} + | sort; find /var/lib/vireo /srv -exec stat -c "%n %a %u %g %s %Y" {} + | sort'])
    const xml = await Promise.all([stage.virsh('dumpxml', 'clash'), stage.virsh('net-dumpxml', 'clash'), stage.virsh('pool-dumpxml', 'clash')])
    return createHash('sha256').update([await stage.inventory(), sums, ...xml].join('\n').replace(/<(capacity|allocation|available).*\n/g, '')).digest('hex')
  }
  const ours = [domain('clash'), network('clash'), manifest('StoragePool', 'clash', { hypervisorRef: { name: 'local' }, dir: { path: '/var/lib/vireo/ours' } }), volume('seen'), volume('unseen')]

  beforeAll(async () => {
    const { host } = stage
    await host.execOk(['virsh', 'define', '/dev/stdin'], { input: "<domain type='qemu'><name>clash</name><memory unit='MiB'>64</memory><os><type>hvm</type></os></domain>" })
    await host.execOk(['virsh', 'net-define', '/dev/stdin'], { input: "<network><name>clash</name><bridge name='virbr99'/></network>" })
    await host.execOk(['virsh', 'pool-define-as', 'clash', 'dir', '--target', '/srv'])
    await host.execOk(['virsh', 'pool-start', 'clash'])
    await host.execOk(['virsh', 'vol-create-as', 'images', 'seen', '1M', '--format', 'raw'])
    await host.execOk(['sh', '-c', 'echo somebody elses data > /var/lib/vireo/images/unseen'])
  })

  test('is Conflict, and the host stays byte for byte as it was, also when our objects go', async () => {
    const before = await fingerprint()
    await apply(...ours)
    expect(await refused(ours[0]!, 'Conflict')).toMatch(/^Domain clash exists on Hypervisor local: vireo did not create it\. It is left untouched\. Set adoptionPolicy .* or choose another spec\.name\.$/)
    expect(await refused(ours[1]!, 'Conflict')).toMatch(/The network clash is on Hypervisor local already: vireo did not create it\. It is left untouched\..*choose another spec\.name/)
    expect(await refused(ours[2]!, 'Conflict')).toMatch(/The pool clash .* is on Hypervisor local already, and vireo did not create it.*Choose another spec\.name/)
    expect(await refused(ours[3]!, 'Conflict')).toMatch(/The volume seen is in pool images on Hypervisor local already.*Choose another spec\.name/)
    expect(await refused(ours[4]!, 'Conflict')).toMatch(/The volume unseen is in pool images on Hypervisor local already.*Choose another spec\.name/)
    expect(await fingerprint()).toBe(before)
    await remove(...ours)
    expect(await fingerprint()).toBe(before)
  })

  test('is only looked at on a Hypervisor that is only observed, and nothing is made there', async () => {
    const there = { hypervisorRef: { name: 'watched' } }
    await apply(manifest('Hypervisor', 'watched', { uri: stage.host.uri(), managementPolicy: 'ObserveOnly', policy: { foreignObjects: 'Adopt' } }))
    await stage.untilReady('Hypervisor', 'watched')
    const before = await fingerprint()
    const take = { ...there, adoptionPolicy: 'Always' }
    const pool = manifest('StoragePool', 'w-pool', { ...take, name: 'clash', dir: { path: '/srv' } })
    const found = [pool, domain('w-dom', { ...take, name: 'clash', title: 'ours' }), network('w-net', { ...take, name: 'clash' })]
    const absent = [
      domain('w-new-dom', there),
      network('w-new-net', there),
      manifest('StoragePool', 'w-new-pool', { ...there, dir: { path: '/var/lib/vireo/w-new' } }),
      volume('w-new-vol', { poolRef: { name: 'w-pool' } }),
    ]
    await apply(...found, ...absent)
    for (const { kind, metadata: { name } } of found) await stage.untilReady(kind, name)
    for (const object of absent) expect(await refused(object, 'NotFound')).toMatch(/Hypervisor watched/)
    expect(await fingerprint()).toBe(before)
    await remove(...absent, ...found)
    await remove(manifest('Hypervisor', 'watched', {}))
    expect(await fingerprint()).toBe(before)
  })

  test('is not even looked at, nor taken over, without the grant', async () => {
    const before = await fingerprint()
    const objects = ours.slice(0, 4).flatMap(({ kind, spec, metadata: { name } }) => [
      manifest(kind, `${name}-look`, { ...spec, name, managementPolicy: 'ObserveOnly' }),
      manifest(kind, `${name}-take`, { ...spec, name, adoptionPolicy: 'Always' }),
    ])
    await apply(...objects)
    for (const object of objects) expect(await refused(object, 'Forbidden')).toMatch(/policy\.foreignObjects/)
    for (const { kind, metadata } of objects) {
      const { status } = (await stage.get(kind, metadata.name))!
      expect(Object.keys(status!).filter(key => !['binding', 'conditions', 'observedGeneration'].includes(key)), `${metadata.name} tells nothing of it`).toEqual([])
    }
    await remove(...objects)
    expect(await fingerprint()).toBe(before)
  })
})

describe('beyond the policy is Forbidden, and nothing is sent to the host:', () => {
  const disk = (path: string): object => ({ disks: [{ name: 'd', file: { path, format: 'raw' } }] })
  const kernelBoot = (kernel: string, initrd?: string): object => ({ os: { kernelBoot: { kernel: { path: kernel }, ...(initrd === undefined ? {} : { initrd: { path: initrd } }) } } })
  const overlay = (xml: string): object => ({ hypervisorRef: { name: 'raw' }, xml })
  const cases: [string, Manifest, string][] = [
    ['a disk file', domain('f1', disk('/etc/passwd')), '/etc/passwd'],
    ['a way up', domain('f2', disk('/var/lib/vireo/../../../etc/passwd')), '/var/lib/vireo/../../../etc/passwd'],
    ['a double slash', domain('f3', disk('/var/lib/vireo//images/x')), '/var/lib/vireo//images/x'],
    ['a folder that only begins alike', domain('f4', disk('/var/lib/vireo-private/x')), '/var/lib/vireo-private/x'],
    ['a cdrom', domain('f5', { disks: [{ name: 'd', device: 'cdrom', file: { path: '/etc/passwd' } }] }), '/etc/passwd'],
    ['a kernel', domain('f6', kernelBoot('/boot/vmlinuz')), '/boot/vmlinuz'],
    ['an initrd', domain('f7', kernelBoot('/var/lib/vireo/vmlinuz', '/etc/shadow')), '/etc/shadow'],
    ['a loader', domain('f8', { os: { firmware: { uefi: { loader: '/tmp/evil.fd' } } } }), '/tmp/evil.fd'],
    ['an NVRAM template', domain('f9', { os: { firmware: { uefi: { loader: '/var/lib/vireo/OVMF.fd', nvram: { template: '/etc/shadow' } } } } }), '/etc/shadow'],
    ['a log file', domain('g1', { serials: [{ name: 's', pty: {}, log: { file: '/etc/cron.d/evil' } }] }), '/etc/cron.d/evil'],
    ['a file to write to', domain('g2', { serials: [{ name: 's', file: { path: '/root/.ssh/authorized_keys' } }] }), '/root/.ssh/authorized_keys'],
    ['a unix socket', domain('g3', { serials: [{ name: 's', unix: { path: '/run/libvirt/libvirt-sock', mode: 'connect' } }] }), '/run/libvirt/libvirt-sock'],
    ['a bridge', domain('g4', { interfaces: [{ name: 'n', bridge: { name: 'br0' } }] }), 'br0'],
    ['a volume of others by its path', domain('k1', disk('/var/lib/vireo/images/others')), '/var/lib/vireo/images/others lies in the folder of a storage pool'],
    ['a serial port over a volume', domain('k2', { serials: [{ name: 's', file: { path: '/var/lib/vireo/images/others' } }] }), 'the folder of a storage pool'],
    ['firmware variables over a volume', domain('k3', { os: { firmware: { uefi: { nvram: { path: '/var/lib/vireo/images/others' } } } } }), 'the folder of a storage pool'],
    ['an image whose header may name any file', domain('k4', { disks: [{ name: 'd', file: { path: '/var/lib/vireo/x', format: 'qcow2' } }] }), 'can name any file of the host'],
    ['a port of the host', domain('k5', { serials: [{ name: 's', tcp: { host: '127.0.0.1', port: 16509, mode: 'connect' } }] }), '127.0.0.1:16509'],
    ['a server', manifest('StoragePool', 'k6', { netfs: { host: 'nas', dir: '/export', path: '/var/lib/vireo/nas' } }), 'nas is not among the hosts'],
    ['a pool over all pools', manifest('StoragePool', 'k7', { dir: { path: '/var/lib/vireo' } }), 'the very folder'],
    ['the links of iSCSI', manifest('StoragePool', 'k8', { iscsi: { host: 'san', target: 'iqn.2026-01.org:t' } }), '/dev/disk/by-path'],
    ['a pool', manifest('StoragePool', 'g5', { dir: { path: '/etc' } }), '/etc'],
    ['a pool by a way up', manifest('StoragePool', 'g6', { dir: { path: '/var/lib/vireo/../../../etc' } }), '/var/lib/vireo/../../../etc'],
    ['a network on an interface of the host', network('g7', { forward: { mode: 'bridge' }, bridge: { name: 'br0' } }), 'br0'],
    ['raw XML', domain('h1', { xml: '<description>x</description>' }), 'policy.rawXML'],
    ['raw XML in an entry', domain('h2', { disks: [{ name: 'd', device: 'cdrom', xml: '<readonly/>' }] }), 'policy.rawXML'],
    ['a disk in the overlay', domain('i1', overlay("<devices><disk type='file'><source file='/etc/shadow'/><target dev='vdz' bus='virtio'/></disk></devices>")), '/etc/shadow'],
    ['a relative path in the overlay', domain('i2', overlay("<devices><disk type='file'><source file='../../../../etc/shadow'/><target dev='vdz' bus='virtio'/></disk></devices>")), '../../../../etc/shadow'],
    ['a disk whose entry points elsewhere', domain('i3', { hypervisorRef: { name: 'raw' }, disks: [{ name: 'd', file: { path: '/var/lib/vireo/x' }, xml: "<source file='/etc/shadow'/>" }] }), '/etc/shadow'],
    ['a backing file in the overlay', domain('i4', { hypervisorRef: { name: 'raw' }, disks: [{ name: 'd', file: { path: '/var/lib/vireo/x' }, xml: "<backingStore type='file'><format type='raw'/><source file='/etc/shadow'/></backingStore>" }] }), '/etc/shadow'],
    ["a volume past its object", domain('i5', overlay("<devices><disk type='volume'><source pool='images' volume='x'/><target dev='vdz' bus='virtio'/></disk></devices>")), 'images/x'],
    ["QEMU's own arguments under any prefix", domain('i6', overlay("<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:arg value='-S'/></q:commandline>")), 'another XML namespace'],
    ['a program of the host', domain('i7', overlay('<devices><emulator>/var/lib/vireo/images/evil</emulator></devices>')), 'names a program'],
    ['no confinement', domain('i8', overlay("<seclabel type='none'/>")), 'confines'],
    ['a device of the host', domain('i9', overlay("<devices><hostdev mode='subsystem' type='usb'><source><vendor id='0x1'/><product id='0x1'/></source></hostdev></devices>")), 'hands a device'],
    ['a network past its object', domain('j1', overlay("<devices><interface type='network'><source network='default'/></interface></devices>")), 'the network default'],
    ['another type of a disk', domain('k9', overlay("<devices><disk type='nvme'><source type='pci' namespace='1'><address domain='0' bus='1' slot='0' function='0'/></source><target dev='vdz' bus='virtio'/></disk></devices>")), 'type nvme'],
    ['user-mode networking', domain('l1', overlay("<devices><interface type='user'/></devices>")), "the host's interface lo"],
    ['a bridge in the overlay', domain('j2', overlay("<devices><interface type='bridge'><source bridge='br0'/></interface></devices>")), 'br0'],
    ['a folder for the guest', domain('j3', overlay("<devices><filesystem type='mount'><source dir='/etc'/><target dir='etc'/></filesystem></devices>")), '/etc'],
  ]
  let before: string[]

  beforeAll(async () => {
    before = await changes()
    await apply(...cases.map(([, object]) => object))
  })

  test.each(cases)('%s', async (_what, object, named) => {
    const message = await refused(object, 'Forbidden')
    expect(message).toContain(named)
    expect(message, 'a sentence that says what to do').toMatch(/(^spec\.|^The document's |the document's ).*: .*\. (Use|Take|Ask) .*\.$/)
    const { status, metadata } = (await stage.get(object.kind, object.metadata.name))!
    expect(status?.binding).toBeUndefined()
    expect(metadata.finalizers, 'nothing to clean up').toBeUndefined()
  })

  test('no changing call was made', async () => {
    expect(await changes()).toEqual(before)
    await remove(...cases.map(([, object]) => object))
    expect(await changes()).toEqual(before)
  })
})

test('a namespace that is not selected is Forbidden, goes on once a label selects it, and can still clean up when it no longer does', async () => {
  await patch('Hypervisor', 'second', { spec: { policy: { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': null, host: 'second' } } } } })
  const object = network('tenant', { hypervisorRef: { name: 'second' } }, 'team')
  const before = await second.execOk(['virsh', 'net-list', '--all', '--name'])
  await apply(object)
  expect(await refused(object, 'Forbidden')).toBe('Namespace team may not use Hypervisor second: its policy.namespaceSelector does not select the namespace. Ask for a label that it selects, or use another Hypervisor.')
  expect(await second.execOk(['virsh', 'net-list', '--all', '--name'])).toBe(before)
  await stage.kubectl(['label', 'namespace', 'team', 'host=second'])
  await stage.untilReady('VirtualNetwork', 'tenant', { namespace: 'team' })
  await stage.kubectl(['label', 'namespace', 'team', 'host-'])
  await refused(object, 'Forbidden')
  expect(await second.execOk(['virsh', 'net-list', '--name']), 'what runs stays').toContain('team.tenant')
  await remove(object)
  expect(await second.execOk(['virsh', 'net-list', '--all', '--name'])).toBe(before)
})

test('a raw volume into which a guest wrote a qcow2 header stays raw, and the file that it names is never opened', async () => {
  const { host } = stage
  await host.execOk(['sh', '-c', 'head -c 1048576 /dev/urandom > /srv/secret'])
  await apply(volume('scratch', { format: 'raw' }))
  await stage.untilReady('StorageVolume', 'scratch')
  // What the guest could write to its disk's beginning.
  await host.execOk(['sh', '-c', 'qemu-img create -q -f qcow2 -b /srv/secret -F raw /srv/evil.qcow2 && dd if=/srv/evil.qcow2 of=/var/lib/vireo/images/scratch conv=notrunc status=none'])
  await stage.virsh('pool-refresh', 'images')
  const guest = domain('raw-guest', { powerState: 'Running', disks: [{ name: 'root', volumeRef: { name: 'scratch' } }] })
  await apply(guest)
  await stage.untilReady('VirtualDomain', 'raw-guest')
  const live = await stage.virsh('dumpxml', 'raw-guest')
  const inactive = await stage.virsh('dumpxml', '--inactive', 'raw-guest')
  for (const xml of [live, inactive]) {
    expect(xml).toMatch(/<driver name='qemu' type='raw'/)
    expect(xml).toContain('<backingStore/>')
    expect(xml).not.toContain('/srv/secret')
  }
  const opened = await host.execOk(['sh', '-c', 'ls -l /proc/$(cat /run/libvirt/qemu/raw-guest.pid)/fd'])
  expect(opened).toContain('/var/lib/vireo/images/scratch')
  expect(opened).not.toContain('/srv/secret')
  const blocks = await stage.virsh('qemu-monitor-command', 'raw-guest', '{"execute":"query-named-block-nodes"}')
  expect(blocks).not.toContain('secret')
  expect(blocks).not.toContain('"drv":"qcow2"')
  const { status } = (await stage.get('StorageVolume', 'scratch'))!
  expect(status?.format).toBe('raw')
  expect(status?.binding?.format).toBe('raw')
  // What is taken from it follows that header as little.
  const above = volume('above-scratch', { backingStore: { volumeRef: { name: 'scratch' } }, capacity: undefined })
  await patch('VirtualDomain', 'raw-guest', { spec: { powerState: 'Stopped', shutdown: { gracePeriod: '1s' } } })
  await stage.until('VirtualDomain', 'raw-guest', object => object.status?.powerState === 'Stopped')
  await apply(above)
  await stage.untilReady('StorageVolume', 'above-scratch')
  const chain = await host.execOk(['qemu-img', 'info', '--output=json', '/var/lib/vireo/images/above-scratch'])
  expect(JSON.parse(chain)).toMatchObject({ 'backing-filename': '/var/lib/vireo/images/scratch', 'backing-filename-format': 'raw' })
  await remove(guest, above)
  await remove(volume('scratch'))
})

test('an image with another checksum is SourceFailed and leaves no half volume', async () => {
  const image = join(stage.folder, 'image.raw')
  await writeFile(image, Buffer.alloc(1 << 20, 'image'))
  const server = await serveFiles({ '/image.raw': image })
  try {
    const object = volume('downloaded', { capacity: undefined, source: { url: { url: `${server.url}/image.raw`, checksum: `sha256:${'0'.repeat(64)}` } } })
    const before = await stage.host.execOk(['ls', '/var/lib/vireo/images'])
    await apply(object)
    const message = await refused(object, 'SourceFailed')
    expect(message).toContain('has the checksum sha256:')
    expect(message).not.toContain('undefined')
    expect(await stage.host.execOk(['ls', '/var/lib/vireo/images'])).toBe(before)
    await until('an Event tells it', async () => (await stage.kubectl(['get', 'events', '-A', '--field-selector', 'involvedObject.name=downloaded', '-o', 'jsonpath={.items[*].message}'])).includes('has the checksum sha256:'))
    await remove(object)
  } finally {
    await server.close()
  }
})

describe('what is bound does not move:', () => {
  const objects = [volume('bound', { format: 'qcow2', capacity: '16Mi' }), network('bound'), domain('bound')]
  beforeAll(async () => {
    await apply(...objects)
    for (const { kind, metadata } of objects) await stage.untilReady(kind, metadata.name)
  })
  afterAll(async () => { await remove(...objects) })

  test.each<[string, Kind, string, object, RegExp]>([
    ['a volume does not shrink', 'StorageVolume', 'bound', { capacity: '8Mi' }, /capacity/],
    ['nor change its format', 'StorageVolume', 'bound', { format: 'raw' }, /format/],
    ['nor its pool', 'StorageVolume', 'bound', { poolRef: { name: 'other' } }, /pool/],
    ['a pool keeps its type', 'StoragePool', 'images', { dir: null, logical: { name: 'vg', devices: ['/dev/sdz'] } }, /pool/],
    ['and its folder', 'StoragePool', 'images', { dir: { path: '/var/lib/vireo/elsewhere' } }, /path|pool/],
    ['a network stays on its host', 'VirtualNetwork', 'bound', { hypervisorRef: { name: 'second' } }, /hypervisorRef|Hypervisor/],
    ['a domain too', 'VirtualDomain', 'bound', { hypervisorRef: { name: 'second' } }, /hypervisorRef|Hypervisor/],
    ['and under its name', 'VirtualDomain', 'bound', { name: 'another' }, /name/],
    ['and UUID', 'VirtualDomain', 'bound', { uuid: '6f1c2d3e-0000-5000-8000-000000000001' }, /uuid|UUID/],
  ])('%s', async (_what, kind, name, spec, words) => {
    const before = (await stage.get(kind, name))!
    const result = await stage.plane.kubectl(['patch', kind, name, '--type=merge', '-p', JSON.stringify({ spec })])
    expect(result.code).not.toBe(0)
    expect(result.stderr).toMatch(words)
    expect(result.stderr, 'says what to do instead').toMatch(/: .*(new|instead|set|put|leave|remove|create|make|back)/i)
    expect((await stage.get(kind, name))!.metadata.resourceVersion).toBe(before.metadata.resourceVersion)
  })
})

describe('a start that QEMU refuses', () => {
  test.each<[string, string, object, RegExp]>([
    ['for a missing file', 'no-file', { os: { kernelBoot: { kernel: { path: '/var/lib/vireo/no-such-kernel' } } } }, /no-such-kernel|No such file/],
    ['for want of memory', 'no-memory', { memory: '64Ti', maxMemory: '64Ti' }, /memory|[Aa]ddress space|phys-bits/],
  ])('%s is told in the words of the daemon, tried ever more rarely, and at once after a change of the spec', async (_what, name, spec, words) => {
    const object = domain(name, { powerState: 'Running', ...spec })
    await apply(object)
    const message = await refused(object, 'HostError')
    expect(message).toMatch(/^The host refused: /)
    expect(message).toMatch(words)
    const stalled = (await stage.get('VirtualDomain', name))!
    expect(condition(stalled, 'Stalled')?.status).toBe('True')
    expect(stalled.status?.powerState).toBe('Stopped')
    await until('an Event tells it', async () => (await stage.kubectl(['get', 'events', '-A', '--field-selector', `involvedObject.name=${name},type=Warning`, '-o', 'jsonpath={.items[*].message}'])).includes(message.slice(0, 60)))
    const attempts = (): number => [...stage.controllerLog.matchAll(new RegExp(`"object":"VirtualDomain/default/${name}".*action failed`, 'g'))].length
    // Its definition succeeded with the first of them; the next start is 16 s away.
    await until('its start has failed six times', () => attempts() >= 6, { timeoutMs: 60_000 })
    const patched = performance.now()
    await stage.kubectl(['patch', 'virtualdomain', name, '--type=merge', '-p', JSON.stringify({ spec: { os: null, memory: '64Mi', maxMemory: null } })])
    await stage.untilReady('VirtualDomain', name)
    expect(performance.now() - patched).toBeLessThan(10_000)
    await patch('VirtualDomain', name, { spec: { shutdown: { gracePeriod: '1s' } } })
    await remove(object)
  })
})
