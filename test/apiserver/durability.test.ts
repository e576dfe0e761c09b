// What is answered is on the disk: seen in the system calls, and by killing the process over and over.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Endpoint } from './support/endpoint.ts'
import { Standalone } from './support/standalone.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'
const KILLS = 12
const WRITERS = 8

let folder: string
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'vireo-durability-')) })
afterEach(async () => { await rm(folder, { recursive: true, force: true }) })

interface Stored { metadata: { name: string; resourceVersion: string }; data: { value: string; check: string } }

const json = { 'content-type': 'application/json' }
const content = (value: number): Stored['data'] => ({ value: String(value), check: String(value).repeat(200) })

/** Creates, then updates one object again and again; notes what was answered until the server is gone. */
async function write(endpoint: Endpoint, name: string, from: number, acknowledged: Map<string, { value: number; revision: number }>): Promise<void> {
  for (let value = from; ; value++) {
    try {
      const { code, body } = await endpoint.ask({ method: 'PATCH', path: `${MAPS}/${name}?fieldManager=writer&force=true`, body: JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: content(value) }), headers: { 'content-type': 'application/apply-patch+yaml' } })
      if (code >= 300) throw new Error(`a write was answered ${code}: ${JSON.stringify(body)}`)
      acknowledged.set(name, { value, revision: Number((body as Stored).metadata.resourceVersion) })
    } catch (error) {
      if (error instanceof Error && 'code' in error) return
      throw error
    }
  }
}

test(`killed ${KILLS} times while ${WRITERS} clients write: every acknowledged write is there, none is torn, the revision never goes back`, async () => {
  const acknowledged = new Map<string, { value: number; revision: number }>()
  let written = 0
  for (let kill = 0; kill < KILLS; kill++) {
    await using server = await Standalone.start(folder)
    const endpoint = await Endpoint.fromKubeconfig('ours', server.kubeconfig)
    const { body } = await endpoint.ask({ method: 'GET', path: MAPS, headers: {} })
    const found = new Map((body as { items: Stored[] }).items.map(item => [item.metadata.name, item]))
    for (const [name, { value, revision }] of acknowledged) {
      const item = found.get(name)
      // The last write may have reached the disk without its answer reaching us.
      expect([value, value + 1], `${name} after kill ${kill}`).toContain(Number(item?.data.value))
      expect(item?.data).toEqual(content(Number(item?.data.value)))
      expect(Number(item?.metadata.resourceVersion)).toBeGreaterThanOrEqual(revision)
    }
    const last = Math.max(0, ...Array.from(acknowledged.values(), ({ revision }) => revision))
    expect(Number((body as { metadata: { resourceVersion: string } }).metadata.resourceVersion)).toBeGreaterThanOrEqual(last)
    const before = Array.from(acknowledged.values(), ({ value }) => value).reduce((sum, value) => sum + value, 0)
    const writing = Promise.all(Array.from({ length: WRITERS }, (_, at) => write(endpoint, `w${at}`, Number(found.get(`w${at}`)?.data.value ?? 0) + 1, acknowledged)))
    // A moment chosen by the writes themselves, another one every time.
    const enough = before + 40 + kill * 7
    await expect.poll(() => Array.from(acknowledged.values(), ({ value }) => value).reduce((sum, value) => sum + value, 0), { interval: 1, timeout: 30_000 }).toBeGreaterThan(enough)
    await server.end('SIGKILL')
    await writing
    await endpoint.close()
    written = Array.from(acknowledged.values(), ({ value }) => value).reduce((sum, value) => sum + value, 0)
  }
  expect(written).toBeGreaterThan(KILLS * 40)
})

test('the write-ahead log is synced between a request and its answer, as the system calls show', async () => {
  const trace = join(folder, 'trace')
  await using server = await Standalone.start(join(folder, 'data'), { flags: ['--no-operator'], under: ['strace', '-D', '-f', '-y', '-s', '5000', '-e', 'trace=fsync,fdatasync,pwrite64,write,writev', '-o', trace] })
  const endpoint = await Endpoint.fromKubeconfig('ours', server.kubeconfig)
  expect((await endpoint.ask({ method: 'GET', path: MAPS, headers: {} })).code).toBe(200)
  const mark = 'a-name-that-is-seen-in-the-trace'
  expect((await endpoint.ask({ method: 'POST', path: MAPS, body: JSON.stringify({ metadata: { name: mark }, data: { mark: 'x'.repeat(5_000) } }), headers: json })).code).toBe(201)
  await endpoint.close()
  await server.end('SIGTERM')
  // The tracer sees the end a little later than we do.
  await expect.poll(async () => await readFile(trace, 'utf8'), { timeout: 20_000 }).toMatch(/\+\+\+ exited with \d+ \+\+\+\s*$/)
  const lines = (await readFile(trace, 'utf8')).split('\n')
  // The server may write for itself meanwhile: what counts is the page that holds our object, and the first sync of that thread after it.
  const logged = lines.findIndex(line => line.includes('vireo.db-wal>') && line.includes('pwrite64') && line.includes(mark))
  const thread = lines[logged]?.split(' ')[0] ?? 'none'
  const begun = lines.findIndex((line, at) => at > logged && line.startsWith(`${thread} `) && /f(?:data)?sync\(.*vireo\.db-wal>/.test(line))
  // Where another thread was seen in between, its end stands in a line of its own.
  const synced = lines[begun]?.includes('<unfinished') === true ? lines.findIndex((line, at) => at > begun && line.startsWith(`${thread} `) && /f(?:data)?sync resumed/.test(line)) : begun
  const answered = lines.findIndex((line, at) => at > logged && /write(?:v)?\(\d+<(?:TCP|socket):/.test(line))
  expect(logged, 'the log is written').toBeGreaterThan(0)
  expect(synced, 'the log is synced').toBeGreaterThan(logged)
  expect(answered, 'the answer comes after it').toBeGreaterThan(synced)
})
