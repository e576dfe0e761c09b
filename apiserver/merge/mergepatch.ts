// JSON merge patch (RFC 7386).

import { isObject } from '../schema/json/equal.ts'
import { set } from '../schema/json/walk.ts'
import { PatchError } from './errors.ts'
import type { Json, JsonObject } from '../schema/types.ts'

/** Fields of the patch take the place of the object's, null removes them, objects are merged. Throws PatchError for a patch that is no object. */
export function mergePatch(object: JsonObject, patch: Json): JsonObject {
  if (!isObject(patch)) {
    const found = Array.isArray(patch) ? 'array' : patch === null ? 'null' : typeof patch === 'boolean' ? 'bool' : typeof patch
    throw new PatchError(400, `error decoding patch: json: cannot unmarshal ${found} into Go value of type map[string]interface {}`)
  }
  return mergedBy(object, patch) as JsonObject
}

/** The RFC's own function, of any two values. */
export function mergedBy(value: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch
  const merged: JsonObject = isObject(value) ? { ...value } : {}
  for (const [name, change] of Object.entries(patch)) {
    if (change === null) delete merged[name]
    else set(merged, name, mergedBy(Object.hasOwn(merged, name) ? merged[name] : undefined, change))
  }
  return merged
}
