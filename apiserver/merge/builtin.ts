// The schemas of the built-in kinds, as data: what they hold, and how their lists merge.

import { compileSchema } from '../schema/compile.ts'
import type { CompiledSchema, SchemaNode } from '../schema/types.ts'

const text: SchemaNode = { type: 'string' }
const flag: SchemaNode = { type: 'boolean' }
const int32: SchemaNode = { type: 'integer', format: 'int32' }
const int64: SchemaNode = { type: 'integer', format: 'int64' }
const time: SchemaNode = { type: 'string', format: 'date-time' }
const texts: SchemaNode = { type: 'object', additionalProperties: text }
const blobs: SchemaNode = { type: 'object', additionalProperties: { type: 'string', format: 'byte' } }
const anything: SchemaNode = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }

const object = (properties: Record<string, SchemaNode>, more: SchemaNode = {}): SchemaNode => ({ type: 'object', properties, ...more })
/** A struct that the API's own type always holds, be it empty. */
const struct = (properties: Record<string, SchemaNode>): SchemaNode => object(properties, { default: {} })
const listOf = (items: SchemaNode): SchemaNode => ({ type: 'array', items, 'x-kubernetes-list-type': 'atomic' })
const mapBy = (key: string, items: SchemaNode): SchemaNode => ({
  type: 'array', items, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [key],
  'x-kubernetes-patch-merge-key': key, 'x-kubernetes-patch-strategy': 'merge',
})

const objectReference = object({ apiVersion: text, fieldPath: text, kind: text, name: text, namespace: text, resourceVersion: text, uid: text }, { 'x-kubernetes-map-type': 'atomic' })
const condition = object({ lastTransitionTime: time, lastUpdateTime: time, message: text, observedGeneration: int64, reason: text, status: text, type: text }, { required: ['type', 'status'] })
const conditions = mapBy('type', condition)

const names = object({ categories: listOf(text), kind: text, listKind: text, plural: text, shortNames: listOf(text), singular: text }, { required: ['plural', 'kind'] })

const schemas: Record<string, Record<string, SchemaNode>> = {
  v1: {
    Secret: object({ data: blobs, immutable: flag, stringData: texts, type: text }),
    ConfigMap: object({ binaryData: blobs, data: texts, immutable: flag }),
    Namespace: object({ spec: struct({ finalizers: listOf(text) }), status: struct({ conditions, phase: text }) }),
    ServiceAccount: object({
      automountServiceAccountToken: flag,
      imagePullSecrets: { ...listOf(object({ name: text }, { 'x-kubernetes-map-type': 'atomic' })), 'x-kubernetes-patch-merge-key': 'name', 'x-kubernetes-patch-strategy': 'merge' },
      secrets: mapBy('name', objectReference),
    }),
    Event: object({
      action: text, count: int32, eventTime: time, firstTimestamp: time, involvedObject: { ...objectReference, default: {} }, lastTimestamp: time, message: text, reason: text, related: objectReference,
      reportingComponent: text, reportingInstance: text, series: object({ count: int32, lastObservedTime: time }), source: struct({ component: text, host: text }), type: text,
    }, { required: ['involvedObject'] }),
  },
  'events.k8s.io/v1': {
    Event: object({
      action: text, deprecatedCount: int32, deprecatedFirstTimestamp: time, deprecatedLastTimestamp: time, deprecatedSource: struct({ component: text, host: text }), eventTime: time, note: text,
      reason: text, regarding: { ...objectReference, default: {} }, related: objectReference, reportingController: text, reportingInstance: text,
      series: object({ count: int32, lastObservedTime: time }, { required: ['count', 'lastObservedTime'] }), type: text,
    }),
  },
  'coordination.k8s.io/v1': {
    Lease: object({
      spec: struct({ acquireTime: time, holderIdentity: text, leaseDurationSeconds: int32, leaseTransitions: int32, preferredHolder: text, renewTime: time, strategy: text }),
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

const compiled = new Map<string, CompiledSchema>()

/** The schema of a built-in kind, as of `v1` and `Secret`; undefined where it is none of these. */
export function builtinSchema(apiVersion: string, kind: string): CompiledSchema | undefined {
  const id = `${apiVersion}/${kind}`
  const schema = Object.hasOwn(schemas, apiVersion) && Object.hasOwn(schemas[apiVersion]!, kind) ? schemas[apiVersion]![kind] : undefined
  if (schema !== undefined && !compiled.has(id)) compiled.set(id, compileSchema(schema, { builtin: true }))
  return compiled.get(id)
}

/** Every built-in kind, for who publishes their schemas. */
export const builtinKinds: readonly { apiVersion: string; kind: string }[] = Object.entries(schemas).flatMap(([apiVersion, kinds]) => Object.keys(kinds).map(kind => ({ apiVersion, kind })))
