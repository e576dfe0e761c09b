// bench/drift: domains killed one after the other; from the kill to running again, beside a bare loop that answers the same event with a start.
import { systemClock } from '../clock/clock.ts'
import { createLog } from '../controller/log.ts'
import { Metrics } from '../controller/metrics.ts'
import { hypervisors, virtualDomains } from '../crds/kinds.ts'
import { apiVersion } from '../crds/names.ts'
import type { DomainRef, DriverEvent } from '../drivers/driver.ts'
import { createRegistry } from '../drivers/registry.ts'
import { Operator } from '../operator/operator.ts'
import { connect, median, newTransport, quantile, startServers } from './support.ts'
import type { BenchResult, Servers } from './support.ts'

const STARTED = 2
const STOPPED = 5

export async function benchDrift({ kills = 1_000, domains = 50 } = {}): Promise<BenchResult> {
  await using servers = await startServers()
  const ours = await vireo(servers, kills, domains)
  const floor = await bareLoop(servers, kills, domains)
  const row = (what: string, times: number[]): BenchResult['rows'][number] => ({ what, 'p50 ms': median(times), 'p90 ms': quantile(times, 0.9), 'p99 ms': quantile(times, 0.99), 'max ms': Math.max(...times) })
  return {
    name: 'drift',
    about: `${kills} kills one after the other over ${domains} domains on libvirt's test driver, from the kill to running again; the floor answers the event with a start and nothing else. At rest: each kill when the status of the one before is written; in a row: at once`,
    ratio: quantile(ours.rest, 0.99) / quantile(floor, 0.99),
    rows: [row('vireo, at rest', ours.rest), row('vireo, in a row', ours.row), row('floor', floor)],
  }
}

/**
 * Kills the domains in turn on a connection of its own and times each until the event that it runs again. The next one is killed
 * when `settled` says that the one before is over and done with.
 */
async function killAll(uri: string, kills: number, names: (name: string) => boolean, settled: (dom: DomainRef) => Promise<void>): Promise<number[]> {
  const connection = await connect(uri)
  let started: { uuid: string; done: PromiseWithResolvers<DomainRef> } | undefined
  connection.onEvent((event: DriverEvent) => {
    if (event.type === 'domain' && event.name === 'lifecycle' && event.event === STARTED && event.dom.uuid === started?.uuid) started.done.resolve(event.dom)
  })
  await connection.eventsRegister()
  const domains = (await connection.connectListAllDomains()).filter(dom => names(dom.name))
  const times: number[] = []
  for (let i = 0; i < kills; i++) {
    const dom = domains[i % domains.length]!
    started = { uuid: dom.uuid, done: Promise.withResolvers() }
    const start = performance.now()
    await connection.domainDestroyFlags(dom, 0)
    const running = await started.done.promise
    times.push(performance.now() - start)
    await settled(running)
  }
  await connection.close()
  return times
}

async function vireo(servers: Servers, kills: number, count: number): Promise<{ rest: number[]; row: number[] }> {
  await servers.client.create(hypervisors, undefined, { apiVersion, kind: 'Hypervisor', metadata: { name: 'bench' }, spec: { uri: servers.uri } })
  for (let i = 0; i < count; i++) await servers.client.create(virtualDomains, 'default', { apiVersion, kind: 'VirtualDomain', metadata: { name: `vm-${i}` }, spec: { hypervisorRef: { name: 'bench' }, memory: '64Mi' } })
  const stop = new AbortController()
  const operator = new Operator({
    transport: newTransport(servers.plane), open: async (uri, given) => await createRegistry({}, { allowLocal: true }).open(uri, given), clock: systemClock, log: createLog({ level: 'error' }), metrics: new Metrics(),
    installation: '11111111-2222-4333-8444-555555555555', cluster: 'bench', relistInterval: 600_000,
  })
  const ready = new Set<string>()
  const all = Promise.withResolvers<void>()
  operator.world.mirrors.VirtualDomain.onChange(({ object }) => {
    if (object.status?.conditions?.some(condition => condition.type === 'Ready' && condition.status === 'True')) ready.add(object.metadata.name)
    if (ready.size === count) all.resolve()
  })
  const running = operator.run(stop.signal)
  await all.promise
  const { VirtualDomain } = operator.world.mirrors
  const waiting = new Map<string, { id: number; done: PromiseWithResolvers<void> }>()
  VirtualDomain.onChange(({ object: { status } }) => {
    const wait = waiting.get(status?.binding?.uuid ?? '')
    if (wait !== undefined && status?.id === wait.id) wait.done.resolve()
  })
  const written = async ({ uuid, id }: DomainRef): Promise<void> => {
    const done = Promise.withResolvers<void>()
    waiting.set(uuid, { id, done })
    if (!VirtualDomain.list().some(({ status }) => status?.binding?.uuid === uuid && status.id === id)) await done.promise
  }
  const named = (name: string): boolean => name.startsWith('vm-')
  const rest = await killAll(servers.uri, kills, named, written)
  const row = await killAll(servers.uri, kills, named, () => Promise.resolve())
  stop.abort()
  await running
  return { rest, row }
}

async function bareLoop(servers: Servers, kills: number, count: number): Promise<number[]> {
  const connection = await connect(servers.uri)
  const refs: DomainRef[] = []
  for (let i = 0; i < count; i++) {
    const dom = await connection.domainDefineXMLFlags(`<domain type='test'><name>floor-${i}</name><memory unit='MiB'>64</memory><os><type>hvm</type></os></domain>`, 0)
    await connection.domainCreateWithFlags(dom, 0)
    refs.push(dom)
  }
  const names = new Set(refs.map(dom => dom.name))
  // The event of a start overtakes its answer: the connection stays until the last one is in.
  let answered: Promise<unknown> = Promise.resolve()
  connection.onEvent((event: DriverEvent) => {
    if (event.type === 'domain' && event.name === 'lifecycle' && event.event === STOPPED && names.has(event.dom.name)) answered = connection.domainCreateWithFlags(event.dom, 0)
  })
  await connection.eventsRegister()
  const times = await killAll(servers.uri, kills, name => names.has(name), () => Promise.resolve())
  await answered
  await connection.close()
  return times
}
