// virStorage* and virSecret* over RPC.

import type { SecretCalls, StorageCalls } from '../../driver.ts'
import { procedures as p } from '../protocol.ts'
import { listAll, type Rpc } from './rpc.ts'

export const storageCalls = (rpc: Rpc): StorageCalls => ({
  connectListAllStoragePools: (flags = 0) => rpc.storage(p.connectListAllStoragePools, { need_results: true, flags }),
  storagePoolListAllVolumes: (pool) => rpc.storage(p.storagePoolListAllVolumes, { pool, ...listAll }),

  storagePoolLookupByUUID: (uuid) => rpc.storage(p.storagePoolLookupByUUID, { uuid }),
  storagePoolLookupByName: (name) => rpc.storage(p.storagePoolLookupByName, { name }),
  storagePoolLookupByVolume: (vol) => rpc.storage(p.storagePoolLookupByVolume, { vol }),
  storagePoolLookupByTargetPath: (path) => rpc.storage(p.storagePoolLookupByTargetPath, { path }),
  storagePoolGetXMLDesc: (pool, flags) => rpc.storage(p.storagePoolGetXMLDesc, { pool, flags }),
  storagePoolGetInfo: (pool) => rpc.storage(p.storagePoolGetInfo, { pool }),
  storagePoolIsActive: (pool) => rpc.storage(p.storagePoolIsActive, { pool }),
  storagePoolIsPersistent: (pool) => rpc.storage(p.storagePoolIsPersistent, { pool }),
  storagePoolGetAutostart: (pool) => rpc.storage(p.storagePoolGetAutostart, { pool }),
  storagePoolSetAutostart: (pool, autostart) => rpc.storage(p.storagePoolSetAutostart, { pool, autostart }),
  storagePoolDefineXML: (xml) => rpc.storage(p.storagePoolDefineXML, { xml, flags: 0 }),
  storagePoolCreateXML: (xml, flags) => rpc.storage(p.storagePoolCreateXML, { xml, flags }),
  storagePoolBuild: (pool, flags) => rpc.storage(p.storagePoolBuild, { pool, flags }),
  storagePoolCreate: (pool) => rpc.storage(p.storagePoolCreate, { pool, flags: 0 }),
  storagePoolDestroy: (pool) => rpc.storage(p.storagePoolDestroy, { pool }),
  storagePoolDelete: (pool, flags) => rpc.storage(p.storagePoolDelete, { pool, flags }),
  storagePoolUndefine: (pool) => rpc.storage(p.storagePoolUndefine, { pool }),
  storagePoolRefresh: (pool) => rpc.storage(p.storagePoolRefresh, { pool, flags: 0 }),

  storageVolLookupByName: (pool, name) => rpc.storage(p.storageVolLookupByName, { pool, name }),
  storageVolLookupByKey: (key) => rpc.storage(p.storageVolLookupByKey, { key }),
  storageVolLookupByPath: (path) => rpc.storage(p.storageVolLookupByPath, { path }),
  storageVolGetXMLDesc: (vol) => rpc.storage(p.storageVolGetXMLDesc, { vol, flags: 0 }),
  storageVolGetInfo: (vol) => rpc.storage(p.storageVolGetInfo, { vol }),
  storageVolGetInfoFlags: (vol, flags) => rpc.storage(p.storageVolGetInfoFlags, { vol, flags }),
  storageVolGetPath: (vol) => rpc.storage(p.storageVolGetPath, { vol }),
  storageVolCreateXML: (pool, xml, flags) => rpc.storage(p.storageVolCreateXML, { pool, xml, flags }),
  storageVolCreateXMLFrom: (pool, xml, source, flags) => rpc.aside(p.storageVolCreateXMLFrom, { pool, xml, clonevol: source, flags }),
  storageVolDelete: (vol, flags) => rpc.storage(p.storageVolDelete, { vol, flags }),
  storageVolWipePattern: (vol, algorithm) => rpc.aside(p.storageVolWipePattern, { vol, algorithm, flags: 0 }),
  storageVolResize: (vol, capacity, flags) => rpc.storage(p.storageVolResize, { vol, capacity, flags }),
  storageVolUpload: async (vol, offset, length, flags) => (await rpc.upload(p.storageVolUpload, { vol, offset, length, flags })).stream,
  storageVolDownload: async (vol, offset, length, flags) => (await rpc.download(p.storageVolDownload, { vol, offset, length, flags })).stream,
})

export const secretCalls = (rpc: Rpc): SecretCalls => ({
  connectListAllSecrets: (flags = 0) => rpc.call(p.connectListAllSecrets, { need_results: true, flags }),
  secretLookupByUUID: (uuid) => rpc.call(p.secretLookupByUUID, { uuid }),
  secretLookupByUsage: (usageType, usageID) => rpc.call(p.secretLookupByUsage, { usageType, usageID }),
  secretGetXMLDesc: (secret) => rpc.call(p.secretGetXMLDesc, { secret, flags: 0 }),
  secretDefineXML: (xml, flags) => rpc.call(p.secretDefineXML, { xml, flags }),
  secretSetValue: (secret, value) => rpc.call(p.secretSetValue, { secret, value, flags: 0 }),
  secretGetValue: (secret) => rpc.call(p.secretGetValue, { secret, flags: 0 }),
  secretUndefine: (secret) => rpc.call(p.secretUndefine, { secret }),
})
