// Writes the reference page of a kind: every field with its type and description.

import { type SchemaNode, customResourceDefinition, objectSchema } from './crd.ts'
import type { Kind } from './kind.ts'
import { apiVersion } from './names.ts'
import type { Rule } from './schema.ts'

/** How the docs and `kubectl explain` readers call the type of a field. */
function typeOf(schema: SchemaNode): string {
  if (schema['x-kubernetes-int-or-string'] === true) return 'quantity'
  if (Array.isArray(schema.enum)) return schema.enum.map(value => `\`${value}\``).join(' \\| ')
  if (schema.format === 'date-time') return 'time'
  if (schema.type === 'array') {
    const item = typeOf(schema.items!)
    switch (schema['x-kubernetes-list-type']) {
      case 'map': return `map by ${(schema['x-kubernetes-list-map-keys'] as string[]).join(', ')}`
      case 'set': return `set of ${item}`
      default: return `list of ${item}`
    }
  }
  if (schema.type === 'object' && schema.additionalProperties) return 'map of strings'
  return schema.type ?? 'any'
}

interface Row { path: string; type: string; required: boolean; description: string }

function rows(schema: SchemaNode, path: string): Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const isList = field.type === 'array'
    const here = `${path}${path && '.'}${name}${isList && field.items?.properties ? '[]' : ''}`
    const own: Row = { path: here, type: typeOf(field), required: schema.required?.includes(name) ?? false, description: field.description ?? '' }
    return [own, ...rows(isList ? field.items! : field, here)]
  })
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
const table = (of: Row[]): string[] => [
  '| field | type | meaning |',
  '|---|---|---|',
  ...of.map(row => `| \`${row.path}\` | ${row.type} | ${row.required ? '**Required.** ' : ''}${cell(row.description)} |`),
]

/** Rules with the path they stand at; those of the root name their own. */
function rules(schema: SchemaNode, path: string): { path: string; message: string }[] {
  const own = ((schema['x-kubernetes-validations'] ?? []) as Rule[]).map(rule => ({ path: `${path}${rule.fieldPath ?? ''}`.replace(/^\./, ''), message: rule.message }))
  const below = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => rules(field, `${path}${path && '.'}${name}`))
  return [...own, ...below, ...schema.items ? rules(schema.items, `${path}[]`) : []]
}

export function referencePage(kind: Kind): string {
  const { resource } = kind
  const crd = customResourceDefinition(kind)
  const schema = objectSchema(kind)
  const { spec, status } = schema.properties!
  const shown = kind.columns.filter(column => !column.wide).map(column => column.name.toUpperCase())
  const wide = kind.columns.filter(column => column.wide).map(column => column.name.toUpperCase())
  return [
    `# ${resource.kind}`,
    '',
    '<!-- Generated from crds/ by `node crds/generate.ts`. -->',
    '',
    kind.description,
    '',
    `- API: \`${apiVersion}\`, CRD \`${crd.metadata.name}\`, ${resource.namespaced ? 'namespaced' : 'cluster-scoped'}`,
    `- kubectl: \`${[resource.plural, kind.singular, ...kind.shortNames].join('`, `')}\`; in the category \`virt\``,
    `- columns: ${shown.join(', ')}; with \`-o wide\` also ${wide.join(', ')}`,
    ...kind.selectableFields.length > 0 ? [`- field selectors: ${kind.selectableFields.map(f => `\`${f.slice(1)}\``).join(', ')}`] : [],
    '',
    '## spec',
    '',
    ...table(rows(spec!, '')),
    '',
    '## status',
    '',
    'Written by vireo alone.',
    '',
    ...table(rows(status!, '')),
    '',
    '## Rules',
    '',
    'Held by the API server beside types and bounds; a manifest that breaks one is refused with the sentence.',
    '',
    '| field | sentence |',
    '|---|---|',
    ...rules(schema, '').map(rule => `| \`${rule.path}\` | ${cell(rule.message)} |`),
    '',
  ].join('\n')
}

export function referenceIndex(kinds: readonly Kind[]): string {
  return [
    '# Reference',
    '',
    '<!-- Generated from crds/ by `node crds/generate.ts`. -->',
    '',
    `The kinds of \`${apiVersion}\`. The same texts are in \`kubectl explain\`.`,
    'They need an API server of Kubernetes 1.31 or newer, the first with both the functions for addresses in CEL and selectable fields; tested on 1.36.',
    '',
    ...kinds.map(kind => `- [${kind.resource.kind}](${kind.singular}.md): ${kind.description}`),
    '',
  ].join('\n')
}
