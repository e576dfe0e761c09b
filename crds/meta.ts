// What every object of the API has around its spec and status: the shapes of controller/resource.ts, so that
// this folder imports nothing of ours.

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

export interface KubeObject<Spec = unknown, Status = unknown> {
  apiVersion: string
  kind: string
  metadata: ObjectMeta
  spec: Spec
  status?: Status
}

/** Where a kind lives in the API: `/apis/GROUP/VERSION/[namespaces/NS/]PLURAL`. */
export interface Resource { group: string; version: string; plural: string; kind: string; namespaced: boolean }
