// The steps of libvirt's migration protocol, version 3 with parameters, for whoever drives both hosts; and its knobs.

import type { DomainRef } from './domain.ts'
import type { UploadStream } from './streams.ts'
import type { TypedParamsInput } from './values.ts'

/** virDomainMigrateFlags. */
export const MigrateFlags = {
  LIVE: 1, PEER2PEER: 2, TUNNELLED: 4, PERSIST_DEST: 8, UNDEFINE_SOURCE: 16, PAUSED: 32, NON_SHARED_DISK: 64, NON_SHARED_INC: 128, CHANGE_PROTECTION: 256, UNSAFE: 512,
  OFFLINE: 1024, COMPRESSED: 2048, ABORT_ON_ERROR: 4096, AUTO_CONVERGE: 8192, RDMA_PIN_ALL: 16_384, POSTCOPY: 32_768, TLS: 65_536, PARALLEL: 131_072,
  NON_SHARED_SYNCHRONOUS_WRITES: 262_144, POSTCOPY_RESUME: 524_288, ZEROCOPY: 1_048_576,
} as const

/**
 * Begin (source) -> Prepare (destination) -> Perform (source) -> Finish (destination) -> Confirm (source), each handing
 * its cookie to the next; peer to peer, Perform alone does all of it. `cookie` may be empty.
 *
 * All steps of one migration belong on one connection per host: libvirt ends a migration with the connection that
 * began it. Perform answers when the memory has moved and holds one of its connection's four slots until then: give a
 * migration connections of its own.
 */
export interface MigrationCalls {
  /** Answers the document for the destination. */
  domainMigrateBegin3Params(dom: DomainRef, params: TypedParamsInput, flags: number): Promise<{ cookie: Uint8Array; xml: string }>
  /** Answers where the source should send to, where the driver chooses that. */
  domainMigratePrepare3Params(params: TypedParamsInput, cookie: Uint8Array, flags: number): Promise<{ cookie: Uint8Array; uri: string | null }>
  /** The same for a tunnelled one, whose bytes go through `stream`. */
  domainMigratePrepareTunnel3Params(params: TypedParamsInput, cookie: Uint8Array, flags: number): Promise<{ cookie: Uint8Array; stream: UploadStream }>
  /** `dconnuri` is the destination's URI as the source dials it, for peer to peer. */
  domainMigratePerform3Params(dom: DomainRef, dconnuri: string | null, params: TypedParamsInput, cookie: Uint8Array, flags: number): Promise<Uint8Array>
  domainMigrateFinish3Params(params: TypedParamsInput, cookie: Uint8Array, flags: number, cancelled: boolean): Promise<{ dom: DomainRef; cookie: Uint8Array }>
  domainMigrateConfirm3Params(dom: DomainRef, params: TypedParamsInput, cookie: Uint8Array, flags: number, cancelled: boolean): Promise<void>
  domainMigrateStartPostCopy(dom: DomainRef): Promise<void>
  /** ms. */
  domainMigrateGetMaxDowntime(dom: DomainRef): Promise<number>
  domainMigrateSetMaxDowntime(dom: DomainRef, downtime: number): Promise<void>
  /** MiB/s; flag 1 means the post-copy phase. */
  domainMigrateGetMaxSpeed(dom: DomainRef, flags: number): Promise<number>
  domainMigrateSetMaxSpeed(dom: DomainRef, bandwidth: number, flags: number): Promise<void>
  /** Bytes. */
  domainMigrateGetCompressionCache(dom: DomainRef): Promise<number>
  domainMigrateSetCompressionCache(dom: DomainRef, cacheSize: number): Promise<void>
}
