// One host in memory: its objects, its clock, its events. Every connection to the same name sees the same one.

import type { Clock } from '../../clock/clock.ts'
import { Domains } from './domain/domains.ts'
import type { Faults } from './faults.ts'
import { Guests } from './guests.ts'
import { Hub } from './hub.ts'
import { Networks } from './network/networks.ts'
import { Secrets } from './secrets.ts'
import { Space } from './storage/content.ts'
import { Folders } from './storage/folders.ts'
import { Pools } from './storage/pools.ts'

export interface WorldParts {
  /** What the connection URI calls it: `default`, or a file's path. */
  name: string
  clock: Clock
  faults: Faults
  /** Bytes of volume content that the host keeps at most; further writes find the device full. */
  contentLimit: number
  /** Bytes that each pool has. */
  poolCapacity: number
}

export class World {
  readonly name: string
  readonly clock: Clock
  readonly faults: Faults
  readonly hub: Hub
  readonly folders: Folders
  readonly networks: Networks
  readonly pools: Pools
  readonly secrets: Secrets
  readonly guests: Guests
  readonly domains: Domains

  constructor({ name, clock, faults, contentLimit, poolCapacity }: WorldParts) {
    this.name = name
    this.clock = clock
    this.faults = faults
    this.hub = new Hub(faults)
    this.folders = new Folders()
    const { folders } = this
    this.networks = new Networks(this.hub, clock)
    this.pools = new Pools({ hub: this.hub, clock, folders, space: new Space(contentLimit), capacity: poolCapacity })
    this.secrets = new Secrets(this.hub)
    this.guests = new Guests({ clock, hub: this.hub, faults, networks: this.networks, folders })
    this.domains = new Domains(this.guests)
  }
}
