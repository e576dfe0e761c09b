// Requests whose answers are recorded from kube-apiserver (capture.ts) and expected of the API's own core.

import type { Json, JsonObject, SchemaNode, ValidationRule } from '../../../apiserver/schema/index.ts'

type Verb = 'create' | 'delete' | 'put' | 'merge' | 'json' | 'strategic' | 'apply'

/** One request. `put` sends the live object with `body` merged into it; `text` is sent as it is, in place of `body`. */
export interface Step { verb: Verb; body?: Json; text?: string; query?: Record<string, string>; status?: boolean }
/** Requests to one object, which is deleted afterwards. */
export interface Scenario { name: string; kind: string; steps: Step[] }

const widget = (spec: JsonObject, metadata: JsonObject = {}): JsonObject => ({ apiVersion: 'vireo.test/v1', kind: 'Widget', metadata: { name: 'probe', ...metadata }, spec })
const create = (body: JsonObject, query?: Record<string, string>): Step => ({ verb: 'create', body, query })
const strict = { fieldValidation: 'Strict' }
const by = (fieldManager: string, force = false): Record<string, string> => ({ fieldManager, ...force ? { force: 'true' } : {} })
const apply = (manager: string, spec: JsonObject, force = false, metadata: JsonObject = {}): Step => ({ verb: 'apply', body: widget(spec, metadata), query: by(manager, force) })

/** A create of a Widget: one answer each. */
const creates: [name: string, spec: JsonObject][] = [
  ['an empty spec', {}],
  ['a text too short', { title: 'a' }], ['a text too long', { title: 'abcdefghi' }], ['a text off its pattern', { title: 'AB"\n' }],
  ['a text that is a number', { title: 5 }], ['a text that is an object', { title: {} }], ['a text that is null', { title: null }],
  ['none of an enumeration', { mode: 'Maybe' }], ['a number for an enumeration', { mode: 3 }], ['null for an enumeration with a default', { mode: null }],
  ['below the minimum', { count: 0 }], ['above the maximum', { count: 11 }], ['a fraction for an integer', { count: 1.5 }], ['a text for an integer', { count: '5' }], ['a whole double for an integer', { count: 2.0 }],
  ['at the exclusive minimum', { odd: 0 }], ['no multiple', { odd: 4 }], ['more than 32 bits', { odd: 3000000000 }], ['at the exclusive maximum', { ratio: 1 }], ['a text for a number', { ratio: 'x' }], ['an integer for a number', { ratio: 0 }],
  ['a text for a flag', { flag: 'true' }], ['an object for int-or-string', { amount: {} }], ['a flag for int-or-string', { either: true }], ['a null for int-or-string', { amount: null }], ['a double for int-or-string', { amount: 1.5 }],
  ['null where it may be', { nullable: null }], ['null where it may be and a default is', { nulled: null }],
  ['no date-time', { stamp: 'yesterday' }], ['a date-time', { stamp: '2026-01-01T00:00:00Z' }], ['no address', { address: '1.2.3' }],
  ['an empty object with a default inside', { nested: {} }], ['null for an object with a default', { nested: null }], ['a list for an object', { nested: [] }],
  ['a long value of a map', { names: { a: 'abcde' } }], ['null in a map', { names: { a: null } }], ['too few properties', { limited: {} }], ['too many properties', { limited: { a: '1', b: '2', c: '3' } }],
  ['unknown fields where they are kept', { free: { x: 1, known: { a: 1, b: 2 } } }], ['an embedded object without a kind', { template: { spec: { x: 1 } } }],
  ['an embedded object with bad metadata', { template: { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x', labels: { 'a b': 'c' }, other: 1 } } }],
  ['a set with a value twice', { tags: ['a', 'b', 'a', 'a'] }], ['a map with a key twice', { parts: [{ name: 'a' }, { name: 'a', size: 1 }] }], ['a map without a key', { parts: [{ size: 1 }] }],
  ['too few items', { steps: [] }], ['too many items', { steps: ['a', 'b', 'c', 'd'] }], ['a null item', { steps: ['a', null] }], ['an object for a list', { steps: {} }],
  ['none of two', { one: {} }], ['both of two', { one: { a: 'x', b: 'y' } }], ['what must not be', { not: 'no' }], ['one of all', { all: 'abcd' }], ['all of all', { all: 'abc' }],
  ['an unknown field', { titel: 'x', nested: { level: 1, more: 2 } }],
  ['a rule across fields', { rules: { min: 5, max: 1 } }], ['an index that is not there', { rules: { list: [1] } }], ['a key that is not there', { rules: { map: { b: 1 } } }], ['a division by zero', { rules: { text: '' } }],
  ['a rule of a reason', { rules: { copies: 5, needed: 5, banned: 5 } }], ['a message that is computed', { rules: { said: 'bad' } }], ['a message that cannot be computed', { rules: { unsaid: 'bad' } }],
  ['a rule about the past, at the start', { rules: { first: 2, once: 'a' } }], ['an escaped name', { 'dashed-name': 7 }], ['a reserved name', { namespace: 'kube-system' }], ['int-or-string in a rule', { amount: '5' }], ['int-or-string in a rule, as a number', { amount: 500 }],
  ['an operator that does not fit', { rules: { loose: 'x' } }], ['a time that is wrong', { rules: { until: '2020-01-01T00:00:00Z' } }], ['a duration that is wrong', { rules: { wait: '90m' } }], ['bytes that are wrong', { rules: { blob: 'YWJj' } }],
  ['values of formats that hold', { rules: { until: '2026-01-01T00:00:00Z', wait: '1m30s', blob: 'YWI=', double: 5, found: 'AbC', size: '1Mi', ip: '10.1.2.3', link: 'https://example.org:80/x' } }],
  ['a double that is wrong', { rules: { double: 1.5 } }], ['a whole double that is wrong', { rules: { double: 1 } }], ['a text with digits', { rules: { found: 'a1b22' } }], ['a large quantity', { rules: { size: '2Gi' } }], ['no quantity in a rule', { rules: { size: 'x' } }],
  ['no address in a rule', { rules: { ip: '10.0.0.256' } }], ['another network', { rules: { ip: '11.0.0.1' } }], ['no URL in a rule', { rules: { link: '../x' } }], ['another host', { rules: { link: 'https://example.com' } }],
  ['rules that wait for the shape', { title: 'abcdefghi', namespace: 'kube-system' }],
]

const metas: [name: string, metadata: JsonObject][] = [
  ['a name with capitals', { name: 'Probe' }], ['a name with a slash', { name: 'a/b' }], ['a long name', { name: 'a'.repeat(254) }], ['no name', { name: '' }],
  ['a label key of two slashes', { labels: { 'a/b/c': 'd' } }], ['a label value with a space', { labels: { a: 'b c' } }], ['a long label value', { labels: { a: 'x'.repeat(64) } }], ['a label key without a name', { labels: { 'a/': 'b' } }], ['a label prefix with capitals', { labels: { 'A/b': 'c' } }],
  ['an annotation with a bad key', { annotations: { 'a b': 'c' } }], ['large annotations', { annotations: { a: 'x'.repeat(262144) } }],
  ['a bad finalizer', { finalizers: ['a b'] }], ['two finalizers that exclude each other', { finalizers: ['orphan', 'foregroundDeletion'] }],
  ['an owner without a uid', { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'x', uid: '' }] }], ['two controllers', { ownerReferences: ['a', 'b'].map(name => ({ apiVersion: 'v1', kind: 'ConfigMap', name, uid: name, controller: true })) }],
  ['a number as a label', { labels: { a: 5 } }], ['an unknown field', { extra: 1, labels: { a: 'b' } }], ['an object for finalizers', { finalizers: {} }], ['empty collections', { labels: {}, annotations: {}, finalizers: [], ownerReferences: [] }],
  ['system fields', { uid: 'mine', generation: 7, deletionTimestamp: '2026-01-01T00:00:00Z', selfLink: '/x' }],
]

const full: JsonObject = { title: 'abc', tags: ['a', 'b'], parts: [{ name: 'a', size: 1 }, { name: 'b', size: 2 }], names: { x: '1' }, ref: { name: 'r' }, steps: ['one'] }

const updates: Scenario[] = [
  ['a change of the spec', [create(widget(full)), { verb: 'put', body: { spec: { title: 'xyz' } } }]],
  ['no change', [create(widget(full)), { verb: 'put', body: {} }]],
  ['a change of metadata only', [create(widget(full)), { verb: 'put', body: { metadata: { labels: { a: 'b' } } } }]],
  ['a status through the object', [create(widget(full)), { verb: 'put', body: { status: { phase: 'Ready' }, spec: { title: 'xyz' } } }]],
  ['a status through its subresource', [create(widget(full)), { verb: 'put', status: true, body: { status: { phase: 'Ready' }, spec: { title: 'xyz' }, metadata: { labels: { a: 'b' } } } }, { verb: 'put', body: { spec: { title: 'abcd' } } }]],
  ['a bad status', [create(widget(full)), { verb: 'merge', status: true, body: { status: { phase: 'Bad', conditions: [{ type: 'A', status: 'x' }, { type: 'A', status: 'y' }, { type: 5 }] } } }]],
  ['a status of another type', [create(widget(full)), { verb: 'merge', status: true, body: { status: 'x' } }]],
  ['an update without a version', [create(widget(full)), { verb: 'put', body: { metadata: { resourceVersion: null } } }]],
  ['a decremented generation', [create(widget(full)), { verb: 'put', body: { metadata: { generation: 0, creationTimestamp: '2020-01-01T00:00:00Z' } } }]],
  ['a bad label at an update', [create(widget(full)), { verb: 'merge', body: { metadata: { labels: { 'a b': 'c' } } } }]],
  ['a list that got a key twice', [create(widget(full)), { verb: 'merge', body: { spec: { tags: ['a', 'a'] } } }]],
  ['a transition rule', [create(widget({ rules: { once: 'a', first: 1 } })), { verb: 'merge', body: { spec: { rules: { once: 'b', first: 2 } } } }]],
  ['a set in another order', [create(widget({ rules: { ordered: ['a', 'b'] } })), { verb: 'merge', body: { spec: { rules: { ordered: ['b', 'a'] } } } }]],
  ['a list in another order', [create(widget({ rules: { listed: ['a', 'b'] } })), { verb: 'merge', body: { spec: { rules: { listed: ['b', 'a'] } } } }]],
  ['a finalizer while it goes', [create(widget({}, { finalizers: ['vireo.test/a'] })), { verb: 'delete' }, { verb: 'merge', body: { metadata: { finalizers: ['vireo.test/b', 'vireo.test/a'] } } }, { verb: 'merge', body: { metadata: { deletionTimestamp: null } } }]],
  ['a transition rule of a list entry', [create(widget({ parts: [{ name: 'a', fixed: 'x' }, { name: 'b', fixed: 'y' }] })), { verb: 'merge', body: { spec: { parts: [{ name: 'b', fixed: 'z' }, { name: 'c', fixed: 'new' }] } } }]],
].map(([name, steps]) => ({ name: name as string, kind: 'Widget', steps: steps as Step[] }))

const patches: Scenario[] = [
  ['a test that fails', [{ op: 'test', path: '/spec/title', value: 'x' }]], ['a test that holds', [{ op: 'test', path: '/spec/title', value: 'abc' }, { op: 'replace', path: '/spec/title', value: 'new' }]],
  ['a test of what is absent', [{ op: 'test', path: '/spec/flag', value: true }]], ['a test of what is absent for null', [{ op: 'test', path: '/spec/flag', value: null }]],
  ['remove of what is absent', [{ op: 'remove', path: '/spec/flag' }]], ['remove below what is absent', [{ op: 'remove', path: '/spec/rules/min' }]], ['remove of an index too far', [{ op: 'remove', path: '/spec/tags/9' }]], ['remove of an entry', [{ op: 'remove', path: '/spec/tags/0' }]],
  ['replace of what is absent', [{ op: 'replace', path: '/spec/flag', value: true }]], ['replace below what is absent', [{ op: 'replace', path: '/spec/rules/min', value: 1 }]],
  ['add of a field', [{ op: 'add', path: '/spec/flag', value: true }]], ['add below what is absent', [{ op: 'add', path: '/spec/rules/min', value: 1 }]], ['add at the end', [{ op: 'add', path: '/spec/tags/-', value: 'z' }]], ['add too far', [{ op: 'add', path: '/spec/tags/9', value: 'z' }]], ['add at no index', [{ op: 'add', path: '/spec/tags/x', value: 'z' }]],
  ['move', [{ op: 'move', from: '/spec/names/x', path: '/spec/names/y' }]], ['move of what is absent', [{ op: 'move', from: '/spec/names/q', path: '/spec/names/y' }]], ['copy', [{ op: 'copy', from: '/spec/tags/0', path: '/spec/names/z' }]], ['copy of what is absent', [{ op: 'copy', from: '/spec/flag', path: '/spec/names/z' }]],
  ['an unknown operation', [{ op: 'frob', path: '/spec' }]], ['no list', { op: 'add' }], ['an escaped name', [{ op: 'add', path: '/metadata/annotations', value: {} }, { op: 'add', path: '/metadata/annotations/a~1b', value: 'c' }]], ['a field of a strange name', [{ op: 'add', path: '/spec/names/constructor', value: '1' }]],
  ['a null value', [{ op: 'replace', path: '/spec/title', value: null }]],
  ['an unknown field', [{ op: 'add', path: '/spec/titel', value: 'x' }]],
].map(([name, body]) => ({ name: `json patch: ${name as string}`, kind: 'Widget', steps: [create(widget(full)), { verb: 'json', body }] }))

const merges: Scenario[] = [
  ['fields', { spec: { title: 'new', names: { x: null, y: '2' }, tags: ['c'] } }], ['a list as patch', []], ['a spec that goes', { spec: null }], ['a kind that changes', { kind: 'Gadget' }], ['a name that changes', { metadata: { name: 'other' } }], ['an unknown field', { spec: { titel: 'x' } }],
  ['nothing', {}],
].map(([name, body]) => ({ name: `merge patch: ${name as string}`, kind: 'Widget', steps: [create(widget(full)), { verb: 'merge', body }] }))

const applies: Scenario[] = [
  ['create', [apply('one', full)]],
  ['twice the same', [apply('one', full), apply('one', full)]],
  ['a field less', [apply('one', full), apply('one', { title: 'abc' })]],
  ['an entry less', [apply('one', full), apply('one', { ...full, tags: ['b'], parts: [{ name: 'b', size: 2 }] })]],
  ['two managers, an entry each', [apply('one', { tags: ['a'], parts: [{ name: 'a' }] }), apply('two', { tags: ['b'], parts: [{ name: 'b', size: 5 }] }), apply('one', {})]],
  ['the same value by two', [apply('one', { title: 'abc' }), apply('two', { title: 'abc' }), apply('one', {}), apply('two', {})]],
  ['another value', [apply('one', { title: 'abc' }), apply('two', { title: 'xyz' })]],
  ['other values', [apply('one', { title: 'abc', parts: [{ name: 'a', size: 1 }] }), apply('two', { title: 'xyz', parts: [{ name: 'a', size: 2 }] })]],
  ['another value by force', [apply('one', { title: 'abc', count: 1 }), apply('two', { title: 'xyz' }, true), apply('one', { title: 'abc', count: 1 })]],
  ['an atomic map', [apply('one', { ref: { name: 'a' } }), apply('two', { ref: { name: 'a', namespace: 'b' } })]],
  ['an atomic list', [apply('one', { steps: ['a'] }), apply('one', { steps: ['b', 'c'] })]],
  ['order of entries', [apply('one', { tags: ['a', 'b', 'c'] }), apply('two', { tags: ['d', 'b'] }), apply('one', { tags: ['c', 'a', 'b'] })]],
  ['after a create', [{ ...create(widget(full)), query: by('maker') }, apply('one', { title: 'abc' }), apply('one', { title: 'xyz' })]],
  ['after an update', [apply('one', full), { verb: 'merge', body: { spec: { title: 'xyz', tags: ['b', 'c'] } }, query: by('editor') }, apply('one', full)]],
  ['an update that removes', [apply('one', full), { verb: 'json', body: [{ op: 'remove', path: '/spec/title' }], query: by('editor') }]],
  ['the status', [apply('one', full), { verb: 'apply', status: true, query: by('two'), body: { apiVersion: 'vireo.test/v1', kind: 'Widget', metadata: { name: 'probe' }, status: { phase: 'Ready', conditions: [{ type: 'A', status: 'True' }] } } }, { verb: 'merge', status: true, query: by('three'), body: { status: { phase: 'Failed' } } }]],
  ['the status through the object', [{ verb: 'apply', query: by('one'), body: { ...widget({ title: 'abc' }), status: { phase: 'Ready' } } }]],
  ['labels and finalizers', [apply('one', {}, false, { labels: { a: 'b' }, finalizers: ['vireo.test/x'], annotations: { k: 'v' } }), apply('one', {}, false, { labels: { c: 'd' } })]],
  ['an owner', [apply('one', {}, false, { ownerReferences: [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'none', uid: '00000000-0000-0000-0000-000000000001' }] }), apply('one', {})]],
  ['an unknown field', [apply('one', { titel: 'x' })]], ['a wrong type', [apply('one', { title: 5 })]], ['a wrong number', [apply('one', { count: 'x' })]], ['a wrong flag', [apply('one', { flag: 'x' })]], ['a wrong map', [apply('one', { nested: 'x' })]], ['a wrong list', [apply('one', { tags: 'x' })]],
  ['an entry twice', [apply('one', { parts: [{ name: 'a' }, { name: 'a' }] })]], ['a value twice', [apply('one', { tags: ['a', 'a'] })]], ['an entry without its key', [apply('one', { parts: [{ size: 1 }] })]], ['a null entry', [apply('one', { parts: [null] })]],
  ['managedFields', [{ verb: 'apply', query: by('one'), body: widget({}, { managedFields: [] }) }]], ['managedFields with an entry', [{ verb: 'apply', query: by('one'), body: widget({}, { managedFields: [{ manager: 'x' }] }) }]],
  ['another version', [{ verb: 'apply', query: by('one'), body: { ...widget({}), apiVersion: 'vireo.test/v2' } }]],
  ['null', [apply('one', { title: null, nested: null, mode: null, nullable: null })]],
  ['empty things', [apply('one', { names: {}, tags: [], nested: {} })]],
  ['free fields', [apply('one', { free: { x: { y: 1 }, l: [1], known: { a: 1 } } }), apply('two', { free: { x: { z: 1 } } }), apply('one', { free: { x: {} } })]],
  ['a reset of managers', [apply('one', { title: 'abc' }), { verb: 'merge', body: { metadata: { managedFields: [{}] } } }, apply('two', { title: 'xyz' })]],
  ['a map entry by two', [apply('one', { names: { a: '1' } }), apply('two', { names: { b: '2' } }), apply('one', { names: {} }), apply('two', {})]],
  ['kubectl after client-side apply', [
    { verb: 'create', query: by('kubectl-client-side-apply'), body: widget({ title: 'abc', count: 1 }, { annotations: { 'kubectl.kubernetes.io/last-applied-configuration': `${JSON.stringify({ apiVersion: 'vireo.test/v1', kind: 'Widget', metadata: { annotations: {}, name: 'probe', namespace: 'default' }, spec: { count: 1, title: 'abc' } })}\n` } }) },
    apply('kubectl', { title: 'xyz', count: 2 }),
  ]],
  ['an emptied list', [apply('one', { tags: ['a'] }), apply('one', { tags: [] }), apply('one', { tags: [] })]],
  ['an emptied list beside another field', [apply('one', { tags: ['a'], title: 'abc' }), apply('one', { tags: [], title: 'abc' }), apply('one', { tags: [], title: 'abc' })]],
  ['an emptied map', [apply('one', { names: { a: '1' } }), apply('one', { names: {} }), apply('one', { names: {} })]],
  ['an emptied free map', [apply('one', { free: { a: { b: 1 } } }), apply('one', { free: { a: {} } }), apply('one', { free: {} }), apply('one', {})]],
  ['many updaters', [create(widget({ count: 1 })), ...Array.from({ length: 12 }, (_, i): Step => ({ verb: 'merge', query: by(`m${i + 10}`), body: { metadata: { labels: { [`l${i}`]: 'x' } } } }))]],
].map(([name, steps]) => ({ name: `apply: ${name as string}`, kind: 'Widget', steps: steps as Step[] }))

const account = (secrets: string[]): JsonObject => ({ apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'probe' }, secrets: secrets.map(name => ({ name })) })
const strategics: Scenario[] = [
  ['an entry more', { secrets: [{ name: 'c' }] }], ['entries that are there', { secrets: [{ name: 'b' }, { name: 'a' }] }], ['an entry less', { secrets: [{ $patch: 'delete', name: 'a' }] }], ['another list', { secrets: [{ $patch: 'replace' }, { name: 'z' }] }],
  ['an order', { '$setElementOrder/secrets': [{ name: 'b' }, { name: 'c' }, { name: 'a' }], secrets: [{ name: 'c' }] }], ['an entry without its key', { secrets: [{ namespace: 'x' }] }], ['finalizers', { metadata: { finalizers: ['vireo.test/a'] } }],
  ['labels', { metadata: { labels: { a: 'b' }, annotations: { k: 'v' } } }], ['null', { secrets: null }],
].map(([name, body]) => ({ name: `strategic merge patch: ${name as string}`, kind: 'ServiceAccount', steps: [create(account(['a', 'b'])), { verb: 'strategic', body: body as Json }] }))

const builtins: Scenario[] = [
  { name: 'strategic merge patch: primitives of a set', kind: 'ServiceAccount', steps: [
    create({ ...account([]), metadata: { name: 'probe', finalizers: ['vireo.test/a', 'vireo.test/b'] } }),
    { verb: 'strategic', body: { metadata: { '$deleteFromPrimitiveList/finalizers': ['vireo.test/a'] } } }, { verb: 'merge', body: { metadata: { finalizers: null } } },
  ] },
  { name: 'config map: two appliers', kind: 'ConfigMap', steps: [
    { verb: 'apply', query: by('one'), body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'probe' }, data: { a: '1' } } },
    { verb: 'apply', query: by('two'), body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'probe' }, data: { b: '2' } } },
    { verb: 'apply', query: by('one'), body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'probe' }, data: { b: '3' } } },
    { verb: 'strategic', query: by('three'), body: { data: { a: null, c: '4' } } },
  ] },
  { name: 'config map: empty fields', kind: 'ConfigMap', steps: [
    create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'probe', labels: {} }, data: {}, immutable: null }), { verb: 'put', body: { data: { a: '' } } }, { verb: 'merge', body: { data: null, unknown: 1 } },
  ] },
  { name: 'event: its structs are always there', kind: 'Event', steps: [
    create({ apiVersion: 'v1', kind: 'Event', metadata: { name: 'probe' }, involvedObject: { kind: 'Widget', name: 'x', namespace: 'default' }, reason: 'Made', message: 'm', type: 'Normal', count: 1 }),
    { verb: 'strategic', body: { count: 2, lastTimestamp: '2026-01-01T00:00:00Z' } },
  ] },
  { name: 'secret: applied', kind: 'Secret', steps: [
    { verb: 'apply', query: by('one'), body: { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'probe' }, type: 'Opaque', data: { a: 'YQ==' } } },
    { verb: 'strategic', query: by('two'), body: { data: { b: 'Yg==' }, metadata: { labels: { x: 'y' } } } },
  ] },
  { name: 'lease: created and taken', kind: 'Lease', steps: [
    create({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name: 'probe' }, spec: { holderIdentity: 'a', leaseDurationSeconds: 15, renewTime: '2026-01-01T00:00:00.000000Z' } }, by('one')),
    { verb: 'put', query: by('two'), body: { spec: { holderIdentity: 'b', leaseTransitions: 1 } } },
  ] },
]

export const scenarios: readonly Scenario[] = [
  ...creates.map(([name, spec]): Scenario => ({ name: `create: ${name}`, kind: 'Widget', steps: [create(widget(spec), { fieldValidation: 'Ignore', fieldManager: 'maker' })] })),
  ...metas.map(([name, metadata]): Scenario => ({ name: `metadata: ${name}`, kind: 'Widget', steps: [create(widget({}, metadata), { fieldValidation: 'Ignore', fieldManager: 'maker' })] })),
  { name: 'strict: unknown fields', kind: 'Widget', steps: [create(widget({ titel: 'x', nested: { more: 1 }, parts: [{ name: 'a', x: 1 }] }, { extra: 1 }), strict)] },
  { name: 'strict: duplicate fields', kind: 'Widget', steps: [{ verb: 'create', query: strict, text: '{"apiVersion":"vireo.test/v1","kind":"Widget","metadata":{"name":"probe","name":"probe"},"spec":{"title":"abc","title":"abd","title":"abe","parts":[{"name":"a","size":1,"size":2}],"x":1}}' }] },
  { name: 'strict: a merge patch with unknown fields', kind: 'Widget', steps: [create(widget({})), { verb: 'merge', query: strict, body: { spec: { titel: 'x' } } }] },
  { name: 'create: another kind', kind: 'Widget', steps: [create({ ...widget({}), kind: 'Gadget' })] },
  ...updates.map(scenario => ({ ...scenario, name: `update: ${scenario.name}` })), ...patches, ...merges, ...applies, ...strategics, ...builtins,
]

const inside = (a: SchemaNode): SchemaNode => ({ type: 'object', properties: { a } })
const ruled = (rule: ValidationRule, node: SchemaNode = { type: 'string', maxLength: 8 }): SchemaNode => inside({ ...node, 'x-kubernetes-validations': [rule] })
const text: SchemaNode = { type: 'string', maxLength: 8 }

/** Schemas of a definition, sent as a dry run: what is wrong with them. */
export const definitions: readonly (readonly [name: string, schema: SchemaNode])[] = [
  ['nothing', inside(text)], ['no type', inside({})], ['no type at the root', { properties: {} }], ['another type at the root', { type: 'string' }], ['an unknown type', inside({ type: 'text' as never })],
  ['a list without items', inside({ type: 'array' })], ['a list of untyped items', inside({ type: 'array', items: {} })], ['properties and others', inside({ type: 'object', properties: { b: text }, additionalProperties: text })],
  ['a map list without keys', inside({ type: 'array', items: { type: 'object' }, 'x-kubernetes-list-type': 'map' })], ['a map list of texts', inside({ type: 'array', items: text, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })],
  ['a key that is no field', inside({ type: 'array', items: { type: 'object', properties: { b: text } }, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })],
  ['a key that is optional', inside({ type: 'array', items: { type: 'object', properties: { name: text } }, 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['name'] })],
  ['an unknown list type', inside({ type: 'array', items: text, 'x-kubernetes-list-type': 'bag' as never })], ['a set of objects', inside({ type: 'array', items: { type: 'object', properties: { b: text } }, 'x-kubernetes-list-type': 'set' })],
  ['a list type of a text', inside({ ...text, 'x-kubernetes-list-type': 'set' })], ['a bad pattern', inside({ ...text, pattern: '(' })], ['a default of another type', inside({ ...text, default: 5 })], ['a default that is too long', inside({ ...text, default: '123456789' })],
  ['a default with unknown fields', inside({ type: 'object', properties: { b: text }, default: { c: 'x' } })], ['int-or-string with a type', inside({ type: 'integer', 'x-kubernetes-int-or-string': true })], ['a forbidden keyword', inside({ ...text, uniqueItems: true })],
  ['an embedded object without kept fields', inside({ type: 'object', 'x-kubernetes-embedded-resource': true })], ['a map type of a list', inside({ type: 'array', items: text, 'x-kubernetes-map-type': 'atomic' })],
  ['a rule that is no expression', ruled({ rule: 'self ==' })], ['a rule that is no condition', ruled({ rule: 'self' })], ['a rule of an unknown field', ruled({ rule: 'self.b == 1' }, { type: 'object', properties: { c: text } })], ['a rule of two types', ruled({ rule: 'self == 1' })],
  ['a rule of an unknown function', ruled({ rule: 'self.frob()' })], ['an empty rule', ruled({ rule: '' })], ['a message of two lines', ruled({ rule: "self != ''", message: 'a\nb' })], ['a message expression that is no text', ruled({ rule: "self != ''", messageExpression: '1' })],
  ['an unknown reason', ruled({ rule: "self != ''", reason: 'Other' as never })], ['a fieldPath that leads nowhere', ruled({ rule: 'has(self.b)', fieldPath: '.c' }, { type: 'object', properties: { b: text } })], ['a transition where none can be', inside({ type: 'array', maxItems: 4, items: { ...text, 'x-kubernetes-validations': [{ rule: 'self == oldSelf' }] } })],
]
