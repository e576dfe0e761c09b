// The structs that travel in libvirt's remote protocol, with its own field names and limits (remote_protocol.x).

import { ProtocolError, array, double, flag, hyper, int, mapped, optional, size, string, struct, text, uhyper, uint, uuid, type Codec } from './xdr.ts'
import type { DhcpLease, DomainInterface, InterfaceAddress, TypedParams } from '../driver.ts'

/** REMOTE_DOMAIN_LIST_MAX and its like. */
export const LIST_MAX = 16_384
const STATS_MAX = 262_144
const LEASES_MAX = 65_536
const INTERFACES_MAX = 2048

export const Domain = struct({ name: string, uuid, id: int })
export const Network = struct({ name: string, uuid })
export const StoragePool = struct({ name: string, uuid })
/** A volume's name and key are what the file system holds, in no promised encoding. */
export const StorageVol = struct({ pool: string, name: text, key: text })

/** `{ T items<max>; unsigned int ret; }`: the count says nothing that the list does not. */
export const listed = <T>(item: Codec<T>, max = LIST_MAX): Codec<T[]> =>
  mapped(struct({ items: array(item, max), ret: uint }), (reply) => reply.items, (items) => ({ items, ret: items.length }))

export const RemoteError = struct({
  code: int, domain: int, message: optional(text), level: int, dom: optional(Domain),
  str1: optional(text), str2: optional(text), str3: optional(text), int1: int, int2: int, net: optional(Network),
})

/** virTypedParameterType, each with the codec of its value. */
const typed: Record<number, Codec<any>> = { 1: int, 2: uint, 3: hyper, 4: uhyper, 5: double, 6: flag, 7: string }
const typeOf = (value: number | bigint | boolean | string): number =>
  typeof value === 'string' ? 7
  : typeof value === 'boolean' ? 6
  : typeof value === 'bigint' ? (value < 0n ? 3 : 4)
  : Number.isInteger(value) ? (value < 0 ? 1 : 2)
  : 5

const TypedValue: Codec<number | bigint | boolean | string> = {
  write: (to, value) => {
    const type = typeOf(value)
    int.write(to, type)
    typed[type]!.write(to, value)
  },
  read: (from) => {
    const type = int.read(from)
    const codec = typed[type]
    if (!codec) throw new ProtocolError(`a typed parameter has type ${type}, which libvirt does not define`)
    return codec.read(from)
  },
}

/** A list of named values as one record. A record without a prototype: the names come from the host. */
export const typedParams = (max = STATS_MAX): Codec<TypedParams> => mapped(
  array(struct({ field: string, value: TypedValue }), max),
  (list) => {
    const params = Object.create(null) as TypedParams
    for (const { field, value } of list) params[field] = value
    return params
  },
  (params) => Object.entries(params).map(([field, value]) => ({ field, value })),
)

/** virIPAddrType. */
const family: Codec<'ipv4' | 'ipv6'> = mapped(
  int,
  (type) => {
    if (type === 0) return 'ipv4'
    if (type === 1) return 'ipv6'
    throw new ProtocolError(`an address has type ${type}, which is neither IPv4 nor IPv6`)
  },
  (type) => (type === 'ipv4' ? 0 : 1),
)

const IPAddress: Codec<InterfaceAddress> = struct({ type: family, addr: string, prefix: uint })
export const Interfaces: Codec<DomainInterface[]> = array(struct({ name: string, hwaddr: optional(string), addrs: array(IPAddress, INTERFACES_MAX) }), INTERFACES_MAX)

/** Host names and client ids are what guests send: in no promised encoding. */
export const Leases: Codec<DhcpLease[]> = listed(struct({
  iface: string, expirytime: size, type: family, mac: optional(string), iaid: optional(text),
  ipaddr: string, prefix: uint, hostname: optional(text), clientid: optional(text),
}), LEASES_MAX)

export const StatsRecords = array(struct({ dom: Domain, params: typedParams() }), LIST_MAX)
