import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { XmlError, attributeOf, childOf, childrenOf, cloneXml, el, elementsOf, parseFragment, parseXml, sameXml, serializeXml, textOf } from '../../../xml/tree.ts'
import { anyElement } from './arbitrary.ts'

const node = (name: string, attributes: Record<string, string> = {}, ...children: (string | ReturnType<typeof el>)[]): ReturnType<typeof el> => ({ name, attributes, children })

describe('a document', () => {
  test('comes back as it was written', () => {
    fc.assert(fc.property(anyElement, document => {
      expect(parseXml(serializeXml(document))).toEqual(document)
    }))
  })

  test('written twice is the same text', () => {
    fc.assert(fc.property(anyElement, document => {
      const text = serializeXml(document)
      expect(serializeXml(parseXml(text))).toBe(text)
    }))
  })

  test('equals its clone, and changing the clone leaves it alone', () => {
    fc.assert(fc.property(anyElement, document => {
      const before = serializeXml(document)
      const clone = cloneXml(document)
      expect(sameXml(document, clone)).toBe(true)
      clone.attributes['changed'] = 'yes'
      clone.children.push(el('added'))
      for (const child of elementsOf(clone)) child.attributes['changed'] = 'yes'
      expect(sameXml(document, clone)).toBe(false)
      expect(serializeXml(document)).toBe(before)
    }))
  })

  test('equals itself with its attributes in another order', () => {
    fc.assert(fc.property(anyElement, document => {
      expect(sameXml(document, { ...document, attributes: Object.fromEntries(Object.entries(document.attributes).toReversed()) })).toBe(true)
    }))
  })
})

describe('parseXml', () => {
  test.each<[string, string, ReturnType<typeof el>]>([
    ['the five entities and character references are what they stand for', '<a b="&#10;&#x9;&quot;&apos;&lt;&gt;&amp;">&lt;&gt;&amp;&#x1F600;</a>', node('a', { b: '\n\t"\'<>&' }, '<>&😀')],
    ['what an entity stands for is not read again', '<a>&amp;lt;&amp;amp;</a>', node('a', {}, '&lt;&amp;')],
    ['an unknown entity stays as it stands', '<a>&foo;</a>', node('a', {}, '&foo;')],
    ['CDATA is text', '<a><![CDATA[<b>&amp;]]></a>', node('a', {}, '<b>&amp;')],
    ['comments and processing instructions are no content', '<?xml version="1.0"?><!-- x --><a><!-- y --><?pi z?><b/></a>', node('a', {}, node('b'))],
    ['white space between elements is layout', '<a>\n  <b/>\n\n  <c/>\n</a>', node('a', {}, node('b'), node('c'))],
    ['white space that is the whole content is kept', '<a>  </a>', node('a', {}, '  ')],
    ['text beside elements is kept', '<a>x<b/></a>', node('a', {}, 'x', node('b'))],
    ['numbers and booleans stay text', '<a b="0010">1e3</a>', node('a', { b: '0010' }, '1e3')],
    ['single quotes and prefixes', "<q:a xmlns:q='u' q:b='1'/>", node('q:a', { 'xmlns:q': 'u', 'q:b': '1' })],
  ])('%s', (_, text, wanted) => { expect(parseXml(text)).toEqual(wanted) })

  test.each<[string, string, RegExp]>([
    ['nothing', '', /no element/],
    ['text alone', 'text', /no element/],
    ['two roots', '<a/><b/>', /more than one root/],
    ['a document type', '<!DOCTYPE a><a/>', /document types and entities/],
    ['a document type in small letters', '<!doctype a><a/>', /document types and entities/],
    ['entities that grow', `<!DOCTYPE l [<!ENTITY a "x"><!ENTITY b "${'&a;'.repeat(10)}">]><l>&b;</l>`, /document types and entities/],
    ['an entity that reads a file', '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>', /document types and entities/],
    ['a NUL', '<a>\0</a>', /NUL/],
    ['50 MB', `<a>${'<b/>'.repeat(12_500_000)}</a>`, /longer than/],
    ['nesting without end', '<a>'.repeat(100_000), /nest/],
    ['nesting beyond what libvirt writes', `${'<a>'.repeat(150)}${'</a>'.repeat(150)}`, /nest/],
    ['nine million characters', `<a>${'x'.repeat(9_000_000)}</a>`, /longer than/],
    ['a name that is no name', '<a><:@/></a>', /not well-formed/],
    ['a prototype for an element', '<__proto__ polluted="yes"/>', /not well-formed/],
    ['a prototype for an attribute', '<a __proto__="x"/>', /not well-formed/],
  ])('refuses %s with a sentence', (_, text, sentence) => {
    expect(() => parseXml(text)).toThrow(XmlError)
    expect(() => parseXml(text)).toThrow(sentence)
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  test('a NUL cannot come in by a character reference', () => {
    for (const text of ['<a b="x&#0;y">x&#0;y</a>', '<a b="x&#x0;y">x&#x00;y</a>']) expect(serializeXml(parseXml(text))).not.toContain('\0')
  })

  test('answers any text with an element or a sentence', () => {
    const pieces = fc.constantFrom('<', '>', '/', '</', '/>', 'a', 'b', '=', '"', "'", ' ', '&', ';', '<!', '<?', '?>', '<!--', '-->', '<![CDATA[', ']]>', ':', '@', '#text', '\n', '<a>', '</a>', '<b x="1">', '</b>')
    fc.assert(fc.property(fc.array(pieces, { maxLength: 30 }).map(list => list.join('')), text => {
      for (const parse of [parseXml, parseFragment]) {
        try {
          parse(text)
        } catch (error) {
          expect(error).toBeInstanceOf(XmlError)
          expect((error as Error).message.length).toBeLessThan(300)
        }
      }
    }), { numRuns: 2000 })
  })

  test('takes a time that grows with the text only', () => {
    const text = `<a>${'&amp;'.repeat(100_000)}</a>`
    expect(textOf(parseXml(text))).toHaveLength(100_000)
  })
})

describe('parseFragment', () => {
  test.each<[string, string, ReturnType<typeof el>[]]>([
    ['nothing', ' \n ', []],
    ['elements side by side', '<a/>\n<b c="1">t</b>', [node('a'), node('b', { c: '1' }, 't')]],
    ['a comment is nothing', '<!-- x --><a/>', [node('a')]],
  ])('%s', (_, text, wanted) => { expect(parseFragment(text)).toEqual(wanted) })

  test.each<[string, string, RegExp]>([
    ['tags that cross', '<a><b></a></b>', /closing tag 'b'/],
    ['a tag that stays open', '<a><b/>', /closing tag 'a'/],
    ['an end without a beginning', '</fragment><fragment>', /not well-formed/],
    ['a second document beside the fragment', '<a/></fragment><evil/><fragment>', /not well-formed/],
    ['text beside elements', '<a/>tail', /text outside of any element: "tail"/],
    ['text in CDATA beside elements', '<a/><![CDATA[x]]>', /text outside/],
    ['an attribute twice', '<a b="1" b="2"/>', /repeated/],
    ['an attribute without quotes', '<a b=1/>', /not well-formed/],
    ['an attribute without a value', '<a b/>', /not well-formed/],
    ['a document type', '<!DOCTYPE a><a/>', /document types/],
    ['an entity', '<a/><!ENTITY b "c">', /document types/],
    ['a NUL', '<a>\0</a>', /NUL/],
    ['50 MB', '<b/>'.repeat(12_500_000), /longer than/],
    ['nesting without end', '<a>'.repeat(100_000) + '</a>'.repeat(100_000), /nest/],
    ['an endless name', '<a'.repeat(100_000), /not well-formed/],
    ['nesting without end', `${'<a>'.repeat(50_000)}${'</a>'.repeat(50_000)}`, /nest/],
  ])('refuses %s with a sentence', (_, text, sentence) => {
    expect(() => parseFragment(text)).toThrow(XmlError)
    expect(() => parseFragment(text)).toThrow(sentence)
    try { parseFragment(text) } catch (error) { expect((error as Error).message.length).toBeLessThan(300) }
  })

  test('what is accepted means the same when it is written and read again', () => {
    fc.assert(fc.property(fc.array(anyElement, { maxLength: 3 }), elements => {
      expect(parseFragment(elements.map(serializeXml).join('\n'))).toEqual(elements)
    }))
  })
})

describe('el', () => {
  test('leaves out what is not there and writes scalars', () => {
    expect(el('a', { b: undefined, c: null, d: 0, e: false }, undefined, null, false, 7, [el('f'), undefined], 't')).toEqual(node('a', { d: '0', e: 'false' }, '7', node('f'), 't'))
  })
})

describe('looking into a document', () => {
  const document = parseXml('<a><b n="1"><c>t</c></b><b n="2"/></a>')
  test('the first of a path, all of a name, text and attributes', () => {
    expect(attributeOf(childOf(document, 'b'), 'n')).toBe('1')
    expect(textOf(childOf(document, 'b', 'c'))).toBe('t')
    expect(childrenOf(document, 'b').map(child => child.attributes['n'])).toEqual(['1', '2'])
    expect(childOf(document, 'b', 'x', 'y')).toBeUndefined()
    expect(childOf(undefined, 'b')).toBeUndefined()
    expect(childrenOf(undefined, 'b')).toEqual([])
    expect(textOf(undefined)).toBe('')
    expect(attributeOf(undefined, 'n')).toBeUndefined()
  })
})
