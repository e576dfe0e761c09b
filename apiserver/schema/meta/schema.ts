// The schema of metadata: every kind has it, and no CustomResourceDefinition describes it.

import type { SchemaNode } from '../types.ts'

const text: SchemaNode = { type: 'string' }
const integer: SchemaNode = { type: 'integer', format: 'int64' }
const flag: SchemaNode = { type: 'boolean' }
const time: SchemaNode = { type: 'string', format: 'date-time' }
const texts: SchemaNode = { type: 'object', additionalProperties: text }

const ownerReference: SchemaNode = {
  type: 'object',
  required: ['apiVersion', 'kind', 'name', 'uid'],
  'x-kubernetes-map-type': 'atomic',
  properties: { apiVersion: text, blockOwnerDeletion: flag, controller: flag, kind: text, name: text, uid: text },
}

const managedFieldsEntry: SchemaNode = {
  type: 'object',
  properties: {
    apiVersion: text, fieldsType: text, fieldsV1: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    manager: text, operation: text, subresource: text, time,
  },
}

/** metav1.ObjectMeta. */
export const objectMeta: SchemaNode = {
  type: 'object',
  properties: {
    annotations: texts,
    creationTimestamp: time,
    deletionGracePeriodSeconds: integer,
    deletionTimestamp: time,
    finalizers: { type: 'array', items: text, 'x-kubernetes-list-type': 'set', 'x-kubernetes-patch-strategy': 'merge' },
    generateName: text,
    generation: integer,
    labels: texts,
    managedFields: { type: 'array', items: managedFieldsEntry, 'x-kubernetes-list-type': 'atomic' },
    name: text,
    namespace: text,
    ownerReferences: {
      type: 'array', items: ownerReference, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['uid'],
      'x-kubernetes-patch-merge-key': 'uid', 'x-kubernetes-patch-strategy': 'merge',
    },
    resourceVersion: text,
    selfLink: text,
    uid: text,
  },
}
