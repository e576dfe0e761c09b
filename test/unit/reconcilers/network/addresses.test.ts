// Arithmetic of addresses: one spelling for each, and ranges that stay inside their subnet.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Family, canonical, contains, formatAddress, parseAddress, parseSubnet, prefixOfNetmask, wholeSubnet } from '../../../../reconcilers/network/addresses.ts'

const address = (family: Family): fc.Arbitrary<bigint> => fc.bigInt({ min: 0n, max: (1n << (family === 4 ? 32n : 128n)) - 1n })
const anySubnet = fc.constantFrom<Family>(4, 6).chain(family => fc.tuple(address(family), fc.integer({ min: family === 4 ? 1 : 48, max: family === 4 ? 32 : 128 }), fc.constant(family)))
  .map(([value, prefix, family]) => parseSubnet(`${formatAddress({ family, value })}/${prefix}`)!)

describe('addresses', () => {
  const spellings: [string, string][] = [
    ['192.168.150.1', '192.168.150.1'], ['::', '::'], ['::1', '::1'], ['1::', '1::'], ['FD00:0150:0:0:0:0:0:1', 'fd00:150::1'], ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'], ['::ffff:10.0.0.1', '::ffff:a00:1'], ['not one', 'not one'],
  ]
  test.each(spellings)('%s is spelt %s', (text, wanted) => { expect(canonical(text)).toBe(wanted) })

  test('what is written is read as the same address', () => {
    fc.assert(fc.property(fc.constantFrom<Family>(4, 6).chain(family => address(family).map(value => ({ family, value }))), one => {
      expect(parseAddress(formatAddress(one))).toEqual(one)
    }))
  })

  const bad = ['', '1.2.3', '1.2.3.4.5', '256.0.0.1', ':::', '1::2::3', 'fe80::1%eth0', 'x']
  test.each(bad)('%j is no address', text => { expect(parseAddress(text)).toBeUndefined() })
  test.each(['10.0.0.1', '10.0.0.1/33', '10.0.0.1/', '10.0.0.1/8/8', 'fd00::1/129', '10.0.0.1/-1'])('%j is no subnet', text => { expect(parseSubnet(text)).toBeUndefined() })
  test.each([['255.255.255.0', 24], ['0.0.0.0', 0], ['255.255.255.255', 32], ['255.0.255.0', undefined], ['x', undefined]] as const)('netmask %s is prefix %s', (netmask, prefix) => {
    expect(prefixOfNetmask(netmask)).toBe(prefix)
  })
})

describe('wholeSubnet', () => {
  test('gives out only addresses of the subnet, in order, never the host, the network or the broadcast address', () => {
    fc.assert(fc.property(anySubnet, subnet => {
      let last = subnet.first
      for (const { start, end } of wholeSubnet(subnet)) {
        const [from, to] = [parseAddress(start)!, parseAddress(end)!]
        expect(contains(subnet, from) && contains(subnet, to)).toBe(true)
        expect(from.value > last && from.value <= to.value).toBe(true)
        expect(subnet.address.value >= from.value && subnet.address.value <= to.value).toBe(false)
        if (subnet.address.family === 4) expect(to.value < subnet.last).toBe(true)
        expect(to.value - from.value < 65_535n).toBe(true)
        last = to.value
      }
    }))
  })

  test('gives out all that may be given of a subnet that is small enough', () => {
    fc.assert(fc.property(address(4), fc.integer({ min: 17, max: 30 }), (value, prefix) => {
      const subnet = parseSubnet(`${formatAddress({ family: 4, value })}/${prefix}`)!
      const given = wholeSubnet(subnet).reduce((sum, { start, end }) => sum + parseAddress(end)!.value - parseAddress(start)!.value + 1n, 0n)
      const special = new Set([subnet.first, subnet.last, subnet.address.value]).size
      expect(given).toBe(subnet.last - subnet.first + 1n - BigInt(special))
    }))
  })
})
