// Specs of every shape that libvirt takes, for the properties that hold for all of them.

import fc from 'fast-check'
import type { Spec } from '../../../../reconcilers/network/render.ts'

const octet = fc.integer({ min: 1, max: 254 })
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined })
const rate = fc.record({ average: fc.constantFrom('1Ki', '1500', '10Mi'), peak: maybe(fc.constantFrom('20Mi', 30_000_000)), burst: maybe(fc.constant('1Mi')) })

/** libvirt forwards only for a subnet. */
const needsAddress = ({ forward, ipv4, ipv6 }: Spec): boolean => forward !== undefined && !ipv4 && !ipv6

export const anySpec: fc.Arbitrary<Spec> = fc.record<Spec>({
  forward: fc.constantFrom<Spec['forward']>(undefined, { mode: 'nat' }, { mode: 'route' }, { mode: 'open' }, { mode: 'nat', dev: 'lo' }, { mode: 'nat', nat: { port: { start: 1024, end: 65535 } } }, { mode: 'nat', nat: { address: { start: '203.0.113.10', end: '203.0.113.20' } } }),
  mtu: maybe(fc.integer({ min: 68, max: 9000 })),
  bridge: fc.constantFrom<Spec['bridge']>(undefined, {}, { name: 'vbr9' }, { stp: 'Disabled', delay: '3s' }, { stp: 'Enabled' }, { name: 'vbr9', delay: '1m' }),
  domain: fc.constantFrom<Spec['domain']>(undefined, { name: 'lab.local' }, { name: 'lab.local', localOnly: true }, { name: 'other.local', localOnly: false }),
  ipv4: maybe(fc.record({
    address: octet.map(last => `10.101.2.${last}/24`),
    additionalAddresses: maybe(fc.uniqueArray(octet, { maxLength: 3 }).map(list => list.map(third => `10.102.${third}.1/25`))),
    dhcp: fc.constantFrom(undefined, {}, { ranges: [{ start: '10.101.2.20', end: '10.101.2.40', leaseTime: '1h' }] }, { hosts: [{ name: 'a', mac: '52:54:00:AA:00:01', ip: '10.101.2.9' }, { name: 'b', mac: '52:54:00:00:00:02', ip: '10.101.2.10', hostname: 'b' }] },
      { ranges: [{ start: '10.101.2.30', end: '10.101.2.40' }, { start: '10.101.2.10', end: '10.101.2.15', leaseTime: '5m' }], hosts: [{ name: 'b', mac: '52:54:00:00:00:02', ip: '10.101.2.11', hostname: 'b' }] }),
  })),
  ipv6: maybe(fc.record({ address: fc.constantFrom('fd00::1/64', 'FD00:0:0:1::1/64', 'fd00:0:0:2:0:0:0:7/64'), dhcp: fc.constantFrom(undefined, {}) })),
  portgroups: fc.uniqueArray(fc.constantFrom('a', 'b', 'c'), { maxLength: 3 }).chain(names => fc.tuple(...names.map(name => fc.record({ name: fc.constant(name), bandwidth: maybe(fc.record({ inbound: maybe(rate), outbound: maybe(rate) })) })))),
  dns: fc.constantFrom<Spec['dns']>(undefined, {}, { hosts: [{ ip: '10.101.2.3', hostnames: ['b', 'a'] }] }, { hosts: [{ ip: '10.101.2.3', hostnames: ['a'] }, { ip: 'FD00::9', hostnames: ['nine'] }] }),
}).map(spec => (needsAddress(spec) ? { ...spec, ipv4: { address: '10.101.2.1/24' } } : spec))
