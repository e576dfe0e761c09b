// bench/idle: in-sync objects left alone: writes, calls, CPU and memory of the controller's own process, which was started on them.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hypervisors, virtualDomains } from '../crds/kinds.ts'
import { apiVersion } from '../crds/names.ts'
import { connect, forEachLimit, startServers } from './support.ts'
import type { BenchResult } from './support.ts'

/** Sums the series of one metric by one label. */
function series(text: string, metric: string, label: string): Map<string, number> {
  const sums = new Map<string, number>()
  for (const line of text.split('\n')) {
    if (!line.startsWith(`${metric}{`)) continue
    const key = new RegExp(`${label}="([^"]*)"`).exec(line)?.[1] ?? ''
    sums.set(key, (sums.get(key) ?? 0) + Number(line.slice(line.lastIndexOf(' ') + 1)))
  }
  return sums
}

/** The controller as a process of its own. */
class Controller implements AsyncDisposable {
  readonly #child: ChildProcess
  #port = ''

  constructor(kubeconfig: string) {
    this.#child = spawn(process.execPath, [join(import.meta.dirname, '../cli/vireo.ts'), 'controller', '--kubeconfig', kubeconfig, '--no-leader-election', '--allow-local-uris', '--health-address', '127.0.0.1:0', '--log-level', 'info'], { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => { this.#port ||= /"port":(\d+)/.exec(text)?.[1] ?? '' })
  }

  async metrics(): Promise<string> {
    while (this.#port === '') await sleep(50)
    return await (await fetch(`http://127.0.0.1:${this.#port}/metrics`)).text()
  }

  async usage(): Promise<{ cpuSeconds: number; rssMB: number; peakMB: number }> {
    const [stat, status] = await Promise.all(['stat', 'status'].map(file => readFile(`/proc/${this.#child.pid}/${file}`, 'utf8'))) as [string, string]
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const kB = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1_024 / 1e6
    return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100, rssMB: kB('VmRSS'), peakMB: kB('VmHWM') }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGTERM')
    await once(this.#child, 'exit')
  }
}

const sum = (values: Map<string, number>): number => [...values.values()].reduce((all, value) => all + value, 0)

/** Waits until the controller has seen every domain on both sides and has looked at none for `quiet` s. */
async function untilIdle(controller: Controller, domains: number, quiet = 5): Promise<void> {
  let looks = -1
  for (;;) {
    const text = await controller.metrics()
    const now = sum(series(text, 'controller_runtime_reconcile_total', 'controller'))
    const rest = sum(series(text, 'workqueue_depth', 'name')) === 0
    const seen = sum(series(text, 'vireo_observed_objects', 'kind'))
    if (rest && seen >= domains && now >= domains && now === looks) return
    looks = now
    await sleep(quiet * 1_000)
  }
}

export async function benchIdle({ count = 5_000, seconds = 300 } = {}): Promise<BenchResult> {
  await using servers = await startServers()
  // libvirt's test driver forgets everything with its last connection.
  const held = await connect(servers.uri)
  await servers.client.create(hypervisors, undefined, { apiVersion, kind: 'Hypervisor', metadata: { name: 'bench' }, spec: { uri: servers.uri } })
  await forEachLimit(Array.from({ length: count }, (_, i) => i), 16, async i => {
    await servers.client.create(virtualDomains, 'default', { apiVersion, kind: 'VirtualDomain', metadata: { name: `vm-${i}` }, spec: { hypervisorRef: { name: 'bench' }, memory: '64Mi' } })
  })
  const allReady = async (): Promise<boolean> => {
    const { items } = await servers.client.list(virtualDomains, { namespace: 'default' })
    return items.every(item => (item.status as { conditions?: { type: string; status: string }[] } | undefined)?.conditions?.some(condition => condition.type === 'Ready' && condition.status === 'True'))
  }
  let making: number
  {
    await using controller = new Controller(servers.plane.kubeconfig)
    while (!await allReady()) await sleep(2_000)
    making = (await controller.usage()).peakMB
  }
  await using controller = new Controller(servers.plane.kubeconfig)
  await untilIdle(controller, count)
  // Counts of the Hypervisor are written once more up to 10 s after the last change.
  await sleep(20_000)
  const before = { text: await controller.metrics(), ...await controller.usage() }
  let peak = before.rssMB
  for (const end = performance.now() + seconds * 1_000; performance.now() < end;) {
    await sleep(Math.min(5_000, end - performance.now()))
    peak = Math.max(peak, (await controller.usage()).rssMB)
  }
  const after = { text: await controller.metrics(), ...await controller.usage() }
  const moved = (metric: string, label: string): Map<string, number> => {
    const start = series(before.text, metric, label)
    return new Map([...series(after.text, metric, label)].map(([key, value]) => [key, value - (start.get(key) ?? 0)] as [string, number]).filter(([, value]) => value > 0))
  }
  const requests = moved('rest_client_requests_total', 'method')
  const writes = [...requests].filter(([method]) => method !== 'GET').reduce((sum, [, value]) => sum + value, 0)
  const share = (after.cpuSeconds - before.cpuSeconds) / seconds
  const calls = moved('vireo_rpc_calls_total', 'procedure')
  await held.close()
  return {
    name: 'idle',
    about: `${count} in-sync domains for ${seconds} s: API writes, calls to the host, share of a core and memory of a controller that was started on them`,
    ratio: share,
    rows: [
      { what: 'API writes', value: writes },
      { what: 'API reads and watches', value: requests.get('GET') ?? 0 },
      ...[...calls].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([procedure, value]) => ({ what: `RPC ${procedure}`, value })),
      { what: 'CPU, % of a core', value: share * 100 },
      { what: 'memory at the end, MB', value: Math.round(after.rssMB) },
      { what: 'memory at most, MB', value: Math.round(peak) },
      { what: 'memory at most from its start on, MB', value: Math.round(after.peakMB) },
      { what: 'memory at most of the controller that made them, MB', value: Math.round(making) },
    ],
  }
}
