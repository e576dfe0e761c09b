// Deletion: at once where nothing holds the object, else a note on it that it is wanted gone.

import { isDeepStrictEqual } from 'node:util'
import type { Clock } from '../../clock/clock.ts'
import type { JsonObject } from '../schema/types.ts'
import type { Entry, Stored } from '../store/entry.ts'
import type { Decision, Store } from '../store/store.ts'
import { type Target, keyOf } from './context.ts'
import { badRequest, conflict, invalidOptions, notFound } from './failure.ts'
import { convertTo } from './kind.ts'
import { meta } from './writing.ts'

export type Propagation = 'Background' | 'Foreground' | 'Orphan'

export interface DeleteOptions {
  dryRun: boolean
  preconditions?: { uid?: string; resourceVersion?: string }
  propagation?: Propagation
}

/** `object` is as it was left: its last state where it is gone. */
export interface Deleted { object: Stored; gone: boolean }

/** Finalizers by which a deletion waits for what the object owns; the garbage collector takes them off. */
export const FOREGROUND = 'foregroundDeletion'
export const ORPHAN = 'orphan'

/** Throws ApiFailure: 404, or 409 for a precondition that does not hold. */
export async function remove(store: Store, clock: Clock, target: Target, options: DeleteOptions): Promise<Deleted> {
  const decide = (entry: Entry | undefined): { decision: Decision; object: JsonObject } => {
    if (entry === undefined) throw notFound(target.kind, target.name)
    checkPreconditions(target, entry.object, options.preconditions)
    return decideOn(target, entry.object, options, clock)
  }
  if (options.dryRun) {
    const { decision, object } = decide(store.get(keyOf(target)))
    return { object: object as Stored, gone: decision.type === 'delete' }
  }
  const written = await store.mutate(keyOf(target), entry => decide(entry).decision)
  if (written.type === 'gone') throw notFound(target.kind, target.name)
  return { object: written.entry.object, gone: written.type === 'deleted' }
}

function decideOn({ kind }: Target, object: Stored, { propagation }: DeleteOptions, clock: Clock): { decision: Decision; object: JsonObject } {
  const first = object.metadata.deletionTimestamp === undefined ? kind.behaviour.finalizers ?? [] : []
  const finalizers = finalizersFor([...object.metadata.finalizers ?? [], ...first], propagation)
  const { finalizers: _, ...metadata } = object.metadata
  if (finalizers.length === 0 && kind.behaviour.held?.(object) !== true) return { decision: { type: 'delete', object }, object }
  const noted = {
    ...object,
    metadata: {
      ...metadata,
      ...finalizers.length === 0 ? {} : { finalizers },
      ...object.metadata.deletionTimestamp !== undefined ? {} : {
        deletionTimestamp: `${new Date(clock.now()).toISOString().slice(0, 19)}Z`,
        deletionGracePeriodSeconds: 0,
        ...object.metadata.generation === undefined ? {} : { generation: object.metadata.generation + 1 },
      },
    },
  } as JsonObject
  const terminating = convertTo(kind, kind.behaviour.terminate?.(noted) ?? noted, kind.storedAs)
  return { decision: isDeepStrictEqual(terminating, object) ? { type: 'keep' } : { type: 'put', object: terminating }, object: terminating }
}

function finalizersFor(finalizers: readonly string[], propagation: Propagation | undefined): string[] {
  if (propagation === undefined) return [...finalizers]
  const others = finalizers.filter(one => one !== FOREGROUND && one !== ORPHAN)
  return propagation === 'Background' ? others : [...others, propagation === 'Foreground' ? FOREGROUND : ORPHAN]
}

function checkPreconditions({ kind, name }: Target, object: Stored, { uid, resourceVersion }: DeleteOptions['preconditions'] = {}): void {
  const found = meta(object)
  if (uid !== undefined && uid !== found.uid) throw conflict({ ...kind, plural: kind.kind }, name, `the UID in the precondition (${uid}) does not match the UID in record (${found.uid}). The object might have been deleted and then recreated`)
  if (resourceVersion !== undefined && resourceVersion !== found.resourceVersion) throw conflict({ ...kind, plural: kind.kind }, name, `the ResourceVersion in the precondition (${resourceVersion}) does not match the ResourceVersion in record (${found.resourceVersion}). The object might have been modified`)
}

/** Throws ApiFailure 422 for a body that is no DeleteOptions. */
export function deleteOptionsOf(body: JsonObject | undefined, query: { propagationPolicy: string | undefined; dryRun: boolean }): DeleteOptions {
  const text = (value: unknown): string | undefined => typeof value === 'string' && value !== '' ? value : undefined
  const { apiVersion, kind, preconditions, propagationPolicy, orphanDependents, dryRun } = body ?? {}
  if (text(kind) !== undefined && kind !== 'DeleteOptions') throw badRequest(`no kind "${text(kind)}" is registered for version "${text(apiVersion) ?? ''}"`)
  const policy = text(propagationPolicy) ?? query.propagationPolicy ?? (orphanDependents === true ? 'Orphan' : undefined)
  if (policy !== undefined && policy !== 'Background' && policy !== 'Foreground' && policy !== 'Orphan') {
    throw invalidOptions('DeleteOptions', [{ reason: 'FieldValueNotSupported', message: `Unsupported value: "${policy}": supported values: "Foreground", "Background", "Orphan", "nil"`, field: 'propagationPolicy' }])
  }
  if (typeof orphanDependents === 'boolean' && text(propagationPolicy) !== undefined) {
    throw invalidOptions('DeleteOptions', [{ reason: 'FieldValueInvalid', message: `Invalid value: "${policy}": orphanDependents and deletionPropagation cannot be both set`, field: 'propagationPolicy' }])
  }
  const { uid, resourceVersion } = (typeof preconditions === 'object' && preconditions !== null ? preconditions : {}) as JsonObject
  return {
    dryRun: query.dryRun || (Array.isArray(dryRun) && dryRun.includes('All')),
    preconditions: { uid: text(uid), resourceVersion: text(resourceVersion) },
    propagation: policy,
  }
}
