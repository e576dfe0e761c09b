// Finds the schema of a field, and rebuilds values with as much shared as stays equal.

import type { Json, JsonObject, SchemaNode } from '../types.ts'

/** The schema of an object's field: its own, or the one of all other fields. */
export function fieldSchema(schema: SchemaNode | undefined, name: string): SchemaNode | undefined {
  if (schema?.properties !== undefined && Object.hasOwn(schema.properties, name)) return schema.properties[name]
  return typeof schema?.additionalProperties === 'object' ? schema.additionalProperties : undefined
}

/** A field that the result does not have. */
export const gone = Symbol('gone')

/** The object with every field replaced by what `change` answers; itself where nothing changed. */
export function mapFields(object: JsonObject, change: (value: Json, name: string) => Json | typeof gone): JsonObject {
  let changed: JsonObject | undefined
  for (const name of Object.keys(object)) {
    const before = object[name]!
    const after = change(before, name)
    if (after === before) continue
    changed ??= { ...object }
    if (after === gone) delete changed[name]
    else set(changed, name, after)
  }
  return changed ?? object
}

/** The list with every entry replaced by what `change` answers; itself where nothing changed. */
export function mapEntries(list: Json[], change: (value: Json, index: number) => Json): Json[] {
  const after = list.map(change)
  return after.every((value, i) => value === list[i]) ? list : after
}

/** Sets a field whatever its name: `__proto__` is a key like others in JSON. */
export function set(object: JsonObject, name: string, value: Json): void {
  if (name === '__proto__') Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
  else object[name] = value
}
