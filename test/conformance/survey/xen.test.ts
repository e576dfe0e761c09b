// libvirt's Xen driver on a Xen host with dom0 under QEMU, through vireo's own client over TLS and TCP; then its column. The host takes long to start: one serves for both.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Affect, DomainState, XMLFlags, type Connection, type DomainRef } from '../../../drivers/driver.ts'
import { ErrorNumber } from '../../../drivers/errors.ts'
import { createRegistry } from '../../../drivers/registry.ts'
import { guestDisk, guestNic, guestXML, startXenHost, type XenHost } from '../../support/hosts/xen.ts'
import { until } from '../../support/until.ts'
import { failure, recorder, settings } from '../../real/drivers/libvirtd.ts'
import { survey } from './survey.ts'

let host: XenHost
let c: Connection
let classes: Set<string>
let seen: ReturnType<typeof recorder>
let dom: DomainRef

const uuid = '11111111-2222-4333-8444-000000000099'
const state = async (): Promise<number> => (await c.domainGetState(dom)).state
const happened = (kind: number, since: number) => seen.saw('domain', 'lifecycle', event => event.event === kind, since)

beforeAll(async () => {
  host = await startXenHost()
  c = await createRegistry().open(host.uris.tls, { ...settings, credentials: host.credentials })
  seen = recorder(c)
  classes = await c.eventsRegister()
  dom = await c.domainDefineXMLFlags(guestXML('pv', uuid), 0)
})
afterAll(async () => {
  await c?.close()
  await host?.stop()
})

test('it is Xen with events, beside dom0; its capabilities name no host', async () => {
  expect(await c.connectGetType()).toBe('Xen')
  expect(await c.connectGetVersion()).toBe(4_017_000)
  expect(classes).toContain('domain')
  const capabilities = await c.connectGetCapabilities()
  expect(capabilities).not.toContain('<uuid>')
  expect(capabilities).toMatch(/<os_type>xen<\/os_type>\s*<arch name='x86_64'>[^]*<domain type='xen'/)
  expect((await c.connectListAllDomains()).map(({ name }) => name).toSorted()).toEqual(['Domain-0', 'pv'])
})

test('the same host answers over TCP where plaintext is allowed, and over TLS only to whom it knows', async () => {
  const plain = await createRegistry().open(host.uris.tcp, { ...settings, plaintext: 'Allowed' })
  expect((await plain.connectListAllDomains()).map(({ name }) => name).toSorted()).toEqual(['Domain-0', 'pv'])
  await plain.close()
  expect(await failure(createRegistry().open(host.uris.tcp, settings))).toMatchObject({ name: 'UriError' })
  expect(await failure(createRegistry().open(host.uris.tls, settings))).not.toMatchObject({ name: 'LibvirtError' })
})

describe('a paravirtual guest', () => {
  test('starts and speaks on its console', async () => {
    const since = seen.events.length
    dom = await c.domainCreateWithFlags(dom, 0)
    expect(dom.id).toBeGreaterThan(0)
    await happened(2, since)
    const console_ = await c.domainOpenConsole(dom, null, 0)
    let text = ''
    for await (const chunk of console_) {
      text += Buffer.from(chunk).toString()
      if (text.includes('vireo-guest: ready')) break
    }
    expect(text).toContain('vireo-guest: ready')
    expect(await c.domainGetInfo(dom)).toMatchObject({ maxMem: 131_072, nrVirtCpu: 1 })
  })

  test('is suspended and resumed', async () => {
    await c.domainSuspend(dom)
    expect(await state()).toBe(DomainState.Paused)
    await c.domainResume(dom)
    expect(await state()).toBe(DomainState.Running)
  })

  test('takes memory, a disk and an interface while it runs, and lets go of them', async () => {
    await c.domainSetMemoryFlags(dom, 98_304, Affect.LIVE)
    for (const device of [guestDisk, guestNic]) {
      await c.domainAttachDeviceFlags(dom, device, Affect.LIVE)
      const part = device === guestDisk ? 'xvda' : '00:16:3e:00:00:01'
      expect(await c.domainGetXMLDesc(dom, 0)).toContain(part)
      await c.domainDetachDeviceFlags(dom, device, Affect.LIVE)
      expect(await c.domainGetXMLDesc(dom, 0)).not.toContain(part)
    }
  })

  test('is saved by the host and goes on at its next start', async () => {
    await c.domainManagedSave(dom, 0)
    expect(await c.domainHasManagedSaveImage(dom)).toBe(true)
    expect(await c.domainGetState(dom)).toEqual({ state: DomainState.Shutoff, reason: 5 })
    dom = await c.domainCreateWithFlags(dom, 0)
    expect(await state()).toBe(DomainState.Running)
    expect(await c.domainHasManagedSaveImage(dom)).toBe(false)
  })

  test('is saved to a file and restored', async () => {
    await c.domainSaveFlags(dom, '/run/pv.save', null, 0)
    expect(await state()).toBe(DomainState.Shutoff)
    await c.domainRestoreFlags('/run/pv.save', null, 0)
    expect(await state()).toBe(DomainState.Running)
  })

  test('keeps its metadata and autostart', async () => {
    await c.domainSetMetadata(dom, 2, '<mark/>', 'v', 'https://vireo.dev/test', Affect.LIVE | Affect.CONFIG)
    expect(await c.domainGetXMLDesc(dom, XMLFlags.INACTIVE)).toContain('<v:mark')
    await c.domainSetAutostart(dom, true)
    expect(await c.domainGetAutostart(dom)).toBe(true)
  })

  test('shuts down when it is asked, is cut off, and undefined', async () => {
    const since = seen.events.length
    await c.domainShutdownFlags(dom, 0)
    await happened(5, since)
    expect(await state()).toBe(DomainState.Shutoff)
    // For a moment after it told so the host still has the old guest in its hands.
    await until('the host lets the guest start again', () => c.domainCreateWithFlags(dom, 0))
    await c.domainDestroyFlags(dom, 0)
    expect(await state()).toBe(DomainState.Shutoff)
    await c.domainUndefineFlags(dom, 0)
    expect(await failure(c.domainLookupByUUID(uuid))).toMatchObject({ code: ErrorNumber.NO_DOMAIN })
  })
})

test.each<[string, () => Promise<unknown>]>([
  ['connectGetAllDomainStats', () => c.connectGetAllDomainStats(0)],
  ['domainReset', () => c.domainReset(dom)],
  ['domainListAllSnapshots', () => c.domainListAllSnapshots(dom, 0)],
])('%s is refused as unsupported', async (name, attempt) => {
  expect(await failure(attempt())).toMatchObject({ name: 'Unsupported', message: `libvirt's Xen driver has no ${name}` })
})

survey({
  title: 'Xen',
  start: async () => {
    const connection = await createRegistry().open(host.uris.tls, { ...settings, credentials: host.credentials })
    let count = 0
    return { connection, another: () => Promise.resolve(guestXML(`guest${++count}`, randomUUID())), [Symbol.asyncDispose]: async () => { await connection.close() } }
  },
})
