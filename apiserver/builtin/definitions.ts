// CustomResourceDefinition: an object like any other, and a kind that is served as soon as it is written.

import { checkSchema, compileSchema, fieldErrors } from '../schema/index.ts'
import type { CompiledSchema, FieldError, Json, JsonObject, SchemaNode } from '../schema/types.ts'
import type { Entry } from '../store/entry.ts'
import { CUSTOM_VERBS, type Column, type ServedKind, type ServedVersion } from '../registry/kind.ts'
import { AGE_COLUMN, NAME_COLUMN, type PrinterColumn, columnOf } from '../table/table.ts'
import { at, builtin, column, isObject, textAt } from './define.ts'

/** Keeps a definition until its objects are gone. */
export const CLEANUP = 'customresourcecleanup.apiextensions.k8s.io'

const list = (value: Json | undefined): Json[] => Array.isArray(value) ? value : []
const objects = (value: Json | undefined): JsonObject[] => list(value).filter(isObject)

/** As kube-apiserver fills it in before anybody is noted as its manager. */
function fill(object: JsonObject): JsonObject {
  const spec = object['spec']
  if (!isObject(spec) || !isObject(spec['names'])) return object
  const names = spec['names']
  return {
    ...object,
    spec: {
      ...spec,
      conversion: spec['conversion'] ?? { strategy: 'None' },
      names: { ...names, singular: textAt(names, 'singular') || textAt(names, 'kind').toLowerCase(), listKind: textAt(names, 'listKind') || `${textAt(names, 'kind')}List` },
    },
  }
}

function prepare(object: JsonObject, old: JsonObject | undefined): JsonObject {
  const metadata = object['metadata'] as JsonObject
  const stored = [...new Set([...list(at(old ?? {}, 'status', 'storedVersions')), ...objects(at(object, 'spec', 'versions')).filter(version => version['storage'] === true).map(version => version['name']!)])]
  return { ...object, status: { conditions: conditions(old, textAt(metadata, 'creationTimestamp')), acceptedNames: at(object, 'spec', 'names') ?? {}, storedVersions: stored } }
}

function conditions(old: JsonObject | undefined, since: string): Json {
  const found = at(old ?? {}, 'status', 'conditions')
  if (list(found).length > 0) return found!
  return [
    { type: 'NamesAccepted', status: 'True', lastTransitionTime: since, reason: 'NoConflicts', message: 'no conflicts found' },
    { type: 'Established', status: 'True', lastTransitionTime: since, reason: 'InitialNamesAccepted', message: 'the initial names have been accepted' },
  ]
}

const SCOPES = ['Cluster', 'Namespaced']

function validate(object: JsonObject, old: JsonObject | undefined): FieldError[] {
  const spec = isObject(object['spec']) ? object['spec'] : {}
  const [group, plural] = [textAt(spec, 'group'), textAt(spec, 'names', 'plural')]
  const versions = objects(spec['versions'])
  const name = textAt(object, 'metadata', 'name')
  const storage = versions.filter(version => version['storage'] === true)
  const names = versions.map(version => version['name'] ?? '')
  return [
    ...name === `${plural}.${group}` ? [] : [fieldErrors.invalid('metadata.name', name, `must be spec.names.plural+"."+spec.group`)],
    ...group.includes('.') ? [] : [fieldErrors.invalid('spec.group', group, 'should be a domain with at least one dot')],
    ...typeof spec['scope'] === 'string' && SCOPES.includes(spec['scope']) ? [] : [fieldErrors.notSupported('spec.scope', spec['scope'] ?? '', SCOPES)],
    ...textAt(spec, 'conversion', 'strategy') === 'None' ? [] : [fieldErrors.notSupported('spec.conversion.strategy', at(spec, 'conversion', 'strategy') ?? '', ['None'])],
    ...storage.length === 1 ? [] : [fieldErrors.invalid('spec.versions', names, 'must have exactly one version marked as storage version')],
    ...new Set(names).size === names.length ? [] : [fieldErrors.invalid('spec.versions', names, 'must contain unique version names')],
    ...versions.flatMap((version, index) => versionErrors(version, versions.length === 1 ? 'spec' : `spec.versions[${index}]`, versions.length === 1 ? 'spec.validation' : `spec.versions[${index}].schema`, `spec.versions[${index}]`)),
    ...storage.length === 0 ? [fieldErrors.invalid('status.storedVersions', null, 'must have at least one stored version')] : [],
    ...old !== undefined && at(old, 'spec', 'scope') !== spec['scope'] ? [fieldErrors.invalid('spec.scope', spec['scope'] ?? '', 'field is immutable')] : [],
    ...old !== undefined && at(old, 'spec', 'names', 'kind') !== at(spec, 'names', 'kind') ? [fieldErrors.invalid('spec.names.kind', at(spec, 'names', 'kind') ?? '', 'field is immutable')] : [],
  ]
}

/** kube-apiserver reads what all versions have in common as if it stood above them; so it names the fields. */
function versionErrors(version: JsonObject, path: string, schemaPath: string, own: string): FieldError[] {
  const schema = at(version, 'schema', 'openAPIV3Schema')
  if (!isObject(schema)) return [fieldErrors.required(`${own}.schema.openAPIV3Schema`, '')]
  return [
    ...checkSchema(schema, `${schemaPath}.openAPIV3Schema`, { statusSubresource: isObject(at(version, 'subresources', 'status')) }),
    ...objects(version['additionalPrinterColumns']).flatMap((printer, index) => {
      try {
        columnOf(printer as unknown as PrinterColumn)
        return []
      } catch {
        return [fieldErrors.invalid(`${path}.additionalPrinterColumns[${index}].jsonPath`, printer['jsonPath'] ?? '', 'is not a JSON path that this server knows')]
      }
    }),
  ]
}

export const definitions: ServedKind = builtin({
  group: 'apiextensions.k8s.io', plural: 'customresourcedefinitions', kind: 'CustomResourceDefinition', shortNames: ['crd', 'crds'], namespaced: false,
  statusSubresource: true, hasGeneration: true,
  columns: [column('Created At', object => at(object, 'metadata', 'creationTimestamp') ?? '', { type: 'date', description: 'Time of its creation.' })],
  behaviour: { fill, prepare: (object, old, subresource) => subresource === 'status' ? object : prepare(object, old), validate, finalizers: [CLEANUP] },
})

/** Definitions were validated before they were stored. */
export function kindOf({ object, revision }: Entry): ServedKind {
  const spec = object['spec'] as JsonObject
  const group = textAt(spec, 'group')
  const storage = objects(spec['versions']).find(version => version['storage'] === true)
  const text = (value: Json | undefined): string[] => list(value).map(String)
  return {
    group,
    plural: textAt(spec, 'names', 'plural'),
    singular: textAt(spec, 'names', 'singular'),
    kind: textAt(spec, 'names', 'kind'),
    listKind: textAt(spec, 'names', 'listKind'),
    shortNames: text(at(spec, 'names', 'shortNames')),
    categories: text(at(spec, 'names', 'categories')),
    namespaced: spec['scope'] === 'Namespaced',
    resource: object.metadata.name,
    storedAs: `${group}/${textAt(storage ?? {}, 'name')}`,
    versions: objects(spec['versions']).map(version => versionOf(group, version, revision)),
    custom: true,
    createOnUpdate: false,
    hasGeneration: true,
    verbs: CUSTOM_VERBS,
    behaviour: {},
    terminating: object.metadata.deletionTimestamp !== undefined,
  }
}

function versionOf(group: string, version: JsonObject, since: number): ServedVersion {
  const name = textAt(version, 'name')
  const openapi = at(version, 'schema', 'openAPIV3Schema') as SchemaNode | undefined
  let schema: CompiledSchema | undefined
  let columns: readonly Column[] | undefined
  return {
    name,
    apiVersion: `${group}/${name}`,
    served: version['served'] === true,
    deprecated: version['deprecated'] === true,
    ...typeof version['deprecationWarning'] === 'string' ? { deprecationWarning: version['deprecationWarning'] } : {},
    openapi,
    schema: () => schema ??= compileSchema(openapi ?? { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }),
    get columns() {
      const printers = objects(version['additionalPrinterColumns'])
      return columns ??= [NAME_COLUMN, ...printers.length === 0 ? [AGE_COLUMN] : printers.map(printer => columnOf(printer as unknown as PrinterColumn))]
    },
    statusSubresource: isObject(at(version, 'subresources', 'status')),
    selectableFields: objects(version['selectableFields']).map(field => textAt(field, 'jsonPath').replace(/^\./, '')),
    since,
  }
}
