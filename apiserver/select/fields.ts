// Field selectors: `metadata.name=a,spec.x!=b`, on the fields that a kind offers for it.

import { badRequest } from '../registry/failure.ts'
import type { JsonObject } from '../schema/types.ts'
import type { Entry } from '../store/entry.ts'

interface Term { field: string; equal: boolean; value: string }

export interface FieldSelector {
  /** The one name that can match, where there is one. */
  name: string | undefined
  namespace: string | undefined
  matches(entry: Entry): boolean
}

const ANY_FIELD: FieldSelector = { name: undefined, namespace: undefined, matches: () => true }

/** Throws ApiFailure 400 for what cannot be parsed, and for fields that are not in `supported`. */
export function parseFieldSelector(text: string, supported: readonly string[], namespaced: boolean): FieldSelector {
  const terms = split(text).map(parseTerm)
  if (terms.length === 0) return ANY_FIELD
  for (const { field } of terms) {
    if (field !== 'metadata.name' && (field !== 'metadata.namespace' || !namespaced) && !supported.includes(field)) throw badRequest(`field label not supported: ${field}`)
  }
  const only = (field: string): string | undefined => terms.find(term => term.field === field && term.equal)?.value
  return {
    name: only('metadata.name'),
    namespace: only('metadata.namespace'),
    matches: entry => terms.every(({ field, equal, value }) => (fieldOf(entry, field) === value) === equal),
  }
}

/** At commas that have no backslash before them. */
function split(text: string): string[] {
  return (text.match(/(?:[^\\,]|\\.)+/g) ?? []).filter(term => term !== '')
}

function parseTerm(term: string): Term {
  const match = /^([^=!]*)(!=|==|=)(.*)$/s.exec(term)
  if (match === null) throw badRequest(`invalid selector: '${term}'; can't understand '${term}'`)
  const [, field = '', operator = '', raw = ''] = match
  if (/(?:^|[^\\])(?:\\\\)*=/.test(raw)) throw badRequest(`invalid field selector: unescaped character in "${raw}"`)
  return { field: field.trim(), equal: operator !== '!=', value: raw.replaceAll(/\\([\\,=])/g, '$1') }
}

function fieldOf(entry: Entry, field: string): string {
  if (field === 'metadata.name') return entry.name
  if (field === 'metadata.namespace') return entry.namespace
  let value: unknown = entry.object
  for (const part of field.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return ''
    value = (value as JsonObject)[part]
  }
  return typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : ''
}
