// Which device is which: by our alias where both have one, else by what guest and host tell them apart with.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { domainRules } from '../../../reconcilers/domain/rules.ts'
import { merge3 } from '../../../xml/merge.ts'
import { type XmlElement, childOf, childrenOf, parseXml, serializeXml } from '../../../xml/tree.ts'
import { Bed, filledIn, types } from './domain-bed.ts'
import { anySpec } from './domain-specs.ts'

const devices = (xml: string): XmlElement => parseXml(`<domain><devices>${xml}</devices></domain>`)
const merged = (found: string, wanted: string, applied?: string): string =>
  childOf(merge3(devices(found), devices(wanted), applied === undefined ? undefined : devices(applied), domainRules()).document, 'devices')!.children.map(child => (typeof child === 'string' ? child : serializeXml(child))).join('')

describe('a device', () => {
  test.each<[string, string, string, string | undefined, string]>([
    ['with our alias is ours, wherever it moved', '<disk><target dev="vdb"/><alias name="ua-disk-a"/></disk>', '<disk><target dev="vda"/><alias name="ua-disk-a"/></disk>', undefined, '<disk><target dev="vda"/><alias name="ua-disk-a"/></disk>'],
    ['without an alias is known by its target', '<disk><target dev="vda"/><alias name="virtio-disk0"/></disk>', '<disk><target dev="vda"/><serial>s</serial><alias name="ua-disk-a"/></disk>', undefined, '<disk><target dev="vda"/><alias name="ua-disk-a"/><serial>s</serial></disk>'],
    ['of another alias is another one, though its target is the same', '<disk><target dev="vda"/><alias name="ua-disk-b"/></disk>', '<disk><target dev="vda"/><alias name="ua-disk-a"/></disk>', undefined, '<disk><target dev="vda"/><alias name="ua-disk-b"/></disk><disk><target dev="vda"/><alias name="ua-disk-a"/></disk>'],
    ['is known by its MAC address in either case', '<interface><mac address="52:54:00:AA:BB:CC"/></interface>', '<interface><mac address="52:54:00:aa:bb:cc"/><link state="down"/></interface>', undefined, '<interface><mac address="52:54:00:AA:BB:CC"/><link state="down"/></interface>'],
    ['a disk and an interface of one name are two', '<disk><alias name="ua-disk-data"/></disk>', '<disk><alias name="ua-disk-data"/></disk><interface><alias name="ua-interface-data"/></interface>', undefined, '<disk><alias name="ua-disk-data"/></disk><interface><alias name="ua-interface-data"/></interface>'],
    ['that nobody of us made stays', '<disk><target dev="vdz"/></disk>', '', '', '<disk><target dev="vdz"/></disk>'],
    ['that we made and no longer want goes, with what the host added to it', '<disk><target dev="vda"/><alias name="ua-disk-a"/><address slot="1"/></disk><disk><target dev="vdz"/></disk>', '', '<disk><target dev="vda"/><alias name="ua-disk-a"/></disk>', '<disk><target dev="vdz"/></disk>'],
    ['of another bus loses the address of the first', '<disk><target dev="vda" bus="virtio"/><alias name="ua-disk-a"/><address type="pci"/></disk>', '<disk><target dev="sda" bus="sata"/><alias name="ua-disk-a"/></disk>', undefined, '<disk><target dev="sda" bus="sata"/><alias name="ua-disk-a"/></disk>'],
    ['of another model loses the address of the first', '<interface><mac address="a"/><model type="virtio"/><address type="pci"/></interface>', '<interface><mac address="a"/><model type="e1000e"/></interface>', undefined, '<interface><mac address="a"/><model type="e1000e"/></interface>'],
    ['of another kind of source keeps nothing of the first', '<disk type="file"><source file="/a"><seclabel/></source><target dev="vda"/></disk>', '<disk type="block"><source dev="/dev/a"/><target dev="vda"/></disk>', undefined, '<disk type="block"><target dev="vda"/><source dev="/dev/a"/></disk>'],
    ['of another file keeps no backing chain of the first', '<disk type="file"><source file="/a"/><backingStore type="file"><source file="/base"/></backingStore><target dev="vda"/></disk>', '<disk type="file"><source file="/b"/><backingStore/><target dev="vda"/></disk>', undefined, '<disk type="file"><source file="/b"/><target dev="vda"/><backingStore/></disk>'],
  ])('%s', (_, found, wanted, applied, result) => { expect(merged(found, wanted, applied)).toBe(result) })

  test.each([['q35', 'pc-q35-7.2', true], ['pc', 'pc-i440fx-7.2', true], ['pc', 'pc-q35-7.2', false], ['q35', 'pc-i440fx-7.2', false], ['virt', 'virt-7.2', true], ['pc-q35-7.2', 'pc-q35-8.0', false]])('machine %s pinned as %s: the same: %s', (wanted, found, same) => {
    const machine = (value: string): XmlElement => parseXml(`<domain><os><type machine="${value}">hvm</type></os></domain>`)
    expect(merge3(machine(found), machine(wanted), undefined, domainRules()).changes.length === 0).toBe(same)
  })

  test('boot order by device class is one value', () => {
    const os = (...list: string[]): XmlElement => parseXml(`<domain><os>${list.map(dev => `<boot dev="${dev}"/>`).join('')}</os></domain>`)
    const { document, changes } = merge3(os('hd', 'cdrom'), os('network', 'hd'), undefined, domainRules())
    expect(childrenOf(childOf(document, 'os'), 'boot').map(boot => boot.attributes['dev'])).toEqual(['network', 'hd'])
    expect(changes).toHaveLength(1)
  })
})

describe('a domain of the host', () => {
  test('keeps its machine and type when it is adopted by a spec that names none', () => {
    const bed = new Bed({ spec: { memory: '64Mi', adoptionPolicy: 'Always' } })
    bed.settle()
    const machine = (): XmlElement => childOf(bed.inactive, 'os', 'type')!
    bed.byHand(document => {
      childOf(document, 'metadata')!.children = []
      document.attributes['type'] = 'qemu'
      childOf(document, 'os', 'type')!.attributes['machine'] = 'pc-i440fx-7.2'
    })
    bed.object = { ...bed.object, status: undefined }
    bed.settle()
    expect(machine().attributes['machine']).toBe('pc-i440fx-7.2')
    bed.object = { ...bed.object, spec: { ...bed.object.spec, title: 'renamed' } }
    bed.settle()
    expect([bed.inactive.attributes['type'], machine().attributes['machine']]).toEqual(['qemu', 'pc-i440fx-7.2'])
  })

  test('whose devices carry no alias of ours is adopted device by device, with nothing doubled', () => {
    fc.assert(fc.property(anySpec, spec => {
      const bed = new Bed({ spec: { ...spec, adoptionPolicy: 'Always' } })
      bed.settle()
      // As libvirt would show a domain that somebody else made: no mark, aliases of its own.
      bed.byHand(document => {
        childOf(document, 'metadata')!.children = []
        for (const kind of ['disk', 'interface']) for (const device of childrenOf(childOf(document, 'devices'), kind)) device.children = device.children.filter(child => typeof child === 'string' || child.name !== 'alias')
      })
      bed.object = { ...bed.object, status: undefined }
      const count = (kind: string): number => childrenOf(childOf(bed.inactive, 'devices'), kind).length
      const before = ['disk', 'interface', 'serial', 'graphics', 'rng', 'channel'].map(count)
      bed.settle()
      expect(['disk', 'interface', 'serial', 'graphics', 'rng', 'channel'].map(count)).toEqual(before)
    }), { numRuns: 15 })
  })

  test('on a driver that keeps no aliases is settled after one definition', () => {
    const bed = new Bed({ driver: 'Test', spec: { memory: '1Gi', disks: [{ name: 'root', volumeRef: { name: 'web-root' } }], interfaces: [{ name: 'lan', networkRef: { name: 'lab' } }] } })
    expect(types(bed.settle())).toEqual(['Defined', 'Started'])
    expect(bed.observed!.inactive.replace(/<metadata>.*<\/metadata>/, '')).not.toContain('ua-')
    expect(bed.plan()).toMatchObject({ actions: [], pending: [] })
    expect(filledIn(bed.inactive)).toEqual(bed.inactive)
  })
})
