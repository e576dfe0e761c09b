// Snapshots and checkpoints of domains.

import type { DomainRef } from './domain.ts'

export interface SnapshotRef { name: string; dom: DomainRef }
export interface CheckpointRef { name: string; dom: DomainRef }

/** virDomainSnapshotCreateFlags. */
export const SnapshotCreateFlags = {
  REDEFINE: 1, CURRENT: 2, NO_METADATA: 4, HALT: 8, DISK_ONLY: 16, REUSE_EXT: 32, QUIESCE: 64, ATOMIC: 128, LIVE: 256, VALIDATE: 512,
} as const
/** virDomainSnapshotListFlags; ROOTS for a domain's list, DESCENDANTS for a snapshot's. */
export const SnapshotListFlags = {
  ROOTS: 1, DESCENDANTS: 1, METADATA: 2, LEAVES: 4, NO_LEAVES: 8, NO_METADATA: 16, INACTIVE: 32, ACTIVE: 64, DISK_ONLY: 128, INTERNAL: 256, EXTERNAL: 512, TOPOLOGICAL: 1024,
} as const
/** virDomainSnapshotRevertFlags. */
export const SnapshotRevertFlags = { RUNNING: 1, PAUSED: 2, FORCE: 4, RESET_NVRAM: 8 } as const
/** virDomainSnapshotDeleteFlags, virDomainCheckpointDeleteFlags. */
export const SnapshotDeleteFlags = { CHILDREN: 1, METADATA_ONLY: 2, CHILDREN_ONLY: 4 } as const
/** virDomainCheckpointCreateFlags. */
export const CheckpointCreateFlags = { REDEFINE: 1, QUIESCE: 2, REDEFINE_VALIDATE: 4 } as const
/** virDomainCheckpointXMLFlags. */
export const CheckpointXMLFlags = { SECURE: 1, NO_DOMAIN: 2, SIZE: 4 } as const
/** virDomainCheckpointListFlags. */
export const CheckpointListFlags = { ROOTS: 1, DESCENDANTS: 1, TOPOLOGICAL: 2, LEAVES: 4, NO_LEAVES: 8 } as const

/** Absence is NO_DOMAIN_SNAPSHOT or NO_DOMAIN_CHECKPOINT. Creation, reversion and deletion take as long as the bytes take: no deadline. */
export interface SnapshotCalls {
  /** A name that exists is an error, except with REDEFINE, which is harmless to repeat. */
  domainSnapshotCreateXML(dom: DomainRef, xml: string, flags: number): Promise<SnapshotRef>
  domainSnapshotGetXMLDesc(snapshot: SnapshotRef, flags: number): Promise<string>
  domainListAllSnapshots(dom: DomainRef, flags: number): Promise<SnapshotRef[]>
  domainSnapshotListAllChildren(snapshot: SnapshotRef, flags: number): Promise<SnapshotRef[]>
  domainSnapshotLookupByName(dom: DomainRef, name: string): Promise<SnapshotRef>
  domainHasCurrentSnapshot(dom: DomainRef): Promise<boolean>
  domainSnapshotCurrent(dom: DomainRef): Promise<SnapshotRef>
  /** NO_DOMAIN_SNAPSHOT for a root. */
  domainSnapshotGetParent(snapshot: SnapshotRef): Promise<SnapshotRef>
  domainSnapshotIsCurrent(snapshot: SnapshotRef): Promise<boolean>
  domainSnapshotHasMetadata(snapshot: SnapshotRef): Promise<boolean>
  /** What the domain did since is lost. SNAPSHOT_REVERT_RISKY where libvirt wants FORCE for it. */
  domainRevertToSnapshot(snapshot: SnapshotRef, flags: number): Promise<void>
  domainSnapshotDelete(snapshot: SnapshotRef, flags: number): Promise<void>

  domainCheckpointCreateXML(dom: DomainRef, xml: string, flags: number): Promise<CheckpointRef>
  domainCheckpointGetXMLDesc(checkpoint: CheckpointRef, flags: number): Promise<string>
  domainListAllCheckpoints(dom: DomainRef, flags: number): Promise<CheckpointRef[]>
  domainCheckpointListAllChildren(checkpoint: CheckpointRef, flags: number): Promise<CheckpointRef[]>
  domainCheckpointLookupByName(dom: DomainRef, name: string): Promise<CheckpointRef>
  domainCheckpointGetParent(checkpoint: CheckpointRef): Promise<CheckpointRef>
  domainCheckpointDelete(checkpoint: CheckpointRef, flags: number): Promise<void>
}
