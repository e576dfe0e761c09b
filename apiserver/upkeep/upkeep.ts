// What the server does by itself: namespaces get their first objects and lose all at their end, definitions their kinds, events their time.

import type { Clock, Timer } from '../../clock/clock.ts'
import { CLEANUP, kindOf } from '../builtin/definitions.ts'
import { withoutHold } from '../builtin/core.ts'
import { remove } from '../registry/deleting.ts'
import { ApiFailure } from '../registry/failure.ts'
import type { ServedKind } from '../registry/kind.ts'
import type { Kinds } from '../registry/kinds.ts'
import type { Writing } from '../registry/writing.ts'
import type { JsonObject } from '../schema/types.ts'
import type { Change, Entry } from '../store/entry.ts'
import type { Store, Subscription } from '../store/store.ts'
import { Owners, edited } from './owners.ts'
import { Tasks } from './tasks.ts'

export interface UpkeepOptions {
  store: Store
  kinds: Kinds
  writing: Writing
  clock: Clock
  /** What each namespace's kube-root-ca.crt holds. */
  authority: string
  onError: (task: string, error: unknown) => void
}

const DEFINITIONS = 'customresourcedefinitions.apiextensions.k8s.io'
/** Events are kept for an hour after their last change, as by kube-apiserver. */
const EVENTS_LAST = 60 * 60_000
const EXPIRE_EVERY = 5 * 60_000
const FIRST_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease']

export class Upkeep {
  readonly #options: UpkeepOptions
  readonly #tasks: Tasks
  readonly #owners: Owners
  readonly #subscription: Subscription
  /** When each event was last changed, by namespace/name. */
  readonly #eventSeen = new Map<string, number>()
  #timer: Timer | undefined

  constructor(options: UpkeepOptions) {
    this.#options = options
    this.#tasks = new Tasks(options)
    this.#owners = new Owners({ ...options, tasks: this.#tasks })
    this.#subscription = options.store.observe(change => { this.#changed(change) })
  }

  /** Serves what definitions are kept, makes the first namespaces, and takes up what was left undone. */
  async begin(): Promise<void> {
    const { store, kinds, clock } = this.#options
    for (const entry of store.list(DEFINITIONS)) kinds.set(kindOf(entry))
    for (const name of FIRST_NAMESPACES) await this.#make('namespaces', '', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } })
    for (const { name } of store.list('namespaces')) this.#namespaceLater(name)
    for (const { name } of store.list(DEFINITIONS)) this.#definitionLater(name)
    for (const { namespace, name } of store.list('events')) this.#eventSeen.set(`${namespace}/${name}`, clock.now())
    this.#owners.begin()
    const expire = (): void => {
      this.#tasks.add('events', () => this.#expireEvents())
      this.#timer = clock.setTimeout(expire, EXPIRE_EVERY)
    }
    this.#timer = clock.setTimeout(expire, EXPIRE_EVERY)
  }

  /** Resolves when nothing is left to do now. */
  async idle(): Promise<void> { await this.#tasks.idle() }

  async close(): Promise<void> {
    this.#timer?.cancel()
    this.#subscription.end()
    await this.#tasks.close()
  }

  #changed(change: Change): void {
    const { kinds, store, clock } = this.#options
    const { resource, type, entry } = change
    if (resource === DEFINITIONS) {
      if (type === 'DELETED') kinds.delete(entry.name)
      else kinds.set(kindOf(entry))
      this.#definitionLater(entry.name)
    } else if (type === 'DELETED' && kinds.kept(resource)?.terminating === true) this.#definitionLater(resource)
    if (resource === 'namespaces') this.#namespaceLater(entry.name)
    else if (type !== 'MODIFIED' && entry.namespace !== '') {
      const first = (resource === 'serviceaccounts' && entry.name === 'default') || (resource === 'configmaps' && entry.name === 'kube-root-ca.crt')
      const namespace = store.get({ resource: 'namespaces', namespace: '', name: entry.namespace })
      // One that was decided while its namespace's end was on the way to the disk comes after that end.
      if ((first && type === 'DELETED') || namespace === undefined || namespace.object.metadata.deletionTimestamp !== undefined) this.#namespaceLater(entry.namespace)
    }
    if (resource === 'events') {
      if (type === 'DELETED') this.#eventSeen.delete(`${entry.namespace}/${entry.name}`)
      else this.#eventSeen.set(`${entry.namespace}/${entry.name}`, clock.now())
    }
    this.#owners.changed(change)
  }

  #namespaceLater(name: string): void {
    this.#tasks.add(`namespace ${name}`, () => this.#namespace(name))
  }

  async #namespace(name: string): Promise<void> {
    const { store, kinds, authority } = this.#options
    const entry = store.get({ resource: 'namespaces', namespace: '', name })
    if (entry !== undefined && entry.object.metadata.deletionTimestamp === undefined) {
      await this.#make('serviceaccounts', name, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: name } })
      await this.#make('configmaps', name, {
        apiVersion: 'v1', kind: 'ConfigMap', data: { 'ca.crt': authority },
        metadata: { name: 'kube-root-ca.crt', namespace: name, annotations: { 'kubernetes.io/description': 'Contains a CA bundle that can be used to verify the API server of this vireo.' } },
      })
      return
    }
    let left = 0
    for (const kind of kinds.all()) if (kind.namespaced && kind.verbs.includes('delete')) left += await this.#removeAll(kind, store.list(kind.resource, name))
    if (left > 0 || entry === undefined) return
    await store.mutate({ resource: 'namespaces', namespace: '', name }, current => {
      if (current === undefined) return { type: 'gone' }
      const free = withoutHold(current.object)
      return { type: (current.object.metadata.finalizers ?? []).length === 0 ? 'delete' : 'put', object: free }
    })
  }

  #definitionLater(name: string): void {
    this.#tasks.add(`definition ${name}`, () => this.#definition(name))
  }

  async #definition(name: string): Promise<void> {
    const { store, kinds } = this.#options
    const entry = store.get({ resource: DEFINITIONS, namespace: '', name })
    const kind = kinds.kept(name)
    if (entry?.object.metadata.deletionTimestamp === undefined || kind === undefined) return
    if (await this.#removeAll(kind, store.list(name)) > 0) return
    await store.mutate({ resource: DEFINITIONS, namespace: '', name }, current => current === undefined ? { type: 'gone' } : edited(kinds.kept(DEFINITIONS)!, current.object, ({ finalizers = [], ...metadata }) => {
      const kept = finalizers.filter(one => one !== CLEANUP)
      return { ...metadata, ...kept.length === 0 ? {} : { finalizers: kept } }
    }))
  }

  /** Answers how many stay for now: those that finalizers hold. */
  async #removeAll(kind: ServedKind, entries: readonly Entry[]): Promise<number> {
    const { store, clock } = this.#options
    for (const { namespace, name, object } of entries) {
      if (object.metadata.deletionTimestamp !== undefined) continue
      await remove(store, clock, { kind, version: kind.versions[0]!, namespace, name, subresource: '' }, { dryRun: false, propagation: 'Background' }).catch((error: unknown) => {
        if (!(error instanceof ApiFailure) || error.status.code !== 404) throw error
      })
    }
    return entries.filter(({ namespace, name }) => store.get({ resource: kind.resource, namespace, name }) !== undefined).length
  }

  async #expireEvents(): Promise<void> {
    const { store, clock } = this.#options
    const before = clock.now() - EVENTS_LAST
    for (const [key, seen] of this.#eventSeen) {
      if (seen > before) continue
      const [namespace, name] = key.split('/') as [string, string]
      await store.mutate({ resource: 'events', namespace, name }, current => current === undefined ? { type: 'gone' } : { type: 'delete', object: current.object })
    }
  }

  /** Makes what is missing. */
  async #make(resource: string, namespace: string, object: JsonObject): Promise<void> {
    const { store, kinds, writing } = this.#options
    const name = (object['metadata'] as { name: string }).name
    const kind = kinds.kept(resource)!
    if (store.get({ resource, namespace, name }) !== undefined) return
    await writing.create({ kind, version: kind.versions[0]!, namespace, name, subresource: '' }, object, [], { manager: 'vireo', dryRun: false, validation: 'Ignore', warn: () => undefined })
  }
}
