// Makes a schema ready: checks that it is structural, describes metadata, compiles the rules.

import { ruleErrors, rulesIn, type RuleTree } from './cel/rules.ts'
import { forbidden, invalid, required } from './fielderror.ts'
import { objectMeta } from './metaschema.ts'
import { regex } from './regex.ts'
import { validateValue } from './values.ts'
import type { CompiledSchema, FieldError, SchemaNode } from './types.ts'

const text: SchemaNode = { type: 'string' }
const place = 'openAPIV3Schema'

/**
 * Compiles `openAPIV3Schema`; metadata, apiVersion and kind need not be described. Cheap: rules are compiled when they are
 * needed first. `builtin`: for the API's own kinds. A schema that nobody has checked: see checkSchema.
 */
export function compileSchema(openAPIV3Schema: SchemaNode, { builtin = false } = {}): CompiledSchema {
  const { properties = {} } = openAPIV3Schema
  const root: SchemaNode = {
    ...openAPIV3Schema,
    properties: { ...properties, apiVersion: properties.apiVersion ?? text, kind: properties.kind ?? text, metadata: { ...objectMeta, description: properties.metadata?.description } },
  }
  return { root, rules: rulesIn(openAPIV3Schema, place), builtin }
}

/** Why a schema cannot serve: what is not structural, and rules that do not compile. Fields begin with `openAPIV3Schema`, as below spec.versions[].schema. */
export function checkSchema(openAPIV3Schema: SchemaNode): FieldError[] {
  const errors = check(openAPIV3Schema, place, true)
  return errors.length > 0 ? errors : ruleErrors(rulesIn(openAPIV3Schema, place))
}

export const rulesOf = (schema: CompiledSchema): RuleTree | undefined => schema.rules as RuleTree | undefined

const types = new Set(['object', 'array', 'string', 'integer', 'number', 'boolean'])

function check(node: SchemaNode, place: string, isRoot: boolean): FieldError[] {
  const at = (name: string): string => `${place}.${name}`
  const { type, items, properties, additionalProperties: others, pattern } = node
  const untyped = node['x-kubernetes-int-or-string'] === true || node['x-kubernetes-preserve-unknown-fields'] === true
  const errors: FieldError[] = []
  if (type === undefined && !untyped) errors.push(required(at('type'), `must not be empty for specified ${isRoot ? 'root' : 'object fields'}`))
  if (type !== undefined && !types.has(type)) errors.push(invalid(at('type'), type, 'must be one of: array, boolean, integer, number, object, string'))
  if (isRoot && type !== undefined && type !== 'object') errors.push(invalid(at('type'), type, 'must be object at the root'))
  if (type === 'array' && items === undefined) errors.push(required(at('items'), 'must be specified'))
  if (properties !== undefined && others !== undefined && others !== false) errors.push(forbidden(at('additionalProperties'), 'must not be used with properties'))
  if (node['x-kubernetes-list-type'] === 'map' && (node['x-kubernetes-list-map-keys'] ?? []).length === 0) {
    errors.push(required(at('x-kubernetes-list-map-keys'), 'must not be empty if x-kubernetes-list-type is map'))
  }
  if (pattern !== undefined) errors.push(...patternErrors(pattern, at('pattern')))
  if (node.default !== undefined && node.default !== null) {
    errors.push(...validateValue(node, node.default, '').map(error => ({ ...error, field: error.field === '<nil>' ? at('default') : `${at('default')}.${error.field}` })))
  }
  return [
    ...errors,
    ...Object.entries(properties ?? {}).flatMap(([name, inner]) => isRoot && name === 'metadata' ? [] : check(inner, at(`properties[${name}]`), false)),
    ...items === undefined ? [] : check(items, at('items'), false),
    ...typeof others === 'object' ? check(others, at('additionalProperties'), false) : [],
  ]
}

function patternErrors(pattern: string, field: string): FieldError[] {
  try {
    regex(pattern)
    return []
  } catch (error) {
    return [invalid(field, pattern, `must be a valid regular expression, but isn't: ${error instanceof Error ? error.message : String(error)}`)]
  }
}
