// What a driver says to a call, in the word that the tables have for it.

import { LibvirtError, isUnsupported } from '../../drivers/errors.ts'

/** A refusal that is not error 3: the driver has the call, and not for such a guest, in such a state or without what it would take. */
export async function answer(call: Promise<unknown>): Promise<string> {
  try {
    await call
    return 'works'
  } catch (error) {
    // A flag of a stream or a lost connection is no answer of the driver.
    if (!(error instanceof LibvirtError)) throw error
    return isUnsupported(error) ? 'Unsupported' : `refused (${error.code})`
  }
}
