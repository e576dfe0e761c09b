// virConnect* and virNode* over RPC.

import type { ConnectCalls } from '../../driver.ts'
import { Feature } from '../handshake.ts'
import { procedures as p } from '../protocol.ts'
import { STRING_OKAY, type Rpc } from './rpc.ts'

const byField = (stats: { field: string; value: bigint }[]): Record<string, bigint> => Object.fromEntries(stats.map(({ field, value }) => [field, value]))

export const connectCalls = (rpc: Rpc): ConnectCalls => ({
  connectGetType: () => rpc.once(p.connectGetType, undefined),
  connectGetVersion: () => rpc.once(p.connectGetVersion, undefined),
  connectGetLibVersion: () => rpc.once(p.connectGetLibVersion, undefined),
  connectGetHostname: () => rpc.call(p.connectGetHostname, undefined),
  connectGetURI: () => rpc.call(p.connectGetURI, undefined),
  connectGetSysinfo: () => rpc.call(p.connectGetSysinfo, { flags: 0 }),
  connectIsSecure: () => rpc.call(p.connectIsSecure, undefined),
  connectGetMaxVcpus: (type) => rpc.call(p.connectGetMaxVcpus, { type }),
  connectGetCapabilities: () => rpc.call(p.connectGetCapabilities, undefined),
  connectGetDomainCapabilities: (emulatorbin, arch, machine, virttype) => rpc.once(p.connectGetDomainCapabilities, { emulatorbin, arch, machine, virttype, flags: 0 }),
  connectGetStoragePoolCapabilities: () => rpc.call(p.connectGetStoragePoolCapabilities, { flags: 0 }),
  connectCompareCPU: (xml, flags) => rpc.call(p.connectCompareCPU, { xml, flags }),
  connectCompareHypervisorCPU: (emulator, arch, machine, virttype, xmlCPU, flags) => rpc.call(p.connectCompareHypervisorCPU, { emulator, arch, machine, virttype, xmlCPU, flags }),
  connectBaselineCPU: (xmlCPUs, flags) => rpc.call(p.connectBaselineCPU, { xmlCPUs, flags }),
  connectBaselineHypervisorCPU: (emulator, arch, machine, virttype, xmlCPUs, flags) => rpc.call(p.connectBaselineHypervisorCPU, { emulator, arch, machine, virttype, xmlCPUs, flags }),
  connectGetCPUModelNames: (arch) => rpc.call(p.connectGetCPUModelNames, { arch, need_results: true, flags: 0 }),
  connectFindStoragePoolSources: (type, srcSpec) => rpc.call(p.connectFindStoragePoolSources, { type, srcSpec, flags: 0 }),
  connectDomainXMLFromNative: (nativeFormat, nativeConfig) => rpc.call(p.connectDomainXMLFromNative, { nativeFormat, nativeConfig, flags: 0 }),
  connectDomainXMLToNative: (nativeFormat, domainXml) => rpc.call(p.connectDomainXMLToNative, { nativeFormat, domainXml, flags: 0 }),
  connectSetIdentity: (params) => rpc.call(p.connectSetIdentity, { params, flags: 0 }),
  /** A question that the daemon answers without asking its driver. */
  connectIsAlive: async () => { await rpc.call(p.connectSupportsFeature, { feature: Feature.EVENT_CALLBACK }) },

  nodeGetInfo: () => rpc.call(p.nodeGetInfo, undefined),
  nodeGetFreeMemory: () => rpc.call(p.nodeGetFreeMemory, undefined),
  nodeGetCellsFreeMemory: (startCell, maxcells) => rpc.call(p.nodeGetCellsFreeMemory, { startCell, maxcells }),
  nodeGetCPUStats: async (cpuNum) => {
    const { nparams } = await rpc.call(p.nodeGetCPUStats, { cpuNum, nparams: 0, flags: 0 })
    return byField((await rpc.call(p.nodeGetCPUStats, { cpuNum, nparams, flags: 0 })).params)
  },
  nodeGetMemoryStats: async (cellNum) => {
    const { nparams } = await rpc.call(p.nodeGetMemoryStats, { cellNum, nparams: 0, flags: 0 })
    return byField((await rpc.call(p.nodeGetMemoryStats, { cellNum, nparams, flags: 0 })).params)
  },
  nodeGetCPUMap: async () => {
    const { cpumap, ret } = await rpc.call(p.nodeGetCPUMap, { need_map: true, need_online: true, flags: 0 })
    return { cpus: ret, online: cpumap }
  },
  nodeGetFreePages: (pages, startCell, cellCount) => rpc.call(p.nodeGetFreePages, { pages, startCell, cellCount, flags: 0 }),
  nodeAllocPages: (pageSizes, pageCounts, startCell, cellCount, flags) => rpc.call(p.nodeAllocPages, { pageSizes, pageCounts, startCell, cellCount, flags }),
  nodeGetMemoryParameters: () => rpc.call(p.nodeGetMemoryParameters, { nparams: 64, flags: STRING_OKAY }),
  nodeSetMemoryParameters: (params) => rpc.call(p.nodeSetMemoryParameters, { params, flags: 0 }),
  nodeGetSecurityModel: () => rpc.call(p.nodeGetSecurityModel, undefined),
  nodeGetSEVInfo: () => rpc.call(p.nodeGetSEVInfo, { nparams: 64, flags: STRING_OKAY }),
  nodeSuspendForDuration: (target, duration) => rpc.call(p.nodeSuspendForDuration, { target, duration, flags: 0 }),
})
