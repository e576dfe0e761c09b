// Tunables of domains: shares, limits, pinning, IOThreads. Setting what is set already is harmless.

import type { DomainRef } from './domain.ts'
import type { CpuSet, TypedParams, TypedParamsInput } from './values.ts'

export interface IOThreadInfo { id: number; cpumap: CpuSet }
/** virDomainNumatuneMemMode, the value of `numa_mode`. */
export const NumatuneMode = { STRICT: 0, PREFERRED: 1, INTERLEAVE: 2, RESTRICTIVE: 3 } as const

/** `flags` are those of `Affect` everywhere. A field that is not sent stays as it is. */
export interface DomainTuningCalls {
  /** The scheduler's name: `posix`, `credit` … */
  domainGetSchedulerType(dom: DomainRef): Promise<string>
  /** `cpu_shares`, and period and quota (µs) of `vcpu_`, `emulator_`, `iothread_`, `global_`; Xen: `weight`, `cap`. */
  domainGetSchedulerParameters(dom: DomainRef, flags: number): Promise<TypedParams>
  domainSetSchedulerParameters(dom: DomainRef, params: TypedParamsInput, flags: number): Promise<void>
  /** KiB: `hard_limit`, `soft_limit`, `swap_hard_limit`, `min_guarantee`; 9007199254740991 is "no limit". */
  domainGetMemoryParameters(dom: DomainRef, flags: number): Promise<TypedParams>
  domainSetMemoryParameters(dom: DomainRef, params: TypedParamsInput, flags: number): Promise<void>
  /** `weight`, and lists `path,value,…` per device: `device_weight`, `device_read_bytes_sec` … */
  domainGetBlkioParameters(dom: DomainRef, flags: number): Promise<TypedParams>
  domainSetBlkioParameters(dom: DomainRef, params: TypedParamsInput, flags: number): Promise<void>
  /** `numa_nodeset` in list notation, `numa_mode` of `NumatuneMode`. */
  domainGetNumaParameters(dom: DomainRef, flags: number): Promise<TypedParams>
  domainSetNumaParameters(dom: DomainRef, params: TypedParamsInput, flags: number): Promise<void>
  /** `device` is a MAC address or a host interface. KiB/s and KiB: `inbound.average`, `.peak`, `.burst`, `.floor`, `outbound.*`. */
  domainGetInterfaceParameters(dom: DomainRef, device: string, flags: number): Promise<TypedParams>
  domainSetInterfaceParameters(dom: DomainRef, device: string, params: TypedParamsInput, flags: number): Promise<void>
  /** `disk` is a target or a path. Bytes/s and requests/s: `total_bytes_sec`, `read_iops_sec` …, with `_max` and `_max_length` (s), `group_name`. 0 is "no limit". */
  domainGetBlockIoTune(dom: DomainRef, disk: string, flags: number): Promise<TypedParams>
  domainSetBlockIoTune(dom: DomainRef, disk: string, params: TypedParamsInput, flags: number): Promise<void>
  /** A limit that several disks share, with the fields of `domainSetBlockIoTune`. Unsupported before libvirt 11.2. */
  domainSetThrottleGroup(dom: DomainRef, group: string, params: TypedParamsInput, flags: number): Promise<void>
  domainDelThrottleGroup(dom: DomainRef, group: string, flags: number): Promise<void>
  /** Booleans by event name: whether it is counted. */
  domainGetPerfEvents(dom: DomainRef, flags: number): Promise<TypedParams>
  domainSetPerfEvents(dom: DomainRef, params: TypedParamsInput, flags: number): Promise<void>

  domainPinVcpu(dom: DomainRef, vcpu: number, cpumap: CpuSet, flags: number): Promise<void>
  /** One set per vCPU, at most `vcpus` of them; `cpus` is how many the host has. */
  domainGetVcpuPinInfo(dom: DomainRef, vcpus: number, cpus: number, flags: number): Promise<CpuSet[]>
  domainPinEmulator(dom: DomainRef, cpumap: CpuSet, flags: number): Promise<void>
  domainGetEmulatorPinInfo(dom: DomainRef, cpus: number, flags: number): Promise<CpuSet>

  domainGetIOThreadInfo(dom: DomainRef, flags: number): Promise<IOThreadInfo[]>
  domainPinIOThread(dom: DomainRef, id: number, cpumap: CpuSet, flags: number): Promise<void>
  /** INVALID_ARG where the number is taken. */
  domainAddIOThread(dom: DomainRef, id: number, flags: number): Promise<void>
  domainDelIOThread(dom: DomainRef, id: number, flags: number): Promise<void>
  /** `poll_max_ns`, `poll_grow`, `poll_shrink`, `thread_pool_min`, `thread_pool_max`. */
  domainSetIOThreadParams(dom: DomainRef, id: number, params: TypedParamsInput, flags: number): Promise<void>
  /** Event block-threshold comes once when the guest writes beyond so many bytes of this node of the disk's chain (`vda[1]`). */
  domainSetBlockThreshold(dom: DomainRef, dev: string, threshold: number): Promise<void>
}
