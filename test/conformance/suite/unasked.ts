// The calls that the suite does not make of every driver, each with what it would need.

import type { Operation } from '../../../drivers/test/faults.ts'
import type { Asked } from './attempts.ts'

const hardware = "says what the host's hardware is"
const host = 'changes the host itself'
const own = "speaks the hypervisor's own language"
const agent = 'needs an agent in the guest'
const guest = 'needs a guest that does something'
const migration = 'needs a second host'
const job = 'needs a job on a disk'
const file = 'needs a file on the host'
const filter = 'needs filters or ports'
const cgroup = 'needs control groups or threads of its own'
const later = 'came with a later libvirt than 9.0'

/** tsc holds it complete. */
export const unasked: Record<Exclude<Operation, Asked>, string> = {
  connectGetSysinfo: hardware, connectGetStoragePoolCapabilities: hardware, connectCompareCPU: hardware, connectCompareHypervisorCPU: hardware,
  connectBaselineCPU: hardware, connectBaselineHypervisorCPU: hardware, connectFindStoragePoolSources: hardware,
  connectDomainXMLFromNative: own, connectDomainXMLToNative: own,
  connectSetIdentity: host, nodeGetFreePages: hardware, nodeAllocPages: host,
  nodeGetMemoryParameters: hardware, nodeSetMemoryParameters: host,
  nodeGetSEVInfo: hardware, nodeSuspendForDuration: host, domainGetHostname: agent,
  domainGetSecurityLabel: hardware, domainGetSecurityLabelList: hardware, domainGetLaunchSecurityInfo: hardware, domainSetLaunchSecurityState: hardware,
  domainBlockPeek: guest, domainMemoryPeek: guest, domainStartDirtyRateCalc: guest,
  domainGetGuestInfo: agent, domainGetFSInfo: agent, domainGetGuestVcpus: agent, domainSetGuestVcpus: agent, domainGetTime: agent, domainSetTime: agent,
  domainSetUserPassword: agent, domainAuthorizedSSHKeysGet: agent, domainAuthorizedSSHKeysSet: agent, domainAgentSetResponseTimeout: agent, domainFSFreeze: agent,
  domainFSThaw: agent, domainFSTrim: agent, domainSetMemoryStatsPeriod: guest, domainSetVcpu: guest,
  domainManagedSaveDefineXML: file, domainSaveFlags: file, domainSaveParams: file, domainRestoreFlags: file, domainRestoreParams: file, domainSaveImageGetXMLDesc: file,
  domainSaveImageDefineXML: file, domainCoreDumpWithFormat: file,
  domainPMSuspendForDuration: guest, domainPMWakeup: guest, domainInjectNMI: guest, domainSendKey: guest, domainSendProcessSignal: guest,
  domainAbortJob: job, domainOpenConsole: guest, domainOpenChannel: guest, domainScreenshot: guest,
  qemuDomainMonitorCommand: own, qemuDomainAgentCommand: own,
  domainGetCPUStats: cgroup, domainGetSchedulerType: cgroup, domainGetSchedulerParameters: cgroup, domainSetSchedulerParameters: cgroup, domainSetMemoryParameters: cgroup,
  domainGetBlkioParameters: cgroup, domainSetBlkioParameters: cgroup, domainSetNumaParameters: cgroup, domainSetInterfaceParameters: cgroup, domainSetPerfEvents: cgroup,
  domainPinVcpu: cgroup, domainPinEmulator: cgroup, domainPinIOThread: cgroup, domainAddIOThread: cgroup, domainDelIOThread: cgroup, domainSetIOThreadParams: cgroup,
  domainSetBlockThreshold: cgroup, domainBlockPull: job, domainBlockRebase: job, domainBlockCopy: job, domainBlockCommit: job, domainBlockJobAbort: job,
  domainBlockJobSetSpeed: job, domainBackupBegin: job, domainBackupGetXMLDesc: job, domainCheckpointCreateXML: job, domainCheckpointGetXMLDesc: job,
  domainCheckpointListAllChildren: job, domainCheckpointLookupByName: job, domainCheckpointGetParent: job, domainCheckpointDelete: job,
  domainMigrateBegin3Params: migration, domainMigratePrepare3Params: migration, domainMigratePrepareTunnel3Params: migration, domainMigratePerform3Params: migration,
  domainMigrateFinish3Params: migration, domainMigrateConfirm3Params: migration, domainMigrateStartPostCopy: migration, domainMigrateGetMaxDowntime: migration,
  domainMigrateSetMaxDowntime: migration, domainMigrateGetMaxSpeed: migration, domainMigrateSetMaxSpeed: migration, domainMigrateGetCompressionCache: migration,
  domainMigrateSetCompressionCache: migration, networkPortLookupByUUID: filter, networkPortGetXMLDesc: filter, networkPortGetParameters: filter,
  networkPortSetParameters: filter, networkPortCreateXML: filter, networkPortDelete: filter, nwfilterLookupByName: filter, nwfilterLookupByUUID: filter,
  nwfilterGetXMLDesc: filter, nwfilterDefineXML: filter, nwfilterDefineXMLFlags: filter, nwfilterUndefine: filter, connectListAllNWFilterBindings: filter,
  nwfilterBindingLookupByPortDev: filter, nwfilterBindingGetXMLDesc: filter, nwfilterBindingCreateXML: filter, nwfilterBindingDelete: filter,
  nodeDeviceLookupByName: host, nodeDeviceLookupSCSIHostByWWN: host, nodeDeviceGetXMLDesc: host, nodeDeviceGetParent: host, nodeDeviceListCaps: host,
  nodeDeviceDetachFlags: host, nodeDeviceReAttach: host, nodeDeviceReset: host, nodeDeviceCreateXML: host, nodeDeviceDestroy: host, nodeDeviceDefineXML: host,
  nodeDeviceCreate: host, nodeDeviceUndefine: host, nodeDeviceGetAutostart: host, nodeDeviceSetAutostart: host, nodeDeviceIsPersistent: host, nodeDeviceIsActive: host,
  interfaceLookupByName: host, interfaceLookupByMACString: host, interfaceGetXMLDesc: host, interfaceIsActive: host, interfaceDefineXML: host, interfaceUndefine: host,
  interfaceCreate: host, interfaceDestroy: host, interfaceChangeBegin: host, interfaceChangeCommit: host, interfaceChangeRollback: host,
  domainGetAutostartOnce: later, domainSetAutostartOnce: later, domainGraphicsReload: later, domainSetThrottleGroup: later,
  domainDelThrottleGroup: later, networkGetMetadata: later, networkSetMetadata: later, nodeDeviceUpdate: later,
}
