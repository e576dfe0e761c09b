// Removes what a schema does not know, and nulls that stand for nothing.

import { child, entry } from './fielderror.ts'
import { compare } from './json/gotext.ts'
import { isObject } from './json/equal.ts'
import { unknownMeta } from './meta/read.ts'
import { fieldSchema, gone, mapEntries, mapFields } from './json/walk.ts'
import type { Json, JsonObject, SchemaNode } from './types.ts'

const metaFields = new Set(['apiVersion', 'kind', 'metadata'])

/** Removes unknown fields of a whole resource; their paths are sorted, those of metadata first. */
export function pruneResource(root: SchemaNode, object: JsonObject): { object: JsonObject; unknown: string[] } {
  const unknown: string[] = []
  const pruned = prune(object, { ...root, 'x-kubernetes-embedded-resource': true }, '', unknown) as JsonObject
  const { metadata, unknown: ofMeta } = unknownMeta(pruned.metadata, 'metadata')
  return { object: metadata === pruned.metadata ? pruned : { ...pruned, metadata: metadata! }, unknown: [...ofMeta, ...unknown.toSorted(compare)] }
}

function prune(value: Json, schema: SchemaNode | undefined, path: string, unknown: string[]): Json {
  const preserving = schema?.['x-kubernetes-preserve-unknown-fields'] === true
  if (Array.isArray(value)) return mapEntries(value, (item, i) => preserving && schema.items === undefined ? item : prune(item, schema?.items, entry(path, i), unknown))
  if (!isObject(value)) return value
  const embedded = schema?.['x-kubernetes-embedded-resource'] === true
  return mapFields(value, (field, name) => {
    if (embedded && metaFields.has(name)) {
      if (name !== 'metadata' || path === '') return field
      const { metadata, unknown: ofMeta } = unknownMeta(field, child(path, name))
      unknown.push(...ofMeta)
      return metadata!
    }
    const known = fieldSchema(schema, name)
    if (known !== undefined) return prune(field, known, child(path, name), unknown)
    if (preserving || schema?.additionalProperties === true) return field
    unknown.push(child(path, name))
    return gone
  })
}

/** Removes nulls of fields that may not be null and have no default to take their place. */
export function dropNulls(value: Json, schema: SchemaNode | undefined): Json {
  if (Array.isArray(value)) return mapEntries(value, item => dropNulls(item, schema?.items))
  if (!isObject(value)) return value
  return mapFields(value, (field, name) => {
    const known = fieldSchema(schema, name)
    return field === null && known !== undefined && known.nullable !== true && known.default === undefined ? gone : dropNulls(field, known)
  })
}

/** Removes what a Go type leaves out: nulls, empty texts, lists and maps; a struct stays, also an empty one. */
export function dropEmpty(value: Json, schema: SchemaNode | undefined): Json {
  if (Array.isArray(value)) return mapEntries(value, item => dropEmpty(item, schema?.items))
  if (!isObject(value)) return value
  return mapFields(value, (field, name) => {
    const known = fieldSchema(schema, name)
    const isField = schema?.properties !== undefined && Object.hasOwn(schema.properties, name)
    if (field === null && known?.nullable !== true) return gone
    if (!isField || schema.required?.includes(name)) return dropEmpty(field, known)
    const isEmpty = field === '' || (Array.isArray(field) && field.length === 0) || (known?.additionalProperties !== undefined && isObject(field) && Object.keys(field).length === 0)
    return isEmpty ? gone : dropEmpty(field, known)
  })
}
