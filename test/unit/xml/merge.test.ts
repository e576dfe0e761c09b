import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Change, type MergeRules, keyed, merge3, overlay } from '../../../xml/merge.ts'
import { type XmlElement, childrenOf, childOf, cloneXml, el, parseFragment, parseXml, sameXml, serializeXml } from '../../../xml/tree.ts'
import { anyDocument } from './arbitrary.ts'

const rules: MergeRules = {
  list: (path, name) => {
    if (path === 'list' && name === 'entry') return keyed(entry => entry.attributes.id)
    return path === '' && name === 'order' ? { type: 'atomic' } : undefined
  },
  equal: () => false,
}

describe('merge3', () => {
  test('of one document with itself changes nothing', () => {
    fc.assert(fc.property(anyDocument, document => {
      const merged = merge3(document, document, document, rules)
      expect(merged).toEqual({ document, changes: [], kept: [] })
    }))
  })

  test('brings everything wanted: merging the result again finds nothing to change', () => {
    fc.assert(fc.property(anyDocument, anyDocument, fc.option(anyDocument, { nil: undefined }), (found, wanted, applied) => {
      const { document } = merge3(found, wanted, applied, rules)
      expect(merge3(document, wanted, applied, rules)).toEqual({ document, changes: [], kept: [] })
      expect(merge3(document, wanted, wanted, rules)).toEqual({ document, changes: [], kept: [] })
    }))
  })

  test('says nothing exactly where it changes nothing', () => {
    fc.assert(fc.property(anyDocument, anyDocument, fc.option(anyDocument, { nil: undefined }), (found, wanted, applied) => {
      const { document, changes } = merge3(found, wanted, applied, rules)
      expect(changes.length === 0).toBe(sameXml(document, found))
    }))
  })

  test('never changes what it is given', () => {
    fc.assert(fc.property(anyDocument, anyDocument, anyDocument, (found, wanted, applied) => {
      const before = [found, wanted, applied].map(serializeXml)
      merge3(found, wanted, applied, rules)
      expect([found, wanted, applied].map(serializeXml)).toEqual(before)
    }))
  })

  test('shares nothing with what was wanted: the next document may be edited', () => {
    const wanted = parseXml('<root><single><note>n</note></single></root>')
    const { document } = merge3(el('root'), wanted, undefined, rules)
    childOf(document, 'single', 'note')!.attributes['x'] = '1'
    expect(serializeXml(wanted)).toBe('<root><single><note>n</note></single></root>')
  })

  test('leaves untouched what is neither wanted nor was applied', () => {
    const foreign = el('foreign', { by: 'somebody' }, el('deep', {}, 'text'))
    fc.assert(fc.property(anyDocument, anyDocument, fc.option(anyDocument, { nil: undefined }), (found, wanted, applied) => {
      const host = cloneXml(found)
      host.children.push(foreign)
      host.attributes['foreign'] = 'yes'
      childOf(host, 'list')!.children.push(el('entry', { id: 'foreign', mode: 'on' }))
      const { document } = merge3(host, wanted, applied, rules)
      expect(document.attributes['foreign']).toBe('yes')
      expect(childOf(document, 'foreign')).toEqual(foreign)
      expect(childrenOf(childOf(document, 'list'), 'entry').filter(entry => entry.attributes.id === 'foreign')).toEqual([el('entry', { id: 'foreign', mode: 'on' })])
    }))
  })

  test('takes away what was applied and is no longer wanted', () => {
    fc.assert(fc.property(anyDocument, anyDocument, (applied, wanted) => {
      // The host holds what was applied and nothing else: then exactly what is wanted remains.
      const { document } = merge3(applied, wanted, applied, rules)
      expect(document.attributes).toEqual(wanted.attributes)
      expect(childrenOf(document, 'order')).toEqual(childrenOf(wanted, 'order'))
      const byId = (from: XmlElement): Record<string, string> => Object.fromEntries(childrenOf(childOf(from, 'list'), 'entry').map(entry => [entry.attributes.id!, serializeXml(entry)]))
      expect(byId(document)).toEqual(byId(wanted))
      const single = childOf(wanted, 'single')
      if (single === undefined) expect(childOf(document, 'single')).toBeUndefined()
      else expect(sameXml(childOf(document, 'single')!, single)).toBe(true)
    }))
  })

  const cases: { invariant: string; found: string; wanted: string; applied?: string; result: string; changes: Change[] }[] = [
    { invariant: 'an attribute that differs is set', found: '<r a="1"/>', wanted: '<r a="2"/>', result: '<r a="2"/>', changes: [{ path: '@a', kind: 'set', found: '1', wanted: '2' }] },
    { invariant: 'an attribute that is missing is added', found: '<r/>', wanted: '<r a="2"/>', result: '<r a="2"/>', changes: [{ path: '@a', kind: 'add', found: undefined, wanted: '2' }] },
    { invariant: 'an attribute that was applied goes when it is no longer wanted', found: '<r a="1" b="2"/>', wanted: '<r/>', applied: '<r a="9"/>', result: '<r b="2"/>', changes: [{ path: '@a', kind: 'remove', found: '1' }] },
    { invariant: 'an attribute that is gone already is no change', found: '<r/>', wanted: '<r/>', applied: '<r a="1"/>', result: '<r/>', changes: [] },
    { invariant: 'text that differs is set', found: '<r><single>1</single></r>', wanted: '<r><single>2</single></r>', result: '<r><single>2</single></r>', changes: [{ path: 'single#text', kind: 'set', found: '1', wanted: '2' }] },
    { invariant: 'text that differs in white space around it only is the same', found: '<r><single> 1\n</single></r>', wanted: '<r><single>1</single></r>', result: '<r><single> 1\n</single></r>', changes: [] },
    { invariant: 'text that was applied goes when none is wanted', found: '<r><single>1</single></r>', wanted: '<r><single/></r>', applied: '<r><single>1</single></r>', result: '<r><single/></r>', changes: [{ path: 'single#text', kind: 'remove', found: '1', wanted: '' }] },
    { invariant: 'text that the host filled in stays when none is wanted', found: '<r><single>1</single></r>', wanted: '<r><single/></r>', applied: '<r><single/></r>', result: '<r><single>1</single></r>', changes: [] },
    { invariant: 'an element that is missing is added beside its kin', found: '<r><list><entry id="1"/><x/></list></r>', wanted: '<r><list><entry id="2"/></list></r>', result: '<r><list><entry id="1"/><entry id="2"/><x/></list></r>', changes: [{ path: 'list/entry[2]', kind: 'add', wanted: '<entry id="2"/>' }] },
    { invariant: 'an entry that was applied goes, whatever the host added to it', found: '<r><list><entry id="1" mode="on"><note>n</note></entry></list></r>', wanted: '<r><list/></r>', applied: '<r><list><entry id="1"/></list></r>', result: '<r><list/></r>', changes: [{ path: 'list/entry[1]', kind: 'remove', found: '<entry id="1" mode="on"><note>n</note></entry>' }] },
    { invariant: 'the order of entries carries no meaning', found: '<r><list><entry id="1"/><entry id="2"/></list></r>', wanted: '<r><list><entry id="2"/><entry id="1"/></list></r>', result: '<r><list><entry id="1"/><entry id="2"/></list></r>', changes: [] },
    { invariant: 'of two entries of one key the first found is the one', found: '<r><list><entry id="1" mode="off"/><entry id="1"/></list></r>', wanted: '<r><list><entry id="1" mode="on"/></list></r>', result: '<r><list><entry id="1" mode="on"/><entry id="1"/></list></r>', changes: [{ path: 'list/entry[1]@mode', kind: 'set', found: 'off', wanted: 'on' }] },
    { invariant: 'an atomic list is replaced whole where its order differs', found: '<r><x/><order value="a"/><order value="b"/><y/></r>', wanted: '<r><order value="b"/><order value="a"/></r>', result: '<r><x/><order value="b"/><order value="a"/><y/></r>', changes: [{ path: 'order', kind: 'set', found: '<order value="a"/><order value="b"/>', wanted: '<order value="b"/><order value="a"/>' }] },
    { invariant: 'an atomic list of the host stays where none is wanted and none was applied', found: '<r><order value="a"/></r>', wanted: '<r/>', result: '<r><order value="a"/></r>', changes: [] },
    { invariant: 'an atomic list that was applied goes', found: '<r><order value="a"/></r>', wanted: '<r/>', applied: '<r><order value="b"/></r>', result: '<r/>', changes: [{ path: 'order', kind: 'remove', found: '<order value="a"/>', wanted: '' }] },
  ]
  test.each(cases)('$invariant', ({ found, wanted, applied, result, changes }) => {
    const merged = merge3(parseXml(found), parseXml(wanted), applied === undefined ? undefined : parseXml(applied), rules)
    expect(serializeXml(merged.document)).toBe(result)
    expect(merged.changes).toEqual(changes)
  })

  test('the host\'s own spelling of a value is no difference', () => {
    const spelt: MergeRules = { ...rules, equal: (path, found, wanted) => path === 'single@sub' && found === `host-${wanted}` }
    expect(merge3(parseXml('<r><single sub="host-p"/></r>'), parseXml('<r><single sub="p"/></r>'), undefined, spelt).changes).toEqual([])
    expect(merge3(parseXml('<r><single sub="host-q"/></r>'), parseXml('<r><single sub="p"/></r>'), undefined, spelt).changes).toHaveLength(1)
  })
})

describe('keep', () => {
  test('what is kept stays as it was found and is listed apart', () => {
    fc.assert(fc.property(anyDocument, anyDocument, fc.option(anyDocument, { nil: undefined }), (found, wanted, applied) => {
      const all = merge3(found, wanted, applied, rules)
      const merged = merge3(found, wanted, applied, { ...rules, keep: () => true })
      expect(merged.document).toEqual(found)
      expect(merged.changes).toEqual([])
      expect(merged.kept).toEqual(all.changes)
    }))
  })

  test('each difference is either made or kept', () => {
    fc.assert(fc.property(anyDocument, anyDocument, fc.constantFrom('single', 'list', 'order', '@'), (found, wanted, prefix) => {
      const all = merge3(found, wanted, undefined, rules)
      const merged = merge3(found, wanted, undefined, { ...rules, keep: change => change.path.startsWith(prefix) })
      expect([...merged.changes, ...merged.kept].map(change => change.path).toSorted()).toEqual(all.changes.map(change => change.path).toSorted())
      expect(merged.kept.every(change => change.path.startsWith(prefix))).toBe(true)
      expect(merge3(merged.document, wanted, undefined, { ...rules, keep: change => change.path.startsWith(prefix) }).changes).toEqual([])
    }))
  })
})

describe('an overlay', () => {
  const document = '<root a="1"><single sub="p">one</single><order value="a"/><list><entry id="1" mode="on"/></list></root>'
  test.each<[string, string, string]>([
    ['overwrites attributes of a singleton', '<single sub="q"/>', '<root a="1"><single sub="q">one</single><order value="a"/><list><entry id="1" mode="on"/></list></root>'],
    ['merges an entry by its key', '<list><entry id="1"><note>n</note></entry></list>', '<root a="1"><single sub="p">one</single><order value="a"/><list><entry id="1" mode="on"><note>n</note></entry></list></root>'],
    ['appends an entry of another key', '<list><entry id="2"/></list>', '<root a="1"><single sub="p">one</single><order value="a"/><list><entry id="1" mode="on"/><entry id="2"/></list></root>'],
    ['replaces an atomic list', '<order value="b"/><order value="c"/>', '<root a="1"><single sub="p">one</single><order value="b"/><order value="c"/><list><entry id="1" mode="on"/></list></root>'],
    ['adds what was not there', '<new/>', '<root a="1"><single sub="p">one</single><order value="a"/><list><entry id="1" mode="on"/></list><new/></root>'],
  ])('%s', (_, fragment, result) => {
    expect(serializeXml(overlay(parseXml(document), parseFragment(fragment), rules))).toBe(result)
  })

  test('laid on twice is as laid on once', () => {
    fc.assert(fc.property(anyDocument, anyDocument, (base, { children }) => {
      const fragment = children.filter(child => typeof child !== 'string')
      const once = overlay(base, fragment, rules)
      expect(overlay(once, fragment, rules)).toEqual(once)
    }))
  })

  test('removes nothing', () => {
    fc.assert(fc.property(anyDocument, anyDocument, (base, { children }) => {
      const laid = overlay(base, children.filter(child => typeof child !== 'string'), rules)
      expect(merge3(laid, { ...base, children: base.children.filter(child => typeof child !== 'string' && child.name === 'list') }, undefined, { ...rules, keep: change => change.kind === 'set' }).changes).toEqual([])
    }))
  })
})
