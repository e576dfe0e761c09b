// Checks that lists which are sets hold no value twice, and lists which are maps no key.

import { isObject } from './json/equal.ts'
import { child, duplicate, entry, invalid, key } from './fielderror.ts'
import { json } from './json/gotext.ts'
import { mapKeys } from './correlate.ts'
import type { FieldError, Json, SchemaNode } from './types.ts'

/** Positions of values that stand for the second time; a third is not said again. */
function repeated(values: readonly Json[]): number[] {
  const times = new Map<string, number>()
  return values.flatMap((value, i) => {
    const text = json(value)
    const seen = times.get(text) ?? 0
    times.set(text, seen + 1)
    return seen === 1 ? [i] : []
  })
}

export function validateListTypes(schema: SchemaNode | undefined, value: Json, path: string): FieldError[] {
  if (schema === undefined) return []
  if (Array.isArray(value)) {
    return [...validateList(schema, value, path), ...schema.items === undefined ? [] : value.flatMap((item, i) => validateListTypes(schema.items, item, entry(path, i)))]
  }
  if (!isObject(value)) return []
  const { properties = {}, additionalProperties: others } = schema
  return Object.entries(value).flatMap(([name, field]) =>
    Object.hasOwn(properties, name) ? validateListTypes(properties[name], field, child(path, name)) :
      typeof others === 'object' ? validateListTypes(others, field, key(path, name)) : [])
}

function validateList(schema: SchemaNode, list: Json[], path: string): FieldError[] {
  if (schema['x-kubernetes-list-type'] === 'set') return repeated(list).map(i => duplicate(entry(path, i), list[i]!))
  const keys = mapKeys(schema)
  if (keys === undefined) return []
  const stranger = list.findIndex(item => item !== null && !isObject(item))
  if (stranger >= 0) return [invalid(entry(path, stranger), list[stranger]!, 'must be an object for an array of list-type map')]
  const named = list.map(item => Object.fromEntries(keys.flatMap(name => isObject(item) && Object.hasOwn(item, name) ? [[name, item[name]!] as const] : [])))
  return repeated(named).map(i => duplicate(entry(path, i), named[i]!))
}
