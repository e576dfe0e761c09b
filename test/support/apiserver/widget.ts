// A kind that has everything a schema can have, for recording what kube-apiserver makes of it.

import type { JsonObject, SchemaNode, ValidationRule } from '../../../apiserver/schema/index.ts'

const text: SchemaNode = { type: 'string' }
const integer: SchemaNode = { type: 'integer', format: 'int64' }
const ruled = (node: SchemaNode, ...rules: ValidationRule[]): SchemaNode => ({ ...node, 'x-kubernetes-validations': rules })
const bounded = (node: SchemaNode): SchemaNode => ({ ...node, maxLength: 64 })

const part: SchemaNode = {
  type: 'object',
  required: ['name'],
  properties: {
    name: bounded(text), protocol: { ...text, default: 'TCP' }, size: integer, fixed: ruled(bounded(text), { rule: 'self == oldSelf', message: 'is immutable' }), labels: { type: 'object', additionalProperties: text },
  },
}

const spec: SchemaNode = {
  type: 'object',
  properties: {
    title: { ...text, minLength: 2, maxLength: 8, pattern: '^[a-z]+$' },
    mode: { ...text, enum: ['On', 'Off'], default: 'On' },
    count: { ...integer, minimum: 1, maximum: 10 },
    odd: { type: 'integer', format: 'int32', exclusiveMinimum: true, minimum: 0, multipleOf: 3 },
    ratio: { type: 'number', exclusiveMaximum: true, maximum: 1 },
    flag: { type: 'boolean' },
    amount: { 'x-kubernetes-int-or-string': true },
    either: { 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] },
    nullable: { ...text, nullable: true },
    nulled: { ...text, nullable: true, default: 'given' },
    stamp: { ...text, format: 'date-time' },
    address: { ...text, format: 'ipv4' },
    nested: { type: 'object', default: { level: 1 }, properties: { level: integer, depth: { ...integer, default: 2 } } },
    names: { type: 'object', additionalProperties: { ...text, maxLength: 4 } },
    limited: { type: 'object', minProperties: 1, maxProperties: 2, additionalProperties: text },
    free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true, properties: { known: { type: 'object', properties: { a: integer } } } },
    template: { type: 'object', 'x-kubernetes-embedded-resource': true, 'x-kubernetes-preserve-unknown-fields': true },
    tags: { type: 'array', items: bounded(text), 'x-kubernetes-list-type': 'set', maxItems: 8 },
    parts: { type: 'array', items: part, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name', 'protocol'], maxItems: 8 },
    steps: { type: 'array', items: text, minItems: 1, maxItems: 3 },
    unique: { type: 'array', items: { type: 'object', properties: { id: integer } }, 'x-kubernetes-list-type': 'atomic' },
    ref: { type: 'object', 'x-kubernetes-map-type': 'atomic', properties: { name: text, namespace: text } },
    one: { type: 'object', properties: { a: text, b: text }, oneOf: [{ required: ['a'] }, { required: ['b'] }] },
    not: { ...text, not: { enum: ['no'] } },
    all: { ...text, allOf: [{ minLength: 2 }, { maxLength: 3 }] },
    'dashed-name': integer,
    namespace: bounded(text),
    rules: {
      type: 'object',
      properties: {
        min: integer, max: integer, list: { type: 'array', maxItems: 8, items: integer }, map: { type: 'object', maxProperties: 8, additionalProperties: integer }, text: bounded(text),
        once: ruled(bounded(text), { rule: 'self == oldSelf' }),
        first: ruled(integer, { rule: 'oldSelf.hasValue() || self == 1', optionalOldSelf: true, message: 'starts at 1' }),
        copies: ruled(integer, { rule: 'self < 3', reason: 'FieldValueDuplicate' }),
        needed: ruled(integer, { rule: 'self < 3', reason: 'FieldValueRequired', message: 'is needed' }),
        banned: ruled(integer, { rule: 'self < 3', reason: 'FieldValueForbidden', message: 'is banned' }),
        loose: ruled({ 'x-kubernetes-int-or-string': true }, { rule: 'self > 5' }),
        ordered: ruled({ type: 'array', items: bounded(text), 'x-kubernetes-list-type': 'set', maxItems: 8 }, { rule: 'self == oldSelf', message: 'stays' }),
        listed: ruled({ type: 'array', items: bounded(text), maxItems: 8 }, { rule: 'self == oldSelf', message: 'stays' }),
        until: ruled({ ...text, format: 'date-time' }, { rule: "self > timestamp('2025-01-01T00:00:00Z')", message: 'is long ago' }),
        wait: ruled({ ...text, format: 'duration' }, { rule: "self < duration('1h')", message: 'is long' }),
        blob: ruled({ ...text, format: 'byte', maxLength: 64 }, { rule: 'size(self) < 3', message: 'is large' }),
        double: ruled({ type: 'number' }, { rule: 'self / 2.0 > 1.0' }),
        found: ruled(bounded(text), { rule: "self.find('[0-9]+') == '' && self.matches('^(?i)[a-z]*$')", messageExpression: "'%s has %d digits'.format([self, size(self.findAll('[0-9]'))])" }),
        size: ruled(bounded(text), { rule: "isQuantity(self) && quantity(self).isLessThan(quantity('1Gi'))", messageExpression: "isQuantity(self) ? 'more than ' + self : 'no quantity'" }),
        ip: ruled(bounded(text), { rule: "ip(self).family() == 4 && cidr('10.0.0.0/8').containsIP(self)" }),
        link: ruled(bounded(text), { rule: "url(self).getHostname() == 'example.org'" }),
        said: ruled(bounded(text), { rule: "self != 'bad'", message: 'fixed', messageExpression: "'found ' + self" }),
        unsaid: ruled(bounded(text), { rule: "self != 'bad'", message: 'fixed', messageExpression: "self.substring(99)" }),
      },
      'x-kubernetes-validations': [
        { rule: '!has(self.min) || !has(self.max) || self.min <= self.max', message: 'min above max', fieldPath: '.max' },
        { rule: '!has(self.list) || self.list[3] > 0' },
        { rule: "!has(self.map) || self.map['a'] > 0", message: 'a is needed' },
        { rule: '!has(self.text) || 10 / size(self.text) > 0' },
      ],
    },
  },
  'x-kubernetes-validations': [
    { rule: "!has(self.dashed__dash__name) || self.dashed__dash__name < 5", message: 'dashed-name is 5 or more', fieldPath: "['dashed-name']" },
    { rule: "!has(self.__namespace__) || self.__namespace__ != 'kube-system'", message: 'namespace is taken' },
    { rule: "!has(self.amount) || (type(self.amount) == int ? self.amount < 100 : self.amount.endsWith('%'))" },
  ],
}

export const widgetSchema: SchemaNode = {
  type: 'object',
  properties: {
    spec,
    status: {
      type: 'object',
      properties: {
        phase: { ...text, enum: ['Ready', 'Failed'] },
        seen: { ...integer, default: -1 },
        conditions: { type: 'array', items: { type: 'object', required: ['type', 'status'], properties: { type: text, status: text } }, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] },
      },
      default: { seen: -1 },
    },
  },
}

/** The definition of a kind of a schema. */
export const definitionOf = (kind: string, openAPIV3Schema: SchemaNode): JsonObject => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: `${kind.toLowerCase()}s.vireo.test` },
  spec: {
    group: 'vireo.test',
    scope: 'Namespaced',
    names: { kind, listKind: `${kind}List`, plural: `${kind.toLowerCase()}s`, singular: kind.toLowerCase() },
    versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema }, subresources: { status: {} } }],
  },
} as unknown as JsonObject)
