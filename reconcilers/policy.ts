// What a namespace may use of a host: the Hypervisor's policy, asked at the last moment before a call.

import { type Hypervisor, policyDefaults } from '../crds/hypervisor.ts'
import { type XmlElement, attributeOf, childOf, childrenOf, elementsOf, serializeXml } from '../xml/tree.ts'
import { Refusal } from './plan.ts'

export interface Grant {
  hypervisor: string
  namespace: string
  hostPaths: string[]
  rawXML: boolean
  foreignObjects: 'Forbidden' | 'Observe' | 'Adopt'
  hostInterfaces: Set<string>
}

interface LabelSelector {
  matchLabels?: Record<string, string>
  matchExpressions?: { key: string; operator: string; values?: string[] }[]
}

/** Kubernetes' label selector: an empty one selects everything. */
export function selects(selector: LabelSelector, labels: Record<string, string>): boolean {
  if (Object.entries(selector.matchLabels ?? {}).some(([key, value]) => labels[key] !== value)) return false
  return (selector.matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const value = labels[key]
    switch (operator) {
      case 'In': return value !== undefined && values.includes(value)
      case 'NotIn': return value === undefined || !values.includes(value)
      case 'Exists': return value !== undefined
      case 'DoesNotExist': return value === undefined
      default: return false
    }
  })
}

/** Throws Forbidden where the namespace is not selected. */
export function requireSelected(hypervisor: Hypervisor, namespace: string, labels: Record<string, string>): void {
  const selector = hypervisor.spec.policy?.namespaceSelector
  if (selector === undefined || selects(selector, labels)) return
  throw new Refusal('Forbidden', `Namespace ${namespace} may not use Hypervisor ${hypervisor.metadata.name}: its policy.namespaceSelector does not select the namespace. Ask for a label that it selects, or use another Hypervisor.`)
}

export function grantFor(hypervisor: Hypervisor, namespace: string): Grant {
  const policy = hypervisor.spec.policy ?? {}
  return {
    hypervisor: hypervisor.metadata.name,
    namespace,
    hostPaths: policy.hostPaths ?? [...policyDefaults.hostPaths],
    rawXML: policy.rawXML === 'Allowed',
    foreignObjects: policy.foreignObjects ?? policyDefaults.foreignObjects,
    hostInterfaces: new Set(policy.hostInterfaces ?? []),
  }
}

/** True for a path that is absolute, has no empty, `.` or `..` part, and lies at or below a granted prefix. */
export function pathAllowed(grant: Grant, path: string): boolean {
  if (!path.startsWith('/') || path.includes('\0') || /[\n\r]/.test(path)) return false
  const parts = path.split('/').slice(1)
  if (parts.at(-1) === '') parts.pop()
  if (parts.some(part => part === '' || part === '.' || part === '..')) return false
  const plain = `/${parts.join('/')}`
  return grant.hostPaths.some(prefix => {
    const base = prefix.replace(/\/+$/, '')
    return plain === base || plain.startsWith(`${base}/`)
  })
}

export function checkPath(grant: Grant, path: string, field: string): void {
  if (pathAllowed(grant, path)) return
  throw new Refusal('Forbidden', `${field}: the host path ${path} is not within what Hypervisor ${grant.hypervisor} grants to namespace ${grant.namespace} (policy.hostPaths: ${grant.hostPaths.join(', ') || 'none'}). Use a path below one of them, without "..", "." or "//", or a volume of a pool.`)
}

export function checkRawXML(grant: Grant, field: string): void {
  if (grant.rawXML) return
  throw new Refusal('Forbidden', `${field}: raw XML is forbidden on Hypervisor ${grant.hypervisor} (policy.rawXML is not Allowed for namespace ${grant.namespace}). Use the fields of the spec, or ask for the grant.`)
}

export function checkHostInterface(grant: Grant, name: string, field: string): void {
  if (grant.hostInterfaces.has(name)) return
  throw new Refusal('Forbidden', `${field}: the host's interface ${name} is not among those that Hypervisor ${grant.hypervisor} grants (policy.hostInterfaces: ${[...grant.hostInterfaces].join(', ') || 'none'}). Use a VirtualNetwork, or ask for the grant.`)
}

/** Attributes that always name a file, a folder or a socket of the host: there a relative path is one too. */
const PATH_ATTRIBUTES = new Set(['file', 'path', 'dir', 'template', 'socket', 'keyfile', 'agentsock', 'evdev', 'rendernode', 'logFile', 'tap', 'vhost', 'root'])
/** Elements whose text is a path of the host. */
const PATH_TEXTS = new Set(['kernel', 'initrd', 'dtb', 'loader', 'nvram', 'path', 'init', 'slic', 'table'])
/** Where text or an attribute may begin with a slash and is not the host's: what the guest, a client or another machine reads. */
const NOT_THE_HOSTS = [
  /^\/(title|description|genid|resource|launchSecurity|cpu|domain@name)(\/|@|$)/,
  /^\/os\/(cmdline|initarg|initenv|initdir|inituser)/,
  /^\/sysinfo\/.*entry$/, /^\/sysinfo\/oemStrings/,
  /^\/devices\/filesystem\/target/,
  /^\/devices\/disk\/(serial|vendor|product|auth)/, /^\/devices\/disk\/.*source@(name|query)$/, /\/cookies?(\/|$)/, /\/secret@usage$/,
  /^\/devices\/graphics@passwd$/, /^\/devices\/.*\/alias@name$/,
  /^\/ip\/dhcp\/bootp@file$/, /^\/dns\/(txt|srv|host)/,
]
/** What a host would run, or hand over, beyond what policy has a word for. */
const NEVER: [RegExp, string][] = [
  [/^\/devices\/emulator$/, 'names a program that the host would run'],
  [/\/(script|downscript|binary|bootloader)$/, 'names a program that the host would run'],
  [/^\/bootloader/, 'names a program that the host would run'],
  [/(^|\/)seclabel$/, "changes how the host confines the guest's process"],
  [/^\/devices\/hostdev$/, 'hands a device of the host to the guest, and no policy grants these yet'],
]

/** Elements of another namespace reach libvirt under whatever prefix they are written: they pass arguments past its own checks. */
const isNamespaced = (element: XmlElement): boolean => element.name.includes(':') || Object.keys(element.attributes).some(name => name === 'xmlns' || name.startsWith('xmlns:'))

const textIn = (element: XmlElement): string => element.children.filter(child => typeof child === 'string').join('').trim()

/**
 * The final document is what is checked: whatever in it names something of the host must be granted or among `known`
 * (paths of our own volumes). `inherited` is the document that the host holds: what stands in it unchanged is not asked for.
 */
export function checkDocument(grant: Grant, document: XmlElement, known: (path: string) => boolean, inherited?: XmlElement): void {
  const refuse = (at: string, why: string): never => {
    throw new Refusal('Forbidden', `The document's ${at} ${why}: this is never accepted on Hypervisor ${grant.hypervisor}. Take it out of the XML overlay.`)
  }
  const check = (value: string, at: string, always: boolean): void => {
    if (value === '' || known(value) || NOT_THE_HOSTS.some(pattern => pattern.test(at))) return
    if (always || value.startsWith('/')) checkPath(grant, value, `the document's ${at}`)
  }
  const visit = (element: XmlElement, path: string): void => {
    const at = `${path}/${element.name}`
    if (isNamespaced(element)) refuse(at, 'is of another XML namespace and passes arguments past the checks of libvirt')
    for (const [pattern, why] of NEVER) if (pattern.test(at)) refuse(at, why)
    const isDisk = /^\/devices\/disk(\/|$)/.test(at)
    for (const [name, value] of Object.entries(element.attributes)) {
      check(value, `${at}@${name}`, PATH_ATTRIBUTES.has(name) || (isDisk && element.name === 'source' && name === 'dev'))
      if (isDisk && element.name === 'source' && name === 'pool') refuse(`${at}@pool`, `names the volume ${value}/${element.attributes.volume ?? ''} past the objects of the API (use volumeRef)`)
    }
    check(textIn(element), at, PATH_TEXTS.has(element.name))
    for (const child of elementsOf(element)) visit(child, at)
  }
  const had = new Set(inherited === undefined ? [] : elementsOf(inherited).map(child => serializeXml(child)))
  for (const child of elementsOf(document)) if (child.name !== 'metadata' && !had.has(serializeXml(child))) visit(child, '')
}

/** A domain's document: its paths as above, and the networks and interfaces of the host that it is plugged into. */
export function checkDomain(grant: Grant, document: XmlElement, known: (path: string) => boolean, networks: ReadonlySet<string>): void {
  checkDocument(grant, document, known)
  for (const nic of childrenOf(childOf(document, 'devices'), 'interface')) {
    const source = childOf(nic, 'source')
    const name = /^ua-interface-(.*)$/.exec(attributeOf(childOf(nic, 'alias'), 'name') ?? '')?.[1]
    const field = name === undefined ? "the document's /devices/interface" : `spec.interfaces[${name}]`
    switch (nic.attributes.type) {
      case 'network': {
        const network = source?.attributes.network ?? ''
        if (!networks.has(network)) throw new Refusal('Forbidden', `${field}: the network ${network} is not one that the spec refers to. Use networkRef with a VirtualNetwork instead of naming a network of Hypervisor ${grant.hypervisor}.`)
        break
      }
      case 'bridge': checkHostInterface(grant, source?.attributes.bridge ?? '', field); break
      case 'direct': checkHostInterface(grant, source?.attributes.dev ?? '', field); break
      case 'ethernet': checkHostInterface(grant, attributeOf(childOf(nic, 'target'), 'dev') ?? '', field); break
      case 'hostdev': case 'vdpa': throw new Refusal('Forbidden', `${field}: type ${nic.attributes.type} hands a device of the host to the guest, and no policy of Hypervisor ${grant.hypervisor} grants that. Use networkRef or bridge instead.`)
      default: break
    }
  }
}
