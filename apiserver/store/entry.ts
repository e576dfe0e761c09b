// One object in memory, at one revision: its bytes, made once and sent to everybody, and the value they hold, parsed when somebody looks.

import type { JsonObject } from '../schema/types.ts'

export interface Metadata {
  name: string
  namespace?: string
  uid: string
  resourceVersion: string
  generation?: number
  creationTimestamp: string
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  finalizers?: string[]
  labels?: Record<string, string>
  annotations?: Record<string, string>
  ownerReferences?: { apiVersion: string; kind: string; name: string; uid: string; controller?: boolean; blockOwnerDeletion?: boolean }[]
  generateName?: string
  managedFields?: JsonObject[]
}

/** An object as it is stored: nobody changes it. */
export type Stored = JsonObject & { apiVersion: string; kind: string; metadata: JsonObject & Metadata }

export class Entry {
  readonly namespace: string
  readonly name: string
  readonly revision: number
  /** JSON, UTF-8. */
  readonly bytes: Buffer
  #object: Stored | undefined

  constructor(namespace: string, name: string, revision: number, bytes: Uint8Array, object?: Stored) {
    this.namespace = namespace
    this.name = name
    this.revision = revision
    this.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#object = object
  }

  get object(): Stored {
    return this.#object ??= JSON.parse(this.bytes.toString('utf8')) as Stored
  }
}

export interface Change {
  type: 'ADDED' | 'MODIFIED' | 'DELETED'
  resource: string
  revision: number
  /** The object after the change; of a deletion, its last state under the deletion's revision. */
  entry: Entry
  /** What was replaced. */
  previous: Entry | undefined
}
