// Lists in rules: sums, extremes, order, positions; and lists as sets (Kubernetes' CEL library lists, cel-go's sets).

import { durationOf, nanosOf, type Duration } from './time.ts'

export class RuleError extends Error {}

const isDuration = (value: unknown): value is Duration => typeof value === 'object' && value !== null && 'seconds' in value && 'nanos' in value

/** Three-way comparison of values of one type. Throws where they have no order. */
function compareValues(a: unknown, b: unknown): number {
  if (isDuration(a) && isDuration(b)) return Number(nanosOf(a) - nanosOf(b))
  if (a instanceof Date && b instanceof Date) return a.getTime() - b.getTime()
  const ordered = ['number', 'bigint', 'string', 'boolean']
  const numeric = (typeof a === 'number' || typeof a === 'bigint') && (typeof b === 'number' || typeof b === 'bigint')
  if (!ordered.includes(typeof a) || !(typeof a === typeof b || numeric)) throw new RuleError('no such overload')
  const [x, y] = [a as number, b as number]
  return x < y ? -1 : x > y ? 1 : 0
}

/** Equality as == has it: numbers across their types, lists and maps by what they hold. */
export function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if ((typeof a === 'number' && typeof b === 'bigint') || (typeof a === 'bigint' && typeof b === 'number')) return Number(a) === Number(b)
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((value, i) => sameValue(value, b[i]))
  if (a instanceof Map && b instanceof Map) return a.size === b.size && [...a].every(([key, value]) => b.has(key) && sameValue(value, b.get(key)))
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.from(a).equals(b)
  if (a instanceof Date && b instanceof Date) return a.getTime() === b.getTime()
  if (isDuration(a) && isDuration(b)) return nanosOf(a) === nanosOf(b)
  return typeof a === 'object' && a !== null && 'equals' in a && typeof a.equals === 'function' && typeof b === 'object' && b !== null
    && a.constructor === b.constructor && (a as { equals(other: unknown): boolean }).equals(b)
}

export function sum(list: readonly unknown[]): unknown {
  const [first] = list
  if (list.every(isDuration) && list.length > 0) return durationOf(list.reduce((total, value) => total + nanosOf(value), 0n))
  if (first === undefined) return 0n
  if (list.every(value => typeof value === 'bigint')) return list.reduce((total, value) => total + value, 0n)
  if (list.every(value => typeof value === 'number')) return list.reduce((total, value) => total + value, 0)
  throw new RuleError('no such overload')
}

export const isSorted = (list: readonly unknown[]): boolean => list.every((value, i) => i === 0 || compareValues(list[i - 1], value) <= 0)

function extreme(list: readonly unknown[], sign: 1 | -1, name: string): unknown {
  if (list.length === 0) throw new RuleError(`${name} called on empty list`)
  return list.reduce((best, value) => compareValues(value, best) * sign > 0 ? value : best)
}
export const min = (list: readonly unknown[]): unknown => extreme(list, -1, 'min')
export const max = (list: readonly unknown[]): unknown => extreme(list, 1, 'max')

export const indexOf = (list: readonly unknown[], value: unknown): bigint => BigInt(list.findIndex(other => sameValue(other, value)))
export const lastIndexOf = (list: readonly unknown[], value: unknown): bigint => BigInt(list.findLastIndex(other => sameValue(other, value)))

export const setContains = (list: readonly unknown[], part: readonly unknown[]): boolean => part.every(value => list.some(other => sameValue(other, value)))
export const setEquivalent = (a: readonly unknown[], b: readonly unknown[]): boolean => setContains(a, b) && setContains(b, a)
export const setIntersects = (a: readonly unknown[], b: readonly unknown[]): boolean => a.some(value => b.some(other => sameValue(other, value)))
