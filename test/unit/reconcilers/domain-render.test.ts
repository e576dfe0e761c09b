// The document of a domain: what each field becomes, what is kept for life, and what is refused.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parsed } from '../../../xml/parsed.ts'
import { type XmlElement, attributeOf, childOf, childrenOf, parseXml, serializeXml } from '../../../xml/tree.ts'
import { Bed, type BedOptions, FULL, SHORTEST, type Spec, refusal } from './domain-bed.ts'
import { anySpec } from './domain-specs.ts'

function rendered(spec: Partial<Spec>, options: Omit<BedOptions, 'spec'> = {}): XmlElement {
  const [action] = new Bed({ ...options, spec: { ...SHORTEST, ...spec } }).plan().actions
  if (action?.type !== 'Defined') throw new Error('it is not defined')
  return parseXml(action.xml)
}
const device = (document: XmlElement, kind: string, alias: string): XmlElement | undefined =>
  childrenOf(childOf(document, 'devices'), kind).find(entry => attributeOf(childOf(entry, 'alias'), 'name') === alias)
const path = (document: XmlElement, ...names: string[]): string => { const found = childOf(document, ...names); return found === undefined ? 'none' : serializeXml(found) }
const targets = (document: XmlElement): Record<string, string | undefined> =>
  Object.fromEntries(childrenOf(childOf(document, 'devices'), 'disk').map(disk => [attributeOf(childOf(disk, 'alias'), 'name') ?? '', attributeOf(childOf(disk, 'target'), 'dev')]))
const mac = (document: XmlElement, name: string): string | undefined => attributeOf(childOf(device(document, 'interface', `ua-interface-${name}`), 'mac'), 'address')

describe('the shortest domain', () => {
  const document = rendered({})
  test('is a KVM guest of the newest machine, with one CPU, a console, an agent channel and random numbers', () => {
    expect(document.attributes['type']).toBe('kvm')
    expect(path(document, 'vcpu')).toBe('<vcpu>1</vcpu>')
    expect([path(document, 'memory'), path(document, 'currentMemory')]).toEqual(['<memory unit="KiB">1048576</memory>', '<currentMemory unit="KiB">1048576</currentMemory>'])
    expect(path(document, 'os')).toBe('<os><type arch="x86_64" machine="q35">hvm</type><boot dev="hd"/><boot dev="cdrom"/></os>')
    expect(path(document, 'cpu')).toBe('<cpu mode="host-model"/>')
    expect(path(document, 'features')).toBe('<features><acpi/><apic/></features>')
    for (const [kind, alias] of [['disk', 'ua-disk-root'], ['serial', 'ua-serial-default'], ['channel', 'ua-channel-agent'], ['rng', 'ua-rng-default']]) expect(device(document, kind!, alias!)).toBeDefined()
    expect(childOf(document, 'devices', 'graphics')).toBeUndefined()
    expect(childOf(document, 'devices', 'memballoon')).toBeUndefined()
  })
  test('is the same text each time', () => { expect(serializeXml(rendered({}))).toBe(serializeXml(document)) })
})

describe('each field', () => {
  const disk = (fields: object): Partial<Spec> => ({ disks: [{ name: 'root', volumeRef: { name: 'web-root' }, ...fields }] })
  const nic = (fields: object): Partial<Spec> => ({ interfaces: [{ name: 'lan', networkRef: { name: 'lab' }, ...fields }] })
  const rootDisk = (document: XmlElement): XmlElement => device(document, 'disk', 'ua-disk-root')!
  const lan = (document: XmlElement): XmlElement => device(document, 'interface', 'ua-interface-lan')!
  test.each<[string, Partial<Spec>, (document: XmlElement) => string, string]>([
    ['type', { type: 'qemu' }, document => document.attributes['type']!, 'qemu'],
    ['title', { title: 'A & <B>' }, document => path(document, 'title'), '<title>A &amp; &lt;B&gt;</title>'],
    ['description', { description: 'd' }, document => path(document, 'description'), '<description>d</description>'],
    ['cpus below maxCpus', { cpus: 2, maxCpus: 4 }, document => path(document, 'vcpu'), '<vcpu current="2">4</vcpu>'],
    ['cpus at maxCpus', { cpus: 4, maxCpus: 4 }, document => path(document, 'vcpu'), '<vcpu>4</vcpu>'],
    ['maxMemory', { maxMemory: '2Gi' }, document => path(document, 'memory') + path(document, 'currentMemory'), '<memory unit="KiB">2097152</memory><currentMemory unit="KiB">1048576</currentMemory>'],
    ['memory in odd bytes is rounded up to KiB', { memory: '1048577' }, document => path(document, 'memory'), '<memory unit="KiB">1025</memory>'],
    ['cpu', { cpu: { mode: 'custom', model: 'Nehalem', topology: { sockets: 1, cores: 2 }, features: [{ name: 'vmx', policy: 'disable' }] } }, document => path(document, 'cpu'), '<cpu mode="custom"><model>Nehalem</model><topology sockets="1" dies="1" cores="2" threads="1"/><feature policy="disable" name="vmx"/></cpu>'],
    ['os.machine', { os: { machine: 'pc' } }, document => path(document, 'os', 'type'), '<type arch="x86_64" machine="pc">hvm</type>'],
    ['os.firmware.uefi', { os: { firmware: { uefi: {} } } }, document => attributeOf(childOf(document, 'os'), 'firmware') ?? '', 'efi'],
    ['os.bootMenu', { os: { bootMenu: { state: 'Enabled', timeout: '3s' } } }, document => path(document, 'os', 'bootmenu'), '<bootmenu enable="yes" timeout="3000"/>'],
    ['os.kernelBoot', { os: { kernelBoot: { kernel: { path: '/var/lib/vireo/vmlinuz' }, initrd: { path: '/var/lib/vireo/initrd' }, cmdline: 'console=ttyS0' } } }, document => ['kernel', 'initrd', 'cmdline'].map(name => path(document, 'os', name)).join(''), '<kernel>/var/lib/vireo/vmlinuz</kernel><initrd>/var/lib/vireo/initrd</initrd><cmdline>console=ttyS0</cmdline>'],
    ['lifecycle', { lifecycle: { onPoweroff: 'preserve', onReboot: 'destroy', onCrash: 'restart' } }, document => ['on_poweroff', 'on_reboot', 'on_crash'].map(name => path(document, name)).join(''), '<on_poweroff>preserve</on_poweroff><on_reboot>destroy</on_reboot><on_crash>restart</on_crash>'],
    ['disk bus', disk({ bus: 'sata' }), document => path(rootDisk(document), 'target'), '<target dev="sda" bus="sata"/>'],
    ['disk target', disk({ target: 'vdq' }), document => path(rootDisk(document), 'target'), '<target dev="vdq" bus="virtio"/>'],
    ['disk cache, io and discard', disk({ cache: 'none', io: 'native', discard: 'unmap' }), document => path(rootDisk(document), 'driver'), '<driver name="qemu" type="qcow2" cache="none" io="native" discard="unmap"/>'],
    ['disk readOnly', disk({ readOnly: true }), document => path(rootDisk(document), 'readonly'), '<readonly/>'],
    ['disk shareable', disk({ shareable: true }), document => path(rootDisk(document), 'shareable'), '<shareable/>'],
    ['disk serial', disk({ serial: 'abc' }), document => path(rootDisk(document), 'serial'), '<serial>abc</serial>'],
    ['disk bootOrder, and no other order', disk({ bootOrder: 2 }), document => path(rootDisk(document), 'boot') + path(document, 'os', 'boot'), '<boot order="2"/>none'],
    ['disk xml', disk({ xml: '<driver copy_on_read="on"/>' }), document => path(rootDisk(document), 'driver'), '<driver name="qemu" type="qcow2" copy_on_read="on"/>'],
    ['an empty tray', disk({ volumeRef: undefined, device: 'cdrom' }), document => path(rootDisk(document), 'source') + path(rootDisk(document), 'backingStore'), 'nonenone'],
    ['interface network and portgroup', nic({ networkRef: { name: 'lab', portgroup: 'dmz' } }), document => path(lan(document), 'source'), '<source network="shop.lab" portgroup="dmz"/>'],
    ['interface bridge', nic({ networkRef: undefined, bridge: { name: 'br0' } }), document => lan(document).attributes['type']! + path(lan(document), 'source'), 'bridge<source bridge="br0"/>'],
    ['interface mac', nic({ mac: '52:54:00:AA:BB:CC' }), document => path(lan(document), 'mac'), '<mac address="52:54:00:aa:bb:cc"/>'],
    ['interface model', nic({ model: 'e1000e' }), document => path(lan(document), 'model'), '<model type="e1000e"/>'],
    ['interface mtu', nic({ mtu: 1400 }), document => path(lan(document), 'mtu'), '<mtu size="1400"/>'],
    ['interface linkState', nic({ linkState: 'down' }), document => path(lan(document), 'link'), '<link state="down"/>'],
    ['interface bootOrder', nic({ bootOrder: 1 }), document => path(lan(document), 'boot'), '<boot order="1"/>'],
    ['graphics with listen and password', { graphics: FULL.graphics }, document => path(document, 'devices', 'graphics'), '<graphics type="vnc" port="-1" autoport="yes" listen="127.0.0.1" passwd="correct-horse"><listen type="address" address="127.0.0.1"/></graphics>'],
    ['spice', { graphics: [{ name: 'main', spice: {} }] }, document => path(document, 'devices', 'graphics'), '<graphics type="spice" autoport="yes"/>'],
    ['serial to a unix socket', { serials: [{ name: 's', unix: { path: '/var/lib/vireo/s.sock' } }] }, document => path(document, 'devices', 'serial', 'source'), '<source mode="bind" path="/var/lib/vireo/s.sock"/>'],
    ['serial to TCP', { serials: [{ name: 's', tcp: { host: '127.0.0.1', port: 4000 } }] }, document => path(document, 'devices', 'serial', 'source') + path(document, 'devices', 'serial', 'protocol'), '<source mode="bind" host="127.0.0.1" service="4000"/><protocol type="raw"/>'],
    ['serial log', { serials: [{ name: 's', pty: {}, log: { file: '/var/lib/vireo/s.log' } }] }, document => path(document, 'devices', 'serial', 'log'), '<log file="/var/lib/vireo/s.log"/>'],
    ['no serial', { serials: [] }, document => path(document, 'devices', 'serial'), 'none'],
    ['no default devices', { defaultDevices: { serialConsole: 'Disabled', guestAgent: 'Disabled', rng: 'Disabled', memballoon: 'Disabled' } }, document => ['serial', 'channel', 'rng', 'memballoon'].map(name => path(document, 'devices', name)).join(' '), 'none none none <memballoon model="none"/>'],
    ['video', { video: { model: 'vga', heads: 2 } }, document => path(document, 'devices', 'video'), '<video><model type="vga" heads="2"/></video>'],
    ['xml', { xml: '<memoryBacking><nosharepages/></memoryBacking>' }, document => path(document, 'memoryBacking'), '<memoryBacking><nosharepages/></memoryBacking>'],
  ])('%s', (_, spec, look, wanted) => { expect(look(rendered(spec))).toBe(wanted) })

  test('the order of entries carries no meaning', () => {
    const bed = new Bed({ spec: FULL })
    bed.settle()
    bed.edit(spec => { spec.disks!.reverse(); spec.interfaces!.reverse() })
    expect(bed.plan().actions.filter(action => action.type !== 'Defined')).toEqual([])
    const before = targets(bed.inactive)
    bed.settle()
    expect(targets(bed.inactive)).toEqual(before)
  })
})

describe('what a volume is', () => {
  test('a disk names its path and the format of our record', () => {
    const disk = device(rendered({}), 'disk', 'ua-disk-root')!
    expect(path(disk, 'source')).toBe('<source file="/var/lib/vireo/images/web-root"/>')
    expect(attributeOf(childOf(disk, 'driver'), 'type')).toBe('qcow2')
  })

  test('a volume whose content looks otherwise to a probe is what our record says', () => {
    const disk = device(rendered({}, { probe: { format: 'vmdk', backing: '/etc/shadow' } }), 'disk', 'ua-disk-root')!
    expect(attributeOf(childOf(disk, 'driver'), 'type')).toBe('qcow2')
    expect(serializeXml(disk)).not.toContain('shadow')
    const raw = new Bed({ spec: { memory: '1Gi', disks: [{ name: 'd', volumeRef: { name: 'scratch' } }] } })
    const scratch = raw.mirror.volumeByPath('/var/lib/vireo/images/scratch')!
    raw.mirror.set({ ...scratch, format: 'qcow2', backing: '/etc/shadow' })
    const [action] = raw.plan().actions
    const document = parseXml(action?.type === 'Defined' ? action.xml : '<none/>')
    expect(path(device(document, 'disk', 'ua-disk-d')!, 'driver')).toBe('<driver name="qemu" type="raw"/>')
    expect(path(device(document, 'disk', 'ua-disk-d')!, 'backingStore')).toBe('<backingStore/>')
  })

  test('the backing chain is written out to its end, so that nothing is probed', () => {
    fc.assert(fc.property(anySpec, spec => {
      for (const disk of childrenOf(childOf(rendered(spec), 'devices'), 'disk')) {
        if (childOf(disk, 'source') === undefined) continue
        let at = childOf(disk, 'backingStore')
        expect(at).toBeDefined()
        for (; at !== undefined && at.children.length > 0; at = childOf(at, 'backingStore')) expect([attributeOf(childOf(at, 'format'), 'type'), childOf(at, 'backingStore') !== undefined]).toEqual(['qcow2', true])
      }
    }), { numRuns: 20 })
    const files: string[] = []
    for (let at = childOf(device(rendered({}), 'disk', 'ua-disk-root'), 'backingStore'); at !== undefined && at.children.length > 0; at = childOf(at, 'backingStore')) files.push(attributeOf(childOf(at, 'source'), 'file') ?? '')
    expect(files).toEqual(['/var/lib/vireo/images/middle', '/var/lib/vireo/images/debian-12'])
  })
})

describe('what is kept for life', () => {
  test('targets, when an entry in the middle goes and another comes', () => {
    const bed = new Bed({ spec: { memory: '1Gi', disks: [{ name: 'a', file: { path: '/var/lib/vireo/a', format: 'raw' } }, { name: 'b', file: { path: '/var/lib/vireo/b', format: 'raw' } }, { name: 'c', file: { path: '/var/lib/vireo/c', format: 'raw' } }] } })
    bed.settle()
    expect(targets(bed.inactive)).toEqual({ 'ua-disk-a': 'vda', 'ua-disk-b': 'vdb', 'ua-disk-c': 'vdc' })
    bed.edit(spec => { spec.disks!.splice(1, 1) }).settle()
    expect(targets(bed.inactive)).toEqual({ 'ua-disk-a': 'vda', 'ua-disk-c': 'vdc' })
    bed.edit(spec => { spec.disks!.unshift({ name: 'd', file: { path: '/var/lib/vireo/d', format: 'raw' } }) }).settle()
    expect(targets(bed.inactive)).toEqual({ 'ua-disk-a': 'vda', 'ua-disk-c': 'vdc', 'ua-disk-d': 'vdb' })
  })

  test('targets are free of each other, whatever the disks', () => {
    fc.assert(fc.property(anySpec, anySpec, (spec, next) => {
      const bed = new Bed({ spec })
      bed.settle()
      bed.edit(old => { old.disks = next.disks ?? [] }).settle()
      const devs = Object.values(targets(bed.inactive))
      expect(new Set(devs).size).toBe(devs.length)
    }), { numRuns: 20 })
  })

  test('MAC addresses, which derive from the UUID and the entry\'s name alone', () => {
    const bed = new Bed({ spec: FULL })
    bed.settle()
    const before = mac(bed.inactive, 'lan')
    expect(before).toMatch(/^52:54:00(:[0-9a-f]{2}){3}$/)
    bed.edit(spec => { spec.interfaces!.shift(); spec.interfaces!.push({ name: 'lan', networkRef: { name: 'dmz' } }) }).settle()
    expect(mac(bed.inactive, 'lan')).toBe(before)
    expect(mac(rendered({ interfaces: FULL.interfaces }), 'lan')).toBe(before)
    expect(mac(rendered({ interfaces: FULL.interfaces }), 'mgmt')).not.toBe(before)
  })
})

describe('what a namespace may not use', () => {
  const granted = { hostPaths: ['/var/lib/vireo'], hostInterfaces: ['br0'], rawXML: 'Allowed' as const }
  const HOSTILE = ['/etc/shadow', '/var/lib/vireo/../../../etc/shadow', '/var/lib/vireo/./x', '/var/lib/vireo//x', '/var/lib/vireox', '//var/lib/vireo/x', '/', '/var/lib', 'etc/shadow', '/var/lib/vireo/\n/etc/shadow']
  const places: [string, (path: string) => Partial<Spec>][] = [
    ['a disk', file => ({ disks: [{ name: 'd', file: { path: file, format: 'raw' } }] })],
    ['a cdrom', file => ({ disks: [{ name: 'd', device: 'cdrom', file: { path: file, format: 'raw' } }] })],
    ['a kernel', file => ({ os: { kernelBoot: { kernel: { path: file } } } })],
    ['an initrd', file => ({ os: { kernelBoot: { kernel: { path: '/var/lib/vireo/k' }, initrd: { path: file } } } })],
    ['a loader', file => ({ os: { firmware: { uefi: { loader: file } } } })],
    ['a serial port\'s log', file => ({ serials: [{ name: 's', pty: {}, log: { file } }] })],
    ['a serial port\'s socket', file => ({ serials: [{ name: 's', unix: { path: file } }] })],
    ['a serial port\'s file', file => ({ serials: [{ name: 's', file: { path: file } }] })],
    ['the overlay', file => ({ xml: `<devices><disk type="file" device="disk"><source file="${file}"/><target dev="vdz"/></disk></devices>` })],
    ['an entry\'s own overlay', file => ({ disks: [{ name: 'd', file: { path: '/var/lib/vireo/d' }, xml: `<source file="${file}"/>` }] })],
    ['a shared folder in the overlay', file => ({ xml: `<devices><filesystem type="mount"><source dir="${file}"/><target dir="x"/></filesystem></devices>` })],
  ]
  test.each(places)('paths of the host outside its grant, in %s', (_, spec) => {
    for (const hostile of HOSTILE) {
      const standing = refusal(new Bed({ spec: { ...SHORTEST, ...spec(hostile) }, policy: granted }))
      expect([hostile, standing.reason]).toEqual([hostile, 'Forbidden'])
      expect(standing.message).toMatch(/hostPaths/)
    }
    expect(() => new Bed({ spec: { ...SHORTEST, ...spec('/var/lib/vireo/fine') }, policy: granted }).plan()).not.toThrow()
  })

  test.each<[string, Partial<Spec>, object, RegExp]>([
    ['raw XML', { xml: '<title>x</title>' }, { rawXML: 'Forbidden' }, /rawXML/],
    ['raw XML of an entry', { disks: [{ name: 'd', volumeRef: { name: 'web-root' }, xml: '<driver/>' }] }, { rawXML: 'Forbidden' }, /rawXML/],
    ['a bridge of the host', { interfaces: [{ name: 'lan', bridge: { name: 'br9' } }] }, {}, /hostInterfaces/],
    ['a bridge of the host, in the overlay', { xml: '<devices><interface type="bridge"><source bridge="br9"/></interface></devices>' }, {}, /hostInterfaces/],
    ['an interface of the host, in the overlay', { xml: '<devices><interface type="direct"><source dev="eth0" mode="bridge"/></interface></devices>' }, {}, /hostInterfaces/],
    ['a device of the host, in the overlay', { xml: '<devices><hostdev mode="subsystem" type="pci"><source><address domain="0" bus="1" slot="0" function="0"/></source></hostdev></devices>' }, {}, /never accepted/],
    ['a device of the host as an interface', { xml: '<devices><interface type="hostdev"><source><address type="pci" domain="0" bus="1" slot="0" function="0"/></source></interface></devices>' }, {}, /never accepted|Forbidden|grant/],
    ['a device file as a disk', { xml: '<devices><disk type="block" device="disk"><source dev="/dev/sda"/><target dev="vdz"/></disk></devices>' }, {}, /hostPaths/],
    ['a volume past the objects of the API', { xml: '<devices><disk type="volume" device="disk"><source pool="images" volume="other-tenant"/><target dev="vdz"/></disk></devices>' }, {}, /volumeRef/],
    ['a network that is not an object of the API', { xml: '<devices><interface type="network"><source network="other-tenant"/></interface></devices>' }, {}, /networkRef|network/],
    ['arguments past libvirt\'s checks', { xml: '<qemu:commandline xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0"><qemu:arg value="-x"/></qemu:commandline>' }, {}, /never accepted/],
    ['the same under another prefix', { xml: '<q:commandline xmlns:q="http://libvirt.org/schemas/domain/qemu/1.0"><q:arg value="-x"/></q:commandline>' }, {}, /never accepted/],
    ['the same without a prefix', { xml: '<commandline xmlns="http://libvirt.org/schemas/domain/qemu/1.0"><arg value="-x"/></commandline>' }, {}, /never accepted/],
    ['another emulator', { xml: '<devices><emulator>/var/lib/vireo/evil</emulator></devices>' }, {}, /never accepted/],
    ['another namespace\'s volume', { disks: [{ name: 'd', volumeRef: { name: 'web-root', namespace: 'other' } }] }, {}, /not exported/],
  ])('%s', (_, spec, policy, sentence) => {
    expect(refusal(new Bed({ spec: { ...SHORTEST, ...spec }, policy: { ...granted, ...policy } }))).toMatchObject({ reason: 'Forbidden', message: expect.stringMatching(sentence) as string })
  })

  test.each<[string, string, RegExp]>([
    ['the name', '<name>x</name>', /spec\.name/],
    ['the UUID', '<uuid>x</uuid>', /spec\.uuid/],
    ['our own metadata', '<metadata><vireo:owner xmlns:vireo="https://vireo.dev/xmlns/1" uid="x"/></metadata>', /metadata/],
    ['anything, with tags that cross', '<a><b></a></b>', /well-formed/],
  ])('an overlay that sets %s', (_, xml, sentence) => {
    expect(refusal(new Bed({ spec: { ...SHORTEST, xml } }))).toMatchObject({ message: expect.stringMatching(sentence) as string })
  })
})

test('documents that are shared between readers are never changed by a plan', () => {
  const bed = new Bed({ spec: FULL })
  bed.settle()
  const shared = [bed.observed!.inactive, bed.observed!.live!]
  const before = shared.map(text => serializeXml(parsed(text)))
  bed.edit(spec => { spec.memory = '2Gi'; spec.disks!.pop(); spec.interfaces![0]!.linkState = 'down' }).plan()
  expect(shared.map(text => serializeXml(parsed(text)))).toEqual(before)
})
