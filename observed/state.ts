// The states of the connection to one hypervisor, and which of them an error leads to.

import { isAuthenticationFailure } from '../drivers/errors.ts'
import { HostChanged } from './pin.ts'

/** Each state and what leaves it. */
export type HostState =
  /** A transport is being opened; leaves by success (Authenticating) or failure (Broken, AuthFailed). */
  | 'Connecting'
  /** Bytes flow, and each side learns who the other is; leaves by success (Opening) or failure (AuthFailed, Broken). */
  | 'Authenticating'
  /** The driver is opened; host, events and the first list are read; leaves by success (Open), a wrong host (HostChanged) or failure (Broken). */
  | 'Opening'
  /** The mirror is complete and follows events; leaves when the connection ends, or is to be made anew (Draining). */
  | 'Open'
  /** No new call is begun, those under way are waited for; leaves when they are over, or have taken too long (Connecting). After close() nothing leaves it. */
  | 'Draining'
  /** The connection ended or could not be made; leaves after the backoff (Connecting). */
  | 'Broken'
  /** One side did not trust the other; leaves after the backoff (Connecting), or by new credentials. */
  | 'AuthFailed'
  /** Another host answers behind the URI: nothing is touched; leaves after the backoff (Connecting), or by a new expected UUID. */
  | 'HostChanged'

/** `again`: the state is the same as before, for another reason. */
export type StateHandler = (state: HostState, again: boolean) => void

/** The state that a connection's end leads to. */
export const stateOf = (error: Error): HostState => {
  if (error instanceof HostChanged) return 'HostChanged'
  return isAuthenticationFailure(error) ? 'AuthFailed' : 'Broken'
}

/** Not a failure: the connection was ended to be made anew with other credentials. */
export class Renewed extends Error {
  override readonly name = 'Renewed'
  constructor() {
    super('the connection is made anew with other credentials')
  }
}
