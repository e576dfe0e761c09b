// The desired side's memory: what the API server holds of one resource, indexed; one writer fills it, everybody else reads.

import { compareVersions, keyOf, objectKey, type KubeObject } from './resource.ts'

export interface Change<T> {
  type: 'added' | 'updated' | 'deleted'
  /** The object now; of a deletion, its last known state. Shared: never change it. */
  object: T
  /** What stood there before an update. */
  old?: T
  /** A list (the first one, or one that found what a watch missed), a watch event, or the answer to a write of our own. */
  source: 'list' | 'watch' | 'write'
}

export type WatchEventType = 'ADDED' | 'MODIFIED' | 'DELETED'

/** The one way into a mirror; held by its reflector. */
export interface MirrorWriter<T extends KubeObject> {
  /** A list is being asked for: only writes of our own from now on can be newer than its answer. */
  listing(): void
  /** Swaps in a whole consistent list of that version, atomically; the mirror is synced from then on. */
  replace(objects: readonly T[], resourceVersion: string): void
  /** One watch event. Events of an object arrive in order. */
  apply(type: WatchEventType, object: T): void
  /** A bookmark: everything up to this version has been delivered. */
  progress(resourceVersion: string): void
}

export interface MirrorOptions {
  /** Told of a handler or index function that threw; the mirror and the other handlers go on. */
  onError?: (error: unknown) => void
}

interface Index<T> { values: (object: T) => string[]; keys: Map<string, Set<string>> }

export class Mirror<T extends KubeObject = KubeObject> {
  readonly #objects = new Map<string, T>()
  readonly #indexes = new Map<string, Index<T>>()
  readonly #handlers: ((change: Change<T>) => void)[] = []
  readonly #onError: (error: unknown) => void
  readonly #synced = Promise.withResolvers<void>()
  /** Versions of our own writes that neither the watch nor a list has brought yet, by key. */
  readonly #pending = new Map<string, string>()
  /** Made, and not yet told. */
  #changes: Change<T>[] = []
  #isTelling = false
  #isSynced = false
  #writerTaken = false
  /** The watch has delivered everything up to this version. */
  #version = ''

  constructor({ onError = () => undefined }: MirrorOptions = {}) {
    this.#onError = onError
  }

  get(namespace: string | undefined, name: string): T | undefined { return this.#objects.get(objectKey(namespace, name)) }
  list(): T[] { return [...this.#objects.values()] }
  get size(): number { return this.#objects.size }

  /** True once a whole list has been swapped in. It stays true: an outage makes a mirror old, not empty. */
  get synced(): boolean { return this.#isSynced }

  /** Rejects with the signal's reason when it aborts first. */
  whenSynced(signal?: AbortSignal): Promise<void> {
    if (!signal) return this.#synced.promise
    const aborted = Promise.withResolvers<never>()
    const abort = (): void => aborted.reject(signal.reason)
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    return Promise.race([this.#synced.promise, aborted.promise]).finally(() => signal.removeEventListener('abort', abort))
  }

  /** Objects can be found by each of the strings that `values` gives for them. */
  addIndex(name: string, values: (object: T) => string[]): void {
    if (this.#indexes.has(name)) throw new Error(`the mirror has an index "${name}" already`)
    const index: Index<T> = { values, keys: new Map() }
    this.#indexes.set(name, index)
    for (const [key, object] of this.#objects) this.#enter(index, key, object)
  }

  by(index: string, value: string): T[] {
    const found = this.#indexes.get(index)
    if (!found) throw new Error(`the mirror has no index "${index}"`)
    return Array.from(found.keys.get(value) ?? [], (key) => this.#objects.get(key)!)
  }

  /** Called after the mirror holds the change, once per change, in order. Handlers added later miss earlier changes. */
  onChange(handler: (change: Change<T>) => void): void { this.#handlers.push(handler) }

  /**
   * Puts the answer to a write of our own in at once, so that the next reconcile reads what this one wrote. The watch will
   * bring the same version again, without a second change; older events on the way are ignored.
   */
  observeWrite(object: T): void {
    const key = keyOf(object)
    const current = this.#objects.get(key)
    const version = object.metadata.resourceVersion
    if (!this.#isSynced || version === '') return
    const order = compareVersions(version, current?.metadata.resourceVersion ?? this.#version)
    if (order === 0 || (order !== undefined && order < 0)) return
    // Without an order, an object that we don't hold was deleted since, or will be delivered by the watch.
    if (order === undefined && !current) return
    this.#put(key, object, 'write')
    this.#pending.set(key, version)
    this.#tell()
  }

  /** The right to write; given once. */
  takeWriter(): MirrorWriter<T> {
    if (this.#writerTaken) throw new Error('the mirror has a writer already')
    this.#writerTaken = true
    return {
      listing: () => this.#pending.clear(),
      replace: (objects, resourceVersion) => this.#replace(objects, resourceVersion),
      apply: (type, object) => this.#apply(type, object),
      progress: (resourceVersion) => { this.#version = resourceVersion },
    }
  }

  #replace(objects: readonly T[], resourceVersion: string): void {
    this.#version = resourceVersion
    const listed = new Map(objects.map((object) => [keyOf(object), object]))
    for (const [key, object] of this.#objects) {
      // What we made while the list was on its way may be newer than it: the watch from the list's version will bring it.
      if (!listed.has(key) && !isOlder(resourceVersion, this.#pending.get(key))) this.#remove(key, object, 'list')
    }
    for (const [key, object] of listed) {
      if (isOlder(object.metadata.resourceVersion, this.#pending.get(key))) continue
      this.#pending.delete(key)
      this.#put(key, object, 'list')
    }
    this.#isSynced = true
    this.#tell()
    this.#synced.resolve()
  }

  #apply(type: WatchEventType, object: T): void {
    const key = keyOf(object)
    const current = this.#objects.get(key)
    const version = object.metadata.resourceVersion
    this.#version = version
    if (!this.#catchesUp(type, key, object, current)) return
    this.#pending.delete(key)
    if (type !== 'DELETED') this.#put(key, object, 'watch')
    else if (current) this.#remove(key, current.metadata.uid === object.metadata.uid ? object : current, 'watch')
    this.#tell()
  }

  /** False while the watch brings what stood before our own last write of the object. */
  #catchesUp(type: WatchEventType, key: string, object: T, current: T | undefined): boolean {
    const pending = this.#pending.get(key)
    if (pending === undefined) return true
    const order = compareVersions(object.metadata.resourceVersion, pending)
    return order === undefined ? type === 'DELETED' && object.metadata.uid === current?.metadata.uid : order >= 0
  }

  #put(key: string, object: T, source: Change<T>['source']): void {
    let old = this.#objects.get(key)
    if (old?.metadata.resourceVersion === object.metadata.resourceVersion && old.metadata.uid === object.metadata.uid) return
    if (old && old.metadata.uid !== object.metadata.uid) {
      // Deleted and made again under the same name: two objects, not one that changed.
      this.#remove(key, old, source)
      old = undefined
    }
    for (const index of this.#indexes.values()) {
      if (old) this.#leave(index, key, old)
      this.#enter(index, key, object)
    }
    // Nobody here reads who wrote which field, and of an object of ours it is the larger half.
    object.metadata.managedFields = undefined
    this.#objects.set(key, object)
    this.#changes.push(old ? { type: 'updated', object, old, source } : { type: 'added', object, source })
  }

  /** `last` is told to the handlers; it may be newer than what the mirror holds. */
  #remove(key: string, last: T, source: Change<T>['source']): void {
    const held = this.#objects.get(key)
    if (!held) return
    this.#pending.delete(key)
    for (const index of this.#indexes.values()) this.#leave(index, key, held)
    this.#objects.delete(key)
    this.#changes.push({ type: 'deleted', object: last, source })
  }

  #enter(index: Index<T>, key: string, object: T): void {
    for (const value of this.#valuesOf(index, object)) {
      const keys = index.keys.get(value)
      if (keys) keys.add(key)
      else index.keys.set(value, new Set([key]))
    }
  }

  #leave(index: Index<T>, key: string, object: T): void {
    for (const value of this.#valuesOf(index, object)) {
      const keys = index.keys.get(value)
      keys?.delete(key)
      if (keys?.size === 0) index.keys.delete(value)
    }
  }

  #valuesOf(index: Index<T>, object: T): string[] {
    try {
      return index.values(object)
    } catch (error) {
      this.#onError(error)
      return []
    }
  }

  /** Handlers see the mirror after the whole change, a list included, and one change after the other even when they cause some. */
  #tell(): void {
    if (this.#isTelling) return
    this.#isTelling = true
    for (let i = 0; i < this.#changes.length; i++) {
      const change = this.#changes[i]!
      for (const handler of this.#handlers) {
        try {
          handler(change)
        } catch (error) {
          this.#onError(error)
        }
      }
    }
    this.#changes = []
    this.#isTelling = false
  }
}

/** True when `version` is known to come before `pending`. */
function isOlder(version: string, pending: string | undefined): boolean {
  const order = pending === undefined ? undefined : compareVersions(version, pending)
  return order !== undefined && order < 0
}
