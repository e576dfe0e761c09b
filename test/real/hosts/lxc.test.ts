// libvirt's LXC driver with containers of busybox, through vireo's own client.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Affect, CreateFlags, DomainState, ShutdownFlags, XMLFlags, type Connection, type DomainRef, type NetworkRef } from '../../../drivers/driver.ts'
import { ErrorNumber, isUnsupported } from '../../../drivers/errors.ts'
import { containerRoot, containerXML, lxc, startContainer } from '../../support/hosts/lxc.ts'
import { startLibvirtd, type PrivateLibvirtd } from '../../support/libvirtd.ts'
import { until } from '../../support/until.ts'
import { failure, openAt, recorder } from '../drivers/libvirtd.ts'

let host: PrivateLibvirtd
let c: Connection
let classes: Set<string>
let seen: ReturnType<typeof recorder>
let net: NetworkRef
let dom: DomainRef

const mac = (last: number): string => `52:54:00:00:00:0${last}`
const nic = (last: number): string => `<interface type='network'><source network='lab'/><mac address='${mac(last)}'/></interface>`
const happened = (ref: { uuid: string }, kind: number, since = 0) => seen.saw('domain', 'lifecycle', event => event.dom.uuid === ref.uuid && event.event === kind, since)
/** What happened, in order. The driver tells of the end of a container that is cut off twice where its process ends before the call does. */
const transitions = (ref: { uuid: string }): number[] => seen.events
  .flatMap(event => (event.type === 'domain' && event.name === 'lifecycle' && event.dom.uuid === ref.uuid ? [event.event] : []))
  .filter((kind, at, all) => kind !== all[at - 1])
const state = async (): Promise<number> => (await c.domainGetState(dom)).state

beforeAll(async () => {
  host = await startLibvirtd({ name: 'lxc', extensions: [lxc] })
  c = await openAt(host, 'lxc:///system')
  seen = recorder(c)
  classes = await c.eventsRegister()
  // A bridge that listens for loops before it forwards would keep a container waiting for four seconds.
  net = await c.networkDefineXML(`<network><name>lab</name><forward mode='nat'/><bridge stp='off'/><ip address='192.168.152.1' netmask='255.255.255.0'><dhcp>
    <range start='192.168.152.100' end='192.168.152.199'/>${[1, 2].map(last => `<host mac='${mac(last)}' ip='192.168.152.1${last}'/>`).join('')}</dhcp></ip></network>`)
  await c.networkCreate(net)
  dom = await c.domainDefineXMLFlags(containerXML('box', await containerRoot(host, 'box'), { devices: nic(1) }), 0)
})
afterAll(async () => {
  await c?.close()
  await host?.stop()
})

describe('connect', () => {
  test('it is LXC, on the pinned host, with events of every kind', async () => {
    expect(await c.connectGetType()).toBe('LXC')
    expect(classes).toEqual(new Set(['domain', 'network', 'pool', 'nodedev', 'secret', 'connection']))
    const capabilities = await c.connectGetCapabilities()
    expect(capabilities).toContain(`<uuid>${host.hostUUID}</uuid>`)
    expect(capabilities).toMatch(/<os_type>exe<\/os_type>\s*<arch name='x86_64'>[\s\S]*<domain type='lxc'\/>/)
  })
})

describe('a container', () => {
  test('starts, gets its lease, and is described', async () => {
    await startContainer(host, c, dom)
    await happened(dom, 2)
    expect(await c.domainGetState(dom)).toEqual({ state: DomainState.Running, reason: 1 })
    expect((await c.domainLookupByUUID(dom.uuid)).id).toBeGreaterThan(0)
    const [lease] = await until('the container has its lease', async () => {
      const leases = await c.networkGetDHCPLeases(net)
      return leases.length > 0 && leases
    })
    expect(lease).toMatchObject({ mac: mac(1), ipaddr: '192.168.152.11', prefix: 24 })
    expect(await c.domainInterfaceAddresses(dom, 0)).toEqual([{ name: expect.stringMatching(/^vnet/), hwaddr: mac(1), addrs: [{ type: 'ipv4', addr: '192.168.152.11', prefix: 24 }] }])
    expect(await c.domainGetInfo(dom)).toMatchObject({ state: DomainState.Running, maxMem: 65_536, nrVirtCpu: 1 })
  })

  test('takes memory live, within the maximum that it was started with', async () => {
    const limit = async (): Promise<number> => Number(await host.execOk(['sh', '-c', 'cat /sys/fs/cgroup/memory/machine/lxc-*-box.libvirt-lxc/memory.limit_in_bytes']))
    expect(await limit()).toBe(65_536 * 1024)
    await c.domainSetMemoryFlags(dom, 49_152, Affect.LIVE)
    expect(await limit()).toBe(49_152 * 1024)
    expect(await failure(c.domainSetMemoryFlags(dom, 131_072, Affect.LIVE | Affect.MAXIMUM))).toMatchObject({ code: ErrorNumber.OPERATION_INVALID })
    await c.domainSetMemoryFlags(dom, 131_072, Affect.CONFIG | Affect.MAXIMUM)
    expect(await c.domainGetXMLDesc(dom, XMLFlags.INACTIVE)).toContain(`<memory unit='KiB'>131072</memory>`)
    expect(await c.domainGetXMLDesc(dom, 0)).toContain(`<memory unit='KiB'>65536</memory>`)
  })

  test('takes a network interface live, which gets a lease too, and lets go of it', async () => {
    await c.domainAttachDeviceFlags(dom, nic(2), Affect.LIVE)
    await until('the second interface has its lease', async () => (await c.networkGetDHCPLeases(net)).some(({ ipaddr }) => ipaddr === '192.168.152.12'))
    expect(await c.domainGetXMLDesc(dom, 0)).toContain(mac(2))
    await c.domainDetachDeviceFlags(dom, nic(2), Affect.LIVE)
    expect(await c.domainGetXMLDesc(dom, 0)).not.toContain(mac(2))
  })

  test('talks on its console', async () => {
    const console_ = await c.domainOpenConsole(dom, null, 0)
    await console_.write(Buffer.from('hello\n'))
    let text = ''
    for await (const chunk of console_) {
      text += Buffer.from(chunk).toString()
      if (text.includes('heard: hello')) break
    }
    expect(text).toContain('heard: hello')
  })

  test('keeps our metadata, in both documents', async () => {
    await c.domainSetMetadata(dom, 2, '<mark/>', 'v', 'https://vireo.dev/test', Affect.LIVE | Affect.CONFIG)
    expect(await until('the change is told', () => seen.events.find(({ name }) => name === 'metadata-change'))).toMatchObject({ dom: { uuid: dom.uuid } })
    for (const flags of [0, XMLFlags.INACTIVE]) expect(await c.domainGetXMLDesc(dom, flags)).toContain('<v:mark xmlns:v="https://vireo.dev/test"/>')
  })

  test('is suspended and resumed', async () => {
    await c.domainSuspend(dom)
    expect(await c.domainGetState(dom)).toEqual({ state: DomainState.Paused, reason: 1 })
    await c.domainResume(dom)
    expect(await state()).toBe(DomainState.Running)
  })

  test('is asked to end by signal; the request over initctl is taken and heard by nobody', async () => {
    for (const flags of [ShutdownFlags.ACPI_POWER_BTN, ShutdownFlags.GUEST_AGENT]) {
      expect(await failure(c.domainShutdownFlags(dom, flags))).toMatchObject({ code: ErrorNumber.INVALID_ARG, message: `unsupported flags (0x${flags}) in function lxcDomainShutdownFlags` })
    }
    await c.domainShutdownFlags(dom, ShutdownFlags.DEFAULT)
    expect(await state()).toBe(DomainState.Running)
    // It may have ended before, at a start that had to be tried again.
    const since = seen.events.length
    await c.domainShutdownFlags(dom, ShutdownFlags.SIGNAL)
    await happened(dom, 5, since)
    expect(await c.domainGetState(dom)).toEqual({ state: DomainState.Shutoff, reason: 1 })
  })

  test('keeps its autostart, is cut off, and is undefined', async () => {
    await c.domainSetAutostart(dom, true)
    expect(await c.domainGetAutostart(dom)).toBe(true)
    expect(await failure(c.domainCreateWithFlags(dom, CreateFlags.PAUSED))).toMatchObject({ code: ErrorNumber.INVALID_ARG })
    await c.domainCreateWithFlags(dom, 0)
    await c.domainDestroyFlags(dom, 0)
    expect(await c.domainGetState(dom)).toEqual({ state: DomainState.Shutoff, reason: 2 })
    expect(await failure(c.domainUndefineFlags(dom, 1))).toMatchObject({ code: ErrorNumber.INVALID_ARG })
    await c.domainUndefineFlags(dom, 0)
    expect(await failure(c.domainLookupByUUID(dom.uuid))).toMatchObject({ code: ErrorNumber.NO_DOMAIN })
  })

  test('told of every transition, in order', async () => {
    await happened(dom, 1)
    // Defined, started (perhaps not once), suspended, resumed, stopped, started, stopped, undefined.
    expect(transitions(dom).join()).toMatch(/^0,2,(5,2,)*3,4,5,2,5,1$/)
  })
})

test('a transient container is gone once it ends', async () => {
  const transient = await c.domainCreateXML(containerXML('once', await containerRoot(host, 'once')), 0)
  expect(await c.domainIsPersistent(transient)).toBe(false)
  await c.domainDestroyFlags(transient, 0)
  expect(await failure(c.domainLookupByUUID(transient.uuid))).toMatchObject({ code: ErrorNumber.NO_DOMAIN })
  await happened(transient, 5)
  expect(transitions(transient)).toEqual([2, 5])
})

describe('what the driver lacks', () => {
  let box: DomainRef
  beforeAll(async () => {
    box = await c.domainDefineXMLFlags(containerXML('lacks', await containerRoot(host, 'lacks')), 0)
    await startContainer(host, c, box)
  })

  test.each<[string, number, () => Promise<unknown>]>([
    ['connectGetDomainCapabilities', ErrorNumber.NO_SUPPORT, () => c.connectGetDomainCapabilities(null, null, null, null)],
    ['connectGetAllDomainStats', ErrorNumber.NO_SUPPORT, () => c.connectGetAllDomainStats(0)],
    ['domainSetVcpusFlags', ErrorNumber.NO_SUPPORT, () => c.domainSetVcpusFlags(box, 2, Affect.LIVE)],
    ['domainReset', ErrorNumber.NO_SUPPORT, () => c.domainReset(box)],
    ['domainManagedSaveRemove', ErrorNumber.NO_SUPPORT, () => c.domainManagedSaveRemove(box)],
    ['domainSetLifecycleAction', ErrorNumber.NO_SUPPORT, () => c.domainSetLifecycleAction(box, 0, 0, Affect.LIVE)],
    ['domainDetachDeviceAlias', ErrorNumber.NO_SUPPORT, () => c.domainDetachDeviceAlias(box, 'net0', Affect.LIVE)],
    ['domainBlockResize', ErrorNumber.NO_SUPPORT, () => c.domainBlockResize(box, 'sda', 1024, 0)],
    ['domainGetBlockInfo', ErrorNumber.NO_SUPPORT, () => c.domainGetBlockInfo(box, 'sda')],
    ['Unable to modify live devices', ErrorNumber.OPERATION_UNSUPPORTED, () => c.domainUpdateDeviceFlags(box, nic(3), Affect.LIVE)],
  ])('%s is refused as unsupported (%i)', async (text, code, attempt) => {
    const refusal = await failure(attempt())
    expect(refusal).toMatchObject({ code, message: expect.stringContaining(text) })
    expect(isUnsupported(refusal)).toBe(true)
  })

  test('a file system and a disk of a file are refused live', async () => {
    expect(await failure(c.domainAttachDeviceFlags(box, `<filesystem type='mount'><source dir='/srv'/><target dir='/srv'/></filesystem>`, Affect.LIVE))).toMatchObject({ code: ErrorNumber.CONFIG_UNSUPPORTED, message: `unsupported configuration: device type 'filesystem' cannot be attached` })
    expect(await failure(c.domainAttachDeviceFlags(box, `<disk type='file' device='disk'><source file='/srv/x'/><target dev='sda' bus='scsi'/></disk>`, Affect.LIVE))).toMatchObject({ code: ErrorNumber.CONFIG_UNSUPPORTED, message: `unsupported configuration: Can't setup disk for non-block device` })
  })
})

test('two hosts keep their containers apart', async () => {
  await using second = await startLibvirtd({ name: 'lxc', extensions: [lxc] })
  const other = await openAt(second, 'lxc:///system')
  const twin = await other.domainCreateXML(containerXML('lacks', await containerRoot(second, 'lacks')), 0)
  expect((await other.connectListAllDomains()).map(({ name }) => name)).toEqual(['lacks'])
  await other.domainDestroyFlags(twin, 0)
  expect((await c.connectListAllDomains()).filter(({ id }) => id > 0).map(({ name }) => name)).toEqual(['lacks'])
  await other.close()
})
