// Devices that come, go and change, in the running domain and in its next configuration.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Affect, BlockResizeFlags, type DomainRef, type NetworkRef, type StoragePoolRef, XMLFlags } from '../../../drivers/driver.ts'
import { ErrorNumber as E } from '../../../drivers/errors.ts'
import type { Asked } from './attempts.ts'
import { until } from '../../support/until.ts'
import { type Bed, codeOf } from '../bed.ts'

const { LIVE, CONFIG } = Affect
/** Without these there are no devices to speak of: libvirt's own test driver has none of them at 9.0. */
export const deviceOperations: Asked[] = ['domainAttachDeviceFlags', 'domainDetachDeviceFlags', 'domainDetachDeviceAlias', 'domainUpdateDeviceFlags', 'domainBlockResize', 'networkGetDHCPLeases']

export function devices(bed: Bed): void {
  let pool: StoragePoolRef
  let net: NetworkRef
  const path = (name: string): string => `/var/lib/vireo/${pool.name}/${name}`
  const disk = (name: string | undefined, target: string, inner = '', device = 'disk', bus = 'virtio'): string =>
    `<disk type='file' device='${device}'><driver name='qemu' type='raw'/>${name === undefined ? '' : `<source file='${path(name)}'/>`}<target dev='${target}' bus='${bus}'/>${device === 'cdrom' ? '<readonly/>' : ''}${inner}</disk>`
  const nic = (last: string, inner = '', model = 'virtio', network = net.name): string =>
    `<interface type='network'><mac address='52:54:00:00:00:${last}'/><source network='${network}'/><model type='${model}'/>${inner}</interface>`
  const alias = (name: string): string => `<alias name='ua-${name}'/>`
  const live = (dom: DomainRef): Promise<string> => bed.c.domainGetXMLDesc(dom, 0)
  const inactive = (dom: DomainRef): Promise<string> => bed.c.domainGetXMLDesc(dom, XMLFlags.INACTIVE)
  const told = (dom: DomainRef, what: string): Promise<unknown> => until(`${what} is told`, () => bed.devices(dom).includes(what), { everyMs: 2 })

  beforeAll(async () => {
    pool = await bed.pool('devices')
    net = await bed.network('devices')
    for (const name of ['a', 'b', 'cd', 'd']) await bed.volume(pool, name)
  })
  afterAll(async () => {
    await bed.c.networkDestroy(net)
    await bed.c.networkUndefine(net)
  })

  test('a running domain has an alias for each device, a configuration has only those that users chose', async () => {
    const dom = await bed.running('aliases', { devices: disk('a', 'vda', alias('root')) + nic('01') })
    expect(await live(dom)).toMatch(/<alias name=['"]ua-root['"]\/>/)
    expect(await live(dom)).toMatch(/<alias name=['"]net0['"]\/>/)
    expect(await live(dom)).toMatch(/<target dev=['"]vnet\d+['"]\/>/)
    expect(await inactive(dom)).toMatch(/ua-root/)
    expect(await inactive(dom)).not.toMatch(/net0|vnet/)
    await bed.remove(dom)
  })

  test('live alone, configured alone, or both at once', async () => {
    const dom = await bed.running('attach')
    await bed.forgetEvents()
    await bed.c.domainAttachDeviceFlags(dom, disk('a', 'vda', alias('a')), LIVE)
    await bed.c.domainAttachDeviceFlags(dom, disk('b', 'vdb', alias('b')), CONFIG)
    await bed.c.domainAttachDeviceFlags(dom, nic('02', alias('n')), LIVE | CONFIG)
    await told(dom, '+ua-n')
    expect(bed.devices(dom)).toEqual(['+ua-a', '+ua-n'])
    const seen = (xml: string): string[] => ['ua-a', 'ua-b', 'ua-n'].filter(name => xml.includes(name))
    expect([seen(await live(dom)), seen(await inactive(dom))]).toEqual([['ua-a', 'ua-n'], ['ua-b', 'ua-n']])
    await bed.remove(dom)
  })

  test('a change of both parts that one of them refuses changes neither', async () => {
    const dom = await bed.running('halves')
    await bed.c.domainAttachDeviceFlags(dom, disk('a', 'vda'), CONFIG)
    await bed.forgetEvents()
    expect(await codeOf(bed.c.domainAttachDeviceFlags(dom, disk('b', 'vda'), LIVE | CONFIG))).toBe(E.OPERATION_INVALID)
    await bed.settle()
    expect(bed.devices(dom)).toEqual([])
    expect(await live(dom)).not.toContain('vda')
    await bed.remove(dom)
  })

  test('what cannot be attached is refused, each with its code', async () => {
    const dom = await bed.running('refused', { devices: disk('a', 'vda', alias('a')) + "<watchdog model='i6300esb'/>" })
    const cases: [string, number, number][] = [
      [disk('b', 'vda'), LIVE, E.XML_ERROR], [disk('b', 'vda'), CONFIG, E.OPERATION_INVALID], [disk('absent', 'vdc'), LIVE, E.SYSTEM_ERROR], [disk('b', 'vdb', alias('a')), LIVE, E.CONFIG_UNSUPPORTED],
      [nic('03', '', 'virtio', 'nowhere'), LIVE, E.NO_NETWORK], ["<sound model='ich6'/>", LIVE, E.OPERATION_UNSUPPORTED], ["<graphics type='vnc'/>", LIVE, E.OPERATION_UNSUPPORTED], ["<graphics type='vnc'/>", CONFIG, E.OPERATION_UNSUPPORTED],
      ["<memballoon model='virtio'/>", LIVE, E.OPERATION_UNSUPPORTED], ["<watchdog model='ib700'/>", LIVE, E.OPERATION_INVALID], ['<gadget/>', LIVE, E.CONFIG_UNSUPPORTED], ['<disk', LIVE, E.XML_DETAIL],
    ]
    for (const [xml, flags, code] of cases) expect([xml, await codeOf(bed.c.domainAttachDeviceFlags(dom, xml, flags))]).toEqual([xml, code])
    await bed.remove(dom)
  })

  test('a domain that is shut off takes devices only into its configuration, a transient one only live', async () => {
    const off = await bed.define(bed.name('off'))
    expect(await codeOf(bed.c.domainAttachDeviceFlags(off, nic('04'), LIVE))).toBe(E.OPERATION_INVALID)
    await bed.c.domainAttachDeviceFlags(off, nic('04'), 0)
    expect(await inactive(off)).toContain('52:54:00:00:00:04')
    await bed.c.domainDetachDeviceFlags(off, nic('04'), 0)
    expect(await inactive(off)).not.toContain('52:54:00:00:00:04')
    await bed.remove(off)
    const transient = await bed.c.domainCreateXML(bed.domainXML(bed.name('transient')), 0)
    expect(await codeOf(bed.c.domainAttachDeviceFlags(transient, nic('05'), CONFIG))).toBe(E.OPERATION_INVALID)
    await bed.c.domainAttachDeviceFlags(transient, nic('05'), 0)
    expect(await live(transient)).toContain('52:54:00:00:00:05')
    await bed.remove(transient)
  })

  test('a device that the guest lets go of is gone with its event, by document and by alias', async () => {
    const dom = await bed.running('detach', { devices: "<controller type='usb' model='qemu-xhci'/>" })
    for (const name of ['one', 'two']) await bed.c.domainAttachDeviceFlags(dom, `<input type='${name === 'one' ? 'tablet' : 'keyboard'}' bus='usb'>${alias(name)}</input>`, LIVE)
    await bed.c.domainDetachDeviceFlags(dom, `<input type='tablet' bus='usb'/>`, LIVE)
    await told(dom, '-ua-one')
    await bed.c.domainDetachDeviceAlias(dom, 'ua-two', LIVE)
    await told(dom, '-ua-two')
    expect(await live(dom)).not.toMatch(/ua-one|ua-two/)
    await bed.remove(dom)
  })

  test('what cannot be detached is refused, each with its code', async () => {
    const dom = await bed.running('refused', { devices: disk(undefined, 'hdc', '', 'cdrom', 'ide') + nic('06') + nic('07', alias('seven')) + nic('07', alias('again')) })
    const cases: [string, number, number][] = [
      [disk('b', 'vdz'), LIVE, E.DEVICE_MISSING], [disk('b', 'vdz'), CONFIG, E.DEVICE_MISSING], [nic('99'), LIVE, E.DEVICE_MISSING], [nic('99'), CONFIG, E.DEVICE_MISSING], [nic('07'), LIVE, E.OPERATION_FAILED],
      [`<interface type='network'><source network='${net.name}'/></interface>`, LIVE, E.OPERATION_FAILED], ["<input type='tablet' bus='usb'/>", LIVE, E.DEVICE_MISSING], ["<memballoon model='virtio'/>", LIVE, E.OPERATION_UNSUPPORTED],
      ["<sound model='ich6'/>", LIVE, E.OPERATION_UNSUPPORTED], ["<sound model='ich6'/>", CONFIG, E.DEVICE_MISSING], ["<graphics type='vnc'/>", CONFIG, E.OPERATION_UNSUPPORTED], [disk(undefined, 'hdc', '', 'cdrom', 'ide'), LIVE, E.OPERATION_UNSUPPORTED],
    ]
    for (const [xml, flags, code] of cases) expect([xml, await codeOf(bed.c.domainDetachDeviceFlags(dom, xml, flags))]).toEqual([xml, code])
    for (const flags of [LIVE, CONFIG]) expect(await codeOf(bed.c.domainDetachDeviceAlias(dom, 'ua-none', flags))).toBe(E.INTERNAL_ERROR)
    await bed.remove(dom)
  })

  test('a medium is changed in a removable drive alone, and the tray is told twice', async () => {
    const dom = await bed.running('media', { devices: disk('d', 'vda') + disk(undefined, 'hdc', '', 'cdrom', 'ide') })
    await bed.forgetEvents()
    await bed.c.domainUpdateDeviceFlags(dom, disk('cd', 'hdc', '', 'cdrom', 'ide'), LIVE)
    expect(await live(dom)).toContain(path('cd'))
    expect(await inactive(dom)).not.toContain(path('cd'))
    await bed.c.domainUpdateDeviceFlags(dom, disk('cd', 'hdc', '', 'cdrom', 'ide'), LIVE)
    await bed.c.domainUpdateDeviceFlags(dom, disk(undefined, 'hdc', '', 'cdrom', 'ide'), LIVE)
    expect(await live(dom)).not.toContain(path('cd'))
    expect(await bed.others(dom)).toEqual(Array.from({ length: 4 }, () => 'tray-change'))
    expect(await codeOf(bed.c.domainUpdateDeviceFlags(dom, disk('b', 'vda'), LIVE))).toBe(E.CONFIG_UNSUPPORTED)
    expect(await codeOf(bed.c.domainUpdateDeviceFlags(dom, disk(undefined, 'hdd', '', 'cdrom', 'ide'), LIVE))).toBe(E.INTERNAL_ERROR)
    expect(await codeOf(bed.c.domainUpdateDeviceFlags(dom, disk(undefined, 'hdd', '', 'cdrom', 'ide'), CONFIG))).toBe(E.INVALID_ARG)
    await bed.remove(dom)
  })

  test('an interface changes its link, never its model', async () => {
    const dom = await bed.running('link', { devices: nic('08') })
    await bed.c.domainUpdateDeviceFlags(dom, nic('08', "<link state='down'/>"), LIVE)
    expect(await live(dom)).toMatch(/<link state=['"]down['"]\/>/)
    expect(await live(dom)).toMatch(/<alias name=['"]net0['"]\/>/)
    expect(await inactive(dom)).not.toContain('<link')
    await bed.c.domainUpdateDeviceFlags(dom, nic('08', "<link state='down'/>"), CONFIG)
    expect(await inactive(dom)).toMatch(/<link state=['"]down['"]\/>/)
    const cases: [string, number][] = [[nic('08', '', 'e1000'), E.OPERATION_UNSUPPORTED], [nic('99'), E.DEVICE_MISSING], [nic('08', '', 'virtio', 'nowhere'), E.NO_NETWORK], ["<rng model='virtio'><backend model='random'>/dev/random</backend></rng>", E.CONFIG_UNSUPPORTED], ['<disk', E.XML_DETAIL]]
    for (const [xml, code] of cases) expect([xml, await codeOf(bed.c.domainUpdateDeviceFlags(dom, xml, LIVE))]).toEqual([xml, code])
    await bed.remove(dom)
  })

  test('a disk of a running domain is found by target and by path, and its size is bytes', async () => {
    const dom = await bed.running('block', { devices: disk('d', 'vda') + disk(undefined, 'hdc', '', 'cdrom', 'ide') })
    const size = (disk: string): Promise<number> => bed.c.domainGetBlockInfo(dom, disk).then(({ capacity }) => capacity)
    expect([await size('vda'), await size(path('d'))]).toEqual([1_048_576, 1_048_576])
    await bed.c.domainBlockResize(dom, 'vda', 2_097_152, BlockResizeFlags.BYTES)
    expect(await size('vda')).toBe(2_097_152)
    await bed.c.domainBlockResize(dom, path('d'), 3072, 0)
    expect(await size('vda')).toBe(3_145_728)
    for (const disk of ['vdz', 'hdc']) expect(await codeOf(bed.c.domainGetBlockInfo(dom, disk))).toBe(E.INVALID_ARG)
    expect(await codeOf(bed.c.domainBlockResize(dom, 'vdz', 4096, BlockResizeFlags.BYTES))).toBe(E.INVALID_ARG)
    await bed.c.domainDestroyFlags(dom, 0)
    expect(await codeOf(bed.c.domainBlockResize(dom, 'vda', 4096, BlockResizeFlags.BYTES))).toBe(E.OPERATION_INVALID)
    await bed.remove(dom)
  })

  test('a start without its network or its disk is refused, and leaves a persistent domain failed and a transient one gone', async () => {
    for (const [xml, code] of [[disk('absent', 'vda'), E.SYSTEM_ERROR], [nic('09', '', 'virtio', 'nowhere'), E.NO_NETWORK]] as const) {
      const dom = await bed.define(bed.name('unable'), { devices: xml })
      await bed.forgetEvents()
      expect(await codeOf(bed.c.domainCreateWithFlags(dom, 0))).toBe(code)
      expect(await bed.c.domainGetState(dom)).toEqual({ state: 5, reason: 6 })
      expect(await bed.lifecycle(dom)).toEqual([])
      await bed.remove(dom)
      const name = bed.name('unable')
      expect(await codeOf(bed.c.domainCreateXML(bed.domainXML(name, { devices: xml }), 0))).toBe(code)
      expect(await codeOf(bed.c.domainLookupByName(name))).toBe(E.NO_DOMAIN)
    }
  })

  test('a guest that asks for its address has a lease while it runs; one whose firmware halts has none', async () => {
    const dom = await bed.running('lease', { devices: nic('0b') })
    const leases = (): Promise<string[]> => bed.c.networkGetDHCPLeases(net).then(all => all.flatMap(({ mac, ipaddr }) => (mac === '52:54:00:00:00:0b' ? [ipaddr] : [])))
    const addresses = await bed.c.domainInterfaceAddresses(dom, 0)
    expect(await leases()).toEqual(addresses.flatMap(({ addrs }) => addrs.map(({ addr }) => addr)))
    expect(addresses.map(({ hwaddr }) => hwaddr)).toEqual(bed.traits.guestsObey ? ['52:54:00:00:00:0b'] : [])
    await bed.c.domainDestroyFlags(dom, 0)
    expect(await leases()).toEqual([])
    expect(await codeOf(bed.c.domainInterfaceAddresses(dom, 0))).toBe(E.OPERATION_INVALID)
    await bed.remove(dom)
  })

  describe('passwords', () => {
    test('of graphics are read only with the flag for secrets', async () => {
      const dom = await bed.define(bed.name('secret'), { devices: "<graphics type='vnc' passwd='geheim'/>" })
      expect(await inactive(dom)).not.toContain('geheim')
      expect(await bed.c.domainGetXMLDesc(dom, XMLFlags.INACTIVE | XMLFlags.SECURE)).toContain('geheim')
      await bed.remove(dom)
    })
  })
}
