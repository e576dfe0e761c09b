// What defines a kind: everything that its CRD, its type, its validator and its reference page are made from.

import type { TObject } from 'typebox'
import type { Resource } from './meta.ts'
import type { Rule } from './schema.ts'

/** A column of `kubectl get`; wide ones only with `-o wide`. */
export interface Column {
  name: string
  type: 'string' | 'integer' | 'boolean' | 'date'
  description: string
  jsonPath: string
  wide?: boolean
}

export interface Kind {
  resource: Resource
  singular: string
  shortNames: string[]
  /** What the kind is, in a few sentences. */
  description: string
  spec: TObject
  status: TObject
  /** Rules over self.spec and oldSelf.status, which only the root sees. */
  rules: Rule[]
  columns: Column[]
  selectableFields: string[]
}

const column = (name: string, jsonPath: string, description: string, type: Column['type'] = 'string'): Column => ({ name, type, description, jsonPath })
export const columns = {
  of: column,
  wide: (...args: Parameters<typeof column>): Column => ({ ...column(...args), wide: true }),
  ready: column('Ready', '.status.conditions[?(@.type=="Ready")].status', 'Whether the spec is in force.'),
  age: column('Age', '.metadata.creationTimestamp', 'Time since the object was created.', 'date'),
  reason: { ...column('Reason', '.status.conditions[?(@.type=="Ready")].reason', 'Why it is ready or not.'), wide: true },
  hypervisor: { ...column('Hypervisor', '.status.binding.hypervisor', 'The Hypervisor that holds it.'), wide: true },
}
