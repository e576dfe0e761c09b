// The three-way merge: what we rendered last, what is wanted now and what the host holds make the next document.
//
// Wanted overwrites; what we rendered last and no longer want goes; everything else the host holds stays.
// The answer is the new document and the list of what differs, so that "no change" and "which change" are one question.

import { XmlError, type XmlElement, type XmlNode, cloneXml, elementsOf, sameXml, serializeXml, textOf } from './tree.ts'

/** One difference. `path` leads from below the root: `devices/interface[ua-interface-lan]/link@state`, `memory#text`. */
export interface Change {
  path: string
  kind: 'add' | 'set' | 'remove'
  found?: string
  wanted?: string
}

/** How the elements of one name below one parent belong together. */
export type ListRule =
  /** `match` answers which of the candidates is the same entry, or -1; `label` names an entry in paths. */
  | { type: 'entries'; match: (entry: XmlElement, candidates: XmlElement[]) => number; label: (entry: XmlElement) => string }
  /** The order carries the meaning: all of them are one value. */
  | { type: 'atomic' }

export interface MergeRules {
  /** The rule for elements `name` below `path` (element names from the root, itself left out); undefined: there is one at most. */
  list(path: string, name: string): ListRule | undefined
  /** True where there may be several elements `name` below an element `parent` that are no list of ours. */
  repeats?(parent: string, name: string): boolean
  /** True where `found` is only the host's spelling of `wanted` at an attribute (`os/type@machine`) or a text (`memory#text`). */
  equal(path: string, found: string, wanted: string): boolean
  /** True where what was found stays although it differs: it is then listed in `kept`, not in `changes`. */
  keep?(change: Change): boolean
  /** Called with the copy of the found element before it is merged: drops what would contradict the wanted one. */
  prepare?(path: string, found: XmlElement, wanted: XmlElement): void
}

/** Entries told apart by an attribute of their own or of a child: `keyed(entry => entry.attributes.name)`. */
export const keyed = (key: (entry: XmlElement) => string | undefined): ListRule => ({
  type: 'entries',
  match: (entry, candidates) => candidates.findIndex(candidate => key(candidate) === key(entry)),
  label: entry => key(entry) ?? '',
})

export interface Merged { document: XmlElement; changes: Change[]; kept: Change[] }

export function merge3(found: XmlElement, wanted: XmlElement, applied: XmlElement | undefined, rules: MergeRules): Merged {
  const changes: Change[] = []
  const kept: Change[] = []
  const document = cloneXml(found)
  const accepts = (change: Change): boolean => {
    const keep = rules.keep?.(change) ?? false
    ;(keep ? kept : changes).push(change)
    return !keep
  }
  mergeElement(document, wanted, applied, '', rules, accepts)
  return { document, changes, kept }
}

/** Records a difference; false where it is to stay. */
type Accepts = (change: Change) => boolean

function mergeElement(found: XmlElement, wanted: XmlElement, applied: XmlElement | undefined, path: string, rules: MergeRules, accepts: Accepts): void {
  rules.prepare?.(path, found, wanted)
  for (const [name, value] of Object.entries(wanted.attributes)) {
    const at = `${path}@${name}`
    const was = found.attributes[name]
    if (was === value || (was !== undefined && rules.equal(at, was, value))) continue
    if (accepts({ path: at, kind: was === undefined ? 'add' : 'set', found: was, wanted: value })) found.attributes[name] = value
  }
  for (const name of Object.keys(applied?.attributes ?? {})) {
    const was = found.attributes[name]
    if (name in wanted.attributes || was === undefined) continue
    if (accepts({ path: `${path}@${name}`, kind: 'remove', found: was })) delete found.attributes[name]
  }
  mergeText(found, wanted, applied, path, rules, accepts)
  mergeChildren(found, wanted, applied, path, rules, accepts)
}

function mergeText(found: XmlElement, wanted: XmlElement, applied: XmlElement | undefined, path: string, rules: MergeRules, accepts: Accepts): void {
  const text = textOf(wanted)
  const was = textOf(found)
  if (text === '' && (applied === undefined || textOf(applied) === '' || was.trim() === '')) return
  if (was === text || (was.trim() === text.trim()) || rules.equal(`${path}#text`, was, text)) return
  if (!accepts({ path: `${path}#text`, kind: was === '' ? 'add' : text === '' ? 'remove' : 'set', found: was, wanted: text })) return
  found.children = [...(text === '' ? [] : [text]), ...elementsOf(found)]
}

const below = (path: string, name: string): string => (path === '' ? name : `${path}/${name}`)

function mergeChildren(found: XmlElement, wanted: XmlElement, applied: XmlElement | undefined, path: string, rules: MergeRules, accepts: Accepts): void {
  const plain = path.replace(/\[[^\]]*\]/g, '')
  const names = new Set([...elementsOf(wanted), ...(applied ? elementsOf(applied) : [])].map(child => child.name))
  for (const name of names) {
    const named = (element: XmlElement | undefined): XmlElement[] => (element ? elementsOf(element).filter(child => child.name === name) : [])
    const rule = rules.list(plain, name)
    if (rule?.type === 'atomic') {
      mergeAtomic(found, named(wanted), named(applied), name, below(path, name), accepts)
      continue
    }
    const match = rule?.match ?? ((_entry: XmlElement, candidates: XmlElement[]): number => candidates.length === 0 ? -1 : 0)
    const label = (entry: XmlElement): string => below(path, rule === undefined ? name : `${name}[${rule.label(entry)}]`)
    const free = named(found)
    const before = named(applied)
    const take = (entry: XmlElement, from: XmlElement[]): XmlElement | undefined => {
      const at = match(entry, from)
      return at < 0 ? undefined : from.splice(at, 1)[0]
    }
    for (const entry of named(wanted)) {
      const last = take(entry, before)
      const present = take(entry, free)
      if (present !== undefined) mergeElement(present, entry, last, label(entry), rules, accepts)
      else if (accepts({ path: label(entry), kind: 'add', wanted: serializeXml(entry) })) insertBesideKin(found, cloneXml(entry))
    }
    for (const gone of before) {
      const present = take(gone, free)
      if (present === undefined) continue
      if (accepts({ path: label(gone), kind: 'remove', found: serializeXml(present) })) found.children.splice(found.children.indexOf(present), 1)
    }
  }
}

function mergeAtomic(found: XmlElement, wanted: XmlElement[], applied: XmlElement[], name: string, path: string, accepts: Accepts): void {
  const present = elementsOf(found).filter(child => child.name === name)
  if (wanted.length === 0 && applied.length === 0) return
  if (present.length === wanted.length && present.every((element, i) => sameXml(element, wanted[i]!))) return
  const text = (elements: XmlElement[]): string => elements.map(serializeXml).join('')
  if (!accepts({ path, kind: present.length === 0 ? 'add' : wanted.length === 0 ? 'remove' : 'set', found: text(present), wanted: text(wanted) })) return
  const at = present.length > 0 ? found.children.indexOf(present[0]!) : found.children.length
  const rest: XmlNode[] = found.children.filter(child => typeof child === 'string' || child.name !== name)
  rest.splice(Math.min(at, rest.length), 0, ...wanted.map(cloneXml))
  found.children = rest
}

function insertBesideKin(parent: XmlElement, element: XmlElement): void {
  let at = -1
  parent.children.forEach((child, i) => { if (typeof child !== 'string' && child.name === element.name) at = i })
  if (at < 0) parent.children.push(element)
  else parent.children.splice(at + 1, 0, element)
}

/**
 * The path of an element that stands twice where there is one at most: what is looked at and what libvirt reads could then
 * be two different ones. `path` leads to `parent` (element names from the root, itself left out).
 */
export function repeatIn(parent: XmlElement, rules: Pick<MergeRules, 'list' | 'repeats'>, path = ''): string | undefined {
  const seen = new Set<string>()
  for (const child of elementsOf(parent)) {
    const at = below(path, child.name)
    if (seen.has(child.name) && rules.list(path, child.name) === undefined && rules.repeats?.(parent.name, child.name) !== true) return at
    seen.add(child.name)
    const deeper = repeatIn(child, rules, at)
    if (deeper !== undefined) return deeper
  }
  return undefined
}

/** Merges an overlay fragment into a rendered document: attributes overwrite, singletons merge, list entries merge by key or append. Throws XmlError where a singleton stands twice. */
export function overlay(document: XmlElement, fragment: XmlElement[], rules: MergeRules): XmlElement {
  const wanted = { name: document.name, attributes: {}, children: fragment }
  const repeated = repeatIn(wanted, rules)
  if (repeated !== undefined) throw new XmlError(`<${repeated.split('/').at(-1)}> stands twice in one place (${repeated}), and there is one at most: write what belongs into it once`)
  return merge3(document, wanted, undefined, { ...rules, equal: () => false }).document
}
