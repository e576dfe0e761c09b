// Tables and bare metadata: what kubectl get shows, and what controllers read that need no more.

import type { Json, JsonObject } from '../schema/types.ts'
import type { Column, ServedVersion } from '../registry/kind.ts'
import { compilePath } from './jsonpath.ts'

export interface PrinterColumn { name: string; type: string; format?: string; description?: string; priority?: number; jsonPath: string }

/** Throws SyntaxError for a path outside the dialect. */
export function columnOf({ name, type, format = '', description = '', priority = 0, jsonPath }: PrinterColumn): Column {
  const reach = compilePath(jsonPath)
  return { name, type, format, description: description === '' ? `Custom resource definition column (in JSONPath format): ${jsonPath}` : description, priority, cell: object => cellOf(reach(object), type) }
}

/** As kubectl wants cells: what has another type than its column is not shown. */
function cellOf(found: Json[], type: string): Json {
  const value = found[0]
  if (value === undefined || value === null) return null
  switch (type) {
    case 'integer': return typeof value === 'number' ? Math.trunc(value) : null
    case 'number': return typeof value === 'number' ? value : null
    case 'boolean': return typeof value === 'boolean' ? value : null
    case 'date': return typeof value === 'string' ? ageOf(value, Date.now()) : null
    default: return found.length > 1 ? found.map(text).join(',') : text(value)
  }
}

const text = (value: Json): string => typeof value === 'string' ? value : JSON.stringify(value)

/** Time since, as kubectl shortens it: 5s, 3m20s, 7h, 12d, 2y30d. */
export function ageOf(timestamp: string, now: number): string {
  const since = now - Date.parse(timestamp)
  if (Number.isNaN(since)) return '<unknown>'
  const seconds = Math.trunc(since / 1000)
  if (seconds < -1) return '<invalid>'
  if (seconds < 0) return '0s'
  const [minutes, hours, days] = [Math.trunc(seconds / 60), Math.trunc(seconds / 3600), Math.trunc(seconds / 86_400)]
  const two = (large: number, unit: string, small: number, smallUnit: string): string => small === 0 ? `${large}${unit}` : `${large}${unit}${small}${smallUnit}`
  if (seconds < 120) return `${seconds}s`
  if (minutes < 10) return two(minutes, 'm', seconds % 60, 's')
  if (minutes < 180) return `${minutes}m`
  if (hours < 8) return two(hours, 'h', minutes % 60, 'm')
  if (hours < 48) return `${hours}h`
  if (hours < 192) return two(days, 'd', hours % 24, 'h')
  if (days < 730) return `${days}d`
  return days < 365 * 8 ? two(Math.trunc(days / 365), 'y', days % 365, 'd') : `${Math.trunc(days / 365)}y`
}

export const NAME_COLUMN: Column = {
  name: 'Name', type: 'string', format: 'name', priority: 0,
  description: 'What the object is called: unique among those of its kind in a namespace, and never changed.',
  cell: object => (object['metadata'] as JsonObject)['name'] ?? null,
}

export const AGE_COLUMN: Column = {
  name: 'Age', type: 'date', format: '', priority: 0,
  description: 'Time since the server made the object.',
  cell: object => { const at = (object['metadata'] as JsonObject)['creationTimestamp']; return typeof at === 'string' ? ageOf(at, Date.now()) : '<unknown>' },
}

export type IncludeObject = 'None' | 'Metadata' | 'Object'

export function tableOf(version: ServedVersion, objects: readonly JsonObject[], listMetadata: JsonObject, include: IncludeObject, tableVersion: string, withColumns = true): JsonObject {
  const { columns } = version
  return {
    kind: 'Table',
    apiVersion: `meta.k8s.io/${tableVersion}`,
    metadata: listMetadata,
    columnDefinitions: withColumns ? columns.map(({ name, type, format, description, priority }) => ({ name, type, format, description, priority })) : null,
    rows: objects.map(object => ({
      cells: columns.map(column => column.cell(object)),
      object: include === 'None' ? null : include === 'Object' ? object : partialOf(object, tableVersion),
    })),
  }
}

export const partialOf = (object: JsonObject, version: string): JsonObject =>
  ({ kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata: object['metadata']! })
