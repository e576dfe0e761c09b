// Strategic merge patch, which kubectl and client-go send for built-in kinds: lists are merged where the schema says so.

import { equal, isObject } from '../schema/json/equal.ts'
import { compare } from '../schema/json/gotext.ts'
import { fieldSchema, set } from '../schema/json/walk.ts'
import { doesNotApply, PatchError } from './errors.ts'
import type { CompiledSchema, Json, JsonObject, SchemaNode } from '../schema/types.ts'

const deleteFrom = '$deleteFromPrimitiveList/'
const elementOrder = '$setElementOrder/'
const retainKeys = '$retainKeys'
const directive = '$patch'

/** Merges a patch by the schema's x-kubernetes-patch-strategy and x-kubernetes-patch-merge-key. Throws PatchError. */
export function strategicMergePatch(schema: CompiledSchema, object: JsonObject, patch: Json): JsonObject {
  if (!isObject(patch)) throw new PatchError(400, 'error decoding patch: a strategic merge patch is an object')
  return mergeObject(schema.root, object, patch)
}

function mergeObject(schema: SchemaNode | undefined, object: JsonObject, patch: JsonObject): JsonObject {
  switch (patch[directive]) {
    case undefined: case 'merge': break
    case 'replace': return clean(patch)
    case 'delete': return {}
    default: throw new PatchError(400, `unknown patch type found: ${JSON.stringify(patch[directive])}`)
  }
  const merged: JsonObject = { ...object }
  retain(merged, patch)
  for (const [name, change] of Object.entries(patch)) {
    if (name === directive || name === retainKeys || name.startsWith(elementOrder)) continue
    if (name.startsWith(deleteFrom)) deletePrimitives(merged, name.slice(deleteFrom.length), change)
    else mergeField(schema, merged, name, change, patch[`${elementOrder}${name}`])
  }
  for (const name of Object.keys(patch)) {
    const of = name.startsWith(elementOrder) ? name.slice(elementOrder.length) : undefined
    if (of !== undefined && !Object.hasOwn(patch, of)) mergeField(schema, merged, of, [], patch[name])
  }
  return merged
}

function mergeField(schema: SchemaNode | undefined, merged: JsonObject, name: string, change: Json, order: Json | undefined): void {
  const known = fieldSchema(schema, name)
  const old = Object.hasOwn(merged, name) ? merged[name] : undefined
  if (change === null) delete merged[name]
  else if (isObject(change)) {
    const replaced = change[directive] === 'delete' ? undefined : mergesMap(known) ? mergeObject(known, isObject(old) ? old : {}, change) : clean(change)
    if (replaced === undefined) delete merged[name]
    else set(merged, name, replaced)
  } else if (Array.isArray(change)) set(merged, name, mergeList(known, Array.isArray(old) ? old : [], change, order))
  else set(merged, name, change)
}

const mergesMap = (schema: SchemaNode | undefined): boolean => schema?.['x-kubernetes-patch-strategy'] !== 'replace'

/** Fields that a patch does not retain go, of a union whose members exclude each other. */
function retain(object: JsonObject, patch: JsonObject): void {
  const names = patch[retainKeys]
  if (names === undefined) return
  if (!Array.isArray(names)) throw new PatchError(400, 'invalid patch format of retainKeys')
  for (const name of Object.keys(object)) if (!names.includes(name)) delete object[name]
}

function deletePrimitives(object: JsonObject, name: string, values: Json): void {
  if (!Array.isArray(values)) throw new PatchError(400, 'invalid patch format of primitive list')
  const list = object[name]
  if (Array.isArray(list)) object[name] = list.filter(item => !values.some(value => equal(value, item)))
}

/** What a value says, without directives: of something new. */
function clean(value: JsonObject): JsonObject {
  const cleaned: JsonObject = {}
  for (const [name, field] of Object.entries(value)) {
    if (name === directive || name === retainKeys || name.startsWith(elementOrder) || name.startsWith(deleteFrom) || field === null) continue
    set(cleaned, name, isObject(field) ? clean(field) : field)
  }
  return cleaned
}

const keyOf = (item: Json, key: string | undefined): Json | undefined => key === undefined ? item : isObject(item) ? item[key] : undefined

function mergeList(schema: SchemaNode | undefined, old: Json[], changes: Json[], order: Json | undefined): Json[] {
  if (!(schema?.['x-kubernetes-patch-strategy'] ?? '').split(',').includes('merge')) return changes.map(change => isObject(change) ? clean(change) : change)
  const key = schema?.['x-kubernetes-patch-merge-key']
  const merged = key === undefined ? [...old, ...changes.filter((change, i) => !old.some(item => equal(item, change)) && changes.findIndex(other => equal(other, change)) === i)] : mergeEntries(schema?.items, old, changes, key)
  const named = Array.isArray(order) ? order : changes
  return inOrder(merged, named.map(item => keyOf(item, key)), old.map(item => keyOf(item, key)), key)
}

/** A map as Go prints it. */
const goMap = (value: JsonObject): string => `map[${Object.keys(value).toSorted(compare).map(name => `${name}:${isObject(value[name]) ? goMap(value[name]) : JSON.stringify(value[name]).replaceAll('"', '')}`).join(' ')}]`

function mergeEntries(schema: SchemaNode | undefined, old: Json[], changes: Json[], key: string): Json[] {
  const replaces = changes.some(change => isObject(change) && change[directive] === 'replace' && Object.keys(change).length === 1)
  const merged = replaces ? [] : [...old]
  for (const change of changes) {
    if (!isObject(change)) throw doesNotApply(new TypeError('lists of lists are not supported'))
    if (change[directive] === 'replace' && Object.keys(change).length === 1) continue
    const name = change[key]
    if (name === undefined) throw new PatchError(500, `map: ${goMap(change)} does not contain declared merge key: ${key}`)
    const at = merged.findIndex(item => isObject(item) && equal(item[key], name))
    if (change[directive] === 'delete') {
      if (at >= 0) merged.splice(at, 1)
    } else if (at < 0) merged.push(clean(change))
    else merged[at] = mergeObject(schema, merged[at] as JsonObject, change)
  }
  return merged
}

/** Entries that the patch names stand in its order; the others keep their places before those that they stood before. */
function inOrder(list: Json[], order: readonly (Json | undefined)[], before: readonly (Json | undefined)[], key: string | undefined): Json[] {
  const rank = (item: Json, among: readonly (Json | undefined)[]): number => among.findIndex(named => equal(named, keyOf(item, key)))
  const named = list.filter(item => rank(item, order) >= 0).toSorted((a, b) => rank(a, order) - rank(b, order))
  const others = list.filter(item => rank(item, order) < 0)
  const result: Json[] = []
  while (named.length > 0 || others.length > 0) {
    const [next, other] = [named[0], others[0]]
    // What is new comes before what was there, unless the order says otherwise.
    if (other === undefined || (next !== undefined && rank(next, before) < rank(other, before))) result.push(named.shift()!)
    else result.push(others.shift()!)
  }
  return result
}
