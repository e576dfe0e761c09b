// The observed mirror: after whatever was set and removed its indexes answer as a look at every object would.

import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HostMirror, type ObservedChange, idOf, idOfObject } from '../../../observed/mirror.ts'
import { type DiskFacts, type Observed, type ObservedDomain, type ObservedNetwork, type ObservedPool, type ObservedVolume, isActive } from '../../../observed/objects.ts'

const name = fc.constantFrom('one', 'two', 'three')
const path = fc.constantFrom('/p/a', '/p/b', '/p/c', '/p/d')
const poolUUID = fc.constantFrom('pool-1', 'pool-2')
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined })

const disk: fc.Arbitrary<DiskFacts> = fc.record({
  target: fc.constantFrom('vda', 'vdb'), device: fc.constant('disk'), source: maybe(path), backing: fc.array(path, { maxLength: 2 }), readOnly: fc.boolean(),
  reference: maybe(fc.record({ pool: fc.constantFrom('images', 'other'), volume: name })),
}).map(({ reference, ...rest }) => ({ ...rest, ...reference }))

const domain: fc.Arbitrary<ObservedDomain> = fc.record({ uuid: fc.constantFrom('d1', 'd2', 'd3'), name, live: maybe(fc.constant('<domain id="1"/>')), disks: fc.array(disk, { maxLength: 2 }), networks: fc.array(maybe(fc.constantFrom('lab', 'dmz')), { maxLength: 2 }), bootFiles: fc.array(fc.constantFrom('/p/a', '/p/d'), { maxLength: 2 }) })
  .map(fields => ({
    kind: 'domain', ref: { name: fields.name, uuid: fields.uuid, id: -1 }, state: 5, reason: 0, persistent: true, autostart: false, inactive: '<domain/>', live: fields.live,
    disks: fields.disks, bootFiles: fields.bootFiles, interfaces: fields.networks.map(network => ({ mac: 'm', type: 'network', network })),
  }))
const network: fc.Arbitrary<ObservedNetwork> = fc.record({ uuid: fc.constantFrom('n1', 'n2'), name }).map(ref => ({ kind: 'network', ref: { ...ref }, active: true, autostart: true, inactive: '<network/>' }))
const pool: fc.Arbitrary<ObservedPool> = fc.record({ uuid: poolUUID, name }).map(ref => ({ kind: 'pool', ref: { ...ref }, active: true, autostart: true, xml: '<pool/>', info: { state: 2, capacity: 0, allocation: 0, available: 0 } }))
const volume: fc.Arbitrary<ObservedVolume> = fc.record({ poolUUID, pool: fc.constantFrom('images', 'other'), name, path, backing: maybe(path) })
  .map(fields => ({ kind: 'volume', ref: { pool: fields.pool, name: fields.name, key: fields.path }, poolUUID: fields.poolUUID, path: fields.path, key: fields.path, type: 'file', format: 'raw', capacity: 0, allocation: 0, backing: fields.backing, xml: '<volume/>' }))

const object: fc.Arbitrary<Observed> = fc.oneof(domain, network, pool, volume)
type Step = { set: Observed } | { remove: string }
const steps: fc.Arbitrary<Step[]> = fc.array(fc.oneof({ weight: 3, arbitrary: object.map((set): Step => ({ set })) }, { weight: 1, arbitrary: object.map((gone): Step => ({ remove: idOfObject(gone) })) }), { maxLength: 40 })

function run(list: Step[]): { mirror: HostMirror; model: Map<string, Observed>; changes: ObservedChange[] } {
  const mirror = new HostMirror()
  const model = new Map<string, Observed>()
  const changes: ObservedChange[] = []
  mirror.onChange(change => { changes.push(change) })
  for (const step of list) {
    if ('set' in step) {
      mirror.set(step.set)
      model.set(idOfObject(step.set), step.set)
    } else {
      mirror.remove(step.remove)
      model.delete(step.remove)
    }
  }
  return { mirror, model, changes }
}

const sorted = (objects: Iterable<Observed>): string[] => Array.from(objects, idOfObject).toSorted()

describe('the mirror', () => {
  test('answers each index as a look at every object would', () => {
    fc.assert(fc.property(steps, list => {
      const { mirror, model } = run(list)
      const objects = [...model.values()]
      const domains = objects.filter(entry => entry.kind === 'domain')
      const volumes = objects.filter(entry => entry.kind === 'volume')
      expect(mirror.size).toBe(model.size)
      expect(mirror.ids().toSorted()).toEqual([...model.keys()].toSorted())
      for (const [id, wanted] of model) expect(mirror.get(id)).toEqual(wanted)
      expect(sorted(mirror.domains())).toEqual(sorted(domains))
      expect(mirror.counts).toEqual({ domains: domains.length, runningDomains: domains.filter(isActive).length })
      expect(sorted(mirror.pools())).toEqual(sorted(objects.filter(entry => entry.kind === 'pool')))
      for (const at of ['/p/a', '/p/b', '/p/c', '/p/d', '/p/none']) {
        const volumeAt = mirror.volumeByPath(at)
        expect(volumeAt === undefined).toBe(!volumes.some(entry => entry.path === at))
        if (volumeAt !== undefined) expect(volumeAt.path).toBe(at)
        expect(sorted(mirror.volumesBackedBy(at))).toEqual(sorted(volumes.filter(entry => entry.backing === at)))
        const uses = ({ disks, bootFiles }: ObservedDomain): boolean => bootFiles.includes(at) || disks.some(entry => entry.source === at || entry.backing.includes(at) || (volumeAt !== undefined && entry.pool === volumeAt.ref.pool && entry.volume === volumeAt.ref.name))
        expect(sorted(mirror.domainsUsingPath(at))).toEqual(sorted(domains.filter(uses)))
      }
      for (const net of ['lab', 'dmz', 'none']) expect(sorted(mirror.domainsOnNetwork(net))).toEqual(sorted(domains.filter(entry => entry.interfaces.some(nic => nic.network === net))))
      for (const uuid of ['pool-1', 'pool-2']) expect(sorted(mirror.volumesOf(uuid))).toEqual(sorted(volumes.filter(entry => entry.poolUUID === uuid)))
      for (const called of ['one', 'two', 'three']) {
        for (const [kind, found] of [['domain', mirror.domainByName(called)], ['network', mirror.networkByName(called)], ['pool', mirror.poolByName(called)]] as const) {
          const wanted = objects.filter(entry => entry.kind === kind && entry.ref.name === called)
          if (wanted.length === 0) expect(found).toBeUndefined()
          else expect(wanted).toContainEqual(found)
        }
      }
    }), { numRuns: 300 })
  })

  test('keeps nothing of what is gone: emptied, it answers nothing', () => {
    fc.assert(fc.property(steps, list => {
      const { mirror } = run(list)
      for (const id of mirror.ids()) mirror.remove(id)
      expect([mirror.size, mirror.counts, [...mirror.pools()], mirror.volumesOf('pool-1'), mirror.domainsOnNetwork('lab'), mirror.domainsUsingPath('/p/a'), mirror.volumesBackedBy('/p/a')]).toEqual([0, { domains: 0, runningDomains: 0 }, [], [], [], [], []])
      expect([mirror.domainByName('one'), mirror.networkByName('one'), mirror.poolByName('one'), mirror.volumeByPath('/p/a')]).toEqual([undefined, undefined, undefined, undefined])
    }))
  })

  test('tells of each change once, with what was there before, after the mirror holds it; what reads as before is none', () => {
    fc.assert(fc.property(steps, list => {
      const mirror = new HostMirror()
      const model = new Map<string, Observed>()
      let told = 0
      mirror.onChange(change => {
        told++
        expect(mirror.get(change.id)).toBe(change.type === 'set' ? change.object : undefined)
        if (change.type === 'set') expect(change.before).toBe(model.get(change.id))
        else expect(change.object).toBe(model.get(change.id))
      })
      for (const step of list) {
        const before = told
        const news = 'remove' in step ? model.has(step.remove) : !isDeepStrictEqual(model.get(idOfObject(step.set)), step.set)
        if ('set' in step) {
          mirror.set(step.set)
          if (news) model.set(idOfObject(step.set), step.set)
          mirror.set(structuredClone(step.set))
        } else {
          mirror.remove(step.remove)
          model.delete(step.remove)
        }
        expect(told - before).toBe(news ? 1 : 0)
      }
    }))
  })

  test('a domain is found by a volume that it names by pool and name, and by each file of a backing chain', () => {
    const mirror = new HostMirror()
    mirror.set({ kind: 'volume', ref: { pool: 'images', name: 'v', key: '/p/v' }, poolUUID: 'p', path: '/p/v', key: '/p/v', type: 'file', format: 'raw', capacity: 0, allocation: 0, xml: '' })
    const disks: DiskFacts[] = [{ target: 'vda', device: 'disk', pool: 'images', volume: 'v', backing: [], readOnly: false }, { target: 'vdb', device: 'disk', source: '/p/x', backing: ['/p/y', '/p/z'], readOnly: false }]
    mirror.set({ kind: 'domain', ref: { name: 'd', uuid: 'd', id: -1 }, state: 5, reason: 0, persistent: true, autostart: false, inactive: '', disks, interfaces: [], bootFiles: [] })
    for (const at of ['/p/v', '/p/x', '/p/y', '/p/z']) expect(mirror.domainsUsingPath(at).map(user => user.ref.name)).toEqual(['d'])
  })

  test('volumes of one name in two pools are two', () => {
    expect(idOf.volume('p1', 'v')).not.toBe(idOf.volume('p2', 'v'))
  })
})
