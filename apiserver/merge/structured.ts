// Merges, compares and prunes values by their atoms, as structured-merge-diff does.
//
// Values are well-formed by their atoms (shape.ts), except that a stored list may hold one key twice.

import { equal, isObject } from '../schema/json/equal.ts'
import { set } from '../schema/json/walk.ts'
import { deduce, elementOf, fieldAtom, kindOf, type Atom, type ListAtom, type MapAtom } from './atoms.ts'
import { fieldElement, FieldSet, FieldSetBuilder, type Element } from './fieldset.ts'
import type { Json, JsonObject } from '../schema/types.ts'

/** Null, and what is no map or list at all, has no fields and no entries. */
const emptyMap = (value: Json | undefined): boolean => !isObject(value) || Object.keys(value).length === 0
const emptyList = (value: Json | undefined): boolean => !Array.isArray(value) || value.length === 0
const mapOf = (value: Json | undefined): JsonObject => isObject(value) ? value : {}
const listOf = (value: Json | undefined): Json[] => Array.isArray(value) ? value : []
const names = (a: JsonObject, b: JsonObject): string[] => [...Object.keys(a), ...Object.keys(b).filter(name => !Object.hasOwn(a, name))]
const field = (object: JsonObject, name: string): Json | undefined => Object.hasOwn(object, name) ? object[name] : undefined

/** Which atom two values are walked by: what is to be decides. */
const atomFor = (atom: Atom, left: Json | undefined, right: Json | undefined): Atom => deduce(atom, right === undefined ? left : right)

/** What is there (`left`) with what is applied (`right`) laid over it; undefined where neither has anything. */
export function mergeValues(atom: Atom, left: Json | undefined, right: Json | undefined): Json | undefined {
  const kind = kindOf(atomFor(atom, left, right))
  const over = right === undefined ? left : right
  if (kind.type === 'scalar') return over
  if (kind.type === 'map') {
    if (kind.map.atomic || (emptyMap(left) && emptyMap(right))) return over
    return mergeMaps(kind.map, mapOf(left), mapOf(right))
  }
  if (kind.list.atomic || (emptyList(left) && emptyList(right))) return over
  return mergeLists(kind.list, listOf(left), listOf(right))
}

function mergeMaps(map: MapAtom, left: JsonObject, right: JsonObject): Json | undefined {
  const merged: JsonObject = {}
  for (const name of names(left, right)) {
    const atom = fieldAtom(map, name)
    const value = atom === undefined ? field(right, name) ?? field(left, name) : mergeValues(atom, field(left, name), field(right, name))
    if (value !== undefined) set(merged, name, value)
  }
  return Object.keys(merged).length === 0 ? undefined : merged
}

interface Entries { readonly elements: Element[]; readonly values: Map<Element, Json | undefined> }

/** Entries by their elements; one that stands twice has no value that could be merged. */
function entriesOf(list: ListAtom, items: Json[]): Entries {
  const elements = items.map(item => elementOf(list, item))
  const values = new Map<Element, Json | undefined>()
  for (const [i, element] of elements.entries()) values.set(element, values.has(element) ? undefined : items[i])
  return { elements, values }
}

/** Entries keep the order of what is applied, and between them the order of what is there. */
function mergeLists(list: ListAtom, left: Json[], right: Json[]): Json | undefined {
  const [old, now] = [entriesOf(list, left), entriesOf(list, right)]
  const shared = now.elements.filter(element => old.values.has(element))
  const done = new Set<Element>()
  const merged: Json[] = []
  const put = (value: Json | undefined): void => { if (value !== undefined) merged.push(value) }
  let next = 0
  for (let l = 0, r = 0; l < left.length || r < right.length;) {
    if (l < left.length && r < right.length) {
      const element = old.elements[l]!
      if (element === now.elements[r]) {
        done.add(element)
        put(mergeValues(list.element, old.values.get(element), now.values.get(element)))
        l++
        r++
        next++
        continue
      }
      // A shared entry, but not the one whose turn it is.
      if (now.values.has(element) && next < shared.length && shared[next] !== element) {
        l++
        continue
      }
    }
    if (l < left.length) {
      const element = old.elements[l]!
      if (!now.values.has(element)) {
        put(mergeValues(list.element, left[l], undefined))
        l++
        continue
      }
      if (done.has(element)) l++
    }
    if (r < right.length) {
      const element = now.elements[r]!
      done.add(element)
      put(mergeValues(list.element, old.values.get(element), now.values.get(element)))
      r++
      if (shared[next] === element) next++
    }
  }
  return merged.length === 0 ? undefined : merged
}

/** Every field that a value has: its leaves, entries of lists, fields that the schema does not name, empty maps. */
export function fieldsOf(atom: Atom, value: Json): FieldSet {
  const builder = new FieldSetBuilder()
  collect(atom, value, [], builder)
  return builder.build()
}

function collect(whole: Atom, value: Json, path: readonly Element[], into: FieldSetBuilder): void {
  const kind = kindOf(deduce(whole, value))
  if (kind.type === 'scalar' || (kind.type === 'map' ? kind.map.atomic : kind.list.atomic)) {
    into.add(path)
    return
  }
  if (kind.type === 'map') {
    for (const [name, inner] of Object.entries(mapOf(value))) {
      const at = [...path, fieldElement(name)]
      const atom = fieldAtom(kind.map, name)
      if (atom !== undefined) collect(atom, inner, at, into)
      if (inner === null || (isObject(inner) && emptyMap(inner)) || !kind.map.fields.has(name)) into.add(at)
    }
    return
  }
  const items = listOf(value)
  const elements = items.map(item => elementOf(kind.list, item))
  const twice = new Set(elements.filter((element, i) => elements.indexOf(element) !== i))
  for (const [i, element] of elements.entries()) {
    if (!twice.has(element)) collect(kind.list.element, items[i]!, [...path, element], into)
    into.add([...path, element])
  }
}

/** Which fields differ between two values. */
export interface Comparison { readonly added: FieldSet; readonly modified: FieldSet; readonly removed: FieldSet }

interface Differences { added: FieldSetBuilder; modified: FieldSetBuilder; removed: FieldSetBuilder }

export function compareValues(atom: Atom, left: Json, right: Json): Comparison {
  const into: Differences = { added: new FieldSetBuilder(), modified: new FieldSetBuilder(), removed: new FieldSetBuilder() }
  compareAt(atom, left, right, [], into)
  return { added: into.added.build(), modified: into.modified.build(), removed: into.removed.build() }
}

function compareAt(atom: Atom, left: Json | undefined, right: Json | undefined, path: readonly Element[], into: Differences): void {
  const leaf = (): void => {
    if (left === undefined) into.added.add(path)
    else if (right === undefined) into.removed.add(path)
    else if (!equal(left, right)) into.modified.add(path)
  }
  const walk = (whole: Atom, a: Json | undefined, b: Json | undefined): boolean => {
    const kind = kindOf(whole)
    if (kind.type === 'scalar') return true
    if (kind.type === 'map') {
      if (kind.map.atomic || (emptyMap(a) && emptyMap(b))) return true
      const [x, y] = [mapOf(a), mapOf(b)]
      for (const name of names(x, y)) {
        const inner = fieldAtom(kind.map, name)
        if (inner) compareAt(inner, field(x, name), field(y, name), [...path, fieldElement(name)], into)
      }
      return false
    }
    if (kind.list.atomic || (emptyList(a) && emptyList(b))) return true
    compareLists(kind.list, listOf(a), listOf(b), path, into)
    return false
  }
  const [a, b] = [deduce(atom, left), deduce(atom, right)]
  // A value of another kind than before: what the old one had below is gone, what the new one has is new.
  if (left !== undefined && right !== undefined && kindOf(a).type !== kindOf(b).type && walk(a, left, right)) leaf()
  if (walk(right === undefined ? a : b, left, right)) leaf()
  else if (left === undefined) into.added.add(path)
  else if (right === undefined) into.removed.add(path)
}

function compareLists(list: ListAtom, left: Json[], right: Json[], path: readonly Element[], into: Differences): void {
  const group = (items: Json[]): Map<Element, Json[]> => Map.groupBy(items, item => elementOf(list, item))
  const [old, now] = [group(left), group(right)]
  for (const element of new Set([...old.keys(), ...now.keys()])) {
    const [was, is] = [old.get(element) ?? [], now.get(element) ?? []]
    const at = [...path, element]
    if (was.length <= 1 && is.length <= 1) compareAt(list.element, was[0], is[0], at, into)
    else if (was.length >= 2 && is.length >= 2) {
      if (!equal(was, is)) into.modified.add(at)
    } else if (was.length >= 2) {
      if (is.length > 0) compareAt(list.element, undefined, is[0], at, into)
      into.removed.add(at)
    } else {
      if (was.length > 0) compareAt(list.element, was[0], undefined, at, into)
      into.added.add(at)
    }
  }
}

/** The value without the fields and entries of a set; undefined where nothing is left of a map or list. */
export function removeFields(atom: Atom, value: Json, remove: FieldSet): Json | undefined {
  const kind = kindOf(deduce(atom, value))
  if (kind.type === 'scalar') return value
  if (kind.type === 'map') {
    if (!isObject(value) || emptyMap(value) || kind.map.atomic) return undefined
    const kept: JsonObject = {}
    for (const [name, inner] of Object.entries(value)) {
      const element = fieldElement(name)
      if (remove.has(element)) continue
      const below = remove.below(element)
      const known = fieldAtom(kind.map, name)
      set(kept, name, below.isEmpty || known === undefined ? inner : removeFields(known, inner, below) ?? null)
    }
    return Object.keys(kept).length === 0 ? undefined : kept
  }
  if (!Array.isArray(value) || value.length === 0 || kind.list.atomic) return undefined
  const kept = value.flatMap(item => {
    const element = elementOf(kind.list, item)
    if (remove.has(element)) return []
    const below = remove.below(element)
    return [below.isEmpty ? item : removeFields(kind.list.element, item, below) ?? null]
  })
  return kept.length === 0 ? undefined : kept
}

/** The set with every field that the schema names and that has something below it: so that a removed struct goes as a whole. */
export function withNamedFields(atom: Atom | undefined, fields: FieldSet): FieldSet {
  return FieldSet.fromNodes(new Map([...fields.elements()].map(([element, { member, below }]) => {
    const name = element.startsWith('f:') ? element.slice(2) : undefined
    const named = name !== undefined && atom?.map?.fields.has(name) === true
    const inner = name !== undefined ? atom?.map && fieldAtom(atom.map, name) : element.startsWith('k:') ? atom?.list?.element : undefined
    return [element, { member: member || (named && !below.isEmpty), below: withNamedFields(inner, below) }]
  })))
}
