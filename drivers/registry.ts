// Chooses the driver for a connection URI, by scheme and transport, as libvirt does.

import { UriError } from './errors.ts'
import type { Connection, Driver, OpenOptions } from './driver.ts'
import { openRemote } from './remote/open.ts'
import { refuseLocal, schemes, targetOf } from './targets.ts'
import { parseURI } from './uri.ts'

/** Drivers that libvirt gave up, with the release that went without. */
const removed: Record<string, string> = { phyp: '6.0.0', uml: '5.0.0', xenapi: '5.8.0' }

const checkScheme = (scheme: string): void => {
  if (Object.hasOwn(schemes, scheme)) return
  if (Object.hasOwn(removed, scheme)) throw new UriError('removed', `libvirt removed its ${scheme} driver in ${removed[scheme]}: no supported host can serve it`)
  throw new UriError('unknown', `libvirt has no driver ${scheme}; it has ${Object.keys(schemes).join(', ')}`)
}

export interface RegistryOptions {
  /**
   * Whether a URI may name files to read and programs to run on this machine (socket, keyfile, command, ext …).
   * False unless given: whoever may write a URI may otherwise do what this process may.
   */
  allowLocal?: boolean
}

/**
 * A driver for every URI that vireo knows. `embedded` drivers, by scheme, take the URIs that name neither transport nor
 * host nor socket: `test:///default` in memory, where `test+unix:///default` asks a libvirtd.
 * Rejects with UriError for a URI that leads nowhere, and with the chosen driver's own errors.
 */
export const createRegistry = (embedded: Record<string, Driver> = {}, { allowLocal = false }: RegistryOptions = {}): Driver => ({
  open: async (text: string, options: OpenOptions): Promise<Connection> => {
    const uri = parseURI(text)
    checkScheme(uri.scheme)
    // What the daemon is asked to open can be another URI: one that no daemon serves would make it dial to that host first.
    const inner = /^([a-z][a-z0-9]*)(?:\+[a-z0-9]+)?:/i.exec(uri.parameters.get('name') ?? '')?.[1]
    if (inner !== undefined) checkScheme(inner.toLowerCase())
    if (!allowLocal) refuseLocal(uri)
    if (!uri.explicit && uri.host === null && !uri.parameters.has('socket') && Object.hasOwn(embedded, uri.scheme)) return embedded[uri.scheme]!.open(text, options)
    return openRemote(targetOf(uri, options), options)
  },
})
