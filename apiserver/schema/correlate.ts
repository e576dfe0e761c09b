// Finds what a value was before a change, so that what was wrong already may stay as it is.

import { equal, isObject } from './json/equal.ts'
import { fieldSchema } from './json/walk.ts'
import type { Json, JsonObject, SchemaNode } from './types.ts'

/** A value and what it was; `old` absent is not the same as unknown: where nothing corresponds there is no pair. */
export interface Pair { readonly old: Json; readonly value: Json; readonly schema: SchemaNode | undefined }

export const pairOf = (value: Json, old: Json, schema: SchemaNode | undefined): Pair => ({ value, old, schema })
export const unchanged = (pair: Pair | undefined): boolean => pair !== undefined && equal(pair.value, pair.old)

export function pairAtField(pair: Pair | undefined, name: string): Pair | undefined {
  if (pair === undefined || !isObject(pair.value) || !isObject(pair.old)) return undefined
  const schema = fieldSchema(pair.schema, name)
  if (schema === undefined || !Object.hasOwn(pair.value, name) || !Object.hasOwn(pair.old, name)) return undefined
  return pairOf(pair.value[name]!, pair.old[name]!, schema)
}

/** Only entries of a list that is a map have an entry that they were. */
export function pairAtEntry(pair: Pair | undefined, index: number): Pair | undefined {
  if (pair === undefined || !Array.isArray(pair.value) || !Array.isArray(pair.old)) return undefined
  const keys = mapKeys(pair.schema)
  const item = pair.value[index]
  if (keys === undefined || !isObject(item)) return undefined
  const old = entryLike(pair.old, item, keys)
  return old === undefined ? undefined : pairOf(item, old, pair.schema?.items)
}

export const mapKeys = (schema: SchemaNode | undefined): readonly string[] | undefined =>
  schema?.['x-kubernetes-list-type'] === 'map' ? schema['x-kubernetes-list-map-keys'] ?? [] : undefined

/** The entry of a list that has the same keys; undefined where there is none, or more than one. */
export function entryLike(list: readonly Json[], item: JsonObject, keys: readonly string[]): JsonObject | undefined {
  const found = list.filter((other): other is JsonObject => isObject(other) && keys.every(key => equal(other[key], item[key])))
  return found.length === 1 ? found[0] : undefined
}
