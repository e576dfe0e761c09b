// Random documents for properties.

import fc from 'fast-check'
import { type XmlElement, type XmlNode, el } from '../../../xml/tree.ts'

export const anyName = fc.stringMatching(/^[a-z][a-z0-9_.-]{0,6}$/)
/** Anything that may stand in an XML document: its forbidden control characters and lone surrogates left out. */
export const anyText = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 })
  // oxlint-disable-next-line no-control-regex -- these are what XML 1.0 excludes
  .map(text => text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '')).filter(text => text.isWellFormed() && text !== '')

const anyAttributes = fc.dictionary(anyName, anyText, { maxKeys: 3, noNullPrototype: true })

/** Elements hold either elements or one text, as libvirt's documents do. */
export const anyElement: fc.Arbitrary<XmlElement> = fc.letrec<{ element: XmlElement }>(tie => ({
  element: fc.record({
    name: anyName,
    attributes: anyAttributes,
    children: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constant<XmlNode[]>([]),
      anyText.map((text): XmlNode[] => [text]),
      fc.array<XmlNode>(tie('element'), { minLength: 1, maxLength: 4 }),
    ),
  }),
})).element

/** Documents from so small an alphabet that two of them have much in common. */
export const anyDocument: fc.Arbitrary<XmlElement> = fc.record({
  attributes: fc.dictionary(fc.constantFrom('x', 'y'), fc.constantFrom('1', '2'), { maxKeys: 2, noNullPrototype: true }),
  single: fc.option(fc.record({ value: fc.constantFrom('one', 'two', ''), sub: fc.option(fc.constantFrom('p', 'q'), { nil: undefined }) }), { nil: undefined }),
  order: fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 3 }),
  entries: fc.uniqueArray(fc.record({ id: fc.constantFrom('1', '2', '3', '4'), mode: fc.option(fc.constantFrom('on', 'off'), { nil: undefined }), note: fc.constantFrom('', 'n', 'm') }), { maxLength: 4, selector: entry => entry.id }),
}).map(({ attributes, single, order, entries }) => el('root', attributes,
  single && el('single', { sub: single.sub }, single.value === '' ? undefined : single.value),
  order.map(value => el('order', { value })),
  el('list', {}, entries.map(({ id, mode, note }) => el('entry', { id, mode }, note !== '' && el('note', {}, note)))),
))
