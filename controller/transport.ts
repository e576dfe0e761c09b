// Carries requests and watches to the API server over one agent: raw JSON in and out, deadlines, and errors as values of errors.ts.

import type { KubeConfig } from '@kubernetes/client-node'
import { request as send, type Dispatcher } from 'undici'
import { deadline, systemClock, unlessAborted, type Clock } from '../clock/clock.ts'
import { CredentialSource, type Credentials } from './credentials.ts'
import { ApiError, apiErrorFrom, ApiUnreachable, RequestTimeout, WatchBroken } from './errors.ts'
import type { RequestMetrics } from './metrics.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
export type Query = Record<string, string | number | boolean | undefined>

export interface ApiRequest {
  method: Method
  /** Absolute below the server's own path, already encoded: see resourcePath. */
  path: string
  query?: Query
  body?: unknown
  /** Of the body; application/json unless it is a patch. */
  contentType?: string
  /** Milliseconds for the whole answer; the transport's default if absent. */
  timeout?: number
  signal?: AbortSignal
}

export interface WatchRequest {
  path: string
  query?: Query
  /** Milliseconds without a byte after which the connection is taken for dead; may be shortened while the watch runs. */
  idleTimeout: number | (() => number)
  signal?: AbortSignal
}

export interface TransportOptions {
  /** Gives a KubeConfig read afresh; called again when credentials rotate or are refused. */
  kubeConfig: () => KubeConfig
  clock?: Clock
  /** Milliseconds for one request; 30 s. */
  timeout?: number
  userAgent?: string
  metrics?: RequestMetrics
  /** Called for every request that is sent, watches included: tests count writes with it. */
  onRequest?: (request: { method: Method; path: string; query: Query; contentType?: string; body?: unknown }) => void
}

export class Transport {
  readonly #credentials: CredentialSource
  readonly #clock: Clock
  readonly #timeout: number
  readonly #userAgent: string
  readonly #metrics: RequestMetrics | undefined
  readonly #onRequest: TransportOptions['onRequest']

  constructor({ kubeConfig, clock = systemClock, timeout = 30_000, userAgent = 'vireo', metrics, onRequest }: TransportOptions) {
    this.#credentials = new CredentialSource({ load: kubeConfig, clock })
    this.#clock = clock
    this.#timeout = timeout
    this.#userAgent = userAgent
    this.#metrics = metrics
    this.#onRequest = onRequest
  }

  /**
   * Sends one request and parses the JSON of its answer.
   * @throws ApiError when the server refused, RequestTimeout or ApiUnreachable when nobody knows.
   */
  async request(request: ApiRequest): Promise<unknown> {
    const { method, path, timeout = this.#timeout } = request
    using limit = deadline(this.#clock, timeout, () => new RequestTimeout(`the API server did not answer ${method} ${path} within ${timeout / 1000} s`), request.signal)
    const response = await this.#send('requests', request, limit.signal)
    const text = await this.#reading(response.body.text(), method, path, limit.signal)
    try {
      return JSON.parse(text)
    } catch (cause) {
      throw new ApiUnreachable(`the answer to ${method} ${path} is not JSON: is this address a Kubernetes API server?`, { cause })
    }
  }

  /**
   * Opens a stream of lines and yields each whole line, raw. Returns when the server ends it at the end of a line.
   * @throws WatchBroken when it is cut off within a line, fails, or is silent for too long; ApiError when it is refused.
   */
  async *watch(request: WatchRequest): AsyncGenerator<Buffer, void, void> {
    const { path } = request
    const idle = (): number => typeof request.idleTimeout === 'number' ? request.idleTimeout : request.idleTimeout()
    const silence = (): Error => new WatchBroken(`the watch of ${path} was silent for too long: the connection is taken for dead`)
    using limit = deadline(this.#clock, this.#timeout, () => new RequestTimeout(`the API server did not answer the watch of ${path} within ${this.#timeout / 1000} s`), request.signal)
    const response = await this.#send('watches', { method: 'GET', path, query: request.query }, limit.signal)
    limit.signal.throwIfAborted()
    using quiet = deadline(this.#clock, idle(), silence, request.signal)
    limit[Symbol.dispose]()
    const stop = (): void => { response.body.destroy(asError(quiet.signal.reason)) }
    quiet.signal.addEventListener('abort', stop, { once: true })
    const splitter = new LineSplitter()
    try {
      for await (const chunk of response.body as AsyncIterable<Buffer>) {
        for (const line of splitter.push(chunk)) {
          yield line
          quiet.signal.throwIfAborted()
        }
        quiet.extend(idle())
      }
    } catch (cause) {
      quiet.signal.throwIfAborted()
      throw new WatchBroken(`the watch of ${path} broke off`, { cause })
    } finally {
      quiet.signal.removeEventListener('abort', stop)
    }
    quiet.signal.throwIfAborted()
    if (splitter.pending > 0) throw new WatchBroken(`the watch of ${path} ended within a line`)
  }

  async close(): Promise<void> {
    await this.#credentials.close()
  }

  async #send(by: 'requests' | 'watches', request: ApiRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const credentials = await unlessAborted(this.#credentials.get(), signal)
    try {
      return await this.#sendWith(credentials, by, request, signal)
    } catch (error) {
      // The token expired or the certificates were replaced since we read them: once more with fresh ones, if there are any.
      const refused = error instanceof ApiError ? error.status === 401 : error instanceof ApiUnreachable && isStale(error.cause)
      if (!refused || signal.aborted) throw error
      return this.#sendWith(await unlessAborted(this.#credentials.renew(credentials), signal), by, request, signal)
    }
  }

  async #sendWith(credentials: Credentials, by: 'requests' | 'watches', request: ApiRequest, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
    const { method, path, query = {}, body, contentType = 'application/json' } = request
    const { server, headers, [by]: dispatcher } = credentials
    const url = new URL(server.pathname.replace(/\/$/, '') + path, server)
    for (const [name, value] of Object.entries(query)) if (value !== undefined && value !== '') url.searchParams.set(name, String(value))
    this.#onRequest?.({ method, path, query, ...(body === undefined ? {} : { contentType, body }) })
    const count = (code: string): void => this.#metrics?.finished(code, method, server.host)
    let response: Dispatcher.ResponseData
    try {
      // A request that still waits for a socket is not ended by its signal.
      response = await unlessAborted(send(url, {
        method,
        dispatcher,
        signal,
        headersTimeout: 0,
        bodyTimeout: 0,
        headers: { accept: 'application/json', 'user-agent': this.#userAgent, ...headers, ...(body === undefined ? {} : { 'content-type': contentType }) },
        body: body === undefined ? null : JSON.stringify(body),
      }), signal)
    } catch (cause) {
      count('<error>')
      throw failure(cause, method, path, signal)
    }
    count(String(response.statusCode))
    if (response.statusCode < 300) return response
    const text = await this.#reading(response.body.text(), method, path, signal)
    const retryAfter = response.headers['retry-after']
    throw apiErrorFrom(response.statusCode, text, typeof retryAfter === 'string' ? retryAfter : undefined)
  }

  async #reading(text: Promise<string>, method: Method, path: string, signal: AbortSignal): Promise<string> {
    try {
      return await text
    } catch (cause) {
      throw failure(cause, method, path, signal)
    }
  }
}

function failure(cause: unknown, method: Method, path: string, signal: AbortSignal): Error {
  if (signal.aborted) return asError(signal.reason)
  return new ApiUnreachable(`${method} ${path}: the API server could not be reached: ${asError(cause).message}`, { cause })
}

const asError = (value: unknown): Error => value instanceof Error ? value : new Error(String(value))

/** A handshake that failed on a certificate, ours or the server's (Node's and OpenSSL's codes), or an agent that was replaced under us. */
function isStale(cause: unknown): boolean {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  return /CERT|SELF_SIGNED|ERR_SSL|ERR_TLS|UNABLE_TO_|UND_ERR_CLOSED/.test(code)
}

/** Cuts a byte stream at line feeds. Bytes are only decoded as whole lines, so a character split across chunks is safe. */
export class LineSplitter {
  #parts: Buffer[] = []
  #pending = 0

  /** Bytes of the line that has no end yet. */
  get pending(): number { return this.#pending }

  push(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = []
    let start = 0
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      this.#parts.push(chunk.subarray(start, end))
      const line = Buffer.concat(this.#parts)
      if (line.length > 0) lines.push(line)
      this.#parts = []
      this.#pending = 0
      start = end + 1
    }
    if (start < chunk.length) {
      this.#parts.push(chunk.subarray(start))
      this.#pending += chunk.length - start
    }
    return lines
  }
}
