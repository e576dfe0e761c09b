// Virtual networks, their ports, and filters.

import { Leases, NWFilter, NWFilterBinding, Network, NetworkPort, counted, givenParams, listed, typedParams } from '../types.ts'
import { flag, int, nothing, optional, string, struct, uint, uuid } from '../xdr.ts'
import { byName, byUUID, changing, document, flags, listArgs, reading, since } from './procedure.ts'

const net = Network
const network = struct({ net })
const xml = struct({ xml: string })
const port = struct({ port: NetworkPort, flags })

export const networks = {
  networkCreate: changing(39, network, nothing),
  networkCreateXML: changing(40, xml, net),
  networkDefineXML: changing(41, xml, net),
  networkDestroy: changing(42, network, nothing),
  networkGetXMLDesc: reading(43, struct({ net, flags }), string),
  networkGetAutostart: reading(44, network, flag),
  networkGetBridgeName: reading(45, network, string),
  networkLookupByName: reading(46, byName, net),
  networkLookupByUUID: reading(47, byUUID, net),
  networkSetAutostart: changing(48, struct({ net, autostart: flag }), nothing),
  networkUndefine: changing(49, network, nothing),
  networkIsActive: reading(152, network, flag),
  networkIsPersistent: reading(153, network, flag),
  connectListAllNetworks: reading(283, listArgs, listed(net)),
  networkUpdate: changing(291, struct({ net, command: uint, section: uint, parentIndex: int, xml: string, flags }), nothing),
  networkGetDHCPLeases: reading(341, struct({ net, mac: optional(string), need_results: flag, flags }), Leases),
  networkDefineXMLFlags: changing(432, document, net),
  networkCreateXMLFlags: changing(437, document, net),
  networkSetMetadata: since(9, 7, changing(444, struct({ net, type: int, metadata: optional(string), key: optional(string), uri: optional(string), flags }), nothing)),
  networkGetMetadata: since(9, 7, reading(445, struct({ net, type: int, uri: optional(string), flags }), string)),

  networkListAllPorts: reading(404, struct({ network: net, need_results: flag, flags }), listed(NetworkPort)),
  networkPortLookupByUUID: reading(405, struct({ network: net, uuid }), NetworkPort),
  networkPortCreateXML: changing(406, struct({ network: net, xml: string, flags }), NetworkPort),
  networkPortGetParameters: reading(407, struct({ port: NetworkPort, nparams: int, flags }), counted(typedParams(16))),
  networkPortSetParameters: changing(408, struct({ port: NetworkPort, params: givenParams(16), flags }), nothing),
  networkPortGetXMLDesc: reading(409, port, string),
  networkPortDelete: changing(410, port, nothing),

  nwfilterLookupByName: reading(175, byName, NWFilter),
  nwfilterLookupByUUID: reading(176, byUUID, NWFilter),
  nwfilterGetXMLDesc: reading(177, struct({ nwfilter: NWFilter, flags }), string),
  nwfilterDefineXML: changing(180, xml, NWFilter),
  nwfilterUndefine: changing(181, struct({ nwfilter: NWFilter }), nothing),
  connectListAllNWFilters: reading(286, listArgs, listed(NWFilter)),
  nwfilterBindingLookupByPortDev: reading(397, byName, NWFilterBinding),
  nwfilterBindingGetXMLDesc: reading(398, struct({ nwfilter: NWFilterBinding, flags }), string),
  nwfilterBindingCreateXML: changing(399, document, NWFilterBinding),
  nwfilterBindingDelete: changing(400, struct({ nwfilter: NWFilterBinding }), nothing),
  connectListAllNWFilterBindings: reading(401, listArgs, listed(NWFilterBinding)),
  nwfilterDefineXMLFlags: changing(431, document, NWFilter),
}
