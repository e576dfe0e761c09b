// The core group's kinds that users' tools need: Namespace, Secret, ConfigMap, ServiceAccount; and Lease.

import { equal, fieldErrors } from '../schema/index.ts'
import type { FieldError, JsonObject } from '../schema/types.ts'
import type { ServedKind } from '../registry/kind.ts'
import { AGE_COLUMN, at, builtin, column, isObject, textAt } from './define.ts'

const KUBERNETES = 'kubernetes'

export const namespaces: ServedKind = builtin({
  plural: 'namespaces', kind: 'Namespace', shortNames: ['ns'], namespaced: false, names: 'label', statusSubresource: true,
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  selectableFields: ['status.phase'],
  columns: [column('Status', object => textAt(object, 'status', 'phase'), { description: 'The status of the namespace' }), AGE_COLUMN],
  behaviour: {
    fill: object => ({ ...object, metadata: { ...object['metadata'] as JsonObject, labels: { ...at(object, 'metadata', 'labels') as JsonObject | undefined, 'kubernetes.io/metadata.name': textAt(object, 'metadata', 'name') } } }),
    prepare: (object, old, subresource) => subresource === 'status' ? object : {
      ...object,
      // Only the server's own upkeep takes a finalizer off.
      spec: { ...object['spec'] as JsonObject | undefined, finalizers: at(old ?? {}, 'spec', 'finalizers') ?? [KUBERNETES] },
      status: (old === undefined ? { phase: 'Active' } : old['status']) ?? { phase: 'Active' },
    },
    terminate: object => ({ ...object, status: { ...object['status'] as JsonObject | undefined, phase: 'Terminating' } }),
    held: object => { const finalizers = at(object, 'spec', 'finalizers'); return Array.isArray(finalizers) && finalizers.length > 0 },
  },
})

/** A namespace whose content is gone. */
export const withoutHold = (namespace: JsonObject): JsonObject => ({ ...namespace, spec: {} })

/** `data` holds what may be looked at as `kind`'s key. */
function keyErrors(data: JsonObject, path: string): FieldError[] {
  return Object.keys(data).flatMap(key => {
    if (key.length > 253) return [fieldErrors.invalid(`${path}[${key}]`, key, 'must be no more than 253 characters')]
    if (key === '.' || key === '..') return [fieldErrors.invalid(`${path}[${key}]`, key, `must not be '${key}'`)]
    if (key.startsWith('..')) return [fieldErrors.invalid(`${path}[${key}]`, key, `must not start with '..'`)]
    if (!/^[-._a-zA-Z0-9]+$/.test(key)) return [fieldErrors.invalid(`${path}[${key}]`, key, "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')")]
    return []
  })
}

const IMMUTABLE = 'field is immutable when `immutable` is set'

function immutableErrors(object: JsonObject, old: JsonObject | undefined, fields: readonly string[]): FieldError[] {
  if (old?.['immutable'] !== true) return []
  const changed = fields.filter(field => !equal(object[field] ?? null, old[field] ?? null)).map(field => fieldErrors.forbidden(field, IMMUTABLE))
  return object['immutable'] === true ? changed : [fieldErrors.forbidden('immutable', IMMUTABLE), ...changed]
}

const bytesIn = (data: JsonObject): number => Object.values(data).reduce<number>((sum, value) => sum + (typeof value === 'string' ? Buffer.byteLength(value) : 0), 0)
/** Of all values together. */
const DATA_LIMIT = 1024 * 1024

const objectAt = (object: JsonObject, field: string): JsonObject => { const value = object[field]; return isObject(value) ? value : {} }

/** Annotation that names the account of a token. */
const ACCOUNT = 'kubernetes.io/service-account.name'

/** Types of Secrets that have to hold certain keys. */
const REQUIRED_KEYS: Record<string, readonly string[]> = {
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
}

export const secrets: ServedKind = builtin({
  plural: 'secrets', kind: 'Secret', selectableFields: ['type'],
  columns: [
    column('Type', object => textAt(object, 'type'), { description: 'Used to facilitate programmatic handling of secret data.' }),
    column('Data', object => Object.keys(objectAt(object, 'data')).length, { type: 'string', description: 'Data contains the secret data.' }),
    AGE_COLUMN,
  ],
  behaviour: {
    fill: object => {
      const { stringData, data, ...rest } = object
      const texts = isObject(stringData) ? Object.entries(stringData).map(([key, value]) => [key, Buffer.from(typeof value === 'string' ? value : '').toString('base64')]) : []
      const all = { ...isObject(data) ? data : {}, ...Object.fromEntries(texts) as JsonObject }
      return { ...rest, ...Object.keys(all).length === 0 ? {} : { data: all }, type: textAt(object, 'type') || 'Opaque' }
    },
    validate: (object, old) => {
      const data = objectAt(object, 'data')
      const type = textAt(object, 'type')
      return [
        ...keyErrors(data, 'data'),
        ...bytesIn(data) * 0.75 > DATA_LIMIT ? [fieldErrors.tooLong('data', DATA_LIMIT)] : [],
        ...type === 'kubernetes.io/service-account-token' && textAt(object, 'metadata', 'annotations', ACCOUNT) === '' ? [fieldErrors.required(`metadata.annotations[${ACCOUNT}]`, '')] : [],
        ...(REQUIRED_KEYS[type] ?? []).filter(key => !Object.hasOwn(data, key)).map(key => fieldErrors.required(`data[${key}]`, '')),
        ...old !== undefined && old['type'] !== object['type'] ? [fieldErrors.invalid('type', object['type'] ?? '', 'field is immutable')] : [],
        ...immutableErrors(object, old, ['data']),
      ]
    },
  },
})

export const configMaps: ServedKind = builtin({
  plural: 'configmaps', kind: 'ConfigMap', shortNames: ['cm'],
  columns: [
    column('Data', object => Object.keys(objectAt(object, 'data')).length + Object.keys(objectAt(object, 'binaryData')).length, { type: 'string', description: 'Data contains the configuration data.' }),
    AGE_COLUMN,
  ],
  behaviour: {
    validate: (object, old) => {
      const [data, binary] = [objectAt(object, 'data'), objectAt(object, 'binaryData')]
      return [
        ...keyErrors(data, 'data'),
        ...Object.keys(data).filter(key => Object.hasOwn(binary, key)).map(key => fieldErrors.invalid(`data[${key}]`, key, 'duplicate of key present in binaryData')),
        ...keyErrors(binary, 'binaryData'),
        ...bytesIn(data) + bytesIn(binary) * 0.75 > DATA_LIMIT ? [fieldErrors.tooLong('', DATA_LIMIT)] : [],
        ...immutableErrors(object, old, ['data', 'binaryData']),
      ]
    },
  },
})

export const serviceAccounts: ServedKind = builtin({
  plural: 'serviceaccounts', kind: 'ServiceAccount', shortNames: ['sa'],
  behaviour: { returnsDeleted: true },
})

export const leases: ServedKind = builtin({
  group: 'coordination.k8s.io', plural: 'leases', kind: 'Lease', createOnUpdate: true,
  columns: [column('Holder', object => textAt(object, 'spec', 'holderIdentity'), { description: 'holderIdentity contains the identity of the holder of a current lease.' }), AGE_COLUMN],
  behaviour: {
    validate: object => {
      const duration = at(object, 'spec', 'leaseDurationSeconds')
      const transitions = at(object, 'spec', 'leaseTransitions')
      return [
        ...typeof duration === 'number' && duration <= 0 ? [fieldErrors.invalid('spec.leaseDurationSeconds', duration, 'must be greater than 0')] : [],
        ...typeof transitions === 'number' && transitions < 0 ? [fieldErrors.invalid('spec.leaseTransitions', transitions, 'must be greater than or equal to 0')] : [],
      ]
    },
  },
})
