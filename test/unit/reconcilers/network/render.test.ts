// What a spec renders as, field by field, and what it refuses.

import { describe, expect, test } from 'vitest'
import { Refusal } from '../../../../reconcilers/plan.ts'
import { type Spec, hostInterfaces, renderNetwork } from '../../../../reconcilers/network/render.ts'
import { parseXml, serializeXml } from '../../../../xml/tree.ts'

const rendered: { reason: string; spec: Spec; xml: string }[] = [
  { reason: 'nothing is an isolated network', spec: {}, xml: '' },
  { reason: 'nat', spec: { forward: { mode: 'nat' } }, xml: '<forward mode="nat"/>' },
  { reason: 'route through an interface', spec: { forward: { mode: 'route', dev: 'eth0' } }, xml: '<forward mode="route" dev="eth0"/>' },
  {
    reason: 'translation to addresses and ports',
    spec: { forward: { mode: 'nat', nat: { address: { start: '203.0.113.10', end: '203.0.113.20' }, port: { start: 500, end: 1000 } } } },
    xml: '<forward mode="nat"><nat><address start="203.0.113.10" end="203.0.113.20"/><port start="500" end="1000"/></nat></forward>',
  },
  { reason: 'an empty nat is libvirt\'s', spec: { forward: { mode: 'nat', nat: {} } }, xml: '<forward mode="nat"/>' },
  { reason: 'a bridge of the host', spec: { forward: { mode: 'bridge' }, bridge: { name: 'br0' } }, xml: '<forward mode="bridge"/><bridge name="br0"/>' },
  { reason: 'the bridge in whole', spec: { bridge: { name: 'virbr7', stp: 'Disabled', delay: '2s', zone: 'trusted' } }, xml: '<bridge name="virbr7" stp="off" delay="2" zone="trusted"/>' },
  { reason: 'an empty bridge says nothing', spec: { bridge: {} }, xml: '' },
  { reason: 'mtu', spec: { mtu: 9000 }, xml: '<mtu size="9000"/>' },
  { reason: 'domain', spec: { domain: { name: 'lab.local', localOnly: true } }, xml: '<domain name="lab.local" localOnly="yes"/>' },
  { reason: 'IPv4 without DHCP', spec: { ipv4: { address: '192.168.150.1/24' } }, xml: '<ip address="192.168.150.1" prefix="24"/>' },
  {
    reason: 'an empty dhcp serves the whole subnet less the host',
    spec: { ipv4: { address: '192.168.150.1/24', dhcp: {} } },
    xml: '<ip address="192.168.150.1" prefix="24"><dhcp><range start="192.168.150.2" end="192.168.150.254"/></dhcp></ip>',
  },
  {
    reason: 'an empty list of ranges is as none',
    spec: { ipv4: { address: '10.0.0.100/24', dhcp: { ranges: [] } } },
    xml: '<ip address="10.0.0.100" prefix="24"><dhcp><range start="10.0.0.1" end="10.0.0.99"/><range start="10.0.0.101" end="10.0.0.254"/></dhcp></ip>',
  },
  {
    reason: 'ranges with a lease time, hosts in libvirt\'s spelling',
    spec: {
      ipv4: {
        address: '192.168.150.1/24', additionalAddresses: ['192.168.151.1/25'],
        dhcp: { ranges: [{ start: '192.168.150.100', end: '192.168.150.200', leaseTime: '90m' }], hosts: [{ name: 'web', mac: '52:54:00:AA:BB:01', ip: '192.168.150.10', hostname: 'www' }] },
      },
    },
    xml: '<ip address="192.168.150.1" prefix="24"><dhcp><range start="192.168.150.100" end="192.168.150.200"><lease expiry="5400" unit="seconds"/></range><host mac="52:54:00:aa:bb:01" name="www" ip="192.168.150.10"/></dhcp></ip><ip address="192.168.151.1" prefix="25"/>',
  },
  {
    reason: 'IPv6 in its one spelling',
    spec: { ipv6: { address: 'FD00:0150:0::1/64', dhcp: { hosts: [{ name: 'web', ip: 'fd00:150:0:0::10', hostname: 'web' }] } } },
    xml: '<ip family="ipv6" address="fd00:150::1" prefix="64"><dhcp><range start="fd00:150::2" end="fd00:150::ffff"/><host name="web" ip="fd00:150::10"/></dhcp></ip>',
  },
  {
    reason: 'names, in an order of their own',
    spec: { dns: { hosts: [{ ip: '192.168.150.10', hostnames: ['www', 'shop'] }] } },
    xml: '<dns><host ip="192.168.150.10"><hostname>shop</hostname><hostname>www</hostname></host></dns>',
  },
  {
    reason: 'portgroups: bytes become KiB, several tags a trunk',
    spec: {
      portgroups: [
        { name: 'dmz', default: true, bandwidth: { inbound: { average: '10Mi', peak: '20Mi', burst: '1Mi' }, outbound: { average: '1Ki' } } },
        { name: 'trunk', default: false, vlan: { tags: [{ id: 43 }, { id: 42 }] } },
        { name: 'one', vlan: { tags: [{ id: 7 }] } },
      ],
    },
    xml: '<portgroup name="dmz" default="yes"><bandwidth><inbound average="10240" peak="20480" burst="1024"/><outbound average="1"/></bandwidth></portgroup><portgroup name="trunk"><vlan trunk="yes"><tag id="42"/><tag id="43"/></vlan></portgroup><portgroup name="one"><vlan><tag id="7"/></vlan></portgroup>',
  },
  {
    reason: 'an overlay adds and overwrites',
    spec: { forward: { mode: 'nat' }, ipv4: { address: '10.0.0.1/24', dhcp: {} }, xml: '<forward mode="route"/><ip address="10.0.0.1"><tftp root="/var/lib/vireo/tftp"/></ip><route address="10.9.0.0" prefix="16" gateway="10.0.0.7"/>' },
    xml: '<forward mode="route"/><ip address="10.0.0.1" prefix="24"><dhcp><range start="10.0.0.2" end="10.0.0.254"/></dhcp><tftp root="/var/lib/vireo/tftp"/></ip><route address="10.9.0.0" prefix="16" gateway="10.0.0.7"/>',
  },
]

const refused: { reason: string; spec: Spec; says: RegExp; is?: string }[] = [
  { reason: 'an address without prefix', spec: { ipv4: { address: '192.168.150.1' } }, says: /spec\.ipv4\.address: 192\.168\.150\.1 is not an IPv4 address with prefix/ },
  { reason: 'the other family', spec: { ipv6: { address: '192.168.150.1/24' } }, says: /spec\.ipv6\.address/ },
  { reason: 'a bad additional address', spec: { ipv4: { address: '10.0.0.1/24', additionalAddresses: ['x'] } }, says: /additionalAddresses/ },
  { reason: 'a range outside the subnet', spec: { ipv4: { address: '10.0.0.1/24', dhcp: { ranges: [{ start: '10.0.1.2', end: '10.0.1.9' }] } } }, says: /10\.0\.1\.2 does not lie inside 10\.0\.0\.0\/24/ },
  { reason: 'a range that ends before it starts', spec: { ipv4: { address: '10.0.0.1/24', dhcp: { ranges: [{ start: '10.0.0.20', end: '10.0.0.10' }] } } }, says: /before it starts/ },
  { reason: 'a fixed address outside the subnet', spec: { ipv4: { address: '10.0.0.1/24', dhcp: { hosts: [{ name: 'web', mac: '52:54:00:00:00:01', ip: '10.1.0.2' }] } } }, says: /hosts\[web\]\.ip: 10\.1\.0\.2/ },
  { reason: 'a subnet with nothing to give', spec: { ipv4: { address: '10.0.0.1/32', dhcp: {} } }, says: /no address left/ },
  { reason: 'a DNS host that is no address', spec: { dns: { hosts: [{ ip: 'web', hostnames: ['web'] }] } }, says: /web is not an IP address/ },
  { reason: 'an overlay that is not XML', spec: { xml: '<forward' }, says: /spec\.xml: not well-formed/ },
  { reason: 'an overlay over the name', spec: { xml: '<name>other</name>' }, says: /may not touch <name>.*spec\.name/ },
  { reason: 'an overlay over the UUID', spec: { xml: '<uuid>x</uuid>' }, says: /may not touch <uuid>/ },
  { reason: 'an overlay over the metadata', spec: { xml: '<metadata/>' }, says: /may not touch <metadata>/ },
  { reason: 'options for dnsmasq, by prefix', spec: { xml: '<dnsmasq:options xmlns:dnsmasq="http://libvirt.org/schemas/network/dnsmasq/1.0"/>' }, says: /never accepted/, is: 'Forbidden' },
  { reason: 'options for dnsmasq, by default namespace', spec: { xml: '<options xmlns="http://libvirt.org/schemas/network/dnsmasq/1.0"><option value="dhcp-script=/x"/></options>' }, says: /never accepted/, is: 'Forbidden' },
]

describe('renderNetwork', () => {
  test.each(rendered)('$reason', ({ spec, xml }) => {
    expect(serializeXml(renderNetwork(spec))).toBe(serializeXml(parseXml(`<network>${xml}</network>`)))
  })

  test.each(refused)('refuses $reason', ({ spec, says, is = 'Invalid' }) => {
    const attempt = (): unknown => renderNetwork(spec)
    expect(attempt).toThrow(Refusal)
    try {
      attempt()
    } catch (error) {
      expect((error as Refusal).standing.reason).toBe(is)
      expect((error as Refusal).message).toMatch(says)
    }
  })
})

describe('hostInterfaces', () => {
  const named: [string, string, string[]][] = [
    ['a bridge of libvirt\'s own is none of the host\'s', '<forward mode="nat"/><bridge name="virbr7"/>', []],
    ['the interface that traffic leaves through', '<forward mode="nat" dev="eth0"/>', ['eth0']],
    ['a bridge of the host', '<forward mode="bridge"/><bridge name="br0"/>', ['br0']],
    ['interfaces by overlay', '<forward mode="passthrough"><interface dev="eth1"/><pf dev="eth2"/><address domain="0" bus="3" slot="0" function="1"/></forward>', ['eth1', 'eth2', '0:3:0:1']],
  ]
  test.each(named)('%s', (_, xml, names) => {
    expect(hostInterfaces(parseXml(`<network>${xml}</network>`)).map(({ name }) => name)).toEqual(names)
  })
})
