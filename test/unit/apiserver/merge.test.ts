import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FieldSet } from '../../../apiserver/merge/fieldset.ts'
import { apply, builtinKinds, builtinSchema, ConflictError, jsonPatch, mergePatch, PatchError, strategicMergePatch, track, type ManagedKind, type Writer } from '../../../apiserver/merge/index.ts'
import { mergedBy } from '../../../apiserver/merge/mergepatch.ts'
import { compileSchema, type Json, type JsonObject } from '../../../apiserver/schema/index.ts'
import { widgetSchema } from '../../support/apiserver/widget.ts'

const kind: ManagedKind = { schema: compileSchema(widgetSchema), statusSubresource: true }
const by = (manager: string, time = '2026-01-01T00:00:00Z'): Writer => ({ manager, apiVersion: 'vireo.test/v1', subresource: '', time })
const widget = (spec: JsonObject, metadata: JsonObject = {}): JsonObject => ({ apiVersion: 'vireo.test/v1', kind: 'Widget', metadata: { name: 'w', ...metadata }, spec })
const specOf = (object: JsonObject): JsonObject => object.spec as JsonObject
const managersOf = (object: JsonObject): JsonObject[] => ((object.metadata as JsonObject).managedFields ?? []) as JsonObject[]
const stored = (object: JsonObject): JsonObject => ({ ...object, metadata: { ...object.metadata as JsonObject, uid: 'u' } })

describe('JSON merge patch', () => {
  // RFC 7386, appendix A: original, patch, result.
  test.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }], [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }], [{ a: 'b' }, { a: null }, {}], [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }], [{ a: ['b'] }, { a: 'c' }, { a: 'c' }], [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }], [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }], [['a', 'b'], ['c', 'd'], ['c', 'd']], [{ a: 'b' }, ['c'], ['c']], [{ a: 'foo' }, null, null], [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }], [[1, 2], { a: 'b', c: null }, { a: 'b' }], [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ] as [Json, Json, Json][])('%j patched by %j is %j', (original, patch, result) => {
    const before = structuredClone(original)
    expect(mergedBy(original, patch)).toEqual(result)
    expect(original).toEqual(before)
  })

  test('a key named __proto__ is a key like others', () => {
    const patched = mergePatch({}, JSON.parse('{"__proto__":{"polluted":true}}') as Json)
    expect(Object.keys(patched)).toEqual(['__proto__'])
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined()
  })

  test.each([null, 5, 'x', [], true])('a patch that is %j is refused', patch => {
    expect(() => mergePatch({}, patch as Json)).toThrow(PatchError)
  })
})

describe('JSON patch', () => {
  test('leaves the object alone, whatever happens', () => {
    const object = widget({ tags: ['a'] })
    const before = structuredClone(object)
    jsonPatch(object, [{ op: 'add', path: '/spec/tags/-', value: 'b' }])
    expect(() => jsonPatch(object, [{ op: 'add', path: '/spec/tags/-', value: 'b' }, { op: 'test', path: '/spec/tags/0', value: 'z' }])).toThrow(PatchError)
    expect(object).toEqual(before)
  })

  test('the whole object may be replaced, by an object', () => {
    expect(jsonPatch({ a: 1 }, [{ op: 'replace', path: '', value: { b: 2 } }])).toEqual({ b: 2 })
    expect(() => jsonPatch({ a: 1 }, [{ op: 'replace', path: '', value: 5 }])).toThrow(PatchError)
  })

  test('too many operations, and paths that are none', () => {
    expect(() => jsonPatch({}, Array.from({ length: 10_001 }, () => ({ op: 'test', path: '', value: {} })))).toThrow('The allowed maximum operations in a JSON patch is 10000, got 10001')
    expect(() => jsonPatch({ a: 1 }, [{ op: 'remove', path: 'a' }])).toThrow(PatchError)
  })

  test.each(['__proto__', 'constructor', 'prototype', 'toString'])('a key named %s is a key like others', name => {
    expect(() => jsonPatch({}, [{ op: 'add', path: `/${name}/polluted`, value: true }])).toThrow(PatchError)
    expect(() => jsonPatch({}, [{ op: 'remove', path: `/${name}` }])).toThrow(PatchError)
    const added = jsonPatch({ a: {} }, [{ op: 'add', path: `/a/${name}`, value: { b: 1 } }, { op: 'test', path: `/a/${name}`, value: { b: 1 } }, { op: 'replace', path: `/a/${name}/b`, value: 2 }])
    expect(JSON.stringify(added)).toBe(`{"a":{"${name}":{"b":2}}}`)
    expect(jsonPatch(added, [{ op: 'remove', path: `/a/${name}` }])).toEqual({ a: {} })
    expect(({} as { polluted?: boolean; b?: number }).polluted).toBeUndefined()
  })
})

describe('sets of fields', () => {
  const name = fc.constantFrom('a', 'b', 'c')
  const element = fc.oneof(name.map(text => `f:${text}`), name.map(text => `k:{"name":"${text}"}`), name.map(text => `v:"${text}"`))
  const sets = fc.array(fc.array(element, { minLength: 1, maxLength: 4 }), { maxLength: 12 }).map(paths => FieldSet.of(...paths))
  const paths = (fields: FieldSet): string[] => [...fields.paths()].map(path => path.join(' ')).toSorted()

  test('what is written reads back', () => {
    fc.assert(fc.property(sets, fields => {
      expect(paths(FieldSet.fromWire(fields.toWire()))).toEqual(paths(fields))
      expect(FieldSet.fromWire(fields.toWire()).toWire()).toEqual(fields.toWire())
    }))
  })

  test('union, intersection and difference are those of their paths', () => {
    fc.assert(fc.property(sets, sets, (a, b) => {
      const [left, right] = [paths(a), paths(b)]
      expect(paths(a.union(b))).toEqual([...new Set([...left, ...right])].toSorted())
      expect(paths(a.intersection(b))).toEqual(left.filter(path => right.includes(path)))
      expect(paths(a.difference(b))).toEqual(left.filter(path => !right.includes(path)))
      expect(paths(a.without(b))).toEqual(left.filter(path => !right.some(other => path === other || path.startsWith(`${other} `))))
      for (const path of a.paths()) expect(a.hasPath(path)).toBe(true)
    }))
  })

  test('keys are in one order, and unknown elements fall away', () => {
    expect(FieldSet.fromWire({ 'k:{"b":1,"a":"x"}': {}, 'x:future': {} }).toWire()).toEqual({ 'k:{"a":"x","b":1}': {} })
    expect(() => FieldSet.fromWire({ 'k:{': {} })).toThrow(SyntaxError)
  })
})

/** Specs of a Widget that the schema accepts. */
const names = ['a', 'b', 'c', 'd']
const specs = fc.record({
  title: fc.constantFrom('abc', 'abd'),
  tags: fc.uniqueArray(fc.constantFrom(...names), { maxLength: 4 }),
  names: fc.dictionary(fc.constantFrom(...names), fc.constantFrom('1', '2')),
  ref: fc.record({ name: fc.constantFrom('r', 's'), namespace: fc.constantFrom('n', 'm') }, { requiredKeys: [] }),
  parts: fc.uniqueArray(fc.record({ name: fc.constantFrom(...names), size: fc.nat(3) }), { selector: part => part.name, maxLength: 4 }),
  steps: fc.array(fc.constantFrom(...names), { maxLength: 3 }),
  free: fc.dictionary(fc.constantFrom(...names), fc.jsonValue({ maxDepth: 2 }).filter(value => value !== null)),
}, { requiredKeys: [] }) as fc.Arbitrary<JsonObject>

/** Without empty lists and maps: when what was in one is taken out, kube-apiserver gives up the field and takes it anew at the next apply. */
const full = (value: Json): Json => Array.isArray(value) ? value : typeof value !== 'object' || value === null ? value :
  Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, full(inner)] as const).filter(([, inner]) => typeof inner !== 'object' || inner === null || Object.keys(inner).length > 0))
const fullSpecs: fc.Arbitrary<JsonObject> = specs.map(spec => ({ title: 'abc', ...full(spec) as JsonObject }))

describe('server-side apply', () => {
  test('applying twice changes nothing: neither the object, nor its owners, nor their times', () => {
    fc.assert(fc.property(fullSpecs, fullSpecs, (first, second) => {
      const start = apply(kind, undefined, widget(first), by('one'), false)
      const once = apply(kind, start, widget(second), by('one', '2026-01-02T00:00:00Z'), false)
      expect(apply(kind, once, widget(second), by('one', '2026-01-03T00:00:00Z'), false)).toBe(once)
    }), { examples: [[{ free: { c: { '': ' ' } } }, { free: { c: { '': null } } }]] })
  })

  test('what one alone applied is as if it had never applied anything else', () => {
    fc.assert(fc.property(specs, specs, (first, second) => {
      const changed = apply(kind, apply(kind, undefined, widget(first), by('one'), false), widget(second), by('one'), false)
      const fields = (object: JsonObject): Json => managersOf(object).map(({ fieldsV1 }) => fieldsV1!)
      expect(fields(changed)).toEqual(fields(apply(kind, undefined, widget(second), by('one'), false)))
    }))
  })

  test('two managers own two entries of one list, and each removes only its own', () => {
    fc.assert(fc.property(fc.constantFrom('tags', 'parts', 'names'), fc.shuffledSubarray(names, { minLength: 2, maxLength: 2 }) as fc.Arbitrary<[string, string]>, (list, [mine, yours]) => {
      const holding = (name: string): JsonObject => ({ [list]: list === 'tags' ? [name] : list === 'parts' ? [{ name }] : { [name]: '1' } })
      const held = (object: JsonObject): string[] => list === 'names' ? Object.keys(specOf(object).names ?? {}) : ((specOf(object)[list] ?? []) as (string | { name: string })[]).map(entry => typeof entry === 'string' ? entry : entry.name)
      const both = apply(kind, apply(kind, undefined, widget(holding(mine)), by('one'), false), widget(holding(yours)), by('two'), false)
      expect(held(both).toSorted()).toEqual([mine, yours].toSorted())
      expect(held(apply(kind, both, widget({}), by('one'), false))).toEqual([yours])
      expect(held(apply(kind, both, widget({}), by('two'), false))).toEqual([mine])
    }))
  })

  test('what two apply alike goes when both have let it go', () => {
    fc.assert(fc.property(specs, spec => {
      const both = apply(kind, apply(kind, undefined, widget(spec), by('one'), false), widget(spec), by('two'), false)
      const left = apply(kind, both, widget({}), by('one'), false)
      expect(specOf(left)).toEqual(specOf(both))
      const gone = specOf(apply(kind, left, widget({}), by('two'), false)) ?? {}
      for (const field of Object.keys(spec)) if (!['title', 'tags', 'names', 'parts', 'steps', 'free', 'ref'].includes(field)) expect(gone).not.toHaveProperty(field)
      expect(gone).not.toHaveProperty('title')
    }))
  })

  test('a conflict is refused, or forced; then the other owns it no more', () => {
    const live = apply(kind, undefined, widget({ title: 'abc', count: 1 }), by('one'), false)
    const other = widget({ title: 'xyz' })
    expect(() => apply(kind, live, other, by('two'), false)).toThrow(ConflictError)
    const forced = apply(kind, live, other, by('two'), true)
    expect(specOf(forced)).toMatchObject({ title: 'xyz', count: 1 })
    expect(specOf(apply(kind, forced, widget({}), by('one'), false))).toMatchObject({ title: 'xyz' })
  })

  test('who wrote before anything was tracked is before-first-apply', () => {
    const untracked = stored(widget({ title: 'abc' }))
    const applied = apply(kind, untracked, widget({ title: 'abc', count: 2 }), by('one'), false)
    expect(managersOf(applied).map(({ manager, operation }) => [manager, operation])).toEqual([['one', 'Apply'], ['before-first-apply', 'Update']])
    expect(() => apply(kind, untracked, widget({ title: 'xyz' }), by('one'), false)).toThrow('Apply failed with 1 conflict: conflict with "before-first-apply" using vireo.test/v1: .spec.title')
  })

  test('neither argument changes', () => {
    fc.assert(fc.property(specs, specs, (first, second) => {
      const live = apply(kind, undefined, widget(first), by('one'), false)
      const applied = widget(second)
      const [liveBefore, appliedBefore] = [structuredClone(live), structuredClone(applied)]
      apply(kind, live, applied, by('two'), true)
      track(kind, live, mergePatch(live, { spec: second }), by('two'))
      expect([live, applied]).toEqual([liveBefore, appliedBefore])
    }))
  })
})

describe('managers of other writes', () => {
  test('every field of an object has an owner, whoever wrote it', () => {
    fc.assert(fc.property(specs, specs, (first, second) => {
      const made = track(kind, undefined, widget(first), by('one'))
      const changed = track(kind, stored(made), { ...stored(made), spec: second }, by('two'))
      const all = managersOf(changed).map(({ fieldsV1 }) => FieldSet.fromWire(fieldsV1!)).reduce((sum, fields) => sum.union(fields), FieldSet.empty)
      const fresh = FieldSet.fromWire(managersOf(track(kind, undefined, widget(second), by('x')))[0]?.fieldsV1 ?? {})
      expect(fresh.difference(all).isEmpty).toBe(true)
    }))
  })

  test('an update that changes nothing leaves times as they were', () => {
    const made = stored(track(kind, undefined, widget({ title: 'abc' }), by('one')))
    expect(track(kind, made, made, by('one', '2027-01-01T00:00:00Z'))).toEqual(made)
    // A null that a default takes the place of is a change of nothing, too.
    const defaulted = apply(kind, made, widget({ mode: null }), by('two'), true)
    expect(apply(kind, defaulted, widget({ mode: null }), by('two', '2027-01-01T00:00:00Z'), true)).toBe(defaulted)
  })

  test('managedFields of [{}] forget everyone, malformed ones count as absent, and a subresource has no say', () => {
    const made = stored(apply(kind, undefined, widget({ title: 'abc' }), by('one'), false))
    const having = (managedFields: Json): JsonObject => ({ ...made, metadata: { ...made.metadata as JsonObject, managedFields } })
    expect(managersOf(track(kind, made, having([{}]), by('two')))).toEqual([])
    expect(managersOf(track(kind, made, having([{ manager: 'x' }]), by('two')))).toEqual(managersOf(made))
    expect(managersOf(track(kind, made, having([{}]), { ...by('two'), subresource: 'status' }))).toEqual(managersOf(made))
  })
})

describe('objects that do not fit their schema', () => {
  const broken = stored({ ...apply(kind, undefined, widget({ title: 'abc' }), by('one'), false), spec: { title: 'abc', parts: [{ size: 1 }, null] } })

  test('keep their managers at an update, and are no ground for an apply', () => {
    const changed = track(kind, broken, { ...broken, spec: { ...specOf(broken), title: 'xyz' } }, by('two'))
    expect(managersOf(changed)).toEqual(managersOf(broken))
    expect(() => apply(kind, broken, widget({ title: 'abc' }), by('one'), false)).toThrow(/^failed to create typed live object \(\/w; vireo.test\/v1, Kind=Widget\): .spec.parts: element 1: associative list with keys may not have a null element$/)
  })

  test('a note of client-side apply that cannot be read allows nothing', () => {
    const noted = (note: string): JsonObject => stored(track(kind, undefined, widget({ title: 'abc' }, { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': note } }), by('maker')))
    for (const note of ['{', '5', '{"apiVersion":"vireo.test/v1","kind":"Widget","spec":{"title":5}}']) {
      expect(() => apply(kind, noted(note), widget({ title: 'xyz' }), by('kubectl'), false), note).toThrow(ConflictError)
    }
  })
})

describe('built-in kinds', () => {
  test('every one has a schema that compiles', () => {
    expect(builtinKinds.length).toBeGreaterThan(7)
    for (const { apiVersion, kind: name } of builtinKinds) expect(builtinSchema(apiVersion, name)?.zeros, `${apiVersion} ${name}`).toBeDefined()
    expect(builtinSchema('v1', 'Pod')).toBeUndefined()
    expect(builtinSchema('constructor', 'Pod')).toBeUndefined()
  })

  test('a strategic merge patch leaves the object alone', () => {
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'a' }, secrets: [{ name: 'a' }, { name: 'b' }] }
    const before = structuredClone(account)
    expect(strategicMergePatch(builtinSchema('v1', 'ServiceAccount')!, account, { secrets: [{ $patch: 'delete', name: 'a' }] }).secrets).toEqual([{ name: 'b' }])
    expect(strategicMergePatch(builtinSchema('v1', 'ServiceAccount')!, account, { $retainKeys: ['apiVersion', 'kind', 'metadata'] })).not.toHaveProperty('secrets')
    expect(account).toEqual(before)
  })
})
