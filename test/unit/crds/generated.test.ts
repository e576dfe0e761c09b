import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { expect, test } from 'vitest'
import { customResourceDefinition } from '../../../crds/crd.ts'
import { generatedFiles } from '../../../crds/generate.ts'
import { kinds } from '../../../crds/kinds.ts'

const checkout = join(import.meta.dirname, '../../..')
const files = generatedFiles()

test.each([...files.keys()])('%s is fresh: node crds/generate.ts', async path => {
  expect(await readFile(join(checkout, path), 'utf8')).toBe(files.get(path))
})

test.each(['manifests/crds', 'docs/reference'])('%s holds nothing but what is generated', async folder => {
  const expected = [...files.keys()].filter(path => path.startsWith(`${folder}/`)).map(path => path.slice(folder.length + 1))
  expect((await readdir(join(checkout, folder))).toSorted()).toEqual(expected.toSorted())
})

test.each(kinds.map(kind => [kind.resource.kind, kind] as const))('the CRD of %s reads back as it was, also as YAML 1.1', (_, kind) => {
  const crd = customResourceDefinition(kind)
  const yaml = files.get(`manifests/crds/${crd.metadata.name}.yaml`)!
  for (const version of ['1.1', '1.2'] as const) expect(parse(yaml, { version })).toEqual(JSON.parse(JSON.stringify(crd)))
})
