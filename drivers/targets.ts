// From a connection URI to the ways that lead to its daemon: sockets, addresses, programs, and what each may need.

import { join } from 'node:path'
import type { Credentials } from './credentials.ts'
import type { OpenOptions } from './driver.ts'
import { UriError } from './errors.ts'
import type { Target } from './remote/open.ts'
import { findCertificates } from './remote/transport/certificates.ts'
import { extTransport } from './remote/transport/ext.ts'
import { sshTransport, type SSHOptions } from './remote/transport/ssh.ts'
import { tcpTransport } from './remote/transport/tcp.ts'
import { tlsTransport } from './remote/transport/tls.ts'
import { unixTransport } from './remote/transport/unix.ts'
import type { ConnectURI, TransportName } from './uri.ts'

/** libvirt's drivers, each with the modular daemon that serves it; null where only the monolithic one does. */
export const schemes: Record<string, string | null> = {
  bhyve: 'virtbhyved', ch: 'virtchd', esx: null, gsx: null, hyperv: null, lxc: 'virtlxcd', openvz: null, parallels: null, qemu: 'virtqemud',
  test: null, vbox: 'virtvboxd', vmwarefusion: null, vmwareplayer: null, vmwarews: null, vpx: null, vz: 'virtvzd', xen: 'virtxend',
}

/** libvirt's own ports. */
const PORT = { tcp: 16_509, tls: 16_514 } as const

/** What of the options decides where a URI leads. */
export type TargetOptions = Pick<OpenOptions, 'credentials' | 'plaintext' | 'readOnly'>

const malformed = (message: string): UriError => new UriError('malformed', message)

const oneOf = <const T extends string>(uri: ConnectURI, key: string, known: readonly T[]): T | undefined => {
  const value = uri.parameters.get(key)
  if (value === undefined) return undefined
  const found = known.find((name) => name === value.toLowerCase())
  if (found === undefined) throw malformed(`${key}=${value} is not known; known are ${known.join(', ')}`)
  return found
}

/** libvirt's reading of a number as a flag. */
const isSet = (uri: ConnectURI, key: string): boolean => {
  const value = uri.parameters.get(key)
  if (value === undefined) return false
  if (!/^[01]$/.test(value)) throw malformed(`${key}=${value} is not known; known are 0, 1`)
  return value === '1'
}

/** An absolute path that no program reads as anything else. */
const pathOf = (uri: ConnectURI, key: string): string | undefined => {
  const value = uri.parameters.get(key)
  if (value !== undefined && !/^\/[^"\\$%]*$/.test(value)) throw malformed(`${key} has to be an absolute path without any of " \\ $ %`)
  return value
}

const modeOf = (uri: ConnectURI): 'auto' | 'direct' | 'legacy' | undefined => oneOf(uri, 'mode', ['auto', 'direct', 'legacy'])

export interface SocketOptions { environment?: NodeJS.ProcessEnv; readOnly?: boolean }

/** Where libvirt's daemons put their sockets for this URI, the preferred one first. */
export const socketPaths = (uri: ConnectURI, { environment = process.env, readOnly = false }: SocketOptions = {}): string[] => {
  const explicit = pathOf(uri, 'socket')
  if (explicit !== undefined) return [explicit]
  const session = uri.path === '/session'
  const folder = session
    ? join(environment.XDG_RUNTIME_DIR ?? join(environment.XDG_CACHE_HOME ?? join(environment.HOME ?? '/', '.cache')), 'libvirt')
    : '/run/libvirt'
  // A session has no second socket: its daemon is the user's own.
  const suffix = readOnly && !session ? 'sock-ro' : 'sock'
  const legacy = join(folder, `libvirt-${suffix}`)
  const daemon = schemes[uri.scheme]
  const direct = daemon ? [join(folder, `${daemon}-${suffix}`)] : []
  switch (modeOf(uri) ?? 'auto') {
    case 'auto': return [legacy, ...direct]
    case 'legacy': return [legacy]
    case 'direct':
      if (direct.length === 0) throw malformed(`${uri.scheme} has no daemon of its own, so mode=direct leads nowhere: use mode=auto or mode=legacy`)
      return direct
  }
}

const addressOf = (uri: ConnectURI, transport: 'tcp' | 'tls'): { host: string; port: number } => ({ host: uri.host!, port: uri.port ?? PORT[transport] })

const sshKeys = (uri: ConnectURI): SSHOptions['keysFrom'] => {
  const methods = uri.parameters.get('sshauth')?.toLowerCase().split(',')
  const known = ['agent', 'privkey', 'password', 'keyboard-interactive'] as const
  const wrong = methods?.find((method) => !known.some((name) => name === method))
  if (wrong !== undefined) throw malformed(`sshauth names ${wrong === '' ? 'nothing' : wrong}; known are ${known.join(', ')}`)
  const keys = methods?.filter((method) => method === 'agent' || method === 'privkey')
  if (keys?.length === 0) throw malformed('sshauth leaves only what a person would have to type: name agent or privkey, and give a key')
  return keys
}

/** A program on the host: one word, never an option. */
const netcatOf = (uri: ConnectURI): string => {
  const netcat = uri.parameters.get('netcat') ?? 'nc'
  if (!/^[A-Za-z0-9_./][A-Za-z0-9_./+-]*$/.test(netcat)) throw malformed('netcat has to be the name or path of one program on the host, without spaces or quotes')
  return netcat
}

const sshOptions = (uri: ConnectURI, { credentials, readOnly }: TargetOptions): SSHOptions => {
  const explicit = pathOf(uri, 'socket')
  // A session's sockets lie where only a login on the host knows: the helper finds them.
  const elsewhere = explicit === undefined && uri.path === '/session'
  // What the helper is told names no socket, so that a URI with one needs netcat (as in libvirt).
  const proxy = oneOf(uri, 'proxy', ['auto', 'native', 'netcat']) ?? (explicit === undefined ? 'auto' : 'netcat')
  if (explicit !== undefined && proxy === 'native') throw malformed('proxy=native and socket exclude each other: the helper on the host finds the socket by itself')
  if (elsewhere && proxy === 'netcat') throw malformed('proxy=netcat does not find the socket of a session: name it by socket=/path, or leave it to virt-ssh-helper on the host')
  const mode = modeOf(uri)
  const verify = isSet(uri, 'no_verify') ? 'ignore' : oneOf(uri, 'known_hosts_verify', ['normal', 'auto', 'ignore'])
  return {
    host: uri.host!, port: uri.port, user: uri.user,
    program: pathOf(uri, 'command'), keyfile: pathOf(uri, 'keyfile'), knownHosts: pathOf(uri, 'known_hosts'),
    verify, keysFrom: sshKeys(uri), credentials: credentials?.ssh,
    remote: { helperURI: mode === undefined ? uri.plain : `${uri.plain}${uri.plain.includes('?') ? '&' : '?'}mode=${mode}`, proxy: elsewhere ? 'native' : proxy, readOnly: readOnly ?? false, netcat: netcatOf(uri), sockets: elsewhere ? [] : socketPaths(uri, { readOnly }) },
  }
}

/** The parameter `auth`, with or without a mechanism. */
const saslOf = (uri: ConnectURI, credentials: Credentials['sasl']): Credentials['sasl'] => {
  const wanted = uri.parameters.get('auth')
  if (wanted === undefined) return credentials
  const [kind, mechanism] = wanted.toLowerCase().split('.', 2)
  if (kind === 'polkit' && mechanism === undefined) return undefined
  if (kind !== 'sasl') throw malformed(`auth=${wanted} is not known; known are sasl, sasl.MECHANISM, polkit`)
  if (mechanism === undefined || credentials === undefined) return credentials
  const name = (['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN'] as const).find((known) => known.toLowerCase() === mechanism)
  if (name === undefined) throw malformed(`the SASL mechanism ${mechanism.toUpperCase()} is not one that vireo speaks: SCRAM-SHA-512, SCRAM-SHA-256, SCRAM-SHA-1, or PLAIN over TLS; with a host that asks for Kerberos (GSSAPI), use TLS certificates or SSH`)
  return { ...credentials, mechanism: name }
}

type Ways = (uri: ConnectURI, options: TargetOptions) => Target['transports']

const ways: Record<TransportName, Ways> = {
  unix: (uri, { readOnly }) => socketPaths(uri, { readOnly }).map((path) => () => unixTransport(path)),
  tcp: (uri, { plaintext }) => {
    if (plaintext !== 'Allowed') throw new UriError('forbidden', 'the transport tcp sends everything in clear, and plaintext is not allowed for this connection: use the transport tls or ssh, or allow it (connection.plaintext: Allowed) where the network between is trusted')
    return [() => tcpTransport(addressOf(uri, 'tcp'))]
  },
  tls: (uri, { credentials }) => {
    if (uri.parameters.has('tls_priority')) throw malformed('tls_priority is in the language of GnuTLS, which vireo does not use: leave it out, TLS 1.2 and 1.3 with the usual ciphers are offered')
    const verify = !isSet(uri, 'no_verify')
    const folder = pathOf(uri, 'pkipath')
    return [() => tlsTransport(addressOf(uri, 'tls'), { verify, credentials: () => findCertificates({ given: credentials?.tls, folder }) })]
  },
  ssh: (uri, options) => {
    const ssh = sshOptions(uri, options)
    return [() => sshTransport(ssh)]
  },
  ext: (uri) => {
    const command = pathOf(uri, 'command')
    if (command === undefined) throw malformed('the transport ext needs command=/path/of/a/program that speaks to libvirt on its standard input and output')
    return [() => extTransport(command)]
  },
}

/** What a URI makes this machine read or run. */
const localParameters = ['command', 'netcat', 'keyfile', 'known_hosts', 'pkipath', 'socket'] as const

/** Throws UriError where the URI reaches into this machine. */
export const refuseLocal = (uri: ConnectURI): void => {
  // libvirt's test driver reads its machines from a file where the path is more than a name.
  const file = uri.scheme === 'test' && uri.transport === 'unix' && uri.path.indexOf('/', 1) > 0 ? 'the file of the test driver' : undefined
  const named = localParameters.find((key) => uri.parameters.has(key)) ?? (uri.transport === 'ext' ? 'the transport ext' : file)
  if (named !== undefined) throw new UriError('forbidden', `${named} makes the controller itself read files or run programs, which connection URIs may not here: give credentials as a Secret, or start the controller with --allow-local-uris`)
}

/** Where `uri` leads. Throws UriError where that is nowhere. */
export const targetOf = (uri: ConnectURI, options: TargetOptions): Target => ({
  name: uri.name,
  transports: ways[uri.transport](uri, options),
  login: { channel: uri.transport, sasl: saslOf(uri, options.credentials?.sasl), readOnly: options.readOnly },
})
