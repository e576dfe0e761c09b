// virStorage* and virSecret* over RPC.

import type { SecretCalls, StorageCalls } from '../../driver.ts'
import { procedures as p } from '../protocol.ts'
import { listAll, type Rpc } from './rpc.ts'

export const storageCalls = (rpc: Rpc): StorageCalls => ({
  connectListAllStoragePools: (flags = 0) => rpc.call(p.connectListAllStoragePools, { need_results: true, flags }),
  storagePoolListAllVolumes: (pool) => rpc.call(p.storagePoolListAllVolumes, { pool, ...listAll }),

  storagePoolLookupByUUID: (uuid) => rpc.call(p.storagePoolLookupByUUID, { uuid }),
  storagePoolLookupByName: (name) => rpc.call(p.storagePoolLookupByName, { name }),
  storagePoolLookupByVolume: (vol) => rpc.call(p.storagePoolLookupByVolume, { vol }),
  storagePoolLookupByTargetPath: (path) => rpc.call(p.storagePoolLookupByTargetPath, { path }),
  storagePoolGetXMLDesc: (pool, flags) => rpc.call(p.storagePoolGetXMLDesc, { pool, flags }),
  storagePoolGetInfo: (pool) => rpc.call(p.storagePoolGetInfo, { pool }),
  storagePoolIsActive: (pool) => rpc.call(p.storagePoolIsActive, { pool }),
  storagePoolIsPersistent: (pool) => rpc.call(p.storagePoolIsPersistent, { pool }),
  storagePoolGetAutostart: (pool) => rpc.call(p.storagePoolGetAutostart, { pool }),
  storagePoolSetAutostart: (pool, autostart) => rpc.call(p.storagePoolSetAutostart, { pool, autostart }),
  storagePoolDefineXML: (xml) => rpc.call(p.storagePoolDefineXML, { xml, flags: 0 }),
  storagePoolCreateXML: (xml, flags) => rpc.call(p.storagePoolCreateXML, { xml, flags }),
  storagePoolBuild: (pool, flags) => rpc.aside(p.storagePoolBuild, { pool, flags }),
  storagePoolCreate: (pool) => rpc.call(p.storagePoolCreate, { pool, flags: 0 }),
  storagePoolDestroy: (pool) => rpc.call(p.storagePoolDestroy, { pool }),
  storagePoolDelete: (pool, flags) => rpc.call(p.storagePoolDelete, { pool, flags }),
  storagePoolUndefine: (pool) => rpc.call(p.storagePoolUndefine, { pool }),
  storagePoolRefresh: (pool) => rpc.call(p.storagePoolRefresh, { pool, flags: 0 }),

  storageVolLookupByName: (pool, name) => rpc.call(p.storageVolLookupByName, { pool, name }),
  storageVolLookupByKey: (key) => rpc.call(p.storageVolLookupByKey, { key }),
  storageVolLookupByPath: (path) => rpc.call(p.storageVolLookupByPath, { path }),
  storageVolGetXMLDesc: (vol) => rpc.call(p.storageVolGetXMLDesc, { vol, flags: 0 }),
  storageVolGetInfo: (vol) => rpc.call(p.storageVolGetInfo, { vol }),
  storageVolGetInfoFlags: (vol, flags) => rpc.call(p.storageVolGetInfoFlags, { vol, flags }),
  storageVolGetPath: (vol) => rpc.call(p.storageVolGetPath, { vol }),
  storageVolCreateXML: (pool, xml, flags) => rpc.aside(p.storageVolCreateXML, { pool, xml, flags }),
  storageVolCreateXMLFrom: (pool, xml, source, flags) => rpc.aside(p.storageVolCreateXMLFrom, { pool, xml, clonevol: source, flags }),
  storageVolDelete: (vol, flags) => rpc.call(p.storageVolDelete, { vol, flags }),
  storageVolWipePattern: (vol, algorithm) => rpc.aside(p.storageVolWipePattern, { vol, algorithm, flags: 0 }),
  storageVolResize: (vol, capacity, flags) => rpc.call(p.storageVolResize, { vol, capacity, flags }),
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
