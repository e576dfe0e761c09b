// Lists, selectors, pages, tables and watches.

import { type Case, type Seen, type Step, get, merge, post, quietly, remove } from '../support/steps.ts'
import { widget, widgets } from '../support/widgets.ts'

/** A namespace of the case's own, so that no other case is seen in it. */
const inNamespace = (name: string, namespace: string, steps: Step[], sizes = [1, 2, 3, 4, 5]): Case => ({
  name,
  steps: [
    quietly(post('/api/v1/namespaces', { metadata: { name: namespace } })),
    ...sizes.map(size => quietly(post(widgets(namespace), widget(`w${size}`, { size, color: size % 2 === 0 ? 'green' : 'red' }, { labels: { size: String(size), ...size > 3 ? { large: '' } : {} } })))),
    ...steps,
  ],
})

const selected = (selector: string): Step => get(`${widgets('l1')}?labelSelector=${encodeURIComponent(selector)}`, { compare: namesOrAll })
const byField = (selector: string): Step => get(`${widgets('l2')}?fieldSelector=${encodeURIComponent(selector)}`, { compare: namesOrAll })
const namesOrAll = (body: unknown): unknown => { const { items } = body as { items?: { metadata: { name: string } }[] }; return items?.map(({ metadata }) => metadata.name) ?? body }
const table = { accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json' }
const partial = { accept: 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json' }
const partialList = { accept: 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json' }
/** Ages differ by how long a server took. */
const ageless = (body: unknown): unknown => JSON.parse(JSON.stringify(body).replaceAll(/"\d+[smh](?:\d+s)?"/g, '"AGE"'))
const watching = (path: string, query: string, more: Partial<Step> = {}): Step => get(`${path}?watch=true&timeoutSeconds=1&${query}`, more)

export const cases: Case[] = [
  inNamespace('list: label selectors', 'l1', ['size=1', 'size==1', 'size!=1', 'size in (1,2)', 'size notin (1,2)', 'large', '!large', 'size>3', 'size<3', 'size=1,large', ' size = 1 ', 'size in (1', 'size=1=2', 'a b', '=x', 'size in ()', 'size>x', '!', ',', 'bad_/key', 'large=', 'size in 1', 'size,', 'UPPER_case.x/y=z'].map(selected)),
  inNamespace('list: field selectors', 'l2', ['metadata.name=w1', 'metadata.name!=w1', 'spec.color=red', 'spec.size=2', 'spec.color=red,spec.size=1', 'spec.code=x', 'metadata.namespace=l2', 'metadata.namespace=other', 'metadata.uid=x', 'nothing', 'spec.color==green', 'status.phase=x', 'metadata.name=w1\\,w2', 'spec.color'].map(byField)),
  inNamespace('list: pages show one revision', 'l3', [
    get(`${widgets('l3')}?limit=2`), get(seen => `${widgets('l3')}?limit=2&continue=${seen.meta().continue}`), quietly(merge(widgets('l3', 'w5'), { spec: { code: 'new' } })), quietly(remove(widgets('l3', 'w4'))),
    get(seen => `${widgets('l3')}?limit=2&continue=${seen.meta(-4).continue}`), get(seen => `${widgets('l3')}?continue=${seen.meta(-4).continue}`), get(`${widgets('l3')}?limit=2&labelSelector=size`),
  ]),
  inNamespace('list: tokens and limits that are none', 'l4', [get(`${widgets('l4')}?continue=abc`), get(`${widgets('l4')}?limit=x`), get(`${widgets('l4')}?limit=-1`, { compare: namesOrAll }), get(`${widgets('l4')}?limit=0`, { compare: namesOrAll }), get(`${widgets('l4')}?continue=eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MSwic3RhcnQiOiIifQ`)], [1]),
  inNamespace('list: revisions', 'l5', [
    get(`${widgets('l5')}?resourceVersion=0`, { compare: namesOrAll }), get(seen => `${widgets('l5')}?resourceVersion=${seen.meta().resourceVersion}`, { compare: namesOrAll }), quietly(merge(widgets('l5', 'w1'), { spec: { size: 9 } })),
    get(seen => `${widgets('l5')}?resourceVersion=${seen.meta(0 - 3).resourceVersion}&resourceVersionMatch=Exact`), get(seen => `${widgets('l5')}?resourceVersion=${seen.meta(-2).resourceVersion}&resourceVersionMatch=NotOlderThan`),
    get(`${widgets('l5')}?resourceVersionMatch=Exact`), get(`${widgets('l5')}?resourceVersion=0&resourceVersionMatch=Exact`), get(`${widgets('l5')}?resourceVersion=1&resourceVersionMatch=Sometimes`), get(`${widgets('l5')}?resourceVersion=x`), get(`${widgets('l5')}?resourceVersion=1&resourceVersionMatch=Exact&continue=abc`),
  ], [1, 2]),
  { name: 'list: a namespace that is not there is empty', steps: [get(widgets('nowhere')), get('/api/v1/namespaces/nowhere/secrets')] },
  inNamespace('table: of a list, an object, with and without objects', 'l6', [get(widgets('l6'), { headers: table }), get(widgets('l6', 'w1'), { headers: table }), get(`${widgets('l6')}?includeObject=Object`, { headers: table }), get(`${widgets('l6')}?includeObject=None`, { headers: table }), get(`${widgets('l6')}?includeObject=Some`, { headers: table }), get(widgets('l6', 'none'), { headers: table })], [1, 2]),
  { name: 'table: built-in kinds', steps: [
    quietly(post('/api/v1/namespaces', { metadata: { name: 'l7' } })), get('/api/v1/namespaces/l7', { headers: table, compare: ageless }),
    quietly(post('/api/v1/namespaces/l7/secrets', { metadata: { name: 's' }, stringData: { a: 'b' } })), get('/api/v1/namespaces/l7/secrets', { headers: table, compare: ageless }),
    quietly(post('/api/v1/namespaces/l7/configmaps', { metadata: { name: 'c' }, data: { a: 'b' }, binaryData: { c: 'AAAA' } })), get('/api/v1/namespaces/l7/configmaps/c', { headers: table, compare: ageless }),
    get('/api/v1/namespaces/l7/serviceaccounts/default', { headers: table, compare: ageless, until: ({ code }) => code === 200 }),
    quietly(post('/apis/coordination.k8s.io/v1/namespaces/l7/leases', { metadata: { name: 'l' }, spec: { holderIdentity: 'me' } })), get('/apis/coordination.k8s.io/v1/namespaces/l7/leases', { headers: table, compare: ageless }),
    quietly(post('/api/v1/namespaces/l7/events', { metadata: { name: 'e' }, involvedObject: { kind: 'Secret', name: 's', namespace: 'l7' }, reason: 'Made', message: 'It was made.', type: 'Normal', source: { component: 'me' }, count: 3, firstTimestamp: '2026-01-01T00:00:00Z', lastTimestamp: '2026-01-01T00:00:00Z' })), get('/api/v1/namespaces/l7/events', { headers: table, compare: body => ageless(JSON.parse(JSON.stringify(body).replaceAll(/"\d+d"/g, '"AGE"'))) }),
    get('/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.example.dev?includeObject=None', { headers: table }),
  ] },
  inNamespace('metadata alone', 'l8', [get(widgets('l8', 'w1'), { headers: partial }), get(widgets('l8'), { headers: partialList }), get(widgets('l8'), { headers: partial })], [1, 2]),
  inNamespace('watch: from nowhere, everything is told as added', 'l9', [watching(widgets('l9'), ''), watching(widgets('l9'), 'resourceVersion=0'), watching(widgets('l9'), 'labelSelector=size%3D1'), watching(widgets('l9'), 'fieldSelector=metadata.name%3Dw2')], [1, 2]),
  inNamespace('watch: from a revision, what came after it', 'l10', [
    quietly(get(widgets('l10'))), quietly(merge(widgets('l10', 'w1'), { spec: { code: 'a' } })), quietly(merge(widgets('l10', 'w2'), { metadata: { labels: { size: '9' } } })), quietly(remove(widgets('l10', 'w1'))),
    get(seen => `${widgets('l10')}?watch=true&timeoutSeconds=1&resourceVersion=${seen.meta(-4).resourceVersion}`), get(seen => `${widgets('l10')}?watch=true&timeoutSeconds=1&labelSelector=size%3D2&resourceVersion=${seen.meta(-5).resourceVersion}`),
    get(seen => `${widgets('l10')}?watch=true&timeoutSeconds=1&labelSelector=size%3D9&resourceVersion=${seen.meta(-6).resourceVersion}`), get(seen => `${widgets('l10')}?watch=true&timeoutSeconds=1&resourceVersion=${seen.meta(-7).resourceVersion}`, { headers: table }),
    get(seen => `${widgets('l10')}?watch=true&timeoutSeconds=1&resourceVersion=${seen.meta(-8).resourceVersion}`, { headers: partial }),
  ], [1, 2]),
  inNamespace('watch: with its first events and their end', 'l11', [
    watching(widgets('l11'), 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true', { compare: body => (body as { type: string; object: { metadata: { name?: string; annotations?: object } } }[]).slice(0, 3).map(({ type, object }) => [type, object.metadata.name, object.metadata.annotations]) }),
    watching(widgets('l11'), 'sendInitialEvents=true'), watching(widgets('l11'), 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan'), watching(widgets('l11'), 'resourceVersionMatch=NotOlderThan'), watching(widgets('l11'), 'sendInitialEvents=true&resourceVersionMatch=Exact&allowWatchBookmarks=true'),
  ], [1, 2]),
  { name: 'watch: selectors and revisions that are none', steps: [watching(widgets(), 'labelSelector=a%20b'), watching(widgets(), 'fieldSelector=spec.none%3D1'), watching(widgets(), 'resourceVersion=x'), get(`${widgets('nowhere')}?watch=true&timeoutSeconds=x`)] },
  { name: 'list: get with what only lists know', steps: [get(`${widgets('default', 'none')}?labelSelector=a%20b`), get('/api/v1/namespaces/default?resourceVersion=0', { compare: 'code' })] },
  { name: 'list: the answer of a seen list is a list of its kind', steps: [get('/apis/example.dev/v1beta1/namespaces/l8/widgets', { compare: (body: unknown) => { const { kind, apiVersion } = body as { kind: string; apiVersion: string }; return { kind, apiVersion } } }), get('/apis/example.dev/v1/gadgets?limit=1&labelSelector=none'), get((seen: Seen) => `/apis/example.dev/v1/gadgets?resourceVersion=${Number(seen.meta().resourceVersion) + 1_000_000}&timeoutSeconds=1`, { compare: body => { const { reason, code } = body as { reason: string; code: number }; return { reason, code } } })] },
]
