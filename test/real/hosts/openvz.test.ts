// libvirt's OpenVZ driver over stand-ins for OpenVZ's programs, through vireo's own client.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Affect, CreateFlags, DomainState, ShutdownFlags, XMLFlags, type Connection } from '../../../drivers/driver.ts'
import { ErrorNumber, isUnsupported } from '../../../drivers/errors.ts'
import { containerXML, openvz } from '../../support/hosts/openvz.ts'
import { startLibvirtd, type PrivateLibvirtd } from '../../support/libvirtd.ts'
import { failure, openAt } from '../drivers/libvirtd.ts'

const uuid = '11111111-2222-4333-8444-555555555555'
let dom = { name: '101', uuid, id: -1 }

let host: PrivateLibvirtd
let c: Connection
let classes: Set<string>

const state = async (): Promise<number> => (await c.domainGetState(dom)).state
const conf = (): Promise<string> => host.execOk(['cat', '/etc/vz/conf/101.conf'])

beforeAll(async () => {
  host = await startLibvirtd({ name: 'openvz', extensions: [openvz] })
  c = await openAt(host, 'openvz:///system')
  classes = await c.eventsRegister()
})
afterAll(async () => {
  await c?.close()
  await host?.stop()
})

test('it is OpenVZ, tells no event of any object, and knows no host UUID', async () => {
  expect(await c.connectGetType()).toBe('OpenVZ')
  expect(await c.connectGetVersion()).toBe(4_011_001)
  expect([...classes].filter(of => of !== 'connection')).toEqual([])
  const capabilities = await c.connectGetCapabilities()
  expect(capabilities).toContain(`<domain type='openvz'/>`)
  expect(capabilities).not.toContain('<uuid>')
})

describe('a container', () => {
  test('is defined, and is what its file says', async () => {
    expect(await c.domainDefineXMLFlags(containerXML(101, uuid), 0)).toEqual(dom)
    expect(await conf()).toMatch(new RegExp(`CPUS="1"[^]*#UUID: ${uuid}|#UUID: ${uuid}[^]*CPUS="1"`))
    expect(await c.connectListAllDomains()).toEqual([dom])
    expect(await c.domainLookupByName('101')).toEqual(dom)
    expect(await c.domainIsPersistent(dom)).toBe(true)
    expect(await state()).toBe(DomainState.Shutoff)
    expect(await c.domainGetXMLDesc(dom, XMLFlags.INACTIVE | XMLFlags.SECURE)).toMatch(/<filesystem type='template' accessmode='passthrough'>\s*<source name='busybox'\/>\s*<target dir='\/'\/>/)
  })

  test('starts, is suspended and resumed, restarts, shuts down and is cut off', async () => {
    expect(await failure(c.domainCreateWithFlags(dom, CreateFlags.PAUSED))).toMatchObject({ code: ErrorNumber.INVALID_ARG, domain: 14 })
    dom = await c.domainCreateWithFlags(dom, 0)
    expect(dom.id).toBe(101)
    expect(await host.execOk(['vzlist', '-ovpsid', '-H'])).toBe('101\n')
    expect(await failure(c.domainCreateWithFlags(dom, 0))).toMatchObject({ message: 'operation forbidden: domain is not in shutoff state' })
    await c.domainSuspend(dom)
    expect(await state()).toBe(DomainState.Paused)
    await c.domainResume(dom)
    await c.domainReboot(dom, 0)
    expect(await state()).toBe(DomainState.Running)
    expect(await failure(c.domainShutdownFlags(dom, ShutdownFlags.ACPI_POWER_BTN))).toMatchObject({ code: ErrorNumber.INVALID_ARG })
    await c.domainShutdownFlags(dom, ShutdownFlags.DEFAULT)
    expect(await state()).toBe(DomainState.Shutoff)
    dom = await c.domainCreateWithFlags(dom, 0)
    await c.domainDestroyFlags(dom, 0)
    expect(await state()).toBe(DomainState.Shutoff)
    expect(await host.execOk(['vzlist', '-ovpsid', '-H'])).toBe('')
  })

  test('takes CPUs while it runs, and autostart', async () => {
    dom = await c.domainCreateWithFlags(dom, 0)
    await c.domainSetVcpusFlags(dom, 2, Affect.LIVE)
    expect(await conf()).toContain('CPUS="2"')
    expect(await failure(c.domainSetVcpusFlags(dom, 2, Affect.CONFIG))).toMatchObject({ code: ErrorNumber.INVALID_ARG })
    await c.domainSetAutostart(dom, true)
    expect(await c.domainGetAutostart(dom)).toBe(true)
    expect(await conf()).toContain('ONBOOT="yes"')
    await c.domainDestroyFlags(dom, 0)
  })

  test('is not redefined', async () => {
    expect(await failure(c.domainDefineXMLFlags(containerXML(101, uuid), 0))).toMatchObject({ code: ErrorNumber.INTERNAL_ERROR, message: expect.stringContaining('Container 101 exists already') })
  })

  test('is known to another connection by its files only: without memory', async () => {
    const other = await openAt(host, 'openvz:///system')
    expect(await other.connectListAllDomains()).toEqual([{ ...dom, id: -1 }])
    expect(await other.domainGetXMLDesc(dom, 0)).toContain(`<memory unit='KiB'>0</memory>`)
    await other.close()
  })

  test.each<[string, () => Promise<unknown>]>([
    ['connectListAllNetworks', () => c.connectListAllNetworks()],
    ['connectListAllStoragePools', () => c.connectListAllStoragePools()],
    ['connectGetAllDomainStats', () => c.connectGetAllDomainStats(0)],
    ['domainReset', () => c.domainReset(dom)],
    ['domainSetMemoryFlags', () => c.domainSetMemoryFlags(dom, 32_768, Affect.CONFIG)],
    ['domainSetMetadata', () => c.domainSetMetadata(dom, 1, 'title', null, null, Affect.CONFIG)],
    ['domainAttachDeviceFlags', () => c.domainAttachDeviceFlags(dom, `<interface type='bridge'><source bridge='br0'/></interface>`, Affect.LIVE)],
    ['domainInterfaceAddresses', () => c.domainInterfaceAddresses(dom, 0)],
  ])('%s is refused as unsupported', async (name, attempt) => {
    const refusal = await failure(attempt())
    expect(refusal).toMatchObject({ name: 'Unsupported', code: ErrorNumber.NO_SUPPORT, message: `libvirt's OpenVZ driver has no ${name}` })
    expect(isUnsupported(refusal)).toBe(true)
  })

  test('is undefined, and its file is gone', async () => {
    expect(await failure(c.domainUndefineFlags(dom, 1))).toMatchObject({ code: ErrorNumber.INVALID_ARG })
    await c.domainUndefineFlags(dom, 0)
    expect(await failure(c.domainLookupByUUID(uuid))).toMatchObject({ code: ErrorNumber.NO_DOMAIN })
    expect((await host.execOk(['ls', '/etc/vz/conf'])).trim()).toBe('')
  })
})
