// Create, update, patch: one flow from what a client sent to what is stored.

import { isDeepStrictEqual } from 'node:util'
import { randomBytes, randomUUID } from 'node:crypto'
import type { Clock } from '../../clock/clock.ts'
import { apply, track, type Writer } from '../merge/index.ts'
import { applyDefaults, metadataProblem, prepareCreate, prepareStatusUpdate, prepareUpdate, pruneUnknown, strictComplaints, validateCreate, validateStatusUpdate, validateUpdate } from '../schema/index.ts'
import type { FieldError, JsonObject } from '../schema/types.ts'
import type { Entry, Metadata, Stored } from '../store/entry.ts'
import type { Decision, Store, Written } from '../store/store.ts'
import { type Target, type WriteOptions, keyOf } from './context.ts'
import { ApiFailure, MODIFIED, alreadyExists, badRequest, conflict, forbidden, notFound } from './failure.ts'
import { convertTo, invalidObject, objectIn, rulesOf } from './kind.ts'

export interface Result { object: Stored; /** What is kept; absent after a dry run. */ entry?: Entry; created: boolean }

/** How an object that is there, or is not, becomes another: data of a request. */
export type Change =
  | { type: 'replace'; object: JsonObject; complaints: readonly string[] }
  | { type: 'patch'; patched(live: JsonObject): JsonObject; complaints: readonly string[] }
  | { type: 'apply'; object: JsonObject; force: boolean }

const GENERATED_LENGTH = 5
const ALPHABET = 'bcdfghjklmnpqrstvwxz2456789'
const GENERATE_ATTEMPTS = 8

export class Writing {
  readonly #store: Store
  readonly #clock: Clock

  constructor({ store, clock }: { store: Store; clock: Clock }) {
    this.#store = store
    this.#clock = clock
  }

  /** Throws ApiFailure; 409 AlreadyExists where the name is taken. `target.name` is '' unless the URL names one. */
  async create(target: Target, sent: JsonObject, complaints: readonly string[], options: WriteOptions): Promise<Result> {
    const object = this.#decoded(target, sent, complaints, options)
    const { name, generateName } = meta(object)
    for (let attempt = 1; ; attempt++) {
      const generated = !name && generateName ? generateName.slice(0, 63 - GENERATED_LENGTH) + suffix() : undefined
      const named = generated === undefined ? object : withMeta(object, { name: generated })
      try {
        return await this.#make({ ...target, name: meta(named).name ?? '' }, named, options)
      } catch (error) {
        if (generated === undefined || attempt === GENERATE_ATTEMPTS || !isTaken(error)) throw error
      }
    }
  }

  /** Throws ApiFailure. An apply, and a replace of kinds that allow it, makes what is not there. */
  async change(target: Target, change: Change, options: WriteOptions): Promise<Result> {
    let made = false
    const decide = (entry: Entry | undefined): { decision: Decision; object: JsonObject } => {
      made = false
      if (entry !== undefined) return this.#changed(target, entry, change, options)
      if (change.type === 'patch' || (change.type === 'replace' && !target.kind.createOnUpdate) || target.subresource !== '') throw notFound(target.kind, target.name)
      made = true
      return change.type === 'apply'
        ? this.#made(target, withNames(target, this.#applied(target, undefined, change, options)), options, true)
        : this.#made(target, withNames(target, this.#decoded(target, change.object, change.complaints, options)), options, false)
    }
    return await this.#commit(target, decide, options, () => made)
  }

  async #make(target: Target, object: JsonObject, options: WriteOptions): Promise<Result> {
    return await this.#commit(target, entry => {
      if (entry !== undefined) throw alreadyExists(target.kind, target.name)
      return this.#made(target, object, options, false)
    }, options, () => true)
  }

  async #commit(target: Target, decide: (entry: Entry | undefined) => { decision: Decision; object: JsonObject }, { dryRun }: WriteOptions, created: () => boolean): Promise<Result> {
    if (dryRun) {
      const { object } = decide(this.#store.get(keyOf(target)))
      return { object: object as Stored, created: created() }
    }
    let kept: JsonObject | undefined
    const written: Written = await this.#store.mutate(keyOf(target), entry => {
      const { decision, object } = decide(entry)
      kept = decision.type === 'keep' ? object : undefined
      return decision
    })
    if (written.type === 'gone') throw notFound(target.kind, target.name)
    return { object: (kept as Stored | undefined) ?? this.present(target, written.entry), entry: written.entry, created: created() }
  }

  present({ kind, version }: Target, entry: Entry): Stored {
    return objectIn(kind, version, entry, applyDefaults)
  }

  /** What a client sent, without what the schema does not know. */
  #decoded(target: Target, sent: JsonObject, complaints: readonly string[], options: WriteOptions, patched = false): JsonObject {
    const { kind, version } = target
    readable(target, sent)
    const schema = version.schema()
    const { object, unknown } = pruneUnknown(schema, sent)
    this.#complain(target, sent, [...complaints, ...strictComplaints([], unknown)], options, patched)
    const defaulted = applyDefaults(schema, object)
    return kind.behaviour.fill?.(defaulted) ?? defaulted
  }

  #complain({ kind, version }: Target, sent: JsonObject, complaints: readonly string[], options: WriteOptions, patched: boolean): void {
    if (complaints.length === 0 || options.validation === 'Ignore') return
    if (options.validation === 'Warn') {
      for (const complaint of complaints) options.warn(complaint)
      return
    }
    const error = `strict decoding error: ${complaints.join(', ')}`
    if (!patched) throw cannotHandle(kind.kind, version.name, kind.kind, error)
    const message = `Invalid value: ${JSON.stringify(JSON.stringify(sent))}: ${error}`
    throw new ApiFailure(422, 'Invalid', ` "" is invalid: patch: ${message}`, { causes: [{ reason: 'FieldValueInvalid', message, field: 'patch' }] })
  }

  /** What is applied is judged by its schema as it is: nothing is dropped from it. */
  #applied(target: Target, live: JsonObject | undefined, { object, force }: Change & { type: 'apply' }, options: WriteOptions): JsonObject {
    readable(target, object)
    const applied = apply(managed(target), live, object, this.#writer(target, options), force)
    return target.kind.behaviour.fill?.(applied) ?? applied
  }

  /** What the checks complain about, and what is worth a warning. */
  #judge(target: Target, object: JsonObject, old: JsonObject | undefined, errors: FieldError[], options: WriteOptions): void {
    const { kind, version, name } = target
    const [wrong] = kind.custom ? [] : errors.filter(({ reason }) => reason === 'FieldValueTypeInvalid')
    if (wrong !== undefined) throw cannotHandle(kind.kind, version.name, kind.kind, `json: cannot unmarshal what is in ${wrong.field}: ${wrong.message}`)
    if (errors.length > 0) throw invalidObject(kind.storedAs.includes('/') ? kind.group : '', typeof object['kind'] === 'string' ? object['kind'] : kind.kind, name, errors)
    const known = meta(old ?? {}).finalizers ?? []
    for (const finalizer of meta(object).finalizers ?? []) {
      if (!finalizer.includes('/') && !known.includes(finalizer) && kind.custom) options.warn(`metadata.finalizers: ${JSON.stringify(finalizer)}: prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers`)
    }
  }

  #finished({ kind, version }: Target, object: JsonObject): JsonObject {
    const defaulted = applyDefaults(version.schema(), object)
    return kind.behaviour.finish?.(defaulted) ?? defaulted
  }

  #made(target: Target, object: JsonObject, options: WriteOptions, applied: boolean): { decision: Decision; object: JsonObject } {
    const { kind, version } = target
    this.#mayMake(target)
    const { resourceVersion, uid } = meta(object)
    if (applied && uid !== undefined && uid !== '') throw conflict(kind, target.name, `uid mismatch: the provided object specified uid ${uid}, and no existing object was found`)
    if (resourceVersion !== undefined && resourceVersion !== '' && resourceVersion !== '0') throw applied ? conflict(kind, target.name, MODIFIED) : new ApiFailure(500, '', 'resourceVersion should not be set on objects to be created')
    const { uid: _uid, resourceVersion: _version, selfLink: _link, deletionTimestamp: _deletion, deletionGracePeriodSeconds: _grace, creationTimestamp: _creation, generation: _generation, ...kept } = meta(object) as unknown as JsonObject
    const bare = { ...object, metadata: { ...kept, ...kind.namespaced ? { namespace: target.namespace } : {} } }
    const tracked = applied ? bare : track(managed(target), undefined, bare, this.#writer(target, options))
    const rules = rulesOf(kind, version)
    let prepared = prepareCreate(rules, withMeta(tracked, { uid: randomUUID(), creationTimestamp: this.#now() }))
    prepared = kind.behaviour.prepare?.(prepared, undefined, '') ?? prepared
    this.#judge(target, prepared, undefined, validateCreate(rules, prepared), options)
    // A status that was taken away has defaults of its own.
    prepared = this.#finished(target, prepared)
    return { decision: { type: 'put', object: convertTo(kind, prepared, kind.storedAs) }, object: prepared }
  }

  #changed(target: Target, entry: Entry, change: Change, options: WriteOptions): { decision: Decision; object: JsonObject } {
    const { kind, version, name, subresource } = target
    const live = this.present(target, entry)
    const tracked = this.#trackedChange(target, live, change, options)
    const sent = meta(tracked)
    if (change.type !== 'patch' && sent.uid !== undefined && sent.uid !== '' && sent.uid !== live.metadata.uid) throw conflict(kind, name, `Precondition failed: UID in precondition: ${sent.uid}, UID in object meta: ${live.metadata.uid}`)
    if (sent.resourceVersion !== undefined && sent.resourceVersion !== '' && sent.resourceVersion !== live.metadata.resourceVersion) throw conflict(kind, name, MODIFIED)
    if (change.type === 'replace' && kind.custom && !sent.resourceVersion) {
      throw invalidObject(kind.group, kind.plural, name, [{ reason: 'FieldValueInvalid', message: 'Invalid value: 0: must be specified for an update', field: 'metadata.resourceVersion' }])
    }
    const rules = rulesOf(kind, version)
    const status = subresource === 'status'
    let prepared = status ? prepareStatusUpdate(rules, tracked, live) : prepareUpdate(rules, tracked, live)
    prepared = kind.behaviour.prepare?.(prepared, live, subresource) ?? prepared
    this.#judge(target, prepared, live, (status ? validateStatusUpdate : validateUpdate)(rules, prepared, live), options)
    prepared = withMeta(this.#finished(target, prepared), { resourceVersion: live.metadata.resourceVersion })
    if (isSame(prepared, live)) return { decision: { type: 'keep' }, object: live }
    const gone = live.metadata.deletionTimestamp !== undefined && (meta(prepared).finalizers ?? []).length === 0 && kind.behaviour.held?.(prepared) !== true
    const stored = convertTo(kind, prepared, kind.storedAs)
    return { decision: { type: gone ? 'delete' : 'put', object: stored }, object: prepared }
  }

  #trackedChange(target: Target, live: Stored, change: Change, options: WriteOptions): JsonObject {
    const { kind } = target
    const writer = this.#writer(target, options)
    const own = { uid: live.metadata.uid, creationTimestamp: live.metadata.creationTimestamp }
    switch (change.type) {
      case 'apply': return this.#applied(target, live, change, options)
      case 'replace': {
        const object = this.#decoded(target, change.object, change.complaints, options)
        const { uid, resourceVersion } = meta(object)
        const filled = withMeta(withNames(target, object), { ...own, ...definedOnly({ uid }), ...kind.custom || resourceVersion ? {} : { resourceVersion: live.metadata.resourceVersion } })
        return track(managed(target), live, filled, writer)
      }
      case 'patch': {
        const object = this.#decoded(target, change.patched(live), change.complaints, options, true)
        const sent = meta(object)
        if (sent.name !== live.metadata.name) throw badRequest(`the name of the object (${sent.name ?? ''}) does not match the name on the URL (${live.metadata.name})`)
        if (target.kind.namespaced && (sent.namespace ?? '') !== target.namespace) throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
        return track(managed(target), live, object, writer)
      }
    }
  }

  /** Throws where the namespace is missing or ends. */
  #mayMake({ kind, namespace, name }: Target): void {
    if (kind.terminating) throw new ApiFailure(405, 'MethodNotAllowed', 'create not allowed while custom resource definition is terminating', { group: kind.group, kind: kind.plural })
    if (!kind.namespaced) return
    const found = this.#store.get({ resource: 'namespaces', namespace: '', name: namespace })
    if (found === undefined) throw notFound({ group: '', plural: 'namespaces', kind: 'Namespace' }, namespace)
    if (found.object.metadata.deletionTimestamp === undefined) return
    const qualified = kind.group === '' ? kind.plural : `${kind.plural}.${kind.group}`
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`
    throw forbidden(kind, name, `${qualified} "${name}" is forbidden: ${why}`, [{ reason: 'NamespaceTerminating', message: `namespace ${namespace} is being terminated`, field: 'metadata.namespace' }])
  }

  #writer({ version, subresource }: Target, { manager }: WriteOptions): Writer {
    return { manager, apiVersion: version.apiVersion, subresource: subresource === 'status' ? 'status' : '', time: this.#now() }
  }

  #now(): string { return `${new Date(this.#clock.now()).toISOString().slice(0, 19)}Z` }
}

const managed = ({ version }: Target): { schema: ReturnType<Target['version']['schema']>; statusSubresource: boolean } =>
  ({ schema: version.schema(), statusSubresource: version.statusSubresource })

export const meta = (object: JsonObject): Partial<Metadata> => (object['metadata'] ?? {}) as Partial<Metadata>

const withMeta = (object: JsonObject, more: Partial<Metadata>): JsonObject => ({ ...object, metadata: { ...meta(object), ...more } })

const definedOnly = <T extends object>(value: T): Partial<T> => Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined && one !== '')) as Partial<T>

/** In the words of Go's decoder. */
export const cannotHandle = (sent: string, version: string, as: string, why: string): ApiFailure => badRequest(`${sent} in version "${version}" cannot be handled as a ${as}: ${why}`)

function readable({ kind, version }: Target, sent: JsonObject): void {
  const problem = metadataProblem(sent['metadata'])
  if (problem !== undefined) throw cannotHandle(kind.kind, version.name, kind.kind, problem)
}

const withNames = ({ kind, namespace, name }: Target, object: JsonObject): JsonObject => withMeta(object, { name, ...kind.namespaced ? { namespace } : {} })

const suffix = (): string => Array.from(randomBytes(GENERATED_LENGTH), byte => ALPHABET[byte % ALPHABET.length]).join('')

const isTaken = (error: unknown): boolean => error instanceof Error && 'status' in error && (error.status as { reason?: string }).reason === 'AlreadyExists'

/** Equal but for the times at which managers wrote. */
function isSame(a: JsonObject, b: JsonObject): boolean {
  if (isDeepStrictEqual(a, b)) return true
  const timeless = (object: JsonObject): JsonObject => ({ ...object, metadata: { ...meta(object), managedFields: meta(object).managedFields?.map(({ time: _time, ...rest }) => rest) } as JsonObject })
  return isDeepStrictEqual(timeless(a), timeless(b))
}
