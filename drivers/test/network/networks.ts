// All networks of a host, and the leases that running guests hold on them.

import type { Clock } from '../../../clock/clock.ts'
import { Affect, type DhcpLease, type NetworkRef } from '../../driver.ts'
import { ErrorNumber } from '../../errors.ts'
import { attributeOf, childOf, childrenOf, el, type XmlElement } from '../../../xml/tree.ts'
import { StoredDocument, type Document } from '../document.ts'
import type { Hub } from '../hub.ts'
import { From, Refusal, checkFlags, failed, internal, invalid } from '../refusal.ts'
import { normalUUID } from '../values.ts'
import { addressOf, blockOf, numberOf, overlaps } from './addresses.ts'
import { bridgeOf, modeOf, readNetwork } from './definition.ts'
import { updateSection } from './update.ts'

/** dnsmasq's own default. */
const LEASE_SECONDS = 3600

export class Network {
  readonly uuid: string
  readonly name: string
  /** What the next start takes; null for a transient network. */
  config: Document | null = null
  /** What runs. */
  live: Document | null = null
  autostart = false
  /** By MAC address. */
  readonly leases = new Map<string, DhcpLease>()
  /** Those that are leased. */
  readonly addresses = new Set<string>()

  constructor(uuid: string, name: string) {
    this.uuid = uuid
    this.name = name
  }

  get active(): boolean { return this.live !== null }
  get persistent(): boolean { return this.config !== null }
  get current(): Document { return this.live ?? this.config! }
  get ref(): NetworkRef { return { name: this.name, uuid: this.uuid } }
}

export function bridgeName({ current, name }: Network): string {
  const bridge = bridgeOf(current)
  if (bridge === undefined) throw internal(`network '${name}' does not have a bridge name.`, From.NETWORK)
  return bridge
}

const missing = (what: string): Refusal => new Refusal(ErrorNumber.NO_NETWORK, From.NETWORK, `Network not found: no network with matching ${what}`)

export class Networks {
  readonly #hub: Hub
  readonly #clock: Clock
  readonly #byUUID = new Map<string, Network>()
  readonly #byName = new Map<string, Network>()

  constructor(hub: Hub, clock: Clock) {
    this.#hub = hub
    this.#clock = clock
  }

  values(): Iterable<Network> { return this.#byUUID.values() }

  find({ uuid, name }: { uuid: string; name?: string }): Network {
    const found = this.#byUUID.get(normalUUID(uuid) ?? '')
    if (found === undefined) throw missing(`uuid '${uuid}'${name === undefined ? '' : ` (${name})`}`)
    return found
  }

  findByName(name: string): Network {
    const found = this.#byName.get(name)
    if (found === undefined) throw missing(`name '${name}'`)
    return found
  }

  text(network: Network, flags: number): string {
    checkFlags(flags, 1, 'networkGetXMLDesc')
    return ((flags & 1) !== 0 && network.config !== null ? network.config : network.current).text
  }

  define(text: string): Network {
    return this.place(readNetwork(text, () => this.freeBridge()))
  }

  /** Starts a network that is not defined, or one run of one that is. */
  createXML(text: string): Network {
    const { name, uuid, document } = readNetwork(text, () => this.freeBridge())
    const known = this.#match(uuid, name, document)
    if (known?.active) throw invalid(`network '${name}' is already active as uuid ${uuid}`, From.NETWORK)
    const network = known ?? new Network(uuid, name)
    this.#start(network, document)
    this.#byUUID.set(uuid, network)
    this.#byName.set(name, network)
    return network
  }

  place({ name, uuid, document }: { name: string; uuid: string; document: Document }): Network {
    const network = this.#match(uuid, name, document) ?? new Network(uuid, name)
    network.config = document
    this.#byUUID.set(uuid, network)
    this.#byName.set(name, network)
    this.#emit(network, 0)
    return network
  }

  /** The network that the document is about; rejects where its name, UUID or bridge is another's. */
  #match(uuid: string, name: string, document: Document): Network | undefined {
    const known = this.#byUUID.get(uuid)
    if (known !== undefined && known.name !== name) throw failed(`network '${known.name}' is already defined with uuid ${uuid}`, From.NETWORK)
    const namesake = this.#byName.get(name)
    if (namesake !== undefined && namesake !== known) throw failed(`network '${name}' already exists with uuid ${namesake.uuid}`, From.NETWORK)
    const bridge = bridgeOf(document)
    if (bridge !== undefined && modeOf(document.tree) !== 'bridge') for (const other of this.values()) if (other !== known && bridgeOf(other.current) === bridge) throw internal(`bridge name '${bridge}' already in use.`, From.NETWORK)
    return known
  }

  /** A name for a bridge that has none. */
  freeBridge(): string {
    const taken = new Set([...this.values()].map(network => bridgeOf(network.current)))
    let at = 0
    while (taken.has(`virbr${at}`)) at++
    return `virbr${at}`
  }

  create(network: Network): void {
    if (network.active) throw invalid('network is already active', From.NETWORK)
    this.#start(network, network.config!)
  }

  #start(network: Network, definition: Document): void {
    const tree = definition.copy()
    const blocks = childrenOf(tree, 'ip').flatMap(ip => blockOf(ip) ?? [])
    for (const other of this.values()) {
      if (!other.active) continue
      const clash = childrenOf(other.live!.tree, 'ip').flatMap(ip => blockOf(ip) ?? []).some(theirs => blocks.some(ours => overlaps(ours, theirs)))
      if (clash) throw internal(`Network is already in use by interface ${bridgeOf(other.live!)}`, From.NONE)
    }
    const forward = childOf(tree, 'forward')
    if (modeOf(tree) === 'nat' && childOf(forward, 'nat') === undefined) forward!.children.push(el('nat', {}, el('port', { start: '1024', end: '65535' })))
    network.live = new StoredDocument(tree)
    this.#emit(network, 2)
  }

  /** Guests on it run on, without a network. */
  destroy(network: Network): void {
    if (!network.active) throw invalid(`network '${network.name}' is not active`, From.NETWORK)
    network.live = null
    network.leases.clear()
    network.addresses.clear()
    if (network.config === null) this.#remove(network)
    this.#emit(network, 3)
  }

  undefine(network: Network): void {
    network.config = null
    network.autostart = false
    if (!network.active) this.#remove(network)
    this.#emit(network, 1)
  }

  #remove(network: Network): void {
    this.#byUUID.delete(network.uuid)
    this.#byName.delete(network.name)
  }

  setAutostart(network: Network, autostart: boolean): void {
    if (network.config === null) throw invalid('cannot set autostart for transient network', From.NETWORK)
    network.autostart = autostart
  }

  update(network: Network, command: number, section: number, index: number, text: string, flags: number): void {
    checkFlags(flags, Affect.LIVE | Affect.CONFIG, 'networkUpdate')
    const asked = flags === Affect.CURRENT ? (network.active ? Affect.LIVE : Affect.CONFIG) : flags
    if ((asked & Affect.LIVE) !== 0 && !network.active) throw invalid('network is not running', From.NETWORK)
    if ((asked & Affect.CONFIG) !== 0 && network.config === null) throw invalid('transient network does not have persistent config', From.NETWORK)
    const edited = (document: Document): Document => {
      const tree = document.copy()
      updateSection(tree, network.name, command, section, index, text)
      return new StoredDocument(tree)
    }
    const config = (asked & Affect.CONFIG) === 0 ? network.config : edited(network.config!)
    const live = (asked & Affect.LIVE) === 0 ? network.live : edited(network.live!)
    network.config = config
    network.live = live
  }

  /** A guest's interface asks for its address: the one that is set down for it, or the first that is free. */
  lease(name: string, mac: string, hostname: string): void {
    const network = this.#byName.get(name)
    if (network?.live === undefined || network.live === null || network.leases.has(mac)) return
    for (const ip of childrenOf(network.live.tree, 'ip')) {
      const block = blockOf(ip)
      const dhcp = childOf(ip, 'dhcp')
      if (block === undefined || dhcp === undefined) continue
      const ipaddr = this.#freeAddress(network, dhcp, mac, block.family)
      if (ipaddr === undefined) continue
      network.addresses.add(ipaddr)
      network.leases.set(mac, {
        iface: bridgeOf(network.live) ?? '', expirytime: Math.floor(this.#clock.now() / 1000) + LEASE_SECONDS, type: block.family, mac, iaid: null,
        ipaddr, prefix: block.prefix, hostname, clientid: null,
      })
      return
    }
  }

  /** As dnsmasq does it: the search begins at a place that the MAC address decides, so that a guest finds its address again. */
  #freeAddress(network: Network, dhcp: XmlElement, mac: string, family: 'ipv4' | 'ipv6'): string | undefined {
    const hosts = childrenOf(dhcp, 'host')
    const own = hosts.find(host => attributeOf(host, 'mac')?.toLowerCase() === mac)
    if (own !== undefined) return attributeOf(own, 'ip')
    const reserved = new Set(hosts.map(host => attributeOf(host, 'ip')))
    for (const range of childrenOf(dhcp, 'range')) {
      const start = numberOf(attributeOf(range, 'start') ?? '')!
      const count = numberOf(attributeOf(range, 'end') ?? '')! - start + 1n
      const seed = BigInt(`0x${mac.replaceAll(':', '')}`)
      for (let step = 0n; step < count; step++) {
        const address = addressOf(start + ((seed + step) % count), family)
        if (!network.addresses.has(address) && !reserved.has(address)) return address
      }
    }
    return undefined
  }

  /** The guest gives its address back. */
  release(name: string, mac: string): void {
    const network = this.#byName.get(name)
    const lease = network?.leases.get(mac)
    if (network === undefined || lease === undefined) return
    network.leases.delete(mac)
    network.addresses.delete(lease.ipaddr)
  }

  leases(network: Network): DhcpLease[] { return [...network.leases.values()] }
  leaseOf(name: string, mac: string): DhcpLease | undefined { return this.#byName.get(name)?.leases.get(mac) }

  /** virNetworkEventLifecycleType: 0 defined, 1 undefined, 2 started, 3 stopped. */
  #emit(network: Network, event: number): void {
    this.#hub.emit({ type: 'network', name: 'lifecycle', net: network.ref, event, detail: 0 })
  }
}
