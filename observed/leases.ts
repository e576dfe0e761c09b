// DHCP leases have no event: asks the networks of running guests for them, often while an address is awaited, rarely otherwise.

import type { Clock, Timer } from '../clock/clock.ts'
import type { Connection, DhcpLease } from '../drivers/driver.ts'
import { isAbsent, isUnsupported } from '../drivers/errors.ts'
import { parsed } from '../xml/parsed.ts'
import { childrenOf, childOf } from '../xml/tree.ts'
import type { HostState } from './state.ts'
import { type HostView, type ObservedChange, idOf } from './mirror.ts'
import { type ObservedDomain, isActive } from './objects.ts'
import { Patience } from './patience.ts'

/** What is asked of a Host. */
export interface LeaseHost {
  readonly state: HostState
  readonly mirror: HostView & { onChange(handler: (change: ObservedChange) => void): void }
  onState(handler: (state: HostState) => void): void
  use(): Pick<Connection, 'networkGetDHCPLeases'>
}

/** While an address is awaited a network is asked each second for two minutes, then ever more rarely; without need once a minute. All in ms. */
const EVERY = { awaited: 1_000, last: 60_000 }
const AWAITED_FOR = 120_000

interface Watched {
  /** MAC addresses of running guests, by the mirror's id of the guest. */
  guests: Map<string, Set<string>>
  leases: Map<string, DhcpLease[]>
  patience: Patience
  timer?: Timer
  /** When the timer is due, ms. */
  due: number
  asking: boolean
}

export class LeaseWatch {
  readonly #host: LeaseHost
  readonly #clock: Clock
  readonly #networks = new Map<string, Watched>()
  readonly #handlers: ((macs: Set<string>) => void)[] = []
  /** The driver knows no leases; asked anew on the next connection. */
  #unsupported = false
  #closed = false

  constructor({ host, clock }: { host: LeaseHost; clock: Clock }) {
    this.#host = host
    this.#clock = clock
    host.mirror.onChange(change => { this.#observe(change) })
    host.onState(state => { this.#enter(state) })
    for (const domain of host.mirror.domains()) this.#guest(domain)
  }

  /** The addresses that a network has leased to an interface. */
  leasesFor(mac: string, network: string): DhcpLease[] {
    return this.#networks.get(network)?.leases.get(mac.toLowerCase()) ?? []
  }

  /** Called with the MAC addresses whose leases came, changed or went. */
  onChange(handler: (macs: Set<string>) => void): void {
    this.#handlers.push(handler)
  }

  close(): void {
    this.#closed = true
    for (const watched of this.#networks.values()) this.#sleep(watched)
  }

  #enter(state: HostState): void {
    if (state !== 'Open') {
      for (const watched of this.#networks.values()) this.#sleep(watched)
      return
    }
    this.#unsupported = false
    for (const [network, watched] of this.#networks) this.#await(network, watched, 0)
  }

  #observe(change: ObservedChange): void {
    const { object } = change
    if (object.kind === 'domain') this.#guest(object, change.type === 'gone' ? 'gone' : change.before as ObservedDomain | undefined)
    else if (object.kind === 'network') {
      const watched = this.#networks.get(object.ref.name)
      if (watched === undefined) return
      // A network that was started, or given DHCP, has guests that wait; one that was stopped answers nothing.
      if (change.type === 'gone' || !this.#serves(object.ref.name)) this.#sleep(watched)
      else if (watched.timer === undefined && !watched.asking) this.#await(object.ref.name, watched)
    }
  }

  /** Enters a guest's interfaces under their networks; a start, a new interface or a link that came up awaits an address. */
  #guest(domain: ObservedDomain, before?: ObservedDomain | 'gone'): void {
    const id = idOf.domain(domain.ref.uuid)
    const running = before !== 'gone' && isActive(domain)
    const was = typeof before === 'object' && isActive(before) ? before : undefined
    if (running && was?.live === domain.live) return
    const present = running ? networksOf(domain) : new Map<string, Set<string>>()
    for (const [network, watched] of this.#networks) if (!present.has(network)) this.#leave(network, watched, id)
    const raised = running && was !== undefined ? linksRaised(was.live!, domain.live!) : new Set<string>()
    for (const [network, macs] of present) {
      const watched = this.#watched(network)
      const known = watched.guests.get(id)
      watched.guests.set(id, macs)
      const fresh = [...macs].some(mac => known?.has(mac) !== true || raised.has(mac))
      if (fresh || was?.ref.id !== domain.ref.id) this.#await(network, watched)
    }
  }

  #watched(network: string): Watched {
    const known = this.#networks.get(network)
    if (known !== undefined) return known
    const watched: Watched = { guests: new Map(), leases: new Map(), patience: new Patience(this.#clock, { often: AWAITED_FOR, last: EVERY.last }), due: 0, asking: false }
    this.#networks.set(network, watched)
    return watched
  }

  #leave(network: string, watched: Watched, id: string): void {
    if (!watched.guests.delete(id) || watched.guests.size > 0) return
    this.#sleep(watched)
    this.#networks.delete(network)
  }

  /** Asks each second from now on while an address is missing. */
  #await(network: string, watched: Watched, first: number = EVERY.awaited): void {
    watched.patience.begin()
    // A question that comes sooner stays: a stream of starts must not put it off for ever.
    if (watched.asking || (watched.timer !== undefined && watched.due <= this.#clock.now() + first)) return
    this.#sleep(watched)
    this.#askIn(network, watched, first)
  }

  #sleep(watched: Watched): void {
    watched.timer?.cancel()
    watched.timer = undefined
  }

  /** An active network that gives out addresses. */
  #serves(network: string): boolean {
    return this.#host.mirror.networkByName(network)?.live?.includes('<dhcp>') === true
  }

  #askIn(network: string, watched: Watched, ms: number): void {
    if (this.#closed || this.#unsupported || this.#host.state !== 'Open' || !this.#serves(network)) return
    watched.due = this.#clock.now() + ms
    watched.timer = this.#clock.setTimeout(() => { void this.#ask(network, watched) }, ms)
  }

  async #ask(network: string, watched: Watched): Promise<void> {
    watched.timer = undefined
    const observed = this.#host.mirror.networkByName(network)
    if (observed === undefined) return
    watched.asking = true
    try {
      this.#take(watched, await this.#host.use().networkGetDHCPLeases(observed.ref))
    } catch (error) {
      if (isUnsupported(error)) this.#unsupported = true
      if (isAbsent(error, 'network') || isUnsupported(error)) return
      // Anything else is asked again in its time; a lost connection ends the asking until the host is Open again.
    } finally {
      watched.asking = false
    }
    if (this.#networks.get(network) === watched && watched.timer === undefined) this.#askIn(network, watched, this.#next(watched))
  }

  /** How long until the next question, ms. */
  #next(watched: Watched): number {
    const missing = [...watched.guests.values()].some(macs => [...macs].some(mac => !watched.leases.has(mac)))
    if (missing) return watched.patience.next()
    watched.patience.rest()
    return EVERY.last
  }

  /** Takes an answer whole, and tells whose addresses differ from before. */
  #take(watched: Watched, answer: DhcpLease[]): void {
    const leases = new Map<string, DhcpLease[]>()
    for (const lease of answer) {
      if (lease.mac === null) continue
      const mac = lease.mac.toLowerCase()
      const list = leases.get(mac)
      if (list) list.push(lease)
      else leases.set(mac, [lease])
    }
    const before = watched.leases
    watched.leases = leases
    const changed = new Set<string>()
    for (const mac of new Set([...before.keys(), ...leases.keys()])) if (addresses(before.get(mac)) !== addresses(leases.get(mac))) changed.add(mac)
    if (changed.size > 0) for (const handler of this.#handlers) handler(changed)
  }
}

/** A renewal is no change. */
const addresses = (leases: DhcpLease[] = []): string => leases.map(({ ipaddr, prefix }) => `${ipaddr}/${prefix}`).toSorted().join(' ')

function networksOf(domain: ObservedDomain): Map<string, Set<string>> {
  const networks = new Map<string, Set<string>>()
  for (const { network, mac } of domain.interfaces) {
    if (network === undefined || mac === '') continue
    const macs = networks.get(network)
    if (macs) macs.add(mac)
    else networks.set(network, new Set([mac]))
  }
  return networks
}

const LINK_DOWN = /<link [^>]*state=['"]down/

/** Interfaces whose link was down in the first document and is not in the second. */
function linksRaised(before: string, after: string): Set<string> {
  if (!LINK_DOWN.test(before)) return new Set()
  const still = linksDown(after)
  return new Set([...linksDown(before)].filter(mac => !still.has(mac)))
}

function linksDown(document: string): Set<string> {
  if (!LINK_DOWN.test(document)) return new Set()
  const down = childrenOf(childOf(parsed(document), 'devices'), 'interface').filter(nic => childOf(nic, 'link')?.attributes.state === 'down')
  return new Set(down.map(nic => childOf(nic, 'mac')?.attributes.address?.toLowerCase() ?? ''))
}
