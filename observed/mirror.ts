// The observed mirror: one hypervisor's objects in memory, with the indexes that reconcilers ask. Host is its one writer.

import { isDeepStrictEqual } from 'node:util'
import { type Observed, type ObservedDomain, type ObservedNetwork, type ObservedPool, type ObservedVolume, isActive } from './objects.ts'

export type ObservedChange =
  | { type: 'set'; id: string; object: Observed; before?: Observed }
  | { type: 'gone'; id: string; object: Observed }

/** The id under which the mirror keeps an object: `domain/UUID`, `volume/POOLUUID/NAME`. */
export const idOf = {
  domain: (uuid: string): string => `domain/${uuid}`,
  network: (uuid: string): string => `network/${uuid}`,
  pool: (uuid: string): string => `pool/${uuid}`,
  volume: (poolUUID: string, name: string): string => `volume/${poolUUID}/${name}`,
}
export const idOfObject = (object: Observed): string =>
  object.kind === 'volume' ? idOf.volume(object.poolUUID, object.ref.name) : `${object.kind}/${object.ref.uuid}`

/** A map from a value to the ids that have it. */
class Index {
  readonly #ids = new Map<string, Set<string>>()
  add(value: string, id: string): void {
    const ids = this.#ids.get(value)
    if (ids) ids.add(id)
    else this.#ids.set(value, new Set([id]))
  }
  remove(value: string, id: string): void {
    const ids = this.#ids.get(value)
    if (ids?.delete(id) && ids.size === 0) this.#ids.delete(value)
  }
  get(value: string): Iterable<string> {
    return this.#ids.get(value) ?? []
  }
}

/** What reconcilers see. */
export interface HostView {
  domain(uuid: string): ObservedDomain | undefined
  domainByName(name: string): ObservedDomain | undefined
  network(uuid: string): ObservedNetwork | undefined
  networkByName(name: string): ObservedNetwork | undefined
  pool(uuid: string): ObservedPool | undefined
  poolByName(name: string): ObservedPool | undefined
  volume(poolUUID: string, name: string): ObservedVolume | undefined
  volumesOf(poolUUID: string): ObservedVolume[]
  volumeByPath(path: string): ObservedVolume | undefined
  domains(): Iterable<ObservedDomain>
  pools(): Iterable<ObservedPool>
  /** Domains that start from the path, or whose disks have it (or the volume) as source or, as far as libvirt tells, in a backing chain. */
  domainsUsingPath(path: string): ObservedDomain[]
  domainsOnNetwork(network: string): ObservedDomain[]
  /** Volumes whose backing file is the path. */
  volumesBackedBy(path: string): ObservedVolume[]
  readonly size: number
  readonly counts: Readonly<{ domains: number; runningDomains: number }>
}

const values = (object: Observed): string[] => {
  if (object.kind === 'domain') {
    const list = [`name:domain:${object.ref.name}`]
    for (const disk of object.disks) {
      if (disk.source !== undefined) list.push(`path:${disk.source}`)
      if (disk.pool !== undefined && disk.volume !== undefined) list.push(`vol:${disk.pool}/${disk.volume}`)
      for (const path of disk.backing) list.push(`path:${path}`)
    }
    for (const path of object.bootFiles) list.push(`path:${path}`)
    for (const nic of object.interfaces) if (nic.network !== undefined) list.push(`net:${nic.network}`)
    return list
  }
  if (object.kind === 'volume') return [`pool:${object.poolUUID}`, `volpath:${object.path}`, ...(object.backing ? [`backing:${object.backing}`] : [])]
  return [`name:${object.kind}:${object.ref.name}`, ...(object.kind === 'pool' ? ['pools'] : [])]
}

export class HostMirror implements HostView {
  readonly #objects = new Map<string, Observed>()
  readonly #index = new Index()
  readonly #handlers: ((change: ObservedChange) => void)[] = []
  /** Kept up to date with each write: asked on every change of a host with thousands. */
  readonly counts = { domains: 0, runningDomains: 0 }

  onChange(handler: (change: ObservedChange) => void): void {
    this.#handlers.push(handler)
  }

  #count(object: Observed, by: 1 | -1): void {
    if (object.kind !== 'domain') return
    this.counts.domains += by
    if (isActive(object)) this.counts.runningDomains += by
  }

  /** Keeps what was read. What reads as before is no change: a relist of thousands wakes nobody. */
  set(object: Observed): void {
    const id = idOfObject(object)
    const before = this.#objects.get(id)
    if (before !== undefined && isDeepStrictEqual(before, object)) return
    if (before !== undefined) {
      this.#count(before, -1)
      for (const value of values(before)) this.#index.remove(value, id)
    }
    this.#count(object, 1)
    this.#objects.set(id, object)
    for (const value of values(object)) this.#index.add(value, id)
    this.#tell({ type: 'set', id, object, before })
  }

  /** Tells of an object anew although it is as it was: what was in doubt has been read again. */
  announce(id: string): void {
    const object = this.#objects.get(id)
    if (object !== undefined) this.#tell({ type: 'set', id, object, before: object })
  }

  #tell(change: ObservedChange): void {
    for (const handler of this.#handlers) handler(change)
  }

  remove(id: string): void {
    const object = this.#objects.get(id)
    if (object === undefined) return
    this.#count(object, -1)
    this.#objects.delete(id)
    for (const value of values(object)) this.#index.remove(value, id)
    this.#tell({ type: 'gone', id, object })
  }

  get(id: string): Observed | undefined {
    return this.#objects.get(id)
  }
  ids(): string[] {
    return [...this.#objects.keys()]
  }
  get size(): number {
    return this.#objects.size
  }

  #all<K extends Observed['kind']>(kind: K, value: string): Extract<Observed, { kind: K }>[] {
    const found: Extract<Observed, { kind: K }>[] = []
    for (const id of this.#index.get(value)) {
      const object = this.#objects.get(id)
      if (object?.kind === kind) found.push(object as Extract<Observed, { kind: K }>)
    }
    return found
  }
  domain(uuid: string): ObservedDomain | undefined { return this.#objects.get(idOf.domain(uuid)) as ObservedDomain | undefined }
  network(uuid: string): ObservedNetwork | undefined { return this.#objects.get(idOf.network(uuid)) as ObservedNetwork | undefined }
  pool(uuid: string): ObservedPool | undefined { return this.#objects.get(idOf.pool(uuid)) as ObservedPool | undefined }
  volume(poolUUID: string, name: string): ObservedVolume | undefined { return this.#objects.get(idOf.volume(poolUUID, name)) as ObservedVolume | undefined }
  domainByName(name: string): ObservedDomain | undefined { return this.#all('domain', `name:domain:${name}`)[0] }
  networkByName(name: string): ObservedNetwork | undefined { return this.#all('network', `name:network:${name}`)[0] }
  poolByName(name: string): ObservedPool | undefined { return this.#all('pool', `name:pool:${name}`)[0] }
  volumesOf(poolUUID: string): ObservedVolume[] { return this.#all('volume', `pool:${poolUUID}`) }
  volumeByPath(path: string): ObservedVolume | undefined { return this.#all('volume', `volpath:${path}`)[0] }
  volumesBackedBy(path: string): ObservedVolume[] { return this.#all('volume', `backing:${path}`) }
  domainsOnNetwork(network: string): ObservedDomain[] { return this.#all('domain', `net:${network}`) }

  domainsUsingPath(path: string): ObservedDomain[] {
    const users = new Set(this.#all('domain', `path:${path}`))
    const volume = this.volumeByPath(path)
    if (volume !== undefined) for (const user of this.#all('domain', `vol:${volume.ref.pool}/${volume.ref.name}`)) users.add(user)
    return [...users]
  }

  * domains(): Iterable<ObservedDomain> {
    for (const object of this.#objects.values()) if (object.kind === 'domain') yield object
  }
  /** They are asked with every path that a document names: few among thousands of objects. */
  pools(): Iterable<ObservedPool> { return this.#all('pool', 'pools') }
}
