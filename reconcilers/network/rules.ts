// How network documents merge: which elements are lists, which entry is which, and which spellings are libvirt's own.

import { type ListRule, type MergeRules, keyed } from '../../xml/merge.ts'
import { type XmlElement, childOf, childrenOf, textOf } from '../../xml/tree.ts'
import { isRepeated } from '../repeats.ts'
import { canonical, prefixOfNetmask } from './addresses.ts'

const attribute = (name: string) => (entry: XmlElement): string | undefined => entry.attributes[name]
const address = (name: string) => (entry: XmlElement): string | undefined => (entry.attributes[name] === undefined ? undefined : canonical(entry.attributes[name]))

/** A guest with a fixed address is known by its MAC address, else by its name. */
export const dhcpHostKey = ({ attributes: { mac, name, ip } }: XmlElement): string => mac?.toLowerCase() ?? name ?? ip ?? ''
export const ipKey = (entry: XmlElement): string => address('address')(entry) ?? ''
export const rangeKey = (entry: XmlElement): string => address('start')(entry) ?? ''
export const dnsHostKey = (entry: XmlElement): string => address('ip')(entry) ?? ''
export const nameKey = (entry: XmlElement): string => entry.attributes.name ?? ''
export const devKey = (entry: XmlElement): string => entry.attributes.dev ?? ''
const parts = (entry: XmlElement, ...names: string[]): string => names.map(name => entry.attributes[name] ?? '').join('/')
export const srvKey = (entry: XmlElement): string => parts(entry, 'service', 'protocol', 'domain', 'target', 'port')
const routeKey = (entry: XmlElement): string => `${address('address')(entry)}/${entry.attributes.prefix ?? prefixOfNetmask(entry.attributes.netmask ?? '') ?? ''}`

const LISTS: Record<string, ListRule> = {
  ip: keyed(ipKey),
  'ip/dhcp/range': keyed(rangeKey),
  'ip/dhcp/host': keyed(dhcpHostKey),
  'dns/host': keyed(dnsHostKey),
  'dns/host/hostname': keyed(entry => textOf(entry)),
  'dns/txt': keyed(nameKey),
  'dns/srv': keyed(srvKey),
  'dns/forwarder': { type: 'atomic' },
  portgroup: keyed(nameKey),
  'portgroup/vlan/tag': keyed(attribute('id')),
  'vlan/tag': keyed(attribute('id')),
  route: keyed(routeKey),
  'forward/interface': keyed(devKey),
  'forward/address': keyed(entry => parts(entry, 'domain', 'bus', 'slot', 'function')),
}

const ADDRESSES = new Set(['address', 'ip', 'start', 'end', 'gateway', 'server'])
const without = (element: XmlElement, drop: (child: XmlElement) => boolean): void => {
  element.children = element.children.filter(child => typeof child === 'string' || !drop(child))
}

export const networkRules: MergeRules = {
  repeats: isRepeated,
  list: (path, name) => LISTS[path === '' ? name : `${path}/${name}`],

  equal(path, found, wanted) {
    const name = path.slice(path.lastIndexOf('@') + 1)
    if (name === 'mac') return found.toLowerCase() === wanted.toLowerCase()
    return ADDRESSES.has(name) && canonical(found) === canonical(wanted)
  },

  prepare(path, found, wanted) {
    if (path === '') prepareRoot(found, wanted)
    else if (path === 'forward') prepareForward(found, wanted)
    else if (/^(ip|route)\[[^\]]*\]$/.test(path)) preferPrefix(found, wanted)
    else if (path.endsWith('/lease')) preferUnit(found, wanted)
  },
}

const modeOf = (network: XmlElement): string | undefined => childOf(network, 'forward')?.attributes.mode

/** What libvirt filled in for a bridge of its own is refused beside one of the host's, and the reverse. */
function prepareRoot(found: XmlElement, wanted: XmlElement): void {
  const mode = modeOf(wanted)
  if (mode === undefined || mode === modeOf(found) || ['nat', 'route', 'open'].includes(mode)) return
  without(found, child => child.name === 'mac')
  for (const bridge of childrenOf(found, 'bridge')) {
    for (const name of ['stp', 'delay', 'macTableManager', 'zone']) delete bridge.attributes[name]
    if (mode !== 'bridge') without(found, child => child === bridge)
  }
}

/** libvirt writes the ports of translation and the interface of `dev` by itself. */
function prepareForward(found: XmlElement, wanted: XmlElement): void {
  const { mode, dev } = wanted.attributes
  if (mode !== found.attributes.mode && mode !== 'nat') without(found, child => child.name === 'nat')
  if (dev !== found.attributes.dev) without(found, child => child.name === 'interface' && child.attributes.dev === found.attributes.dev)
}

/** A netmask and a prefix say the same, and libvirt refuses both together. */
function preferPrefix(found: XmlElement, wanted: XmlElement): void {
  const { netmask } = found.attributes
  const prefix = netmask === undefined ? undefined : prefixOfNetmask(netmask)
  if (prefix === undefined || wanted.attributes.prefix === undefined) return
  delete found.attributes.netmask
  found.attributes.prefix = String(prefix)
}

const SECONDS: Record<string, number> = { seconds: 1, minutes: 60, hours: 3600 }
const secondsOf = ({ attributes: { expiry, unit } }: XmlElement): number => Number(expiry) * (SECONDS[unit ?? 'minutes'] ?? Number.NaN)

/** The same time in another unit is the same time. */
function preferUnit(found: XmlElement, wanted: XmlElement): void {
  if (secondsOf(found) === secondsOf(wanted)) found.attributes = { ...wanted.attributes }
}
