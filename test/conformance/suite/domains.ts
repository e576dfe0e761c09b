// Domains from definition to the end: what is unique, what persists, what a definition over an existing one means.

import { describe, expect, test } from 'vitest'
import { DomainState, XMLFlags } from '../../../drivers/driver.ts'
import { ErrorNumber as E } from '../../../drivers/errors.ts'
import { type Bed, codeOf } from '../bed.ts'

const other = '6f1c2d3e-0000-5000-8000-000000000077'

export function domains(bed: Bed): void {
  describe('definition', () => {
    test('a defined domain is persistent, shut off, not started with its host, and found in every way', async () => {
      const dom = await bed.define(bed.name('defined'))
      expect(dom.id).toBe(-1)
      expect(dom.uuid).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
      expect(await bed.c.domainLookupByName(dom.name)).toEqual(dom)
      expect(await bed.c.domainLookupByUUID(dom.uuid)).toEqual(dom)
      expect(await bed.c.domainLookupByUUID(dom.uuid.toUpperCase())).toEqual(dom)
      expect(await bed.c.connectListAllDomains()).toContainEqual(dom)
      expect(await bed.c.domainGetState(dom)).toEqual({ state: DomainState.Shutoff, reason: 0 })
      expect([await bed.c.domainIsPersistent(dom), await bed.c.domainGetAutostart(dom), await bed.c.domainHasManagedSaveImage(dom)]).toEqual([true, false, false])
      expect(await bed.c.domainGetInfo(dom)).toMatchObject({ state: DomainState.Shutoff, maxMem: 65_536, memory: 65_536, nrVirtCpu: 1 })
      await bed.c.domainUndefineFlags(dom, 0)
      expect(await bed.lifecycle(dom)).toEqual([[0, 0], [1, 0]])
    })

    test('a domain that is gone, or never was, is error 42 and nothing else, in every call', async () => {
      const dom = await bed.define(bed.name('gone'))
      await bed.c.domainUndefineFlags(dom, 0)
      const calls = [
        bed.c.domainLookupByName(dom.name), bed.c.domainLookupByUUID(dom.uuid), bed.c.domainLookupByID(999_999), bed.c.domainGetXMLDesc(dom, 0), bed.c.domainGetState(dom), bed.c.domainGetInfo(dom),
        bed.c.domainIsPersistent(dom), bed.c.domainGetAutostart(dom), bed.c.domainSetAutostart(dom, true), bed.c.domainHasManagedSaveImage(dom), bed.c.domainManagedSaveRemove(dom),
        bed.c.domainSetMemoryFlags(dom, 4096, 0), bed.c.domainSetVcpusFlags(dom, 1, 0), bed.c.domainSetMetadata(dom, 1, 'x', null, null, 0), bed.c.domainSetLifecycleAction(dom, 0, 0, 0),
        bed.c.domainCreateWithFlags(dom, 0), bed.c.domainShutdownFlags(dom, 0), bed.c.domainReboot(dom, 0), bed.c.domainReset(dom), bed.c.domainDestroyFlags(dom, 0), bed.c.domainSuspend(dom), bed.c.domainResume(dom),
        bed.c.domainUndefineFlags(dom, 0), bed.c.domainInterfaceAddresses(dom, 0), bed.c.domainGetBlockInfo(dom, 'vda'),
      ]
      expect(await Promise.all(calls.map(codeOf))).toEqual(calls.map(() => E.NO_DOMAIN))
    })

    test('a definition over the same name and UUID replaces the configuration and is harmless to repeat', async () => {
      const dom = await bed.define(bed.name('again'))
      const document = bed.domainXML(dom.name, { uuid: dom.uuid, head: '<title>second</title>' })
      for (let times = 0; times < 2; times++) expect(await bed.c.domainDefineXMLFlags(document, 0)).toEqual(dom)
      expect(await bed.c.domainGetXMLDesc(dom, XMLFlags.INACTIVE)).toContain('<title>second</title>')
      await bed.remove(dom)
      expect(await bed.lifecycle(dom)).toEqual([[0, 0], [0, 1], [0, 1], [1, 0]])
    })

    test('a name and a UUID are taken once: another UUID for the name, another name for the UUID, and a name without its UUID are refused', async () => {
      const dom = await bed.define(bed.name('unique'))
      for (const document of [bed.domainXML(dom.name, { uuid: other }), bed.domainXML(`${dom.name}-x`, { uuid: dom.uuid }), bed.domainXML(dom.name)]) {
        expect(await codeOf(bed.c.domainDefineXMLFlags(document, 0))).toBe(E.OPERATION_FAILED)
        expect(await codeOf(bed.c.domainCreateXML(document, 0))).toBe(E.OPERATION_FAILED)
      }
      await bed.remove(dom)
    })

    test('what is read back defines the same domain again', async () => {
      const dom = await bed.define(bed.name('roundtrip'), { vcpus: 1, maxVcpus: 4, memory: 131_072, current: 65_536, head: '<title>t</title><description>two\nlines</description>' })
      const document = await bed.c.domainGetXMLDesc(dom, XMLFlags.INACTIVE | XMLFlags.SECURE)
      await bed.c.domainDefineXMLFlags(document, 0)
      expect(await bed.c.domainGetXMLDesc(dom, XMLFlags.INACTIVE | XMLFlags.SECURE)).toBe(document)
      await bed.remove(dom)
    })

    test('sizes are KiB, units are understood, a maximum below the current size lowers it', async () => {
      const dom = await bed.c.domainDefineXMLFlags(bed.domainXML(bed.name('units')).replace('<memory>65536</memory><currentMemory>65536', `<memory unit='b'>67108865</memory><currentMemory unit='GiB'>1`), 0)
      expect(await bed.c.domainGetInfo(dom)).toMatchObject({ maxMem: 65_537, memory: 65_537 })
      await bed.remove(dom)
    })
  })

  describe('documents that are refused', () => {
    const name = 'refused'
    const cases: [reason: string, code: number, change: (document: string) => string][] = [
      ['no XML', E.XML_DETAIL, () => '<domain'], ['nothing', E.XML_DETAIL, () => ''], ['two roots', E.XML_DETAIL, document => document + document], ['a control character', E.XML_DETAIL, document => document.replace(name, 'a\x01')],
      ['another root', E.XML_ERROR, () => '<network/>'], ['no name', E.NO_NAME, document => document.replace(`<name>${name}</name>`, '')], ['an empty name', E.NO_NAME, document => document.replace(name, '')],
      ['a slash in the name', E.XML_ERROR, document => document.replace(name, 'a/b')], ['a newline in the name', E.XML_DETAIL, document => document.replace(name, 'a\nb')],
      ['no type', E.INTERNAL_ERROR, document => document.replace(/ type='[a-z]+'/, '')], ['an unknown type', E.CONFIG_UNSUPPORTED, document => document.replace(/ type='[a-z]+'/, " type='bogus'")],
      ['no memory', E.XML_ERROR, document => document.replace(/<memory>.*<\/currentMemory>/, '')], ['no memory at all', E.XML_ERROR, document => document.replace('<memory>65536', '<memory>0')], ['memory that is no number', E.XML_ERROR, document => document.replace('<memory>65536', '<memory>lots')],
      ['a negative size', E.XML_ERROR, document => document.replace('<memory>65536', '<memory>-1')], ['an unknown unit', E.INVALID_ARG, document => document.replace('<memory>', "<memory unit='furlong'>")],
      ['a count that is no number', E.XML_ERROR, document => document.replace(/<vcpu .*<\/vcpu>/, '<vcpu>one</vcpu>')], ['more CPUs than the maximum', E.CONFIG_UNSUPPORTED, document => document.replace(/<vcpu .*<\/vcpu>/, "<vcpu current='4'>2</vcpu>")],
      ['no operating system type', E.XML_ERROR, document => document.replace(/<os>.*<\/os>/, '')], ['an unknown operating system type', E.CONFIG_UNSUPPORTED, document => document.replace('>hvm<', '>xyz<')], ['an unknown architecture', E.CONFIG_UNSUPPORTED, document => document.replace(/<type[^>]*>/, "<type arch='xyz'>")],
      ['a malformed UUID', E.INTERNAL_ERROR, document => document.replace('<memory>', '<uuid>zz</uuid><memory>')], ['a newline in the title', E.XML_ERROR, document => document.replace('<memory>', '<title>a\nb</title><memory>')],
      ['an unknown action', E.CONFIG_UNSUPPORTED, document => document.replace('<devices>', '<on_poweroff>bogus</on_poweroff><devices>')],
    ]
    const disk = (inner: string, attributes = "type='file'"): string => `<disk ${attributes}>${inner}</disk>`
    const devices: [reason: string, code: number, devices: string][] = [
      ['a disk without a target', E.NO_TARGET, disk("<source file='/a'/>")], ['a disk without a source', E.NO_SOURCE, disk("<target dev='vda'/>")], ['two disks of one target', E.XML_ERROR, disk("<source file='/a'/><target dev='vda'/>") + disk("<source file='/b'/><target dev='vda'/>")],
      ['an unknown kind of disk', E.XML_ERROR, disk("<target dev='vda'/>", "type='bogus'")], ['an unknown disk device', E.XML_ERROR, disk("<source file='/a'/><target dev='vda'/>", "type='file' device='bogus'")],
      ['an unknown target', E.XML_ERROR, disk("<source file='/a'/><target dev='bogus'/>")], ['an unknown bus', E.XML_ERROR, disk("<source file='/a'/><target dev='vda' bus='bogus'/>")],
      ['an interface on no network', E.XML_ERROR, "<interface type='network'/>"], ['a malformed MAC address', E.XML_ERROR, "<interface type='network'><source network='x'/><mac address='zz'/></interface>"],
      ['a multicast MAC address', E.XML_ERROR, "<interface type='network'><source network='x'/><mac address='01:00:00:00:00:01'/></interface>"],
      ['one alias twice', E.CONFIG_UNSUPPORTED, disk("<source file='/a'/><target dev='vda'/><alias name='ua-x'/>") + "<interface type='network'><source network='x'/><alias name='ua-x'/></interface>"],
    ]

    test.each(cases)('%s is error %i, and nothing is defined', async (_reason, code, change) => {
      expect(await codeOf(bed.c.domainDefineXMLFlags(change(bed.domainXML(name)), 0))).toBe(code)
      expect(await codeOf(bed.c.domainLookupByName(name))).toBe(E.NO_DOMAIN)
    })
    test.each(devices)('%s is error %i, and nothing is defined', async (_reason, code, xml) => {
      expect(await codeOf(bed.c.domainDefineXMLFlags(bed.domainXML(name, { devices: xml }), 0))).toBe(code)
      expect(await codeOf(bed.c.domainLookupByName(name))).toBe(E.NO_DOMAIN)
    })

    test('what libvirt does not know is dropped, unless validation is asked for', async () => {
      const document = bed.domainXML(bed.name('unknown')).replace('<devices>', '<nonsense><a/></nonsense><devices><gadget/>')
      const dom = await bed.c.domainDefineXMLFlags(document, 0)
      expect(await bed.c.domainGetXMLDesc(dom, 0)).not.toMatch(/nonsense|gadget/)
      expect(await codeOf(bed.c.domainDefineXMLFlags(document.replace('<memory>', `<uuid>${dom.uuid}</uuid><memory>`), 1))).toBe(E.XML_INVALID_SCHEMA)
      await bed.remove(dom)
    })

    test('unknown flags are error 8', async () => {
      const dom = await bed.define(bed.name('flags'))
      const calls = [bed.c.domainDefineXMLFlags(bed.domainXML('x'), 0x4000), bed.c.domainCreateWithFlags(dom, 0x4000), bed.c.domainGetXMLDesc(dom, 0x4000), bed.c.domainUndefineFlags(dom, 0x4000)]
      expect(await Promise.all(calls.map(codeOf))).toEqual(calls.map(() => E.INVALID_ARG))
      await bed.remove(dom)
    })
  })

  describe('transient and persistent', () => {
    test('a transient domain runs without a configuration and is gone when it ends', async () => {
      const dom = await bed.c.domainCreateXML(bed.domainXML(bed.name('transient')), 0)
      expect(dom.id).toBeGreaterThan(0)
      expect(await bed.c.domainLookupByID(dom.id)).toEqual(dom)
      expect(await bed.c.domainIsPersistent(dom)).toBe(false)
      expect(await bed.c.domainGetState(dom)).toMatchObject({ state: DomainState.Running })
      if (bed.traits.autostartNeedsConfig) expect(await codeOf(bed.c.domainSetAutostart(dom, true))).toBe(E.OPERATION_INVALID)
      else await bed.c.domainSetAutostart(dom, true)
      await bed.c.domainDestroyFlags(dom, 0)
      expect(await codeOf(bed.c.domainLookupByUUID(dom.uuid))).toBe(E.NO_DOMAIN)
    })

    test('a transient domain that is defined is persistent, for the first time added', async () => {
      const dom = await bed.c.domainCreateXML(bed.domainXML(bed.name('kept')), 0)
      await bed.forgetEvents()
      await bed.c.domainDefineXMLFlags(bed.domainXML(dom.name, { uuid: dom.uuid, head: '<title>next</title>' }), 0)
      expect(await bed.lifecycle(dom)).toEqual([[0, 0]])
      expect(await bed.c.domainIsPersistent(dom)).toBe(true)
      expect(await bed.c.domainGetXMLDesc(dom, 0)).not.toContain('next')
      await bed.c.domainDestroyFlags(dom, 0)
      expect(await bed.c.domainGetState(dom)).toEqual({ state: DomainState.Shutoff, reason: 2 })
      expect(await bed.c.domainGetXMLDesc(dom, 0)).toContain('<title>next</title>')
      await bed.remove(dom)
    })

    test('a running domain that is undefined runs on as a transient one', async () => {
      const dom = await bed.running('undefined')
      await bed.forgetEvents()
      await bed.c.domainUndefineFlags(dom, 0)
      expect([await bed.c.domainIsPersistent(dom), (await bed.c.domainGetState(dom)).state]).toEqual([false, DomainState.Running])
      expect(await bed.lifecycle(dom)).toEqual([[1, 0]])
      await bed.c.domainDestroyFlags(dom, 0)
      expect(await codeOf(bed.c.domainLookupByUUID(dom.uuid))).toBe(E.NO_DOMAIN)
    })

    test('a definition over a running domain changes its next configuration alone', async () => {
      const dom = await bed.running('redefined')
      await bed.c.domainDefineXMLFlags(bed.domainXML(dom.name, { uuid: dom.uuid, memory: 98_304 }), 0)
      expect(await bed.c.domainGetInfo(dom)).toMatchObject({ state: DomainState.Running, maxMem: 65_536 })
      expect(await bed.c.domainGetXMLDesc(dom, 0)).toContain('>65536</memory>')
      expect(await bed.c.domainGetXMLDesc(dom, XMLFlags.INACTIVE)).toContain('>98304</memory>')
      await bed.c.domainDestroyFlags(dom, 0)
      expect(await bed.c.domainGetInfo(dom)).toMatchObject({ maxMem: 98_304 })
      await bed.remove(dom)
    })

    test('a run with another document over a defined domain leaves its configuration alone', async () => {
      const dom = await bed.define(bed.name('once'))
      const run = await bed.c.domainCreateXML(bed.domainXML(dom.name, { uuid: dom.uuid, head: '<title>once</title>' }), 0)
      expect(await bed.c.domainIsPersistent(run)).toBe(true)
      expect(await bed.c.domainGetXMLDesc(run, 0)).toContain('once</title>')
      expect(await bed.c.domainGetXMLDesc(run, XMLFlags.INACTIVE)).not.toContain('once</title>')
      expect(await codeOf(bed.c.domainCreateXML(bed.domainXML(dom.name, { uuid: dom.uuid }), 0))).toBe(E.OPERATION_INVALID)
      await bed.c.domainDestroyFlags(run, 0)
      expect(await bed.c.domainGetXMLDesc(run, 0)).not.toContain('once</title>')
      await bed.remove(dom)
    })

    test('autostart is kept over runs and definitions, and needs a configuration', async () => {
      const dom = await bed.define(bed.name('auto'))
      await bed.c.domainSetAutostart(dom, true)
      await bed.c.domainDefineXMLFlags(bed.domainXML(dom.name, { uuid: dom.uuid }), 0)
      await bed.c.domainDestroyFlags(await bed.c.domainCreateWithFlags(dom, 0), 0)
      expect(await bed.c.domainGetAutostart(dom)).toBe(true)
      await bed.c.domainSetAutostart(dom, false)
      expect(await bed.c.domainGetAutostart(dom)).toBe(false)
      await bed.remove(dom)
    })
  })
}
