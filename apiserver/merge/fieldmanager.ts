// Keeps metadata.managedFields: at an apply, which merges, and at every other write.

import { applyDefaults } from '../schema/defaults.ts'
import { equal, isObject } from '../schema/json/equal.ts'
import { compare, json, bytes } from '../schema/json/gotext.ts'
import { annotationsLimit } from '../schema/meta/validate.ts'
import { atomOf, EntryError } from './atoms.ts'
import { ConflictError } from './conflicts.ts'
import { PatchError } from './errors.ts'
import type { FieldSet } from './fieldset.ts'
import { asksForReset, decodeManaged, encodeManaged, identityOf, managedFieldsOf, ManagedFieldsError, withManagedFields, type Managed, type Ownership } from './managed.ts'
import { applyOwners, updateOwners, type ManagedKind, type Writer } from './ownership.ts'
import { shapeErrors, shapeMessage } from './shape.ts'
import { compareValues, fieldsOf } from './structured.ts'
import type { Json, JsonObject } from '../schema/types.ts'

const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'
/** Updates by more managers than this share one entry for the oldest. */
const maxUpdaters = 10

const metaOf = (object: JsonObject | undefined): JsonObject => isObject(object?.metadata) ? object.metadata : {}
const annotationsOf = (object: JsonObject): JsonObject => {
  const { annotations } = metaOf(object)
  return isObject(annotations) ? annotations : {}
}
const text = (value: Json | undefined): string => typeof value === 'string' ? value : ''
const typeOf = (object: JsonObject): string => `${text(object.apiVersion).includes('/') ? '' : '/'}${text(object.apiVersion)}, Kind=${text(object.kind)}`
const nameOf = (object: JsonObject): string => `${text(metaOf(object).namespace)}/${text(metaOf(object).name)}; ${typeOf(object)}`

/** What a kind's object is before anybody wrote to it: one of a built-in kind has what its type always prints. */
function emptyObject({ schema }: ManagedKind, { apiVersion, kind }: JsonObject): JsonObject {
  const empty = { apiVersion: apiVersion ?? '', kind: kind ?? '' }
  return schema.zeros === undefined ? empty : { ...empty, ...schema.zeros }
}

/** The managers of an object; those of one whose entries cannot be read are forgotten. */
function decodeOrForget(entries: Json | undefined): Map<string, Ownership> {
  try {
    return decodeManaged(entries)
  } catch (error) {
    if (error instanceof ManagedFieldsError) return new Map()
    throw error
  }
}

/** A client may rewrite managedFields, not forget them by leaving them out, and not through a subresource. */
function managersBefore(live: JsonObject | undefined, updated: JsonObject, writer: Writer): Map<string, Ownership> {
  const given = managedFieldsOf(updated)
  if (writer.subresource === '') {
    if (asksForReset(given)) return new Map()
    const managed = decodeOrForget(given)
    if (managed.size > 0) return managed
  }
  return decodeOrForget(managedFieldsOf(live))
}

/**
 * Create, update and the patches other than apply: the object with its managedFields brought up to date. `live` is undefined
 * where the object is made. To be called with what the client wants, before prepareCreate, prepareUpdate or prepareStatusUpdate.
 * managedFields of `[{}]` reset them: nobody is known until the next apply. Malformed ones count as absent.
 */
export function track(kind: ManagedKind, live: JsonObject | undefined, updated: JsonObject, writer: Writer): JsonObject {
  const bare = withManagedFields(updated, undefined)
  const managed = managersBefore(live, updated, writer)
  if (managed.size === 0 && live !== undefined) return bare
  const before = live === undefined ? emptyObject(kind, bare) : withManagedFields(live, undefined)
  try {
    return keepTimes(live, withManagedFields(bare, encodeManaged(capped(updateOwners(kind, before, bare, managed, writer)))))
  } catch (error) {
    if (!(error instanceof EntryError)) throw error
    // What cannot be compared by its schema, as an object of an older one, keeps the managers that it had.
    return withManagedFields(bare, managedFieldsOf(live))
  }
}

/** The oldest updates beyond the limit are one entry by version. */
function capped(managed: Managed): Managed {
  const updaters = [...managed].filter(([, { operation }]) => operation === 'Update')
  let over = updaters.length - maxUpdaters
  if (over <= 0) return managed
  const seconds = ({ time }: Ownership): number => time === undefined ? 0 : Math.floor(Date.parse(time) / 1000)
  const oldest = updaters.toSorted(([idA, a], [idB, b]) => seconds(a) - seconds(b) || compare(idA, idB))
  const next = new Map(managed)
  const first = new Map<string, string>()
  for (const [id, owner] of oldest) {
    if (over <= 0) break
    const earlier = first.get(owner.apiVersion)
    if (earlier === undefined) {
      first.set(owner.apiVersion, id)
      continue
    }
    const bucket: Ownership = { ...owner, manager: 'ancient-changes', subresource: '' }
    const bucketId = identityOf(bucket)
    const other = next.get(bucketId) ?? next.get(earlier)!
    if (!next.has(bucketId)) next.delete(earlier)
    next.delete(id)
    next.set(bucketId, { ...bucket, fields: owner.fields.union(other.fields) })
    over--
  }
  return next
}

/**
 * Server-side apply. `applied` is what the client sent, neither pruned nor defaulted; `live` is undefined where the object is made.
 * Answers the merged object with defaults and its new managedFields; where nothing changed, one that equals `live`.
 * Throws ConflictError where other managers own what is applied and `force` is false; PatchError for what does not fit the schema.
 */
export function apply(kind: ManagedKind, live: JsonObject | undefined, applied: JsonObject, writer: Writer, force: boolean): JsonObject {
  if (applied.apiVersion !== writer.apiVersion || (live !== undefined && applied.kind !== live.kind)) throw new PatchError(400, `invalid object type: ${typeOf(applied)}`)
  if (metaOf(applied).managedFields !== undefined && metaOf(applied).managedFields !== null) throw new PatchError(400, 'metadata.managedFields must be nil')
  const atom = atomOf(kind.schema.root)
  const wrong = shapeErrors(atom, applied)
  if (wrong.length > 0) throw new PatchError(500, `failed to create typed patch object (${nameOf(applied)}): ${shapeMessage(wrong)}`)
  const start = live === undefined ? emptyObject(kind, applied) : withManagedFields(live, undefined)
  const broken = shapeErrors(atom, start, true)
  if (broken.length > 0) throw new PatchError(500, `failed to create typed live object (${nameOf(start)}): ${shapeMessage(broken)}`)
  const managed = managersOf(kind, live, start, writer)
  const { object, managed: owners, changed } = applyUpgrading(kind, start, applied, managed, writer, force)
  const entries = encodeManaged(owners)
  const result = withManagedFields(changed ? applyDefaults(kind.schema, withLastApplied(object, applied, writer)) : withLastApplied(start, applied, writer), entries)
  const timed = keepTimes(live, result)
  return live !== undefined && equal(timed, live) ? live : timed
}

/** The managers before an apply: who wrote before anything was tracked is `before-first-apply`. */
function managersOf(kind: ManagedKind, live: JsonObject | undefined, start: JsonObject, writer: Writer): Managed {
  let managed: Map<string, Ownership>
  try {
    managed = decodeManaged(managedFieldsOf(live))
  } catch (error) {
    if (error instanceof ManagedFieldsError) throw new PatchError(500, `failed to decode managed fields: ${error.message}`, error)
    throw error
  }
  if (managed.size > 0 || live === undefined) return managed
  return updateOwners(kind, emptyObject(kind, start), start, managed, { ...writer, manager: 'before-first-apply' })
}

/** kubectl's own client-side apply is no stranger to its server-side apply: where only that stands against it, it takes over. */
function applyUpgrading(kind: ManagedKind, start: JsonObject, applied: JsonObject, managed: Managed, writer: Writer, force: boolean): ReturnType<typeof applyOwners> {
  try {
    return applyOwners(kind, start, applied, managed, writer, force)
  } catch (error) {
    if (!(error instanceof ConflictError) || writer.manager !== 'kubectl') throw error
    const allowed = fieldsLastApplied(kind, start, writer)
    if (allowed === undefined) throw error
    const left = error.conflicts.filter(({ path }) => !allowed.hasPath(path))
    if (left.length > 0) throw new ConflictError(left)
    return applyOwners(kind, start, applied, managed, writer, true)
  }
}

/** What the annotation of client-side apply holds and the object still has; undefined where it says nothing. */
function fieldsLastApplied(kind: ManagedKind, live: JsonObject, writer: Writer): FieldSet | undefined {
  const annotation = annotationsOf(live)[lastApplied]
  if (typeof annotation !== 'string' || annotation === '') return undefined
  try {
    const applied = JSON.parse(annotation) as Json
    if (!isObject(applied) || applied.apiVersion !== writer.apiVersion) return undefined
    const atom = atomOf(kind.schema.root)
    if (shapeErrors(atom, applied).length > 0) return undefined
    const { added, modified, removed } = compareValues(atom, applied, live)
    return fieldsOf(atom, applied).difference(modified).difference(added).difference(removed)
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof EntryError) return undefined
    throw error
  }
}

/** kubectl's annotation of client-side apply follows its server-side apply, where there is one. */
function withLastApplied(object: JsonObject, applied: JsonObject, writer: Writer): JsonObject {
  const annotations = annotationsOf(object)
  if (writer.manager !== 'kubectl' || typeof annotations[lastApplied] !== 'string' || annotations[lastApplied] === '') return object
  const { [lastApplied]: _, ...own } = annotationsOf(applied)
  const bare = { ...applied, metadata: { ...metaOf(applied), ...Object.keys(own).length > 0 ? { annotations: own } : {} } } as JsonObject
  if (Object.keys(own).length === 0) delete (bare.metadata as JsonObject).annotations
  const next: JsonObject = { ...annotations, [lastApplied]: `${json(bare)}\n` }
  const size = Object.entries(next).reduce((sum, [name, value]) => sum + bytes(name) + bytes(value as string), 0)
  if (size > annotationsLimit) delete next[lastApplied]
  return { ...object, metadata: { ...metaOf(object), annotations: next } }
}

/** The object with the old times of its managers where nothing else changed: a write that changes nothing stores nothing. */
function keepTimes(live: JsonObject | undefined, updated: JsonObject): JsonObject {
  if (live === undefined) return updated
  const [before, after] = [managedFieldsOf(live), managedFieldsOf(updated)]
  if (!Array.isArray(before) || !Array.isArray(after) || before.length !== after.length || equal(before, after)) return updated
  const timeless = (entries: Json[]): Json => entries.map(entry => isObject(entry) ? { ...entry, time: '' } : entry)
  if (!equal(timeless(before), timeless(after)) || !equal(withManagedFields(live, undefined), withManagedFields(updated, undefined))) return updated
  return withManagedFields(updated, before)
}

