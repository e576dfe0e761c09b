// Turns JSON into the values that rules see: typed by the schema, with only the fields that it names.

import { equal, isObject } from '../json/equal.ts'
import { json } from '../json/gotext.ts'
import { escapeName } from './names.ts'
import { celDuration } from './time.ts'
import type { Json, JsonObject, SchemaNode } from '../types.ts'

const text: SchemaNode = { type: 'string' }
/** What rules see of an object that stands in an object, and of the object itself. */
const resourceFields: Record<string, SchemaNode> = {
  apiVersion: text, kind: text, metadata: { type: 'object', properties: { name: text, generateName: text } },
}

/** The schema of a resource as rules know it: with its type and the names in its metadata. */
export function asResource(schema: SchemaNode): SchemaNode {
  let known = resources.get(schema)
  if (known === undefined) resources.set(schema, known = { ...schema, properties: { ...schema.properties, ...resourceFields } })
  return known
}
const resources = new WeakMap<SchemaNode, SchemaNode>()

const escaped = new Map<string, string | undefined>()
function identifier(name: string): string | undefined {
  if (!escaped.has(name)) escaped.set(name, escapeName(name))
  return escaped.get(name)
}

/** What was converted already, of one object that is judged: every rule at and below a place sees the same values. */
export type Converted = Map<object, { schema: SchemaNode; value: unknown }>

/**
 * A value for rules. `like` is what the value of today is where this is the old one: a set or map of the same entries
 * in another order is the same.
 */
export function toCel(value: Json, schema: SchemaNode | undefined, done: Converted, like?: Json): unknown {
  if (value === null || schema === undefined) return value === null ? null : untyped(value)
  if (typeof value === 'object') {
    const known = done.get(value)
    if (known?.schema === schema) return known.value
    const converted = Array.isArray(value) ? listToCel(value, schema, done, Array.isArray(like) ? like : undefined) :
      objectToCel(value, schema['x-kubernetes-embedded-resource'] === true ? asResource(schema) : schema, done, isObject(like) ? like : undefined)
    done.set(value, { schema, value: converted })
    return converted
  }
  if (typeof value === 'number') return schema.type === 'number' || !Number.isInteger(value) ? value : BigInt(value)
  return typeof value === 'string' ? textToCel(value, schema) : value
}

function listToCel(list: Json[], schema: SchemaNode, done: Converted, like: Json[] | undefined): unknown {
  const type = schema['x-kubernetes-list-type']
  const ordered = like !== undefined && (type === 'set' || type === 'map') && sameEntries(list, like) ? like : list
  return ordered.map(item => toCel(item, schema.items, done))
}

function objectToCel(object: JsonObject, schema: SchemaNode, done: Converted, like: JsonObject | undefined): unknown {
  const others = schema.additionalProperties
  if (others !== undefined && others !== false && schema.properties === undefined) {
    return new Map(Object.entries(object).map(([name, field]) => [name, toCel(field, others === true ? undefined : others, done, like?.[name])]))
  }
  const fields = new Map<string, unknown>()
  for (const name of Object.keys(object)) {
    const known = schema.properties !== undefined && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined
    const called = known && identifier(name)
    if (called !== undefined) fields.set(called, toCel(object[name]!, known, done, like?.[name]))
  }
  return fields
}

function textToCel(value: string, schema: SchemaNode): unknown {
  if (schema.type !== 'string') return value
  switch (schema.format?.replaceAll('-', '')) {
    case 'byte': return new Uint8Array(Buffer.from(value, 'base64'))
    case 'date': case 'datetime': {
      const time = new Date(value)
      return Number.isNaN(time.getTime()) ? value : time
    }
    case 'duration': return celDuration(value) ?? value
    default: return value
  }
}

/** Values that no schema describes. */
function untyped(value: Json): unknown {
  if (Array.isArray(value)) return value.map(untyped)
  if (isObject(value)) return new Map(Object.entries(value).map(([name, field]) => [name, untyped(field)]))
  return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : value
}

function sameEntries(a: readonly Json[], b: readonly Json[]): boolean {
  if (a.length !== b.length || equal([...a], [...b])) return false
  const sorted = (list: readonly Json[]): string[] => list.map(json).toSorted()
  const [x, y] = [sorted(a), sorted(b)]
  return x.every((entry, i) => entry === y[i])
}
