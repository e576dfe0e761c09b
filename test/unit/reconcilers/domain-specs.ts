// Random specs of domains, from an alphabet so small that two of them have much in common.

import fc from 'fast-check'
import type { Spec } from './domain-bed.ts'

type Disk = NonNullable<Spec['disks']>[number]
type Nic = NonNullable<Spec['interfaces']>[number]

const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined })

/** Drops what is undefined, as an API server does. */
const clean = <T extends object>(value: T): T => JSON.parse(JSON.stringify(value)) as T

const disk: fc.Arbitrary<Disk> = fc.record({
  name: fc.constantFrom('a', 'b', 'c', 'd'),
  source: fc.constantFrom<Partial<Disk>>({ volumeRef: { name: 'web-root' } }, { volumeRef: { name: 'scratch' } }, { file: { path: '/var/lib/vireo/data.raw', format: 'raw' } }, { device: 'cdrom' }, { device: 'cdrom', file: { path: '/var/lib/vireo/cd.iso', format: 'raw' } }),
  bus: maybe(fc.constantFrom('virtio', 'sata', 'scsi')),
  cache: maybe(fc.constantFrom('none', 'writeback')),
  serial: maybe(fc.constantFrom('s1', 's2')),
  readOnly: maybe(fc.boolean()),
}).map(({ name, source, bus, ...rest }) => ({ ...rest, name, ...source, ...(source.device === 'cdrom' ? {} : { bus }) }))

const nic: fc.Arbitrary<Nic> = fc.record({
  name: fc.constantFrom('lan', 'dmz', 'mgmt'),
  source: fc.constantFrom<Partial<Nic>>({ networkRef: { name: 'lab' } }, { networkRef: { name: 'dmz' } }, { networkRef: { name: 'lab', portgroup: 'slow' } }, { bridge: { name: 'br0' } }),
  model: maybe(fc.constantFrom('virtio', 'e1000e')),
  linkState: maybe(fc.constantFrom('up' as const, 'down' as const)),
  mtu: maybe(fc.constantFrom(1400, 9000)),
}).map(({ source, ...rest }) => ({ ...rest, ...source }))

export const anySpec: fc.Arbitrary<Spec> = fc.record({
  memory: fc.constantFrom('512Mi', '1Gi', '2Gi'),
  maxMemory: maybe(fc.constantFrom('2Gi', '4Gi')),
  cpus: maybe(fc.constantFrom(1, 2)),
  maxCpus: maybe(fc.constantFrom(2, 4)),
  title: maybe(fc.constantFrom('Web', 'Shop & <Co>')),
  description: maybe(fc.constantFrom('one', 'two\nlines')),
  autostart: maybe(fc.constantFrom('Enabled' as const, 'Disabled' as const)),
  cpu: maybe(fc.constantFrom<NonNullable<Spec['cpu']>>({ mode: 'host-passthrough' }, { mode: 'custom', model: 'Nehalem', features: [{ name: 'vmx', policy: 'disable' }] })),
  os: maybe(fc.constantFrom<NonNullable<Spec['os']>>({ machine: 'pc' }, { firmware: { uefi: {} } }, { bootMenu: { state: 'Enabled', timeout: '3s' } })),
  disks: maybe(fc.uniqueArray(disk, { maxLength: 4, selector: entry => entry.name })),
  interfaces: maybe(fc.uniqueArray(nic, { maxLength: 3, selector: entry => entry.name })),
  graphics: maybe(fc.constantFrom<NonNullable<Spec['graphics']>>([{ name: 'main', vnc: {} }], [{ name: 'main', vnc: { listen: '127.0.0.1', passwordSecretRef: { name: 'web-vnc', key: 'password' } } }], [{ name: 'main', spice: {} }])),
  serials: maybe(fc.constantFrom<NonNullable<Spec['serials']>>([{ name: 'log', pty: {} }], [])),
  defaultDevices: maybe(fc.constantFrom<NonNullable<Spec['defaultDevices']>>({ guestAgent: 'Disabled' }, { rng: 'Disabled', memballoon: 'Disabled' })),
  video: maybe(fc.constant({ model: 'virtio', heads: 1 })),
  tpm: maybe(fc.constant({ model: 'tpm-crb' })),
}).map(clean).filter(spec => {
  const size: Record<string, number> = { '512Mi': 0.5, '1Gi': 1, '2Gi': 2, '4Gi': 4 }
  return (spec.maxMemory === undefined || size[spec.maxMemory as string]! >= size[spec.memory as string]!) && (spec.maxCpus ?? Infinity) >= (spec.cpus ?? 1)
})
