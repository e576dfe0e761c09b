// Rendering against a real libvirtd: what is rendered, defined and read back must need no further change.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { createRegistry } from '../../../drivers/registry.ts'
import type { Connection } from '../../../drivers/driver.ts'
import type { VirtualDomainSpec } from '../../../crds/virtualdomain.ts'
import { guestsOf, hostArch } from '../../../reconcilers/capabilities.ts'
import { withoutAliases } from '../../../reconcilers/domain/devices.ts'
import { nextDocument, recordOf } from '../../../reconcilers/domain/document.ts'
import { renderDomain } from '../../../reconcilers/domain/render.ts'
import { isQemu } from '../../../reconcilers/domain/rendering.ts'
import { uuidV5 } from '../../../reconcilers/identity.ts'
import { elementsOf, parseXml, serializeXml } from '../../../xml/tree.ts'
import type { XmlElement } from '../../../xml/tree.ts'
import { startLibvirtd } from '../../support/libvirtd.ts'
import type { PrivateLibvirtd } from '../../support/libvirtd.ts'

const name = fc.stringMatching(/^[a-z]([a-z0-9]{0,6})$/)
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined })
const mac = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 3, maxLength: 3 }).map(bytes => `52:54:00:${bytes.map(byte => byte.toString(16).padStart(2, '0')).join(':')}`)

const disk = fc.record({
  name,
  device: fc.constantFrom('disk' as const, 'cdrom' as const),
  path: name.map(file => `/var/lib/vireo/${file}.img`),
  format: fc.constantFrom('raw', 'qcow2'),
  cache: optional(fc.constantFrom('none', 'writeback', 'unsafe')),
  discard: optional(fc.constantFrom('unmap', 'ignore')),
  io: optional(fc.constantFrom('threads')),
  serial: optional(fc.stringMatching(/^[A-Za-z0-9]{1,12}$/)),
  bus: optional(fc.constantFrom('virtio', 'sata', 'scsi', 'usb')),
  empty: fc.boolean(),
  shared: fc.boolean(),
}).map(({ path, format, empty, shared, bus, device, ...rest }) => ({
  ...rest, device, shareable: shared && format === 'raw' ? true : undefined, bus: device === 'cdrom' && bus === 'virtio' ? 'sata' : bus, ...(device === 'cdrom' && empty ? {} : { file: { path, format } }),
}))
const nic = fc.record({
  name,
  mac: optional(mac),
  model: optional(fc.constantFrom('virtio', 'e1000', 'e1000e', 'rtl8139')),
  linkState: optional(fc.constantFrom('up' as const, 'down' as const)),
  mtu: optional(fc.integer({ min: 576, max: 9000 })),
  networkRef: fc.constant({ name: 'lab' }),
})
const spec: fc.Arbitrary<VirtualDomainSpec> = fc.record({
  title: optional(fc.stringMatching(/^[A-Za-z<>&"' äöü]{1,30}$/).filter(text => text.trim() === text && text !== '')),
  description: optional(fc.stringMatching(/^[A-Za-z<>&\n]{1,60}$/).filter(text => text.trim() !== '')),
  cpus: fc.integer({ min: 1, max: 4 }),
  extraCpus: fc.integer({ min: 0, max: 4 }),
  memory: fc.integer({ min: 16, max: 512 }),
  extraMemory: fc.integer({ min: 0, max: 512 }),
  cpu: optional(fc.constantFrom({ mode: 'maximum' }, { mode: 'custom', model: 'qemu64' }, { mode: 'custom', model: 'Nehalem', features: [{ name: 'sse4.2', policy: 'disable' }] })),
  os: optional(fc.record({
    machine: optional(fc.constantFrom('q35', 'pc', 'pc-q35-7.2')),
    bootMenu: optional(fc.constantFrom({ state: 'Enabled' as const, timeout: '3s' }, { state: 'Disabled' as const })),
    firmware: optional(fc.constant({ bios: {} })),
  })),
  disks: fc.uniqueArray(disk, { maxLength: 5, selector: entry => entry.name }),
  interfaces: fc.uniqueArray(nic, { maxLength: 3, selector: entry => entry.name }),
  graphics: fc.constantFrom([], [{ name: 'main', vnc: {} }], [{ name: 'main', vnc: { listen: '127.0.0.1' } }]),
  serials: optional(fc.constantFrom([{ name: 'a', pty: {} }], [{ name: 'a', pty: {} }, { name: 'b', tcp: { host: '127.0.0.1', port: 4555, mode: 'bind' } }], [{ name: 'log', file: { path: '/var/lib/vireo/log.txt' } }])),
  defaultDevices: optional(fc.record({ guestAgent: fc.constantFrom('Enabled' as const, 'Disabled' as const), rng: fc.constantFrom('Enabled' as const, 'Disabled' as const), memballoon: fc.constantFrom('Enabled' as const, 'Disabled' as const), serialConsole: fc.constantFrom('Enabled' as const, 'Disabled' as const) })),
  video: optional(fc.constantFrom({ model: 'virtio' }, { model: 'vga' }, {})),
  lifecycle: optional(fc.constantFrom({ onCrash: 'preserve' }, { onReboot: 'destroy' })),
}).map(({ extraCpus, extraMemory, memory, os, ...rest }) => ({
  ...rest,
  os: os?.machine === 'pc' ? { ...os } : os,
  memory: `${memory}Mi`,
  maxMemory: extraMemory > 0 ? `${memory + extraMemory}Mi` : undefined,
  maxCpus: extraCpus > 0 ? rest.cpus + extraCpus : undefined,
  // ICH9 has six SATA ports and one boot order cannot be shared: what a real host refuses is not the subject here.
  disks: rest.disks.map(entry => (entry.bus === 'sata' || entry.device === 'cdrom' ? { ...entry, bus: 'scsi' } : entry)),
}) as unknown as VirtualDomainSpec)

const namespace = '6ba7b810-9dad-11d1-80b4-00c04fd430c8'

/** libvirt lists a machine's controllers in whatever order it made them. */
const inOrder = (document: XmlElement): string[] => document.children.flatMap(child => (typeof child !== 'string' && child.name === 'devices' ? elementsOf(child) : [child])).map(child => (typeof child === 'string' ? child : serializeXml(child))).toSorted()

describe.each(['qemu:///system', 'test:///default'])('%s', uri => {
  let host: PrivateLibvirtd
  let connection: Connection
  let capabilities: string
  let driver: string
  beforeAll(async () => {
    host = await startLibvirtd({ name: 'render' })
    connection = await createRegistry({}, { allowLocal: true }).open(host.uri(uri), { callTimeout: 90_000, keepAliveInterval: 5_000, keepAliveCount: 12 })
    capabilities = await connection.connectGetCapabilities()
    driver = await connection.connectGetType()
    await connection.networkDefineXML('<network><name>lab</name><bridge name="virbr77"/><ip address="192.168.77.1" netmask="255.255.255.0"/></network>')
  })
  afterAll(async () => {
    await connection?.close()
    await host?.stop()
  })

  test('what is rendered, defined and read back needs no further change', async () => {
    await fc.assert(fc.asyncProperty(spec, fc.nat(), async (generated, n) => {
      const uuid = uuidV5(namespace, `${n}`)
      const facts = { capabilities }
      const full = renderDomain({
        name: `d${n}`, uuid, spec: generated, driver, guests: guestsOf(facts), arch: hostArch(facts), volumes: new Map(), passwords: new Map(),
        networks: new Map((generated.interfaces ?? []).map(entry => [entry.name, 'lab'])),
      })
      const wanted = isQemu(driver) ? full : withoutAliases(full)
      const input = { wanted, record: recordOf(full), owner: { installation: namespace, cluster: 'c', namespace: 'default', name: `d${n}`, uid: 'u', released: false }, correct: true }
      const first = nextDocument(input)
      const dom = await connection.domainDefineXMLFlags(serializeXml(first.document), 0)
      try {
        const found = parseXml(await connection.domainGetXMLDesc(dom, 3))
        const second = nextDocument({ ...input, found })
        expect(second.changes).toEqual([])
        expect(second.differs).toBe(false)
        // Defining what was merged changes nothing that the host filled in.
        await connection.domainDefineXMLFlags(serializeXml(second.document), 0)
        expect(inOrder(parseXml(await connection.domainGetXMLDesc(dom, 3)))).toEqual(inOrder(found))
      } finally {
        await connection.domainUndefineFlags(dom, 0)
      }
    }), { numRuns: 200 })
  }, 300_000)
})
