// Fills in what a schema gives by default.

import { isObject } from './equal.ts'
import { mapEntries, mapFields, set } from './walk.ts'
import type { Json, JsonObject, SchemaNode } from './types.ts'

const takesDefault = (value: Json, schema: SchemaNode | undefined): schema is SchemaNode => value === null && schema !== undefined && schema.nullable !== true

/** Defaults take the place of absent fields, and of nulls where null is no value. What a default holds gets its own defaults too. */
export function fillDefaults(value: Json, schema: SchemaNode | undefined): Json {
  if (schema === undefined || !mayDefault(schema)) return value
  if (Array.isArray(value)) {
    return mapEntries(value, item => fillDefaults(takesDefault(item, schema.items) ? schema.items?.default ?? null : item, schema.items))
  }
  if (!isObject(value)) return value
  const properties = schema.properties ?? {}
  let filled: JsonObject | undefined
  for (const [name, { default: given, nullable }] of Object.entries(properties)) {
    if (given === undefined || given === null) continue
    if (!Object.hasOwn(value, name) || (value[name] === null && nullable !== true)) set(filled ??= { ...value }, name, given)
  }
  const others = typeof schema.additionalProperties === 'object' ? schema.additionalProperties : undefined
  return mapFields(filled ?? value, (field, name) => {
    if (Object.hasOwn(properties, name)) return fillDefaults(field, properties[name])
    return fillDefaults(takesDefault(field, others) ? others?.default ?? null : field, others)
  })
}

const known = new WeakMap<SchemaNode, boolean>()

/** Whether the schema or one below it has a default: most branches have none and need no walk. */
function mayDefault(schema: SchemaNode): boolean {
  let answer = known.get(schema)
  if (answer === undefined) {
    const { properties, items, additionalProperties: others } = schema
    answer = [...Object.values(properties ?? {}), ...items ? [items] : [], ...typeof others === 'object' ? [others] : []]
      .some(node => (node.default !== undefined && node.default !== null) || mayDefault(node))
    known.set(schema, answer)
  }
  return answer
}
