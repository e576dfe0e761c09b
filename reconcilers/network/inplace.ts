// What a running network takes without being recreated: the calls of networkUpdate that lead from one live document to another.

import { NetworkSection, NetworkUpdateCommand } from '../../drivers/driver.ts'
import { type XmlElement, childOf, childrenOf, cloneXml, el, elementsOf, sameXml, serializeXml } from '../../xml/tree.ts'
import { canonical } from './addresses.ts'
import { devKey, dhcpHostKey, dnsHostKey, ipKey, nameKey, rangeKey, srvKey } from './rules.ts'

/** One call of networkUpdate. `what` says it to a person: `adds DHCP host web (192.168.150.10)`. */
export interface LiveUpdate { command: number; section: number; parentIndex: number; xml: string; what: string }

interface Section {
  section: number
  element: string
  /** What a person calls an entry. */
  noun: string
  key: (entry: XmlElement) => string
  label: (entry: XmlElement) => string
  /** Present where libvirt can change an entry as it stands: what of it must be unique among the entries. */
  unique?: (entry: XmlElement) => (string | undefined)[]
}

const ipOf = ({ attributes: { ip } }: XmlElement): string | undefined => (ip === undefined ? undefined : canonical(ip))
const HOST: Section = { section: NetworkSection.IP_DHCP_HOST, element: 'host', noun: 'DHCP host', key: dhcpHostKey, label: host => `${host.attributes.name ?? host.attributes.mac ?? ''} (${host.attributes.ip ?? ''})`, unique: host => [ipOf(host), host.attributes.name] }
const RANGE: Section = { section: NetworkSection.IP_DHCP_RANGE, element: 'range', noun: 'DHCP range', key: rangeKey, label: range => `${range.attributes.start} to ${range.attributes.end}` }
const DNS: Section[] = [
  { section: NetworkSection.DNS_HOST, element: 'host', noun: 'DNS host', key: dnsHostKey, label: dnsHostKey },
  { section: NetworkSection.DNS_TXT, element: 'txt', noun: 'DNS text', key: nameKey, label: nameKey },
  { section: NetworkSection.DNS_SRV, element: 'srv', noun: 'DNS service', key: srvKey, label: srvKey },
]
const PORTGROUP: Section = { section: NetworkSection.PORTGROUP, element: 'portgroup', noun: 'portgroup', key: nameKey, label: nameKey, unique: group => [group.attributes.default === 'yes' ? 'default' : undefined] }
const FORWARD_INTERFACE: Section = { section: NetworkSection.FORWARD_INTERFACE, element: 'interface', noun: 'interface', key: devKey, label: devKey }

/** What libvirt counts about an entry is no part of it. */
const plain = (entry: XmlElement): XmlElement => {
  const { connections: _connections, ...attributes } = entry.attributes
  return { ...entry, attributes }
}

/** Where both documents hold the parent of a section. */
interface Place { section: Section; parentIndex: number; live: XmlElement; wanted: XmlElement }

function places(live: XmlElement, wanted: XmlElement): Place[] {
  const list: Place[] = [{ section: PORTGROUP, parentIndex: -1, live, wanted }]
  const dns = { live: childOf(live, 'dns'), wanted: childOf(wanted, 'dns') }
  for (const section of DNS) list.push({ section, parentIndex: -1, live: dns.live ?? el('dns'), wanted: dns.wanted ?? el('dns') })
  childrenOf(live, 'ip').forEach((ip, parentIndex) => {
    const from = childOf(ip, 'dhcp')
    const to = childOf(childrenOf(wanted, 'ip').find(other => ipKey(other) === ipKey(ip)), 'dhcp')
    if (from !== undefined && to !== undefined) for (const section of [HOST, RANGE]) list.push({ section, parentIndex, live: from, wanted: to })
  })
  const forward = { live: childOf(live, 'forward'), wanted: childOf(wanted, 'forward') }
  // The interface of `dev` stands first in the list and cannot be taken out of it.
  if (forward.live && forward.wanted && forward.live.attributes.dev === undefined && forward.wanted.attributes.dev === undefined && forward.live.attributes.mode === forward.wanted.attributes.mode) {
    list.push({ section: FORWARD_INTERFACE, parentIndex: -1, live: forward.live, wanted: forward.wanted })
  }
  return list
}

function updatesAt({ section, parentIndex, live, wanted }: Place): LiveUpdate[] {
  const present = childrenOf(live, section.element).map(plain)
  const next = childrenOf(wanted, section.element).map(plain)
  const update = (command: number, verb: string, entry: XmlElement): LiveUpdate =>
    ({ command, section: section.section, parentIndex, xml: serializeXml(entry), what: `${verb} ${section.noun} ${section.label(entry)}` })
  const removed: LiveUpdate[] = []
  const changed: LiveUpdate[] = []
  const added: LiveUpdate[] = []
  for (const entry of present) if (!next.some(other => section.key(other) === section.key(entry))) removed.push(update(NetworkUpdateCommand.DELETE, 'removes', entry))
  for (const entry of next) {
    const before = present.find(other => section.key(other) === section.key(entry))
    if (before === undefined) added.push(update(NetworkUpdateCommand.ADD_LAST, 'adds', entry))
    else if (!sameXml(before, entry)) {
      const taken = present.filter(other => other !== before).flatMap(other => section.unique?.(other) ?? [])
      const clashes = section.unique === undefined || section.unique(entry).some(value => value !== undefined && taken.includes(value))
      if (!clashes) changed.push(update(NetworkUpdateCommand.MODIFY, 'changes', entry))
      else {
        removed.push(update(NetworkUpdateCommand.DELETE, 'removes', before))
        added.push(update(NetworkUpdateCommand.ADD_LAST, 'adds', entry))
      }
    }
  }
  return [...removed, ...changed, ...added]
}

/** Calls that bring into the running network what can be changed in place; whatever else differs is left alone. */
export const liveUpdates = (live: XmlElement, wanted: XmlElement): LiveUpdate[] => places(live, wanted).flatMap(updatesAt)

/** The live document as it will be after `liveUpdates`. */
export function afterUpdates(live: XmlElement, wanted: XmlElement): XmlElement {
  const after = cloneXml(live)
  if (childOf(after, 'dns') === undefined && childOf(wanted, 'dns') !== undefined) after.children.push(el('dns'))
  for (const place of places(after, wanted)) {
    const { section } = place
    place.live.children = [...elementsOf(place.live).filter(child => child.name !== section.element), ...childrenOf(place.wanted, section.element).map(cloneXml)]
  }
  return after
}
