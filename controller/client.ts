// The typed verbs of the API server, for every kind alike: get, list, create, three patches, delete.

import { isNotFound } from './errors.ts'
import { resourcePath, type Draft, type KubeObject, type ObjectList, type Resource } from './resource.ts'
import type { Method, Query, Transport } from './transport.ts'

export interface CallOptions { signal?: AbortSignal; /** Milliseconds. */ timeout?: number }

export interface ListOptions extends CallOptions {
  namespace?: string
  labelSelector?: string
  fieldSelector?: string
  limit?: number
  continue?: string
  resourceVersion?: string
}

export interface PatchOptions extends CallOptions { subresource?: string; fieldManager?: string }
export interface ApplyOptions extends PatchOptions { fieldManager: string; /** Takes fields over from other managers. */ force?: boolean }

export interface DeleteOptions extends CallOptions {
  /** 409 unless the object still has this UID and version. */
  preconditions?: { uid?: string; resourceVersion?: string }
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan'
}

export type JsonPatchOperation =
  | { op: 'add' | 'replace' | 'test'; path: string; value: unknown }
  | { op: 'remove'; path: string }

/**
 * Every method rejects with ApiError (refused), RequestTimeout or ApiUnreachable (unknown).
 * `namespace` is undefined for cluster-scoped objects.
 */
export class Client {
  readonly #transport: Transport

  constructor({ transport }: { transport: Transport }) {
    this.#transport = transport
  }

  async get<T = KubeObject>(resource: Resource, namespace: string | undefined, name: string, options: CallOptions = {}): Promise<T> {
    return await this.#call('GET', resourcePath(resource, namespace, name), options) as T
  }

  /** `get`, with undefined for 404: the one error that means the object is absent. */
  async find<T = KubeObject>(resource: Resource, namespace: string | undefined, name: string, options: CallOptions = {}): Promise<T | undefined> {
    try {
      return await this.get<T>(resource, namespace, name, options)
    } catch (error) {
      if (isNotFound(error)) return undefined
      throw error
    }
  }

  /** One page of at most `limit` objects. Without resourceVersion the answer is consistent: as of now, from etcd. */
  async list<T = KubeObject>(resource: Resource, { namespace, labelSelector, fieldSelector, limit, continue: token, resourceVersion, ...call }: ListOptions = {}): Promise<ObjectList<T>> {
    const query = { labelSelector, fieldSelector, limit, continue: token, resourceVersion }
    return await this.#call('GET', resourcePath(resource, namespace), call, { query }) as ObjectList<T>
  }

  async create<T = KubeObject>(resource: Resource, namespace: string | undefined, object: Draft, { fieldManager, ...call }: PatchOptions = {}): Promise<T> {
    return await this.#call('POST', resourcePath(resource, namespace), call, { query: { fieldManager }, body: object }) as T
  }

  /** Server-side apply: what `body` holds is owned by `fieldManager`; what it held before and leaves out now is removed. */
  async applyPatch<T = KubeObject>(resource: Resource, namespace: string | undefined, name: string, body: Draft, { fieldManager, force, subresource, ...call }: ApplyOptions): Promise<T> {
    return await this.#patch('application/apply-patch+yaml', resourcePath(resource, namespace, name, subresource), body, { fieldManager, force }, call) as T
  }

  /** RFC 7396: null removes a field, a list is replaced as a whole. */
  async mergePatch<T = KubeObject>(resource: Resource, namespace: string | undefined, name: string, body: Draft, { fieldManager, subresource, ...call }: PatchOptions = {}): Promise<T> {
    return await this.#patch('application/merge-patch+json', resourcePath(resource, namespace, name, subresource), body, { fieldManager }, call) as T
  }

  /** RFC 6902. A failed `test` is answered 422. */
  async jsonPatch<T = KubeObject>(resource: Resource, namespace: string | undefined, name: string, body: JsonPatchOperation[], { fieldManager, subresource, ...call }: PatchOptions = {}): Promise<T> {
    return await this.#patch('application/json-patch+json', resourcePath(resource, namespace, name, subresource), body, { fieldManager }, call) as T
  }

  /** Asks for deletion: an object with finalizers stays, Terminating, until the last is removed. */
  async delete(resource: Resource, namespace: string | undefined, name: string, { preconditions, propagationPolicy, ...call }: DeleteOptions = {}): Promise<void> {
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions, propagationPolicy }
    await this.#call('DELETE', resourcePath(resource, namespace, name), call, { body })
  }

  #patch(contentType: string, path: string, body: unknown, query: Query, call: CallOptions): Promise<unknown> {
    return this.#call('PATCH', path, call, { query, body, contentType })
  }

  #call(method: Method, path: string, { signal, timeout }: CallOptions, rest: { query?: Query; body?: unknown; contentType?: string } = {}): Promise<unknown> {
    return this.#transport.request({ method, path, ...rest, signal, timeout })
  }
}
