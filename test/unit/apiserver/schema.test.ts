import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { number, quote } from '../../../apiserver/schema/json/gotext.ts'
import { Address, Network } from '../../../apiserver/schema/cel/net.ts'
import { escapeName } from '../../../apiserver/schema/cel/names.ts'
import { Quantity } from '../../../apiserver/schema/cel/quantity.ts'
import { finalizerWarnings, maxDepth, applyDefaults, checkSchema, compileSchema, equal, metadataProblem, normalize, parseStrict, prepareCreate, prepareStatusUpdate, prepareUpdate, pruneUnknown, validateCreate, type Json, type JsonObject, type ResourceRules } from '../../../apiserver/schema/index.ts'
import { apply, jsonPatch, mergePatch, track } from '../../../apiserver/merge/index.ts'
import { parseQuantity } from '../../../crds/quantity.ts'
import { widgetSchema } from '../../support/apiserver/widget.ts'

const schema = compileSchema(widgetSchema)
const rules: ResourceRules = { schema, apiVersion: 'vireo.test/v1', kind: 'Widget', namespaced: false, statusSubresource: true }
const widget = (spec: Json): JsonObject => ({ apiVersion: 'vireo.test/v1', kind: 'Widget', metadata: { name: 'w' }, spec })

/** Anything, with the names of the schema's own fields now and then. */
const anything = fc.letrec<{ value: Json }>(tie => ({
  value: fc.oneof({ maxDepth: 4 }, fc.constantFrom<Json>(null, true, 1, 'abc'), fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('title', 'nested', 'level', 'depth', 'free', 'known', 'a', 'x', 'parts', 'name', 'protocol', 'template', 'metadata', 'labels', '__proto__'), tie('value'), { maxKeys: 4 })),
})).value

describe('what a schema does not know', () => {
  test('goes once and for all, and what is known stays', () => {
    fc.assert(fc.property(anything, spec => {
      const { object, unknown } = pruneUnknown(schema, widget(spec))
      expect(pruneUnknown(schema, object)).toEqual({ object, unknown: [] })
      expect(unknown).toEqual(unknown.toSorted())
      if (unknown.length === 0 && equal(object, widget(spec))) expect(object.spec).toBe(spec)
    }))
  })

  test('defaults are filled in once and for all', () => {
    fc.assert(fc.property(anything, spec => {
      const { object } = normalize(schema, widget(spec))
      expect(applyDefaults(schema, object)).toBe(object)
    }))
  })

  test('no argument changes, whatever it is', () => {
    fc.assert(fc.property(anything, spec => {
      const object = widget(spec)
      const before = structuredClone(object)
      validateCreate(rules, prepareCreate(rules, normalize(schema, object).object))
      expect(object).toEqual(before)
    }))
  })

  test('a deep object is judged as a shallow one', () => {
    const nested = (depth: number): string => `${'{"x":'.repeat(depth)}1${'}'.repeat(depth)}`
    const deep = parseStrict(nested(maxDepth - 3)).value
    const object = widget({ free: deep })
    expect(normalize(schema, object).unknown).toEqual([])
    expect(validateCreate(rules, prepareCreate(rules, normalize(schema, object).object))).toEqual([])
    expect(equal(normalize(schema, object).object, structuredClone(normalize(schema, object).object))).toBe(true)
    expect(normalize(schema, widget(deep)).unknown).toEqual(['spec.x'])
    const kind = { schema, statusSubresource: true }
    const writer = { manager: 'm', apiVersion: 'vireo.test/v1', subresource: '', time: '2026-01-01T00:00:00Z' }
    const live = apply(kind, undefined, object, writer, false)
    expect(apply(kind, live, mergePatch(object, { spec: { free: { y: 1 } } }), writer, false)).toMatchObject({ spec: { free: { y: 1 } } })
    expect(jsonPatch(track(kind, undefined, object, writer), [{ op: 'add', path: '/spec/free/z', value: deep }])).toMatchObject({ kind: 'Widget' })
    expect(() => parseStrict(nested(maxDepth + 1))).toThrow('exceeded max depth')
    expect(() => parseStrict(nested(100_000))).toThrow('exceeded max depth')
  })
})

describe('JSON that is read strictly', () => {
  test.each([
    ['{"a":1,"b":{"a":2}}', []], ['{"a":1,"a":2}', ['a']], ['{"a":{"b":1,"b":2,"b":3}}', ['a.b']], ['{"a":[{"b":1},{"b":1,"b":2}]}', ['a[1].b']],
    ['{"a":"{\\"b\\":1,\\"b\\":2}"}', []], ['{"a":":","b":"\\\\","c":1}', []], ['{"\\u0061":1,"a":2}', ['a']], ['[{"a":1,"a":2}]', ['[0].a']], ['{"__proto__":1,"__proto__":2}', ['__proto__']], ['"a:b"', []],
  ] as [string, string[]][])('%s has %j twice', (text, duplicates) => {
    expect(parseStrict(text)).toEqual({ value: JSON.parse(text), duplicates })
  })

  test('no duplicate is seen in what is written from a value', () => {
    fc.assert(fc.property(fc.jsonValue(), value => {
      expect(parseStrict(JSON.stringify(value, undefined, 1)).duplicates).toEqual([])
    }))
  })

  test('what is no JSON is a SyntaxError', () => {
    expect(() => parseStrict('{"a":')).toThrow(SyntaxError)
  })
})

describe('a definition that cannot serve', () => {
  test.each([
    ['openAPIV3Schema.properties[a].type', { type: 'object', properties: { a: {} } }], ['openAPIV3Schema.properties[a].items', { type: 'object', properties: { a: { type: 'array' } } }],
    ['openAPIV3Schema.properties[a].pattern', { type: 'object', properties: { a: { type: 'string', pattern: '(' } } }], ['openAPIV3Schema.properties[a].default', { type: 'object', properties: { a: { type: 'string', default: 5 } } }],
    ['openAPIV3Schema.type', { type: 'string' }], ['openAPIV3Schema.properties[a].x-kubernetes-list-map-keys', { type: 'object', properties: { a: { type: 'array', items: { type: 'object' }, 'x-kubernetes-list-type': 'map' } } }],
  ])('names the place: %s', (field, broken) => {
    expect(checkSchema(broken as never).map(complaint => complaint.field)).toEqual([field])
  })
})

describe('what a write may change', () => {
  const live: JsonObject = { ...widget({ title: 'abc' }), status: { phase: 'Ready' }, metadata: { name: 'w', uid: 'u', generation: 3, creationTimestamp: 't', deletionTimestamp: 'd', deletionGracePeriodSeconds: 0, resourceVersion: '5' } }

  test('the object: not its status, nor what the system wrote; the generation follows the spec', () => {
    const wanted: JsonObject = { ...live, status: { phase: 'Failed' }, metadata: { name: 'w', resourceVersion: '5', labels: { a: 'b' }, generation: 99, creationTimestamp: 'x' } }
    expect(prepareUpdate(rules, wanted, live)).toEqual({ ...live, metadata: { ...live.metadata as JsonObject, labels: { a: 'b' } } })
    expect((prepareUpdate(rules, { ...wanted, spec: { title: 'abd' } }, live).metadata as JsonObject).generation).toBe(4)
  })

  test('without the subresource the status is a field like others', () => {
    const changed = prepareUpdate({ ...rules, statusSubresource: false }, { ...live, status: { phase: 'Failed' } }, live)
    expect(changed).toMatchObject({ status: { phase: 'Failed' }, metadata: { generation: 4 } })
  })

  test('/status: nothing but the status and its managers', () => {
    const wanted: JsonObject = { ...live, spec: { title: 'other' }, status: { phase: 'Failed' }, metadata: { ...live.metadata as JsonObject, labels: { a: 'b' }, managedFields: [{ manager: 'm' }] } }
    expect(prepareStatusUpdate(rules, wanted, live)).toEqual({ ...live, status: { phase: 'Failed' }, metadata: { ...live.metadata as JsonObject, managedFields: [{ manager: 'm' }] } })
  })

  test('a new object has generation 1 and no status', () => {
    expect(prepareCreate(rules, { ...live, metadata: { name: 'w' } })).toEqual({ ...widget({ title: 'abc' }), metadata: { name: 'w', generation: 1 } })
  })
})

describe('metadata that cannot be read', () => {
  test.each([
    [{ labels: { a: 5 } }, 'json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string'], [{ labels: [] }, 'json: cannot unmarshal array into Go struct field ObjectMeta.labels of type map[string]string'],
    [{ name: 5 }, 'json: cannot unmarshal number into Go struct field ObjectMeta.name of type string'], ['x', 'json: cannot unmarshal string into Go value of type v1.ObjectMeta'], [{ finalizers: [true] }, 'json: cannot unmarshal bool into Go struct field ObjectMeta.finalizers of type string'],
    [{ labels: { a: null }, finalizers: null }, undefined], [undefined, undefined],
  ] as [Json | undefined, string | undefined][])('%j: %s', (metadata, problem) => expect(metadataProblem(metadata)).toBe(problem))
})

describe('values as Go writes them', () => {
  test.each([['a"b\\c', '"a\\"b\\\\c"'], ['a\nb\tc\u0000\u0007', '"a\\nb\\tc\\x00\\a"'], ['äé😀', '"äé😀"'], ['\u200b\u00a0', '"\\u200b\\u00a0"'], ['\x7f', '"\\x7f"']])('%j is %s', (text, quoted) => expect(quote(text)).toBe(quoted))
  test.each([[5, '5'], [1.5, '1.5'], [0.00001, '1e-05'], [1e21, '1e+21'], [1e20, '100000000000000000000'], [-0.5, '-0.5'], [0, '0']])('%d is %s', (value, text) => expect(number(value)).toBe(text))
  test.each([['a', 'a'], ['a-b', 'a__dash__b'], ['a.b/c', 'a__dot__b__slash__c'], ['a__b', 'a__underscores__b'], ['true', '__true__'], ['a b', undefined], ['1a', undefined], ['', undefined]])('the field %j is %s to rules', (name, called) => expect(escapeName(name)).toBe(called))
})

describe('addresses and quantities', () => {
  const v4 = fc.ipV4()
  const v6 = fc.ipV6().filter(text => typeof Address.parse(text) !== 'string')

  test('an address in its shortest form reads back as the same', () => {
    fc.assert(fc.property(fc.oneof(v4, v6), text => {
      const address = Address.parse(text) as Address
      const again = Address.parse(address.toString()) as Address
      expect(again.equals(address)).toBe(true)
      expect(again.toString()).toBe(address.toString())
    }))
  })

  test('a network contains its own addresses and its own parts', () => {
    fc.assert(fc.property(v4, fc.nat(32), (text, prefix) => {
      const network = Network.parse(`${text}/${prefix}`) as Network
      expect(network.contains(Address.parse(text) as Address)).toBe(true)
      expect(network.masked.contains(network.address)).toBe(true)
      expect(network.containsNetwork(network.masked)).toBe(true)
      if (prefix > 0) expect((Network.parse(`${text}/${prefix - 1}`) as Network).containsNetwork(network)).toBe(true)
    }))
  })

  test('a quantity of bytes is what vireo reads it as', () => {
    fc.assert(fc.property(fc.nat(1 << 20), fc.constantFrom('', 'k', 'Ki', 'M', 'Mi', 'Gi', 'm', 'e3'), (count, unit) => {
      const quantity = Quantity.parse(`${count}${unit}`)!
      const bytes = parseQuantity(`${count}${unit}`)
      expect(quantity.compareTo(Quantity.of(BigInt(bytes)))).toBe(unit === 'm' && count % 1000 !== 0 ? -1n : 0n)
    }))
  })

  test('adding and taking away is nothing', () => {
    fc.assert(fc.property(fc.bigInt(), fc.bigInt(), (a, b) => {
      expect(Quantity.of(a).add(Quantity.of(b)).sub(Quantity.of(b)).compareTo(Quantity.of(a))).toBe(0n)
    }))
  })
})

test('new finalizers without a domain are warned of', () => {
  const warnings = (finalizers: string[], old?: string[]): string[] => finalizerWarnings({ finalizers }, old && { finalizers: old })
  expect(warnings(['vireo.dev/finalizer', 'orphan', 'foregroundDeletion'])).toEqual([])
  expect(warnings(['mine', 'a.b'], ['a.b'])).toEqual(['metadata.finalizers: "mine": prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers'])
  expect(warnings(['a.b'])).toEqual(['metadata.finalizers: "a.b": prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other finalizer writers'])
})
