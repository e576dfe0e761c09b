// Storage pools and volumes.

import type { StorageCalls } from '../../driver.ts'
import { checkFlags } from '../refusal.ts'
import { downloadFrom, uploadTo } from '../storage/streams.ts'
import type { Desk } from './desk.ts'
import { refs } from './lists.ts'

export const storageCalls = (desk: Desk) => ({
  connectListAllStoragePools: (flags = 0) => desk.call('connectListAllStoragePools', ({ pools }) => refs(pools.values(), flags)),
  storagePoolListAllVolumes: pool => desk.call('storagePoolListAllVolumes', ({ pools }) => pools.list(pools.find(pool))),
  storagePoolLookupByUUID: uuid => desk.call('storagePoolLookupByUUID', ({ pools }) => pools.find({ uuid }).ref),
  storagePoolLookupByName: name => desk.call('storagePoolLookupByName', ({ pools }) => pools.findByName(name).ref),
  storagePoolGetXMLDesc: (pool, flags) => desk.call('storagePoolGetXMLDesc', ({ pools }) => pools.text(pools.find(pool), flags)),
  storagePoolGetInfo: pool => desk.call('storagePoolGetInfo', ({ pools }) => pools.info(pools.find(pool))),
  storagePoolIsActive: pool => desk.call('storagePoolIsActive', ({ pools }) => pools.find(pool).active),
  storagePoolGetAutostart: pool => desk.call('storagePoolGetAutostart', ({ pools }) => pools.find(pool).autostart),
  storagePoolSetAutostart: (pool, autostart) => desk.call('storagePoolSetAutostart', ({ pools }) => pools.setAutostart(pools.find(pool), autostart)),
  storagePoolDefineXML: xml => desk.call('storagePoolDefineXML', ({ pools }) => pools.define(xml).ref),
  storagePoolBuild: (pool, flags) => desk.call('storagePoolBuild', ({ pools }) => pools.build(pools.find(pool), flags)),
  storagePoolCreate: pool => desk.call('storagePoolCreate', ({ pools }) => pools.create(pools.find(pool))),
  storagePoolDestroy: pool => desk.call('storagePoolDestroy', ({ pools }) => pools.destroy(pools.find(pool))),
  storagePoolDelete: (pool, flags) => desk.call('storagePoolDelete', ({ pools }) => pools.delete(pools.find(pool), flags)),
  storagePoolUndefine: pool => desk.call('storagePoolUndefine', ({ pools }) => pools.undefine(pools.find(pool))),
  storagePoolRefresh: pool => desk.call('storagePoolRefresh', ({ pools }) => pools.refresh(pools.find(pool))),
  storageVolLookupByName: (pool, name) => desk.call('storageVolLookupByName', ({ pools }) => {
    const found = pools.find(pool)
    return pools.refOf(found, pools.volumeIn(found, name))
  }),
  storageVolLookupByKey: key => desk.call('storageVolLookupByKey', ({ pools }) => pools.byPath(key, 'key')),
  storageVolLookupByPath: path => desk.call('storageVolLookupByPath', ({ pools }) => pools.byPath(path, 'path')),
  storageVolGetXMLDesc: vol => desk.call('storageVolGetXMLDesc', ({ pools }) => pools.volume(vol).text),
  storageVolGetInfo: vol => desk.call('storageVolGetInfo', ({ pools }) => pools.volume(vol).info),
  storageVolGetPath: vol => desk.call('storageVolGetPath', ({ pools }) => pools.volume(vol).path),
  storageVolCreateXML: (pool, xml, flags) => desk.call('storageVolCreateXML', ({ pools }) => {
    const found = pools.find(pool)
    return pools.refOf(found, pools.createVolume(found, xml, flags))
  }),
  storageVolCreateXMLFrom: (pool, xml, source, flags) => desk.call('storageVolCreateXMLFrom', ({ pools }) => {
    const found = pools.find(pool)
    return pools.refOf(found, pools.clone(found, xml, source, flags))
  }),
  storageVolDelete: (vol, flags) => desk.call('storageVolDelete', ({ pools }) => pools.deleteVolume(vol, flags)),
  storageVolResize: (vol, capacity, flags) => desk.call('storageVolResize', ({ pools }) => pools.resize(vol, capacity, flags)),
  storagePoolLookupByVolume: vol => desk.call('storagePoolLookupByVolume', ({ pools }) => pools.findByName(vol.pool).ref),
  storagePoolLookupByTargetPath: path => desk.call('storagePoolLookupByTargetPath', ({ pools }) => pools.findByPath(path).ref),
  storagePoolIsPersistent: pool => desk.call('storagePoolIsPersistent', ({ pools }) => pools.find(pool).persistent),
  storagePoolCreateXML: (xml, flags) => desk.call('storagePoolCreateXML', ({ pools }) => pools.createXML(xml, flags).ref),
  storageVolGetInfoFlags: (vol, flags) => desk.call('storageVolGetInfoFlags', ({ pools }) => {
    checkFlags(flags, 1, 'storageVolGetInfoFlags')
    const volume = pools.volume(vol)
    return (flags & 1) === 0 ? volume.info : { ...volume.info, allocation: volume.content.length }
  }),
  storageVolWipePattern: (vol, algorithm) => desk.call('storageVolWipePattern', ({ pools }) => pools.wipe(vol, algorithm)),
  storageVolUpload: (vol, offset, length, flags) => desk.stream('storageVolUpload', uploadTo, { vol, offset, length, flags }),
  storageVolDownload: (vol, offset, length, flags) => desk.stream('storageVolDownload', downloadFrom, { vol, offset, length, flags }),
} satisfies Partial<StorageCalls>)
