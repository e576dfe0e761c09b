// What no document holds and no event tells of running guests: names and addresses by their agents, other addresses by the host's ARP table.

import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../clock/clock.ts'
import { AddressSource, type Connection, type DomainRef, type DriverEvent, GuestInfoTypes } from '../drivers/driver.ts'
import { CallTimeout, ErrorNumber, LibvirtError } from '../drivers/errors.ts'
import { parsed } from '../xml/parsed.ts'
import { childOf, childrenOf } from '../xml/tree.ts'
import { Aside } from './aside.ts'
import { type GuestAddress, type GuestFacts, addressesByMac, hostnameIn, osIn } from './told.ts'
import type { HostState } from './state.ts'
import type { HostView, ObservedChange } from './mirror.ts'
import { type InterfaceFacts, type ObservedDomain, agentConnected, interfaceFacts, isActive } from './objects.ts'
import { Patience } from './patience.ts'
import { Questions } from './questions.ts'

type Asked = Pick<Connection, 'domainInterfaceAddresses' | 'domainGetGuestInfo' | 'closed' | 'close'>

/** What is asked of a Host. */
export interface GuestHost {
  readonly state: HostState
  readonly mirror: HostView & { onChange(handler: (change: ObservedChange) => void): void }
  onState(handler: (state: HostState) => void): void
  onEvent(handler: (event: DriverEvent) => void): void
  use(): Pick<Connection, 'domainInterfaceAddresses'>
  openFurther(settings: { callTimeout: number }): Promise<Asked>
}

export interface GuestWatchOptions {
  host: GuestHost
  clock: Clock
  /** True where the DHCP server of the network (libvirt's name) leased an address to the interface. */
  leased: (mac: string, network: string) => boolean
  /** How often what is known is asked for again, ms. */
  again: number
}

/** libvirt itself gives an agent 5 s to take a command; one that takes it and then says nothing is waited for by nobody but the daemon. */
const AGENT_DEADLINE = 7_000
/** Each agent that hangs so keeps one of the daemon's workers, of which there are 20: when so many do, no other is asked. */
const HUNG_AT_MOST = 6
/** The host's ARP table is asked for each second for two minutes, then ever more rarely up to a minute. All in ms. */
const ARP = { first: 1_000, often: 120_000, last: 60_000 }

/** VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED. */
const CONNECTED = 1

/** One run of one guest. */
interface Guest {
  dom: DomainRef
  live: string
  /** Its interfaces whose link is up. */
  nics: InterfaceFacts[]
  /** The agent holds its end of the channel open. */
  agent: boolean
  /** When the agent told its names, ms. */
  namedAt?: number
  hostname?: string
  os?: string
  byAgent: Map<string, GuestAddress[]>
  byARP: Map<string, GuestAddress[]>
  patience: { agent: Patience; arp: Patience }
}

export class GuestWatch {
  readonly #options: GuestWatchOptions
  /** By UUID. */
  readonly #guests = new Map<string, Guest>()
  /** How many interfaces of running guests have a MAC address. */
  readonly #macs = new Map<string, number>()
  readonly #handlers: ((uuid: string) => void)[] = []
  readonly #aside: Aside<Asked>
  readonly #agents: Questions
  readonly #arp: Questions
  /** Guests whose agent took a command and never answered. */
  readonly #hung = new Set<string>()
  /** The host cannot tell its ARP table: nobody is asked about before (ms). */
  #withoutARP = -Infinity

  constructor(options: GuestWatchOptions) {
    this.#options = options
    const { host, clock } = options
    this.#aside = new Aside(() => host.openFurther({ callTimeout: AGENT_DEADLINE }), clock)
    this.#agents = new Questions({ clock, atOnce: 3, ask: uuid => this.#askAgent(uuid) })
    this.#arp = new Questions({ clock, atOnce: 1, ask: uuid => this.#askARP(uuid) })
    host.mirror.onChange(({ type, object }) => {
      if (object.kind !== 'domain') return
      if (type === 'gone' || !isActive(object)) this.#forget(object.ref.uuid)
      else this.#observe(object)
    })
    host.onState(state => { this.#enter(state) })
    host.onEvent(event => {
      // An agent that was restarted may be back before the domain was read without it.
      if (event.type === 'domain' && event.name === 'agent-lifecycle' && event.state === CONNECTED && this.#guests.get(event.dom.uuid)?.agent) this.#connected(event.dom.uuid)
    })
    for (const domain of host.mirror.domains()) if (isActive(domain)) this.#observe(domain)
  }

  /** Undefined while the guest is off. */
  factsOf(uuid: string): GuestFacts | undefined {
    return this.#guests.get(uuid)
  }

  /** Called with the UUID of a guest of which something else is known than before. */
  onChange(handler: (uuid: string) => void): void {
    this.#handlers.push(handler)
  }

  close(): void {
    this.#agents.dropAll()
    this.#arp.dropAll()
    this.#aside.close()
  }

  #enter(state: HostState): void {
    if (state !== 'Open') return this.close()
    this.#withoutARP = -Infinity
    for (const [uuid, guest] of this.#guests) {
      if (guest.agent) this.#connected(uuid)
      this.#awaitARP(uuid, guest)
    }
  }

  #observe({ ref, live }: ObservedDomain): void {
    const { clock, again } = this.#options
    const before = this.#guests.get(ref.uuid)
    const same = before?.dom.id === ref.id ? before : undefined
    if (same?.live === live) return
    if (same === undefined) this.#forget(ref.uuid)
    const guest: Guest = same ?? {
      dom: ref, live: '', nics: [], agent: false, byAgent: new Map(), byARP: new Map(),
      patience: { agent: new Patience(clock, { often: 0, last: again }), arp: new Patience(clock, ARP) },
    }
    this.#guests.set(ref.uuid, guest)
    const known = new Set(guest.nics.map(({ mac }) => mac))
    const hadAgent = guest.agent
    this.#count(guest, -1)
    Object.assign(guest, { dom: ref, live, ...interestingOf(live!) })
    this.#count(guest, 1)
    const more = guest.nics.some(({ mac }) => !known.has(mac))
    if (hadAgent && !guest.agent) this.#disconnected(ref.uuid, guest)
    else if (guest.agent && (!hadAgent || more)) this.#connected(ref.uuid)
    if (more) this.#awaitARP(ref.uuid, guest)
  }

  #count({ nics }: Guest, by: 1 | -1): void {
    for (const { mac } of nics) this.#macs.set(mac, (this.#macs.get(mac) ?? 0) + by)
    for (const { mac } of nics) if (this.#macs.get(mac) === 0) this.#macs.delete(mac)
  }

  #forget(uuid: string): void {
    const guest = this.#guests.get(uuid)
    if (guest !== undefined) this.#count(guest, -1)
    this.#guests.delete(uuid)
    this.#hung.delete(uuid)
    this.#agents.drop(uuid)
    this.#arp.drop(uuid)
  }

  /** The agent has news: what it said before is asked for anew. */
  #connected(uuid: string): void {
    const guest = this.#guests.get(uuid)!
    guest.namedAt = undefined
    guest.patience.agent.begin()
    if (this.#options.host.state === 'Open') this.#agents.ask(uuid, 0)
  }

  /** What the agent said need not be true any more; what else can be known is asked for. */
  #disconnected(uuid: string, guest: Guest): void {
    this.#agents.drop(uuid)
    // The daemon gives up what it waits for.
    this.#hung.delete(uuid)
    this.#take(uuid, guest, { hostname: undefined, os: undefined, byAgent: new Map<string, GuestAddress[]>() })
    this.#awaitARP(uuid, guest)
  }

  #awaitARP(uuid: string, guest: Guest): void {
    guest.patience.arp.begin()
    if (this.#options.host.state === 'Open' && guest.nics.length > 0) this.#arp.ask(uuid, ARP.first)
  }

  #take(uuid: string, guest: Guest, facts: Partial<Guest>): void {
    const before = factsIn(guest)
    Object.assign(guest, facts)
    if (!isDeepStrictEqual(before, factsIn(guest))) for (const handler of this.#handlers) handler(uuid)
  }

  /** What another network leased to the same MAC address is another's. */
  #isLeased({ mac, network }: InterfaceFacts): boolean {
    return network !== undefined && this.#options.leased(mac, network)
  }

  /** Nothing but the agent, or a lease, tells an address of these. */
  #lacksAddress({ nics, byAgent }: Guest): boolean {
    return nics.some(nic => !byAgent.has(nic.mac) && !this.#isLeased(nic))
  }

  async #askAgent(uuid: string): Promise<number | undefined> {
    const { clock, again } = this.#options
    const guest = this.#guests.get(uuid)
    if (guest?.agent !== true) return undefined
    if (this.#hung.size >= HUNG_AT_MOST && !this.#hung.has(uuid)) return again
    const named = guest.namedAt !== undefined && clock.now() - guest.namedAt < again
    try {
      const facts = await this.#aside.use(async connection => {
        const answer = await unlessLacking(connection.domainInterfaceAddresses(guest.dom, AddressSource.AGENT))
        const byAgent = addressesByMac(answer ?? [], new Set(guest.nics.map(({ mac }) => mac)), 'Agent')
        if (named) return { byAgent }
        const hostname = hostnameIn(await unlessLacking(connection.domainGetGuestInfo(guest.dom, GuestInfoTypes.HOSTNAME)))
        return { byAgent, hostname, os: osIn(await unlessLacking(connection.domainGetGuestInfo(guest.dom, GuestInfoTypes.OS))), namedAt: clock.now() }
      })
      if (this.#guests.get(uuid) !== guest || !guest.agent) return undefined
      this.#hung.delete(uuid)
      this.#take(uuid, guest, facts)
    } catch (error) {
      if (!(error instanceof CallTimeout)) return guest.patience.agent.next()
      if (this.#guests.get(uuid) === guest && guest.agent) this.#hung.add(uuid)
      // The call keeps its place on the connection for as long as the daemon waits.
      this.#aside.close()
      return again
    }
    if (this.#lacksAddress(guest)) return guest.patience.agent.next()
    guest.patience.agent.rest()
    return again
  }

  /**
   * Interfaces on bridges for which no DHCP server of libvirt's answers, and of which nobody else knows. The table is the whole
   * host's: of a MAC address that two guests have it does not say whose the address is.
   */
  #onlyARPTells(guest: Guest): string[] {
    const { mirror } = this.#options.host
    const bridged = ({ type, network }: InterfaceFacts): boolean => {
      if (network === undefined) return type === 'bridge'
      const observed = mirror.networkByName(network)
      return observed?.bridge !== undefined && observed.live?.includes('<dhcp>') !== true
    }
    return guest.nics.filter(nic => !guest.byAgent.has(nic.mac) && !this.#isLeased(nic) && bridged(nic) && this.#macs.get(nic.mac) === 1).map(({ mac }) => mac)
  }

  async #askARP(uuid: string): Promise<number | undefined> {
    const { host, clock, again } = this.#options
    const guest = this.#guests.get(uuid)
    if (guest === undefined || this.#onlyARPTells(guest).length === 0) return undefined
    if (this.#withoutARP > clock.now()) return this.#withoutARP - clock.now()
    try {
      const answer = await host.use().domainInterfaceAddresses(guest.dom, AddressSource.ARP)
      if (this.#guests.get(uuid) !== guest) return undefined
      this.#take(uuid, guest, { byARP: addressesByMac(answer, new Set(this.#onlyARPTells(guest)), 'ARP') })
    } catch (error) {
      if (!(error instanceof LibvirtError) || SILENT.has(error.code)) return guest.patience.arp.next()
      // It is the same table for every guest.
      this.#withoutARP = clock.now() + again
      return again
    }
    if (this.#onlyARPTells(guest).some(mac => !guest.byARP.has(mac))) return guest.patience.arp.next()
    guest.patience.arp.rest()
    return again
  }
}

/** The agent, or the guest, is not in a state to answer anything. */
const SILENT = new Set<number>([ErrorNumber.AGENT_UNRESPONSIVE, ErrorNumber.OPERATION_INVALID, ErrorNumber.OPERATION_TIMEOUT, ErrorNumber.NO_DOMAIN])

/** Undefined where the agent answers, but not this: old ones lack commands, and a guest's owner may forbid some. */
async function unlessLacking<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof LibvirtError && !SILENT.has(error.code)) return undefined
    throw error
  }
}

const factsIn = ({ hostname, os, byAgent, byARP }: GuestFacts): GuestFacts => ({ hostname, os, byAgent, byARP })

/** What of a live document decides whether, and whom, to ask. */
function interestingOf(live: string): Pick<Guest, 'nics' | 'agent'> {
  if (!live.includes('<interface ') && !live.includes('org.qemu.guest_agent.0')) return { nics: [], agent: false }
  const document = parsed(live)
  const down = new Set(childrenOf(childOf(document, 'devices'), 'interface').filter(nic => childOf(nic, 'link')?.attributes.state === 'down').map(nic => childOf(nic, 'mac')?.attributes.address?.toLowerCase()))
  return { nics: interfaceFacts(document).filter(({ mac }) => mac !== '' && !down.has(mac)), agent: agentConnected(document) }
}
