// Makes the complaints about fields, in the words that clients know from kube-apiserver (k8s.io/apimachinery field.Error).

import { json, number, quote } from './json/gotext.ts'
import type { CauseReason, FieldError, Json } from './types.ts'

/** A value that a message does not show. */
export const omitted = Symbol('omitted')
export type Shown = Json | typeof omitted

const words: Partial<Record<CauseReason, string>> = {
  FieldValueInvalid: 'Invalid value', FieldValueTypeInvalid: 'Invalid value', FieldValueNotSupported: 'Unsupported value',
  FieldValueDuplicate: 'Duplicate value', FieldValueTooMany: 'Too many',
}

function shown(value: Json): string {
  if (typeof value === 'string') return quote(value)
  if (typeof value === 'number') return number(value)
  return json(value)
}

function withValue(reason: CauseReason, field: string, value: Shown, detail: string): FieldError {
  const head = value === omitted ? words[reason]! : `${words[reason]}: ${shown(value)}`
  return { reason, field: named(field), message: detail === '' ? head : `${head}: ${detail}` }
}
function without(reason: CauseReason, head: string, field: string, detail: string): FieldError {
  return { reason, field: named(field), message: detail === '' ? head : `${head}: ${detail}` }
}
/** A complaint about the object as a whole has no path, which Go prints so. */
const named = (field: string): string => field === '' ? '<nil>' : field
const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`

export const invalid = (field: string, value: Shown, detail: string): FieldError => withValue('FieldValueInvalid', field, value, detail)
export const typeInvalid = (field: string, value: Shown, detail: string): FieldError => withValue('FieldValueTypeInvalid', field, value, detail)
export const duplicate = (field: string, value: Shown): FieldError => withValue('FieldValueDuplicate', field, value, '')
export const required = (field: string, detail: string): FieldError => without('FieldValueRequired', 'Required value', field, detail)
export const forbidden = (field: string, detail: string): FieldError => without('FieldValueForbidden', 'Forbidden', field, detail)
export const notSupported = (field: string, value: Shown, supported: readonly Json[]): FieldError =>
  withValue('FieldValueNotSupported', field, value,
    supported.length === 0 ? '' : `supported values: ${supported.map(v => quote(typeof v === 'string' ? v : json(v))).join(', ')}`)
export const tooLong = (field: string, max: number): FieldError => without('FieldValueTooLong', 'Too long', field, `may not be more than ${plural(max, 'byte')}`)
export const tooMany = (field: string, count: number, max: number): FieldError =>
  withValue('FieldValueTooMany', field, count, `must have at most ${plural(max, 'item')}`)

/** Path of a field below another: `spec` and `cpus` make `spec.cpus`. */
export const child = (path: string, name: string): string => path === '' ? name : `${path}.${name}`
export const entry = (path: string, index: number): string => `${path}[${index}]`
export const key = (path: string, name: string): string => `${path}[${name}]`

/**
 * The message of an Invalid status: `VirtualDomain.vireo.dev "web" is invalid: …`. Equal complaints are said once; several
 * stand in brackets.
 */
export function invalidMessage(kind: string, group: string, name: string, errors: readonly FieldError[]): string {
  const sentences = [...new Set(errors.map(({ field, message }) => `${field}: ${message}`))]
  const all = sentences.length === 1 ? sentences[0]! : `[${sentences.join(', ')}]`
  return `${group === '' ? kind : `${kind}.${group}`} ${quote(name)} is invalid: ${all}`
}
