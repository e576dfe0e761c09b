// Reads libvirt connection URIs: driver[+transport]://[user@][host][:port]/[path][?parameters] (libvirt: docs/uri.rst).
//
// A URI decides where credentials and bytes go, and a daemon dials out for some: treat it as privileged input.

import { UriError } from './errors.ts'

const transports = ['unix', 'tls', 'tcp', 'ssh', 'ext'] as const
export type TransportName = (typeof transports)[number]
/** libvirt's other implementations of SSH: the system's OpenSSH does what they do. */
const alsoSSH = ['libssh', 'libssh2']

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
  /** This URI without transport, host and the transport's parameters: what a helper on the host is told. */
  plain: string
  /** What ConnectOpen gets: `plain`, or the parameter `name`. */
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
  const known = transports.find((name) => name === written) ?? (alsoSSH.includes(written) ? 'ssh' : undefined)
  if (known) return known
  throw new UriError('unknown', `the transport ${written} is not known; known are ${[...transports, ...alsoSSH].join(', ')}`)
}

/** A name, an IPv4 address, or an IPv6 address with or without its zone. Other characters would reach resolvers, programs and shells. */
const hostShape = /^(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,253}[A-Za-z0-9_.])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(?:%[A-Za-z0-9_.-]{1,32})?)$/
const userShape = /^[A-Za-z0-9_.][A-Za-z0-9_.@+-]{0,254}\$?$/
const controlCharacters = /[\x00-\x1f\x7f]/ // oxlint-disable-line no-control-regex -- they are what is refused

/** `//user:password@`: libvirt has no use for it, and it would show wherever the URI does. */
const passwordIn = (uri: string): boolean => /^[^:/?#]*:\/\/[^/?#]*:[^/?#]*@/.test(uri)

const check = ({ host, user, port, transport, parameters, path, name }: Omit<ConnectURI, 'plain' | 'scheme' | 'explicit'>, text: string): void => {
  if (passwordIn(text) || passwordIn(name)) throw new UriError('malformed', 'a connection URI holds no password: leave it out, and give it as a credential (of an inner URI, in auth.conf on the gateway)')
  if (port !== null && (port < 1 || port > 65_535)) throw new UriError('malformed', port > 65_535 ? `port ${port} is beyond 65535` : 'port 0 is no port to connect to')
  if (host !== null && !hostShape.test(host)) throw new UriError('malformed', 'the host is neither a name of letters, digits, dots, dashes and underscores nor an address (IPv6 in brackets)')
  if (user !== null && !userShape.test(user)) throw new UriError('malformed', 'the user is not a name of letters, digits and ._-@+ that begins with none of -@+')
  if (transport === 'unix' && host !== null) throw new UriError('malformed', `a unix socket is on this machine: leave the host out, or use another transport than unix`)
  if (transport !== 'unix' && transport !== 'ext' && host === null) throw new UriError('malformed', `the transport ${transport} needs a host`)
  if ([path, name, ...parameters.values()].some((value) => controlCharacters.test(value))) throw new UriError('malformed', 'a control character (a line break, a NUL) stands in the connection URI, which none may')
}

/** The longest URI that is looked at, in characters. */
const LENGTH_MAX = 8192

/** Rejects with UriError; the message never repeats the URI, which may hold a user name. */
export const parseURI = (text: string): ConnectURI => {
  const match = text.length > LENGTH_MAX ? null : shape.exec(text)
  if (!match) throw new UriError('malformed', 'a connection URI has the form driver[+transport]://[user@][host][:port]/[path][?parameters]')
  const [, scheme, written, user, authority, port, path = '', query = ''] = match as unknown as [string, string, ...(string | undefined)[]]
  const host = decode((authority ?? '').replace(/^\[(.*)\]$/, '$1'))
  if (host === '' && (user !== undefined || port !== undefined)) throw new UriError('malformed', 'a user or a port stands in the connection URI without a host')

  const parameters = new Map<string, string>()
  const driverParameters: string[] = []
  for (const pair of query.split(/[&;]/).filter((pair) => pair !== '')) {
    const [key = '', ...value] = pair.split('=')
    // libvirt's rule: percent signs are decoded, a plus stays a plus.
    if (transportParameters.has(decode(key))) parameters.set(decode(key), decode(value.join('=')))
    else driverParameters.push(pair)
  }
  const lower = scheme.toLowerCase()
  const plain = `${lower}://${path}${driverParameters.length > 0 ? `?${driverParameters.join('&')}` : ''}`
  const uri: ConnectURI = {
    scheme: lower, transport: transportOf(written?.toLowerCase(), host), explicit: written !== undefined,
    user: user === undefined ? null : decode(user),
    host: host === '' ? null : host,
    port: port ? Number(port) : null,
    path: decode(path), parameters, plain,
    name: parameters.get('name') ?? plain,
  }
  check(uri, text)
  return uri
}

/** The URI as it may be shown: without a password, should somebody have written one, also into the parameter `name`. */
export const shownURI = (text: string): string =>
  text.replace(/(:\/\/[^/?#@]*?):[^/?#]*@/, '$1:***@').replace(/([?&;]name=[^&;]*?(?:%3a|:)(?:%2f|\/){2}(?:(?!%3a|%40|%2f|[:/@&;]).)*)(?:%3a|:)(?:(?!%2f|[/&;]).)*(%40|@)/i, '$1:***$2')
