// The calls that a host in memory does not have: each answers as libvirt's drivers do for what they lack, with error 3.

import type { Desk } from './desk.ts'
import type { Lacking } from './present.ts'

/** tsc holds it complete. */
const lacks: Record<Lacking, true> = {
  connectGetSysinfo: true, connectGetStoragePoolCapabilities: true, connectCompareCPU: true, connectCompareHypervisorCPU: true,
  connectBaselineCPU: true, connectBaselineHypervisorCPU: true, connectGetCPUModelNames: true, connectFindStoragePoolSources: true,
  connectDomainXMLFromNative: true, connectDomainXMLToNative: true, connectSetIdentity: true, nodeGetCellsFreeMemory: true, nodeGetCPUStats: true,
  nodeGetMemoryStats: true, nodeGetFreePages: true, nodeAllocPages: true, nodeGetMemoryParameters: true, nodeSetMemoryParameters: true,
  nodeGetSEVInfo: true, nodeSuspendForDuration: true,
  domainGetHostname: true, domainBlockStatsFlags: true, domainGetMessages: true, domainGetSecurityLabel: true, domainGetSecurityLabelList: true,
  domainGetLaunchSecurityInfo: true, domainSetLaunchSecurityState: true, domainGetJobStats: true, domainBlockPeek: true, domainMemoryPeek: true,
  domainStartDirtyRateCalc: true, domainGetGuestInfo: true, domainGetFSInfo: true, domainGetGuestVcpus: true, domainSetGuestVcpus: true,
  domainGetTime: true, domainSetTime: true, domainSetUserPassword: true, domainAuthorizedSSHKeysGet: true, domainAuthorizedSSHKeysSet: true,
  domainAgentSetResponseTimeout: true, domainFSFreeze: true, domainFSThaw: true, domainFSTrim: true, domainSetMemoryStatsPeriod: true,
  domainSetVcpu: true, domainGetVcpus: true, domainManagedSaveDefineXML: true, domainSaveFlags: true, domainSaveParams: true,
  domainRestoreFlags: true, domainRestoreParams: true, domainSaveImageGetXMLDesc: true, domainSaveImageDefineXML: true,
  domainCoreDumpWithFormat: true, domainPMSuspendForDuration: true, domainPMWakeup: true, domainInjectNMI: true, domainSendKey: true,
  domainSendProcessSignal: true, domainAbortJob: true, domainOpenConsole: true, domainOpenChannel: true, domainScreenshot: true,
  qemuDomainMonitorCommand: true, qemuDomainAgentCommand: true,
  domainGetSchedulerType: true, domainGetSchedulerParameters: true, domainSetSchedulerParameters: true, domainGetMemoryParameters: true,
  domainSetMemoryParameters: true, domainGetBlkioParameters: true, domainSetBlkioParameters: true, domainGetNumaParameters: true,
  domainSetNumaParameters: true, domainGetInterfaceParameters: true, domainSetInterfaceParameters: true, domainGetBlockIoTune: true,
  domainSetBlockIoTune: true, domainGetPerfEvents: true, domainSetPerfEvents: true, domainPinVcpu: true, domainGetVcpuPinInfo: true,
  domainPinEmulator: true, domainGetEmulatorPinInfo: true, domainGetIOThreadInfo: true, domainPinIOThread: true, domainAddIOThread: true,
  domainDelIOThread: true, domainSetIOThreadParams: true, domainSetBlockThreshold: true,
  domainBlockPull: true, domainBlockRebase: true, domainBlockCopy: true, domainBlockCommit: true, domainBlockJobAbort: true,
  domainGetBlockJobInfo: true, domainBlockJobSetSpeed: true, domainBackupBegin: true, domainBackupGetXMLDesc: true,
  domainCheckpointCreateXML: true, domainCheckpointGetXMLDesc: true, domainListAllCheckpoints: true, domainCheckpointListAllChildren: true,
  domainCheckpointLookupByName: true, domainCheckpointGetParent: true, domainCheckpointDelete: true,
  domainMigrateBegin3Params: true, domainMigratePrepare3Params: true, domainMigratePrepareTunnel3Params: true, domainMigratePerform3Params: true,
  domainMigrateFinish3Params: true, domainMigrateConfirm3Params: true, domainMigrateStartPostCopy: true, domainMigrateGetMaxDowntime: true,
  domainMigrateSetMaxDowntime: true, domainMigrateGetMaxSpeed: true, domainMigrateSetMaxSpeed: true, domainMigrateGetCompressionCache: true,
  domainMigrateSetCompressionCache: true,
  networkListAllPorts: true, networkPortLookupByUUID: true, networkPortGetXMLDesc: true, networkPortGetParameters: true,
  networkPortSetParameters: true, networkPortCreateXML: true, networkPortDelete: true,
  connectListAllNWFilters: true, nwfilterLookupByName: true, nwfilterLookupByUUID: true, nwfilterGetXMLDesc: true, nwfilterDefineXML: true,
  nwfilterDefineXMLFlags: true, nwfilterUndefine: true, connectListAllNWFilterBindings: true, nwfilterBindingLookupByPortDev: true,
  nwfilterBindingGetXMLDesc: true, nwfilterBindingCreateXML: true, nwfilterBindingDelete: true,
  connectListAllNodeDevices: true, nodeDeviceLookupByName: true, nodeDeviceLookupSCSIHostByWWN: true, nodeDeviceGetXMLDesc: true,
  nodeDeviceGetParent: true, nodeDeviceListCaps: true, nodeDeviceDetachFlags: true, nodeDeviceReAttach: true, nodeDeviceReset: true,
  nodeDeviceCreateXML: true, nodeDeviceDestroy: true, nodeDeviceDefineXML: true, nodeDeviceCreate: true, nodeDeviceUndefine: true,
  nodeDeviceGetAutostart: true, nodeDeviceSetAutostart: true, nodeDeviceIsPersistent: true, nodeDeviceIsActive: true, connectListAllInterfaces: true,
  interfaceLookupByName: true, interfaceLookupByMACString: true, interfaceGetXMLDesc: true, interfaceIsActive: true, interfaceDefineXML: true,
  interfaceUndefine: true, interfaceCreate: true, interfaceDestroy: true, interfaceChangeBegin: true, interfaceChangeCommit: true,
  interfaceChangeRollback: true,
  domainGetAutostartOnce: true, domainSetAutostartOnce: true, domainGraphicsReload: true, domainSetThrottleGroup: true, domainDelThrottleGroup: true,
  networkGetMetadata: true, networkSetMetadata: true, nodeDeviceUpdate: true,
}

export const lackingOperations = Object.keys(lacks) as Lacking[]

export const lackingCalls = (desk: Desk) =>
  Object.fromEntries(lackingOperations.map(call => [call, () => desk.lacking(call)])) as Record<Lacking, () => Promise<never>>
