// Names differences between documents as a person knows them: by the path of the spec's field.

import type { Change } from '../../xml/merge.ts'
import { elementsOf, parseXml } from '../../xml/tree.ts'
import type { DriftEntry, PendingChange } from '../plan.ts'
import { canonical } from './addresses.ts'
import type { Spec } from './render.ts'

/** `ip[192.168.150.1]/dhcp/host[52:54:00:aa:bb:01]@ip` is `ipv4.dhcp.hosts[web]`; what no field speaks of is `xml`. */
function specPath(path: string, spec: Spec): string {
  const [, head = '', label = '', rest = ''] = /^([a-z]+)(?:\[([^\]]*)\])?(.*)$/.exec(path) ?? []
  const attribute = rest.startsWith('@') ? rest.slice(1) : ''
  switch (head) {
    case 'forward': return rest.startsWith('/nat') ? 'forward.nat' : attribute === '' ? 'forward' : `forward.${attribute}`
    case 'bridge': return attribute === '' ? 'bridge' : `bridge.${attribute}`
    case 'mtu': return 'mtu'
    case 'domain': return attribute === '' ? 'domain' : `domain.${attribute}`
    case 'dns': {
      const host = /^\/host\[([^\]]*)\]/.exec(rest)
      return host ? `dns.hosts[${host[1]}]` : rest === '' ? 'dns' : 'xml'
    }
    case 'portgroup': return `portgroups[${label}]${/^\/(vlan|bandwidth)/.exec(rest)?.[0].replace('/', '.') ?? ''}`
    case 'ip': return ipPath(label, rest, spec)
    default: return 'xml'
  }
}

function ipPath(address: string, rest: string, spec: Spec): string {
  const field = address.includes(':') ? 'ipv6' : 'ipv4'
  const ip = spec[field]
  const additional = ip?.additionalAddresses?.some(text => canonical(text.split('/')[0]!) === address)
  if (additional) return `${field}.additionalAddresses`
  if (!rest.startsWith('/dhcp')) return ip === undefined ? field : `${field}.address`
  const [, list, label] = /^\/dhcp\/(range|host)\[([^\]]*)\]/.exec(rest) ?? []
  if (list === 'range') return `${field}.dhcp.ranges[${label}]`
  if (list !== 'host') return `${field}.dhcp`
  const entry = ip?.dhcp?.hosts?.find(host => (host.mac?.toLowerCase() ?? host.hostname) === label)
  return `${field}.dhcp.hosts[${entry?.name ?? label}]`
}

/** A short word for one side of a difference: elements by what tells them apart. */
function shown(text: string | undefined): string | undefined {
  if (text === undefined || !text.startsWith('<')) return text
  const element = parseXml(text)
  const { name, attributes } = element
  switch (name) {
    case 'ip': return `${attributes.address}/${attributes.prefix ?? attributes.netmask ?? ''}`
    case 'range': return `${attributes.start} to ${attributes.end}`
    case 'host': return attributes.ip
    case 'mtu': return attributes.size
    case 'domain': return attributes.name
    case 'forward': return attributes.mode
    case 'dhcp': return elementsOf(element).map(entry => (entry.name === 'range' ? `${entry.attributes.start} to ${entry.attributes.end}` : entry.attributes.ip)).join(', ').slice(0, 256)
    default: return text.slice(0, 256)
  }
}

/** Several differences of one field are one entry. */
function gathered(changes: Change[], spec: Spec): { path: string; found?: string; wanted?: string }[] {
  const entries = new Map<string, { path: string; found?: string; wanted?: string }>()
  for (const change of changes) {
    const path = specPath(change.path, spec)
    const entry = entries.get(path) ?? { path }
    entry.found ??= shown(change.found)
    entry.wanted ??= shown(change.wanted)
    entries.set(path, entry)
  }
  return [...entries.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1))
}

export const pendingOf = (changes: Change[], spec: Spec): PendingChange[] =>
  gathered(changes, spec).map(({ path, found, wanted }) => ({ path, current: found, desired: wanted, apply: 'Recreate' }))

export const driftOf = (changes: Change[], spec: Spec): DriftEntry[] =>
  gathered(changes, spec).map(({ path, found, wanted }) => ({ path, expected: wanted, found }))

/** The fields that differ, for a sentence. */
export const fieldsOf = (changes: Change[], spec: Spec): string[] => [...new Set(changes.map(change => specPath(change.path, spec)))].toSorted()
