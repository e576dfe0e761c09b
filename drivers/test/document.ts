// Definitions as the host keeps them: the text that it hands out. A tree is parsed again when somebody needs it; the last few stay parsed.

import { ErrorNumber } from '../errors.ts'
import { parsed, remember } from '../../xml/parsed.ts'
import { XmlError, cloneXml, parseDocument, serializeXml, type XmlElement } from '../../xml/tree.ts'
import { From, Refusal, badXml } from './refusal.ts'

/** A document that somebody sent, as a tree of the caller's own. `what` is libvirt's name for it, `from` the error domain. */
export function readDocument(text: string, what: string, from: number): XmlElement {
  try {
    return parseDocument(text)
  } catch (error) {
    if (error instanceof XmlError) throw new Refusal(ErrorNumber.XML_DETAIL, from, `(${what}): ${error.message}`)
    throw error
  }
}

/** As readDocument, with the root element that it must have. */
export function readRoot(text: string, root: string, what: string, from: number): XmlElement {
  const document = readDocument(text, what, from)
  if (document.name !== root) throw badXml(`expecting root element of '${root}', not '${document.name}'`, From.XML)
  return document
}

/** Never changes; an edited one is another. */
export interface Document {
  readonly text: string
  /** Shared: never change it. */
  readonly tree: XmlElement
  /** A copy to change. */
  copy(): XmlElement
}

export class StoredDocument implements Document {
  readonly text: string

  /** The tree becomes the document's own. */
  constructor(tree: XmlElement) {
    this.text = serializeXml(tree)
    remember(this.text, tree)
  }

  get tree(): XmlElement { return parsed(this.text) }
  copy(): XmlElement { return cloneXml(this.tree) }
}
