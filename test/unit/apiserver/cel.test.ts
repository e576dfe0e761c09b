import { describe, expect, test } from 'vitest'
import { checkSchema, compileSchema, validateCreate, validateUpdate, type Json, type JsonObject, type ResourceRules, type SchemaNode } from '../../../apiserver/schema/index.ts'

const rulesFor = (self: SchemaNode): ResourceRules => ({
  schema: compileSchema({ type: 'object', properties: { self } }), apiVersion: 'v1', kind: 'Probe', namespaced: false, statusSubresource: false,
})
const objectOf = (self: Json): JsonObject => ({ apiVersion: 'v1', kind: 'Probe', metadata: { name: 'probe', resourceVersion: '1' }, self })

/** What a rule has against a value: [] where it holds. */
const verdict = (rule: string, value: Json, schema: SchemaNode): string[] =>
  validateCreate(rulesFor({ ...schema, 'x-kubernetes-validations': [{ rule, message: 'broken' }] }), objectOf(value)).map(({ message }) => message.replace(/^Invalid value(: .*)?: /, ''))

const text: SchemaNode = { type: 'string' }
const expectHolds = (rule: string, value: Json = 'x', schema: SchemaNode = text): void => expect(verdict(rule, value, schema), rule).toEqual([])

describe('libraries', () => {
  test.each([
    // Kubernetes' documentation of each library: what it says holds.
    "quantity('200M').compareTo(quantity('0.2G')) == 0", "quantity('50Mi').isGreaterThan(quantity('50M'))", "quantity('50M').isLessThan(quantity('100M'))", "quantity('50k').add(quantity('20k')) == quantity('70k')",
    "quantity('50k').add(20) == quantity('50020')", "quantity('50k').sub(20000) == quantity('30k')", "quantity('50k').asInteger() == 50000", "!quantity('9999999999999999999999999999999999999G').isInteger()", "quantity('-1').sign() == -1",
    "isQuantity('1.3Gi')", "!isQuantity('1,3G')", "!isQuantity('200K')", "!isQuantity('Mi')", "quantity('1500m').asApproximateFloat() == 1.5",
    "isIP('127.0.0.1')", "isIP('::1')", "!isIP('127.0.0.256')", "!isIP(':::1')", "!isIP('::ffff:1.2.3.4')", "!isIP('fe80::1%eth0')", "ip('::1').family() == 6", "ip.isCanonical('2001:db8::abcd')", "!ip.isCanonical('2001:DB8::ABCD')", "!ip.isCanonical('2001:db8::0:0:0:abcd')",
    "ip('127.0.0.1').isLoopback()", "ip('0.0.0.0').isUnspecified()", "ip('224.0.0.1').isLinkLocalMulticast()", "ip('169.254.169.254').isLinkLocalUnicast()", "ip('fe80::1').isLinkLocalUnicast()", "ip('192.168.0.1').isGlobalUnicast()", "!ip('255.255.255.255').isGlobalUnicast()",
    "ip('2001:db8::1') == ip('2001:0db8:0::1')", "string(ip('2001:0db8:0::1')) == '2001:db8::1'",
    "isCIDR('192.168.0.0/16')", "!isCIDR('192.168.0.0')", "!isCIDR('192.168.0.0/33')", "cidr('192.168.0.0/24').containsIP('192.168.0.1')", "!cidr('192.168.0.0/24').containsIP(ip('192.168.1.1'))", "cidr('192.168.0.0/16').containsCIDR('192.168.10.0/24')", "!cidr('192.168.10.0/24').containsCIDR(cidr('192.168.0.0/16'))",
    "cidr('192.168.1.7/24').masked() == cidr('192.168.1.0/24')", "cidr('192.168.0.0/16').prefixLength() == 16", "string(cidr('::1/128').ip()) == '::1'",
    "url('https://example.com:80/').getHost() == 'example.com:80'", "url('https://[::1]:80/').getHostname() == '::1'", "url('https://example.com/').getPort() == ''", "url('/path').getScheme() == ''", "url('https://example.com/path with spaces/').getEscapedPath() == '/path%20with%20spaces/'",
    "url('https://example.com/path?k1=a&k2=b&k2=c').getQuery() == {'k1': ['a'], 'k2': ['b', 'c']}", "isURL('/absolute-path')", "!isURL('https://a:b:c/')", "!isURL('../relative-path')", "!isURL('')",
    "'abc 123'.find('[0-9]+') == '123'", "'abc'.find('[0-9]') == ''", "'123 abc 456'.findAll('[0-9]+') == ['123', '456']", "'123 abc 456'.findAll('[0-9]+', 1) == ['123']", "'abc'.matches('^(?i)ABC$')", "!'abc'.matches('^b')",
    '[1, 3].sum() == 4', '[1.0, 3.0].sum() == 4.0', '[].sum() == 0', '[1, 3].min() == 1', '[1, 3].max() == 3', "['a', 'b', 'b'].isSorted()", '![2.0, 1.0].isSorted()', '[1, 2, 2, 3].indexOf(2) == 1', "['a', 'b', 'b'].lastIndexOf('b') == 2", '[1.0].indexOf(1.1) == -1',
    'sets.contains([1, 2], [2])', 'sets.equivalent([1, 2], [2, 1, 1])', '!sets.intersects([1], [2])',
    "'a-b-c'.replace('-', '+') == 'a+b+c'", "'a-b-c'.replace('-', '+', 1) == 'a+b-c'", "'abc'.charAt(1) == 'b'", "'abc'.reverse() == 'cba'", "'a,b'.split(',') == ['a', 'b']", "'ÄB'.lowerAscii() == 'Äb'", "'%s is %d of %.1f'.format(['x', 3, 1.25]) == 'x is 3 of 1.2' || '%s is %d of %.1f'.format(['x', 3, 1.25]) == 'x is 3 of 1.3'",
    "'%s'.format([[1, 'a']]) == '[1, a]'", "'%x'.format([255]) == 'ff'", "'%b'.format([5]) == '101'", "duration('1h') + duration('30m') == duration('90m')", "string(duration('90s')) == '90s'", "timestamp('2026-01-01T00:00:00Z').getFullYear() == 2026",
    'optional.none().orValue(5) == 5', "{'a': 1}[?'b'].orValue(2) == 2", 'cel.bind(x, 2, x * x) == 4', "format.dns1123Label().validate('a-b').orValue([]) == []", "format.dns1123Label().validate('A').hasValue()", "format.named('uuid').hasValue()", "!format.named('none').hasValue()",
    'size("é😀") == 2', 'type(1) == int', '1 < 1.5', '[1, 2].exists(x, x > 1) && [1, 2].all(x, x > 0) && [1, 2].exists_one(x, x == 1)', '[1, 2].map(x, x * 2) == [2, 4]', '[1, 2].filter(x, x > 1) == [2]',
  ])('%s', rule => expectHolds(rule))
})

describe('values by their schema', () => {
  test('an integer is an integer, and a number a double', () => {
    expectHolds('type(self) == int', 5, { type: 'integer' })
    expectHolds('type(self) == double', 5, { type: 'number' })
    expectHolds('self / 2 == 2', 5, { type: 'integer' })
    expectHolds('self / 2.0 == 2.5', 5, { type: 'number' })
  })

  test('int-or-string is what it is', () => {
    const schema: SchemaNode = { 'x-kubernetes-int-or-string': true }
    expectHolds('type(self) == int && self == 5', 5, schema)
    expectHolds("type(self) == string && self == '5'", '5', schema)
  })

  test('formats are times, durations and bytes', () => {
    expectHolds("self > timestamp('2025-01-01T00:00:00Z')", '2026-01-01T00:00:00Z', { type: 'string', format: 'date-time' })
    expectHolds("self == duration('90m')", '1h30m', { type: 'string', format: 'duration' })
    expectHolds("self == b'abc'", 'YWJj', { type: 'string', format: 'byte' })
  })

  test('maps by their keys, objects by their fields', () => {
    expectHolds("'a b' in self && self['a b'] == 1 && self.all(k, self[k] > 0)", { 'a b': 1, constructor: 2 }, { type: 'object', additionalProperties: { type: 'integer' } })
    const schema: SchemaNode = { type: 'object', properties: { 'a-b': text, 'c.d/e': text, f__g: text, in: text, 'ü': text } }
    expectHolds("self.a__dash__b == '1' && self.c__dot__d__slash__e == '2' && self.f__underscores__g == '3' && self.__in__ == '4'", { 'a-b': '1', 'c.d/e': '2', f__g: '3', in: '4', ü: '5' }, schema)
    expect(verdict('has(self.constructor)', {}, { type: 'object', properties: { constructor: text } })).toEqual(['broken'])
  })

  test('of metadata, rules see the names', () => {
    const rules = { ...rulesFor(text), schema: compileSchema({ type: 'object', properties: { self: text }, 'x-kubernetes-validations': [{ rule: "self.metadata.name == 'probe' && self.kind == 'Probe' && !has(self.metadata.labels)", message: 'no' }] }) }
    const object = objectOf('x')
    expect(validateCreate(rules, { ...object, metadata: { ...object.metadata as JsonObject, labels: { a: 'b' } } })).toEqual([])
  })

  test('null is not judged where it may be', () => {
    expectHolds('self > 5', null, { type: 'integer', nullable: true })
  })
})

describe('what cannot be evaluated', () => {
  const object: SchemaNode = { type: 'object', properties: { a: { type: 'integer' } } }
  test.each([
    ['self.a == 1', {}, object, 'no such key: a evaluating rule: broken'],
    ['self[3] == 1', [1], { type: 'array', items: { type: 'integer' } }, 'index out of bounds: 3 evaluating rule: broken'],
    ['1 / self > 0', 0, { type: 'integer' }, 'division by zero evaluating rule: broken'],
    ['self * self > 0', 2 ** 40, { type: 'integer' }, 'integer overflow evaluating rule: broken'],
    ["dyn(self) + 1 == 2", 'x', text, "'no such overload': call arguments did not match a supported operator, function or macro signature for rule: broken"],
    ["ip(self).family() == 4", '1.2.3', text, 'IP Address "1.2.3" parse error during conversion from string: ParseAddr("1.2.3"): IPv4 address too short evaluating rule: broken'],
  ] as [string, Json, SchemaNode, string][])('%s', (rule, value, schema, expected) => {
    expect(validateCreate(rulesFor({ ...schema, 'x-kubernetes-validations': [{ rule, message: 'broken' }] }), objectOf(value)).map(({ message }) => message)).toEqual([`Invalid value: ${JSON.stringify(schema.type)}: ${expected}`])
  })

  test.each(['self.', 'self == ', 'nothing > 1', "self.matches('a', 'b')", "nofunction(self)"])('a rule that does not compile is refused with its place: %s', rule => {
    const complaints = checkSchema({ type: 'object', properties: { self: { ...text, 'x-kubernetes-validations': [{ rule }] } } })
    expect(complaints).toEqual([{ reason: 'FieldValueInvalid', field: 'openAPIV3Schema.properties[self].x-kubernetes-validations[0].rule', message: expect.stringMatching(/: compilation failed: ERROR: /) as string }])
  })

  test('a pattern takes linear time, whatever the text', () => {
    const begin = performance.now()
    expectHolds("!self.matches('^(a+)+$')", `${'a'.repeat(5000)}!`)
    expect(performance.now() - begin).toBeLessThan(2000)
  })
})

describe('transitions', () => {
  const entry: SchemaNode = { type: 'object', properties: { name: text, value: { ...text, 'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'stays' }] } } }
  const list: SchemaNode = { type: 'array', items: entry, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] }
  const change = (schema: SchemaNode, from: Json, to: Json): string[] => validateUpdate(rulesFor(schema), objectOf(to), objectOf(from)).map(({ field, message }) => `${field}: ${message}`)

  test('an entry of a map is compared with the one of its key, wherever it stands', () => {
    expect(change(list, [{ name: 'a', value: '1' }, { name: 'b', value: '2' }], [{ name: 'b', value: '2' }, { name: 'a', value: '1' }, { name: 'c', value: '3' }])).toEqual([])
    expect(change(list, [{ name: 'a', value: '1' }, { name: 'b', value: '2' }], [{ name: 'b', value: '3' }])).toEqual(['self[0].value: Invalid value: "3": stays'])
  })

  test('an entry of another list has no past', () => {
    expect(change({ type: 'array', items: entry }, [{ name: 'a', value: '1' }], [{ name: 'a', value: '2' }])).toEqual([])
  })

  test('a set or map in another order is the same', () => {
    const stays = { rule: 'self == oldSelf', message: 'stays' }
    expect(change({ type: 'array', items: text, 'x-kubernetes-list-type': 'set', 'x-kubernetes-validations': [stays] }, ['a', 'b'], ['b', 'a'])).toEqual([])
    expect(change({ type: 'array', items: text, 'x-kubernetes-list-type': 'atomic', 'x-kubernetes-validations': [stays] }, ['a', 'b'], ['b', 'a'])).toEqual(['self: Invalid value: stays'])
  })

  test('what was wrong and did not change is let through, what changed is not', () => {
    const schema: SchemaNode = { type: 'object', properties: { a: { type: 'integer', maximum: 5, 'x-kubernetes-validations': [{ rule: 'self < 3', message: 'too much' }] }, b: text } }
    expect(change(schema, { a: 9, b: 'x' }, { a: 9, b: 'y' })).toEqual([])
    expect(change(schema, { a: 9, b: 'x' }, { a: 8, b: 'x' })).toEqual(['self.a: Invalid value: 8: self.a in body should be less than or equal to 5', 'self.a: Invalid value: 8: too much'])
  })
})
