// Storage pools and volumes.

import type { DownloadStream, UploadStream } from './streams.ts'

export interface StoragePoolRef { name: string; uuid: string }
/** A volume has no UUID: (pool, name) is its identity, `key` is the driver's own unique string (a path for files). */
export interface StorageVolRef { pool: string; name: string; key: string }

/** virStoragePoolState. */
export const StoragePoolState = { Inactive: 0, Building: 1, Running: 2, Degraded: 3, Inaccessible: 4 } as const
/** virStorageVolType. */
export const StorageVolType = { file: 0, block: 1, dir: 2, network: 3, netdir: 4, ploop: 5 } as const
/** virConnectListAllStoragePoolsFlags; the rest are pool types. */
export const ListPoolsFlags = { INACTIVE: 1, ACTIVE: 2, PERSISTENT: 4, TRANSIENT: 8, AUTOSTART: 16, NO_AUTOSTART: 32 } as const
/** virStorageXMLFlags. */
export const StorageXMLFlags = { INACTIVE: 1 } as const
/** virStoragePoolCreateFlags. */
export const PoolCreateFlags = { NORMAL: 0, WITH_BUILD: 1, WITH_BUILD_OVERWRITE: 2, WITH_BUILD_NO_OVERWRITE: 4 } as const
/** virStoragePoolBuildFlags. */
export const PoolBuildFlags = { NEW: 0, REPAIR: 1, RESIZE: 2, NO_OVERWRITE: 4, OVERWRITE: 8 } as const
/** virStorageVolDeleteFlags, virStoragePoolDeleteFlags. */
export const DeleteFlags = { NORMAL: 0, ZEROED: 1, WITH_SNAPSHOTS: 2 } as const
/** virStorageVolCreateFlags. */
export const VolCreateFlags = { PREALLOC_METADATA: 1, REFLINK: 2, VALIDATE: 4 } as const
/** virStorageVolResizeFlags. */
export const VolResizeFlags = { ALLOCATE: 1, DELTA: 2, SHRINK: 4 } as const
/** virStorageVolInfoFlags. */
export const VolInfoFlags = { USE_ALLOCATION: 0, GET_PHYSICAL: 1 } as const
/** virStorageVolWipeAlgorithm. */
export const WipeAlgorithm = { ZERO: 0, NNSA: 1, DOD: 2, BSI: 3, GUTMANN: 4, SCHNEIER: 5, PFITZNER7: 6, PFITZNER33: 7, RANDOM: 8, TRIM: 9 } as const

/** Bytes. */
export interface StoragePoolInfo { state: number; capacity: number; allocation: number; available: number }
/** Bytes. With VolInfoFlags.GET_PHYSICAL `allocation` is the file's length. */
export interface StorageVolInfo { type: number; capacity: number; allocation: number }

/** Absence is NO_STORAGE_POOL or NO_STORAGE_VOL. INTERNAL_ERROR also where another job runs on the pool: worth repeating. */
export interface StorageCalls {
  /** Flags of `ListPoolsFlags`; default all. */
  connectListAllStoragePools(flags?: number): Promise<StoragePoolRef[]>
  storagePoolListAllVolumes(pool: StoragePoolRef): Promise<StorageVolRef[]>

  storagePoolLookupByUUID(uuid: string): Promise<StoragePoolRef>
  storagePoolLookupByName(name: string): Promise<StoragePoolRef>
  storagePoolLookupByVolume(vol: StorageVolRef): Promise<StoragePoolRef>
  storagePoolLookupByTargetPath(path: string): Promise<StoragePoolRef>
  storagePoolGetXMLDesc(pool: StoragePoolRef, flags: number): Promise<string>
  storagePoolGetInfo(pool: StoragePoolRef): Promise<StoragePoolInfo>
  storagePoolIsActive(pool: StoragePoolRef): Promise<boolean>
  storagePoolIsPersistent(pool: StoragePoolRef): Promise<boolean>
  storagePoolGetAutostart(pool: StoragePoolRef): Promise<boolean>
  storagePoolSetAutostart(pool: StoragePoolRef, autostart: boolean): Promise<void>
  /** Defining over the same UUID and name replaces the next configuration and is harmless to repeat. */
  storagePoolDefineXML(xml: string): Promise<StoragePoolRef>
  /** Starts a transient pool. Flags of `PoolCreateFlags`. */
  storagePoolCreateXML(xml: string, flags: number): Promise<StoragePoolRef>
  /** May take as long as formatting takes: no deadline. */
  storagePoolBuild(pool: StoragePoolRef, flags: number): Promise<void>
  storagePoolCreate(pool: StoragePoolRef): Promise<void>
  storagePoolDestroy(pool: StoragePoolRef): Promise<void>
  /** Erases the pool's target. */
  storagePoolDelete(pool: StoragePoolRef, flags: number): Promise<void>
  storagePoolUndefine(pool: StoragePoolRef): Promise<void>
  storagePoolRefresh(pool: StoragePoolRef): Promise<void>

  storageVolLookupByName(pool: StoragePoolRef, name: string): Promise<StorageVolRef>
  storageVolLookupByKey(key: string): Promise<StorageVolRef>
  storageVolLookupByPath(path: string): Promise<StorageVolRef>
  storageVolGetXMLDesc(vol: StorageVolRef): Promise<string>
  storageVolGetInfo(vol: StorageVolRef): Promise<StorageVolInfo>
  storageVolGetInfoFlags(vol: StorageVolRef, flags: number): Promise<StorageVolInfo>
  storageVolGetPath(vol: StorageVolRef): Promise<string>
  /** STORAGE_VOL_EXIST where the name is taken. May allocate: no deadline. */
  storageVolCreateXML(pool: StoragePoolRef, xml: string, flags: number): Promise<StorageVolRef>
  /** A full copy of `source`, which must be inactive. May take as long as the bytes take: no deadline. */
  storageVolCreateXMLFrom(pool: StoragePoolRef, xml: string, source: StorageVolRef, flags: number): Promise<StorageVolRef>
  storageVolDelete(vol: StorageVolRef, flags: number): Promise<void>
  /** Overwrites the content by a `WipeAlgorithm`; the volume stays. May take as long as the bytes take: no deadline. */
  storageVolWipePattern(vol: StorageVolRef, algorithm: number): Promise<void>
  /** `capacity` in bytes. */
  storageVolResize(vol: StorageVolRef, capacity: number, flags: number): Promise<void>
  /** `length` 0 is "to the end"; always give it where it is known, for an overlong stream is then an error. */
  storageVolUpload(vol: StorageVolRef, offset: number, length: number, flags: number): Promise<UploadStream>
  storageVolDownload(vol: StorageVolRef, offset: number, length: number, flags: number): Promise<DownloadStream>
}
