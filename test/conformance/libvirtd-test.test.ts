// libvirt's own test driver, in a libvirtd of its own: what of the interface it has, and how it differs.

import { conform } from './conform.ts'
import { daemon, libvirtTest } from './traits.ts'

conform({
  title: 'Test (libvirtd 9.0)', domainType: 'test', os: '<os><type>hvm</type></os>',
  lacks: new Set([
    'connectGetDomainCapabilities', 'domainAttachDeviceFlags', 'domainDetachDeviceFlags', 'domainDetachDeviceAlias', 'domainUpdateDeviceFlags', 'domainBlockResize', 'networkGetDHCPLeases',
    'storageVolResize', 'storageVolUpload', 'storageVolDownload', 'storageVolGetInfoFlags', 'storageVolWipePattern', 'storagePoolLookupByTargetPath', 'nodeGetMemoryStats', 'domainGetJobInfo', 'domainGetJobStats',
    'domainBlockStatsFlags', 'domainGetBlockJobInfo', 'domainManagedSaveGetXMLDesc', 'networkListAllPorts', 'connectListAllNWFilters', 'connectListAllSecrets', 'secretDefineXML', 'secretLookupByUUID', 'secretLookupByUsage',
    'secretGetXMLDesc', 'secretSetValue', 'secretGetValue', 'secretUndefine',
  ]),
  traits: libvirtTest,
  start: async () => await daemon('test:///default'),
})
