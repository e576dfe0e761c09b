// All storage pools of a host and the volumes in them.

import type { Clock } from '../../../clock/clock.ts'
import { StoragePoolState, VolResizeFlags, WipeAlgorithm, type StoragePoolInfo, type StoragePoolRef, type StorageVolRef } from '../../driver.ts'
import { ErrorNumber } from '../../errors.ts'
import { attributeOf, childOf, el, textOf, type XmlElement } from '../../../xml/tree.ts'
import { StoredDocument, readRoot, type Document } from '../document.ts'
import type { Hub } from '../hub.ts'
import { From, Refusal, badXml, badArgument, checkFlags, failed, internal, invalid } from '../refusal.ts'
import { normalUUID, putAfter, removeChildren, uuidOf } from '../values.ts'
import type { Space } from './content.ts'
import type { Folder, Folders } from './folders.ts'
import { Volume, noVolume, readVolume } from './volume.ts'

const types = ['dir', 'fs', 'netfs', 'logical', 'disk', 'iscsi', 'iscsi-direct', 'scsi', 'mpath', 'rbd', 'sheepdog', 'gluster', 'zfs', 'vstorage']

export class Pool {
  readonly uuid: string
  readonly name: string
  /** What the next start takes; null for a transient pool. */
  config: Document | null = null
  /** What is open; null while inactive. */
  live: Document | null = null
  autostart = false

  constructor(uuid: string, name: string) {
    this.uuid = uuid
    this.name = name
  }

  get active(): boolean { return this.live !== null }
  get persistent(): boolean { return this.config !== null }
  get current(): Document { return this.live ?? this.config! }
  get ref(): StoragePoolRef { return { name: this.name, uuid: this.uuid } }
}

const typeOf = (document: Document): string => attributeOf(document.tree, 'type') ?? 'dir'
/** Where its volumes lie. */
const pathOf = (document: Document): string => textOf(childOf(document.tree, 'target', 'path')) || `/dev/pool/${textOf(childOf(document.tree, 'name'))}`
const noPool = (what: string): Refusal => new Refusal(ErrorNumber.NO_STORAGE_POOL, From.STORAGE, `Storage pool not found: no storage pool with matching ${what}`)

/** The tree becomes the document's own. */
export function completePool(tree: XmlElement): { name: string; uuid: string; document: Document } {
  const type = attributeOf(tree, 'type')
  if (type === undefined) throw badXml("Missing required attribute 'type' in element 'pool'", From.XML)
  if (!types.includes(type)) throw badXml(`Invalid value for attribute 'type' in element 'pool': '${type}'.`, From.XML)
  const name = textOf(childOf(tree, 'name')) || textOf(childOf(tree, 'source', 'name'))
  if (name === '') throw badXml('missing pool source name element', From.STORAGE)
  if (name.includes('/')) throw badXml(`name ${name} cannot contain '/'`, From.STORAGE)
  if (childOf(tree, 'name') === undefined) putAfter(tree, el('name', {}, name), [])
  const uuid = uuidOf(tree, From.STORAGE)
  const path = childOf(tree, 'target', 'path')
  if (['dir', 'fs', 'netfs'].includes(type) && textOf(path) === '') throw badXml('missing storage pool target path', From.STORAGE)
  if (path !== undefined && textOf(path).length > 1) path.children = [textOf(path).replace(/\/+$/, '')]
  removeChildren(tree, child => ['capacity', 'allocation', 'available'].includes(child.name))
  if (childOf(tree, 'source') === undefined) putAfter(tree, el('source'), ['name', 'uuid', 'features'])
  return { name, uuid, document: new StoredDocument(tree) }
}

export class Pools {
  readonly #hub: Hub
  readonly #clock: Clock
  readonly #folders: Folders
  readonly #space: Space
  /** Bytes of every pool. */
  readonly #capacity: number
  readonly #byUUID = new Map<string, Pool>()
  readonly #byName = new Map<string, Pool>()

  constructor(parts: { hub: Hub; clock: Clock; folders: Folders; space: Space; capacity: number }) {
    this.#hub = parts.hub
    this.#clock = parts.clock
    this.#folders = parts.folders
    this.#space = parts.space
    this.#capacity = parts.capacity
  }

  values(): Iterable<Pool> { return this.#byUUID.values() }

  find({ uuid, name }: { uuid: string; name?: string }): Pool {
    const found = this.#byUUID.get(normalUUID(uuid) ?? '')
    if (found === undefined) throw noPool(`uuid '${uuid}'${name === undefined ? '' : ` (${name})`}`)
    return found
  }

  findByName(name: string): Pool {
    const found = this.#byName.get(name)
    if (found === undefined) throw noPool(`name '${name}'`)
    return found
  }

  text(pool: Pool, flags: number): string {
    checkFlags(flags, 1, 'storagePoolGetXMLDesc')
    const document = (flags & 1) === 0 || pool.config === null ? pool.current : pool.config
    const tree = document.copy()
    // What is open elsewhere says nothing about the place where the next start will look.
    const { capacity, allocation, available } = pathOf(document) === pathOf(pool.current) ? this.info(pool) : { capacity: 0, allocation: 0, available: 0 }
    putAfter(tree, el('capacity', { unit: 'bytes' }, capacity), ['name', 'uuid', 'features'])
    putAfter(tree, el('allocation', { unit: 'bytes' }, allocation), ['capacity'])
    putAfter(tree, el('available', { unit: 'bytes' }, available), ['allocation'])
    return new StoredDocument(tree).text
  }

  info(pool: Pool): StoragePoolInfo {
    if (!pool.active) return { state: StoragePoolState.Inactive, capacity: 0, allocation: 0, available: 0 }
    let allocation = 0
    for (const volume of this.#volumes(pool).values()) allocation += volume.allocation
    return { state: StoragePoolState.Running, capacity: this.#capacity, allocation, available: Math.max(0, this.#capacity - allocation) }
  }

  define(text: string): Pool {
    return this.place(completePool(readRoot(text, 'pool', 'storage_pool_definition', From.STORAGE)))
  }

  findByPath(path: string): Pool {
    for (const pool of this.values()) if (pool.active && pathOf(pool.live!) === path) return pool
    throw noPool(`target path '${path}'`)
  }

  /** Starts a pool that is not defined; `flags` of PoolCreateFlags. */
  createXML(text: string, flags: number): Pool {
    checkFlags(flags, 7, 'storagePoolCreateXML')
    const { name, uuid, document } = completePool(readRoot(text, 'pool', 'storage_pool_definition', From.STORAGE))
    const known = this.#match(uuid, name, document)
    if (known?.active) throw invalid(`pool '${name}' is already active`, From.STORAGE)
    const pool = known ?? new Pool(uuid, name)
    if ((flags & 1) !== 0) this.#folders.make(pathOf(document))
    this.#start(pool, document)
    this.#byUUID.set(uuid, pool)
    this.#byName.set(name, pool)
    return pool
  }

  place({ name, uuid, document }: { name: string; uuid: string; document: Document }): Pool {
    const pool = this.#match(uuid, name, document) ?? new Pool(uuid, name)
    pool.config = document
    this.#byUUID.set(uuid, pool)
    this.#byName.set(name, pool)
    this.#emit(pool, 0)
    return pool
  }

  /** The pool that the document is about; rejects where its name, UUID or place is another's. */
  #match(uuid: string, name: string, document: Document): Pool | undefined {
    const known = this.#byUUID.get(uuid)
    if (known !== undefined && known.name !== name) throw failed(`pool '${known.name}' is already defined with uuid ${uuid}`, From.STORAGE)
    const namesake = this.#byName.get(name)
    if (namesake !== undefined && namesake !== known) throw failed(`pool '${name}' already exists with uuid ${namesake.uuid}`, From.STORAGE)
    for (const other of this.values()) if (other !== known && typeOf(other.current) === typeOf(document) && pathOf(other.current) === pathOf(document)) throw failed(`Storage source conflict with pool: '${other.name}'`, From.STORAGE)
    return known
  }

  setAutostart(pool: Pool, autostart: boolean): void {
    if (!pool.persistent) throw invalid('pool has no config file', From.STORAGE)
    pool.autostart = autostart
  }

  build(pool: Pool, flags: number): void {
    checkFlags(flags, 15, 'storagePoolBuild')
    if (pool.active) throw invalid(`storage pool '${pool.name}' is already active`, From.STORAGE)
    if ((flags & 12) !== 0 && typeOf(pool.config!) === 'dir') throw invalid(`No source device specified when formatting pool '${pool.name}'`, From.STORAGE)
    this.#folders.make(pathOf(pool.config!))
    this.#emit(pool, 4)
  }

  create(pool: Pool): void {
    if (pool.active) throw invalid(`storage pool '${pool.name}' is already active`, From.STORAGE)
    this.#start(pool, pool.config!)
  }

  #start(pool: Pool, document: Document): void {
    const path = pathOf(document)
    // What is mounted, or lies on devices, needs no folder before.
    if (typeOf(document) === 'dir' && this.#folders.get(path) === undefined) throw new Refusal(ErrorNumber.SYSTEM_ERROR, From.NONE, `cannot open directory '${path}': No such file or directory`)
    this.#folders.make(path)
    pool.live = document
    this.#emit(pool, 2)
  }

  destroy(pool: Pool): void {
    this.#needActive(pool)
    pool.live = null
    if (pool.config === null) this.#remove(pool)
    this.#emit(pool, 3)
  }

  delete(pool: Pool, flags: number): void {
    checkFlags(flags, 1, 'storagePoolDelete')
    if (pool.active) throw invalid(`storage pool '${pool.name}' is still active`, From.STORAGE)
    const path = pathOf(pool.config!)
    const folder = this.#folders.get(path)
    if (folder === undefined || folder.size > 0) throw new Refusal(ErrorNumber.SYSTEM_ERROR, From.STORAGE, `failed to remove pool '${path}': ${folder === undefined ? 'No such file or directory' : 'Directory not empty'}`)
    this.#folders.remove(path)
    this.#emit(pool, 5)
  }

  undefine(pool: Pool): void {
    if (pool.active) throw invalid(`storage pool '${pool.name}' is still active`, From.STORAGE)
    this.#remove(pool)
    this.#emit(pool, 1)
  }

  #remove(pool: Pool): void {
    this.#byUUID.delete(pool.uuid)
    this.#byName.delete(pool.name)
  }

  refresh(pool: Pool): void {
    for (const volume of this.#volumes(this.#needActive(pool)).values()) if (volume.streams === 0) volume.probe()
    this.#refreshed(pool)
  }

  #refreshed(pool: Pool): void {
    this.#hub.emit({ type: 'pool', name: 'refresh', pool: pool.ref })
  }

  #needActive(pool: Pool): Pool {
    if (!pool.active) throw invalid(`storage pool '${pool.name}' is not active`, From.STORAGE)
    return pool
  }

  #volumes(pool: Pool): Folder { return this.#folders.get(pathOf(pool.live!))! }
  refOf(pool: Pool, volume: Volume): StorageVolRef { return { pool: pool.name, name: volume.name, key: volume.path } }

  list(pool: Pool): StorageVolRef[] {
    return [...this.#volumes(this.#needActive(pool)).values()].map(volume => this.refOf(pool, volume))
  }

  volumeIn(pool: Pool, name: string): Volume {
    const found = this.#volumes(this.#needActive(pool)).get(name)
    if (found === undefined) throw noVolume(`name '${name}'`)
    return found
  }

  volume({ pool, name }: StorageVolRef): Volume { return this.volumeIn(this.findByName(pool), name) }

  /** `what` words the refusal: the key of a file is its path. */
  byPath(path: string, what: string): StorageVolRef {
    for (const pool of this.values()) {
      if (!pool.active) continue
      for (const volume of this.#volumes(pool).values()) if (volume.path === path) return this.refOf(pool, volume)
    }
    throw noVolume(`${what} '${path}'`)
  }

  createVolume(pool: Pool, text: string, flags: number): Volume {
    checkFlags(flags, 7, 'storageVolCreateXML')
    return this.#place(pool, text, undefined)
  }

  clone(pool: Pool, text: string, source: StorageVolRef, flags: number): Volume {
    checkFlags(flags, 7, 'storageVolCreateXMLFrom')
    this.#needActive(pool)
    const original = this.volume(source)
    original.needIdle()
    return this.#place(pool, text, original)
  }

  #place(pool: Pool, text: string, original: Volume | undefined): Volume {
    const volumes = this.#volumes(this.#needActive(pool))
    const wish = readVolume(text)
    if (wish.name.includes('/')) throw invalid(`volume name '${wish.name}' cannot contain '/'`, From.STORAGE)
    const path = `${pathOf(pool.live!)}/${wish.name}`
    if (wish.name === '.' || wish.name === '..') throw invalid(`volume target path '${path}' already exists`, From.STORAGE)
    if (volumes.has(wish.name)) throw original === undefined ? new Refusal(ErrorNumber.STORAGE_VOL_EXIST, From.STORAGE, `storage volume '${wish.name}' exists already`) : internal(`storage volume name '${wish.name}' already in use.`, From.STORAGE)
    if (original !== undefined) wish.capacity = Math.max(wish.capacity, original.capacity)
    const sameFormat = original !== undefined && original.format === wish.format
    const volume = new Volume(wish, path, this.#space, this.#clock.now(), sameFormat ? original.content.copy() : undefined)
    if (volume.reserved > this.info(pool).available) {
      volume.content.free()
      throw new Refusal(ErrorNumber.SYSTEM_ERROR, From.STORAGE, `cannot allocate ${volume.reserved} bytes in file '${path}': No space left on device`)
    }
    if (sameFormat) volume.resize(volume.capacity, false)
    volumes.set(wish.name, volume)
    return volume
  }

  deleteVolume(ref: StorageVolRef, flags: number): void {
    checkFlags(flags, 1, 'storageVolDelete')
    const volume = this.volume(ref)
    volume.needIdle()
    volume.content.free()
    this.#volumes(this.findByName(ref.pool)).delete(ref.name)
  }

  resize(ref: StorageVolRef, capacity: number, flags: number): void {
    checkFlags(flags, 7, 'storageVolResize')
    const volume = this.volume(ref)
    volume.needIdle()
    const shrink = (flags & VolResizeFlags.SHRINK) !== 0
    const wanted = (flags & VolResizeFlags.DELTA) === 0 ? capacity : volume.capacity + (shrink ? -capacity : capacity)
    if (wanted < volume.capacity && !shrink) throw badArgument("Can't shrink capacity below current capacity unless shrink flag explicitly specified", From.STORAGE)
    if (wanted < 0) throw badArgument("can't shrink capacity below zero", From.STORAGE)
    volume.resize(wanted, (flags & VolResizeFlags.ALLOCATE) !== 0)
  }

  /** Overwrites the content; every pattern comes out as zeros here. */
  wipe(ref: StorageVolRef, algorithm: number): void {
    if (!Object.values(WipeAlgorithm).includes(algorithm as 0)) throw badArgument(`wiping algorithm ${algorithm} not supported`, From.STORAGE)
    const volume = this.volume(ref)
    volume.needIdle()
    const { length } = volume.content
    volume.content.free()
    volume.content.truncate(length)
    volume.probe()
  }

  /** A stream on it has ended: what is in it now counts. */
  streamEnded(ref: StorageVolRef, volume: Volume): void {
    volume.streams--
    volume.probe()
    const pool = this.#byName.get(ref.pool)
    if (pool?.active) this.#refreshed(pool)
  }

  /** virStoragePoolEventLifecycleType: 0 defined, 1 undefined, 2 started, 3 stopped, 4 created, 5 deleted. */
  #emit(pool: Pool, event: number): void {
    this.#hub.emit({ type: 'pool', name: 'lifecycle', pool: pool.ref, event, detail: 0 })
  }
}
