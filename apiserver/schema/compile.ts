// Makes a schema ready: describes metadata, and finds the rules.

import { rulesIn, type RuleTree } from './cel/rules.ts'
import { objectMeta } from './meta/schema.ts'
import type { CompiledSchema, JsonObject, SchemaNode } from './types.ts'

const text: SchemaNode = { type: 'string' }

/**
 * Compiles `openAPIV3Schema`; metadata, apiVersion and kind need not be described. Cheap: rules are compiled when they are
 * needed first. `zeros`: of the API's own kinds. Whether a schema can serve, checkSchema says.
 */
export function compileSchema(openAPIV3Schema: SchemaNode, { zeros }: { zeros?: JsonObject } = {}): CompiledSchema {
  const { properties = {} } = openAPIV3Schema
  const root: SchemaNode = {
    ...openAPIV3Schema,
    properties: { ...properties, apiVersion: properties.apiVersion ?? text, kind: properties.kind ?? text, metadata: { ...objectMeta, description: properties.metadata?.description } },
  }
  return { root, rules: rulesIn(openAPIV3Schema), zeros }
}

export const rulesOf = (schema: CompiledSchema): RuleTree | undefined => schema.rules as RuleTree | undefined
