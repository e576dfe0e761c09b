// bench/rpc: vireo's client beside libvirt's own (through python3-libvirt and virsh) on the same socket: calls, lists, events, volumes.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { ensurePackages } from '../scripts/packages.ts'
import { run } from '../scripts/run.ts'
import { startLibvirtd } from '../test/support/libvirtd.ts'
import type { PrivateLibvirtd } from '../test/support/libvirtd.ts'
import { connect, median } from './support.ts'
import type { BenchResult, Row } from './support.ts'

type Measured = { seconds: number } & Record<string, number>

/** Debian's own interpreter: another one does not find Debian's libvirt module. */
const PYTHON = '/usr/bin/python3'
/** A young generation for all that so many calls allocate: nothing is collected meanwhile. Slower than usual, for every byte is a new one. */
const YOUNG = ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256']

const answerOf = (text: string): Measured => JSON.parse(text.trim().split('\n').at(-1)!) as Measured
async function measured(command: readonly string[]): Promise<Measured> {
  const { code, stdout, stderr } = await run(command, { timeoutMs: 600_000 })
  if (code !== 0) throw new Error(`${command.join(' ')} ended with code ${code}: ${stderr.trim()}`)
  return answerOf(stdout)
}

const ours = (uri: string, name: string, count: number, ...rest: string[]): string[] => [process.execPath, join(import.meta.dirname, 'rpc/client.ts'), uri, name, String(count), ...rest]
const theirs = (uri: string, name: string, count: number): string[] => [PYTHON, join(import.meta.dirname, 'rpc/peer.py'), uri, name, String(count)]

/** Rounds in turns, so that what slows the machine down slows both; the medians of each. */
async function sideBySide(rounds: number, commands: Record<string, () => Promise<Measured>>): Promise<Record<string, Measured>> {
  const all: Record<string, Measured[]> = {}
  for (let round = 0; round < rounds; round++) {
    for (const [name, command] of Object.entries(commands)) (all[name] ??= []).push(await command())
  }
  return Object.fromEntries(Object.entries(all).map(([name, list]) => {
    const fields = Object.keys(list[0]!)
    return [name, Object.fromEntries(fields.map(field => [field, median(list.map(entry => entry[field]!))])) as Measured]
  }))
}

async function calls(uri: string, count: number, rounds: number): Promise<{ rows: Row[]; ratio: number }> {
  const { serial, pipelined, peer, threads } = await sideBySide(rounds, {
    serial: () => measured(ours(uri, 'serial', count)),
    peer: () => measured(theirs(uri, 'serial', count)),
    pipelined: () => measured(ours(uri, 'pipelined', count)),
    threads: () => measured(theirs(uri, 'threads', count)),
  }) as Record<'serial' | 'pipelined' | 'peer' | 'threads', Measured>
  const [program, ...args] = ours(uri, 'serial', 20_000)
  const { bytesPerCall } = await measured([program!, ...YOUNG, ...args])
  const rate = ({ seconds }: Measured): number => Math.round(count / seconds)
  return {
    ratio: peer.seconds / serial.seconds,
    rows: [
      { what: 'serial calls, a second', vireo: rate(serial), 'C client': rate(peer), ratio: peer.seconds / serial.seconds },
      { what: '4 in flight, beside the C client\'s serial calls', vireo: rate(pipelined), 'C client': rate(peer), ratio: peer.seconds / pipelined.seconds },
      { what: '4 in flight, beside four threads of the C client', vireo: rate(pipelined), 'C client': rate(threads), ratio: threads.seconds / pipelined.seconds },
      { what: 'bytes allocated per call', vireo: Math.round(bytesPerCall!) },
    ],
  }
}

async function lists(uri: string, domains: number, rounds: number): Promise<Row> {
  await measured(theirs(uri, 'define', domains))
  const { vireo, peer } = await sideBySide(rounds, { vireo: () => measured(ours(uri, 'listing', 3)), peer: () => measured(theirs(uri, 'listing', 3)) }) as Record<'vireo' | 'peer', Measured>
  return { what: `list of ${domains} domains with XML and statistics, a second`, vireo: 3 / vireo.seconds, 'C client': 3 / peer.seconds, ratio: peer.seconds / vireo.seconds }
}

/** The C client makes them as fast as the daemon takes them, vireo counts. */
async function events(uri: string, count: number): Promise<Row> {
  const [program, ...args] = ours(uri, 'events', count)
  const consumer = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  // With few events it has ended before the producer has.
  const ended = once(consumer, 'close')
  let said = ''
  consumer.stdout.setEncoding('utf8').on('data', (text: string) => { said += text })
  await once(consumer.stderr, 'data')
  const producer = await measured(theirs(uri, 'events', count))
  await ended
  const { seconds, wrong } = answerOf(said)
  if (wrong !== 0) throw new Error(`${wrong} events came out of order`)
  return { what: `${count} events, a second`, vireo: Math.round(count / seconds), 'C client': Math.round(count / producer.seconds), ratio: producer.seconds / seconds }
}

async function volumes(host: PrivateLibvirtd, bytes: number, rounds: number): Promise<Row[]> {
  const folder = await mkdtemp(join(host.root, 'srv/bench-'))
  const [source, target] = [join(folder, 'source'), join(folder, 'target')]
  const file = await open(source, 'w')
  const block = Buffer.alloc(1024 * 1024)
  for (let at = 0; at < bytes; at += block.length) await file.write(block.fill(1 + at / block.length % 250))
  await file.close()
  const uri = host.uri('qemu:///system')
  const connection = await connect(uri)
  const pool = await connection.storagePoolCreateXML(`<pool type='dir'><name>bench</name><target><path>/srv</path></target></pool>`, 0)
  await connection.storageVolCreateXML(pool, `<volume><name>bench</name><capacity>${bytes}</capacity><allocation>${bytes}</allocation><target><format type='raw'/></target></volume>`, 0)
  const virsh = (verb: string, path: string) => async (): Promise<Measured> => {
    const began = performance.now()
    const { code, stderr } = await run(['virsh', '-c', uri, verb, '--pool', 'bench', 'bench', path], { timeoutMs: 600_000 })
    if (code !== 0) throw new Error(`virsh ${verb}: ${stderr}`)
    return { seconds: (performance.now() - began) / 1000 }
  }
  const results = await sideBySide(rounds, {
    upload: () => measured(ours(uri, 'upload', bytes, source)), virshUpload: virsh('vol-upload', source),
    download: () => measured(ours(uri, 'download', bytes, target)), virshDownload: virsh('vol-download', target),
  }) as Record<'upload' | 'virshUpload' | 'download' | 'virshDownload', Measured>
  const same = await run(['cmp', source, target])
  if (same.code !== 0) throw new Error(`what was uploaded and downloaded is not the same: ${same.stdout}`)
  await connection.close()
  await rm(folder, { recursive: true, force: true })
  const rate = ({ seconds }: Measured): number => Math.round(bytes / seconds / 1e6)
  return [
    { what: 'volume upload, MB/s', vireo: rate(results.upload), 'C client': rate(results.virshUpload), ratio: results.virshUpload.seconds / results.upload.seconds },
    { what: 'volume download, MB/s', vireo: rate(results.download), 'C client': rate(results.virshDownload), ratio: results.virshDownload.seconds / results.download.seconds },
    { what: 'memory at most while uploading, MB', vireo: Math.round(results.upload.peakMB!) },
    { what: 'memory at most while downloading, MB', vireo: Math.round(results.download.peakMB!) },
  ]
}

export async function benchRpc({ count = 20_000, rounds = 5, events: eventCount = 1_000_000, bytes = 2 ** 30 } = {}): Promise<BenchResult> {
  await ensurePackages(line => { process.stderr.write(`${line}\n`) })
  await using host = await startLibvirtd({ name: 'rpc' })
  const uri = host.uri('test:///default')
  // libvirt's test driver forgets everything with its last connection.
  const held = await connect(uri)
  const { rows, ratio } = await calls(uri, count, rounds)
  rows.push(await events(uri, eventCount))
  rows.push(await lists(uri, 1_000, Math.min(rounds, 3)))
  rows.push(...await volumes(host, bytes, Math.min(rounds, 3)))
  await held.close()
  return { name: 'rpc', about: `calls to libvirt's test driver and volumes of a directory pool, vireo beside libvirt's own C client on the same socket; medians of ${rounds} rounds in turns; the ratio is that of serial calls`, ratio, rows }
}
