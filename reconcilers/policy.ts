// What a namespace may use of a host: the Hypervisor's policy, asked at the last moment before a call.

import { type Hypervisor, policyDefaults } from '../crds/hypervisor.ts'
import { type XmlElement, elementsOf, serializeXml } from '../xml/tree.ts'
import { Refusal } from './plan.ts'

/** Where a storage pool lies on the host: what is inside belongs to volumes, and is reached through their objects alone. */
export interface Place { name: string; uuid: string; path: string }

export interface Grant {
  hypervisor: string
  namespace: string
  hostPaths: string[]
  rawXML: boolean
  foreignObjects: 'Forbidden' | 'Observe' | 'Adopt'
  hostInterfaces: Set<string>
  networkHosts: Set<string>
  /** Every pool of the host, asked when a path is looked at. */
  places: () => Iterable<Place>
}

export interface LabelSelector {
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

export function grantFor(hypervisor: Hypervisor, namespace: string, places: () => Iterable<Place> = () => []): Grant {
  const policy = hypervisor.spec.policy ?? {}
  return {
    hypervisor: hypervisor.metadata.name,
    namespace,
    hostPaths: policy.hostPaths ?? [...policyDefaults.hostPaths],
    rawXML: policy.rawXML === 'Allowed',
    foreignObjects: policy.foreignObjects ?? policyDefaults.foreignObjects,
    hostInterfaces: new Set(policy.hostInterfaces ?? []),
    networkHosts: new Set((policy.networkHosts ?? []).map(host => host.toLowerCase())),
    places,
  }
}

/** A folder's one spelling: without slashes at its end. */
export const plainPath = (path: string): string => path.replace(/\/+$/, '')

/** True where one path is the other's, or lies below it. Both plain. */
export const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`)
/** True where what is reached by one path is reached by the other. Both plain. */
export const overlap = (a: string, b: string): boolean => isWithin(a, b) || isWithin(b, a)

/** ESX names files as `[datastore] folder/file`: a datastore is a folder like others, which no other host has. */
const rooted = (path: string): string => path.replace(/^(\[[^[\]/]+\]) ?/, '/$1/')

/** True for a path that is absolute or in a datastore, has no empty, `.` or `..` part, and lies at or below a granted prefix. */
export function pathAllowed(grant: Grant, given: string): boolean {
  const path = rooted(given)
  if (!path.startsWith('/') || path.includes('\0') || /[\n\r]/.test(path)) return false
  const parts = path.split('/').slice(1)
  if (parts.at(-1) === '') parts.pop()
  if (parts.some(part => part === '' || part === '.' || part === '..')) return false
  const plain = `/${parts.join('/')}`
  return grant.hostPaths.some(prefix => given.startsWith('[') === prefix.startsWith('[') && isWithin(plain, plainPath(rooted(prefix))))
}

/** The place of a pool has to be granted; what lies at it is the pool's. */
export function checkPlace(grant: Grant, path: string, field: string): void {
  if (pathAllowed(grant, path)) return
  throw new Refusal('Forbidden', `${field}: the host path ${path} is not within what Hypervisor ${grant.hypervisor} grants to namespace ${grant.namespace} (policy.hostPaths: ${grant.hostPaths.join(', ') || 'none'}). Use a path below one of them, without "..", "." or "//", or a volume of a pool.`)
}

/** As checkPlace for a folder that becomes a pool's: a granted folder itself holds what everybody else has there. */
export function checkFolder(grant: Grant, path: string, field: string): void {
  checkPlace(grant, path, field)
  if (!grant.hostPaths.some(prefix => plainPath(prefix) === plainPath(path))) return
  throw new Refusal('Forbidden', `${field}: ${path} is the very folder that Hypervisor ${grant.hypervisor} grants (policy.hostPaths), and a pool there would hold what everybody has below it. Use a folder below it.`)
}

/** A path of the host that is used as it is: granted, and no way around the object of a volume. */
export function checkPath(grant: Grant, path: string, field: string): void {
  checkPlace(grant, path, field)
  for (const place of grant.places()) {
    if (overlap(plainPath(path), plainPath(place.path))) throw new Refusal('Forbidden', `${field}: the host path ${path} lies in the folder of a storage pool on Hypervisor ${grant.hypervisor}, or holds one, and what lies there is reached through its StorageVolume alone. Use a volumeRef, or a path below policy.hostPaths that is no pool's.`)
  }
}

/** A machine on the network, or an address of the host's own to listen on. */
export function checkNetworkHost(grant: Grant, host: string, port: string | number | undefined, field: string): void {
  const name = host.toLowerCase()
  const full = port === undefined ? undefined : name.includes(':') ? `[${name}]:${port}` : `${name}:${port}`
  if (name !== '' && (grant.networkHosts.has(name) || (full !== undefined && grant.networkHosts.has(full)))) return
  throw new Refusal('Forbidden', `${field}: ${full ?? (name === '' ? 'the host that is not named' : name)} is not among the hosts that Hypervisor ${grant.hypervisor} may talk to, or listen on, for namespace ${grant.namespace} (policy.networkHosts: ${[...grant.networkHosts].join(', ') || 'none'}). Ask for the grant, HOST or HOST:PORT, or do without.`)
}

/** A header that vireo did not write is followed only where the namespace is trusted with what others made. */
export function checkTrust(grant: Grant, format: string, field: string): void {
  if (format === 'raw' || format === 'iso' || grant.foreignObjects === 'Adopt') return
  throw new Refusal('Forbidden', `${field}: an image of format ${format} can name any file of the host in its header, and vireo did not write this one; Hypervisor ${grant.hypervisor} grants namespace ${grant.namespace} no such trust (policy.foreignObjects is not Adopt). Use a raw image, a volume that vireo made, or ask for the grant.`)
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
  /^\/devices\/disk\/(serial|vendor|product|auth)/, /^\/devices\/disk\/.*source@(name|query)$/, /\/cookies?(\/|$)/,
  /^\/devices\/graphics@passwd$/, /^\/devices\/.*\/alias@name$/,
  /^\/ip\/dhcp\/bootp@file$/, /^\/dns\/(txt|srv|host)/,
]
/** What a host would run, or hand over, beyond what policy has a word for. */
const NEVER: [RegExp, string][] = [
  [/^\/devices\/emulator$/, 'names a program that the host would run'],
  [/\/(script|downscript|binary|bootloader)$/, 'names a program that the host would run'],
  [/^\/bootloader/, 'names a program that the host would run'],
  [/(^|\/)seclabel$/, "changes how the host confines the guest's process"],
  [/^\/devices\/.*\/secret$/, 'uses a secret of the host, whosever it is'],
  [/^\/devices\/interface\/source\/(ip|route)$/, 'gives addresses or routes to the host'],
  [/^\/devices\/hostdev$/, 'hands a device of the host to the guest, and no policy grants these yet'],
]

/** Elements of another namespace reach libvirt under whatever prefix they are written: they pass arguments past its own checks. */
const isNamespaced = (element: XmlElement): boolean => element.name.includes(':') || Object.keys(element.attributes).some(name => name === 'xmlns' || name.startsWith('xmlns:'))

const textIn = (element: XmlElement): string => element.children.filter(child => typeof child === 'string').join('').trim()

/**
 * The final document is what is checked: whatever in it names something of the host must be granted or `known` at that
 * place (a volume's path where a disk has it). `inherited` is the document that the host holds: what stands in it unchanged is not asked for.
 */
export function checkDocument(grant: Grant, document: XmlElement, known: (path: string, at: string) => boolean, inherited?: XmlElement): void {
  const refuse = (at: string, why: string): never => {
    throw new Refusal('Forbidden', `The document's ${at} ${why}: this is never accepted on Hypervisor ${grant.hypervisor}. Take it out of the XML overlay.`)
  }
  const check = (value: string, at: string, always: boolean): void => {
    if (value === '' || known(value, at) || NOT_THE_HOSTS.some(pattern => pattern.test(at))) return
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
