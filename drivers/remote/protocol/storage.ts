// Storage pools, volumes, and secrets.

import { Secret, StoragePool, StorageVol, listed } from '../types.ts'
import { flag, int, nothing, opaque, size, string, struct, text, uint } from '../xdr.ts'
import { byName, byUUID, changing, document, flags, listArgs, pool, reading, unhurried, vol } from './procedure.ts'

const poolFlags = struct({ pool: StoragePool, flags })
const volFlags = struct({ vol: StorageVol, flags })
const secret = struct({ secret: Secret })
const secretFlags = struct({ secret: Secret, flags })
const transfer = struct({ vol: StorageVol, offset: size, length: size, flags })
const volInfo = struct({ type: int, capacity: size, allocation: size })
const SECRET_MAX = 65_536

export const storage = {
  storagePoolCreateXML: changing(76, document, StoragePool),
  storagePoolDefineXML: changing(77, document, StoragePool),
  storagePoolCreate: changing(78, poolFlags, nothing),
  storagePoolBuild: changing(79, poolFlags, nothing),
  storagePoolDestroy: changing(80, pool, nothing),
  storagePoolDelete: changing(81, poolFlags, nothing),
  storagePoolUndefine: changing(82, pool, nothing),
  storagePoolRefresh: changing(83, poolFlags, nothing),
  storagePoolLookupByName: reading(84, byName, StoragePool),
  storagePoolLookupByUUID: reading(85, byUUID, StoragePool),
  storagePoolLookupByVolume: reading(86, vol, StoragePool),
  storagePoolGetInfo: reading(87, pool, struct({ state: uint, capacity: size, allocation: size, available: size })),
  storagePoolGetXMLDesc: reading(88, poolFlags, string),
  storagePoolGetAutostart: reading(89, pool, flag),
  storagePoolSetAutostart: changing(90, struct({ pool: StoragePool, autostart: flag }), nothing),
  storagePoolIsActive: reading(154, pool, flag),
  storagePoolIsPersistent: reading(155, pool, flag),
  connectListAllStoragePools: reading(281, listArgs, listed(StoragePool)),
  storagePoolListAllVolumes: reading(282, struct({ pool: StoragePool, need_results: flag, flags }), listed(StorageVol)),
  storagePoolLookupByTargetPath: reading(391, struct({ path: string }), StoragePool),

  storageVolCreateXML: changing(93, struct({ pool: StoragePool, xml: string, flags }), StorageVol),
  storageVolDelete: changing(94, volFlags, nothing),
  storageVolLookupByName: reading(95, struct({ pool: StoragePool, name: string }), StorageVol),
  storageVolLookupByKey: reading(96, struct({ key: string }), StorageVol),
  storageVolLookupByPath: reading(97, struct({ path: string }), StorageVol),
  storageVolGetInfo: reading(98, vol, volInfo),
  storageVolGetXMLDesc: reading(99, volFlags, string),
  storageVolGetPath: reading(100, vol, text),
  storageVolCreateXMLFrom: unhurried(changing(125, struct({ pool: StoragePool, xml: string, clonevol: StorageVol, flags }), StorageVol)),
  storageVolUpload: unhurried(changing(208, transfer, nothing)),
  storageVolDownload: unhurried(reading(209, transfer, nothing)),
  storageVolWipePattern: unhurried(changing(259, struct({ vol: StorageVol, algorithm: uint, flags }), nothing)),
  storageVolResize: changing(260, struct({ vol: StorageVol, capacity: size, flags }), nothing),
  storageVolGetInfoFlags: reading(378, volFlags, volInfo),

  secretLookupByUUID: reading(141, byUUID, Secret),
  secretDefineXML: changing(142, document, Secret),
  secretGetXMLDesc: reading(143, secretFlags, string),
  secretSetValue: changing(144, struct({ secret: Secret, value: opaque(SECRET_MAX), flags }), nothing),
  secretGetValue: reading(145, secretFlags, opaque(SECRET_MAX)),
  secretUndefine: changing(146, secret, nothing),
  secretLookupByUsage: reading(147, struct({ usageType: int, usageID: string }), Secret),
  connectListAllSecrets: reading(287, listArgs, listed(Secret)),
}
