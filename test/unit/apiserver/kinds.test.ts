import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'
import { describe, expect, test } from 'vitest'
import { apply, mergePatch, PatchError, track, type Writer } from '../../../apiserver/merge/index.ts'
import {
  applyDefaults, checkSchema, compileSchema, normalize, prepareCreate, prepareStatusUpdate, prepareUpdate, strictComplaints, validateCreate, validateStatusUpdate, validateUpdate,
  type FieldError, type Json, type JsonObject, type ResourceRules, type SchemaNode,
} from '../../../apiserver/schema/index.ts'
import { changes, refused, refusedByClient } from '../../real/crds/refused.ts'
import { kinds } from './kinds.ts'

/** What breaks the rules that no other row breaks: of many fields at once, as only the rule counts. */
const alsoRefused: [reason: string, kind: string, spec: string][] = [
  ['times of a connection', 'Hypervisor', '{uri: "test:///default", connection: {keepAliveInterval: x, callTimeout: "5", pollInterval: 1d}}'],
  ['names and paths of a pool', 'StoragePool', '{uuid: x, name: a/b, netfs: {host: h, dir: x, path: x}, logical: {name: v, devices: [x]}}'],
  ['name and size of a volume', 'StorageVolume', '{poolRef: {name: p}, name: a/b, capacity: 1GB}'],
  ['no quantity at most', 'VirtualDomain', '{memory: 1Gi, maxMemory: 1GB}'],
  ['too little at most', 'VirtualDomain', '{memory: 1Gi, maxMemory: 1Ki, os: {bootMenu: {state: Enabled, timeout: x}, kernelBoot: {kernel: {path: /k}, initrd: {}}}}'],
  ['names of devices', 'VirtualDomain', '{memory: 1Gi, interfaces: [{name: A, bridge: {name: b}}], graphics: [{name: A, spice: {listen: x}}], serials: [{name: A, pty: {}}], cloudInit: {networkData: {}, metaData: {}}}'],
  ['names and addresses of a network', 'VirtualNetwork', `{uuid: x, name: a/b, forward: {mode: nat, nat: {address: {start: x, end: z}}}, bridge: {name: b, delay: x}, dns: {hosts: [{ip: x, hostnames: []}]}, portgroups: [{name: A,
    bandwidth: {inbound: {average: 1GB, peak: 1GB, burst: 1GB}, outbound: {average: 1GB, peak: 1GB, burst: 1GB}}}]}`],
  ['too little bandwidth', 'VirtualNetwork', '{portgroups: [{name: a, bandwidth: {inbound: {average: 1, peak: 1, burst: 1}, outbound: {average: 1, peak: 1, burst: 1}}}]}'],
  ['addresses of IPv4', 'VirtualNetwork', '{ipv4: {address: 10.0.0.1/24, additionalAddresses: [x, 10.1.0.0/24], dhcp: {ranges: [{start: 10.0.0.2, end: x, leaseTime: x}], hosts: [{name: A, mac: x, ip: x}]}}}'],
  ['addresses of IPv6', 'VirtualNetwork', '{ipv6: {address: "fd00::/64", additionalAddresses: [x, "fd01::/64"], dhcp: {ranges: [{start: x, end: x, leaseTime: x}], hosts: [{name: A, mac: x, ip: x}, {name: b, ip: "fd05::1"}]}}}'],
]
const elsewhere = '{hypervisorRef: {name: other}, name: other, uuid: 00000000-0000-0000-0000-000000000000}'
const boundStatus = '{binding: {hypervisor: kvm7, name: web, uuid: 6f1c2d3e-0000-5000-8000-000000000001, origin: Created}}'
const alsoRefusedChanges = [
  { kind: 'StoragePool', spec: '{dir: {path: /x}}', status: boundStatus, change: elsewhere },
  { kind: 'StorageVolume', spec: '{poolRef: {name: p}, capacity: 1Gi}', status: '{binding: {hypervisor: kvm7, name: web, pool: p, origin: Created}}', change: '{name: other}' },
  { kind: 'VirtualDomain', spec: '{memory: 1Gi}', status: boundStatus, change: elsewhere },
  { kind: 'VirtualNetwork', spec: '{}', status: boundStatus, change: elsewhere },
]

const writer = (rules: ResourceRules, subresource: '' | 'status' = ''): Writer => ({ manager: 'kubectl', apiVersion: rules.apiVersion, subresource, time: '2026-01-01T00:00:00Z' })

/** As kubectl reads YAML. */
const read = (text: string): Json => parse(text, { version: '1.1' }) as Json

function objectOf(rules: ResourceRules, name: string, spec: Json): JsonObject {
  return { apiVersion: rules.apiVersion, kind: rules.kind, metadata: { name, ...rules.namespaced ? { namespace: 'default' } : {} }, spec }
}

const sentences = (errors: readonly FieldError[]): string[] => errors
  .filter(({ message }) => !message.startsWith('Invalid value: null: some validation rules were not checked'))
  .map(({ field, message }) => `${field}: ${message}`)

/** Server-side apply of a new object: what stands against it. */
function complaintsOfApply(rules: ResourceRules, object: JsonObject): string[] {
  try {
    return sentences(validateCreate(rules, prepareCreate(rules, apply(rules, undefined, object, writer(rules), false))))
  } catch (error) {
    if (!(error instanceof PatchError)) throw error
    return error.message.replace(/^failed to create typed patch object \(.*?\): /, '').split('\n')
  }
}

describe('refused at server-side apply, in the words of the real kube-apiserver', () => {
  test.each(refused)('%s (%s)', (_, kind, spec, ...expected) => {
    const rules = kinds.get(kind)!
    expect(complaintsOfApply(rules, objectOf(rules, 'probe', read(spec)))).toEqual(expected)
  })
})

describe('refused at a create from client-side apply', () => {
  /** kubectl drops nulls before it sends. */
  const withoutNulls = (value: Json): Json => JSON.parse(JSON.stringify(value, (_, field: Json) => field === null ? undefined : field)) as Json

  test.each(refusedByClient)('%s (%s)', (_, kind, spec, ...expected) => {
    const rules = kinds.get(kind)!
    const { object, unknown } = normalize(rules.schema, objectOf(rules, 'probe', withoutNulls(read(spec))))
    const strict = strictComplaints([], unknown)
    const found = strict.length > 0 ? [`strict decoding error: ${strict.join(', ')}`] : sentences(validateCreate(rules, prepareCreate(rules, object)))
    expect(found).toEqual(expected)
  })
})

/** An object as it is stored and read again. */
function created(rules: ResourceRules, object: JsonObject): JsonObject {
  const prepared = prepareCreate(rules, track(rules, undefined, normalize(rules.schema, object).object, writer(rules)))
  expect(sentences(validateCreate(rules, prepared))).toEqual([])
  const read = applyDefaults(rules.schema, prepared)
  return { ...read, metadata: { ...read.metadata as JsonObject, uid: 'u', resourceVersion: '1' } }
}

describe('changes of what is bound, in the words of the real kube-apiserver', () => {
  test.each(changes)('$kind: $reason', ({ kind, spec, status, change, complaints }) => {
    const rules = kinds.get(kind)!
    const live = created(rules, objectOf(rules, 'bound', read(spec)))
    const withStatus = prepareStatusUpdate(rules, normalize(rules.schema, mergePatch(live, { status: read(status) })).object, live)
    expect(sentences(validateStatusUpdate(rules, withStatus, live))).toEqual([])
    const updated = prepareUpdate(rules, normalize(rules.schema, mergePatch(withStatus, { spec: read(change) })).object, withStatus)
    expect([...new Set(sentences(validateUpdate(rules, updated, withStatus)))]).toEqual(complaints)
  })
})

const root = join(import.meta.dirname, '../../..')
const samples = readdirSync(join(root, 'manifests/samples')).filter(name => name.endsWith('.yaml') && name.toLowerCase() !== 'kustomization.yaml').map(name => join('manifests/samples', name))
const accepted = [...samples, 'test/real/crds/manifests.yaml']
  .flatMap(file => parseAllDocuments(readFileSync(join(root, file), 'utf8'), { version: '1.1' }).map(document => document.toJS() as JsonObject))
  .filter(object => kinds.has(object?.kind as string))

test.each([...kinds])('the definition of %s can serve', (_, { schema }) => expect(checkSchema(schema.root, 'spec.validation.openAPIV3Schema', { statusSubresource: true })).toEqual([]))

describe('accepted', () => {
  test('there is something to accept, of every kind', () => {
    expect(new Set(accepted.map(({ kind }) => kind))).toEqual(new Set(kinds.keys()))
  })

  test.each(accepted.map(object => [`${object.kind as string} ${(object.metadata as { name: string }).name}`, object] as const))('%s, by apply and by create; applying again changes nothing', (_, object) => {
    const rules = kinds.get(object.kind as string)!
    const named = { ...object, metadata: { ...object.metadata as JsonObject, ...rules.namespaced ? { namespace: 'default' } : {} } }
    expect(complaintsOfApply(rules, named)).toEqual([])
    expect(normalize(rules.schema, named).unknown).toEqual([])
    created(rules, named)
    const applied = apply(rules, undefined, named, writer(rules), false)
    expect(apply(rules, applied, named, { ...writer(rules), time: '2027-01-01T00:00:00Z' }, false)).toBe(applied)
  })
})

/** The kinds with each rule saying its own number, and which rule that is. */
function numbered(): { kinds: Map<string, ResourceRules>; rules: Map<string, string> } {
  const rules = new Map<string, string>()
  const mark = (node: SchemaNode, place: string): SchemaNode => ({
    ...node,
    ...node.properties ? { properties: Object.fromEntries(Object.entries(node.properties).map(([name, inner]) => [name, mark(inner, `${place}.${name}`)])) } : {},
    ...node.items ? { items: mark(node.items, `${place}[]`) } : {},
    ...node['x-kubernetes-validations'] ? {
      'x-kubernetes-validations': node['x-kubernetes-validations'].map(({ rule }) => {
        const message = `rule ${rules.size}`
        rules.set(message, `${place}: ${rule}`)
        return { rule, message }
      }),
    } : {},
  })
  return { kinds: new Map([...kinds].map(([kind, own]) => [kind, { ...own, schema: compileSchema(mark(own.schema.root, kind)) }])), rules }
}

test('every rule of every kind is broken by one of the objects above, or by one of these', () => {
  const { kinds: marked, rules } = numbered()
  const broken = new Set<string>()
  const judge = (errors: readonly FieldError[]): void => {
    for (const { message } of errors) for (const [said] of message.matchAll(/rule \d+$/g)) broken.add(said)
  }
  for (const [, kind, spec] of [...refused, ...refusedByClient, ...alsoRefused]) {
    const own = marked.get(kind)!
    judge(validateCreate(own, prepareCreate(own, normalize(own.schema, objectOf(own, 'probe', read(spec))).object)))
  }
  for (const { kind, spec, status, change } of [...changes, ...alsoRefusedChanges]) {
    const own = marked.get(kind)!
    const live = { ...created(own, objectOf(own, 'bound', read(spec))), status: read(status) }
    judge(validateUpdate(own, normalize(own.schema, mergePatch(live, { spec: read(change) })).object, live))
  }
  expect([...rules].filter(([message]) => !broken.has(message)).map(([, rule]) => rule)).toEqual([])
})
