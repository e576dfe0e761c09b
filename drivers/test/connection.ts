// The Driver interface over a host in memory: every method is one call, answered later than it was made, with the faults that are injected.

import type {
  Connection, DhcpLease, DomainBlockInfo, DomainInfo, DomainInterface, DomainRef, DomainStats, DownloadStream, DriverEvent,
  NetworkRef, NodeInfo, OpenOptions, StoragePoolInfo, StoragePoolRef, StorageVolInfo, StorageVolRef, UploadStream,
} from '../driver.ts'
import { CallTimeout, ConnectionLost, LibvirtError } from '../errors.ts'
import { attach, detach, detachAlias, update } from './domain/hotplug.ts'
import type { Domain } from './domain/domain.ts'
import { setLifecycleAction, setMemory, setMetadata, setVcpusFlags } from './domain/tuning.ts'
import type { Operation } from './faults.ts'
import { DRIVER_VERSION, LIB_VERSION, capabilities, domainCapabilities, node } from './host.ts'
import { From, Refusal, checkFlags } from './refusal.ts'
import { addressesOf, blockInfoOf, blockResize, infoOf, statsOf } from './stats.ts'
import { downloadFrom, uploadTo } from './storage/streams.ts'
import type { World } from './world.ts'

/** Fully asynchronous toward the caller; the work of a call is done at once and whole. */
export class TestConnection implements Connection {
  readonly name: string
  readonly closed: Promise<Error>
  readonly #world: World
  readonly #options: OpenOptions
  readonly #handlers: ((event: DriverEvent) => void)[] = []
  /** What breaks each open stream. */
  readonly #streams = new Set<(why: Error) => void>()
  /** What rejects each call that still waits for its answer. */
  readonly #waiting = new Set<(why: Error) => void>()
  #ended: Error | undefined
  #end!: (why: Error) => void

  constructor(world: World, name: string, options: OpenOptions) {
    this.#world = world
    this.name = name
    this.#options = options
    this.closed = new Promise(resolve => { this.#end = resolve })
  }

  onEvent(handler: (event: DriverEvent) => void): void { this.#handlers.push(handler) }
  readonly #listener = (event: DriverEvent): void => { for (const handler of this.#handlers) handler(event) }
  eventsRegister(): Promise<Set<DriverEvent['type']>> {
    return this.#call('eventsRegister', world => {
      world.hub.add(this.#listener)
      return new Set<DriverEvent['type']>(['domain', 'network', 'pool', 'connection'])
    })
  }

  async close(): Promise<void> { this.#lose(new ConnectionLost('the connection was closed')) }

  /** Ends the connection, its streams and the calls that wait for an answer. */
  #lose(why: Error): void {
    if (this.#ended !== undefined) return
    this.#ended = why
    this.#world.hub.remove(this.#listener)
    for (const breaks of [...this.#streams, ...this.#waiting]) breaks(new ConnectionLost(why.message, { cause: why }))
    this.#end(why)
  }

  /** One call: refused with LibvirtError, or done at once and answered in a later turn. */
  async #call<R>(procedure: Operation, work: (world: World) => R): Promise<R> {
    const since = performance.now()
    const finish = (outcome: 'ok' | 'error' | 'timeout' | 'lost', code?: number): void => this.#options.onCall?.({ procedure, seconds: (performance.now() - since) / 1000, outcome, ...(code === undefined ? {} : { code }) })
    try {
      if (this.#ended !== undefined) throw new ConnectionLost(this.#ended.message, { cause: this.#ended })
      const answer = this.#world.faults.none ? this.#do(procedure, work) : await this.#doFaulty(procedure, work)
      finish('ok')
      return answer
    } catch (error) {
      if (error instanceof LibvirtError) finish('error', error.code)
      else finish(error instanceof CallTimeout ? 'timeout' : 'lost')
      throw error
    }
  }

  #do<R>(procedure: Operation, work: (world: World) => R): R {
    try {
      return work(this.#world)
    } catch (error) {
      if (error instanceof Refusal) throw new LibvirtError({ code: error.code, domain: error.domain, level: 2, message: error.message, procedure })
      throw error
    }
  }

  async #doFaulty<R>(procedure: Operation, work: (world: World) => R): Promise<R> {
    const { faults } = this.#world
    const here = (fault: { call?: Operation }): boolean => (fault.call ?? procedure) === procedure
    const cut = faults.take('disconnect', here)
    if (cut !== undefined) {
      if (cut.effect === 'done') this.#do(procedure, work)
      this.#lose(new ConnectionLost(`the connection was cut during ${procedure}`))
      throw new ConnectionLost(this.#ended!.message, { cause: this.#ended })
    }
    const refused = faults.take('error', here)
    if (refused !== undefined) throw new LibvirtError({ code: refused.code, domain: From.TEST, level: 2, message: refused.message, procedure })
    const delay = faults.take('delay', here)
    const answer = this.#do(procedure, work)
    if (delay !== undefined) await this.#wait(procedure, delay.ms)
    return answer
  }

  /** Keeps an answer back, at most for the deadline of a call. */
  #wait(procedure: Operation, ms: number): Promise<void> {
    const { callTimeout } = this.#options
    return new Promise((resolve, reject) => {
      const settle = (then: () => void): void => {
        this.#waiting.delete(lost)
        timer.cancel()
        then()
      }
      const lost = (why: Error): void => settle(() => reject(why))
      const timer = this.#world.clock.setTimeout(() => settle(ms > callTimeout ? () => reject(new CallTimeout(procedure, callTimeout)) : resolve), Math.min(ms, callTimeout))
      this.#waiting.add(lost)
    })
  }

  /** A call that is about one domain. */
  #domain<R>(procedure: Operation, dom: DomainRef, work: (domain: Domain, world: World) => R): Promise<R> {
    return this.#call(procedure, world => work(world.domains.find(dom), world))
  }

  connectGetType(): Promise<string> { return this.#call('connectGetType', () => 'TEST') }
  connectGetVersion(): Promise<number> { return this.#call('connectGetVersion', () => DRIVER_VERSION) }
  connectGetLibVersion(): Promise<number> { return this.#call('connectGetLibVersion', () => LIB_VERSION) }
  connectGetHostname(): Promise<string> { return this.#call('connectGetHostname', world => `test-${world.name.replaceAll('/', '-')}`) }
  connectGetURI(): Promise<string> { return this.#call('connectGetURI', () => this.name) }
  connectGetCapabilities(): Promise<string> { return this.#call('connectGetCapabilities', world => capabilities(world.name)) }
  connectGetDomainCapabilities(_emulator: string | null, arch: string | null, machine: string | null, _virttype: string | null): Promise<string> {
    return this.#call('connectGetDomainCapabilities', () => domainCapabilities(arch ?? node.model, machine ?? 'pc'))
  }
  nodeGetInfo(): Promise<NodeInfo> { return this.#call('nodeGetInfo', () => ({ ...node })) }
  connectIsAlive(): Promise<void> { return this.#call('connectIsAlive', () => { /* the answer is all that is asked for */ }) }

  connectListAllDomains(): Promise<DomainRef[]> { return this.#call('connectListAllDomains', ({ domains }) => Array.from(domains.values(), ({ ref }) => ref)) }
  connectListAllNetworks(): Promise<NetworkRef[]> { return this.#call('connectListAllNetworks', ({ networks }) => Array.from(networks.values(), ({ ref }) => ref)) }
  connectListAllStoragePools(): Promise<StoragePoolRef[]> { return this.#call('connectListAllStoragePools', ({ pools }) => Array.from(pools.values(), ({ ref }) => ref)) }
  storagePoolListAllVolumes(pool: StoragePoolRef): Promise<StorageVolRef[]> { return this.#call('storagePoolListAllVolumes', ({ pools }) => pools.list(pools.find(pool))) }
  connectGetAllDomainStats(stats: number): Promise<DomainStats[]> { return this.#call('connectGetAllDomainStats', world => statsOf(world, stats)) }

  domainLookupByUUID(uuid: string): Promise<DomainRef> { return this.#call('domainLookupByUUID', ({ domains }) => domains.find({ uuid }).ref) }
  domainLookupByName(name: string): Promise<DomainRef> { return this.#call('domainLookupByName', ({ domains }) => domains.findByName(name).ref) }
  domainLookupByID(id: number): Promise<DomainRef> { return this.#call('domainLookupByID', ({ domains }) => domains.findByID(id).ref) }
  domainGetXMLDesc(dom: DomainRef, flags: number): Promise<string> { return this.#domain('domainGetXMLDesc', dom, (domain, { domains }) => domains.text(domain, flags)) }
  domainGetState(dom: DomainRef): ReturnType<Connection['domainGetState']> { return this.#domain('domainGetState', dom, ({ state, reason }) => ({ state, reason })) }
  domainGetInfo(dom: DomainRef): Promise<DomainInfo> { return this.#domain('domainGetInfo', dom, (domain, world) => infoOf(world, domain)) }
  domainIsPersistent(dom: DomainRef): Promise<boolean> { return this.#domain('domainIsPersistent', dom, domain => domain.persistent) }
  domainHasManagedSaveImage(dom: DomainRef): Promise<boolean> { return this.#domain('domainHasManagedSaveImage', dom, domain => domain.saved !== null) }
  domainInterfaceAddresses(dom: DomainRef, source: number): Promise<DomainInterface[]> { return this.#domain('domainInterfaceAddresses', dom, (domain, world) => addressesOf(world, domain, source)) }
  domainGetBlockInfo(dom: DomainRef, path: string): Promise<DomainBlockInfo> { return this.#domain('domainGetBlockInfo', dom, (domain, world) => blockInfoOf(world, domain, path)) }

  domainGetAutostart(dom: DomainRef): Promise<boolean> { return this.#domain('domainGetAutostart', dom, ({ autostart }) => autostart) }
  domainSetAutostart(dom: DomainRef, autostart: boolean): Promise<void> { return this.#domain('domainSetAutostart', dom, (domain, { domains }) => domains.setAutostart(domain, autostart)) }
  domainSetMemoryFlags(dom: DomainRef, memory: number, flags: number): Promise<void> { return this.#call('domainSetMemoryFlags', ({ domains }) => setMemory(() => domains.find(dom), memory, flags)) }
  domainSetVcpusFlags(dom: DomainRef, nvcpus: number, flags: number): Promise<void> { return this.#call('domainSetVcpusFlags', ({ domains }) => setVcpusFlags(() => domains.find(dom), nvcpus, flags)) }
  domainSetMetadata(dom: DomainRef, type: 0 | 1 | 2, metadata: string | null, key: string | null, uri: string | null, flags: number): Promise<void> {
    return this.#call('domainSetMetadata', ({ domains, hub }) => {
      setMetadata(() => domains.find(dom), type, metadata, key, uri, flags)
      hub.emit({ type: 'domain', name: 'metadata-change', dom: domains.find(dom).ref })
    })
  }
  domainSetLifecycleAction(dom: DomainRef, type: number, action: number, flags: number): Promise<void> { return this.#call('domainSetLifecycleAction', ({ domains }) => setLifecycleAction(() => domains.find(dom), type, action, flags)) }

  domainDefineXMLFlags(xml: string, flags: number): Promise<DomainRef> { return this.#call('domainDefineXMLFlags', ({ domains }) => domains.define(xml, flags).ref) }
  domainCreateXML(xml: string, flags: number): Promise<DomainRef> { return this.#call('domainCreateXML', ({ domains }) => domains.createXML(xml, flags).ref) }
  domainCreateWithFlags(dom: DomainRef, flags: number): Promise<DomainRef> {
    return this.#domain('domainCreateWithFlags', dom, (domain, { domains }) => {
      domains.create(domain, flags)
      return domain.ref
    })
  }
  domainShutdownFlags(dom: DomainRef, flags: number): Promise<void> { return this.#domain('domainShutdownFlags', dom, (domain, { domains }) => domains.shutdown(domain, flags)) }
  domainReboot(dom: DomainRef, flags: number): Promise<void> { return this.#domain('domainReboot', dom, (domain, { domains }) => domains.reboot(domain, flags)) }
  domainReset(dom: DomainRef): Promise<void> { return this.#domain('domainReset', dom, (domain, { domains }) => domains.reset(domain)) }
  domainDestroyFlags(dom: DomainRef, flags: number): Promise<void> { return this.#domain('domainDestroyFlags', dom, (domain, { domains }) => domains.destroy(domain, flags)) }
  domainUndefineFlags(dom: DomainRef, flags: number): Promise<void> { return this.#domain('domainUndefineFlags', dom, (domain, { domains }) => domains.undefine(domain, flags)) }
  domainManagedSaveRemove(dom: DomainRef): Promise<void> { return this.#domain('domainManagedSaveRemove', dom, (domain, { domains }) => domains.managedSaveRemove(domain)) }
  domainSuspend(dom: DomainRef): Promise<void> { return this.#domain('domainSuspend', dom, (domain, { domains }) => domains.suspend(domain)) }
  domainResume(dom: DomainRef): Promise<void> { return this.#domain('domainResume', dom, (domain, { domains }) => domains.resume(domain)) }

  domainAttachDeviceFlags(dom: DomainRef, xml: string, flags: number): Promise<void> { return this.#domain('domainAttachDeviceFlags', dom, (domain, { guests }) => attach(guests, domain, xml, flags)) }
  domainDetachDeviceFlags(dom: DomainRef, xml: string, flags: number): Promise<void> { return this.#domain('domainDetachDeviceFlags', dom, (domain, { guests }) => detach(guests, domain, xml, flags)) }
  domainDetachDeviceAlias(dom: DomainRef, alias: string, flags: number): Promise<void> { return this.#domain('domainDetachDeviceAlias', dom, (domain, { guests }) => detachAlias(guests, domain, alias, flags)) }
  domainUpdateDeviceFlags(dom: DomainRef, xml: string, flags: number): Promise<void> { return this.#domain('domainUpdateDeviceFlags', dom, (domain, { guests }) => update(guests, domain, xml, flags)) }
  domainBlockResize(dom: DomainRef, disk: string, size: number, flags: number): Promise<void> {
    return this.#domain('domainBlockResize', dom, (domain, world) => {
      checkFlags(flags, 1, 'domainBlockResize')
      blockResize(world, domain, disk, (flags & 1) === 0 ? size * 1024 : size)
    })
  }

  networkLookupByUUID(uuid: string): Promise<NetworkRef> { return this.#call('networkLookupByUUID', ({ networks }) => networks.find({ uuid }).ref) }
  networkLookupByName(name: string): Promise<NetworkRef> { return this.#call('networkLookupByName', ({ networks }) => networks.findByName(name).ref) }
  networkGetXMLDesc(net: NetworkRef, flags: number): Promise<string> { return this.#call('networkGetXMLDesc', ({ networks }) => networks.text(networks.find(net), flags)) }
  networkIsActive(net: NetworkRef): Promise<boolean> { return this.#call('networkIsActive', ({ networks }) => networks.find(net).active) }
  networkGetAutostart(net: NetworkRef): Promise<boolean> { return this.#call('networkGetAutostart', ({ networks }) => networks.find(net).autostart) }
  networkSetAutostart(net: NetworkRef, autostart: boolean): Promise<void> { return this.#call('networkSetAutostart', ({ networks }) => networks.setAutostart(networks.find(net), autostart)) }
  networkDefineXML(xml: string): Promise<NetworkRef> { return this.#call('networkDefineXML', ({ networks }) => networks.define(xml).ref) }
  networkCreate(net: NetworkRef): Promise<void> { return this.#call('networkCreate', ({ networks }) => networks.create(networks.find(net))) }
  networkDestroy(net: NetworkRef): Promise<void> { return this.#call('networkDestroy', ({ networks }) => networks.destroy(networks.find(net))) }
  networkUndefine(net: NetworkRef): Promise<void> { return this.#call('networkUndefine', ({ networks }) => networks.undefine(networks.find(net))) }
  networkUpdate(net: NetworkRef, command: number, section: number, parentIndex: number, xml: string, flags: number): Promise<void> {
    return this.#call('networkUpdate', ({ networks }) => networks.update(networks.find(net), command, section, parentIndex, xml, flags))
  }
  networkGetDHCPLeases(net: NetworkRef): Promise<DhcpLease[]> { return this.#call('networkGetDHCPLeases', ({ networks }) => networks.leases(networks.find(net))) }

  storagePoolLookupByUUID(uuid: string): Promise<StoragePoolRef> { return this.#call('storagePoolLookupByUUID', ({ pools }) => pools.find({ uuid }).ref) }
  storagePoolLookupByName(name: string): Promise<StoragePoolRef> { return this.#call('storagePoolLookupByName', ({ pools }) => pools.findByName(name).ref) }
  storagePoolGetXMLDesc(pool: StoragePoolRef, flags: number): Promise<string> { return this.#call('storagePoolGetXMLDesc', ({ pools }) => pools.text(pools.find(pool), flags)) }
  storagePoolGetInfo(pool: StoragePoolRef): Promise<StoragePoolInfo> { return this.#call('storagePoolGetInfo', ({ pools }) => pools.info(pools.find(pool))) }
  storagePoolIsActive(pool: StoragePoolRef): Promise<boolean> { return this.#call('storagePoolIsActive', ({ pools }) => pools.find(pool).active) }
  storagePoolGetAutostart(pool: StoragePoolRef): Promise<boolean> { return this.#call('storagePoolGetAutostart', ({ pools }) => pools.find(pool).autostart) }
  storagePoolSetAutostart(pool: StoragePoolRef, autostart: boolean): Promise<void> { return this.#call('storagePoolSetAutostart', ({ pools }) => { pools.find(pool).autostart = autostart }) }
  storagePoolDefineXML(xml: string): Promise<StoragePoolRef> { return this.#call('storagePoolDefineXML', ({ pools }) => pools.define(xml).ref) }
  storagePoolBuild(pool: StoragePoolRef, flags: number): Promise<void> { return this.#call('storagePoolBuild', ({ pools }) => pools.build(pools.find(pool), flags)) }
  storagePoolCreate(pool: StoragePoolRef): Promise<void> { return this.#call('storagePoolCreate', ({ pools }) => pools.create(pools.find(pool))) }
  storagePoolDestroy(pool: StoragePoolRef): Promise<void> { return this.#call('storagePoolDestroy', ({ pools }) => pools.destroy(pools.find(pool))) }
  storagePoolDelete(pool: StoragePoolRef, flags: number): Promise<void> { return this.#call('storagePoolDelete', ({ pools }) => pools.delete(pools.find(pool), flags)) }
  storagePoolUndefine(pool: StoragePoolRef): Promise<void> { return this.#call('storagePoolUndefine', ({ pools }) => pools.undefine(pools.find(pool))) }
  storagePoolRefresh(pool: StoragePoolRef): Promise<void> { return this.#call('storagePoolRefresh', ({ pools }) => pools.refresh(pools.find(pool))) }

  storageVolLookupByName(pool: StoragePoolRef, name: string): Promise<StorageVolRef> {
    return this.#call('storageVolLookupByName', ({ pools }) => {
      const found = pools.find(pool)
      return pools.refOf(found, pools.volumeIn(found, name))
    })
  }
  storageVolLookupByKey(key: string): Promise<StorageVolRef> { return this.#call('storageVolLookupByKey', ({ pools }) => pools.byPath(key, 'key')) }
  storageVolLookupByPath(path: string): Promise<StorageVolRef> { return this.#call('storageVolLookupByPath', ({ pools }) => pools.byPath(path, 'path')) }
  storageVolGetXMLDesc(vol: StorageVolRef): Promise<string> { return this.#call('storageVolGetXMLDesc', ({ pools }) => pools.volume(vol).text) }
  storageVolGetInfo(vol: StorageVolRef): Promise<StorageVolInfo> { return this.#call('storageVolGetInfo', ({ pools }) => pools.volume(vol).info) }
  storageVolGetPath(vol: StorageVolRef): Promise<string> { return this.#call('storageVolGetPath', ({ pools }) => pools.volume(vol).path) }
  storageVolCreateXML(pool: StoragePoolRef, xml: string, flags: number): Promise<StorageVolRef> {
    return this.#call('storageVolCreateXML', ({ pools }) => {
      const found = pools.find(pool)
      return pools.refOf(found, pools.createVolume(found, xml, flags))
    })
  }
  storageVolCreateXMLFrom(pool: StoragePoolRef, xml: string, source: StorageVolRef, flags: number): Promise<StorageVolRef> {
    return this.#call('storageVolCreateXMLFrom', ({ pools }) => {
      const found = pools.find(pool)
      return pools.refOf(found, pools.clone(found, xml, source, flags))
    })
  }
  storageVolDelete(vol: StorageVolRef, flags: number): Promise<void> { return this.#call('storageVolDelete', ({ pools }) => pools.deleteVolume(vol, flags)) }
  storageVolResize(vol: StorageVolRef, capacity: number, flags: number): Promise<void> { return this.#call('storageVolResize', ({ pools }) => pools.resize(vol, capacity, flags)) }
  storageVolUpload(vol: StorageVolRef, offset: number, length: number, flags: number): Promise<UploadStream> { return this.#stream('storageVolUpload', uploadTo, vol, offset, length, flags) }
  storageVolDownload(vol: StorageVolRef, offset: number, length: number, flags: number): Promise<DownloadStream> { return this.#stream('storageVolDownload', downloadFrom, vol, offset, length, flags) }

  #stream<S>(procedure: 'storageVolUpload' | 'storageVolDownload', open: (parts: Parameters<typeof uploadTo>[0]) => S, vol: StorageVolRef, offset: number, length: number, flags: number): Promise<S> {
    return this.#call(procedure, ({ pools }) => {
      checkFlags(flags, 0, procedure)
      const volume = pools.volume(vol)
      volume.streams++
      return open({
        volume, offset, length,
        ended: () => { if (procedure === 'storageVolUpload') pools.streamEnded(vol, volume); else volume.streams-- },
        track: breaks => {
          this.#streams.add(breaks)
          return () => { this.#streams.delete(breaks) }
        },
      })
    })
  }
}
