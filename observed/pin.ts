// Who answers behind a URI: the host's UUID, and the error when it is another one than before.

import type { Connection } from '../drivers/driver.ts'
import { isUnsupported } from '../drivers/errors.ts'
import { childOf, parseXml, textOf } from '../xml/tree.ts'

/** Empty where the driver has none. Any other failure tells nothing about who answers. */
export const capabilitiesOf = async (connection: Connection): Promise<string> =>
  await connection.connectGetCapabilities().catch((error: unknown) => {
    if (isUnsupported(error)) return ''
    throw error
  })
export const uuidIn = (capabilities: string): string | undefined =>
  (capabilities === '' ? undefined : textOf(childOf(parseXml(capabilities), 'host', 'uuid')).toLowerCase() || undefined)
export const uuidOf = async (connection: Connection): Promise<string | undefined> => uuidIn(await capabilitiesOf(connection))

/** Another machine answers behind the URI. */
export class HostChanged extends Error {
  override readonly name = 'HostChanged'
  readonly found: string | undefined
  constructor(uri: string, expected: string, found: string | undefined) {
    super(`the host behind ${uri} is ${found ?? 'one without a UUID'}, not ${expected} as learnt before: nothing on it is touched. If the machine was replaced on purpose, annotate the Hypervisor with vireo.dev/accept-host=${found ?? ''} (and change its spec.hostUUID, where that is set)`)
    this.found = found
  }
}
