// OpenAPI: the schemas of all kinds with their descriptions, and enough of their paths for kubectl explain and client-side validation.

import { createHash } from 'node:crypto'
import type { ServedKind, ServedVersion } from '../registry/kind.ts'
import type { Kinds } from '../registry/kinds.ts'
import type { Document } from './documents.ts'
import { encodeOpenApi } from './openapi-protobuf.ts'

type Node = Record<string, unknown>
interface Dialect { reference: string; document(paths: Node, schemas: Node): Node; parameter(name: string, type: string, description: string): Node; body(reference: Node, types: readonly string[]): Node; response(reference: Node): Node }

const OBJECT_META = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'
const DELETE_OPTIONS = 'io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions'
const PATCH_TYPES = ['application/apply-patch+yaml', 'application/json-patch+json', 'application/merge-patch+json', 'application/strategic-merge-patch+json']

export class OpenApi {
  readonly #kinds: Kinds
  readonly #version: string
  #made = new Map<string, Document | undefined>()
  #protobuf: Promise<Document> | undefined
  #generation = -1

  constructor(kinds: Kinds, version: string) {
    this.#kinds = kinds
    this.#version = version
  }

  /** /openapi/v3, the documents below it, and /openapi/v2; undefined where there is none. */
  get(path: string): Document | undefined {
    this.#forgetOld()
    if (!this.#made.has(path)) this.#made.set(path, this.#make(path))
    return this.#made.get(path)
  }

  /** /openapi/v2 as kubectl reads it. */
  protobuf(): Promise<Document> {
    this.#forgetOld()
    return this.#protobuf ??= encodeOpenApi(this.#swagger(this.#all())).then(documentIn)
  }

  #forgetOld(): void {
    if (this.#generation === this.#kinds.generation) return
    this.#made = new Map()
    this.#protobuf = undefined
    this.#generation = this.#kinds.generation
  }

  #make(path: string): Document | undefined {
    if (path === '/openapi/v2') return documentOf(this.#swagger(this.#all()))
    if (path === '/openapi/v3') return documentOf(this.#index())
    const at = path.replace('/openapi/v3/', '')
    const entries = this.#all().filter(({ version }) => rootOf(version) === at)
    return entries.length === 0 ? undefined : documentOf(this.#v3(entries))
  }

  #all(): { kind: ServedKind; version: ServedVersion }[] {
    return this.#kinds.all().flatMap(kind => kind.versions.filter(({ served }) => served).map(version => ({ kind, version })))
  }

  #index(): Node {
    const roots = [...new Set(this.#all().map(({ version }) => rootOf(version)))]
    return { paths: Object.fromEntries(roots.map(root => [root, { serverRelativeURL: `/openapi/v3/${root}?hash=${this.get(`/openapi/v3/${root}`)?.etag.slice(1, 33) ?? ''}` }])) }
  }

  #v3(entries: readonly { kind: ServedKind; version: ServedVersion }[]): Node {
    const dialect: Dialect = {
      reference: '#/components/schemas/',
      document: (paths, schemas) => ({ openapi: '3.0.0', info: { title: 'vireo', version: this.#version }, paths, components: { schemas } }),
      parameter: (name, type, description) => ({ name, in: 'query', description, schema: { type, uniqueItems: true } }),
      body: (reference, types) => ({ requestBody: { content: Object.fromEntries(types.map(type => [type, { schema: reference }])), required: true } }),
      response: reference => ({ description: 'OK', content: { 'application/json': { schema: reference }, 'application/yaml': { schema: reference } } }),
    }
    return build(entries, dialect)
  }

  #swagger(entries: readonly { kind: ServedKind; version: ServedVersion }[]): Node {
    const dialect: Dialect = {
      reference: '#/definitions/',
      document: (paths, schemas) => ({ swagger: '2.0', info: { title: 'vireo', version: this.#version }, paths, definitions: Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, asV2(schema)])) }),
      parameter: (name, type, description) => ({ name, in: 'query', description, type, uniqueItems: true }),
      body: (reference, types) => ({ consumes: types, parameters: [{ name: 'body', in: 'body', required: true, schema: reference }] }),
      response: reference => ({ description: 'OK', schema: reference }),
    }
    return build(entries, dialect)
  }
}

const rootOf = ({ apiVersion }: ServedVersion): string => apiVersion.includes('/') ? `apis/${apiVersion}` : `api/${apiVersion}`

/** `dev.vireo.v1alpha1.Hypervisor`. */
const nameOf = ({ group }: ServedKind, { name }: ServedVersion, kind: string): string =>
  [...(group === '' ? ['core', 'api', 'k8s', 'io'] : group.split('.')).toReversed(), name, kind].join('.')

function build(entries: readonly { kind: ServedKind; version: ServedVersion }[], dialect: Dialect): Node {
  const schemas: Node = {
    [OBJECT_META]: undefined,
    [DELETE_OPTIONS]: { type: 'object', description: 'DeleteOptions may be provided when deleting an API object.', 'x-kubernetes-group-version-kind': entries.map(({ kind, version }) => ({ group: kind.group, version: version.name, kind: 'DeleteOptions' })) },
  }
  const paths: Node = {}
  for (const { kind, version } of entries) {
    const { root } = version.schema()
    const { metadata, ...properties } = root.properties ?? {}
    schemas[OBJECT_META] ??= { ...metadata, description: 'ObjectMeta is metadata that all persisted resources must have, which includes all objects users must create.' }
    const own = nameOf(kind, version, kind.kind)
    const gvk = [{ group: kind.group, version: version.name, kind: kind.kind }]
    schemas[own] = { ...root, properties: { apiVersion: properties['apiVersion'], kind: properties['kind'], metadata: { allOf: [{ $ref: `${dialect.reference}${OBJECT_META}` }], default: {}, description: "Standard object's metadata." }, ...properties }, 'x-kubernetes-group-version-kind': gvk }
    schemas[`${own}List`] = {
      type: 'object', required: ['items'], description: `${kind.listKind} is a list of ${kind.kind}`, 'x-kubernetes-group-version-kind': [{ ...gvk[0], kind: kind.listKind }],
      properties: { apiVersion: { type: 'string' }, kind: { type: 'string' }, metadata: { type: 'object' }, items: { type: 'array', items: { $ref: `${dialect.reference}${own}` } } },
    }
    Object.assign(paths, pathsOf(kind, version, own, dialect))
  }
  return dialect.document(paths, schemas)
}

const SELECTING: [string, string, string][] = [
  ['continue', 'string', 'Where the next page begins.'], ['fieldSelector', 'string', 'Restricts the list by fields.'], ['labelSelector', 'string', 'Restricts the list by labels.'],
  ['limit', 'integer', 'Objects in an answer at most.'], ['resourceVersion', 'string', 'The version that the answer must not be older than.'], ['watch', 'boolean', 'Tells changes as they happen.'],
]
const WRITING: [string, string, string][] = [
  ['dryRun', 'string', 'All: nothing is stored.'], ['fieldManager', 'string', 'Who makes the change.'], ['fieldValidation', 'string', 'What becomes of unknown and duplicate fields: Ignore, Warn or Strict.'],
]
const FORCE: [string, string, string] = ['force', 'boolean', 'Takes over fields that others manage; of apply only.']

function pathsOf(kind: ServedKind, version: ServedVersion, own: string, dialect: Dialect): Node {
  const object = { $ref: `${dialect.reference}${own}` }
  const list = { $ref: `${dialect.reference}${own}List` }
  const gvk = { group: kind.group, version: version.name, kind: kind.kind }
  const tag = `${kind.group === '' ? 'core' : kind.group}_${version.name}`
  const operation = (action: string, verb: string, answer: Node, parameters: [string, string, string][], body?: Node): Node => {
    const { parameters: inBody, ...rest } = body ?? {}
    return {
      description: `${verb} ${kind.kind}`, tags: [tag], operationId: `${verb}${kind.kind}${version.name}`,
      parameters: [...parameters.map(one => dialect.parameter(...one)), ...inBody as Node[] | undefined ?? []], ...rest,
      responses: { 200: dialect.response(answer), 401: { description: 'Unauthorized' } }, 'x-kubernetes-action': action, 'x-kubernetes-group-version-kind': gvk,
    }
  }
  const may = (verb: string): boolean => kind.verbs.includes(verb)
  const bodies = ['application/json', 'application/yaml']
  const collection = {
    ...may('list') ? { get: operation('list', 'list', list, SELECTING) } : {},
    ...may('create') ? { post: operation('post', 'create', object, WRITING, dialect.body(object, bodies)) } : {},
    ...may('deletecollection') ? { delete: operation('deletecollection', 'deletecollection', { $ref: `${dialect.reference}${DELETE_OPTIONS}` }, [...SELECTING, ...WRITING.slice(0, 1)]) } : {},
  }
  const single = {
    ...may('get') ? { get: operation('get', 'read', object, []) } : {},
    ...may('update') ? { put: operation('put', 'replace', object, WRITING, dialect.body(object, bodies)) } : {},
    ...may('patch') ? { patch: operation('patch', 'patch', object, [...WRITING, FORCE], dialect.body({ type: 'object' }, kind.custom ? PATCH_TYPES.slice(0, 3) : PATCH_TYPES)) } : {},
    ...may('delete') ? { delete: operation('delete', 'delete', { $ref: `${dialect.reference}${DELETE_OPTIONS}` }, WRITING.slice(0, 1)) } : {},
  }
  const base = `/${rootOf(version)}/${kind.namespaced ? 'namespaces/{namespace}/' : ''}${kind.plural}`
  const { delete: _delete, put: _put, ...readable } = single as Record<string, unknown>
  return {
    [base]: collection,
    ...Object.keys(single).length > 0 ? { [`${base}/{name}`]: single } : {},
    ...version.statusSubresource ? { [`${base}/{name}/status`]: { ...readable, put: _put } } : {},
  }
}

/** What Swagger 2.0 does not know is left out, as kube-apiserver leaves it out. */
function asV2(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asV2)
  if (typeof value !== 'object' || value === null) return value
  const { oneOf: _oneOf, anyOf: _anyOf, not: _not, nullable, allOf, ...rest } = value as Node
  const [only] = Array.isArray(allOf) ? allOf as Node[] : []
  const merged = only !== undefined && '$ref' in only ? { $ref: only['$ref'], description: rest['description'] } : rest
  const plain = nullable === true ? Object.fromEntries(Object.entries(merged).filter(([name]) => !['type', 'items', 'properties'].includes(name))) : merged
  return Object.fromEntries(Object.entries(plain).map(([name, one]) => [name, asV2(one)]))
}

const documentOf = (value: unknown): Document => documentIn(Buffer.from(JSON.stringify(value)))

function documentIn(body: Buffer): Document {
  return { body, etag: `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"` }
}
