// What the pool's and volume's tests share: objects in mirrors, a real host, and a loop that does by the kinds what the operator's does.

import { systemClock } from '../../../clock/clock.ts'
import { Mirror, type MirrorWriter } from '../../../controller/mirror.ts'
import type { KubeObject } from '../../../controller/resource.ts'
import type { Hypervisor } from '../../../crds/hypervisor.ts'
import { annotations, finalizer } from '../../../crds/names.ts'
import type { StoragePool, StoragePoolSpec } from '../../../crds/storagepool.ts'
import type { StorageVolume, StorageVolumeSpec } from '../../../crds/storagevolume.ts'
import { LibvirtError } from '../../../drivers/errors.ts'
import { createRegistry } from '../../../drivers/registry.ts'
import { Host } from '../../../observed/host.ts'
import { addIndexes } from '../../../operator/wake.ts'
import type { AnyKind, Inputs } from '../../../reconcilers/kind.ts'
import { commonStatus } from '../../../reconcilers/outcome.ts'
import { type Plan, Refusal, type Standing } from '../../../reconcilers/plan.ts'
import { poolKind } from '../../../reconcilers/pool/index.ts'
import { volumeKind } from '../../../reconcilers/volume/index.ts'
import { type HostObject, type Mirrors, type World, keyOf } from '../../../reconcilers/world.ts'
import type { PrivateLibvirtd } from '../../support/libvirtd.ts'
import { until } from '../../support/until.ts'

const INSTALLATION = '11111111-2222-5333-8444-555555555555'

export class Stage {
  readonly world: World
  readonly host: Host
  readonly actions: string[] = []
  kinds!: Record<'StoragePool' | 'StorageVolume', AnyKind>
  #close: () => Promise<void> = async () => undefined
  readonly #writers = new Map<string, MirrorWriter<KubeObject>>()
  readonly #woken = new Set<string>()
  #version = 1

  private constructor(host: Host) {
    this.host = host
    const mirror = <T extends KubeObject>(kind: string): Mirror<T> => {
      const made = new Mirror<T>()
      const writer = made.takeWriter()
      writer.replace([], '1')
      this.#writers.set(kind, writer)
      return made
    }
    const mirrors: Mirrors = { Hypervisor: mirror('Hypervisor'), StoragePool: mirror('StoragePool'), StorageVolume: mirror('StorageVolume'), VirtualNetwork: mirror('VirtualNetwork'), VirtualDomain: mirror('VirtualDomain') }
    this.world = {
      installation: INSTALLATION, cluster: 'cluster', clock: systemClock, mirrors, namespaces: mirror('Namespace'),
      data: { get: () => undefined },
      leases: () => [],
      guest: () => undefined,
      host: name => (name === 'local' ? host : undefined),
      hosts: () => new Map([['local', host]]),
    }
    addIndexes(this.world)
    this.restart()
  }

  static async open(libvirtd: PrivateLibvirtd, policy: Hypervisor['spec']['policy'] = {}): Promise<Stage> {
    const host = new Host({
      uri: libvirtd.uri(), open: (uri, options) => createRegistry({}, { allowLocal: true }).open(uri, options), clock: systemClock,
      maxConnections: 2, callTimeout: 30_000, keepAliveInterval: 5_000, keepAliveCount: 3, pollInterval: 30_000, relistInterval: 600_000,
    })
    const stage = new Stage(host)
    host.refreshesPool = () => true
    host.start()
    await until('the host is open', () => host.state === 'Open')
    stage.put({ apiVersion: 'vireo.dev/v1alpha1', kind: 'Hypervisor', metadata: { name: 'local', uid: 'hv', resourceVersion: '' }, spec: { uri: libvirtd.uri(), default: true, policy } })
    return stage
  }

  /** A new process: everything that was only in memory is gone, and nothing tidies up. */
  restart(): void {
    const volume = volumeKind({ clock: systemClock, sourceAddresses: ['127.0.0.0/8'], wake: key => { this.#woken.add(key) } })
    this.kinds = { StoragePool: poolKind(), StorageVolume: volume }
    this.#close = async () => { await volume.close() }
  }

  async close(): Promise<void> {
    await this.#close()
    await this.host.close()
  }

  put<T extends KubeObject>(object: T): T {
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } }
    this.#writers.get(object.kind)!.apply('MODIFIED', stored)
    return stored
  }

  #make<S>(kind: string, name: string, spec: S, metadata: Partial<KubeObject['metadata']>): KubeObject<S> {
    return this.put({ apiVersion: 'vireo.dev/v1alpha1', kind, metadata: { name, namespace: 'default', uid: `uid-${kind}-${name}-${this.#version}`, resourceVersion: '', generation: 1, ...metadata }, spec })
  }
  pool(name: string, spec: Partial<StoragePoolSpec>, metadata: Partial<KubeObject['metadata']> = {}): StoragePool {
    return this.#make('StoragePool', name, spec, metadata) as StoragePool
  }
  volume(name: string, spec: Partial<StorageVolumeSpec>, metadata: Partial<KubeObject['metadata']> = {}): StorageVolume {
    return this.#make('StorageVolume', name, { poolRef: { name: 'images' }, ...spec }, metadata) as StorageVolume
  }

  get<T extends HostObject>(object: T): T {
    return (this.world.mirrors[object.kind as 'StorageVolume'] as unknown as Mirror<KubeObject>).get(object.metadata.namespace, object.metadata.name) as T
  }
  change<T extends HostObject>(object: T, spec: Partial<T['spec']>): T {
    const now = this.get(object)
    return this.put({ ...now, spec: { ...now.spec, ...spec }, metadata: { ...now.metadata, generation: now.metadata.generation! + 1 } })
  }
  /** As kubectl delete: without our finalizer the object is gone at once. */
  delete(object: HostObject): void {
    const now = this.get(object)
    if (!now.metadata.finalizers?.includes(finalizer)) return this.#writers.get(object.kind)!.apply('DELETED', now)
    this.put({ ...now, metadata: { ...now.metadata, deletionTimestamp: new Date().toISOString() } })
  }

  reason(object: HostObject): string | undefined {
    return this.get(object)?.status?.conditions?.find(condition => condition.type === 'Ready')?.reason
  }
  message(object: HostObject): string | undefined {
    return this.get(object)?.status?.conditions?.find(condition => condition.type === 'Ready')?.message
  }

  /** One reconcile, as the operator's loop does it. `crashBefore` ends it, as a kill would, before an action or 'status'. */
  async reconcile(object: HostObject, crashBefore?: string): Promise<number | undefined> {
    const kind = this.kinds[object.kind as 'StoragePool' | 'StorageVolume']
    const current = this.get(object)
    if (current === undefined) return undefined
    const run: { object: HostObject; inputs?: Inputs; plan?: Plan } = { object: current }
    let standing: Standing
    let requeueAfter: number | undefined
    try {
      standing = await this.#drive(kind, run, crashBefore)
      requeueAfter = run.plan?.requeueAfter
    } catch (error) {
      if (error instanceof Refusal) ({ standing, requeueAfter } = error)
      else if (error instanceof LibvirtError) standing = { reason: 'HostError', message: error.message }
      else throw error
    }
    if (crashBefore === 'status') return undefined
    if (run.plan?.gone) {
      this.#writers.get(object.kind)!.apply('DELETED', run.object)
      kind.forget?.(keyOf(object))
      return undefined
    }
    const { status } = run.object
    const own = run.inputs === undefined ? {} : { binding: status?.binding, ...kind.describe(run.inputs) }
    const common = commonStatus(standing, run.plan, { generation: run.object.metadata.generation!, now: Date.now(), previous: status, paused: false })
    this.put({ ...run.object, status: JSON.parse(JSON.stringify({ ...own, ...common })) })
    return requeueAfter
  }

  async #drive(kind: AnyKind, run: { object: HostObject; inputs?: Inputs; plan?: Plan }, crashBefore: string | undefined): Promise<Standing> {
    let afresh = false
    for (let round = 0; round < 8; round++) {
      const inputs: Inputs = kind.gather(this.world, run.object)
      const plan: Plan = kind.plan(inputs)
      run.inputs = inputs
      run.plan = plan
      if (plan.gone || plan.actions.length === 0) return plan.standing
      if (!afresh) {
        const intent = kind.intent?.(inputs)
        if (!inputs.terminating) {
          run.object = this.put({ ...run.object, metadata: { ...run.object.metadata, finalizers: [finalizer], annotations: { ...run.object.metadata.annotations, ...(intent === undefined ? {} : { [annotations.intent]: intent }) } } })
        }
        await this.host.refresh(kind.observedId(inputs))
        afresh = true
        continue
      }
      for (const action of plan.actions) {
        if (action.type === crashBefore) throw new Refusal('Updating', 'crash')
        this.actions.push(`${run.object.metadata.name}: ${action.type}`)
        await kind.perform(action, inputs, this.world)
      }
      await this.host.refresh(kind.observedId(inputs))
    }
    throw new Error(`the plan of ${run.object.metadata.name} never became empty: ${run.plan?.actions.map(action => action.reason).join(' ')}`)
  }

  /** Reconciles until the object stands so, again at each wake-up and when asked to. */
  async settle(object: HostObject, reason: string): Promise<void> {
    const key = keyOf(object)
    let due = 0
    await until(`${key} is ${reason}`, async () => {
      if (due <= Date.now() || this.#woken.delete(key)) {
        const after = await this.reconcile(object)
        due = after === undefined ? Infinity : Date.now() + after
      }
      return this.reason(object) === reason
    }, { timeoutMs: 15_000, everyMs: 10 }).catch((error: unknown) => { throw new Error(`it is ${this.reason(object)}: ${this.message(object)}`, { cause: error }) })
  }
  async gone(object: HostObject): Promise<void> {
    await until(`${keyOf(object)} is gone`, async () => {
      await this.reconcile(object)
      return this.get(object) === undefined
    }, { timeoutMs: 15_000 }).catch((error: unknown) => { throw new Error(`it is ${this.reason(object)}: ${this.message(object)}`, { cause: error }) })
  }
}
