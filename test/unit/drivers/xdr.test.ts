// The codecs describe the same bytes in both directions, and nothing a peer sends makes them do anything but decode or refuse.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { procedures } from '../../../drivers/remote/protocol.ts'
import { Domain, Leases, RemoteError, StatsRecords, StorageVol, givenParams, typedParams } from '../../../drivers/remote/types.ts'
import {
  ProtocolError, Reader, STRING_MAX, Writer, array, charArray, chars, cpuset, double, flag, hyper, int, opaque, optional, size, string, struct, text, uhyper, uint, uuid, type Codec,
} from '../../../drivers/remote/xdr.ts'
import { encoded } from '../../support/rpc/scripted-peer.ts'

const read = <T>(codec: Codec<T>, bytes: Buffer): T => codec.read(new Reader(bytes))
const u32 = (...values: number[]): Buffer => encoded(array(uint, 100), values).subarray(4)

const ints = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })
const uints = fc.integer({ min: 0, max: 2 ** 32 - 1 })
const strings = fc.string({ unit: 'grapheme' })
const uuids = fc.uuid()
const domains = fc.record({ name: strings, uuid: uuids, id: ints })

const roundTrips: [string, Codec<any>, fc.Arbitrary<any>][] = [
  ['int', int, ints],
  ['uint', uint, uints],
  ['hyper', hyper, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })],
  ['uhyper', uhyper, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })],
  ['size', size, fc.maxSafeNat()],
  ['double', double, fc.double({ noNaN: true })],
  ['flag', flag, fc.boolean()],
  ['string', string, strings],
  ['text', text, strings],
  ['uuid', uuid, uuids],
  ['chars', chars(32), fc.string({ unit: fc.constantFrom('a', 'B', '0', '_', '-', ' '), maxLength: 32 })],
  ['charArray', charArray(300), fc.string({ unit: fc.constantFrom('a', 'ä', '0', ' '), maxLength: 100 })],
  ['opaque', opaque(1000), fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes))],
  ['cpuset', cpuset(2048), fc.uniqueArray(fc.nat({ max: 1000 })).map((cpus) => cpus.toSorted((a, b) => a - b))],
  ['array', array(string, 1000), fc.array(strings)],
  ['optional', optional(string), fc.option(strings)],
  ['struct', struct({ a: int, b: optional(struct({ c: string })), d: array(uhyper, 10) }), fc.record({ a: ints, b: fc.option(fc.record({ c: strings })), d: fc.array(fc.bigInt({ min: 0n, max: 9n }), { maxLength: 10 }) })],
  ['domain', Domain, domains],
  ['volume', StorageVol, fc.record({ pool: strings, name: strings, key: strings })],
]

describe('codecs', () => {
  test.each(roundTrips)('%s: what is written is read back, in whole words', (_, codec, values) => {
    fc.assert(fc.property(values, (value) => {
      const bytes = encoded(codec, value)
      const from = new Reader(bytes)
      expect(codec.read(from)).toEqual(value)
      expect(from.left).toBe(0)
      expect(bytes.length % 4).toBe(0)
    }))
  })

  test.each(roundTrips)('%s: a payload cut short is a protocol error, never a wrong value', (_, codec, values) => {
    fc.assert(fc.property(values, fc.double({ min: 0, max: 0.999, noNaN: true }), (value, share) => {
      const bytes = encoded(codec, value)
      expect(() => read(codec, bytes.subarray(0, Math.floor(bytes.length * share)))).toThrow(ProtocolError)
    }))
  })

  test('any bytes as any reply either decode or are a protocol error', () => {
    const replies: Codec<unknown>[] = [...Object.values(procedures).map(({ ret }) => ret), RemoteError]
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      for (const ret of replies) {
        try {
          read(ret, Buffer.from(bytes))
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
      }
    }))
  })

  test('memory grows by what arrived, not by what a length claims', () => {
    for (const codec of [Leases, StatsRecords, array(Domain, 16_384)] as Codec<unknown>[]) expect(() => read(codec, u32(16_384))).toThrow(ProtocolError)
  })

  test('padding is zero, though the memory under it was used before', () => {
    const to = new Writer()
    to.bytes.fill(0xff)
    string.write(to, 'abcde')
    expect(to.flush()).toEqual(Buffer.from([0, 0, 0, 5, 0x61, 0x62, 0x63, 0x64, 0x65, 0, 0, 0]))
  })
})

describe('what a peer may not send', () => {
  test('a string longer than its frame', () => {
    expect(() => read(string, Buffer.concat([u32(9), Buffer.from('12345678')]))).toThrow('a string of 9 bytes reaches beyond the 8 bytes that are left of its frame')
  })
  test('a string over the limit of the protocol', () => {
    expect(() => read(string, u32(STRING_MAX + 1))).toThrow(`a string of ${STRING_MAX + 1} is over the limit of ${STRING_MAX}`)
    expect(() => read(string, u32(0xffff_ffff))).toThrow(ProtocolError)
  })
  test('a list over its limit', () => {
    expect(() => read(array(int, 3), u32(4, 1, 2, 3, 4))).toThrow('a list of 4 is over the limit of 3')
  })
  test.each([2, 3, 255, 0xffff_ffff])('an optional value marked %i', (mark) => {
    expect(() => read(optional(int), u32(mark, 7))).toThrow(`an optional value is marked ${mark} instead of 0 or 1`)
  })
  test('a string that is not UTF-8', () => {
    expect(() => read(string, Buffer.concat([u32(2), Buffer.from([0xc3, 0x28, 0, 0])]))).toThrow('a string of 2 bytes is not UTF-8')
  })
  test('a typed parameter of an unknown type', () => {
    const bytes = Buffer.concat([u32(1), encoded(string, 'x'), u32(9, 0)])
    expect(() => read(typedParams(), bytes)).toThrow('a typed parameter has type 9, which libvirt does not define')
  })
})

describe('what we do not send', () => {
  test('a string over the limit of the protocol', () => {
    expect(() => encoded(string, 'x'.repeat(STRING_MAX + 1))).toThrow(RangeError)
  })
  test.each(['', '1234', 'g'.repeat(32), '6695eb01-f6a4-8304-79aa-97f2502e193f0'])('%j as a UUID', (value) => {
    expect(() => encoded(uuid, value)).toThrow(TypeError)
  })
  test('bytes and CPUs beyond their limit', () => {
    expect(() => encoded(opaque(3), Buffer.alloc(4))).toThrow('4 bytes are over the protocol\'s limit of 3')
    expect(() => encoded(cpuset(1), [8])).toThrow(RangeError)
    expect(() => encoded(cpuset(1), [-1])).toThrow('-1 is not the number of a CPU')
    expect(() => encoded(cpuset(1), [0.5])).toThrow(RangeError)
  })
  test('an int beyond 32 bits, a negative size', () => {
    expect(() => encoded(int, 2 ** 31)).toThrow(RangeError)
    expect(() => encoded(size, -1)).toThrow(RangeError)
  })
})

describe('typed parameters', () => {
  test('each type keeps its value; 64-bit ones are never rounded', () => {
    const bytes = Buffer.concat([
      u32(7),
      encoded(string, 'int'), encoded(struct({ t: int, v: int }), { t: 1, v: -5 }),
      encoded(string, 'uint'), encoded(struct({ t: int, v: uint }), { t: 2, v: 4_000_000_000 }),
      encoded(string, 'llong'), encoded(struct({ t: int, v: hyper }), { t: 3, v: -(2n ** 60n) - 1n }),
      encoded(string, 'ullong'), encoded(struct({ t: int, v: uhyper }), { t: 4, v: 2n ** 64n - 1n }),
      encoded(string, 'double'), encoded(struct({ t: int, v: double }), { t: 5, v: 0.25 }),
      encoded(string, 'bool'), encoded(struct({ t: int, v: flag }), { t: 6, v: true }),
      encoded(string, 'string'), encoded(struct({ t: int, v: string }), { t: 7, v: 'ä' }),
    ])
    expect({ ...read(typedParams(), bytes) }).toEqual({ int: -5, uint: 4_000_000_000, llong: -(2n ** 60n) - 1n, ullong: 2n ** 64n - 1n, double: 0.25, bool: true, string: 'ä' })
  })

  test.each<[string, number | bigint | boolean | string, number, number | bigint | boolean | string]>([
    ['vcpu_quota', 50_000, 3, 50_000n], ['vcpu_quota', -1, 3, -1n], ['cpu_shares', 1024, 4, 1024n], ['hard_limit', 1n, 4, 1n], ['numa_mode', 0, 1, 0], ['weight', 100, 2, 100],
    ['read_iops_sec_max_length', 1, 4, 1n], ['inbound.average', 7, 2, 7], ['migrate_uri', 'x', 7, 'x'], ['cmt', true, 6, true], ['unknown', -1, 1, -1], ['unknown', 5n, 4, 5n], ['unknown', 0.5, 5, 0.5],
  ])('%s given as %s is sent as type %i, whatever the caller\'s number was', (field, value, type, back) => {
    const bytes = encoded(givenParams(10), { [field]: value })
    expect(read(array(struct({ field: string, type: int }), 1), bytes)).toEqual([{ field, type }])
    expect({ ...read(typedParams(), bytes) }).toEqual({ [field]: back })
  })

  test('a list is a field that comes several times', () => {
    const pair = struct({ field: string, type: int, value: string })
    expect(read(array(pair, 10), encoded(givenParams(10), { migrate_disks: ['vda', 'vdb'], destination_name: 'x' }))).toEqual([
      { field: 'migrate_disks', type: 7, value: 'vda' }, { field: 'migrate_disks', type: 7, value: 'vdb' }, { field: 'destination_name', type: 7, value: 'x' },
    ])
  })

  test('a value that is no number where libvirt wants one is refused here', () => {
    expect(() => encoded(givenParams(10), { hard_limit: 'much' })).toThrow('the parameter hard_limit wants a whole number, not "much"')
    expect(() => encoded(givenParams(10), { numa_mode: 0.5 })).toThrow(TypeError)
    expect(() => encoded(givenParams(10), { cpu_shares: -1 })).toThrow(RangeError)
  })

  test('a field named like a property of every object is only a field', () => {
    const hostile = Buffer.concat([u32(1), encoded(string, '__proto__'), u32(2, 7)])
    expect(Object.entries(read(typedParams(), hostile))).toEqual([['__proto__', 7]])
  })
})

describe('text in no promised encoding', () => {
  test('an oddly named volume costs its letters, not the connection', () => {
    const bytes = Buffer.concat([encoded(string, 'pool'), u32(3), Buffer.from([0x61, 0xe9, 0x62, 0]), encoded(string, '/k')])
    expect(read(StorageVol, bytes)).toEqual({ pool: 'pool', name: 'a\ufffdb', key: '/k' })
  })
})
