// Covers what two servers cannot have in common: uids, times, revisions, what was drawn by lot.

const UID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g

export function mask(value: unknown, key = ''): unknown {
  if (Array.isArray(value)) return key === 'managedFields' ? value.map(one => mask(one)).toSorted((a, b) => JSON.stringify(a) < JSON.stringify(b) ? -1 : 1) : value.map(one => mask(one, key))
  // The words that describe a column are each server's own.
  if (typeof value === 'object' && value !== null && 'priority' in value && 'format' in value && 'description' in value) { const { description: _words, ...column } = value; return mask(column, key) }
  if (typeof value === 'object' && value !== null) return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, mask(one, name)]).toSorted(([a], [b]) => String(a) < String(b) ? -1 : 1))
  if (typeof value !== 'string') return value
  if (key === 'resourceVersion' && value !== '') return 'REVISION'
  if (key === 'continue' && value !== '') return 'CONTINUE'
  if (key === 'creationTimestamp' && value !== '') return 'TIME'
  return maskText(value)
}

const maskText = (text: string): string => text
  .replaceAll(UID, 'UID')
  .replaceAll(TIME, 'TIME')
  .replaceAll(/too old resource version: \d+ \(\d+\)/g, 'too old resource version: REVISION (REVISION)')
  .replaceAll(/Too large resource version: \d+, current: \d+/g, 'Too large resource version: REVISION, current: REVISION')
  .replaceAll(/(ResourceVersion in (?:precondition|object meta): )\d+/g, '$1REVISION')
  .replaceAll(/\b(gen-|Bad_)[a-z0-9]{5}\b/g, '$1DRAWN')
  // What a parser says of text that it cannot parse is its own; that it is refused, and as what, is not.
  .replaceAll(/(json parse error: |error decoding patch: |yaml: |continue key is not valid: )(?!json: cannot|encoded|incorrect).*?(?= \([0-9a-f]+( \.\.\.)?\)$| \(\{.*\)$| \(<empty>\)$|$)/g, '$1UNPARSABLE')
  .replaceAll(/(cannot be handled as a \w+: )(?:json: cannot unmarshal|illegal base64|parsing time|converting|no kind).*/g, '$1UNREADABLE')
  .replaceAll(/ in scheme "[^"]*"/g, '')
  .replaceAll(/ \(\*unstructured\.\w+\)/g, '')
  // Where etcd keeps an object.
  .replaceAll(/StorageError: invalid object, Code: 4, Key: \S+, ResourceVersion: 0, AdditionalErrorMsg: /g, '')
  .replaceAll(/(ResourceVersion in (?:the precondition|record) \()\d+/g, '$1REVISION')
  // The order of keys in a quoted object is a map's in Go.
  .replaceAll(/Invalid value: "\{.*\}": strict decoding/g, 'Invalid value: "OBJECT": strict decoding')
