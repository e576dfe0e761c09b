// vireo import, and --import of vireo standalone: objects that look at what a host already holds, and change nothing of it.

import { stringify } from 'yaml'
import type { Client } from '../controller/client.ts'
import { isAlreadyExists } from '../controller/errors.ts'
import type { Draft, KubeObject } from '../controller/resource.ts'
import { parseDuration } from '../crds/duration.ts'
import { connectionDefaults } from '../crds/hypervisor.ts'
import { hypervisors, kinds } from '../crds/kinds.ts'
import type { Hypervisor } from '../crds/hypervisor.ts'
import type { Connection, OpenOptions } from '../drivers/driver.ts'
import { createRegistry } from '../drivers/registry.ts'
import { TestDriver } from '../drivers/test/driver.ts'
import { parseURI } from '../drivers/uri.ts'
import { type Contents, type Manifest, contentsOf, lookedAt, observers } from './contents.ts'

type Open = (uri: string, options: OpenOptions) => Promise<Connection>

const options = (signal: AbortSignal): OpenOptions => ({
  callTimeout: parseDuration(connectionDefaults.callTimeout), keepAliveInterval: parseDuration(connectionDefaults.keepAliveInterval), keepAliveCount: connectionDefaults.keepAliveCount, signal,
})

async function read(open: Open, uri: string, signal: AbortSignal): Promise<Contents> {
  const connection = await open(uri, options(signal))
  try {
    return await contentsOf(connection)
  } finally {
    await connection.close()
  }
}

export interface ImportFlags { hypervisor?: string; namespace: string; allowLocalUris: boolean }

/** The manifests of all that is on the host behind a URI, as text; what cannot be said is told by `warn`. */
export async function manifestsOf(uri: string, { hypervisor, namespace, allowLocalUris }: ImportFlags, warn: (line: string) => void, signal: AbortSignal): Promise<string> {
  const registry = createRegistry({ test: new TestDriver() }, { allowLocal: allowLocalUris })
  const contents = await read(async (to, given) => await registry.open(to, given), uri, signal)
  const name = hypervisor ?? nameFor(uri)
  const { manifests, skipped } = observers(contents, name, namespace)
  for (const one of skipped) warn(`Left out: ${one}, for no object can have that name.`)
  return [lookedAt(name, uri, false), ...manifests].map(manifest => stringify(manifest)).join('---\n')
}

export interface HostImport { client: Client; open: Open; uri: string; namespace: string; fieldManager: string; say: (line: string) => void; signal: AbortSignal }

/**
 * Makes what is missing: a Hypervisor for the URI, and an object for each thing on it that none stands for yet. Nothing that
 * is there is changed. A host that does not answer is told, and no reason to fail: the next start looks again.
 */
export async function importHost({ client, open, uri, namespace, fieldManager, say, signal }: HostImport): Promise<void> {
  const known = (await client.list<Hypervisor & KubeObject>(hypervisors, { signal })).items
  let hypervisor = known.find(({ spec }) => spec.uri === uri)
  hypervisor ??= await client.create(hypervisors, undefined, lookedAt(free(nameFor(uri), known), uri, !known.some(({ spec }) => spec.default)) as unknown as Draft, { fieldManager, signal }) as Hypervisor & KubeObject
  const { name } = hypervisor.metadata
  let contents: Contents
  try {
    contents = await read(open, uri, signal)
  } catch (error) {
    if (signal.aborted) throw error
    return say(`Nothing was imported from ${uri}: ${(error as Error).message}. The next start looks again.`)
  }
  const { manifests, skipped } = observers(contents, name, namespace)
  let made = 0
  for (const { resource } of kinds) {
    const wanted = manifests.filter(({ kind }) => kind === resource.kind)
    if (wanted.length === 0) continue
    const there = (await client.list<KubeObject>(resource, { signal })).items as unknown as Standing[]
    for (const manifest of wanted) {
      if (there.some(object => standsFor(object, manifest, name))) continue
      try {
        await client.create(resource, namespace, manifest as unknown as Draft, { fieldManager, signal })
        made++
      } catch (error) {
        if (!isAlreadyExists(error)) throw error
        say(`Not imported: ${manifest.kind} ${String(manifest.spec['name'])} of ${uri}, for ${namespace}/${manifest.metadata.name} is an object already.`)
      }
    }
  }
  for (const one of skipped) say(`Not imported: ${one} of ${uri}, for no object can have that name.`)
  if (made > 0) say(`Imported ${made} ${made === 1 ? 'object' : 'objects'} from ${uri} into namespace ${namespace}: ${made === 1 ? 'it looks' : 'they look'} at what is there and nothing is changed (managementPolicy: ObserveOnly).`)
}

interface Standing { metadata: { name: string }; spec: { name?: string; hypervisorRef?: { name: string }; poolRef?: { name: string } }; status?: { binding?: { hypervisor: string; name: string; pool?: string } } }

/** Whether an object is about what a manifest would be about. */
function standsFor({ metadata, spec, status }: Standing, { spec: wanted }: Manifest, hypervisor: string): boolean {
  if ((status?.binding?.name ?? spec.name ?? metadata.name) !== wanted['name']) return false
  if (spec.poolRef !== undefined) return spec.poolRef.name === (wanted['poolRef'] as { name: string }).name
  return (status?.binding?.hypervisor ?? spec.hypervisorRef?.name ?? hypervisor) === hypervisor
}

/** `local` for this machine's, otherwise the host or the driver. */
export function nameFor(uri: string): string {
  const { scheme, host } = parseURI(uri)
  const name = host ?? { test: 'embedded', qemu: 'local' }[scheme] ?? scheme
  return name.toLowerCase().replaceAll(/[^a-z0-9.-]+/g, '-').replaceAll(/^[.-]+|[.-]+$/g, '') || 'host'
}

function free(name: string, known: readonly { metadata: { name: string } }[]): string {
  const taken = new Set(known.map(({ metadata }) => metadata.name))
  for (let at = 1; ; at++) {
    const one = at === 1 ? name : `${name}-${at}`
    if (!taken.has(one)) return one
  }
}
