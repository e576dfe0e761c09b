// virNodeDevice* and virInterface* over RPC.

import type { InterfaceCalls, NodeDeviceCalls } from '../../driver.ts'
import { procedures as p } from '../protocol.ts'
import type { Rpc } from './rpc.ts'

/** A device has far fewer capabilities than the protocol allows. */
const CAPS_MAX = 1024

export const nodeDeviceCalls = (rpc: Rpc): NodeDeviceCalls => ({
  connectListAllNodeDevices: (flags = 0) => rpc.call(p.connectListAllNodeDevices, { need_results: true, flags }),
  nodeDeviceLookupByName: (name) => rpc.call(p.nodeDeviceLookupByName, { name }),
  nodeDeviceLookupSCSIHostByWWN: (wwnn, wwpn) => rpc.call(p.nodeDeviceLookupSCSIHostByWWN, { wwnn, wwpn, flags: 0 }),
  nodeDeviceGetXMLDesc: ({ name }) => rpc.call(p.nodeDeviceGetXMLDesc, { name, flags: 0 }),
  nodeDeviceGetParent: ({ name }) => rpc.call(p.nodeDeviceGetParent, { name }),
  nodeDeviceListCaps: ({ name }) => rpc.call(p.nodeDeviceListCaps, { name, maxnames: CAPS_MAX }),
  nodeDeviceDetachFlags: ({ name }, driverName) => rpc.call(p.nodeDeviceDetachFlags, { name, driverName, flags: 0 }),
  nodeDeviceReAttach: ({ name }) => rpc.call(p.nodeDeviceReAttach, { name }),
  nodeDeviceReset: ({ name }) => rpc.call(p.nodeDeviceReset, { name }),
  nodeDeviceCreateXML: (xml, flags) => rpc.call(p.nodeDeviceCreateXML, { xml_desc: xml, flags }),
  nodeDeviceDestroy: ({ name }) => rpc.call(p.nodeDeviceDestroy, { name }),
  nodeDeviceDefineXML: (xml, flags) => rpc.call(p.nodeDeviceDefineXML, { xml_desc: xml, flags }),
  nodeDeviceUpdate: ({ name }, xml, flags) => rpc.call(p.nodeDeviceUpdate, { name, xml_desc: xml, flags }),
  nodeDeviceCreate: ({ name }) => rpc.call(p.nodeDeviceCreate, { name, flags: 0 }),
  nodeDeviceUndefine: ({ name }) => rpc.call(p.nodeDeviceUndefine, { name, flags: 0 }),
  nodeDeviceGetAutostart: ({ name }) => rpc.call(p.nodeDeviceGetAutostart, { name }),
  nodeDeviceSetAutostart: ({ name }, autostart) => rpc.call(p.nodeDeviceSetAutostart, { name, autostart }),
  nodeDeviceIsPersistent: ({ name }) => rpc.call(p.nodeDeviceIsPersistent, { name }),
  nodeDeviceIsActive: ({ name }) => rpc.call(p.nodeDeviceIsActive, { name }),
})

export const interfaceCalls = (rpc: Rpc): InterfaceCalls => ({
  connectListAllInterfaces: (flags = 0) => rpc.call(p.connectListAllInterfaces, { need_results: true, flags }),
  interfaceLookupByName: (name) => rpc.call(p.interfaceLookupByName, { name }),
  interfaceLookupByMACString: (mac) => rpc.call(p.interfaceLookupByMACString, { mac }),
  interfaceGetXMLDesc: (iface, flags) => rpc.call(p.interfaceGetXMLDesc, { iface, flags }),
  interfaceIsActive: (iface) => rpc.call(p.interfaceIsActive, { iface }),
  interfaceDefineXML: (xml, flags) => rpc.call(p.interfaceDefineXML, { xml, flags }),
  interfaceUndefine: (iface) => rpc.call(p.interfaceUndefine, { iface }),
  interfaceCreate: (iface) => rpc.call(p.interfaceCreate, { iface, flags: 0 }),
  interfaceDestroy: (iface) => rpc.call(p.interfaceDestroy, { iface, flags: 0 }),
  interfaceChangeBegin: () => rpc.call(p.interfaceChangeBegin, { flags: 0 }),
  interfaceChangeCommit: () => rpc.call(p.interfaceChangeCommit, { flags: 0 }),
  interfaceChangeRollback: () => rpc.call(p.interfaceChangeRollback, { flags: 0 }),
})
