// Events: one set of objects under two groups, each with field names of its own.

import { fieldErrors } from '../schema/index.ts'
import type { FieldError, Json, JsonObject } from '../schema/types.ts'
import type { Behaviour, ServedKind } from '../registry/kind.ts'
import { age, at, builtin, column, isObject, textAt } from './define.ts'

const CORE = 'v1'
const MODERN = 'events.k8s.io/v1'

const renamed = (object: JsonObject, names: Record<string, string>): JsonObject =>
  Object.fromEntries(Object.entries(object).map(([field, value]) => [names[field] ?? field, value]))

const TO_MODERN = { involvedObject: 'regarding', message: 'note', source: 'deprecatedSource', firstTimestamp: 'deprecatedFirstTimestamp', lastTimestamp: 'deprecatedLastTimestamp', count: 'deprecatedCount', reportingComponent: 'reportingController' }
const TO_CORE = Object.fromEntries(Object.entries(TO_MODERN).map(([core, modern]) => [modern, core]))

function convertEvent(object: JsonObject, apiVersion: string): JsonObject {
  if (object['apiVersion'] === apiVersion) return object
  const { apiVersion: _, ...rest } = object
  if (apiVersion === MODERN) return { apiVersion, ...Object.fromEntries(Object.entries(renamed(rest, TO_MODERN)).filter(([field, value]) => value !== '' || !field.startsWith('reporting'))) }
  return { reportingComponent: '', reportingInstance: '', apiVersion, ...renamed(rest, TO_CORE) }
}

const regarding = (object: JsonObject): JsonObject => { const found = object['involvedObject'] ?? object['regarding']; return isObject(found) ? found : {} }

function modernErrors(object: JsonObject): FieldError[] {
  const type = textAt(object, 'type')
  const required = textAt(object, 'eventTime') === '' ? ['eventTime'] : ['reportingController', 'reportingInstance', 'action', 'reason'].filter(field => textAt(object, field) === '')
  return [
    ...required.map(field => fieldErrors.required(field, '')),
    ...type === 'Normal' || type === 'Warning' ? [] : [fieldErrors.invalid('type', type, `has invalid value: ${type}`)],
  ]
}

/** Those about cluster-scoped objects are kept in the namespace default. */
const behaviour: Behaviour = {
  convert: convertEvent,
  validate: object => {
    const about = textAt(regarding(object), 'namespace')
    const own = textAt(object, 'metadata', 'namespace')
    const matches = about === '' ? own === 'default' || own === 'kube-system' : about === own
    return [
      ...matches ? [] : [fieldErrors.invalid('involvedObject.namespace', about, 'does not match event.namespace')],
      ...object['apiVersion'] === MODERN ? modernErrors(object) : [],
    ]
  },
  // Times that are not known are null in both forms, and what reports is text in the older one.
  finish: object => object['apiVersion'] === CORE
    ? { eventTime: null, firstTimestamp: null, lastTimestamp: null, involvedObject: {}, source: {}, reportingComponent: '', reportingInstance: '', ...object }
    : { eventTime: null, deprecatedFirstTimestamp: null, deprecatedLastTimestamp: null, deprecatedSource: {}, regarding: {}, ...object },
}

const lastSeen = (object: JsonObject): Json => age(at(object, 'series', 'lastObservedTime') ?? present(object['lastTimestamp'] ?? object['deprecatedLastTimestamp']) ?? present(object['eventTime']) ?? at(object, 'metadata', 'creationTimestamp'))
const firstSeen = (object: JsonObject): Json => age(present(object['firstTimestamp'] ?? object['deprecatedFirstTimestamp']) ?? present(object['eventTime']) ?? at(object, 'metadata', 'creationTimestamp'))
const present = (value: Json | undefined): Json | undefined => value === null || value === '' ? undefined : value

const columns = [
  column('Last Seen', lastSeen, { description: 'Time of the last observation.' }),
  column('Type', object => textAt(object, 'type'), { description: 'Type of this event (Normal, Warning).' }),
  column('Reason', object => textAt(object, 'reason'), { description: 'Why the action was taken.' }),
  column('Object', object => { const about = regarding(object); return `${textAt(about, 'kind').toLowerCase()}/${textAt(about, 'name')}` }, { description: 'The object this event is about.' }),
  column('Subobject', object => textAt(regarding(object), 'fieldPath'), { priority: 1, description: 'A piece of the object.' }),
  column('Source', object => { const source = object['source'] ?? object['deprecatedSource']; const parts = isObject(source) ? [textAt(source, 'component'), textAt(source, 'host')].filter(part => part !== '') : []; return parts.length > 0 ? parts.join(', ') : textAt(object, 'reportingComponent') || textAt(object, 'reportingController') }, { priority: 1, description: 'The component that reports it.' }),
  column('Message', object => (textAt(object, 'message') || textAt(object, 'note')).trim(), { description: 'A sentence about it.' }),
  column('First Seen', firstSeen, { priority: 1, description: 'Time of the first observation.' }),
  column('Count', object => at(object, 'series', 'count') ?? object['count'] ?? object['deprecatedCount'] ?? 1, { priority: 1, type: 'string', description: 'How often it was observed.' }),
  column('Name', object => textAt(object, 'metadata', 'name'), { priority: 1, format: 'name', description: 'Its name.' }),
]

const aboutFields = (prefix: string): string[] => ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map(field => `${prefix}.${field}`)

/** Without the name in front, as kubectl shows them. */
const withoutName = (kind: ServedKind): ServedKind => ({ ...kind, versions: kind.versions.map(version => ({ ...version, columns })) })

export const events: ServedKind = withoutName(builtin({
  plural: 'events', kind: 'Event', shortNames: ['ev'], createOnUpdate: true, behaviour,
  selectableFields: [...aboutFields('involvedObject'), 'reason', 'reportingComponent', 'source', 'type'],
}))

export const modernEvents: ServedKind = withoutName(builtin({
  group: 'events.k8s.io', plural: 'events', kind: 'Event', shortNames: ['ev'], createOnUpdate: true, behaviour,
  selectableFields: [...aboutFields('regarding'), 'reason', 'reportingController', 'type'],
  keptBy: { resource: 'events', apiVersion: CORE },
}))
