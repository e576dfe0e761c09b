// VirtualNetwork: a libvirt network, which guests are plugged into.

import type { Static } from 'typebox'
import {
  binding, boundHypervisorRule, boundNameRule, boundUUIDRule, exportTo, hostObjectSpec, hostObjectStatus, hypervisorRef,
  objectUUID, overlay, recreatePolicy, unseen,
} from './common.ts'
import { columns, type Kind } from './kind.ts'
import type { KubeObject } from './meta.ts'
import { group, version } from './names.ts'
import {
  about, choice, duration, entryName, flag, integer, ipAddress, macAddress, mapOf, object, optional, quantity, setOf, text, type Rule,
} from './schema.ts'

const hostname = (what: string, def?: string) => text(253, about(what, def))

const forward = object({
  mode: text(64, about("libvirt's mode: nat, route, open, or bridge for a bridge that the host already has.", undefined, 'recreate')),
  dev: optional(text(15, about('The host interface that traffic leaves through. Has to be listed in hostInterfaces of the Hypervisor.', 'any', 'recreate'))),
  nat: optional(object({
    address: optional(object({
      start: ipAddress(about('First address.')),
      end: ipAddress(about('Last address.')),
    }, about('Addresses that guests appear under.', 'that of the outgoing interface', 'recreate'))),
    port: optional(object({
      start: integer(1, 65535, about('First port.')),
      end: integer(1, 65535, about('Last port.')),
    }, about('Ports used for translated connections.', "libvirt's, 1024 to 65535", 'recreate'))),
  }, about('How addresses are translated, with mode nat.', "libvirt's", 'recreate'))),
}, about('How the network reaches the world.', 'none: an isolated network', 'recreate'), {
  rules: [{ rule: "!has(self.nat) || self.mode == 'nat'", message: 'nat belongs to mode nat: set mode: nat, or leave nat out' }],
})

/** Addresses that are surely those of a subnet. Comparing `cidr(self).masked()` is dearer than the budget for CEL allows. */
const subnetItself = {
  4: '([.]0/(2[4-9]|30)|[.]0[.]0/(1[6-9]|2[0-3])|[.]0[.]0[.]0/([89]|1[0-5]))$',
  6: '::/([0-9]|[1-9][0-9]|1[01][0-9]|12[0-6])$',
}

const cidr = (family: 4 | 6, example: string, what: Parameters<typeof text>[1]) => text(49, what, {
  rules: [
    {
      rule: `isCIDR(self) && cidr(self).ip().family() == ${family}`,
      message: `is not an IPv${family} address with prefix: write one such as ${example}`,
      messageExpression: `self + ' is not an IPv${family} address with prefix: write one such as ${example}'`,
    },
    {
      rule: `!self.matches('${subnetItself[family]}')`,
      message: `is the subnet, not the host's address in it: write one such as ${example}`,
      messageExpression: `self + " is the subnet, not the host's address in it: write one such as ${example}"`,
    },
  ],
})

/** Guarded, so that a bad address is reported once, by its own rule. */
const inSubnet = (list: 'ranges' | 'hosts', test: string, what: string): Rule => ({
  rule: `!isCIDR(self.address) || !has(self.dhcp) || !has(self.dhcp.${list}) || self.dhcp.${list}.all(e, ${test})`,
  message: `${what} must lie inside the subnet of address`,
  messageExpression: `'${what} must lie inside the subnet of ' + self.address`,
  fieldPath: `.dhcp.${list}`,
})
const within = (ip: string) => `(!isIP(${ip}) || cidr(self.address).masked().containsIP(${ip}))`

const ip = (family: 4 | 6, example: string) => object({
  address: cidr(family, example, about(`Address of the host in the network, with the prefix of the subnet, such as ${example}.`, undefined, 'recreate')),
  additionalAddresses: optional(setOf(cidr(family, example, about('One more address with prefix.')), 64,
    about('Further addresses of the host in the network. DHCP serves only the subnet of address.', 'none', 'recreate'))),
  dhcp: optional(object({
    ranges: optional(mapOf('start', object({
      start: ipAddress(about('First address of the range: the key of this entry.')),
      end: ipAddress(about('Last address of the range.')),
      leaseTime: optional(duration(about('How long a lease lasts.', "libvirt's, 1h"))),
    }, about('One range.')), 64, about('Addresses given to guests.', 'the whole subnet less the address of the host', 'live'))),
    hosts: optional(mapOf('name', object({
      name: entryName('DHCP host'),
      mac: optional(macAddress(about('MAC address of the guest.', 'none: the guest is known by hostname'))),
      ip: ipAddress(about('Address it gets.')),
      hostname: optional(hostname('Name it is known by, and is given.', 'none')),
    }, about('One guest with a fixed address.'), {
      rules: [{ rule: 'has(self.mac) || has(self.hostname)', message: 'needs mac or hostname: something has to tell which guest is meant' }],
    }), 256, about('Guests with fixed addresses.', 'none', 'live'))),
  }, about('Makes the host serve DHCP here; {} serves the whole subnet.', 'none: no DHCP', 'recreate', 'Ranges and hosts are applied live.'))),
}, about(`IPv${family} in the network.`, `none: no IPv${family}`, 'recreate'), {
  rules: [
    inSubnet('ranges', `${within('e.start')} && ${within('e.end')}`, 'every DHCP range'),
    inSubnet('hosts', within('e.ip'), 'the ip of every DHCP host'),
    ...family === 6 ? [{
      rule: '!has(self.dhcp) || !has(self.dhcp.hosts) || self.dhcp.hosts.all(e, !has(e.mac))',
      message: 'an IPv6 DHCP host is known by its hostname: leave mac out, libvirt refuses it',
      fieldPath: '.dhcp.hosts',
    }] : [],
  ],
})

const rate = (direction: string) => optional(object({
  average: quantity('1Ki', about('Average rate, in bytes a second.')),
  peak: optional(quantity('1Ki', about('Highest rate for a burst, in bytes a second.', 'average'))),
  burst: optional(quantity('1Ki', about('Bytes that may go at the peak rate.', "libvirt's"))),
}, about(`Limit of what ${direction}.`, 'none', 'live')))

const portgroup = object({
  name: entryName('portgroup'),
  default: optional(flag(about('Takes the interfaces that name no portgroup.', 'false', 'live'))),
  vlan: optional(object({
    tags: mapOf('id', object({ id: integer(0, 4095, about('VLAN number.')) }, about('One tag.')), 64, about('VLAN tags; several make a trunk.')),
  }, about('VLAN of the interfaces, on networks whose bridge can do that.', 'none', 'live'))),
  bandwidth: optional(object({
    inbound: rate('guests receive'),
    outbound: rate('guests send'),
  }, about('Limits for each interface.', 'none', 'live'))),
}, about('One class of interfaces.'))

const spec = object({
  hypervisorRef,
  uuid: objectUUID,
  ...hostObjectSpec,
  state: optional(choice(['Active', 'Inactive'], about('Whether the host has the network started.', 'Active', 'live'), { default: 'Active' })),
  autostart: optional(choice(['Enabled', 'Disabled'], about('Whether the host starts the network when it boots.', 'Enabled', 'live'))),
  forward: optional(forward),
  bridge: optional(object({
    name: optional(text(15, about("Name of the bridge. With forward.mode bridge it is the host's own, listed in hostInterfaces of the Hypervisor, and required.", 'the first free virbr', 'recreate'))),
    stp: optional(choice(['Enabled', 'Disabled'], about('Spanning tree protocol on the bridge.', 'Enabled', 'recreate'))),
    delay: optional(duration(about('How long a new port listens before it forwards.', '0s', 'recreate'))),
    zone: optional(text(64, about('firewalld zone of the bridge.', "libvirt's", 'recreate'))),
  }, about('The bridge on the host.', "libvirt's", 'recreate'))),
  mtu: optional(integer(68, 65535, about('Largest packet, in bytes.', "libvirt's, 1500", 'recreate'))),
  domain: optional(object({
    name: hostname('DNS domain of the guests.'),
    localOnly: optional(flag(about('Whether names of this domain that the network does not know are not asked for elsewhere.', 'false', 'recreate'))),
  }, about('DNS domain of the network.', 'none', 'recreate'))),
  ipv4: optional(ip(4, '192.168.150.1/24')),
  ipv6: optional(ip(6, 'fd00:150::1/64')),
  dns: optional(object({
    hosts: optional(mapOf('ip', object({
      ip: ipAddress(about('The address: the key of this entry.')),
      hostnames: setOf(hostname('A name.'), 64, about('Names that resolve to it.'), {
        rules: [{ rule: 'size(self) > 0', message: 'needs at least one name' }],
      }),
    }, about('One address and its names.')), 256, about('Names that the DNS server of the network knows beside those of the guests.', 'none', 'live'))),
  }, about('The DNS server of the network.', "libvirt's"))),
  portgroups: optional(mapOf('name', portgroup, 64, about('Classes of interfaces, named by networkRef.portgroup of a domain.', 'none', 'live'), {
    rules: [{ rule: 'self.filter(g, has(g.default) && g.default).size() <= 1', message: 'at most one portgroup may be the default' }],
  })),
  export: exportTo('network'),
  updatePolicy: recreatePolicy(['Never', 'WhenUnused', 'Always']),
  xml: overlay('XML merged into the <network> after everything else.', undefined),
}, about('What the network is.'), {
  rules: [
    {
      rule: "!has(self.forward) || self.forward.mode != 'bridge' || (has(self.bridge) && has(self.bridge.name))",
      message: "forward.mode bridge needs bridge.name, a bridge that the host already has",
    },
    {
      rule: "!has(self.forward) || self.forward.mode != 'bridge' || !(has(self.ipv4) || has(self.ipv6) || has(self.domain) || has(self.dns) || has(self.mtu))",
      message: "with forward.mode bridge the bridge is the host's own: leave ipv4, ipv6, domain, dns and mtu out",
    },
  ],
})

const status = object({
  ...hostObjectStatus,
  binding,
  state: optional(choice(['Active', 'Inactive'], about('Whether the host has the network started.'))),
  bridge: optional(text(64, about('Name of the bridge on the host.'))),
  mtu: optional(integer(0, 65535, about('Largest packet, in bytes.'))),
  connections: optional(integer(0, 0x7fffffff, about('Interfaces of running domains plugged into it.'))),
}, about('What vireo found.'), { default: unseen })

export type VirtualNetworkSpec = Static<typeof spec>
export type VirtualNetworkStatus = Static<typeof status>
export type VirtualNetwork = KubeObject<VirtualNetworkSpec, VirtualNetworkStatus>
export type NetworkForward = NonNullable<VirtualNetworkSpec['forward']>
export type NetworkIP = NonNullable<VirtualNetworkSpec['ipv4']>
export type DhcpRange = NonNullable<NonNullable<NetworkIP['dhcp']>['ranges']>[number]
export type DhcpHost = NonNullable<NonNullable<NetworkIP['dhcp']>['hosts']>[number]
export type DnsHost = NonNullable<NonNullable<VirtualNetworkSpec['dns']>['hosts']>[number]
export type Portgroup = NonNullable<VirtualNetworkSpec['portgroups']>[number]

export const virtualNetwork: Kind = {
  resource: { group, version, plural: 'virtualnetworks', kind: 'VirtualNetwork', namespaced: true },
  singular: 'virtualnetwork',
  shortNames: ['vnet'],
  description: 'A VirtualNetwork is a network on a host that guests are plugged into: translated, routed, open, isolated, or a bridge of the host.',
  spec,
  status,
  rules: [boundHypervisorRule, boundNameRule, boundUUIDRule],
  columns: [
    columns.of('State', '.status.state', 'Whether it is started.'),
    columns.ready,
    columns.of('Mode', '.spec.forward.mode', 'How it reaches the world.'),
    columns.of('Address', '.spec.ipv4.address', 'Address of the host in it.'),
    columns.age,
    columns.wide('Bridge', '.status.bridge', 'The bridge on the host.'),
    columns.wide('IPv6', '.spec.ipv6.address', 'IPv6 address of the host in it.'),
    columns.hypervisor,
    columns.reason,
  ],
  selectableFields: ['.status.binding.hypervisor'],
}
