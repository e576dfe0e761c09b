// Answers probes and metrics scrapes over HTTP: /healthz, /readyz, one check of them by name, /metrics.

import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Registry } from 'prom-client'

/** Throws, or rejects, when the part it looks at is not well. Called on every probe: it must be quick. */
export type Check = () => void | Promise<void>

export interface HealthOptions {
  /** `:8081`, `127.0.0.1:8081` or `[::1]:8081`; port 0 takes a free one. */
  address: string
  registry?: Registry
}

interface Answer { status: number; type: string; body: string }

/** Longer than anybody scrapes apart, ms: a connection closed while the next request is on its way is an error to who asks. */
const KEEP_ALIVE = 120_000

export class HealthServer {
  readonly #server: Server
  readonly #options: HealthOptions
  /** One table per endpoint; a check belongs to one of them. */
  readonly #checks = { healthz: new Map<string, Check>(), readyz: new Map<string, Check>() }

  constructor(options: HealthOptions) {
    this.#options = options
    this.#server = createServer({ keepAliveTimeout: KEEP_ALIVE }, (request, response) => {
      const url = new URL(request.url ?? '/', 'http://localhost')
      const method = request.method ?? 'GET'
      const answering = method === 'GET' || method === 'HEAD' ? this.#answer(url) : Promise.resolve(text(405, 'method not allowed'))
      answering.catch((error: unknown) => text(500, String(error))).then(({ status, type, body }) => {
        response.writeHead(status, { 'content-type': type, 'x-content-type-options': 'nosniff' }).end(method === 'HEAD' ? undefined : body)
      }).catch(() => response.destroy())
    })
  }

  /** The process is beyond repair when one of these fails: the kubelet restarts it. */
  addLivenessCheck(name: string, check: Check): void { this.#checks.healthz.set(name, check) }
  /** The process can do its work when none of these fails. */
  addReadinessCheck(name: string, check: Check): void { this.#checks.readyz.set(name, check) }

  /** The port that was bound. @throws the error of listen(2). */
  async listen(): Promise<number> {
    const { host, port } = parseAddress(this.#options.address)
    this.#server.listen({ host, port })
    await once(this.#server, 'listening')
    return (this.#server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  async #answer(url: URL): Promise<Answer> {
    const [endpoint = '', name, ...rest] = url.pathname.split('/').slice(1)
    const { registry } = this.#options
    if (endpoint === 'metrics' && registry && name === undefined) return { status: 200, type: registry.contentType, body: await registry.metrics() }
    if (endpoint !== 'healthz' && endpoint !== 'readyz' || rest.length > 0) return text(404, 'not found')
    const checks = this.#checks[endpoint]
    if (name === undefined || name === '') return report(endpoint, await run(checks), url.searchParams.has('verbose'))
    const check = checks.get(name)
    return check ? report(`${endpoint}/${name}`, await run(new Map([[name, check]])), url.searchParams.has('verbose')) : text(404, `there is no check "${name}"`)
  }
}

async function run(checks: ReadonlyMap<string, Check>): Promise<{ name: string; failure?: string }[]> {
  return Promise.all(Array.from(checks, async ([name, check]) => {
    try {
      await check()
      return { name }
    } catch (error) {
      return { name, failure: error instanceof Error ? error.message : String(error) }
    }
  }))
}

function report(path: string, results: { name: string; failure?: string }[], verbose: boolean): Answer {
  const failed = results.some(({ failure }) => failure !== undefined)
  const lines = results.map(({ name, failure }) => failure === undefined ? `[+]${name} ok` : `[-]${name} failed: ${failure}`)
  if (!failed && !verbose) return text(200, 'ok')
  return text(failed ? 500 : 200, [...lines, `${path} check ${failed ? 'failed' : 'passed'}`, ''].join('\n'))
}

const text = (status: number, body: string): Answer => ({ status, type: 'text/plain; charset=utf-8', body })

/** Go's form of an address, as users of other controllers write it. Without a host: all of them. */
export function parseAddress(address: string): { host: string | undefined; port: number } {
  const match = /^(?:\[(?<v6>[^\]]+)\]|(?<host>[^:[\]]*)):(?<port>\d{1,5})$/.exec(address)
  const port = Number(match?.groups?.['port'])
  if (!match || port > 65_535) throw new RangeError(`"${address}" is not an address: write HOST:PORT, [IPV6]:PORT or :PORT`)
  return { host: match.groups?.['v6'] ?? (match.groups?.['host'] || undefined), port }
}
