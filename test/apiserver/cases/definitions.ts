// CustomResourceDefinitions, discovery and the paths around them.

import { type Case, type Step, apply, get, merge, post, quietly, remove } from '../support/steps.ts'

const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const kind = (plural: string, kindName: string, more: object = {}, schema: object = { type: 'object', properties: { spec: { type: 'object', properties: { a: { type: 'string' } } } } }): Record<string, unknown> => ({
  apiVersion: 'apiextensions.k8s.io/v1', kind: 'CustomResourceDefinition', metadata: { name: `${plural}.kinds.dev` },
  spec: { group: 'kinds.dev', scope: 'Cluster', names: { plural, kind: kindName }, versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }], ...more },
})
const established = (name: string): Step => get(`${path}/${name}.kinds.dev`, { compare: 'nothing', until: ({ body }) => (body as { status?: { conditions?: { type: string; status: string }[] } }).status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True') === true })
/** How a version is hashed is a server's own. */
const hashless = (body: unknown): { name: string }[] => (body as { resources: { name: string; storageVersionHash?: string }[] }).resources.map(one => ({ ...one, storageVersionHash: undefined })).toSorted((a, b) => a.name < b.name ? -1 : 1)
const discovered = (plural: string): Step => get('/apis/kinds.dev/v1', { until: ({ body }) => (body as { resources?: { name: string }[] }).resources?.some(({ name }) => name === plural) === true, compare: body => hashless(body).filter(({ name }) => name.startsWith(plural)) })
const refused = (name: string, body: unknown): Case => ({ name: `definition: ${name}`, steps: [post(path, body)] })
const aggregated = { accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList' }
/** Of kinds in the order of their names: a server lists them as it learnt of them. */
const groupOf = (name: string) => (body: unknown): unknown => (body as { items: { metadata: { name?: string }; versions: { resources: { resource: string }[] }[] }[] }).items.filter(({ metadata }) => metadata.name === name).map(group => ({ ...group, versions: group.versions.map(version => ({ ...version, resources: version.resources.toSorted((a, b) => a.resource < b.resource ? -1 : 1) })) }))
const conditionless = (body: unknown): unknown => { const { spec, metadata } = body as { spec: object; metadata: { name: string } }; return { spec, name: metadata.name } }

export const cases: Case[] = [
  { name: 'definition: is served as soon as it is there, and gone with its objects', steps: [
    post(path, kind('things', 'Thing', { names: { plural: 'things', kind: 'Thing', shortNames: ['th'], categories: ['all'] } }), { compare: conditionless }), established('things'), discovered('things'),
    get(`${path}/things.kinds.dev`, { compare: body => (body as { status: { acceptedNames: object; storedVersions: string[] } }).status.acceptedNames }),
    post('/apis/kinds.dev/v1/things', { apiVersion: 'kinds.dev/v1', kind: 'Thing', metadata: { name: 'x', finalizers: ['kinds.dev/hold'] }, spec: { a: 'b', c: 'd' } }, { until: ({ code }) => code !== 404 }),
    remove(`${path}/things.kinds.dev`, undefined, { compare: body => (body as { metadata: { finalizers: unknown } }).metadata.finalizers }),
    get('/apis/kinds.dev/v1/things/x', { until: ({ body }) => (body as { metadata: { deletionTimestamp?: string } }).metadata.deletionTimestamp !== undefined, compare: 'code' }),
    quietly(merge('/apis/kinds.dev/v1/things/x', { metadata: { finalizers: null } })), get(`${path}/things.kinds.dev`, { until: ({ code }) => code === 404 }),
    get('/apis/kinds.dev/v1/things', { until: ({ code }) => code === 404 }),
  ] },
  { name: 'definition: applied twice is the same', steps: [apply(`${path}/stones.kinds.dev?fieldManager=one`, kind('stones', 'Stone'), { compare: conditionless }), established('stones'), apply(`${path}/stones.kinds.dev?fieldManager=one`, kind('stones', 'Stone'), { compare: conditionless })] },
  { name: 'definition: a field more is served at once', steps: [
    quietly(post(path, kind('rocks', 'Rock'))), established('rocks'), quietly(post('/apis/kinds.dev/v1/rocks', { apiVersion: 'kinds.dev/v1', kind: 'Rock', metadata: { name: 'r' } }, { until: ({ code }) => code === 201 })),
    merge(`${path}/rocks.kinds.dev`, { spec: { versions: [{ name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object', properties: { spec: { type: 'object', default: {}, properties: { b: { type: 'string', default: 'new' } } } } } } }] } }, { compare: 'code' }),
    get('/apis/kinds.dev/v1/rocks/r', { until: ({ body }) => (body as { spec?: object }).spec !== undefined }),
  ] },
  refused('of another name', { ...kind('a', 'A'), metadata: { name: 'b.kinds.dev' } }),
  refused('without a schema', kind('b', 'B', { versions: [{ name: 'v1', served: true, storage: true }] })),
  refused('without a storage version', kind('c', 'C', { versions: [{ name: 'v1', served: true, storage: false, schema: { openAPIV3Schema: { type: 'object' } } }] })),
  refused('without versions', kind('d', 'D', { versions: [] })),
  refused('with a scope that is none', kind('e', 'E', { scope: 'Somewhere' })),
  refused('with a schema that is not structural', kind('f', 'F', {}, { properties: { spec: { properties: { a: {} } } } })),
  refused('with a rule that does not compile', kind('g', 'G', {}, { type: 'object', properties: { spec: { type: 'object', properties: { a: { type: 'string' } }, 'x-kubernetes-validations': [{ rule: 'self.b == 1' }] } } })),
  { name: 'discovery: what is not there', steps: [get('/apis/none.dev'), get('/apis/none.dev/v1'), get('/apis/none.dev/v1/things'), get('/apis/example.dev/v2'), get('/apis/example.dev/v1/none'), get('/api/v1/none'), get('/api/v2'), get('/none'), get('/apis/example.dev/v1/namespaces/default/widgets/x/none'), get('/apis/example.dev/v1/namespaces/default/gadgets'), get('/apis/example.dev/v1/widgets/x')] },
  { name: 'discovery: a group and its versions', steps: [get('/apis/example.dev'), get('/apis/example.dev/v1', { compare: hashless }), get('/apis', { compare: body => (body as { groups: { name: string }[] }).groups.filter(({ name }) => name === 'example.dev' || name === 'coordination.k8s.io') }), get('/api', { compare: body => (body as { versions: string[] }).versions })] },
  { name: 'discovery: aggregated', steps: [get('/apis', { headers: aggregated, compare: groupOf('example.dev') }), get('/api', { headers: aggregated, compare: body => (body as { items: { versions: { resources: { resource: string }[] }[] }[] }).items[0]!.versions[0]!.resources.filter(({ resource }) => ['secrets', 'configmaps', 'events'].includes(resource)) })] },
  { name: 'health', steps: [get('/healthz'), get('/livez'), get('/readyz')] },
  { name: 'paths with dots', steps: [get('/api/v1/namespaces/../namespaces/default', { compare: 'code' }), get('/apis/example.dev/v1/namespaces/default/widgets/%2e%2e'), get('/apis/example.dev/v1/namespaces/default/widgets/a%2Fb')] },
]
