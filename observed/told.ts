// Takes what guests and the ARP table say into our own words: a guest may say anything, so that only what can be shown is kept.

import { SocketAddress, isIP } from 'node:net'
import type { DomainInterface, TypedParams } from '../drivers/driver.ts'

/** An address that an interface has. ARP knows no prefix. */
export interface GuestAddress { address: string; prefix?: number; source: 'Agent' | 'ARP' }

/** What is known of a running guest beside its documents; addresses by the MAC address (lower case) of its interface. */
export interface GuestFacts {
  readonly hostname?: string
  readonly os?: string
  readonly byAgent: ReadonlyMap<string, readonly GuestAddress[]>
  readonly byARP: ReadonlyMap<string, readonly GuestAddress[]>
}

/** The status has room for so many addresses of one interface, and so many characters of a name. */
const ADDRESSES = 64
const CHARACTERS = 255

/** Addresses of the interfaces that the domain has: the guest's own (its bridges, its containers') are left out. */
export function addressesByMac(answer: readonly DomainInterface[], macs: ReadonlySet<string>, source: GuestAddress['source']): Map<string, GuestAddress[]> {
  const found = new Map<string, Map<string, GuestAddress>>()
  for (const { hwaddr, addrs } of answer) {
    const mac = hwaddr?.toLowerCase()
    if (mac === undefined || !macs.has(mac)) continue
    for (const { addr, prefix } of addrs) {
      const entry = addressOf(addr, prefix, source)
      const of = found.get(mac) ?? new Map<string, GuestAddress>()
      if (entry === undefined || of.size >= ADDRESSES) continue
      found.set(mac, of.set(entry.address, entry))
    }
  }
  return new Map([...found].map(([mac, of]) => [mac, [...of.values()].toSorted((a, b) => (a.address < b.address ? -1 : 1))]))
}

function addressOf(text: string, prefix: number, source: GuestAddress['source']): GuestAddress | undefined {
  const family = isIP(text)
  if (family === 0) return undefined
  // One spelling for each: the status is a map by address.
  const { address } = new SocketAddress({ address: text, family: family === 6 ? 'ipv6' : 'ipv4' })
  return { address, ...(prefix > 0 && prefix <= (family === 6 ? 128 : 32) ? { prefix } : {}), source }
}

/** One line of printable text; undefined where nothing is left. */
function shownText(value: TypedParams[string] | undefined): string | undefined {
  if (typeof value !== 'string') return undefined
  // Control and format characters could pass one text off as another.
  const line = Array.from(value.replaceAll(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ').trim()).slice(0, CHARACTERS).join('')
  return line === '' ? undefined : line
}

export const hostnameIn = (info: TypedParams | undefined): string | undefined => shownText(info?.['hostname'])

export function osIn(info: TypedParams | undefined): string | undefined {
  const [pretty, name, version] = ['os.pretty-name', 'os.name', 'os.version-id'].map(field => shownText(info?.[field]))
  return pretty ?? (name !== undefined && version !== undefined ? `${name} ${version}`.slice(0, CHARACTERS) : name)
}
