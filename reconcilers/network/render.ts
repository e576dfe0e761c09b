// Renders a VirtualNetwork's spec as the network element that libvirt is to hold, and checks what only arithmetic can.

import { parseDuration } from '../../crds/duration.ts'
import { parseQuantity } from '../../crds/quantity.ts'
import type { DhcpHost, DhcpRange, NetworkIP, Portgroup, VirtualNetworkSpec } from '../../crds/virtualnetwork.ts'
import { overlay } from '../../xml/merge.ts'
import { type XmlElement, XmlError, childOf, el, elementsOf, parseFragment } from '../../xml/tree.ts'
import { Refusal } from '../plan.ts'
import { type Address, type Subnet, contains, formatAddress, formatSubnet, parseAddress, parseSubnet, wholeSubnet } from './addresses.ts'
import { networkRules } from './rules.ts'

/** The spec with its overlay. */
export type Spec = VirtualNetworkSpec

const invalid = (field: string, what: string, remedy: string): Refusal => new Refusal('Invalid', `spec.${field}: ${what}. ${remedy}.`)

/** The wanted network without name, UUID and metadata. Throws Invalid. */
export function renderNetwork(spec: Spec): XmlElement {
  const document = el('network', {},
    renderForward(spec),
    renderBridge(spec),
    spec.mtu !== undefined && el('mtu', { size: spec.mtu }),
    spec.domain && el('domain', { name: spec.domain.name, localOnly: spec.domain.localOnly ? 'yes' : undefined }),
    renderDns(spec),
    spec.ipv4 ? renderIP(spec.ipv4, 4) : [],
    spec.ipv6 ? renderIP(spec.ipv6, 6) : [],
    (spec.portgroups ?? []).map(renderPortgroup),
  )
  return spec.xml === undefined ? document : withOverlay(document, spec.xml)
}

function renderForward({ forward }: Spec): XmlElement | undefined {
  if (forward === undefined) return undefined
  const { address, port } = forward.nat ?? {}
  const nat = address === undefined && port === undefined ? undefined : el('nat', {},
    address && el('address', { start: readAddress(address.start, 'forward.nat.address.start'), end: readAddress(address.end, 'forward.nat.address.end') }),
    port && el('port', { start: port.start, end: port.end }))
  return el('forward', { mode: forward.mode, dev: forward.dev }, nat)
}

function renderBridge({ bridge }: Spec): XmlElement | undefined {
  if (bridge === undefined || Object.values(bridge).every(value => value === undefined)) return undefined
  return el('bridge', {
    name: bridge.name,
    stp: bridge.stp === undefined ? undefined : bridge.stp === 'Enabled' ? 'on' : 'off',
    delay: bridge.delay === undefined ? undefined : Math.round(parseDuration(bridge.delay) / 1000),
    zone: bridge.zone,
  })
}

function renderDns({ dns }: Spec): XmlElement | undefined {
  const hosts = dns?.hosts ?? []
  if (hosts.length === 0) return undefined
  return el('dns', {}, hosts.map(({ ip, hostnames }) => el('host', { ip: readAddress(ip, `dns.hosts[${ip}].ip`) }, hostnames.toSorted().map(name => el('hostname', {}, name)))))
}

function readAddress(text: string, field: string): string {
  const address = parseAddress(text)
  if (address === undefined) throw invalid(field, `${text} is not an IP address`, 'Write one such as 192.168.150.10 or fd00:150::10')
  return formatAddress(address)
}

function readSubnet(text: string, family: 4 | 6, field: string): Subnet {
  const subnet = parseSubnet(text)
  if (subnet?.address.family === family) return subnet
  throw invalid(field, `${text} is not an IPv${family} address with prefix`, `Write one such as ${family === 4 ? '192.168.150.1/24' : 'fd00:150::1/64'}`)
}

function renderIP(ip: NetworkIP, family: 4 | 6): XmlElement[] {
  const field = `ipv${family}`
  const subnet = readSubnet(ip.address, family, `${field}.address`)
  const element = ({ address, prefix }: Subnet, dhcp?: XmlElement): XmlElement =>
    el('ip', { family: family === 6 ? 'ipv6' : undefined, address: formatAddress(address), prefix }, dhcp)
  return [
    element(subnet, ip.dhcp && renderDhcp(ip.dhcp, subnet, `${field}.dhcp`)),
    ...(ip.additionalAddresses ?? []).map(text => element(readSubnet(text, family, `${field}.additionalAddresses`))),
  ]
}

function renderDhcp(dhcp: NonNullable<NetworkIP['dhcp']>, subnet: Subnet, field: string): XmlElement {
  const inside = (text: string, path: string): Address => {
    const address = parseAddress(text)
    if (address === undefined || !contains(subnet, address)) throw invalid(`${field}.${path}`, `${text} does not lie inside ${formatSubnet(subnet)}, the subnet of address`, 'Use an address of that subnet, or change the address of the network')
    return address
  }
  const ranges = dhcp.ranges === undefined || dhcp.ranges.length === 0 ? wholeSubnet(subnet) : dhcp.ranges.map(range => readRange(range, inside, field))
  if (ranges.length === 0 && (dhcp.hosts ?? []).length === 0) {
    throw invalid(field, `the subnet ${formatSubnet(subnet)} has no address left to give to guests`, 'Leave dhcp out, or use a larger subnet')
  }
  return el('dhcp', {}, ranges.map(renderRange), (dhcp.hosts ?? []).map(host => renderHost(host, inside)))
}

function readRange(range: DhcpRange, inside: (text: string, path: string) => Address, field: string): DhcpRange {
  const start = inside(range.start, `ranges[${range.start}].start`)
  const end = inside(range.end, `ranges[${range.start}].end`)
  if (start.value > end.value) throw invalid(`${field}.ranges[${range.start}]`, `the range ends at ${range.end}, before it starts`, 'Exchange start and end')
  return { ...range, start: formatAddress(start), end: formatAddress(end) }
}

function renderRange({ start, end, leaseTime }: DhcpRange): XmlElement {
  const lease = leaseTime === undefined ? undefined : el('lease', { expiry: Math.round(parseDuration(leaseTime) / 1000), unit: 'seconds' })
  return el('range', { start, end }, lease)
}

const renderHost = ({ name, mac, ip, hostname }: DhcpHost, inside: (text: string, path: string) => Address): XmlElement =>
  el('host', { mac: mac?.toLowerCase(), name: hostname, ip: formatAddress(inside(ip, `hosts[${name}].ip`)) })

/** libvirt counts in KiB a second (burst: KiB); what is less than one is one. */
const kib = (quantity: string | number | undefined): number | undefined => (quantity === undefined ? undefined : Math.max(1, Math.round(parseQuantity(quantity) / 1024)))

function renderPortgroup({ name, default: isDefault, vlan, bandwidth }: Portgroup): XmlElement {
  const tags = (vlan?.tags ?? []).toSorted((a, b) => a.id - b.id)
  const rate = (direction: 'inbound' | 'outbound'): XmlElement | undefined => {
    const limit = bandwidth?.[direction]
    return limit && el(direction, { average: kib(limit.average), peak: kib(limit.peak), burst: kib(limit.burst) })
  }
  const rates = [rate('inbound'), rate('outbound')].filter(limit => limit !== undefined)
  return el('portgroup', { name, default: isDefault ? 'yes' : undefined },
    tags.length > 0 && el('vlan', { trunk: tags.length > 1 ? 'yes' : undefined }, tags.map(({ id }) => el('tag', { id }))),
    rates.length > 0 && el('bandwidth', {}, rates))
}

function withOverlay(document: XmlElement, text: string): XmlElement {
  let fragment: XmlElement[]
  try {
    fragment = parseFragment(text)
  } catch (error) {
    if (!(error instanceof XmlError)) throw error
    throw new Refusal('Invalid', `spec.xml: ${error.message}. Write elements that may stand inside <network>.`)
  }
  for (const { name } of fragment) {
    if (name === 'name' || name === 'uuid' || name === 'metadata') throw new Refusal('Invalid', `spec.xml: it may not touch <${name}>, which vireo keeps. Take that element out${name === 'metadata' ? '' : `, and use spec.${name}`}.`)
  }
  for (const element of fragment) refuseNamespaces(element)
  try {
    return overlay(document, fragment, networkRules)
  } catch (error) {
    if (!(error instanceof XmlError)) throw error
    throw new Refusal('Invalid', `spec.xml: ${error.message}.`)
  }
}

/** Elements of other namespaces reach past libvirt's own checks: dnsmasq:options runs programs on the host. */
function refuseNamespaces(element: XmlElement): void {
  if (element.name.includes(':') || Object.keys(element.attributes).some(name => name.startsWith('xmlns'))) {
    throw new Refusal('Forbidden', `spec.xml: <${element.name}> is of another namespace than libvirt's network and passes settings past libvirt's own checks; such elements are never accepted. Take it out.`)
  }
  for (const child of elementsOf(element)) refuseNamespaces(child)
}

/** The interfaces of the host that a document names, each with the field it comes from; PCI devices stand beside them. */
export function hostInterfaces(document: XmlElement): { name: string; field: string }[] {
  const forward = childOf(document, 'forward')
  const names: { name: string | undefined; field: string }[] = [{ name: forward?.attributes.dev, field: 'spec.forward.dev' }]
  for (const child of forward === undefined ? [] : elementsOf(forward)) {
    if (child.name === 'interface' || child.name === 'pf') names.push({ name: child.attributes.dev, field: `the document's /forward/${child.name}@dev` })
    if (child.name === 'address') names.push({ name: ['domain', 'bus', 'slot', 'function'].map(part => child.attributes[part] ?? '').join(':'), field: "the document's /forward/address" })
  }
  if (!hasOwnBridge(forward?.attributes.mode)) names.push({ name: childOf(document, 'bridge')?.attributes.name, field: 'spec.bridge.name' })
  return names.filter((entry): entry is { name: string; field: string } => entry.name !== undefined)
}

/** True for the modes (and the isolated network) whose bridge libvirt makes; the others use what the host has. */
export const hasOwnBridge = (mode: string | undefined): boolean => mode === undefined || mode === 'nat' || mode === 'route' || mode === 'open'

