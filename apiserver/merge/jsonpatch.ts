// JSON patch (RFC 6902), with the leniency that kube-apiserver has.

import { applyPatch, Pointer, type Operation } from 'rfc6902'
import { isObject } from '../schema/json/equal.ts'
import { doesNotApply, PatchError } from './errors.ts'
import type { Json, JsonObject } from '../schema/types.ts'

const maxOperations = 10_000

/** All operations or none. Throws PatchError: 400 for what is no list of operations, 413 for too many, 422 for one that does not apply. */
export function jsonPatch(object: JsonObject, patch: Json): JsonObject {
  if (!Array.isArray(patch)) throw new PatchError(400, `error decoding patch: json: cannot unmarshal ${isObject(patch) ? 'object' : typeof patch} into Go value of type []handlers.jsonPatchOp`)
  if (patch.length > maxOperations) throw new PatchError(413, `The allowed maximum operations in a JSON patch is ${maxOperations}, got ${patch.length}`)
  // The object hangs below a root of ours, so that a patch may also replace the whole of it.
  const document: JsonObject = { root: safe(object) }
  for (const operation of patch) {
    if (!isObject(operation)) throw new PatchError(400, `error decoding patch: json: cannot unmarshal ${typeof operation} into Go value of type handlers.jsonPatchOp`)
    let error: Error | null | undefined
    try {
      [error] = applyPatch(document, [lenient(below(operation), document)])
    } catch (cause) {
      throw doesNotApply(cause)
    }
    if (error) throw doesNotApply(error)
  }
  if (!isObject(document.root)) throw doesNotApply(new TypeError('the patch leaves no object'))
  return plain(document.root) as JsonObject
}

/** Names that the library steps over, as of JavaScript's prototypes; in JSON they are names like others, and are masked for it. */
const masked = /^\0*(__proto__|constructor|prototype)$/
const mask = (name: string): string => masked.test(name) ? `\0${name}` : name
const unmask = (name: string): string => name.startsWith('\0') && masked.test(name) ? name.slice(1) : name

/** A copy in which every name is a name: no prototypes, nothing inherited. */
function safe(value: Json): Json {
  if (Array.isArray(value)) return value.map(safe)
  return isObject(value) ? Object.assign(Object.create(null) as JsonObject, Object.fromEntries(Object.entries(value).map(([name, field]) => [mask(name), safe(field)]))) : value
}
function plain(value: Json): Json {
  if (Array.isArray(value)) return value.map(plain)
  return isObject(value) ? Object.fromEntries(Object.entries(value).map(([name, field]) => [unmask(name), plain(field)])) : value
}

const text = (value: Json | undefined): string => typeof value === 'string' ? value : ''
const pointer = (path: Json | undefined): string => `/root${text(path).split('/').map(mask).join('/')}`
const below = (operation: JsonObject): JsonObject =>
  ({ op: text(operation.op), path: pointer(operation.path), from: pointer(operation.from), value: operation.value === undefined ? null : safe(operation.value) })

/** Beyond the RFC: a field that is absent can be replaced, is null when it is tested, and copied as null. */
function lenient(operation: JsonObject, document: JsonObject): Operation {
  const { parent, value } = placeOf(text(operation.path), document)
  const asGiven = operation as unknown as Operation
  const isMissing = value === undefined && isObject(parent)
  if (operation.op === 'replace' && isMissing) return { ...asGiven, op: 'add' } as Operation
  if (operation.op === 'test' && isMissing && operation.value === null) return { op: 'test', path: '', value: document }
  if (operation.op === 'copy' && placeOf(text(operation.from), document).value === undefined) return { op: 'add', path: text(operation.path), value: null }
  return asGiven
}

function placeOf(path: string, document: JsonObject): { parent: Json | undefined; value: Json | undefined } {
  return Pointer.fromJSON(path).evaluate(document)
}
