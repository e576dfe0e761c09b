// A hypervisor's connection as Host sees it, scripted: what is there, what is refused, and when it answers.
import { expect, onTestFinished } from 'vitest'
import type { Connection, DomainRef, DriverEvent, OpenOptions } from '../../../drivers/driver.ts'
import { ConnectionLost, ErrorNumber, LibvirtError } from '../../../drivers/errors.ts'
import { Host } from '../../../observed/host.ts'
import type { HostState } from '../../../observed/state.ts'
import { FakeClock, settle } from '../../support/fakeclock.ts'

export const HOST = '4c4c4544-0000-4000-8000-000000000007'
export const OTHER = '4c4c4544-0000-4000-8000-000000000008'
export const A = '11111111-0000-5000-8000-000000000001'
export const B = '11111111-0000-5000-8000-000000000002'

export const refusal = (code: number, message: string): LibvirtError => new LibvirtError({ code, domain: 10, level: 2, message, procedure: 'scripted' })
const absent = (): LibvirtError => refusal(ErrorNumber.NO_DOMAIN, 'Domain not found')
const ref = (uuid: string): DomainRef => ({ name: uuid === A ? 'a' : 'b', uuid, id: -1 })
export const lifecycle = (uuid: string, event = 4): DriverEvent => ({ type: 'domain', name: 'lifecycle', dom: ref(uuid), event, detail: 0 })

/** A machine: what is defined on it, and how its daemon answers. */
export class Machine {
  uuid = HOST
  /** Title by UUID. */
  readonly domains = new Map<string, string>([[A, 'one']])
  /** UUIDs that a list leaves out although they are there. */
  readonly omitted = new Set<string>()
  /** What describing a domain fails with. */
  readonly broken = new Map<string, Error>()
  /** Held before it is answered; the test lets it go. */
  gate: Promise<void> | undefined
  listGate: Promise<void> | undefined
  down = false
  capabilitiesFail: Error | undefined
  pools: { name: string; uuid: string }[] = []
  /** What every look at storage fails with. */
  storageFails: Error | undefined
  readonly reads: string[] = []
  readonly calls: string[] = []
  readonly connections: Scripted[] = []

  /** What each connection was asked for with. */
  readonly asked: OpenOptions[] = []
  /** Held before a connection is there. */
  openGate: Promise<void> | undefined
  openFails: Error | undefined

  open = async (_uri: string, options: OpenOptions): Promise<Connection> => {
    this.asked.push(options)
    await settle()
    options.onProgress?.('Authenticating')
    if (this.openFails !== undefined) throw this.openFails
    if (this.openGate !== undefined) await Promise.race([this.openGate, new Promise((_resolve, reject) => { options.signal!.addEventListener('abort', () => { reject(options.signal!.reason as Error) }) })])
    if (this.down) throw new ConnectionLost('the host cannot be reached: connection refused')
    const connection = new Scripted(this)
    this.connections.push(connection)
    return connection as unknown as Connection
  }
  get latest(): Scripted { return this.connections.at(-1)! }
}

/** The few methods that Host calls. */
class Scripted {
  readonly #machine: Machine
  readonly #ended = Promise.withResolvers<Error>()
  #over: Error | undefined
  handler: ((event: DriverEvent) => void) | undefined
  constructor(machine: Machine) { this.#machine = machine }

  get closed(): Promise<Error> { return this.#ended.promise }
  get isOver(): boolean { return this.#over !== undefined }
  pending = 0
  breakDown(reason = new ConnectionLost('the host gave no sign of life')): void {
    this.#over ??= reason
    this.#ended.resolve(reason)
  }
  async close(): Promise<void> { this.breakDown(new ConnectionLost('it was closed on this side')) }

  async #answer<T>(call: string, value: () => T, gate = this.#machine.gate): Promise<T> {
    this.#machine.calls.push(call)
    if (this.#over) throw this.#over
    if (gate !== undefined) await Promise.race([gate, this.#ended.promise])
    if (this.#over) throw this.#over
    return value()
  }
  #title(uuid: string): string {
    const broken = this.#machine.broken.get(uuid)
    if (broken !== undefined) throw broken
    const title = this.#machine.domains.get(uuid)
    if (title === undefined) throw absent()
    return title
  }

  onEvent(handler: (event: DriverEvent) => void): void { this.handler = handler }
  eventsRegister = async (): Promise<Set<string>> => await this.#answer('eventsRegister', () => new Set(['domain', 'network', 'pool']))
  connectGetType = async (): Promise<string> => await this.#answer('connectGetType', () => 'QEMU', undefined)
  connectGetHostname = async (): Promise<string> => await this.#answer('connectGetHostname', () => 'kvm7', undefined)
  connectGetLibVersion = async (): Promise<number> => await this.#answer('connectGetLibVersion', () => 9_000_000, undefined)
  connectGetVersion = async (): Promise<number> => await this.#answer('connectGetVersion', () => 7_002_009, undefined)
  nodeGetInfo = async (): Promise<object> => await this.#answer('nodeGetInfo', () => ({ cpus: 2, memory: 1024 }), undefined)
  connectGetCapabilities = async (): Promise<string> => await this.#answer('connectGetCapabilities', () => {
    if (this.#machine.capabilitiesFail) throw this.#machine.capabilitiesFail
    return `<capabilities><host><uuid>${this.#machine.uuid}</uuid></host></capabilities>`
  }, undefined)
  connectListAllDomains = async (): Promise<DomainRef[]> => {
    const listed = [...this.#machine.domains.keys()].filter(uuid => !this.#machine.omitted.has(uuid)).map(ref)
    return await this.#answer('connectListAllDomains', () => listed, this.#machine.listGate)
  }
  connectListAllNetworks = async (): Promise<never[]> => await this.#answer('connectListAllNetworks', () => [], undefined)
  connectListAllStoragePools = async (): Promise<object[]> => await this.#storage('connectListAllStoragePools', () => this.#machine.pools)
  storagePoolIsActive = async (): Promise<boolean> => await this.#storage('storagePoolIsActive', () => false)
  storagePoolGetAutostart = async (): Promise<boolean> => await this.#storage('storagePoolGetAutostart', () => false)
  storagePoolGetXMLDesc = async (): Promise<string> => await this.#storage('storagePoolGetXMLDesc', () => '<pool type="netfs"/>')
  storagePoolGetInfo = async (): Promise<object> => await this.#storage('storagePoolGetInfo', () => ({ state: 0, capacity: 0, allocation: 0, available: 0 }))
  storagePoolLookupByUUID = async (uuid: string): Promise<object | undefined> => await this.#storage('storagePoolLookupByUUID', () => this.#machine.pools.find(pool => pool.uuid === uuid))
  #storage = async <T>(call: string, value: () => T): Promise<T> => await this.#answer(call, () => {
    if (this.#machine.storageFails) throw this.#machine.storageFails
    return value()
  }, undefined)
  domainGetState = async (dom: DomainRef): Promise<object> => {
    this.#machine.reads.push(dom.uuid)
    return await this.#answer('domainGetState', () => { this.#title(dom.uuid); return { state: 5, reason: 0 } })
  }
  domainGetXMLDesc = async (dom: DomainRef): Promise<string> => {
    const now = this.#machine.domains.get(dom.uuid)
    return await this.#answer('domainGetXMLDesc', () => { this.#title(dom.uuid); return `<domain><name>${dom.uuid}</name><title>${now}</title><devices/></domain>` })
  }
  domainGetAutostart = async (): Promise<boolean> => await this.#answer('domainGetAutostart', () => false)
  domainIsPersistent = async (): Promise<boolean> => await this.#answer('domainIsPersistent', () => true)
}

export const title = (host: Host, uuid: string): string | undefined => /<title>(.*)<\/title>/.exec(host.mirror.domain(uuid)?.inactive ?? '')?.[1]

export function start(machine: Machine, expectedUUID?: string, uri = 'qemu:///system'): { host: Host; clock: FakeClock; states: HostState[] } {
  const clock = new FakeClock()
  const host = new Host({
    uri, open: machine.open, clock, expectedUUID,
    maxConnections: 2, callTimeout: 30_000, keepAliveInterval: 5_000, keepAliveCount: 3, pollInterval: 30_000, relistInterval: 600_000,
  })
  const states: HostState[] = []
  host.onState((state, again) => { if (!again) states.push(state) })
  host.start()
  onTestFinished(async () => { await host.close() })
  return { host, clock, states }
}

/** Lets everything settle that needs no time. */
export const rest = async (): Promise<void> => { for (let i = 0; i < 20; i++) await settle() }

export async function opened(machine = new Machine(), expectedUUID?: string): Promise<ReturnType<typeof start> & { machine: Machine }> {
  const started = start(machine, expectedUUID)
  await rest()
  expect(started.host.state).toBe('Open')
  return { ...started, machine }
}
/** A whole interval of relisting passes. */
export const relist = async (clock: FakeClock): Promise<void> => { await clock.advance(660_000); await rest() }
/** As long as any backoff of the connection. */
export const reconnect = async (clock: FakeClock): Promise<void> => { await clock.advance(36_000); await rest() }
