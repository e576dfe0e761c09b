// Changes of a domain that are not devices: memory, processors, title, description, metadata, what follows an end.

import { Affect, DomainState } from '../../driver.ts'
import { ErrorNumber } from '../../errors.ts'
import { attributeOf, childOf, el, elementsOf, serializeXml, textOf, type XmlElement } from '../../../xml/tree.ts'
import { readDocument } from '../document.ts'
import { From, Refusal, badArgument, checkFlags, invalid, unsupportedConfig } from '../refusal.ts'
import { putAfter, removeChildren, setText } from '../values.ts'
import { StoredDomain, setKiB, setVcpus, type DomainDocument } from './definition.ts'
import { lifecycleActions, lifecycleOf, type Domain } from './domain.ts'

type Part = 'live' | 'config'

/** Changes the documents that the flags mean, all or none: `change` may refuse. */
function edit(domain: Domain, flags: number, change: (tree: XmlElement, part: Part, document: DomainDocument) => void): void {
  const affected = domain.affected(flags)
  const made: Partial<Record<Part, DomainDocument>> = {}
  for (const part of ['config', 'live'] as const) {
    if (!affected[part]) continue
    const document = domain[part]!
    const tree = document.copy()
    change(tree, part, document)
    made[part] = new StoredDomain(tree)
  }
  domain.config = made.config ?? domain.config
  domain.live = made.live ?? domain.live
}

/** `kib` becomes the current size, with MAXIMUM the maximum. */
export function setMemory(find: () => Domain, kib: number, flags: number): void {
  checkFlags(flags, Affect.LIVE | Affect.CONFIG | Affect.MAXIMUM, 'domainSetMemoryFlags')
  if (kib === 0) throw new Refusal(ErrorNumber.INVALID_ARG, From.DOMAIN, 'memory in virDomainSetMemoryFlags must not be zero')
  edit(find(), flags, (tree, part, { sizes }) => {
    if ((flags & Affect.MAXIMUM) !== 0) {
      if (part === 'live') throw invalid('cannot resize the maximum memory on an active domain')
      setKiB(tree, 'memory', kib)
      if (sizes.memory > kib) setKiB(tree, 'currentMemory', kib)
      return
    }
    if (kib > sizes.maxMemory) throw badArgument('cannot set memory higher than max memory')
    setKiB(tree, 'currentMemory', kib)
  })
}

export function setVcpusFlags(find: () => Domain, count: number, flags: number): void {
  checkFlags(flags, Affect.LIVE | Affect.CONFIG | Affect.MAXIMUM | Affect.VCPU_GUEST, 'domainSetVcpusFlags')
  if (count === 0) throw new Refusal(ErrorNumber.INVALID_ARG, From.DOMAIN, 'nvcpus in virDomainSetVcpusFlags must not be zero')
  if ((flags & Affect.MAXIMUM) !== 0 && (flags & (Affect.LIVE | Affect.CONFIG)) !== Affect.CONFIG) throw new Refusal(ErrorNumber.INVALID_ARG, From.DOMAIN, "Flag 'VIR_DOMAIN_AFFECT_CONFIG' is required by flag 'VIR_DOMAIN_VCPU_MAXIMUM'")
  const domain = find()
  if ((flags & Affect.VCPU_GUEST) !== 0) {
    if (domain.state !== DomainState.Running) throw invalid('domain is not running')
    throw new Refusal(ErrorNumber.ARGUMENT_UNSUPPORTED, From.TEST, 'argument unsupported: the guests of the test driver have no agent that takes processors')
  }
  edit(domain, flags, (tree, part, { sizes }) => {
    if ((flags & Affect.MAXIMUM) !== 0) return setVcpus(tree, count, Math.min(sizes.vcpus, count))
    if (count > sizes.maxVcpus) throw badArgument(`requested vcpus is greater than max allowable vcpus for the ${part === 'live' ? 'live' : 'persistent'} domain: ${count} > ${sizes.maxVcpus}`)
    setVcpus(tree, sizes.maxVcpus, count)
  })
}

export function setMetadata(find: () => Domain, type: number, text: string | null, key: string | null, uri: string | null, flags: number): void {
  checkFlags(flags, Affect.LIVE | Affect.CONFIG, 'domainSetMetadata')
  if (type === 1 && text?.includes('\n')) throw new Refusal(ErrorNumber.INVALID_ARG, From.DOMAIN, "metadata title can't contain newlines")
  if ((type === 0 || type === 1) && (key !== null || uri !== null)) throw new Refusal(ErrorNumber.INVALID_ARG, From.DOMAIN, `${key === null ? 'uri' : 'key'} in virDomainSetMetadata must be NULL`)
  if (type === 2 && uri === null) throw new Refusal(ErrorNumber.INVALID_ARG, From.DOMAIN, 'uri in virDomainSetMetadata must not be NULL')
  if (type === 2 && text !== null && key === null) throw new Refusal(ErrorNumber.INVALID_ARG, From.DOMAIN, 'key in virDomainSetMetadata must not be NULL')
  edit(find(), flags, tree => {
    switch (type) {
      case 0: return setPlain(tree, 'description', text)
      case 1: return setPlain(tree, 'title', text)
      case 2: return setElement(tree, text, key ?? '', uri!)
      default: throw badArgument(`unknown metadata type '${type}'`, From.DOMAIN)
    }
  })
}

function setPlain(tree: XmlElement, name: 'title' | 'description', text: string | null): void {
  if (text === null || text === '') removeChildren(tree, child => child.name === name)
  else setText(tree, name, text, name === 'title' ? ['name', 'uuid'] : ['name', 'uuid', 'title'])
}

/** One element for each namespace: a second one replaces the first. */
function setElement(tree: XmlElement, text: string | null, key: string, uri: string): void {
  const element = text === null ? undefined : readDocument(text, 'metadata_xml', From.DOMAIN)
  const metadata = childOf(tree, 'metadata') ?? el('metadata')
  removeChildren(metadata, child => Object.entries(child.attributes).some(([name, value]) => name.startsWith('xmlns') && value === uri))
  if (element !== undefined) {
    prefix(element, key)
    element.attributes = { [`xmlns:${key}`]: uri, ...element.attributes }
    metadata.children.push(element)
  }
  if (!tree.children.includes(metadata)) putAfter(tree, metadata, ['name', 'uuid', 'title', 'description'])
}

/** Puts what is in no namespace into this one. */
function prefix(element: XmlElement, key: string): void {
  if (!element.name.includes(':') && attributeOf(element, 'xmlns') === undefined) element.name = `${key}:${element.name}`
  for (const child of elementsOf(element)) prefix(child, key)
}

export function setLifecycleAction(find: () => Domain, type: number, action: number, flags: number): void {
  checkFlags(flags, Affect.LIVE | Affect.CONFIG, 'domainSetLifecycleAction')
  const event = lifecycleOf(type)
  const name = lifecycleActions[action]
  if (name === undefined) throw badArgument(`invalid lifecycle action '${action}'`, From.DOMAIN)
  if (event !== 'crash' && name.startsWith('coredump')) throw unsupportedConfig(`Lifecycle event '${event}' doesn't support '${name}' action`)
  edit(find(), flags, tree => setText(tree, `on_${event}`, name))
}

/** The document that flags of `Affect` mean for a call that only reads: one of the two. */
function read(domain: Domain, flags: number): DomainDocument {
  if ((flags & Affect.LIVE) !== 0 && (flags & Affect.CONFIG) !== 0) throw badArgument("Flags 'VIR_DOMAIN_AFFECT_LIVE' and 'VIR_DOMAIN_AFFECT_CONFIG' are mutually exclusive", From.DOMAIN)
  return domain.affected(flags).live ? domain.live! : domain.config!
}

export function vcpusOf(domain: Domain, flags: number): number {
  checkFlags(flags, Affect.LIVE | Affect.CONFIG | Affect.MAXIMUM, 'domainGetVcpusFlags')
  const { maxVcpus, vcpus } = read(domain, flags & ~Affect.MAXIMUM).sizes
  return (flags & Affect.MAXIMUM) === 0 ? vcpus : maxVcpus
}

const noMetadata = (): Refusal => new Refusal(ErrorNumber.NO_DOMAIN_METADATA, From.DOMAIN, 'metadata not found: Requested metadata element is not present')

export function titleOf(domain: Domain, type: 0 | 1, flags: number): string {
  const text = textOf(childOf(read(domain, flags).tree, type === 0 ? 'description' : 'title'))
  if (text === '') throw noMetadata()
  return text
}

export function elementOf(domain: Domain, uri: string | null, flags: number): string {
  const element = elementsOf(childOf(read(domain, flags).tree, 'metadata') ?? el('metadata')).find(child => Object.entries(child.attributes).some(([name, value]) => name.startsWith('xmlns') && value === uri))
  if (element === undefined) throw noMetadata()
  return serializeXml(element)
}
