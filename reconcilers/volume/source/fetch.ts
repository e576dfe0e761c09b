// Opens an image on a web server: follows redirects within http and https, and turns refusals into sentences.

import { type Dispatcher, request } from 'undici'
import { SourceError } from './error.ts'
import { ClosedAddress, type SourceReach } from './reach.ts'

/** Redirects that are followed. */
const REDIRECTS = 5
const HEADERS_TIMEOUT = 30_000
/** Silence in the middle of the content. */
const BODY_TIMEOUT = 60_000

export interface OpenedSource {
  /** Size of the whole content in bytes. */
  length: number
  body: AsyncIterable<Buffer>
  /** Ends the request; harmless when it is over. */
  close(): void
}

/** The URL as conditions may show it: without what could be a password or a signed query. */
export function shownUrl(text: string): string {
  const url = URL.parse(text)
  return url === null ? 'the URL' : `${url.origin === 'null' ? `${url.protocol}//` : url.origin}${url.pathname}`
}

const network = (url: string, cause: unknown): SourceError =>
  new SourceError('Transient', `${shownUrl(url)} could not be fetched: ${words(cause)}.`, { cause })

/** Node puts the reason of a failed connection to several addresses into the parts. */
const words = (error: unknown): string => {
  if (error instanceof AggregateError && error.errors.length > 0) return words(error.errors[0])
  return error instanceof Error ? error.message || error.name : String(error)
}

function redirected(from: string, location: string | undefined): string {
  const target = location === undefined ? null : URL.parse(location, from)
  if (target === null) throw new SourceError('Permanent', `${shownUrl(from)} redirects to nowhere.`)
  if (target.protocol !== 'http:' && target.protocol !== 'https:') {
    throw new SourceError('Permanent', `${shownUrl(from)} redirects to ${shownUrl(target.href)}, and only http and https are followed.`)
  }
  return target.href
}

const headerOf = (headers: Record<string, string | string[] | undefined>, name: string): string | undefined => {
  const value = headers[name]
  return Array.isArray(value) ? value[0] : value
}

/** Rejects with SourceError, or with the signal's reason when it aborts. */
export async function openSource(url: string, { signal, reach }: { signal: AbortSignal; reach: SourceReach }): Promise<OpenedSource> {
  let at = url
  for (let hops = 0; hops <= REDIRECTS; hops++) {
    const { protocol, hostname } = URL.parse(at) ?? {}
    if (hostname === undefined || (protocol !== 'http:' && protocol !== 'https:')) throw new SourceError('Permanent', `${shownUrl(at)} is not an http or https URL.`)
    const response = await ask(at, hostname, signal, reach)
    if (response.statusCode >= 300 && response.statusCode < 400 && response.statusCode !== 304) {
      const next = headerOf(response.headers, 'location')
      discard(response)
      at = redirected(at, next)
      continue
    }
    return accept(at, response)
  }
  throw new SourceError('Permanent', `${shownUrl(url)} redirects more than ${REDIRECTS} times.`)
}

async function ask(url: string, hostname: string, signal: AbortSignal, reach: SourceReach): Promise<Dispatcher.ResponseData> {
  try {
    reach.checkHost(hostname)
    return await request(url, { signal, dispatcher: reach.dispatcher, headersTimeout: HEADERS_TIMEOUT, bodyTimeout: BODY_TIMEOUT, headers: { 'accept-encoding': 'identity', 'user-agent': 'vireo' } })
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof ClosedAddress) throw new SourceError('Permanent', `${shownUrl(url)} leads to ${error.address}, and vireo fetches nothing from its own machine, its link, or where clouds keep what a machine may know. Serve the image from another address; who runs the controller can open this one with --source-addresses.`, { cause: error })
    throw network(url, error)
  }
}

function discard(response: Dispatcher.ResponseData): void {
  response.body.on('error', () => { /* it is thrown away */ })
  response.body.destroy()
}

function accept(url: string, response: Dispatcher.ResponseData): OpenedSource {
  const { statusCode, headers, body } = response
  try {
    if (statusCode !== 200) {
      const later = statusCode >= 500 || statusCode === 408 || statusCode === 425 || statusCode === 429
      throw new SourceError(later ? 'Transient' : 'Permanent', `${shownUrl(url)} answers with status ${statusCode}${statusCode === 404 ? ' (not found)' : ''}.`)
    }
    const encoding = headerOf(headers, 'content-encoding')
    if (encoding !== undefined && encoding !== 'identity') throw new SourceError('Permanent', `${shownUrl(url)} sends the image encoded as ${encoding.slice(0, 40)}: serve it as it is.`)
    const length = headerOf(headers, 'content-length')
    if (length === undefined || !/^[0-9]{1,16}$/.test(length)) throw new SourceError('Permanent', `${shownUrl(url)} does not tell the size of the image (no Content-Length): serve it as a plain file.`)
    return { length: Number(length), body: whole(url, body, Number(length)), close: () => { discard(response) } }
  } catch (error) {
    discard(response)
    throw error
  }
}

/** The content, to its announced end or not at all. */
async function * whole(url: string, body: Dispatcher.ResponseData['body'], length: number): AsyncGenerator<Buffer> {
  let read = 0
  const cut = (cause?: unknown): SourceError =>
    new SourceError('Truncated', `${shownUrl(url)} ended after ${read} of ${length} bytes${cause === undefined ? '' : ` (${words(cause)})`}.`, { cause })
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      read += chunk.length
      yield chunk
    }
  } catch (error) {
    throw cut(error)
  }
  if (read !== length) throw cut()
}
