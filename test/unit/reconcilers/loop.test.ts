// The invariants of the shared loop, with a kind, a host and an API server made of a few lines, and everything they hear in one list.

import { beforeEach, describe, expect, test } from 'vitest'
import { findCondition } from '../../../controller/conditions.ts'
import type { Client } from '../../../controller/client.ts'
import { ApiError } from '../../../controller/errors.ts'
import type { KubeObject } from '../../../controller/resource.ts'
import { Mirror } from '../../../controller/mirror.ts'
import { silentLog } from '../../../controller/log.ts'
import { annotations, finalizer } from '../../../crds/names.ts'
import type { Hypervisor } from '../../../crds/hypervisor.ts'
import { type VirtualNetwork, virtualNetwork } from '../../../crds/virtualnetwork.ts'
import { CallTimeout, ConnectionLost, ErrorNumber, LibvirtError } from '../../../drivers/errors.ts'
import type { Inputs, Kind } from '../../../reconcilers/kind.ts'
import { Loop } from '../../../reconcilers/loop.ts'
import { type Action, type Plan, Refusal, planOf } from '../../../reconcilers/plan.ts'
import type { World } from '../../../reconcilers/world.ts'
import { FakeClock } from '../../support/fakeclock.ts'

const KEY = 'VirtualNetwork/shop/lab'
const available = { reason: 'Available', message: 'It is there.' } as const
const create: Action = { type: 'Defined', reason: 'Defined it.', guarded: true }
const begin: Action = { type: 'Created', reason: 'Made it.', guarded: true, intended: true }
const change: Action = { type: 'Updated', reason: 'Changed it.' }
const remove: Action = { type: 'Undefined', reason: 'Removed it.', guarded: true }
const refused = (code: number, message: string): LibvirtError => new LibvirtError({ code, domain: 19, level: 2, message, procedure: 'networkCreate' })
type Status = NonNullable<VirtualNetwork['status']>

const kvm7: Hypervisor = { apiVersion: 'vireo.dev/v1alpha1', kind: 'Hypervisor', metadata: { name: 'kvm7', uid: 'kvm7', resourceVersion: '1' }, spec: { uri: 'qemu:///system', default: true } }

class Bed {
  readonly clock = new FakeClock()
  readonly mirror = new Mirror<VirtualNetwork>()
  readonly writer = this.mirror.takeWriter()
  readonly hypervisors = new Mirror<Hypervisor>()
  /** Everything that leaves the loop, in order. */
  log: string[] = []
  /** The object as the API server has it. */
  live: VirtualNetwork | undefined
  state: 'Open' | 'Broken' = 'Open'
  /** What the plan is; asked each time. */
  plan: (inputs: Inputs) => Plan = () => planOf(available)
  gather: (() => void) | undefined
  perform: ((action: Action) => void) | undefined
  intent: string | undefined
  readonly loop: Loop
  #version = 10
  readonly #hypervisorWriter = this.hypervisors.takeWriter()

  constructor() {
    const world = { installation: '11111111-1111-4111-8111-111111111111', host: () => undefined, clock: this.clock, mirrors: { VirtualNetwork: this.mirror, Hypervisor: this.hypervisors }, hosts: () => [] } as unknown as World
    const host = {
      readSince: () => false,
      unread: () => undefined,
      hold: () => () => undefined,
      refresh: () => { this.log.push('host: read'); return Promise.resolve(undefined) },
    }
    Object.defineProperty(host, 'state', { get: () => this.state })
    const kind: Kind<VirtualNetwork, Inputs<VirtualNetwork>, Action> = {
      resource: virtualNetwork.resource,
      mirror: () => this.mirror,
      gather: (_world, object) => {
        this.gather?.()
        return { object, bound: { name: 'kvm7', host } as never, binding: { hypervisor: 'kvm7', name: 'shop.lab', uuid: 'u', origin: 'Created' }, terminating: object.metadata.deletionTimestamp !== undefined }
      },
      plan: inputs => this.plan(inputs),
      observedId: () => 'network/u',
      intent: () => this.intent,
      perform: action => { this.log.push(`host: ${action.type}`); this.perform?.(action); return Promise.resolve() },
      describe: () => ({ binding: { hypervisor: 'kvm7', name: 'shop.lab', uuid: 'u', origin: 'Created' } }),
    }
    const client = {
      find: () => { this.log.push('api: get'); return Promise.resolve(this.live) },
      mergePatch: (_resource: unknown, _namespace: unknown, _name: unknown, body: { metadata: VirtualNetwork['metadata'] }) => {
        this.log.push(`api: ${Object.keys(body.metadata).filter(field => field !== 'resourceVersion').join('+')} ${JSON.stringify(body.metadata.finalizers ?? [])}`)
        if (this.live === undefined) return Promise.reject(new ApiError({ status: 404, message: 'gone' }))
        if (body.metadata.resourceVersion !== this.live.metadata.resourceVersion) return Promise.reject(new ApiError({ status: 409, reason: 'Conflict', message: 'changed' }))
        this.#serve({ ...this.live, metadata: { ...this.live.metadata, ...body.metadata } })
        return Promise.resolve(this.live)
      },
    } as unknown as Client
    const write = (object: VirtualNetwork, status: Status): Promise<KubeObject | undefined> => {
      const ready = status.conditions?.find(condition => condition.type === 'Ready')
      this.log.push(`api: status ${ready?.reason}${status.conditions?.some(condition => condition.type === 'Stalled') ? ' stalled' : ''}`)
      if (this.live?.metadata.uid !== object.metadata.uid) return Promise.resolve(undefined)
      this.#serve({ ...this.live, status })
      this.mirror.observeWrite(this.live)
      return Promise.resolve(this.live)
    }
    this.loop = new Loop({
      world, client, log: silentLog,
      kinds: { VirtualNetwork: kind } as never,
      status: { VirtualNetwork: { write } } as never,
      recorder: { event: (_object, type, reason) => { this.log.push(`event: ${type} ${reason}`) } },
      confirmDefinition: () => { this.log.push('api: definition'); return Promise.resolve() },
    })
    this.writer.replace([], '1')
    this.#hypervisorWriter.replace([kvm7], '1')
  }

  /** The whole host is only observed from now on. */
  observeOnly(): void {
    this.#hypervisorWriter.apply('MODIFIED', { ...kvm7, metadata: { ...kvm7.metadata, resourceVersion: '2' }, spec: { ...kvm7.spec, managementPolicy: 'ObserveOnly' } })
  }

  #serve(object: VirtualNetwork): void {
    this.live = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } }
  }

  /** The object is in the API and in the mirror alike. */
  put(metadata: Partial<VirtualNetwork['metadata']> = {}, status?: Status): void {
    this.#serve({ apiVersion: 'vireo.dev/v1alpha1', kind: 'VirtualNetwork', spec: {}, status, metadata: { name: 'lab', namespace: 'shop', uid: 'one', resourceVersion: '', generation: 1, ...metadata } })
    this.writer.apply('MODIFIED', this.live!)
  }

  /** Performs its actions until the last of them had its effect. */
  plansOnce(...actions: Action[]): void {
    let done = false
    this.plan = () => planOf(available, done ? {} : { actions })
    this.perform = action => { if (action === actions.at(-1)) done = true }
  }

  async reconcile(): Promise<{ log: string[]; result: Awaited<ReturnType<Loop['reconcile']>> }> {
    this.log = []
    const result = await this.loop.reconcile(KEY)
    return { log: this.log, result }
  }
}

const bound: Status = { observedGeneration: 1, binding: { hypervisor: 'kvm7', name: 'shop.lab', uuid: 'u', origin: 'Created' } }

const messageOf = (object: VirtualNetwork | undefined): string | undefined => findCondition(object?.status?.conditions, 'Ready')?.message

let bed: Bed
beforeEach(() => { bed = new Bed() })

describe('creating', () => {
  test('the finalizer is written before the first create, and its answer is the live object', async () => {
    bed.put()
    bed.plansOnce(create)
    const { log, result } = await bed.reconcile()
    expect(log.filter(line => !line.startsWith('event'))).toEqual(['api: finalizers ["vireo.dev/finalizer"]', 'host: read', 'host: Defined', 'host: read', 'api: status Available'])
    expect(result).toEqual({ type: 'done' })
  })

  test('the intent is in the same write as the finalizer', async () => {
    bed.put()
    bed.intent = 'images/web-root'
    bed.plansOnce(create)
    const { log } = await bed.reconcile()
    expect(log).toContain('api: finalizers+annotations ["vireo.dev/finalizer"]')
    expect(bed.live?.metadata.annotations).toEqual({ [annotations.intent]: 'images/web-root' })
  })

  test('what a look at the host finds, or what comes up since, is not recorded as begun', async () => {
    bed.put()
    bed.intent = 'images/web-root'
    bed.plan = () => planOf(available, bed.log.includes('host: read') ? {} : { actions: [begin] })
    expect((await bed.reconcile()).log).toEqual(['host: read', 'api: status Available'])
    expect(bed.live?.metadata.annotations).toBeUndefined()
    // It comes up between the record and the create: no plan is made anew, which would take it for what we began.
    bed.plan = ({ object }) => planOf(available, object.metadata.annotations === undefined ? { actions: [begin] } : {})
    bed.perform = () => { throw new Refusal('Conflict', 'It is there already.') }
    const { log } = await bed.reconcile()
    expect(log.filter(line => !line.startsWith('event'))).toEqual(['host: read', 'api: finalizers+annotations ["vireo.dev/finalizer"]', 'host: Created', 'api: annotations []', 'host: read', 'api: status Conflict stalled'])
  })

  test.each<[string, Error, string | null]>([
    ['the host refused', refused(ErrorNumber.INTERNAL_ERROR, 'no space'), null],
    ['something is there already', new Refusal('Conflict', 'It is there already.'), null],
    ['nobody knows the outcome of', new CallTimeout('storageVolCreateXML', 30_000), 'images/web-root'],
  ])('where %s the create, the record of the intention says so', async (_what, error, intent) => {
    bed.put()
    bed.intent = 'images/web-root'
    bed.plan = () => planOf(available, { actions: [begin] })
    bed.perform = () => { throw error }
    await bed.reconcile()
    expect(bed.live?.metadata.annotations).toEqual({ [annotations.intent]: intent })
    expect(bed.live?.metadata.finalizers).toEqual([finalizer])
  })

  test('an object deleted meanwhile is not created on the host', async () => {
    bed.put()
    bed.live = undefined
    bed.plansOnce(create)
    const { log, result } = await bed.reconcile()
    expect(log.filter(line => line.startsWith('host: D') || line.includes('status'))).toEqual([])
    expect(result).toEqual({ type: 'done' })
  })

  test.each<[string, Partial<VirtualNetwork['metadata']>]>([
    ['made again under its name', { uid: 'two' }],
    ['being deleted', { deletionTimestamp: 'now' }],
  ])('an object that is %s, as only the API server knows, is not created on the host', async (_what, metadata) => {
    bed.put({ finalizers: [finalizer] })
    bed.live = { ...bed.live!, metadata: { ...bed.live!.metadata, ...metadata } }
    bed.plansOnce(create)
    const { log } = await bed.reconcile()
    expect(log).toContain('api: get')
    expect(log).not.toContain('host: Defined')
  })

  test('what creates and destroys nothing needs no look at the API server', async () => {
    bed.put({ finalizers: [finalizer] }, bound)
    bed.plansOnce(change)
    const { log } = await bed.reconcile()
    expect(log.filter(line => line.startsWith('api'))).toEqual(['api: status Available'])
  })

  test('the host is read before the first action, and what is found then decides', async () => {
    bed.put({ finalizers: [finalizer] }, bound)
    bed.plan = () => planOf(available, bed.log.includes('host: read') ? {} : { actions: [change] })
    const { log } = await bed.reconcile()
    expect(log).not.toContain('host: Updated')
  })
})

describe('a Hypervisor that is only observed', () => {
  test('has its objects only observed, whatever they say', async () => {
    bed.put({ finalizers: [finalizer] }, bound)
    bed.plan = ({ object, bound: { name } }) => planOf({ reason: 'Available', message: `${object.spec.managementPolicy ?? 'Full'} on ${name}` })
    await bed.reconcile()
    expect(messageOf(bed.live)).toBe('Full on kvm7')
    bed.observeOnly()
    await bed.reconcile()
    expect(messageOf(bed.live)).toBe('ObserveOnly on kvm7')
    expect(bed.live?.spec).toEqual({})
  })
})

describe('an object in sync', () => {
  test('costs no call to the host', async () => {
    bed.put({ finalizers: [finalizer] }, bound)
    expect((await bed.reconcile()).log).toEqual(['api: status Available'])
  })

  test('that is gone from the API costs nothing at all', async () => {
    expect(await bed.reconcile()).toEqual({ log: [], result: { type: 'done' } })
  })

  test('is looked at on the host once for each token; one that stood there at the first look was answered by the first list', async () => {
    bed.put({ finalizers: [finalizer], annotations: { [annotations.reconcile]: '0' } }, bound)
    expect((await bed.reconcile()).log).not.toContain('host: read')
    bed.put({ finalizers: [finalizer], annotations: { [annotations.reconcile]: '1' } }, bound)
    expect((await bed.reconcile()).log).toContain('host: read')
    expect((await bed.reconcile()).log).not.toContain('host: read')
    bed.put({ finalizers: [finalizer], annotations: { [annotations.reconcile]: '2' } }, bound)
    expect((await bed.reconcile()).log).toContain('host: read')
  })
})

describe('a paused object', () => {
  test.each<[string, Action]>([['created', create], ['changed', change], ['removed', remove]])('is not %s, and says what is left undone', async (_what, action) => {
    bed.put({ annotations: { [annotations.paused]: 'true' } })
    bed.plan = () => planOf(available, { actions: [action] })
    const { log } = await bed.reconcile()
    expect(log).toEqual(['event: Normal Updating', 'api: status Updating'])
    expect(bed.live?.status?.conditions?.find(condition => condition.type === 'Ready')?.message).toContain(action.reason)
  })
})

describe('refusals', () => {
  test('the same plan twice without effect is an error, not a loop', async () => {
    bed.put({ finalizers: [finalizer] }, bound)
    bed.plan = () => planOf(available, { actions: [change] })
    const { log, result } = await bed.reconcile()
    expect(log.filter(line => line === 'host: Updated')).toHaveLength(1)
    expect(log.at(-1)).toBe('api: status Updating')
    expect(result.type).toBe('retry')
  })

  test('a plan that goes on and on leaves its turn to others, and comes back', async () => {
    bed.put({ finalizers: [finalizer] }, bound)
    let step = 0
    bed.plan = () => planOf(available, { actions: [{ type: 'Updated', reason: `Step ${step++}.` }] })
    const { log, result } = await bed.reconcile()
    expect(log.at(-1)).toBe('api: status Updating')
    expect(result).toEqual({ type: 'requeueAfter', ms: 1000 })
  })

  test('a plan that the host refuses for the third time is Stalled, each time is told as a warning, and another plan begins anew', async () => {
    bed.put({ finalizers: [finalizer] }, bound)
    let action = change
    bed.plan = () => planOf(available, { actions: [action] })
    bed.perform = () => { throw refused(ErrorNumber.INTERNAL_ERROR, 'no memory') }
    const outcomes: string[] = []
    for (let i = 0; i < 4; i++) {
      if (i === 3) action = { type: 'Updated', reason: 'Changed it otherwise.' }
      const { log, result } = await bed.reconcile()
      await bed.clock.advance(60_000)
      expect(log.filter(line => line.startsWith('event'))).toEqual(['event: Warning HostError'])
      expect(result.type).toBe('retry')
      outcomes.push(log.at(-1)!)
    }
    expect(outcomes).toEqual(['api: status Updating', 'api: status Updating', 'api: status HostError stalled', 'api: status Updating'])
  })

  test('a refused plan is not tried again before its time, whatever wakes the object; after it, it is', async () => {
    bed.put({ finalizers: [finalizer] }, bound)
    bed.plan = () => planOf(available, { actions: [change] })
    bed.perform = () => { throw refused(ErrorNumber.INTERNAL_ERROR, 'no memory') }
    await bed.reconcile()
    await bed.clock.advance(400)
    expect(await bed.reconcile()).toEqual({ log: [], result: { type: 'requeueAfter', ms: 600 } })
    await bed.clock.advance(600)
    expect((await bed.reconcile()).log).toContain('host: Updated')
  })

  test('a change of the spec forgets how often the host refused the last one', async () => {
    bed.put({ finalizers: [finalizer] }, bound)
    bed.plan = () => planOf(available, { actions: [change] })
    bed.perform = () => { throw refused(ErrorNumber.INTERNAL_ERROR, 'no memory') }
    for (let i = 0; i < 3; i++) await bed.reconcile()
    bed.put({ finalizers: [finalizer], generation: 2 }, bound)
    expect((await bed.reconcile()).log.at(-1)).toBe('api: status Updating')
  })

  test('what the driver lacks is final at once: no retry', async () => {
    bed.put({ finalizers: [finalizer] }, bound)
    bed.plan = () => planOf(available, { actions: [change] })
    bed.perform = () => { throw refused(ErrorNumber.NO_SUPPORT, 'not supported') }
    const { log, result } = await bed.reconcile()
    expect(log.at(-1)).toBe('api: status Unsupported stalled')
    expect(result).toEqual({ type: 'done' })
    await bed.clock.advance(3_600_000)
    expect((await bed.reconcile()).log).toEqual([])
  })

  test('while an object waits, the first sentence is an Event and the next ones are not', async () => {
    bed.put()
    let what = 'pool'
    bed.gather = () => { throw new Refusal('WaitingForReference', `waiting for the ${what}`) }
    expect((await bed.reconcile()).log).toEqual(['event: Normal WaitingForReference', 'api: status WaitingForReference'])
    what = 'volume'
    expect((await bed.reconcile()).log).toEqual(['api: status WaitingForReference'])
    expect(bed.live?.status?.conditions?.[0]?.message).toBe('waiting for the volume')
  })
})

describe('what nobody knows', () => {
  test.each<[string, 'Open' | 'Broken', string]>([
    ['whose end the host has seen waits for the next one', 'Broken', 'done'],
    ['whose end it has not seen yet is tried again', 'Open', 'retry'],
  ])('an unknown outcome changes nothing: a lost connection %s', async (_what, state, type) => {
    bed.put({ finalizers: [finalizer] }, bound)
    bed.plan = () => planOf(available, { actions: [change] })
    bed.perform = () => { bed.state = state; throw new ConnectionLost('gone') }
    const { log, result } = await bed.reconcile()
    expect(log.filter(line => line.includes('status') || line.startsWith('event'))).toEqual([])
    expect(result.type).toBe(type)
  })

  test('a call without an answer is not made again while it may still take effect', async () => {
    bed.put({ finalizers: [finalizer] }, bound)
    bed.plan = () => planOf(available, { actions: [change] })
    bed.perform = () => { throw new CallTimeout('networkCreate', 30_000) }
    await bed.reconcile()
    await bed.clock.advance(29_000)
    expect((await bed.reconcile()).log).not.toContain('host: Updated')
  })

  test('WaitingForHypervisor writes no status on bound objects', async () => {
    bed.put({ finalizers: [finalizer] }, bound)
    bed.gather = () => { throw new Refusal('WaitingForHypervisor', 'waiting') }
    expect((await bed.reconcile()).log).toEqual([])
  })

  test('WaitingForHypervisor is told by objects that are not bound yet', async () => {
    bed.put()
    bed.gather = () => { throw new Refusal('WaitingForHypervisor', 'waiting') }
    expect((await bed.reconcile()).log).toContain('api: status WaitingForHypervisor')
  })

  test('an unreachable host keeps the object Terminating, and says how to let it go', async () => {
    bed.put({ finalizers: [finalizer], deletionTimestamp: 'now' }, bound)
    bed.gather = () => { throw new Refusal('HypervisorUnreachable', 'away.') }
    await bed.reconcile()
    expect(bed.live?.metadata.finalizers).toEqual([finalizer])
    const blocked = bed.live?.status?.conditions?.find(condition => condition.type === 'DeletionBlocked')
    expect(blocked).toMatchObject({ status: 'True', reason: 'HypervisorUnreachable' })
    expect(blocked?.message).toContain('vireo.dev/release=true')
  })
})

describe('deleting', () => {
  const terminating = { finalizers: [finalizer], deletionTimestamp: 'now' }
  const planEnd = (...actions: Action[]): void => {
    let left = actions.length
    bed.plan = () => (left === 0 ? planOf({ reason: 'Deleting', message: 'It is gone.' }, { gone: true }) : planOf({ reason: 'Deleting', message: 'Removing it.' }, { actions }))
    bed.perform = () => { left-- }
  }

  test.each<[string, Action]>([['a removal', remove], ['the shutdown of a guest', { type: 'ShutdownRequested', reason: 'Asked the guest to shut down.' }]])('looks at the object and at its definition live before anything goes: %s', async (_what, action) => {
    bed.put(terminating, bound)
    planEnd(action)
    const { log } = await bed.reconcile()
    expect(log.indexOf('api: get')).toBeGreaterThanOrEqual(0)
    expect(log.indexOf('api: definition')).toBeGreaterThanOrEqual(0)
    expect(log.indexOf(`host: ${action.type}`)).toBeGreaterThan(Math.max(log.indexOf('api: get'), log.indexOf('api: definition')))
  })

  test('takes the finalizer away only after the plan found that it is gone', async () => {
    bed.put(terminating, bound)
    planEnd(remove)
    const { log } = await bed.reconcile()
    expect(log.indexOf('api: finalizers []')).toBeGreaterThan(log.lastIndexOf('host: read'))
    expect(log.lastIndexOf('host: read')).toBeGreaterThan(log.indexOf('host: Undefined'))
  })

  test('takes it away once, whatever wakes the object before the mirror hears of that', async () => {
    bed.put(terminating, bound)
    planEnd(remove)
    await bed.reconcile()
    expect((await bed.reconcile()).log).toEqual([])
  })

  test('what the API server does not show as being deleted is not removed', async () => {
    bed.put(terminating, bound)
    bed.live = { ...bed.live!, metadata: { ...bed.live!.metadata, deletionTimestamp: undefined } }
    planEnd(remove)
    expect((await bed.reconcile()).log).not.toContain('host: Undefined')
  })

  test('a released object is let go without a look at the host', async () => {
    bed.put({ ...terminating, annotations: { [annotations.release]: 'true' } }, bound)
    bed.gather = () => { throw new Error('nothing is gathered') }
    expect((await bed.reconcile()).log).toEqual(['api: get', 'event: Warning Released', 'api: finalizers []'])
  })

  test('an object without our finalizer is none of our business', async () => {
    bed.put({ deletionTimestamp: 'now', finalizers: ['others/finalizer'] })
    expect((await bed.reconcile()).log).toEqual([])
  })
})
