// libvirt's VMware driver (Player, Workstation, Fusion) over a stand-in for vmrun, through vireo's own client.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Affect, CreateFlags, DomainState, ShutdownFlags, XMLFlags, type Connection } from '../../../drivers/driver.ts'
import { ErrorNumber, isUnsupported } from '../../../drivers/errors.ts'
import { machineXML, vmware, vmwareDisk } from '../../support/hosts/vmware.ts'
import { startLibvirtd, type PrivateLibvirtd } from '../../support/libvirtd.ts'
import { failure, openAt } from '../drivers/libvirtd.ts'

let host: PrivateLibvirtd
beforeAll(async () => { host = await startLibvirtd({ name: 'vmware', extensions: [vmware] }) })
afterAll(() => host?.stop())

const products = [
  { scheme: 'vmwareplayer', version: 17_005_000, uuid: '11111111-2222-4333-8444-000000000001', suspends: false },
  { scheme: 'vmwarews', version: 17_005_000, uuid: '11111111-2222-4333-8444-000000000002', suspends: true },
  { scheme: 'vmwarefusion', version: 13_005_000, uuid: '11111111-2222-4333-8444-000000000003', suspends: true },
]

describe.each(products)('$scheme', ({ scheme, version, uuid, suspends }) => {
  const dom = { name: scheme, uuid, id: -1 }
  const listed = async (): Promise<string> => await host.execOk(['/opt/vmware/vmrun', '-T', 'ws', 'list'])
  let c: Connection
  let disk: string

  beforeAll(async () => {
    c = await openAt(host, `${scheme}:///session`)
    disk = await vmwareDisk(host, scheme)
  })
  afterAll(() => c?.close())
  const state = async (): Promise<number> => (await c.domainGetState(dom)).state

  test('is VMware, and tells no event of any object', async () => {
    expect(await c.connectGetType()).toBe('VMware')
    expect(await c.connectGetVersion()).toBe(version)
    expect([...await c.eventsRegister()].filter(of => of !== 'connection')).toEqual([])
  })

  test('a machine is defined and redefined, and its file says so', async () => {
    expect(await failure(c.domainDefineXMLFlags(machineXML(scheme, uuid, '/var/lib/vireo/none.img'), 0))).toMatchObject({ code: ErrorNumber.INTERNAL_ERROR, message: expect.stringContaining('.vmdk') })
    expect(await c.domainDefineXMLFlags(machineXML(scheme, uuid, disk), 0)).toEqual(dom)
    await c.domainDefineXMLFlags(machineXML(scheme, uuid, disk).replace('>64<', '>128<'), 0)
    expect(await c.connectListAllDomains()).toEqual([dom])
    const file = await host.execOk(['cat', disk.replace(/vmdk$/, 'vmx')])
    expect(file).toContain('memsize = "128"')
    expect(file.replaceAll(/[ -]/g, '')).toContain(`uuid.bios="${uuid.replaceAll('-', '')}"`)
    expect(await c.domainGetXMLDesc(dom, XMLFlags.INACTIVE)).toContain(`<memory unit='KiB'>131072</memory>`)
    expect(await state()).toBe(DomainState.Shutoff)
  })

  test('it starts, reboots, shuts down and is cut off', async () => {
    expect(await failure(c.domainCreateWithFlags(dom, CreateFlags.PAUSED))).toMatchObject({ code: ErrorNumber.INVALID_ARG, domain: 39 })
    await c.domainCreateWithFlags(dom, 0)
    expect((await c.domainLookupByUUID(uuid)).id).toBeGreaterThan(0)
    expect(await listed()).toContain(disk.replace(/vmdk$/, 'vmx'))
    expect(await failure(c.domainCreateWithFlags(dom, 0))).toMatchObject({ code: ErrorNumber.OPERATION_INVALID })
    await c.domainReboot(dom, 0)
    expect(await state()).toBe(DomainState.Running)
    expect(await failure(c.domainShutdownFlags(dom, ShutdownFlags.ACPI_POWER_BTN))).toMatchObject({ code: ErrorNumber.INVALID_ARG })
    await c.domainShutdownFlags(dom, ShutdownFlags.DEFAULT)
    expect(await state()).toBe(DomainState.Shutoff)
    await c.domainCreateWithFlags(dom, 0)
    await c.domainDestroyFlags(dom, 0)
    expect(await state()).toBe(DomainState.Shutoff)
    expect(await listed()).toBe('Total running VMs: 0\n\n')
  })

  test('it is suspended and resumed, or refused that with the reason', async () => {
    await c.domainCreateWithFlags(dom, 0)
    if (suspends) {
      await c.domainSuspend(dom)
      expect(await state()).toBe(DomainState.Paused)
      await c.domainResume(dom)
    } else expect(await failure(c.domainSuspend(dom))).toMatchObject({ code: ErrorNumber.INTERNAL_ERROR, message: expect.stringContaining('vmplayer does not support libvirt suspend/resume') })
    expect(await state()).toBe(DomainState.Running)
  })

  test('another connection sees it while it runs, and no longer', async () => {
    const during = await openAt(host, `${scheme}:///session`)
    expect((await during.connectListAllDomains()).map(({ uuid: each }) => each)).toEqual([uuid])
    await during.close()
    await c.domainDestroyFlags(dom, 0)
    const after = await openAt(host, `${scheme}:///session`)
    expect(await after.connectListAllDomains()).toEqual([])
    await after.close()
  })

  test.each<[string, () => Promise<unknown>]>([
    ['connectGetCapabilities', () => c.connectGetCapabilities()],
    ['connectGetHostname', () => c.connectGetHostname()],
    ['nodeGetInfo', () => c.nodeGetInfo()],
    ['connectListAllNetworks', () => c.connectListAllNetworks()],
    ['connectListAllStoragePools', () => c.connectListAllStoragePools()],
    ['domainGetAutostart', () => c.domainGetAutostart(dom)],
    ['domainReset', () => c.domainReset(dom)],
    ['domainSetVcpusFlags', () => c.domainSetVcpusFlags(dom, 2, Affect.CONFIG)],
    ['domainSetMemoryFlags', () => c.domainSetMemoryFlags(dom, 32_768, Affect.CONFIG)],
    ['domainAttachDeviceFlags', () => c.domainAttachDeviceFlags(dom, `<interface type='bridge'><source bridge='br0'/></interface>`, Affect.LIVE)],
  ])('%s is refused as unsupported', async (name, attempt) => {
    const refusal = await failure(attempt())
    expect(refusal).toMatchObject({ name: 'Unsupported', code: ErrorNumber.NO_SUPPORT, message: `libvirt's VMware driver has no ${name}` })
    expect(isUnsupported(refusal)).toBe(true)
  })

  test('it is undefined', async () => {
    await c.domainUndefineFlags(dom, 0)
    expect(await failure(c.domainLookupByUUID(uuid))).toMatchObject({ code: ErrorNumber.NO_DOMAIN })
  })
})
