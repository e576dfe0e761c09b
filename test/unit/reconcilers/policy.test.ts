// What a namespace may use of a host, and that no spelling gets around it.
import { describe, expect, test } from 'vitest'
import type { Hypervisor } from '../../../crds/hypervisor.ts'
import { Refusal } from '../../../reconcilers/plan.ts'
import { type Uses, type VolumeUse, checkDomain } from '../../../reconcilers/domain/policy.ts'
import { type Place, checkDocument, checkNetworkHost, checkPath, grantFor, pathAllowed, selects } from '../../../reconcilers/policy.ts'
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
  expect(closed.networkHosts.size).toBe(0)
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

test.each([
  ['[ds1] web/web.vmdk', true], ['[ds1]', true], ['[ds1] web/../x', false], ['[ds2] web/web.vmdk', false], ['[ds10] web', false],
  // A folder of that name on another host is not the datastore.
  ['/[ds1]/web/web.vmdk', false], ['/var/lib/vireo/x', true],
])('%j is allowed in the datastore ds1 of ESX: %s', (path, allowed) => {
  expect(pathAllowed(grant({ hostPaths: ['[ds1]', '/var/lib/vireo'] }), path)).toBe(allowed)
  expect(pathAllowed(grant(), path)).toBe(path.startsWith('/var'))
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
})

const domain = (body: string) => parseXml(`<domain type='qemu'><name>web</name>${body}</domain>`)
const device = (body: string) => domain(`<devices>${body}</devices>`)
type Settings = Partial<Omit<Uses, 'volumes' | 'networks'>> & { volumes?: VolumeUse[]; networks?: string[]; policy?: Hypervisor['spec']['policy']; places?: Place[] }
const check = (body: string, { volumes = [], networks = [], policy = {}, places = [], bootFiles = new Set(), seed }: Settings = {}): string | undefined =>
  refusalOf(() => { checkDomain(grantFor(hypervisor(policy), 'shop', () => places), domain(body), { volumes: new Map(volumes.map(volume => [volume.path, volume])), bootFiles, seed, networks: new Set(networks) }) })
const images: Place = { name: 'images', uuid: 'u', path: '/var/lib/vireo/images' }
const volume = (name: string, rest: Partial<VolumeUse> = {}): VolumeUse => ({ type: 'file', path: `/var/lib/vireo/images/${name}`, format: 'qcow2', backing: [], ...rest })

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
    ['a disk on the bus of the host', "<devices><disk type='nvme'><source type='pci' managed='yes' namespace='1'><address domain='0' bus='1' slot='0' function='0'/></source></disk></devices>", 'type nvme'],
    ['a folder as a disk', "<devices><disk type='dir'><source dir='/var/lib/vireo/x'/></disk></devices>", 'type dir'],
    ['a disk of another process', "<devices><disk type='vhostuser'><source type='unix' path='/var/lib/vireo/x'/></disk></devices>", 'type vhostuser'],
    ['a layer on the bus of the host', "<devices><disk type='file'><source file='/var/lib/vireo/a'/><backingStore type='nvme'><source type='pci'/></backingStore></disk></devices>", 'type nvme'],
    ['two places of one disk', "<devices><disk type='block'><source file='/var/lib/vireo/a' dev='/var/lib/vireo/b'/></disk></devices>", 'two places'],
    ['a data file', "<devices><disk type='file'><source file='/var/lib/vireo/a'><dataStore type='file'><source file='/var/lib/vireo/b'/></dataStore></source></disk></devices>", '<dataStore>'],
    ['unfiltered commands', "<devices><disk type='block' rawio='yes'><source dev='/var/lib/vireo/a'/></disk></devices>", 'unfiltered'],
    ['a secret of the host', "<devices><disk type='file'><source file='/var/lib/vireo/a'><encryption format='luks'><secret type='passphrase' usage='x'/></encryption></source></disk></devices>", 'a secret of the host'],
    ['a disk on another machine', "<devices><disk type='network'><source protocol='nbd' name='x'><host name='10.0.0.1' port='10809'/></source></disk></devices>", '10.0.0.1:10809'],
    ['a disk on whatever cluster the host knows', "<devices><disk type='network'><source protocol='rbd' name='x'/></disk></devices>", 'the host that is not named'],
    ['firmware variables on another machine', "<os><nvram type='network'><source protocol='iscsi' name='x'/></nvram></os>", 'type network'],
    ['user-mode networking', "<devices><interface type='user'/></devices>", "the host's interface lo"],
    ['an interface without a type, which is user-mode networking', '<devices><interface/></devices>', "the host's interface lo"],
    ['a socket to another guest', "<devices><interface type='client'><source address='127.0.0.1' port='5558'/></interface></devices>", 'type client'],
    ['addresses on the host', "<devices><interface type='ethernet'><source><ip address='10.0.0.1'/></source><target dev='tap1'/></interface></devices>", 'to the host'],
    ['a TPM of the host without a path', "<devices><tpm model='tpm-tis'><backend type='passthrough'/></tpm></devices>", 'type passthrough'],
    ['a smart card reader of the host', "<devices><smartcard mode='host'/></devices>", 'mode host'],
    ['shared memory without a path', "<devices><shmem name='x'/></devices>", '/devices/shmem'],
    ['a graphics card without a path', "<devices><graphics type='spice'><gl enable='yes'/></graphics></devices>", 'graphics card'],
    ["the host's screen", "<devices><graphics type='sdl' display=':0'/></devices>", 'type sdl'],
    ['a sound card', "<devices><audio id='1' type='alsa'/></devices>", 'type alsa'],
    ['a helper of the host for video', "<devices><video><driver name='vhostuser'/></video></devices>", 'name vhostuser'],
    ['a serial port to a port of the host', "<devices><serial type='tcp'><source mode='connect' host='127.0.0.1' service='16509'/></serial></devices>", '127.0.0.1:16509'],
    ['a serial port that listens everywhere', "<devices><serial type='tcp'><source mode='bind' service='22'/></serial></devices>", '0.0.0.0:22'],
    ['the second end of a UDP port', "<devices><serial type='udp'><source mode='bind' host='10.0.0.1' service='1'/><source mode='connect' host='127.0.0.1' service='53'/></serial></devices>", '10.0.0.1:1'],
    ['random numbers from a socket', "<devices><rng model='virtio'><backend model='egd' type='tcp'><source mode='connect' host='127.0.0.1' service='80'/></backend></rng></devices>", '127.0.0.1:80'],
    ['a file system that the host would mount', "<devices><filesystem type='file'><source file='/var/lib/vireo/x'/><target dir='/'/></filesystem></devices>", 'type file'],
    ['a device that nobody knows', '<devices><invented/></devices>', '/devices/invented'],
    ['a section that nobody knows', '<invented/>', '/invented'],
    ['a network in a second list of devices', "<devices/><devices><interface type='network'><source network='default'/></interface></devices>", 'the network default'],
    ['a bridge in a second list of devices', "<devices/><devices><interface type='bridge'><source bridge='br9'/></interface></devices>", 'br9'],
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
    ['a serial number', '<devices><disk type="file"><source file="/var/lib/vireo/x"/><serial>/1</serial></disk></devices>'],
    ['what a smbios table says', "<sysinfo type='smbios'><system><entry name='serial'>/x</entry></system></sysinfo>"],
    ['a cgroup', '<resource><partition>/machine</partition></resource>'],
    ['an empty drive', "<devices><disk type='file' device='cdrom'><target dev='sda'/></disk></devices>"],
    ['a backing file that is not', "<devices><disk type='file'><source file='/var/lib/vireo/x'/><backingStore/></disk></devices>"],
    ['an emulated TPM', "<devices><tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm></devices>"],
    ['a folder below the grant', "<devices><filesystem type='mount'><driver type='virtiofs'/><source dir='/var/lib/vireo/src'/><target dir='src'/></filesystem></devices>"],
    ['metadata of others', "<metadata><a:b xmlns:a='urn:a'>/etc</a:b></metadata>"],
  ])('%s', (_what, body) => {
    expect(check(body)).toBeUndefined()
  })

  test('networks that the spec refers to, and what is granted', () => {
    expect(check("<devices><interface type='network'><source network='shop.lab'/></interface></devices>", { networks: ['shop.lab'] })).toBeUndefined()
    expect(check("<devices><interface type='bridge'><source bridge='br0'/></interface></devices>", { policy: { hostInterfaces: ['br0'] } })).toBeUndefined()
    expect(check("<devices><interface type='user'/></devices>", { policy: { hostInterfaces: ['lo'] } })).toBeUndefined()
    expect(check("<devices><serial type='tcp'><source mode='bind' host='127.0.0.1' service='4555'/></serial></devices>", { policy: { networkHosts: ['127.0.0.1:4555'] } })).toBeUndefined()
    expect(check("<devices><disk type='network'><source protocol='http' name='/images/x.iso'><host name='example.org' port='80'/></source></disk></devices>", { policy: { networkHosts: ['Example.org'] } })).toBeUndefined()
    expect(check("<devices><disk type='file'><driver type='qcow2'/><source file='/var/lib/vireo/x'/><backingStore/></disk></devices>", { policy: { foreignObjects: 'Adopt' } })).toBeUndefined()
  })
})

describe('a path inside a pool', () => {
  const path = '/var/lib/vireo/images/others'
  test.each<[string, string]>([
    ['as a disk', `<devices><disk type='file'><source file='${path}'/></disk></devices>`],
    ['as a cdrom', `<devices><disk type='file' device='cdrom'><source file='${path}'/></disk></devices>`],
    ['below a disk', `<devices><disk type='file'><source file='/var/lib/vireo/x'/><backingStore type='file'><format type='raw'/><source file='${path}'/><backingStore/></backingStore></disk></devices>`],
    ['as a file that a serial port writes', `<devices><serial type='file'><source path='${path}'/></serial></devices>`],
    ['as a log', `<devices><serial type='pty'><log file='${path}'/></serial></devices>`],
    ['as the firmware variables, which go with the domain', `<os><nvram>${path}</nvram></os>`],
    ['as what the firmware variables are copied from', `<os><nvram template='${path}'/></os>`],
    ['as a kernel', `<os><kernel>${path}</kernel></os>`],
    ['as a folder for the guest', "<devices><filesystem type='mount'><source dir='/var/lib/vireo/images'/><target dir='x'/></filesystem></devices>"],
    ['in a folder for the guest', "<devices><filesystem type='mount'><source dir='/var/lib/vireo'/><target dir='x'/></filesystem></devices>"],
  ])('%s is Forbidden, though its folder is granted', (_what, body) => {
    const message = check(body, { places: [images], policy: { rawXML: 'Allowed', foreignObjects: 'Adopt' } })
    expect(message).toMatch(/the folder of a storage pool on Hypervisor kvm7, or holds one, .* Use a volumeRef, .*\.$/)
    expect(message, 'whose pool it is, is not told').not.toMatch(/pool images/)
  })
  test('beside the pool is not in it', () => {
    expect(refusalOf(() => { checkPath(grantFor(hypervisor(), 'shop', () => [images]), '/var/lib/vireo/images2', 'x') })).toBeUndefined()
  })
})

describe('the disk of a volume', () => {
  const disk = (inner: string, attributes = "type='file'"): string => `<devices><disk ${attributes}>${inner}</disk></devices>`
  const own = (rest: string, format = 'qcow2'): string => disk(`<driver type='${format}'/><source file='/var/lib/vireo/images/own'/>${rest}`)
  const base = { type: 'file' as const, path: '/var/lib/vireo/images/base', format: 'raw' }
  const chain = "<backingStore type='file'><format type='raw'/><source file='/var/lib/vireo/images/base'/><backingStore/></backingStore>"
  const settings = (rest: Partial<VolumeUse> = {}): Settings => ({ places: [images], volumes: [volume('own', rest)], policy: { foreignObjects: 'Adopt' } })

  test('is what the record says', () => {
    expect(check(own('<backingStore/>'), settings())).toBeUndefined()
    expect(check(own(chain), settings({ backing: [base] }))).toBeUndefined()
    expect(check(own('<backingStore/>', 'raw'), settings({ format: 'iso' }))).toBeUndefined()
    expect(check(own('<backingStore/>', 'qcow2'), settings({ format: 'raw' }))).toMatch(/its driver is of type qcow2, and by vireo's record the volume is raw/)
    expect(check(disk("<source file='/var/lib/vireo/images/own'/><backingStore/>"), settings())).toMatch(/of type raw, and by vireo's record the volume is qcow2/)
  })
  test.each<[string, string]>([
    ['cut off', '<backingStore/>'],
    ['left open', chain.replace('<backingStore/></backingStore>', '</backingStore>').replace("<format type='raw'/>", '')],
    ['of another format', chain.replace("'raw'", "'qcow2'")],
    ['longer', chain.replace('<backingStore/></', '<backingStore type="file"><format type="raw"/><source file="/var/lib/vireo/x"/></backingStore></')],
  ])('has no chain that is %s', (_what, below) => {
    expect(check(own(below), settings({ backing: [base] }))).toMatch(/its <backingStore> is not what vireo knows|lies in the folder/)
  })
  test('that is only to be read is only read', () => {
    const onlyRead = settings({ onlyRead: 'It is not yours. Set readOnly.' })
    expect(check(own('<backingStore/>'), onlyRead)).toBe("the document's /devices/disk: It is not yours. Set readOnly.")
    expect(check(own('<backingStore/><readonly/>'), onlyRead)).toBeUndefined()
    expect(check(own('<backingStore/>').replace("type='file'>", "type='file' device='cdrom'>"), onlyRead)).toBeUndefined()
  })
  test('gives no other disk, and nothing else, the way to what lies below it', () => {
    const below = settings({ backing: [base] })
    expect(check(disk("<source file='/var/lib/vireo/images/base'/>"), below)).toContain('the folder of a storage pool')
    expect(check(disk("<source dev='/var/lib/vireo/images/base'/>", "type='block'"), below)).toContain('the folder of a storage pool')
    expect(check(disk(`<source file='/var/lib/vireo/x'/>${chain}`), below)).toContain('the folder of a storage pool')
    expect(check("<devices><serial type='file'><source path='/var/lib/vireo/images/own'/></serial></devices>", below)).toContain('the folder of a storage pool')
    expect(check('<os><kernel>/var/lib/vireo/images/own</kernel></os>', below)).toContain('the folder of a storage pool')
    expect(check('<os><kernel>/var/lib/vireo/images/own</kernel></os>', { ...below, bootFiles: new Set(['/var/lib/vireo/images/own']) })).toBeUndefined()
  })
  test('of the seed is raw and only read', () => {
    const seed = { places: [images], seed: '/var/lib/vireo/images/seed' }
    expect(check(disk("<driver type='raw'/><source file='/var/lib/vireo/images/seed'/><readonly/>"), seed)).toBeUndefined()
    expect(check(disk("<source file='/var/lib/vireo/images/seed'/>"), seed)).toContain('only read')
    expect(check(disk("<driver type='qcow2'/><source file='/var/lib/vireo/images/seed'/><readonly/>"), seed)).toContain('only read')
  })
})

describe('an image that vireo did not write', () => {
  const file = (format: string, below = '<backingStore/>'): string => `<devices><disk type='file'><driver type='${format}'/><source file='/var/lib/vireo/x'/>${below}</disk></devices>`
  test.each(['qcow2', 'vmdk', 'vhdx', 'qed', 'fat'])('in format %s needs trust: its header may name any file', format => {
    expect(check(file(format))).toMatch(/can name any file of the host in its header.*policy\.foreignObjects is not Adopt/)
    expect(check(file(format), { policy: { foreignObjects: 'Adopt' } })).toBeUndefined()
  })
  test('does not leave the end of its chain to a look into it', () => {
    expect(check(file('qcow2', ''), { policy: { foreignObjects: 'Adopt' } })).toContain('the end of its backing chain')
    expect(check(file('qcow2', "<backingStore type='file'><format type='raw'/><source file='/var/lib/vireo/y'/></backingStore>"), { policy: { foreignObjects: 'Adopt' } })).toContain('the end of its backing chain')
  })
  test('needs trust as a layer and as firmware, too', () => {
    expect(check(file('raw', "<backingStore type='file'><source file='/var/lib/vireo/y'/><backingStore/></backingStore>"))).toContain('format auto')
    expect(check("<os><nvram format='qcow2'>/var/lib/vireo/x</nvram></os>")).toContain('format qcow2')
    expect(check("<os><loader format='qcow2'>/var/lib/vireo/x</loader></os>")).toContain('format qcow2')
  })
})

test.each<[string, string | undefined, string[], boolean]>([
  ['nas', undefined, ['nas'], true], ['NAS', undefined, ['nas'], true], ['nas', '2049', ['nas'], true], ['nas', '2049', ['nas:2049'], true], ['nas', '22', ['nas:2049'], false], ['nas', undefined, ['nas:2049'], false],
  ['fd00::1', '3300', ['[fd00::1]:3300'], true], ['fd00::1', '3300', ['fd00::1'], true], ['nas.evil', undefined, ['nas'], false], ['', undefined, [''], false],
])('the host %s at port %s, with %j granted: %s', (host, port, networkHosts, allowed) => {
  expect(refusalOf(() => { checkNetworkHost(grant({ networkHosts }), host, port, 'spec.x') }) === undefined).toBe(allowed)
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
