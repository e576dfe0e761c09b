// Compares what is wanted with what the host holds: the next document, what goes into the running network, what needs a recreation.

import { type Change, merge3 } from '../../xml/merge.ts'
import { type XmlElement, childOf, childrenOf, cloneXml, el, elementsOf } from '../../xml/tree.ts'
import type { Owner } from '../identity.ts'
import { type LiveUpdate, afterUpdates, liveUpdates } from './inplace.ts'
import { carries, recordOf, withMark } from './mark.ts'
import { hasOwnBridge } from './render.ts'
import { networkRules } from './rules.ts'

/** A network's parsed documents. */
export interface Documents {
  inactive: XmlElement
  /** Present while it is active. */
  live?: XmlElement
  /** The host shows a running network's present document only: what is staged cannot be read back. */
  stagedUnreadable: boolean
}

export interface Comparison {
  /** What to define. */
  document: XmlElement
  /** Whether defining it would change something, our mark included. */
  redefine: boolean
  /** What differs in the configuration, our mark left aside. */
  changes: Change[]
  /** Calls that change the running network in place. */
  updates: LiveUpdate[]
  /** What the running network takes by a recreation only. */
  recreate: Change[]
  /** What was changed on the host and stays so. */
  drift: Change[]
}

const withoutMetadata = (document: XmlElement): XmlElement => ({ ...document, children: elementsOf(document).filter(child => child.name !== 'metadata') })

/**
 * The part of a network that the spec's fields speak about: what stands in for the record where we have rendered nothing
 * yet, so that a network that is taken over ends as the spec says and keeps the rest.
 */
function spoken(document: XmlElement): XmlElement {
  const pick = (element: XmlElement, children: Record<string, (child: XmlElement) => XmlElement>): XmlElement =>
    ({ ...element, children: elementsOf(element).flatMap(child => children[child.name]?.(child) ?? []) })
  const picked = pick(document, {
    forward: forward => el('forward', { mode: forward.attributes.mode, dev: forward.attributes.dev }),
    mtu: cloneXml,
    domain: cloneXml,
    dns: dns => pick(dns, { host: cloneXml }),
    ip: ip => pick(ip, { dhcp: dhcp => pick(dhcp, { range: cloneXml, host: cloneXml }) }),
    portgroup: cloneXml,
  })
  return { ...picked, attributes: {} }
}

/** A bridge name that the spec leaves open stays what it is, as long as the bridge is libvirt's: the record without it. */
function keepBridgeName(record: XmlElement, wanted: XmlElement): XmlElement {
  const own = (network: XmlElement): boolean => hasOwnBridge(childOf(network, 'forward')?.attributes.mode)
  if (childOf(wanted, 'bridge')?.attributes.name !== undefined || !own(wanted) || !own(record)) return record
  const kept = cloneXml(record)
  for (const bridge of childrenOf(kept, 'bridge')) delete bridge.attributes.name
  return kept
}

/** Elements that hold more than what we render into them: when we want none of it any more, its parts go one by one and the rest stays. */
const SHELLS = ['bridge', 'dns']

function withShells(wanted: XmlElement, record: XmlElement, found: XmlElement): XmlElement {
  const needed = SHELLS.filter(name => childOf(wanted, name) === undefined && childOf(record, name) !== undefined && childOf(found, name) !== undefined)
  return { ...wanted, children: [...wanted.children, ...needed.map(name => el(name))] }
}

/** True where one path is the other's, or lies within it. */
const related = (a: string, b: string): boolean => {
  const within = (inner: string, outer: string): boolean => inner === outer || (inner.startsWith(outer) && /[/@#]/.test(inner[outer.length]!))
  return within(a, b) || within(b, a)
}

interface Merge { document: XmlElement; changes: Change[]; kept: Change[] }

/** One document of the host brought to what is wanted. What was not asked for since `record` is drift, and stays unless it is to be corrected. */
function bring(found: XmlElement, wanted: XmlElement, record: XmlElement, correct: boolean): Merge {
  const applied = keepBridgeName(record, wanted)
  const next = withShells(wanted, applied, found)
  const asked = correct ? [] : merge3(applied, next, applied, { ...networkRules, equal: () => false }).changes
  const keep = (change: Change): boolean => !correct && !asked.some(({ path }) => related(path, change.path))
  return merge3(found, next, applied, { ...networkRules, keep })
}

/** `correct` is false where driftPolicy leaves what was changed on the host. */
export function compare(found: Documents, wanted: XmlElement, owner: Owner, correct: boolean): Comparison {
  const inactive = withoutMetadata(found.inactive)
  const record = recordOf(found.inactive) ?? spoken(inactive)
  const next = bring(inactive, wanted, record, correct)
  const metadata = childOf(found.inactive, 'metadata')
  const document = withMark(metadata === undefined ? next.document : { ...next.document, children: [metadata, ...next.document.children] }, owner, wanted)
  const redefine = next.changes.length > 0 || !carries(found.inactive, owner, wanted)
  const stored = { document, redefine, changes: next.changes }
  if (found.live === undefined) return { ...stored, updates: [], recreate: [], drift: next.kept }
  if (found.stagedUnreadable) return { ...stored, updates: [], recreate: next.changes, drift: next.kept }

  const live = withoutMetadata(found.live)
  // The running network carries the record of its start; what was asked for since then is in the newer one.
  const started = recordOf(found.live) ?? spoken(live)
  const both = (from: XmlElement): Merge => {
    const first = bring(from, wanted, started, correct)
    const second = bring(first.document, wanted, record, correct)
    return { document: second.document, changes: [...first.changes, ...second.changes], kept: first.kept }
  }
  const target = both(live)
  const updates = liveUpdates(live, target.document)
  const recreate = both(afterUpdates(live, target.document)).changes
  const drift = [...next.kept, ...target.kept.filter(change => !next.kept.some(({ path }) => path === change.path))]
  return { ...stored, updates, recreate, drift }
}

/** The document of a network that is not there yet. */
export const firstDocument = (wanted: XmlElement, name: string, uuid: string, owner: Owner): XmlElement =>
  withMark({ ...wanted, children: [el('name', {}, name), el('uuid', {}, uuid), ...wanted.children] }, owner, wanted)
