// What the driver's tests share: one private libvirtd and connections to it.

import { createRegistry } from '../../../drivers/registry.ts'
import type { Connection, DriverEvent, OpenOptions } from '../../../drivers/driver.ts'
import { until } from '../../support/until.ts'
import type { PrivateLibvirtd } from '../../support/libvirtd.ts'

export const settings: OpenOptions = { callTimeout: 60_000, keepAliveInterval: 5000, keepAliveCount: 5 }

export const openAt = (host: PrivateLibvirtd, driver: string, options: Partial<OpenOptions> = {}): Promise<Connection> =>
  createRegistry({}, { allowLocal: true }).open(host.uri(driver), { ...settings, ...options })

export const failure = (promise: Promise<unknown>): Promise<Error & { code?: number }> =>
  promise.then(() => { throw new Error('it succeeded') }, (reason: unknown) => reason as Error)

/** Collects events, and waits for one. */
export const recorder = (connection: Connection) => {
  const events: DriverEvent[] = []
  connection.onEvent((event) => events.push(event))
  return {
    events,
    /** The first event of this type and name that satisfies `wanted`: new or old, or none of the first `since`. */
    async saw<N extends DriverEvent['name'], T extends DriverEvent['type']>(type: T, name: N, wanted: (event: Extract<DriverEvent, { type: T; name: N }>) => boolean = () => true, since = 0) {
      type Wanted = Extract<DriverEvent, { type: T; name: N }>
      return until(`${type} ${name} comes`, () => events.slice(since).find((event): event is Wanted => event.type === type && event.name === name && wanted(event as Wanted)))
    },
  }
}
