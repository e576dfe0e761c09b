// What stands against an apply: fields that others own with another value, in kube-apiserver's words.

import { compare, quote } from '../schema/json/gotext.ts'
import { pathText, type Element } from './fieldset.ts'
import type { Ownership } from './managed.ts'

export interface Conflict { readonly owner: Ownership; readonly path: readonly Element[] }

/** An apply without force that other managers stand against: 409, reason Conflict. */
export class ConflictError extends Error {
  readonly code = 409
  readonly reason = 'Conflict'
  /** Of the Status's details. */
  readonly causes: readonly { reason: 'FieldManagerConflict'; message: string; field: string }[]
  /** For who applies anew; no part of the answer. */
  readonly conflicts: readonly Conflict[]

  constructor(conflicts: readonly Conflict[]) {
    super(messageOf(conflicts))
    this.conflicts = conflicts
    this.causes = conflicts.map(({ owner, path }) => ({ reason: 'FieldManagerConflict', message: `conflict with ${ownerText(owner)}`, field: pathText(path) }))
  }
}

function ownerText({ manager, subresource, operation, apiVersion }: Ownership): string {
  const named = subresource === '' ? quote(manager) : `${quote(manager)} with subresource ${quote(subresource)}`
  return operation === 'Update' ? `${named} using ${apiVersion}` : named
}

function messageOf(conflicts: readonly Conflict[]): string {
  const [first] = conflicts
  if (conflicts.length === 1 && first) return `Apply failed with 1 conflict: conflict with ${ownerText(first.owner)}: ${pathText(first.path)}`
  const byOwner = [...Map.groupBy(conflicts, ({ owner }) => ownerText(owner))].toSorted(([a], [b]) => compare(a, b))
  const lines = byOwner.flatMap(([owner, own]) => [`conflicts with ${owner}:`, ...own.map(({ path }) => `- ${pathText(path)}`)])
  return `Apply failed with ${conflicts.length} conflicts: ${lines.join('\n')}`
}
