// The connections behind the Hypervisor objects: opened, replaced and closed as the objects come, change and go.

import type { Clock } from '../clock/clock.ts'
import type { Log } from '../controller/log.ts'
import { parseDuration } from '../crds/duration.ts'
import { type Hypervisor, connectionDefaults as usual } from '../crds/hypervisor.ts'
import { annotations } from '../crds/names.ts'
import type { Connection, DriverEvent, OpenOptions } from '../drivers/driver.ts'
import { GuestWatch } from '../observed/guests.ts'
import { Host } from '../observed/host.ts'
import { LeaseWatch } from '../observed/leases.ts'
import type { ObservedChange } from '../observed/mirror.ts'
import type { HostOptions } from '../observed/options.ts'
import type { HostState } from '../observed/state.ts'

export interface HostsOptions {
  open: (uri: string, options: OpenOptions) => Promise<Connection>
  clock: Clock
  log: Log
  relistInterval: number
  onCall?: OpenOptions['onCall']
  /** `again`: the same state for another reason. */
  onState: (hypervisor: string, state: HostState, again: boolean) => void
  onObserved: (hypervisor: string, change: ObservedChange) => void
  onEvent: (hypervisor: string, event: DriverEvent) => void
  onLeases: (hypervisor: string, macs: Set<string>) => void
  onGuest: (hypervisor: string, uuid: string) => void
  /** Pools whose content a StoragePool object answers for. */
  refreshesPool: (uuid: string) => boolean
}

interface Kept { host: Host; leases: LeaseWatch; guests: GuestWatch; settings: string; /** Compared only; never shown. */ credentials: string }

export class Hosts {
  readonly #options: HostsOptions
  readonly #kept = new Map<string, Kept>()

  constructor(options: HostsOptions) {
    this.#options = options
  }

  get(name: string): Host | undefined { return this.#kept.get(name)?.host }
  leases(name: string): LeaseWatch | undefined { return this.#kept.get(name)?.leases }
  guests(name: string): GuestWatch | undefined { return this.#kept.get(name)?.guests }
  * entries(): Iterable<[string, Host]> {
    for (const [name, { host }] of this.#kept) yield [name, host]
  }

  /** Opens the connection of a Hypervisor, another one where its settings changed, or makes it anew where its credentials did. */
  keep(object: Hypervisor, credentials: HostOptions['credentials']): Host {
    const { name } = object.metadata
    const { uri, connection, managementPolicy } = object.spec
    const settings = JSON.stringify([uri, connection ?? {}, managementPolicy === 'ObserveOnly'])
    const accepted = object.metadata.annotations?.[annotations.acceptHost]
    const expectedUUID = object.spec.hostUUID ?? accepted ?? object.status?.hostUUID
    const known = this.#kept.get(name)
    const proof = JSON.stringify(credentials instanceof Error ? credentials.message : credentials) ?? ''
    if (known?.settings === settings) {
      known.host.expect(expectedUUID)
      if (known.credentials !== proof) {
        known.credentials = proof
        known.host.renew(credentials)
      }
      return known.host
    }
    if (known !== undefined) this.#drop(name, known)
    return this.#open(object, { settings, credentials: proof }, { credentials, expectedUUID })
  }

  #open({ metadata: { name }, spec: { uri, connection, managementPolicy } }: Hypervisor, made: Pick<Kept, 'settings' | 'credentials'>, given: Pick<HostOptions, 'credentials' | 'expectedUUID'>): Host {
    const { open, clock, log, relistInterval, onCall, onState, onObserved, onEvent, onLeases, onGuest, refreshesPool } = this.#options
    const host = new Host({
      uri,
      open,
      clock,
      ...given,
      plaintext: connection?.plaintext ?? usual.plaintext,
      readOnly: managementPolicy === 'ObserveOnly',
      maxConnections: connection?.maxConnections ?? usual.maxConnections,
      callTimeout: parseDuration(connection?.callTimeout ?? usual.callTimeout),
      keepAliveInterval: parseDuration(connection?.keepAliveInterval ?? usual.keepAliveInterval),
      keepAliveCount: connection?.keepAliveCount ?? usual.keepAliveCount,
      pollInterval: parseDuration(connection?.pollInterval ?? usual.pollInterval),
      relistInterval,
      onCall,
      log: (message, fields) => { log.warn({ hypervisor: name, ...fields }, message) },
    })
    host.refreshesPool = refreshesPool
    const leases = new LeaseWatch({ host, clock })
    leases.onChange(macs => { onLeases(name, macs) })
    const guests = new GuestWatch({ host, clock, leased: (mac, network) => leases.leasesFor(mac, network).length > 0, again: relistInterval })
    guests.onChange(uuid => { onGuest(name, uuid) })
    this.#kept.set(name, { host, leases, guests, ...made })
    host.onState((state, again) => { onState(name, state, again) })
    host.mirror.onChange(change => { onObserved(name, change) })
    host.onEvent(event => { onEvent(name, event) })
    host.start()
    return host
  }

  async drop(name: string): Promise<void> {
    const known = this.#kept.get(name)
    if (known === undefined) return
    this.#drop(name, known)
    await known.host.close()
  }

  #drop(name: string, { host, leases, guests }: Kept): void {
    this.#kept.delete(name)
    leases.close()
    guests.close()
    void host.close()
  }

  async close(): Promise<void> {
    await Promise.all([...this.#kept.keys()].map(async name => { await this.drop(name) }))
  }
}
