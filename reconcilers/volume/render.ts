// Turns a StorageVolume's spec into libvirt's volume document.

import type { StorageVolumeSpec } from '../../crds/storagevolume.ts'
import { VolCreateFlags } from '../../drivers/driver.ts'
import { type ObservedVolume, bytesOf } from '../../observed/objects.ts'
import { type XmlElement, childOf, el, parseXml } from '../../xml/tree.ts'
import { holdsFiles } from '../pool/render.ts'

/** The format where neither the spec nor the source decides. */
export const defaultFormat = (poolType: string): string => (holdsFiles(poolType) ? 'qcow2' : 'raw')

export interface VolumeFacts {
  name: string
  poolType: string
  /** Bytes. */
  capacity: number
  format: string
  preallocation?: StorageVolumeSpec['preallocation']
  /** The volume below, with the format of its record: libvirt is never left to probe one. */
  backing?: { path: string; format: string }
}

export function renderVolume({ name, poolType, capacity, format, preallocation, backing }: VolumeFacts): XmlElement {
  // A logical volume of less than its size would be a snapshot of nothing that breaks when it is full.
  const allocation = preallocation === 'Full' || poolType === 'logical' ? capacity : 0
  return el('volume', {},
    el('name', {}, name),
    el('capacity', { unit: 'bytes' }, capacity),
    el('allocation', { unit: 'bytes' }, allocation),
    el('target', {}, holdsFiles(poolType) && el('format', { type: format })),
    backing !== undefined && el('backingStore', {}, el('path', {}, backing.path), el('format', { type: backing.format })))
}

/** Of the formats only qcow2 has metadata to allocate; its full allocation needs the flag as well. */
export const createFlags = ({ format, preallocation = 'None' }: Pick<VolumeFacts, 'format' | 'preallocation'>): number =>
  format === 'qcow2' && preallocation !== 'None' ? VolCreateFlags.PREALLOC_METADATA : 0

/** What vireo names a cloud-init seed. */
const SEED = /^vireo-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-/i

/** Names that stay one entry of the pool, and are no seed's. */
export const nameProblem = (name: string): string | undefined => {
  if (name === '.' || name === '..') return 'is not a name'
  if (name.includes('/')) return 'must not hold a slash'
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (/[\u0000-\u001f\u007f]/.test(name)) return 'must not hold control characters'
  // They hold what users write into cloudInit, passwords too.
  if (SEED.test(name)) return 'is kept for the seeds that vireo makes for domains'
  return Buffer.byteLength(name) > 255 ? 'must have at most 255 bytes' : undefined
}

/**
 * The size a guest sees, bytes. libvirt's figure follows a header that a guest may have written into a raw volume; of such
 * a one its length counts.
 */
export const capacityOf = (volume: ObservedVolume, format: string | undefined): number =>
  format === 'raw' && volume.format !== 'raw' ? bytesOf(childOf(parseXml(volume.xml), 'physical')) || volume.capacity : volume.capacity

/** What qcow2 takes for an empty disk: header, reference counts and first table, in clusters of 64 KiB. */
const FRESH_QCOW2 = 256 * 1024

/** The volume holds nothing yet: taking it for our own after a crash costs nobody a byte. */
export const looksFresh = (volume: ObservedVolume, format: string): boolean =>
  volume.format === format && (format === 'qcow2' ? volume.allocation <= FRESH_QCOW2 : volume.allocation === 0)
