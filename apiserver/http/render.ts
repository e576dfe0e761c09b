// Puts objects and lists into the form the client wants; what is kept as bytes is sent as bytes.

import type { JsonObject } from '../schema/types.ts'
import { applyDefaults } from '../schema/index.ts'
import { badRequest } from '../registry/failure.ts'
import type { Listed } from '../registry/listing.ts'
import { type ServedKind, type ServedVersion, isAsKept, objectIn } from '../registry/kind.ts'
import type { Entry } from '../store/entry.ts'
import { type IncludeObject, partialOf, tableOf } from '../table/table.ts'
import type { Exchange } from './exchange.ts'
import type { Wanted } from './negotiate.ts'

export interface Served { kind: ServedKind; version: ServedVersion }

export const presented = ({ kind, version }: Served, entry: Entry): JsonObject => objectIn(kind, version, entry, applyDefaults)

/** An object's JSON in the form of a version. */
export const bytesOf = ({ kind, version }: Served, entry: Entry): Buffer =>
  isAsKept(kind, version, entry) ? entry.bytes : Buffer.from(JSON.stringify(presented({ kind, version }, entry)))

/** Throws ApiFailure 400. */
export function includeOf(exchange: Exchange): IncludeObject {
  const include = exchange.query.get('includeObject') ?? ''
  if (include === '') return 'Metadata'
  if (include === 'None' || include === 'Metadata' || include === 'Object') return include
  throw badRequest(`Unable to convert to Table as requested: includeObject: Invalid value: "${include}": must be 'Metadata', 'Object', 'None', or empty`)
}

/** One object as it would be sent, for an answer or an event. */
export function transformed(served: Served, object: JsonObject, wanted: Wanted, include: IncludeObject, withColumns = true): JsonObject {
  switch (wanted.transform) {
    case 'Table': return tableOf(served.version, [object], { resourceVersion: (object['metadata'] as JsonObject)['resourceVersion'] ?? '' }, include, wanted.transformVersion ?? 'v1', withColumns)
    case 'PartialObjectMetadata':
    case 'PartialObjectMetadataList': return partialOf(object, wanted.transformVersion ?? 'v1')
    case undefined: return object
  }
}

export async function sendEntry(exchange: Exchange, code: number, served: Served, entry: Entry, wanted: Wanted): Promise<void> {
  if (wanted.transform === undefined && wanted.format === 'json' && !wanted.pretty) await exchange.send(code, bytesOf(served, entry), 'application/json')
  else await sendObject(exchange, code, served, presented(served, entry), wanted)
}

export async function sendObject(exchange: Exchange, code: number, served: Served, object: JsonObject, wanted: Wanted): Promise<void> {
  await exchange.sendValue(code, transformed(served, object, wanted, includeOf(exchange)), wanted)
}

export async function sendList(exchange: Exchange, served: Served, listed: Listed, wanted: Wanted): Promise<void> {
  const { kind, version } = served
  const metadata: JsonObject = {
    resourceVersion: String(listed.revision),
    ...listed.continue === undefined ? kind.custom && wanted.transform === undefined ? { continue: '' } : {} : { continue: listed.continue },
    ...listed.remaining === undefined ? {} : { remainingItemCount: listed.remaining },
  }
  const head = { kind: kind.listKind, apiVersion: version.apiVersion, metadata }
  if (wanted.transform === 'Table') {
    const objects = listed.entries.map(entry => presented(served, entry))
    await exchange.sendValue(200, tableOf(version, objects, metadata, includeOf(exchange), wanted.transformVersion ?? 'v1'), wanted)
  } else if (wanted.transform !== undefined) {
    const items = listed.entries.map(entry => partialOf(presented(served, entry), wanted.transformVersion ?? 'v1'))
    await exchange.sendValue(200, { kind: 'PartialObjectMetadataList', apiVersion: `meta.k8s.io/${wanted.transformVersion}`, metadata, items }, wanted)
  } else if (wanted.format === 'json' && !wanted.pretty) {
    await exchange.send(200, listBytes(served, head, listed.entries), 'application/json')
  } else {
    await exchange.sendValue(200, { ...head, items: listed.entries.map(entry => itemOf(kind, presented(served, entry))) }, wanted)
  }
}

/** Items of built-in kinds go without their apiVersion and kind, as from kube-apiserver. */
const itemOf = (kind: ServedKind, object: JsonObject): JsonObject => {
  if (kind.custom) return object
  const { apiVersion: _apiVersion, kind: _kind, ...rest } = object
  return rest
}

const COMMA = Buffer.from(',')
const BRACE = Buffer.from('{')

function listBytes(served: Served, head: JsonObject, entries: readonly Entry[]): Buffer {
  const prefix = Buffer.from(`{"apiVersion":${JSON.stringify(served.version.apiVersion)},"kind":${JSON.stringify(served.kind.kind)},`)
  const parts: Buffer[] = [Buffer.from(`${JSON.stringify(head).slice(0, -1)},"items":[`)]
  for (const [at, entry] of entries.entries()) {
    if (at > 0) parts.push(COMMA)
    const bytes = bytesOf(served, entry)
    if (served.kind.custom) parts.push(bytes)
    else if (bytes.subarray(0, prefix.length).equals(prefix)) parts.push(BRACE, bytes.subarray(prefix.length))
    else parts.push(Buffer.from(JSON.stringify(itemOf(served.kind, presented(served, entry)))))
  }
  parts.push(Buffer.from(']}\n'))
  return Buffer.concat(parts)
}
