// How values of a schema are merged: what is one leaf, what is a map of fields, what is a list with keys.
//
// Derived from a schema as Kubernetes derives it for server-side apply (kube-openapi schemaconv).

import { isObject } from '../schema/json/equal.ts'
import { keyElement, valueElement, type Element } from './fieldset.ts'
import type { Json, SchemaNode } from '../schema/types.ts'

export interface ListAtom { readonly atomic: boolean; readonly keys: readonly string[]; readonly element: Atom }
export interface MapAtom {
  readonly atomic: boolean
  readonly fields: ReadonlyMap<string, Atom>
  /** Of other fields; undefined where there may be none. */
  readonly element: Atom | undefined
}

/** What a value may be: several of these for one that is not typed. */
export interface Atom {
  readonly scalar?: 'string' | 'numeric' | 'boolean' | 'untyped'
  readonly list?: ListAtom
  readonly map?: MapAtom
  readonly default?: Json
}

interface Draft { scalar?: Atom['scalar']; list?: ListAtom; map?: MapAtom; default?: Json }

/** Anything, as one leaf. */
const untyped: Draft = { scalar: 'untyped' }
untyped.list = { atomic: true, keys: [], element: untyped }
untyped.map = { atomic: true, fields: new Map(), element: untyped }
/** Anything, whose maps are merged field by field. */
const deduced: Draft = { scalar: 'untyped', list: { atomic: true, keys: [], element: untyped } }
deduced.map = { atomic: false, fields: new Map(), element: deduced }

const known: [WeakMap<SchemaNode, Atom>, WeakMap<SchemaNode, Atom>] = [new WeakMap(), new WeakMap()]

/** The atom of a schema; `preserving` where one above keeps unknown fields. */
export function atomOf(schema: SchemaNode, preserving = false): Atom {
  const keeps = preserving || schema['x-kubernetes-preserve-unknown-fields'] === true
  const cache = known[keeps ? 1 : 0]
  let atom = cache.get(schema)
  if (atom === undefined) cache.set(schema, atom = convert(schema, keeps))
  return atom
}

function convert(schema: SchemaNode, keeps: boolean): Atom {
  const given = schema.default === undefined ? {} : { default: schema.default }
  switch (schema.type) {
    case 'string': case 'boolean': return { scalar: schema.type, ...given }
    case 'integer': case 'number': return { scalar: 'numeric', ...given }
    case 'object': return { map: mapAtom(schema, keeps), ...given }
    case 'array': return { list: listAtom(schema, keeps), ...given }
    case undefined: return { scalar: 'untyped', list: listAtom(schema, keeps), map: mapAtom(schema, keeps), ...given }
  }
}

function mapAtom(schema: SchemaNode, keeps: boolean): MapAtom {
  const { properties = {}, additionalProperties: others } = schema
  const element = others === undefined ? keeps || Object.keys(properties).length === 0 ? deduced : undefined :
    others === true ? deduced : others === false ? undefined : atomOf(others, keeps)
  return {
    atomic: schema['x-kubernetes-map-type'] === 'atomic',
    fields: new Map(Object.entries(properties).map(([name, node]) => [name, atomOf(node, keeps)])),
    element,
  }
}

function listAtom(schema: SchemaNode, keeps: boolean): ListAtom {
  const type = schema['x-kubernetes-list-type']
  return {
    atomic: type !== 'set' && type !== 'map',
    keys: type === 'map' ? schema['x-kubernetes-list-map-keys'] ?? [] : [],
    element: schema.items === undefined ? untyped : atomOf(schema.items, keeps),
  }
}

/** The atom narrowed to what a value is; the whole where it is null, absent, or of no type that is allowed. */
export function deduce(atom: Atom, value: Json | undefined): Atom {
  if (value === undefined || value === null) return atom
  if (Array.isArray(value)) return atom.list ? { list: atom.list } : atom
  if (isObject(value)) return atom.map ? { map: atom.map } : atom
  return atom.scalar ? { scalar: atom.scalar } : atom
}

export type Kind = { type: 'map'; map: MapAtom } | { type: 'scalar'; scalar: NonNullable<Atom['scalar']> } | { type: 'list'; list: ListAtom }

/** Which of the atom's kinds a walk takes. */
export function kindOf(atom: Atom): Kind {
  if (atom.map) return { type: 'map', map: atom.map }
  if (atom.scalar) return { type: 'scalar', scalar: atom.scalar }
  return { type: 'list', list: atom.list! }
}

export const fieldAtom = (map: MapAtom, name: string): Atom | undefined => map.fields.get(name) ?? map.element

/** A list entry that has no element: a sentence why. */
export class EntryError extends Error {}

/** The path element of a list's entry, by its keys or as a value of a set. Throws EntryError. */
export function elementOf(list: ListAtom, item: Json): Element {
  if (list.keys.length === 0) {
    if (isObject(item)) throw new EntryError("associative list without keys has an element that's a map type")
    if (Array.isArray(item)) throw new EntryError('not supported: associative list with lists as elements')
    if (item === null) throw new EntryError("associative list without keys has an element that's an explicit null")
    return valueElement(item)
  }
  if (item === null) throw new EntryError('associative list with keys may not have a null element')
  if (!isObject(item)) throw new EntryError('associative list with keys may not have non-map elements')
  const keys = list.keys.flatMap(name => {
    const value = Object.hasOwn(item, name) ? item[name]! : list.element.map?.fields.get(name)?.default
    return value === undefined ? [] : [[name, value] as const]
  })
  if (keys.length === 0) {
    throw new EntryError(`associative list with keys has an element that omits all key fields [${list.keys.map(name => JSON.stringify(name)).join(' ')}] (and doesn't have default values for any key fields)`)
  }
  return keyElement(keys)
}

