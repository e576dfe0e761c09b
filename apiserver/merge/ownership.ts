// How ownership moves at a write: who loses what changed, and who has it now.

import { atomOf } from './atoms.ts'
import { ConflictError, type Conflict } from './conflicts.ts'
import { FieldSet, fieldElement } from './fieldset.ts'
import { identityOf, type Managed, type Ownership } from './managed.ts'
import { compareValues, fieldsOf, mergeValues, removeFields, withNamedFields, type Comparison } from './structured.ts'
import { equal } from '../schema/json/equal.ts'
import type { CompiledSchema, JsonObject } from '../schema/types.ts'

/** Who makes a write. */
export interface Writer {
  /** Field manager: the query's fieldManager, else the User-Agent up to its first slash; "unknown" where it is empty. */
  readonly manager: string
  /** apiVersion of the request's URL. */
  readonly apiVersion: string
  /** '' for the object itself, 'status' for the subresource. */
  readonly subresource: string
  /** Now, as `2026-01-01T00:00:00Z`. */
  readonly time: string
}

/** What field management needs to know of a kind; ResourceRules will do. */
export interface ManagedKind { readonly schema: CompiledSchema; readonly statusSubresource: boolean }

const path = (...names: string[]): string[] => names.map(fieldElement)

/** Fields that nobody owns: they are the server's, or the object's identity. */
const ownedByNobody = FieldSet.of(...['apiVersion', 'kind', 'metadata'].map(name => path(name)),
  ...['name', 'namespace', 'creationTimestamp', 'selfLink', 'uid', 'clusterName', 'generation', 'managedFields', 'resourceVersion'].map(name => path('metadata', name)))

const status = FieldSet.of(path('status'))
const allButStatus = FieldSet.of(path('metadata'), path('spec'))

/** Fields that a write to this place leaves as they are, so that whoever sends them does not own them. */
const untouched = (kind: ManagedKind, writer: Writer): FieldSet =>
  !kind.statusSubresource ? FieldSet.empty : writer.subresource === 'status' ? allButStatus : writer.subresource === '' ? status : FieldSet.empty

const ownershipOf = (writer: Writer, operation: Ownership['operation'], fields: FieldSet): Ownership => ({
  manager: writer.manager === '' ? 'unknown' : writer.manager, operation, apiVersion: writer.apiVersion, subresource: writer.subresource, time: undefined, fields,
})

const withFields = (owner: Ownership, fields: FieldSet): Ownership => ({ ...owner, fields })
const keepOwners = (managed: Iterable<[string, Ownership]>): Map<string, Ownership> => new Map([...managed].filter(([, { fields }]) => !fields.isEmpty))

/** What changed between two objects takes its fields from everyone but the writer. Throws ConflictError unless forced. */
function moved(comparison: Comparison, managed: Managed, self: string, force: boolean): Map<string, Ownership> {
  const changed = comparison.modified.union(comparison.added)
  const conflicts: Conflict[] = []
  const next = [...managed].map(([id, owner]): [string, Ownership] => {
    if (id === self) return [id, owner]
    const taken = owner.fields.intersection(changed)
    for (const at of taken.paths()) conflicts.push({ owner, path: at })
    return [id, withFields(owner, owner.fields.difference(taken).difference(comparison.removed))]
  })
  if (!force && conflicts.length > 0) throw new ConflictError(conflicts)
  return keepOwners(next)
}

const without = (comparison: Comparison, fields: FieldSet): Comparison => fields.isEmpty ? comparison :
  { added: comparison.added.without(fields), modified: comparison.modified.without(fields), removed: comparison.removed.without(fields) }

/** An update by a writer: it owns what it changed, besides what it owned. Both objects are without managedFields. */
export function updateOwners(kind: ManagedKind, live: JsonObject, updated: JsonObject, managed: Managed, writer: Writer): Map<string, Ownership> {
  const kept = untouched(kind, writer)
  const comparison = without(compareValues(atomOf(kind.schema.root), live, updated), kept)
  const next = moved(comparison, managed, '', true)
  const fields = comparison.modified.union(comparison.added).without(kept).difference(ownedByNobody)
  // Whoever changed nothing keeps what it had, and its time.
  if (fields.isEmpty) return next
  const owner = ownershipOf(writer, 'Update', fields)
  const id = identityOf(owner)
  return next.set(id, { ...owner, fields: fields.union(next.get(id)?.fields ?? FieldSet.empty), time: writer.time })
}

/** An apply by a writer: it owns what it applied. What it alone had applied before, and now not, is removed. `live` is without managedFields. */
export function applyOwners(kind: ManagedKind, live: JsonObject, applied: JsonObject, managed: Managed, writer: Writer, force: boolean): { object: JsonObject; managed: Map<string, Ownership>; changed: boolean } {
  const atom = atomOf(kind.schema.root)
  const kept = untouched(kind, writer)
  const owner = ownershipOf(writer, 'Apply', fieldsOf(atom, applied).without(kept))
  const id = identityOf(owner)
  const last = managed.get(id)
  const claimed = new Map(managed).set(id, { ...owner, time: last?.time })
  const merged = (mergeValues(atom, live, applied) ?? {}) as JsonObject
  // What is still claimed as a whole needs no pruning.
  const object = last === undefined || last.fields.difference(owner.fields).isEmpty ? merged : pruned(kind, merged, claimed, last.fields)
  const changed = !equal(object, live)
  const next = changed ? moved(without(compareValues(atom, live, object), kept), claimed, id, force) : keepOwners(claimed)
  const fields = next.get(id)?.fields.difference(ownedByNobody) ?? FieldSet.empty
  if (fields.isEmpty) next.delete(id)
  else next.set(id, withFields(next.get(id)!, fields))
  if (changed && next.has(id)) next.set(id, { ...next.get(id)!, time: writer.time })
  return { object, managed: next, changed }
}

/** The merged object without what the applier had applied before, and nobody claims now. */
function pruned(kind: ManagedKind, merged: JsonObject, managed: Managed, last: FieldSet): JsonObject {
  const atom = atomOf(kind.schema.root)
  const named = (fields: FieldSet): FieldSet => withNamedFields(atom, fields)
  const remove = (from: JsonObject, fields: FieldSet): JsonObject => (removeFields(atom, from, fields) ?? {}) as JsonObject
  const claimed = [...managed.values()].reduce((all, { fields }) => all.union(fields), FieldSet.empty)
  const everything = named(fieldsOf(atom, merged))
  const bare = remove(merged, named(last))
  // What others claim comes back, ...
  const owned = remove(merged, everything.difference(named(fieldsOf(atom, bare)).union(named(claimed))))
  // ... and what lay below a removed field without having been the applier's.
  return remove(merged, everything.difference(named(fieldsOf(atom, owned))).intersection(named(last)))
}
