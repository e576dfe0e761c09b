// What a namespace may use of a host, and that no spelling gets around it.
import { describe, expect, test } from 'vitest'
import type { Hypervisor } from '../../../crds/hypervisor.ts'
import { Refusal } from '../../../reconcilers/plan.ts'
import { checkDocument, checkDomain, grantFor, pathAllowed, requireSelected, selects } from '../../../reconcilers/policy.ts'
import { parseXml } from '../../../xml/tree.ts'

const hypervisor = (policy: Hypervisor['spec']['policy'] = {}): Hypervisor =>
  ({ apiVersion: 'vireo.dev/v1alpha1', kind: 'Hypervisor', metadata: { name: 'kvm7', uid: 'hv', resourceVersion: '1' }, spec: { uri: 'qemu:///system', policy } })
const grant = (policy: Hypervisor['spec']['policy'] = {}) => grantFor(hypervisor(policy), 'shop')
const refusalOf = (run: () => void): string | undefined => {
  try {
    run()
    return undefined
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    expect(error.standing.reason).toBe('Forbidden')
    return error.message
  }
}

test('what policy does not name is closed', () => {
  const closed = grant()
  expect(closed).toMatchObject({ hostPaths: ['/var/lib/vireo'], rawXML: false, foreignObjects: 'Forbidden' })
  expect(closed.hostInterfaces.size).toBe(0)
})

describe('a path', () => {
  test.each([
    ['/var/lib/vireo', true], ['/var/lib/vireo/', true], ['/var/lib/vireo/a/b.qcow2', true], ['/var/lib/vireo/..a/b..', true],
    ['/var/lib/vireo/../x', false], ['/var/lib/vireo/a/../../x', false], ['/var/lib/vireo/.', false], ['/var/lib/vireo/./x', false],
    ['/var/lib/vireo//x', false], ['//var/lib/vireo/x', false], ['/var/lib/vireo2', false], ['/var/lib', false], ['/', false],
    ['', false], ['var/lib/vireo/x', false], ['../var/lib/vireo/x', false], [' /var/lib/vireo/x', false],
    ['/var/lib/vireo/x\0', false], ['/var/lib/vireo/x\n', false], ['file:/var/lib/vireo/x', false], ['json:{"filename":"/var/lib/vireo/x"}', false],
  ])('%j is allowed below /var/lib/vireo: %s', (path, allowed) => {
    expect(pathAllowed(grant(), path)).toBe(allowed)
  })
  test('a prefix may end in a slash; none allows nothing', () => {
    expect(pathAllowed(grant({ hostPaths: ['/data/'] }), '/data/x')).toBe(true)
    expect(pathAllowed(grant({ hostPaths: ['/data/'] }), '/database')).toBe(false)
    expect(pathAllowed(grant({ hostPaths: [] }), '/var/lib/vireo/x')).toBe(false)
  })
})

describe('a selector', () => {
  const labels = { team: 'web', tier: 'app' }
  test.each([
    ['the empty one selects all', {}, true],
    ['a label that is', { matchLabels: { team: 'web' } }, true],
    ['a label that is another', { matchLabels: { team: 'db' } }, false],
    ['all have to hold', { matchLabels: { team: 'web' }, matchExpressions: [{ key: 'tier', operator: 'In', values: ['db'] }] }, false],
    ['In', { matchExpressions: [{ key: 'tier', operator: 'In', values: ['db', 'app'] }] }, true],
    ['In without the label', { matchExpressions: [{ key: 'no', operator: 'In', values: [''] }] }, false],
    ['NotIn', { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['app'] }] }, false],
    ['NotIn without the label', { matchExpressions: [{ key: 'no', operator: 'NotIn', values: ['app'] }] }, true],
    ['Exists', { matchExpressions: [{ key: 'tier', operator: 'Exists' }] }, true],
    ['DoesNotExist', { matchExpressions: [{ key: 'tier', operator: 'DoesNotExist' }] }, false],
    ['an operator that nobody knows selects nothing', { matchExpressions: [{ key: 'tier', operator: 'Gt', values: ['1'] }] }, false],
  ])('%s', (_what, selector, selected) => {
    expect(selects(selector, labels)).toBe(selected)
  })
  test('a namespace that is not selected is told so', () => {
    const some = hypervisor({ namespaceSelector: { matchLabels: { team: 'web' } } })
    expect(refusalOf(() => { requireSelected(some, 'shop', {}) })).toMatch(/^Namespace shop may not use Hypervisor kvm7: .* or use another Hypervisor\.$/)
    expect(refusalOf(() => { requireSelected(some, 'shop', { team: 'web' }) })).toBeUndefined()
    expect(refusalOf(() => { requireSelected(hypervisor(), 'shop', {}) })).toBeUndefined()
  })
})

const domain = (body: string) => parseXml(`<domain type='qemu'><name>web</name>${body}</domain>`)
const device = (body: string) => domain(`<devices>${body}</devices>`)
const check = (body: string, { known = [], networks = [], policy = {} }: { known?: string[]; networks?: string[]; policy?: Hypervisor['spec']['policy'] } = {}): string | undefined =>
  refusalOf(() => { checkDomain(grant(policy), domain(body), path => known.includes(path), new Set(networks)) })

describe("a domain's document is refused for", () => {
  test.each<[string, string, string]>([
    ['a disk', "<devices><disk type='file'><source file='/etc/shadow'/></disk></devices>", '/etc/shadow'],
    ['a relative disk: QEMU would find it', "<devices><disk type='file'><source file='../../etc/shadow'/></disk></devices>", '../../etc/shadow'],
    ['a block device', "<devices><disk type='block'><source dev='/dev/sda'/></disk></devices>", '/dev/sda'],
    ['a relative block device', "<devices><disk type='block'><source dev='../../dev/sda'/></disk></devices>", '../../dev/sda'],
    ['a backing file however deep', "<devices><disk type='file'><backingStore><source file='/var/lib/vireo/a'/><backingStore><source file='/etc/b'/></backingStore></backingStore></disk></devices>", '/etc/b'],
    ['a pretended protocol', `<devices><disk type='file'><source file='json:{"driver":"file","filename":"/etc/shadow"}'/></disk></devices>`, 'json:'],
    ['a volume past its object', "<devices><disk type='volume'><source pool='images' volume='others'/></disk></devices>", 'images/others'],
    ['a key for SSH', "<devices><disk type='network'><source protocol='ssh' name='x'><identity agentsock='/run/agent'/></source></disk></devices>", '/run/agent'],
    ['a socket of a network disk', "<devices><disk type='network'><source protocol='nbd'><host transport='unix' socket='/run/libvirt/libvirt-sock'/></source></disk></devices>", '/run/libvirt'],
    ['a kernel', '<os><kernel>/boot/vmlinuz</kernel></os>', '/boot/vmlinuz'],
    ['a relative kernel', '<os><kernel>../boot/vmlinuz</kernel></os>', '../boot/vmlinuz'],
    ['a kernel between white space', '<os><kernel>\n /boot/vmlinuz </kernel></os>', '/boot/vmlinuz'],
    ['firmware', "<os><loader type='pflash'>/tmp/x.fd</loader></os>", '/tmp/x.fd'],
    ['an NVRAM template', "<os><nvram template='/etc/shadow'/></os>", '/etc/shadow'],
    ['NVRAM in a file', "<os><nvram type='file'><source file='/etc/shadow'/></nvram></os>", '/etc/shadow'],
    ['ACPI tables', "<os><acpi><table type='slic'>/etc/shadow</table></acpi></os>", '/etc/shadow'],
    ['a file handed over as firmware configuration', "<sysinfo type='fwcfg'><entry name='opt/x' file='/etc/shadow'/></sysinfo>", '/etc/shadow'],
    ['a log', "<devices><serial type='pty'><log file='/etc/cron.d/x'/></serial></devices>", '/etc/cron.d/x'],
    ['a serial port in a file', "<devices><serial type='file'><source path='/root/.ssh/authorized_keys'/></serial></devices>", '/root/.ssh'],
    ['a socket of the host', "<devices><channel type='unix'><source mode='connect' path='/run/docker.sock'/></channel></devices>", '/run/docker.sock'],
    ['a socket for a display', "<devices><graphics type='vnc'><listen type='socket' socket='/run/x'/></graphics></devices>", '/run/x'],
    ['a GPU', "<devices><graphics type='egl-headless'><gl rendernode='/dev/dri/renderD128'/></graphics></devices>", '/dev/dri'],
    ['an input device', "<devices><input type='passthrough'><source evdev='/dev/input/event0'/></input></devices>", '/dev/input'],
    ['a random source', "<devices><rng model='virtio'><backend model='random'>/dev/sda</backend></rng></devices>", '/dev/sda'],
    ['a TPM of the host', "<devices><tpm><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm></devices>", '/dev/tpm0'],
    ['shared memory', "<devices><shmem name='x'><server path='/run/x'/></shmem></devices>", '/run/x'],
    ['a memory device', "<devices><memory model='nvdimm'><source><path>/etc/shadow</path></source></memory></devices>", '/etc/shadow'],
    ['a folder', "<devices><filesystem type='mount'><source dir='/'/><target dir='root'/></filesystem></devices>", 'path /'],
    ['a tap device', "<devices><interface type='user'><backend tap='/dev/net/tun2'/></interface></devices>", '/dev/net/tun2'],
    ["passt's log", "<devices><interface type='user'><backend type='passt' logFile='/etc/x'/></interface></devices>", '/etc/x'],
    ['a path where nobody expects one', '<devices><invented deep="1"><thing>/etc/shadow</thing></invented></devices>', '/etc/shadow'],
    ['an emulator, even from a granted folder', '<devices><emulator>/var/lib/vireo/evil</emulator></devices>', 'names a program'],
    ['a script', "<devices><interface type='ethernet'><script path='/var/lib/vireo/evil'/></interface></devices>", 'names a program'],
    ['the program behind a folder', "<devices><filesystem type='mount'><binary path='/var/lib/vireo/evil'/></filesystem></devices>", 'names a program'],
    ['a boot loader program', '<bootloader>/var/lib/vireo/evil</bootloader>', 'names a program'],
    ['no confinement', "<seclabel type='none'/>", 'confines'],
    ['no confinement of a disk', "<devices><disk type='file'><source file='/var/lib/vireo/x'><seclabel relabel='no'/></source></disk></devices>", 'confines'],
    ['a host device', "<devices><hostdev mode='subsystem' type='pci'/></devices>", 'hands a device'],
    ["QEMU's arguments", "<qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'/>", 'another XML namespace'],
    ["QEMU's arguments under another prefix", "<x:commandline xmlns:x='http://libvirt.org/schemas/domain/qemu/1.0'/>", 'another XML namespace'],
    ["QEMU's arguments without a prefix", "<commandline xmlns='http://libvirt.org/schemas/domain/qemu/1.0'/>", 'another XML namespace'],
    ['LXC namespaces', "<lxc:namespace xmlns:lxc='http://libvirt.org/schemas/domain/lxc/1.0'/>", 'another XML namespace'],
    ['a network past its object', "<devices><interface type='network'><source network='default'/></interface></devices>", 'the network default'],
    ['a bridge', "<devices><interface type='bridge'><source bridge='br0'/></interface></devices>", 'br0'],
    ['a NIC', "<devices><interface type='direct'><source dev='eth0'/></interface></devices>", 'eth0'],
    ['a tap of another guest', "<devices><interface type='ethernet'><target dev='vnet7' managed='no'/></interface></devices>", 'vnet7'],
    ['a virtual function', "<devices><interface type='hostdev'><source><address type='pci'/></source></interface></devices>", 'hands a device'],
  ])('%s', (_what, body, named) => {
    const message = check(body, { policy: { rawXML: 'Allowed' } })
    expect(message).toContain(named)
    expect(message).toContain('kvm7')
    expect(message).toMatch(/\.$/)
  })
})

describe("a domain's document is accepted with", () => {
  test.each<[string, string]>([
    ['texts of its own', '<title>/dev/null</title><description>/etc</description>'],
    ["the guest's command line", '<os><cmdline>/init console=ttyS0</cmdline></os>'],
    ["the guest's side of a folder", "<devices><filesystem type='mount'><source dir='/var/lib/vireo/src'/><target dir='/src'/></filesystem></devices>"],
    ['a disk on another machine', "<devices><disk type='network'><source protocol='http' name='/images/x.iso'><host name='example.org' port='80'/></source></disk></devices>"],
    ['a serial number', '<devices><disk type="file"><source file="/var/lib/vireo/x"/><serial>/1</serial></disk></devices>'],
    ['what a smbios table says', "<sysinfo type='smbios'><system><entry name='serial'>/x</entry></system></sysinfo>"],
    ['a cgroup', '<resource><partition>/machine</partition></resource>'],
    ['an empty drive', "<devices><disk type='file' device='cdrom'><target dev='sda'/></disk></devices>"],
    ['a backing file that is not', "<devices><disk type='file'><source file='/var/lib/vireo/x'/><backingStore/></disk></devices>"],
    ['user-mode networking', "<devices><interface type='user'/></devices>"],
    ['metadata of others', "<metadata><a:b xmlns:a='urn:a'>/etc</a:b></metadata>"],
  ])('%s', (_what, body) => {
    expect(check(body)).toBeUndefined()
  })

  test('paths of our own volumes, networks that the spec refers to, interfaces that are granted', () => {
    expect(check("<devices><disk type='block'><source dev='/dev/vg/x'/></disk></devices>", { known: ['/dev/vg/x'] })).toBeUndefined()
    expect(check("<devices><interface type='network'><source network='shop.lab'/></interface></devices>", { networks: ['shop.lab'] })).toBeUndefined()
    expect(check("<devices><interface type='bridge'><source bridge='br0'/></interface></devices>", { policy: { hostInterfaces: ['br0'] } })).toBeUndefined()
  })
})

test('a password that looks like a path is not repeated', () => {
  const message = refusalOf(() => { checkDocument(grant(), device("<graphics type='vnc' passwd='/secret'><listen type='socket' socket='/run/x'/></graphics>"), () => false) })
  expect(message).toContain('/run/x')
  expect(message).not.toContain('secret')
})

test('what the host holds already is not asked for again', () => {
  const found = parseXml("<network><name>lab</name><dnsmasq:options xmlns:dnsmasq='http://libvirt.org/schemas/network/dnsmasq/1.0'><dnsmasq:option value='x'/></dnsmasq:options></network>")
  expect(refusalOf(() => { checkDocument(grant(), found, () => false, found) })).toBeUndefined()
  expect(refusalOf(() => { checkDocument(grant(), found, () => false) })).toContain('another XML namespace')
})

test('the file that a network tells its clients to boot is not one of the host; the folder that it serves is', () => {
  const ip = (inner: string) => parseXml(`<network><name>lab</name><domain name='/x'/><ip address='10.0.0.1'>${inner}</ip><dns><txt name='a' value='/b'/></dns></network>`)
  expect(refusalOf(() => { checkDocument(grant(), ip("<dhcp><bootp file='/pxelinux.0'/></dhcp>"), () => false) })).toBeUndefined()
  expect(refusalOf(() => { checkDocument(grant(), ip("<tftp root='/etc'/>"), () => false) })).toContain('/etc')
})
