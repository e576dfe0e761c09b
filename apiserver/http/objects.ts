// Requests for objects and collections: reads what is asked, hands it to the registry, sends what comes back.

import type { Clock } from '../../clock/clock.ts'
import { jsonPatch, mergePatch, strategicMergePatch } from '../merge/index.ts'
import { validateFieldManager } from '../schema/index.ts'
import type { Json, JsonObject } from '../schema/types.ts'
import { parseFieldSelector } from '../select/fields.ts'
import { parseLabelSelector } from '../select/labels.ts'
import type { Target, WriteOptions } from '../registry/context.ts'
import { type DeleteOptions, deleteOptionsOf, remove } from '../registry/deleting.ts'
import { ApiFailure, badRequest, invalidOptions, methodNotAllowed, notFound, success, unsupportedMediaType } from '../registry/failure.ts'
import type { Subresource } from '../registry/kind.ts'
import { type ListQuery, list } from '../registry/listing.ts'
import { type Change, type Result, type Writing, cannotHandle, meta } from '../registry/writing.ts'
import type { Store } from '../store/store.ts'
import { type Parsed, Unparsable, asObject, formatOf, goType, mediaType, parseBody, readBody, summary } from './body.ts'
import type { Exchange } from './exchange.ts'
import { type Wanted, negotiate } from './negotiate.ts'
import { PROTOBUF, parseProtobuf } from './protobuf.ts'
import { type Served, sendEntry, sendList, sendObject } from './render.ts'
import type { ResourcePath } from './route.ts'
import { watch } from './watching.ts'

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection'

const PATCHES = ['application/json-patch+json', 'application/merge-patch+json', 'application/apply-patch+yaml', 'application/strategic-merge-patch+json']

/** Undefined: the path has no such method. */
export function verbOf(exchange: Exchange, path: ResourcePath): Verb | undefined {
  const collection = path.name === undefined
  switch (exchange.method) {
    case 'GET':
    case 'HEAD': return !collection ? 'get' : exchange.flag('watch') && exchange.query.has('watch') ? 'watch' : 'list'
    // A name in the path of a create is passed over, as by kube-apiserver.
    case 'POST': return path.subresource === undefined ? 'create' : undefined
    case 'PUT': return collection ? undefined : 'update'
    case 'PATCH': return collection ? undefined : 'patch'
    case 'DELETE': return collection ? 'deletecollection' : 'delete'
    default: return undefined
  }
}

export class Objects {
  readonly #store: Store
  readonly #writing: Writing
  readonly #clock: Clock
  readonly #signal: AbortSignal

  constructor({ store, writing, clock, signal }: { store: Store; writing: Writing; clock: Clock; signal: AbortSignal }) {
    this.#store = store
    this.#writing = writing
    this.#clock = clock
    this.#signal = signal
  }

  /** Throws ApiFailure. Resolves when the answer was sent; of a watch, when it ended. */
  async handle(exchange: Exchange, served: Served, path: ResourcePath, verb: Verb): Promise<void> {
    const { kind } = served
    const pretty = exchange.flag('pretty') && exchange.query.has('pretty')
    if (!kind.verbs.includes(verb)) throw methodNotAllowed()
    const target: Target = { ...served, namespace: path.namespace ?? '', name: path.name ?? '', subresource: (path.subresource ?? '') as Subresource }
    const accept = exchange.header('accept')
    switch (verb) {
      case 'get': return await this.#get(exchange, target, negotiate(accept, pretty, ['Table', 'PartialObjectMetadata']))
      case 'list': {
        const wanted = negotiate(accept, pretty, ['Table', 'PartialObjectMetadata', 'PartialObjectMetadataList'])
        if (wanted.transform === 'PartialObjectMetadata') throw new ApiFailure(406, 'NotAcceptable', 'you requested PartialObjectMetadata, but the requested object is a list')
        return await this.#list(exchange, served, path, wanted)
      }
      case 'watch': {
        const wanted = negotiate(accept?.replaceAll(';stream=watch', ''), false, ['Table', 'PartialObjectMetadata', 'PartialObjectMetadataList'])
        return await watch(exchange, served, watchQuery(exchange, this.#query(exchange, served, path)), wanted, { store: this.#store, clock: this.#clock, signal: this.#signal })
      }
      case 'create': return await this.#create(exchange, target, negotiate(accept, pretty, ['Table', 'PartialObjectMetadata']))
      case 'update': return await this.#update(exchange, target, negotiate(accept, pretty, ['Table', 'PartialObjectMetadata']))
      case 'patch': return await this.#patch(exchange, target, negotiate(accept, pretty, ['Table', 'PartialObjectMetadata']))
      case 'delete': return await this.#delete(exchange, target, negotiate(accept, pretty, ['Table', 'PartialObjectMetadata']))
      case 'deletecollection': return await this.#deleteCollection(exchange, target, path, negotiate(accept, pretty, ['Table', 'PartialObjectMetadataList']))
    }
  }

  async #get(exchange: Exchange, target: Target, wanted: Wanted): Promise<void> {
    const entry = this.#store.get({ resource: target.kind.resource, namespace: target.namespace, name: target.name })
    if (entry === undefined) throw notFound(target.kind, target.name)
    await sendEntry(exchange, 200, target, entry, wanted)
  }

  async #list(exchange: Exchange, served: Served, path: ResourcePath, wanted: Wanted): Promise<void> {
    await sendList(exchange, served, await list(this.#store, served.kind, this.#query(exchange, served, path)), wanted)
  }

  #query({ query }: Exchange, { kind, version }: Served, { namespace }: ResourcePath): ListQuery {
    const text = (name: string): string => query.get(name) ?? ''
    const labelSelector = text('labelSelector')
    const fieldSelector = text('fieldSelector')
    return {
      namespace: kind.namespaced ? namespace : '',
      labels: parseLabelSelector(labelSelector),
      fields: parseFieldSelector(fieldSelector, version.selectableFields, true),
      selective: labelSelector !== '' || fieldSelector !== '',
      limit: integer(query, 'limit'),
      continue: text('continue'),
      resourceVersion: text('resourceVersion'),
      resourceVersionMatch: text('resourceVersionMatch'),
    }
  }

  async #create(exchange: Exchange, target: Target, wanted: Wanted): Promise<void> {
    const options = writeOptions(exchange, 'CreateOptions')
    const { object, complaints } = await this.#body(exchange, target)
    const { behaviour } = target.kind
    if (behaviour.review !== undefined && exchange.user !== undefined) {
      await sendObject(exchange, 201, target, behaviour.review(object, exchange.user), wanted)
      return
    }
    const namespaced = inNamespace(target, object)
    const { name } = meta(namespaced)
    await this.#sendResult(exchange, target, await this.#writing.create({ ...target, name: typeof name === 'string' ? name : '' }, namespaced, complaints, options), wanted, 201)
  }

  async #update(exchange: Exchange, target: Target, wanted: Wanted): Promise<void> {
    const options = writeOptions(exchange, 'UpdateOptions')
    const { object, complaints } = await this.#body(exchange, target)
    const namespaced = inNamespace(target, object)
    const { name } = meta(namespaced)
    if (!name) throw badRequest(`the name of the object (${target.name} based on URL) was undeterminable: name must be provided`)
    if (name !== target.name) throw badRequest(`the name of the object (${name}) does not match the name on the URL (${target.name})`)
    const result = await this.#writing.change(target, { type: 'replace', object: namespaced, complaints }, options)
    await this.#sendResult(exchange, target, result, wanted, result.created ? 201 : 200)
  }

  async #patch(exchange: Exchange, target: Target, wanted: Wanted): Promise<void> {
    const type = mediaType(exchange.request)
    const allowed = target.kind.custom ? PATCHES.slice(0, 3) : PATCHES
    if (!allowed.includes(type)) throw unsupportedMediaType(allowed)
    const applies = type === PATCHES[2]
    const force = exchange.flag('force') && exchange.query.has('force')
    if (force && !applies) throw invalidOptions('PatchOptions', [{ reason: 'FieldValueForbidden', message: 'Forbidden: may not be specified for non-apply patch', field: 'force' }])
    const options = writeOptions(exchange, 'PatchOptions', applies)
    const parsed = await parsePatch(await readBody(exchange.request), applies)
    const result = await this.#writing.change(target, changeOf(target, type, parsed, force), options)
    await this.#sendResult(exchange, target, result, wanted, result.created ? 201 : 200)
  }

  async #delete(exchange: Exchange, target: Target, wanted: Wanted): Promise<void> {
    const options = await this.#deleteOptions(exchange)
    const { object, gone } = await remove(this.#store, this.#clock, target, options)
    if (gone && target.kind.behaviour.returnsDeleted !== true) await exchange.sendValue(200, success(target.kind, target.name, object.metadata.uid), wanted)
    else await sendObject(exchange, 200, target, object, wanted)
  }

  async #deleteCollection(exchange: Exchange, target: Target, path: ResourcePath, wanted: Wanted): Promise<void> {
    const options = await this.#deleteOptions(exchange)
    const listed = await list(this.#store, target.kind, this.#query(exchange, target, path))
    for (const { namespace, name } of listed.entries) {
      // Somebody else may have been faster.
      await remove(this.#store, this.#clock, { ...target, namespace, name }, options).catch((error: unknown) => { if (!(error instanceof ApiFailure) || error.status.code !== 404) throw error })
    }
    await sendList(exchange, target, { ...listed, revision: options.dryRun ? listed.revision : this.#store.revision }, wanted)
  }

  async #deleteOptions(exchange: Exchange): Promise<DeleteOptions> {
    const { query } = exchange
    const length = exchange.header('content-length')
    const empty = length === '0' || (length === undefined && exchange.header('transfer-encoding') === undefined)
    const parsed = empty ? undefined : (await this.#parsed(exchange, true, why => badRequest(why))).object
    return deleteOptionsOf(parsed, { propagationPolicy: query.get('propagationPolicy') ?? undefined, dryRun: dryRunOf(exchange, 'DeleteOptions') })
  }

  /** Throws 400 where apiVersion or kind are not the URL's. */
  async #body(exchange: Exchange, { kind, version }: Target): Promise<{ object: JsonObject; complaints: string[] }> {
    let raw: Buffer = Buffer.alloc(0)
    const unrecognized = (why: string): ApiFailure => badRequest(`the object provided is unrecognized (must be of type ${kind.kind}): ${why} (${summary(raw)})`)
    const { object: sent, complaints } = await this.#parsed(exchange, !kind.custom, unrecognized, body => { raw = body })
    // A built-in kind's body may leave them out: the URL says what it is.
    const object = kind.custom ? sent : { ...sent, apiVersion: sent['apiVersion'] || version.apiVersion, kind: sent['kind'] || kind.kind }
    for (const field of ['kind', 'apiVersion'] as const) {
      const value = object[field]
      if (value !== undefined && typeof value !== 'string') throw unrecognized(`couldn't get version/kind; json parse error: json: cannot unmarshal ${goType(value)} into Go struct field .${field} of type string`)
    }
    if (!object['kind']) throw unrecognized(`Object 'Kind' is missing in '${raw.toString('utf8').trim()}'`)
    checkType({ kind, version }, object)
    return { object, complaints }
  }

  /** Protobuf is for built-in kinds alone, as with kube-apiserver. */
  async #parsed(exchange: Exchange, protobuf: boolean, refuse: (why: string) => ApiFailure, onBody: (body: Buffer) => void = () => undefined): Promise<{ object: JsonObject; complaints: string[] }> {
    const type = mediaType(exchange.request)
    if (protobuf && type === PROTOBUF) return { object: await parseProtobuf(await readBody(exchange.request)), complaints: [] }
    const format = formatOf(type)
    const body = await readBody(exchange.request)
    onBody(body)
    try {
      const { value, complaints } = await parseBody(body, format)
      return { object: asObject(value, refuse), complaints }
    } catch (error) {
      if (error instanceof Unparsable) throw refuse(format === 'json' ? `couldn't get version/kind; json parse error: ${error.message}` : error.message)
      throw error
    }
  }

  async #sendResult(exchange: Exchange, target: Target, { object, entry }: Result, wanted: Wanted, code: number): Promise<void> {
    if (entry === undefined) await sendObject(exchange, code, target, object, wanted)
    else await sendEntry(exchange, code, target, entry, wanted)
  }
}

/** Custom kinds check the kind with everything else that may be wrong. */
function checkType({ kind, version }: Served, object: JsonObject): void {
  const text = (value: Json | undefined): string => typeof value === 'string' ? value : ''
  const [apiVersion, sent] = [text(object['apiVersion']), text(object['kind'])]
  if (kind.custom && apiVersion !== version.apiVersion) throw badRequest(`the API version in the data (${apiVersion}) does not match the expected API version (${version.apiVersion})`)
  if (kind.custom || (apiVersion === version.apiVersion && sent === kind.kind)) return
  throw cannotHandle(sent, apiVersion.split('/').at(-1)!, kind.kind, apiVersion === version.apiVersion ? `converting (${sent}) to (${kind.kind}): unknown conversion` : `no kind "${sent}" is registered for version "${apiVersion}"`)
}

function inNamespace({ kind, namespace }: Target, object: JsonObject): JsonObject {
  const metadata = object['metadata']
  // What is no metadata is refused where it is read.
  if (metadata !== undefined && metadata !== null && (typeof metadata !== 'object' || Array.isArray(metadata))) return object
  const sent = meta(object).namespace
  if (!kind.namespaced) {
    const { namespace: _, ...rest } = meta(object)
    return { ...object, metadata: rest }
  }
  if (sent !== undefined && sent !== '' && sent !== namespace) throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  return { ...object, metadata: { ...meta(object), namespace } }
}

async function parsePatch(body: Buffer, applies: boolean): Promise<Parsed> {
  try {
    return await parseBody(body, applies ? 'yaml' : 'json')
  } catch (error) {
    if (error instanceof Unparsable) throw badRequest(applies ? `error decoding YAML: error converting YAML to JSON: ${error.message}` : `error decoding patch: ${error.message}`)
    throw error
  }
}

function changeOf(target: Target, type: string, { value, complaints }: Parsed, force: boolean): Change {
  switch (type) {
    case 'application/apply-patch+yaml': {
      const object = asObject(value, () => badRequest(`error decoding YAML: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal ${goType(value)} into Go value of type map[string]interface {}`))
      const { kind, version } = target
      if (object['apiVersion'] !== version.apiVersion || object['kind'] !== kind.kind) throw badRequest(`invalid object type: ${typeof object['apiVersion'] === 'string' ? object['apiVersion'] : '/'}, Kind=${typeof object['kind'] === 'string' ? object['kind'] : ''}`)
      const { name, namespace } = meta(object)
      if (name !== undefined && name !== target.name) throw badRequest(`the name of the object (${name}) does not match the name on the URL (${target.name})`)
      if (namespace !== undefined && namespace !== '' && kind.namespaced && namespace !== target.namespace) throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
      return { type: 'apply', object: { ...object, metadata: { ...meta(object), name: target.name } }, force }
    }
    case 'application/json-patch+json': return { type: 'patch', patched: live => jsonPatch(live, value), complaints }
    case 'application/merge-patch+json': return { type: 'patch', patched: live => mergePatch(live, value), complaints }
    default: return { type: 'patch', patched: live => strategicMergePatch(target.version.schema(), live, value), complaints }
  }
}

function integer(query: URLSearchParams, name: string): number {
  const text = query.get(name)
  if (text === null || text === '') return 0
  if (!/^-?\d{1,18}$/.test(text)) throw badRequest(`strconv.ParseInt: parsing "${text}": invalid syntax`)
  return Math.max(0, Number(text))
}

const watchQuery = (exchange: Exchange, listing: ListQuery): Parameters<typeof watch>[2] => ({
  ...listing,
  bookmarks: exchange.flag('allowWatchBookmarks') && exchange.query.has('allowWatchBookmarks'),
  sendInitialEvents: exchange.query.has('sendInitialEvents') ? exchange.flag('sendInitialEvents') : undefined,
  timeout: integer(exchange.query, 'timeoutSeconds'),
})

type OptionsKind = 'CreateOptions' | 'UpdateOptions' | 'PatchOptions' | 'DeleteOptions'

function dryRunOf({ query }: Exchange, kind: OptionsKind): boolean {
  const asked = query.getAll('dryRun').filter(one => one !== '')
  if (asked.some(one => one !== 'All')) throw invalidOptions(kind, [{ reason: 'FieldValueNotSupported', message: `Unsupported value: ${JSON.stringify(asked)}: supported values: "All"`, field: 'dryRun' }])
  return asked.length > 0
}

function writeOptions(exchange: Exchange, kind: OptionsKind, apply = false): WriteOptions {
  const { query } = exchange
  const validation = query.get('fieldValidation') || 'Warn'
  if (validation !== 'Ignore' && validation !== 'Warn' && validation !== 'Strict') {
    throw invalidOptions(kind, [{ reason: 'FieldValueNotSupported', message: `Unsupported value: "${validation}": supported values: "", "Ignore", "Strict", "Warn"`, field: 'fieldValidation' }])
  }
  const named = query.get('fieldManager') ?? ''
  const wrong = apply && named === '' ? [{ reason: 'FieldValueRequired' as const, message: 'Required value: is required for apply patch', field: 'fieldManager' }] : validateFieldManager(named, 'fieldManager')
  if (wrong.length > 0) throw invalidOptions(kind, wrong)
  const agent = (exchange.header('user-agent') ?? '').split('/')[0]!.slice(0, 128)
  return { manager: named || agent, dryRun: dryRunOf(exchange, kind), validation, warn: text => { exchange.warn(text) } }
}
