// Changes finalizers and annotations of an object that others edit at the same time, without losing anything of theirs.

import type { Client } from './client.ts'
import { isConflict, isNotFound } from './errors.ts'
import type { Draft, KubeObject, ObjectMeta, Resource } from './resource.ts'

export interface MetadataChange {
  addFinalizers?: readonly string[]
  removeFinalizers?: readonly string[]
  /** null removes. */
  annotations?: Record<string, string | null>
}

export interface MetadataPatchOptions { fieldManager?: string; signal?: AbortSignal }

/** Concurrent writers in a row that we lose to before we give up and let the queue try again. */
const attempts = 5

/**
 * Applies the change in one patch, so that an intention is recorded together with the finalizer that guards it. No request
 * when the object has it all already. The patch is guarded by the resourceVersion: when somebody was faster, it is
 * computed again from the live object. Answers the object as it is now, or undefined when this object (by its UID) is gone.
 * @throws ApiError 409 after five lost races; whatever else the client throws.
 */
export async function patchMetadata<T extends KubeObject>(client: Client, resource: Resource, object: T, change: MetadataChange, options: MetadataPatchOptions = {}): Promise<T | undefined> {
  const { name, namespace, uid } = object.metadata
  const { fieldManager = 'vireo', signal } = options
  let current: T | undefined = object
  for (let attempt = 1; current?.metadata.uid === uid; attempt++) {
    const metadata = metadataPatch(current.metadata, change)
    if (!metadata) return current
    try {
      return await client.mergePatch<T>(resource, namespace, name, { metadata }, { fieldManager, signal })
    } catch (error) {
      if (isNotFound(error)) return undefined
      if (!isConflict(error) || attempt === attempts) throw error
    }
    current = await client.find<T>(resource, namespace, name, { signal })
  }
  return undefined
}

export const addFinalizer = <T extends KubeObject>(client: Client, resource: Resource, object: T, finalizer: string, options?: MetadataPatchOptions): Promise<T | undefined> =>
  patchMetadata(client, resource, object, { addFinalizers: [finalizer] }, options)

export const removeFinalizer = <T extends KubeObject>(client: Client, resource: Resource, object: T, finalizer: string, options?: MetadataPatchOptions): Promise<T | undefined> =>
  patchMetadata(client, resource, object, { removeFinalizers: [finalizer] }, options)

export const patchAnnotations = <T extends KubeObject>(client: Client, resource: Resource, object: T, annotations: Record<string, string | null>, options?: MetadataPatchOptions): Promise<T | undefined> =>
  patchMetadata(client, resource, object, { annotations }, options)

/** Names of the field managers that wrote an annotation, as the API server recorded them (metadata.managedFields). */
export const writersOfAnnotation = ({ metadata }: KubeObject, annotation: string): string[] =>
  ((metadata.managedFields ?? []) as ManagedFields[])
    .filter(({ fieldsV1 }) => fieldsV1?.['f:metadata']?.['f:annotations']?.[`f:${annotation}`] !== undefined)
    .map(({ manager }) => manager ?? 'unknown')

/** As far as it is read here; the keys of `fieldsV1` are `f:NAME`. */
interface ManagedFields { manager?: string; fieldsV1?: { 'f:metadata'?: { 'f:annotations'?: Record<string, unknown> } } }

export const hasFinalizer = (object: KubeObject, finalizer: string): boolean => object.metadata.finalizers?.includes(finalizer) ?? false

/** The merge patch that makes the change, or undefined when there is nothing to change. */
function metadataPatch(metadata: ObjectMeta, { addFinalizers = [], removeFinalizers = [], annotations = {} }: MetadataChange): Draft['metadata'] | undefined {
  const before = metadata.finalizers ?? []
  const kept = before.filter((finalizer) => !removeFinalizers.includes(finalizer))
  const finalizers = [...kept, ...addFinalizers.filter((finalizer) => !kept.includes(finalizer))]
  const changed = Object.entries(annotations).filter(([name, value]) => (metadata.annotations?.[name] ?? null) !== value)
  const sameFinalizers = kept.length === before.length && finalizers.length === kept.length
  if (sameFinalizers && changed.length === 0) return undefined
  return {
    resourceVersion: metadata.resourceVersion,
    // A list in a merge patch replaces the other: the guard makes that safe.
    ...(sameFinalizers ? {} : { finalizers }),
    ...(changed.length === 0 ? {} : { annotations: Object.fromEntries(changed) as Record<string, string> }),
  }
}
