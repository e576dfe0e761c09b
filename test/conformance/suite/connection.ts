// The connection: bulk lists, many calls at once, its end, and texts of every script and length.

import { expect, test } from 'vitest'
import { ConnectionLost, ErrorNumber, isUnknown } from '../../../drivers/errors.ts'
import { until } from '../../support/until.ts'
import { type Bed, codeOf } from '../bed.ts'

export function connection(bed: Bed): void {
  test('bulk lists equal single look-ups', async () => {
    const made = [await bed.define(bed.name('bulk')), await bed.running('bulk')]
    const domains = await bed.c.connectListAllDomains()
    for (const dom of made) expect(domains).toContainEqual(dom)
    expect(await Promise.all(domains.map(({ uuid }) => bed.c.domainLookupByUUID(uuid)))).toEqual(domains)
    const networks = await bed.c.connectListAllNetworks()
    expect(await Promise.all(networks.map(({ uuid }) => bed.c.networkLookupByUUID(uuid)))).toEqual(networks)
    const pools = await bed.c.connectListAllStoragePools()
    expect(await Promise.all(pools.map(({ uuid }) => bed.c.storagePoolLookupByUUID(uuid)))).toEqual(pools)
    const stats = new Map((await bed.c.connectGetAllDomainStats(0)).map(({ dom, params }) => [dom.uuid, params['state.state']]))
    for (const dom of domains) expect([dom.name, stats.get(dom.uuid)]).toEqual([dom.name, (await bed.c.domainGetState(dom)).state])
    for (const dom of made) await bed.remove(dom)
  })

  test('2,000 calls at once are all answered, each with its own answer', async () => {
    const made = await Promise.all(Array.from({ length: 20 }, async () => await bed.define(bed.name('many'))))
    const asked = Array.from({ length: 2000 }, (_, i) => made[i % made.length]!)
    expect(await Promise.all(asked.map(({ uuid }, i) => (i % 2 === 0 ? bed.c.domainLookupByUUID(uuid) : bed.c.domainLookupByName(made[i % made.length]!.name))))).toEqual(asked)
    for (const dom of made) await bed.remove(dom)
  })

  test('calls in flight at the end of a connection are done or unknown, never failed, and what was answered is there', async () => {
    const own = await bed.open()
    const names = Array.from({ length: 200 }, () => bed.name('flight'))
    const calls = names.map(name => own.domainDefineXMLFlags(bed.domainXML(name), 0).then(dom => ({ dom }), (error: unknown) => ({ error })))
    const closing = own.close()
    const outcomes = await Promise.all(calls)
    await closing
    for (const outcome of outcomes) if ('error' in outcome) expect(isUnknown(outcome.error)).toBe(true)
    expect(await own.connectIsAlive().catch((error: unknown) => error)).toBeInstanceOf(ConnectionLost)
    expect(await own.closed).toBeInstanceOf(Error)
    const defined = outcomes.flatMap(outcome => ('dom' in outcome ? [outcome.dom] : []))
    for (const dom of defined) expect(await bed.c.domainLookupByUUID(dom.uuid)).toEqual(dom)
    // What the daemon had read before the end may be defined a moment later.
    await until('the host has come to rest', async () => {
      const before = (await bed.c.connectListAllDomains()).length
      await bed.settle()
      return (await bed.c.connectListAllDomains()).length === before
    })
    for (const dom of await bed.c.connectListAllDomains()) if (dom.name.startsWith('flight-')) await bed.remove(dom)
  })

  test('a connection that may only read changes nothing, and shows no secret', async () => {
    const own = await bed.open({ readOnly: true })
    const dom = await bed.define(bed.name('readonly'), { devices: "<graphics type='vnc' passwd='geheim'/>" })
    expect(await own.domainLookupByUUID(dom.uuid)).toEqual(dom)
    expect((await own.domainGetState(dom)).state).toBe(5)
    expect(await own.domainGetXMLDesc(dom, 3)).not.toContain('geheim')
    const calls = [own.domainCreateWithFlags(dom, 0), own.domainUndefineFlags(dom, 0), own.domainDefineXMLFlags(bed.domainXML('x'), 0), own.domainSetAutostart(dom, true), own.networkDefineXML(bed.networkXML('x', { octet: 250 })), own.storagePoolDefineXML(bed.poolXML('x'))]
    expect(await Promise.all(calls.map(codeOf))).toEqual(calls.map(() => ErrorNumber.OPERATION_DENIED))
    await own.close()
    await bed.remove(dom)
  })

  test('a closed connection closes again without a word, and another one is not touched', async () => {
    const [one, two] = [await bed.open(), await bed.open()]
    await one.close()
    await one.close()
    expect(await two.connectGetType()).toBe(await bed.c.connectGetType())
    await two.close()
  })

  test('two connections see the same objects', async () => {
    const own = await bed.open()
    const dom = await own.domainDefineXMLFlags(bed.domainXML(bed.name('shared')), 0)
    await own.close()
    expect(await bed.c.domainLookupByUUID(dom.uuid)).toEqual(dom)
    await bed.remove(dom)
  })

  test('events come only after the registration, and to each connection that registered', async () => {
    const own = await bed.open()
    const seen: string[] = []
    own.onEvent(event => { if (event.type === 'domain') seen.push(event.dom.name) })
    const before = await bed.define(bed.name('before'))
    await own.eventsRegister()
    const after = await bed.define(bed.name('after'))
    await until('the event comes', () => seen.includes(after.name), { everyMs: 2 })
    expect(seen).not.toContain(before.name)
    await own.close()
    for (const dom of [before, after]) await bed.remove(dom)
  })

  test('names and texts of every script survive', async () => {
    const name = `${bed.name('däß')}-虚拟-🚀`
    const dom = await bed.define(name, { head: `<title>&lt;&amp;&gt; "quoted" 'too'</title>` })
    expect([dom.name, (await bed.c.domainLookupByName(name)).uuid]).toEqual([name, dom.uuid])
    const xml = await bed.c.domainGetXMLDesc(dom, 0)
    expect(xml).toContain(`<name>${name}</name>`)
    expect(xml).toMatch(/<title>&lt;&amp;&gt; ("|&quot;)quoted\1 ('|&apos;)too\2<\/title>/)
    await bed.remove(dom)
  })

  test('a name of 200 characters and a document of 3 MiB arrive whole', async () => {
    const description = 'ä'.repeat(1.5 * 2 ** 20)
    const name = bed.name('n'.repeat(190))
    const dom = await bed.define(name, { head: `<description>${description}</description>` })
    expect(dom.name).toBe(name)
    expect((await bed.c.domainGetXMLDesc(dom, 0)).includes(description)).toBe(true)
    await bed.remove(dom)
  })
}
