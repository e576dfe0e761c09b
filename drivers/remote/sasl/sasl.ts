// Authenticates a connection by SASL, with a mechanism that both sides know and that the channel may carry.

import { saslMechanisms, type SASLCredentials, type SASLMechanism } from '../../credentials.ts'
import { AuthenticationFailed, LibvirtError, isAuthenticationFailure } from '../../errors.ts'
import type { Client } from '../client.ts'
import { procedures } from '../protocol.ts'
import type { Channel } from '../transport/transport.ts'
import type { MechanismOf } from './mechanism.ts'
import { plain } from './plain.ts'
import { scram } from './scram.ts'

const mechanisms: Record<SASLMechanism, MechanismOf> = {
  'SCRAM-SHA-512': scram('SCRAM-SHA-512'), 'SCRAM-SHA-256': scram('SCRAM-SHA-256'), 'SCRAM-SHA-1': scram('SCRAM-SHA-1'), 'PLAIN': plain,
}

/** Steps after which a host that never comes to an end is given up. */
const STEPS_MAX = 8

const otherwise = 'have the host offer SCRAM (mech_list: scram-sha-256 in its /etc/sasl2/libvirt.conf, users by saslpasswd2), or use TLS certificates or SSH'

/** The strongest that both sides know and that `channel` may carry. Throws AuthenticationFailed where there is none. */
export const chooseMechanism = (offered: readonly string[], channel: Channel, wanted?: SASLMechanism): SASLMechanism => {
  const known = saslMechanisms.filter((name) => offered.includes(name) && (wanted === undefined || name === wanted))
  const chosen = known.find((name) => name !== 'PLAIN' || channel === 'tls')
  if (chosen !== undefined) return chosen
  const said = offered.length === 0 ? 'no mechanism' : offered.join(', ')
  if (wanted !== undefined && !offered.includes(wanted)) throw new AuthenticationFailed(`the host does not offer the SASL mechanism ${wanted}, but ${said}: choose one of these, or ${otherwise}`)
  if (known.length > 0) throw new AuthenticationFailed(`the SASL mechanism PLAIN sends the password itself and is used over TLS only: use the transport tls, or ${otherwise}`)
  if (offered.some((name) => name.startsWith('GSS'))) throw new AuthenticationFailed(`the host asks for Kerberos (it offers ${said}), which vireo does not speak: ${otherwise}`)
  throw new AuthenticationFailed(`the host offers ${said} for SASL, and vireo speaks ${saslMechanisms.join(', ')}: ${otherwise}`)
}

/** Rejects with AuthenticationFailed; its message names no user and no password. */
export const authenticateSASL = async (client: Client, credentials: SASLCredentials, channel: Channel): Promise<void> => {
  const list = await client.call(procedures.authSaslInit, undefined).catch((error: unknown): never => {
    if (error instanceof LibvirtError) throw new AuthenticationFailed(`${client.peer} asks for SASL and has no mechanism to offer (${error.message}): ${otherwise}`, { cause: error })
    throw error
  })
  const mech = chooseMechanism(list.split(',').map((name) => name.trim().toUpperCase()).filter((name) => name !== ''), channel, credentials.mechanism)
  const mechanism = await mechanisms[mech](credentials)
  const refused = (error: unknown): never => {
    if (error instanceof LibvirtError && isAuthenticationFailure(error)) throw new AuthenticationFailed(`${client.peer} refuses user name or password (SASL ${mech})`, { cause: error })
    throw error
  }
  let answer = await client.call(procedures.authSaslStart, { mech, nil: false, data: mechanism.first() }).catch(refused)
  for (let step = 0; ; step++) {
    // The last word of a SCRAM exchange comes with the end of it, or before.
    const response = answer.nil || mechanism.satisfied ? Buffer.alloc(0) : await mechanism.respond(answer.data)
    if (answer.complete) break
    if (step === STEPS_MAX) throw new AuthenticationFailed(`${client.peer} does not come to an end of the SASL exchange (${mech})`)
    answer = await client.call(procedures.authSaslStep, { nil: false, data: response }).catch(refused)
  }
  if (!mechanism.satisfied) throw new AuthenticationFailed(`${client.peer} ends the SASL exchange (${mech}) without having proved that it knows the password: what listens there may not be the host it seems to be`)
}
