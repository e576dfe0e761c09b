import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SourceError } from '../../../reconcilers/volume/source/error.ts'
import { openSource, shownUrl } from '../../../reconcilers/volume/source/fetch.ts'
import { SourceReach } from '../../../reconcilers/volume/source/reach.ts'

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
    if (pathname === '/metadata') return response.writeHead(302, { location: 'http://169.254.169.254/latest/meta-data' }).end()
    if (pathname === '/data') return response.writeHead(302, { location: 'data:,x' }).end()
    return response.writeHead(Number(pathname.slice(1))).end()
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => { await new Promise(resolve => { server.close(resolve) }) })

const { signal } = new AbortController()
const reach = new SourceReach(['127.0.0.1'])
afterAll(async () => { await reach.close() })

describe('a source', () => {
  test('is followed through five redirects', async () => {
    const source = await openSource(`${base}/hop5`, { signal, reach })
    const chunks: Buffer[] = []
    for await (const chunk of source.body) chunks.push(chunk)
    expect({ length: source.length, text: Buffer.concat(chunks).toString() }).toEqual({ length: 5, text: 'whole' })
  })

  test.each<[string, string, RegExp]>([
    ['/hop6?token=secret', 'Permanent', /redirects more than 5 times/],
    ['/nowhere', 'Permanent', /redirects to nowhere/],
    ['/data', 'Permanent', /redirects to data:/],
    ['/metadata', 'Permanent', /^http:\/\/169\.254\.169\.254\/latest\/meta-data leads to 169\.254\.169\.254, and vireo fetches nothing from .* --source-addresses\.$/],
    ['/zipped', 'Permanent', /encoded as gzip/],
    ['/404?token=secret', 'Permanent', /status 404 \(not found\)/],
    ['/403', 'Permanent', /status 403/],
    ['/206', 'Permanent', /status 206/],
    ['/429', 'Transient', /status 429/],
    ['/500', 'Transient', /status 500/],
  ])('%s is a %s failure', async (path, failure, message) => {
    const error: unknown = await openSource(base + path, { signal, reach }).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(SourceError)
    expect(error).toMatchObject({ failure, message: expect.stringMatching(message) })
    expect((error as Error).message).not.toContain('secret')
  })

  test('that nobody serves is a delay', async () => {
    await expect(openSource('http://127.0.0.1:1/x', { signal, reach })).rejects.toMatchObject({ failure: 'Transient', message: expect.stringContaining('ECONNREFUSED') })
  })
  test('of another scheme is refused unasked', async () => {
    await expect(openSource('file:///etc/passwd', { signal, reach })).rejects.toMatchObject({ failure: 'Permanent' })
  })
  test.each([['https://user:pw@host/a?sig=1#x', 'https://host/a'], ['nonsense', 'the URL']])('%s is shown as %s', (url, shown) => {
    expect(shownUrl(url)).toBe(shown)
  })
})

describe('the addresses that images come from', () => {
  const asked = new SourceReach()
  afterAll(async () => { await asked.close() })
  test.each([
    'http://127.0.0.1/x', 'http://127.1/x', 'http://0x7f000001/x', 'http://[::1]/x', 'http://[::ffff:127.0.0.1]/x', 'http://0.0.0.0/x', 'http://169.254.169.254/latest', 'http://[fe80::1]/x', 'http://[fd00:ec2::254]/latest', 'http://100.100.100.200/x',
    // What a name leads to is looked at when the connection is made.
    'http://localhost/x',
  ])('are not %s, and nothing is asked there', async url => {
    const error: unknown = await openSource(url, { signal, reach: asked }).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ failure: 'Permanent', message: expect.stringMatching(/ leads to .*, and vireo fetches nothing from its own machine/) })
  })
  test.each([['10.0.0.1', true], ['192.168.1.1', true], ['93.184.215.14', true], ['2001:db8::1', true], ['fd00::1', true], ['::ffff:169.254.169.254', false], ['127.255.255.255', false]])('%s: %s', (address, open) => {
    expect(asked.isOpen(address)).toBe(open)
  })
  test('are those too that the operator of the controller opens', () => {
    const opened = new SourceReach(['169.254.169.0/24', '::1'])
    expect(['169.254.169.254', '169.254.1.1', '::1', '127.0.0.1'].map(address => opened.isOpen(address))).toEqual([true, false, true, false])
  })
  test.each(['localhost', '10.0.0.0/33', '10.0.0.0/8/9', '::/129', '10.0.0.0/', ''])('%j is no range', range => {
    expect(() => new SourceReach([range])).toThrow(/is no range of addresses: write one such as/)
  })
})
