// The calls that a host in memory has, and by that those that it has not.

import type { Calls } from '../../driver.ts'
import { connectCalls } from './connect.ts'
import type { Desk } from './desk.ts'
import { domainCalls } from './domain.ts'
import { networkCalls } from './network.ts'
import { powerCalls } from './power.ts'
import { secretCalls } from './secret.ts'
import { snapshotCalls } from './snapshot.ts'
import { storageCalls } from './storage.ts'

export const presentCalls = (desk: Desk) => ({
  ...connectCalls(desk), ...domainCalls(desk), ...powerCalls(desk), ...snapshotCalls(desk), ...networkCalls(desk), ...storageCalls(desk), ...secretCalls(desk),
}) satisfies Partial<Calls>

/** The calls that this driver does not have. */
export type Lacking = Exclude<keyof Calls, keyof ReturnType<typeof presentCalls>>
