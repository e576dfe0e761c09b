// How a request changes an object: the four kinds of patch, and who owns which field (metadata.managedFields).
//
// Pure functions on JSON values: no function changes its arguments. Times are given, as `2026-01-01T00:00:00Z`.
// Order of a write: jsonPatch | mergePatch | strategicMergePatch, then normalize (of ../schema) and track; or apply, of what the
// client sent as it is: neither pruned nor defaulted nor given its namespace. Then prepare and validate as ../schema has it.

export { builtinKinds, builtinSchema } from './builtin.ts'
export { ConflictError } from './conflicts.ts'
export { PatchError } from './errors.ts'
export { apply, track } from './fieldmanager.ts'
export { jsonPatch } from './jsonpatch.ts'
export { mergePatch } from './mergepatch.ts'
export type { ManagedKind, Writer } from './ownership.ts'
export { strategicMergePatch } from './strategic.ts'
