// The connection and the machine behind it: virConnect* and virNode*.

import type { CpuSet, TypedParams, TypedParamsInput } from './values.ts'

export interface NodeInfo { model: string; /** KiB. */ memory: number; cpus: number; mhz: number; nodes: number; sockets: number; cores: number; threads: number }
export interface NodeCPUMap { /** CPUs of the host, present or not. */ cpus: number; online: CpuSet }
export interface SecurityModel { model: string; doi: string }
/** virCPUCompareResult. */
export const CPUCompare = { INCOMPATIBLE: 0, IDENTICAL: 1, SUPERSET: 2 } as const
/** virConnectBaselineCPUFlags. */
export const BaselineCPUFlags = { EXPAND_FEATURES: 1, MIGRATABLE: 2 } as const
/** virNodeSuspendTarget. */
export const NodeSuspendTarget = { MEM: 0, DISK: 1, HYBRID: 2 } as const
/** virNodeAllocPagesFlags. */
export const AllocPagesFlags = { ADD: 0, SET: 1 } as const
/** virNodeGetCPUStatsAllCPUs, virNodeGetMemoryStatsAllCells. */
export const ALL = -1

export interface ConnectCalls {
  // What does not change while a connection lives is asked once: type, versions, domain capabilities.
  /** The driver's name as libvirt spells it: QEMU, LXC, Xen, TEST, ESX … */
  connectGetType(): Promise<string>
  /** The hypervisor's version: major * 1,000,000 + minor * 1,000 + release; 0 where the driver has none. */
  connectGetVersion(): Promise<number>
  /** libvirt's own version, same arithmetic. */
  connectGetLibVersion(): Promise<number>
  connectGetHostname(): Promise<string>
  connectGetURI(): Promise<string>
  /** The host's SMBIOS tables as XML. */
  connectGetSysinfo(): Promise<string>
  /** Whether nobody but host and client sees the traffic: a unix socket, or encrypted. */
  connectIsSecure(): Promise<boolean>
  /** The most vCPUs a domain of this type (null: the driver's default) may have. */
  connectGetMaxVcpus(type: string | null): Promise<number>
  connectGetCapabilities(): Promise<string>
  /** Null leaves the choice to the driver. */
  connectGetDomainCapabilities(emulatorbin: string | null, arch: string | null, machine: string | null, virttype: string | null): Promise<string>
  connectGetStoragePoolCapabilities(): Promise<string>
  /** Whether the host's own CPU offers what the document asks for: one of `CPUCompare`. */
  connectCompareCPU(xml: string, flags: number): Promise<number>
  /** The same for the CPU that the hypervisor offers; null leaves the choice to the driver. */
  connectCompareHypervisorCPU(emulator: string | null, arch: string | null, machine: string | null, virttype: string | null, xml: string, flags: number): Promise<number>
  /** The CPU that all of these hosts offer. Flags of `BaselineCPUFlags`. */
  connectBaselineCPU(xmlCPUs: string[], flags: number): Promise<string>
  connectBaselineHypervisorCPU(emulator: string | null, arch: string | null, machine: string | null, virttype: string | null, xmlCPUs: string[], flags: number): Promise<string>
  connectGetCPUModelNames(arch: string): Promise<string[]>
  /** What could become a pool of this type, as a `<sources>` document; `srcSpec` says where to look. */
  connectFindStoragePoolSources(type: string, srcSpec: string | null): Promise<string>
  /** Turns a configuration of the hypervisor's own (`vmware-vmx`, `xen-xl` …) into domain XML; defines nothing. */
  connectDomainXMLFromNative(nativeFormat: string, nativeConfig: string): Promise<string>
  connectDomainXMLToNative(nativeFormat: string, domainXml: string): Promise<string>
  /** Tells the daemon on whose behalf the connection acts, for its access control. Needs a privileged peer. */
  connectSetIdentity(params: TypedParamsInput): Promise<void>
  /** Asks only for the daemon's answer; the cheapest call there is. */
  connectIsAlive(): Promise<void>

  nodeGetInfo(): Promise<NodeInfo>
  /** Bytes. */
  nodeGetFreeMemory(): Promise<number>
  /** Bytes per NUMA cell, from `startCell` on. */
  nodeGetCellsFreeMemory(startCell: number, maxCells: number): Promise<number[]>
  /** Nanoseconds by use (`kernel`, `user`, `idle`, `iowait` …), or `utilization` in percent; `cpuNum` may be `ALL`. Two calls: libvirt wants the number of fields told. */
  nodeGetCPUStats(cpuNum: number): Promise<Record<string, bigint>>
  /** KiB by use (`total`, `free`, `buffers`, `cached`); `cellNum` may be `ALL`. Two calls. */
  nodeGetMemoryStats(cellNum: number): Promise<Record<string, bigint>>
  nodeGetCPUMap(): Promise<NodeCPUMap>
  /** Free pages: for each cell from `startCell` on, a count per page size (KiB). */
  nodeGetFreePages(pageSizes: number[], startCell: number, cellCount: number): Promise<number[]>
  /** Reserves huge pages: `pageCounts` per page size (KiB) in each of the cells. Answers how many were reserved. Flags of `AllocPagesFlags`; repeating is harmless with SET only. */
  nodeAllocPages(pageSizes: number[], pageCounts: number[], startCell: number, cellCount: number, flags: number): Promise<number>
  /** Kernel same-page merging: `shm_pages_to_scan`, `shm_sleep_millisecs`, `shm_merge_across_nodes`, and counters. */
  nodeGetMemoryParameters(): Promise<TypedParams>
  nodeSetMemoryParameters(params: TypedParamsInput): Promise<void>
  nodeGetSecurityModel(): Promise<SecurityModel>
  nodeGetSEVInfo(): Promise<TypedParams>
  /** Puts the host to sleep for `duration` s. */
  nodeSuspendForDuration(target: number, duration: number): Promise<void>
}
