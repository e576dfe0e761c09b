// virNetwork*, virNetworkPort* and virNWFilter* over RPC.

import type { NWFilterCalls, NetworkCalls } from '../../driver.ts'
import { procedures as p } from '../protocol.ts'
import { listAll, type Rpc } from './rpc.ts'

export const networkCalls = (rpc: Rpc): NetworkCalls => ({
  connectListAllNetworks: (flags = 0) => rpc.call(p.connectListAllNetworks, { need_results: true, flags }),
  networkLookupByUUID: (uuid) => rpc.call(p.networkLookupByUUID, { uuid }),
  networkLookupByName: (name) => rpc.call(p.networkLookupByName, { name }),
  networkGetXMLDesc: (net, flags) => rpc.call(p.networkGetXMLDesc, { net, flags }),
  networkIsActive: (net) => rpc.call(p.networkIsActive, { net }),
  networkIsPersistent: (net) => rpc.call(p.networkIsPersistent, { net }),
  networkGetBridgeName: (net) => rpc.call(p.networkGetBridgeName, { net }),
  networkGetDHCPLeases: (net) => rpc.call(p.networkGetDHCPLeases, { net, mac: null, ...listAll }),
  networkGetAutostart: (net) => rpc.call(p.networkGetAutostart, { net }),
  networkSetAutostart: (net, autostart) => rpc.call(p.networkSetAutostart, { net, autostart }),
  networkGetMetadata: (net, type, uri, flags) => rpc.call(p.networkGetMetadata, { net, type, uri, flags }),
  networkSetMetadata: (net, type, metadata, key, uri, flags) => rpc.call(p.networkSetMetadata, { net, type, metadata, key, uri, flags }),
  networkDefineXML: (xml) => rpc.call(p.networkDefineXML, { xml }),
  networkDefineXMLFlags: (xml, flags) => rpc.call(p.networkDefineXMLFlags, { xml, flags }),
  networkCreateXML: (xml) => rpc.call(p.networkCreateXML, { xml }),
  networkCreateXMLFlags: (xml, flags) => rpc.call(p.networkCreateXMLFlags, { xml, flags }),
  networkCreate: (net) => rpc.call(p.networkCreate, { net }),
  networkDestroy: (net) => rpc.call(p.networkDestroy, { net }),
  networkUndefine: (net) => rpc.call(p.networkUndefine, { net }),
  networkUpdate: (net, command, section, parentIndex, xml, flags) => {
    // Daemons before 7.2 hand the two to their driver the wrong way round.
    const order = rpc.features.networkUpdateOrder ? { command, section } : { command: section, section: command }
    return rpc.call(p.networkUpdate, { net, ...order, parentIndex, xml, flags })
  },

  networkListAllPorts: (net) => rpc.call(p.networkListAllPorts, { network: net, ...listAll }),
  networkPortLookupByUUID: (net, uuid) => rpc.call(p.networkPortLookupByUUID, { network: net, uuid }),
  networkPortGetXMLDesc: (port) => rpc.call(p.networkPortGetXMLDesc, { port, flags: 0 }),
  networkPortGetParameters: (port) => rpc.call(p.networkPortGetParameters, { port, nparams: 16, flags: 0 }),
  networkPortSetParameters: (port, params) => rpc.call(p.networkPortSetParameters, { port, params, flags: 0 }),
  networkPortCreateXML: (net, xml, flags) => rpc.call(p.networkPortCreateXML, { network: net, xml, flags }),
  networkPortDelete: (port) => rpc.call(p.networkPortDelete, { port, flags: 0 }),
})

export const nwfilterCalls = (rpc: Rpc): NWFilterCalls => ({
  connectListAllNWFilters: () => rpc.call(p.connectListAllNWFilters, listAll),
  nwfilterLookupByName: (name) => rpc.call(p.nwfilterLookupByName, { name }),
  nwfilterLookupByUUID: (uuid) => rpc.call(p.nwfilterLookupByUUID, { uuid }),
  nwfilterGetXMLDesc: (nwfilter) => rpc.call(p.nwfilterGetXMLDesc, { nwfilter, flags: 0 }),
  nwfilterDefineXML: (xml) => rpc.call(p.nwfilterDefineXML, { xml }),
  nwfilterDefineXMLFlags: (xml, flags) => rpc.call(p.nwfilterDefineXMLFlags, { xml, flags }),
  nwfilterUndefine: (nwfilter) => rpc.call(p.nwfilterUndefine, { nwfilter }),

  connectListAllNWFilterBindings: () => rpc.call(p.connectListAllNWFilterBindings, listAll),
  nwfilterBindingLookupByPortDev: (portdev) => rpc.call(p.nwfilterBindingLookupByPortDev, { name: portdev }),
  nwfilterBindingGetXMLDesc: (nwfilter) => rpc.call(p.nwfilterBindingGetXMLDesc, { nwfilter, flags: 0 }),
  nwfilterBindingCreateXML: (xml, flags) => rpc.call(p.nwfilterBindingCreateXML, { xml, flags }),
  nwfilterBindingDelete: (nwfilter) => rpc.call(p.nwfilterBindingDelete, { nwfilter }),
})
