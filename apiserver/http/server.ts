// The HTTPS side: who asks, may they, what do they ask for; every refusal is a Status.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Server, createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Clock } from '../../clock/clock.ts'
import type { AuditLog } from '../access/audit.ts'
import type { Tls } from '../access/authority.ts'
import { impersonationRefusal, isAllowed, isPathAllowed, pathRefusal, refusal } from '../access/authorize.ts'
import { type AccountSource, type User, userOfCertificate } from '../access/users.ts'
import type { Discovery } from '../discovery/documents.ts'
import type { OpenApi } from '../discovery/openapi.ts'
import { ConflictError, PatchError } from '../merge/index.ts'
import { ApiFailure, PageNotFound, badRequest, methodNotAllowed, notAcceptable, notFound, unauthorized } from '../registry/failure.ts'
import type { Kinds } from '../registry/kinds.ts'
import { StoreError } from '../store/errors.ts'
import { Exchange } from './exchange.ts'
import { parseAccept } from './negotiate.ts'
import { type Objects, type Verb, verbOf } from './objects.ts'
import { type ResourcePath, parseResourcePath } from './route.ts'

export interface ServerOptions {
  objects: Objects
  kinds: Kinds
  discovery: Discovery
  openapi: OpenApi
  accounts: AccountSource
  tls: Tls
  audit: AuditLog
  clock: Clock
  /** What /version answers. */
  version: Record<string, string>
  limits?: typeof LIMITS
  /** Throws a sentence while the server cannot serve. */
  ready: () => void
  onError: (error: Error, what: string) => void
}

/** How long a client may take, ms: for the headers, for a whole request, to take an answer, and between two requests. */
export const LIMITS = { headers: 10_000, request: 60_000, idle: 60_000, keepAlive: 120_000 }
/** Requests at once, watches apart; more are told to come again. */
const IN_FLIGHT = 600
/** As kubectl asks for it; answered with a dot in place of the @. */
const OPENAPI_PROTOBUF = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf'
const WRITES = new Set<Verb>(['create', 'update', 'patch', 'delete', 'deletecollection'])

export class HttpServer {
  readonly #options: ServerOptions
  readonly #server: Server
  readonly #idle: number
  #address = ''
  #inFlight = 0

  constructor(options: ServerOptions) {
    this.#options = options
    const { limits = LIMITS } = options
    this.#idle = limits.idle
    this.#server = createServer({
      ...options.tls, requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.2', maxHeaderSize: 64 * 1024, noDelay: true, keepAlive: true,
      headersTimeout: limits.headers, requestTimeout: limits.request, keepAliveTimeout: limits.keepAlive, connectionsCheckingInterval: Math.min(limits.headers, 5_000),
    }, (request, response) => {
      void this.#handle(request, response)
    })
  }

  /** Answers the address that clients use. */
  async listen(host: string, port: number): Promise<{ host: string; port: number }> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#server.once('error', cause => { reject(new Error(`the API cannot be served at ${host}:${port} (${cause.message}): name another address`, { cause })) })
    this.#server.listen({ host, port }, resolve)
    await promise
    this.#server.removeAllListeners('error')
    const { address, port: chosen } = this.#server.address() as AddressInfo
    this.#address = `${address.includes(':') ? `[${address}]` : address}:${chosen}`
    return { host: address, port: chosen }
  }

  /** Ends what is open: watches are ended before, by their signal. */
  async close(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#server.close(() => { resolve() })
    this.#server.closeIdleConnections()
    const timer = this.#options.clock.setTimeout(() => { this.#server.closeAllConnections() }, 2_000)
    await promise
    timer.cancel()
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange = new Exchange(request, response)
    response.on('error', () => { /* the client left; nothing is owed to it */ })
    this.#inFlight++
    let verb: Verb | undefined
    let counted = true
    const leave = (): void => { if (counted) { counted = false; this.#inFlight-- } }
    try {
      await this.#serve(exchange, found => {
        verb = found
        if (found === 'watch') leave()
        else response.setTimeout(this.#idle, () => { response.destroy() })
      })
    } catch (error) {
      const fault = await exchange.fail(failureOf(error, exchange.path)).catch((failed: unknown) => failed instanceof Error ? failed : undefined)
      if (fault !== undefined && !response.destroyed) this.#options.onError(fault, `${exchange.method} ${exchange.path}`)
    } finally {
      leave()
      if (verb !== undefined && WRITES.has(verb)) this.#audit(exchange, verb)
    }
  }

  async #serve(exchange: Exchange, onVerb: (verb: Verb) => void): Promise<void> {
    const path = exchange.path.length > 1 ? exchange.path.replace(/\/$/, '') : exchange.path
    if (await this.#public(exchange, path)) return
    if (this.#inFlight > IN_FLIGHT) throw new ApiFailure(429, 'TooManyRequests', 'Too many requests, please try again later.', { retryAfterSeconds: 1 })
    const user = exchange.user = this.#authenticate(exchange)
    const impersonated = exchange.header('impersonate-user') ?? exchange.header('impersonate-group') ?? exchange.header('impersonate-uid')
    if (impersonated !== undefined) throw impersonationRefusal(user, impersonated)
    const resource = parseResourcePath(path)
    if (resource === undefined) return await this.#document(exchange, path, user)
    await this.#resource(exchange, resource, user, onVerb)
  }

  async #resource(exchange: Exchange, path: ResourcePath, user: User, onVerb: (verb: Verb) => void): Promise<void> {
    const verb = verbOf(exchange, path)
    if (verb !== undefined) onVerb(verb)
    const { group, plural, subresource = '', namespace, name } = path
    const attempted = verb ?? exchange.method.toLowerCase()
    const attempt = { verb: attempted, group, plural, subresource, namespace: plural === 'namespaces' && group === '' ? name ?? '' : namespace ?? '', name: name ?? '' }
    if (!isAllowed(this.#options.accounts(), user, attempt)) throw refusal(user, attempt)
    const served = this.#options.kinds.find(group, path.version, plural)
    if (served === undefined) throw new PageNotFound()
    if (served.kind.namespaced ? namespace === undefined && name !== undefined : namespace !== undefined) throw new PageNotFound()
    if (subresource !== '' && (subresource !== 'status' || !served.version.statusSubresource)) throw served.kind.custom ? notFound(served.kind, name ?? '') : new PageNotFound()
    if (verb === undefined && name === undefined && (exchange.method === 'PUT' || exchange.method === 'PATCH')) throw badRequest('name must be provided')
    if (verb === undefined || (subresource !== '' && !['get', 'update', 'patch'].includes(verb))) throw methodNotAllowed()
    // A custom kind has no such path, a built-in one no such method on it.
    if (served.kind.namespaced && namespace === undefined && verb !== 'list' && verb !== 'watch') throw served.kind.custom ? new PageNotFound() : methodNotAllowed()
    if (served.version.deprecated) exchange.warn(served.version.deprecationWarning ?? `${served.version.apiVersion} ${served.kind.kind} is deprecated`)
    if (served.kind.note !== undefined && ['create', 'update', 'patch'].includes(verb)) exchange.warn(`${served.kind.kind}: ${served.kind.note}`)
    await this.#options.objects.handle(exchange, served, path, verb)
  }

  /** What anybody may ask: is the server there. */
  async #public(exchange: Exchange, path: string): Promise<boolean> {
    if (exchange.method !== 'GET' && exchange.method !== 'HEAD') return false
    switch (path) {
      case '/version': await exchange.sendJson(200, this.#options.version); return true
      case '/livez':
      case '/livez/ping':
      case '/healthz/ping': await exchange.sendText(200, exchange.flag('verbose') && exchange.query.has('verbose') ? '[+]ping ok\nlivez check passed\n' : 'ok'); return true
      case '/healthz':
      case '/readyz': {
        const name = path.slice(1)
        try {
          this.#options.ready()
          await exchange.sendText(200, exchange.flag('verbose') && exchange.query.has('verbose') ? `[+]ping ok\n[+]store ok\n${name} check passed\n` : 'ok')
        } catch (error) {
          await exchange.sendText(500, `[+]ping ok\n[-]store failed: ${error instanceof Error ? error.message : String(error)}\n${name} check failed\n`)
        }
        return true
      }
      default: return false
    }
  }

  async #document(exchange: Exchange, path: string, user: User): Promise<void> {
    const verb = exchange.method === 'HEAD' ? 'get' : exchange.method.toLowerCase()
    if (!isPathAllowed(user, verb, path)) throw pathRefusal(user, verb, path)
    if (path === '/') return await exchange.sendJson(200, { paths: this.#paths() })
    if (exchange.method !== 'GET' && exchange.method !== 'HEAD') throw new PageNotFound()
    const root = path.split('/')[1]
    if (root === 'openapi') return await this.#sendOpenApi(exchange, path)
    if (root !== 'api' && root !== 'apis') throw new PageNotFound()
    const aggregated = path.split('/').length === 2 ? aggregatedForm(exchange.header('accept')) : undefined
    const found = this.#options.discovery.get(path, aggregated, this.#address)
    if (found === undefined) throw new PageNotFound()
    const type = aggregated === undefined ? 'application/json' : `application/json;g=apidiscovery.k8s.io;v=${aggregated};as=APIGroupDiscoveryList`
    await this.#sendDocument(exchange, found, type)
  }

  async #sendOpenApi(exchange: Exchange, path: string): Promise<void> {
    const wanted = parseAccept(exchange.header('accept') ?? '*/*').map(({ type }) => type)
    if (path === '/openapi/v2' && wanted[0] === OPENAPI_PROTOBUF) return await this.#sendDocument(exchange, await this.#options.openapi.protobuf(), OPENAPI_PROTOBUF.replace('@', '.'))
    if (!wanted.some(type => type === '*/*' || type === 'application/*' || type === 'application/json')) throw notAcceptable(['application/json'])
    const found = this.#options.openapi.get(path)
    if (found === undefined) throw new PageNotFound()
    await this.#sendDocument(exchange, found, 'application/json')
  }

  async #sendDocument(exchange: Exchange, { body, etag }: { body: Buffer; etag: string }, type: string): Promise<void> {
    const headers = { ETag: etag, Vary: 'Accept' }
    if (exchange.header('if-none-match') === etag) {
      exchange.response.writeHead(304, headers).end()
      return
    }
    await exchange.send(200, body, type, headers)
  }

  #paths(): string[] {
    const groups = new Set(this.#options.kinds.all().flatMap(({ group, versions }) => group === '' ? [] : [`/apis/${group}`, ...versions.filter(({ served }) => served).map(({ apiVersion }) => `/apis/${apiVersion}`)]))
    return ['/api', '/api/v1', '/apis', ...groups, '/healthz', '/livez', '/openapi/v2', '/openapi/v3', '/readyz', '/version']
  }

  #authenticate(exchange: Exchange): User {
    const header = exchange.header('authorization')
    if (header !== undefined) {
      const token = /^Bearer +(\S+)$/i.exec(header)?.[1]
      const { accounts } = this.#options
      // A token that is not known may be a new user's.
      const user = token === undefined ? undefined : accounts().byToken(token) ?? accounts({ fresh: true }).byToken(token)
      if (user === undefined) throw unauthorized()
      return user
    }
    const socket = exchange.request.socket as TLSSocket
    const user = socket.authorized ? userOfCertificate(socket.getPeerCertificate().subject) : undefined
    if (user === undefined) throw unauthorized()
    return user
  }

  #audit(exchange: Exchange, verb: Verb): void {
    this.#options.audit.write({
      time: new Date(this.#options.clock.now()).toISOString(),
      user: exchange.user?.name ?? '',
      address: exchange.request.socket.remoteAddress ?? '',
      agent: (exchange.header('user-agent') ?? '').slice(0, 200),
      verb,
      uri: (exchange.request.url ?? '').slice(0, 2_000),
      code: exchange.response.statusCode,
    })
  }
}

function aggregatedForm(accept: string | undefined): 'v2' | 'v2beta1' | undefined {
  for (const { type, parameters } of parseAccept(accept ?? '')) {
    if (type !== 'application/json') continue
    if (parameters['as'] === undefined) return undefined
    const { as, g, v } = parameters
    if (as === 'APIGroupDiscoveryList' && g === 'apidiscovery.k8s.io' && (v === 'v2' || v === 'v2beta1')) return v
  }
  return undefined
}

/** What the disk refused is told to the client; a URL that cannot be decoded is the client's own. */
function failureOf(error: unknown, path: string): unknown {
  // In the core group it is told as a Status.
  if (error instanceof PageNotFound && path.startsWith('/api/')) return new ApiFailure(404, 'NotFound', 'the server could not find the requested resource', {})
  if (error instanceof URIError) return badRequest(error.message)
  if (error instanceof PatchError) return new ApiFailure(error.code, error.reason ?? '', error.message, error.code === 422 ? {} : undefined)
  if (error instanceof ConflictError) return new ApiFailure(error.code, error.reason, error.message, { causes: error.causes })
  if (!(error instanceof StoreError)) return error
  if (error.code === 'Full') return new ApiFailure(507, 'InsufficientStorage', error.message, { retryAfterSeconds: 10 })
  return error.code === 'Closed' ? new ApiFailure(503, 'ServiceUnavailable', 'the server is stopping', { retryAfterSeconds: 1 }) : error
}
