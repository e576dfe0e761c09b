// libvirt's object model as vireo uses it: what a driver can do, under libvirt's own names.
//
// Groups follow libvirt's documentation: connect, lookup, enumeration, description, accessors, creation,
// destruction, live change, events, streams. Every method is one libvirt call; names drop the `vir` prefix.
// Sizes keep the unit of the libvirt call and say so. Every method rejects with one of the errors of
// errors.ts: LibvirtError (the host answered "no"), CallTimeout or ConnectionLost (nobody knows).

/** A domain as libvirt names it. `id` is -1 while it is not running. `uuid` is lower case with dashes. */
export interface DomainRef { name: string; uuid: string; id: number }
export interface NetworkRef { name: string; uuid: string }
export interface StoragePoolRef { name: string; uuid: string }
/** A volume has no UUID: (pool, name) is its identity, `key` is the driver's own unique string (a path for files). */
export interface StorageVolRef { pool: string; name: string; key: string }

/** virDomainState. */
export const DomainState = {
  NoState: 0, Running: 1, Blocked: 2, Paused: 3, Shutdown: 4, Shutoff: 5, Crashed: 6, PMSuspended: 7,
} as const
export type DomainState = (typeof DomainState)[keyof typeof DomainState]

/** virDomainXMLFlags. */
export const XMLFlags = { SECURE: 1, INACTIVE: 2 } as const
/** virDomainModificationImpact, with the flags of vCPUs and memory beside it. */
export const Affect = { CURRENT: 0, LIVE: 1, CONFIG: 2, MAXIMUM: 4, VCPU_GUEST: 8 } as const
/** virDomainCreateFlags. */
export const CreateFlags = { NONE: 0, PAUSED: 1, FORCE_BOOT: 8 } as const
/** virDomainShutdownFlagValues: which way the guest is asked. */
export const ShutdownFlags = { DEFAULT: 0, ACPI_POWER_BTN: 1, GUEST_AGENT: 2, INITCTL: 4, SIGNAL: 8, PARAVIRT: 16 } as const
/** virDomainDestroyFlagsValues. */
export const DestroyFlags = { DEFAULT: 0, GRACEFUL: 1 } as const
/** virDomainUndefineFlagsValues. */
export const UndefineFlags = { MANAGED_SAVE: 1, SNAPSHOTS_METADATA: 2, NVRAM: 4, KEEP_NVRAM: 8, CHECKPOINTS_METADATA: 16, TPM: 32, KEEP_TPM: 64 } as const
/** virDomainDefineFlags and virNetworkDefineFlags. */
export const DefineFlags = { VALIDATE: 1 } as const
/** virDomainInterfaceAddressesSource. */
export const AddressSource = { LEASE: 0, AGENT: 1, ARP: 2 } as const
/** virStoragePoolState. */
export const StoragePoolState = { Inactive: 0, Building: 1, Running: 2, Degraded: 3, Inaccessible: 4 } as const
/** virStorageVolType. */
export const StorageVolType = { file: 0, block: 1, dir: 2, network: 3, netdir: 4, ploop: 5 } as const
/** virStorageVolCreateFlags. */
export const VolCreateFlags = { PREALLOC_METADATA: 1, REFLINK: 2, VALIDATE: 4 } as const
/** virStorageVolResizeFlags. */
export const VolResizeFlags = { ALLOCATE: 1, DELTA: 2, SHRINK: 4 } as const
/** virDomainBlockResizeFlags. */
export const BlockResizeFlags = { BYTES: 1 } as const
/** virStoragePoolBuildFlags. */
export const PoolBuildFlags = { NEW: 0, REPAIR: 1, RESIZE: 2, NO_OVERWRITE: 4, OVERWRITE: 8 } as const
/** virStorageVolDeleteFlags, virStoragePoolDeleteFlags. */
export const DeleteFlags = { NORMAL: 0, ZEROED: 1 } as const
/** virNetworkUpdateCommand. */
export const NetworkUpdateCommand = { MODIFY: 1, DELETE: 2, ADD_LAST: 3, ADD_FIRST: 4 } as const
/** virNetworkUpdateSection. */
export const NetworkSection = {
  BRIDGE: 1, DOMAIN: 2, IP: 3, IP_DHCP_HOST: 4, IP_DHCP_RANGE: 5, FORWARD: 6, FORWARD_INTERFACE: 7,
  FORWARD_PF: 8, PORTGROUP: 9, DNS_HOST: 10, DNS_TXT: 11, DNS_SRV: 12,
} as const

export interface DomainInfo { state: DomainState; /** KiB. */ maxMem: number; /** KiB. */ memory: number; nrVirtCpu: number; /** ns. */ cpuTime: bigint }
export interface NodeInfo { model: string; /** KiB. */ memory: number; cpus: number; mhz: number; nodes: number; sockets: number; cores: number; threads: number }
/** Bytes. */
export interface StoragePoolInfo { state: number; capacity: number; allocation: number; available: number }
/** Bytes. */
export interface StorageVolInfo { type: number; capacity: number; allocation: number }
/** Bytes. */
export interface DomainBlockInfo { allocation: number; capacity: number; physical: number }
export interface InterfaceAddress { type: 'ipv4' | 'ipv6'; addr: string; prefix: number }
export interface DomainInterface { name: string; hwaddr: string | null; addrs: InterfaceAddress[] }
export interface DhcpLease { iface: string; /** Seconds since the epoch. */ expirytime: number; type: 'ipv4' | 'ipv6'; mac: string | null; iaid: string | null; ipaddr: string; prefix: number; hostname: string | null; clientid: string | null }

/** libvirt's typed parameters: one flat record; 64-bit values stay bigint, so that none is rounded. */
export type TypedParams = Record<string, number | bigint | boolean | string>
export interface DomainStats { dom: DomainRef; params: TypedParams }

/**
 * What the host tells unasked. Events only mark an object dirty; the content beside the identity serves logs
 * and the wake-up of what waits (a removed device), never the mirror.
 */
export type DriverEvent =
  | { type: 'domain'; name: 'lifecycle'; dom: DomainRef; event: number; detail: number }
  | { type: 'domain'; name: 'device-added' | 'device-removed' | 'device-removal-failed'; dom: DomainRef; devAlias: string }
  | { type: 'domain'; name: 'agent-lifecycle'; dom: DomainRef; state: number; reason: number }
  | { type: 'domain'; name: 'io-error'; dom: DomainRef; srcPath: string; devAlias: string; action: number; reason: string }
  | { type: 'domain'; name: 'reboot' | 'watchdog' | 'block-job' | 'tunable' | 'metadata-change' | 'disk-change' | 'tray-change' | 'balloon-change' | 'job-completed' | 'other'; dom: DomainRef }
  | { type: 'network'; name: 'lifecycle'; net: NetworkRef; event: number; detail: number }
  | { type: 'pool'; name: 'lifecycle'; pool: StoragePoolRef; event: number; detail: number }
  | { type: 'pool'; name: 'refresh'; pool: StoragePoolRef }
  /** The daemon closes the hypervisor connection behind ours. */
  | { type: 'connection'; name: 'closed'; reason: number }

/** Bytes to the host. `write` resolves when the transport has taken the bytes: awaiting it is the back-pressure. */
export interface UploadStream {
  write(chunk: Uint8Array): Promise<void>
  /** Says "that was all" and waits for the host's confirmation. Without it nothing counts as uploaded. */
  finish(): Promise<void>
  /** Tells the host to drop it. Never rejects. */
  abort(reason: string): Promise<void>
}
/** Bytes from the host; the iteration ends after the host confirmed the end. */
export interface DownloadStream extends AsyncIterable<Uint8Array> {
  abort(reason: string): Promise<void>
}

/** One open connection to one hypervisor driver. */
export interface Connection {
  /** The name given to the host's ConnectOpen. */
  readonly name: string
  /** Resolves (never rejects) with the reason when the connection has ended, by whichever side. */
  readonly closed: Promise<Error>
  /** Events arrive here once `eventsRegister` has resolved; handlers run synchronously in arrival order and must not throw. */
  onEvent(handler: (event: DriverEvent) => void): void
  /** Registers for all events vireo knows; answers the classes that the driver supports (empty: the driver must be polled). */
  eventsRegister(): Promise<Set<DriverEvent['type']>>
  /** Ends the connection. Never rejects. */
  close(): Promise<void>

  // connect, node
  /** The driver's name as libvirt spells it: QEMU, LXC, Xen, TEST, ESX … */
  connectGetType(): Promise<string>
  /** The hypervisor's version: major * 1,000,000 + minor * 1,000 + release; 0 where the driver has none. */
  connectGetVersion(): Promise<number>
  /** libvirt's own version, same arithmetic. */
  connectGetLibVersion(): Promise<number>
  connectGetHostname(): Promise<string>
  connectGetURI(): Promise<string>
  connectGetCapabilities(): Promise<string>
  connectGetDomainCapabilities(emulatorbin: string | null, arch: string | null, machine: string | null, virttype: string | null): Promise<string>
  nodeGetInfo(): Promise<NodeInfo>
  /** Asks only for the daemon's answer; the cheapest call there is. */
  connectIsAlive(): Promise<void>

  // enumeration: one bulk call each
  connectListAllDomains(): Promise<DomainRef[]>
  connectListAllNetworks(): Promise<NetworkRef[]>
  connectListAllStoragePools(): Promise<StoragePoolRef[]>
  storagePoolListAllVolumes(pool: StoragePoolRef): Promise<StorageVolRef[]>
  /** Bulk statistics; `stats` is a virDomainStatsTypes mask, 0 for all that the driver has. Never waits for a hung guest (NOWAIT). */
  connectGetAllDomainStats(stats: number): Promise<DomainStats[]>

  // domain: lookup and description. Absence is LibvirtError with code NO_DOMAIN and nothing else.
  domainLookupByUUID(uuid: string): Promise<DomainRef>
  domainLookupByName(name: string): Promise<DomainRef>
  domainLookupByID(id: number): Promise<DomainRef>
  domainGetXMLDesc(dom: DomainRef, flags: number): Promise<string>
  domainGetState(dom: DomainRef): Promise<{ state: DomainState; reason: number }>
  domainGetInfo(dom: DomainRef): Promise<DomainInfo>
  domainIsPersistent(dom: DomainRef): Promise<boolean>
  domainHasManagedSaveImage(dom: DomainRef): Promise<boolean>
  domainInterfaceAddresses(dom: DomainRef, source: number): Promise<DomainInterface[]>
  domainGetBlockInfo(dom: DomainRef, path: string): Promise<DomainBlockInfo>
  // domain: accessors
  domainGetAutostart(dom: DomainRef): Promise<boolean>
  domainSetAutostart(dom: DomainRef, autostart: boolean): Promise<void>
  /** `memory` in KiB; flags of `Affect`. */
  domainSetMemoryFlags(dom: DomainRef, memory: number, flags: number): Promise<void>
  domainSetVcpusFlags(dom: DomainRef, nvcpus: number, flags: number): Promise<void>
  /** `type` 0 description, 1 title, 2 element (needs key and uri); null removes it. */
  domainSetMetadata(dom: DomainRef, type: 0 | 1 | 2, metadata: string | null, key: string | null, uri: string | null, flags: number): Promise<void>
  /** `type` 0 poweroff, 1 reboot, 2 crash; `action` virDomainLifecycleAction. */
  domainSetLifecycleAction(dom: DomainRef, type: number, action: number, flags: number): Promise<void>
  // domain: creation and destruction
  /** Defining over the same UUID and name replaces the next configuration and is harmless to repeat. */
  domainDefineXMLFlags(xml: string, flags: number): Promise<DomainRef>
  domainCreateXML(xml: string, flags: number): Promise<DomainRef>
  domainCreateWithFlags(dom: DomainRef, flags: number): Promise<DomainRef>
  domainShutdownFlags(dom: DomainRef, flags: number): Promise<void>
  domainReboot(dom: DomainRef, flags: number): Promise<void>
  domainReset(dom: DomainRef): Promise<void>
  domainDestroyFlags(dom: DomainRef, flags: number): Promise<void>
  domainUndefineFlags(dom: DomainRef, flags: number): Promise<void>
  domainManagedSaveRemove(dom: DomainRef): Promise<void>
  domainSuspend(dom: DomainRef): Promise<void>
  domainResume(dom: DomainRef): Promise<void>
  // domain: live change; flags of `Affect`
  domainAttachDeviceFlags(dom: DomainRef, xml: string, flags: number): Promise<void>
  /** Answers when the request was taken; the device is gone at event device-removed. */
  domainDetachDeviceFlags(dom: DomainRef, xml: string, flags: number): Promise<void>
  domainDetachDeviceAlias(dom: DomainRef, alias: string, flags: number): Promise<void>
  domainUpdateDeviceFlags(dom: DomainRef, xml: string, flags: number): Promise<void>
  /** `disk` is a target or a path; `size` in bytes with BlockResizeFlags.BYTES. */
  domainBlockResize(dom: DomainRef, disk: string, size: number, flags: number): Promise<void>

  // network
  networkLookupByUUID(uuid: string): Promise<NetworkRef>
  networkLookupByName(name: string): Promise<NetworkRef>
  networkGetXMLDesc(net: NetworkRef, flags: number): Promise<string>
  networkIsActive(net: NetworkRef): Promise<boolean>
  networkGetAutostart(net: NetworkRef): Promise<boolean>
  networkSetAutostart(net: NetworkRef, autostart: boolean): Promise<void>
  networkDefineXML(xml: string): Promise<NetworkRef>
  networkCreate(net: NetworkRef): Promise<void>
  networkDestroy(net: NetworkRef): Promise<void>
  networkUndefine(net: NetworkRef): Promise<void>
  /** Arguments in the documented order; a driver talking to an old daemon swaps them itself. */
  networkUpdate(net: NetworkRef, command: number, section: number, parentIndex: number, xml: string, flags: number): Promise<void>
  networkGetDHCPLeases(net: NetworkRef): Promise<DhcpLease[]>

  // storage pool
  storagePoolLookupByUUID(uuid: string): Promise<StoragePoolRef>
  storagePoolLookupByName(name: string): Promise<StoragePoolRef>
  storagePoolGetXMLDesc(pool: StoragePoolRef, flags: number): Promise<string>
  storagePoolGetInfo(pool: StoragePoolRef): Promise<StoragePoolInfo>
  storagePoolIsActive(pool: StoragePoolRef): Promise<boolean>
  storagePoolGetAutostart(pool: StoragePoolRef): Promise<boolean>
  storagePoolSetAutostart(pool: StoragePoolRef, autostart: boolean): Promise<void>
  storagePoolDefineXML(xml: string): Promise<StoragePoolRef>
  storagePoolBuild(pool: StoragePoolRef, flags: number): Promise<void>
  storagePoolCreate(pool: StoragePoolRef): Promise<void>
  storagePoolDestroy(pool: StoragePoolRef): Promise<void>
  /** Erases the pool's target. */
  storagePoolDelete(pool: StoragePoolRef, flags: number): Promise<void>
  storagePoolUndefine(pool: StoragePoolRef): Promise<void>
  storagePoolRefresh(pool: StoragePoolRef): Promise<void>

  // storage volume
  storageVolLookupByName(pool: StoragePoolRef, name: string): Promise<StorageVolRef>
  storageVolLookupByKey(key: string): Promise<StorageVolRef>
  storageVolLookupByPath(path: string): Promise<StorageVolRef>
  storageVolGetXMLDesc(vol: StorageVolRef): Promise<string>
  storageVolGetInfo(vol: StorageVolRef): Promise<StorageVolInfo>
  storageVolGetPath(vol: StorageVolRef): Promise<string>
  storageVolCreateXML(pool: StoragePoolRef, xml: string, flags: number): Promise<StorageVolRef>
  /** A full copy of `source`, which must be inactive. May take as long as the bytes take: no deadline. */
  storageVolCreateXMLFrom(pool: StoragePoolRef, xml: string, source: StorageVolRef, flags: number): Promise<StorageVolRef>
  storageVolDelete(vol: StorageVolRef, flags: number): Promise<void>
  /** `capacity` in bytes. */
  storageVolResize(vol: StorageVolRef, capacity: number, flags: number): Promise<void>
  /** `length` 0 is "to the end"; always give it where it is known, for an overlong stream is then an error. */
  storageVolUpload(vol: StorageVolRef, offset: number, length: number, flags: number): Promise<UploadStream>
  storageVolDownload(vol: StorageVolRef, offset: number, length: number, flags: number): Promise<DownloadStream>
}

/** How a driver is asked for a connection. */
export interface OpenOptions {
  signal?: AbortSignal
  /** Deadline of every call that has none of its own, ms. */
  callTimeout: number
  /** Keepalive: a PING each interval (ms), broken after `keepAliveCount` unanswered ones. */
  keepAliveInterval: number
  keepAliveCount: number
  /** Called once per finished call: for metrics and tests that count. */
  onCall?: (call: { procedure: string; seconds: number; outcome: 'ok' | 'error' | 'timeout' | 'lost'; /** virErrorNumber, where the host refused. */ code?: number }) => void
}
export interface Driver {
  open(uri: string, options: OpenOptions): Promise<Connection>
}
