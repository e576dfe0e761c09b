// Turns JSON into the values that rules see: typed by the schema, with only the fields that it names.

import { equal, isObject } from '../equal.ts'
import { json } from '../gotext.ts'
import { escapeName } from './names.ts'
import { celDuration } from './time.ts'
import type { Json, JsonObject, SchemaNode } from '../types.ts'

const text: SchemaNode = { type: 'string' }
/** What rules see of an object that stands in an object, and of the object itself. */
const resourceFields: Record<string, SchemaNode> = {
  apiVersion: text, kind: text, metadata: { type: 'object', properties: { name: text, generateName: text } },
}

/** The schema of a resource as rules know it: with its type and the names in its metadata. */
export const asResource = (schema: SchemaNode): SchemaNode => ({ ...schema, properties: { ...schema.properties, ...resourceFields } })

const escaped = new Map<string, string | undefined>()
function identifier(name: string): string | undefined {
  if (!escaped.has(name)) escaped.set(name, escapeName(name))
  return escaped.get(name)
}

/**
 * A value for rules. `like` is what the value of today is where this is the old one: a set or map of the same entries
 * in another order is the same.
 */
export function toCel(value: Json, schema: SchemaNode | undefined, like?: Json): unknown {
  if (value === null || schema === undefined) return value === null ? null : untyped(value)
  if (Array.isArray(value)) {
    const type = schema['x-kubernetes-list-type']
    if (Array.isArray(like) && (type === 'set' || type === 'map') && sameEntries(value, like)) return like.map(item => toCel(item, schema.items))
    return value.map(item => toCel(item, schema.items))
  }
  if (isObject(value)) return objectToCel(value, schema['x-kubernetes-embedded-resource'] === true ? asResource(schema) : schema, isObject(like) ? like : undefined)
  if (typeof value === 'number') return schema.type === 'number' || !Number.isInteger(value) ? value : BigInt(value)
  return typeof value === 'string' ? textToCel(value, schema) : value
}

function objectToCel(object: JsonObject, schema: SchemaNode, like: JsonObject | undefined): unknown {
  const others = schema.additionalProperties
  if (others !== undefined && others !== false && schema.properties === undefined) {
    return new Map(Object.entries(object).map(([name, field]) => [name, toCel(field, others === true ? undefined : others, like?.[name])]))
  }
  const fields: Record<string, unknown> = Object.create(null) as Record<string, unknown>
  for (const [name, known] of Object.entries(schema.properties ?? {})) {
    if (!Object.hasOwn(object, name)) continue
    const called = identifier(name)
    if (called !== undefined) fields[called] = toCel(object[name]!, known, like?.[name])
  }
  return new Map(Object.entries(fields))
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
