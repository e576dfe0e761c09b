// Brings a fresh connection to the point where calls are allowed: authentication, then ConnectOpen, then what the
// daemon can do.

import type { SASLCredentials } from '../credentials.ts'
import type { OpenOptions } from '../driver.ts'
import { AuthenticationFailed, ConnectionLost, LibvirtError } from '../errors.ts'
import type { Client } from './client.ts'
import { procedures } from './protocol.ts'
import { authenticateSASL } from './sasl/sasl.ts'
import type { Channel } from './transport/transport.ts'

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

export interface Login {
  channel: Channel
  sasl?: SASLCredentials
  readOnly?: boolean
}

/** virConnectFlags. */
const READ_ONLY = 1

const authenticate = async (client: Client, { channel, sasl }: Login): Promise<void> => {
  const types = await client.call(procedures.authList, undefined)
  if (types.length === 0 || types.includes(Auth.NONE)) return
  if (types.includes(Auth.SASL)) {
    // Nothing protects what is sent over plain TCP: the host could be anybody, and anybody could take the connection over afterwards.
    if (channel === 'tcp') throw new AuthenticationFailed(`${client.peer} asks for SASL, and over plain TCP nothing would protect it: use the transport tls or ssh`)
    if (sasl !== undefined) return await authenticateSASL(client, sasl, channel)
    if (!types.includes(Auth.POLKIT)) throw new AuthenticationFailed(`${client.peer} asks for a user name and a password (SASL): give them, or let this client in without (auth_unix_rw or auth_tls in its libvirtd.conf)`)
  }
  if (types.includes(Auth.POLKIT)) {
    await client.call(procedures.authPolkit, undefined).catch((error: unknown) => {
      if (!(error instanceof LibvirtError)) throw error
      throw new AuthenticationFailed(`polkit on ${client.peer} does not let this user in (${error.message}): add the user to the group libvirt, allow org.libvirt.unix.manage for it by a polkit rule, or set auth_unix_rw in libvirtd.conf`, { cause: error })
    })
    return
  }
  throw new ConnectionLost(`${client.peer} asks for authentication of type ${types.join(', ')}, which libvirt does not define`)
}

/** `name` is what the daemon opens: a URI without transport. Rejects with AuthenticationFailed, LibvirtError, ConnectionLost or CallTimeout. */
export const handshake = async (client: Client, name: string, login: Login = { channel: 'unix' }, onProgress?: OpenOptions['onProgress']): Promise<Features> => {
  onProgress?.('Authenticating')
  await authenticate(client, login)
  onProgress?.('Opening')
  await client.call(procedures.connectOpen, { name, flags: login.readOnly ? READ_ONLY : 0 })
  const [eventCallback, closeCallback, networkUpdateOrder] = await Promise.all(
    [Feature.EVENT_CALLBACK, Feature.CLOSE_CALLBACK, Feature.NETWORK_UPDATE_ORDER].map((feature) => client.call(procedures.connectSupportsFeature, { feature })),
  ) as [boolean, boolean, boolean]
  return { eventCallback, closeCallback, networkUpdateOrder }
}
