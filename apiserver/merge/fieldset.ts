// Sets of fields as managedFields holds them: a tree of path elements, each a field, an entry by its keys, or a value.
//
// The wire form is FieldsV1: `{"f:spec":{"f:disks":{"k:{\"name\":\"a\"}":{".":{},"f:name":{}}}}}`. A path element is kept as it
// is written there; "." says that the element itself is in the set, and a leaf needs none.

import { compare as compareTexts, number, quote } from '../schema/json/gotext.ts'
import { isObject } from '../schema/json/equal.ts'
import { set } from '../schema/json/walk.ts'
import type { Json, JsonObject } from '../schema/types.ts'

/** `f:NAME`, `k:{"KEY":VALUE}`, `v:VALUE` or `i:INDEX`. */
export type Element = string

export const fieldElement = (name: string): Element => `f:${name}`
export const valueElement = (value: Json): Element => `v:${JSON.stringify(value)}`
/** Keys in their order: one entry has one element. */
export const keyElement = (keys: readonly (readonly [string, Json])[]): Element =>
  `k:${JSON.stringify(Object.fromEntries(keys.toSorted(([a], [b]) => compareTexts(a, b))))}`

interface Node { readonly member: boolean; readonly below: FieldSet }

const ranks: Record<string, number> = { f: 0, k: 1, v: 2, i: 3 }

function compareValues(a: Json, b: Json): number {
  const rank = (value: Json): number => typeof value === 'number' ? 0 : typeof value === 'string' ? 1 : 2
  if (typeof a === 'number' && typeof b === 'number') return a - b
  if (typeof a === 'string' && typeof b === 'string') return compareTexts(a, b)
  return rank(a) - rank(b) || Number(a) - Number(b)
}

function compareElements(a: Element, b: Element): number {
  const type = a.charAt(0)
  if (type !== b.charAt(0)) return (ranks[type] ?? 9) - (ranks[b.charAt(0)] ?? 9)
  if (type === 'f') return compareTexts(a, b)
  const [x, y] = [JSON.parse(a.slice(2)) as Json, JSON.parse(b.slice(2)) as Json]
  if (!isObject(x) || !isObject(y)) return compareValues(x, y)
  const [left, right] = [Object.entries(x), Object.entries(y)]
  for (const [i, [name, value]] of left.entries()) {
    const other = right[i]
    if (other === undefined) return 1
    const order = compareTexts(name, other[0]) || compareValues(value, other[1])
    if (order !== 0) return order
  }
  return left.length - right.length
}

/** An immutable set of fields. */
export class FieldSet {
  // `this` and not the name: what tsc 7.0 makes of an initializer that names its own class fails when it is loaded.
  static readonly empty = new this(new Map())
  readonly #nodes: ReadonlyMap<Element, Node>

  private constructor(nodes: ReadonlyMap<Element, Node>) {
    this.#nodes = nodes
  }

  /** The set of the paths, each a list of elements. */
  static of(...paths: readonly (readonly Element[])[]): FieldSet {
    const builder = new FieldSetBuilder()
    for (const path of paths) builder.add(path)
    return builder.build()
  }

  static fromNodes(nodes: ReadonlyMap<Element, { member: boolean; below: FieldSet }>): FieldSet {
    const kept = new Map<Element, Node>()
    for (const [element, node] of nodes) if (node.member || !node.below.isEmpty) kept.set(element, node)
    return kept.size === 0 ? FieldSet.empty : new FieldSet(kept)
  }

  /** Reads FieldsV1; elements of unknown kinds fall away. Throws SyntaxError for a malformed one. */
  static fromWire(fields: Json): FieldSet {
    if (!isObject(fields)) return FieldSet.empty
    const nodes = new Map<Element, Node>()
    for (const [element, below] of Object.entries(fields)) {
      if (element === '.') continue
      const read = readElement(element)
      if (read === undefined) continue
      const inner = FieldSet.fromWire(below)
      nodes.set(read, { member: inner.isEmpty || (isObject(below) && Object.hasOwn(below, '.')), below: inner })
    }
    return FieldSet.fromNodes(nodes)
  }

  toWire(): JsonObject {
    const fields: JsonObject = {}
    for (const [element, { member, below }] of this.#sorted()) {
      set(fields, element, below.isEmpty ? {} : { ...member ? { '.': {} } : {}, ...below.toWire() })
    }
    return fields
  }

  get isEmpty(): boolean { return this.#nodes.size === 0 }
  has(element: Element): boolean { return this.#nodes.get(element)?.member === true }
  hasPath(path: readonly Element[]): boolean {
    const parent = path.slice(0, -1).reduce<FieldSet>((at, element) => at.below(element), this)
    return path.length > 0 && parent.has(path.at(-1)!)
  }
  /** What the set has below an element. */
  below(element: Element): FieldSet { return this.#nodes.get(element)?.below ?? FieldSet.empty }
  elements(): IterableIterator<[Element, Node]> { return this.#nodes.entries() }

  union(other: FieldSet): FieldSet {
    if (other.isEmpty) return this
    if (this.isEmpty) return other
    const nodes = new Map(this.#nodes)
    for (const [element, { member, below }] of other.#nodes) {
      const own = nodes.get(element)
      nodes.set(element, own ? { member: own.member || member, below: own.below.union(below) } : { member, below })
    }
    return new FieldSet(nodes)
  }

  intersection(other: FieldSet): FieldSet {
    return other.isEmpty ? FieldSet.empty : this.#map((element, { member, below }) => ({ member: member && other.has(element), below: below.intersection(other.below(element)) }))
  }

  /** Fields of this set that the other has not; what lies below a removed field stays. */
  difference(other: FieldSet): FieldSet {
    return other.isEmpty ? this : this.#map((element, { member, below }) => ({ member: member && !other.has(element), below: below.difference(other.below(element)) }))
  }

  /** The same, and what lies below a removed field goes with it. */
  without(other: FieldSet): FieldSet {
    return other.isEmpty ? this : this.#map((element, { member, below }) => other.has(element) ? { member: false, below: FieldSet.empty } : { member, below: below.without(other.below(element)) })
  }

  /** Every field, in the order of the wire: members of a level before what lies below them. */
  * paths(prefix: readonly Element[] = []): Generator<Element[]> {
    const sorted = this.#sorted()
    for (const [element, { member }] of sorted) if (member) yield [...prefix, element]
    for (const [element, { below }] of sorted) yield * below.paths([...prefix, element])
  }

  #sorted(): [Element, Node][] { return [...this.#nodes].toSorted(([a], [b]) => compareElements(a, b)) }
  /** Itself where nothing changes. */
  #map(change: (element: Element, node: Node) => Node): FieldSet {
    const nodes = new Map<Element, Node>()
    let changed = false
    for (const [element, node] of this.#nodes) {
      const next = change(element, node)
      if (next.member === node.member && next.below === node.below) nodes.set(element, node)
      else {
        changed = true
        if (next.member || !next.below.isEmpty) nodes.set(element, next)
      }
    }
    return !changed ? this : nodes.size === 0 ? FieldSet.empty : new FieldSet(nodes)
  }
}

/** Collects paths; cheaper than a union for each. */
export class FieldSetBuilder {
  readonly #nodes = new Map<Element, { member: boolean; below: FieldSetBuilder | undefined }>()

  /** The empty path is the object itself, which nobody owns. */
  add(path: readonly Element[]): void {
    if (path.length > 0) this.#add(path, 0)
  }

  #add(path: readonly Element[], at: number): void {
    const element = path[at]!
    let node = this.#nodes.get(element)
    if (!node) this.#nodes.set(element, node = { member: false, below: undefined })
    if (at === path.length - 1) node.member = true
    else (node.below ??= new FieldSetBuilder()).#add(path, at + 1)
  }

  build(): FieldSet {
    const nodes = new Map<Element, Node>()
    for (const [element, { member, below }] of this.#nodes) nodes.set(element, { member, below: below?.build() ?? FieldSet.empty })
    return FieldSet.fromNodes(nodes)
  }
}

/** Puts keys into their order; undefined for a kind of element that nobody knows. */
function readElement(element: string): Element | undefined {
  if (element.length < 2 || element[1] !== ':') throw new SyntaxError(`missing colon: ${element}`)
  switch (element.charAt(0)) {
    case 'f': return element
    case 'i': return element
    case 'v': return valueElement(JSON.parse(element.slice(2)) as Json)
    case 'k': return keyElement(Object.entries(JSON.parse(element.slice(2)) as JsonObject))
    default: return undefined
  }
}

const shown = (value: Json): string => typeof value === 'string' ? quote(value) : typeof value === 'number' ? number(value) : JSON.stringify(value)

/** One element as messages show it: `.disks`, `[name="a"]`, `[="x"]`. */
export function elementText(element: Element): string {
  const rest = element.slice(2)
  switch (element.charAt(0)) {
    case 'f': return `.${rest}`
    case 'k': return `[${Object.entries(JSON.parse(rest) as JsonObject).map(([name, value]) => `${name}=${shown(value)}`).join(',')}]`
    case 'v': return `[=${shown(JSON.parse(rest) as Json)}]`
    default: return `[${rest}]`
  }
}

export const pathText = (path: readonly Element[]): string => path.map(elementText).join('')
