// XML as plain data: elements, attributes and text, parsed once and compared, edited and written as trees.

import { XMLParser, XMLValidator } from 'fast-xml-parser'

export interface XmlElement {
  name: string
  attributes: Record<string, string>
  children: XmlNode[]
}
export type XmlNode = XmlElement | string

/** What is wrong with a document and where; its message is a sentence. */
export class XmlError extends Error {
  override readonly name = 'XmlError'
}

const MAX_LENGTH = 8 * 1024 * 1024
const MAX_DEPTH = 128

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  ignoreDeclaration: true,
  ignorePiTags: true,
  htmlEntities: true,
})

type Ordered = Record<string, unknown>

function fromOrdered(node: Ordered, depth: number): XmlElement {
  if (depth > MAX_DEPTH) throw new XmlError(`the document is nested deeper than ${MAX_DEPTH} elements`)
  let name = ''
  for (const key of Object.keys(node)) if (key !== ':@') { name = key; break }
  const children: XmlNode[] = []
  const content = node[name]
  if (!Array.isArray(content)) throw new XmlError('not well-formed XML: an element without a name')
  for (const child of content as Ordered[]) {
    const text = child['#text']
    if (text === undefined) children.push(fromOrdered(child, depth + 1))
    else if (typeof text === 'string' && text !== '') children.push(text)
  }
  // White space between elements is layout; text is kept only where it is the whole content.
  const structured = children.some(child => typeof child !== 'string')
  return {
    name,
    attributes: (node[':@'] as Record<string, string> | undefined) ?? {},
    children: structured ? children.filter(child => typeof child !== 'string' || child.trim() !== '') : children,
  }
}

/** What is refused before anything is parsed, so that it costs no more than a look. */
function guard(text: string): void {
  if (text.length > MAX_LENGTH) throw new XmlError(`the document is longer than ${MAX_LENGTH} characters`)
  if (text.includes('\0')) throw new XmlError('the document contains a NUL character')
  if (/<!(DOCTYPE|ENTITY)/i.test(text)) throw new XmlError('document types and entities are not accepted in XML')
}

/** Parses one document. Refuses document types (entity expansion), oversized and deeply nested input. */
export function parseXml(text: string): XmlElement {
  guard(text)
  let roots: Ordered[]
  try {
    roots = parser.parse(text) as Ordered[]
  } catch (cause) {
    throw new XmlError(`not well-formed XML: ${(cause instanceof Error ? cause.message : String(cause)).slice(0, 200)}`, { cause })
  }
  const elements = roots.filter(root => !('#text' in root))
  const root = elements[0]
  if (root === undefined) throw new XmlError('the document holds no element')
  if (elements.length > 1) throw new XmlError('the document has more than one root element')
  return fromOrdered(root, 0)
}

/** As parseXml, but refuses what the parser alone lets pass: unclosed and crossed tags, control characters, content after the root. */
export function parseDocument(text: string): XmlElement {
  const verdict = XMLValidator.validate(text)
  if (verdict !== true) throw new XmlError(`not well-formed XML: ${verdict.err.msg.slice(0, 200)} (line ${verdict.err.line})`)
  // oxlint-disable-next-line no-control-regex -- XML 1.0 has none of these
  if (/[\x01-\x08\x0b\x0c\x0e-\x1f]/.test(text)) throw new XmlError('the document contains a control character')
  return parseXml(text)
}

/** As parseXml for text that people wrote: the parser alone lets unclosed and crossed tags pass. Answers the elements side by side. */
export function parseFragment(text: string): XmlElement[] {
  guard(text)
  if (text.trim() === '') return []
  const wrapped = `<fragment>${text}</fragment>`
  const verdict = XMLValidator.validate(wrapped)
  if (verdict !== true) throw new XmlError(`not well-formed XML: ${verdict.err.msg.slice(0, 200)} (line ${verdict.err.line})`)
  const fragment = parseXml(wrapped)
  const stray = fragment.children.find((child): child is string => typeof child === 'string' && child.trim() !== '')
  if (stray !== undefined) throw new XmlError(`text outside of any element: ${JSON.stringify(stray.trim().slice(0, 40))}`)
  return elementsOf(fragment)
}

const escapeText = (text: string): string => text.replace(/[&<>\r]/g, char => ESCAPES[char]!)
const escapeAttribute = (text: string): string => text.replace(/[&<>"'\r\n\t]/g, char => ESCAPES[char]!)
const ESCAPES: Record<string, string> = {
  '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;', '\r': '&#13;', '\n': '&#10;', '\t': '&#9;',
}

/** The document as text, without layout: one piece of memory, however it was put together. */
export function serializeXml(element: XmlElement): string {
  const pieces: string[] = []
  write(element, pieces)
  return pieces.join('')
}

function write(element: XmlElement, pieces: string[]): void {
  let tag = `<${element.name}`
  for (const [name, value] of Object.entries(element.attributes)) tag += ` ${name}="${escapeAttribute(value)}"`
  if (element.children.length === 0) {
    pieces.push(tag, '/>')
    return
  }
  pieces.push(tag, '>')
  for (const child of element.children) {
    if (typeof child === 'string') pieces.push(escapeText(child))
    else write(child, pieces)
  }
  pieces.push('</', element.name, '>')
}

type Scalar = string | number | boolean
type Content = XmlNode | number | undefined | false | null

/** Builds an element; undefined attributes and empty children are left out. */
export function el(name: string, attributes: Record<string, Scalar | undefined | null> = {}, ...children: (Content | Content[])[]): XmlElement {
  const kept: Record<string, string> = {}
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined && value !== null) kept[key] = String(value)
  const nodes: XmlNode[] = []
  for (const child of children.flat()) {
    if (child === undefined || child === null || child === false) continue
    nodes.push(typeof child === 'number' ? String(child) : child)
  }
  return { name, attributes: kept, children: nodes }
}

export const elementsOf = (parent: XmlElement): XmlElement[] => parent.children.filter(child => typeof child !== 'string')
export const childrenOf = (parent: XmlElement | undefined, name: string): XmlElement[] =>
  parent === undefined ? [] : elementsOf(parent).filter(child => child.name === name)

/** The first element at a path of names below `parent`. */
export function childOf(parent: XmlElement | undefined, ...path: string[]): XmlElement | undefined {
  let at = parent
  for (const name of path) {
    if (at === undefined) return undefined
    at = at.children.find((child): child is XmlElement => typeof child !== 'string' && child.name === name)
  }
  return at
}

export const textOf = (element: XmlElement | undefined): string =>
  element === undefined ? '' : element.children.filter(child => typeof child === 'string').join('')

export const attributeOf = (element: XmlElement | undefined, name: string): string | undefined => element?.attributes[name]

export const cloneXml = (element: XmlElement): XmlElement => ({
  name: element.name,
  attributes: { ...element.attributes },
  children: element.children.map(child => (typeof child === 'string' ? child : cloneXml(child))),
})

/** Same names, attributes (in any order), text and children in order. */
export function sameXml(a: XmlElement, b: XmlElement): boolean {
  if (a.name !== b.name || a.children.length !== b.children.length) return false
  const names = Object.keys(a.attributes)
  if (names.length !== Object.keys(b.attributes).length) return false
  if (names.some(name => a.attributes[name] !== b.attributes[name])) return false
  return a.children.every((child, i) => {
    const other = b.children[i]!
    return typeof child === 'string' || typeof other === 'string' ? child === other : sameXml(child, other)
  })
}
