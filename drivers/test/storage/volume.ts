// One volume: its record, its content, its document.

import { attributeOf, childOf, el, serializeXml, textOf } from '../../../xml/tree.ts'
import { StorageVolType, type StorageVolInfo } from '../../driver.ts'
import { ErrorNumber } from '../../errors.ts'
import { readRoot } from '../document.ts'
import { From, Refusal, badXml, invalid, unsupportedConfig } from '../refusal.ts'
import { bytesOf } from '../values.ts'
import { Content, type Space } from './content.ts'
import { EMPTY_IMAGE, qcow2Header, qcow2Size } from './qcow2.ts'

const formats = ['raw', 'dir', 'bochs', 'cloop', 'dmg', 'iso', 'vpc', 'vdi', 'fat', 'vhd', 'ploop', 'cow', 'qcow', 'qcow2', 'qed', 'vmdk']

/** What a document asks for. Bytes. */
export interface VolumeWish { name: string; capacity: number; allocation: number | undefined; format: string; backing: { path: string; format: string | undefined } | undefined; mode: string }

export function readVolume(text: string): VolumeWish {
  const tree = readRoot(text, 'volume', 'storage_volume_definition', From.STORAGE)
  const name = textOf(childOf(tree, 'name'))
  if (name === '') throw badXml('missing volume name element', From.STORAGE)
  const format = attributeOf(childOf(tree, 'target', 'format'), 'type') ?? 'raw'
  if (!formats.includes(format)) throw unsupportedConfig(`unknown volume format type ${format}`, From.STORAGE)
  const backingPath = textOf(childOf(tree, 'backingStore', 'path'))
  const size = (element: string): number | undefined => {
    const found = childOf(tree, element)
    return found === undefined ? undefined : bytesOf(found, 'bytes', () => badXml(`malformed ${element} element`, From.STORAGE))
  }
  const capacity = size('capacity')
  if (capacity === undefined && backingPath === '') throw badXml('missing capacity element', From.STORAGE)
  return {
    name, capacity: capacity ?? 0, allocation: size('allocation'), format,
    backing: backingPath === '' ? undefined : { path: backingPath, format: attributeOf(childOf(tree, 'backingStore', 'format'), 'type') },
    mode: textOf(childOf(tree, 'target', 'permissions', 'mode')) || '0600',
  }
}

export class Volume {
  readonly name: string
  readonly path: string
  format: string
  /** What a guest sees, bytes. */
  capacity: number
  /** What was set aside, bytes; content may take more. */
  reserved: number
  readonly backing: VolumeWish['backing']
  readonly mode: string
  content: Content
  /** Open streams: nothing else changes it meanwhile. */
  streams = 0
  readonly created: number

  constructor(wish: VolumeWish, path: string, space: Space, created: number, content?: Content) {
    this.name = wish.name
    this.path = path
    this.format = wish.format
    this.backing = wish.backing
    this.mode = wish.mode
    this.created = created
    const raw = wish.format !== 'qcow2'
    this.capacity = wish.format === 'dir' ? 0 : raw ? wish.capacity : roundUp(wish.capacity)
    this.reserved = wish.format === 'dir' ? 0 : raw ? Math.min(wish.allocation ?? wish.capacity, wish.capacity) : EMPTY_IMAGE
    this.content = content ?? new Content(space, raw ? this.capacity : EMPTY_IMAGE)
    if (content === undefined && !raw) this.content.write(0, qcow2Header(this.capacity))
  }

  get allocation(): number { return Math.max(this.reserved, this.content.held) }
  get info(): StorageVolInfo { return { type: this.format === 'dir' ? StorageVolType.dir : StorageVolType.file, capacity: this.capacity, allocation: this.allocation } }

  /** Rejects while a stream is open. */
  needIdle(): void {
    if (this.streams > 0) throw invalid(`volume '${this.name}' is still in use.`, From.STORAGE)
  }

  /** Takes this content in place of its own. */
  hold(content: Content): void {
    this.content.free()
    this.content = content
    this.probe()
  }

  /** What a look at the content tells: libvirt looks after an upload and at every refresh of the pool. */
  probe(): void {
    if (this.format !== 'raw' && this.format !== 'qcow2') return
    const virtualSize = qcow2Size(this.content)
    this.format = virtualSize === undefined ? 'raw' : 'qcow2'
    this.capacity = virtualSize ?? this.content.length
    if (this.format === 'raw') this.reserved = Math.min(this.reserved, this.capacity)
  }

  /** Bytes. What the guest sees grows with it. */
  resize(capacity: number, allocate: boolean): void {
    this.capacity = this.format === 'qcow2' ? roundUp(capacity) : capacity
    if (this.format === 'qcow2') this.content.write(0, qcow2Header(this.capacity))
    else this.content.truncate(capacity)
    if (allocate) this.reserved = this.capacity
    else if (this.format === 'raw') this.reserved = Math.min(this.reserved, this.capacity)
  }

  get text(): string {
    const seconds = `${Math.floor(this.created / 1000)}.000000000`
    return serializeXml(el('volume', { type: this.format === 'dir' ? 'dir' : 'file' },
      el('name', {}, this.name), el('key', {}, this.path),
      el('capacity', { unit: 'bytes' }, this.capacity), el('allocation', { unit: 'bytes' }, this.allocation), el('physical', { unit: 'bytes' }, this.content.length),
      el('target', {},
        el('path', {}, this.path), el('format', { type: this.format }),
        el('permissions', {}, el('mode', {}, this.mode), el('owner', {}, '0'), el('group', {}, '0')),
        el('timestamps', {}, el('atime', {}, seconds), el('mtime', {}, seconds), el('ctime', {}, seconds), el('btime', {}, '0'))),
      this.backing !== undefined && el('backingStore', {}, el('path', {}, this.backing.path), this.backing.format !== undefined && el('format', { type: this.backing.format }))))
  }
}

const roundUp = (bytes: number): number => Math.ceil(bytes / 512) * 512

export const noVolume = (what: string): Refusal => new Refusal(ErrorNumber.NO_STORAGE_VOL, From.STORAGE, `Storage volume not found: no storage vol with matching ${what}`)
