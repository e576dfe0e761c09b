// What a namespace may use of a host: the Hypervisor's policy, asked at the last moment before a call.

import { type Hypervisor } from '../crds/hypervisor.ts'
import { type XmlElement, elementsOf } from '../xml/tree.ts'
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

export const DEFAULT_HOST_PATHS = ['/var/lib/vireo']

/** Throws Forbidden where the namespace is not selected. */
export function grantFor(hypervisor: Hypervisor, namespace: string, labels: Record<string, string>): Grant {
  const policy = hypervisor.spec.policy ?? {}
  const name = hypervisor.metadata.name
  if (policy.namespaceSelector !== undefined && !selects(policy.namespaceSelector, labels)) {
    throw new Refusal('Forbidden', `Namespace ${namespace} may not use Hypervisor ${name}: its policy.namespaceSelector does not select the namespace. Ask for a label that it selects, or use another Hypervisor.`)
  }
  return {
    hypervisor: name,
    namespace,
    hostPaths: policy.hostPaths ?? DEFAULT_HOST_PATHS,
    rawXML: policy.rawXML === 'Allowed',
    foreignObjects: policy.foreignObjects ?? 'Forbidden',
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
  throw new Refusal('Forbidden', `${field}: the host's interface ${name} is not among those that Hypervisor ${grant.hypervisor} grants (policy.hostInterfaces: ${[...grant.hostInterfaces].join(', ') || 'none'}).`)
}

/** Attributes of libvirt's documents that name a file, a folder or a device of the host. */
const PATH_ATTRIBUTES = new Set(['file', 'dev', 'path', 'dir', 'template', 'startupScript', 'mount', 'socket', 'keyfile', 'certificate', 'root'])
/** Elements whose text is a path of the host. */
const PATH_TEXTS = new Set(['kernel', 'initrd', 'dtb', 'loader', 'nvram', 'emulator', 'path', 'init', 'bootloader', 'binary', 'slic', 'table', 'shmem'])

/**
 * The final document is what is checked: every path anywhere in it must be granted or among `known` (paths of our own
 * volumes, and what the host itself filled in).
 */
export function checkDocument(grant: Grant, document: XmlElement, known: (path: string) => boolean): void {
  const visit = (element: XmlElement, path: string): void => {
    const at = `${path}/${element.name}`
    if (element.name === 'qemu:commandline' || element.name === 'lxc:namespace') throw new Refusal('Forbidden', `spec.xml: ${at} passes arguments past libvirt's own checks and is never accepted.`)
    for (const [name, value] of Object.entries(element.attributes)) {
      if (PATH_ATTRIBUTES.has(name) && value.startsWith('/') && !known(value)) checkPath(grant, value, `the document's ${at}@${name}`)
    }
    if (PATH_TEXTS.has(element.name)) {
      const text = element.children.filter(child => typeof child === 'string').join('').trim()
      if (text.startsWith('/') && !known(text)) checkPath(grant, text, `the document's ${at}`)
    }
    for (const child of elementsOf(element)) visit(child, at)
  }
  for (const child of elementsOf(document)) if (child.name !== 'metadata') visit(child, '')
}
