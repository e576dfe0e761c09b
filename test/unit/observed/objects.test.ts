// The facts that the mirror keeps of libvirt's documents.

import { describe, expect, test } from 'vitest'
import { bootFiles, bytesOf, diskFacts, interfaceFacts, isActive, volumeFrom } from '../../../observed/objects.ts'
import { parseXml } from '../../../xml/tree.ts'

const devices = (xml: string): ReturnType<typeof parseXml> => parseXml(`<domain><devices>${xml}</devices></domain>`)

describe('disks', () => {
  test.each<[string, string, object]>([
    ['a file', "<disk type='file' device='disk'><source file='/p/a'/><target dev='vda' bus='virtio'/><alias name='ua-disk-a'/></disk>", { target: 'vda', device: 'disk', source: '/p/a', alias: 'ua-disk-a', backing: [], readOnly: false }],
    ['a block device', "<disk type='block'><source dev='/dev/vg/a'/><target dev='vda'/></disk>", { device: 'disk', source: '/dev/vg/a' }],
    ['a volume by name', "<disk type='volume'><source pool='images' volume='a'/><target dev='vda'/></disk>", { source: undefined, pool: 'images', volume: 'a' }],
    ['an empty tray', "<disk type='file' device='cdrom'><target dev='sda'/><readonly/></disk>", { target: 'sda', device: 'cdrom', source: undefined, readOnly: true }],
    ['a chain of files and devices', "<disk type='file'><source file='/p/c'/><backingStore type='file'><source file='/p/b'/><backingStore type='block'><source dev='/dev/a'/><backingStore/></backingStore></backingStore><target dev='vda'/></disk>", { source: '/p/c', backing: ['/p/b', '/dev/a'] }],
    ['a chain through the network', "<disk type='file'><source file='/p/c'/><backingStore type='network'><source protocol='nbd'/><backingStore type='file'><source file='/p/a'/></backingStore></backingStore><target dev='vda'/></disk>", { backing: ['/p/a'] }],
    ['a disk without anything', '<disk/>', { target: '', device: 'disk', source: undefined, backing: [] }],
  ])('%s', (_, xml, wanted) => { expect(diskFacts(devices(xml))).toEqual([expect.objectContaining(wanted)]) })

  test('a document without devices has none', () => { expect([diskFacts(parseXml('<domain/>')), interfaceFacts(parseXml('<domain/>'))]).toEqual([[], []]) })
})

test('what a domain starts from beside its disks, which goes with it', () => {
  expect(bootFiles(parseXml("<domain><os><type>hvm</type><loader type='pflash'>/f/code</loader><nvram template='/f/vars'> /f/mine </nvram><kernel>/f/k</kernel><initrd>/f/i</initrd><dtb>/f/d</dtb></os></domain>"))).toEqual(['/f/k', '/f/i', '/f/d', '/f/code', '/f/mine', '/f/vars'])
  expect(bootFiles(parseXml("<domain><os><nvram type='file'><source file='/f/mine'/></nvram></os></domain>"))).toEqual(['/f/mine'])
  expect(bootFiles(parseXml('<domain/>'))).toEqual([])
})

describe('interfaces', () => {
  test.each<[string, string, object]>([
    ['of a network, its MAC in small letters', "<interface type='network'><mac address='52:54:00:AA:BB:CC'/><source network='lab'/><target dev='vnet0'/><alias name='ua-interface-lan'/></interface>", { mac: '52:54:00:aa:bb:cc', type: 'network', network: 'lab', target: 'vnet0', alias: 'ua-interface-lan' }],
    ['of a bridge', "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/></interface>", { type: 'bridge', bridge: 'br0', network: undefined }],
    ['a running one of a network names its bridge too', "<interface type='network'><mac address='52:54:00:00:00:01'/><source network='lab' portid='x' bridge='virbr0'/></interface>", { network: 'lab', bridge: 'virbr0' }],
    ['without anything', '<interface/>', { mac: '', type: '', network: undefined }],
  ])('%s', (_, xml, wanted) => { expect(interfaceFacts(devices(xml))).toEqual([expect.objectContaining(wanted)]) })
})

test.each<[string, string, string | undefined, number]>([
  ['no unit', '<capacity>1024</capacity>', undefined, 1024],
  ['no unit where it is KiB', '<memory>1024</memory>', 'KiB', 1048576],
  ['bytes', "<capacity unit='bytes'>7</capacity>", undefined, 7],
  ['KiB', "<capacity unit='KiB'>2</capacity>", undefined, 2048],
  ['KB', "<capacity unit='KB'>2</capacity>", undefined, 2000],
  ['GiB', "<capacity unit='GiB'>1</capacity>", undefined, 2 ** 30],
  ['G, which libvirt takes for GiB', "<capacity unit='G'>1</capacity>", undefined, 2 ** 30],
  ['TiB, with white space', "<capacity unit='TiB'>\n 1 </capacity>", undefined, 2 ** 40],
])('a size in %s', (_, xml, base, bytes) => { expect(bytesOf(parseXml(xml), base)).toBe(bytes) })
test('a size that is not there is 0', () => { expect(bytesOf(undefined)).toBe(0) })

describe('volumes', () => {
  const ref = { pool: 'images', name: 'a', key: '/p/a' }
  test('as a directory pool shows them', () => {
    const xml = "<volume type='file'><name>a</name><key>/p/a</key><capacity unit='bytes'>1073741824</capacity><allocation unit='bytes'>200704</allocation><target><path>/p/a</path><format type='qcow2'/></target><backingStore><path>/p/base</path><format type='qcow2'/></backingStore></volume>"
    expect(volumeFrom(ref, 'u', xml)).toMatchObject({ kind: 'volume', ref, poolUUID: 'u', path: '/p/a', key: '/p/a', type: 'file', format: 'qcow2', capacity: 2 ** 30, allocation: 200_704, backing: '/p/base', xml })
  })

  test('what is not said has a plain value', () => {
    const volume = volumeFrom(ref, 'u', '<volume><name>a</name><target><path>/p/a</path></target></volume>')
    expect(volume).toMatchObject({ type: 'file', format: 'raw', key: '/p/a', capacity: 0, allocation: 0 })
    expect(volume.backing).toBeUndefined()
  })

  test('an empty backing store is none', () => {
    expect(volumeFrom(ref, 'u', '<volume><target/><backingStore><path></path></backingStore></volume>').backing).toBeUndefined()
  })
})

test('a domain with a live document is active, paused and crashed ones included', () => {
  const domain = { kind: 'domain' as const, ref: { name: 'd', uuid: 'u', id: 1 }, state: 6 as const, reason: 0, persistent: true, autostart: false, inactive: '<domain/>', disks: [], interfaces: [], bootFiles: [] }
  expect(isActive({ ...domain, live: "<domain id='1'/>" })).toBe(true)
  expect(isActive(domain)).toBe(false)
})
