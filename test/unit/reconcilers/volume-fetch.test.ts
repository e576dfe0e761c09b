import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SourceError } from '../../../reconcilers/volume/source/error.ts'
import { openSource, shownUrl } from '../../../reconcilers/volume/source/fetch.ts'

let server: Server
let base: string
beforeAll(async () => {
  server = createServer((request, response) => {
    const { pathname } = new URL(request.url!, 'http://x')
    const hop = /^\/hop([0-9]+)$/.exec(pathname)?.[1]
    if (hop !== undefined) return response.writeHead(302, { location: hop === '1' ? '/whole' : `/hop${Number(hop) - 1}?token=secret` }).end()
    if (pathname === '/whole') return response.writeHead(200, { 'content-length': 5 }).end('whole')
    if (pathname === '/zipped') return response.writeHead(200, { 'content-length': 5, 'content-encoding': 'gzip' }).end('whole')
    if (pathname === '/nowhere') return response.writeHead(302).end()
    if (pathname === '/data') return response.writeHead(302, { location: 'data:,x' }).end()
    return response.writeHead(Number(pathname.slice(1))).end()
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => { await new Promise(resolve => { server.close(resolve) }) })

const { signal } = new AbortController()

describe('a source', () => {
  test('is followed through five redirects', async () => {
    const source = await openSource(`${base}/hop5`, { signal })
    const chunks: Buffer[] = []
    for await (const chunk of source.body) chunks.push(chunk)
    expect({ length: source.length, text: Buffer.concat(chunks).toString() }).toEqual({ length: 5, text: 'whole' })
  })

  test.each<[string, string, RegExp]>([
    ['/hop6?token=secret', 'Permanent', /redirects more than 5 times/],
    ['/nowhere', 'Permanent', /redirects to nowhere/],
    ['/data', 'Permanent', /redirects to data:/],
    ['/zipped', 'Permanent', /encoded as gzip/],
    ['/404?token=secret', 'Permanent', /status 404 \(not found\)/],
    ['/403', 'Permanent', /status 403/],
    ['/206', 'Permanent', /status 206/],
    ['/429', 'Transient', /status 429/],
    ['/500', 'Transient', /status 500/],
  ])('%s is a %s failure', async (path, failure, message) => {
    const error: unknown = await openSource(base + path, { signal }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(SourceError)
    expect(error).toMatchObject({ failure, message: expect.stringMatching(message) })
    expect((error as Error).message).not.toContain('secret')
  })

  test('that nobody serves is a delay', async () => {
    await expect(openSource('http://127.0.0.1:1/x', { signal })).rejects.toMatchObject({ failure: 'Transient', message: expect.stringContaining('ECONNREFUSED') })
  })
  test('of another scheme is refused unasked', async () => {
    await expect(openSource('file:///etc/passwd', { signal })).rejects.toMatchObject({ failure: 'Permanent' })
  })
  test.each([['https://user:pw@host/a?sig=1#x', 'https://host/a'], ['nonsense', 'the URL']])('%s is shown as %s', (url, shown) => {
    expect(shownUrl(url)).toBe(shown)
  })
})
