// Updates, patches and deletions of one object.

import { type Case, type Seen, get, json, merge, post, put, quietly, remove, strategic } from '../support/steps.ts'
import { widget, widgets } from '../support/widgets.ts'

const made = (name: string, spec: object = { size: 1 }, metadata: object = {}) => quietly(post(widgets(), widget(name, spec, metadata)))
const at = (name: string, query = ''): string => `${widgets('default', name)}${query}`
const stamped = (name: string, spec: object, metadata: object = {}) => (seen: Seen): object => widget(name, spec, { resourceVersion: seen.meta().resourceVersion, ...metadata })

export const cases: Case[] = [
  { name: 'update: with the version that was read', steps: [made('u1'), put(at('u1'), stamped('u1', { size: 2 })), get(at('u1'))] },
  { name: 'update: without a version', steps: [made('u2'), put(at('u2'), widget('u2', { size: 2 }))] },
  { name: 'update: with an old version', steps: [made('u3'), quietly(merge(at('u3'), { spec: { size: 2 } })), put(at('u3'), (seen: Seen) => widget('u3', { size: 3 }, { resourceVersion: seen.meta(0).resourceVersion }))] },
  { name: 'update: of what is not there', steps: [put(at('u4'), widget('u4', { size: 2 })), put(at('u4'), widget('u4', { size: 2 }, { resourceVersion: '1' }))] },
  { name: 'update: that changes nothing keeps the version', steps: [made('u5'), put(at('u5'), (seen: Seen) => seen.last.body, { compare: 'code' }), get(at('u5'), { compare: body => (body as { metadata: { generation: number } }).metadata.generation })] },
  { name: 'update: the generation counts changes of the spec alone', steps: [made('u6'), merge(at('u6'), { metadata: { labels: { a: 'b' } } }), merge(at('u6'), { spec: { size: 2 } }), merge(`${at('u6')}/status`, { status: { phase: 'x' } })] },
  { name: 'update: with another uid', steps: [made('u7'), put(at('u7'), stamped('u7', { size: 2 }, { uid: '11111111-1111-1111-1111-111111111111' }))] },
  { name: 'update: metadata that never changes', steps: [made('u8'), put(at('u8'), stamped('u8', { size: 2 }, { creationTimestamp: '2020-01-01T00:00:00Z', generation: 50, deletionTimestamp: '2020-01-01T00:00:00Z' }))] },
  { name: 'update: what is invalid', steps: [made('u9'), put(at('u9'), stamped('u9', { size: 20 })), merge(at('u9'), { spec: { size: null } })] },
  { name: 'update: a transition rule', steps: [made('u10', { size: 1, fixed: 'a' }), merge(at('u10'), { spec: { fixed: 'b' } }), merge(at('u10'), { spec: { fixed: null } }), merge(at('u10'), { spec: { fixed: 'c' } })] },
  { name: 'update: the status alone by its own path', steps: [made('u11'), put(`${at('u11')}/status`, (seen: Seen) => ({ ...widget('u11', { size: 9 }, { resourceVersion: seen.meta().resourceVersion }), status: { phase: 'Done', seen: 1 } })), get(at('u11')), put(at('u11'), (seen: Seen) => ({ ...widget('u11', { size: 3 }, { resourceVersion: seen.meta().resourceVersion }), status: { phase: 'Other' } }))] },
  { name: 'update: a status that is invalid', steps: [made('u12'), merge(`${at('u12')}/status`, { status: { seen: 'x' } }), merge(`${at('u12')}/status`, { status: { foo: 1 } })] },
  { name: 'update: a status of what is not there', steps: [merge(`${at('u13')}/status`, { status: { phase: 'x' } }), get(`${at('u13')}/status`), put(`${at('u13')}/status`, widget('u13'))] },
  { name: 'update: labels by the path of the status', steps: [made('u14'), merge(`${at('u14')}/status`, { metadata: { labels: { a: 'b' } }, status: { phase: 'x' } })] },
  { name: 'update: dry run', steps: [made('u15'), put(at('u15', '?dryRun=All'), stamped('u15', { size: 2 })), get(at('u15'))] },
  { name: 'merge patch: sets, removes, replaces lists', steps: [made('m1', { size: 1, code: 'a', lines: ['1', '2'], parts: [{ name: 'a' }] }), merge(at('m1'), { spec: { code: null, size: 2, lines: ['3'], parts: [{ name: 'b', count: 5 }] }, metadata: { labels: { x: 'y' }, annotations: { z: null } } })] },
  { name: 'merge patch: of what is not there', steps: [merge(at('m2'), { spec: { size: 2 } })] },
  { name: 'merge patch: an empty one changes nothing', steps: [made('m3'), merge(at('m3'), {})] },
  { name: 'merge patch: an unknown field', steps: [made('m4'), merge(at('m4'), { spec: { foo: 1 } }), merge(at('m4', '?fieldValidation=Strict'), { spec: { foo: 1 } })] },
  { name: 'merge patch: another name, uid, kind, version', steps: [made('m5'), merge(at('m5'), { metadata: { name: 'other' } }), merge(at('m5'), { metadata: { uid: '11111111-1111-1111-1111-111111111111' } }), merge(at('m5'), { kind: 'Gadget' }), merge(at('m5'), { apiVersion: 'example.dev/v1beta1' }), merge(at('m5'), { metadata: { namespace: 'other' } })] },
  { name: 'merge patch: with a version', steps: [made('m6'), merge(at('m6'), (seen: Seen) => ({ metadata: { resourceVersion: seen.meta().resourceVersion }, spec: { size: 2 } })), merge(at('m6'), (seen: Seen) => ({ metadata: { resourceVersion: seen.meta(0).resourceVersion }, spec: { size: 3 } }))] },
  { name: 'merge patch: force is of apply alone', steps: [made('m7'), merge(at('m7', '?force=true'), { spec: { size: 2 } })] },
  { name: 'merge patch: dry run and field manager', steps: [made('m8'), merge(at('m8', '?dryRun=All&fieldManager=me'), { spec: { size: 2 } }), merge(at('m8', '?fieldManager=me'), { spec: { code: 'x' } })] },
  { name: 'JSON patch: adds, replaces, removes, tests', steps: [made('j1', { size: 1, lines: ['a'] }), json(at('j1'), [{ op: 'test', path: '/spec/size', value: 1 }, { op: 'replace', path: '/spec/size', value: 2 }, { op: 'add', path: '/spec/lines/-', value: 'b' }, { op: 'add', path: '/metadata/labels', value: { a: 'b' } }, { op: 'remove', path: '/spec/color' }])] },
  { name: 'JSON patch: a test that fails', steps: [made('j2'), json(at('j2'), [{ op: 'test', path: '/spec/size', value: 5 }])] },
  { name: 'JSON patch: a path that is not there', steps: [made('j3'), json(at('j3'), [{ op: 'replace', path: '/spec/code', value: 'x' }]), json(at('j3'), [{ op: 'remove', path: '/spec/none/x' }]), json(at('j3'), [{ op: 'add', path: '/spec/none/x', value: 1 }])] },
  { name: 'JSON patch: copies and moves', steps: [made('j4', { size: 1, lines: ['a', 'b'] }), json(at('j4'), [{ op: 'copy', from: '/spec/lines/0', path: '/spec/code' }, { op: 'move', from: '/spec/lines/1', path: '/spec/nothing' }])] },
  { name: 'strategic merge patch: lists of built-in kinds merge by key', steps: [quietly(post('/api/v1/namespaces/default/serviceaccounts', { metadata: { name: 's1' }, secrets: [{ name: 'a' }, { name: 'b' }], imagePullSecrets: [{ name: 'x' }] })), strategic('/api/v1/namespaces/default/serviceaccounts/s1', { secrets: [{ name: 'c' }, { $patch: 'delete', name: 'a' }], metadata: { annotations: { a: 'b' } } }), quietly(remove('/api/v1/namespaces/default/serviceaccounts/s1'))] },
  { name: 'delete: at once', steps: [made('d1'), remove(at('d1')), get(at('d1')), remove(at('d1'))] },
  { name: 'delete: with options', steps: [made('d2'), remove(at('d2'), { kind: 'DeleteOptions', apiVersion: 'v1', propagationPolicy: 'Background', gracePeriodSeconds: 0 })] },
  { name: 'delete: a finalizer holds it until it is taken off', steps: [made('d3', { size: 1 }, { finalizers: ['example.dev/hold'] }), remove(at('d3')), get(at('d3')), remove(at('d3')), merge(at('d3'), { spec: { size: 2 } }), merge(at('d3'), { metadata: { finalizers: ['example.dev/hold', 'example.dev/more'] } }), merge(at('d3'), { metadata: { finalizers: null } }), get(at('d3'))] },
  { name: 'delete: preconditions', steps: [made('d4'), remove(at('d4'), { preconditions: { uid: '11111111-1111-1111-1111-111111111111' } }), remove(at('d4'), { preconditions: { resourceVersion: '1' } }), remove(at('d4'), (seen: Seen) => ({ preconditions: { uid: seen.meta(0).uid, resourceVersion: seen.meta(0).resourceVersion } }))] },
  { name: 'delete: dry run', steps: [made('d5'), remove(at('d5', '?dryRun=All')), get(at('d5')), remove(at('d5'), { dryRun: ['All'] }), get(at('d5'))] },
  { name: 'delete: an unknown propagation', steps: [made('d6'), remove(at('d6', '?propagationPolicy=Sideways')), remove(at('d6'), { propagationPolicy: 'Sideways' }), remove(at('d6'), { propagationPolicy: 'Orphan', orphanDependents: true })] },
  { name: 'delete: options that cannot be read', steps: [made('d7'), remove(at('d7'), 'x'), remove(at('d7'), { kind: 'Widget', apiVersion: 'example.dev/v1' })] },
  { name: 'delete: orphan', steps: [made('d8'), remove(at('d8'), { propagationPolicy: 'Orphan' }), get(at('d8'), { until: ({ code }) => code === 404 })] },
  { name: 'delete: foreground', steps: [made('d9'), remove(at('d9'), { propagationPolicy: 'Foreground' }), get(at('d9'), { until: ({ code }) => code === 404 })] },
  { name: 'delete: a collection', steps: [made('c1', { size: 1 }, { labels: { batch: 'x' } }), made('c2', { size: 1 }, { labels: { batch: 'x' } }), made('c3', { size: 1 }, { labels: { batch: 'y' } }), remove(`${widgets()}?labelSelector=batch%3Dx`), get(`${widgets()}?labelSelector=batch`)] },
  { name: 'delete: a collection of what holds', steps: [made('c4', { size: 1 }, { labels: { batch: 'z' }, finalizers: ['example.dev/hold'] }), remove(`${widgets()}?labelSelector=batch%3Dz`), merge(at('c4'), { metadata: { finalizers: [] } })] },
  { name: 'delete: a collection that is empty', steps: [remove(`${widgets()}?labelSelector=batch%3Dnone`)] },
  { name: 'methods that a path does not have', steps: [{ method: 'PUT', path: widgets(), body: '{}' }, { method: 'PATCH', path: widgets(), body: '{}', headers: { 'content-type': 'application/merge-patch+json' } }, remove('/apis/example.dev/v1/widgets'), post('/apis/example.dev/v1/widgets/x', {})] },
]
