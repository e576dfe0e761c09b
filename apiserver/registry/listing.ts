// Lists: as they are now, or page by page as they were at one revision.

import type { FieldSelector } from '../select/fields.ts'
import type { LabelSelector } from '../select/labels.ts'
import type { Entry } from '../store/entry.ts'
import { StoreError } from '../store/errors.ts'
import type { Store } from '../store/store.ts'
import { ApiFailure, badRequest, expired, invalidOptions } from './failure.ts'
import type { ServedKind } from './kind.ts'
import { decodeContinue, encodeContinue } from './token.ts'

export interface ListQuery {
  /** Undefined: all of them. */
  namespace: string | undefined
  labels: LabelSelector
  fields: FieldSelector
  /** Whether a selector may leave something out: then nobody knows how many remain. */
  selective: boolean
  /** 0: no limit. */
  limit: number
  continue: string
  resourceVersion: string
  resourceVersionMatch: string
}

export interface Listed { entries: Entry[]; revision: number; continue?: string; remaining?: number }

type Position = { namespace: string; name: string }

/** Rows read at once when a selector passes over most of them. */
const CHUNK = 500

export async function list(store: Store, kind: ServedKind, query: ListQuery): Promise<Listed> {
  const wanted = revisionOf(store, query)
  if (query.continue !== '') {
    if (wanted.exact !== undefined || (query.resourceVersion !== '' && query.resourceVersion !== '0')) throw badRequest('specifying resource version is not allowed when using continue')
    const { revision, after } = decodeContinue(query.continue)
    return await pageAt(store, kind, query, revision === -1 ? store.revision : revision, after)
  }
  return await pageAt(store, kind, query, wanted.exact ?? store.revision, undefined)
}

function revisionOf(store: Store, { resourceVersion, resourceVersionMatch, limit, continue: token }: ListQuery): { exact?: number } {
  const refused = (reason: 'FieldValueForbidden' | 'FieldValueNotSupported', message: string): ApiFailure => invalidOptions('ListOptions', [{ reason, message, field: 'resourceVersionMatch' }])
  const forbidden = (why: string): ApiFailure => refused('FieldValueForbidden', `Forbidden: ${why}`)
  if (resourceVersionMatch !== '' && token !== '') throw forbidden('resourceVersionMatch is forbidden when continue is provided')
  if (resourceVersionMatch !== '' && resourceVersion === '') throw forbidden('resourceVersionMatch is forbidden unless resourceVersion is provided')
  if (resourceVersionMatch === 'Exact' && resourceVersion === '0') throw forbidden('resourceVersionMatch "exact" is forbidden for resourceVersion "0"')
  if (resourceVersionMatch !== '' && resourceVersionMatch !== 'Exact' && resourceVersionMatch !== 'NotOlderThan') throw refused('FieldValueNotSupported', `Unsupported value: "${resourceVersionMatch}": supported values: "Exact", "NotOlderThan", ""`)
  if (resourceVersion === '' || resourceVersion === '0') return {}
  const revision = parseRevision(resourceVersion)
  if (revision > store.revision) throw tooLarge(revision, store.revision)
  return resourceVersionMatch === 'Exact' || (resourceVersionMatch === '' && limit > 0) ? { exact: revision } : {}
}

/** Throws ApiFailure 400 for what is no revision. */
export function parseRevision(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`invalid resource version: ${notARevision(text)}`)
  return Number(text)
}

export const notARevision = (text: string): string => `resourceVersion: Invalid value: "${text}": strconv.ParseUint: parsing "${text}": invalid syntax`

const tooLarge = (revision: number, current: number): ApiFailure =>
  new ApiFailure(504, 'Timeout', `Timeout: Too large resource version: ${revision}, current: ${current}`, { causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }], retryAfterSeconds: 1 })

async function pageAt(store: Store, kind: ServedKind, query: ListQuery, revision: number, after: Position | undefined): Promise<Listed> {
  const { labels, fields, limit, selective } = query
  const matches = (entry: Entry): boolean => !selective || (fields.matches(entry) && labels.matches(entry.object.metadata.labels))
  const now = store.unchangedSince(kind.resource, revision) && revision >= store.compacted
  const source = now ? fromMemory(store, kind, query, after) : fromDisk(store, kind, query, revision, after)
  const entries: Entry[] = []
  try {
    for await (const { chunk, rest } of source) {
      for (const [at, entry] of chunk.entries()) {
        if (!matches(entry)) continue
        if (limit > 0 && entries.length === limit) {
          const last = entries.at(-1)!
          const token = encodeContinue({ revision, after: last }, kind.namespaced)
          const remaining = selective ? undefined : rest === undefined ? await store.count(kind.resource, query.namespace, revision, last) : chunk.length - at + rest
          return { entries, revision, continue: token, ...remaining === undefined ? {} : { remaining } }
        }
        entries.push(entry)
      }
    }
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'Compacted') throw error
    throw after === undefined ? expired(`The resourceVersion for the provided list is too old.`) : expired(TOO_OLD, encodeContinue({ revision: -1, after }, kind.namespaced))
  }
  return { entries, revision: now && limit === 0 && after === undefined ? store.revision : revision }
}

const TOO_OLD = 'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.'

interface Chunk { chunk: Entry[]; /** How many follow, where that is known. */ rest?: number }

function* fromMemory(store: Store, kind: ServedKind, { namespace, fields }: ListQuery, after: Position | undefined): Generator<Chunk> {
  if (fields.name !== undefined && (namespace !== undefined || !kind.namespaced)) {
    const found = store.get({ resource: kind.resource, namespace: namespace ?? '', name: fields.name })
    yield { chunk: found === undefined || after !== undefined ? [] : [found] }
  } else {
    yield { chunk: store.list(kind.resource, namespace ?? fields.namespace, after), rest: 0 }
  }
}

async function* fromDisk(store: Store, kind: ServedKind, { namespace, fields, limit, selective }: ListQuery, revision: number, after: Position | undefined): AsyncGenerator<Chunk> {
  const size = limit > 0 && !selective ? limit + 1 : CHUNK
  for (let position = after ?? { namespace: '', name: '' }; ;) {
    const chunk = await store.page(kind.resource, namespace ?? fields.namespace, revision, position, size)
    yield { chunk }
    if (chunk.length < size) return
    position = chunk.at(-1)!
  }
}
