// Migration over RPC. On the control connection, whatever they take: libvirt ends a migration with the connection that began it.

import type { MigrationCalls } from '../../driver.ts'
import { procedures as p } from '../protocol.ts'
import type { Rpc } from './rpc.ts'

export const migrationCalls = (rpc: Rpc): MigrationCalls => ({
  domainMigrateBegin3Params: (dom, params, flags) => rpc.call(p.domainMigrateBegin3Params, { dom, params, flags }),
  domainMigratePrepare3Params: (params, cookie, flags) => rpc.call(p.domainMigratePrepare3Params, { params, cookie, flags }),
  domainMigratePrepareTunnel3Params: async (params, cookie, flags) => {
    const { stream, ret } = await rpc.upload(p.domainMigratePrepareTunnel3Params, { params, cookie, flags })
    return { cookie: ret, stream }
  },
  domainMigratePerform3Params: (dom, dconnuri, params, cookie, flags) => rpc.call(p.domainMigratePerform3Params, { dom, dconnuri, params, cookie, flags }),
  domainMigrateFinish3Params: (params, cookie, flags, cancelled) => rpc.call(p.domainMigrateFinish3Params, { params, cookie, flags, cancelled }),
  domainMigrateConfirm3Params: (dom, params, cookie, flags, cancelled) => rpc.call(p.domainMigrateConfirm3Params, { dom, params, cookie, flags, cancelled }),
  domainMigrateStartPostCopy: (dom) => rpc.call(p.domainMigrateStartPostCopy, { dom, flags: 0 }),
  domainMigrateGetMaxDowntime: (dom) => rpc.call(p.domainMigrateGetMaxDowntime, { dom, flags: 0 }),
  domainMigrateSetMaxDowntime: (dom, downtime) => rpc.call(p.domainMigrateSetMaxDowntime, { dom, downtime, flags: 0 }),
  domainMigrateGetMaxSpeed: (dom, flags) => rpc.call(p.domainMigrateGetMaxSpeed, { dom, flags }),
  domainMigrateSetMaxSpeed: (dom, bandwidth, flags) => rpc.call(p.domainMigrateSetMaxSpeed, { dom, bandwidth, flags }),
  domainMigrateGetCompressionCache: (dom) => rpc.call(p.domainMigrateGetCompressionCache, { dom, flags: 0 }),
  domainMigrateSetCompressionCache: (dom, cacheSize) => rpc.call(p.domainMigrateSetCompressionCache, { dom, cacheSize, flags: 0 }),
})
