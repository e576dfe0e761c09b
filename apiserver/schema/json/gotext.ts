// Writes values into messages as kube-apiserver's Go does: %q, %v and encoding/json.

import type { Json } from '../types.ts'

const short: Record<string, string> = { '\x07': '\\a', '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\v': '\\v', '\\': '\\\\', '"': '\\"' }
const hex = (code: number, digits: number): string => code.toString(16).padStart(digits, '0')

function escaped(char: string): string {
  const code = char.codePointAt(0)!
  return short[char] ?? (code < 0x80 ? `\\x${hex(code, 2)}` : code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`)
}

/** strconv.Quote: what cannot be printed is escaped, other characters stay. */
export const quote = (text: string): string =>
  `"${text.toWellFormed().replace(/["\\]|[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/gu, escaped)}"`

/** %v of a number: exponents below 1e-4 and from 1e21 on, of two digits at least. */
export function number(value: number): string {
  const size = Math.abs(value)
  const text = size !== 0 && size < 1e-4 ? value.toExponential() : String(value)
  return text.replace(/e([+-])(\d)$/, 'e$10$2')
}

/** encoding/json: sorted keys; <, > and & escaped. */
export const json = (value: Json): string => inOrder(sorted(value))

/** The same of a struct, whose fields have an order. */
export const inOrder = (value: Json): string => JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, char => `\\u${hex(char.codePointAt(0)!, 4)}`)

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.keys(value).toSorted(compare).map(key => [key, sorted(value[key]!)]))
}

/** Orders texts by their bytes in UTF-8, as Go does; JavaScript's own order differs beyond the basic plane only. */
export function compare(a: string, b: string): number {
  if (a === b) return 0
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) return (x >= 0xd800 && x <= 0xdfff) === (y >= 0xd800 && y <= 0xdfff) ? x - y : x >= 0xd800 && x <= 0xdfff ? 1 : -1
  }
  return a.length - b.length
}

/** Bytes of a text in UTF-8. */
export const bytes = (text: string): number => Buffer.byteLength(text)
/** Characters of a text: code points. */
export const runes = (text: string): number => {
  let count = 0
  for (const _ of text) count++
  return count
}
