// What the tests of the suite share: one connection, its events, and documents for the driver under test.

import type { Connection, DomainRef, DriverEvent, OpenOptions, NetworkRef, StoragePoolRef, StorageVolRef } from '../../drivers/driver.ts'
import { LibvirtError } from '../../drivers/errors.ts'
import type { Operation } from '../../drivers/test/faults.ts'
import { until } from '../support/until.ts'
import type { Event, Stage, Subject, Traits } from './subject.ts'

export class Bed {
  readonly subject: Subject
  #stage: Stage | undefined
  #connection: Connection | undefined
  #events: DriverEvent[] = []
  #names = 0

  constructor(subject: Subject) { this.subject = subject }

  get traits(): Traits { return this.subject.traits }
  has(operation: Operation): boolean { return !this.subject.lacks.has(operation) }
  get c(): Connection {
    if (this.#connection === undefined) throw new Error('the stage has not started')
    return this.#connection
  }

  async start(): Promise<void> {
    this.#stage = await this.subject.start()
    this.#connection = await this.open()
    this.#connection.onEvent(event => this.#events.push(event))
    const classes = await this.#connection.eventsRegister()
    if (!['domain', 'network', 'pool'].every(each => classes.has(each as DriverEvent['type']))) throw new Error(`the driver tells only of ${[...classes].join(', ')}`)
  }
  open(options: Partial<OpenOptions> = {}): Promise<Connection> { return this.#stage!.open(options) }
  async stop(): Promise<void> {
    await this.#connection?.close()
    await this.#stage?.[Symbol.asyncDispose]()
  }

  /** A name that no other test uses. */
  name(what: string): string { return `${what}-${this.#names++}` }

  domainXML(name: string, { uuid, devices = '', head = '', memory = 65_536, current = memory, vcpus = 1, maxVcpus = vcpus }: { uuid?: string; devices?: string; head?: string; memory?: number; current?: number; vcpus?: number; maxVcpus?: number } = {}): string {
    return `<domain type='${this.subject.domainType}'><name>${name}</name>${uuid === undefined ? '' : `<uuid>${uuid}</uuid>`}${head}<memory>${memory}</memory><currentMemory>${current}</currentMemory>`
      + `<vcpu current='${vcpus}'>${maxVcpus}</vcpu>${this.subject.os}<features><acpi/></features><devices>${devices}</devices></domain>`
  }
  define(name: string, options: Parameters<Bed['domainXML']>[1] = {}): Promise<DomainRef> { return this.c.domainDefineXMLFlags(this.domainXML(name, options), 0) }
  async running(what: string, options: Parameters<Bed['domainXML']>[1] = {}): Promise<DomainRef> { return await this.c.domainCreateWithFlags(await this.define(this.name(what), options), 0) }

  #octet = 10
  /** A network of its own addresses, with a bridge of its own. */
  networkXML(name: string, { uuid, inner = '', octet = this.#octet++ }: { uuid?: string; inner?: string; octet?: number } = {}): string {
    return `<network><name>${name}</name>${uuid === undefined ? '' : `<uuid>${uuid}</uuid>`}<forward mode='nat'/><bridge name='vc${octet}'/>${inner}`
      + `<ip address='192.168.${octet}.1' netmask='255.255.255.0'><dhcp><range start='192.168.${octet}.10' end='192.168.${octet}.99'/></dhcp></ip></network>`
  }
  poolXML(name: string, { uuid, path = `/var/lib/vireo/${name}` }: { uuid?: string; path?: string } = {}): string {
    return `<pool type='dir'><name>${name}</name>${uuid === undefined ? '' : `<uuid>${uuid}</uuid>`}<target><path>${path}</path></target></pool>`
  }
  volumeXML(name: string, capacity = 1_048_576, format = 'raw', inner = ''): string {
    return `<volume><name>${name}</name><capacity>${capacity}</capacity>${inner}<target><format type='${format}'/></target></volume>`
  }
  async network(what = 'net'): Promise<NetworkRef> {
    const net = await this.c.networkDefineXML(this.networkXML(this.name(what)))
    await this.c.networkCreate(net)
    return net
  }
  async pool(what = 'pool'): Promise<StoragePoolRef> {
    const pool = await this.c.storagePoolDefineXML(this.poolXML(this.name(what)))
    await this.c.storagePoolBuild(pool, 0)
    await this.c.storagePoolCreate(pool)
    return pool
  }
  #image: Promise<string> | undefined
  /** A disk that can hold snapshots; the same for all that ask. */
  image(): Promise<string> {
    return this.#image ??= (async () => {
      const { key } = await this.volume(await this.pool('image'), 'image', 1_048_576, 'qcow2')
      return `<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${key}'/><target dev='vda' bus='virtio'/></disk>`
    })()
  }
  volume(pool: StoragePoolRef, name: string, capacity?: number, format?: string): Promise<StorageVolRef> { return this.c.storageVolCreateXML(pool, this.volumeXML(name, capacity, format), 0) }

  /** Ends and forgets a domain, whatever its state. */
  async remove(dom: DomainRef): Promise<void> {
    await this.c.domainDestroyFlags(dom, 0).catch(onlyRefused)
    await this.c.domainUndefineFlags(dom, 3).catch(onlyRefused)
  }

  /** Every event that the calls so far brought about has arrived: a later one has. */
  async settle(): Promise<void> {
    const marker = await this.define(this.name('marker'))
    await this.c.domainUndefineFlags(marker, 0)
    await until('a later event arrives', () => this.#events.some(event => event.type === 'domain' && event.name === 'lifecycle' && event.dom.uuid === marker.uuid && event.event === 1), { everyMs: 2 })
  }
  /** The lifecycle events of one object, in order, once they have all arrived. */
  async lifecycle({ uuid }: { uuid: string }): Promise<Event[]> {
    await this.settle()
    return this.#events.flatMap(event => (event.name === 'lifecycle' && uuidOf(event) === uuid ? [[event.event, event.detail] as const] : []))
  }
  /** The names of its events beside the lifecycle. */
  async others({ uuid }: { uuid: string }): Promise<string[]> {
    await this.settle()
    return this.#events.flatMap(event => (event.name !== 'lifecycle' && uuidOf(event) === uuid ? [event.name] : []))
  }
  /** The aliases of devices that came or went, in order. */
  devices({ uuid }: { uuid: string }): string[] {
    return this.#events.flatMap(event => (event.type === 'domain' && (event.name === 'device-added' || event.name === 'device-removed') && event.dom.uuid === uuid ? [`${event.name === 'device-added' ? '+' : '-'}${event.devAlias}`] : []))
  }
  /** What happened so far is told by nobody any more: it has all arrived. */
  async forgetEvents(): Promise<void> {
    await this.settle()
    this.#events = []
  }
}

/** The UUID of what an event is about; node devices have none. */
function uuidOf(event: DriverEvent): string | undefined {
  switch (event.type) {
    case 'domain': return event.dom.uuid
    case 'network': return event.net.uuid
    case 'pool': return event.pool.uuid
    case 'secret': return event.secret.uuid
    case 'nodedev': case 'connection': return undefined
  }
}

const onlyRefused = (error: unknown): void => { if (!(error instanceof LibvirtError)) throw error }

/** The code with which libvirt refuses; anything but a refusal fails the test. */
export async function codeOf(call: Promise<unknown>): Promise<number> {
  const outcome = await call.then(value => ({ value }), (error: unknown) => ({ error }))
  if ('value' in outcome) throw new Error(`it was not refused but answered ${JSON.stringify(outcome.value)}`)
  if (!(outcome.error instanceof LibvirtError)) throw outcome.error
  return outcome.error.code
}
