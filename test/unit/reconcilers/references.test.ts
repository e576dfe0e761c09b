// Which host an object belongs to, what it may refer to, and the sentence where something is missing.
import { describe, expect, test } from 'vitest'
import { Mirror } from '../../../controller/mirror.ts'
import type { KubeObject } from '../../../controller/resource.ts'
import type { Hypervisor } from '../../../crds/hypervisor.ts'
import type { StoragePool } from '../../../crds/storagepool.ts'
import type { StorageVolume } from '../../../crds/storagevolume.ts'
import type { VirtualDomain } from '../../../crds/virtualdomain.ts'
import type { VirtualNetwork } from '../../../crds/virtualnetwork.ts'
import type { Host } from '../../../observed/host.ts'
import { Refusal } from '../../../reconcilers/plan.ts'
import { UNREACHABLE_AFTER, asManaged, boundHost, hypervisorNameOf, requireReady, requireSameHost, resolve } from '../../../reconcilers/references.ts'
import type { HostObject, World } from '../../../reconcilers/world.ts'
import { FakeClock } from '../../support/fakeclock.ts'

const UUID = '11111111-0000-5000-8000-000000000001'
const meta = (name: string, fields: object = {}): KubeObject['metadata'] => ({ name, uid: name, resourceVersion: '1', ...fields })
const mirrorOf = <T extends KubeObject>(objects: T[] = []): Mirror<T> => {
  const mirror = new Mirror<T>()
  mirror.takeWriter().replace(objects, '1')
  return mirror
}
const hypervisor = (name: string, spec: Partial<Hypervisor['spec']> = {}, metadata: object = {}): Hypervisor =>
  ({ apiVersion: 'vireo.dev/v1alpha1', kind: 'Hypervisor', metadata: meta(name, { creationTimestamp: '2026-01-02T00:00:00Z', ...metadata }), spec: { uri: 'qemu:///system', ...spec } })
const object = <T extends KubeObject>(kind: string, name: string, spec: object = {}, rest: { namespace?: string; metadata?: object; status?: object } = {}): T =>
  ({ apiVersion: 'vireo.dev/v1alpha1', kind, metadata: meta(name, { namespace: rest.namespace ?? 'shop', ...rest.metadata }), spec, ...(rest.status === undefined ? {} : { status: rest.status }) }) as unknown as T
const network = (name: string, spec: object = {}, rest = {}): VirtualNetwork => object('VirtualNetwork', name, spec, rest)
const domain = (name: string, spec: object = {}, rest = {}): VirtualDomain => object('VirtualDomain', name, spec, rest)
const volume = (name: string, spec: object = {}, rest = {}): StorageVolume => object('StorageVolume', name, spec, rest)
const bound = (name: string): object => ({ status: { binding: { hypervisor: name, name: 'x', uuid: UUID, origin: 'Created' } } })

interface Setting { hypervisors?: Hypervisor[]; pools?: StoragePool[]; volumes?: StorageVolume[]; networks?: VirtualNetwork[]; namespaces?: Record<string, Record<string, string>>; hosts?: Record<string, { state?: Host['state']; since?: number; has?: string[]; error?: string }>; clock?: FakeClock }

function world({ hypervisors = [hypervisor('local', { default: true })], pools, volumes, networks, namespaces = {}, hosts = { local: {} }, clock = new FakeClock() }: Setting = {}): World {
  const opened = new Map(Object.entries(hosts).map(([name, { state = 'Open', since = 0, has = [], error }]) => {
    const find = (uuid: string): object | undefined => (has.includes(uuid) ? {} : undefined)
    return [name, { state, since, error: error === undefined ? undefined : new Error(error), mirror: { domain: find, network: () => undefined, pool: () => undefined } } as unknown as Host]
  }))
  return {
    installation: UUID, cluster: 'cluster', clock,
    mirrors: { Hypervisor: mirrorOf(hypervisors), StoragePool: mirrorOf(pools), StorageVolume: mirrorOf(volumes), VirtualNetwork: mirrorOf(networks), VirtualDomain: mirrorOf<VirtualDomain>() },
    namespaces: mirrorOf<KubeObject>(Object.entries(namespaces).map(([name, labels]) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: meta(name, { labels }), spec: {} }))),
    data: { get: () => undefined },
    host: name => opened.get(name),
    hosts: () => opened,
    leases: () => [],
    guest: () => undefined,
  }
}

const refusalOf = (run: () => unknown): Refusal => {
  try {
    run()
  } catch (error) {
    if (error instanceof Refusal) return error
    throw error
  }
  throw new Error('nothing was refused')
}

describe('the host of an object', () => {
  const two = [hypervisor('local', { default: true }), hypervisor('far')]
  const far = network('lan', { hypervisorRef: { name: 'far' } })
  test.each<[string, Setting, VirtualDomain | StorageVolume, string | undefined]>([
    ['is the bound one, whatever the spec says', { hypervisors: two }, domain('web', { hypervisorRef: { name: 'local' } }, bound('far')), 'far'],
    ['is the one it names', { hypervisors: two }, domain('web', { hypervisorRef: { name: 'far' } }), 'far'],
    ['is that of what it refers to', { hypervisors: two, networks: [far] }, domain('web', { interfaces: [{ name: 'n', networkRef: { name: 'lan' } }] }), 'far'],
    ['is where its UUID is found', { hypervisors: two, hosts: { local: {}, far: { has: [UUID] } } }, domain('web'), 'far'],
    ['is the default where two lead to one host', { hypervisors: two, hosts: { far: { has: [UUID] }, local: { has: [UUID] } } }, domain('web'), 'local'],
    ['is the default else', { hypervisors: two }, domain('web'), 'local'],
    ['of two defaults is the older', { hypervisors: [hypervisor('a', { default: true }), hypervisor('b', { default: true }, { creationTimestamp: '2026-01-01T00:00:00Z' })] }, domain('web'), 'b'],
    ['of two defaults of one second is the first by name', { hypervisors: [hypervisor('b', { default: true }), hypervisor('a', { default: true })] }, domain('web'), 'a'],
    ['is no default that is being deleted', { hypervisors: [hypervisor('local', { default: true }, { deletionTimestamp: '2026-01-03T00:00:00Z' })] }, domain('web'), undefined],
    ['is none for a volume whose pool is not there', {}, volume('disk', { poolRef: { name: 'images' } }), undefined],
  ])('%s', (_what, setting, subject, expected) => {
    expect(hypervisorNameOf(world(setting), subject, UUID)).toBe(expected)
  })
})

describe('on a Hypervisor that is only observed', () => {
  const hypervisors = [hypervisor('local', { default: true }), hypervisor('seen', { managementPolicy: 'ObserveOnly' })]
  const pool = object<StoragePool>('StoragePool', 'images', { hypervisorRef: { name: 'seen' } })
  const there = { hypervisorRef: { name: 'seen' } }
  test.each<[string, HostObject]>([
    ['a domain', domain('web', there)],
    ['a network', network('lab', there)],
    ['a pool', pool],
    ['a volume, by its pool', volume('disk', { poolRef: { name: 'images' } })],
    ['a domain bound there', domain('web', {}, bound('seen'))],
  ])('%s is only observed, and the object itself stays as it is', (_what, subject) => {
    const before = structuredClone(subject)
    const seen = asManaged(world({ hypervisors, pools: [pool] }), subject)
    expect(seen).toEqual({ ...before, spec: { ...before.spec, managementPolicy: 'ObserveOnly' } })
    expect(subject).toEqual(before)
  })

  test.each<[string, HostObject]>([['elsewhere', domain('web')], ['without any host', volume('disk', { poolRef: { name: 'none' } })]])('what is %s is managed as it says', (_what, subject) => {
    expect(asManaged(world({ hypervisors }), subject)).toBe(subject)
  })
})

describe('a host that has not been read yet', () => {
  const two = [hypervisor('local', { default: true }), hypervisor('far')]
  test.each<[string, Setting, VirtualDomain, boolean]>([
    ['may hold what an object without a host had before', { hypervisors: two, hosts: { local: {}, far: { state: 'Opening' } } }, domain('web'), true],
    ['has not even been called', { hypervisors: two, hosts: { local: {} } }, domain('web'), true],
    ['keeps nobody waiting once it failed', { hypervisors: two, hosts: { local: {}, far: { state: 'Broken' } } }, domain('web'), false],
    ['does not concern an object that names its host', { hypervisors: two, hosts: { local: {}, far: { state: 'Opening' } } }, domain('web', { hypervisorRef: { name: 'local' } }), false],
    ['does not concern an object found on the default', { hypervisors: two, hosts: { local: { has: [UUID] }, far: { state: 'Opening' } } }, domain('web'), false],
  ])('%s', (_name, setting, subject, waits) => {
    const outcome = (): unknown => boundHost(world(setting), subject, UUID)
    if (waits) expect(refusalOf(outcome).message).toContain('Waiting for the first look at Hypervisor far')
    else expect(outcome).not.toThrow()
  })
})

describe('a host that is away', () => {
  const now = Date.parse('2026-11-22T20:00:00Z')
  const away = (ms: number, state: Host['state'] = 'Broken'): World => world({ clock: new FakeClock(now), hosts: { local: { state, since: now - ms, error: 'connection refused' } } })

  test('is waited for; a bound object says so only after a while, and looks again when that is over', () => {
    const early = refusalOf(() => boundHost(away(15_000), domain('web', {}, bound('local'))))
    expect(early.standing).toEqual({ reason: 'WaitingForHypervisor', message: 'Waiting for the connection to Hypervisor local (connection refused).' })
    expect(early.requeueAfter).toBe(UNREACHABLE_AFTER - 15_000 + 100)
    const late = refusalOf(() => boundHost(away(UNREACHABLE_AFTER), domain('web', {}, bound('local'))))
    expect(late.standing.reason).toBe('HypervisorUnreachable')
    expect(late.standing.message).toMatch(/^Hypervisor local has not been reachable for 40 s or more \(connection refused\): .* until it is back\.$/)
    expect(late.requeueAfter).toBeUndefined()
  })
  test('is waited for without a timer by what is not bound yet', () => {
    const refusal = refusalOf(() => boundHost(away(3_600_000), domain('web')))
    expect(refusal.standing.reason).toBe('WaitingForHypervisor')
    expect(refusal.requeueAfter).toBeUndefined()
  })
  test('and is another one now is HostChanged at once', () => {
    expect(refusalOf(() => boundHost(away(0, 'HostChanged'), domain('web', {}, bound('local')))).standing.reason).toBe('HostChanged')
  })
  test('or was never named: says what to create', () => {
    expect(refusalOf(() => boundHost(world({ hypervisors: [] }), domain('web'))).standing.message).toBe('No Hypervisor is named by spec.hypervisorRef and none is marked default: create one, or set spec.default: true on one.')
    expect(refusalOf(() => boundHost(world(), domain('web', { hypervisorRef: { name: 'none' } }))).standing.message).toBe('Waiting for Hypervisor none, which does not exist.')
  })
})

describe('a namespace that is not selected', () => {
  const closed = [hypervisor('local', { default: true, policy: { namespaceSelector: { matchLabels: { team: 'web' } } } })]
  test('is Forbidden, by its own labels', () => {
    expect(refusalOf(() => boundHost(world({ hypervisors: closed, namespaces: { shop: { team: 'db' } } }), domain('web'))).standing.reason).toBe('Forbidden')
    expect(boundHost(world({ hypervisors: closed, namespaces: { shop: { team: 'web' } } }), domain('web')).name).toBe('local')
    expect(refusalOf(() => boundHost(world({ hypervisors: closed, namespaces: { shop: {} } }), domain('web'))).message).toBe('Namespace shop may not use Hypervisor local: its policy.namespaceSelector does not select the namespace. Ask for a label that it selects, or use another Hypervisor.')
  })
  test('is waited for while its labels are not known, whatever the selector makes of none', () => {
    for (const namespaceSelector of [{ matchLabels: { team: 'web' } }, { matchExpressions: [{ key: 'restricted', operator: 'DoesNotExist' as const }] }]) {
      const hypervisors = [hypervisor('local', { default: true, policy: { namespaceSelector } })]
      expect(refusalOf(() => boundHost(world({ hypervisors }), domain('web'))).standing).toEqual({ reason: 'WaitingForReference', message: 'Waiting for namespace shop to be seen: its labels decide what it may use.' })
      const open = network('lan', { export: { namespaceSelector } }, { namespace: 'infra' })
      for (const networks of [[open], []]) expect(refusalOf(() => resolve(world({ networks }), domain('web'), 'VirtualNetwork', { name: 'lan', namespace: 'infra' }, 'f')).standing.reason).toBe('WaitingForReference')
    }
    expect(boundHost(world({ hypervisors: [hypervisor('local', { default: true, policy: { namespaceSelector: {} } })] }), domain('web')).name).toBe('local')
  })
  test('can still take away what it made, and nothing that it did not', () => {
    const going = { metadata: { deletionTimestamp: '2026-11-22T20:00:00Z' } }
    expect(boundHost(world({ hypervisors: closed }), domain('web', {}, { ...bound('local'), ...going })).name).toBe('local')
    expect(refusalOf(() => boundHost(world({ hypervisors: closed, namespaces: { shop: {} } }), domain('web', {}, going))).standing.reason).toBe('Forbidden')
  })
})

describe('a reference', () => {
  const field = 'spec.interfaces[n].networkRef'
  const look = (setting: Setting, ref: { name: string; namespace?: string }): Refusal => refusalOf(() => resolve(world(setting), domain('web'), 'VirtualNetwork', ref, field))

  test('to nothing waits and names it', () => {
    expect(look({}, { name: 'lan' }).standing).toEqual({ reason: 'WaitingForReference', message: `${field}: waiting for VirtualNetwork lan, which does not exist.` })
  })
  test('into another namespace tells nothing of what is there', () => {
    const namespaces = { shop: {} }
    const there = look({ networks: [network('lan', {}, { namespace: 'infra' })], namespaces }, { name: 'lan', namespace: 'infra' })
    expect(there.standing).toEqual(look({ namespaces }, { name: 'lan', namespace: 'infra' }).standing)
    expect(there.standing.reason).toBe('Forbidden')
    const exported = network('lan', { export: { namespaceSelector: { matchLabels: { tier: 'app' } } } }, { namespace: 'infra' })
    expect(look({ networks: [exported], namespaces }, { name: 'lan', namespace: 'infra' }).standing).toEqual(there.standing)
    expect(resolve(world({ networks: [exported], namespaces: { shop: { tier: 'app' } } }), domain('web'), 'VirtualNetwork', { name: 'lan', namespace: 'infra' }, field)).toBe(exported)
  })
  test('to what is being deleted waits, unless the referrer goes too', () => {
    const going = network('lan', {}, { metadata: { deletionTimestamp: '2026-11-22T20:00:00Z' } })
    expect(look({ networks: [going] }, { name: 'lan' }).standing.message).toContain('VirtualNetwork lan is being deleted')
    expect(resolve(world({ networks: [going] }), domain('web', {}, { metadata: { deletionTimestamp: '2026-11-22T20:00:01Z' } }), 'VirtualNetwork', { name: 'lan' }, field)).toBe(going)
  })
  test('to what cannot go on repeats why', () => {
    const conditions = (stalled: boolean): object => ({ status: { conditions: [{ type: 'Ready', status: 'False', message: 'The pool is gone.' }, ...(stalled ? [{ type: 'Stalled', status: 'True', message: 'The pool is gone.' }] : [])] } })
    expect(refusalOf(() => { requireReady(network('lan', {}, conditions(true)), field, 'shop') }).standing.message).toBe(`${field}: waiting for VirtualNetwork lan, which is not ready: The pool is gone.`)
    expect(refusalOf(() => { requireReady(network('lan', {}, conditions(false)), field, 'other') }).standing.message).toBe(`${field}: waiting for VirtualNetwork shop/lan, which is not ready yet.`)
  })
  test('to another host is Invalid and names both', () => {
    const far = network('lan', { hypervisorRef: { name: 'far' } })
    expect(refusalOf(() => { requireSameHost(world(), domain('web'), far, 'local', field) }).standing).toEqual({
      reason: 'Invalid', message: `${field}: VirtualNetwork lan is on Hypervisor far, this object on local. An object can only use what is on its own host.`,
    })
    expect(() => { requireSameHost(world(), domain('web'), far, 'far', field) }).not.toThrow()
  })
})
