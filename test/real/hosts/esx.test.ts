// libvirt's ESX and vCenter drivers in a gateway daemon, against govmomi's simulator, through vireo's own client.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Affect, CreateFlags, DomainState, ShutdownFlags, XMLFlags, type Connection, type StoragePoolRef } from '../../../drivers/driver.ts'
import { ErrorNumber, isUnsupported } from '../../../drivers/errors.ts'
import { createRegistry } from '../../../drivers/registry.ts'
import { EsxServer, machineXML, type EsxKind } from '../../support/hosts/esx.ts'
import { startLibvirtd, type PrivateLibvirtd } from '../../support/libvirtd.ts'
import { failure, settings } from '../drivers/libvirtd.ts'

const uuid = '11111111-2222-4333-8444-555555555555'
const dom = { name: 'web', uuid, id: -1 }

const servers: Record<EsxKind, EsxServer> = { esx: new EsxServer('esx'), vpx: new EsxServer('vpx') }
let gateway: PrivateLibvirtd
beforeAll(async () => { gateway = await startLibvirtd({ name: 'esx', extensions: Object.values(servers).map(({ extension }) => extension) }) })
afterAll(() => gateway?.stop())

const open = (kind: EsxKind, user?: string): Promise<Connection> => createRegistry({}, { allowLocal: true }).open(servers[kind].uri(gateway.socket, user), settings)

test('credentials are the gateway\'s: wrong ones, and none for a host, are told', async () => {
  expect(await failure(open('esx', 'stranger'))).toMatchObject({ code: ErrorNumber.INTERNAL_ERROR, message: expect.stringMatching(/'Login'.*Login failure$/) })
  const elsewhere = servers.esx.uri(gateway.socket).replace('127.0.0.1', '127.0.0.2')
  expect(await failure(createRegistry({}, { allowLocal: true }).open(elsewhere, settings))).toMatchObject({ code: ErrorNumber.INVALID_ARG, message: 'invalid argument: Missing authentication credentials' })
})

describe.each(['esx', 'vpx'] as const)('%s', (kind) => {
  let c: Connection
  beforeAll(async () => { c = await open(kind) })
  afterAll(() => c?.close())
  const state = async (): Promise<number> => (await c.domainGetState(dom)).state
  const filesOf = async (): Promise<string[]> => (await readdir(join(Object.values(servers[kind].datastores)[0]!, 'web'))).toSorted()

  test('it is ESX with the host\'s own UUID, and tells no event of any object', async () => {
    expect(c.name).toMatch(new RegExp(`^${kind}://operator@127\\.0\\.0\\.1:`))
    expect(await c.connectGetType()).toBe('ESX')
    expect(await c.connectGetVersion()).toBe(6_005_000)
    expect([...await c.eventsRegister()].filter(of => of !== 'connection')).toEqual([])
    const capabilities = await c.connectGetCapabilities()
    expect(capabilities).toMatch(/<uuid>[0-9a-f-]{36}<\/uuid>/)
    expect(capabilities).toContain(`<domain type='vmware'/>`)
    expect(await c.nodeGetInfo()).toMatchObject({ cpus: 2, sockets: 2 })
  })

  test('a machine is defined beside its disk, and is what its file says', async () => {
    expect(await c.connectListAllDomains()).toEqual([])
    expect(await c.domainDefineXMLFlags(machineXML('web', uuid, await servers[kind].disk('web')), 0)).toEqual(dom)
    expect(await filesOf()).toContain('web.vmx')
    expect(await c.connectListAllDomains()).toEqual([dom])
    expect(await c.domainLookupByName('web')).toEqual(dom)
    expect(await c.domainIsPersistent(dom)).toBe(true)
    expect(await c.domainGetInfo(dom)).toMatchObject({ state: DomainState.Shutoff, maxMem: 65_536, nrVirtCpu: 1 })
    const xml = await c.domainGetXMLDesc(dom, XMLFlags.INACTIVE | XMLFlags.SECURE)
    expect(xml).toContain(`<source file='[LocalDS_0] web/web.vmdk'/>`)
    expect(xml).toContain(`<controller type='scsi' index='0' model='lsilogic'/>`)
  })

  test('it is not redefined: the driver cannot edit', async () => {
    expect(await failure(c.domainDefineXMLFlags(machineXML('web', uuid, await servers[kind].disk('web')), 0)))
      .toMatchObject({ code: ErrorNumber.INTERNAL_ERROR, domain: 28, message: 'internal error: Domain already exists, editing existing domains is not supported yet' })
  })

  test('it is powered on, suspended, resumed, and cut off', async () => {
    expect(await failure(c.domainCreateWithFlags(dom, CreateFlags.PAUSED))).toMatchObject({ code: ErrorNumber.INVALID_ARG, domain: 28 })
    const { id } = await c.domainCreateWithFlags(dom, 0)
    expect(id).toBeGreaterThan(0)
    expect(await c.domainLookupByID(id)).toEqual({ ...dom, id })
    expect(await failure(c.domainCreateWithFlags(dom, 0))).toMatchObject({ code: ErrorNumber.OPERATION_INVALID, message: 'Requested operation is not valid: Domain is not powered off' })
    await c.domainSuspend(dom)
    expect(await state()).toBe(DomainState.Paused)
    await c.domainResume(dom)
    expect(await state()).toBe(DomainState.Running)
    expect(await failure(c.domainShutdownFlags(dom, ShutdownFlags.ACPI_POWER_BTN))).toMatchObject({ code: ErrorNumber.INVALID_ARG })
    await c.domainShutdownFlags(dom, ShutdownFlags.DEFAULT)
    expect(await state()).toBe(DomainState.Shutoff)
    await c.domainCreateWithFlags(dom, 0)
    await c.domainDestroyFlags(dom, 0)
    expect(await state()).toBe(DomainState.Shutoff)
  })

  test('snapshots of it are made, found and deleted; they are not listed in bulk', async () => {
    const snapshot = await c.domainSnapshotCreateXML(dom, '<domainsnapshot><name>before</name><description>as it was</description></domainsnapshot>', 0)
    expect(await failure(c.domainListAllSnapshots(dom, 0))).toMatchObject({ name: 'Unsupported' })
    expect(await c.domainSnapshotLookupByName(dom, 'before')).toEqual(snapshot)
    expect(await c.domainSnapshotCurrent(dom)).toEqual(snapshot)
    expect(await c.domainSnapshotGetXMLDesc(snapshot, 0)).toContain('<description>as it was</description>')
    await c.domainSnapshotDelete(snapshot, 0)
    expect(await c.domainHasCurrentSnapshot(dom)).toBe(false)
  })

  test('its networks are described', async () => {
    const [net] = await c.connectListAllNetworks()
    expect(net).toMatchObject({ name: 'vSwitch0' })
    expect(await c.networkIsActive(net!)).toBe(true)
    expect(await c.networkGetXMLDesc(net!, 0)).toMatch(/<forward dev='vmnic0' mode='bridge'>[^]*<portgroup name='VM Network'>/)
    expect(await c.networkLookupByUUID(net!.uuid)).toEqual(net)
  })

  describe('storage is out of the driver\'s reach behind a gateway', () => {
    let pool: StoragePoolRef
    beforeAll(async () => { pool = await c.storagePoolLookupByName('LocalDS_0') })
    test.each<[string, number, () => Promise<unknown>]>([
      ['pool->privateData in esxStoragePoolGetInfo must not be NULL', ErrorNumber.INVALID_ARG, () => c.storagePoolGetInfo(pool)],
      ['pool->privateData in esxStoragePoolGetXMLDesc must not be NULL', ErrorNumber.INVALID_ARG, () => c.storagePoolGetXMLDesc(pool, 0)],
      ['pool->privateData in esxStorageVolLookupByName must not be NULL', ErrorNumber.INVALID_ARG, () => c.storageVolLookupByName(pool, 'web/web.vmdk')],
      [`libvirt's ESX driver has no storagePoolListAllVolumes`, ErrorNumber.NO_SUPPORT, () => c.storagePoolListAllVolumes(pool)],
    ])('%s', async (message, code, attempt) => {
      expect(await failure(attempt())).toMatchObject({ code, message })
    })
  })

  test.each<[string, () => Promise<unknown>]>([
    ['connectListAllStoragePools', () => c.connectListAllStoragePools()],
    ['connectGetDomainCapabilities', () => c.connectGetDomainCapabilities(null, null, null, null)],
    ['connectGetAllDomainStats', () => c.connectGetAllDomainStats(0)],
    ['domainReset', () => c.domainReset(dom)],
    ['domainSetMetadata', () => c.domainSetMetadata(dom, 1, 'title', null, null, Affect.CONFIG)],
    ['domainAttachDeviceFlags', () => c.domainAttachDeviceFlags(dom, `<interface type='bridge'><source bridge='VM Network'/></interface>`, Affect.LIVE)],
  ])('%s is refused as unsupported', async (name, attempt) => {
    const refusal = await failure(attempt())
    expect(refusal).toMatchObject({ name: 'Unsupported', code: ErrorNumber.NO_SUPPORT, message: `libvirt's ESX driver has no ${name}` })
    expect(isUnsupported(refusal)).toBe(true)
  })

  test('CPUs are set while it runs; memory is not', async () => {
    await c.domainCreateWithFlags(dom, 0)
    await c.domainSetVcpusFlags(dom, 2, Affect.LIVE)
    expect(await c.domainGetInfo(dom)).toMatchObject({ nrVirtCpu: 2 })
    for (const flags of [Affect.LIVE, Affect.CONFIG]) {
      expect(await failure(c.domainSetMemoryFlags(dom, 32_768, flags))).toMatchObject({ code: ErrorNumber.INVALID_ARG, message: `unsupported flags (0x${flags}) in function esxDomainSetMemoryFlags` })
    }
    await c.domainDestroyFlags(dom, 0)
  })

  test('it is undefined, and its disk stays', async () => {
    expect(await failure(c.domainUndefineFlags(dom, 1))).toMatchObject({ code: ErrorNumber.INVALID_ARG })
    await c.domainUndefineFlags(dom, 0)
    expect(await failure(c.domainLookupByUUID(uuid))).toMatchObject({ code: ErrorNumber.NO_DOMAIN })
    expect(await filesOf()).toContain('web.vmdk')
  })
})
