// What comes and goes beside the main line: saved runs, new names, filtered lists, transient networks and pools, secrets.

import { describe, expect, test } from 'vitest'
import { CreateFlags, DomainState, ListDomainsFlags, ListNetworksFlags, type DomainRef } from '../../../drivers/driver.ts'
import { ErrorNumber as E } from '../../../drivers/errors.ts'
import { type Bed, codeOf } from '../bed.ts'
import { expectUnsupported, refusals, type Asked } from './attempts.ts'
import type { Event } from '../subject.ts'

const { Running, Shutoff } = DomainState
const secretCalls: Asked[] = ['connectListAllSecrets', 'secretDefineXML', 'secretLookupByUUID', 'secretLookupByUsage', 'secretGetXMLDesc', 'secretSetValue', 'secretGetValue', 'secretUndefine']

export function objects(bed: Bed): void {
  const { traits } = bed
  const state = async (dom: DomainRef): Promise<[DomainState, number]> => {
    const { state: now, reason } = await bed.c.domainGetState(dom)
    return [now, reason]
  }

  describe('a saved run', () => {
    test('ends it and is what the next start goes on with', async () => {
      const dom = await bed.running('saved')
      await bed.forgetEvents()
      await bed.c.domainManagedSave(dom, 0)
      expect([await state(dom), await bed.c.domainHasManagedSaveImage(dom)]).toEqual([[Shutoff, 5], true])
      if (bed.has('domainManagedSaveGetXMLDesc')) expect(await bed.c.domainManagedSaveGetXMLDesc(dom, 0)).toContain(dom.uuid)
      else await expectUnsupported(bed, 'domainManagedSaveGetXMLDesc')
      expect(await codeOf(bed.c.domainManagedSave(dom, 0))).toBe(E.OPERATION_INVALID)
      expect(await codeOf(bed.c.domainUndefineFlags(dom, 0))).toBe(E.OPERATION_INVALID)
      await bed.c.domainDefineXMLFlags(bed.domainXML(dom.name, { uuid: dom.uuid }), 0)
      expect(await bed.c.domainHasManagedSaveImage(dom)).toBe(true)
      await bed.c.domainCreateWithFlags(dom, 0)
      expect([(await state(dom))[0], await bed.c.domainHasManagedSaveImage(dom)]).toEqual([Running, false])
      const saved: Event[] = traits.tellsSteps ? [[3, 0], [5, 4]] : [[5, 4]]
      expect((await bed.lifecycle(dom)).slice(0, saved.length)).toEqual(saved)
      if (traits.tellsSteps) {
        expect(await bed.lifecycle(dom)).toEqual([...saved, [0, 1], [2, 2], [4, 2]])
        expect((await bed.others(dom)).at(-1)).toBe('job-completed')
        expect(await state(dom)).toEqual([Running, 3])
      }
      await bed.remove(dom)
    })

    test('is dropped by a removal, by a boot that is forced, and with its domain where that is asked for', async () => {
      const dom = await bed.running('dropped')
      await bed.c.domainManagedSave(dom, 0)
      await bed.c.domainManagedSaveRemove(dom)
      expect([await state(dom), await bed.c.domainHasManagedSaveImage(dom)]).toEqual([[Shutoff, 5], false])
      await bed.c.domainCreateWithFlags(dom, 0)
      await bed.c.domainManagedSave(dom, 0)
      if (traits.startsPaused) {
        await bed.c.domainCreateWithFlags(dom, CreateFlags.FORCE_BOOT)
        expect([await state(dom), await bed.c.domainHasManagedSaveImage(dom)]).toEqual([[Running, 1], false])
        await bed.c.domainManagedSave(dom, 0)
      } else expect(await codeOf(bed.c.domainCreateWithFlags(dom, CreateFlags.FORCE_BOOT))).toBe(E.INVALID_ARG)
      await bed.c.domainUndefineFlags(dom, 1)
      expect(await codeOf(bed.c.domainLookupByUUID(dom.uuid))).toBe(E.NO_DOMAIN)
    })

    test('needs a run, and a domain that is there after it', async () => {
      const off = await bed.define(bed.name('off'))
      expect(await codeOf(bed.c.domainManagedSave(off, 0))).toBe(E.OPERATION_INVALID)
      await bed.remove(off)
      const transient = await bed.c.domainCreateXML(bed.domainXML(bed.name('transient')), 0)
      expect(await codeOf(bed.c.domainManagedSave(transient, 0))).toBe(E.OPERATION_INVALID)
      await bed.remove(transient)
    })
  })

  test('a new name is taken while the domain is off, and is the only one then', async () => {
    const dom = await bed.define(bed.name('before'))
    const other = await bed.define(bed.name('taken'))
    const name = bed.name('after')
    await bed.forgetEvents()
    await bed.c.domainRename(dom, name)
    expect((await bed.c.domainLookupByUUID(dom.uuid)).name).toBe(name)
    expect(await codeOf(bed.c.domainLookupByName(dom.name))).toBe(E.NO_DOMAIN)
    expect(await bed.c.domainGetXMLDesc(dom, 0)).toContain(`<name>${name}</name>`)
    expect(await bed.lifecycle(dom)).toEqual([[1, 1], [0, 2]])
    expect(await codeOf(bed.c.domainRename(dom, other.name))).toBe(E.OPERATION_INVALID)
    const run = await bed.c.domainCreateWithFlags(dom, 0)
    expect(await codeOf(bed.c.domainRename(run, bed.name('running')))).toBe(E.OPERATION_INVALID)
    await bed.remove(run)
    await bed.remove(other)
  })

  test('lists take within a pair of flags either, between the pairs both', async () => {
    const off = await bed.define(bed.name('list'))
    const auto = await bed.define(bed.name('list'))
    await bed.c.domainSetAutostart(auto, true)
    const on = await bed.running('list')
    const once = await bed.c.domainCreateXML(bed.domainXML(bed.name('list')), 0)
    const still = await bed.c.domainCreateXML(bed.domainXML(bed.name('list')), 0)
    await bed.c.domainSuspend(still)
    const mine = new Map([off, auto, on, once, still].map((dom, at) => [dom.uuid, ['off', 'auto', 'on', 'once', 'still'][at]!]))
    const listed = async (flags: number): Promise<string[]> => (await bed.c.connectListAllDomains(flags)).flatMap(({ uuid }) => mine.get(uuid) ?? []).toSorted()
    const F = ListDomainsFlags
    const cases: [number, string[]][] = [
      [0, ['auto', 'off', 'on', 'once', 'still']], [F.ACTIVE, ['on', 'once', 'still']], [F.INACTIVE, ['auto', 'off']], [F.ACTIVE | F.INACTIVE, ['auto', 'off', 'on', 'once', 'still']], [F.ACTIVE | F.PERSISTENT, ['on']], [F.TRANSIENT, ['once', 'still']],
      [F.RUNNING, ['on', 'once']], [F.PAUSED | F.SHUTOFF, ['auto', 'off', 'still']], [F.AUTOSTART, ['auto']], [F.NO_AUTOSTART | F.INACTIVE, ['off']], [F.MANAGEDSAVE, []], [F.HAS_SNAPSHOT, []],
    ]
    for (const [flags, expected] of cases) expect([flags, await listed(flags)]).toEqual([flags, expected])
    for (const dom of [off, auto, on, once, still]) await bed.remove(dom)
  })

  test('statistics of some domains leave out the others, and one that is gone', async () => {
    const [one, other] = [await bed.define(bed.name('stats')), await bed.define(bed.name('stats'))]
    const gone = { name: 'gone', uuid: '6f1c2d3e-0000-5000-8000-00000000dead', id: -1 }
    expect((await bed.c.domainListGetStats([one, gone], 1)).map(({ dom }) => dom.uuid)).toEqual([one.uuid])
    for (const dom of [one, other]) await bed.remove(dom)
  })

  test('a transient network runs without a configuration and is gone when it stops', async () => {
    const net = await bed.c.networkCreateXML(bed.networkXML(bed.name('transient')))
    expect([await bed.c.networkIsActive(net), await bed.c.networkIsPersistent(net)]).toEqual([true, false])
    expect((await bed.c.connectListAllNetworks(ListNetworksFlags.TRANSIENT)).map(({ uuid }) => uuid)).toContain(net.uuid)
    expect((await bed.c.connectListAllNetworks(ListNetworksFlags.PERSISTENT)).map(({ uuid }) => uuid)).not.toContain(net.uuid)
    expect(await bed.c.networkGetBridgeName(net)).toMatch(/^vc\d+$/)
    await bed.c.networkDestroy(net)
    expect(await codeOf(bed.c.networkLookupByUUID(net.uuid))).toBe(E.NO_NETWORK)
    expect(await bed.lifecycle(net)).toEqual([[2, 0], [3, 0]])
  })

  test('a transient pool is built where that is asked for, and is gone when it stops', async () => {
    const name = bed.name('transient')
    if (traits.hasFolders) expect(await codeOf(bed.c.storagePoolCreateXML(bed.poolXML(name), 0))).toBe(E.SYSTEM_ERROR)
    const pool = await bed.c.storagePoolCreateXML(bed.poolXML(name), traits.hasFolders ? 1 : 0)
    expect([await bed.c.storagePoolIsActive(pool), await bed.c.storagePoolIsPersistent(pool)]).toEqual([true, false])
    await bed.c.storagePoolDestroy(pool)
    expect(await codeOf(bed.c.storagePoolLookupByUUID(pool.uuid))).toBe(E.NO_STORAGE_POOL)
  })

  describe('secrets', () => {
    const lacking = secretCalls.filter(operation => !bed.has(operation))
    const run = lacking.length === 0 ? secrets : (): void => refusals(bed, lacking)
    run(bed)
  })
}

function secrets(bed: Bed): void {
  const document = (usage: string, { uuid, hidden = false }: { uuid?: string; hidden?: boolean } = {}): string =>
    `<secret ephemeral='yes' private='${hidden ? 'yes' : 'no'}'>${uuid === undefined ? '' : `<uuid>${uuid}</uuid>`}<description>d</description><usage type='volume'><volume>${usage}</volume></usage></secret>`

  test('are found by UUID and by what they are for, are taken once, and keep their value over a definition', async () => {
    const usage = `/${bed.name('secret')}`
    const secret = await bed.c.secretDefineXML(document(usage), 0)
    expect(secret).toMatchObject({ usageType: 1, usageID: usage })
    expect([await bed.c.secretLookupByUUID(secret.uuid), await bed.c.secretLookupByUsage(1, usage)]).toEqual([secret, secret])
    expect(await bed.c.connectListAllSecrets()).toContainEqual(secret)
    expect(await codeOf(bed.c.secretGetValue(secret))).toBe(E.NO_SECRET)
    await bed.c.secretSetValue(secret, Buffer.from([0, 1, 255]))
    await bed.c.secretDefineXML(document(usage, { uuid: secret.uuid }), 0)
    expect([...await bed.c.secretGetValue(secret)]).toEqual([0, 1, 255])
    expect(await codeOf(bed.c.secretDefineXML(document(usage), 0))).toBe(E.INTERNAL_ERROR)
    expect(await codeOf(bed.c.secretDefineXML(document(`${usage}-other`, { uuid: secret.uuid }), 0))).toBe(E.INTERNAL_ERROR)
    await bed.c.secretUndefine(secret)
    const gone = [bed.c.secretLookupByUUID(secret.uuid), bed.c.secretLookupByUsage(1, usage), bed.c.secretGetXMLDesc(secret), bed.c.secretGetValue(secret), bed.c.secretUndefine(secret)]
    expect(await Promise.all(gone.map(codeOf))).toEqual(gone.map(() => E.NO_SECRET))
  })

  test('that are private never leave the host', async () => {
    const secret = await bed.c.secretDefineXML(document(`/${bed.name('private')}`, { hidden: true }), 0)
    await bed.c.secretSetValue(secret, Buffer.from('geheim'))
    expect(await codeOf(bed.c.secretGetValue(secret))).toBe(E.INVALID_SECRET)
    expect(await bed.c.secretGetXMLDesc(secret)).not.toContain('geheim')
    await bed.c.secretUndefine(secret)
  })
}
