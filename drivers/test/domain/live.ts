// The live document: what a definition becomes while it runs, and what of that is dropped when it is read as a configuration.

import { attributeOf, childOf, childrenOf, el, elementsOf, type XmlElement } from '../../../xml/tree.ts'
import { removeChildren } from '../values.ts'
import { DomainDocument } from './definition.ts'
import { aliasOf, isOwnAlias, newAlias } from './device.ts'

/** What a run is given by its host. */
export interface RunParts { id: number; vnet: () => string }

/** The definition with its run's id, every device with an alias, every network interface with its host's end. */
export function liveDocument(definition: DomainDocument, run: RunParts): DomainDocument {
  const tree = definition.copy()
  const { type, ...rest } = tree.attributes
  tree.attributes = { type: type!, id: String(run.id), ...rest }
  const devices = childOf(tree, 'devices')!
  // Balloon and processors start as they are defined; a port that was left to the host is chosen now.
  for (const device of elementsOf(devices)) enliven(devices, device, run)
  return new DomainDocument(tree)
}

/** Gives one device what it has only while it runs; changes `device`. */
export function enliven(devices: XmlElement, device: XmlElement, run: RunParts): void {
  if (device.name === 'interface') {
    const target = childOf(device, 'target')
    if (target === undefined) device.children.splice(1 + device.children.findLastIndex(child => typeof child !== 'string' && ['mac', 'source'].includes(child.name)), 0, el('target', { dev: run.vnet() }))
  }
  if (device.name === 'graphics' && attributeOf(device, 'port') === '-1') device.attributes = { ...device.attributes, port: String(5900 + (run.id % 10_000)) }
  if (device.name === 'channel' && attributeOf(childOf(device, 'target'), 'name') === 'org.qemu.guest_agent.0') childOf(device, 'target')!.attributes = { ...childOf(device, 'target')!.attributes, state: 'connected' }
  if (aliasOf(device) !== undefined) return
  const alias = newAlias(devices, device)
  if (alias === undefined) return
  device.children.push(el('alias', { name: alias }))
}

/** The live document as the next start would take it: for a domain that has no configuration of its own. */
export function inactiveText(live: DomainDocument): string {
  const tree = live.copy()
  delete tree.attributes.id
  for (const device of elementsOf(childOf(tree, 'devices')!)) {
    removeChildren(device, child => child.name === 'alias' && !isOwnAlias(attributeOf(child, 'name') ?? ''))
    if (device.name === 'interface') removeChildren(device, child => child.name === 'target' && /^vnet\d+$/.test(attributeOf(child, 'dev') ?? ''))
    if (device.name === 'graphics' && attributeOf(device, 'autoport') === 'yes') device.attributes = { ...device.attributes, port: '-1' }
    if (device.name === 'channel') for (const target of childrenOf(device, 'target')) delete target.attributes.state
  }
  return new DomainDocument(tree).text
}

/** Without the passwords, which only those see who ask for them. */
export function withoutSecrets(document: DomainDocument): string {
  if (!document.text.includes(' passwd="')) return document.text
  const tree = document.copy()
  for (const graphics of childrenOf(childOf(tree, 'devices'), 'graphics')) delete graphics.attributes.passwd
  return new DomainDocument(tree).text
}
