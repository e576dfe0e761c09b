// What vireo keeps in a network's metadata: whose it is, and what was rendered last.
//
// libvirt keeps one element of each namespace there and drops further ones in silence, so the record stands inside the mark.

import { type XmlElement, childOf, cloneXml, el, elementsOf, sameXml } from '../../xml/tree.ts'
import { type Owner, ownerOf, renderOwner } from '../identity.ts'

const OWNER = 'vireo:owner'
const APPLIED = 'vireo:applied'

/** The network as rendered last, without name, UUID and metadata. */
export function recordOf(document: XmlElement): XmlElement | undefined {
  const record = childOf(document, 'metadata', OWNER, APPLIED)
  return record && { ...record, name: 'network' }
}

/** Whether the document carries exactly this mark and record. */
export function carries(document: XmlElement, owner: Owner, record: XmlElement): boolean {
  const found = ownerOf(document)
  const kept = recordOf(document)
  return found !== undefined && kept !== undefined && sameXml(renderOwner(found), renderOwner(owner)) && sameXml(kept, record)
}

/** The document with our mark, beside whatever else its metadata holds. */
export function withMark(document: XmlElement, owner: Owner, record: XmlElement): XmlElement {
  const metadata = childOf(document, 'metadata')
  const others = metadata === undefined ? [] : elementsOf(metadata).filter(child => child.name !== OWNER)
  const mark = renderOwner(owner)
  mark.children.push({ ...cloneXml(record), name: APPLIED })
  const children = document.children.filter(child => child !== metadata)
  const at = children.findIndex(child => typeof child !== 'string' && child.name !== 'name' && child.name !== 'uuid')
  children.splice(at < 0 ? children.length : at, 0, el('metadata', {}, others, mark))
  return { ...document, children }
}

/** The same network, marked as released: another object may adopt it. */
export function released(document: XmlElement): XmlElement {
  const owner = ownerOf(document)
  return owner === undefined ? document : withMark(document, { ...owner, released: true }, recordOf(document) ?? el('network'))
}
