// Checks objects that stand inside objects (x-kubernetes-embedded-resource): their type and their metadata.

import { isObject } from './json/equal.ts'
import { child, entry, invalid, key, required } from './fielderror.ts'
import { validateMeta } from './meta/validate.ts'
import { metadataProblem } from './meta/read.ts'
import { dns1035Label, pathSegment } from './meta/names.ts'
import { fieldSchema } from './json/walk.ts'
import type { FieldError, Json, JsonObject, SchemaNode } from './types.ts'

export function validateEmbedded(schema: SchemaNode | undefined, value: Json, path: string): FieldError[] {
  if (schema === undefined) return []
  if (Array.isArray(value)) return value.flatMap((item, i) => validateEmbedded(schema.items, item, entry(path, i)))
  if (!isObject(value)) return []
  return [
    ...schema['x-kubernetes-embedded-resource'] === true ? validateResource(value, path) : [],
    ...Object.entries(value).flatMap(([name, field]) =>
      validateEmbedded(fieldSchema(schema, name), field, schema.properties !== undefined && Object.hasOwn(schema.properties, name) ? child(path, name) : key(path, name))),
  ]
}

function validateResource(object: JsonObject, path: string): FieldError[] {
  const { apiVersion, kind, metadata } = object
  const meta = isObject(metadata) ? metadata : undefined
  const problem = metadataProblem(metadata)
  const named = typeof meta?.name === 'string' && meta.name !== '' ? meta : { ...meta, name: 'fakename' }
  return [
    ...apiVersion === undefined ? [required(child(path, 'apiVersion'), '')] : validateApiVersion(apiVersion, child(path, 'apiVersion')),
    ...kind === undefined ? [required(child(path, 'kind'), '')] : validateKind(kind, child(path, 'kind')),
    ...problem !== undefined ? [invalid(child(path, 'metadata'), metadata ?? null, problem)] :
      meta === undefined ? [] : validateMeta(named, typeof meta.namespace === 'string' && meta.namespace !== '', pathSegment, child(path, 'metadata')),
  ]
}

function validateApiVersion(apiVersion: Json, path: string): FieldError[] {
  if (typeof apiVersion !== 'string') return [invalid(path, apiVersion, 'must be a string')]
  if (apiVersion === '') return [invalid(path, apiVersion, 'must not be empty')]
  return apiVersion.split('/').length > 2 ? [invalid(path, apiVersion, `unexpected GroupVersion string: ${apiVersion}`)] : []
}

function validateKind(kind: Json, path: string): FieldError[] {
  if (typeof kind !== 'string') return [invalid(path, kind, 'must be a string')]
  if (kind === '') return [invalid(path, kind, 'must not be empty')]
  const wrong = dns1035Label(kind.toLowerCase())
  return wrong.length === 0 ? [] : [invalid(path, kind, `may have mixed case, but should otherwise match: ${wrong.join(',')}`)]
}
