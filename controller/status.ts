// Writes status by server-side apply, once per reconcile and only when it says something new.

import type { Client } from './client.ts'
import { isConflict, isNotFound } from './errors.ts'
import type { Mirror } from './mirror.ts'
import type { KubeObject, Resource } from './resource.ts'

export interface StatusWriterOptions<T extends KubeObject> {
  client: Client
  resource: Resource
  mirror: Mirror<T>
  fieldManager?: string
}

export class StatusWriter<T extends KubeObject = KubeObject> {
  readonly #client: Client
  readonly #resource: Resource
  readonly #mirror: Mirror<T>
  readonly #fieldManager: string

  constructor({ client, resource, mirror, fieldManager = 'vireo-status' }: StatusWriterOptions<T>) {
    this.#client = client
    this.#resource = resource
    this.#mirror = mirror
    this.#fieldManager = fieldManager
  }

  /**
   * Makes `status` the object's whole status; what an earlier one held and this one does not is removed. No request when the
   * mirror's object has it already. Answers the object as it is now, or undefined when this object (by its UID) is gone.
   * @throws ApiError 409 after five lost races; whatever else the client throws.
   */
  async write(object: T, status: T['status'], { signal }: { signal?: AbortSignal } = {}): Promise<T | undefined> {
    const { apiVersion, kind, metadata: { name, namespace, uid } } = object
    const mirrored = this.#mirror.get(namespace, name)
    let current: T | undefined = mirrored?.metadata.uid === uid ? mirrored : object
    for (let attempt = 1; current?.metadata.uid === uid; attempt++) {
      if (sameStatus(current.status, status)) return current
      // A write to /status ignores a UID in its body, so an object made again under the name is told apart by its version.
      const body = { apiVersion, kind, metadata: { name, namespace, resourceVersion: current.metadata.resourceVersion }, status }
      try {
        const written = await this.#client.applyPatch<T>(this.#resource, namespace, name, body, { subresource: 'status', fieldManager: this.#fieldManager, force: true, signal })
        this.#mirror.observeWrite(written)
        return written
      } catch (error) {
        if (isNotFound(error)) return undefined
        if (!isConflict(error) || attempt === attempts) throw error
      }
      current = await this.#client.find<T>(this.#resource, namespace, name, { signal })
    }
    return undefined
  }
}

/** Concurrent writers in a row that we lose to before the queue tries again. */
const attempts = 5

/** Equal as JSON, but for when conditions changed: that alone is not news. */
export const sameStatus = (a: unknown, b: unknown): boolean => equal(a ?? {}, b ?? {}, '')

function equal(a: unknown, b: unknown, field: string): boolean {
  if (Object.is(a, b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, i) => equal(item, b[i], field))
  }
  const left = a as Record<string, unknown>
  const right = b as Record<string, unknown>
  for (const name of new Set([...Object.keys(left), ...Object.keys(right)])) {
    if (field === 'conditions' && name === 'lastTransitionTime') continue
    if (!equal(left[name], right[name], name)) return false
  }
  return true
}
