// Virtual networks and their ports.

import type { TypedParams, TypedParamsInput } from './values.ts'

export interface NetworkRef { name: string; uuid: string }
export interface NetworkPortRef { net: NetworkRef; uuid: string }
export interface DhcpLease { iface: string; /** Seconds since the epoch. */ expirytime: number; type: 'ipv4' | 'ipv6'; mac: string | null; iaid: string | null; ipaddr: string; prefix: number; hostname: string | null; clientid: string | null }

/** virConnectListAllNetworksFlags. */
export const ListNetworksFlags = { INACTIVE: 1, ACTIVE: 2, PERSISTENT: 4, TRANSIENT: 8, AUTOSTART: 16, NO_AUTOSTART: 32 } as const
/** virNetworkXMLFlags. */
export const NetworkXMLFlags = { INACTIVE: 1 } as const
/** virNetworkUpdateCommand. */
export const NetworkUpdateCommand = { MODIFY: 1, DELETE: 2, ADD_LAST: 3, ADD_FIRST: 4 } as const
/** virNetworkUpdateSection. */
export const NetworkSection = {
  BRIDGE: 1, DOMAIN: 2, IP: 3, IP_DHCP_HOST: 4, IP_DHCP_RANGE: 5, FORWARD: 6, FORWARD_INTERFACE: 7,
  FORWARD_PF: 8, PORTGROUP: 9, DNS_HOST: 10, DNS_TXT: 11, DNS_SRV: 12,
} as const
/** virNetworkPortCreateFlags. */
export const NetworkPortCreateFlags = { RECLAIM: 1, VALIDATE: 2 } as const

/** Absence is NO_NETWORK, of a port NO_NETWORK_PORT. */
export interface NetworkCalls {
  /** Flags of `ListNetworksFlags`; default all. */
  connectListAllNetworks(flags?: number): Promise<NetworkRef[]>
  networkLookupByUUID(uuid: string): Promise<NetworkRef>
  networkLookupByName(name: string): Promise<NetworkRef>
  networkGetXMLDesc(net: NetworkRef, flags: number): Promise<string>
  networkIsActive(net: NetworkRef): Promise<boolean>
  networkIsPersistent(net: NetworkRef): Promise<boolean>
  /** INTERNAL_ERROR where the network has none. */
  networkGetBridgeName(net: NetworkRef): Promise<string>
  networkGetDHCPLeases(net: NetworkRef): Promise<DhcpLease[]>
  networkGetAutostart(net: NetworkRef): Promise<boolean>
  networkSetAutostart(net: NetworkRef, autostart: boolean): Promise<void>
  /** Of `MetadataType`; an element by its namespace `uri`. Unsupported before libvirt 9.7. */
  networkGetMetadata(net: NetworkRef, type: 0 | 1 | 2, uri: string | null, flags: number): Promise<string>
  /** An element needs key and uri; null removes it. Unsupported before libvirt 9.7. */
  networkSetMetadata(net: NetworkRef, type: 0 | 1 | 2, metadata: string | null, key: string | null, uri: string | null, flags: number): Promise<void>
  /** Defining over the same UUID and name replaces the next configuration and is harmless to repeat. */
  networkDefineXML(xml: string): Promise<NetworkRef>
  networkDefineXMLFlags(xml: string, flags: number): Promise<NetworkRef>
  /** Starts a transient network. */
  networkCreateXML(xml: string): Promise<NetworkRef>
  networkCreateXMLFlags(xml: string, flags: number): Promise<NetworkRef>
  networkCreate(net: NetworkRef): Promise<void>
  networkDestroy(net: NetworkRef): Promise<void>
  networkUndefine(net: NetworkRef): Promise<void>
  /** Arguments in the documented order; a driver talking to an old daemon swaps them itself. Flags of `Affect`. */
  networkUpdate(net: NetworkRef, command: number, section: number, parentIndex: number, xml: string, flags: number): Promise<void>

  networkListAllPorts(net: NetworkRef): Promise<NetworkPortRef[]>
  networkPortLookupByUUID(net: NetworkRef, uuid: string): Promise<NetworkPortRef>
  networkPortGetXMLDesc(port: NetworkPortRef): Promise<string>
  /** KiB/s and KiB: `inbound.average`, `.peak`, `.burst`, `.floor`, `outbound.*`. */
  networkPortGetParameters(port: NetworkPortRef): Promise<TypedParams>
  networkPortSetParameters(port: NetworkPortRef, params: TypedParamsInput): Promise<void>
  networkPortCreateXML(net: NetworkRef, xml: string, flags: number): Promise<NetworkPortRef>
  networkPortDelete(port: NetworkPortRef): Promise<void>
}
