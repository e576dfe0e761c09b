// The next document of a domain: what we rendered last, what is wanted and what the host holds, merged; and what differs.

import { type Change, type Merged, merge3 } from '../../xml/merge.ts'
import { type XmlElement, childOf, childrenOf, cloneXml, el, elementsOf, sameXml } from '../../xml/tree.ts'
import { type Owner, ownerOf, renderOwner } from '../identity.ts'
import { holdsSecret, isSecret, withoutSecrets } from './render.ts'
import { domainRules } from './rules.ts'

// libvirt keeps one metadata element for each namespace: the record stands inside the mark of ownership.
const OWNER = 'vireo:owner'
const APPLIED = 'vireo:applied'
const SPELLED = 'vireo:spelled'

/** What the host made of values we gave it, by path: learnt by reading back right after a define, and kept beside the record. */
export type Spelling = ReadonlyMap<string, { wanted: string; found: string }>

/** The last document we rendered, as kept in the metadata. */
export function appliedOf(document: XmlElement): XmlElement | undefined {
  const kept = childOf(document, 'metadata', OWNER, APPLIED)
  return kept === undefined ? undefined : elementsOf(kept)[0]
}

/** The host's spellings that are kept in the metadata. */
export const spellingOf = (document: XmlElement): Spelling =>
  new Map(childrenOf(childOf(document, 'metadata', OWNER), SPELLED).map(({ attributes: { path = '', wanted = '', found = '' } }) => [path, { wanted, found }]))

/** Our metadata beside whatever else stands there. */
function renderMetadata(found: XmlElement | undefined, owner: Owner, applied: XmlElement, spelling: Spelling): XmlElement {
  const others = found === undefined ? [] : elementsOf(found).filter(child => !child.name.startsWith('vireo:'))
  const mark = renderOwner(owner)
  const spelled = [...spelling].map(([path, { wanted, found: text }]) => el(SPELLED, { path, wanted, found: text }))
  return el('metadata', {}, others, { ...mark, children: [el(APPLIED, {}, applied), ...spelled] })
}

const withMetadata = (document: XmlElement, metadata: XmlElement): XmlElement => {
  const children = document.children.filter(child => typeof child === 'string' || child.name !== 'metadata')
  const at = children.findIndex(child => typeof child !== 'string' && ['memory', 'maxMemory', 'currentMemory'].includes(child.name))
  children.splice(at < 0 ? children.length : at, 0, metadata)
  return { ...document, children }
}

const withoutMetadata = (document: XmlElement): XmlElement => ({ ...document, children: document.children.filter(child => typeof child === 'string' || child.name !== 'metadata') })

export interface DocumentInput {
  wanted: XmlElement
  /** What is kept as applied: the wanted document with aliases, secrets removed. */
  record: XmlElement
  owner: Owner
  found?: XmlElement
  /** Spellings learnt since, beside those kept in `found`. */
  spelling?: Spelling
  /** Correct repairs drift; otherwise it stays and is listed. */
  correct: boolean
  /** The driver keeps no metadata: there is no record, and details that it drops cannot be told from drift. */
  unmarked?: boolean
}

export interface NextDocument {
  /** What to define. */
  document: XmlElement
  /** True where defining it would change something. */
  differs: boolean
  changes: Change[]
  /** Drift that stays. */
  drift: Change[]
  /** Paths that were asked for since the last document; undefined: all. Below one, everything is. */
  asked: (path: string) => boolean
}

/** Secrets never leave in a change. */
const masked = (change: Change): Change => (isSecret(change.path) ? { ...change, found: change.found && '***', wanted: change.wanted && '***' } : change)

/** A value that the host spells otherwise, or does not keep: the same one as before, given for the same wish. */
const isSpelled = (spelling: Spelling, { path, wanted = '', found = '' }: Change): boolean => {
  const known = spelling.get(path)
  return known !== undefined && known.wanted === wanted && known.found === found
}

/** A detail within what the host does keep, such as an element of a disk that is there. */
const isDetail = ({ kind, path }: Change): boolean => kind === 'add' && !/^devices\/\w+\[[^\]]*\]$/.test(path)

export function nextDocument({ wanted, record, owner, found, spelling = new Map(), correct, unmarked = false }: DocumentInput): NextDocument {
  if (found === undefined) return { document: withMetadata(wanted, renderMetadata(undefined, owner, record, new Map())), differs: true, changes: [], drift: [], asked: () => true }
  const applied = appliedOf(found)
  const kept = spellingOf(found)
  const known: Spelling = new Map([...kept, ...spelling])
  // What differs between the last and the present rendering was asked for; any other difference came about on the host.
  const paths = applied === undefined ? undefined : changesBetween(applied, record).map(change => change.path)
  // A secret is in no record: it is always as the spec says.
  const asked = (path: string): boolean => isSecret(path) || (paths === undefined ? !unmarked || correct : paths.some(other => path === other || ['/', '@', '#'].some(mark => path.startsWith(`${other}${mark}`) || other.startsWith(`${path}${mark}`))))
  const merged: Merged = merge3(withoutMetadata(found), wanted, applied, { ...domainRules(), keep: change => isSpelled(known, change) || (!correct && !asked(change.path)) })
  const told = (list: Change[]): Change[] => (unmarked ? list.filter(change => !isDetail(change)) : list)
  const changes = told(merged.changes)
  const spelled = merged.kept.filter(change => isSpelled(known, change))
  const document = withMetadata(merged.document, renderMetadata(childOf(found, 'metadata'), owner, record, new Map(spelled.map(({ path, wanted: text = '', found: was = '' }) => [path, { wanted: text, found: was }]))))
  const marked = ownerOf(found)
  const sameOwner = marked !== undefined && sameXml(renderOwner(marked), renderOwner(owner))
  const sameRecord = applied !== undefined && sameXml(applied, record) && spelled.every(change => isSpelled(kept, change))
  return {
    document,
    differs: changes.length > 0 || (!unmarked && (!sameOwner || !sameRecord)),
    changes: changes.map(masked),
    drift: told(merged.kept.filter(change => !spelled.includes(change))).map(masked),
    asked,
  }
}

/**
 * What differs right after a define, and did not in the document that was sent, is how the host spells it, or what it does
 * not keep. Secrets are left out.
 */
export function learnSpelling(input: DocumentInput, sent: XmlElement): Spelling {
  const differences = (found: XmlElement): Change[] => nextDocument({ ...input, found, correct: true }).changes
  const drift = new Set(differences(sent).map(change => change.path))
  return new Map(differences(input.found ?? sent)
    .filter(change => change.kind !== 'remove' && !drift.has(change.path) && !isSecret(change.path) && !holdsSecret(`${change.wanted}${change.found}`))
    .map(({ path, wanted = '', found = '' }) => [path, { wanted, found }]))
}

/** What differs between two renderings of ours. */
export function changesBetween(before: XmlElement, after: XmlElement): Change[] {
  return merge3(withoutMetadata(cloneXml(before)), withoutMetadata(after), before, { ...domainRules(), equal: () => false }).changes.map(masked)
}

/** The same document, marked as released: another object may adopt it. */
export const released = (found: XmlElement): XmlElement => {
  const owner = ownerOf(found)
  const metadata = childOf(found, 'metadata')
  if (owner === undefined || metadata === undefined) return found
  return withMetadata(found, { ...metadata, children: metadata.children.map(child => (typeof child !== 'string' && child.name === OWNER ? { ...renderOwner({ ...owner, released: true }), children: child.children } : child)) })
}

export const recordOf = (wanted: XmlElement): XmlElement => withoutSecrets(withoutMetadata(wanted))
