// The snapshots of one domain: a tree of states, each with the definition, the run and the disks of its moment.

import { DomainState, SnapshotDeleteFlags } from '../../driver.ts'
import { ErrorNumber } from '../../errors.ts'
import { childOf, el, elementsOf, serializeXml, textOf } from '../../../xml/tree.ts'
import { readRoot } from '../document.ts'
import { From, Refusal, checkFlags, failed, invalid } from '../refusal.ts'
import type { Content } from '../storage/content.ts'
import type { DomainDocument } from './definition.ts'

export interface Snapshot {
  name: string
  description: string
  parent: string | null
  /** Seconds since the epoch. */
  created: number
  state: DomainState
  /** What was defined, or what ran as it would be defined. */
  config: DomainDocument
  /** What ran; null where nothing did. */
  live: DomainDocument | null
  /** The bytes of its disks, by path. */
  disks: Map<string, Content>
}

/** What a document asks for; the rest is the domain's. */
export function readSnapshot(text: string, now: number): Pick<Snapshot, 'name' | 'description' | 'created'> {
  const tree = readRoot(text, 'domainsnapshot', 'domain_snapshot', From.DOMAIN)
  const created = Math.floor(now / 1000)
  const name = textOf(childOf(tree, 'name')) || String(created)
  if (name.includes('/') || name.startsWith('.')) throw new Refusal(ErrorNumber.XML_DETAIL, From.TEST, `invalid snapshot name '${name}': name can't ${name.includes('/') ? "contain '/'" : "start with '.'"}`)
  return { name, description: textOf(childOf(tree, 'description')), created }
}

export class Snapshots {
  readonly all = new Map<string, Snapshot>()
  current: string | null = null

  find(name: string): Snapshot {
    const found = this.all.get(name)
    if (found === undefined) throw new Refusal(ErrorNumber.NO_DOMAIN_SNAPSHOT, From.TEST, `Domain snapshot not found: no domain snapshot with matching name '${name}'`)
    return found
  }

  /** The new one stands below the current one, and is current from then on. */
  add(snapshot: Snapshot): void {
    if (this.all.has(snapshot.name)) throw failed(`domain moment ${snapshot.name} already exists`, From.DOMAIN)
    this.all.set(snapshot.name, snapshot)
    this.current = snapshot.name
  }

  get currentOne(): Snapshot {
    if (this.current === null) throw new Refusal(ErrorNumber.NO_DOMAIN_SNAPSHOT, From.TEST, 'Domain snapshot not found: the domain does not have a current snapshot')
    return this.find(this.current)
  }

  parentOf({ name, parent }: Snapshot): Snapshot {
    if (parent === null) throw new Refusal(ErrorNumber.NO_DOMAIN_SNAPSHOT, From.TEST, `Domain snapshot not found: snapshot '${name}' does not have a parent`)
    return this.find(parent)
  }

  children(name: string): Snapshot[] { return [...this.all.values()].filter(({ parent }) => parent === name) }
  descendants(name: string): Snapshot[] { return this.children(name).flatMap(child => [child, ...this.descendants(child.name)]) }

  /** Of a domain's (`of` null) or a snapshot's; flags of SnapshotListFlags: 1 asks a domain for its roots alone, a snapshot for all below it. */
  list(of: string | null, flags: number): Snapshot[] {
    checkFlags(flags, 2047, 'domainListAllSnapshots')
    const candidates = of === null ? [...this.all.values()].filter(({ parent }) => (flags & 1) === 0 || parent === null) : (flags & 1) === 0 ? this.children(of) : this.descendants(of)
    const one = (yes: number, no: number, is: boolean): boolean => (flags & (yes | no)) === 0 || (flags & (is ? yes : no)) !== 0
    const states = flags & (32 | 64 | 128)
    return candidates.filter(({ name, live }) => one(4, 8, this.children(name).length === 0) && one(2, 16, true) && one(256, 512, true) && (states === 0 || (states & (live === null ? 32 : 64)) !== 0))
  }

  /** The domain is gone, and they with it. */
  clear(): void {
    for (const { disks } of this.all.values()) for (const content of disks.values()) content.free()
    this.all.clear()
    this.current = null
  }

  /** Children that stay move up to the parent. */
  delete(snapshot: Snapshot, flags: number): void {
    checkFlags(flags, 7, 'domainSnapshotDelete')
    const { CHILDREN, CHILDREN_ONLY } = SnapshotDeleteFlags
    if ((flags & CHILDREN) !== 0 && (flags & CHILDREN_ONLY) !== 0) throw invalid('CHILDREN and CHILDREN_ONLY exclude each other', From.DOMAIN)
    const below = (flags & (CHILDREN | CHILDREN_ONLY)) === 0 ? [] : this.descendants(snapshot.name)
    const gone = (flags & CHILDREN_ONLY) === 0 ? [...below, snapshot] : below
    for (const { name, disks } of gone) {
      this.all.delete(name)
      for (const content of disks.values()) content.free()
    }
    if ((flags & CHILDREN_ONLY) === 0) for (const child of this.children(snapshot.name)) child.parent = snapshot.parent
    if (this.current !== null && !this.all.has(this.current)) this.current = (flags & CHILDREN_ONLY) === 0 ? snapshot.parent : snapshot.name
  }
}

const states: Partial<Record<DomainState, string>> = { [DomainState.Running]: 'running', [DomainState.Paused]: 'paused', [DomainState.Shutoff]: 'shutoff' }

export function snapshotText({ name, description, parent, created, state, config, live }: Snapshot): string {
  const definition = live ?? config
  const disks = definition.parts.disks.filter(({ path }) => path !== undefined)
  return serializeXml(el('domainsnapshot', {},
    el('name', {}, name), description !== '' && el('description', {}, description), el('state', {}, states[state] ?? 'shutoff'),
    parent !== null && el('parent', {}, el('name', {}, parent)), el('creationTime', {}, created), el('memory', { snapshot: live === null ? 'no' : 'internal' }),
    el('disks', {}, disks.map(({ target }) => el('disk', { name: target, snapshot: 'internal' }))),
    el('domain', definition.tree.attributes, elementsOf(definition.tree))))
}
