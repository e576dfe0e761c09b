// Compares JSON values.

import type { Json, JsonObject } from '../types.ts'

export const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether two values say the same; the order of keys does not matter. Undefined equals itself only. */
export function equal(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((value, i) => equal(value, b[i]))
  if (Array.isArray(b)) return false
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every(key => Object.hasOwn(b, key) && equal(a[key], b[key]))
}

/** Like equal, but absent, null, {} and [] are one, as Kubernetes compares objects semantically. */
export function equalSemantically(a: Json | undefined, b: Json | undefined): boolean {
  if (isEmpty(a) && isEmpty(b)) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || a === undefined || b === undefined) return a === b
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((value, i) => equalSemantically(value, b[i]))
  if (Array.isArray(b)) return false
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every(key => Object.hasOwn(b, key) && equalSemantically(a[key], b[key]))
}
const isEmpty = (value: Json | undefined): boolean => value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0)
