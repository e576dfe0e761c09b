// One valid call of every operation that the interface has: it works, or the driver does not have it (error 3), and nothing else.

import { deepEqual, equal, ok } from 'node:assert/strict'
import { test } from 'vitest'
import { Affect, BlockResizeFlags, NetworkSection, NetworkUpdateCommand, type DomainRef, type NetworkRef, type SecretRef, type SnapshotRef, type StoragePoolRef, type StorageVolRef } from '../../../drivers/driver.ts'
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

export const attempts = {
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
    for await (const chunk of stream) equal(chunk.length, 5)
  },

  connectIsSecure: bed => bed.c.connectIsSecure(),
  connectGetMaxVcpus: bed => bed.c.connectGetMaxVcpus(null),
  connectGetCPUModelNames: bed => bed.c.connectGetCPUModelNames('x86_64'),
  nodeGetFreeMemory: bed => bed.c.nodeGetFreeMemory(),
  nodeGetCellsFreeMemory: bed => bed.c.nodeGetCellsFreeMemory(0, 1),
  nodeGetCPUMap: bed => bed.c.nodeGetCPUMap(),
  nodeGetCPUStats: bed => bed.c.nodeGetCPUStats(-1),
  nodeGetMemoryStats: bed => bed.c.nodeGetMemoryStats(-1),
  nodeGetSecurityModel: bed => bed.c.nodeGetSecurityModel(),
  domainListGetStats: (bed, { on }) => bed.c.domainListGetStats([on], 0),
  domainIsActive: (bed, { on }) => bed.c.domainIsActive(on),
  domainIsUpdated: (bed, { on }) => bed.c.domainIsUpdated(on),
  domainGetOSType: (bed, { on }) => bed.c.domainGetOSType(on),
  domainGetControlInfo: (bed, { on }) => bed.c.domainGetControlInfo(on),
  domainGetJobInfo: (bed, { on }) => bed.c.domainGetJobInfo(on),
  domainGetJobStats: (bed, { on }) => bed.c.domainGetJobStats(on, 0),
  domainGetDiskErrors: (bed, { on }) => bed.c.domainGetDiskErrors(on),
  domainGetMessages: (bed, { on }) => bed.c.domainGetMessages(on),
  domainMemoryStats: (bed, { on }) => bed.c.domainMemoryStats(on),
  domainBlockStats: (bed, { on }) => bed.c.domainBlockStats(on, 'vda'),
  domainBlockStatsFlags: (bed, { on }) => bed.c.domainBlockStatsFlags(on, 'vda', 0),
  domainInterfaceStats: async (bed, { on }) => await bed.c.domainInterfaceStats(on, /<target dev=['"]((?:vnet|testnet)\d+)/.exec(await bed.c.domainGetXMLDesc(on, 0))![1]!),
  domainGetVcpus: (bed, { on }) => bed.c.domainGetVcpus(on, 2, 2),
  domainGetVcpusFlags: (bed, { on }) => bed.c.domainGetVcpusFlags(on, Affect.LIVE),
  domainGetVcpuPinInfo: (bed, { off }) => bed.c.domainGetVcpuPinInfo(off, 1, 2, Affect.CONFIG),
  domainGetEmulatorPinInfo: (bed, { off }) => bed.c.domainGetEmulatorPinInfo(off, 2, Affect.CONFIG),
  domainGetIOThreadInfo: (bed, { off }) => bed.c.domainGetIOThreadInfo(off, Affect.CONFIG),
  domainGetMemoryParameters: (bed, { off }) => bed.c.domainGetMemoryParameters(off, Affect.CONFIG),
  domainGetNumaParameters: (bed, { off }) => bed.c.domainGetNumaParameters(off, Affect.CONFIG),
  domainGetBlockIoTune: (bed, { off }) => bed.c.domainGetBlockIoTune(off, 'vda', Affect.CONFIG),
  domainSetBlockIoTune: (bed, { off }) => bed.c.domainSetBlockIoTune(off, 'vda', { total_bytes_sec: 1_000_000, total_bytes_sec_max: 2_000_000 }, Affect.CONFIG),
  domainGetInterfaceParameters: (bed, { on }) => bed.c.domainGetInterfaceParameters(on, '52:54:00:00:01:01', Affect.CONFIG),
  domainGetPerfEvents: (bed, { off }) => bed.c.domainGetPerfEvents(off, Affect.CONFIG),
  domainGetBlockJobInfo: (bed, { on }) => bed.c.domainGetBlockJobInfo(on, 'vda', 0),
  domainGetMetadata: async (bed, { off }) => {
    await bed.c.domainSetMetadata(off, 1, 'a title', null, null, Affect.CONFIG)
    equal(await bed.c.domainGetMetadata(off, 1, null, Affect.CONFIG), 'a title')
  },
  domainRename: async bed => {
    const dom = await bed.define(bed.name('attempt'))
    const name = bed.name('renamed')
    await bed.c.domainRename(dom, name)
    await bed.remove(await bed.c.domainLookupByName(name))
  },
  domainManagedSave: async bed => await saved(bed, async () => { /* that it is there is enough */ }),
  domainManagedSaveGetXMLDesc: async bed => await saved(bed, async dom => ok((await bed.c.domainManagedSaveGetXMLDesc(dom, 0)).includes(dom.name))),
  domainSnapshotCreateXML: async bed => await snapshotted(bed, async () => { /* that it is there is enough */ }),
  domainSnapshotGetXMLDesc: async bed => await snapshotted(bed, async snapshot => ok((await bed.c.domainSnapshotGetXMLDesc(snapshot, 0)).includes('<name>first</name>'))),
  domainListAllSnapshots: async bed => await snapshotted(bed, async snapshot => deepEqual(await bed.c.domainListAllSnapshots(snapshot.dom, 0), [snapshot])),
  domainSnapshotListAllChildren: async bed => await snapshotted(bed, async snapshot => deepEqual(await bed.c.domainSnapshotListAllChildren(snapshot, 0), [])),
  domainSnapshotLookupByName: async bed => await snapshotted(bed, async snapshot => deepEqual(await bed.c.domainSnapshotLookupByName(snapshot.dom, 'first'), snapshot)),
  domainHasCurrentSnapshot: async bed => await snapshotted(bed, async ({ dom }) => ok(await bed.c.domainHasCurrentSnapshot(dom))),
  domainSnapshotCurrent: async bed => await snapshotted(bed, async snapshot => deepEqual(await bed.c.domainSnapshotCurrent(snapshot.dom), snapshot)),
  domainSnapshotGetParent: async bed => await snapshotted(bed, async snapshot => {
    const second = await bed.c.domainSnapshotCreateXML(snapshot.dom, '<domainsnapshot><name>second</name></domainsnapshot>', 0)
    equal((await bed.c.domainSnapshotGetParent(second)).name, 'first')
  }),
  domainSnapshotIsCurrent: async bed => await snapshotted(bed, async snapshot => ok(await bed.c.domainSnapshotIsCurrent(snapshot))),
  domainSnapshotHasMetadata: async bed => await snapshotted(bed, async snapshot => ok(await bed.c.domainSnapshotHasMetadata(snapshot))),
  domainRevertToSnapshot: async bed => await snapshotted(bed, async snapshot => await bed.c.domainRevertToSnapshot(snapshot, 0)),
  domainSnapshotDelete: async bed => await snapshotted(bed, async snapshot => await bed.c.domainSnapshotDelete(snapshot, 0)),
  domainListAllCheckpoints: (bed, { off }) => bed.c.domainListAllCheckpoints(off, 0),
  networkIsPersistent: (bed, { net }) => bed.c.networkIsPersistent(net),
  networkGetBridgeName: (bed, { net }) => bed.c.networkGetBridgeName(net),
  networkDefineXMLFlags: async bed => await bed.c.networkUndefine(await bed.c.networkDefineXMLFlags(bed.networkXML(bed.name('attempt')), 0)),
  networkCreateXML: async bed => await bed.c.networkDestroy(await bed.c.networkCreateXML(bed.networkXML(bed.name('attempt')))),
  networkCreateXMLFlags: async bed => await bed.c.networkDestroy(await bed.c.networkCreateXMLFlags(bed.networkXML(bed.name('attempt')), 0)),
  networkListAllPorts: (bed, { net }) => bed.c.networkListAllPorts(net),
  storagePoolLookupByVolume: (bed, { vol }) => bed.c.storagePoolLookupByVolume(vol),
  storagePoolLookupByTargetPath: (bed, { pool }) => bed.c.storagePoolLookupByTargetPath(`/var/lib/vireo/${pool.name}`),
  storagePoolIsPersistent: (bed, { pool }) => bed.c.storagePoolIsPersistent(pool),
  storagePoolCreateXML: async bed => await bed.c.storagePoolDestroy(await bed.c.storagePoolCreateXML(bed.poolXML(bed.name('attempt')), bed.traits.hasFolders ? 1 : 0)),
  storageVolGetInfoFlags: (bed, { vol }) => bed.c.storageVolGetInfoFlags(vol, 1),
  storageVolWipePattern: async (bed, { pool }) => {
    const vol = await bed.volume(pool, bed.name('attempt'))
    await bed.c.storageVolWipePattern(vol, 0)
    await bed.c.storageVolDelete(vol, 0)
  },
  connectListAllSecrets: bed => bed.c.connectListAllSecrets(),
  secretDefineXML: async bed => await secret(bed, async () => { /* that it is there is enough */ }),
  secretLookupByUUID: async bed => await secret(bed, async ref => deepEqual(await bed.c.secretLookupByUUID(ref.uuid), ref)),
  secretLookupByUsage: async bed => await secret(bed, async ref => deepEqual(await bed.c.secretLookupByUsage(1, ref.usageID), ref)),
  secretGetXMLDesc: async bed => await secret(bed, async ref => ok((await bed.c.secretGetXMLDesc(ref)).includes(ref.uuid))),
  secretSetValue: async bed => await secret(bed, async ref => await bed.c.secretSetValue(ref, Buffer.from('geheim'))),
  secretGetValue: async bed => await secret(bed, async ref => {
    await bed.c.secretSetValue(ref, Buffer.from('geheim'))
    equal(Buffer.from(await bed.c.secretGetValue(ref)).toString(), 'geheim')
  }),
  secretUndefine: async bed => await secret(bed, async () => { /* it ends with that */ }),
  connectListAllNWFilters: bed => bed.c.connectListAllNWFilters(),
  connectListAllNodeDevices: bed => bed.c.connectListAllNodeDevices(),
  connectListAllInterfaces: bed => bed.c.connectListAllInterfaces(),
} satisfies Partial<Record<Operation, (bed: Bed, cast: Cast) => Promise<unknown>>>

export type Asked = keyof typeof attempts

/** A domain with a managed save. */
async function saved(bed: Bed, use: (dom: DomainRef) => Promise<void>): Promise<void> {
  const dom = await bed.running('attempt')
  await bed.c.domainManagedSave(dom, 0)
  await use(dom)
  await bed.remove(dom)
}

/** A domain that is shut off, with a disk and a snapshot. */
async function snapshotted(bed: Bed, use: (snapshot: SnapshotRef) => Promise<void>): Promise<void> {
  const dom = await bed.define(bed.name('attempt'), { devices: await bed.image() })
  await use(await bed.c.domainSnapshotCreateXML(dom, '<domainsnapshot><name>first</name></domainsnapshot>', 0))
  await bed.remove(dom)
}

async function secret(bed: Bed, use: (ref: SecretRef) => Promise<void>): Promise<void> {
  const ref = await bed.c.secretDefineXML(`<secret ephemeral='yes' private='no'><usage type='volume'><volume>/${bed.name('attempt')}</volume></usage></secret>`, 0)
  await use(ref)
  await bed.c.secretUndefine(ref)
}

/** Whether the driver has the operation. Any refusal but error 3 is thrown. */
export async function has(bed: Bed, cast: Cast, operation: Asked): Promise<boolean> {
  return await attempts[operation](bed, cast).then(() => true, (error: unknown) => {
    if (error instanceof LibvirtError && error.code === ErrorNumber.NO_SUPPORT) return false
    throw error
  })
}

/** A test for each operation that the driver lacks. */
export function refusals(bed: Bed, lacking: readonly Asked[]): void {
  test.each(lacking)('%s is error 3, and nothing else', async operation => {
    await expectUnsupported(bed, operation)
  })
}

/** The driver answers this operation with error 3 exactly. */
export async function expectUnsupported(bed: Bed, operation: Asked): Promise<void> {
  const cast = await castOf(bed)
  equal(await has(bed, cast, operation), false)
  await dismiss(bed, cast)
}
