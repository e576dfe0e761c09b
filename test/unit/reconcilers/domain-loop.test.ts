// The shared loop with the domain kind between an API server and a host in memory that keep one log: what happens in which order.

import { describe, expect, test } from 'vitest'
import type { Result } from '../../../controller/controller.ts'
import { ApiError } from '../../../controller/errors.ts'
import type { KubeObject } from '../../../controller/resource.ts'
import type { VirtualDomain } from '../../../crds/virtualdomain.ts'
import { type Connection, DomainState } from '../../../drivers/driver.ts'
import { ConnectionLost, ErrorNumber, LibvirtError } from '../../../drivers/errors.ts'
import type { Host } from '../../../observed/host.ts'
import { Loop, type LoopOptions } from '../../../reconcilers/loop.ts'
import { cloneXml } from '../../../xml/tree.ts'
import { settle } from '../../support/fakeclock.ts'
import { Bed, FULL, PASSWORD, SHORTEST, type Spec, UUID } from './domain-bed.ts'

const KEY = 'VirtualDomain/shop/web'
const refuses = (message: string, code: number = ErrorNumber.INTERNAL_ERROR): LibvirtError => new LibvirtError({ code, domain: 10, level: 2, message, procedure: 'DOMAIN_CREATE_WITH_FLAGS' })

class Stage {
  readonly bed: Bed
  /** Calls to the host and writes to the API, in order. */
  readonly log: string[] = []
  readonly events: { type: string; reason: string; message: string }[] = []
  readonly lines: unknown[] = []
  /** What the host does instead of a call. */
  instead: Partial<Record<keyof Connection, () => Promise<unknown>>> = {}
  /** What the API server answers to a change of metadata instead. */
  refused: Error | undefined
  readonly #loop: Loop

  constructor(spec: Spec = SHORTEST) {
    const bed = new Bed({ spec })
    this.bed = bed
    bed.object = { ...bed.object, metadata: { ...bed.object.metadata, finalizers: [] } }
    const host = bed.world.host('kvm7')! as unknown as Record<string, unknown>
    let readAt = -Infinity
    const refresh = async (): Promise<undefined> => { this.log.push('refresh'); readAt = bed.clock.now(); await settle(); return undefined }
    Object.assign(host, { use: () => this.#connection(), refresh, readSince: (_id, time) => readAt >= time, unread: () => undefined, hold: () => () => undefined } satisfies Partial<Host> & { refresh: unknown })
    const log = (...line: unknown[]): void => { this.lines.push(line) }
    const client = {
      find: async (): Promise<KubeObject | undefined> => { this.log.push('get'); return await Promise.resolve(bed.object) },
      mergePatch: async (_resource: unknown, _namespace: string, _name: string, body: { metadata: Partial<KubeObject['metadata']> }): Promise<KubeObject> => {
        this.log.push(`patch ${JSON.stringify(body.metadata.finalizers)}`)
        if (this.refused !== undefined) throw this.refused
        bed.object = { ...bed.object, metadata: { ...bed.object.metadata, ...body.metadata } }
        return await Promise.resolve(bed.object)
      },
    }
    const status = { write: async (object: VirtualDomain, written: VirtualDomain['status']): Promise<VirtualDomain> => { this.log.push('status'); bed.object = { ...object, status: written }; return await Promise.resolve(bed.object) } }
    this.#loop = new Loop({
      world: bed.world,
      kinds: { VirtualDomain: { ...bed.kind, mirror: () => ({ get: () => bed.object, observeWrite: () => undefined }) } },
      client, status: { VirtualDomain: status },
      recorder: { event: (_object: KubeObject, type: string, reason: string, message: string) => { this.events.push({ type, reason, message }) } },
      log: { info: log, warn: log, debug: log, error: log },
      confirmDefinition: async () => { await Promise.resolve() },
    } as unknown as LoopOptions)
  }

  reconcile(): Promise<Result> { return this.#loop.reconcile(KEY) }

  get conditions(): Record<string, { status: string; reason: string; message: string }> {
    return Object.fromEntries((this.bed.object.status?.conditions ?? []).map(condition => [condition.type, condition]))
  }

  /** A connection that does to the bed what libvirt would do to a host. */
  #connection(): Connection {
    const { bed } = this
    const does: Partial<Record<keyof Connection, (...args: never[]) => unknown>> = {
      domainDefineXMLFlags: (xml: string) => { bed.define(xml); return { name: 'shop.web', uuid: UUID, id: -1 } },
      domainCreateWithFlags: () => { const live = cloneXml(bed.inactive); live.attributes['id'] = '1'; bed.host(bed.inactive, { ref: { name: 'shop.web', uuid: UUID, id: 1 } }, live) },
      domainShutdownFlags: () => undefined,
      domainDestroyFlags: () => { bed.power(DomainState.Shutoff, 2) },
      domainUndefineFlags: () => { bed.mirror.remove(`domain/${UUID}`) },
    }
    return new Proxy({} as Connection, {
      get: (_target, name: keyof Connection) => async (...args: never[]): Promise<unknown> => {
        this.log.push(name)
        await settle()
        const instead = this.instead[name]
        if (instead !== undefined) return await instead()
        if (does[name] === undefined) throw new Error(`${name} was not expected`)
        return does[name](...args)
      },
    })
  }

  /** A running, settled domain; the log begins anew. */
  static async running(spec: Spec = SHORTEST): Promise<Stage> {
    const stage = new Stage(spec)
    await stage.reconcile()
    stage.log.length = 0
    stage.events.length = 0
    return stage
  }
}

describe('creating', () => {
  test('writes the finalizer before the first call that creates something', async () => {
    const stage = new Stage()
    expect(await stage.reconcile()).toEqual({ type: 'done' })
    const made = stage.log.filter(entry => entry !== 'refresh')
    expect(made).toEqual(['patch ["vireo.dev/finalizer"]', 'domainDefineXMLFlags', 'domainCreateWithFlags', 'status'])
    expect(stage.conditions['Ready']).toMatchObject({ status: 'True', reason: 'Available' })
  })

  test('looks at the host before the first action and after the last', async () => {
    const stage = new Stage()
    await stage.reconcile()
    expect(stage.log.indexOf('refresh')).toBeLessThan(stage.log.indexOf('domainDefineXMLFlags'))
    expect(stage.log.lastIndexOf('refresh')).toBeGreaterThan(stage.log.indexOf('domainCreateWithFlags'))
  })

  test('creates nothing where the finalizer is refused', async () => {
    const stage = new Stage()
    stage.refused = new ApiError({ status: 404, message: 'not found' })
    await stage.reconcile()
    expect(stage.log.filter(entry => entry.startsWith('domain'))).toEqual([])
  })

  test('is over: one more reconcile makes no call to the host', async () => {
    const stage = await Stage.running()
    expect(await stage.reconcile()).toEqual({ type: 'done' })
    expect(stage.log).toEqual(['status'])
  })
})

describe('changing', () => {
  test('defines over the same UUID: nothing is undefined, stopped or started for it', async () => {
    const stage = await Stage.running()
    stage.bed.edit(spec => { spec.cpu = { mode: 'maximum' }; spec.tpm = {} })
    await stage.reconcile()
    expect(stage.log.filter(entry => entry.startsWith('domain'))).toEqual(['domainDefineXMLFlags'])
    expect(stage.conditions['Ready']).toMatchObject({ status: 'True' })
    expect(stage.conditions['RestartRequired']!.message).toMatch(/cpu\.mode.*tpm/)
  })
})

describe('a long shutdown', () => {
  test('holds no worker: the guest is asked, the reconcile ends, and the deadline is a date', async () => {
    const stage = await Stage.running()
    stage.bed.delete()
    const result = await Promise.race([stage.reconcile(), (async (): Promise<string> => { for (let i = 0; i < 50; i++) await settle(); return 'still waiting' })()])
    expect(result).toEqual({ type: 'requeueAfter', ms: 90_000 })
    expect(stage.log).toContain('domainShutdownFlags')
    expect(stage.conditions['Ready']).toMatchObject({ reason: 'Deleting' })
    await stage.bed.clock.advance(90_000)
    await stage.reconcile()
    expect(stage.log).toContain('domainDestroyFlags')
  })
})

describe('deleting', () => {
  test('drops the finalizer only after the host was seen without the domain', async () => {
    const stage = await Stage.running({ ...SHORTEST, powerState: 'Stopped' })
    stage.bed.delete()
    stage.log.length = 0
    await stage.reconcile()
    const undefined_ = stage.log.indexOf('domainUndefineFlags')
    expect(undefined_).toBeGreaterThan(stage.log.indexOf('get'))
    expect(stage.log.indexOf('refresh', undefined_)).toBeGreaterThan(undefined_)
    expect(stage.log.at(-1)).toBe('patch []')
    expect(stage.events.map(event => event.reason)).toEqual(['Undefined', 'Deleted'])
  })

  test('keeps the finalizer while the host refuses', async () => {
    const stage = await Stage.running({ ...SHORTEST, powerState: 'Stopped' })
    stage.bed.delete()
    stage.instead = { domainUndefineFlags: () => Promise.reject(refuses('cannot undefine: storage is busy')) }
    expect(await stage.reconcile()).toMatchObject({ type: 'retry' })
    expect(stage.bed.object.metadata.finalizers).toEqual(['vireo.dev/finalizer'])
  })
})

describe('an error of the host', () => {
  test('is the daemon\'s own sentence in the condition and in an Event, and is tried again', async () => {
    const stage = new Stage()
    const words = "Cannot access storage file '/var/lib/vireo/images/web-root': No such file or directory"
    stage.instead = { domainCreateWithFlags: () => Promise.reject(refuses(words)) }
    expect(await stage.reconcile()).toMatchObject({ type: 'retry', error: expect.objectContaining({ message: expect.stringContaining(words) as string }) as Error })
    expect(stage.conditions['Ready']).toMatchObject({ status: 'False', message: expect.stringContaining(words) as string })
    expect(stage.events).toContainEqual(expect.objectContaining({ type: 'Warning', message: expect.stringContaining(words) as string }))
  })

  test('is final after the third same answer, and a new spec begins anew', async () => {
    const stage = new Stage()
    stage.instead = { domainDefineXMLFlags: () => Promise.reject(refuses('no memory')) }
    const reasons: string[] = []
    for (let i = 0; i < 3; i++) {
      await stage.reconcile()
      reasons.push(stage.conditions['Ready']!.reason)
      await stage.bed.clock.advance(60_000)
    }
    expect(reasons).toEqual(['Updating', 'Updating', 'HostError'])
    stage.bed.edit(spec => { spec.title = 'other' })
    await stage.reconcile()
    expect(stage.conditions['Ready']!.reason).toBe('Updating')
  })

  test('is tried again ever more rarely, and never more rarely than once a minute', async () => {
    const stage = new Stage()
    stage.instead = { domainDefineXMLFlags: () => Promise.reject(refuses('no memory')) }
    const waits: number[] = []
    for (let i = 0; i < 12; i++) {
      await stage.reconcile()
      const tried = stage.log.length
      const held = await stage.reconcile()
      expect(stage.log.slice(tried)).not.toContain('domainDefineXMLFlags')
      const wait = held.type === 'requeueAfter' ? held.ms : 0
      waits.push(wait)
      await stage.bed.clock.advance(wait)
    }
    expect(waits.slice(0, 4)).toEqual([1_000, 2_000, 4_000, 8_000])
    expect(Math.max(...waits)).toBe(60_000)
    expect(stage.log.filter(entry => entry === 'domainDefineXMLFlags')).toHaveLength(12)
  })

  test('that says Unsupported is shown at once, with the driver\'s name, and not tried again', async () => {
    const stage = new Stage()
    stage.instead = { domainCreateWithFlags: () => Promise.reject(refuses('this function is not supported', ErrorNumber.NO_SUPPORT)) }
    expect(await stage.reconcile()).toEqual({ type: 'done' })
    expect(stage.conditions['Ready']).toMatchObject({ reason: 'Unsupported', message: expect.stringMatching(/kvm7.*QEMU.*not supported/) as string })
    expect(stage.conditions['Stalled']).toBeDefined()
    // What is left to do after the definition is another plan, and has its own try.
    await stage.reconcile()
    stage.log.length = 0
    await stage.bed.clock.advance(3_600_000)
    await stage.reconcile()
    expect(stage.log).not.toContain('domainCreateWithFlags')
  })

  test('that says Unsupported is tried again over another connection: its daemon may have learnt it', async () => {
    const stage = new Stage()
    stage.instead = { domainCreateWithFlags: () => Promise.reject(refuses('this function is not supported', ErrorNumber.NO_SUPPORT)) }
    await stage.reconcile()
    await stage.reconcile()
    stage.log.length = 0
    Object.assign(stage.bed.world.host('kvm7')!, { session: 2 })
    stage.instead = {}
    await stage.reconcile()
    expect(stage.log).toContain('domainCreateWithFlags')
    expect(stage.conditions['Ready']).toMatchObject({ status: 'True' })
  })

  test('that is no answer, for the connection ended, is no error of the object: nothing is written, it is tried again', async () => {
    const stage = await Stage.running()
    stage.bed.edit(spec => { spec.title = 'other' })
    stage.instead = { domainDefineXMLFlags: () => Promise.reject(new ConnectionLost('the daemon closed the connection')) }
    expect(await stage.reconcile()).toMatchObject({ type: 'retry' })
    expect(stage.log).not.toContain('status')
  })
})

describe('secrets', () => {
  test('are in no status, Event or log of a whole life', async () => {
    const stage = new Stage(FULL)
    await stage.reconcile()
    stage.bed.secrets['web-vnc'] = { password: 'next-secret' }
    stage.instead = { domainDefineXMLFlags: () => Promise.reject(refuses('unsupported configuration')) }
    await stage.reconcile()
    expect(JSON.stringify([stage.bed.object, stage.events, stage.lines])).not.toMatch(new RegExp(`${PASSWORD}|next-secret`))
  })
})

test('memory that the balloon does not reach is told by one Event, when it is due', async () => {
  const stage = await Stage.running({ ...SHORTEST, maxMemory: '2Gi' })
  stage.instead.domainSetMemoryFlags = async () => undefined
  stage.bed.edit(spec => { spec.memory = '512Mi' })
  expect(await stage.reconcile()).toEqual({ type: 'requeueAfter', ms: 60_000 })
  expect(stage.conditions['Synced']).toMatchObject({ status: 'True' })
  await stage.bed.clock.advance(60_000)
  stage.events.length = 0
  for (let again = 0; again < 3; again++) expect(await stage.reconcile()).toEqual({ type: 'done' })
  expect(stage.events).toEqual([{ type: 'Warning', reason: 'Unsynced', message: stage.conditions['Synced']!.message }])
  expect(stage.conditions).toMatchObject({ Ready: { status: 'True' }, Synced: { status: 'False', message: expect.stringMatching(/balloon did not move/) as string } })
})
