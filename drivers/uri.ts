// Reads libvirt connection URIs: driver[+transport]://[user@][host][:port]/[path][?parameters] (libvirt: docs/uri.rst).
//
// A URI decides where credentials and bytes go, and a daemon dials out for some: treat it as privileged input.

import { UriError } from './errors.ts'

const transports = ['unix', 'tls', 'tcp', 'ssh'] as const
type TransportName = (typeof transports)[number]

export interface ConnectURI {
  /** The driver: `qemu`. */
  scheme: string
  /** As written, or what its absence means: TLS where there is a host, unix where there is none. */
  transport: TransportName
  /** Whether the transport was written out. */
  explicit: boolean
  user: string | null
  /** IPv6 addresses without brackets; null where the URI names no host. */
  host: string | null
  port: number | null
  /** `/system`; `/` or empty where the URI has none. */
  path: string
  /** The transport's own parameters, decoded. */
  parameters: ReadonlyMap<string, string>
  /** What ConnectOpen gets: this URI without transport, host and the transport's parameters, or the parameter `name`. */
  name: string
}

/** Parameters that steer libvirt's own client; all others belong to the driver. */
const transportParameters = new Set([
  'name', 'command', 'socket', 'auth', 'sshauth', 'netcat', 'keyfile', 'pkipath', 'known_hosts', 'known_hosts_verify',
  'tls_priority', 'mode', 'proxy', 'no_sanity', 'no_verify', 'no_tty',
])

const shape = /^([a-z][a-z0-9]*)(?:\+([a-z0-9]+))?:\/\/(?:([^@/?#]*)@)?(\[[^\]/?#]*\]|[^:/?#]*)(?::([0-9]*))?(\/[^?#]*)?(?:\?([^#]*))?$/i

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new UriError('malformed', `the connection URI has a percent sign that is not followed by two hexadecimal digits of UTF-8 text`)
  }
}

const transportOf = (written: string | undefined, host: string): TransportName => {
  if (written === undefined) return host === '' ? 'unix' : 'tls'
  const known = transports.find((name) => name === written)
  if (known) return known
  if (written === 'libssh' || written === 'libssh2') throw new UriError('unknown', `the transport ${written} is a library of libvirt's own client; use ssh, which runs the system's OpenSSH`)
  throw new UriError('unknown', `the transport ${written} is not known; known are ${transports.join(', ')}`)
}

/** Rejects with UriError; the message never repeats the URI, which may hold a user name. */
export const parseURI = (text: string): ConnectURI => {
  const match = shape.exec(text)
  if (!match) throw new UriError('malformed', 'a connection URI has the form driver[+transport]://[user@][host][:port]/[path][?parameters]')
  const [, scheme, written, user, authority, port, path = '', query = ''] = match as unknown as [string, string, ...(string | undefined)[]]
  const host = decode((authority ?? '').replace(/^\[(.*)\]$/, '$1'))
  const transport = transportOf(written?.toLowerCase(), host)
  if (port && Number(port) > 65_535) throw new UriError('malformed', `port ${port} is beyond 65535`)
  if (transport === 'unix' && host !== '') throw new UriError('malformed', `a unix socket is on this machine: leave the host out, or use another transport than unix`)
  if (transport !== 'unix' && host === '') throw new UriError('malformed', `the transport ${transport} needs a host`)

  const parameters = new Map<string, string>()
  const driverParameters: string[] = []
  for (const pair of query.split(/[&;]/).filter((pair) => pair !== '')) {
    const [key = '', ...value] = pair.split('=')
    // libvirt's rule: percent signs are decoded, a plus stays a plus.
    if (transportParameters.has(decode(key))) parameters.set(decode(key), decode(value.join('=')))
    else driverParameters.push(pair)
  }
  const lower = scheme.toLowerCase()
  return {
    scheme: lower, transport, explicit: written !== undefined,
    user: user === undefined ? null : decode(user),
    host: host === '' ? null : host,
    port: port ? Number(port) : null,
    path: decode(path), parameters,
    name: parameters.get('name') ?? `${lower}://${path}${driverParameters.length > 0 ? `?${driverParameters.join('&')}` : ''}`,
  }
}
