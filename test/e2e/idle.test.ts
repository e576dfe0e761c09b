// An object that is as it should be costs nothing: forced reconciles of many make no call to the host and no write to the API server.
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Client } from '../../controller/client.ts'
import { kubeConfigLoader } from '../../controller/credentials.ts'
import { silentLog } from '../../controller/log.ts'
import { Metrics } from '../../controller/metrics.ts'
import { namespaces } from '../../controller/resource.ts'
import { Transport } from '../../controller/transport.ts'
import { systemClock } from '../../clock/clock.ts'
import { hypervisor } from '../../crds/hypervisor.ts'
import { type VirtualDomain, virtualDomain } from '../../crds/virtualdomain.ts'
import { createRegistry } from '../../drivers/registry.ts'
import { Operator } from '../../operator/operator.ts'
import { until } from '../support/until.ts'
import { Stage } from './support/stage.ts'

const DOMAINS = 200
const TIMES = 10

let stage: Stage
let operator: Operator
let running: Promise<void>
const stop = new AbortController()
const calls: string[] = []
const requests: string[] = []

beforeAll(async () => {
  stage = await Stage.start()
  const transport = new Transport({ kubeConfig: kubeConfigLoader({ file: stage.kubeconfig }), onRequest: ({ method, path }) => { requests.push(`${method} ${path}`) } })
  const uid = (await new Client({ transport }).get(namespaces, undefined, 'kube-system')).metadata.uid
  const registry = createRegistry({}, { allowLocal: true })
  operator = new Operator({
    transport, clock: systemClock, log: silentLog, metrics: new Metrics(), installation: uid, cluster: uid, relistInterval: 3_600_000,
    open: (uri, options) => registry.open(uri, { ...options, onCall: call => { calls.push(call.procedure); options.onCall?.(call) } }),
  })
  running = operator.run(stop.signal)
  const admin = new Client({ transport: new Transport({ kubeConfig: kubeConfigLoader({ file: stage.plane.kubeconfig }) }) })
  await admin.create(hypervisor.resource, undefined, { apiVersion: 'vireo.dev/v1alpha1', kind: 'Hypervisor', metadata: { name: 'mock' }, spec: { uri: stage.host.uri('test:///default'), default: true } })
  await Promise.all(Array.from({ length: DOMAINS }, (_, i) => admin.create(virtualDomain.resource, 'default', { apiVersion: 'vireo.dev/v1alpha1', kind: 'VirtualDomain', metadata: { name: `vm-${i}` }, spec: { memory: '64Mi' } })))
})
afterAll(async () => {
  stop.abort()
  await running
  await stage?.stop()
})

const isSettled = ({ metadata, status }: VirtualDomain): boolean =>
  status?.observedGeneration === metadata.generation && status?.conditions?.some(({ type, status: is }) => type === 'Synced' && is === 'True') === true

test(`${DOMAINS * TIMES} forced reconciles of in-sync objects make 0 RPC calls and 0 API writes`, async () => {
  const { mirrors } = operator.world
  await until('every domain is in sync', () => mirrors.VirtualDomain.size === DOMAINS && mirrors.VirtualDomain.list().every(isSettled), { timeoutMs: 120_000 })
  // The driver has a domain of its own. The counts follow within 10 s, and with them nothing is left to be written.
  await until('the Hypervisor has counted them', () => mirrors.Hypervisor.get(undefined, 'mock')?.status?.domains === DOMAINS + 1 && operator.queue.length === 0 && operator.queue.working === 0)

  await operator.flushEvents()
  calls.length = 0
  requests.length = 0
  for (let i = 0; i < TIMES; i++) {
    const results = await Promise.all(mirrors.VirtualDomain.list().map(({ metadata }) => operator.reconcile(`VirtualDomain/${metadata.namespace}/${metadata.name}`)))
    expect(results.every(result => result.type === 'done')).toBe(true)
    expect(await operator.reconcile('Hypervisor//mock')).toEqual({ type: 'done' })
  }
  expect(calls).toEqual([])
  expect(requests.filter(request => !request.startsWith('GET'))).toEqual([])
})
