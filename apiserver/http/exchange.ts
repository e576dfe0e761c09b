// One request and its answer: sends bytes, compressed where that pays, with what the client is to be warned of.

import type { IncomingMessage, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { User } from '../access/users.ts'
import { ApiFailure, PageNotFound, type Status, internal } from '../registry/failure.ts'
import type { Wanted } from './negotiate.ts'

/** As kube-apiserver: below this, compressing costs more than it saves. */
const WORTH_COMPRESSING = 128 * 1024
/** Bytes of a refused body that are still taken. */
const DRAINED = 16 * 1024 * 1024
const compress = promisify(gzip)

export class Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly path: string
  readonly query: URLSearchParams
  readonly #warnings = new Set<string>()
  user: User | undefined

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.request = request
    this.response = response
    const url = request.url ?? '/'
    const at = url.indexOf('?')
    this.path = at < 0 ? url : url.slice(0, at)
    this.query = new URLSearchParams(at < 0 ? '' : url.slice(at + 1))
  }

  get method(): string { return this.request.method ?? 'GET' }

  header(name: string): string | undefined {
    const value = this.request.headers[name]
    return Array.isArray(value) ? value.join(',') : value
  }

  /** Each text once, in the order of the first time. */
  warn(text: string): void {
    this.#warnings.add(text)
  }

  flag(name: string): boolean {
    const value = this.query.get(name)
    return value === '' || value === 'true' || value === '1'
  }

  get warnings(): string[] {
    return Array.from(this.#warnings, text => `299 - "${text.replaceAll(/["\\]/g, '\\$&').replaceAll(/[^\x20-\x7e\u00a0-\u00ff]/g, '?')}"`)
  }

  async send(code: number, body: Buffer, contentType: string, headers: Record<string, string> = {}): Promise<void> {
    const { response } = this
    if (response.headersSent || response.destroyed) return
    const zipped = body.length > WORTH_COMPRESSING && /\bgzip\b/.test(this.header('accept-encoding') ?? '')
    const bytes = zipped ? await compress(body, { level: 1 }) : body
    if (this.#warnings.size > 0) response.setHeader('Warning', this.warnings)
    response.writeHead(code, {
      'Content-Type': contentType,
      'Content-Length': bytes.length,
      'Cache-Control': 'no-cache, private',
      ...body.length > WORTH_COMPRESSING ? { Vary: 'Accept-Encoding' } : {},
      ...zipped ? { 'Content-Encoding': 'gzip' } : {},
      ...headers,
    })
    response.end(this.method === 'HEAD' ? undefined : bytes)
  }

  async sendJson(code: number, value: unknown, headers?: Record<string, string>): Promise<void> {
    await this.send(code, Buffer.from(JSON.stringify(value)), 'application/json', headers)
  }

  async sendText(code: number, text: string): Promise<void> {
    await this.send(code, Buffer.from(text), 'text/plain; charset=utf-8', { 'X-Content-Type-Options': 'nosniff' })
  }

  /** A value in the form that was asked for. */
  async sendValue(code: number, value: unknown, { format, pretty }: Pick<Wanted, 'format' | 'pretty'>): Promise<void> {
    if (format === 'yaml') {
      const { stringify } = await import('yaml')
      await this.send(code, Buffer.from(stringify(value, { version: '1.1', lineWidth: 0 })), 'application/yaml')
    } else await this.send(code, Buffer.from(pretty ? `${JSON.stringify(value, null, 2)}\n` : JSON.stringify(value)), 'application/json')
  }

  /** What the client still sends is read and dropped, so that it comes to read its answer; within reason. */
  #drain(): void {
    const { request } = this
    if (request.complete || request.destroyed) return
    let left = DRAINED
    request.on('data', (chunk: Buffer) => {
      left -= chunk.length
      if (left < 0) request.destroy()
    })
    request.resume()
  }

  /** Anything but an ApiFailure is a fault of ours: it is answered 500, and handed back for the log. */
  async fail(error: unknown): Promise<Error | undefined> {
    this.#drain()
    if (error instanceof PageNotFound) {
      await this.sendText(404, '404 page not found\n')
      return undefined
    }
    const known = error instanceof ApiFailure
    const status: Status = (known ? error : internal(error instanceof Error ? error.message : String(error))).status
    const retry = status.details?.retryAfterSeconds
    await this.sendJson(status.code ?? 500, status, retry === undefined ? {} : { 'Retry-After': String(retry) })
    return known || !(error instanceof Error) ? undefined : error
  }
}
