// What an object of a kind may hold: the API's view of a schema, pure functions on JSON values.
//
// Order of a write, as kube-apiserver has it: parseStrict → metadataProblem → normalize → (patch, field managers) → prepareCreate |
// prepareUpdate | prepareStatusUpdate → validateCreate | validateUpdate | validateStatusUpdate → store. What is read from the
// store, also what was just written, passes applyDefaults: so the default of a status stands in an object that nobody gave one.
// No function changes its arguments; what stays equal is shared with the result.

import { applyDefaults } from './defaults.ts'
import { dropEmpty, dropNulls, pruneResource } from './prune.ts'
import type { CompiledSchema, JsonObject } from './types.ts'

export type * from './types.ts'
export { compileSchema } from './compile.ts'
export { applyDefaults } from './defaults.ts'
export { checkSchema } from './schemacheck.ts'
export { invalidMessage } from './fielderror.ts'
export * as fieldErrors from './fielderror.ts'
export { equal } from './json/equal.ts'
export { finalizerWarnings, validateFieldManager } from './meta/validate.ts'
export { labelValue, qualifiedName } from './meta/names.ts'
export { metadataProblem } from './meta/read.ts'
export { maxDepth, parseStrict, strictComplaints } from './json/strict.ts'
export { prepareCreate, prepareStatusUpdate, prepareUpdate, validateCreate, validateStatusUpdate, validateUpdate } from './write.ts'

/**
 * What came from a client: without unknown fields and without nulls that stand for nothing, and with defaults. `unknown` are
 * the paths of what was removed, as in `spec.disks[0].iotune`. Metadata has to be readable: see metadataProblem.
 */
export function normalize(schema: CompiledSchema, object: JsonObject): { object: JsonObject; unknown: string[] } {
  const { object: pruned, unknown } = pruneUnknown(schema, object)
  return { object: applyDefaults(schema, pruned), unknown }
}

/** The same without defaults. */
export function pruneUnknown(schema: CompiledSchema, object: JsonObject): { object: JsonObject; unknown: string[] } {
  const { object: pruned, unknown } = pruneResource(schema.root, object)
  return { object: (schema.zeros === undefined ? dropNulls : dropEmpty)(pruned, schema.root) as JsonObject, unknown }
}
