// bench/apiserver: vireo's own API beside kube-apiserver and etcd (fsync on), in the same run: writes, lists, watches, start and memory.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from '../controller/client.ts'
import { kubeConfigLoader } from '../controller/credentials.ts'
import { type Draft, configMaps } from '../controller/resource.ts'
import { Transport } from '../controller/transport.ts'
import { virtualNetworks } from '../crds/kinds.ts'
import { apiVersion } from '../crds/names.ts'
import { build } from '../scripts/build.ts'
import { controlPlanePrograms } from '../scripts/devcluster/build.ts'
import { startControlPlane } from '../scripts/devcluster/controlplane.ts'
import { runOk } from '../scripts/run.ts'
import { Standalone } from '../test/apiserver/support/standalone.ts'
import { until } from '../test/support/until.ts'
import { forEachLimit, median, quantile } from './support.ts'
import type { BenchResult, Row } from './support.ts'

const crds = join(import.meta.dirname, '../manifests/crds')
/** What is stored at the cold start, and how many times that is made. */
const STORED = 1_000
const STARTS = 10
const WATCHERS = 500
const LISTED = 10_000
const IN_FLIGHT = 32
/** Of the starts that are timed. */
const LISTEN = '127.0.0.1:17443'
const HEALTH = '127.0.0.1:17444'

/** How an API is reached. */
interface Access { url: string; authority: string; token: string }
interface Side { access: Access; client: Client; /** Resident memory of all its processes, MB. */ memory(): Promise<number> }

async function accessOf(kubeconfig: string): Promise<Access> {
  const { clusters, users } = JSON.parse(await readFile(kubeconfig, 'utf8')) as { clusters: { cluster: { server: string; 'certificate-authority-data': string } }[]; users: { user: { token: string } }[] }
  const { cluster } = clusters[0]!
  return { url: cluster.server, authority: Buffer.from(cluster['certificate-authority-data'], 'base64').toString(), token: users[0]!.user.token }
}
const clientOf = (kubeconfig: string): Client => new Client({ transport: new Transport({ kubeConfig: kubeConfigLoader({ file: kubeconfig }) }) })

function get({ url, authority, token }: Access, path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}${path}`, { ca: authority, agent: false, headers: { authorization: `Bearer ${token}`, accept: 'application/json' } }, resolve)
    sent.once('error', reject)
    sent.end()
  })
}
/** Milliseconds until the whole answer is here; its bytes. */
async function timedGet(access: Access, path: string): Promise<{ ms: number; bytes: number }> {
  const since = performance.now()
  const answer = await get(access, path)
  let bytes = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) bytes += chunk.length
  if (answer.statusCode !== 200) throw new Error(`${path} answered ${answer.statusCode}`)
  return { ms: performance.now() - since, bytes }
}

/** Resident memory of the processes whose command line holds `text`, MB. */
async function memoryOf(text: string, programs: RegExp): Promise<number> {
  let total = 0
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (command.includes(text) && programs.test(command.split('\0')[0]!)) total += Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''))?.[1] ?? 0) / 1024
  }
  return total
}

const STATUS = { status: { observedGeneration: 1, conditions: [{ type: 'Ready', status: 'True', reason: 'Available', message: 'It is there.', lastTransitionTime: '2026-01-01T00:00:00Z' }] } }
const named = (what: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${what}-${i}`)
const configMap = (name: string): Draft => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { text: 'x'.repeat(500) } })

/** Writes a second. */
async function rateOf(names: readonly string[], write: (name: string) => Promise<unknown>): Promise<number> {
  const since = performance.now()
  await forEachLimit(names, IN_FLIGHT, async name => { await write(name) })
  return names.length / (performance.now() - since) * 1000
}

/** Milliseconds from a write until each watcher has heard of it. */
async function fanOut({ access, client }: Side): Promise<number[]> {
  const heard: number[] = []
  let left = 0
  let all = Promise.withResolvers<void>()
  const watchers = await Promise.all(named('watcher', WATCHERS).map(async () => {
    const answer = await get(access, '/api/v1/namespaces/default/configmaps?watch=true&labelSelector=fan%3Dout')
    answer.on('data', (chunk: Buffer) => {
      if (!chunk.includes('"fan-out-')) return
      heard.push(performance.now())
      if (--left === 0) all.resolve()
    })
    answer.once('error', () => { /* ended below */ })
    return answer
  }))
  const times: number[] = []
  for (const name of named('fan-out', 20)) {
    left = WATCHERS
    all = Promise.withResolvers()
    heard.length = 0
    const since = performance.now()
    await client.create(configMaps, 'default', { ...configMap(name), metadata: { name, labels: { fan: 'out' } } })
    await all.promise
    times.push(...heard.map(at => at - since))
  }
  for (const watcher of watchers) watcher.destroy()
  return times
}

interface Measured { creates: number; patches: number; listMs: number; fan: number[]; memory: number }

async function measure(side: Side, count: number): Promise<Measured> {
  const { client, access } = side
  const networks = named('net', count)
  const creates = await rateOf(named('map', count), name => client.create(configMaps, 'default', configMap(name)))
  await rateOf(networks, name => client.create(virtualNetworks, 'default', { apiVersion, kind: 'VirtualNetwork', metadata: { name }, spec: {} }))
  const patches = await rateOf(networks, name => client.mergePatch(virtualNetworks, 'default', name, STATUS, { subresource: 'status' }))
  const fan = await fanOut(side)
  await rateOf(named('many', LISTED - count - 20), name => client.create(configMaps, 'default', configMap(name)))
  const lists: number[] = []
  for (let i = 0; i < 7; i++) lists.push((await timedGet(access, '/api/v1/namespaces/default/configmaps')).ms)
  return { creates, patches, listMs: median(lists), fan, memory: await side.memory() }
}

/** Milliseconds from the start of the program to the first answered list of what is stored. */
async function firstList(access: Access, since: number): Promise<number> {
  for (;;) {
    try {
      await timedGet(access, '/api/v1/namespaces/default/configmaps')
      return performance.now() - since
    } catch {
      await new Promise(resolve => { setTimeout(resolve, 2) })
    }
  }
}

async function vireo(dir: string, program: string, count: number): Promise<{ measured: Measured; starts: number[]; memory: number; operating: number }> {
  const start = (data: string): ChildProcess => spawn(process.execPath, [program, 'standalone', '--data', data, '--listen', LISTEN, '--health-address', HEALTH, '--log-level', 'error'], { stdio: ['ignore', 'ignore', 'inherit'] })
  const server = await Standalone.start(join(dir, 'many'), { flags: ['--no-operator'] })
  const side: Side = { access: await accessOf(server.kubeconfig), client: clientOf(server.kubeconfig), memory: () => memoryOf(join(dir, 'many'), /node$/) }
  await applyCrds(server.kubeconfig)
  const measured = await measure(side, count)
  await server.end('SIGTERM')

  const data = join(dir, 'few')
  const filled = await Standalone.start(data, { flags: ['--no-operator'], listen: LISTEN })
  const client = clientOf(filled.kubeconfig)
  await rateOf(named('map', STORED), name => client.create(configMaps, 'default', configMap(name)))
  const access = await accessOf(filled.kubeconfig)
  await filled.end('SIGTERM')
  const starts: number[] = []
  const memory: number[] = []
  const operating: number[] = []
  for (let i = 0; i < STARTS; i++) {
    const since = performance.now()
    const child = start(data)
    starts.push(await firstList(access, since))
    memory.push(await memoryOf(data, /node$/))
    await until('the operator runs', async () => (await fetch(`http://${HEALTH}/readyz`)).ok)
    operating.push(await memoryOf(data, /node$/))
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
  return { measured, starts, memory: median(memory), operating: median(operating) }
}

async function applyCrds(kubeconfig: string): Promise<void> {
  const kubectl = [join(await controlPlanePrograms(), 'kubectl'), '--kubeconfig', kubeconfig]
  await runOk([...kubectl, 'apply', '--server-side', '-k', crds])
  await runOk([...kubectl, 'wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s'])
}

async function kubernetes(dir: string, count: number): Promise<{ measured: Measured; starts: number[] }> {
  const plane = await startControlPlane({ dir: join(dir, 'many'), durable: true })
  const side: Side = { access: await accessOf(plane.kubeconfig), client: clientOf(plane.kubeconfig), memory: () => memoryOf(join(dir, 'many'), /(etcd|kube-apiserver)$/) }
  await applyCrds(plane.kubeconfig)
  const measured = await measure(side, count)
  await plane.stop()

  const small = await startControlPlane({ dir: join(dir, 'few'), durable: true })
  const client = clientOf(small.kubeconfig)
  await rateOf(named('map', STORED), name => client.create(configMaps, 'default', configMap(name)))
  const access = await accessOf(small.kubeconfig)
  const starts: number[] = []
  for (let i = 0; i < 3; i++) {
    small.signalApiserver('SIGKILL')
    const since = performance.now()
    const [ms] = await Promise.all([firstList(access, since), small.restartApiserver()])
    starts.push(ms)
  }
  await small.stop()
  return { measured, starts }
}

export async function benchApiServer({ count = 2_000 } = {}): Promise<BenchResult> {
  const dir = await mkdtemp(join(tmpdir(), `vireo-bench-${process.pid}-`))
  try {
    await build(join(dir, 'built'))
    const ours = await vireo(join(dir, 'vireo'), join(dir, 'built/vireo.js'), count)
    const theirs = await kubernetes(join(dir, 'kubernetes'), count)
    const row = (what: string, mine: number, real: number, ratio: number): Row => ({ what, vireo: mine, 'kube-apiserver and etcd': real, ratio })
    const faster = (what: string, mine: number, real: number): Row => row(what, mine, real, mine / real)
    return {
      name: 'apiserver',
      about: `${count} writes, ${IN_FLIGHT} in flight, each on the disk when it is answered; lists of ${LISTED} objects; ${WATCHERS} watchers; starts with ${STORED} objects stored. Of rates, more is better; of times and memory, less`,
      ratio: ours.measured.creates / theirs.measured.creates,
      rows: [
        faster('creates, a second', ours.measured.creates, theirs.measured.creates),
        faster('status patches, a second', ours.measured.patches, theirs.measured.patches),
        faster(`list of ${LISTED}, ms`, ours.measured.listMs, theirs.measured.listMs),
        faster('a write heard by every watcher, p50 ms', quantile(ours.measured.fan, 0.5), quantile(theirs.measured.fan, 0.5)),
        faster('a write heard by every watcher, p99 ms', quantile(ours.measured.fan, 0.99), quantile(theirs.measured.fan, 0.99)),
        faster('memory after all that, MB', ours.measured.memory, theirs.measured.memory),
        faster('start to first list, median ms', median(ours.starts), median(theirs.starts)),
        { what: 'memory at the first list, MB', vireo: ours.memory },
        { what: 'memory once the operator runs, MB', vireo: ours.operating },
      ],
    }
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
