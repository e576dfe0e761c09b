// The procedures of libvirt's remote program that vireo calls: number, arguments, reply, and what a caller may
// assume when no reply comes. Numbers are append-only in libvirt; names are the public functions' without `vir`.

import { array, chars, flag, int, nothing, optional, size, string, struct, text, uhyper, uint, uuid, type Codec } from './xdr.ts'
import { Domain, Interfaces, LIST_MAX, Leases, Network, StatsRecords, StoragePool, StorageVol, listed } from './types.ts'
import type { DomainState } from '../driver.ts'

export interface Procedure<A, R> {
  name: string
  number: number
  args: Codec<A>
  ret: Codec<R>
  /** Whether the call alters the host: without an answer its effect is unknown. */
  changing: boolean
  /** `default`: the connection's call timeout; `none`: takes as long as the bytes take, only the connection's end ends it. */
  deadline: 'default' | 'none'
}
type Entry<A, R> = Omit<Procedure<A, R>, 'name'>

const reading = <A, R>(number: number, args: Codec<A>, ret: Codec<R>): Entry<A, R> => ({ number, args, ret, changing: false, deadline: 'default' })
const changing = <A, R>(number: number, args: Codec<A>, ret: Codec<R>): Entry<A, R> => ({ number, args, ret, changing: true, deadline: 'default' })
/** Copies, formats or allocates data before it answers. */
const unhurried = <A, R>(entry: Entry<A, R>): Entry<A, R> => ({ ...entry, deadline: 'none' })

const flags = uint
const dom = Domain
const net = Network
const pool = StoragePool
const vol = StorageVol
const domain = struct({ dom })
const network = struct({ net })
const storagePool = struct({ pool })
const storageVol = struct({ vol })
const domainFlags = struct({ dom, flags })
const poolFlags = struct({ pool, flags })
const deviceFlags = struct({ dom, xml: string, flags })
const listArgs = struct({ need_results: flag, flags })
const transfer = struct({ vol, offset: size, length: size, flags })

const entries = {
  connectOpen: reading(1, struct({ name: optional(string), flags }), nothing),
  connectGetType: reading(3, nothing, string),
  connectGetVersion: reading(4, nothing, size),
  nodeGetInfo: reading(6, nothing, struct({
    model: chars(32), memory: size, cpus: int, mhz: int, nodes: int, sockets: int, cores: int, threads: int,
  })),
  connectGetCapabilities: reading(7, nothing, string),
  connectGetHostname: reading(59, nothing, string),
  connectSupportsFeature: reading(60, struct({ feature: int }), flag),
  authList: reading(66, nothing, array(int, 20)),
  authPolkit: reading(70, nothing, flag),
  connectGetURI: reading(110, nothing, string),
  connectGetLibVersion: reading(157, nothing, size),
  connectGetDomainCapabilities: reading(342, struct({
    emulatorbin: optional(string), arch: optional(string), machine: optional(string), virttype: optional(string), flags,
  }), string),
  connectGetAllDomainStats: reading(344, struct({ doms: array(dom, LIST_MAX), stats: uint, flags }), StatsRecords),

  connectListAllDomains: reading(273, listArgs, listed(dom)),
  connectListAllStoragePools: reading(281, listArgs, listed(pool)),
  storagePoolListAllVolumes: reading(282, struct({ pool, need_results: flag, flags }), listed(vol)),
  connectListAllNetworks: reading(283, listArgs, listed(net)),

  // A registration has no effect on the host; the connection's end removes it.
  connectNetworkEventRegisterAny: reading(313, struct({ eventID: int, net: optional(net) }), int),
  connectDomainEventCallbackRegisterAny: reading(316, struct({ eventID: int, dom: optional(dom) }), int),
  connectRegisterCloseCallback: reading(360, nothing, nothing),
  connectStoragePoolEventRegisterAny: reading(368, struct({ eventID: int, pool: optional(pool) }), int),

  domainCreateXML: changing(10, struct({ xml: string, flags }), dom),
  domainGetXMLDesc: reading(14, domainFlags, string),
  domainGetAutostart: reading(15, domain, flag),
  domainGetInfo: reading(16, domain, struct({ state: uint as Codec<DomainState>, maxMem: size, memory: size, nrVirtCpu: uint, cpuTime: uhyper })),
  domainLookupByID: reading(22, struct({ id: int }), dom),
  domainLookupByName: reading(23, struct({ name: string }), dom),
  domainLookupByUUID: reading(24, struct({ uuid }), dom),
  domainReboot: changing(27, domainFlags, nothing),
  domainResume: changing(28, domain, nothing),
  domainSetAutostart: changing(29, struct({ dom, autostart: flag }), nothing),
  domainSuspend: changing(34, domain, nothing),
  domainIsPersistent: reading(151, domain, flag),
  domainAttachDeviceFlags: changing(160, deviceFlags, nothing),
  domainDetachDeviceFlags: changing(161, deviceFlags, nothing),
  domainUpdateDeviceFlags: changing(174, deviceFlags, nothing),
  domainHasManagedSaveImage: reading(183, domainFlags, flag),
  domainManagedSaveRemove: changing(184, domainFlags, nothing),
  domainGetBlockInfo: reading(194, struct({ dom, path: string, flags }), struct({ allocation: size, capacity: size, physical: size })),
  domainCreateWithFlags: changing(196, domainFlags, dom),
  domainSetVcpusFlags: changing(199, struct({ dom, nvcpus: uint, flags }), nothing),
  domainSetMemoryFlags: changing(204, struct({ dom, memory: size, flags }), nothing),
  domainGetState: reading(212, domainFlags, struct({ state: int as Codec<DomainState>, reason: int })),
  domainUndefineFlags: changing(231, domainFlags, nothing),
  domainDestroyFlags: changing(234, domainFlags, nothing),
  domainReset: changing(245, domainFlags, nothing),
  domainBlockResize: changing(251, struct({ dom, disk: string, size, flags }), nothing),
  domainShutdownFlags: changing(258, domainFlags, nothing),
  domainSetMetadata: changing(264, struct({ dom, type: int, metadata: optional(string), key: optional(string), uri: optional(string), flags }), nothing),
  domainDefineXMLFlags: changing(350, struct({ xml: string, flags }), dom),
  domainInterfaceAddresses: reading(353, struct({ dom, source: uint, flags }), Interfaces),
  domainSetLifecycleAction: changing(390, struct({ dom, type: uint, action: uint, flags }), nothing),
  domainDetachDeviceAlias: changing(392, struct({ dom, alias: string, flags }), nothing),

  networkCreate: changing(39, network, nothing),
  networkDefineXML: changing(41, struct({ xml: string }), net),
  networkDestroy: changing(42, network, nothing),
  networkGetXMLDesc: reading(43, struct({ net, flags }), string),
  networkGetAutostart: reading(44, network, flag),
  networkLookupByName: reading(46, struct({ name: string }), net),
  networkLookupByUUID: reading(47, struct({ uuid }), net),
  networkSetAutostart: changing(48, struct({ net, autostart: flag }), nothing),
  networkUndefine: changing(49, network, nothing),
  networkIsActive: reading(152, network, flag),
  networkUpdate: changing(291, struct({ net, command: uint, section: uint, parentIndex: int, xml: string, flags }), nothing),
  networkGetDHCPLeases: reading(341, struct({ net, mac: optional(string), need_results: flag, flags }), Leases),

  storagePoolDefineXML: changing(77, struct({ xml: string, flags }), pool),
  storagePoolCreate: changing(78, poolFlags, nothing),
  storagePoolBuild: unhurried(changing(79, poolFlags, nothing)),
  storagePoolDestroy: changing(80, storagePool, nothing),
  storagePoolDelete: changing(81, poolFlags, nothing),
  storagePoolUndefine: changing(82, storagePool, nothing),
  storagePoolRefresh: changing(83, poolFlags, nothing),
  storagePoolLookupByName: reading(84, struct({ name: string }), pool),
  storagePoolLookupByUUID: reading(85, struct({ uuid }), pool),
  storagePoolGetInfo: reading(87, storagePool, struct({ state: uint, capacity: size, allocation: size, available: size })),
  storagePoolGetXMLDesc: reading(88, poolFlags, string),
  storagePoolGetAutostart: reading(89, storagePool, flag),
  storagePoolSetAutostart: changing(90, struct({ pool, autostart: flag }), nothing),
  storagePoolIsActive: reading(154, storagePool, flag),

  storageVolCreateXML: unhurried(changing(93, struct({ pool, xml: string, flags }), vol)),
  storageVolDelete: changing(94, struct({ vol, flags }), nothing),
  storageVolLookupByName: reading(95, struct({ pool, name: string }), vol),
  storageVolLookupByKey: reading(96, struct({ key: string }), vol),
  storageVolLookupByPath: reading(97, struct({ path: string }), vol),
  storageVolGetInfo: reading(98, storageVol, struct({ type: int, capacity: size, allocation: size })),
  storageVolGetXMLDesc: reading(99, struct({ vol, flags }), string),
  storageVolGetPath: reading(100, storageVol, text),
  storageVolCreateXMLFrom: unhurried(changing(125, struct({ pool, xml: string, clonevol: vol, flags }), vol)),
  storageVolUpload: unhurried(changing(208, transfer, nothing)),
  storageVolDownload: unhurried(reading(209, transfer, nothing)),
  storageVolResize: changing(260, struct({ vol, capacity: size, flags }), nothing),
}

type Table = { [K in keyof typeof entries]: (typeof entries)[K] & { name: K } }
export const procedures = Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, { name, ...entry }])) as Table
