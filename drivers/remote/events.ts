// Turns libvirt's event messages into DriverEvents, and knows which registrations they belong to.

import { LibvirtError } from '../errors.ts'
import type { BareDomainEvent, DomainRef, DriverEvent } from '../driver.ts'
import type { Client } from './client.ts'
import type { Features } from './handshake.ts'
import { procedures } from './protocol.ts'
import { Domain, Network, NodeDevice, Secret, StoragePool } from './types.ts'
import { Reader, int, string, text } from './xdr.ts'

type EventClass = DriverEvent['type']
type DomainEvent = Extract<DriverEvent, { type: 'domain' }>
type DeviceName = 'device-added' | 'device-removed' | 'device-removal-failed'
interface Message {
  /** The kind of object: callback ids are counted per kind. */
  of: EventClass
  /** virDomainEventID and its like. */
  eventID: number
  /** Reads what follows the callback id; a newer daemon may send more than that. */
  read(from: Reader): DriverEvent
}

const domain = (eventID: number, read: (dom: DomainRef, from: Reader) => DomainEvent): Message =>
  ({ of: 'domain', eventID, read: (from) => read(Domain.read(from), from) })
const named = (eventID: number, name: BareDomainEvent): Message =>
  domain(eventID, (dom) => ({ type: 'domain', name, dom }))
const device = (eventID: number, name: DeviceName): Message =>
  domain(eventID, (dom, from) => ({ type: 'domain', name, dom, devAlias: string.read(from) }))

/** By the procedure number of the message. The first of each kind is its lifecycle event. */
const messages: Record<number, Message> = {
  318: domain(0, (dom, from) => ({ type: 'domain', name: 'lifecycle', dom, event: int.read(from), detail: int.read(from) })),
  319: named(1, 'reboot'),
  320: named(2, 'rtc-change'),
  321: named(3, 'watchdog'),
  323: named(5, 'graphics'),
  324: domain(6, (dom, from) => ({ type: 'domain', name: 'io-error', dom, srcPath: text.read(from), devAlias: string.read(from), action: int.read(from), reason: string.read(from) })),
  325: named(7, 'control-error'),
  326: domain(8, (dom, from) => ({ type: 'domain', name: 'block-job', dom, path: text.read(from), job: int.read(from), status: int.read(from) })),
  327: named(9, 'disk-change'),
  328: named(10, 'tray-change'),
  329: named(11, 'pmwakeup'),
  330: named(12, 'pmsuspend'),
  331: named(13, 'balloon-change'),
  332: named(14, 'pmsuspend-disk'),
  333: device(15, 'device-removed'),
  346: named(17, 'tunable'),
  348: domain(18, (dom, from) => ({ type: 'domain', name: 'agent-lifecycle', dom, state: int.read(from), reason: int.read(from) })),
  354: device(19, 'device-added'),
  359: named(20, 'migration-iteration'),
  363: named(21, 'job-completed'),
  367: device(22, 'device-removal-failed'),
  379: named(23, 'metadata-change'),
  385: named(24, 'block-threshold'),
  423: named(25, 'memory-failure'),
  438: named(26, 'memory-device-size-change'),
  453: named(27, 'nic-mac-change'),
  315: { of: 'network', eventID: 0, read: (from) => ({ type: 'network', name: 'lifecycle', net: Network.read(from), event: int.read(from), detail: int.read(from) }) },
  446: { of: 'network', eventID: 1, read: (from) => ({ type: 'network', name: 'metadata-change', net: Network.read(from) }) },
  370: { of: 'pool', eventID: 0, read: (from) => ({ type: 'pool', name: 'lifecycle', pool: StoragePool.read(from), event: int.read(from), detail: int.read(from) }) },
  373: { of: 'pool', eventID: 1, read: (from) => ({ type: 'pool', name: 'refresh', pool: StoragePool.read(from) }) },
  376: { of: 'nodedev', eventID: 0, read: (from) => ({ type: 'nodedev', name: 'lifecycle', dev: NodeDevice.read(from), event: int.read(from), detail: int.read(from) }) },
  377: { of: 'nodedev', eventID: 1, read: (from) => ({ type: 'nodedev', name: 'update', dev: NodeDevice.read(from) }) },
  382: { of: 'secret', eventID: 0, read: (from) => ({ type: 'secret', name: 'lifecycle', secret: Secret.read(from), event: int.read(from), detail: int.read(from) }) },
  383: { of: 'secret', eventID: 1, read: (from) => ({ type: 'secret', name: 'value-changed', secret: Secret.read(from) }) },
}
const CONNECTION_CLOSED = 362

/** Events that came before the reply to their registration; more are dropped, as what happened before it would be. */
const HELD_MAX = 4096

export class Events {
  readonly #handlers: ((event: DriverEvent) => void)[] = []
  readonly #routes: Record<EventClass, Set<number>> = { domain: new Set(), network: new Set(), pool: new Set(), nodedev: new Set(), secret: new Set(), connection: new Set() }
  /** Registrations whose reply is outstanding. */
  #registering = 0
  #held: { of: EventClass; id: number; event: DriverEvent }[] = []

  onEvent(handler: (event: DriverEvent) => void): void {
    this.#handlers.push(handler)
  }

  /** One event message. Unknown procedures are a newer daemon's: nobody asked for them. */
  message(procedure: number, payload: Buffer): void {
    const from = new Reader(payload)
    if (procedure === CONNECTION_CLOSED) {
      this.#deliver({ type: 'connection', name: 'closed', reason: int.read(from) })
      return
    }
    const message = messages[procedure]
    if (!message) return
    const id = int.read(from)
    const event = message.read(from)
    if (this.#routes[message.of].has(id)) this.#deliver(event)
    else if (this.#registering > 0 && this.#held.length < HELD_MAX) this.#held.push({ of: message.of, id, event })
  }

  /**
   * Registers for every event in the table. What the daemon or the driver does not know is refused with an error
   * and left out. Answers the kinds whose lifecycle events will come.
   */
  async register(client: Client, features: Features): Promise<Set<EventClass>> {
    const classes = new Set<EventClass>()
    if (!features.eventCallback) return classes
    const register = async (of: EventClass, eventID: number) => {
      this.#registering++
      const hooks = { answered: (id: number) => this.#install(of, id) }
      try {
        switch (of) {
          case 'domain': await client.call(procedures.connectDomainEventCallbackRegisterAny, { eventID, dom: null }, hooks); break
          case 'network': await client.call(procedures.connectNetworkEventRegisterAny, { eventID, net: null }, hooks); break
          case 'pool': await client.call(procedures.connectStoragePoolEventRegisterAny, { eventID, pool: null }, hooks); break
          case 'nodedev': await client.call(procedures.connectNodeDeviceEventRegisterAny, { eventID, dev: null }, hooks); break
          case 'secret': await client.call(procedures.connectSecretEventRegisterAny, { eventID, secret: null }, hooks); break
          case 'connection': await client.call(procedures.connectRegisterCloseCallback, undefined)
        }
        if (eventID === 0) classes.add(of)
      } catch (error) {
        if (!(error instanceof LibvirtError)) throw error
      } finally {
        this.#registering--
      }
    }
    const registrations = Object.values(messages).map(({ of, eventID }) => register(of, eventID))
    if (features.closeCallback) registrations.push(register('connection', 0))
    try {
      await Promise.all(registrations)
    } finally {
      this.#held = []
    }
    return classes
  }

  #install(of: EventClass, id: number): void {
    this.#routes[of].add(id)
    const held = this.#held
    this.#held = []
    for (const early of held) {
      if (early.of === of && early.id === id) this.#deliver(early.event)
      else this.#held.push(early)
    }
  }

  #deliver(event: DriverEvent): void {
    for (const handler of this.#handlers) handler(event)
  }
}
