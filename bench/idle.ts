// bench/idle: in-sync objects left alone: writes, calls, CPU and memory of the controller's own process.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hypervisors, virtualDomains } from '../crds/kinds.ts'
import { apiVersion } from '../crds/names.ts'
import { forEachLimit, startServers } from './support.ts'
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

async function usage(pid: number): Promise<{ cpuSeconds: number; rssMiB: number }> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100, rssMiB: Number(fields[21]) * 4096 / 2 ** 20 }
}

export async function benchIdle({ count = 5_000, seconds = 300 } = {}): Promise<BenchResult> {
  await using servers = await startServers()
  await servers.client.create(hypervisors, undefined, { apiVersion, kind: 'Hypervisor', metadata: { name: 'bench' }, spec: { uri: servers.uri } })
  await forEachLimit(Array.from({ length: count }, (_, i) => i), 16, async i => {
    await servers.client.create(virtualDomains, 'default', { apiVersion, kind: 'VirtualDomain', metadata: { name: `vm-${i}` }, spec: { hypervisorRef: { name: 'bench' }, memory: '64Mi' } })
  })
  const child = spawn(process.execPath, [join(import.meta.dirname, '../cli/vireo.ts'), 'controller', '--kubeconfig', servers.plane.kubeconfig, '--no-leader-election', '--health-address', '127.0.0.1:0', '--log-level', 'info'], { stdio: ['ignore', 'ignore', 'pipe'] })
  let port = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => { port ||= /"port":(\d+)/.exec(text)?.[1] ?? '' })
  try {
    while (port === '') await sleep(50)
    const metrics = async (): Promise<string> => await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    const allReady = async (): Promise<boolean> => {
      const { items } = await servers.client.list(virtualDomains, { namespace: 'default' })
      return items.every(item => (item.status as { conditions?: { type: string; status: string }[] } | undefined)?.conditions?.some(condition => condition.type === 'Ready' && condition.status === 'True'))
    }
    while (!await allReady()) await sleep(2_000)
    // Counts of the Hypervisor are written once more up to 10 s after the last change.
    await sleep(20_000)
    const before = { text: await metrics(), ...await usage(child.pid!) }
    let peak = before.rssMiB
    for (const end = performance.now() + seconds * 1_000; performance.now() < end;) {
      await sleep(Math.min(5_000, end - performance.now()))
      peak = Math.max(peak, (await usage(child.pid!)).rssMiB)
    }
    const after = { text: await metrics(), ...await usage(child.pid!) }
    const moved = (metric: string, label: string): Map<string, number> => {
      const start = series(before.text, metric, label)
      return new Map([...series(after.text, metric, label)].map(([key, value]) => [key, value - (start.get(key) ?? 0)] as [string, number]).filter(([, value]) => value > 0))
    }
    const requests = moved('rest_client_requests_total', 'method')
    const writes = [...requests].filter(([method]) => method !== 'GET').reduce((sum, [, value]) => sum + value, 0)
    const share = (after.cpuSeconds - before.cpuSeconds) / seconds
    const calls = moved('vireo_rpc_calls_total', 'procedure')
    return {
      name: 'idle',
      about: `${count} in-sync domains for ${seconds} s: API writes, calls to the host, share of a core and memory of the controller`,
      ratio: share,
      rows: [
        { what: 'API writes', value: writes },
        { what: 'API reads and watches', value: requests.get('GET') ?? 0 },
        ...[...calls].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([procedure, value]) => ({ what: `RPC ${procedure}`, value })),
        { what: 'CPU, % of a core', value: share * 100 },
        { what: 'memory at the end, MiB', value: Math.round(after.rssMiB) },
        { what: 'memory at most, MiB', value: Math.round(peak) },
      ],
    }
  } finally {
    child.kill('SIGTERM')
    await once(child, 'exit')
  }
}
