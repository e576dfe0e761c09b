// Reckons with IP addresses: reads and writes them in libvirt's spelling, and finds what a subnet has to give to guests.

import { isIPv4, isIPv6 } from 'node:net'

export type Family = 4 | 6
export interface Address { family: Family; value: bigint }
/** An address in its subnet. `first` and `last` are the subnet's own bounds, network and broadcast address included. */
export interface Subnet { address: Address; prefix: number; first: bigint; last: bigint }
/** Both ends belong to it. */
export interface Range { start: string; end: string }

const BITS = { 4: 32, 6: 128 } as const

export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return { family: 4, value: text.split('.').reduce((value, part) => (value << 8n) | BigInt(part), 0n) }
  if (!isIPv6(text) || text.includes('%')) return undefined
  // The last 32 bits may be written as an IPv4 address.
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  const tail = dotted === null ? undefined : parseAddress(dotted[2]!)!.value
  const plain = dotted === null ? text : `${dotted[1]}${(tail! >> 16n).toString(16)}:${(tail! & 0xffffn).toString(16)}`
  const [left = '', right] = plain.split('::')
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'))
  const before = groups(left)
  const after = right === undefined ? [] : groups(right)
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  return { family: 6, value: [...before, ...zeros, ...after].reduce((value, group) => (value << 16n) | BigInt(`0x${group}`), 0n) }
}

/** As libvirt writes it: dotted, or lower case with the longest run of zeros left out (RFC 5952). */
export function formatAddress({ family, value }: Address): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map(shift => (value >> shift) & 0xffn).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16))
  let longest = { at: -1, length: 1 }
  for (let at = 0; at < 8; at++) {
    let length = 0
    while (groups[at + length] === '0') length++
    if (length > longest.length) longest = { at, length }
  }
  if (longest.at < 0) return groups.join(':')
  return `${groups.slice(0, longest.at).join(':')}::${groups.slice(longest.at + longest.length).join(':')}`
}

/** The one spelling of an address; other text stays as it is. */
export const canonical = (text: string): string => {
  const address = parseAddress(text)
  return address === undefined ? text : formatAddress(address)
}

/** Reads `192.168.150.1/24`. */
export function parseSubnet(text: string): Subnet | undefined {
  const [ip = '', length = '', more] = text.split('/')
  const address = parseAddress(ip)
  if (address === undefined || more !== undefined || !/^\d{1,3}$/.test(length) || Number(length) > BITS[address.family]) return undefined
  const prefix = Number(length)
  const size = 1n << BigInt(BITS[address.family] - prefix)
  const first = address.value - (address.value % size)
  return { address, prefix, first, last: first + size - 1n }
}

export const contains = (subnet: Subnet, address: Address): boolean =>
  address.family === subnet.address.family && address.value >= subnet.first && address.value <= subnet.last

export const formatSubnet = ({ address, prefix, first }: Subnet): string => `${formatAddress({ family: address.family, value: first })}/${prefix}`

/** The netmask as a prefix length; undefined where it is none. */
export function prefixOfNetmask(netmask: string): number | undefined {
  const address = parseAddress(netmask)
  if (address?.family !== 4) return undefined
  const bits = address.value.toString(2).padStart(32, '0')
  return /^1*0*$/.test(bits) ? bits.replace(/0+$/, '').length : undefined
}

/** libvirt refuses a DHCP range of more addresses. */
const LARGEST_RANGE = 65_535n

/**
 * What DHCP may give out in a subnet: all of it but the host's address, the network's and (IPv4) the broadcast address;
 * of a subnet larger than libvirt's largest range, the addresses at its beginning. Empty where none is left.
 */
export function wholeSubnet({ address, first, last }: Subnet): Range[] {
  const from = first + 1n
  const to = address.family === 4 ? last - 1n : last
  const end = to - from >= LARGEST_RANGE ? from + LARGEST_RANGE - 1n : to
  const parts: [bigint, bigint][] = address.value < from || address.value > end ? [[from, end]] : [[from, address.value - 1n], [address.value + 1n, end]]
  return parts.filter(([start, stop]) => start <= stop)
    .map(([start, stop]) => ({ start: formatAddress({ family: address.family, value: start }), end: formatAddress({ family: address.family, value: stop }) }))
}
