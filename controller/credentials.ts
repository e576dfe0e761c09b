// Turns a KubeConfig into what a request needs: the server's address, the TLS material and the authorization header, re-read as they rotate.

import { KubeConfig } from '@kubernetes/client-node'
import type { ConnectionOptions } from 'node:tls'
import type { RequestOptions } from 'node:https'
import { Agent, ProxyAgent, Socks5ProxyAgent, type Dispatcher } from 'undici'
import type { Clock } from '../clock/clock.ts'

export interface Credentials {
  /** Rises with every read: a request that got 401 under an older one is simply sent again. */
  generation: number
  server: URL
  headers: Record<string, string>
  /** Requests share a limited number of sockets and queue for them. */
  requests: Dispatcher
  /** A watch holds its socket for minutes: among the requests' sockets, watches would leave none for them. */
  watches: Dispatcher
}

/** client-go's interval for bound service account tokens and certificate files. */
const rereadAfter = 60_000
/** More sockets than workers ever need; undici queues what goes beyond. */
const maxSockets = 128

/**
 * One writer of the process's credentials. `load` gives a KubeConfig read afresh (from disk, or in-cluster): its
 * authenticators cache tokens with clocks of their own, so a forced re-read needs a new one.
 */
export class CredentialSource {
  readonly #load: () => KubeConfig
  readonly #clock: Clock
  #config: KubeConfig
  #current: Credentials | undefined
  #fingerprint = ''
  #readAt = 0
  #reading: Promise<Credentials> | undefined

  constructor({ load, clock }: { load: () => KubeConfig; clock: Clock }) {
    this.#load = load
    this.#clock = clock
    this.#config = load()
  }

  get server(): URL {
    const cluster = this.#config.getCurrentCluster()
    if (!cluster) throw new Error('the kubeconfig has no current context with a cluster: run `kubectl config use-context NAME`')
    return new URL(cluster.server)
  }

  /** The credentials of this minute. */
  async get(): Promise<Credentials> {
    if (this.#current && this.#clock.now() - this.#readAt < rereadAfter) return this.#current
    return this.#read(false)
  }

  /** Fresh credentials after the server refused `refused`. Another request may have fetched them in the meantime. */
  async renew(refused: Credentials): Promise<Credentials> {
    if (this.#current && this.#current.generation > refused.generation) return this.#current
    return this.#read(true)
  }

  async close(): Promise<void> {
    await Promise.all([this.#current?.requests.destroy(), this.#current?.watches.destroy()])
  }

  #read(forced: boolean): Promise<Credentials> {
    this.#reading ??= this.#readNow(forced).finally(() => { this.#reading = undefined })
    return this.#reading
  }

  async #readNow(forced: boolean): Promise<Credentials> {
    // An exec plugin is a program of the user's, perhaps a slow one: it runs again when its token expires or is refused.
    if (forced || !usesExec(this.#config)) this.#config = this.#load()
    const { tls, headers } = await materialOf(this.#config)
    const proxy = this.#config.getCurrentCluster()?.proxyUrl
    const fingerprint = JSON.stringify([this.server.href, proxy, tls])
    const previous = this.#current
    const kept = previous !== undefined && fingerprint === this.#fingerprint
    const requests = kept ? previous.requests : dispatcherFor(tls, proxy, maxSockets)
    const watches = kept ? previous.watches : dispatcherFor(tls, proxy, null)
    if (previous && !kept) {
      // Requests and watches in flight finish on their own sockets; the old agents close after the last of them.
      for (const old of [previous.requests, previous.watches]) old.close().catch(() => undefined)
    }
    this.#fingerprint = fingerprint
    this.#readAt = this.#clock.now()
    this.#current = { generation: (previous?.generation ?? 0) + 1, server: this.server, headers, requests, watches }
    return this.#current
  }
}

/** Loads the KubeConfig that kubectl would use: the file given, KUBECONFIG, ~/.kube/config, then the pod's own. */
export const kubeConfigLoader = ({ file, context }: { file?: string; context?: string } = {}) => (): KubeConfig => {
  const config = new KubeConfig()
  if (file === undefined) config.loadFromDefault()
  else config.loadFromFile(file)
  if (context !== undefined) config.setCurrentContext(context)
  return config
}

const usesExec = (config: KubeConfig): boolean => {
  const user = config.getCurrentUser()
  return Boolean(user?.exec ?? user?.authProvider?.config?.exec)
}

type Material = Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'pfx' | 'passphrase' | 'rejectUnauthorized' | 'servername'>

async function materialOf(config: KubeConfig): Promise<{ tls: Material; headers: Record<string, string> }> {
  const options: RequestOptions = {}
  await plainHttpAllowed(config).applyToHTTPSOptions(options)
  const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername, auth } = options
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries(options.headers ?? {})) headers[name.toLowerCase()] = String(value).trim()
  if (auth) headers['authorization'] = `Basic ${Buffer.from(auth).toString('base64')}`
  return { tls: dropUndefined({ ca, cert, key, pfx, passphrase, rejectUnauthorized, servername }), headers }
}

/** client-node refuses http:// (kubectl proxy, a server on loopback) unless TLS verification is off; kubectl doesn't. */
function plainHttpAllowed(config: KubeConfig): KubeConfig {
  const cluster = config.getCurrentCluster()
  const user = config.getCurrentUser()
  if (!cluster?.server.startsWith('http:') || cluster.skipTLSVerify || !user) return config
  const copy = new KubeConfig()
  copy.loadFromClusterAndUser({ ...cluster, skipTLSVerify: true }, user)
  return copy
}

const dropUndefined = (tls: Material): Material => Object.fromEntries(Object.entries(tls).filter(([, value]) => value !== undefined))

/** `connections`: sockets at most, null for as many as there are requests. */
function dispatcherFor(tls: Material, proxyUrl: string | undefined, connections: number | null): Dispatcher {
  // HTTP/1.1, one socket per watch: under HTTP/2 one lost packet, or one dead connection, stalls every watch at once.
  const options = { allowH2: false, connections, keepAliveTimeout: 30_000 }
  // 30 s as client-go's, below the idle timeouts of cloud load balancers.
  const connect = { ...tls, keepAlive: true, keepAliveInitialDelay: 30_000 }
  if (proxyUrl === undefined) return new Agent({ ...options, connect })
  if (proxyUrl.startsWith('socks')) return new Socks5ProxyAgent(proxyUrl, { ...options, requestTls: tls })
  return new ProxyAgent({ ...options, uri: proxyUrl, requestTls: connect })
}
