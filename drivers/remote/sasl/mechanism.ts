// One SASL mechanism's part of an exchange (RFC 4422): bytes in, bytes out, and in the end certainty about the other side.

import type { SASLCredentials } from '../../credentials.ts'

export interface Mechanism {
  /** What goes with the mechanism's name. */
  first(): Buffer
  /** Answers a challenge. Rejects with AuthenticationFailed where the host does not do its part. */
  respond(challenge: Buffer): Promise<Buffer>
  /** True once all that the mechanism promises holds: an exchange that the host ends before is no success. */
  readonly satisfied: boolean
}

export type MechanismOf = (credentials: Pick<SASLCredentials, 'username' | 'password'>) => Promise<Mechanism>

/** SASLprep (RFC 4013): the same text, however it was typed. ASCII stays as it is. */
export const prepared = async (text: string): Promise<string> => {
  if (/^[\x20-\x7e]*$/.test(text)) return text
  const { saslprep } = await import('@mongodb-js/saslprep')
  return saslprep(text, { allowUnassigned: false })
}
