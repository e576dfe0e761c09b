// Turns a network document into the definition that the host keeps: refuses what libvirt refuses, and fills in what it fills in.

import { isIP } from 'node:net'
import { ErrorNumber } from '../../errors.ts'
import { attributeOf, childOf, childrenOf, el, textOf, type XmlElement } from '../../../xml/tree.ts'
import { StoredDocument, readRoot, type Document } from '../document.ts'
import { From, Refusal, badXml, internal, unsupportedConfig } from '../refusal.ts'
import { drawnMAC, putAfter, removeChildren, uuidOf } from '../values.ts'
import { type Block, blockOf, contains, numberOf } from './addresses.ts'

const modes = ['none', 'nat', 'route', 'open', 'bridge', 'vepa', 'private', 'passthrough', 'hostdev']
/** Those that make a bridge of their own. */
const bridged = new Set<string | undefined>([undefined, 'none', 'nat', 'route', 'open'])
const known = new Set(['name', 'uuid', 'metadata', 'title', 'description', 'forward', 'bridge', 'mac', 'mtu', 'domain', 'dns', 'ip', 'route', 'portgroup', 'virtualport', 'vlan', 'bandwidth', 'port'])

export const bridgeOf = (document: Document): string | undefined => attributeOf(childOf(document.tree, 'bridge'), 'name')
export const modeOf = (tree: XmlElement): string | undefined => {
  const forward = childOf(tree, 'forward')
  return forward === undefined ? undefined : attributeOf(forward, 'mode') ?? 'nat'
}

/** `freeBridge` answers a name for a bridge that has none. */
export function readNetwork(text: string, freeBridge: () => string): { name: string; uuid: string; document: Document } {
  return completeNetwork(readRoot(text, 'network', 'network_definition', From.NETWORK), freeBridge)
}

/** The tree becomes the document's own. */
export function completeNetwork(tree: XmlElement, freeBridge: () => string): { name: string; uuid: string; document: Document } {
  const name = textOf(childOf(tree, 'name'))
  if (name === '') throw new Refusal(ErrorNumber.NO_NAME, From.NETWORK, 'missing name information')
  const odd = /[/\n]/.exec(name)
  if (odd !== null) throw new Refusal(ErrorNumber.XML_DETAIL, From.XML, `invalid char in name: ${odd[0]}`)
  removeChildren(tree, child => !known.has(child.name) || child.name === 'title' || child.name === 'description')
  const uuid = uuidOf(tree, From.NETWORK)
  const mode = modeOf(tree)
  if (mode !== undefined && !modes.includes(mode)) throw unsupportedConfig(`unknown forwarding type '${mode}'`, From.NETWORK)
  for (const ip of childrenOf(tree, 'ip')) checkIP(ip, name)
  if ((mode === 'nat' || mode === 'route') && childOf(tree, 'ip') === undefined) throw badXml(`${mode} forwarding requested, but no IP address provided for network '${name}'`, From.NETWORK)
  if (bridged.has(mode)) completeBridge(tree, freeBridge)
  return { name, uuid, document: new StoredDocument(tree) }
}

function completeBridge(tree: XmlElement, freeBridge: () => string): void {
  const bridge = childOf(tree, 'bridge')
  if (bridge === undefined) putAfter(tree, el('bridge', { name: freeBridge(), stp: 'on', delay: '0' }), ['name', 'uuid', 'metadata', 'forward'])
  else bridge.attributes = { name: attributeOf(bridge, 'name') ?? freeBridge(), stp: 'on', delay: '0', ...bridge.attributes }
  if (childOf(tree, 'mac') === undefined) putAfter(tree, el('mac', { address: drawnMAC() }), ['name', 'uuid', 'metadata', 'forward', 'bridge'])
}

function checkIP(ip: XmlElement, network: string): void {
  const address = attributeOf(ip, 'address')
  if (address === undefined) return
  if (isIP(address) === 0) throw badXml(`Invalid address '${address}' in network '${network}'`, From.NETWORK)
  const block = blockOf(ip)
  if (block === undefined) throw badXml(`Invalid netmask or prefix of '${address}' in network '${network}'`, From.NETWORK)
  for (const dhcp of childrenOf(ip, 'dhcp')) {
    for (const range of childrenOf(dhcp, 'range')) checkRange(range, block, network)
    for (const host of childrenOf(dhcp, 'host')) checkHost(host, network)
  }
}

/** Refuses a range that is reversed or that leaves its network. */
export function checkRange(range: XmlElement, block: Block, network: string): void {
  const [start = '', end = ''] = [attributeOf(range, 'start'), attributeOf(range, 'end')]
  for (const address of [start, end]) if (isIP(address) === 0) throw badXml(`Invalid address '${address}' in network '${network}'`, From.NETWORK)
  if (!contains(block, start) || !contains(block, end)) throw internal(`range ${start} - ${end} is not entirely within network ${block.address}/${block.prefix}`, From.NONE)
  if (numberOf(start)! > numberOf(end)!) throw internal(`range ${start} - ${end} is reversed `, From.NONE)
}

export function checkHost(host: XmlElement, network: string): void {
  const mac = attributeOf(host, 'mac')
  if (mac !== undefined && !/^[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}$/i.test(mac)) throw badXml(`Cannot parse MAC address '${mac}' in network '${network}'`, From.NETWORK)
  const ip = attributeOf(host, 'ip')
  if (ip === undefined) throw badXml(`Missing IP address in static host definition for network '${network}'`, From.NETWORK)
  if (isIP(ip) === 0) throw badXml(`Invalid IP address in static host definition '${ip}' in network '${network}'`, From.NETWORK)
}
