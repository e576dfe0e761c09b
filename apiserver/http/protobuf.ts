// Reads the protobuf bodies that Go clients send for built-in kinds. Field numbers are those of the generated.proto files of k8s.io/api and k8s.io/apimachinery v0.36.

import { badRequest, unsupportedMediaType } from '../registry/failure.ts'
import type { Json, JsonObject } from '../schema/types.ts'

export const PROTOBUF = 'application/vnd.kubernetes.protobuf'

/** What comes before the envelope of every body. */
const MAGIC = Buffer.from('k8s\0')

/** `name: [number, type]`; a type of ours is a message, `[]` behind it a list, `{}` a map of texts to it. */
type Fields = Record<string, readonly [number, string]>

const metadata = [1, 'ObjectMeta'] as const

const MESSAGES: Record<string, Fields> = {
  Unknown: { typeMeta: [1, 'TypeMeta'], raw: [2, 'bytes'] },
  TypeMeta: { apiVersion: [1, 'string'], kind: [2, 'string'] },
  Time: { seconds: [1, 'int64'], nanos: [2, 'int32'] },
  MicroTime: { seconds: [1, 'int64'], nanos: [2, 'int32'] },
  FieldsV1: { Raw: [1, 'bytes'] },
  ObjectMeta: {
    name: [1, 'string'], generateName: [2, 'string'], namespace: [3, 'string'], uid: [5, 'string'], resourceVersion: [6, 'string'], generation: [7, 'int64'], creationTimestamp: [8, 'Time'],
    deletionTimestamp: [9, 'Time'], deletionGracePeriodSeconds: [10, 'int64'], labels: [11, 'string{}'], annotations: [12, 'string{}'], ownerReferences: [13, 'OwnerReference[]'], finalizers: [14, 'string[]'],
    managedFields: [17, 'ManagedFieldsEntry[]'],
  },
  OwnerReference: { kind: [1, 'string'], name: [3, 'string'], uid: [4, 'string'], apiVersion: [5, 'string'], controller: [6, 'bool'], blockOwnerDeletion: [7, 'bool'] },
  ManagedFieldsEntry: { manager: [1, 'string'], operation: [2, 'string'], apiVersion: [3, 'string'], time: [4, 'Time'], fieldsType: [6, 'string'], fieldsV1: [7, 'FieldsV1'], subresource: [8, 'string'] },
  ObjectReference: { kind: [1, 'string'], namespace: [2, 'string'], name: [3, 'string'], uid: [4, 'string'], apiVersion: [5, 'string'], resourceVersion: [6, 'string'], fieldPath: [7, 'string'] },
  LocalObjectReference: { name: [1, 'string'] },
  EventSource: { component: [1, 'string'], host: [2, 'string'] },
  EventSeries: { count: [1, 'int32'], lastObservedTime: [2, 'MicroTime'] },
  NamespaceSpec: { finalizers: [1, 'string[]'] },
  NamespaceStatus: { phase: [1, 'string'] },
  LeaseSpec: { holderIdentity: [1, 'string'], leaseDurationSeconds: [2, 'int32'], acquireTime: [3, 'MicroTime'], renewTime: [4, 'MicroTime'], leaseTransitions: [5, 'int32'], strategy: [6, 'string'], preferredHolder: [7, 'string'] },
  ResourceAttributes: { namespace: [1, 'string'], verb: [2, 'string'], group: [3, 'string'], version: [4, 'string'], resource: [5, 'string'], subresource: [6, 'string'], name: [7, 'string'] },
  NonResourceAttributes: { path: [1, 'string'], verb: [2, 'string'] },
  AccessReviewSpec: { resourceAttributes: [1, 'ResourceAttributes'], nonResourceAttributes: [2, 'NonResourceAttributes'] },
  RulesReviewSpec: { namespace: [1, 'string'] },
  Preconditions: { uid: [1, 'string'], resourceVersion: [2, 'string'] },
  'v1/Namespace': { metadata, spec: [2, 'NamespaceSpec'], status: [3, 'NamespaceStatus'] },
  'v1/Secret': { metadata, data: [2, 'bytes{}'], type: [3, 'string'], stringData: [4, 'string{}'], immutable: [5, 'bool'] },
  'v1/ConfigMap': { metadata, data: [2, 'string{}'], binaryData: [3, 'bytes{}'], immutable: [4, 'bool'] },
  'v1/ServiceAccount': { metadata, secrets: [2, 'ObjectReference[]'], imagePullSecrets: [3, 'LocalObjectReference[]'], automountServiceAccountToken: [4, 'bool'] },
  'v1/Event': {
    metadata, involvedObject: [2, 'ObjectReference'], reason: [3, 'string'], message: [4, 'string'], source: [5, 'EventSource'], firstTimestamp: [6, 'Time'], lastTimestamp: [7, 'Time'], count: [8, 'int32'], type: [9, 'string'],
    eventTime: [10, 'MicroTime'], series: [11, 'EventSeries'], action: [12, 'string'], related: [13, 'ObjectReference'], reportingComponent: [14, 'string'], reportingInstance: [15, 'string'],
  },
  'events.k8s.io/v1/Event': {
    metadata, eventTime: [2, 'MicroTime'], series: [3, 'EventSeries'], reportingController: [4, 'string'], reportingInstance: [5, 'string'], action: [6, 'string'], reason: [7, 'string'], regarding: [8, 'ObjectReference'],
    related: [9, 'ObjectReference'], note: [10, 'string'], type: [11, 'string'], deprecatedSource: [12, 'EventSource'], deprecatedFirstTimestamp: [13, 'Time'], deprecatedLastTimestamp: [14, 'Time'], deprecatedCount: [15, 'int32'],
  },
  'coordination.k8s.io/v1/Lease': { metadata, spec: [2, 'LeaseSpec'] },
  PolicyRule: { verbs: [1, 'string[]'], apiGroups: [2, 'string[]'], resources: [3, 'string[]'], resourceNames: [4, 'string[]'], nonResourceURLs: [5, 'string[]'] },
  Subject: { kind: [1, 'string'], apiGroup: [2, 'string'], name: [3, 'string'], namespace: [4, 'string'] },
  RoleRef: { apiGroup: [1, 'string'], kind: [2, 'string'], name: [3, 'string'] },
  'rbac.authorization.k8s.io/v1/ClusterRole': { metadata, rules: [2, 'PolicyRule[]'] },
  'rbac.authorization.k8s.io/v1/ClusterRoleBinding': { metadata, subjects: [2, 'Subject[]'], roleRef: [3, 'RoleRef'] },
  'rbac.authorization.k8s.io/v1/Role': { metadata, rules: [2, 'PolicyRule[]'] },
  'rbac.authorization.k8s.io/v1/RoleBinding': { metadata, subjects: [2, 'Subject[]'], roleRef: [3, 'RoleRef'] },
  'authorization.k8s.io/v1/SelfSubjectAccessReview': { metadata, spec: [2, 'AccessReviewSpec'] },
  'authorization.k8s.io/v1/SelfSubjectRulesReview': { metadata, spec: [2, 'RulesReviewSpec'] },
  'authentication.k8s.io/v1/SelfSubjectReview': { metadata },
  DeleteOptions: { gracePeriodSeconds: [1, 'int64'], preconditions: [2, 'Preconditions'], orphanDependents: [3, 'bool'], propagationPolicy: [4, 'string'], dryRun: [5, 'string[]'] },
}

/** Empty values that mean something: a Lease that nobody holds. */
const KEPT_EMPTY = new Set(['holderIdentity', 'leaseTransitions', 'deletionGracePeriodSeconds', 'gracePeriodSeconds'])

/** Whether bodies of this kind can be read. */
const isReadable = (apiVersion: string, kind: string): boolean => Object.hasOwn(MESSAGES, messageOf(apiVersion, kind))

const messageOf = (apiVersion: string, kind: string): string => kind === 'DeleteOptions' ? kind : `${apiVersion}/${kind}`

type Decode = (message: string, bytes: Uint8Array) => Record<string, unknown>
let decoder: Promise<Decode> | undefined

/** Throws ApiFailure 400 for what cannot be read, 415 for a kind whose bodies are not read in this form. The object has the apiVersion and kind that its envelope names. */
export async function parseProtobuf(body: Buffer): Promise<JsonObject> {
  if (!body.subarray(0, MAGIC.length).equals(MAGIC)) throw badRequest('provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]')
  const decode = await (decoder ??= makeDecoder())
  try {
    const { typeMeta, raw } = decode('Unknown', body.subarray(MAGIC.length))
    const { apiVersion = '', kind = '' } = (typeMeta ?? {}) as { apiVersion?: string; kind?: string }
    if (!isReadable(apiVersion, kind)) throw unsupportedMediaType(['application/json', 'application/yaml'])
    const message = messageOf(apiVersion, kind)
    return { apiVersion, kind, ...asJson(decode(message, raw as Uint8Array | undefined ?? Buffer.alloc(0)), MESSAGES[message]!) }
  } catch (error) {
    if (error instanceof RangeError || (error instanceof Error && error.name === 'Error')) throw badRequest(`the protobuf body cannot be read: ${error.message}`)
    throw error
  }
}

async function makeDecoder(): Promise<Decode> {
  const { default: protobuf } = await import('protobufjs/light.js')
  const root = protobuf.Root.fromJSON({ nested: Object.fromEntries(Object.entries(MESSAGES).map(([name, fields]) => [typeName(name), { fields: Object.fromEntries(Object.entries(fields).map(([field, [id, type]]) => [field, descriptor(id, type)])) }])) })
  return (message, bytes) => {
    const type = root.lookupType(typeName(message))
    return type.toObject(type.decode(bytes), { longs: Number, bytes: Buffer })
  }
}

const typeName = (message: string): string => message.replaceAll(/[^A-Za-z0-9]/g, '_')

function descriptor(id: number, type: string): { id: number; type: string; rule?: 'repeated'; keyType?: string } {
  if (type.endsWith('[]')) return { id, type: typeName(type.slice(0, -2)), rule: 'repeated' }
  if (type.endsWith('{}')) return { id, type: type.slice(0, -2), keyType: 'string' }
  return { id, type: Object.hasOwn(MESSAGES, type) ? typeName(type) : type }
}

/** Go writes every field that is no pointer, also an empty one: those fall away, as from its JSON. */
function asJson(value: Record<string, unknown>, fields: Fields): JsonObject {
  const pairs = Object.entries(value).flatMap(([name, one]): [string, Json][] => {
    const [, type] = fields[name]!
    const json = type.endsWith('[]') ? (one as unknown[]).map(item => valueOf(item, type.slice(0, -2))) : type.endsWith('{}') ? Object.fromEntries(Object.entries(one as object).map(([key, item]) => [key, valueOf(item, type.slice(0, -2))])) : valueOf(one, type)
    const empty = json === '' || json === 0 || json === null || (typeof json === 'object' && Object.keys(json).length === 0)
    return empty && !KEPT_EMPTY.has(name) ? [] : [[name, json]]
  })
  return Object.fromEntries(pairs)
}

function valueOf(value: unknown, type: string): Json {
  switch (type) {
    case 'bytes': return Buffer.from(value as Uint8Array).toString('base64')
    case 'Time': return timeOf(value as { seconds?: number }, 0)
    case 'MicroTime': return timeOf(value as { seconds?: number; nanos?: number }, 6)
    case 'FieldsV1': return JSON.parse(Buffer.from((value as { Raw: Uint8Array }).Raw).toString('utf8')) as Json
    default: return Object.hasOwn(MESSAGES, type) ? asJson(value as Record<string, unknown>, MESSAGES[type]!) : value as Json
  }
}

/** RFC 3339; null for a time that is not set. */
function timeOf({ seconds, nanos = 0 }: { seconds?: number; nanos?: number }, digits: number): string | null {
  if (seconds === undefined) return null
  const whole = new Date(seconds * 1_000).toISOString().slice(0, 19)
  return digits === 0 ? `${whole}Z` : `${whole}.${String(Math.trunc(nanos / 1_000)).padStart(6, '0')}Z`
}
