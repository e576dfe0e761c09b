import { describe, expect, test } from 'vitest'
import { customResourceDefinition, objectSchema, type SchemaNode } from '../../../crds/crd.ts'
import { kinds } from '../../../crds/kinds.ts'
import type { Rule } from '../../../crds/schema.ts'

interface Field { path: string; schema: SchemaNode }

/** Every node of a schema below its root, list items included. */
function fields(schema: SchemaNode, path = ''): Field[] {
  const children = [
    ...Object.entries(schema.properties ?? {}).map(([name, child]) => ({ path: `${path}.${name}`, schema: child })),
    ...schema.items ? [{ path: `${path}[]`, schema: schema.items }] : [],
    ...schema.additionalProperties ? [{ path: `${path}{}`, schema: schema.additionalProperties }] : [],
  ]
  return children.flatMap(child => [child, ...fields(child.schema, child.path)])
}

const find = (root: SchemaNode, path: string): SchemaNode | undefined =>
  path.split('.').filter(Boolean).reduce<SchemaNode | undefined>((node, name) => node?.properties?.[name], root)

const paths = (list: Field[]): string[] => list.map(field => field.path)

describe.each(kinds.map(kind => [kind.resource.kind, kind] as const))('%s', (_, kind) => {
  const root = objectSchema(kind)
  const all = fields(root).filter(field => field.path !== '.metadata')

  test('every field has a description that ends as a sentence', () => {
    const bare = all.filter(({ path, schema }) => !path.endsWith('{}') && !/[^ ]{2,}.*[.]$/.test(schema.description ?? ''))
    expect(paths(bare)).toEqual([])
  })

  test('every list, map and text has a bound, which the price of CEL rules is computed from', () => {
    const loose = all.filter(({ path, schema }) => !['.apiVersion', '.kind'].includes(path)
      && ((schema.type === 'array' && schema.maxItems === undefined)
        || (schema.additionalProperties !== undefined && schema.maxProperties === undefined)
        || (schema.type === 'string' && schema.maxLength === undefined && schema.enum === undefined)))
    expect(paths(loose)).toEqual([])
  })

  test('every list says how it is merged, and map keys are required scalars', () => {
    for (const { path, schema } of all.filter(field => field.schema.type === 'array')) {
      expect(['map', 'set', 'atomic'], path).toContain(schema['x-kubernetes-list-type'])
      const keys = (schema['x-kubernetes-list-map-keys'] ?? []) as string[]
      expect(keys.length > 0, path).toBe(schema['x-kubernetes-list-type'] === 'map')
      for (const key of keys) {
        expect(schema.items?.required, path).toContain(key)
        expect(['string', 'integer'], path).toContain(schema.items?.properties?.[key]?.type)
      }
    }
  })

  test('no pattern: its message would be a regular expression', () => {
    expect(paths(all.filter(field => 'pattern' in field.schema))).toEqual([])
  })

  test('rules carry a message, and those of the root a fieldPath that exists', () => {
    for (const { schema } of [{ schema: root }, ...all]) {
      for (const rule of (schema['x-kubernetes-validations'] ?? []) as Rule[]) {
        expect(rule.message).toMatch(/^[^\n]{10,}$/)
        if (schema === root) expect(rule.fieldPath).toBeDefined()
        if (rule.fieldPath) expect(find(schema, rule.fieldPath), rule.fieldPath).toBeDefined()
      }
    }
  })

  test('columns and selectable fields lead to fields that exist', () => {
    for (const column of kind.columns) {
      if (column.jsonPath.startsWith('.metadata.')) continue
      expect(find(root, column.jsonPath.replace(/\[.*$/, '')), column.name).toBeDefined()
    }
    for (const path of kind.selectableFields) expect(find(root, path)?.type).toBe('string')
  })

  test('a new object is not Current before vireo has seen it', () => {
    expect(root.properties?.status?.default).toEqual({ observedGeneration: -1 })
    expect(kind.status.properties).toHaveProperty('observedGeneration')
  })

  test('the status is a subresource and the kind is in the category', () => {
    const { spec } = customResourceDefinition(kind)
    const [version] = spec.versions as { subresources: unknown }[]
    expect(version!.subresources).toEqual({ status: {} })
    expect((spec.names as { categories: string[] }).categories).toEqual(['virt'])
  })
})

test('short names are not shared', () => {
  const names = kinds.flatMap(kind => kind.shortNames)
  expect(new Set(names).size).toBe(names.length)
})
