// The host's devices and network interfaces.

import { Interface, NodeDevice, listed } from '../types.ts'
import { array, flag, int, nothing, optional, string, struct } from '../xdr.ts'
import { byName, changing, document, flags, listArgs, reading, since } from './procedure.ts'

const DEVICES_MAX = 65_536
const nameFlags = struct({ name: string, flags })
const created = struct({ xml_desc: string, flags })
const updated = struct({ name: string, xml_desc: string, flags })
const iface = struct({ iface: Interface })
const ifaceFlags = struct({ iface: Interface, flags })
const onlyFlags = struct({ flags })

export const devices = {
  nodeDeviceLookupByName: reading(113, byName, NodeDevice),
  nodeDeviceGetXMLDesc: reading(114, nameFlags, string),
  nodeDeviceGetParent: reading(115, byName, optional(string)),
  nodeDeviceListCaps: reading(117, struct({ name: string, maxnames: int }), array(string, DEVICES_MAX)),
  nodeDeviceReAttach: changing(119, byName, nothing),
  nodeDeviceReset: changing(120, byName, nothing),
  nodeDeviceCreateXML: changing(123, created, NodeDevice),
  nodeDeviceDestroy: changing(124, byName, nothing),
  connectListAllNodeDevices: reading(285, listArgs, listed(NodeDevice, DEVICES_MAX)),
  nodeDeviceLookupSCSIHostByWWN: reading(297, struct({ wwnn: string, wwpn: string, flags }), NodeDevice),
  nodeDeviceDetachFlags: changing(301, struct({ name: string, driverName: optional(string), flags }), nothing),
  nodeDeviceDefineXML: changing(428, created, NodeDevice),
  nodeDeviceUndefine: changing(429, nameFlags, nothing),
  nodeDeviceCreate: changing(430, nameFlags, nothing),
  nodeDeviceUpdate: since(10, 1, changing(447, updated, nothing)),
  nodeDeviceGetAutostart: reading(433, byName, flag),
  nodeDeviceSetAutostart: changing(434, struct({ name: string, autostart: flag }), nothing),
  nodeDeviceIsPersistent: reading(435, byName, flag),
  nodeDeviceIsActive: reading(436, byName, flag),

  interfaceLookupByName: reading(128, byName, Interface),
  interfaceLookupByMACString: reading(129, struct({ mac: string }), Interface),
  interfaceGetXMLDesc: reading(130, ifaceFlags, string),
  interfaceDefineXML: changing(131, document, Interface),
  interfaceUndefine: changing(132, iface, nothing),
  interfaceCreate: changing(133, ifaceFlags, nothing),
  interfaceDestroy: changing(134, ifaceFlags, nothing),
  interfaceIsActive: reading(156, iface, flag),
  interfaceChangeBegin: changing(220, onlyFlags, nothing),
  interfaceChangeCommit: changing(221, onlyFlags, nothing),
  interfaceChangeRollback: changing(222, onlyFlags, nothing),
  connectListAllInterfaces: reading(284, listArgs, listed(Interface)),
}
