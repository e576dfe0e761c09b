// Who an object is on a host: its computed UUID, its name there, its MAC addresses, and the ownership mark it carries.

import { createHash } from 'node:crypto'
import { xmlNamespace } from '../crds/names.ts'
import { type XmlElement, childOf, el } from '../xml/tree.ts'

/** RFC 4122 name-based UUID (version 5). */
export function uuidV5(namespace: string, name: string): string {
  const space = Buffer.from(namespace.replaceAll('-', ''), 'hex')
  if (space.length !== 16) throw new Error(`${JSON.stringify(namespace)} is not a UUID`)
  const hash = createHash('sha1').update(space).update(name, 'utf8').digest().subarray(0, 16)
  hash[6] = (hash[6]! & 0x0f) | 0x50
  hash[8] = (hash[8]! & 0x3f) | 0x80
  const hex = hash.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

const uuidText = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i
/** Names of installations live here. */
const INSTALLATIONS = '5a1b0a52-7a39-5d0c-9f5e-6d3c0f2b7e11'

/** The UUID of an installation that a person calls by name; a UUID is taken as it is. */
export function installationUUID(text: string): string {
  if (uuidText.test(text)) return text.toLowerCase()
  if (text.trim() === '' || text.length > 253) throw new Error('--installation is a UUID, or a name of 1 to 253 characters: clusters and hosts that share it share the identities of their machines')
  return uuidV5(INSTALLATIONS, text)
}

/** The UUID under which libvirt will know an object: the same on every controller and after every rebuild of the cluster. */
export const computedUUID = (installation: string, kind: string, namespace: string, name: string): string =>
  uuidV5(installation, `${kind}/${namespace}/${name}`)

/** libvirt's name for an object. `format` is the Hypervisor's nameFormat. */
export const libvirtName = (format: 'Auto' | 'Name' | 'NamespaceName' | undefined, namespace: string, name: string): string =>
  format === 'Name' || (format !== 'NamespaceName' && namespace === 'default') ? name : `${namespace}.${name}`

/** A MAC address in QEMU's range, always the same for one interface of one domain. */
export function computedMac(uuid: string, interfaceName: string): string {
  const hash = createHash('sha256').update(`${uuid}/${interfaceName}`).digest()
  return `52:54:00:${[0, 1, 2].map(i => hash[i]!.toString(16).padStart(2, '0')).join(':')}`
}

/** The mark in the metadata of domains and networks. */
export interface Owner {
  installation: string
  cluster: string
  namespace: string
  name: string
  uid: string
  released: boolean
  /** It was there before vireo took it. */
  adopted?: boolean
}

export const renderOwner = (owner: Owner): XmlElement =>
  el('vireo:owner', { 'xmlns:vireo': xmlNamespace, installation: owner.installation, cluster: owner.cluster, namespace: owner.namespace, name: owner.name, uid: owner.uid, released: owner.released ? 'yes' : 'no', adopted: owner.adopted ? 'yes' : undefined })

/** The mark in a document's metadata; libvirt keeps prefixes as they were written. */
export function ownerOf(document: XmlElement): Owner | undefined {
  const mark = childOf(document, 'metadata', 'vireo:owner')
  if (mark === undefined) return undefined
  const { installation = '', cluster = '', namespace = '', name = '', uid = '', released, adopted } = mark.attributes
  return { installation, cluster, namespace, name, uid, released: released === 'yes', ...(adopted === 'yes' ? { adopted: true } : {}) }
}

export type Ownership =
  /** Carries our mark for this very object. */
  | 'Ours'
  /** Ours in the same installation, made by a cluster that is no more: taken over. */
  | 'Rebuilt'
  /** Belonged to an object of this name that was deleted and made again, or was released: needs adoption. */
  | 'Remade'
  /** Belongs to another object or another installation of vireo. */
  | 'Others'
  /** Carries no mark of ours. */
  | 'Foreign'

export function ownership(found: Owner | undefined, self: Owner): Ownership {
  if (found === undefined) return 'Foreign'
  if (found.installation !== self.installation || found.namespace !== self.namespace || found.name !== self.name) return found.released ? 'Foreign' : 'Others'
  if (found.released) return 'Remade'
  if (found.cluster !== self.cluster) return 'Rebuilt'
  return found.uid === self.uid ? 'Ours' : 'Remade'
}

/** True where an object of another namespace made it under this installation, or still has it. */
export const isOfOtherNamespace = (found: Owner | undefined, self: Owner): boolean =>
  found !== undefined && !found.released && found.installation === self.installation && found.namespace !== self.namespace

/** Who made it, as a sentence's part. */
export const describeOwner = (owner: Owner | undefined): string =>
  owner === undefined ? 'vireo did not create it' : `it belongs to ${owner.namespace}/${owner.name} of ${owner.installation === '' ? 'another installation' : `installation ${owner.installation}`}${owner.released ? ', which released it' : ''}`
