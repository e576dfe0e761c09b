// The cases of peer.py through vireo's driver, each run in a process of its own: client.ts URI CASE COUNT [FILE]. Prints one JSON object.
import { open, readFile } from 'node:fs/promises'
import type { Connection } from '../../drivers/driver.ts'
import { createRegistry } from '../../drivers/registry.ts'

/** Seconds, and what else a case has to tell. */
type Measured = { seconds: number } & Record<string, number>

const SUSPENDED = 3
const RESUMED = 4

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const began = performance.now()
  await work()
  return (performance.now() - began) / 1000
}

/** `count` calls, `width` of them in flight; the bytes that one allocates, where the young generation is large enough to hold them all. */
async function calls(connection: Connection, count: number, width: number): Promise<Measured> {
  const dom = await connection.domainLookupByName('test')
  const work = async (share: number): Promise<void> => { for (let i = 0; i < share; i++) await connection.domainGetInfo(dom) }
  const all = (share: number): Promise<unknown> => Promise.all(Array.from({ length: width }, () => work(share / width)))
  await all(count / 10)
  globalThis.gc?.()
  const before = process.memoryUsage().heapUsed
  const seconds = await timed(() => all(count))
  return { seconds, bytesPerCall: (process.memoryUsage().heapUsed - before) / count }
}

/** As peer.py does it, with as many descriptions in flight as the connection takes. */
async function listing(connection: Connection, count: number): Promise<Measured> {
  return { seconds: await timed(async () => {
    for (let i = 0; i < count; i++) {
      const domains = await connection.connectListAllDomains()
      await Promise.all(domains.map(dom => connection.domainGetXMLDesc(dom, 0)))
      await connection.connectGetAllDomainStats(0)
    }
  }) }
}

/** Counts the events of the domains that peer.py suspends and resumes, until `count` came, and looks at their order: none lost, none twice. */
async function events(connection: Connection, count: number): Promise<Measured> {
  const last = new Map<string, number>()
  const done = Promise.withResolvers<void>()
  let seen = 0
  let wrong = 0
  let first = 0
  connection.onEvent(event => {
    if (event.type !== 'domain' || event.name !== 'lifecycle' || (event.event !== SUSPENDED && event.event !== RESUMED)) return
    if (seen === 0) first = performance.now()
    if (last.get(event.dom.uuid) === event.event) wrong++
    last.set(event.dom.uuid, event.event)
    if (++seen === count) done.resolve()
  })
  await connection.eventsRegister()
  process.stderr.write('ready\n')
  await done.promise
  return { seconds: (performance.now() - first) / 1000, wrong }
}

async function peakMB(): Promise<number> {
  return Number(/VmHWM:\s+(\d+) kB/.exec(await readFile('/proc/self/status', 'utf8'))?.[1]) * 1024 / 1e6
}

/** The whole of a file into the volume `bench`, or of the volume into a file. */
async function transfer(connection: Connection, direction: 'upload' | 'download', length: number, file: string): Promise<Measured> {
  const vol = await connection.storageVolLookupByName(await connection.storagePoolLookupByName('bench'), 'bench')
  const seconds = await timed(async () => {
    if (direction === 'upload') {
      const stream = await connection.storageVolUpload(vol, 0, length, 0)
      // Memory that was taken is used again: one part is read while another is written.
      const parts = [Buffer.alloc(1024 * 1024), Buffer.alloc(1024 * 1024)]
      const source = await open(file)
      let writing: Promise<void> = Promise.resolve()
      for (let i = 0; ; i++) {
        const { bytesRead, buffer } = await source.read(parts[i % 2]!)
        await writing
        if (bytesRead === 0) break
        writing = stream.write(buffer.subarray(0, bytesRead))
      }
      await stream.finish()
      await source.close()
    } else {
      const target = await open(file, 'w')
      let parts: Uint8Array[] = []
      let size = 0
      let writing: Promise<unknown> = Promise.resolve()
      for await (const part of await connection.storageVolDownload(vol, 0, length, 0)) {
        parts.push(part)
        size += part.length
        // No more than a packet: what came last is written while the caches have it.
        if (size < 256 * 1024) continue
        await writing
        writing = target.writev(parts)
        parts = []
        size = 0
      }
      await writing
      if (size > 0) await target.writev(parts)
      await target.close()
    }
  })
  return { seconds, peakMB: await peakMB() }
}

const [uri, name, count, file] = process.argv.slice(2) as [string, string, string, string?]
const connection = await createRegistry({}, { allowLocal: true }).open(uri, { callTimeout: 60_000, keepAliveInterval: 5_000, keepAliveCount: 12 })
const cases: Record<string, () => Promise<Measured>> = {
  serial: () => calls(connection, Number(count), 1),
  pipelined: () => calls(connection, Number(count), 4),
  listing: () => listing(connection, Number(count)),
  events: () => events(connection, Number(count)),
  upload: () => transfer(connection, 'upload', Number(count), file!),
  download: () => transfer(connection, 'download', Number(count), file!),
}
process.stdout.write(`${JSON.stringify(await cases[name]!())}\n`)
await connection.close()
