// The live document: what a definition becomes while it runs, and what of that is dropped when it is read as a configuration.

import { attributeOf, childOf, childrenOf, el, elementsOf, serializeXml, type XmlElement } from '../../../xml/tree.ts'
import { removeChildren } from '../values.ts'
import { StoredDomain, type DomainDocument, type Parts, type Sizes } from './definition.ts'
import { aliasOf, isOwnAlias, newAlias } from './device.ts'

/** What a run is given by its host. */
export interface RunParts { id: number; vnet: () => string }

/**
 * The definition with its run's id, every device with an alias, every interface with its host's end. Follows from the definition
 * and the few names here, so it is made when somebody asks for it: most runs are never read, and none is stored twice.
 */
export class FreshRun implements DomainDocument {
  readonly #definition: DomainDocument
  readonly #id: number
  /** The host's ends of the interfaces that name none, in order. */
  readonly #vnets: readonly string[]

  constructor(definition: DomainDocument, { id, vnet }: RunParts) {
    this.#definition = definition
    this.#id = id
    this.#vnets = definition.parts.interfaces.filter(({ target }) => target === undefined).map(() => vnet())
  }

  get sizes(): Sizes { return this.#definition.sizes }
  get parts(): Parts {
    const free = this.#vnets.values()
    const { disks, interfaces, agent } = this.#definition.parts
    return { disks, agent, interfaces: interfaces.map(nic => ({ ...nic, target: nic.target ?? free.next().value })) }
  }
  get text(): string { return serializeXml(this.copy()) }
  get tree(): XmlElement { return this.copy() }

  copy(): XmlElement {
    const free = this.#vnets.values()
    const tree = this.#definition.copy()
    const { type, ...rest } = tree.attributes
    tree.attributes = { type: type!, id: String(this.#id), ...rest }
    const devices = childOf(tree, 'devices')!
    for (const device of elementsOf(devices)) enliven(devices, device, { id: this.#id, vnet: () => free.next().value! })
    return tree
  }
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
export const inactiveText = (live: DomainDocument): string => serializeXml(inactiveTree(live))
export const inactiveOf = (live: DomainDocument): DomainDocument => new StoredDomain(inactiveTree(live))

function inactiveTree(live: DomainDocument): XmlElement {
  const tree = live.copy()
  delete tree.attributes.id
  for (const device of elementsOf(childOf(tree, 'devices')!)) {
    removeChildren(device, child => child.name === 'alias' && !isOwnAlias(attributeOf(child, 'name') ?? ''))
    if (device.name === 'interface') removeChildren(device, child => child.name === 'target' && /^vnet\d+$/.test(attributeOf(child, 'dev') ?? ''))
    if (device.name === 'graphics' && attributeOf(device, 'autoport') === 'yes') device.attributes = { ...device.attributes, port: '-1' }
    if (device.name === 'channel') for (const target of childrenOf(device, 'target')) delete target.attributes.state
  }
  return tree
}

/** Without the passwords, which only those see who ask for them. */
export function withoutSecrets(document: DomainDocument): string {
  const { text } = document
  if (!text.includes(' passwd="')) return text
  const tree = document.copy()
  for (const graphics of childrenOf(childOf(tree, 'devices'), 'graphics')) delete graphics.attributes.passwd
  return serializeXml(tree)
}
