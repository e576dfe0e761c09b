// Snapshots: a tree of states, and the ways back to each.

import { describe, expect, test } from 'vitest'
import { DomainState, SnapshotCreateFlags, SnapshotDeleteFlags, type DomainRef, type SnapshotRef } from '../../../drivers/driver.ts'
import { ErrorNumber as E } from '../../../drivers/errors.ts'
import { type Bed, codeOf } from '../bed.ts'
import type { Event } from '../subject.ts'

const { Running, Paused, Shutoff } = DomainState

export function snapshots(bed: Bed): void {
  const take = (dom: DomainRef, name: string, flags = 0): Promise<SnapshotRef> => bed.c.domainSnapshotCreateXML(dom, `<domainsnapshot><name>${name}</name><description>about ${name}</description></domainsnapshot>`, flags)
  const names = (all: SnapshotRef[]): string[] => all.map(({ name }) => name).toSorted()
  const state = async (dom: DomainRef): Promise<[DomainState, number]> => {
    const { state: now, reason } = await bed.c.domainGetState(dom)
    return [now, reason]
  }
  /** What was told since the last look, where the driver tells each step. */
  const expectTold = async (dom: DomainRef, events: Event[]): Promise<void> => {
    if (bed.traits.tellsSteps) expect(await bed.lifecycle(dom)).toEqual(events)
    await bed.forgetEvents()
  }
  const defined = async (): Promise<DomainRef> => await bed.define(bed.name('snapshots'), { devices: await bed.image() })

  test('each stands below the one that was current, and is current itself', async () => {
    const dom = await defined()
    expect([await bed.c.domainHasCurrentSnapshot(dom), await codeOf(bed.c.domainSnapshotCurrent(dom))]).toEqual([false, E.NO_DOMAIN_SNAPSHOT])
    const [first, second, third] = [await take(dom, 'first'), await take(dom, 'second'), await take(dom, 'third')]
    expect(names(await bed.c.domainListAllSnapshots(dom, 0))).toEqual(['first', 'second', 'third'])
    expect([names(await bed.c.domainListAllSnapshots(dom, 1)), names(await bed.c.domainListAllSnapshots(dom, 4))]).toEqual([['first'], ['third']])
    expect([names(await bed.c.domainSnapshotListAllChildren(first, 0)), names(await bed.c.domainSnapshotListAllChildren(first, 1))]).toEqual([['second'], ['second', 'third']])
    expect([(await bed.c.domainSnapshotCurrent(dom)).name, (await bed.c.domainSnapshotGetParent(third)).name, await codeOf(bed.c.domainSnapshotGetParent(first))]).toEqual(['third', 'second', E.NO_DOMAIN_SNAPSHOT])
    expect([await bed.c.domainSnapshotIsCurrent(third), await bed.c.domainSnapshotIsCurrent(second)]).toEqual([true, false])
    const xml = (await bed.c.domainSnapshotGetXMLDesc(second, 0)).replaceAll(/\n\s*</g, '<')
    for (const piece of ['<name>second</name>', '<description>about second</description>', '<state>shutoff</state>', '<parent><name>first</name></parent>', '<creationTime>']) expect(xml).toContain(piece)
    await bed.remove(dom)
  })

  test('a name is taken once, is no path where it is kept in a file, and an unknown one is error 72', async () => {
    const dom = await defined()
    await take(dom, 'first')
    expect(await codeOf(take(dom, 'first'))).toBe(E.OPERATION_FAILED)
    if (bed.traits.hasFolders) expect(await codeOf(take(dom, 'a/b'))).toBe(E.XML_DETAIL)
    else expect((await take(dom, 'a/b')).name).toBe('a/b')
    expect([await codeOf(bed.c.domainSnapshotCreateXML(dom, '<domainsnapshot', 0)), await codeOf(bed.c.domainSnapshotCreateXML(dom, '<domain/>', 0))]).toEqual([E.XML_DETAIL, E.XML_ERROR])
    const none = { name: 'none', dom }
    const calls = [bed.c.domainSnapshotLookupByName(dom, 'none'), bed.c.domainSnapshotGetXMLDesc(none, 0), bed.c.domainRevertToSnapshot(none, 0), bed.c.domainSnapshotDelete(none, 0)]
    expect(await Promise.all(calls.map(codeOf))).toEqual(calls.map(() => E.NO_DOMAIN_SNAPSHOT))
    await bed.remove(dom)
  })

  test('a deletion leaves its children to its parent, or takes them along', async () => {
    const dom = await defined()
    const [first, second, third] = [await take(dom, 'first'), await take(dom, 'second'), await take(dom, 'third')]
    await bed.c.domainSnapshotDelete(second, 0)
    expect((await bed.c.domainSnapshotGetParent(third)).name).toBe('first')
    await take(dom, 'fourth')
    await bed.c.domainSnapshotDelete(first, SnapshotDeleteFlags.CHILDREN_ONLY)
    expect([names(await bed.c.domainListAllSnapshots(dom, 0)), (await bed.c.domainSnapshotCurrent(dom)).name]).toEqual([['first'], 'first'])
    await take(dom, 'fifth')
    await bed.c.domainSnapshotDelete(first, SnapshotDeleteFlags.CHILDREN)
    expect(await bed.c.domainListAllSnapshots(dom, 0)).toEqual([])
    await bed.c.domainUndefineFlags(dom, 0)
    expect(await codeOf(bed.c.domainLookupByUUID(dom.uuid))).toBe(E.NO_DOMAIN)
  })

  test('a domain that is off is not undefined over its snapshots, unless they are named', async () => {
    const dom = await defined()
    await take(dom, 'first')
    expect(await codeOf(bed.c.domainUndefineFlags(dom, 0))).toBe(E.OPERATION_INVALID)
    await bed.c.domainUndefineFlags(dom, 2)
    expect(await codeOf(bed.c.domainLookupByUUID(dom.uuid))).toBe(E.NO_DOMAIN)
  })

  describe('the way back', () => {
    test('to a run, from none and from another, and to none: each with its events', async () => {
      const dom = await defined()
      const off = await take(dom, 'off')
      await bed.c.domainCreateWithFlags(dom, 0)
      await bed.forgetEvents()
      const on = await take(dom, 'on')
      await expectTold(dom, [[3, 0], [4, 0]])
      expect((await state(dom))[0]).toBe(Running)
      await take(dom, 'halted', SnapshotCreateFlags.HALT)
      await expectTold(dom, [[3, 0], [5, 6]])
      expect(await state(dom)).toEqual([Shutoff, 7])
      await bed.c.domainRevertToSnapshot(on, 0)
      await expectTold(dom, [[2, 3], [4, 2], [0, 3]])
      expect((await state(dom))[0]).toBe(Running)
      await bed.c.domainRevertToSnapshot(on, 0)
      await expectTold(dom, [[5, 6], [2, 3], [4, 2], [0, 3]])
      expect((await state(dom))[0]).toBe(Running)
      expect(await bed.c.domainSnapshotIsCurrent(on)).toBe(true)
      await bed.c.domainRevertToSnapshot(off, 0)
      await expectTold(dom, [[5, 6], [0, 3]])
      expect([(await state(dom))[0], (await bed.c.domainLookupByUUID(dom.uuid)).id]).toEqual([Shutoff, -1])
      await bed.remove(dom)
    })

    test('to a run that stood still stands still', async () => {
      const dom = await defined()
      await bed.c.domainCreateWithFlags(dom, 0)
      await bed.c.domainSuspend(dom)
      await bed.forgetEvents()
      const still = await take(dom, 'still')
      await expectTold(dom, [])
      await bed.c.domainResume(dom)
      await bed.forgetEvents()
      await bed.c.domainRevertToSnapshot(still, 0)
      await expectTold(dom, [[5, 6], [2, 3], [3, 5], [0, 3]])
      expect((await state(dom))[0]).toBe(Paused)
      await bed.remove(dom)
    })
  })
}
