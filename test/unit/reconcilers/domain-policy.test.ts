// What a domain may not reach, from its spec to the sentence: volumes of others, the host, and what only looks harmless.
import { describe, expect, test } from 'vitest'
import { Mirror } from '../../../controller/mirror.ts'
import type { StorageVolume } from '../../../crds/storagevolume.ts'
import type { VirtualDomain } from '../../../crds/virtualdomain.ts'
import { childOf, parseXml } from '../../../xml/tree.ts'
import { Bed, type BedOptions, INSTALLATION, SHORTEST, type Spec, refusal } from './domain-bed.ts'

const other = '/var/lib/vireo/images/scratch'
const closed = {}
const raw = { rawXML: 'Allowed' as const }

describe('a volume of another is not reached by its path, which the default policy grants,', () => {
  test.each<[string, Partial<Spec>]>([
    ['by a disk', { disks: [{ name: 'd', file: { path: other, format: 'raw' } }] }],
    ['by a disk that says qcow2 of what a guest wrote', { disks: [{ name: 'd', file: { path: other, format: 'qcow2' } }] }],
    ['by a cdrom', { disks: [{ name: 'd', device: 'cdrom', file: { path: other } }] }],
    ['by a serial port', { serials: [{ name: 's', file: { path: other } }] }],
    ['by a log', { serials: [{ name: 's', pty: {}, log: { file: other } }] }],
    ['by firmware variables, with which it would be deleted', { os: { firmware: { uefi: { nvram: { path: other } } } } }],
    ['by the template of firmware variables', { os: { firmware: { uefi: { nvram: { template: other } } } } }],
    ['by a loader', { os: { firmware: { uefi: { loader: other } } } }],
    ['by a kernel', { os: { kernelBoot: { kernel: { path: other } } } }],
  ])('%s', (_what, spec) => {
    expect(refusal(new Bed({ spec: { ...SHORTEST, ...spec }, policy: closed }))).toMatchObject({ reason: 'Forbidden', message: expect.stringContaining('the folder of a storage pool') })
  })
})

describe('a volume is written by nobody', () => {
  const golden = (disk: object, volumes?: BedOptions['volumes']): Bed =>
    new Bed({ spec: { ...SHORTEST, disks: [{ name: 'd', volumeRef: { name: 'debian-12' }, ...disk }] }, policy: closed, volumes })
  const exported = (volumes: StorageVolume[]): StorageVolume[] => volumes.map(volume => (volume.metadata.name === 'scratch'
    ? { ...volume, metadata: { ...volume.metadata, namespace: 'infra' }, spec: { poolRef: { name: 'images', namespace: 'shop' }, export: { namespaceSelector: {} } } } : volume))
  const foreign = { volumeRef: { name: 'scratch', namespace: 'infra' } }

  test('who has it from another namespace: it is exported to be read', () => {
    expect(refusal(golden(foreign, exported))).toEqual({ reason: 'Forbidden', message: 'spec.disks[d]: StorageVolume infra/scratch is exported to be read, as backing or clone, and a writable disk would change it for everybody. Set readOnly: true, or use a volume of your own with backingStore on it.' })
    for (const disk of [{ readOnly: true }, { device: 'cdrom' }]) expect(() => golden({ ...foreign, ...disk }, exported).plan()).not.toThrow()
  })
  test('while others lie on it, in one namespace too', () => {
    expect(refusal(golden({}))).toEqual({ reason: 'Forbidden', message: 'spec.disks[d]: StorageVolume debian-12 is what lies below StorageVolume middle: writing it would destroy what they hold. Set readOnly: true, or use a volume of your own with backingStore on it.' })
    expect(() => golden({ readOnly: true }).plan()).not.toThrow()
  })
  test('but a clone that is only asked for holds nobody up', () => {
    const unmade = (volumes: StorageVolume[]): StorageVolume[] => volumes.map(volume => (volume.metadata.name === 'middle' ? { ...volume, status: undefined } : volume))
    expect(() => golden({}, unmade).plan()).not.toThrow()
    const begun = (volumes: StorageVolume[]): StorageVolume[] => unmade(volumes).map(volume => (volume.metadata.name === 'middle' ? { ...volume, metadata: { ...volume.metadata, finalizers: ['vireo.dev/finalizer'] } } : volume))
    expect(refusal(golden({}, begun)).reason).toBe('Forbidden')
  })
  test('that vireo does not manage and that is above it', () => {
    const bed = golden({ volumeRef: { name: 'scratch' } })
    bed.mirror.set({ ...bed.mirror.volumeByPath('/var/lib/vireo/images/middle')!, ref: { pool: 'images', name: 'theirs', key: 'k' }, path: '/var/lib/vireo/images/theirs', backing: other })
    expect(refusal(bed).message).toContain('is what lies below 1 that vireo does not manage')
  })
})

describe('a volume that vireo only looks at', () => {
  const seen = (format: string | undefined, policy: BedOptions['policy'], disk: object = {}): Bed => new Bed({
    spec: { ...SHORTEST, disks: [{ name: 'd', volumeRef: { name: 'scratch' }, ...disk }] }, policy,
    volumes: all => all.map(volume => (volume.metadata.name === 'scratch' ? { ...volume, spec: { ...volume.spec, format, managementPolicy: 'ObserveOnly' as const }, status: { ...volume.status!, binding: { ...volume.status!.binding!, format: 'qcow2', origin: 'Observed' as const } } } : volume)),
  })
  test('is not taken for what it looks like: its owner says what it is', () => {
    expect(refusal(seen(undefined, { foreignObjects: 'Adopt' }))).toEqual({ reason: 'Invalid', message: 'spec.disks[d].volumeRef: vireo only looks at StorageVolume scratch, and its content may look like what a guest wrote there. Set spec.format of that object to the format that it really has.' })
  })
  test('may be read as raw, and as what can name other files only where that is granted', () => {
    expect(() => seen('raw', { foreignObjects: 'Observe' }, { readOnly: true }).plan()).not.toThrow()
    expect(refusal(seen('qcow2', { foreignObjects: 'Observe' }, { readOnly: true })).message).toMatch(/format qcow2 can name any file/)
    expect(() => seen('qcow2', { foreignObjects: 'Adopt' }).plan()).not.toThrow()
  })
  test('is written only where changing such objects is granted', () => {
    expect(refusal(seen('raw', { foreignObjects: 'Observe' })).message).toMatch(/vireo only looks at StorageVolume scratch, and policy.foreignObjects/)
  })
})

describe('raw XML', () => {
  test.each<[string, Partial<Spec>, RegExp]>([
    ['changes no type of a volume', { disks: [{ name: 'd', volumeRef: { name: 'scratch' }, xml: '<driver type="qcow2"/>' }] }, /^spec\.disks\[d\]: its driver is of type qcow2, and by vireo's record the volume is raw/],
    ['leads to no other volume', { disks: [{ name: 'd', volumeRef: { name: 'scratch' }, xml: '<source file="/var/lib/vireo/images/debian-12"/>' }] }, /storage pool/],
    ['opens no chain of a volume', { disks: [{ name: 'd', volumeRef: { name: 'scratch' }, xml: '<backingStore type="file"><format type="raw"/><source file="/etc/shadow"/></backingStore>' }] }, /shadow/],
    ['has no disk of the bus', { xml: '<devices><disk type="nvme" device="disk"><source type="pci" managed="yes" namespace="1"><address domain="0x0000" bus="0x01" slot="0x00" function="0x0"/></source><target dev="vdz" bus="virtio"/></disk></devices>' }, /type nvme is not among/],
    ['has no user-mode networking', { xml: '<devices><interface type="user"/></devices>' }, /interface lo/],
  ])('%s', (_what, spec, message) => {
    expect(refusal(new Bed({ spec: { ...SHORTEST, ...spec }, policy: raw }))).toMatchObject({ reason: 'Forbidden', message: expect.stringMatching(message) })
  })
})

test('a serial port over TCP needs its host granted', () => {
  const spec: Spec = { ...SHORTEST, serials: [{ name: 's', tcp: { host: '127.0.0.1', port: 16509, mode: 'connect' } }] }
  expect(refusal(new Bed({ spec, policy: closed }))).toEqual({ reason: 'Forbidden', message: 'spec.serials[s]: 127.0.0.1:16509 is not among the hosts that Hypervisor kvm7 may talk to, or listen on, for namespace shop (policy.networkHosts: none). Ask for the grant, HOST or HOST:PORT, or do without.' })
  expect(() => new Bed({ spec, policy: { networkHosts: ['127.0.0.1:16509'] } }).plan()).not.toThrow()
})

describe('an overlay says each thing once', () => {
  test.each<[string, Partial<Spec>, string]>([
    ['a second list of devices', { xml: '<devices/><devices><interface type="bridge"><source bridge="br9"/></interface></devices>' }, 'spec.xml: <devices> stands twice in one place (devices), and there is one at most: write what belongs into it once.'],
    ['a second source', { xml: '<devices><interface type="network"><source network="shop.lab"/><source network="other"/></interface></devices>', interfaces: [{ name: 'lan', networkRef: { name: 'lab' } }] }, 'spec.xml: <source> stands twice in one place (devices/interface/source), and there is one at most: write what belongs into it once.'],
    ['a second source of an entry', { disks: [{ name: 'd', volumeRef: { name: 'scratch' }, xml: '<source/><source file="/etc/shadow"/>' }] }, 'spec.disks[d].xml: <source> stands twice in one place (source), and there is one at most: write what belongs into it once.'],
    ['what is no XML, in an entry', { disks: [{ name: 'd', volumeRef: { name: 'scratch' }, xml: '<source' }] }, 'spec.disks[d].xml: not well-formed XML'],
  ])('not %s', (_what, spec, message) => {
    const standing = refusal(new Bed({ spec: { ...SHORTEST, ...spec }, policy: raw }))
    expect(standing).toMatchObject({ reason: 'Invalid', message: expect.stringContaining(message) })
  })
  test.each<[string, string]>([
    ['both ends of a UDP port', '<devices><serial type="udp"><source mode="bind" host="127.0.0.1" service="4000"/><source mode="connect" host="127.0.0.1" service="4000"/></serial></devices>'],
    ['several tables of smbios', '<sysinfo type="smbios"><system><entry name="serial">a</entry><entry name="version">b</entry></system></sysinfo><sysinfo type="fwcfg"><entry name="opt/x">y</entry></sysinfo>'],
    ['several disks, tags and listeners', '<devices><disk type="file"><source file="/var/lib/vireo/a"/><target dev="vdy"/></disk><disk type="file"><source file="/var/lib/vireo/b"/><target dev="vdz"/></disk><graphics type="vnc"><listen type="none"/><listen type="none"/></graphics></devices>'],
  ])('but %s', (_what, xml) => {
    expect(() => new Bed({ spec: { ...SHORTEST, xml }, policy: { ...raw, networkHosts: ['127.0.0.1'] } }).plan()).not.toThrow()
  })
})

describe('a domain of another namespace', () => {
  const theirs = '99999999-9999-4999-8999-999999999999'
  const hosted = (owner: string, policy: BedOptions['policy'] = { foreignObjects: 'Adopt' }, spec: Partial<Spec> = { managementPolicy: 'ObserveOnly' }): Bed => {
    const bed = new Bed({ spec: { ...SHORTEST, name: 'infra.db', ...spec }, policy })
    bed.host(parseXml(`<domain type='kvm'><name>infra.db</name><uuid>${theirs}</uuid>${owner}<memory>1</memory><currentMemory>1</currentMemory><vcpu>1</vcpu><devices/></domain>`))
    return bed
  }
  const mark = (namespace: string, rest = "released='no'"): string =>
    `<metadata><vireo:owner xmlns:vireo='https://vireo.dev/xmlns/1' installation='${INSTALLATION}' cluster='cluster' namespace='${namespace}' name='db' uid='u' ${rest}/></metadata>`

  test('is not looked at, whatever is granted, nor by its UUID', () => {
    const standing = { reason: 'Forbidden', message: "Domain infra.db on Hypervisor kvm7 belongs to an object of another namespace: policy.foreignObjects opens only what is no object's. Ask its owner to set spec.export where it has one, and refer to that object." }
    expect(refusal(hosted(mark('infra')))).toEqual(standing)
    expect(refusal(hosted(mark('infra'), undefined, { managementPolicy: 'ObserveOnly', uuid: theirs }))).toEqual(standing)
  })
  test('that the mark does not tell of is known by its object', () => {
    const bed = hosted('')
    const mirror = new Mirror<VirtualDomain>()
    mirror.takeWriter().replace([{ ...bed.object, metadata: { ...bed.object.metadata, namespace: 'infra', name: 'db', uid: 'db' }, spec: SHORTEST, status: { binding: { hypervisor: 'kvm7', name: 'infra.db', uuid: theirs, origin: 'Created' } } }], '7')
    Object.assign(bed.world.mirrors, { VirtualDomain: mirror })
    expect(refusal(bed).reason).toBe('Forbidden')
    bed.edit(spec => { spec.managementPolicy = 'Full'; spec.adoptionPolicy = 'Always' })
    expect(refusal(bed)).toMatchObject({ reason: 'Conflict', message: expect.stringContaining('belongs to an object of another namespace') })
  })
  test("is no secret to its own namespace, and what was released is no object's", () => {
    expect(hosted(mark('shop')).plan().standing.reason).toBe('Observed')
    expect(hosted(mark('infra', "released='yes'")).plan().standing.reason).toBe('Observed')
    expect(hosted('').plan().standing.reason).toBe('Observed')
  })
})

test('a cookie in an overlay is in no record, no status and no Event, and is sent as the spec says', () => {
  const web = (cookie: string): string => `<devices><disk type="network" device="cdrom"><driver name="qemu" type="raw"/><source protocol="https" name="x.iso"><host name="example.org" port="443"/><cookies><cookie name="session">${cookie}</cookie></cookies></source><target dev="sdb" bus="sata"/></disk></devices>`
  const bed = new Bed({ spec: { ...SHORTEST, xml: web('hunter2'), driftPolicy: { action: 'Report' } }, policy: { ...raw, networkHosts: ['example.org:443'] } })
  const [defined] = bed.settle()
  const record = (): string => JSON.stringify([childOf(bed.inactive, 'metadata'), bed.status()])
  expect((defined as { xml: string }).xml).toContain('hunter2')
  expect(record()).toContain('***')
  expect(record()).not.toContain('hunter2')
  bed.edit(spec => { spec.xml = web('hunter3') })
  const plan = bed.plan()
  const next = plan.actions.find(action => action.type === 'Defined')
  expect(next).toMatchObject({ xml: expect.stringContaining('hunter3') })
  expect(JSON.stringify([plan.pending, plan.drift, plan.standing, plan.actions.map(action => action.reason)])).not.toMatch(/hunter/)
  bed.define((next as { xml: string }).xml)
  expect(record()).not.toMatch(/hunter/)
})

test('an address is shown that the network of the interface leased, not one that another network leased to the same MAC address', () => {
  const bed = new Bed({ spec: { ...SHORTEST, interfaces: [{ name: 'lan', networkRef: { name: 'lab' }, mac: '52:54:00:aa:bb:01' }, { name: 'up', bridge: { name: 'br0' }, mac: '52:54:00:aa:bb:02' }] } })
  const asked: string[][] = []
  Object.assign(bed.world, { leases: (...from: string[]) => { asked.push(from); return [{ ipaddr: '10.0.0.5', prefix: 24 }] } })
  bed.settle()
  expect(bed.status()).toMatchObject({ address: '10.0.0.5', interfaces: [{ name: 'lan', addresses: [{ address: '10.0.0.5' }] }, { name: 'up', addresses: undefined }] })
  expect(asked).toEqual([['kvm7', '52:54:00:aa:bb:01', 'shop.lab']])
})
