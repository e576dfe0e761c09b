// Renders the devices of a domain: disks, interfaces, displays, serial ports and those a domain gets without being asked for.

import { createHash } from 'node:crypto'
import { alias } from '../../crds/names.ts'
import type { DiskEntry, GraphicsEntry, InterfaceEntry, SerialEntry } from '../../crds/virtualdomain.ts'
import { overlay } from '../../xml/merge.ts'
import { XmlError, type XmlElement, attributeOf, childOf, childrenOf, el, elementsOf, parseFragment, serializeXml } from '../../xml/tree.ts'
import { computedMac } from '../identity.ts'
import { Refusal } from '../plan.ts'
import { type Platform, type Rendering, type VolumeSource, isQemu } from './rendering.ts'
import { domainRules, isListed } from './rules.ts'


export const seedAlias = alias('seed', 'cloudinit')
const sourceOf = (type: 'file' | 'block', path: string): XmlElement => el('source', type === 'block' ? { dev: path } : { file: path })

function backingStore(chain: VolumeSource['backing']): XmlElement {
  const [next, ...rest] = chain
  if (next === undefined) return el('backingStore')
  return el('backingStore', { type: next.type }, el('format', { type: next.format }), sourceOf(next.type, next.path), backingStore(rest))
}

const PREFIX: Record<string, string> = { virtio: 'vd', sata: 'sd', scsi: 'sd', usb: 'sd', ide: 'hd', fdc: 'fd', xen: 'xvd' }

function busOf(entry: Pick<DiskEntry, 'bus' | 'device'>, driver: string, platform: Platform): string {
  if (entry.bus !== undefined) return entry.bus
  if (entry.device === 'floppy') return 'fdc'
  if (driver === 'Xen') return 'xen'
  if (entry.device === 'cdrom') return platform.machine === undefined ? 'ide' : /q35/.test(platform.machine) ? 'sata' : /virt/.test(platform.machine) ? 'scsi' : 'ide'
  return platform.type === 'vmware' ? 'scsi' : 'virtio'
}

const letters = (n: number): string => (n < 26 ? String.fromCharCode(97 + n) : letters(Math.floor(n / 26) - 1) + letters(n % 26))

/** Targets by alias: those named in the spec, those chosen before, then the first free one. */
function assignTargets(rendering: Rendering, entries: { alias: string; bus: string; target?: string }[]): Map<string, string> {
  const before = new Map(childrenOf(childOf(rendering.applied, 'devices'), 'disk').map(disk => [attributeOf(childOf(disk, 'alias'), 'name'), attributeOf(childOf(disk, 'target'), 'dev')]))
  const targets = new Map<string, string>()
  const taken = new Set<string>()
  const take = (name: string, target: string | undefined): void => {
    if (target === undefined || targets.has(name) || taken.has(target)) return
    targets.set(name, target)
    taken.add(target)
  }
  for (const entry of entries) take(entry.alias, entry.target)
  for (const entry of entries) {
    const last = before.get(entry.alias)
    if (last?.startsWith(PREFIX[entry.bus] ?? 'vd')) take(entry.alias, last)
  }
  for (const entry of entries) {
    for (let n = 0; !targets.has(entry.alias); n++) take(entry.alias, `${PREFIX[entry.bus] ?? 'vd'}${letters(n)}`)
  }
  return targets
}

function renderDisk(entry: DiskEntry, rendering: Rendering, bus: string, target: string): XmlElement {
  const device = entry.device ?? 'disk'
  const volume = rendering.volumes.get(entry.name)
  const file = entry.file
  const qemu = isQemu(rendering.driver)
  const format = volume?.format ?? file?.format ?? 'raw'
  const present = volume !== undefined || file !== undefined
  const disk = el('disk', { type: volume?.type ?? 'file', device },
    el('driver', { name: qemu ? 'qemu' : undefined, type: format === 'iso' ? 'raw' : format, cache: entry.cache, io: entry.io, discard: entry.discard }),
    volume !== undefined ? sourceOf(volume.type, volume.path) : file !== undefined && el('source', { file: file.path }),
    present && qemu && backingStore(volume?.backing ?? []),
    el('target', { dev: target, bus }),
    entry.readOnly === true && el('readonly'),
    entry.shareable === true && el('shareable'),
    entry.serial !== undefined && el('serial', {}, entry.serial),
    entry.bootOrder !== undefined && el('boot', { order: entry.bootOrder }),
    el('alias', { name: alias('disk', entry.name) }),
  )
  return withOverlay(disk, entry, 'disks')
}

function renderInterface(entry: InterfaceEntry, rendering: Rendering): XmlElement {
  const network = rendering.networks.get(entry.name)
  const { portgroup } = entry.networkRef ?? {}
  const nic = el('interface', { type: entry.bridge === undefined ? 'network' : 'bridge' },
    el('mac', { address: (entry.mac ?? computedMac(rendering.uuid, entry.name)).toLowerCase() }),
    entry.bridge === undefined ? el('source', { network, portgroup }) : el('source', { bridge: entry.bridge.name }),
    (entry.model !== undefined || isQemu(rendering.driver)) && el('model', { type: entry.model ?? 'virtio' }),
    entry.mtu !== undefined && el('mtu', { size: entry.mtu }),
    entry.linkState !== undefined && el('link', { state: entry.linkState }),
    entry.bootOrder !== undefined && el('boot', { order: entry.bootOrder }),
    el('alias', { name: alias('interface', entry.name) }),
  )
  return withOverlay(nic, entry, 'interfaces')
}

// libvirt keeps no alias of a display: there is one of a type at most, and the type tells which.
function renderGraphics(entry: GraphicsEntry, rendering: Rendering): XmlElement {
  const display = entry.vnc ?? entry.spice ?? {}
  return withOverlay(el('graphics', { type: entry.vnc === undefined ? 'spice' : 'vnc', port: entry.vnc === undefined ? undefined : -1, autoport: 'yes', listen: display.listen, passwd: rendering.passwords.get(entry.name) },
    display.listen !== undefined && el('listen', { type: 'address', address: display.listen }),
  ), entry, 'graphics')
}

function renderSerial(entry: SerialEntry, port: number): XmlElement {
  const type = entry.unix ? 'unix' : entry.tcp ? 'tcp' : entry.file ? 'file' : 'pty'
  return withOverlay(el('serial', { type },
    entry.unix !== undefined && el('source', { mode: entry.unix.mode ?? 'bind', path: entry.unix.path }),
    entry.tcp !== undefined && el('source', { mode: entry.tcp.mode ?? 'bind', host: entry.tcp.host, service: entry.tcp.port }),
    entry.tcp !== undefined && el('protocol', { type: entry.tcp.protocol ?? 'raw' }),
    entry.file !== undefined && el('source', { path: entry.file.path }),
    entry.log !== undefined && el('log', { file: entry.log.file }),
    el('target', { port }),
    el('alias', { name: alias('serial', entry.name) }),
  ), entry, 'serials')
}

/** An entry's own XML reaches only that entry. Throws Invalid. */
function withOverlay(device: XmlElement, { name, xml }: { name: string; xml?: string }, list: 'disks' | 'interfaces' | 'graphics' | 'serials'): XmlElement {
  if (xml === undefined) return device
  try {
    return overlay(device, parseFragment(xml), { ...domainRules(), list: () => undefined })
  } catch (error) {
    if (error instanceof XmlError) throw new Refusal('Invalid', `spec.${list}[${name}].xml: ${error.message}.`)
    throw error
  }
}

/** Ports of a PCI Express machine: libvirt itself leaves one free, and a device that comes later needs one of its own. */
const PORTS = 16

function hotplugPorts({ applied, foreign, driver }: Rendering, { machine }: Platform): XmlElement[] {
  if (!isQemu(driver) || machine === undefined || !/q35|virt/.test(machine)) return []
  const name = (n: number): string => alias('controller', `hotplug${n}`)
  // A domain that others made keeps the machine it has.
  const had = childrenOf(childOf(applied, 'devices'), 'controller').some(controller => attributeOf(childOf(controller, 'alias'), 'name') === name(0))
  if (!had && (foreign === true || applied !== undefined)) return []
  return [
    el('controller', { type: 'pci', index: 0, model: 'pcie-root' }),
    ...Array.from({ length: PORTS }, (_, n) => el('controller', { type: 'pci', model: 'pcie-root-port' }, el('alias', { name: name(n) }))),
  ]
}

/** Devices that only the overlay holds get an alias from their content, so that the host's own additions don't hide them from us. */
export function nameOverlayDevices(document: XmlElement): XmlElement {
  const taken = new Set<string>()
  const named = (device: XmlElement): XmlElement => {
    const root = device.name === 'controller' && device.attributes.type === 'pci' && device.attributes.index === '0'
    if (!isListed(device.name) || ['graphics', 'console'].includes(device.name) || root || childOf(device, 'alias') !== undefined) return device
    const hash = createHash('sha256').update(serializeXml(device)).digest('hex').slice(0, 8)
    let name = alias('xml', `${device.name}-${hash}`)
    for (let n = 2; taken.has(name); n++) name = alias('xml', `${device.name}-${hash}-${n}`)
    taken.add(name)
    return { ...device, children: [...device.children, el('alias', { name })] }
  }
  return { ...document, children: document.children.map(child => (typeof child === 'string' || child.name !== 'devices' ? child : { ...child, children: elementsOf(child).map(named) })) }
}

export function renderDevices(rendering: Rendering, platform: Platform): XmlElement[] {
  const { spec, driver } = rendering
  const qemu = isQemu(driver)
  const seeds: DiskEntry[] = rendering.seed === undefined ? [] : [{ name: '', device: 'cdrom' }]
  const entries = [...spec.disks ?? [], ...seeds].map(entry => ({
    entry,
    alias: entry.name === '' ? seedAlias : alias('disk', entry.name),
    // Cloud kernels have no AHCI driver (Debian's among them): the seed is on virtio-scsi, which they all have.
    bus: entry.name === '' && qemu ? 'scsi' : busOf(entry, driver, platform),
    target: entry.target,
  }))
  const targets = assignTargets(rendering, entries)
  const disks = entries.map(({ entry, alias: name, bus }) => (entry.name === ''
    ? el('disk', { type: 'file', device: 'cdrom' }, el('driver', { name: qemu ? 'qemu' : undefined, type: 'raw' }), el('source', { file: rendering.seed }), qemu && el('backingStore'), el('target', { dev: targets.get(name), bus }), el('readonly'), el('alias', { name }))
    : renderDisk(entry, rendering, bus, targets.get(name)!)))
  const defaults = spec.defaultDevices ?? {}
  const serials = spec.serials ?? (qemu && defaults.serialConsole !== 'Disabled' ? [{ name: 'default', pty: {} }] : [])
  const devices = [
    ...hotplugPorts(rendering, platform),
    ...disks,
    ...(spec.interfaces ?? []).map(entry => renderInterface(entry, rendering)),
    ...serials.map(renderSerial),
    ...(spec.graphics ?? []).map(entry => renderGraphics(entry, rendering)),
  ]
  if (qemu && rendering.seed !== undefined) devices.push(el('controller', { type: 'scsi', index: 0, model: 'virtio-scsi' }))
  if (spec.video !== undefined) devices.push(el('video', {}, el('model', { type: spec.video.model ?? 'virtio', heads: spec.video.heads })))
  if (spec.tpm !== undefined) devices.push(el('tpm', { model: spec.tpm.model ?? 'tpm-crb' }, el('backend', { type: 'emulator', version: spec.tpm.version ?? '2.0' })))
  if (qemu) {
    if (defaults.guestAgent !== 'Disabled') devices.push(el('channel', { type: 'unix' }, el('target', { type: 'virtio', name: 'org.qemu.guest_agent.0' }), el('alias', { name: alias('channel', 'agent') })))
    if (defaults.rng !== 'Disabled') devices.push(el('rng', { model: 'virtio' }, el('backend', { model: 'random' }, '/dev/urandom'), el('alias', { name: alias('rng', 'default') })))
    if (defaults.memballoon === 'Disabled') devices.push(el('memballoon', { model: 'none' }))
  }
  return devices
}

/** The same document without user aliases, for drivers that don't keep them. */
export function withoutAliases(document: XmlElement): XmlElement {
  return {
    ...document,
    children: document.children.map(child => {
      if (typeof child === 'string' || child.name !== 'devices') return child
      return { ...child, children: child.children.map(device => (typeof device === 'string' ? device : { ...device, children: device.children.filter(part => typeof part === 'string' || part.name !== 'alias') })) }
    }),
  }
}
