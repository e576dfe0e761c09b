// Disks of running domains: size, jobs, backups.

import { Domain, givenParams } from '../types.ts'
import { flag, int, nothing, optional, size, string, struct } from '../xdr.ts'
import { changing, domainFlags, flags, reading } from './procedure.ts'

const dom = Domain
const disk = struct({ dom, path: string, flags })
const throttled = struct({ dom, path: string, bandwidth: size, flags })

export const block = {
  domainGetBlockInfo: reading(194, disk, struct({ allocation: size, capacity: size, physical: size })),
  domainBlockJobAbort: changing(237, disk, nothing),
  domainGetBlockJobInfo: reading(238, disk, struct({ found: flag, type: int, bandwidth: size, cur: size, end: size })),
  domainBlockJobSetSpeed: changing(239, throttled, nothing),
  domainBlockPull: changing(240, throttled, nothing),
  domainBlockResize: changing(251, struct({ dom, disk: string, size, flags }), nothing),
  domainBlockRebase: changing(266, struct({ dom, path: string, base: optional(string), bandwidth: size, flags }), nothing),
  domainBlockCommit: changing(290, struct({ dom, disk: string, base: optional(string), top: optional(string), bandwidth: size, flags }), nothing),
  domainBlockCopy: changing(345, struct({ dom, path: string, destxml: string, params: givenParams(16), flags }), nothing),
  domainBackupBegin: changing(421, struct({ dom, backup_xml: string, checkpoint_xml: optional(string), flags }), nothing),
  domainBackupGetXMLDesc: reading(422, domainFlags, string),
}
