// The calls that the suite holds to nothing but an answer: each is made once, and what the driver says is what the table says.

import { randomUUID } from 'node:crypto'
import type { CheckpointRef, DomainRef, InterfaceRef, NetworkPortRef, NodeDeviceRef } from '../../../drivers/driver.ts'
import { Affect } from '../../../drivers/driver.ts'
import type { Operation } from '../../../drivers/test/faults.ts'
import { until } from '../../support/until.ts'
import type { Bed } from '../bed.ts'
import type { Asked, Cast } from './attempts.ts'

type Ask = (bed: Bed, cast: Cast) => Promise<unknown>

/** Changes the machine that the tests run on, whatever the daemon. */
const harmful = 'changes the machine itself'
/** The answer depends on it, not on the driver. */
const hardware = "says what the machine's hardware is"

const running = (use: (bed: Bed, dom: DomainRef, cast: Cast) => Promise<unknown>, options: Parameters<Bed['domainXML']>[1] = {}): Ask => async (bed, cast) => {
  const dom = await bed.running('once', options)
  try { await use(bed, dom, cast) } finally { await bed.remove(dom) }
}

/** One guest for all calls that leave it as it is: with a console, a screen, a channel, and the port of an agent that nothing answers on. */
const guests = new WeakMap<Bed, Promise<DomainRef>>()
const devices = "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel><channel type='unix'><target type='virtio' name='org.vireo.once'/></channel><serial type='pty'/><graphics type='vnc'/><video><model type='vga'/></video>"
const shared = (use: (bed: Bed, dom: DomainRef) => Promise<unknown>): Ask => async bed => {
  if (!guests.has(bed)) guests.set(bed, bed.running('shared', { devices }))
  return await use(bed, await guests.get(bed)!)
}

/** A guest that runs, with a disk that keeps layers and dirty blocks. */
async function diskGuest(bed: Bed, cast: Cast): Promise<DomainRef> {
  const name = bed.name('layers')
  const { key } = await bed.c.storageVolCreateXML(cast.pool, bed.volumeXML(name, 1_048_576, 'qcow2').replace('</target>', '<compat>1.1</compat></target>'), 0)
  return await bed.running('once', { devices: `<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${key}'/><target dev='vda' bus='virtio'/></disk>` })
}
const withDisk = (use: (bed: Bed, dom: DomainRef) => Promise<unknown>): Ask => async (bed, cast) => {
  const dom = await diskGuest(bed, cast)
  try { await use(bed, dom) } finally { await bed.remove(dom) }
}
/** One for all calls that leave its disk as it is. */
const disks = new WeakMap<Bed, Promise<DomainRef>>()
const sharedDisk = (use: (bed: Bed, dom: DomainRef) => Promise<unknown>): Ask => async (bed, cast) => {
  if (!disks.has(bed)) disks.set(bed, diskGuest(bed, cast))
  return await use(bed, await disks.get(bed)!)
}
/** The same with a layer over its disk. */
const layered = (use: (bed: Bed, dom: DomainRef) => Promise<unknown>): Ask => withDisk(async (bed, dom) => {
  await bed.c.domainSnapshotCreateXML(dom, '<domainsnapshot><name>layer</name></domainsnapshot>', 0x10 | 0x04)
  await use(bed, dom)
})
const jobOver = async (bed: Bed, dom: DomainRef): Promise<void> => { await until('the job of the disk is over', async () => await bed.c.domainGetBlockJobInfo(dom, 'vda', 0) === null, { everyMs: 5 }) }
const COPY = "<disk type='file'><driver type='qcow2'/><source file='/var/lib/vireo/copy.qcow2'/></disk>"
/** A copy of a disk that goes on until it is told to end. */
const copying = (use: (bed: Bed, dom: DomainRef) => Promise<unknown>): Ask => sharedDisk(async (bed, dom) => {
  await bed.c.domainBlockCopy(dom, 'vda', COPY.replace('copy', bed.name('copy')), {}, 0x04)
  try { await use(bed, dom) } finally { await bed.c.domainBlockJobAbort(dom, 'vda', 0).catch(() => undefined) }
})
const checkpoint = async (bed: Bed, dom: DomainRef): Promise<CheckpointRef> => await bed.c.domainCheckpointCreateXML(dom, `<domaincheckpoint><name>${bed.name('checkpoint')}</name></domaincheckpoint>`, 0)
/** With the newest checkpoint of a disk: it is gone afterwards. */
const checkpointed = (use: (bed: Bed, made: CheckpointRef) => Promise<unknown>): Ask => sharedDisk(async (bed, dom) => {
  const made = await checkpoint(bed, dom)
  try { await use(bed, made) } finally { await bed.c.domainCheckpointDelete(made, 0).catch(() => undefined) }
})

/** A guest whose memory is in a file of the host. */
const savedTo = (use: (bed: Bed, file: string, dom: DomainRef) => Promise<unknown>): Ask => running(async (bed, dom) => {
  const file = `/var/lib/vireo/${bed.name('saved')}`
  await bed.c.domainSaveFlags(dom, file, null, 0)
  await use(bed, file, dom)
})

const filtered = (use: (bed: Bed, filter: Awaited<ReturnType<Bed['c']['nwfilterDefineXML']>>) => Promise<unknown>): Ask => async bed => {
  const filter = await bed.c.nwfilterDefineXML(`<filter name='${bed.name('once')}' chain='root'><rule action='drop' direction='in' priority='500'/></filter>`)
  try { await use(bed, filter) } finally { await bed.c.nwfilterUndefine(filter).catch(() => undefined) }
}
const bindingXML = (filter: string, dev = 'lo'): string => `<filterbinding><owner><name>once</name><uuid>${randomUUID()}</uuid></owner><portdev name='${dev}'/><mac address='52:54:00:00:09:09'/><filterref filter='${filter}'/></filterbinding>`
const bound = (use: (bed: Bed, binding: Awaited<ReturnType<Bed['c']['nwfilterBindingCreateXML']>>) => Promise<unknown>): Ask => filtered(async (bed, filter) => {
  const binding = await bed.c.nwfilterBindingCreateXML(bindingXML(filter.name), 0)
  try { await use(bed, binding) } finally { await bed.c.nwfilterBindingDelete(binding).catch(() => undefined) }
})

const portXML = (): string => `<networkport><uuid>${randomUUID()}</uuid><owner><name>once</name><uuid>${randomUUID()}</uuid></owner><mac address='52:54:00:00:08:08'/></networkport>`
const ported = (use: (bed: Bed, port: NetworkPortRef) => Promise<unknown>): Ask => async (bed, { net }) => {
  const port = await bed.c.networkPortCreateXML(net, portXML(), 0)
  try { await use(bed, port) } finally { await bed.c.networkPortDelete(port).catch(() => undefined) }
}

/** The host's own: a device that every one has. */
const computer = (use: (bed: Bed, dev: NodeDeviceRef) => Promise<unknown>): Ask => async bed => await use(bed, await bed.c.nodeDeviceLookupByName('computer'))
const noDevice: NodeDeviceRef = { name: 'no-such-device' }
const noInterface: InterfaceRef = { name: 'no-such-interface', mac: '52:54:00:00:07:07' }
const NPIV = '<device><parent>computer</parent><capability type="scsi_host"><capability type="fc_host"/></capability></device>'

/** tsc holds it complete. A text says why a call is not made. */
export const once: Record<Exclude<Operation, Asked>, Ask | string> = {
  connectGetSysinfo: hardware,
  connectGetStoragePoolCapabilities: bed => bed.c.connectGetStoragePoolCapabilities(),
  connectCompareCPU: bed => bed.c.connectCompareCPU('<cpu><arch>x86_64</arch><model>qemu64</model></cpu>', 0),
  connectCompareHypervisorCPU: bed => bed.c.connectCompareHypervisorCPU(null, null, null, null, '<cpu><model>qemu64</model></cpu>', 0),
  connectBaselineCPU: bed => bed.c.connectBaselineCPU(['<cpu><arch>x86_64</arch><model>qemu64</model></cpu>'], 0),
  connectBaselineHypervisorCPU: bed => bed.c.connectBaselineHypervisorCPU(null, null, null, null, ['<cpu><arch>x86_64</arch><model>qemu64</model></cpu>'], 0),
  connectFindStoragePoolSources: 'needs LVM, iSCSI or NFS on the host',
  connectDomainXMLFromNative: bed => bed.c.connectDomainXMLFromNative('qemu-argv', 'qemu-system-x86_64 -m 64'),
  connectDomainXMLToNative: bed => bed.c.connectDomainXMLToNative('qemu-argv', bed.domainXML(bed.name('once'))),
  connectSetIdentity: async bed => {
    const own = await bed.open()
    try { await own.connectSetIdentity({ 'user-name': 'somebody' }) } finally { await own.close() }
  },
  nodeGetFreePages: bed => bed.c.nodeGetFreePages([4], 0, 1),
  nodeAllocPages: harmful,
  nodeGetMemoryParameters: bed => bed.c.nodeGetMemoryParameters(),
  nodeSetMemoryParameters: harmful,
  nodeGetSEVInfo: hardware,
  nodeSuspendForDuration: harmful,
  domainGetHostname: shared((bed, dom) => bed.c.domainGetHostname(dom, 0)),
  domainGetSecurityLabel: hardware,
  domainGetSecurityLabelList: hardware,
  domainGetLaunchSecurityInfo: (bed, { on }) => bed.c.domainGetLaunchSecurityInfo(on),
  domainSetLaunchSecurityState: (bed, { on }) => bed.c.domainSetLaunchSecurityState(on, { 'sev-secret': 'c2VjcmV0', 'sev-secret-header': 'aGVhZGVy' }),
  domainBlockPeek: (bed, { on, vol }) => bed.c.domainBlockPeek(on, vol.key, 0, 512),
  domainMemoryPeek: (bed, { on }) => bed.c.domainMemoryPeek(on, 0, 512, 2),
  domainStartDirtyRateCalc: shared((bed, dom) => bed.c.domainStartDirtyRateCalc(dom, 1, 0)),
  domainGetGuestInfo: shared((bed, dom) => bed.c.domainGetGuestInfo(dom, 0)),
  domainGetFSInfo: shared((bed, dom) => bed.c.domainGetFSInfo(dom)),
  domainGetGuestVcpus: shared((bed, dom) => bed.c.domainGetGuestVcpus(dom)),
  domainSetGuestVcpus: shared((bed, dom) => bed.c.domainSetGuestVcpus(dom, '0', true)),
  domainGetTime: shared((bed, dom) => bed.c.domainGetTime(dom)),
  domainSetTime: shared((bed, dom) => bed.c.domainSetTime(dom, { seconds: 1_700_000_000n, nseconds: 0 }, 0)),
  domainSetUserPassword: shared((bed, dom) => bed.c.domainSetUserPassword(dom, 'root', 'geheim', 0)),
  domainAuthorizedSSHKeysGet: shared((bed, dom) => bed.c.domainAuthorizedSSHKeysGet(dom, 'root')),
  domainAuthorizedSSHKeysSet: shared((bed, dom) => bed.c.domainAuthorizedSSHKeysSet(dom, 'root', ['ssh-ed25519 AAAA'], 0)),
  domainAgentSetResponseTimeout: shared((bed, dom) => bed.c.domainAgentSetResponseTimeout(dom, 5)),
  domainFSFreeze: shared((bed, dom) => bed.c.domainFSFreeze(dom, [])),
  domainFSThaw: shared((bed, dom) => bed.c.domainFSThaw(dom, [])),
  domainFSTrim: shared((bed, dom) => bed.c.domainFSTrim(dom, null, 0)),
  domainSetMemoryStatsPeriod: shared((bed, dom) => bed.c.domainSetMemoryStatsPeriod(dom, 10, Affect.LIVE)),
  domainSetVcpu: (bed, { off }) => bed.c.domainSetVcpu(off, '1', true, Affect.CONFIG),
  domainManagedSaveDefineXML: running(async (bed, dom) => {
    await bed.c.domainManagedSave(dom, 0)
    await bed.c.domainManagedSaveDefineXML(dom, await bed.c.domainManagedSaveGetXMLDesc(dom, 0), 0)
  }),
  domainSaveFlags: savedTo(() => Promise.resolve()),
  domainSaveParams: running((bed, dom) => bed.c.domainSaveParams(dom, { file: `/var/lib/vireo/${bed.name('saved')}` }, 0)),
  domainRestoreFlags: savedTo((bed, file) => bed.c.domainRestoreFlags(file, null, 0)),
  domainRestoreParams: savedTo((bed, file) => bed.c.domainRestoreParams({ file }, 0)),
  domainSaveImageGetXMLDesc: savedTo((bed, file) => bed.c.domainSaveImageGetXMLDesc(file, 0)),
  domainSaveImageDefineXML: savedTo(async (bed, file) => { await bed.c.domainSaveImageDefineXML(file, await bed.c.domainSaveImageGetXMLDesc(file, 0), 0) }),
  domainCoreDumpWithFormat: shared((bed, dom) => bed.c.domainCoreDumpWithFormat(dom, `/var/lib/vireo/${bed.name('core')}`, 0, 0x10)),
  domainPMSuspendForDuration: shared((bed, dom) => bed.c.domainPMSuspendForDuration(dom, 0, 0)),
  domainPMWakeup: (bed, { on }) => bed.c.domainPMWakeup(on),
  domainInjectNMI: shared((bed, dom) => bed.c.domainInjectNMI(dom)),
  domainSendKey: (bed, { on }) => bed.c.domainSendKey(on, 0, 10, [28]),
  domainSendProcessSignal: (bed, { on }) => bed.c.domainSendProcessSignal(on, 1n, 1),
  domainAbortJob: (bed, { on }) => bed.c.domainAbortJob(on),
  domainOpenConsole: shared(async (bed, dom) => { await (await bed.c.domainOpenConsole(dom, null, 0)).abort('seen') }),
  domainOpenChannel: shared(async (bed, dom) => { await (await bed.c.domainOpenChannel(dom, 'org.vireo.once', 0)).abort('seen') }),
  domainScreenshot: shared(async (bed, dom) => { await (await bed.c.domainScreenshot(dom, 0)).stream.abort('seen') }),
  qemuDomainMonitorCommand: (bed, { on }) => bed.c.qemuDomainMonitorCommand(on, '{"execute":"query-status"}', 0),
  qemuDomainAgentCommand: shared((bed, dom) => bed.c.qemuDomainAgentCommand(dom, '{"execute":"guest-ping"}', 1)),
  domainGetCPUStats: (bed, { on }) => bed.c.domainGetCPUStats(on),
  domainGetSchedulerType: (bed, { on }) => bed.c.domainGetSchedulerType(on),
  domainGetSchedulerParameters: (bed, { off }) => bed.c.domainGetSchedulerParameters(off, Affect.CONFIG),
  domainSetSchedulerParameters: (bed, { off }) => bed.c.domainSetSchedulerParameters(off, { cpu_shares: 512 }, Affect.CONFIG),
  domainSetMemoryParameters: (bed, { off }) => bed.c.domainSetMemoryParameters(off, { soft_limit: 65_536 }, Affect.CONFIG),
  domainGetBlkioParameters: (bed, { off }) => bed.c.domainGetBlkioParameters(off, Affect.CONFIG),
  domainSetBlkioParameters: (bed, { off }) => bed.c.domainSetBlkioParameters(off, { weight: 500 }, Affect.CONFIG),
  domainSetNumaParameters: (bed, { off }) => bed.c.domainSetNumaParameters(off, { numa_nodeset: '0' }, Affect.CONFIG),
  domainSetInterfaceParameters: (bed, { on }) => bed.c.domainSetInterfaceParameters(on, '52:54:00:00:01:01', { 'inbound.average': 1000 }, Affect.CONFIG),
  domainSetPerfEvents: (bed, { off }) => bed.c.domainSetPerfEvents(off, { cpu_cycles: true }, Affect.CONFIG),
  domainPinVcpu: (bed, { off }) => bed.c.domainPinVcpu(off, 0, [0], Affect.CONFIG),
  domainPinEmulator: (bed, { off }) => bed.c.domainPinEmulator(off, [0], Affect.CONFIG),
  domainPinIOThread: async (bed, { off }) => {
    await bed.c.domainAddIOThread(off, 7, Affect.CONFIG)
    try { await bed.c.domainPinIOThread(off, 7, [0], Affect.CONFIG) } finally { await bed.c.domainDelIOThread(off, 7, Affect.CONFIG) }
  },
  domainAddIOThread: async (bed, { off }) => {
    await bed.c.domainAddIOThread(off, 8, Affect.CONFIG)
    await bed.c.domainDelIOThread(off, 8, Affect.CONFIG)
  },
  domainDelIOThread: async (bed, { off }) => {
    await bed.c.domainAddIOThread(off, 9, Affect.CONFIG)
    await bed.c.domainDelIOThread(off, 9, Affect.CONFIG)
  },
  domainSetIOThreadParams: shared(async (bed, dom) => {
    await bed.c.domainAddIOThread(dom, 1, Affect.LIVE)
    await bed.c.domainSetIOThreadParams(dom, 1, { poll_max_ns: 1000n }, Affect.LIVE)
  }),
  domainSetBlockThreshold: (bed, { on }) => bed.c.domainSetBlockThreshold(on, 'vda', 65_536),
  domainBlockPull: layered(async (bed, dom) => {
    await bed.c.domainBlockPull(dom, 'vda', 0, 0)
    await jobOver(bed, dom)
  }),
  domainBlockRebase: layered(async (bed, dom) => {
    await bed.c.domainBlockRebase(dom, 'vda', null, 0, 0)
    await jobOver(bed, dom)
  }),
  domainBlockCopy: copying(() => Promise.resolve()),
  domainBlockCommit: layered((bed, dom) => bed.c.domainBlockCommit(dom, 'vda', null, null, 0, 0x04)),
  domainBlockJobAbort: copying((bed, dom) => bed.c.domainBlockJobAbort(dom, 'vda', 0)),
  domainBlockJobSetSpeed: copying((bed, dom) => bed.c.domainBlockJobSetSpeed(dom, 'vda', 10, 0)),
  domainBackupBegin: withDisk(async (bed, dom) => {
    await bed.c.domainBackupBegin(dom, `<domainbackup><disks><disk name='vda' type='file'><driver type='qcow2'/><target file='/var/lib/vireo/${bed.name('backup')}'/></disk></disks></domainbackup>`, null, 0)
  }),
  domainBackupGetXMLDesc: withDisk(async (bed, dom) => {
    await bed.c.domainBackupBegin(dom, "<domainbackup mode='pull'><server name='127.0.0.1' port='10809'/></domainbackup>", null, 0)
    await bed.c.domainBackupGetXMLDesc(dom)
    await bed.c.domainAbortJob(dom)
  }),
  domainCheckpointCreateXML: checkpointed(() => Promise.resolve()),
  domainCheckpointGetXMLDesc: checkpointed((bed, made) => bed.c.domainCheckpointGetXMLDesc(made, 0)),
  domainCheckpointListAllChildren: checkpointed((bed, made) => bed.c.domainCheckpointListAllChildren(made, 0)),
  domainCheckpointLookupByName: checkpointed((bed, { dom, name }) => bed.c.domainCheckpointLookupByName(dom, name)),
  domainCheckpointGetParent: checkpointed(async (bed, { dom }) => {
    const child = await checkpoint(bed, dom)
    try { await bed.c.domainCheckpointGetParent(child) } finally { await bed.c.domainCheckpointDelete(child, 0) }
  }),
  domainCheckpointDelete: checkpointed((bed, made) => bed.c.domainCheckpointDelete(made, 0)),
  domainMigrateBegin3Params: shared((bed, dom) => bed.c.domainMigrateBegin3Params(dom, {}, 1)),
  domainMigratePrepare3Params: bed => bed.c.domainMigratePrepare3Params({}, new Uint8Array(), 1),
  domainMigratePrepareTunnel3Params: async bed => { await (await bed.c.domainMigratePrepareTunnel3Params({}, new Uint8Array(), 1)).stream.abort('seen') },
  domainMigratePerform3Params: shared((bed, dom) => bed.c.domainMigratePerform3Params(dom, 'qemu+tcp://127.0.0.1:1/system', {}, new Uint8Array(), 3)),
  domainMigrateFinish3Params: bed => bed.c.domainMigrateFinish3Params({}, new Uint8Array(), 1, true),
  domainMigrateConfirm3Params: shared((bed, dom) => bed.c.domainMigrateConfirm3Params(dom, {}, new Uint8Array(), 1, true)),
  domainMigrateStartPostCopy: (bed, { on }) => bed.c.domainMigrateStartPostCopy(on),
  domainMigrateGetMaxDowntime: (bed, { on }) => bed.c.domainMigrateGetMaxDowntime(on),
  domainMigrateSetMaxDowntime: (bed, { on }) => bed.c.domainMigrateSetMaxDowntime(on, 300),
  domainMigrateGetMaxSpeed: (bed, { on }) => bed.c.domainMigrateGetMaxSpeed(on, 0),
  domainMigrateSetMaxSpeed: (bed, { on }) => bed.c.domainMigrateSetMaxSpeed(on, 100, 0),
  domainMigrateGetCompressionCache: (bed, { on }) => bed.c.domainMigrateGetCompressionCache(on),
  domainMigrateSetCompressionCache: (bed, { on }) => bed.c.domainMigrateSetCompressionCache(on, 67_108_864),
  networkPortLookupByUUID: ported((bed, { net, uuid }) => bed.c.networkPortLookupByUUID(net, uuid)),
  networkPortGetXMLDesc: ported((bed, port) => bed.c.networkPortGetXMLDesc(port)),
  networkPortGetParameters: ported((bed, port) => bed.c.networkPortGetParameters(port)),
  networkPortSetParameters: ported((bed, port) => bed.c.networkPortSetParameters(port, { 'inbound.average': 1000 })),
  networkPortCreateXML: ported(() => Promise.resolve()),
  networkPortDelete: ported((bed, port) => bed.c.networkPortDelete(port)),
  nwfilterLookupByName: filtered((bed, { name }) => bed.c.nwfilterLookupByName(name)),
  nwfilterLookupByUUID: filtered((bed, { uuid }) => bed.c.nwfilterLookupByUUID(uuid)),
  nwfilterGetXMLDesc: filtered((bed, filter) => bed.c.nwfilterGetXMLDesc(filter)),
  nwfilterDefineXML: filtered(() => Promise.resolve()),
  nwfilterDefineXMLFlags: async bed => { await bed.c.nwfilterUndefine(await bed.c.nwfilterDefineXMLFlags(`<filter name='${bed.name('once')}' chain='root'/>`, 0)) },
  nwfilterUndefine: filtered((bed, filter) => bed.c.nwfilterUndefine(filter)),
  connectListAllNWFilterBindings: bed => bed.c.connectListAllNWFilterBindings(),
  nwfilterBindingLookupByPortDev: bound((bed, { portdev }) => bed.c.nwfilterBindingLookupByPortDev(portdev)),
  nwfilterBindingGetXMLDesc: bound((bed, binding) => bed.c.nwfilterBindingGetXMLDesc(binding)),
  nwfilterBindingCreateXML: bound(() => Promise.resolve()),
  nwfilterBindingDelete: bound((bed, binding) => bed.c.nwfilterBindingDelete(binding)),
  nodeDeviceLookupByName: computer(() => Promise.resolve()),
  nodeDeviceLookupSCSIHostByWWN: bed => bed.c.nodeDeviceLookupSCSIHostByWWN('20000000c9831b4b', '10000000c9831b4b'),
  nodeDeviceGetXMLDesc: computer((bed, dev) => bed.c.nodeDeviceGetXMLDesc(dev)),
  nodeDeviceGetParent: computer((bed, dev) => bed.c.nodeDeviceGetParent(dev)),
  nodeDeviceListCaps: computer((bed, dev) => bed.c.nodeDeviceListCaps(dev)),
  nodeDeviceDetachFlags: harmful,
  nodeDeviceReAttach: bed => bed.c.nodeDeviceReAttach(noDevice),
  nodeDeviceReset: bed => bed.c.nodeDeviceReset(noDevice),
  nodeDeviceCreateXML: bed => bed.c.nodeDeviceCreateXML(NPIV, 0),
  nodeDeviceDestroy: bed => bed.c.nodeDeviceDestroy(noDevice),
  nodeDeviceDefineXML: bed => bed.c.nodeDeviceDefineXML(NPIV, 0),
  nodeDeviceCreate: bed => bed.c.nodeDeviceCreate(noDevice),
  nodeDeviceUndefine: bed => bed.c.nodeDeviceUndefine(noDevice),
  nodeDeviceGetAutostart: computer((bed, dev) => bed.c.nodeDeviceGetAutostart(dev)),
  nodeDeviceSetAutostart: bed => bed.c.nodeDeviceSetAutostart(noDevice, false),
  nodeDeviceIsPersistent: computer((bed, dev) => bed.c.nodeDeviceIsPersistent(dev)),
  nodeDeviceIsActive: computer((bed, dev) => bed.c.nodeDeviceIsActive(dev)),
  interfaceLookupByName: bed => bed.c.interfaceLookupByName('lo'),
  interfaceLookupByMACString: bed => bed.c.interfaceLookupByMACString('00:00:00:00:00:00'),
  interfaceGetXMLDesc: async bed => await bed.c.interfaceGetXMLDesc(await bed.c.interfaceLookupByName('lo'), 0),
  interfaceIsActive: async bed => await bed.c.interfaceIsActive(await bed.c.interfaceLookupByName('lo')),
  interfaceDefineXML: bed => bed.c.interfaceDefineXML("<interface type='ethernet' name='once0'/>", 0),
  interfaceUndefine: bed => bed.c.interfaceUndefine(noInterface),
  interfaceCreate: bed => bed.c.interfaceCreate(noInterface),
  interfaceDestroy: bed => bed.c.interfaceDestroy(noInterface),
  interfaceChangeBegin: bed => bed.c.interfaceChangeBegin(),
  interfaceChangeCommit: bed => bed.c.interfaceChangeCommit(),
  interfaceChangeRollback: bed => bed.c.interfaceChangeRollback(),
  domainGetAutostartOnce: (bed, { off }) => bed.c.domainGetAutostartOnce(off),
  domainSetAutostartOnce: (bed, { off }) => bed.c.domainSetAutostartOnce(off, false),
  domainGraphicsReload: (bed, { on }) => bed.c.domainGraphicsReload(on, 0),
  domainSetThrottleGroup: (bed, { off }) => bed.c.domainSetThrottleGroup(off, 'slow', { total_iops_sec: 100n }, Affect.CONFIG),
  domainDelThrottleGroup: (bed, { off }) => bed.c.domainDelThrottleGroup(off, 'slow', Affect.CONFIG),
  networkGetMetadata: (bed, { net }) => bed.c.networkGetMetadata(net, 1, null, Affect.CONFIG),
  networkSetMetadata: (bed, { net }) => bed.c.networkSetMetadata(net, 1, 'a title', null, null, Affect.CONFIG),
  nodeDeviceUpdate: bed => bed.c.nodeDeviceUpdate(noDevice, NPIV, 0),
}
