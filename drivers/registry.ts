// Chooses the driver for a connection URI, by scheme and transport, as libvirt does.

import { join } from 'node:path'
import { UriError } from './errors.ts'
import type { Connection, Driver, OpenOptions } from './driver.ts'
import { openRemote, type Target } from './remote/open.ts'
import { unixTransport } from './remote/transport/unix.ts'
import { parseURI, type ConnectURI } from './uri.ts'

/** libvirt's drivers, each with the modular daemon that serves it; null where only the monolithic one does. */
const schemes: Record<string, string | null> = {
  bhyve: 'virtbhyved', ch: 'virtchd', esx: null, gsx: null, hyperv: null, lxc: 'virtlxcd', openvz: null, parallels: null, qemu: 'virtqemud',
  test: null, vbox: 'virtvboxd', vmwarefusion: null, vmwareplayer: null, vmwarews: null, vpx: null, vz: 'virtvzd', xen: 'virtxend',
}
/** Drivers that libvirt gave up, with the release that went without. */
const removed: Record<string, string> = { phyp: '6.0.0', uml: '5.0.0', xenapi: '5.8.0' }

const checkScheme = (scheme: string): void => {
  if (Object.hasOwn(schemes, scheme)) return
  if (Object.hasOwn(removed, scheme)) throw new UriError('removed', `libvirt removed its ${scheme} driver in ${removed[scheme]}: no supported host can serve it`)
  throw new UriError('unknown', `libvirt has no driver ${scheme}; it has ${Object.keys(schemes).join(', ')}`)
}

/** Where libvirt's daemons put their sockets for this URI, the preferred one first. */
export const socketPaths = (uri: ConnectURI, environment: NodeJS.ProcessEnv = process.env): string[] => {
  const explicit = uri.parameters.get('socket')
  if (explicit !== undefined) return [explicit]
  const session = uri.path === '/session'
  const folder = session
    ? join(environment.XDG_RUNTIME_DIR ?? join(environment.XDG_CACHE_HOME ?? join(environment.HOME ?? '/', '.cache')), 'libvirt')
    : '/run/libvirt'
  const legacy = join(folder, 'libvirt-sock')
  const daemon = schemes[uri.scheme]
  const direct = daemon ? [join(folder, `${daemon}-sock`)] : []
  const mode = uri.parameters.get('mode') ?? 'auto'
  switch (mode) {
    case 'auto': return [legacy, ...direct]
    case 'legacy': return [legacy]
    case 'direct':
      if (direct.length === 0) throw new UriError('malformed', `${uri.scheme} has no daemon of its own, so mode=direct leads nowhere: use mode=auto or mode=legacy`)
      return direct
    default: throw new UriError('malformed', `mode=${mode} is not known; known are auto, direct, legacy`)
  }
}

const target = (uri: ConnectURI): Target => {
  if (uri.transport !== 'unix') throw new UriError('unbuilt', `the transport ${uri.transport} is not built yet: only unix sockets are, ${uri.scheme}:///system or ${uri.scheme}+unix:///system?socket=PATH`)
  return { name: uri.name, transports: socketPaths(uri).map((path) => () => unixTransport(path)) }
}

/**
 * A driver for every URI that vireo knows. `embedded` drivers, by scheme, take the URIs that name neither transport nor
 * host nor socket: `test:///default` in memory, where `test+unix:///default` asks a libvirtd.
 * Rejects with UriError for a URI that leads nowhere, and with the chosen driver's own errors.
 */
export const createRegistry = (embedded: Record<string, Driver> = {}): Driver => ({
  open: async (text: string, options: OpenOptions): Promise<Connection> => {
    const uri = parseURI(text)
    checkScheme(uri.scheme)
    if (!uri.explicit && uri.host === null && !uri.parameters.has('socket') && Object.hasOwn(embedded, uri.scheme)) return embedded[uri.scheme]!.open(text, options)
    return openRemote(target(uri), options)
  },
})
