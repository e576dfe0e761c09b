// One valid call of every operation that the interface has: it works, or the driver does not have it (error 3), and nothing else.

import { expect, test } from 'vitest'
import { Affect, BlockResizeFlags, NetworkSection, NetworkUpdateCommand, type DomainRef, type NetworkRef, type StoragePoolRef, type StorageVolRef } from '../../../drivers/driver.ts'
import { ErrorNumber, LibvirtError } from '../../../drivers/errors.ts'
import type { Operation } from '../../../drivers/test/faults.ts'
import type { Bed } from '../bed.ts'

/** Objects that a call can be about: of each kind one that is off and one that runs. */
export interface Cast { off: DomainRef; on: DomainRef; net: NetworkRef; idle: NetworkRef; pool: StoragePoolRef; closed: StoragePoolRef; vol: StorageVolRef; spare: StorageVolRef }

export async function castOf(bed: Bed): Promise<Cast> {
  const pool = await bed.pool('cast')
  const net = await bed.network('cast')
  const vol = await bed.volume(pool, 'disk')
  const devices = `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${vol.key}'/><target dev='vda' bus='virtio'/></disk>`
    + `<interface type='network'><mac address='52:54:00:00:01:01'/><source network='${net.name}'/><model type='virtio'/></interface><controller type='usb' model='qemu-xhci'/>`
  return {
    off: await bed.define(bed.name('cast'), { devices, maxVcpus: 2, vcpus: 1 }), on: await bed.running('cast', { devices, maxVcpus: 2, vcpus: 1 }), net, idle: await bed.c.networkDefineXML(bed.networkXML(bed.name('cast'))),
    pool, closed: await bed.c.storagePoolDefineXML(bed.poolXML(bed.name('cast'))), vol, spare: await bed.volume(pool, 'spare'),
  }
}

export async function dismiss(bed: Bed, { off, on, net, idle, pool, closed }: Cast): Promise<void> {
  for (const dom of [on, off]) await bed.remove(dom)
  await bed.c.networkDestroy(net)
  for (const network of [net, idle]) await bed.c.networkUndefine(network)
  for (const vol of await bed.c.storagePoolListAllVolumes(pool)) await bed.c.storageVolDelete(vol, 0)
  await bed.c.storagePoolDestroy(pool)
  for (const each of [pool, closed]) await bed.c.storagePoolUndefine(each)
}

const tablet = "<input type='tablet' bus='usb'><alias name='ua-tablet'/></input>"
const nic = (net: NetworkRef, link: string): string => `<interface type='network'><mac address='52:54:00:00:01:01'/><source network='${net.name}'/><model type='virtio'/><link state='${link}'/></interface>`

export const attempts: Record<Operation, (bed: Bed, cast: Cast) => Promise<unknown>> = {
  eventsRegister: async bed => {
    const own = await bed.open()
    await own.eventsRegister()
    await own.close()
  },
  connectGetType: bed => bed.c.connectGetType(),
  connectGetVersion: bed => bed.c.connectGetVersion(),
  connectGetLibVersion: bed => bed.c.connectGetLibVersion(),
  connectGetHostname: bed => bed.c.connectGetHostname(),
  connectGetURI: bed => bed.c.connectGetURI(),
  connectGetCapabilities: bed => bed.c.connectGetCapabilities(),
  connectGetDomainCapabilities: bed => bed.c.connectGetDomainCapabilities(null, null, null, null),
  nodeGetInfo: bed => bed.c.nodeGetInfo(),
  connectIsAlive: bed => bed.c.connectIsAlive(),
  connectListAllDomains: bed => bed.c.connectListAllDomains(),
  connectListAllNetworks: bed => bed.c.connectListAllNetworks(),
  connectListAllStoragePools: bed => bed.c.connectListAllStoragePools(),
  storagePoolListAllVolumes: (bed, { pool }) => bed.c.storagePoolListAllVolumes(pool),
  connectGetAllDomainStats: bed => bed.c.connectGetAllDomainStats(0),
  domainLookupByUUID: (bed, { on }) => bed.c.domainLookupByUUID(on.uuid),
  domainLookupByName: (bed, { on }) => bed.c.domainLookupByName(on.name),
  domainLookupByID: (bed, { on }) => bed.c.domainLookupByID(on.id),
  domainGetXMLDesc: (bed, { on }) => bed.c.domainGetXMLDesc(on, 0),
  domainGetState: (bed, { on }) => bed.c.domainGetState(on),
  domainGetInfo: (bed, { on }) => bed.c.domainGetInfo(on),
  domainIsPersistent: (bed, { on }) => bed.c.domainIsPersistent(on),
  domainHasManagedSaveImage: (bed, { on }) => bed.c.domainHasManagedSaveImage(on),
  domainInterfaceAddresses: (bed, { on }) => bed.c.domainInterfaceAddresses(on, 0),
  domainGetBlockInfo: (bed, { on }) => bed.c.domainGetBlockInfo(on, 'vda'),
  domainGetAutostart: (bed, { off }) => bed.c.domainGetAutostart(off),
  domainSetAutostart: (bed, { off }) => bed.c.domainSetAutostart(off, false),
  domainSetMemoryFlags: (bed, { on }) => bed.c.domainSetMemoryFlags(on, 65_536, Affect.LIVE),
  domainSetVcpusFlags: (bed, { on }) => bed.c.domainSetVcpusFlags(on, 2, Affect.LIVE),
  domainSetMetadata: (bed, { on }) => bed.c.domainSetMetadata(on, 1, 'a title', null, null, Affect.LIVE),
  domainSetLifecycleAction: (bed, { on }) => bed.c.domainSetLifecycleAction(on, 0, 0, Affect.LIVE),
  domainDefineXMLFlags: async bed => await bed.c.domainUndefineFlags(await bed.define(bed.name('attempt')), 0),
  domainCreateXML: async bed => await bed.remove(await bed.c.domainCreateXML(bed.domainXML(bed.name('attempt')), 0)),
  domainCreateWithFlags: async bed => await bed.remove(await bed.running('attempt')),
  domainShutdownFlags: async bed => {
    const dom = await bed.running('attempt')
    await bed.c.domainShutdownFlags(dom, 0)
    await bed.remove(dom)
  },
  domainReboot: (bed, { on }) => bed.c.domainReboot(on, 0),
  domainReset: (bed, { on }) => bed.c.domainReset(on),
  domainDestroyFlags: async bed => {
    const dom = await bed.running('attempt')
    await bed.c.domainDestroyFlags(dom, 0)
    await bed.remove(dom)
  },
  domainUndefineFlags: async bed => await bed.c.domainUndefineFlags(await bed.define(bed.name('attempt')), 0),
  // Where there is no image, the refusal is the driver's own answer: it has the operation.
  domainManagedSaveRemove: async (bed, { off }) => await bed.c.domainManagedSaveRemove(off).catch((error: unknown) => { if (!(error instanceof LibvirtError && error.code === ErrorNumber.SYSTEM_ERROR)) throw error }),
  domainSuspend: async (bed, { on }) => {
    await bed.c.domainSuspend(on)
    await bed.c.domainResume(on)
  },
  domainResume: async (bed, { on }) => {
    await bed.c.domainSuspend(on)
    await bed.c.domainResume(on)
  },
  domainAttachDeviceFlags: (bed, { off }) => bed.c.domainAttachDeviceFlags(off, tablet, Affect.CONFIG),
  domainDetachDeviceFlags: (bed, { off, net }) => bed.c.domainDetachDeviceFlags(off, nic(net, 'up').replace(/<link.*\/><\//, '</'), Affect.CONFIG),
  domainDetachDeviceAlias: async (bed, { off }) => {
    if (bed.has('domainAttachDeviceFlags')) await bed.c.domainAttachDeviceFlags(off, tablet.replace('ua-tablet', 'ua-other').replace('tablet', 'mouse'), Affect.CONFIG)
    await bed.c.domainDetachDeviceAlias(off, 'ua-other', Affect.CONFIG)
  },
  domainUpdateDeviceFlags: (bed, { on, net }) => bed.c.domainUpdateDeviceFlags(on, nic(net, 'down'), Affect.LIVE),
  domainBlockResize: (bed, { on }) => bed.c.domainBlockResize(on, 'vda', 2_097_152, BlockResizeFlags.BYTES),
  networkLookupByUUID: (bed, { net }) => bed.c.networkLookupByUUID(net.uuid),
  networkLookupByName: (bed, { net }) => bed.c.networkLookupByName(net.name),
  networkGetXMLDesc: (bed, { net }) => bed.c.networkGetXMLDesc(net, 0),
  networkIsActive: (bed, { net }) => bed.c.networkIsActive(net),
  networkGetAutostart: (bed, { net }) => bed.c.networkGetAutostart(net),
  networkSetAutostart: (bed, { net }) => bed.c.networkSetAutostart(net, false),
  networkDefineXML: async bed => await bed.c.networkUndefine(await bed.c.networkDefineXML(bed.networkXML(bed.name('attempt')))),
  networkCreate: (bed, { idle }) => bed.c.networkCreate(idle),
  networkDestroy: (bed, { idle }) => bed.c.networkDestroy(idle),
  networkUndefine: async bed => await bed.c.networkUndefine(await bed.c.networkDefineXML(bed.networkXML(bed.name('attempt')))),
  networkUpdate: (bed, { net }) => bed.c.networkUpdate(net, NetworkUpdateCommand.ADD_LAST, NetworkSection.DNS_TXT, -1, "<txt name='a' value='b'/>", Affect.LIVE),
  networkGetDHCPLeases: (bed, { net }) => bed.c.networkGetDHCPLeases(net),
  storagePoolLookupByUUID: (bed, { pool }) => bed.c.storagePoolLookupByUUID(pool.uuid),
  storagePoolLookupByName: (bed, { pool }) => bed.c.storagePoolLookupByName(pool.name),
  storagePoolGetXMLDesc: (bed, { pool }) => bed.c.storagePoolGetXMLDesc(pool, 0),
  storagePoolGetInfo: (bed, { pool }) => bed.c.storagePoolGetInfo(pool),
  storagePoolIsActive: (bed, { pool }) => bed.c.storagePoolIsActive(pool),
  storagePoolGetAutostart: (bed, { pool }) => bed.c.storagePoolGetAutostart(pool),
  storagePoolSetAutostart: (bed, { pool }) => bed.c.storagePoolSetAutostart(pool, false),
  storagePoolDefineXML: async bed => await bed.c.storagePoolUndefine(await bed.c.storagePoolDefineXML(bed.poolXML(bed.name('attempt')))),
  storagePoolBuild: (bed, { closed }) => bed.c.storagePoolBuild(closed, 0),
  storagePoolCreate: (bed, { closed }) => bed.c.storagePoolCreate(closed),
  storagePoolDestroy: (bed, { closed }) => bed.c.storagePoolDestroy(closed),
  storagePoolDelete: (bed, { closed }) => bed.c.storagePoolDelete(closed, 0),
  storagePoolUndefine: async bed => await bed.c.storagePoolUndefine(await bed.c.storagePoolDefineXML(bed.poolXML(bed.name('attempt')))),
  storagePoolRefresh: (bed, { pool }) => bed.c.storagePoolRefresh(pool),
  storageVolLookupByName: (bed, { pool, vol }) => bed.c.storageVolLookupByName(pool, vol.name),
  storageVolLookupByKey: (bed, { vol }) => bed.c.storageVolLookupByKey(vol.key),
  storageVolLookupByPath: (bed, { vol }) => bed.c.storageVolLookupByPath(vol.key),
  storageVolGetXMLDesc: (bed, { vol }) => bed.c.storageVolGetXMLDesc(vol),
  storageVolGetInfo: (bed, { vol }) => bed.c.storageVolGetInfo(vol),
  storageVolGetPath: (bed, { vol }) => bed.c.storageVolGetPath(vol),
  storageVolCreateXML: async (bed, { pool }) => await bed.c.storageVolDelete(await bed.volume(pool, bed.name('attempt')), 0),
  storageVolCreateXMLFrom: (bed, { pool, spare }) => bed.c.storageVolCreateXMLFrom(pool, bed.volumeXML(bed.name('attempt')), spare, 0),
  storageVolDelete: async (bed, { pool }) => await bed.c.storageVolDelete(await bed.volume(pool, bed.name('attempt')), 0),
  storageVolResize: (bed, { spare }) => bed.c.storageVolResize(spare, 2_097_152, 0),
  storageVolUpload: async (bed, { spare }) => {
    const stream = await bed.c.storageVolUpload(spare, 0, 5, 0)
    await stream.write(Buffer.from('bytes'))
    await stream.finish()
  },
  storageVolDownload: async (bed, { spare }) => {
    const stream = await bed.c.storageVolDownload(spare, 0, 5, 0)
    for await (const chunk of stream) expect(chunk.length).toBe(5)
  },
}

/** Whether the driver has the operation. Any refusal but error 3 is thrown. */
export async function has(bed: Bed, cast: Cast, operation: Operation): Promise<boolean> {
  return await attempts[operation](bed, cast).then(() => true, (error: unknown) => {
    if (error instanceof LibvirtError && error.code === ErrorNumber.NO_SUPPORT) return false
    throw error
  })
}

/** A test for each operation that the driver lacks. */
export function refusals(bed: Bed, lacking: readonly Operation[]): void {
  test.each(lacking)('%s is error 3, and nothing else', async operation => {
    await expectUnsupported(bed, operation)
  })
}

/** The driver answers this operation with error 3 exactly. */
export async function expectUnsupported(bed: Bed, operation: Operation): Promise<void> {
  const cast = await castOf(bed)
  expect(await has(bed, cast, operation)).toBe(false)
  await dismiss(bed, cast)
}
