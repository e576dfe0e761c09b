// Addresses of networks as numbers, both ways.

import { expect, test } from 'vitest'
import { addressOf, blockOf, contains, numberOf, overlaps, type Block } from '../../../../drivers/test/network/addresses.ts'
import { el } from '../../../../xml/tree.ts'

test.each([['0.0.0.0', 'ipv4'], ['192.168.151.255', 'ipv4'], ['fd00::1', 'ipv6'], ['::1', 'ipv6'], ['2001:db8::5:0:0:1', 'ipv6'], ['1:2:3:4:5:6:7:8', 'ipv6']] as const)('%s is read and written alike', (address, family) => {
  const number = numberOf(address)!
  expect(numberOf(addressOf(number, family))).toBe(number)
  if (family === 'ipv4') expect(addressOf(number, family)).toBe(address)
})

test('an IPv4 address inside an IPv6 one counts', () => {
  expect(numberOf('::ffff:1.2.3.4')).toBe(0xffff_0102_0304n)
  expect(numberOf('none')).toBeUndefined()
})

test.each<[attributes: Record<string, string>, prefix: number | undefined]>([
  [{ address: '192.168.1.1', netmask: '255.255.255.0' }, 24], [{ address: '10.0.0.1', prefix: '8' }, 8], [{ address: '10.0.0.1' }, 8], [{ address: '172.16.0.1' }, 16], [{ address: '192.168.1.1' }, 24], [{ address: 'fd00::1' }, 64],
  [{ address: '10.0.0.1', netmask: '255.0.255.0' }, undefined], [{ address: '10.0.0.1', prefix: '33' }, undefined],
])('%j has the prefix %s', (attributes, prefix) => {
  expect(blockOf(el('ip', attributes))?.prefix).toBe(prefix)
})

test('blocks hold their addresses and overlap where one lies in the other', () => {
  const [small, large, other]: [Block, Block, Block] = [{ address: '192.168.1.1', family: 'ipv4', prefix: 24 }, { address: '192.168.0.1', family: 'ipv4', prefix: 16 }, { address: 'fd00::1', family: 'ipv6', prefix: 64 }]
  expect([contains(small, '192.168.1.200'), contains(small, '192.168.2.1'), contains(small, 'fd00::2'), contains(other, 'fd00::2')]).toEqual([true, false, false, true])
  expect([overlaps(small, large), overlaps(large, small), overlaps(small, other)]).toEqual([true, true, false])
})
