// Discovery: which groups, versions and resources are served, in the old form and in the aggregated one.

import { createHash } from 'node:crypto'
import type { ServedKind, ServedVersion } from '../registry/kind.ts'
import { type Kinds, compareVersionNames } from '../registry/kinds.ts'

export interface Document { body: Buffer; etag: string }

interface ResourceEntry { kind: ServedKind; version: ServedVersion }

/** Made anew when the kinds change. */
export class Discovery {
  readonly #kinds: Kinds
  #made = new Map<string, Document | undefined>()
  #generation = -1

  constructor(kinds: Kinds) {
    this.#kinds = kinds
  }

  /** The document at a path below the root, in the form asked for; undefined where there is none. */
  get(path: string, aggregated: 'v2' | 'v2beta1' | undefined, address: string): Document | undefined {
    if (this.#generation !== this.#kinds.generation) {
      this.#made = new Map()
      this.#generation = this.#kinds.generation
    }
    const key = `${aggregated ?? ''} ${path} ${address}`
    if (!this.#made.has(key)) this.#made.set(key, document(this.#make(path, aggregated, address)))
    return this.#made.get(key)
  }

  #make(path: string, aggregated: 'v2' | 'v2beta1' | undefined, address: string): unknown {
    const parts = path.split('/').slice(1)
    const [root, group, version] = parts
    if (root === 'api') {
      if (parts.length === 1) return aggregated === undefined ? { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: address }] } : this.#aggregated([''], aggregated)
      return parts.length === 2 ? this.#resources('', group!) : undefined
    }
    const groups = this.#groups().filter(one => one !== '')
    if (parts.length === 1) return aggregated === undefined ? { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(one => this.#group(one)) } : this.#aggregated(groups, aggregated)
    if (!groups.includes(group!)) return undefined
    if (parts.length === 2) return { kind: 'APIGroup', apiVersion: 'v1', ...this.#group(group!) }
    return parts.length === 3 ? this.#resources(group!, version!) : undefined
  }

  #groups(): string[] {
    return [...new Set(this.#kinds.all().filter(({ versions }) => versions.some(({ served }) => served)).map(({ group }) => group))]
  }

  #versions(group: string): string[] {
    const names = this.#kinds.all().filter(kind => kind.group === group).flatMap(({ versions }) => versions.filter(({ served }) => served).map(({ name }) => name))
    return [...new Set(names)].toSorted(compareVersionNames)
  }

  #group(name: string): object {
    const versions = this.#versions(name).map(version => ({ groupVersion: `${name}/${version}`, version }))
    return { name, versions, preferredVersion: versions[0] }
  }

  #entries(group: string, name: string): ResourceEntry[] {
    return this.#kinds.all().filter(kind => kind.group === group).flatMap(kind => {
      const version = kind.versions.find(one => one.served && one.name === name)
      return version === undefined ? [] : [{ kind, version }]
    })
  }

  #resources(group: string, name: string): object | undefined {
    const entries = this.#entries(group, name)
    if (entries.length === 0) return undefined
    const resources = entries.flatMap(({ kind, version }) => [
      {
        name: kind.plural, singularName: kind.singular, namespaced: kind.namespaced, kind: kind.kind, verbs: kind.verbs,
        ...kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {},
        ...kind.categories.length > 0 ? { categories: kind.categories } : {},
        ...kind.verbs.includes('list') ? { storageVersionHash: storageHash(kind) } : {},
      },
      ...version.statusSubresource ? [{ name: `${kind.plural}/status`, singularName: '', namespaced: kind.namespaced, kind: kind.kind, verbs: ['get', 'patch', 'update'] }] : [],
    ])
    return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: group === '' ? name : `${group}/${name}`, resources }
  }

  #aggregated(groups: string[], form: 'v2' | 'v2beta1'): object {
    const items = groups.map(group => ({
      metadata: group === '' ? {} : { name: group },
      versions: this.#versions(group).map(name => ({ version: name, resources: this.#entries(group, name).map(aggregatedResource), freshness: 'Current' })),
    }))
    return { kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${form}`, metadata: {}, items }
  }
}

function aggregatedResource({ kind, version }: ResourceEntry): object {
  // Those of built-in kinds go without, as from kube-apiserver.
  const responseKind = { group: kind.custom ? kind.group : '', version: kind.custom ? version.name : '', kind: kind.kind }
  return {
    resource: kind.plural,
    responseKind,
    scope: kind.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: kind.singular,
    verbs: kind.verbs,
    ...kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {},
    ...kind.categories.length > 0 ? { categories: kind.categories } : {},
    ...version.statusSubresource ? { subresources: [{ subresource: 'status', responseKind, verbs: ['get', 'patch', 'update'] }] } : {},
  }
}

const storageHash = ({ group, storedAs, kind }: ServedKind): string => createHash('sha256').update(`${group}/${storedAs}/${kind}`).digest().subarray(0, 8).toString('base64')

function document(value: unknown): Document | undefined {
  if (value === undefined) return undefined
  const body = Buffer.from(JSON.stringify(value))
  return { body, etag: `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"` }
}
