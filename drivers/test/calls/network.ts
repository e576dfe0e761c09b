// Networks.

import type { NetworkCalls } from '../../driver.ts'
import { bridgeName } from '../network/networks.ts'
import { checkFlags } from '../refusal.ts'
import type { Desk } from './desk.ts'
import { refs } from './lists.ts'

export const networkCalls = (desk: Desk) => ({
  connectListAllNetworks: (flags = 0) => desk.call('connectListAllNetworks', ({ networks }) => refs(networks.values(), flags)),
  networkLookupByUUID: uuid => desk.call('networkLookupByUUID', ({ networks }) => networks.find({ uuid }).ref),
  networkLookupByName: name => desk.call('networkLookupByName', ({ networks }) => networks.findByName(name).ref),
  networkGetXMLDesc: (net, flags) => desk.call('networkGetXMLDesc', ({ networks }) => networks.text(networks.find(net), flags)),
  networkIsActive: net => desk.call('networkIsActive', ({ networks }) => networks.find(net).active),
  networkGetAutostart: net => desk.call('networkGetAutostart', ({ networks }) => networks.find(net).autostart),
  networkSetAutostart: (net, autostart) => desk.call('networkSetAutostart', ({ networks }) => networks.setAutostart(networks.find(net), autostart)),
  networkDefineXML: xml => desk.call('networkDefineXML', ({ networks }) => networks.define(xml).ref),
  networkCreate: net => desk.call('networkCreate', ({ networks }) => networks.create(networks.find(net))),
  networkDestroy: net => desk.call('networkDestroy', ({ networks }) => networks.destroy(networks.find(net))),
  networkUndefine: net => desk.call('networkUndefine', ({ networks }) => networks.undefine(networks.find(net))),
  networkUpdate: (net, command, section, parentIndex, xml, flags) => desk.call('networkUpdate', ({ networks }) => networks.update(networks.find(net), command, section, parentIndex, xml, flags)),
  networkGetDHCPLeases: net => desk.call('networkGetDHCPLeases', ({ networks }) => networks.leases(networks.find(net))),
  networkIsPersistent: net => desk.call('networkIsPersistent', ({ networks }) => networks.find(net).persistent),
  networkGetBridgeName: net => desk.call('networkGetBridgeName', ({ networks }) => bridgeName(networks.find(net))),
  networkDefineXMLFlags: (xml, flags) => desk.call('networkDefineXMLFlags', ({ networks }) => {
    checkFlags(flags, 1, 'networkDefineXMLFlags')
    return networks.define(xml).ref
  }),
  networkCreateXML: xml => desk.call('networkCreateXML', ({ networks }) => networks.createXML(xml).ref),
  networkCreateXMLFlags: (xml, flags) => desk.call('networkCreateXMLFlags', ({ networks }) => {
    checkFlags(flags, 1, 'networkCreateXMLFlags')
    return networks.createXML(xml).ref
  }),
} satisfies Partial<NetworkCalls>)
