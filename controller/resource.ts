// Names things at the API server: resources, their URL paths, and the shape every object has.

/** One kind of object, under the names discovery gives it. `group` is '' for the core group. */
export interface Resource { group: string; version: string; plural: string; kind: string; namespaced: boolean }

export interface OwnerReference { apiVersion: string; kind: string; name: string; uid: string; controller?: boolean; blockOwnerDeletion?: boolean }

/** metav1.ObjectMeta, raw. `uid` and `resourceVersion` are '' on an object that the API server has not seen. */
export interface ObjectMeta {
  name: string
  namespace?: string
  uid: string
  resourceVersion: string
  generation?: number
  creationTimestamp?: string
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  finalizers?: string[]
  labels?: Record<string, string>
  annotations?: Record<string, string>
  ownerReferences?: OwnerReference[]
  generateName?: string
  managedFields?: unknown[]
}

/** An object as the API server sent it: raw JSON, so that reading and writing back loses no field we don't know. */
export interface KubeObject<Spec = unknown, Status = unknown> {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
  spec: Spec
  status?: Status
}

/** What is sent to create or patch an object: any part of it. */
export type Draft = { apiVersion?: string; kind?: string; metadata?: Partial<ObjectMeta>; [field: string]: unknown }

export interface ObjectList<T = KubeObject> {
  apiVersion: string
  kind: string
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number }
  items: T[]
}

export const secrets: Resource = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret', namespaced: true }
export const configMaps: Resource = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap', namespaced: true }
export const namespaces: Resource = { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace', namespaced: false }
export const events: Resource = { group: '', version: 'v1', plural: 'events', kind: 'Event', namespaced: true }
export const leases: Resource = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease', namespaced: true }
export const customResourceDefinitions: Resource = {
  group: 'apiextensions.k8s.io', version: 'v1', plural: 'customresourcedefinitions', kind: 'CustomResourceDefinition', namespaced: false,
}

export const apiVersion = (resource: Resource): string => resource.group === '' ? resource.version : `${resource.group}/${resource.version}`

/** The URL path of a collection, an object or a subresource. Without a namespace it is the collection of all namespaces. */
export function resourcePath(resource: Resource, namespace?: string, name?: string, subresource?: string): string {
  if (resource.namespaced && name !== undefined && !namespace) throw new TypeError(`${resource.kind} ${name}: a namespaced object is addressed with its namespace`)
  const parts = resource.group === '' ? ['api', resource.version] : ['apis', resource.group, resource.version]
  if (resource.namespaced && namespace) parts.push('namespaces', namespace)
  parts.push(resource.plural)
  if (name !== undefined) parts.push(name)
  if (subresource !== undefined) parts.push(subresource)
  // A URL would swallow these, and a reference to a Secret called ".." read something else.
  if (parts.some((part) => part === '' || part === '.' || part === '..')) throw new TypeError(`${resource.kind} "${name}": not the name of an object`)
  return `/${parts.map(encodeURIComponent).join('/')}`
}

/** `namespace/name`, or `/name` in the cluster scope: the key of an object of one resource. Neither part can hold a slash. */
export const objectKey = (namespace: string | undefined, name: string): string => `${namespace ?? ''}/${name}`

export const keyOf = (object: { metadata: { namespace?: string; name: string } }): string => objectKey(object.metadata.namespace, object.metadata.name)

/**
 * Compares two resourceVersions of one resource as the integers they are (KEP-5504), without a limit on their size:
 * negative, 0 or positive; undefined when one is not an integer and differs, so that no order is known.
 */
export function compareVersions(a: string, b: string): number | undefined {
  if (a === b) return 0
  if (!integer.test(a) || !integer.test(b)) return undefined
  return a.length === b.length ? (a < b ? -1 : 1) : a.length - b.length
}
const integer = /^[1-9][0-9]*$/
