// Memory, processors, metadata and what follows an end: live, in the next configuration, and the refusals of each.

import { describe, expect, test } from 'vitest'
import { Affect, XMLFlags, type DomainRef } from '../../../drivers/driver.ts'
import { ErrorNumber as E } from '../../../drivers/errors.ts'
import { type Bed, codeOf } from '../bed.ts'

const { LIVE, CONFIG, CURRENT, MAXIMUM } = Affect

export function tuning(bed: Bed): void {
  const inactive = (dom: DomainRef): Promise<string> => bed.c.domainGetXMLDesc(dom, XMLFlags.INACTIVE)
  const live = (dom: DomainRef): Promise<string> => bed.c.domainGetXMLDesc(dom, 0)

  /** Calls that take flags, each valid in itself. */
  const flagged: [name: string, call: (dom: DomainRef, flags: number) => Promise<void>][] = [
    ['memory', (dom, flags) => bed.c.domainSetMemoryFlags(dom, 32_768, flags)], ['vCPUs', (dom, flags) => bed.c.domainSetVcpusFlags(dom, 1, flags)],
    ['title', (dom, flags) => bed.c.domainSetMetadata(dom, 1, 'x', null, null, flags)], ['lifecycle action', (dom, flags) => bed.c.domainSetLifecycleAction(dom, 0, 0, flags)],
  ]

  test.each(flagged)('%s: live needs a run, the configuration needs a persistent domain', async (_name, call) => {
    const off = await bed.define(bed.name('off'))
    expect(await codeOf(call(off, LIVE))).toBe(E.OPERATION_INVALID)
    await call(off, CONFIG)
    await call(off, CURRENT)
    await bed.remove(off)
    const transient = await bed.c.domainCreateXML(bed.domainXML(bed.name('transient')), 0)
    expect(await codeOf(call(transient, CONFIG))).toBe(E.OPERATION_INVALID)
    await call(transient, LIVE)
    await call(transient, CURRENT)
    await bed.remove(transient)
  })

  describe('memory', () => {
    test('of a domain that is shut off: up to its maximum, which is set apart and takes the size with it', async () => {
      const dom = await bed.define(bed.name('memory'), { memory: 131_072, current: 65_536 })
      await bed.c.domainSetMemoryFlags(dom, 98_304, CONFIG)
      expect(await bed.c.domainGetInfo(dom)).toMatchObject({ maxMem: 131_072, memory: 98_304 })
      expect(await codeOf(bed.c.domainSetMemoryFlags(dom, 131_073, CONFIG))).toBe(E.INVALID_ARG)
      expect(await codeOf(bed.c.domainSetMemoryFlags(dom, 0, CONFIG))).toBe(E.INVALID_ARG)
      await bed.c.domainSetMemoryFlags(dom, 65_536, CONFIG | MAXIMUM)
      expect(await bed.c.domainGetInfo(dom)).toMatchObject({ maxMem: 65_536, memory: 65_536 })
      await bed.remove(dom)
    })

    test('of a running domain: never above its maximum, which only the next start changes', async () => {
      const dom = await bed.running('memory', { memory: 131_072, current: 65_536 })
      await bed.c.domainSetMemoryFlags(dom, 131_072, LIVE)
      expect(await bed.c.domainGetInfo(dom)).toMatchObject({ maxMem: 131_072, memory: 131_072 })
      expect(await inactive(dom)).toContain('>65536</currentMemory>')
      expect(await codeOf(bed.c.domainSetMemoryFlags(dom, 131_073, LIVE))).toBe(E.INVALID_ARG)
      for (const flags of [MAXIMUM | LIVE, MAXIMUM | CURRENT]) expect(await codeOf(bed.c.domainSetMemoryFlags(dom, 262_144, flags))).toBe(E.OPERATION_INVALID)
      await bed.c.domainSetMemoryFlags(dom, 262_144, MAXIMUM | CONFIG)
      expect(await bed.c.domainGetInfo(dom)).toMatchObject({ maxMem: 131_072 })
      expect(await inactive(dom)).toContain('>262144</memory>')
      if (bed.traits.setsMemoryTwice) await bed.c.domainSetMemoryFlags(dom, 131_072, LIVE | CONFIG)
      else expect(await codeOf(bed.c.domainSetMemoryFlags(dom, 131_072, LIVE | CONFIG))).toBe(E.INVALID_ARG)
      expect(await inactive(dom)).toContain(bed.traits.setsMemoryTwice ? '>131072</currentMemory>' : '>65536</currentMemory>')
      await bed.remove(dom)
    })
  })

  describe('processors', () => {
    test('of a domain that is shut off: up to the maximum, which needs the flag of the configuration', async () => {
      const dom = await bed.define(bed.name('vcpus'), { vcpus: 1, maxVcpus: 2 })
      await bed.c.domainSetVcpusFlags(dom, 2, CONFIG)
      expect((await bed.c.domainGetInfo(dom)).nrVirtCpu).toBe(2)
      expect(await codeOf(bed.c.domainSetVcpusFlags(dom, 3, CONFIG))).toBe(E.INVALID_ARG)
      expect(await codeOf(bed.c.domainSetVcpusFlags(dom, 0, CONFIG))).toBe(E.INVALID_ARG)
      expect(await codeOf(bed.c.domainSetVcpusFlags(dom, 4, MAXIMUM | LIVE))).toBe(E.INVALID_ARG)
      await bed.c.domainSetVcpusFlags(dom, 4, MAXIMUM | CONFIG)
      await bed.c.domainSetVcpusFlags(dom, 3, CONFIG)
      expect(await inactive(dom)).toMatch(/<vcpu [^>]*current=['"]3['"][^>]*>4<\/vcpu>/)
      await bed.c.domainSetVcpusFlags(dom, 1, MAXIMUM | CONFIG)
      expect(await inactive(dom)).toMatch(/<vcpu placement=['"]static['"]>1<\/vcpu>/)
      await bed.remove(dom)
    })

    test('of a running domain: more of them at once, and in the next configuration apart from that', async () => {
      const dom = await bed.running('vcpus', { vcpus: 1, maxVcpus: 3 })
      await bed.c.domainSetVcpusFlags(dom, 2, LIVE)
      await bed.c.domainSetVcpusFlags(dom, 3, CONFIG)
      expect((await bed.c.domainGetInfo(dom)).nrVirtCpu).toBe(2)
      expect(await live(dom)).toMatch(/current=['"]2['"]/)
      expect(await inactive(dom)).toMatch(/<vcpu placement=['"]static['"]>3<\/vcpu>/)
      expect(await codeOf(bed.c.domainSetVcpusFlags(dom, 4, LIVE))).toBe(E.INVALID_ARG)
      await bed.remove(dom)
    })
  })

  describe('metadata', () => {
    test('title, description and one element for each namespace, each change told', async () => {
      const dom = await bed.define(bed.name('metadata'))
      await bed.forgetEvents()
      await bed.c.domainSetMetadata(dom, 1, 'a title', null, null, CONFIG)
      await bed.c.domainSetMetadata(dom, 0, 'two\nlines', null, null, CURRENT)
      await bed.c.domainSetMetadata(dom, 2, '<v a="1"><w/></v>', 'k', 'urn:x', CONFIG)
      await bed.c.domainSetMetadata(dom, 2, '<z/>', 'm', 'urn:y', CONFIG)
      expect(await bed.others(dom)).toEqual(Array.from({ length: 4 }, () => 'metadata-change'))
      const xml = (await inactive(dom)).replaceAll(/\n\s*</g, '<')
      expect(xml).toContain('<title>a title</title><description>two\nlines</description>')
      expect(xml).toContain('<k:v xmlns:k="urn:x" a="1"><k:w/></k:v>')
      await bed.c.domainSetMetadata(dom, 2, '<other/>', 'q', 'urn:x', CONFIG)
      for (const [type, key, uri] of [[2, 'm', 'urn:y'], [2, 'm', 'urn:absent'], [1, null, null]] as const) await bed.c.domainSetMetadata(dom, type, null, key, uri, CONFIG)
      const after = await inactive(dom)
      expect(after).toContain('<q:other xmlns:q="urn:x"/>')
      expect(after).not.toMatch(/k:v|urn:y|<title>/)
      await bed.remove(dom)
    })

    test('a title of two lines, an element without key or namespace, one that is no XML, an unknown type, and a key for a text are refused', async () => {
      const dom = await bed.define(bed.name('metadata'))
      const call = (type: number, text: string | null, key: string | null, uri: string | null): Promise<number> => codeOf(bed.c.domainSetMetadata(dom, type as 0 | 1 | 2, text, key, uri, CONFIG))
      expect([await call(1, 'a\nb', null, null), await call(2, '<v/>', 'k', null), await call(2, '<v/>', null, 'urn:x'), await call(2, '<v', 'k', 'urn:x'), await call(9, 'x', null, null), await call(1, 'x', 'k', null), await call(0, 'x', null, 'urn:x')])
        .toEqual([E.INVALID_ARG, E.INVALID_ARG, E.INVALID_ARG, E.XML_DETAIL, E.INVALID_ARG, E.INVALID_ARG, E.INVALID_ARG])
      await bed.remove(dom)
    })

    test('live metadata goes with the run', async () => {
      const dom = await bed.running('metadata')
      await bed.c.domainSetMetadata(dom, 1, 'now', null, null, LIVE)
      await bed.c.domainSetMetadata(dom, 1, 'next', null, null, CONFIG)
      expect([await live(dom), await inactive(dom)].map(xml => /<title>(.*)<\/title>/.exec(xml)?.[1])).toEqual(['now', 'next'])
      await bed.remove(dom)
    })
  })

  test('what follows an end: live and configured, with the actions that the event has', async () => {
    const dom = await bed.running('lifecycle')
    await bed.c.domainSetLifecycleAction(dom, 0, 1, LIVE)
    await bed.c.domainSetLifecycleAction(dom, 1, 0, CONFIG)
    expect(await live(dom)).toContain('<on_poweroff>restart</on_poweroff>')
    expect(await inactive(dom)).toContain('<on_poweroff>destroy</on_poweroff>')
    expect(await inactive(dom)).toContain('<on_reboot>destroy</on_reboot>')
    expect(await codeOf(bed.c.domainSetLifecycleAction(dom, 0, 4, CONFIG))).toBe(E.CONFIG_UNSUPPORTED)
    expect(await codeOf(bed.c.domainSetLifecycleAction(dom, 7, 0, CONFIG))).toBe(E.INVALID_ARG)
    await bed.remove(dom)
  })
}
