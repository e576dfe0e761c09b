// Values that libvirt writes and reads in one way everywhere: UUIDs, MAC addresses, sizes with units.

import { createHash, randomUUID } from 'node:crypto'
import { ErrorNumber } from '../errors.ts'
import { attributeOf, childOf, el, textOf, type XmlElement } from '../../xml/tree.ts'
import { From, Refusal, badArgument, badXml, internal } from './refusal.ts'

/** Lower case with dashes; undefined where the text is no UUID. */
export function normalUUID(text: string): string | undefined {
  const digits = text.replaceAll(/[-\s]/g, '').toLowerCase()
  return /^[0-9a-f]{32}$/.test(digits) ? digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-') : undefined
}

/** The document's UUID, which is drawn and put after the name where it has none. */
export function uuidOf(root: XmlElement, from: number): string {
  const given = childOf(root, 'uuid')
  const uuid = given === undefined ? randomUUID() : normalUUID(textOf(given))
  if (uuid === undefined) throw internal('malformed uuid element', from)
  if (given === undefined) putAfter(root, el('uuid', {}, uuid), ['name'])
  else given.children = [uuid]
  return uuid
}

/** The same for the same text, on every machine. */
export const uuidFrom = (text: string): string => normalUUID(createHash('sha256').update(text).digest('hex').slice(0, 32))!

/** In the range that libvirt draws from for KVM and its test driver. */
export const drawnMAC = (): string => `52:54:00:${randomUUID().slice(0, 6).replace(/^(..)(..)/, '$1:$2:')}`

/** Lower case; undefined where the text is no MAC address. */
export const normalMAC = (text: string): string | undefined =>
  (/^[0-9a-f]{1,2}(:[0-9a-f]{1,2}){5}$/i.test(text) ? text.toLowerCase().split(':').map(byte => byte.padStart(2, '0')).join(':') : undefined)

const units: Record<string, number> = { '': 1, b: 1, byte: 1, bytes: 1 }
for (const [at, letter] of ['k', 'm', 'g', 't', 'p', 'e'].entries()) Object.assign(units, { [letter]: 1024 ** (at + 1), [`${letter}ib`]: 1024 ** (at + 1), [`${letter}b`]: 1000 ** (at + 1) })

/** The bytes of `<element unit='MiB'>1</element>`; `unit` where it names none. The caller says what is wrong with a text that is no number. */
export function bytesOf(element: XmlElement, unit: string, malformed: () => Refusal): number {
  const text = textOf(element).trim()
  if (!/^\d+$/.test(text)) throw malformed()
  const written = attributeOf(element, 'unit') ?? unit
  const factor = units[written.toLowerCase()]
  if (factor === undefined) throw badArgument(`unknown suffix '${written}'`, From.NONE)
  const bytes = Number(text) * factor
  if (bytes > Number.MAX_SAFE_INTEGER) throw new Refusal(ErrorNumber.OVERFLOW, From.NONE, `numerical overflow: value too large: ${text}${written === 'bytes' ? '' : written}`)
  return bytes
}

/** As libvirt keeps memory: whole KiB, rounded up. */
export const kibOf = (element: XmlElement): number =>
  Math.ceil(bytesOf(element, 'KiB', () => badXml(`Invalid value '${textOf(element)}' for element or attribute './${element.name}[1]'`, From.XML)) / 1024)

/** Puts `child` behind the last of the elements named, in front of everything where there is none of them. */
export function putAfter(parent: XmlElement, child: XmlElement, names: readonly string[]): void {
  const at = parent.children.findLastIndex(other => typeof other !== 'string' && names.includes(other.name))
  parent.children.splice(at + 1, 0, child)
}

/** The one child of its name, added at the end where there is none, with this text. */
export function setText(parent: XmlElement, name: string, text: string, after: readonly string[] = []): void {
  const found = childOf(parent, name)
  if (found !== undefined) found.children = [text]
  else if (after.length > 0) putAfter(parent, el(name, {}, text), after)
  else parent.children.push(el(name, {}, text))
}

export function removeChildren(parent: XmlElement, matches: (child: XmlElement) => boolean): void {
  parent.children = parent.children.filter(child => typeof child === 'string' || !matches(child))
}
