// Changes one section of a network's document in place, with the rules and refusals of libvirt's virNetworkUpdate.

import { NetworkSection as Section, NetworkUpdateCommand as Command } from '../../driver.ts'
import { attributeOf, childOf, childrenOf, el, elementsOf, textOf, type XmlElement } from '../../../xml/tree.ts'
import { From, type Refusal, badXml, invalid, unsupportedOperation } from '../refusal.ts'
import { normalMAC, putAfter } from '../values.ts'
import { type Block, blockOf } from './addresses.ts'
import { checkHost, checkRange } from './definition.ts'
import { readDocument } from '../document.ts'

/** How the entries of one section are kept and told apart. */
interface Rules {
  /** The element that an entry is. */
  name: string
  /** What libvirt calls an entry. */
  what: string
  /** Where the entries are; undefined makes the update refuse. */
  parent(tree: XmlElement, index: number, entry: XmlElement, network: string): XmlElement
  /** What makes an entry that is there clash with one to be added. */
  clashes(found: XmlElement, entry: XmlElement): boolean
  /** Which one is meant by a change or a removal. */
  same(found: XmlElement, entry: XmlElement): boolean
  modify: boolean
  check?(entry: XmlElement, network: string, block: Block | undefined): void
}

const attr = attributeOf
const equal = (a: XmlElement, b: XmlElement, ...names: string[]): boolean => names.every(name => attr(a, name) === attr(b, name))
/** Both have it, and it is the same. */
const shares = (a: XmlElement, b: XmlElement, name: string): boolean => attr(a, name) !== undefined && attr(a, name) === attr(b, name)
/** What the second names, the first has. */
const matches = (found: XmlElement, entry: XmlElement, ...names: string[]): boolean => names.every(name => attr(entry, name) === undefined || attr(found, name) === attr(entry, name))

const child = (tree: XmlElement, name: string, after: string[]): XmlElement => {
  const found = childOf(tree, name)
  if (found !== undefined) return found
  const made = el(name)
  putAfter(tree, made, after)
  return made
}

function ipOf(tree: XmlElement, index: number, what: string, network: string): XmlElement {
  const ips = childrenOf(tree, 'ip')
  const ip = index >= 0 ? ips[index] : ips.find(each => childOf(each, 'dhcp') !== undefined) ?? ips[0]
  if (ip === undefined) throw invalid(`couldn't update ${what} entry - no <ip> element found at index ${index} in network '${network}'`, From.NETWORK)
  return ip
}
const dhcp = (what: string) => (tree: XmlElement, index: number, _entry: XmlElement, network: string): XmlElement => child(ipOf(tree, index, what, network), 'dhcp', ['tftp'])
const dns = (tree: XmlElement): XmlElement => child(tree, 'dns', ['name', 'uuid', 'metadata', 'forward', 'bridge', 'mac', 'mtu', 'domain'])
const forward = (tree: XmlElement): XmlElement => child(tree, 'forward', ['name', 'uuid', 'metadata'])
const hostnames = (host: XmlElement): string[] => childrenOf(host, 'hostname').map(textOf)

const rules: Record<number, Rules> = {
  [Section.IP_DHCP_HOST]: {
    name: 'host', what: 'dhcp host', parent: dhcp('dhcp host'), modify: true, check: checkHost,
    clashes: (found, entry) => ['mac', 'id', 'ip', 'name'].some(name => shares(found, entry, name)),
    same: (found, entry) => matches(found, entry, 'mac', 'id', 'name') && (attr(entry, 'mac') !== undefined || attr(entry, 'id') !== undefined || attr(entry, 'name') !== undefined || matches(found, entry, 'ip')),
  },
  [Section.IP_DHCP_RANGE]: {
    name: 'range', what: 'dhcp range', parent: dhcp('dhcp range'), modify: false,
    clashes: (found, entry) => equal(found, entry, 'start', 'end'), same: (found, entry) => equal(found, entry, 'start', 'end'),
    check: (entry, network, block) => { if (block !== undefined) checkRange(entry, block, network) },
  },
  [Section.FORWARD_INTERFACE]: {
    name: 'interface', what: 'forward interface', parent: forward, modify: false,
    clashes: (found, entry) => equal(found, entry, 'dev'), same: (found, entry) => equal(found, entry, 'dev'),
  },
  [Section.PORTGROUP]: {
    name: 'portgroup', what: 'portgroup', parent: tree => tree, modify: true,
    clashes: (found, entry) => equal(found, entry, 'name'), same: (found, entry) => equal(found, entry, 'name'),
  },
  [Section.DNS_HOST]: {
    name: 'host', what: 'DNS HOST', parent: dns, modify: false,
    clashes: (found, entry) => shares(found, entry, 'ip') || hostnames(entry).some(name => hostnames(found).includes(name)),
    same: (found, entry) => matches(found, entry, 'ip') && hostnames(entry).every(name => hostnames(found).includes(name)),
  },
  [Section.DNS_TXT]: {
    name: 'txt', what: 'DNS TXT', parent: dns, modify: false,
    clashes: (found, entry) => equal(found, entry, 'name'), same: (found, entry) => equal(found, entry, 'name'),
  },
  [Section.DNS_SRV]: {
    name: 'srv', what: 'DNS SRV', parent: dns, modify: false,
    clashes: (found, entry) => equal(found, entry, 'service', 'protocol', 'domain', 'target', 'port'), same: (found, entry) => matches(found, entry, 'service', 'protocol', 'domain', 'target', 'port', 'priority', 'weight'),
  },
}
const fixed: Record<number, string> = { [Section.BRIDGE]: 'bridge', [Section.DOMAIN]: 'domain', [Section.IP]: 'ip', [Section.FORWARD]: 'forward', [Section.FORWARD_PF]: 'forward pf' }

/** Changes `tree`, or rejects and may have changed it. */
export function updateSection(tree: XmlElement, network: string, command: number, section: number, index: number, text: string): void {
  if (fixed[section] !== undefined) throw unsupportedOperation(`can't update '${fixed[section]}' section of network '${network}'`, From.NETWORK)
  const rule = rules[section]
  if (rule === undefined) throw unsupportedOperation("can't update unrecognized section of network", From.NETWORK)
  const entry = readDocument(text, 'network_update_xml', From.NETWORK)
  if (entry.name !== rule.name) throw badXml(`unexpected element <${entry.name}>, expecting <${rule.name}>, while updating network '${network}'`, From.NETWORK)
  const mac = attr(entry, 'mac')
  if (mac !== undefined) entry.attributes = { ...entry.attributes, mac: normalMAC(mac) ?? mac }
  const parent = rule.parent(tree, index, entry, network)
  rule.check?.(entry, network, section === Section.IP_DHCP_RANGE ? blockOf(ipOf(tree, index, rule.what, network)) : undefined)
  const entries = childrenOf(parent, rule.name)
  const found = entries.find(other => rule.same(other, entry))
  switch (command) {
    case Command.MODIFY:
      if (!rule.modify) throw unsupportedOperation(`${plural(rule.what)} cannot be modified, only added or deleted`, From.NETWORK)
      if (found === undefined) throw notThere(rule, entry, network, true)
      parent.children.splice(parent.children.indexOf(found), 1, entry)
      return
    case Command.DELETE:
      if (found === undefined) throw notThere(rule, entry, network, false)
      parent.children.splice(parent.children.indexOf(found), 1)
      tidy(tree)
      return
    case Command.ADD_FIRST: case Command.ADD_LAST: {
      if (entries.some(other => rule.clashes(other, entry))) throw clash(rule, entry, network)
      const at = command === Command.ADD_FIRST ? entries[0] : undefined
      if (at !== undefined) parent.children.splice(parent.children.indexOf(at), 0, entry)
      else putAfter(parent, entry, rule.name === 'host' ? ['range', 'host'] : elementsOf(parent).map(other => other.name))
      return
    }
    default: throw unsupportedOperation(`unrecognized network update command code ${command}`, From.NETWORK)
  }
}

const plural = (what: string): string => (what.startsWith('DNS') ? `${what} records` : `${what}s`)

function clash(rule: Rules, entry: XmlElement, network: string): Refusal {
  if (rule.what === 'DNS HOST') return invalid(`there is already at least one DNS HOST record with a matching field in network ${network}`, From.NETWORK)
  const shown = rule.what === 'dhcp host' ? `<host mac='${attr(entry, 'mac') ?? '(null)'}' name='${attr(entry, 'name') ?? '(null)'}' ip='${attr(entry, 'ip') ?? '(null)'}'/>` : `<${rule.name}${Object.entries(entry.attributes).map(([name, value]) => ` ${name}='${value}'`).join('')}>`
  return invalid(`there is an existing ${rule.what} entry in network '${network}' that matches "${shown}"`, From.NETWORK)
}

function notThere(rule: Rules, entry: XmlElement, network: string, modify: boolean): Refusal {
  if (!modify) return invalid(`couldn't locate a matching ${rule.what} entry in network '${network}'`, From.NETWORK)
  return invalid(`couldn't locate an existing ${rule.what} entry with "mac='${attr(entry, 'mac') ?? '(null)'}'" "name='${attr(entry, 'name') ?? '(null)'}'" "ip='${attr(entry, 'ip') ?? '(null)'}'" in network '${network}'`, From.NETWORK)
}

/** A section that holds nothing any more is not written. */
function tidy(tree: XmlElement): void {
  for (const ip of childrenOf(tree, 'ip')) ip.children = ip.children.filter(other => typeof other === 'string' || other.name !== 'dhcp' || other.children.length > 0)
  tree.children = tree.children.filter(other => typeof other === 'string' || other.name !== 'dns' || other.children.length > 0)
}
