// Parses a host's documents once: the last few stay parsed, so that whoever reads, plans and describes one parses it once between them.

import { type XmlElement, parseXml } from './tree.ts'

const CAPACITY = 256
const recent = new Map<string, XmlElement>()

/** The parsed document. Shared: never change it. */
export function parsed(text: string): XmlElement {
  const known = recent.get(text)
  if (known !== undefined) {
    recent.delete(text)
    recent.set(text, known)
    return known
  }
  const document = parseXml(text)
  remember(text, document)
  return document
}

/** Spares the parsing of a text that was just made from this document, which from now on is shared. */
export function remember(text: string, document: XmlElement): void {
  recent.set(text, document)
  if (recent.size > CAPACITY) recent.delete(recent.keys().next().value!)
}
