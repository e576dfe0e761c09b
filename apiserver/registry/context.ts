// What a request is about, and under which conditions it writes.

import type { ServedKind, ServedVersion, Subresource } from './kind.ts'

export interface Target {
  kind: ServedKind
  version: ServedVersion
  /** '' in the cluster scope. */
  namespace: string
  name: string
  subresource: Subresource
}

export interface WriteOptions {
  /** Field manager: from the query, else the User-Agent up to its first slash. */
  manager: string
  dryRun: boolean
  validation: 'Ignore' | 'Warn' | 'Strict'
  /** Hears what the client is to be warned of. */
  warn(text: string): void
}

export const keyOf = ({ kind, namespace, name }: Target): { resource: string; namespace: string; name: string } => ({ resource: kind.resource, namespace, name })
