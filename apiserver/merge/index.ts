// How a request changes an object: the four kinds of patch, and who owns which field (metadata.managedFields).
//
// Pure functions on JSON values: no function changes its arguments. Times are given, as RFC 3339 seconds.

import type { CompiledSchema } from '../schema/index.ts'
import type { Json, JsonObject } from '../schema/types.ts'

/** A patch that cannot be applied. */
export declare class PatchError extends Error {
  /** HTTP status: 400 for a malformed patch, 422 for one that does not fit the object. */
  readonly code: 400 | 422
  /** Reason of the Status. */
  readonly reason: 'BadRequest' | 'Invalid'
}

/** One field that another manager owns with another value. */
export interface Conflict { manager: string; path: string; message: string }
/** An apply without force that other managers stand against: 409, reason Conflict; `causes` are of its details. */
export declare class ConflictError extends Error {
  readonly causes: readonly { reason: 'FieldManagerConflict'; message: string; field: string }[]
}

/** RFC 6902. */
export declare function jsonPatch(object: JsonObject, patch: Json): JsonObject
/** RFC 7386. */
export declare function mergePatch(object: JsonObject, patch: Json): JsonObject
/** Kubernetes' merge patch of built-in kinds: lists merge by the schema's x-kubernetes-patch-merge-key; $patch, $retainKeys, $deleteFromPrimitiveList, $setElementOrder. */
export declare function strategicMergePatch(schema: CompiledSchema, object: JsonObject, patch: Json): JsonObject

/** Who makes a write. */
export interface Writer {
  /** Field manager; from the query's fieldManager, else the User-Agent up to its first slash. */
  manager: string
  /** apiVersion of the request's URL. */
  apiVersion: string
  /** '' for the object itself, 'status' for the subresource. */
  subresource: '' | 'status'
  /** Now, as `2026-01-01T00:00:00Z`. */
  time: string
}

/** What field management needs to know of a kind. */
export interface ManagedKind { schema: CompiledSchema; statusSubresource: boolean }

/**
 * Server-side apply. `live` is undefined where the object is made. Answers the merged object, defaults filled in, with its new managedFields;
 * one that is equal to `live` (also its times) where nothing changed. Throws ConflictError, and PatchError for what does not fit the schema.
 */
export declare function apply(kind: ManagedKind, live: JsonObject | undefined, applied: JsonObject, writer: Writer, force: boolean): JsonObject

/**
 * Create, update and the other patches: the object with its managedFields brought up to date. `live` is undefined where the object is made.
 * Call with what is about to be stored, before validation. managedFields of `[{}]` in `updated` resets them; malformed ones are as those of `live`.
 */
export declare function track(kind: ManagedKind, live: JsonObject | undefined, updated: JsonObject, writer: Writer): JsonObject
/** The schema of a built-in kind, as `v1`, `Secret`; undefined where it is none of ours. */
export declare function builtinSchema(apiVersion: string, kind: string): CompiledSchema | undefined
