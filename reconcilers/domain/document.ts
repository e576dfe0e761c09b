// The next document of a domain: what we rendered last, what is wanted and what the host holds, merged; and what differs.

import { type Change, type Merged, merge3 } from '../../xml/merge.ts'
import { type XmlElement, childOf, cloneXml, el, elementsOf, sameXml } from '../../xml/tree.ts'
import { type Owner, ownerOf, renderOwner } from '../identity.ts'
import { withoutSecrets } from './render.ts'
import { domainRules } from './rules.ts'

// libvirt keeps one metadata element for each namespace: the record stands inside the mark of ownership.
const OWNER = 'vireo:owner'
const APPLIED = 'vireo:applied'

/** The last document we rendered, as kept in the metadata. */
export function appliedOf(document: XmlElement): XmlElement | undefined {
  const kept = childOf(document, 'metadata', OWNER, APPLIED)
  return kept === undefined ? undefined : elementsOf(kept)[0]
}

/** Our metadata beside whatever else stands there. */
function renderMetadata(found: XmlElement | undefined, owner: Owner, applied: XmlElement): XmlElement {
  const others = found === undefined ? [] : elementsOf(found).filter(child => !child.name.startsWith('vireo:'))
  const mark = renderOwner(owner)
  return el('metadata', {}, others, { ...mark, children: [el(APPLIED, {}, applied)] })
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
  accepted?: ReadonlyMap<string, string>
  /** Correct repairs drift; otherwise it stays and is listed. */
  correct: boolean
}

export interface NextDocument {
  /** What to define. */
  document: XmlElement
  /** True where defining it would change something. */
  differs: boolean
  changes: Change[]
  /** Drift that stays. */
  drift: Change[]
}

/** Secrets never leave in a change. */
const masked = (change: Change): Change => (/@passwd/.test(change.path) ? { ...change, found: change.found && '***', wanted: change.wanted && '***' } : change)

export function nextDocument({ wanted, record, owner, found, accepted, correct }: DocumentInput): NextDocument {
  const metadata = renderMetadata(found && childOf(found, 'metadata'), owner, record)
  if (found === undefined) return { document: withMetadata(wanted, metadata), differs: true, changes: [], drift: [] }
  const applied = appliedOf(found)
  const rules = domainRules(accepted)
  // What differs between the last and the present rendering was asked for; any other difference came about on the host.
  const asked = applied === undefined ? undefined : new Set(changesBetween(applied, record).map(change => change.path))
  const stays = (change: Change): boolean => !correct && asked !== undefined && ![...asked].some(path => change.path === path || change.path.startsWith(`${path}/`) || change.path.startsWith(`${path}@`) || path.startsWith(`${change.path}/`))
  const merged: Merged = merge3(withoutMetadata(found), wanted, applied, { ...rules, keep: change => stays(change) })
  const document = withMetadata(merged.document, metadata)
  const marked = ownerOf(found)
  const sameOwner = marked !== undefined && sameXml(renderOwner(marked), renderOwner(owner))
  const sameRecord = applied !== undefined && sameXml(applied, record)
  return { document, differs: merged.changes.length > 0 || !sameOwner || !sameRecord, changes: merged.changes.map(masked), drift: merged.kept.map(masked) }
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
