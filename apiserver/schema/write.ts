// What of an object a write may change, and what the write is checked for.

import { rulesOf } from './compile.ts'
import { validateRules } from './cel/rules.ts'
import { pairOf } from './correlate.ts'
import { validateEmbedded } from './embedded.ts'
import { equal, equalSemantically, isObject } from './json/equal.ts'
import { child, invalid } from './fielderror.ts'
import { validateListTypes } from './listtype.ts'
import { validateMeta, validateMetaUpdate } from './meta/validate.ts'
import { dnsLabel, dnsSubdomain, pathSegment, type NameRule } from './meta/names.ts'
import { validateValue } from './values.ts'
import type { FieldError, Json, JsonObject, ResourceRules } from './types.ts'

const metaOf = (object: JsonObject): JsonObject => isObject(object.metadata) ? object.metadata : {}
const without = (object: JsonObject, name: string): JsonObject => {
  if (!Object.hasOwn(object, name)) return object
  const { [name]: _, ...rest } = object
  return rest
}
const withMeta = (object: JsonObject, changes: Record<string, Json | undefined>): JsonObject => {
  const metadata = Object.fromEntries(Object.entries({ ...metaOf(object), ...changes }).filter((pair): pair is [string, Json] => pair[1] !== undefined))
  return equal(metadata, object.metadata) ? object : { ...object, metadata }
}

/** What a create stores: without the status where that is a subresource, generation 1. uid, creationTimestamp and managedFields are the server's to add. */
export function prepareCreate(rules: ResourceRules, object: JsonObject): JsonObject {
  const bare = rules.statusSubresource ? without(object, 'status') : object
  return withMeta(bare, { generation: rules.hasGeneration === false ? undefined : 1, deletionTimestamp: undefined, deletionGracePeriodSeconds: undefined, selfLink: undefined })
}

/** System metadata that no write changes: what is absent or different is put back. */
function keepSystemMeta(object: JsonObject, old: JsonObject, generation: Json | undefined): JsonObject {
  const [meta, was] = [metaOf(object), metaOf(old)]
  return withMeta(object, {
    generation,
    uid: meta.uid === undefined || meta.uid === '' ? was.uid : meta.uid,
    creationTimestamp: was.creationTimestamp ?? meta.creationTimestamp,
    deletionTimestamp: was.deletionTimestamp ?? meta.deletionTimestamp,
    deletionGracePeriodSeconds: meta.deletionGracePeriodSeconds ?? was.deletionGracePeriodSeconds,
  })
}

/** What a write of the object stores: the old status where that is a subresource, the old system metadata, one generation more where anything but metadata changed. */
export function prepareUpdate(rules: ResourceRules, object: JsonObject, old: JsonObject): JsonObject {
  const next = !rules.statusSubresource ? object : Object.hasOwn(old, 'status') ? { ...object, status: old.status! } : without(object, 'status')
  const generation = metaOf(old).generation
  const changed = rules.hasGeneration !== false && !equalSemantically(without(next, 'metadata'), without(old, 'metadata'))
  return keepSystemMeta(next, old, changed ? (typeof generation === 'number' ? generation : 0) + 1 : generation)
}

/** What a write to /status stores: the old object with the new status and the new managedFields. */
export function prepareStatusUpdate(_: ResourceRules, object: JsonObject, old: JsonObject): JsonObject {
  const next = Object.hasOwn(object, 'status') ? { ...old, status: object.status! } : without(old, 'status')
  return withMeta(next, { managedFields: metaOf(object).managedFields })
}

const nameRules: Record<NonNullable<ResourceRules['names']>, NameRule> = { subdomain: dnsSubdomain, label: dnsLabel, any: pathSegment }

function validateType(rules: ResourceRules, object: JsonObject): FieldError[] {
  return [
    ...object.kind === rules.kind ? [] : [invalid('kind', object.kind ?? '', `must be ${rules.kind}`)],
    ...object.apiVersion === rules.apiVersion ? [] : [invalid('apiVersion', object.apiVersion ?? '', `must be ${rules.apiVersion}`)],
  ]
}

const blocking = new Set(['FieldValueNotSupported', 'FieldValueRequired', 'FieldValueTooLong', 'FieldValueTooMany', 'FieldValueTypeInvalid'])
const notChecked = invalid('', null, 'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation')

/** Rules are tried on objects of the right shape only. */
function withRules(rules: ResourceRules, errors: FieldError[], object: JsonObject, old: JsonObject | undefined): FieldError[] {
  const tree = rulesOf(rules.schema)
  if (tree === undefined) return errors
  if (errors.some(({ reason }) => blocking.has(reason))) return [...errors, notChecked]
  return [...errors, ...validateRules(tree, object, old, old && pairOf(object, old, rules.schema.root))]
}

/** The schema without metadata: that is checked in its own words. */
const bodyOf = (object: JsonObject): JsonObject => without(object, 'metadata')

/** Everything wrong with a new object; empty when it is accepted. */
export function validateCreate(rules: ResourceRules, object: JsonObject): FieldError[] {
  const { root } = rules.schema
  const ofType = validateType(rules, object)
  const errors = ofType.length > 0 ? withRules(rules, [...ofType, ...shape(rules, object)], object, undefined) : withRules(rules, [
    ...validateMeta(metaOf(object), rules.namespaced, nameRules[rules.names ?? 'subdomain']),
    ...validateValue(root, bodyOf(object), ''),
    ...shape(rules, object),
  ], object, undefined)
  const all = [...errors, ...rules.also?.(object, undefined) ?? []]
  return all.length > 0 ? all : validateMeta(metaOf(object), rules.namespaced, pathSegment)
}

const shape = (rules: ResourceRules, object: JsonObject): FieldError[] =>
  [...validateEmbedded(rules.schema.root, bodyOf(object), ''), ...validateListTypes(rules.schema.root, bodyOf(object), '')]

/** Lists that held something twice before may go on doing so. */
const listErrors = (rules: ResourceRules, object: JsonObject, old: JsonObject): FieldError[] => {
  const errors = validateListTypes(rules.schema.root, bodyOf(object), '')
  return errors.length > 0 && validateListTypes(rules.schema.root, bodyOf(old), '').length === 0 ? errors : []
}

/** Everything wrong with a change: also immutable metadata and transition rules. What was wrong before and did not change is let through. */
export function validateUpdate(rules: ResourceRules, object: JsonObject, old: JsonObject): FieldError[] {
  const { root } = rules.schema
  const ofType = validateType(rules, object)
  const ofMeta = validateMetaUpdate(metaOf(object), metaOf(old))
  return [
    ...validateMeta(metaOf(object), rules.namespaced, pathSegment),
    ...ofMeta,
    ...withRules(rules, [
      ...ofType.length > 0 ? ofType : [...ofMeta, ...validateValue(root, bodyOf(object), '', pairOf(bodyOf(object), bodyOf(old), root))],
      ...validateEmbedded(root, bodyOf(object), ''),
      ...listErrors(rules, object, old),
    ], object, old),
    ...rules.also?.(object, old) ?? [],
  ]
}

/** The same of a write to /status. */
export function validateStatusUpdate(rules: ResourceRules, object: JsonObject, old: JsonObject): FieldError[] {
  const { root } = rules.schema
  const ofType = validateType(rules, object)
  const ofMeta = validateMetaUpdate(metaOf(object), metaOf(old))
  const schema = root.properties?.status
  const ofStatus = schema === undefined || !Object.hasOwn(object, 'status') ? [] :
    validateValue(schema, object.status!, '', Object.hasOwn(old, 'status') ? pairOf(object.status!, old.status!, schema) : undefined)
      .map(error => ({ ...error, field: error.field === '<nil>' ? 'status' : child('status', error.field) }))
  return [
    ...validateMeta(metaOf(object), rules.namespaced, pathSegment),
    ...ofMeta,
    ...withRules(rules, [...ofType.length > 0 ? ofType : [...ofMeta, ...ofStatus], ...listErrors(rules, object, old)], object, old),
    ...rules.also?.(object, old) ?? [],
  ]
}
