// Lists a host: what is on it by id, in one bulk call for each kind. What a list omits is not absent for that.

import type { Connection } from '../drivers/driver.ts'
import { CallTimeout } from '../drivers/errors.ts'
import { idOf } from './mirror.ts'
import { orElse } from './read.ts'

export interface Listed {
  ids: string[]
  /** Storage hangs: no pool is among the ids, and none is known to be there or not. */
  storageHangs?: CallTimeout
}

/** Rejects where the connection ended, or where domains or networks cannot be listed. */
export async function listHost(connection: Connection): Promise<Listed> {
  const [domains, networks, pools] = await Promise.all([
    connection.connectListAllDomains(),
    connection.connectListAllNetworks().catch(orElse([])),
    connection.connectListAllStoragePools().catch(orElse([])).catch((error: unknown) => {
      if (error instanceof CallTimeout) return error
      throw error
    }),
  ])
  const ids = [...domains.map(ref => idOf.domain(ref.uuid)), ...networks.map(ref => idOf.network(ref.uuid))]
  return pools instanceof CallTimeout ? { ids, storageHangs: pools } : { ids: [...ids, ...pools.map(ref => idOf.pool(ref.uuid))] }
}
