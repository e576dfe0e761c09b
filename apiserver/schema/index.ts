// What an object of a kind may hold: the API's view of a schema, pure functions on JSON values.
//
// Order of a write, as kube-apiserver has it: parseStrict → pruneUnknown → dropNulls → applyDefaults → (patch, field
// managers) → prepareCreate | prepareUpdate | prepareStatusUpdate → validateCreate | validateUpdate | validateStatusUpdate
// → store. What is read from the store passes applyDefaults again.
// No function changes its arguments; what stays equal is shared with the result.

import type { FieldError, Json, JsonObject, SchemaNode } from './types.ts'

export type * from './types.ts'

/** A schema made ready once per version of a kind; opaque. */
export interface CompiledSchema { readonly root: SchemaNode }

/** What a kind's writes are checked against. */
export interface ResourceRules {
  schema: CompiledSchema
  /** As in `vireo.dev/v1alpha1`. */
  apiVersion: string
  kind: string
  namespaced: boolean
  /** Whether the kind has the subresource /status: then a write of the object leaves its status alone and the reverse. */
  statusSubresource: boolean
  /** What names are allowed; default: DNS subdomains. */
  name?: 'subdomain' | 'label'
}

/** Compiles `openAPIV3Schema`; metadata, apiVersion and kind need not be described. Throws SchemaError with a complaint per field for what is no structural schema or a rule that does not compile. */
export declare function compileSchema(openAPIV3Schema: SchemaNode): CompiledSchema

/** JSON text → value. Duplicate keys: the last one counts, and each is named as in `spec.x` (fieldValidation words them). Throws SyntaxError. */
export declare function parseStrict(text: string): { value: Json; duplicates: string[] }

/** Removes fields that the schema does not know; their paths are sorted, as in `spec.disks[0].iotune`. `metadata` is judged too. */
export declare function pruneUnknown(schema: CompiledSchema, object: JsonObject): { object: JsonObject; unknown: string[] }

/** `unknown field "spec.foo"`, `duplicate field "spec.x"`: the lines of a strict decoding error and of the warnings. */
export declare function strictComplaints(duplicates: readonly string[], unknown: readonly string[]): string[]

/** Removes nulls of fields that are neither nullable nor have a default. */
export declare function dropNulls(schema: CompiledSchema, object: JsonObject): JsonObject

/** Fills in defaults: for absent fields, and for nulls of fields that are not nullable. */
export declare function applyDefaults(schema: CompiledSchema, object: JsonObject): JsonObject

/** pruneUnknown, dropNulls and applyDefaults in one, for what came from a client or from the store. */
export declare function normalize(schema: CompiledSchema, object: JsonObject): { object: JsonObject; unknown: string[] }

/** What a create stores: without status where that is a subresource, generation 1. uid, creationTimestamp and managedFields are the server's. */
export declare function prepareCreate(rules: ResourceRules, object: JsonObject): JsonObject
/** What a write of the object stores: the old status where that is a subresource, the old system metadata, generation + 1 where anything but metadata changed. */
export declare function prepareUpdate(rules: ResourceRules, object: JsonObject, old: JsonObject): JsonObject
/** What a write to /status stores: the old object with the new status (and the new managedFields). */
export declare function prepareStatusUpdate(rules: ResourceRules, object: JsonObject, old: JsonObject): JsonObject

/** Everything wrong with a new object; empty when it is accepted. */
export declare function validateCreate(rules: ResourceRules, object: JsonObject): FieldError[]
/** Everything wrong with a change: also immutable metadata and transition rules; what was wrong before and did not change is let through. */
export declare function validateUpdate(rules: ResourceRules, object: JsonObject, old: JsonObject): FieldError[]
export declare function validateStatusUpdate(rules: ResourceRules, object: JsonObject, old: JsonObject): FieldError[]

/** `[]` joined as in the message of an Invalid status: `KIND.GROUP "NAME" is invalid: …`. */
export declare function invalidMessage(kind: string, group: string, name: string, errors: readonly FieldError[]): string
