// Turns a kind into its CustomResourceDefinition.

import type { TSchema } from 'typebox'
import { unseen } from './common.ts'
import type { Kind } from './kind.ts'
import { category, version } from './names.ts'

/** A node of a structural schema, as apiextensions.k8s.io/v1 writes it. */
export interface SchemaNode {
  type?: string
  description?: string
  properties?: Record<string, SchemaNode>
  additionalProperties?: SchemaNode
  items?: SchemaNode
  required?: string[]
  [keyword: string]: unknown
}

/** `additionalProperties: false` is how ajv says what a structural schema says by itself: unknown fields are refused or pruned. */
function structural(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(structural)
  if (typeof schema !== 'object' || schema === null) return schema
  return Object.fromEntries(Object.entries(schema)
    .filter(([keyword, value]) => !(keyword === 'additionalProperties' && value === false) && !isEmpty(keyword, value))
    .map(([keyword, value]) => [keyword, keyword === 'default' ? value : structural(value)]))
}
/** What the API server would drop: a CRD in Git should equal the one in the cluster. */
const isEmpty = (keyword: string, value: unknown): boolean =>
  (keyword === 'required' || keyword === 'properties') && typeof value === 'object' && value !== null && Object.keys(value).length === 0
const node = (schema: TSchema): SchemaNode => structural(schema) as SchemaNode

/** The whole object's schema, from which also the validator is made. */
export function objectSchema(kind: Kind): SchemaNode {
  return {
    type: 'object',
    description: kind.description,
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string', description: 'Version of the API: group/version.' },
      kind: { type: 'string', description: 'Kind of the object.' },
      metadata: { type: 'object' },
      spec: node(kind.spec),
      status: { ...node(kind.status), default: { ...unseen } },
    },
    ...kind.rules.length > 0 ? { 'x-kubernetes-validations': kind.rules } : {},
  }
}

export interface CustomResourceDefinition {
  apiVersion: 'apiextensions.k8s.io/v1'
  kind: 'CustomResourceDefinition'
  metadata: { name: string }
  spec: Record<string, unknown>
}

export function customResourceDefinition(kind: Kind): CustomResourceDefinition {
  const { resource } = kind
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${resource.plural}.${resource.group}` },
    spec: {
      group: resource.group,
      scope: resource.namespaced ? 'Namespaced' : 'Cluster',
      names: {
        kind: resource.kind,
        listKind: `${resource.kind}List`,
        plural: resource.plural,
        singular: kind.singular,
        shortNames: kind.shortNames,
        categories: [category],
      },
      versions: [{
        name: version,
        served: true,
        storage: true,
        schema: { openAPIV3Schema: objectSchema(kind) },
        subresources: { status: {} },
        additionalPrinterColumns: kind.columns.map(({ wide, ...column }) => ({ ...column, ...wide ? { priority: 1 } : {} })),
        ...kind.selectableFields.length > 0 ? { selectableFields: kind.selectableFields.map(jsonPath => ({ jsonPath })) } : {},
      }],
    },
  }
}
