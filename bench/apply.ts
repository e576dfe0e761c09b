// bench/apply: 1,000 stored domains from release to the last Ready, beside a bare loop that makes only the unavoidable calls.
import { systemClock } from '../clock/clock.ts'
import { createLog } from '../controller/log.ts'
import { Metrics } from '../controller/metrics.ts'
import { hypervisors, virtualDomains } from '../crds/kinds.ts'
import { apiVersion, finalizer } from '../crds/names.ts'
import type { VirtualDomain } from '../crds/virtualdomain.ts'
import { isAbsent } from '../drivers/errors.ts'
import { createRegistry } from '../drivers/registry.ts'
import { Operator } from '../operator/operator.ts'
import { uuidV5 } from '../reconcilers/identity.ts'
import { connect, deleteAll, forEachLimit, median, newTransport, startServers } from './support.ts'
import type { BenchResult, Servers } from './support.ts'

const installation = '11111111-2222-4333-8444-555555555555'

const manifest = (name: string): object => ({
  apiVersion, kind: 'VirtualDomain', metadata: { name, namespace: 'default' },
  spec: { hypervisorRef: { name: 'bench' }, memory: '64Mi', cpus: 1, title: `machine ${name}` },
})

export async function benchApply({ count = 1_000, rounds = 3 } = {}): Promise<BenchResult> {
  await using servers = await startServers()
  await servers.client.create(hypervisors, undefined, { apiVersion, kind: 'Hypervisor', metadata: { name: 'bench' }, spec: { uri: servers.uri } })
  const ours: number[] = []
  const floors: number[] = []
  let template: { xml: string; status: object } | undefined
  for (let round = 0; round <= rounds; round++) {
    const measured = await vireo(servers, count)
    template ??= measured.template
    const floor = await bareLoop(servers, count, template)
    // The first round warms the servers up.
    if (round === 0) continue
    ours.push(measured.ms)
    floors.push(floor)
    process.stderr.write(`round ${round}: vireo ${Math.round(measured.ms)} ms, floor ${Math.round(floor)} ms\n`)
  }
  const ratios = ours.map((ms, i) => ms / floors[i]!)
  return {
    name: 'apply',
    about: `${count} domains, stored, from release to the last Ready on libvirt's test driver, beside a bare loop (look up, define, create; finalizer and one status write of each), ${rounds} rounds in turn`,
    ratio: median(ratios),
    rows: [
      { what: 'vireo', 'median ms': Math.round(median(ours)), 'min ms': Math.round(Math.min(...ours)), 'max ms': Math.round(Math.max(...ours)), 'domains/s': Math.round(count / median(ours) * 1_000) },
      { what: 'floor', 'median ms': Math.round(median(floors)), 'min ms': Math.round(Math.min(...floors)), 'max ms': Math.round(Math.max(...floors)), 'domains/s': Math.round(count / median(floors) * 1_000) },
    ],
  }
}

async function store(servers: Servers, names: readonly string[]): Promise<void> {
  await forEachLimit(names, 16, async name => { await servers.client.create(virtualDomains, 'default', manifest(name) as never) })
}

/** The operator in this process, synced and connected but with the host's keys parked; then released. */
async function vireo(servers: Servers, count: number): Promise<{ ms: number; template: { xml: string; status: object } }> {
  const names = Array.from({ length: count }, (_, i) => `vm-${i}`)
  await store(servers, names)
  const stop = new AbortController()
  const operator = new Operator({
    transport: newTransport(servers.plane), open: async (uri, given) => await createRegistry({}, { allowLocal: true }).open(uri, given), clock: systemClock, log: createLog({ level: 'error' }), metrics: new Metrics(),
    installation, cluster: 'bench', relistInterval: 600_000,
  })
  operator.queue.park('bench')
  const open = Promise.withResolvers<void>()
  const ready = new Set<string>()
  const done = Promise.withResolvers<void>()
  operator.world.mirrors.VirtualDomain.onChange(({ object }) => {
    if (object.status?.conditions?.some(condition => condition.type === 'Ready' && condition.status === 'True')) ready.add(object.metadata.name)
    if (ready.size === count) done.resolve()
  })
  operator.world.mirrors.Hypervisor.onChange(({ object }) => {
    if (object.status?.conditions?.some(condition => condition.type === 'Ready' && condition.status === 'True')) open.resolve()
  })
  const running = operator.run(stop.signal)
  await open.promise
  const start = performance.now()
  operator.queue.unpark('bench')
  await done.promise
  const ms = performance.now() - start
  const sample = operator.world.mirrors.VirtualDomain.get('default', 'vm-0') as VirtualDomain
  const connection = await connect(servers.uri)
  const xml = await connection.domainGetXMLDesc({ name: '', uuid: sample.status!.binding!.uuid, id: -1 }, 2)
  stop.abort()
  await running
  await clean(servers, connection)
  await connection.close()
  return { ms, template: { xml, status: sample.status! } }
}

async function clean(servers: Servers, connection: Awaited<ReturnType<typeof connect>>): Promise<void> {
  await deleteAll(servers.client, virtualDomains, 'default')
  for (const dom of await connection.connectListAllDomains()) {
    if (dom.name === 'test') continue
    await connection.domainDestroyFlags(dom, 0).catch(() => { /* it was off */ })
    await connection.domainUndefineFlags(dom, 0)
  }
}

/** Only what nobody can do without, with the same documents: per domain a look-up, a definition and a start, a finalizer and a status. */
async function bareLoop(servers: Servers, count: number, template: { xml: string; status: object }): Promise<number> {
  const names = Array.from({ length: count }, (_, i) => `floor-${i}`)
  await store(servers, names)
  const connection = await connect(servers.uri)
  const documents = new Map(names.map(name => [name, template.xml.replace(/<name>vm-0</g, `<name>${name}<`).replace(/<uuid>[^<]*</g, `<uuid>${uuidV5(installation, name)}<`)]))
  const start = performance.now()
  await forEachLimit(names, 16, async name => {
    await servers.client.mergePatch(virtualDomains, 'default', name, { metadata: { finalizers: [finalizer] } })
    await connection.domainLookupByUUID(uuidV5(installation, name)).catch((error: unknown) => { if (!isAbsent(error, 'domain')) throw error })
    const dom = await connection.domainDefineXMLFlags(documents.get(name)!, 0)
    await connection.domainCreateWithFlags(dom, 0)
    await servers.client.applyPatch(virtualDomains, 'default', name, { apiVersion, kind: 'VirtualDomain', metadata: { name, namespace: 'default' }, status: template.status }, { subresource: 'status', fieldManager: 'vireo-status', force: true })
  })
  const ms = performance.now() - start
  await clean(servers, connection)
  await connection.close()
  return ms
}
