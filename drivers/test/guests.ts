// What running guests have of their host and do with it: networks and their leases, files, ports, and the time they take to obey.

import type { Clock } from '../../clock/clock.ts'
import { ErrorNumber } from '../errors.ts'
import { attributeOf, childOf, el, type XmlElement } from '../../xml/tree.ts'
import { partsOf, type DomainDocument, type Parts } from './domain/definition.ts'
import type { Domain } from './domain/domain.ts'
import type { HotplugHost } from './domain/hotplug.ts'
import { FreshRun } from './domain/live.ts'
import type { Faults } from './faults.ts'
import type { Hub } from './hub.ts'
import type { Networks } from './network/networks.ts'
import { From, Refusal, invalid } from './refusal.ts'
import type { Content } from './storage/content.ts'
import type { Folders } from './storage/folders.ts'

export interface GuestsParts { clock: Clock; hub: Hub; faults: Faults; networks: Networks; folders: Folders }

export class Guests implements HotplugHost {
  readonly clock: Clock
  readonly hub: Hub
  readonly #faults: Faults
  readonly #networks: Networks
  readonly #folders: Folders
  #vnets = 0

  constructor({ clock, hub, faults, networks, folders }: GuestsParts) {
    this.clock = clock
    this.hub = hub
    this.#faults = faults
    this.#networks = networks
    this.#folders = folders
  }

  vnet(): string { return `vnet${this.#vnets++}` }

  /** A definition begins to run. */
  enter(definition: DomainDocument, id: number): DomainDocument {
    return new FreshRun(definition, { id, vnet: () => this.vnet() })
  }

  /** Refuses a start whose networks do not run or whose files are not there. */
  check({ interfaces, disks }: Pick<Parts, 'interfaces' | 'disks'>): void {
    for (const { network } of interfaces) if (network !== undefined && !this.#networks.findByName(network).active) throw invalid(`network '${network}' is not active`, From.NETWORK)
    for (const { type, path } of disks) if (type === 'file' && path !== undefined && !this.#folders.mayHold(path)) throw new Refusal(ErrorNumber.SYSTEM_ERROR, From.STORAGE, `Cannot access storage file '${path}': No such file or directory`)
  }

  /** Runs what the guest does of its own, after the call that asked for it. */
  later(domain: Domain, work: () => void): void {
    const slow = this.#faults.none ? undefined : this.#faults.take('slowShutdown', fault => (fault.domain ?? domain.name) === domain.name)
    if (slow === undefined) queueMicrotask(work)
    else if (Number.isFinite(slow.ms)) this.clock.setTimeout(work, slow.ms)
  }

  /** The guest agent appears on its channel, or its channel is new. */
  agent(domain: Domain, connected: boolean): void {
    this.hub.emit({ type: 'domain', name: 'agent-lifecycle', dom: domain.ref, state: connected ? 1 : 2, reason: connected ? 2 : 1 })
  }

  /** Every interface of a guest that starts asks for its address. */
  lease(domain: Domain): void {
    for (const { network, mac } of domain.live!.parts.interfaces) if (network !== undefined) this.#networks.lease(network, mac, domain.name)
  }

  release(domain: Domain): void {
    for (const { network, mac } of domain.live!.parts.interfaces) if (network !== undefined) this.#networks.release(network, mac)
  }

  connect(domain: Domain, device: XmlElement): void {
    const parts = partsOf(el('domain', {}, el('devices', {}, device)))
    this.check(parts)
    for (const { network, mac } of parts.interfaces) if (network !== undefined) this.#networks.lease(network, mac, domain.name)
  }

  /** What the disks of a domain hold now, by path. */
  keepDisks(domain: Domain): Map<string, Content> {
    const kept = new Map<string, Content>()
    for (const { path } of domain.current.parts.disks) {
      const volume = path === undefined ? undefined : this.#folders.file(path)
      if (volume !== undefined) kept.set(volume.path, volume.content.copy())
    }
    return kept
  }

  putBackDisks(disks: ReadonlyMap<string, Content>): void {
    for (const [path, content] of disks) this.#folders.file(path)?.hold(content.copy())
  }

  added(domain: Domain, alias: string): void {
    this.hub.emit({ type: 'domain', name: 'device-added', dom: domain.ref, devAlias: alias })
  }

  trayMoved(domain: Domain): void {
    for (let times = 0; times < 2; times++) this.hub.emit({ type: 'domain', name: 'tray-change', dom: domain.ref })
  }

  ask(domain: Domain, alias: string, done: () => void): void {
    const run = domain.id
    domain.removing = (domain.removing ?? new Set()).add(alias)
    const fault = this.#faults.none ? undefined : this.#faults.take('removalFails', ({ domain: name = domain.name, alias: which = alias }) => name === domain.name && which === alias)
    if (fault?.how === 'silent') return
    queueMicrotask(() => {
      if (domain.id !== run || domain.removing?.delete(alias) !== true) return
      if (fault === undefined) done()
      else this.hub.emit({ type: 'domain', name: 'device-removal-failed', dom: domain.ref, devAlias: alias })
    })
  }

  removed(domain: Domain, device: XmlElement, alias: string): void {
    const network = attributeOf(childOf(device, 'source'), 'network')
    if (device.name === 'interface' && network !== undefined) this.#networks.release(network, attributeOf(childOf(device, 'mac'), 'address')!)
    this.hub.emit({ type: 'domain', name: 'device-removed', dom: domain.ref, devAlias: alias })
  }
}
