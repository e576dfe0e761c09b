// Disks of running domains: their size, the jobs that move their content, and backups.

import type { DomainRef } from './domain.ts'
import type { TypedParamsInput } from './values.ts'

/** Bytes. */
export interface DomainBlockInfo { allocation: number; capacity: number; physical: number }
/** `type` is a virDomainBlockJobType; `bandwidth` in MiB/s, or bytes/s where that flag was given; cur == end > 0 is ready or done. */
export interface BlockJobInfo { type: number; bandwidth: number; cur: number; end: number }

/** virDomainBlockResizeFlags. */
export const BlockResizeFlags = { BYTES: 1 } as const
/** virDomainBlockJobAbortFlags. PIVOT switches the guest over to what was copied or committed. */
export const BlockJobAbortFlags = { ASYNC: 1, PIVOT: 2 } as const
/** virDomainBlockRebaseFlags. */
export const BlockRebaseFlags = { SHALLOW: 1, REUSE_EXT: 2, COPY_RAW: 4, COPY: 8, RELATIVE: 16, COPY_DEV: 32, BANDWIDTH_BYTES: 64 } as const
/** virDomainBlockCopyFlags. */
export const BlockCopyFlags = { SHALLOW: 1, REUSE_EXT: 2, TRANSIENT_JOB: 4, SYNCHRONOUS_WRITES: 8 } as const
/** virDomainBlockCommitFlags. */
export const BlockCommitFlags = { SHALLOW: 1, DELETE: 2, ACTIVE: 4, RELATIVE: 8, BANDWIDTH_BYTES: 16 } as const
/** virDomainBackupBeginFlags. */
export const BackupBeginFlags = { REUSE_EXTERNAL: 1 } as const

/**
 * `disk` is a target (`vda`) or a path. A job answers when it has begun; event block-job tells its end. A second job on
 * the same disk is an error, so nothing here is harmless to repeat but the resize.
 */
export interface DomainBlockCalls {
  domainGetBlockInfo(dom: DomainRef, disk: string): Promise<DomainBlockInfo>
  /** `size` in KiB, in bytes with BlockResizeFlags.BYTES. */
  domainBlockResize(dom: DomainRef, disk: string, size: number, flags: number): Promise<void>
  /** Copies the backing chain into the disk. `bandwidth` in MiB/s (bytes/s with flag 64), 0 unlimited. */
  domainBlockPull(dom: DomainRef, disk: string, bandwidth: number, flags: number): Promise<void>
  domainBlockRebase(dom: DomainRef, disk: string, base: string | null, bandwidth: number, flags: number): Promise<void>
  /** Mirrors the disk into the `<disk>` of `destxml`. `bandwidth` (bytes/s), `granularity`, `buf-size` (bytes). */
  domainBlockCopy(dom: DomainRef, disk: string, destxml: string, params: TypedParamsInput, flags: number): Promise<void>
  /** Writes `top` (null: the active layer) down into `base` (null: the deepest). */
  domainBlockCommit(dom: DomainRef, disk: string, base: string | null, top: string | null, bandwidth: number, flags: number): Promise<void>
  domainBlockJobAbort(dom: DomainRef, disk: string, flags: number): Promise<void>
  /** Null while no job runs on the disk. */
  domainGetBlockJobInfo(dom: DomainRef, disk: string, flags: number): Promise<BlockJobInfo | null>
  domainBlockJobSetSpeed(dom: DomainRef, disk: string, bandwidth: number, flags: number): Promise<void>
  /** Begins a backup job (push or pull), with a checkpoint for the next increment where its XML is given. */
  domainBackupBegin(dom: DomainRef, backupXml: string, checkpointXml: string | null, flags: number): Promise<void>
  domainBackupGetXMLDesc(dom: DomainRef): Promise<string>
}
