// What the benchmarks share: a stage of real servers, statistics, and how results are shown.
import { rm } from 'node:fs/promises'
import { mkdtemp } from 'node:fs/promises'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { Client } from '../controller/client.ts'
import { kubeConfigLoader } from '../controller/credentials.ts'
import type { Resource } from '../controller/resource.ts'
import { Transport } from '../controller/transport.ts'
import type { Connection } from '../drivers/driver.ts'
import { createRegistry } from '../drivers/registry.ts'
import { startControlPlane } from '../scripts/devcluster/controlplane.ts'
import type { ControlPlane } from '../scripts/devcluster/controlplane.ts'
import { startLibvirtd } from '../test/support/libvirtd.ts'
import type { PrivateLibvirtd } from '../test/support/libvirtd.ts'

export interface Row { what: string; [column: string]: string | number }
export interface BenchResult {
  name: string
  /** What was measured, in a sentence. */
  about: string
  /** vireo's figure divided by the floor's; for idle the share of a core. */
  ratio: number
  rows: Row[]
}

export interface Servers extends AsyncDisposable { plane: ControlPlane; host: PrivateLibvirtd; dir: string; uri: string; client: Client }

/** A real API server (fsync on, as in production) with the CRDs, and a libvirtd of its own with libvirt's test driver. */
export async function startServers(): Promise<Servers> {
  const dir = await mkdtemp(join(tmpdir(), `vireo-bench-${process.pid}-`))
  const [plane, host] = await Promise.all([startControlPlane({ dir, durable: true, say: line => { process.stderr.write(`${line}\n`) } }), startLibvirtd({ name: 'bench' })])
  const checkout = join(import.meta.dirname, '..')
  for (const args of [['apply', '--server-side', '-k', join(checkout, 'manifests/crds')], ['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']]) {
    const result = await plane.kubectl(args)
    if (result.code !== 0) throw new Error(result.stderr)
  }
  const client = new Client({ transport: newTransport(plane) })
  const stop = async (): Promise<void> => {
    await Promise.all([plane.stop(), host.stop()])
    await rm(dir, { recursive: true, force: true })
  }
  return { plane, host, dir, uri: host.uri('test:///default'), client, [Symbol.asyncDispose]: stop }
}

export const newTransport = (plane: ControlPlane): Transport => new Transport({ kubeConfig: kubeConfigLoader({ file: plane.kubeconfig }) })
export const connect = async (uri: string): Promise<Connection> => await createRegistry({}, { allowLocal: true }).open(uri, { callTimeout: 60_000, keepAliveInterval: 5_000, keepAliveCount: 12 })

/** Runs `work` over the items, `limit` at once. */
export async function forEachLimit<T>(items: readonly T[], limit: number, work: (item: T) => Promise<void>): Promise<void> {
  let next = 0
  const run = async (): Promise<void> => {
    while (next < items.length) await work(items[next++]!)
  }
  await Promise.all(Array.from({ length: limit }, run))
}

export const quantile = (values: readonly number[], q: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? NaN
}
export const median = (values: readonly number[]): number => quantile(values, 0.5)

export async function deleteAll(client: Client, resource: Resource, namespace: string | undefined): Promise<void> {
  const { items } = await client.list(resource, { namespace })
  await forEachLimit(items, 16, async item => {
    if (item.metadata.finalizers?.length) await client.mergePatch(resource, item.metadata.namespace, item.metadata.name, { metadata: { finalizers: [] } })
    await client.delete(resource, item.metadata.namespace, item.metadata.name).catch(() => { /* the finalizer was the last thing that held it */ })
  })
}

export function show(result: BenchResult): void {
  const columns = [...new Set(result.rows.flatMap(row => Object.keys(row)))]
  const text = (value: string | number | undefined): string => (value === undefined ? '' : typeof value === 'number' ? (Number.isInteger(value) ? String(value) : value.toFixed(2)) : value)
  const widths = columns.map(column => Math.max(column.length, ...result.rows.map(row => text(row[column]).length)))
  const line = (cells: string[], right: boolean): string => cells.map((cell, i) => (i === 0 || !right ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ')
  process.stdout.write(`\n${result.name}: ${result.about}\n\n${line(columns.map(column => (column === 'what' ? '' : column)), true)}\n`)
  for (const row of result.rows) process.stdout.write(`${line(columns.map(column => text(row[column])), true)}\n`)
  process.stdout.write(`\nratio ${result.ratio.toFixed(3)}   (${cpus().length} × ${cpus()[0]?.model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.versions.node})\n`)
}
