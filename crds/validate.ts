// Checks an object against the schema of its kind without an API server: types, bounds, unknown fields, list keys.
//
// The rules in CEL stay data beside the schema (x-kubernetes-validations): only an API server evaluates them.

import { Ajv, type AnySchemaObject, type ErrorObject, type ValidateFunction } from 'ajv'
import { objectSchema } from './crd.ts'
import type { Kind } from './kind.ts'
import { kinds } from './kinds.ts'
import { apiVersion } from './names.ts'

/** What is wrong, and where: `path` as in `spec.disks[0].name`, '' for the object itself. */
export interface Violation { path: string; message: string }

/** Keys of entries that appear twice; scalars of a set are their own key. */
function duplicates(list: unknown[], keys: readonly string[] | undefined): Set<string> {
  const seen = new Set<string>()
  const twice = new Set<string>()
  for (const entry of list) {
    const key = keys ? keys.map(k => (entry as Record<string, unknown> | null)?.[k]).join(', ') : JSON.stringify(entry)
    if (seen.has(key)) twice.add(key)
    seen.add(key)
  }
  return twice
}

interface ListSchema { 'x-kubernetes-list-map-keys'?: string[] }

function compile(kind: Kind): ValidateFunction {
  const ajv = new Ajv({
    allErrors: true,
    verbose: true,
    strictTypes: false,
    formats: { int32: true, int64: true, 'date-time': (value: string) => !Number.isNaN(Date.parse(value)) },
    keywords: ['x-kubernetes-int-or-string', 'x-kubernetes-map-type', 'x-kubernetes-preserve-unknown-fields', 'x-kubernetes-validations', 'x-kubernetes-list-map-keys'],
  })
  ajv.addKeyword({
    keyword: 'x-kubernetes-list-type',
    type: 'array',
    validate: (type: string, list: unknown[], schema?: AnySchemaObject) => type === 'atomic' || duplicates(list, schema?.['x-kubernetes-list-map-keys']).size === 0,
    errors: false,
  })
  const { properties, required } = objectSchema(kind)
  return ajv.compile({
    type: 'object',
    properties: { ...properties, spec: kind.spec, status: kind.status },
    required: [...required ?? [], 'apiVersion', 'kind', 'metadata'],
    additionalProperties: false,
  })
}

const compiled = new Map<string, ValidateFunction>()

/** `/spec/disks/0/name` → `spec.disks[0].name`. */
const fieldPath = (pointer: string): string =>
  pointer.split('/').slice(1).map(part => part.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce((path, part) => /^[0-9]+$/.test(part) ? `${path}[${part}]` : path === '' ? part : `${path}.${part}`, '')

function sentence(error: ErrorObject): string {
  const { keyword, params } = error
  const data: unknown = error.data
  const value = ['string', 'number', 'boolean'].includes(typeof data) ? `${data as string} ` : ''
  switch (keyword) {
    case 'additionalProperties': return `has no field ${params.additionalProperty}`
    case 'required': return `needs the field ${params.missingProperty}`
    case 'enum': return `${value}is none of ${(params.allowedValues as unknown[]).join(', ')}`
    case 'type':
      if (typeof data === 'boolean' && params.type === 'string') return `is the boolean ${data}, as kubectl reads on, off, yes and no: write a text in quotes`
      return data === null ? `is null: write {} for an object without settings, or leave it out` : `${value}is not of type ${params.type}`
    case 'anyOf': return data === null ? 'is null: write a value, or leave it out' : `${value}is neither a number nor a text`
    case 'maxLength': return `is longer than ${params.limit} characters`
    case 'minLength': return 'is empty'
    case 'maxItems': return `has more than ${params.limit} entries`
    case 'maxProperties': return params.limit === 0 ? 'takes no settings: write {}' : `has more than ${params.limit} entries`
    case 'minimum': return `${value}is less than ${params.limit}`
    case 'maximum': return `${value}is more than ${params.limit}`
    case 'format': return `${value}is not a ${params.format}`
    case 'x-kubernetes-list-type': {
      const keys = (error.parentSchema as ListSchema)['x-kubernetes-list-map-keys']
      return `has ${[...duplicates(data as unknown[], keys)].join('; ')} more than once${keys ? ` as ${keys.join(', ')}` : ''}`
    }
    default: return error.message ?? keyword
  }
}

/** The kind that an object says it is of. */
export function kindOf(object: unknown): Kind | undefined {
  const { apiVersion: version, kind } = (object ?? {}) as { apiVersion?: unknown; kind?: unknown }
  return version === apiVersion ? kinds.find(k => k.resource.kind === kind) : undefined
}

/** Everything that the schema of its kind refuses in an object; empty when it is well-formed. */
export function validateObject(object: unknown): Violation[] {
  const kind = kindOf(object)
  if (!kind) return [{ path: '', message: `is of no kind of ${apiVersion}: ${kinds.map(k => k.resource.kind).join(', ')}` }]
  let validate = compiled.get(kind.resource.kind)
  if (!validate) compiled.set(kind.resource.kind, validate = compile(kind))
  if (validate(object)) return []
  const errors = validate.errors ?? []
  const mistyped = new Set(errors.filter(error => error.keyword === 'type').map(error => error.instancePath))
  return errors
    // The branches of a quantity say nothing that its anyOf does not, nor does an enumeration of a wrong type.
    .filter(error => !error.schemaPath.includes('/anyOf/') && !(error.keyword === 'enum' && mistyped.has(error.instancePath)))
    .map(error => ({ path: fieldPath(error.instancePath), message: sentence(error) }))
}
