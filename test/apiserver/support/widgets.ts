// A kind for the cases: every keyword of a schema, two versions, a status, columns and selectable fields.

const group = 'example.dev'

const text = { type: 'string' }

const schema = {
  type: 'object',
  description: 'A Widget is a thing to try a server with.',
  required: ['spec'],
  properties: {
    spec: {
      type: 'object',
      required: ['size'],
      properties: {
        size: { type: 'integer', minimum: 1, maximum: 10, description: 'How large it is.' },
        color: { type: 'string', enum: ['red', 'green', 'blue'], default: 'red' },
        code: { type: 'string', pattern: '^[a-z]+$', maxLength: 5 },
        fixed: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'is fixed once it is set' }] },
        ratio: { type: 'number' },
        on: { type: 'boolean' },
        when: { type: 'string', format: 'date-time' },
        amount: { 'x-kubernetes-int-or-string': true },
        nothing: { type: 'string', nullable: true },
        parts: {
          type: 'array', maxItems: 3, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'],
          items: { type: 'object', required: ['name'], properties: { name: text, count: { type: 'integer', default: 1 }, note: text } },
        },
        tags: { type: 'array', 'x-kubernetes-list-type': 'set', items: text },
        lines: { type: 'array', items: text },
        labels: { type: 'object', additionalProperties: text },
        whole: { type: 'object', 'x-kubernetes-map-type': 'atomic', properties: { a: text, b: text } },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
        inner: { type: 'object', properties: { deep: { type: 'object', properties: { a: text, b: { type: 'integer' } } } } },
      },
    },
    status: { type: 'object', properties: { phase: text, seen: { type: 'integer' }, conditions: { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'], items: { type: 'object', required: ['type'], properties: { type: text, status: text } } } } },
  },
  'x-kubernetes-validations': [{ rule: "!has(self.spec.ratio) || self.spec.ratio < 100.0", message: 'the ratio must be below 100', fieldPath: '.spec.ratio', reason: 'FieldValueInvalid' }],
}

const version = (name: string, storage: boolean): object => ({
  name, served: true, storage, schema: { openAPIV3Schema: schema }, subresources: { status: {} },
  additionalPrinterColumns: [
    { name: 'Size', type: 'integer', jsonPath: '.spec.size' }, { name: 'Phase', type: 'string', jsonPath: '.status.phase', description: 'Where it is.' },
    { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' }, { name: 'Color', type: 'string', priority: 1, jsonPath: '.spec.color' },
  ],
  selectableFields: [{ jsonPath: '.spec.color' }, { jsonPath: '.spec.size' }],
})

const definition = (kind: string, plural: string, scope: string): object => ({
  apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: `${plural}.${group}` },
  spec: { group, scope, names: { kind, plural, shortNames: [plural.slice(0, 3)], categories: ['toys'] }, versions: [version('v1', true), version('v1beta1', false)] },
})

export const definitions = [definition('Widget', 'widgets', 'Namespaced'), definition('Gadget', 'gadgets', 'Cluster')]

export const widgets = (namespace = 'default', name?: string, subresource?: string): string =>
  ['/apis', group, 'v1', 'namespaces', namespace, 'widgets', ...name === undefined ? [] : [name], ...subresource === undefined ? [] : [subresource]].join('/')

export const gadgets = (name?: string): string => ['/apis', group, 'v1', 'gadgets', ...name === undefined ? [] : [name]].join('/')

export const widget = (name: string, spec: object = { size: 1 }, metadata: object = {}): Record<string, unknown> =>
  ({ apiVersion: `${group}/v1`, kind: 'Widget', metadata: { name, ...metadata }, spec })
export const gadget = (name: string, spec: object = { size: 1 }, metadata: object = {}): Record<string, unknown> => ({ ...widget(name, spec, metadata), kind: 'Gadget' })
