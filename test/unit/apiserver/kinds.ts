// The kinds of manifests/crds as the API server's core sees them.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { compileSchema, type ResourceRules, type SchemaNode } from '../../../apiserver/schema/index.ts'

const folder = join(import.meta.dirname, '../../../manifests/crds')

interface Definition {
  spec: { group: string; scope: string; names: { kind: string }; versions: { name: string; schema: { openAPIV3Schema: SchemaNode }; subresources?: { status?: object } }[] }
}

export const kinds: ReadonlyMap<string, ResourceRules> = new Map(readdirSync(folder).filter(name => name.endsWith('.yaml')).map(name => {
  const { spec } = parse(readFileSync(join(folder, name), 'utf8')) as Definition
  const [version] = spec.versions
  return [spec.names.kind, {
    schema: compileSchema(version!.schema.openAPIV3Schema),
    apiVersion: `${spec.group}/${version!.name}`,
    kind: spec.names.kind,
    namespaced: spec.scope === 'Namespaced',
    statusSubresource: version!.subresources?.status !== undefined,
  }]
}))
