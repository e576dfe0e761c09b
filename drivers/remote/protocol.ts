// The procedures of libvirt's programs that vireo calls: number, arguments, reply, and what a caller may assume when no
// reply comes. Numbers are append-only in libvirt; names are the public functions' without `vir`; each kind of object
// has its file in protocol/.

import { block } from './protocol/block.ts'
import { connect } from './protocol/connect.ts'
import { devices } from './protocol/device.ts'
import { domains } from './protocol/domain.ts'
import { migration } from './protocol/migration.ts'
import { networks } from './protocol/network.ts'
import { snapshots } from './protocol/snapshot.ts'
import { storage } from './protocol/storage.ts'
import { tuning } from './protocol/tuning.ts'

export type { Procedure } from './protocol/procedure.ts'

const entries = { ...connect, ...domains, ...tuning, ...block, ...snapshots, ...migration, ...networks, ...storage, ...devices }

type Table = { [K in keyof typeof entries]: (typeof entries)[K] & { name: K } }
export const procedures = Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, { name, ...entry }])) as Table
