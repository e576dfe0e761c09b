// Disks of running domains over RPC: size, jobs, backups.

import type { DomainBlockCalls } from '../../driver.ts'
import { procedures as p } from '../protocol.ts'
import type { Rpc } from './rpc.ts'

export const blockCalls = (rpc: Rpc): DomainBlockCalls => ({
  domainGetBlockInfo: (dom, path) => rpc.call(p.domainGetBlockInfo, { dom, path, flags: 0 }),
  domainBlockResize: (dom, disk, size, flags) => rpc.call(p.domainBlockResize, { dom, disk, size, flags }),
  domainBlockPull: (dom, path, bandwidth, flags) => rpc.call(p.domainBlockPull, { dom, path, bandwidth, flags }),
  domainBlockRebase: (dom, path, base, bandwidth, flags) => rpc.call(p.domainBlockRebase, { dom, path, base, bandwidth, flags }),
  domainBlockCopy: (dom, path, destxml, params, flags) => rpc.call(p.domainBlockCopy, { dom, path, destxml, params, flags }),
  domainBlockCommit: (dom, disk, base, top, bandwidth, flags) => rpc.call(p.domainBlockCommit, { dom, disk, base, top, bandwidth, flags }),
  domainBlockJobAbort: (dom, path, flags) => rpc.call(p.domainBlockJobAbort, { dom, path, flags }),
  domainGetBlockJobInfo: async (dom, path, flags) => {
    const { found, ...info } = await rpc.call(p.domainGetBlockJobInfo, { dom, path, flags })
    return found ? info : null
  },
  domainBlockJobSetSpeed: (dom, path, bandwidth, flags) => rpc.call(p.domainBlockJobSetSpeed, { dom, path, bandwidth, flags }),
  domainBackupBegin: (dom, backupXml, checkpointXml, flags) => rpc.call(p.domainBackupBegin, { dom, backup_xml: backupXml, checkpoint_xml: checkpointXml, flags }),
  domainBackupGetXMLDesc: (dom) => rpc.call(p.domainBackupGetXMLDesc, { dom, flags: 0 }),
})
