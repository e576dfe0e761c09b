// Snapshots of domains.

import type { DomainRef, SnapshotCalls, SnapshotRef } from '../../driver.ts'
import type { Domain } from '../domain/domain.ts'
import { Snapshots, snapshotText, type Snapshot } from '../domain/snapshots.ts'
import type { Operation } from '../faults.ts'
import { checkFlags } from '../refusal.ts'
import type { World } from '../world.ts'
import type { Desk } from './desk.ts'

const none = new Snapshots()
const of = ({ snapshots }: Domain): Snapshots => snapshots ?? none

export const snapshotCalls = (desk: Desk) => {
  const reference = (dom: DomainRef, { name }: Snapshot): SnapshotRef => ({ name, dom })
  /** A call that is about one snapshot. */
  const one = <R>(procedure: Operation, { name, dom }: SnapshotRef, work: (snapshot: Snapshot, domain: Domain, world: World) => R): Promise<R> =>
    desk.domain(procedure, dom, (domain, world) => work(of(domain).find(name), domain, world))
  return {
    domainSnapshotCreateXML: (dom, xml, flags) => desk.domain('domainSnapshotCreateXML', dom, (domain, { domains }) => reference(domain.ref, domains.snapshot(domain, xml, flags))),
    domainSnapshotGetXMLDesc: (snapshot, flags) => one('domainSnapshotGetXMLDesc', snapshot, found => {
      checkFlags(flags, 1, 'domainSnapshotGetXMLDesc')
      return snapshotText(found)
    }),
    domainListAllSnapshots: (dom, flags) => desk.domain('domainListAllSnapshots', dom, domain => of(domain).list(null, flags).map(found => reference(domain.ref, found))),
    domainSnapshotListAllChildren: (snapshot, flags) => one('domainSnapshotListAllChildren', snapshot, ({ name }, domain) => of(domain).list(name, flags).map(found => reference(domain.ref, found))),
    domainSnapshotLookupByName: (dom, name) => desk.domain('domainSnapshotLookupByName', dom, domain => reference(domain.ref, of(domain).find(name))),
    domainHasCurrentSnapshot: dom => desk.domain('domainHasCurrentSnapshot', dom, domain => of(domain).current !== null),
    domainSnapshotCurrent: dom => desk.domain('domainSnapshotCurrent', dom, domain => reference(domain.ref, of(domain).currentOne)),
    domainSnapshotGetParent: snapshot => one('domainSnapshotGetParent', snapshot, (found, domain) => reference(domain.ref, of(domain).parentOf(found))),
    domainSnapshotIsCurrent: snapshot => one('domainSnapshotIsCurrent', snapshot, ({ name }, domain) => of(domain).current === name),
    domainSnapshotHasMetadata: snapshot => one('domainSnapshotHasMetadata', snapshot, () => true),
    domainRevertToSnapshot: (snapshot, flags) => one('domainRevertToSnapshot', snapshot, (found, domain, { domains }) => domains.revert(domain, found, flags)),
    domainSnapshotDelete: (snapshot, flags) => one('domainSnapshotDelete', snapshot, (found, domain) => of(domain).delete(found, flags)),
  } satisfies Partial<SnapshotCalls>
}
