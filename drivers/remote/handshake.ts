// Brings a fresh connection to the point where calls are allowed: authentication, then ConnectOpen, then what the
// daemon can do.

import { ConnectionLost } from '../errors.ts'
import type { Client } from './client.ts'
import { procedures } from './protocol.ts'

/** remote_auth_type. */
const Auth = { NONE: 0, SASL: 1, POLKIT: 2 } as const
/** VIR_DRV_FEATURE_*: what the daemon answers for itself, whatever its driver. */
export const Feature = { EVENT_CALLBACK: 14, CLOSE_CALLBACK: 15, NETWORK_UPDATE_ORDER: 16 } as const

export interface Features {
  /** Events carry the id of their registration: without it there are no usable events. */
  eventCallback: boolean
  closeCallback: boolean
  /** Whether NetworkUpdate takes command and section in the documented order. */
  networkUpdateOrder: boolean
}

const authenticate = async (client: Client): Promise<void> => {
  const types = await client.call(procedures.authList, undefined)
  if (types.length === 0 || types.includes(Auth.NONE)) return
  if (types.includes(Auth.POLKIT)) {
    await client.call(procedures.authPolkit, undefined)
    return
  }
  throw new ConnectionLost(types.includes(Auth.SASL)
    ? `${client.peer} asks for SASL authentication, which is not built yet: allow this client in libvirtd.conf (auth_unix_rw = "none" or "polkit")`
    : `${client.peer} asks for authentication of type ${types.join(', ')}, which libvirt does not define`)
}

/** `name` is what the daemon opens: a URI without transport. */
export const handshake = async (client: Client, name: string): Promise<Features> => {
  await authenticate(client)
  await client.call(procedures.connectOpen, { name, flags: 0 })
  const [eventCallback, closeCallback, networkUpdateOrder] = await Promise.all(
    [Feature.EVENT_CALLBACK, Feature.CLOSE_CALLBACK, Feature.NETWORK_UPDATE_ORDER].map((feature) => client.call(procedures.connectSupportsFeature, { feature })),
  ) as [boolean, boolean, boolean]
  return { eventCallback, closeCallback, networkUpdateOrder }
}
