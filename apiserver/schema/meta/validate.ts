// Checks metadata: names, labels, annotations, owners, finalizers, and what of it may change.

import { isObject, equal } from '../json/equal.ts'
import { child, entry, forbidden, invalid, notSupported, required, tooLong } from '../fielderror.ts'
import { bytes, compare, quote } from '../json/gotext.ts'
import { dnsLabel, labelValue, qualifiedName, type NameRule } from './names.ts'
import type { FieldError, Json, JsonObject } from '../types.ts'

export const annotationsLimit = 256 * 1024

const text = (value: Json | undefined): string => typeof value === 'string' ? value : ''
const list = (value: Json | undefined): Json[] => Array.isArray(value) ? value : []
const map = (value: Json | undefined): JsonObject => isObject(value) ? value : {}

/** What holds of metadata at every write: `namespaced` says whether a namespace is needed or forbidden. */
export function validateMeta(meta: JsonObject, namespaced: boolean, rule: NameRule, path = 'metadata'): FieldError[] {
  const generateName = text(meta.generateName)
  const name = text(meta.name)
  return [
    ...generateName === '' ? [] : rule(generateName, true).map(says => invalid(child(path, 'generateName'), generateName, says)),
    ...name === '' ? [required(child(path, 'name'), 'name or generateName is required')] : rule(name, false).map(says => invalid(child(path, 'name'), name, says)),
    ...validateNamespace(meta, namespaced, path),
    ...validateCommon(meta, path),
  ]
}

function validateNamespace(meta: JsonObject, namespaced: boolean, path: string): FieldError[] {
  const namespace = text(meta.namespace)
  const at = child(path, 'namespace')
  if (!namespaced) return namespace === '' ? [] : [forbidden(at, 'not allowed on this type')]
  return namespace === '' ? [required(at, '')] : dnsLabel(namespace, false).map(says => invalid(at, namespace, says))
}

function validateCommon(meta: JsonObject, path: string): FieldError[] {
  const generation = meta.generation ?? 0
  return [
    ...typeof generation === 'number' && generation < 0 ? [invalid(child(path, 'generation'), generation, 'must be greater than or equal to 0')] : [],
    ...validateLabels(map(meta.labels), child(path, 'labels')),
    ...validateAnnotations(map(meta.annotations), child(path, 'annotations')),
    ...validateOwners(list(meta.ownerReferences), child(path, 'ownerReferences')),
    ...validateFinalizers(list(meta.finalizers).map(text), child(path, 'finalizers')),
    ...validateManagedFields(list(meta.managedFields), child(path, 'managedFields')),
  ]
}

const validateLabels = (labels: JsonObject, path: string): FieldError[] => Object.entries(labels).flatMap(([key, value]) => [
  ...qualifiedName(key).map(says => invalid(path, key, says)),
  ...labelValue(text(value)).map(says => invalid(path, value, says)),
])

function validateAnnotations(annotations: JsonObject, path: string): FieldError[] {
  const size = Object.entries(annotations).reduce((sum, [key, value]) => sum + bytes(key) + bytes(text(value)), 0)
  return [
    ...Object.keys(annotations).flatMap(key => qualifiedName(key.toLowerCase()).map(says => invalid(path, key, says))),
    ...size > annotationsLimit ? [tooLong(path, annotationsLimit)] : [],
  ]
}

/** An owner as the API's own type prints it, in the order of its fields. */
const ownerText = ({ apiVersion, kind, name, uid, controller, blockOwnerDeletion }: JsonObject): string => JSON.stringify({ apiVersion, kind, name, uid, controller, blockOwnerDeletion })
const verbatim = (field: string, value: string, detail: string): FieldError => ({ reason: 'FieldValueInvalid', field, message: `Invalid value: ${value}: ${detail}` })

function validateOwners(owners: Json[], path: string): FieldError[] {
  const errors: FieldError[] = []
  let controller: string | undefined
  for (const owner of owners.map(map)) {
    const kind = text(owner.kind)
    if (text(owner.apiVersion).replace(/^.*\//, '') === '') errors.push(invalid(child(path, 'apiVersion'), owner.apiVersion ?? '', 'version must not be empty'))
    for (const [field, value] of [['kind', kind], ['name', text(owner.name)], ['uid', text(owner.uid)]] as const) {
      if (value === '') errors.push(invalid(child(path, field), '', 'must not be empty'))
    }
    if (owner.apiVersion === 'v1' && kind === 'Event') errors.push(verbatim(path, ownerText(owner), '/v1, Kind=Event is disallowed from being an owner'))
    if (owner.controller === true) {
      const name = `${kind}/${text(owner.name)}`
      if (controller !== undefined) {
        errors.push(verbatim(path, `[${owners.map(map).map(ownerText).join(',')}]`, `Only one reference can have Controller set to true. Found "true" in references for ${controller} and ${name}`))
      } else controller = name
    }
  }
  return errors
}

function validateFinalizers(finalizers: string[], path: string): FieldError[] {
  const both = ['foregroundDeletion', 'orphan'].every(name => finalizers.includes(name))
  return [
    ...finalizers.flatMap(name => qualifiedName(name).map(says => invalid(path, name, says))),
    ...both ? [invalid(path, finalizers, 'finalizer orphan and foregroundDeletion cannot be both set')] : [],
  ]
}

const fieldManagerLimit = 128

/** Why a field manager's name cannot be: also of the query parameter fieldManager. */
export function validateFieldManager(manager: string, path: string): FieldError[] {
  const position = manager.search(/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u)
  const char = manager.codePointAt(position)
  return [
    ...bytes(manager) > fieldManagerLimit ? [tooLong(path, fieldManagerLimit)] : [],
    ...position < 0 || char === undefined ? [] : [invalid(path, manager, `invalid character U+${char.toString(16).toUpperCase().padStart(4, '0')} (at position ${bytes(manager.slice(0, position))})`)],
  ]
}

const validateManagedFields = (entries: Json[], path: string): FieldError[] => entries.map(map).flatMap((fields, i) => {
  const at = entry(path, i)
  const operation = text(fields.operation)
  const type = text(fields.fieldsType)
  return [
    ...operation === '' ? [required(child(at, 'operation'), 'must not be empty')] :
      ['Apply', 'Update'].includes(operation) ? [] : [notSupported(child(at, 'operation'), operation, ['Apply', 'Update'])],
    ...type !== '' && type !== 'FieldsV1' ? [invalid(child(at, 'fieldsType'), type, 'must be `FieldsV1`')] : [],
    ...validateFieldManager(text(fields.manager), child(at, 'manager')),
    ...bytes(text(fields.subresource)) > 256 ? [tooLong(child(at, 'subresource'), 256)] : [],
  ]
})

/** What may not change in metadata, and what a change must say. */
export function validateMetaUpdate(meta: JsonObject, old: JsonObject, path = 'metadata'): FieldError[] {
  const immutable = (field: string, shown: Json | undefined): FieldError[] =>
    equal(meta[field] ?? '', old[field] ?? '') ? [] : [invalid(child(path, field), shown ?? null, 'field is immutable')]
  const known = new Set(list(old.finalizers).map(text))
  const added = [...new Set(list(meta.finalizers).map(text))].filter(name => !known.has(name)).toSorted(compare)
  const generation = typeof meta.generation === 'number' ? meta.generation : 0
  return [
    ...text(old.deletionTimestamp) !== '' && added.length > 0
      ? [forbidden(child(path, 'finalizers'), `no new finalizers can be added if the object is being deleted, found new finalizers []string{${added.map(quote).join(', ')}}`)] : [],
    ...text(meta.resourceVersion) === '' ? [invalid(child(path, 'resourceVersion'), '', 'must be specified for an update')] : [],
    ...generation < (typeof old.generation === 'number' ? old.generation : 0) ? [invalid(child(path, 'generation'), generation, 'must not be decremented')] : [],
    ...immutable('name', text(meta.name)),
    ...immutable('namespace', text(meta.namespace)),
    ...immutable('uid', text(meta.uid)),
    ...immutable('creationTimestamp', meta.creationTimestamp),
    ...immutable('deletionTimestamp', meta.deletionTimestamp),
    ...immutable('deletionGracePeriodSeconds', meta.deletionGracePeriodSeconds),
    ...validateLabels(map(meta.labels), child(path, 'labels')),
    ...validateAnnotations(map(meta.annotations), child(path, 'annotations')),
    ...validateOwners(list(meta.ownerReferences), child(path, 'ownerReferences')),
    ...validateManagedFields(list(meta.managedFields), child(path, 'managedFields')),
  ]
}

const standardFinalizers = new Set(['orphan', 'foregroundDeletion', 'kubernetes'])

/** What a client is warned of: finalizers that a custom object gets and that no domain tells apart. */
export function finalizerWarnings(meta: JsonObject, old: JsonObject | undefined, path = 'metadata'): string[] {
  const known = new Set(list(old?.finalizers).map(text))
  const added = [...new Set(list(meta.finalizers).map(text))].filter(name => !known.has(name)).toSorted(compare)
  const warning = (name: string, says: string): string => `${child(path, 'finalizers')}: ${quote(name)}: ${says}`
  return added.flatMap(name => [
    ...qualifiedName(name).map(says => warning(name, says)),
    ...name.includes('/') || standardFinalizers.has(name) ? [] :
      [warning(name, `prefer a domain-qualified finalizer name ${name.includes('.') ? 'including a path (/) ' : ''}to avoid accidental conflicts with other finalizer writers`)],
  ])
}


