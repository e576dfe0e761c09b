// Authentication, the connection itself, and the machine behind it.

import { array, chars, charArray, cpuset, flag, int, nothing, optional, size, string, struct, uhyper, uint } from '../xdr.ts'
import { Domain, Network, NodeDevice, SaslAnswer, SaslData, Secret, StoragePool, counted, givenParams, listed, typedParams } from '../types.ts'
import { changing, flags, reading } from './procedure.ts'

const CPU_MAX = 256
const CELLS_MAX = 1024
const hypervisor = { emulator: optional(string), arch: optional(string), machine: optional(string), virttype: optional(string) }
const stat = struct({ field: string, value: uhyper })

export const connect = {
  connectOpen: reading(1, struct({ name: optional(string), flags }), nothing),
  connectGetType: reading(3, nothing, string),
  connectGetVersion: reading(4, nothing, size),
  connectGetMaxVcpus: reading(5, struct({ type: optional(string) }), int),
  nodeGetInfo: reading(6, nothing, struct({
    model: chars(32), memory: size, cpus: int, mhz: int, nodes: int, sockets: int, cores: int, threads: int,
  })),
  connectGetCapabilities: reading(7, nothing, string),
  connectGetHostname: reading(59, nothing, string),
  connectSupportsFeature: reading(60, struct({ feature: int }), flag),
  authList: reading(66, nothing, array(int, 20)),
  authSaslInit: reading(67, nothing, string),
  authSaslStart: reading(68, struct({ mech: string, nil: flag, data: SaslData }), SaslAnswer),
  authSaslStep: reading(69, struct({ nil: flag, data: SaslData }), SaslAnswer),
  authPolkit: reading(70, nothing, flag),
  connectFindStoragePoolSources: reading(75, struct({ type: string, srcSpec: optional(string), flags }), string),
  connectGetURI: reading(110, nothing, string),
  connectDomainXMLFromNative: reading(135, struct({ nativeFormat: string, nativeConfig: string, flags }), string),
  connectDomainXMLToNative: reading(136, struct({ nativeFormat: string, domainXml: string, flags }), string),
  connectIsSecure: reading(149, nothing, flag),
  connectGetLibVersion: reading(157, nothing, size),
  connectCompareCPU: reading(158, struct({ xml: string, flags }), int),
  connectBaselineCPU: reading(162, struct({ xmlCPUs: array(string, CPU_MAX), flags }), string),
  connectGetSysinfo: reading(203, struct({ flags }), string),
  connectGetCPUModelNames: reading(312, struct({ arch: string, need_results: flag, flags }), listed(string, 8192)),
  connectGetDomainCapabilities: reading(342, struct({
    emulatorbin: optional(string), arch: optional(string), machine: optional(string), virttype: optional(string), flags,
  }), string),
  connectCompareHypervisorCPU: reading(393, struct({ ...hypervisor, xmlCPU: string, flags }), int),
  connectBaselineHypervisorCPU: reading(394, struct({ ...hypervisor, xmlCPUs: array(string, CPU_MAX), flags }), string),
  connectGetStoragePoolCapabilities: reading(403, struct({ flags }), string),
  connectSetIdentity: changing(419, struct({ params: givenParams(20), flags }), nothing),

  // A registration has no effect on the host; the connection's end removes it.
  connectNetworkEventRegisterAny: reading(313, struct({ eventID: int, net: optional(Network) }), int),
  connectDomainEventCallbackRegisterAny: reading(316, struct({ eventID: int, dom: optional(Domain) }), int),
  connectRegisterCloseCallback: reading(360, nothing, nothing),
  connectStoragePoolEventRegisterAny: reading(368, struct({ eventID: int, pool: optional(StoragePool) }), int),
  connectNodeDeviceEventRegisterAny: reading(374, struct({ eventID: int, dev: optional(NodeDevice) }), int),
  connectSecretEventRegisterAny: reading(380, struct({ eventID: int, secret: optional(Secret) }), int),

  nodeGetCellsFreeMemory: reading(101, struct({ startCell: int, maxcells: int }), array(size, CELLS_MAX)),
  nodeGetFreeMemory: reading(102, nothing, size),
  nodeGetSecurityModel: reading(122, nothing, struct({ model: charArray(257), doi: charArray(257) })),
  // libvirt wants the number of fields exact; zero asks for it and comes back as the second part of the answer.
  nodeGetCPUStats: reading(227, struct({ cpuNum: int, nparams: int, flags }), struct({ params: array(stat, 16), nparams: int })),
  nodeGetMemoryStats: reading(228, struct({ nparams: int, cellNum: int, flags }), struct({ params: array(stat, 16), nparams: int })),
  nodeSuspendForDuration: changing(250, struct({ target: uint, duration: size, flags }), nothing),
  nodeSetMemoryParameters: changing(288, struct({ params: givenParams(64), flags }), nothing),
  nodeGetMemoryParameters: reading(289, struct({ nparams: int, flags }), counted(typedParams(64))),
  nodeGetCPUMap: reading(293, struct({ need_map: flag, need_online: flag, flags }), struct({ cpumap: cpuset(2048), online: uint, ret: int })),
  nodeGetFreePages: reading(340, struct({ pages: array(uint, CELLS_MAX), startCell: int, cellCount: uint, flags }), array(size, CELLS_MAX)),
  nodeAllocPages: changing(347, struct({ pageSizes: array(uint, CELLS_MAX), pageCounts: array(size, CELLS_MAX), startCell: int, cellCount: uint, flags }), int),
  nodeGetSEVInfo: reading(395, struct({ nparams: int, flags }), counted(typedParams(64))),
}
