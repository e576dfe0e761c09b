// Writes down a built-in kind: what all of them share is filled in here.

import { builtinSchema } from '../merge/index.ts'
import { type CompiledSchema, compileSchema } from '../schema/index.ts'
import type { Json, JsonObject, SchemaNode } from '../schema/types.ts'
import { type Behaviour, type Column, type ServedKind, VERBS } from '../registry/kind.ts'
import { AGE_COLUMN as CUSTOM_AGE_COLUMN, NAME_COLUMN, ageOf } from '../table/table.ts'

/** Of built-in kinds the cells are texts. */
export const AGE_COLUMN: Column = { ...CUSTOM_AGE_COLUMN, type: 'string' }

export interface BuiltinKind {
  group?: string
  version?: string
  plural: string
  kind: string
  shortNames?: readonly string[]
  namespaced?: boolean
  /** Behind the name; without any, the age alone. */
  columns?: readonly Column[]
  statusSubresource?: boolean
  hasGeneration?: boolean
  selectableFields?: readonly string[]
  createOnUpdate?: boolean
  names?: ServedKind['names']
  verbs?: readonly string[]
  behaviour?: Behaviour
  note?: string
  /** Of kinds that are questions: their fields. */
  schema?: SchemaNode
  /** Where another kind keeps the same objects. */
  keptBy?: { resource: string; apiVersion: string }
}

export function builtin(kind: BuiltinKind): ServedKind {
  const { group = '', version = 'v1', plural, columns } = kind
  const apiVersion = group === '' ? version : `${group}/${version}`
  let schema: CompiledSchema | undefined
  const compiled = (): CompiledSchema => {
    schema ??= kind.schema === undefined ? builtinSchema(apiVersion, kind.kind) : compileSchema(kind.schema)
    if (schema === undefined) throw new Error(`the built-in kind ${apiVersion} ${kind.kind} has no schema`)
    return schema
  }
  return {
    group,
    plural,
    singular: kind.kind.toLowerCase(),
    kind: kind.kind,
    listKind: `${kind.kind}List`,
    shortNames: kind.shortNames ?? [],
    categories: [],
    namespaced: kind.namespaced ?? true,
    resource: kind.keptBy?.resource ?? (group === '' ? plural : `${plural}.${group}`),
    storedAs: kind.keptBy?.apiVersion ?? apiVersion,
    versions: [{
      name: version,
      apiVersion,
      served: true,
      deprecated: false,
      openapi: undefined,
      schema: compiled,
      columns: [NAME_COLUMN, ...columns ?? [AGE_COLUMN]],
      statusSubresource: kind.statusSubresource ?? false,
      selectableFields: kind.selectableFields ?? [],
      since: 0,
    }],
    custom: false,
    createOnUpdate: kind.createOnUpdate ?? false,
    names: kind.names,
    hasGeneration: kind.hasGeneration ?? false,
    ...kind.note === undefined ? {} : { note: kind.note },
    verbs: kind.verbs ?? VERBS,
    behaviour: kind.behaviour ?? {},
    terminating: false,
  }
}

export const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value)

/** What a path leads to; undefined where it leads nowhere. */
export function at(object: JsonObject, ...path: string[]): Json | undefined {
  let value: Json | undefined = object
  for (const part of path) value = isObject(value) ? value[part] : undefined
  return value
}

export const textAt = (object: JsonObject, ...path: string[]): string => {
  const value = at(object, ...path)
  return typeof value === 'string' ? value : ''
}

export const column = (name: string, cell: (object: JsonObject) => Json, more: Partial<Column> = {}): Column =>
  ({ name, type: 'string', format: '', description: '', priority: 0, cell, ...more })

export const age = (timestamp: Json | undefined): string => typeof timestamp === 'string' && timestamp !== '' ? ageOf(timestamp, Date.now()) : '<unknown>'
