// Fills in what a schema gives by default.

import { isObject } from './json/equal.ts'
import { mapEntries, set } from './json/walk.ts'
import type { CompiledSchema, Json, JsonObject, SchemaNode } from './types.ts'

/** What of a schema has defaults: most branches have none and need no walk. */
interface Plan {
  /** Fields that are filled in. */
  readonly given: readonly { name: string; value: Json; nullable: boolean }[]
  /** Fields below which something may be filled in. */
  readonly inside: readonly { name: string; schema: SchemaNode }[]
  /** The schema of the fields that have none of their own, or of a list's entries, where there may be something to fill in. */
  readonly others: SchemaNode | undefined
  readonly items: SchemaNode | undefined
  readonly isEmpty: boolean
}

const plans = new WeakMap<SchemaNode, Plan>()
const has = (schema: SchemaNode): boolean => (schema.default !== undefined && schema.default !== null) || !planOf(schema).isEmpty

function planOf(schema: SchemaNode): Plan {
  const known = plans.get(schema)
  if (known) return known
  const properties = Object.entries(schema.properties ?? {})
  const given = properties.flatMap(([name, { default: value, nullable }]) => value === undefined || value === null ? [] : [{ name, value, nullable: nullable === true }])
  const inside = properties.flatMap(([name, inner]) => planOf(inner).isEmpty ? [] : [{ name, schema: inner }])
  const others = typeof schema.additionalProperties === 'object' && has(schema.additionalProperties) ? schema.additionalProperties : undefined
  const items = schema.items !== undefined && has(schema.items) ? schema.items : undefined
  const plan: Plan = { given, inside, others, items, isEmpty: given.length === 0 && inside.length === 0 && others === undefined && items === undefined }
  plans.set(schema, plan)
  return plan
}

/** Fills in defaults: for absent fields, and for nulls of fields that are not nullable; and what a built-in kind always has. */
export function applyDefaults({ root, zeros }: CompiledSchema, object: JsonObject): JsonObject {
  const filled = fillDefaults(object, root) as JsonObject
  const missing = Object.keys(zeros ?? {}).filter(name => !Object.hasOwn(filled, name))
  return missing.length === 0 ? filled : { ...filled, ...Object.fromEntries(missing.map(name => [name, zeros![name]!])) }
}

/** Defaults take the place of absent fields, and of nulls where null is no value. What a default holds gets its own defaults too. */
function fillDefaults(value: Json, schema: SchemaNode | undefined): Json {
  if (schema === undefined || typeof value !== 'object' || value === null) return value
  const plan = planOf(schema)
  if (plan.isEmpty) return value
  if (Array.isArray(value)) return plan.items === undefined ? value : mapEntries(value, item => fillEntry(item, plan.items!))
  return isObject(value) ? fillObject(value, schema, plan) : value
}

const fillEntry = (value: Json, schema: SchemaNode): Json => fillDefaults(value === null && schema.nullable !== true ? schema.default ?? null : value, schema)

function fillObject(object: JsonObject, schema: SchemaNode, { given, inside, others }: Plan): JsonObject {
  let filled = object
  const put = (name: string, value: Json): void => {
    if (filled === object) filled = { ...object }
    set(filled, name, value)
  }
  for (const { name, value, nullable } of given) if (!Object.hasOwn(object, name) || (object[name] === null && !nullable)) put(name, value)
  for (const { name, schema: inner } of inside) {
    if (!Object.hasOwn(filled, name)) continue
    const value = fillDefaults(filled[name]!, inner)
    if (value !== filled[name]) put(name, value)
  }
  if (others === undefined) return filled
  for (const [name, field] of Object.entries(object)) {
    if (schema.properties !== undefined && Object.hasOwn(schema.properties, name)) continue
    const value = fillEntry(field, others)
    if (value !== field) put(name, value)
  }
  return filled
}
