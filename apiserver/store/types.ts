// The shapes that the store's parts hand to each other: keys, versions, writes and what became of them.

/** `resource` is `plural.group` (or `plural` in the core group); `namespace` is '' in the cluster scope. */
export interface Key { resource: string; namespace: string; name: string }

/** One change of one object. The value of a deletion is the object's last state. */
export interface Write extends Key {
  /** Chosen by the one writer, larger than every one before. */
  revision: number
  /** The revision this replaces; 0 where there must be no such object. */
  expected: number
  deleted: boolean
  /** JSON, UTF-8. */
  value: Uint8Array
  /** Milliseconds since the epoch; history is kept by it. */
  time: number
}

/** An object as one revision left it. */
export interface Version extends Key {
  revision: number
  deleted: boolean
  value: Uint8Array
}

/** A version with what it replaced; without one it was the object's first, or its first after a deletion. */
export interface HistoryChange extends Version { previous?: { revision: number; value: Uint8Array } }

/** Undefined: the write is on the disk. */
export type Outcome = { error?: { code: 'Full' | 'Failed' | 'Conflict'; message: string } }

/** A page of a list as it was at `revision`: objects behind `after` in the order of namespace and name. */
export interface PageQuery { resource: string; namespace?: string; revision: number; after?: { namespace: string; name: string }; limit: number }

export interface HistoryQuery { resource: string; after: number; upto: number; limit: number }

export interface CompactionPolicy {
  /** Milliseconds for which a change stays in the history. */
  age: number
  /** Changes that stay at most. */
  changes: number
}

/** 5 minutes, as kube-apiserver asks of etcd, or 100,000 changes, whichever is reached first. */
export const KEPT: CompactionPolicy = { age: 5 * 60_000, changes: 100_000 }
