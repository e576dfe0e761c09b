// Writes manifests/crds and docs/reference from the kinds: `node crds/generate.ts`.

import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { stringify } from 'yaml'
import { customResourceDefinition } from './crd.ts'
import { kinds } from './kinds.ts'
import { referenceIndex, referencePage } from './reference.ts'

/** Every generated file: path in the checkout → content. kubectl reads YAML 1.1, so it is written with its quotes. */
export function generatedFiles(): Map<string, string> {
  const files = new Map<string, string>()
  for (const kind of kinds) {
    const crd = customResourceDefinition(kind)
    files.set(`manifests/crds/${crd.metadata.name}.yaml`, `# Generated from crds/ by: node crds/generate.ts\n${stringify(crd, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false })}`)
    files.set(`docs/reference/${kind.singular}.md`, referencePage(kind))
  }
  // Without an extension, so that `kubectl apply -f manifests/crds` does not take it for an object.
  files.set('manifests/crds/Kustomization', stringify({
    apiVersion: 'kustomize.config.k8s.io/v1beta1',
    kind: 'Kustomization',
    resources: kinds.map(kind => `${customResourceDefinition(kind).metadata.name}.yaml`),
  }))
  files.set('docs/reference/README.md', referenceIndex(kinds))
  return files
}

if (import.meta.main) {
  for (const [path, content] of generatedFiles()) {
    const file = join(import.meta.dirname, '..', path)
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, content)
  }
}
