// Networks: their life, what they own, and changes in place.

import { describe, expect, test } from 'vitest'
import { Affect, NetworkSection as Section, NetworkUpdateCommand as Command, type NetworkRef } from '../../../drivers/driver.ts'
import { ErrorNumber as E } from '../../../drivers/errors.ts'
import { type Bed, codeOf } from '../bed.ts'

const { LIVE, CONFIG, CURRENT } = Affect
const INACTIVE = 1
const other = '6f1c2d3e-0000-5000-8000-000000000078'

export function networks(bed: Bed): void {
  const { traits } = bed
  const remove = async (net: NetworkRef): Promise<void> => {
    if (await bed.c.networkIsActive(net)) await bed.c.networkDestroy(net)
    await bed.c.networkUndefine(net)
  }

  describe('life', () => {
    test('defined, started, stopped, undefined: found in every way, each step with its event', async () => {
      const net = await bed.c.networkDefineXML(bed.networkXML(bed.name('net')))
      expect([await bed.c.networkLookupByName(net.name), await bed.c.networkLookupByUUID(net.uuid)]).toEqual([net, net])
      expect(await bed.c.connectListAllNetworks()).toContainEqual(net)
      expect([await bed.c.networkIsActive(net), await bed.c.networkGetAutostart(net)]).toEqual([false, false])
      if (traits.stopsOnce) expect(await codeOf(bed.c.networkDestroy(net))).toBe(E.OPERATION_INVALID)
      await bed.c.networkCreate(net)
      expect(await bed.c.networkIsActive(net)).toBe(true)
      expect(await codeOf(bed.c.networkCreate(net))).toBe(E.OPERATION_INVALID)
      await bed.c.networkSetAutostart(net, true)
      expect(await bed.c.networkGetAutostart(net)).toBe(true)
      await bed.c.networkDestroy(net)
      await bed.c.networkUndefine(net)
      expect(await bed.lifecycle(net)).toEqual([[0, 0], [2, 0], [3, 0], [1, 0]])
    })

    test('a network that is gone is error 43 and nothing else, in every call', async () => {
      const net = await bed.c.networkDefineXML(bed.networkXML(bed.name('gone')))
      await bed.c.networkUndefine(net)
      const calls = [
        bed.c.networkLookupByName(net.name), bed.c.networkLookupByUUID(net.uuid), bed.c.networkGetXMLDesc(net, 0), bed.c.networkIsActive(net), bed.c.networkGetAutostart(net), bed.c.networkSetAutostart(net, true),
        bed.c.networkCreate(net), bed.c.networkDestroy(net), bed.c.networkUndefine(net), bed.c.networkUpdate(net, Command.ADD_LAST, Section.IP_DHCP_HOST, -1, "<host mac='52:54:00:00:00:01' ip='192.168.1.11'/>", CURRENT),
      ]
      expect(await Promise.all(calls.map(codeOf))).toEqual(calls.map(() => E.NO_NETWORK))
    })

    test('a definition over a running network changes its next configuration alone', async () => {
      const net = await bed.network('next')
      const before = await bed.c.networkGetXMLDesc(net, 0)
      await bed.c.networkDefineXML(bed.networkXML(net.name, { uuid: net.uuid, inner: "<domain name='example.org'/>" }))
      expect(await bed.c.networkGetXMLDesc(net, 0)).toBe(before)
      if (traits.keepsNext) expect(await bed.c.networkGetXMLDesc(net, INACTIVE)).toContain('example.org')
      else expect(await codeOf(bed.c.networkGetXMLDesc(net, INACTIVE))).toBe(E.INVALID_ARG)
      await bed.c.networkDestroy(net)
      expect((await bed.c.networkGetXMLDesc(net, 0)).includes('example.org')).toBe(traits.keepsNext)
      await remove(net)
    })

    test('a running network that is undefined runs on as a transient one, or is refused', async () => {
      const net = await bed.network('undefined')
      if (!traits.undefinesRunning) {
        expect(await codeOf(bed.c.networkUndefine(net))).toBe(E.OPERATION_INVALID)
        return await remove(net)
      }
      await bed.c.networkUndefine(net)
      expect(await bed.c.networkIsActive(net)).toBe(true)
      expect(await codeOf(bed.c.networkSetAutostart(net, true))).toBe(E.OPERATION_INVALID)
      await bed.c.networkDestroy(net)
      expect(await codeOf(bed.c.networkLookupByUUID(net.uuid))).toBe(E.NO_NETWORK)
    })

    test('a name and a UUID are taken once; so are bridges and running address blocks where the host has them', async () => {
      const net = await bed.c.networkDefineXML(bed.networkXML(bed.name('unique'), { octet: 201 }))
      await bed.c.networkCreate(net)
      for (const document of [bed.networkXML(net.name, { uuid: other }), bed.networkXML(`${net.name}x`, { uuid: net.uuid }), bed.networkXML(net.name)]) expect(await codeOf(bed.c.networkDefineXML(document))).toBe(E.OPERATION_FAILED)
      const sameBridge = bed.networkXML(bed.name('bridge'), { octet: 201 })
      const sameBlock = sameBridge.replace("'vc201'", "'vcother'")
      if (traits.ownsAddresses) {
        expect(await codeOf(bed.c.networkDefineXML(sameBridge))).toBe(E.INTERNAL_ERROR)
        const clash = await bed.c.networkDefineXML(sameBlock)
        expect(await codeOf(bed.c.networkCreate(clash))).toBe(E.INTERNAL_ERROR)
        await remove(clash)
      } else await remove(await bed.c.networkDefineXML(sameBridge))
      await remove(net)
    })

    test('metadata in a namespace is kept', async () => {
      const net = await bed.c.networkDefineXML(bed.networkXML(bed.name('metadata'), { inner: "<metadata><v:x xmlns:v='urn:x' a='1'/></metadata>" }))
      expect(await bed.c.networkGetXMLDesc(net, 0)).toMatch(/<v:x xmlns:v="urn:x" a="1"\/>/)
      await remove(net)
    })
  })

  test.each<[reason: string, code: number, change: (document: string) => string]>([
    ['no XML', E.XML_DETAIL, () => '<network'], ['another root', E.XML_ERROR, () => '<domain/>'], ['no name', E.NO_NAME, () => '<network/>'], ['a slash in the name', E.XML_DETAIL, document => document.replace('refused', 'a/b')],
    ['a malformed address', E.XML_ERROR, document => document.replace('192.168.250.1', '300.1.1.1')], ['a range outside of the network', E.INTERNAL_ERROR, document => document.replace('192.168.250.99', '10.0.0.1')],
    ['a reversed range', E.INTERNAL_ERROR, document => document.replace("end='192.168.250.99'", "end='192.168.250.5'")], ['an unknown mode', E.CONFIG_UNSUPPORTED, document => document.replace("mode='nat'", "mode='bogus'")],
    ['address translation without an address', E.XML_ERROR, document => document.replace(/<ip .*<\/ip>/, '')],
  ])('%s is error %i, and nothing is defined', async (_reason, code, change) => {
    expect(await codeOf(bed.c.networkDefineXML(change(bed.networkXML('refused', { octet: 250 }))))).toBe(code)
    expect(await codeOf(bed.c.networkLookupByName('refused'))).toBe(E.NO_NETWORK)
  })

  describe('update in place', () => {
    const host = (mac: number, ip: number): string => `<host mac='52:54:00:00:00:0${mac}' ip='192.168.202.${ip}'/>`
    const range = (from: number, to: number): string => `<range start='192.168.202.${from}' end='192.168.202.${to}'/>`
    const made = async (active: boolean): Promise<NetworkRef> => {
      const net = await bed.c.networkDefineXML(bed.networkXML(bed.name('update'), { octet: 202 }))
      if (active) await bed.c.networkCreate(net)
      return net
    }

    test('a host entry: added first or last, changed, removed, and the refusals of each', async () => {
      const net = await made(false)
      const update = (command: number, xml: string, index = -1): Promise<void> => bed.c.networkUpdate(net, command, Section.IP_DHCP_HOST, index, xml, CURRENT)
      await update(Command.ADD_LAST, host(1, 11))
      await update(Command.ADD_LAST, host(2, 12), 0)
      await update(Command.ADD_FIRST, host(3, 13))
      expect([...(await bed.c.networkGetXMLDesc(net, 0)).matchAll(/<host [^>]*ip=['"]192\.168\.202\.(\d+)/g)].map(([, last]) => last)).toEqual(['13', '11', '12'])
      await update(Command.MODIFY, host(1, 21))
      expect(await bed.c.networkGetXMLDesc(net, 0)).toContain('192.168.202.21')
      await update(Command.DELETE, host(1, 21))
      expect(await bed.c.networkGetXMLDesc(net, 0)).not.toContain('192.168.202.21')
      const cases: [number, string, number, number][] = [
        [Command.ADD_LAST, host(2, 30), -1, E.OPERATION_INVALID], [Command.ADD_LAST, host(4, 12), -1, E.OPERATION_INVALID], [Command.MODIFY, host(5, 15), -1, E.OPERATION_INVALID], [Command.DELETE, host(5, 15), -1, E.OPERATION_INVALID],
        [Command.ADD_LAST, host(6, 16), 7, E.OPERATION_INVALID], [Command.ADD_LAST, '<host', -1, E.XML_DETAIL], [Command.ADD_LAST, '<foo/>', -1, E.XML_ERROR], [Command.ADD_LAST, "<host mac='52:54:00:00:00:0a'/>", -1, E.XML_ERROR],
        [Command.ADD_LAST, "<host mac='zz' ip='192.168.202.40'/>", -1, E.XML_ERROR], [9, host(7, 17), -1, E.OPERATION_UNSUPPORTED],
      ]
      for (const [command, xml, index, code] of cases) expect([xml, await codeOf(update(command, xml, index))]).toEqual([xml, code])
      await remove(net)
    })

    test('ranges, port groups and DNS entries come and go; bridge, domain, addresses and forwarding are refused', async () => {
      const net = await made(false)
      const sections: [number, string][] = [
        [Section.IP_DHCP_RANGE, range(100, 110)], [Section.PORTGROUP, "<portgroup name='pg'/>"], [Section.DNS_HOST, "<host ip='192.168.202.9'><hostname>nine</hostname></host>"], [Section.DNS_TXT, "<txt name='a' value='b'/>"], [Section.DNS_SRV, "<srv service='s' protocol='tcp'/>"],
      ]
      const before = (await bed.c.networkGetXMLDesc(net, 0)).replaceAll(/\s+/g, '')
      for (const [section, xml] of sections) {
        await bed.c.networkUpdate(net, Command.ADD_LAST, section, -1, xml, CURRENT)
        expect([xml, await codeOf(bed.c.networkUpdate(net, Command.ADD_LAST, section, -1, xml, CURRENT))]).toEqual([xml, E.OPERATION_INVALID])
        if (section !== Section.PORTGROUP) expect([xml, await codeOf(bed.c.networkUpdate(net, Command.MODIFY, section, -1, xml, CURRENT))]).toEqual([xml, E.OPERATION_UNSUPPORTED])
        await bed.c.networkUpdate(net, Command.DELETE, section, -1, xml, CURRENT)
        expect([xml, await codeOf(bed.c.networkUpdate(net, Command.DELETE, section, -1, xml, CURRENT))]).toEqual([xml, E.OPERATION_INVALID])
      }
      expect((await bed.c.networkGetXMLDesc(net, 0)).replaceAll(/\s+/g, '')).toBe(before)
      for (const section of [Section.BRIDGE, Section.DOMAIN, Section.IP, Section.FORWARD, 99]) expect([section, await codeOf(bed.c.networkUpdate(net, Command.MODIFY, section, -1, "<x/>", CURRENT))]).toEqual([section, E.OPERATION_UNSUPPORTED])
      await remove(net)
    })

    test('live needs a running network; the configuration is changed apart from it where it is kept apart', async () => {
      const off = await made(false)
      expect(await codeOf(bed.c.networkUpdate(off, Command.ADD_LAST, Section.IP_DHCP_HOST, -1, host(1, 11), LIVE))).toBe(E.OPERATION_INVALID)
      await bed.c.networkUpdate(off, Command.ADD_LAST, Section.IP_DHCP_HOST, -1, host(1, 11), CURRENT)
      expect(await bed.c.networkGetXMLDesc(off, 0)).toContain('192.168.202.11')
      expect(await codeOf(bed.c.networkUpdate(off, Command.ADD_LAST, Section.IP_DHCP_HOST, -1, host(2, 12), 8))).toBe(E.INVALID_ARG)
      await bed.c.networkCreate(off)
      if (traits.keepsNext) {
        await bed.c.networkUpdate(off, Command.ADD_LAST, Section.IP_DHCP_HOST, -1, host(2, 12), CONFIG)
        expect(await bed.c.networkGetXMLDesc(off, 0)).not.toContain('192.168.202.12')
        expect(await bed.c.networkGetXMLDesc(off, INACTIVE)).toContain('192.168.202.12')
        await bed.c.networkUpdate(off, Command.ADD_LAST, Section.IP_DHCP_HOST, -1, host(3, 13), LIVE | CONFIG)
        for (const flags of [0, INACTIVE]) expect(await bed.c.networkGetXMLDesc(off, flags)).toContain('192.168.202.13')
      }
      await remove(off)
    })
  })
}
