// Reads and writes metadata.managedFields: who owns which fields, since when.

import { isObject } from '../schema/json/equal.ts'
import { compare, quote } from '../schema/json/gotext.ts'
import { FieldSet } from './fieldset.ts'
import type { Json, JsonObject } from '../schema/types.ts'

type Operation = 'Apply' | 'Update'

/** One manager in one operation; immutable. */
export interface Ownership {
  readonly manager: string
  readonly operation: Operation
  readonly apiVersion: string
  readonly subresource: string
  /** RFC 3339; undefined where nobody knows. */
  readonly time: string | undefined
  readonly fields: FieldSet
}

/** Sets as they were read, and as they are written: most are written as they were read. */
const wires = new WeakMap<FieldSet, JsonObject>()
const reads = new WeakMap<JsonObject, FieldSet>()

function wireOf(fields: FieldSet): JsonObject {
  let wire = wires.get(fields)
  if (wire === undefined) wires.set(fields, wire = fields.toWire())
  return wire
}

/** Ownerships by what tells them apart: applying with another apiVersion is still the same manager. */
export type Managed = ReadonlyMap<string, Ownership>

type Identity = Pick<Ownership, 'manager' | 'operation' | 'apiVersion' | 'subresource'>

export const identityOf = ({ manager, operation, apiVersion, subresource }: Identity): string =>
  JSON.stringify([manager, operation, operation === 'Apply' ? '' : apiVersion, subresource])

const text = (value: Json | undefined): string => typeof value === 'string' ? value : ''

/** Managed fields that cannot be read. */
export class ManagedFieldsError extends Error {}

/** Throws ManagedFieldsError where an entry is malformed. */
export function decodeManaged(entries: Json | undefined): Map<string, Ownership> {
  const managed = new Map<string, Ownership>()
  for (const [i, entry] of (Array.isArray(entries) ? entries : []).entries()) {
    const { operation, apiVersion, fieldsType, fieldsV1, time } = isObject(entry) ? entry : {}
    if (operation !== 'Apply' && operation !== 'Update') throw new ManagedFieldsError('operation must be `Apply` or `Update`')
    if (text(apiVersion) === '') throw new ManagedFieldsError('apiVersion must not be empty')
    if (fieldsType !== 'FieldsV1') {
      throw new ManagedFieldsError(fieldsType === undefined || fieldsType === '' ? `missing fieldsType in managed fields entry ${i}` : `invalid fieldsType ${quote(text(fieldsType))} in managed fields entry ${i}`)
    }
    const identity = { manager: text((entry as JsonObject).manager), operation, apiVersion: text(apiVersion), subresource: text((entry as JsonObject).subresource) } as const
    managed.set(identityOf(identity), { ...identity, time: typeof time === 'string' ? time : undefined, fields: decodeFields(fieldsV1 ?? {}) })
  }
  return managed
}

function decodeFields(wire: Json): FieldSet {
  const known = isObject(wire) ? reads.get(wire) : undefined
  if (known) return known
  try {
    const fields = FieldSet.fromWire(wire)
    if (isObject(wire)) reads.set(wire, fields)
    return fields
  } catch (cause) {
    throw new ManagedFieldsError(`error decoding set: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
  }
}

/** Applies first, then the oldest first; undefined where nobody owns anything. */
export function encodeManaged(managed: Managed): Json | undefined {
  if (managed.size === 0) return undefined
  return [...managed.values()].toSorted(inOrder).map(({ manager, operation, apiVersion, subresource, time, fields }): JsonObject => ({
    ...manager === '' ? {} : { manager },
    operation,
    apiVersion,
    ...time === undefined ? {} : { time },
    fieldsType: 'FieldsV1',
    fieldsV1: wireOf(fields),
    ...subresource === '' ? {} : { subresource },
  }))
}

const seconds = (time: string | undefined): number => time === undefined ? 0 : Math.floor(Date.parse(time) / 1000)

function inOrder(a: Ownership, b: Ownership): number {
  return compare(a.operation, b.operation) || seconds(a.time) - seconds(b.time) || compare(a.manager, b.manager)
    || compare(a.apiVersion, b.apiVersion) || compare(a.subresource, b.subresource)
}

/** A list that asks to forget all managers: empty, or one empty entry. */
export const asksForReset = (entries: Json | undefined): boolean =>
  Array.isArray(entries) && (entries.length === 0 || (entries.length === 1 && isObject(entries[0]) && Object.keys(entries[0]).length === 0))

export const managedFieldsOf = (object: JsonObject | undefined): Json | undefined => isObject(object?.metadata) ? object.metadata.managedFields : undefined

/** The object with other managed fields, or with none. */
export function withManagedFields(object: JsonObject, entries: Json | undefined): JsonObject {
  const metadata = isObject(object.metadata) ? object.metadata : undefined
  if (entries === undefined) {
    if (metadata?.managedFields === undefined) return object
    const { managedFields: _, ...rest } = metadata
    return { ...object, metadata: rest }
  }
  return { ...object, metadata: { ...metadata, managedFields: entries } }
}
