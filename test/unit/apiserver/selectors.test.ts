// Selectors, paths of columns, ages, URLs, media types: the small languages that requests are written in.

import { describe, expect, test } from 'vitest'
import { parseAccept, negotiate } from '../../../apiserver/http/negotiate.ts'
import { parseResourcePath } from '../../../apiserver/http/route.ts'
import { compareVersionNames } from '../../../apiserver/registry/kinds.ts'
import { decodeContinue, encodeContinue } from '../../../apiserver/registry/token.ts'
import { parseFieldSelector } from '../../../apiserver/select/fields.ts'
import { parseLabelSelector } from '../../../apiserver/select/labels.ts'
import { Entry } from '../../../apiserver/store/entry.ts'
import { compilePath } from '../../../apiserver/table/jsonpath.ts'
import { ageOf, columnOf } from '../../../apiserver/table/table.ts'

describe('label selectors', () => {
  const labels = { app: 'web', tier: '2', empty: '' }
  test.each([
    ['', true], ['app', true], ['!app', false], ['none', false], ['!none', true], ['app=web', true], ['app==db', false], ['app!=db', true], ['none!=x', true], ['app in (db, web)', true], ['app in (db)', false],
    ['app notin (db)', true], ['none notin (x)', true], ['tier>1', true], ['tier>2', false], ['tier<3', true], ['app>1', false], ['empty=', true], ['app=', false], ['app=web,tier=2,!none', true], ['app=web,tier=3', false], [' app = web ', true],
  ])('%j matches: %j', (selector, expected) => { expect(parseLabelSelector(selector).matches(labels)).toBe(expected) })

  test.each(['a b', '=x', 'a in (b', 'a in b', 'a=b=c', 'tier>x', ',', 'a,', '!', 'a=-'])('%j is refused as a bad request', selector => {
    expect(() => parseLabelSelector(selector)).toThrow(expect.objectContaining({ status: expect.objectContaining({ code: 400, reason: 'BadRequest' }) }))
  })
})

describe('field selectors', () => {
  const entry = new Entry('default', 'web', 1, Buffer.from('{"metadata":{"name":"web"},"spec":{"size":2,"on":true}}'))
  const matches = (selector: string): boolean => parseFieldSelector(selector, ['spec.size', 'spec.on', 'spec.none'], true).matches(entry)
  test.each([['', true], ['metadata.name=web', true], ['metadata.name!=web', false], ['metadata.namespace=default', true], ['spec.size=2', true], ['spec.size=3', false], ['spec.on=true,spec.size=2', true], ['spec.none=', true], ['spec.none=x', false]])('%j matches: %j', (selector, expected) => {
    expect(matches(selector)).toBe(expected)
  })
  test('name the one object that can match', () => { expect(parseFieldSelector('metadata.name=a,spec.x!=b', ['spec.x'], true)).toMatchObject({ name: 'a', namespace: undefined }) })
  test('on other fields, and what is no selector, are refused', () => {
    expect(() => matches('spec.other=1')).toThrow('field label not supported: spec.other')
    expect(() => matches('spec.size')).toThrow(/can't understand/)
  })
})

describe('JSON paths', () => {
  const object = { a: { b: ['x', 'y'], 'c.d': 1 }, list: [{ type: 'Ready', status: 'True', n: 2 }, { type: 'Other', status: 'False', n: 5 }] }
  test.each<[string, unknown[]]>([
    ['.a.b[0]', ['x']], ['.a.b[-1]', ['y']], ['.a.b[*]', ['x', 'y']], [".a['c.d']", [1]], ['.a.c\\.d', [1]], ['.list[?(@.type=="Ready")].status', ['True']], ["{.list[?(@.type=='Other')].status}", ['False']], ['.list[?(@.n>3)].type', ['Other']],
    ['.list[*].type', ['Ready', 'Other']], ['.none.x', []], ['.a.b.c', []], ['.list[?(@.none=="x")].type', []], ['$.a.b[1]', ['y']], ['.list[?(@.type!="Ready")].n', [5]],
  ])('%s leads to %j', (path, expected) => { expect(compilePath(path)(object)).toEqual(expected) })
  test.each(['a.b', '..a', '.a[', '.a[?(x)]'])('%s is refused', path => { expect(() => compilePath(path)).toThrow(SyntaxError) })
  test('a cell of another type than its column stays empty', () => {
    expect(columnOf({ name: 'x', type: 'integer', jsonPath: '.a' }).cell({ a: 'b' })).toBeNull()
    expect(columnOf({ name: 'x', type: 'string', jsonPath: '.a' }).cell({ a: { b: 1 } })).toBe('{"b":1}')
  })
})

test.each([[0, '0s'], [119, '119s'], [120, '2m'], [190, '3m10s'], [600, '10m'], [10_799, '179m'], [10_800, '3h'], [12_000, '3h20m'], [30_000, '8h'], [172_800, '2d'], [180_000, '2d2h'], [800_000, '9d'], [63_072_000, '2y'], [66_000_000, '2y33d']])('%d seconds are an age of %s', (seconds, expected) => {
  expect(ageOf('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:00:00Z') + seconds * 1_000)).toBe(expected)
})

describe('paths', () => {
  test.each<[string, unknown]>([
    ['/api/v1/namespaces', { group: '', version: 'v1', plural: 'namespaces', namespace: undefined, name: undefined }],
    ['/api/v1/namespaces/a', { plural: 'namespaces', name: 'a', namespace: undefined }],
    ['/api/v1/namespaces/a/status', { plural: 'namespaces', name: 'a', subresource: 'status' }],
    ['/api/v1/namespaces/a/secrets', { plural: 'secrets', namespace: 'a', name: undefined }],
    ['/apis/g.dev/v1/namespaces/a/things/b/status', { group: 'g.dev', plural: 'things', namespace: 'a', name: 'b', subresource: 'status' }],
    ['/apis/g.dev/v1/things/b', { plural: 'things', namespace: undefined, name: 'b' }],
    ['/apis/g.dev/v1/namespaces/a/things/..', { name: '..' }],
    ['/apis/g.dev/v1/namespaces/a/things/%2e%2e%2fx', { name: '..', subresource: 'x' }],
  ])('%s names a resource', (path, expected) => { expect(parseResourcePath(path)).toMatchObject(expected as object) })
  test.each(['/', '/api', '/api/v1', '/apis/g.dev/v1', '/version', '/api/v1//x', '/apis/g.dev/v1/a/b/c/d', '/apis/g.dev/v1/namespaces/a/b/c/d/e', '/api/v1/namespaces/%'])('%s names none', path => { expect(parseResourcePath(path)).toBeUndefined() })
})

describe('media types', () => {
  test('are tried in the order of their quality, then as given', () => {
    expect(parseAccept('a/b;q=0.1, c/d, e/f;q=0.5;v=1, g/h').map(({ type }) => type)).toEqual(['c/d', 'g/h', 'e/f', 'a/b'])
  })
  test('a table is given where it is offered, the object elsewhere', () => {
    const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'
    expect(negotiate(accept, false, ['Table'])).toMatchObject({ transform: 'Table', transformVersion: 'v1' })
    expect(negotiate(accept, false, []).transform).toBeUndefined()
  })
  test('protobuf alone is refused, protobuf before JSON is JSON', () => {
    expect(negotiate('application/vnd.kubernetes.protobuf,application/json', false, []).format).toBe('json')
    expect(() => negotiate('application/vnd.kubernetes.protobuf', false, [])).toThrow(expect.objectContaining({ status: expect.objectContaining({ code: 406 }) }))
  })
})

test('a continue token is read back as it was written, and anything else is refused', () => {
  const token = { revision: 17, after: { namespace: 'a', name: 'b' } }
  expect(decodeContinue(encodeContinue(token, true))).toEqual(token)
  expect(decodeContinue(encodeContinue({ revision: -1, after: { namespace: '', name: 'b' } }, false))).toEqual({ revision: -1, after: { namespace: '', name: 'b' } })
  for (const bad of ['x', Buffer.from('{"v":"meta.k8s.io/v2"}').toString('base64url'), Buffer.from('{"v":"meta.k8s.io/v1","rv":0,"start":"a"}').toString('base64url'), Buffer.from('{"v":"meta.k8s.io/v1","rv":5,"start":"../a"}').toString('base64url')]) {
    expect(() => decodeContinue(bad)).toThrow(/continue key is not valid/)
  }
})

test('versions are in the order that Kubernetes prefers them', () => {
  expect(['v1alpha1', 'foo', 'v2', 'v1beta2', 'v10', 'v1beta10', 'v1'].toSorted(compareVersionNames)).toEqual(['v10', 'v2', 'v1', 'v1beta10', 'v1beta2', 'v1alpha1', 'foo'])
})
