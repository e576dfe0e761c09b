// One domain as a state machine: shut off, running or paused, with a next configuration (a persistent one), a live document (an active one), or both.
//
// shut off: left by start (running or paused). running: left by suspend, stop. paused: left by resume, stop.
// A transient domain has no configuration and is gone once it is shut off.

import { DomainState, type DomainRef } from '../../driver.ts'
import { Affect } from '../../driver.ts'
import { From, badArgument, invalid } from '../refusal.ts'
import type { DomainDocument } from './definition.ts'
import type { Snapshots } from './snapshots.ts'

/** virDomain*Reason. */
export const Reason = {
  shutoff: { unknown: 0, shutdown: 1, destroyed: 2, saved: 5, failed: 6, fromSnapshot: 7 },
  running: { booted: 1, restored: 3, fromSnapshot: 4, unpaused: 5 },
  paused: { user: 1, migration: 2, fromSnapshot: 7 },
} as const

/** A managed save: what runs again at the next start. */
export interface Saved { live: DomainDocument; paused: boolean }

export class Domain {
  readonly uuid: string
  name: string
  id = -1
  /** What the next start takes; null for a transient domain. */
  config: DomainDocument | null = null
  /** What runs; null while shut off. */
  live: DomainDocument | null = null
  /** Whether it ever had a configuration: only then is a definition an update. */
  everDefined = false
  state: DomainState = DomainState.Shutoff
  reason: number = Reason.shutoff.unknown
  autostart = false
  saved: Saved | null = null
  snapshots: Snapshots | undefined
  /** When it was started, ms. */
  started = 0
  /** Aliases of devices that the guest was asked to let go of. */
  removing: Set<string> | undefined

  constructor(uuid: string, name: string) {
    this.uuid = uuid
    this.name = name
  }

  get active(): boolean { return this.live !== null }
  get persistent(): boolean { return this.config !== null }
  get ref(): DomainRef { return { name: this.name, uuid: this.uuid, id: this.id } }
  /** What runs, or would. */
  get current(): DomainDocument { return this.live ?? this.config! }

  set(state: DomainState, reason: number): void {
    this.state = state
    this.reason = reason
  }

  /** Rejects unless it runs or is paused. */
  needActive(): DomainDocument {
    if (this.live === null) throw invalid('domain is not running', From.DOMAIN)
    return this.live
  }

  needConfig(): DomainDocument {
    if (this.config === null) throw invalid('transient domains do not have any persistent config', From.DOMAIN)
    return this.config
  }

  /** What flags of `Affect` mean for it now; rejects where it lacks one of the two. */
  affected(flags: number): { live: boolean; config: boolean } {
    const live = (flags & Affect.LIVE) !== 0
    const config = (flags & Affect.CONFIG) !== 0
    if (!live && !config) return { live: this.active, config: !this.active }
    if (live) this.needActive()
    if (config) this.needConfig()
    return { live, config }
  }
}

/** virDomainLifecycle and virDomainLifecycleAction. */
export const lifecycleEvents = ['poweroff', 'reboot', 'crash'] as const
export const lifecycleActions = ['destroy', 'restart', 'rename-restart', 'preserve', 'coredump-destroy', 'coredump-restart'] as const

export function lifecycleOf(type: number): (typeof lifecycleEvents)[number] {
  const event = lifecycleEvents[type]
  if (event === undefined) throw badArgument(`invalid lifecycle type '${type}'`, From.DOMAIN)
  return event
}
