// Texts in rules: what the language's own library lacks of cel-go's string extensions.

import { number } from '../json/gotext.ts'
import { RuleError } from './lists.ts'
import { durationText, nanosOf, type Duration } from './time.ts'

export function charAt(text: string, index: bigint): string {
  const chars = Array.from(text)
  if (index < 0n || index > BigInt(chars.length)) throw new RuleError(`index out of range: ${index}`)
  return chars[Number(index)] ?? ''
}

/** Replaces the first `limit` places from the left; all where it is negative. */
export function replace(text: string, from: string, to: string, limit = -1n): string {
  if (limit < 0n) return text.replaceAll(from, () => to)
  let rest = text
  let done = ''
  for (let i = 0n; i < limit; i++) {
    const at = rest.indexOf(from)
    if (at < 0) break
    done += rest.slice(0, at) + to
    rest = rest.slice(at + from.length)
  }
  return done + rest
}

export const reverse = (text: string): string => Array.from(text).toReversed().join('')

/** `%s`, `%d`, `%.2f`, `%e`, `%b`, `%x`, `%X`, `%o`, `%%`. */
export function format(pattern: string, args: readonly unknown[]): string {
  let next = 0
  const text = pattern.replaceAll(/%(?:%|(?:[.](\d+))?([sdfebxXo])|.|$)/g, (clause, precision: string | undefined, verb: string | undefined) => {
    if (clause === '%%') return '%'
    if (verb === undefined) throw new RuleError(`could not parse formatting clause: unrecognized formatting clause "${clause.slice(1)}"`)
    if (next >= args.length) throw new RuleError(`index ${next} out of range`)
    return clauseText(verb, args[next++], precision === undefined ? 6 : Number(precision))
  })
  if (next < args.length) throw new RuleError('too many arguments supplied to string.format')
  return text
}

function clauseText(verb: string, value: unknown, precision: number): string {
  switch (verb) {
    case 's': return shown(value)
    case 'd': if (typeof value === 'bigint') return value.toString(); break
    case 'f': if (isNumber(value)) return Number(value).toFixed(precision); break
    case 'e': if (isNumber(value)) return Number(value).toExponential(precision).replace(/e([+-])(\d)$/, 'e$10$2'); break
    case 'b': if (typeof value === 'bigint') return value.toString(2); if (typeof value === 'boolean') return value ? '1' : '0'; break
    case 'o': if (typeof value === 'bigint') return value.toString(8); break
    case 'x': case 'X': {
      const text = typeof value === 'bigint' ? value.toString(16) : typeof value === 'string' ? Buffer.from(value).toString('hex') :
        value instanceof Uint8Array ? Buffer.from(value).toString('hex') : undefined
      if (text !== undefined) return verb === 'X' ? text.toUpperCase() : text
    }
  }
  throw new RuleError(`error during formatting: ${verb} cannot be used on what it was given`)
}

const isNumber = (value: unknown): value is number | bigint => typeof value === 'number' || typeof value === 'bigint'

/** %s of any value: texts as they are, lists and maps as they are written. */
function shown(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return number(value)
  if (value === null) return 'null'
  if (value instanceof Date) return value.toISOString().replace(/[.]000Z$/, 'Z')
  if (Array.isArray(value)) return `[${value.map(shown).join(', ')}]`
  if (value instanceof Map) return `{${[...value].map(([key, item]) => `${shown(key)}: ${shown(item)}`).toSorted().join(', ')}}`
  if (value instanceof Uint8Array) return Buffer.from(value).toString()
  if (typeof value === 'object' && 'seconds' in value) return durationText(nanosOf(value as Duration))
  return typeof value === 'bigint' || typeof value === 'boolean' ? value.toString() : ''
}
