// Reads metadata as the API server's own type does: unknown fields and empty values fall away, wrong types are named.

import { child, entry } from '../fielderror.ts'
import { isObject } from '../json/equal.ts'
import { objectMeta } from './schema.ts'
import { compare } from '../json/gotext.ts'
import { gone, mapFields } from '../json/walk.ts'
import type { Json, JsonObject, SchemaNode } from '../types.ts'

/** Metadata without fields that it does not have, nulls and empty values; undefined stays undefined. */
export function unknownMeta(metadata: Json | undefined, path: string): { metadata: Json | undefined; unknown: string[] } {
  const unknown: string[] = []
  if (!isObject(metadata)) return { metadata: metadata ?? undefined, unknown }
  return { metadata: strip(metadata, objectMeta, path, unknown), unknown: unknown.toSorted(compare) }
}

const isEmpty = (value: Json): boolean =>
  value === null || value === '' || value === false || (typeof value === 'object' && Object.keys(value).length === 0)

function strip(object: JsonObject, schema: SchemaNode, path: string, unknown: string[]): JsonObject {
  return mapFields(object, (value, name) => {
    const known = schema.properties?.[name]
    if (known === undefined) {
      unknown.push(child(path, name))
      return gone
    }
    if (isEmpty(value) && !schema.required?.includes(name)) return name === 'controller' || name === 'blockOwnerDeletion' ? value ?? gone : gone
    if (name === 'generation' && value === 0) return gone
    const items = known.items
    if (Array.isArray(value) && items?.type === 'object') {
      const stripped = value.map((item, i) => isObject(item) ? strip(item, items, entry(child(path, name), i), unknown) : item)
      return stripped.every((item, i) => item === value[i]) ? value : stripped
    }
    return value
  })
}

const goTypes: Record<string, string> = { string: 'string', number: 'number', boolean: 'bool' }
const goType = (value: Json): string => Array.isArray(value) ? 'array' : isObject(value) ? 'object' : goTypes[typeof value] ?? 'null'
const goFields: Record<string, { of: string; list: string }> = {
  ownerReferences: { of: 'OwnerReference', list: '[]v1.OwnerReference' }, managedFields: { of: 'ManagedFieldsEntry', list: '[]v1.ManagedFieldsEntry' },
}

/** Why metadata cannot be read, in the words of Go's decoder; undefined when it can. Clients see it in a BadRequest. */
export function metadataProblem(metadata: Json | undefined): string | undefined {
  if (metadata === undefined || metadata === null) return undefined
  if (!isObject(metadata)) return `json: cannot unmarshal ${goType(metadata)} into Go value of type v1.ObjectMeta`
  return problemIn(metadata, objectMeta, 'ObjectMeta', '')
}

function problemIn(object: JsonObject, schema: SchemaNode, of: string, path: string): string | undefined {
  for (const [name, value] of Object.entries(object)) {
    const known = schema.properties?.[name]
    if (known === undefined || value === null) continue
    const at = path === '' ? name : `${path}.${name}`
    const cannot = (got: Json, type: string): string => `json: cannot unmarshal ${goType(got)} into Go struct field ${of}.${at} of type ${type}`
    if (known.format === 'date-time') {
      if (typeof value !== 'string') return `json: cannot unmarshal ${goType(value)} into Go value of type string`
      if (value !== '' && !/^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d([.]\d+)?([Zz]|[+-]\d\d:\d\d)$/.test(value)) return timeProblem(value)
    } else if (known.type === 'string' && typeof value !== 'string') return cannot(value, name === 'uid' ? 'types.UID' : 'string')
    else if (known.type === 'integer' && !Number.isInteger(value)) return typeof value === 'number' ? `json: cannot unmarshal number ${value} into Go struct field ${of}.${at} of type int64` : cannot(value, 'int64')
    else if (known.type === 'boolean' && typeof value !== 'boolean') return cannot(value, 'bool')
    else if (known.type === 'object' && known.additionalProperties !== undefined) {
      if (!isObject(value)) return cannot(value, 'map[string]string')
      const wrong = Object.values(value).find(text => typeof text !== 'string' && text !== null)
      if (wrong !== undefined) return cannot(wrong, 'string')
    } else if (known.type === 'array') {
      const list = goFields[name]
      if (!Array.isArray(value)) return cannot(value, list?.list ?? '[]string')
      for (const item of value) {
        if (list === undefined) {
          if (typeof item !== 'string' && item !== null) return cannot(item, 'string')
        } else if (!isObject(item)) {
          if (item !== null) return cannot(item, `v1.${list.of}`)
        } else {
          const inner = problemIn(item, known.items!, of, at)
          if (inner !== undefined) return inner
        }
      }
    }
  }
  return undefined
}

const timeProblem = (value: string): string =>
  `parsing time ${JSON.stringify(JSON.stringify(value))} as "\\"2006-01-02T15:04:05Z07:00\\"": cannot parse ${JSON.stringify(value)} as "2006"`
