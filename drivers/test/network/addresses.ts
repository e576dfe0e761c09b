// Addresses of networks as numbers: which block one lies in, and which comes next.

import { isIP } from 'node:net'
import { attributeOf, type XmlElement } from '../../../xml/tree.ts'

export interface Block { address: string; family: 'ipv4' | 'ipv6'; prefix: number }

/** undefined where the text is no address. */
export function numberOf(address: string): bigint | undefined {
  if (isIP(address) === 4) return address.split('.').reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
  if (isIP(address) !== 6) return undefined
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address)
  const text = dotted === null ? address : `${dotted[1]}${(numberOf(dotted[2]!)! >> 16n).toString(16)}:${(numberOf(dotted[2]!)! & 0xffffn).toString(16)}`
  const [head = '', tail] = text.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const groups = tail === undefined ? left : [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right]
  return groups.reduce((sum, group) => sum * 65_536n + BigInt(`0x${group}`), 0n)
}

/** The address of a number, in the family's usual spelling. */
export function addressOf(number: bigint, family: Block['family']): string {
  if (family === 'ipv4') return [24n, 16n, 8n, 0n].map(shift => String((number >> shift) & 255n)).join('.')
  const groups = Array.from({ length: 8 }, (_, i) => ((number >> BigInt(112 - 16 * i)) & 0xffffn).toString(16))
  return groups.join(':').replace(/(^|:)0(:0)+(:|$)/, '::')
}

/** The block of a network's `<ip>`; undefined where its netmask or prefix is none. */
export function blockOf(ip: XmlElement): Block | undefined {
  const address = attributeOf(ip, 'address') ?? ''
  const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
  const bits = family === 'ipv4' ? 32 : 128
  const netmask = attributeOf(ip, 'netmask')
  const written = attributeOf(ip, 'prefix')
  if (netmask === undefined) {
    const prefix = written === undefined ? (family === 'ipv4' ? classOf(address) : 64) : Number(written)
    return Number.isInteger(prefix) && prefix >= 0 && prefix <= bits ? { address, family, prefix } : undefined
  }
  const mask = numberOf(netmask)?.toString(2).padStart(32, '0')
  return mask !== undefined && /^1*0*$/.test(mask) ? { address, family, prefix: mask.replaceAll('0', '').length } : undefined
}

/** The prefix that IPv4 addresses had before they were given one. */
const classOf = (address: string): number => {
  const first = Number(address.split('.')[0])
  return first < 128 ? 8 : first < 192 ? 16 : 24
}

export function contains({ address, family, prefix }: Block, other: string): boolean {
  if (isIP(other) !== (family === 'ipv4' ? 4 : 6)) return false
  const shift = BigInt((family === 'ipv4' ? 32 : 128) - prefix)
  return numberOf(address)! >> shift === numberOf(other)! >> shift
}

export const overlaps = (a: Block, b: Block): boolean => a.family === b.family && (a.prefix <= b.prefix ? contains(a, b.address) : contains(b, a.address))
