// The Driver interface over libvirt's RPC: every method is one call.

import type {
  Connection, DhcpLease, DomainBlockInfo, DomainInfo, DomainInterface, DomainRef, DomainStats, DownloadStream, DriverEvent,
  NetworkRef, NodeInfo, StoragePoolInfo, StoragePoolRef, StorageVolInfo, StorageVolRef, UploadStream,
} from '../driver.ts'
import type { Client } from './client.ts'
import type { Events } from './events.ts'
import { Feature, type Features } from './handshake.ts'
import { procedures as p, type Procedure } from './protocol.ts'
import { openDownload, openUpload } from './stream.ts'

/** VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT. */
const STATS_NOWAIT = 1 << 29

const listAll = { need_results: true, flags: 0 }

export interface RemoteParts {
  name: string
  client: Client
  events: Events
  features: Features
  /** Opens a further connection to the same place: streams and calls without a deadline have their own, so that they delay no other call. */
  dial: () => Promise<Client>
}

export class RemoteConnection implements Connection {
  readonly name: string
  readonly closed: Promise<Error>
  readonly #client: Client
  readonly #events: Events
  readonly #features: Features
  readonly #dial: () => Promise<Client>
  readonly #others = new Set<Client>()
  #closing = false

  constructor({ name, client, events, features, dial }: RemoteParts) {
    this.name = name
    this.#client = client
    this.#events = events
    this.#features = features
    this.#dial = dial
    this.closed = client.closed
  }

  onEvent(handler: (event: DriverEvent) => void): void { this.#events.onEvent(handler) }
  eventsRegister(): Promise<Set<DriverEvent['type']>> { return this.#events.register(this.#client, this.#features) }
  /** Ends the streams and the long calls too. */
  async close(): Promise<void> {
    this.#closing = true
    for (const client of this.#others) client.close()
    this.#client.close()
    await this.closed
  }

  connectGetType(): Promise<string> { return this.#client.call(p.connectGetType, undefined) }
  connectGetVersion(): Promise<number> { return this.#client.call(p.connectGetVersion, undefined) }
  connectGetLibVersion(): Promise<number> { return this.#client.call(p.connectGetLibVersion, undefined) }
  connectGetHostname(): Promise<string> { return this.#client.call(p.connectGetHostname, undefined) }
  connectGetURI(): Promise<string> { return this.#client.call(p.connectGetURI, undefined) }
  connectGetCapabilities(): Promise<string> { return this.#client.call(p.connectGetCapabilities, undefined) }
  connectGetDomainCapabilities(emulatorbin: string | null, arch: string | null, machine: string | null, virttype: string | null): Promise<string> {
    return this.#client.call(p.connectGetDomainCapabilities, { emulatorbin, arch, machine, virttype, flags: 0 })
  }
  nodeGetInfo(): Promise<NodeInfo> { return this.#client.call(p.nodeGetInfo, undefined) }
  /** A question that the daemon answers without asking its driver. */
  async connectIsAlive(): Promise<void> { await this.#client.call(p.connectSupportsFeature, { feature: Feature.EVENT_CALLBACK }) }

  connectListAllDomains(): Promise<DomainRef[]> { return this.#client.call(p.connectListAllDomains, listAll) }
  connectListAllNetworks(): Promise<NetworkRef[]> { return this.#client.call(p.connectListAllNetworks, listAll) }
  connectListAllStoragePools(): Promise<StoragePoolRef[]> { return this.#client.call(p.connectListAllStoragePools, listAll) }
  storagePoolListAllVolumes(pool: StoragePoolRef): Promise<StorageVolRef[]> { return this.#client.call(p.storagePoolListAllVolumes, { pool, ...listAll }) }
  connectGetAllDomainStats(stats: number): Promise<DomainStats[]> { return this.#client.call(p.connectGetAllDomainStats, { doms: [], stats, flags: STATS_NOWAIT }) }

  domainLookupByUUID(uuid: string): Promise<DomainRef> { return this.#client.call(p.domainLookupByUUID, { uuid }) }
  domainLookupByName(name: string): Promise<DomainRef> { return this.#client.call(p.domainLookupByName, { name }) }
  domainLookupByID(id: number): Promise<DomainRef> { return this.#client.call(p.domainLookupByID, { id }) }
  domainGetXMLDesc(dom: DomainRef, flags: number): Promise<string> { return this.#client.call(p.domainGetXMLDesc, { dom, flags }) }
  domainGetState(dom: DomainRef): ReturnType<Connection['domainGetState']> { return this.#client.call(p.domainGetState, { dom, flags: 0 }) }
  domainGetInfo(dom: DomainRef): Promise<DomainInfo> { return this.#client.call(p.domainGetInfo, { dom }) }
  domainIsPersistent(dom: DomainRef): Promise<boolean> { return this.#client.call(p.domainIsPersistent, { dom }) }
  domainHasManagedSaveImage(dom: DomainRef): Promise<boolean> { return this.#client.call(p.domainHasManagedSaveImage, { dom, flags: 0 }) }
  domainInterfaceAddresses(dom: DomainRef, source: number): Promise<DomainInterface[]> { return this.#client.call(p.domainInterfaceAddresses, { dom, source, flags: 0 }) }
  domainGetBlockInfo(dom: DomainRef, path: string): Promise<DomainBlockInfo> { return this.#client.call(p.domainGetBlockInfo, { dom, path, flags: 0 }) }

  domainGetAutostart(dom: DomainRef): Promise<boolean> { return this.#client.call(p.domainGetAutostart, { dom }) }
  domainSetAutostart(dom: DomainRef, autostart: boolean): Promise<void> { return this.#client.call(p.domainSetAutostart, { dom, autostart }) }
  domainSetMemoryFlags(dom: DomainRef, memory: number, flags: number): Promise<void> { return this.#client.call(p.domainSetMemoryFlags, { dom, memory, flags }) }
  domainSetVcpusFlags(dom: DomainRef, nvcpus: number, flags: number): Promise<void> { return this.#client.call(p.domainSetVcpusFlags, { dom, nvcpus, flags }) }
  domainSetMetadata(dom: DomainRef, type: 0 | 1 | 2, metadata: string | null, key: string | null, uri: string | null, flags: number): Promise<void> {
    return this.#client.call(p.domainSetMetadata, { dom, type, metadata, key, uri, flags })
  }
  domainSetLifecycleAction(dom: DomainRef, type: number, action: number, flags: number): Promise<void> { return this.#client.call(p.domainSetLifecycleAction, { dom, type, action, flags }) }

  domainDefineXMLFlags(xml: string, flags: number): Promise<DomainRef> { return this.#client.call(p.domainDefineXMLFlags, { xml, flags }) }
  domainCreateXML(xml: string, flags: number): Promise<DomainRef> { return this.#client.call(p.domainCreateXML, { xml, flags }) }
  domainCreateWithFlags(dom: DomainRef, flags: number): Promise<DomainRef> { return this.#client.call(p.domainCreateWithFlags, { dom, flags }) }
  domainShutdownFlags(dom: DomainRef, flags: number): Promise<void> { return this.#client.call(p.domainShutdownFlags, { dom, flags }) }
  domainReboot(dom: DomainRef, flags: number): Promise<void> { return this.#client.call(p.domainReboot, { dom, flags }) }
  domainReset(dom: DomainRef): Promise<void> { return this.#client.call(p.domainReset, { dom, flags: 0 }) }
  domainDestroyFlags(dom: DomainRef, flags: number): Promise<void> { return this.#client.call(p.domainDestroyFlags, { dom, flags }) }
  domainUndefineFlags(dom: DomainRef, flags: number): Promise<void> { return this.#client.call(p.domainUndefineFlags, { dom, flags }) }
  domainManagedSaveRemove(dom: DomainRef): Promise<void> { return this.#client.call(p.domainManagedSaveRemove, { dom, flags: 0 }) }
  domainSuspend(dom: DomainRef): Promise<void> { return this.#client.call(p.domainSuspend, { dom }) }
  domainResume(dom: DomainRef): Promise<void> { return this.#client.call(p.domainResume, { dom }) }

  domainAttachDeviceFlags(dom: DomainRef, xml: string, flags: number): Promise<void> { return this.#client.call(p.domainAttachDeviceFlags, { dom, xml, flags }) }
  domainDetachDeviceFlags(dom: DomainRef, xml: string, flags: number): Promise<void> { return this.#client.call(p.domainDetachDeviceFlags, { dom, xml, flags }) }
  domainDetachDeviceAlias(dom: DomainRef, alias: string, flags: number): Promise<void> { return this.#client.call(p.domainDetachDeviceAlias, { dom, alias, flags }) }
  domainUpdateDeviceFlags(dom: DomainRef, xml: string, flags: number): Promise<void> { return this.#client.call(p.domainUpdateDeviceFlags, { dom, xml, flags }) }
  domainBlockResize(dom: DomainRef, disk: string, size: number, flags: number): Promise<void> { return this.#client.call(p.domainBlockResize, { dom, disk, size, flags }) }

  networkLookupByUUID(uuid: string): Promise<NetworkRef> { return this.#client.call(p.networkLookupByUUID, { uuid }) }
  networkLookupByName(name: string): Promise<NetworkRef> { return this.#client.call(p.networkLookupByName, { name }) }
  networkGetXMLDesc(net: NetworkRef, flags: number): Promise<string> { return this.#client.call(p.networkGetXMLDesc, { net, flags }) }
  networkIsActive(net: NetworkRef): Promise<boolean> { return this.#client.call(p.networkIsActive, { net }) }
  networkGetAutostart(net: NetworkRef): Promise<boolean> { return this.#client.call(p.networkGetAutostart, { net }) }
  networkSetAutostart(net: NetworkRef, autostart: boolean): Promise<void> { return this.#client.call(p.networkSetAutostart, { net, autostart }) }
  networkDefineXML(xml: string): Promise<NetworkRef> { return this.#client.call(p.networkDefineXML, { xml }) }
  networkCreate(net: NetworkRef): Promise<void> { return this.#client.call(p.networkCreate, { net }) }
  networkDestroy(net: NetworkRef): Promise<void> { return this.#client.call(p.networkDestroy, { net }) }
  networkUndefine(net: NetworkRef): Promise<void> { return this.#client.call(p.networkUndefine, { net }) }
  networkUpdate(net: NetworkRef, command: number, section: number, parentIndex: number, xml: string, flags: number): Promise<void> {
    // Daemons before 7.2 hand the two to their driver the wrong way round.
    const order = this.#features.networkUpdateOrder ? { command, section } : { command: section, section: command }
    return this.#client.call(p.networkUpdate, { net, ...order, parentIndex, xml, flags })
  }
  networkGetDHCPLeases(net: NetworkRef): Promise<DhcpLease[]> { return this.#client.call(p.networkGetDHCPLeases, { net, mac: null, ...listAll }) }

  storagePoolLookupByUUID(uuid: string): Promise<StoragePoolRef> { return this.#client.call(p.storagePoolLookupByUUID, { uuid }) }
  storagePoolLookupByName(name: string): Promise<StoragePoolRef> { return this.#client.call(p.storagePoolLookupByName, { name }) }
  storagePoolGetXMLDesc(pool: StoragePoolRef, flags: number): Promise<string> { return this.#client.call(p.storagePoolGetXMLDesc, { pool, flags }) }
  storagePoolGetInfo(pool: StoragePoolRef): Promise<StoragePoolInfo> { return this.#client.call(p.storagePoolGetInfo, { pool }) }
  storagePoolIsActive(pool: StoragePoolRef): Promise<boolean> { return this.#client.call(p.storagePoolIsActive, { pool }) }
  storagePoolGetAutostart(pool: StoragePoolRef): Promise<boolean> { return this.#client.call(p.storagePoolGetAutostart, { pool }) }
  storagePoolSetAutostart(pool: StoragePoolRef, autostart: boolean): Promise<void> { return this.#client.call(p.storagePoolSetAutostart, { pool, autostart }) }
  storagePoolDefineXML(xml: string): Promise<StoragePoolRef> { return this.#client.call(p.storagePoolDefineXML, { xml, flags: 0 }) }
  storagePoolBuild(pool: StoragePoolRef, flags: number): Promise<void> { return this.#aside(p.storagePoolBuild, { pool, flags }) }
  storagePoolCreate(pool: StoragePoolRef): Promise<void> { return this.#client.call(p.storagePoolCreate, { pool, flags: 0 }) }
  storagePoolDestroy(pool: StoragePoolRef): Promise<void> { return this.#client.call(p.storagePoolDestroy, { pool }) }
  storagePoolDelete(pool: StoragePoolRef, flags: number): Promise<void> { return this.#client.call(p.storagePoolDelete, { pool, flags }) }
  storagePoolUndefine(pool: StoragePoolRef): Promise<void> { return this.#client.call(p.storagePoolUndefine, { pool }) }
  storagePoolRefresh(pool: StoragePoolRef): Promise<void> { return this.#client.call(p.storagePoolRefresh, { pool, flags: 0 }) }

  storageVolLookupByName(pool: StoragePoolRef, name: string): Promise<StorageVolRef> { return this.#client.call(p.storageVolLookupByName, { pool, name }) }
  storageVolLookupByKey(key: string): Promise<StorageVolRef> { return this.#client.call(p.storageVolLookupByKey, { key }) }
  storageVolLookupByPath(path: string): Promise<StorageVolRef> { return this.#client.call(p.storageVolLookupByPath, { path }) }
  storageVolGetXMLDesc(vol: StorageVolRef): Promise<string> { return this.#client.call(p.storageVolGetXMLDesc, { vol, flags: 0 }) }
  storageVolGetInfo(vol: StorageVolRef): Promise<StorageVolInfo> { return this.#client.call(p.storageVolGetInfo, { vol }) }
  storageVolGetPath(vol: StorageVolRef): Promise<string> { return this.#client.call(p.storageVolGetPath, { vol }) }
  storageVolCreateXML(pool: StoragePoolRef, xml: string, flags: number): Promise<StorageVolRef> { return this.#aside(p.storageVolCreateXML, { pool, xml, flags }) }
  storageVolCreateXMLFrom(pool: StoragePoolRef, xml: string, source: StorageVolRef, flags: number): Promise<StorageVolRef> {
    return this.#aside(p.storageVolCreateXMLFrom, { pool, xml, clonevol: source, flags })
  }
  storageVolDelete(vol: StorageVolRef, flags: number): Promise<void> { return this.#client.call(p.storageVolDelete, { vol, flags }) }
  storageVolResize(vol: StorageVolRef, capacity: number, flags: number): Promise<void> { return this.#client.call(p.storageVolResize, { vol, capacity, flags }) }
  async storageVolUpload(vol: StorageVolRef, offset: number, length: number, flags: number): Promise<UploadStream> {
    return openUpload(await this.#otherClient(), { vol, offset, length, flags })
  }
  async storageVolDownload(vol: StorageVolRef, offset: number, length: number, flags: number): Promise<DownloadStream> {
    return openDownload(await this.#otherClient(), { vol, offset, length, flags })
  }

  async #otherClient(): Promise<Client> {
    const client = await this.#dial()
    // What is closed opens nothing any more; the calls on it reject.
    if (this.#closing) client.close()
    this.#others.add(client)
    void client.closed.then(() => this.#others.delete(client))
    return client
  }

  /** A call that takes as long as its bytes take: four of them on the one connection would leave no slot for anything else. */
  async #aside<A, R>(procedure: Procedure<A, R>, args: A): Promise<R> {
    const client = await this.#otherClient()
    try {
      return await client.call(procedure, args)
    } finally {
      client.close()
    }
  }
}
