// The Driver interface over libvirt's RPC: every method is one call; each kind of object has its file in calls/.

import type { Connection } from '../driver.ts'
import { blockCalls } from './calls/block.ts'
import { connectCalls } from './calls/connect.ts'
import { interfaceCalls, nodeDeviceCalls } from './calls/device.ts'
import { domainCalls } from './calls/domain.ts'
import { migrationCalls } from './calls/migration.ts'
import { networkCalls, nwfilterCalls } from './calls/network.ts'
import { Rpc, type RpcParts } from './calls/rpc.ts'
import { snapshotCalls } from './calls/snapshot.ts'
import { secretCalls, storageCalls } from './calls/storage.ts'
import { tuningCalls } from './calls/tuning.ts'
import type { Events } from './events.ts'

export interface RemoteParts extends RpcParts {
  name: string
  events: Events
}

export const remoteConnection = ({ name, events, ...parts }: RemoteParts): Connection => {
  const rpc = new Rpc(parts)
  return {
    name,
    closed: rpc.client.closed,
    get pending() { return rpc.pending },
    onEvent: (handler) => events.onEvent(handler),
    eventsRegister: () => events.register(rpc.client, rpc.features),
    close: () => rpc.close(),
    ...connectCalls(rpc), ...domainCalls(rpc), ...tuningCalls(rpc), ...blockCalls(rpc), ...snapshotCalls(rpc), ...migrationCalls(rpc),
    ...networkCalls(rpc), ...nwfilterCalls(rpc), ...nodeDeviceCalls(rpc), ...interfaceCalls(rpc), ...storageCalls(rpc), ...secretCalls(rpc),
  }
}
