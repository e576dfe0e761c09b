// Checks the schema of a definition before it is served: whether it is structural, and its rules compile (apiextensions.k8s.io/v1).

import { ruleErrors } from './cel/typecheck.ts'
import { isObject } from './json/equal.ts'
import { child, entry, forbidden, invalid, key, notSupported, required } from './fielderror.ts'
import { regex } from './regex.ts'
import { fieldSchema } from './json/walk.ts'
import { validateValue } from './values.ts'
import type { FieldError, Json, SchemaNode } from './types.ts'

type Level = 'root' | 'item' | 'field'

/** Where a node stands, and the list above it whose entries have no past. */
interface Standing { readonly level: Level; readonly uncorrelatable: string | undefined }

/**
 * Why a schema cannot serve. `place` leads to it in the definition: `spec.validation.openAPIV3Schema` where all versions have
 * one schema, else `spec.versions[i].schema.openAPIV3Schema`. Rules are compiled where nothing else is wrong.
 */
export function checkSchema(schema: SchemaNode, place = 'openAPIV3Schema', { statusSubresource = false } = {}): FieldError[] {
  const root: Standing = { level: 'root', uncorrelatable: undefined }
  const { type } = schema
  const errors = [
    ...statusSubresource && type !== undefined && type !== 'object' ? [invalid(child(place, 'type'), type, 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled')] : [],
    ...walk(schema, place, root, nodeErrors),
  ]
  return errors.length > 0 ? errors : walk(schema, place, root, (node, place, { level, uncorrelatable }) =>
    ruleErrors(node, place, { isResource: level === 'root' || node['x-kubernetes-embedded-resource'] === true, uncorrelatable }))
}

function walk(node: SchemaNode, place: string, standing: Standing, see: (node: SchemaNode, place: string, standing: Standing) => FieldError[]): FieldError[] {
  const { items, properties, additionalProperties: others } = node
  const inList = items === undefined || node['x-kubernetes-list-type'] === 'map' ? standing.uncorrelatable : place
  const skipped = standing.level === 'root' ? 'metadata' : undefined
  return [
    ...see(node, place, standing),
    ...items === undefined ? [] : walk(items, child(place, 'items'), { level: 'item', uncorrelatable: inList }, see),
    ...Object.entries(properties ?? {}).flatMap(([name, inner]) => name === skipped ? [] : walk(inner, key(child(place, 'properties'), name), { ...standing, level: 'field' }, see)),
    ...typeof others === 'object' ? walk(others, child(place, 'additionalProperties'), { ...standing, level: 'field' }, see) : [],
  ]
}

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string']
const ofLevel: Record<Level, string> = { root: 'at the root', item: 'for specified array items', field: 'for specified object fields' }

function nodeErrors(node: SchemaNode, place: string, { level }: Standing): FieldError[] {
  const at = (name: string): string => child(place, name)
  const { type, items, properties, additionalProperties: others } = node
  const preserves = node['x-kubernetes-preserve-unknown-fields'] === true
  const isIntOrString = node['x-kubernetes-int-or-string'] === true
  return [
    ...type === undefined && !isIntOrString && !preserves ? [required(at('type'), `must not be empty ${ofLevel[level]}`)] : [],
    ...type !== undefined && !types.includes(type) ? [notSupported(at('type'), type, types)] : [],
    ...level === 'root' && type !== undefined && type !== 'object' ? [invalid(at('type'), type, 'must be object at the root')] : [],
    ...type === 'array' && items === undefined ? [required(at('items'), 'must be specified')] : [],
    ...others !== undefined && Object.keys(properties ?? {}).length > 0 && others !== true ? [forbidden(at('additionalProperties'), 'additionalProperties and properties are mutual exclusive')] : [],
    ...others !== undefined && level === 'root' ? [forbidden(at('additionalProperties'), 'must not be used at the root')] : [],
    ...node.uniqueItems === true ? [forbidden(at('uniqueItems'), 'uniqueItems cannot be set to true since the runtime complexity becomes quadratic')] : [],
    ...isIntOrString && preserves ? [invalid(at('x-kubernetes-preserve-unknown-fields'), true, 'must be false if x-kubernetes-int-or-string is true')] : [],
    ...embeddedErrors(node, at),
    ...listErrors(node, at),
    ...ruleTextErrors(node, at),
    ...node.pattern === undefined ? [] : patternErrors(node.pattern, at('pattern')),
    ...node.default === undefined || node.default === null ? [] : defaultErrors(node, node.default, at('default')),
  ]
}

function embeddedErrors(node: SchemaNode, at: (name: string) => string): FieldError[] {
  const { type, properties = {} } = node
  if (node['x-kubernetes-embedded-resource'] !== true) return []
  return [
    ...type === 'object' ? [] : [type === undefined ? required(at('type'), 'must be object if x-kubernetes-embedded-resource is true') : invalid(at('type'), type, 'must be object if x-kubernetes-embedded-resource is true')],
    ...node['x-kubernetes-preserve-unknown-fields'] === true || Object.keys(properties).length > 0 ? [] :
      [required(at('properties'), 'must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields')],
  ]
}

function listErrors(node: SchemaNode, at: (name: string) => string): FieldError[] {
  const { type, items } = node
  const [listType, mapType] = [node['x-kubernetes-list-type'], node['x-kubernetes-map-type']]
  const keys = node['x-kubernetes-list-map-keys'] ?? []
  const wrongType = (wanted: 'array' | 'object', of: string): FieldError[] => type === wanted ? [] :
    [type === undefined ? required(at('type'), `must be ${wanted} if ${of} is specified`) : invalid(at('type'), type, `must be ${wanted} if ${of} is specified`)]
  return [
    ...mapType === undefined ? [] : wrongType('object', 'x-kubernetes-map-type'),
    ...mapType === undefined || ['atomic', 'granular'].includes(mapType) ? [] : [notSupported(at('x-kubernetes-map-type'), mapType, ['atomic', 'granular'])],
    ...listType === undefined ? [] : wrongType('array', 'x-kubernetes-list-type'),
    ...listType === 'set' && items?.type === 'object' && items['x-kubernetes-map-type'] !== 'atomic'
      ? [invalid(child(at('items'), 'x-kubernetes-map-type'), null, 'must be atomic as item of a list with x-kubernetes-list-type=set')] : [],
    ...listType === 'set' && items?.type === 'array' && ![undefined, 'atomic'].includes(items['x-kubernetes-list-type'])
      ? [invalid(child(at('items'), 'x-kubernetes-list-type'), items['x-kubernetes-list-type'] ?? null, 'must be atomic as item of a list with x-kubernetes-list-type=set')] : [],
    ...listType === undefined || ['atomic', 'set', 'map'].includes(listType) ? [] : [notSupported(at('x-kubernetes-list-type'), listType, ['atomic', 'set', 'map'])],
    ...keys.length > 0 && listType !== 'map' ? [listType === undefined ? required(at('x-kubernetes-list-type'), 'must be map if x-kubernetes-list-map-keys is non-empty') :
      invalid(at('x-kubernetes-list-type'), listType, 'must be map if x-kubernetes-list-map-keys is non-empty')] : [],
    ...listType === 'map' ? keyErrors(node, keys, at) : [],
  ]
}

function keyErrors({ items }: SchemaNode, keys: readonly string[], at: (name: string) => string): FieldError[] {
  const all = [...keys]
  if (keys.length === 0) return [required(at('x-kubernetes-list-map-keys'), 'must not be empty if x-kubernetes-list-type is map'), ...items === undefined ? [required(at('items'), 'must have a schema if x-kubernetes-list-type is map')] : []]
  if (items === undefined) return [required(at('items'), 'must have a schema if x-kubernetes-list-type is map')]
  if (items.type !== 'object') return [invalid(child(at('items'), 'type'), items.type ?? '', "must be object if parent array's x-kubernetes-list-type is map")]
  return keys.flatMap((name, i) => {
    const known = items.properties !== undefined && Object.hasOwn(items.properties, name) ? items.properties[name]! : undefined
    const property = key(child(at('items'), 'properties'), name)
    return [
      ...known === undefined ? [invalid(at('x-kubernetes-list-map-keys'), all, 'entries must all be names of item properties')] : [],
      ...known?.type === 'array' || known?.type === 'object' ? [invalid(child(property, 'type'), items.type!, "must be a scalar type if parent array's x-kubernetes-list-type is map")] : [],
      ...keys.indexOf(name) < i ? [invalid(at('x-kubernetes-list-map-keys'), all, 'must not contain duplicate entries')] : [],
      ...known !== undefined && !items.required?.includes(name) && known.default === undefined
        ? [required(child(property, 'default'), 'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property')] : [],
      ...known?.nullable === true ? [forbidden(child(property, 'nullable'), 'this property is in x-kubernetes-list-map-keys, so it cannot be nullable')] : [],
    ]
  })
}

const reasons = ['FieldValueRequired', 'FieldValueForbidden', 'FieldValueInvalid', 'FieldValueDuplicate']

/** What is wrong with rules without compiling them. */
function ruleTextErrors(node: SchemaNode, at: (name: string) => string): FieldError[] {
  return (node['x-kubernetes-validations'] ?? []).flatMap(({ rule, message = '', messageExpression = '', reason }, i) => {
    const place = entry(at('x-kubernetes-validations'), i)
    return [
      ...rule.trim() === '' ? [required(child(place, 'rule'), 'rule is not specified')] :
        message !== '' && message.trim() === '' ? [invalid(child(place, 'message'), message, 'must be non-empty if specified')] :
          message.trim().includes('\n') ? [invalid(child(place, 'message'), message, 'must not contain line breaks')] :
            rule.trim().includes('\n') && message.trim() === '' ? [required(child(place, 'message'), 'message must be specified if rule contains line breaks')] : [],
      ...messageExpression !== '' && messageExpression.trim() === '' ? [required(child(place, 'messageExpression'), 'messageExpression must be non-empty if specified')] : [],
      ...reason === undefined || reasons.includes(reason) ? [] : [notSupported(child(place, 'reason'), reason, reasons.toSorted())],
    ]
  })
}

function patternErrors(pattern: string, field: string): FieldError[] {
  try {
    regex(pattern)
    return []
  } catch (error) {
    return [invalid(field, pattern, `must be a valid regular expression, but isn't: ${error instanceof Error ? error.message : String(error)}`)]
  }
}

/** A default is a value like others, and holds no unknown field. */
function defaultErrors(node: SchemaNode, value: Json, field: string): FieldError[] {
  const unknown = unknownIn(node, value, '')
  if (unknown.length > 0) return [invalid(field, value, 'must not have unknown fields')]
  return validateValue(node, value, '').map(error => ({ ...error, field: error.field === '<nil>' ? field : child(field, error.field) }))
}

function unknownIn(schema: SchemaNode | undefined, value: Json, path: string): string[] {
  if (schema === undefined || schema['x-kubernetes-preserve-unknown-fields'] === true) return []
  if (Array.isArray(value)) return value.flatMap((item, i) => unknownIn(schema.items, item, entry(path, i)))
  if (!isObject(value)) return []
  return Object.entries(value).flatMap(([name, field]) => {
    const known = fieldSchema(schema, name)
    return known === undefined && schema.additionalProperties !== true ? [child(path, name)] : unknownIn(known, field, child(path, name))
  })
}
