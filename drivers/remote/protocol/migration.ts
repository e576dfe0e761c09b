// Migration, version 3 with parameters.

import { Domain, givenParams } from '../types.ts'
import { flag, nothing, opaque, optional, size, string, struct } from '../xdr.ts'
import { changing, domainFlags, flags, reading, unhurried } from './procedure.ts'

const dom = Domain
const params = givenParams(64)
const cookie = opaque(4_194_304)

export const migration = {
  domainMigrateSetMaxDowntime: changing(166, struct({ dom, downtime: size, flags }), nothing),
  domainMigrateSetMaxSpeed: changing(207, struct({ dom, bandwidth: size, flags }), nothing),
  domainMigrateGetMaxSpeed: reading(242, domainFlags, size),
  domainMigrateGetCompressionCache: reading(299, domainFlags, size),
  domainMigrateSetCompressionCache: changing(300, struct({ dom, cacheSize: size, flags }), nothing),
  domainMigrateBegin3Params: changing(302, struct({ dom, params, flags }), struct({ cookie, xml: string })),
  domainMigratePrepare3Params: changing(303, struct({ params, cookie, flags }), struct({ cookie, uri: optional(string) })),
  domainMigratePrepareTunnel3Params: changing(304, struct({ params, cookie, flags }), cookie),
  domainMigratePerform3Params: unhurried(changing(305, struct({ dom, dconnuri: optional(string), params, cookie, flags }), cookie)),
  domainMigrateFinish3Params: unhurried(changing(306, struct({ params, cookie, flags, cancelled: flag }), struct({ dom, cookie }))),
  domainMigrateConfirm3Params: unhurried(changing(307, struct({ dom, params, cookie, flags, cancelled: flag }), nothing)),
  domainMigrateStartPostCopy: changing(364, domainFlags, nothing),
  domainMigrateGetMaxDowntime: reading(387, domainFlags, size),
}
