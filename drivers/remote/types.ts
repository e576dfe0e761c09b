// The structs that travel in libvirt's remote protocol, with its own field names and limits (remote_protocol.x).

import { ProtocolError, array, charArray, double, flag, hyper, int, mapped, optional, size, string, struct, text, uhyper, uint, uuid, type Codec, type Reader, type Writer } from './xdr.ts'
import type { DhcpLease, DomainInterface, InterfaceAddress, TypedParams, TypedParamsInput } from '../driver.ts'

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
export const NetworkPort = struct({ net: Network, uuid })
export const NWFilter = struct({ name: string, uuid })
export const NWFilterBinding = struct({ portdev: string, filtername: string })
export const Interface = struct({ name: string, mac: string })
export const NodeDevice = struct({ name: string })
export const Secret = struct({ uuid, usageType: int, usageID: string })
export const Snapshot = struct({ name: string, dom: Domain })
export const Checkpoint = struct({ name: string, dom: Domain })
/** VIR_SECURITY_LABEL_BUFLEN. */
export const SecurityLabel = struct({ label: charArray(4097), enforcing: flag })

/** `{ T items<max>; unsigned int ret; }`: the count says nothing that the list does not. */
export const listed = <T>(item: Codec<T>, max = LIST_MAX): Codec<T[]> =>
  mapped(struct({ items: array(item, max), ret: uint }), (reply) => reply.items, (items) => ({ items, ret: items.length }))

export const RemoteError = struct({
  code: int, domain: int, message: optional(text), level: int, dom: optional(Domain),
  str1: optional(text), str2: optional(text), str3: optional(text), int1: int, int2: int, net: optional(Network),
})

type TypedValue = TypedParams[string]
const wide = (value: TypedValue, field: string): bigint => {
  if (typeof value === 'bigint') return value
  if (typeof value === 'number' && Number.isInteger(value)) return BigInt(value)
  throw new TypeError(`the parameter ${field} wants a whole number, not ${JSON.stringify(value)}`)
}
const whole = (value: TypedValue, field: string): number => Number(wide(value, field))
const same = (value: TypedValue): TypedValue => value
/** virTypedParameterType, each with the codec of its value and the way there from what a caller gives. */
const typed: Record<number, { codec: Codec<any>; from: (value: TypedValue, field: string) => unknown }> = {
  1: { codec: int, from: whole }, 2: { codec: uint, from: whole }, 3: { codec: hyper, from: wide }, 4: { codec: uhyper, from: wide },
  5: { codec: double, from: same }, 6: { codec: flag, from: same }, 7: { codec: string, from: same },
}
/** The fields that libvirt takes as something else than their value suggests: a driver refuses any other type. */
const typeOfField: Record<string, number> = {
  ...fieldsOf(1, 'numa_mode', 'shares', 'disks_port', 'compression.mt.level', 'compression.mt.threads', 'compression.mt.dthreads', 'compression.zlib.level', 'compression.zstd.level',
    'auto_converge.initial', 'auto_converge.increment', 'parallel.connections', 'thread_pool_min', 'thread_pool_max'),
  ...fieldsOf(3, 'vcpu_quota', 'emulator_quota', 'iothread_quota', 'global_quota', 'reservation', 'limit'),
  ...fieldsOf(4, 'cpu_shares', 'vcpu_period', 'emulator_period', 'iothread_period', 'global_period',
    'hard_limit', 'soft_limit', 'min_guarantee', 'swap_hard_limit', 'bandwidth', 'bandwidth.postcopy', 'buf-size', 'compression.xbzrle.cache', 'poll_max_ns', 'sev-secret-set-address',
    ...['total', 'read', 'write'].flatMap((what) => ['bytes', 'iops'].flatMap((unit) => ['', '_max', '_max_length'].map((limit) => `${what}_${unit}_sec${limit}`))), 'size_iops_sec'),
}
function fieldsOf(type: number, ...names: string[]): Record<string, number> {
  return Object.fromEntries(names.map((name) => [name, type]))
}

const typeOf = (value: TypedValue): number =>
  typeof value === 'string' ? 7
  : typeof value === 'boolean' ? 6
  : typeof value === 'bigint' ? (value < 0n ? 3 : 4)
  : Number.isInteger(value) ? (value < 0 ? 1 : 2)
  : 5

const Param: Codec<{ field: string; value: TypedValue }> = {
  write: (to, { field, value }) => {
    const type = (Object.hasOwn(typeOfField, field) ? typeOfField[field] : undefined) ?? typeOf(value)
    const { codec, from } = typed[type]!
    string.write(to, field)
    int.write(to, type)
    codec.write(to, from(value, field))
  },
  read: (from) => {
    const field = string.read(from)
    const type = int.read(from)
    const known = typed[type]
    if (!known) throw new ProtocolError(`a typed parameter has type ${type}, which libvirt does not define`)
    return { field, value: known.codec.read(from) as TypedValue }
  },
}

/** A list of named values as one record: a field that comes several times keeps its last value, a list is written as such a field. */
const params = (max: number) => {
  const list = array(Param, max)
  return {
    // A record without a prototype: the names come from the host.
    read: (from: Reader): TypedParams => {
      const record = Object.create(null) as TypedParams
      for (const { field, value } of list.read(from)) record[field] = value
      return record
    },
    write: (to: Writer, record: TypedParamsInput): void => list.write(to, Object.entries(record).flatMap(([field, value]) =>
      typeof value === 'object' ? value.map((each) => ({ field, value: each })) : [{ field, value }])),
  }
}
/** As they come. */
export const typedParams = (max = STATS_MAX): Codec<TypedParams> => params(max)
/** As they are sent. */
export const givenParams = (max: number): Codec<TypedParamsInput> => params(max)
/** `{ typed_param params<max>; int nparams; }`: the count says nothing that the list does not. */
export const counted = (codec: Codec<TypedParams>): Codec<TypedParams> =>
  mapped(struct({ params: codec, nparams: int }), (reply) => reply.params, (record) => ({ params: record, nparams: Object.keys(record).length }))

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

/** `char data<REMOTE_AUTH_SASL_DATA_MAX>`: a char array travels as one integer for each byte. */
export const SaslData: Codec<Buffer> = mapped(array(int, 65_536), (values) => Buffer.from(values.map((value) => value & 0xff)), (bytes) => [...new Int8Array(bytes)])
export const SaslAnswer = struct({ complete: flag, nil: flag, data: SaslData })
