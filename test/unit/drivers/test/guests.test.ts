// What guests of a host in memory do of their own: addresses, ends, agents; and what its storage cannot take.

import { beforeEach, describe, expect, test } from 'vitest'
import { AddressSource, DomainState, type Connection, type DriverEvent, type StoragePoolRef } from '../../../../drivers/driver.ts'
import { ErrorNumber, LibvirtError } from '../../../../drivers/errors.ts'
import { TestDriver } from '../../../../drivers/test/driver.ts'
import { FakeClock, settle } from '../../../support/fakeclock.ts'

const settings = { callTimeout: 30_000, keepAliveInterval: 5000, keepAliveCount: 3 }
const MiB = 2 ** 20
const nic = (last: string, network = 'lab'): string => `<interface type='network'><mac address='52:54:00:00:00:${last}'/><source network='${network}'/></interface>`
const domainXML = (name: string, devices = '', more = ''): string => `<domain type='test'><name>${name}</name><memory>65536</memory><os><type>hvm</type></os>${more}<devices>${devices}</devices></domain>`
const failure = (call: Promise<unknown>): Promise<unknown> => call.then(value => { throw new Error(`it answered ${JSON.stringify(value)}`) }, (error: unknown) => error)

let c: Connection
let events: DriverEvent[]
const lifecycle = (): [number, number][] => events.flatMap(event => (event.type === 'domain' && event.name === 'lifecycle' ? [[event.event, event.detail] as [number, number]] : []))

beforeEach(async () => {
  c = await new TestDriver({ clock: new FakeClock(), contentLimit: MiB }).open('test:///guests', settings)
  events = []
  c.onEvent(event => events.push(event))
  await c.eventsRegister()
})

describe('addresses', () => {
  const lab = async (inner: string): Promise<void> => {
    await c.networkCreate(await c.networkDefineXML(`<network><name>lab</name><forward mode='nat'/><ip address='10.1.0.1' netmask='255.255.255.0'><dhcp>${inner}</dhcp></ip></network>`))
  }
  const leases = async (): Promise<[string | null, string][]> => (await c.networkGetDHCPLeases(await c.networkLookupByName('lab'))).map(({ mac, ipaddr }) => [mac, ipaddr])

  test('an address that is set down for a MAC address is that guest\'s alone', async () => {
    await lab("<range start='10.1.0.10' end='10.1.0.11'/><host mac='52:54:00:00:00:01' ip='10.1.0.10'/>")
    for (const last of ['02', '01', '03']) await c.domainCreateXML(domainXML(`guest-${last}`, nic(last)), 0)
    expect(await leases()).toEqual([['52:54:00:00:00:02', '10.1.0.11'], ['52:54:00:00:00:01', '10.1.0.10']])
  })

  test('an address is free again when its guest ends, loses the interface, or the network stops; the same guest finds the same one', async () => {
    await lab("<range start='10.1.0.10' end='10.1.0.99'/>")
    const dom = await c.domainDefineXMLFlags(domainXML('guest', nic('01')), 0)
    await c.domainCreateWithFlags(dom, 0)
    const first = await leases()
    expect(first).toHaveLength(1)
    await c.domainDestroyFlags(dom, 0)
    expect(await leases()).toEqual([])
    await c.domainCreateWithFlags(dom, 0)
    expect(await leases()).toEqual(first)
    await c.domainAttachDeviceFlags(dom, nic('02'), 1)
    expect(await leases()).toHaveLength(2)
    await c.domainDetachDeviceFlags(dom, nic('02'), 1)
    await settle()
    expect(await leases()).toEqual(first)
    await c.networkDestroy(await c.networkLookupByName('lab'))
    expect([await c.domainInterfaceAddresses(dom, AddressSource.LEASE), (await c.domainGetState(dom)).state]).toEqual([[], DomainState.Running])
  })

  test('an agent appears on its channel, and tells addresses by the guest\'s own names', async () => {
    await lab("<range start='10.1.0.10' end='10.1.0.10'/>")
    const dom = await c.domainCreateXML(domainXML('agent', `${nic('01')}<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>`), 0)
    await settle()
    expect(events.flatMap(event => (event.name === 'agent-lifecycle' ? [[event.state, event.reason]] : []))).toEqual([[2, 1], [1, 2]])
    expect((await c.domainInterfaceAddresses(dom, AddressSource.AGENT)).map(({ name, addrs }) => [name, addrs[0]!.addr])).toEqual([['lo', '127.0.0.1'], ['eth0', '10.1.0.10']])
    expect(await c.domainGetXMLDesc(dom, 0)).toContain('state="connected"')
    expect(await c.domainGetXMLDesc(dom, 2)).not.toContain('state=')
  })
})

describe('ends', () => {
  test('a guest that powers off or reboots does what its definition says of that', async () => {
    const dom = await c.domainCreateXML(domainXML('phoenix', '', '<on_poweroff>restart</on_poweroff><on_reboot>destroy</on_reboot>'), 0)
    await settle()
    events = []
    await c.domainShutdownFlags(dom, 0)
    await settle()
    expect(events.map(({ name }) => name)).toEqual(['reboot'])
    events = []
    await c.domainReboot(dom, 0)
    await settle()
    expect(lifecycle()).toEqual([[6, 1], [5, 0]])
    expect(await c.connectListAllDomains()).toEqual([])
  })
})

describe('storage', () => {
  let pool: StoragePoolRef
  beforeEach(async () => {
    pool = await c.storagePoolDefineXML("<pool type='dir'><name>p</name><target><path>/p</path></target></pool>")
    await c.storagePoolBuild(pool, 0)
    await c.storagePoolCreate(pool)
  })
  const volume = (name: string, capacity: number, allocation = 0): Promise<{ pool: string; name: string; key: string }> =>
    c.storageVolCreateXML(pool, `<volume><name>${name}</name><capacity>${capacity}</capacity><allocation>${allocation}</allocation></volume>`, 0)

  test('a pool gives no more than it has, and gets back what is deleted', async () => {
    const { capacity } = await c.storagePoolGetInfo(pool)
    await volume('half', capacity, capacity / 2)
    expect(await failure(volume('more', capacity, capacity / 2 + 1))).toMatchObject({ code: ErrorNumber.SYSTEM_ERROR })
    const other = await volume('other half', capacity, capacity / 2)
    expect((await c.storagePoolGetInfo(pool)).available).toBe(0)
    await c.storageVolDelete(other, 0)
    expect((await c.storagePoolGetInfo(pool)).available).toBe(capacity / 2)
  })

  test('content beyond the bound of the host finds the device full; zeros never do', async () => {
    const vol = await volume('big', 64 * MiB)
    const zeros = await c.storageVolUpload(vol, 0, 32 * MiB, 0)
    for (let at = 0; at < 32; at++) await zeros.write(Buffer.alloc(MiB))
    await zeros.finish()
    const stream = await c.storageVolUpload(vol, 0, 2 * MiB, 0)
    await stream.write(Buffer.alloc(MiB, 1))
    const reason = await failure(stream.write(Buffer.alloc(MiB, 1)))
    expect(reason).toBeInstanceOf(LibvirtError)
    expect(reason).toMatchObject({ code: ErrorNumber.SYSTEM_ERROR, message: expect.stringContaining('No space left on device') })
  })

  test('snapshots hold the content of their moment, give it back, and free it with their domain', async () => {
    const vol = await c.storageVolCreateXML(pool, "<volume><name>s</name><capacity>1048576</capacity></volume>", 0)
    const put = async (text: string): Promise<void> => {
      const stream = await c.storageVolUpload(vol, 0, text.length, 0)
      await stream.write(Buffer.from(text))
      await stream.finish()
    }
    const look = async (): Promise<string> => {
      const chunks: Uint8Array[] = []
      for await (const chunk of await c.storageVolDownload(vol, 0, 6, 0)) chunks.push(chunk)
      return Buffer.concat(chunks).toString()
    }
    // The host keeps 16 pages: each round that leaks one would be among the last.
    for (let round = 0; round < 20; round++) {
      await put('before')
      const dom = await c.domainDefineXMLFlags(domainXML('snap', `<disk type='file'><source file='${vol.key}'/><target dev='vda'/></disk>`), 0)
      const snapshot = await c.domainSnapshotCreateXML(dom, '<domainsnapshot/>', 0)
      await put('behind')
      await c.domainRevertToSnapshot(snapshot, 0)
      expect(await look()).toBe('before')
      await c.domainUndefineFlags(dom, 2)
    }
  })

  test('a volume that is being written is neither deleted nor copied nor resized', async () => {
    const vol = await volume('busy', MiB)
    const stream = await c.storageVolUpload(vol, 0, 5, 0)
    for (const call of [c.storageVolDelete(vol, 0), c.storageVolResize(vol, 2 * MiB, 0), c.storageVolCreateXMLFrom(pool, '<volume><name>copy</name><capacity>1</capacity></volume>', vol, 0)]) expect(await failure(call)).toMatchObject({ code: ErrorNumber.OPERATION_INVALID })
    await stream.write(Buffer.from('bytes'))
    await stream.finish()
    await c.storageVolDelete(vol, 0)
    expect(await c.storagePoolListAllVolumes(pool)).toEqual([])
  })

  test('volumes stay in their folder while their pool comes and goes under another name', async () => {
    await volume('kept', MiB)
    await c.storagePoolDestroy(pool)
    await c.storagePoolUndefine(pool)
    const again = await c.storagePoolDefineXML("<pool type='dir'><name>q</name><target><path>/p/</path></target></pool>")
    await c.storagePoolCreate(again)
    expect(await c.storagePoolListAllVolumes(again)).toEqual([{ pool: 'q', name: 'kept', key: '/p/kept' }])
  })

  test('a disk inside of a pool\'s folder must be there, one elsewhere is the host\'s own', async () => {
    const disk = (path: string): string => `<disk type='file'><source file='${path}'/><target dev='vda'/></disk>`
    expect(await failure(c.domainCreateXML(domainXML('none', disk('/p/none')), 0))).toMatchObject({ code: ErrorNumber.SYSTEM_ERROR })
    const dom = await c.domainCreateXML(domainXML('own', disk('/elsewhere/disk')), 0)
    expect(await c.domainGetBlockInfo(dom, 'vda')).toEqual({ allocation: 0, capacity: 0, physical: 0 })
  })
})
