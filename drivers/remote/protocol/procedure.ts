// What one procedure is, and the pieces that most descriptions share.

import { Program } from '../frame.ts'
import { Domain, StoragePool, StorageVol } from '../types.ts'
import { flag, string, struct, uint, uuid, type Codec } from '../xdr.ts'

export interface Procedure<A, R> {
  name: string
  program: number
  number: number
  args: Codec<A>
  ret: Codec<R>
  /** Whether the call alters the host: without an answer its effect is unknown. */
  changing: boolean
  /** `default`: the connection's call timeout; `none`: takes as long as the bytes take, only the connection's end ends it. */
  deadline: 'default' | 'none'
  /** libvirt's release that brought it, as `connectGetLibVersion` counts, where that is later than 9.0: an older daemon takes the number for a broken message. */
  since?: number
}
export type Entry<A, R> = Omit<Procedure<A, R>, 'name'>

export const reading = <A, R>(number: number, args: Codec<A>, ret: Codec<R>): Entry<A, R> => ({ program: Program.REMOTE, number, args, ret, changing: false, deadline: 'default' })
export const changing = <A, R>(number: number, args: Codec<A>, ret: Codec<R>): Entry<A, R> => ({ program: Program.REMOTE, number, args, ret, changing: true, deadline: 'default' })
/** Copies, formats or allocates data before it answers. */
export const unhurried = <A, R>(entry: Entry<A, R>): Entry<A, R> => ({ ...entry, deadline: 'none' })
/** Of a libvirt later than 9.0. */
export const since = <A, R>(major: number, minor: number, entry: Entry<A, R>): Entry<A, R> => ({ ...entry, since: major * 1_000_000 + minor * 1000 })
/** Of the program that only QEMU's driver serves. */
export const ofQemu = <A, R>(entry: Entry<A, R>): Entry<A, R> => ({ ...entry, program: Program.QEMU })

export const flags = uint
export const domain = struct({ dom: Domain })
export const domainFlags = struct({ dom: Domain, flags })
export const pool = struct({ pool: StoragePool })
export const vol = struct({ vol: StorageVol })
export const byName = struct({ name: string })
export const byUUID = struct({ uuid })
export const document = struct({ xml: string, flags })
/** Bulk lists ask for the objects, not only for their number. */
export const listArgs = struct({ need_results: flag, flags })
