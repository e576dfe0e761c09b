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
   */
  async write(object: T, status: T['status'], { signal }: { signal?: AbortSignal } = {}): Promise<T | undefined> {
    const { apiVersion, kind, metadata: { name, namespace, uid } } = object
    const current = this.#mirror.get(namespace, name) ?? object
    if (current.metadata.uid === uid && sameStatus(current.status, status)) return current
    try {
      const body = { apiVersion, kind, metadata: { name, namespace, uid }, status }
      const written = await this.#client.applyPatch<T>(this.#resource, namespace, name, body, { subresource: 'status', fieldManager: this.#fieldManager, force: true, signal })
      this.#mirror.observeWrite(written)
      return written
    } catch (error) {
      // Under force the only conflict is about the UID: the object was deleted and made again, and its status is not ours to write.
      if (isNotFound(error) || isConflict(error)) return undefined
      throw error
    }
  }
}

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
