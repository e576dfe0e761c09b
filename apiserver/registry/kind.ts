// What the server knows of a kind. Kinds are data: built-in ones are written down, the others come from CustomResourceDefinitions.

import type { User } from '../access/users.ts'
import type { CompiledSchema, FieldError, Json, JsonObject, ResourceRules, SchemaNode } from '../schema/index.ts'
import { invalidMessage } from '../schema/index.ts'
import type { Entry, Stored } from '../store/entry.ts'
import { type ApiFailure, invalid } from './failure.ts'

/** A column of `kubectl get`; those of a priority above 0 only with `-o wide`. */
export interface Column {
  name: string
  type: string
  format: string
  description: string
  priority: number
  cell(object: JsonObject): Json
}

export interface ServedVersion {
  name: string
  /** `group/version`. */
  apiVersion: string
  served: boolean
  deprecated: boolean
  deprecationWarning?: string
  /** As it was written, for OpenAPI. */
  openapi: SchemaNode | undefined
  /** Made ready at the first use: a start must not wait for the schemas of kinds that nobody writes. */
  schema(): CompiledSchema
  columns: readonly Column[]
  statusSubresource: boolean

  /** As field selectors write them: `spec.x`, without a leading dot. */
  selectableFields: readonly string[]
  /** Revision since which objects were written under this schema: older ones lack its later defaults. */
  since: number
}

/** Where a kind differs from a custom one; each function is pure. */
export interface Behaviour {
  /** Fills in what is there before anybody is noted as its manager: constants, and other spellings of the same. */
  fill?(object: JsonObject): JsonObject
  /** Finalizers that a deletion adds. */
  finalizers?: readonly string[]
  /** The last touch before it is stored, after all checks. */
  finish?(object: JsonObject): JsonObject
  /** A deletion answers the object, not a Status. */
  returnsDeleted?: boolean
  /** Fills in what the server fills in, after the generic preparation. */
  prepare?(object: JsonObject, old: JsonObject | undefined, subresource: Subresource): JsonObject
  validate?(object: JsonObject, old: JsonObject | undefined): FieldError[]
  /** An object whose deletion was asked for: what else is noted on it. */
  terminate?(object: JsonObject): JsonObject
  /** Whether something besides metadata.finalizers keeps a Terminating object. */
  held?(object: JsonObject): boolean
  /** A question that is answered and not stored. */
  review?(object: JsonObject, user: User): JsonObject
  /** A stored object in the form of another apiVersion of the same data. */
  convert?(object: JsonObject, apiVersion: string): JsonObject
}

export type Subresource = '' | 'status'

export interface ServedKind {
  group: string
  plural: string
  singular: string
  kind: string
  listKind: string
  shortNames: readonly string[]
  categories: readonly string[]
  namespaced: boolean
  /** Where its objects are kept: two kinds that are two forms of the same data share it. */
  resource: string
  /** apiVersion of what is kept. */
  storedAs: string
  versions: readonly ServedVersion[]
  /** From a CustomResourceDefinition: strategic merge is refused, a PUT needs a resourceVersion. */
  custom: boolean
  /** A PUT makes what is not there. */
  createOnUpdate: boolean
  names?: ResourceRules['names']
  /** Whether metadata.generation counts its changes. */
  hasGeneration: boolean
  verbs: readonly string[]
  /** Told, as a warning, to who writes one. */
  note?: string
  behaviour: Behaviour
  /** A definition that is being deleted: nothing new is made. */
  terminating: boolean
}

export const VERBS: readonly string[] = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']
/** In the order in which kube-apiserver names those of custom kinds. */
export const CUSTOM_VERBS: readonly string[] = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch']

export const rulesOf = (kind: ServedKind, version: ServedVersion): ResourceRules => ({
  schema: version.schema(),
  apiVersion: version.apiVersion,
  kind: kind.kind,
  namespaced: kind.namespaced,
  statusSubresource: version.statusSubresource,
  hasGeneration: kind.hasGeneration,
  ...kind.behaviour.validate === undefined ? {} : { also: (object, old) => kind.behaviour.validate?.(object, old) ?? [] },
  ...kind.names === undefined ? {} : { names: kind.names },
})

/** `kind` is the one that the object says it is of. */
export const invalidObject = (group: string, kind: string, name: string, errors: readonly FieldError[]): ApiFailure =>
  invalid({ group, kind }, name, errors, invalidMessage(kind, group, name, errors))

/** Objects in another form than they are kept in, made once. */
const forms = new WeakMap<Entry, Map<ServedVersion, Stored>>()

/** Whether what is kept can be sent as it is. */
export const isAsKept = (kind: ServedKind, version: ServedVersion, entry: Entry): boolean =>
  version.apiVersion === kind.storedAs && entry.revision >= version.since

/** A kept object in the form of a version, with the defaults of its schema. */
export function objectIn(kind: ServedKind, version: ServedVersion, entry: Entry, defaults: (schema: CompiledSchema, object: JsonObject) => JsonObject): Stored {
  if (isAsKept(kind, version, entry)) return entry.object
  let known = forms.get(entry)
  if (known === undefined) forms.set(entry, known = new Map())
  let form = known.get(version)
  if (form === undefined) {
    const converted = convertTo(kind, entry.object, version.apiVersion)
    known.set(version, form = (kind.custom ? defaults(version.schema(), converted) : converted) as Stored)
  }
  return form
}

export const convertTo = (kind: ServedKind, object: JsonObject, apiVersion: string): JsonObject =>
  object['apiVersion'] === apiVersion ? object : kind.behaviour.convert?.(object, apiVersion) ?? { ...object, apiVersion }
