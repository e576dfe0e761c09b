// Which mirrored object an event dirties.

import type { DriverEvent } from '../drivers/driver.ts'
import { idOf } from './mirror.ts'

/** Events of domains that change nothing of what the mirror holds. */
const beside = new Set<DriverEvent['name']>(['rtc-change', 'graphics', 'migration-iteration', 'block-threshold'])

/** The mirrored object that has to be read again; undefined where none has. */
export const dirtiedBy = (event: DriverEvent): string | undefined => {
  switch (event.type) {
    case 'domain': return beside.has(event.name) ? undefined : idOf.domain(event.dom.uuid)
    case 'network': return idOf.network(event.net.uuid)
    case 'pool': return idOf.pool(event.pool.uuid)
    case 'nodedev': case 'secret': case 'connection': return undefined
  }
}
