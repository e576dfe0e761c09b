// Garbage collection: what nobody owns any more goes, and a deletion that waits for what it owns is brought to its end.

import type { Clock } from '../../clock/clock.ts'
import { FOREGROUND, ORPHAN, remove } from '../registry/deleting.ts'
import type { ServedKind } from '../registry/kind.ts'
import type { Kinds } from '../registry/kinds.ts'
import type { JsonObject } from '../schema/types.ts'
import type { Change, Entry, Metadata, Stored } from '../store/entry.ts'
import type { Store } from '../store/store.ts'
import type { Tasks } from './tasks.ts'

type Reference = NonNullable<Metadata['ownerReferences']>[number]
interface Place { resource: string; namespace: string; name: string }

const idOf = ({ resource, namespace, name }: Place): string => `${resource}/${namespace}/${name}`
const referencesOf = (entry: Entry | undefined): Reference[] => entry?.object.metadata.ownerReferences ?? []
const MENTIONS = '"ownerReferences"'

export class Owners {
  readonly #store: Store
  readonly #kinds: Kinds
  readonly #clock: Clock
  readonly #tasks: Tasks
  /** What each uid owns. */
  readonly #owned = new Map<string, Map<string, Place>>()

  constructor({ store, kinds, clock, tasks }: { store: Store; kinds: Kinds; clock: Clock; tasks: Tasks }) {
    this.#store = store
    this.#kinds = kinds
    this.#clock = clock
    this.#tasks = tasks
  }

  /** At the start: takes up what was left undone. */
  begin(): void {
    for (const { resource } of new Set(this.#kinds.all())) {
      for (const entry of this.#store.list(resource)) {
        const owned = entry.bytes.includes(MENTIONS)
        if (owned) this.#index({ resource, namespace: entry.namespace, name: entry.name }, undefined, entry)
        if (owned || entry.bytes.includes('"deletionTimestamp"')) this.#look({ resource, namespace: entry.namespace, name: entry.name }, entry)
      }
    }
  }

  changed({ type, resource, entry, previous }: Change): void {
    const place = { resource, namespace: entry.namespace, name: entry.name }
    this.#index(place, previous, type === 'DELETED' ? undefined : entry)
    if (type === 'DELETED') {
      for (const dependent of this.#dependents(entry.object.metadata.uid)) this.#later(dependent)
      for (const reference of referencesOf(entry)) this.#ownerLater(place, reference)
    } else this.#look(place, entry)
  }

  #look(place: Place, entry: Entry): void {
    const { metadata } = entry.object
    if (metadata.ownerReferences !== undefined) this.#later(place)
    if (metadata.deletionTimestamp !== undefined && metadata.finalizers?.some(one => one === FOREGROUND || one === ORPHAN) === true) this.#finishLater(place)
  }

  #index(place: Place, previous: Entry | undefined, entry: Entry | undefined): void {
    const id = idOf(place)
    for (const { uid } of referencesOf(previous)) {
      const owned = this.#owned.get(uid)
      if (owned?.delete(id) === true && owned.size === 0) this.#owned.delete(uid)
    }
    for (const { uid } of referencesOf(entry)) {
      let owned = this.#owned.get(uid)
      if (owned === undefined) this.#owned.set(uid, owned = new Map())
      owned.set(id, place)
    }
  }

  #dependents(uid: string): Place[] { return [...this.#owned.get(uid)?.values() ?? []] }

  #later(place: Place): void {
    this.#tasks.add(`dependent ${idOf(place)}`, () => this.#judge(place))
  }

  #finishLater(place: Place): void {
    this.#tasks.add(`owner ${idOf(place)}`, () => this.#finish(place))
  }

  #ownerLater(dependent: Place, reference: Reference): void {
    const owner = this.#ownerPlace(dependent, reference)
    if (owner !== undefined && this.#store.get(owner)?.object.metadata.finalizers?.includes(FOREGROUND) === true) this.#finishLater(owner)
  }

  /** Undefined: its kind is not served, so nobody knows. */
  #ownerPlace({ namespace }: Place, { apiVersion, kind: name, name: owner }: Reference): Place | undefined {
    const group = apiVersion.includes('/') ? apiVersion.split('/')[0]! : ''
    const kind = this.#kinds.all().find(one => one.group === group && one.kind === name)
    return kind && { resource: kind.resource, namespace: kind.namespaced ? namespace : '', name: owner }
  }

  /** Deletes an object whose owners are all gone; takes the references to those off that are. */
  async #judge(place: Place): Promise<void> {
    const entry = this.#store.get(place)
    const kind = this.#kinds.kept(place.resource)
    if (entry === undefined || kind === undefined || entry.object.metadata.deletionTimestamp !== undefined) return
    const states = referencesOf(entry).map(reference => ({ reference, state: this.#stateOf(place, reference) }))
    if (states.length === 0 || states.some(({ state }) => state === 'unknown')) return
    const of = (wanted: string): Reference[] => states.filter(({ state }) => state === wanted).map(({ reference }) => reference)
    const solid = of('solid')
    if (solid.length > 0) {
      if (solid.length < states.length) await this.#keepReferences(place, kind, new Set(solid.map(({ uid }) => uid)))
      return
    }
    const { finalizers = [], uid, resourceVersion } = entry.object.metadata
    const propagation = of('waiting').length > 0 ? 'Foreground' : finalizers.includes(ORPHAN) ? 'Orphan' : finalizers.includes(FOREGROUND) ? 'Foreground' : 'Background'
    await this.#remove(place, kind, { uid, resourceVersion }, propagation)
  }

  #stateOf(place: Place, reference: Reference): 'unknown' | 'absent' | 'waiting' | 'solid' {
    const owner = this.#ownerPlace(place, reference)
    if (owner === undefined) return 'unknown'
    const found = this.#store.get(owner)?.object.metadata
    if (found === undefined || found.uid !== reference.uid) return 'absent'
    return found.deletionTimestamp !== undefined && found.finalizers?.includes(FOREGROUND) === true && reference.blockOwnerDeletion === true ? 'waiting' : 'solid'
  }

  /** Takes a waiting deletion as far as it can go now. */
  async #finish(place: Place): Promise<void> {
    const entry = this.#store.get(place)
    const kind = this.#kinds.kept(place.resource)
    if (entry === undefined || kind === undefined || entry.object.metadata.deletionTimestamp === undefined) return
    const { uid, finalizers = [] } = entry.object.metadata
    const dependents = this.#dependents(uid)
    if (finalizers.includes(ORPHAN)) {
      for (const dependent of dependents) {
        const dependentKind = this.#kinds.kept(dependent.resource)
        const keep = new Set(referencesOf(this.#store.get(dependent)).map(reference => reference.uid).filter(one => one !== uid))
        if (dependentKind !== undefined) await this.#keepReferences(dependent, dependentKind, keep)
      }
      await this.#takeOff(place, kind, ORPHAN)
    } else if (finalizers.includes(FOREGROUND)) {
      const blocking = dependents.filter(dependent => referencesOf(this.#store.get(dependent)).some(reference => reference.uid === uid && reference.blockOwnerDeletion === true))
      for (const dependent of dependents) this.#later(dependent)
      if (blocking.length === 0) await this.#takeOff(place, kind, FOREGROUND)
    }
  }

  async #remove(place: Place, kind: ServedKind, preconditions: { uid: string; resourceVersion: string }, propagation: 'Background' | 'Foreground' | 'Orphan'): Promise<void> {
    await remove(this.#store, this.#clock, { kind, version: kind.versions[0]!, ...place, subresource: '' }, { dryRun: false, preconditions, propagation }).catch((error: unknown) => {
      // It changed or went meanwhile: that change brought a task of its own.
      if (!isRefusal(error)) throw error
    })
  }

  async #keepReferences(place: Place, kind: ServedKind, keep: ReadonlySet<string>): Promise<void> {
    await this.#edit(place, kind, ({ ownerReferences = [], ...metadata }) => {
      const kept = ownerReferences.filter(({ uid }) => keep.has(uid))
      return { ...metadata, ...kept.length === 0 ? {} : { ownerReferences: kept } }
    })
  }

  async #takeOff(place: Place, kind: ServedKind, finalizer: string): Promise<void> {
    await this.#edit(place, kind, ({ finalizers = [], ...metadata }) => {
      const kept = finalizers.filter(one => one !== finalizer)
      return { ...metadata, ...kept.length === 0 ? {} : { finalizers: kept } }
    })
  }

  async #edit(place: Place, kind: ServedKind, edit: (metadata: Stored['metadata']) => Partial<Metadata>): Promise<void> {
    if (this.#store.get(place) === undefined) return
    await this.#store.mutate(place, current => current === undefined ? { type: 'gone' } : edited(kind, current.object, edit))
  }
}

const isRefusal = (error: unknown): boolean => error instanceof Error && error.name === 'ApiFailure'

/** An object with other metadata; gone where nothing holds it any more. */
export function edited(kind: ServedKind, object: Stored, edit: (metadata: Stored['metadata']) => Partial<Metadata>): { type: 'put' | 'delete'; object: JsonObject } {
  const changed: JsonObject = { ...object, metadata: edit(object.metadata) }
  const { deletionTimestamp, finalizers } = changed['metadata'] as Partial<Metadata>
  const gone = deletionTimestamp !== undefined && (finalizers ?? []).length === 0 && kind.behaviour.held?.(changed) !== true
  return { type: gone ? 'delete' : 'put', object: changed }
}
