// Reconciles Hypervisor objects: keeps their connections, writes their status, and lets them go when nothing refers to them.

import { findCondition } from '../controller/conditions.ts'
import type { Client } from '../controller/client.ts'
import type { Result } from '../controller/controller.ts'
import type { EventRecorder } from '../controller/events.ts'
import { hasFinalizer, patchMetadata } from '../controller/finalizers.ts'
import type { StatusWriter } from '../controller/status.ts'
import { type Hypervisor, type HypervisorStatus, hypervisor } from '../crds/hypervisor.ts'
import { finalizer } from '../crds/names.ts'
import { COUNTS_EVERY, describeHypervisor } from '../reconcilers/hypervisor/status.ts'
import { defaultHypervisor, hypervisorNameOf } from '../reconcilers/references.ts'
import type { World } from '../reconcilers/world.ts'
import { credentialsOf } from './credentials.ts'
import type { Hosts } from './hosts.ts'

export interface HypervisorsOptions {
  world: World
  hosts: Hosts
  client: Client
  status: StatusWriter<Hypervisor>
  recorder: EventRecorder
  /** Where the Secrets of Hypervisors lie. */
  namespace: string
}

export class Hypervisors {
  readonly #options: HypervisorsOptions
  /** When the counts of each were last written, ms. */
  readonly #counted = new Map<string, number>()

  constructor(options: HypervisorsOptions) {
    this.#options = options
  }

  async reconcile(name: string): Promise<Result> {
    const { world, hosts, client, status, recorder, namespace } = this.#options
    let object = world.mirrors.Hypervisor.get(undefined, name)
    if (object === undefined) {
      await hosts.drop(name)
      this.#counted.delete(name)
      return { type: 'done' }
    }
    const terminating = object.metadata.deletionTimestamp !== undefined
    const users = terminating ? this.#users(name) : undefined
    if (terminating && users === undefined) {
      await patchMetadata(client, hypervisor.resource, object, { removeFinalizers: [finalizer] })
      return { type: 'done' }
    }
    if (!terminating && !hasFinalizer(object, finalizer)) {
      object = await patchMetadata(client, hypervisor.resource, object, { addFinalizers: [finalizer] })
      if (object === undefined) return { type: 'done' }
      world.mirrors.Hypervisor.observeWrite(object)
    }
    const credentials = credentialsOf(object, namespace, world.data)
    // Until its Secrets are read nobody knows what to connect with; then it is woken.
    const host = credentials === 'loading' ? hosts.get(name) : hosts.keep(object, credentials)
    const now = world.clock.now()
    const due = (this.#counted.get(name) ?? -Infinity) + COUNTS_EVERY
    const next = describeHypervisor({ object, host, invalid: this.#invalid(object), users, countsDue: due <= now, now })
    this.#tell(object, next, recorder)
    await status.write(object, next)
    if (due <= now) this.#counted.set(name, now)
    const actual = host?.mirror.counts.domains
    return due > now && actual !== undefined && actual !== next.domains ? { type: 'requeueAfter', ms: due - now } : { type: 'done' }
  }

  /** Of two defaults the older serves. */
  #invalid(object: Hypervisor): string | undefined {
    if (object.spec.default !== true) return undefined
    const serving = defaultHypervisor(this.#options.world)
    if (serving === undefined || serving.metadata.name === object.metadata.name) return undefined
    return `Hypervisor ${serving.metadata.name} is the default already, and the older of two serves. Set spec.default: false here, or there.`
  }

  #users(name: string): string | undefined {
    const { world } = this.#options
    const counts = (['VirtualDomain', 'StorageVolume', 'VirtualNetwork', 'StoragePool'] as const).flatMap(kind => {
      const count = world.mirrors[kind].list().filter(object => hypervisorNameOf(world, object) === name && (object.status?.binding !== undefined || hasFinalizer(object, finalizer))).length
      return count === 0 ? [] : [`${count} ${kind}${count === 1 ? '' : 's'}`]
    })
    return counts.length === 0 ? undefined : counts.join(', ')
  }

  #tell(object: Hypervisor, next: HypervisorStatus, recorder: EventRecorder): void {
    const before = findCondition(object.status?.conditions, 'Connected')
    const now = findCondition(next.conditions, 'Connected')
    if (now === undefined || (before?.reason === now.reason && before.message === now.message)) return
    if (['Connecting', 'Authenticating', 'Opening', 'Draining'].includes(now.reason)) return
    recorder.event(object, now.status === 'True' ? 'Normal' : 'Warning', now.status === 'True' ? 'Connected' : now.reason, now.message)
  }
}
