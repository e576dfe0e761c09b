// The schemas of the built-in kinds, as data: what they hold, and how their lists merge.

import { compileSchema } from '../schema/compile.ts'
import type { CompiledSchema, JsonObject, SchemaNode } from '../schema/types.ts'

const text: SchemaNode = { type: 'string' }
const flag: SchemaNode = { type: 'boolean' }
const int32: SchemaNode = { type: 'integer', format: 'int32' }
const int64: SchemaNode = { type: 'integer', format: 'int64' }
const time: SchemaNode = { type: 'string', format: 'date-time' }
/** A time that is printed as null where nobody set it. */
const timeOrNull: SchemaNode = { ...time, nullable: true }
const texts: SchemaNode = { type: 'object', additionalProperties: text }
const blobs: SchemaNode = { type: 'object', additionalProperties: { type: 'string', format: 'byte' } }
const anything: SchemaNode = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }

const object = (properties: Record<string, SchemaNode>, more: SchemaNode = {}): SchemaNode => ({ type: 'object', properties, ...more })
const listOf = (items: SchemaNode): SchemaNode => ({ type: 'array', items, 'x-kubernetes-list-type': 'atomic' })
const mapBy = (key: string, items: SchemaNode): SchemaNode => ({
  type: 'array', items, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [key],
  'x-kubernetes-patch-merge-key': key, 'x-kubernetes-patch-strategy': 'merge',
})

const objectReference = object({ apiVersion: text, fieldPath: text, kind: text, name: text, namespace: text, resourceVersion: text, uid: text }, { 'x-kubernetes-map-type': 'atomic' })
const condition = object({ lastTransitionTime: time, lastUpdateTime: time, message: text, observedGeneration: int64, reason: text, status: text, type: text }, { required: ['type', 'status'] })
const conditions = mapBy('type', condition)

/** Of a pod only what decides how its lists merge. */
const open = { 'x-kubernetes-preserve-unknown-fields': true } as const
const ports: SchemaNode = { ...mapBy('containerPort', object({ containerPort: int32, protocol: { ...text, default: 'TCP' } }, open)), 'x-kubernetes-list-map-keys': ['containerPort', 'protocol'] }
const container = object({ env: mapBy('name', object({ name: text }, open)), name: text, ports, volumeDevices: mapBy('devicePath', object({ devicePath: text }, open)), volumeMounts: mapBy('mountPath', object({ mountPath: text }, open)) }, { required: ['name'], ...open })
const podSpec = object({
  containers: mapBy('name', container), hostAliases: mapBy('ip', object({ ip: text }, open)), imagePullSecrets: mapBy('name', object({ name: text }, open)), initContainers: mapBy('name', container),
  volumes: mapBy('name', object({ name: text }, open)),
}, open)

const rules = listOf(object({ apiGroups: listOf(text), nonResourceURLs: listOf(text), resourceNames: listOf(text), resources: listOf(text), verbs: listOf(text) }, { required: ['verbs'] }))
const binding = object({
  roleRef: object({ apiGroup: text, kind: text, name: text }, { required: ['apiGroup', 'kind', 'name'], 'x-kubernetes-map-type': 'atomic' }),
  subjects: listOf(object({ apiGroup: text, kind: text, name: text, namespace: text }, { required: ['kind', 'name'], 'x-kubernetes-map-type': 'atomic' })),
}, { required: ['roleRef'] })

const names = object({ categories: listOf(text), kind: text, listKind: text, plural: text, shortNames: listOf(text), singular: text }, { required: ['plural', 'kind'] })

const schemas: Record<string, Record<string, SchemaNode>> = {
  v1: {
    Secret: object({ data: blobs, immutable: flag, stringData: texts, type: text }),
    ConfigMap: object({ binaryData: blobs, data: texts, immutable: flag }),
    Namespace: object({ spec: object({ finalizers: listOf(text) }), status: object({ conditions, phase: text }) }),
    ServiceAccount: object({
      automountServiceAccountToken: flag,
      imagePullSecrets: { ...listOf(object({ name: text }, { 'x-kubernetes-map-type': 'atomic' })), 'x-kubernetes-patch-merge-key': 'name', 'x-kubernetes-patch-strategy': 'merge' },
      secrets: mapBy('name', objectReference),
    }),
    Event: object({
      action: text, count: int32, eventTime: timeOrNull, firstTimestamp: timeOrNull, involvedObject: objectReference, lastTimestamp: timeOrNull, message: text, reason: text, related: objectReference,
      reportingComponent: text, reportingInstance: text, series: object({ count: int32, lastObservedTime: time }), source: object({ component: text, host: text }), type: text,
    }, { required: ['involvedObject'] }),
  },
  'events.k8s.io/v1': {
    Event: object({
      action: text, deprecatedCount: int32, deprecatedFirstTimestamp: timeOrNull, deprecatedLastTimestamp: timeOrNull, deprecatedSource: object({ component: text, host: text }), eventTime: timeOrNull, note: text,
      reason: text, regarding: objectReference, related: objectReference, reportingController: text, reportingInstance: text,
      series: object({ count: int32, lastObservedTime: time }, { required: ['count', 'lastObservedTime'] }), type: text,
    }),
  },
  'coordination.k8s.io/v1': {
    Lease: object({
      spec: object({ acquireTime: time, holderIdentity: text, leaseDurationSeconds: int32, leaseTransitions: int32, preferredHolder: text, renewTime: time, strategy: text }),
    }),
  },
  'rbac.authorization.k8s.io/v1': {
    ClusterRole: object({ aggregationRule: object({ clusterRoleSelectors: listOf(anything) }), rules }),
    ClusterRoleBinding: binding,
    Role: object({ rules }),
    RoleBinding: binding,
  },
  'apps/v1': {
    Deployment: object({
      spec: object({ replicas: { ...int32, default: 1 }, selector: anything, template: object({ metadata: anything, spec: podSpec }, open) }, { required: ['selector', 'template'], ...open }),
      status: object({ conditions }, open),
    }),
  },
  'apiextensions.k8s.io/v1': {
    CustomResourceDefinition: object({
      spec: object({
        conversion: object({ strategy: text, webhook: anything }, { required: ['strategy'] }),
        group: text, names, preserveUnknownFields: flag, scope: text,
        versions: listOf(object({
          additionalPrinterColumns: listOf(object({ description: text, format: text, jsonPath: text, name: text, priority: int32, type: text }, { required: ['name', 'type', 'jsonPath'] })),
          deprecated: flag, deprecationWarning: text, name: text, schema: object({ openAPIV3Schema: anything }), selectableFields: listOf(object({ jsonPath: text }, { required: ['jsonPath'] })),
          served: flag, storage: flag, subresources: object({ scale: object({ labelSelectorPath: text, specReplicasPath: text, statusReplicasPath: text }), status: anything }),
        }, { required: ['name', 'served', 'storage'] })),
      }, { required: ['group', 'names', 'scope', 'versions'] }),
      status: object({ acceptedNames: names, conditions, observedGeneration: int64, storedVersions: listOf(text) }),
    }, { required: ['spec'] }),
  },
}

/** What the Go types print also where nobody set it. */
const zeros: Record<string, JsonObject> = {
  'v1/Namespace': { spec: {}, status: {} },
  'v1/Event': { eventTime: null, firstTimestamp: null, involvedObject: {}, lastTimestamp: null, reportingComponent: '', reportingInstance: '', source: {} },
  'events.k8s.io/v1/Event': { deprecatedFirstTimestamp: null, deprecatedLastTimestamp: null, deprecatedSource: {}, eventTime: null, regarding: {} },
  'coordination.k8s.io/v1/Lease': { spec: {} },
}

const compiled = new Map<string, CompiledSchema>()

/** The schema of a built-in kind, as of `v1` and `Secret`; undefined where it is none of these. */
export function builtinSchema(apiVersion: string, kind: string): CompiledSchema | undefined {
  const id = `${apiVersion}/${kind}`
  const schema = Object.hasOwn(schemas, apiVersion) && Object.hasOwn(schemas[apiVersion]!, kind) ? schemas[apiVersion]![kind] : undefined
  if (schema !== undefined && !compiled.has(id)) compiled.set(id, compileSchema(schema, { zeros: zeros[id] ?? {} }))
  return compiled.get(id)
}

/** Every built-in kind, for who publishes their schemas. */
export const builtinKinds: readonly { apiVersion: string; kind: string }[] = Object.entries(schemas).flatMap(([apiVersion, kinds]) => Object.keys(kinds).map(kind => ({ apiVersion, kind })))
