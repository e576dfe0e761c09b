// An API server that does what a test tells it, one request at a time: the test plays the server's part as a script.

import { createServer as createHttp, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { createServer as createHttps, type Server } from 'node:https'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import type { SecureContextOptions } from 'node:tls'
import { KubeConfig, type User } from '@kubernetes/client-node'

export interface TlsOptions extends SecureContextOptions { requestCert?: boolean; rejectUnauthorized?: boolean }

/** One request, held until the test answers it. */
export class Exchange {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly headers: IncomingMessage['headers']
  /** Parsed JSON, or undefined without a body. */
  readonly body: any
  readonly socket: Socket
  readonly #response: ServerResponse
  /** Resolves when the client has closed its side, or the answer is complete. */
  readonly closed: Promise<void>

  constructor(request: IncomingMessage, response: ServerResponse, body: string) {
    const url = new URL(request.url ?? '/', 'http://localhost')
    this.method = request.method ?? ''
    this.path = url.pathname
    this.query = url.searchParams
    this.headers = request.headers
    this.body = body === '' ? undefined : JSON.parse(body)
    this.socket = request.socket
    this.#response = response
    this.closed = new Promise((resolve) => { response.once('close', resolve) })
  }

  get isWatch(): boolean { return this.query.get('watch') === 'true' }

  json(body: unknown, status = 200, headers: Record<string, string> = {}): void {
    this.#response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
  }

  /** A metav1.Status. */
  refuse(code: number, reason: string, { headers = {}, message = `${reason}: as the test says`, ...rest }: { headers?: Record<string, string>; message?: string; details?: unknown } = {}): void {
    this.json({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message, ...rest }, code, headers)
  }

  list(items: unknown[], resourceVersion: string, token?: string): void {
    this.json({ apiVersion: 'v1', kind: 'List', metadata: { resourceVersion, ...(token ? { continue: token } : {}) }, items })
  }

  /** Begins a watch: status and headers, without an event. */
  open(): this {
    this.#response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders()
    return this
  }

  event(type: string, object: unknown): this { return this.raw(`${JSON.stringify({ type, object })}\n`) }

  /** Bytes as they are, sent at once. */
  raw(bytes: string | Uint8Array): this {
    this.#response.write(bytes)
    return this
  }

  /** An orderly end of the stream, as at timeoutSeconds. */
  end(): void { this.#response.end() }

  /** The connection is reset. */
  cut(): void { this.socket.destroy() }
}

interface Waiter { wanted: (exchange: Exchange) => boolean; resolve: (exchange: Exchange) => void }

export class FaultyApi {
  readonly #server: ReturnType<typeof createHttp> | Server
  readonly #sockets = new Set<Socket>()
  readonly #arrived: Exchange[] = []
  readonly #waiters: Waiter[] = []
  #url = ''
  /** Connections accepted since the start. */
  connections = 0
  /** Requests answered or held since the start. */
  requests = 0
  /** Answers requests at once; what it returns false for is held for `next`. */
  auto: (exchange: Exchange) => boolean = () => false

  private constructor(tls?: TlsOptions) {
    const listener: RequestListener = (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => { chunks.push(chunk) })
      request.on('error', () => undefined)
      response.on('error', () => undefined)
      request.on('end', () => { this.#arrive(new Exchange(request, response, Buffer.concat(chunks).toString())) })
    }
    this.#server = tls ? createHttps(tls, listener) : createHttp(listener)
    this.#server.on(tls ? 'secureConnection' : 'connection', (socket: Socket) => {
      this.connections++
      this.#sockets.add(socket)
      socket.on('error', () => undefined)
      socket.once('close', () => this.#sockets.delete(socket))
    })
  }

  static async start(tls?: TlsOptions): Promise<FaultyApi> {
    const api = new FaultyApi(tls)
    api.#server.listen(0, '127.0.0.1')
    await once(api.#server, 'listening')
    api.#url = `${tls ? 'https' : 'http'}://127.0.0.1:${(api.#server.address() as AddressInfo).port}`
    return api
  }

  get url(): string { return this.#url }
  get openSockets(): number { return this.#sockets.size }
  get held(): number { return this.#arrived.length }

  /** Serves new connections with other certificates. */
  setCertificates(tls: TlsOptions): void { (this.#server as Server).setSecureContext(tls) }

  /** The next request that `wanted` accepts, in the order of arrival. */
  next(wanted: (exchange: Exchange) => boolean = () => true): Promise<Exchange> {
    const at = this.#arrived.findIndex(wanted)
    if (at >= 0) return Promise.resolve(this.#arrived.splice(at, 1)[0]!)
    return new Promise((resolve) => { this.#waiters.push({ wanted, resolve }) })
  }

  nextList(): Promise<Exchange> { return this.next((exchange) => exchange.method === 'GET' && !exchange.isWatch) }
  async nextWatch(): Promise<Exchange> { return this.next((exchange) => exchange.isWatch) }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  /** A KubeConfig for this server, read afresh at each call. */
  kubeConfig(user: Partial<User> = {}, cluster: { caData?: string; caFile?: string } = {}): () => KubeConfig {
    return () => {
      const config = new KubeConfig()
      config.loadFromClusterAndUser({ name: 'faulty', server: this.#url, skipTLSVerify: false, ...cluster }, { name: 'tester', ...user })
      return config
    }
  }

  #arrive(exchange: Exchange): void {
    this.requests++
    if (this.auto(exchange)) return
    const at = this.#waiters.findIndex(({ wanted }) => wanted(exchange))
    if (at >= 0) this.#waiters.splice(at, 1)[0]!.resolve(exchange)
    else this.#arrived.push(exchange)
  }
}
