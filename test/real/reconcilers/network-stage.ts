// What the network tests share: one object, a real host, and a loop that does with the kind what the operator's does.

import { systemClock } from '../../../clock/clock.ts'
import { Mirror, type MirrorWriter } from '../../../controller/mirror.ts'
import type { KubeObject } from '../../../controller/resource.ts'
import type { Hypervisor } from '../../../crds/hypervisor.ts'
import type { StoragePool } from '../../../crds/storagepool.ts'
import type { StorageVolume } from '../../../crds/storagevolume.ts'
import type { VirtualDomain } from '../../../crds/virtualdomain.ts'
import type { VirtualNetwork } from '../../../crds/virtualnetwork.ts'
import { createRegistry } from '../../../drivers/registry.ts'
import { Host } from '../../../observed/host.ts'
import { networkKind } from '../../../reconcilers/network/index.ts'
import type { NetworkPlan } from '../../../reconcilers/network/plan.ts'
import type { Spec } from '../../../reconcilers/network/render.ts'
import type { World } from '../../../reconcilers/world.ts'
import { until } from '../../support/until.ts'

/** What a drive did, and where it ended. */
export interface Driven { types: string[]; reasons: string[]; plan: NetworkPlan; calls: number }

const ROUNDS = 6

export class NetworkStage {
  readonly host: Host
  readonly world: World
  readonly kind = networkKind()
  #calls = 0

  private constructor(uri: string) {
    this.host = new Host({
      uri, open: (text, options) => createRegistry({}, { allowLocal: true }).open(text, options), clock: systemClock, onCall: () => { this.#calls++ },
      maxConnections: 2, callTimeout: 30_000, keepAliveInterval: 5_000, keepAliveCount: 3, pollInterval: 600_000, relistInterval: 600_000,
    })
    const filled = <T extends KubeObject>(...objects: T[]): Mirror<T> => {
      const mirror = new Mirror<T>()
      const writer: MirrorWriter<T> = mirror.takeWriter()
      writer.replace(objects, '1')
      return mirror
    }
    const hypervisor: Hypervisor = {
      apiVersion: 'vireo.dev/v1alpha1', kind: 'Hypervisor', metadata: { name: 'local', uid: 'hv', resourceVersion: '1' },
      spec: { uri, default: true, policy: { hostInterfaces: ['br0', 'eth0', 'lo'], rawXML: 'Allowed', foreignObjects: 'Adopt', hostPaths: ['/var/lib/vireo'] } },
    }
    this.world = {
      installation: '11111111-2222-5333-8444-555555555555', cluster: 'cluster', clock: systemClock,
      mirrors: { Hypervisor: filled(hypervisor), StoragePool: filled<StoragePool>(), StorageVolume: filled<StorageVolume>(), VirtualNetwork: filled<VirtualNetwork>(), VirtualDomain: filled<VirtualDomain>() },
      namespaces: filled<KubeObject>(),
      data: { get: () => undefined },
      host: () => this.host,
      hosts: () => new Map([['local', this.host]]),
      leases: () => [],
      guest: () => undefined,
    }
  }

  static async open(uri: string): Promise<NetworkStage> {
    const stage = new NetworkStage(uri)
    stage.host.start()
    await until('the host is open', () => stage.host.state === 'Open')
    return stage
  }

  async close(): Promise<void> {
    await this.host.close()
  }

  object(name: string, spec: Spec): VirtualNetwork {
    return { apiVersion: 'vireo.dev/v1alpha1', kind: 'VirtualNetwork', metadata: { name, namespace: 'default', uid: `uid-${name}`, resourceVersion: '1', generation: 1 }, spec, status: { observedGeneration: -1 } }
  }

  /** Plans and performs until the plan is empty; writes what the status would hold into the object. Throws what the driver or a refusal throws. */
  async drive(object: VirtualNetwork): Promise<Driven> {
    const types: string[] = []
    const reasons: string[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const { binding } = this.kind.gather(this.world, object)
      await this.host.refresh(`network/${binding.uuid}`)
      const before = this.#calls
      const inputs = this.kind.gather(this.world, object)
      const plan = this.kind.plan(inputs)
      if (plan.gone || plan.actions.length === 0) {
        const { generation } = object.metadata
        object.status = {
          observedGeneration: generation!, ...this.kind.describe(inputs),
          conditions: [{ type: 'Ready', status: 'True', reason: plan.standing.reason, message: plan.standing.message, lastTransitionTime: '2026-11-22T20:00:00Z', observedGeneration: generation }],
        }
        return { types, reasons, plan, calls: this.#calls - before }
      }
      for (const action of plan.actions) {
        // Whether the host has to be asked once more depends on when its events come.
        if (action.type !== 'LookedUp') types.push(action.type)
        reasons.push(action.reason)
        await this.kind.perform(action, inputs, this.world)
      }
    }
    throw new Error(`the plan never got empty: ${types.join(', ')}; ${reasons.at(-1)}`)
  }

  /** The object with another spec, as after kubectl apply. */
  async change(object: VirtualNetwork, edit: (spec: Spec) => void): Promise<Driven> {
    object.spec = structuredClone(object.spec)
    edit(object.spec)
    object.metadata.generation!++
    return await this.drive(object)
  }

  /** As after kubectl delete. */
  async remove(object: VirtualNetwork): Promise<Driven> {
    object.metadata.deletionTimestamp = '2026-11-22T20:00:00Z'
    return await this.drive(object)
  }
}
