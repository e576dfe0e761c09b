// Domains: who they are, what they do, their life and their devices. virDomain*, without tuning, block jobs, snapshots and migration.

import type { DownloadStream, DuplexStream } from './streams.ts'
import type { CpuSet, TypedParams, TypedParamsInput } from './values.ts'

/** A domain as libvirt names it. `id` is -1 while it is not running. `uuid` is lower case with dashes. */
export interface DomainRef { name: string; uuid: string; id: number }

/** virDomainState. */
export const DomainState = {
  NoState: 0, Running: 1, Blocked: 2, Paused: 3, Shutdown: 4, Shutoff: 5, Crashed: 6, PMSuspended: 7,
} as const
export type DomainState = (typeof DomainState)[keyof typeof DomainState]

/** virConnectListAllDomainsFlags: within a pair (or a group) either, between them both; none is all. */
export const ListDomainsFlags = {
  ACTIVE: 1, INACTIVE: 2, PERSISTENT: 4, TRANSIENT: 8, RUNNING: 16, PAUSED: 32, SHUTOFF: 64, OTHER: 128, MANAGEDSAVE: 256, NO_MANAGEDSAVE: 512,
  AUTOSTART: 1024, NO_AUTOSTART: 2048, HAS_SNAPSHOT: 4096, NO_SNAPSHOT: 8192, HAS_CHECKPOINT: 16_384, NO_CHECKPOINT: 32_768,
} as const
/** virDomainStatsTypes. */
export const StatsTypes = { STATE: 1, CPU_TOTAL: 2, BALLOON: 4, VCPU: 8, INTERFACE: 16, BLOCK: 32, PERF: 64, IOTHREAD: 128, MEMORY: 256, DIRTYRATE: 512, VM: 1024 } as const
/** virDomainXMLFlags. */
export const XMLFlags = { SECURE: 1, INACTIVE: 2, UPDATE_CPU: 4, MIGRATABLE: 8 } as const
/** virDomainCreateFlags. AUTODESTROY ends the domain with the connection that started it. */
export const CreateFlags = { NONE: 0, PAUSED: 1, AUTODESTROY: 2, BYPASS_CACHE: 4, FORCE_BOOT: 8, VALIDATE: 16, RESET_NVRAM: 32 } as const
/** virDomainShutdownFlagValues, virDomainRebootFlagValues: which way the guest is asked. */
export const ShutdownFlags = { DEFAULT: 0, ACPI_POWER_BTN: 1, GUEST_AGENT: 2, INITCTL: 4, SIGNAL: 8, PARAVIRT: 16 } as const
/** virDomainDestroyFlagsValues. */
export const DestroyFlags = { DEFAULT: 0, GRACEFUL: 1, REMOVE_LOGS: 2 } as const
/** virDomainUndefineFlagsValues. */
export const UndefineFlags = { MANAGED_SAVE: 1, SNAPSHOTS_METADATA: 2, NVRAM: 4, KEEP_NVRAM: 8, CHECKPOINTS_METADATA: 16, TPM: 32, KEEP_TPM: 64 } as const
/** virDomainSaveRestoreFlags. */
export const SaveFlags = { BYPASS_CACHE: 1, RUNNING: 2, PAUSED: 4, RESET_NVRAM: 8 } as const
/** virDomainCoreDumpFlags. */
export const DumpFlags = { CRASH: 1, LIVE: 2, BYPASS_CACHE: 4, RESET: 8, MEMORY_ONLY: 16 } as const
/** virDomainCoreDumpFormat. */
export const DumpFormat = { RAW: 0, KDUMP_ZLIB: 1, KDUMP_LZO: 2, KDUMP_SNAPPY: 3, WIN_DMP: 4 } as const
/** virDomainInterfaceAddressesSource. */
export const AddressSource = { LEASE: 0, AGENT: 1, ARP: 2 } as const
/** virDomainGetHostnameFlags. */
export const HostnameFlags = { LEASE: 1, AGENT: 2 } as const
/** virDomainGuestInfoTypes. */
export const GuestInfoTypes = { USERS: 1, OS: 2, TIMEZONE: 4, HOSTNAME: 8, FILESYSTEM: 16, DISKS: 32, INTERFACES: 64 } as const
/** virDomainMetadataType. */
export const MetadataType = { DESCRIPTION: 0, TITLE: 1, ELEMENT: 2 } as const
/** virDomainGetJobStatsFlags. */
export const JobStatsFlags = { COMPLETED: 1, KEEP_COMPLETED: 2 } as const
/** virDomainJobType. */
export const JobType = { NONE: 0, BOUNDED: 1, UNBOUNDED: 2, COMPLETED: 3, FAILED: 4, CANCELLED: 5 } as const
/** virDomainSetUserPasswordFlags. */
export const PasswordFlags = { ENCRYPTED: 1 } as const
/** virDomainSetTimeFlags. */
export const TimeFlags = { SYNC: 1 } as const
/** virDomainAuthorizedSSHKeysSetFlags. */
export const SSHKeysFlags = { APPEND: 1, REMOVE: 2 } as const
/** virDomainConsoleFlags. FORCE takes the console from whoever has it. */
export const ConsoleFlags = { FORCE: 1, SAFE: 2 } as const
/** virDomainChannelFlags. */
export const ChannelFlags = { FORCE: 1 } as const
/** virDomainMemoryStatTags: the names of `domainMemoryStats`, by tag. */
export const MemoryStatTags = [
  'swap_in', 'swap_out', 'major_fault', 'minor_fault', 'unused', 'available', 'actual_balloon', 'rss', 'usable', 'last_update', 'disk_caches', 'hugetlb_pgalloc', 'hugetlb_pgfail',
] as const

export interface DomainInfo { state: DomainState; /** KiB. */ maxMem: number; /** KiB. */ memory: number; nrVirtCpu: number; /** ns. */ cpuTime: bigint }
/** `details` is a virDomainControlErrorReason; `stateTime` is ms spent in that state. */
export interface DomainControlInfo { state: number; details: number; stateTime: number }
export interface InterfaceAddress { type: 'ipv4' | 'ipv6'; addr: string; prefix: number }
export interface DomainInterface { name: string; hwaddr: string | null; addrs: InterfaceAddress[] }
export interface DomainStats { dom: DomainRef; params: TypedParams }
/** `state` 0 offline, 1 running, 2 blocked; `cpu` is the host CPU it runs on, negative where none or unknown. */
export interface VcpuInfo { number: number; state: number; /** ns. */ cpuTime: bigint; cpu: number; cpumap: CpuSet }
export interface DomainFSInfo { mountpoint: string; name: string; fstype: string; /** The disks under it, by target. */ devAliases: string[] }
/** Bytes and requests since the start; -1 where the driver does not count. */
export interface DomainBlockStats { rdReq: bigint; rdBytes: bigint; wrReq: bigint; wrBytes: bigint; errs: bigint }
export interface DomainInterfaceStats { rxBytes: bigint; rxPackets: bigint; rxErrs: bigint; rxDrop: bigint; txBytes: bigint; txPackets: bigint; txErrs: bigint; txDrop: bigint }
/** `error` 1 unspecified, 2 no space. */
export interface DomainDiskError { disk: string; error: number }
export interface SecurityLabel { label: string; enforcing: boolean }
/** Times in ms, everything else in bytes. `type` is a `JobType`. */
export interface DomainJobInfo {
  type: number; timeElapsed: number; timeRemaining: number
  dataTotal: number; dataProcessed: number; dataRemaining: number
  memTotal: number; memProcessed: number; memRemaining: number
  fileTotal: number; fileProcessed: number; fileRemaining: number
}
/** Seconds since the epoch, and nanoseconds. */
export interface DomainTime { seconds: bigint; nseconds: number }

/** Absence is LibvirtError with code NO_DOMAIN and nothing else. */
export interface DomainCalls {
  // enumeration: one bulk call each
  /** Flags of `ListDomainsFlags`; default all. */
  connectListAllDomains(flags?: number): Promise<DomainRef[]>
  /** Bulk statistics; `stats` is a mask of `StatsTypes`, 0 for all that the driver has. Never waits for a hung guest (NOWAIT). */
  connectGetAllDomainStats(stats: number): Promise<DomainStats[]>
  /** The same for these domains only; one that is gone meanwhile is left out. */
  domainListGetStats(doms: DomainRef[], stats: number): Promise<DomainStats[]>

  // lookup
  domainLookupByUUID(uuid: string): Promise<DomainRef>
  domainLookupByName(name: string): Promise<DomainRef>
  domainLookupByID(id: number): Promise<DomainRef>

  // description
  domainGetXMLDesc(dom: DomainRef, flags: number): Promise<string>
  domainGetState(dom: DomainRef): Promise<{ state: DomainState; reason: number }>
  domainGetInfo(dom: DomainRef): Promise<DomainInfo>
  /** What keeps the hypervisor's monitor busy: state 0 nothing, 1 a job, 2 occupied, 3 error. */
  domainGetControlInfo(dom: DomainRef): Promise<DomainControlInfo>
  domainGetOSType(dom: DomainRef): Promise<string>
  /** Flags of `HostnameFlags`. */
  domainGetHostname(dom: DomainRef, flags: number): Promise<string>
  domainIsActive(dom: DomainRef): Promise<boolean>
  domainIsPersistent(dom: DomainRef): Promise<boolean>
  /** Whether the live configuration differs from the one it was started with; only some drivers keep count. */
  domainIsUpdated(dom: DomainRef): Promise<boolean>
  domainHasManagedSaveImage(dom: DomainRef): Promise<boolean>
  domainInterfaceAddresses(dom: DomainRef, source: number): Promise<DomainInterface[]>
  /** KiB or events by name of `MemoryStatTags`; tags of a newer daemon come as `tag-N`. */
  domainMemoryStats(dom: DomainRef): Promise<Record<string, bigint>>
  /** `path` is a target or a path. */
  domainBlockStats(dom: DomainRef, path: string): Promise<DomainBlockStats>
  /** More fields than `domainBlockStats`, with times in ns; an empty path sums all disks where the driver can. */
  domainBlockStatsFlags(dom: DomainRef, path: string, flags: number): Promise<TypedParams>
  domainInterfaceStats(dom: DomainRef, device: string): Promise<DomainInterfaceStats>
  /** Nanoseconds of all CPUs together (`cpu_time`, `user_time`, `system_time`). */
  domainGetCPUStats(dom: DomainRef): Promise<TypedParams>
  domainGetDiskErrors(dom: DomainRef): Promise<DomainDiskError[]>
  /** Warnings of libvirt about this domain: deprecated or tainting settings. */
  domainGetMessages(dom: DomainRef): Promise<string[]>
  domainGetSecurityLabel(dom: DomainRef): Promise<SecurityLabel>
  domainGetSecurityLabelList(dom: DomainRef): Promise<SecurityLabel[]>
  domainGetLaunchSecurityInfo(dom: DomainRef): Promise<TypedParams>
  /** Hands a launch secret to a guest that waits for it (`sev-secret-header`, `sev-secret`). */
  domainSetLaunchSecurityState(dom: DomainRef, params: TypedParamsInput): Promise<void>
  domainGetJobInfo(dom: DomainRef): Promise<DomainJobInfo>
  /** Flags of `JobStatsFlags`. */
  domainGetJobStats(dom: DomainRef, flags: number): Promise<{ type: number; params: TypedParams }>
  /** At most 4 MiB of a disk's content as the guest sees it; offset and size in bytes. */
  domainBlockPeek(dom: DomainRef, path: string, offset: number, size: number): Promise<Uint8Array>
  /** At most 4 MiB of memory; flags 1 virtual, 2 physical addresses. */
  domainMemoryPeek(dom: DomainRef, start: number, size: number, flags: number): Promise<Uint8Array>
  /** Measures for so many seconds how fast the guest dirties memory; the result is in the statistics (`DIRTYRATE`). */
  domainStartDirtyRateCalc(dom: DomainRef, seconds: number, flags: number): Promise<void>

  // what the guest's agent knows and does; without an answering agent AGENT_UNRESPONSIVE, without one in the configuration ARGUMENT_UNSUPPORTED
  /** `types` is a mask of `GuestInfoTypes`, 0 for all that the agent has. */
  domainGetGuestInfo(dom: DomainRef, types: number): Promise<TypedParams>
  domainGetFSInfo(dom: DomainRef): Promise<DomainFSInfo[]>
  domainGetGuestVcpus(dom: DomainRef): Promise<TypedParams>
  /** `cpumap` in libvirt's list notation, as `0-2,5`. */
  domainSetGuestVcpus(dom: DomainRef, cpumap: string, online: boolean): Promise<void>
  domainGetTime(dom: DomainRef): Promise<DomainTime>
  /** Flags of `TimeFlags`: SYNC takes the guest's own hardware clock. */
  domainSetTime(dom: DomainRef, time: DomainTime, flags: number): Promise<void>
  /** Needs the agent. The password is never part of an error. */
  domainSetUserPassword(dom: DomainRef, user: string, password: string, flags: number): Promise<void>
  domainAuthorizedSSHKeysGet(dom: DomainRef, user: string): Promise<string[]>
  /** Replaces the user's keys, or adds and removes by `SSHKeysFlags`. */
  domainAuthorizedSSHKeysSet(dom: DomainRef, user: string, keys: string[], flags: number): Promise<void>
  /** Seconds; -2 waits for ever, -1 libvirt's default, 0 not at all. */
  domainAgentSetResponseTimeout(dom: DomainRef, timeout: number): Promise<void>
  /** Freezes file systems (empty: all); answers how many. Freezing twice is an error. */
  domainFSFreeze(dom: DomainRef, mountpoints: string[]): Promise<number>
  domainFSThaw(dom: DomainRef, mountpoints: string[]): Promise<number>
  /** Gives unused blocks back; ranges shorter than `minimum` bytes are left. */
  domainFSTrim(dom: DomainRef, mountPoint: string | null, minimum: number): Promise<void>

  // accessors; setting what is set already is harmless
  domainGetAutostart(dom: DomainRef): Promise<boolean>
  domainSetAutostart(dom: DomainRef, autostart: boolean): Promise<void>
  /** Whether it starts with the host's next boot, and with that one only. Unsupported before libvirt 11.2. */
  domainGetAutostartOnce(dom: DomainRef): Promise<boolean>
  domainSetAutostartOnce(dom: DomainRef, autostart: boolean): Promise<void>
  /** `memory` in KiB; flags of `Affect`. */
  domainSetMemoryFlags(dom: DomainRef, memory: number, flags: number): Promise<void>
  /** How often the balloon reports, seconds; 0 stops it. */
  domainSetMemoryStatsPeriod(dom: DomainRef, period: number, flags: number): Promise<void>
  domainGetVcpusFlags(dom: DomainRef, flags: number): Promise<number>
  domainSetVcpusFlags(dom: DomainRef, nvcpus: number, flags: number): Promise<void>
  /** Plugs single vCPUs; `vcpumap` in libvirt's list notation, as `0-2,5`. */
  domainSetVcpu(dom: DomainRef, vcpumap: string, online: boolean, flags: number): Promise<void>
  /** Of a running domain; `maxinfo` vCPUs at most, `cpus` of the host. */
  domainGetVcpus(dom: DomainRef, maxinfo: number, cpus: number): Promise<VcpuInfo[]>
  /** Of `MetadataType`; an element by its namespace `uri`. NO_DOMAIN_METADATA where there is none. */
  domainGetMetadata(dom: DomainRef, type: 0 | 1 | 2, uri: string | null, flags: number): Promise<string>
  /** An element needs key and uri; null removes it. */
  domainSetMetadata(dom: DomainRef, type: 0 | 1 | 2, metadata: string | null, key: string | null, uri: string | null, flags: number): Promise<void>
  /** `type` 0 poweroff, 1 reboot, 2 crash; `action` virDomainLifecycleAction. */
  domainSetLifecycleAction(dom: DomainRef, type: number, action: number, flags: number): Promise<void>
  /** Only while it is not running, and never undone by repeating: the second time the old name is NO_DOMAIN or the UUID already has it. */
  domainRename(dom: DomainRef, name: string): Promise<void>

  // creation
  /** Defining over the same UUID and name replaces the next configuration and is harmless to repeat. */
  domainDefineXMLFlags(xml: string, flags: number): Promise<DomainRef>
  /** Starts a transient domain. Repeating it is OPERATION_INVALID while it runs. */
  domainCreateXML(xml: string, flags: number): Promise<DomainRef>
  /** Starts a defined one, from its managed save image where it has one. OPERATION_INVALID where it runs. */
  domainCreateWithFlags(dom: DomainRef, flags: number): Promise<DomainRef>

  // destruction
  /** Asks the guest; it may take its time or not listen. */
  domainShutdownFlags(dom: DomainRef, flags: number): Promise<void>
  domainReboot(dom: DomainRef, flags: number): Promise<void>
  domainReset(dom: DomainRef): Promise<void>
  /** OPERATION_INVALID where it does not run. */
  domainDestroyFlags(dom: DomainRef, flags: number): Promise<void>
  /** OPERATION_INVALID where something of it is left that no flag of `UndefineFlags` names. A running one becomes transient. */
  domainUndefineFlags(dom: DomainRef, flags: number): Promise<void>

  // state on disk. All of these take as long as the memory takes and have no deadline.
  /** Flags of `SaveFlags`. */
  domainManagedSave(dom: DomainRef, flags: number): Promise<void>
  /** Harmless where there is none. */
  domainManagedSaveRemove(dom: DomainRef): Promise<void>
  domainManagedSaveGetXMLDesc(dom: DomainRef, flags: number): Promise<string>
  domainManagedSaveDefineXML(dom: DomainRef, xml: string, flags: number): Promise<void>
  /** `to` is a path on the host; `xml` replaces the configuration that is saved. */
  domainSaveFlags(dom: DomainRef, to: string, xml: string | null, flags: number): Promise<void>
  /** `file`, `dxml`. */
  domainSaveParams(dom: DomainRef, params: TypedParamsInput, flags: number): Promise<void>
  domainRestoreFlags(from: string, xml: string | null, flags: number): Promise<void>
  domainRestoreParams(params: TypedParamsInput, flags: number): Promise<void>
  domainSaveImageGetXMLDesc(file: string, flags: number): Promise<string>
  domainSaveImageDefineXML(file: string, xml: string, flags: number): Promise<void>
  /** `to` is a path on the host; `format` of `DumpFormat`, flags of `DumpFlags`. */
  domainCoreDumpWithFormat(dom: DomainRef, to: string, format: number, flags: number): Promise<void>

  // live change; flags of `Affect`
  /** OPERATION_INVALID unless it runs; suspending what is suspended is harmless. */
  domainSuspend(dom: DomainRef): Promise<void>
  domainResume(dom: DomainRef): Promise<void>
  /** Asks the guest to sleep: target 0 memory, 1 disk, 2 both; `duration` in s where the driver can wake it. */
  domainPMSuspendForDuration(dom: DomainRef, target: number, duration: number): Promise<void>
  domainPMWakeup(dom: DomainRef): Promise<void>
  domainInjectNMI(dom: DomainRef): Promise<void>
  /** Up to 16 keys at once for `holdtime` ms; `codeset` is a virKeycodeSet. */
  domainSendKey(dom: DomainRef, codeset: number, holdtime: number, keycodes: number[]): Promise<void>
  domainSendProcessSignal(dom: DomainRef, pid: bigint, signum: number): Promise<void>
  /** Ends the job that runs (save, dump, migration). */
  domainAbortJob(dom: DomainRef): Promise<void>
  domainAttachDeviceFlags(dom: DomainRef, xml: string, flags: number): Promise<void>
  /** Answers when the request was taken; the device is gone at event device-removed. */
  domainDetachDeviceFlags(dom: DomainRef, xml: string, flags: number): Promise<void>
  domainDetachDeviceAlias(dom: DomainRef, alias: string, flags: number): Promise<void>
  domainUpdateDeviceFlags(dom: DomainRef, xml: string, flags: number): Promise<void>
  /** Has a display read its certificates anew; `type` 0 any, 1 VNC. Unsupported before libvirt 10.2. */
  domainGraphicsReload(dom: DomainRef, type: number): Promise<void>

  // streams, each on a connection of its own
  /** `device` is an alias (`serial0`) or null for the first. Flags of `ConsoleFlags`; OPERATION_FAILED where somebody else has it. */
  domainOpenConsole(dom: DomainRef, device: string | null, flags: number): Promise<DuplexStream>
  /** `name` is a target name or alias, null the first. */
  domainOpenChannel(dom: DomainRef, name: string | null, flags: number): Promise<DuplexStream>
  /** A picture of a screen in the format of `mime`. */
  domainScreenshot(dom: DomainRef, screen: number): Promise<{ mime: string; stream: DownloadStream }>

  // QEMU only, and outside of libvirt's promise of support
  /** A JSON command (flag 1: a human one) of QEMU's monitor; taints the domain. */
  qemuDomainMonitorCommand(dom: DomainRef, cmd: string, flags: number): Promise<string>
  /** A JSON command of the guest agent; `timeout` in s, or one of the values of `domainAgentSetResponseTimeout`. */
  qemuDomainAgentCommand(dom: DomainRef, cmd: string, timeout: number): Promise<string>
}
