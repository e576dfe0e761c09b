// What of a domain's final document is known to be harmless: the kinds and types of devices, and what each may lead to.

import { repeatIn } from '../../xml/merge.ts'
import { type XmlElement, attributeOf, childOf, childrenOf, elementsOf } from '../../xml/tree.ts'
import { Refusal } from '../plan.ts'
import { type Grant, checkDocument, checkHostInterface, checkNetworkHost, checkPath, checkTrust } from '../policy.ts'
import type { VolumeSource } from './rendering.ts'
import { domainRules } from './rules.ts'

/** A volume behind a disk of the spec. `onlyRead`: why it must not be written, a sentence with what to do. */
export interface VolumeUse extends VolumeSource { onlyRead?: string }

/** What the spec refers to through objects of the API, as the document names it. */
export interface Uses {
  /** Volumes of disks, by path. */
  volumes: ReadonlyMap<string, VolumeUse>
  /** Kernel and initrd that lie in volumes. */
  bootFiles: ReadonlySet<string>
  seed?: string
  networks: ReadonlySet<string>
}

type Check = (grant: Grant, device: XmlElement, uses: Uses, field: string) => void

const forbid = (grant: Grant, field: string, why: string, remedy: string): never => {
  throw new Refusal('Forbidden', `${field}: ${why}, and no policy of Hypervisor ${grant.hypervisor} grants that. ${remedy}.`)
}

/** The attribute has one of the values; `absent` is what libvirt takes it for where it is not there. */
const oneOf = (attribute: string, known: readonly string[], absent: string = known[0]!): Check => (grant, device, _uses, field) => {
  const value = device.attributes[attribute] ?? absent
  if (!known.includes(value)) forbid(grant, field, `${attribute} ${value} is not among what is known to stay within the guest (${known.join(', ')})`, 'Use one of these')
}
const harmless: Check = () => undefined

const STREAMS = ['null', 'vc', 'pty', 'file', 'pipe', 'unix', 'dev', 'tcp', 'udp', 'spicevmc', 'spiceport', 'qemu-vdagent']

/** Where a character device leads: paths are checked wherever they stand, hosts here. */
const stream = (type: (device: XmlElement) => string | undefined): Check => (grant, device, uses, field) => {
  const kind = type(device) ?? 'pty'
  oneOf('type', STREAMS)(grant, { ...device, attributes: { type: kind } }, uses, field)
  if (kind !== 'tcp' && kind !== 'udp') return
  const sources = childrenOf(device, 'source')
  // An end without an address is every address of the host.
  for (const { attributes: { host = '0.0.0.0', service } } of sources.length === 0 ? [{ attributes: {} as Record<string, string> }] : sources) checkNetworkHost(grant, host, service, field)
}
const ownType = (device: XmlElement): string | undefined => device.attributes.type

const checkRng: Check = (grant, device, uses, field) => {
  for (const backend of childrenOf(device, 'backend')) {
    oneOf('model', ['random', 'builtin', 'egd'])(grant, backend, uses, field)
    if (backend.attributes.model === 'egd') stream(ownType)(grant, backend, uses, field)
  }
}

const checkTpm: Check = (grant, device, uses, field) => {
  for (const backend of childrenOf(device, 'backend')) oneOf('type', ['emulator'], 'passthrough')(grant, backend, uses, field)
}

const checkSmartcard: Check = (grant, device, uses, field) => {
  oneOf('mode', ['passthrough'], 'host')(grant, device, uses, field)
  stream(ownType)(grant, device, uses, field)
}

const checkGraphics: Check = (grant, device, uses, field) => {
  oneOf('type', ['vnc', 'spice'], 'sdl')(grant, device, uses, field)
  // Without a path libvirt takes the host's first graphics card.
  for (const gl of childrenOf(device, 'gl')) if (gl.attributes.enable !== 'no' && gl.attributes.rendernode === undefined) forbid(grant, field, "gl draws with the host's graphics card", 'Take <gl> out')
}

const checkVideo: Check = (grant, device, uses, field) => {
  for (const driver of childrenOf(device, 'driver')) oneOf('name', ['qemu'])(grant, driver, uses, field)
}

function checkInterface(grant: Grant, nic: XmlElement, uses: Uses, field: string): void {
  const source = childOf(nic, 'source')
  switch (nic.attributes.type) {
    case 'network': {
      const network = source?.attributes.network ?? ''
      if (!uses.networks.has(network)) throw new Refusal('Forbidden', `${field}: the network ${network} is not one that the spec refers to. Use networkRef with a VirtualNetwork instead of naming a network of Hypervisor ${grant.hypervisor}.`)
      break
    }
    case 'bridge': return checkHostInterface(grant, source?.attributes.bridge ?? '', field)
    case 'direct': return checkHostInterface(grant, source?.attributes.dev ?? '', field)
    case 'ethernet': return checkHostInterface(grant, attributeOf(childOf(nic, 'target'), 'dev') ?? '', field)
    // The guest talks as a process of the host does, to its loopback too. libvirt takes an interface without a type for one.
    case 'user': case undefined: return checkHostInterface(grant, 'lo', `${field} (user-mode networking)`)
    case 'hostdev': case 'vdpa': return forbid(grant, field, `type ${nic.attributes.type} hands a device of the host to the guest`, 'Use networkRef or bridge instead')
    default: forbid(grant, field, `type ${nic.attributes.type} is not among what is known to stay within the guest (network, bridge, direct, ethernet, user)`, 'Use networkRef or bridge instead')
  }
}

const STORAGE = ['file', 'block', 'network']
interface Layer { type: string; path?: string; format: string }

/** What libvirt opens for a disk or a layer below it: which attribute it reads is a matter of the type. */
const sourcePath = (element: XmlElement): string | undefined => {
  const { type = 'file' } = element.attributes
  return type === 'network' ? undefined : attributeOf(childOf(element, 'source'), type === 'block' ? 'dev' : 'file')
}

/** The layers below a disk's own, and whether the document says where they end: else the host looks into the last one. */
function chainOf(disk: XmlElement): { layers: Layer[]; closed: boolean } {
  const layers: Layer[] = []
  let at = childOf(disk, 'backingStore')
  while (at !== undefined && elementsOf(at).length > 0) {
    layers.push({ type: at.attributes.type ?? 'file', path: sourcePath(at), format: attributeOf(childOf(at, 'format'), 'type') ?? 'auto' })
    at = childOf(at, 'backingStore')
  }
  return { layers, closed: at !== undefined }
}

/** Every element of a disk that names bytes: its source, and the layers below. */
const layersOf = (disk: XmlElement): XmlElement[] => {
  const layers: XmlElement[] = []
  for (let at: XmlElement | undefined = disk; at !== undefined; at = childOf(at, 'backingStore')) layers.push(at)
  return layers
}

function checkDisk(grant: Grant, disk: XmlElement, uses: Uses, field: string): void {
  for (const layer of layersOf(disk)) {
    oneOf('type', STORAGE)(grant, layer, uses, field)
    const source = childOf(layer, 'source')
    if (source?.attributes.file !== undefined && source.attributes.dev !== undefined) forbid(grant, field, 'its <source> names two places', 'Leave one')
    if (childOf(source, 'dataStore') !== undefined) forbid(grant, field, '<dataStore> names another file behind the disk', 'Take it out')
    if ((layer.attributes.type ?? 'file') === 'network') checkServers(grant, source, field)
  }
  if (childOf(disk, 'mirror') !== undefined) forbid(grant, field, '<mirror> names another file behind the disk', 'Take it out')
  if (disk.attributes.rawio === 'yes' || disk.attributes.sgio === 'unfiltered') forbid(grant, field, 'unfiltered commands reach the whole device', 'Take rawio and sgio out')
  const path = sourcePath(disk)
  const format = attributeOf(childOf(disk, 'driver'), 'type') ?? 'raw'
  const readOnly = childOf(disk, 'readonly') !== undefined || disk.attributes.device === 'cdrom'
  const volume = path === undefined ? undefined : uses.volumes.get(path)
  if (volume !== undefined) return checkVolume(grant, disk, volume, { format, readOnly, field })
  if (path !== undefined && path === uses.seed) {
    if (format !== 'raw' || !readOnly) forbid(grant, field, 'the cloud-init seed is raw and only read', 'Leave its disk to vireo')
    return
  }
  checkImage(grant, disk, format, field)
}

/** What is behind a disk on the network; without a host it would be whatever the hypervisor is set up for. */
function checkServers(grant: Grant, source: XmlElement | undefined, field: string): void {
  const hosts = childrenOf(source, 'host')
  if (hosts.length === 0) checkNetworkHost(grant, '', undefined, field)
  // A socket is a path, and checked as one.
  for (const { attributes: { name = '', port, transport } } of hosts) if (transport !== 'unix') checkNetworkHost(grant, name, port, field)
}

/** A volume is what vireo's own record says, down to the end of its chain, and is written by whom it belongs to. */
function checkVolume(grant: Grant, disk: XmlElement, volume: VolumeUse, { format, readOnly, field }: { format: string; readOnly: boolean; field: string }): void {
  // What an image of a CD holds is read as it is.
  if (format !== (volume.format === 'iso' ? 'raw' : volume.format)) forbid(grant, field, `its driver is of type ${format}, and by vireo's record the volume is ${volume.format}: a guest may have written what the other type would follow`, 'Take the type out of <driver>')
  const { layers } = chainOf(disk)
  const same = layers.length === volume.backing.length && volume.backing.every((below, n) => layers[n]!.path === below.path && layers[n]!.format === below.format && layers[n]!.type === below.type)
  // A driver that renders no chain has none.
  if (childOf(disk, 'backingStore') !== undefined && !same) forbid(grant, field, 'its <backingStore> is not what vireo knows to be below the volume', 'Take it out')
  if (volume.onlyRead !== undefined && !readOnly) throw new Refusal('Forbidden', `${field}: ${volume.onlyRead}`)
}

/** An image that vireo has no record of: one whose header can name other files needs the trust that adopting needs. */
function checkImage(grant: Grant, disk: XmlElement, format: string, field: string): void {
  const { layers, closed } = chainOf(disk)
  // What lies below the volume of another disk is no image of this one.
  for (const path of [sourcePath(disk), ...layers.map(layer => layer.path)]) if (path !== undefined) checkPath(grant, path, field)
  for (const name of [format, ...layers.map(layer => layer.format)]) checkTrust(grant, name, field)
  if (!closed && format !== 'raw') forbid(grant, field, 'the end of its backing chain is left to a look into the image', 'End it with <backingStore/>')
}

/** Devices that a document may have; of those that are not here nobody has shown that they stay within the guest. */
const DEVICES: Record<string, Check> = {
  disk: checkDisk,
  interface: checkInterface,
  controller: harmless,
  filesystem: oneOf('type', ['mount', 'bind', 'ram']),
  serial: stream(ownType), parallel: stream(ownType), console: stream(ownType), channel: stream(ownType), redirdev: stream(ownType),
  redirfilter: harmless, hub: harmless, input: harmless, sound: harmless, watchdog: harmless, memballoon: harmless, panic: harmless,
  memory: harmless, iommu: harmless, vsock: harmless, nvram: harmless, pstore: harmless,
  audio: oneOf('type', ['none', 'spice']),
  crypto: (grant, device, uses, field) => { for (const backend of childrenOf(device, 'backend')) oneOf('model', ['builtin'])(grant, backend, uses, field) },
  graphics: checkGraphics,
  video: checkVideo,
  rng: checkRng,
  tpm: checkTpm,
  smartcard: checkSmartcard,
}

/** What stands beside the devices. */
const SECTIONS = new Set(['name', 'uuid', 'genid', 'title', 'description', 'metadata', 'memory', 'maxMemory', 'currentMemory', 'memtune', 'memoryBacking', 'vcpu', 'vcpus', 'iothreads', 'iothreadids',
  'defaultiothread', 'cputune', 'numatune', 'blkiotune', 'throttlegroups', 'resource', 'sysinfo', 'os', 'idmap', 'features', 'cpu', 'clock', 'pm', 'perf', 'keywrap', 'launchSecurity', 'on_poweroff', 'on_reboot', 'on_crash', 'on_lockfailure', 'devices'])

/** The spec's name of an entry, by the alias of its device. */
const LISTS: Record<string, string> = { disk: 'disks', interface: 'interfaces', serial: 'serials' }
function fieldOf(device: XmlElement): string {
  const name = new RegExp(`^ua-${device.name}-(.*)$`).exec(attributeOf(childOf(device, 'alias'), 'name') ?? '')?.[1]
  const list = LISTS[device.name]
  return name === undefined || list === undefined ? `the document's /devices/${device.name}` : `spec.${list}[${name}]`
}

const DISK_SOURCE = /^\/devices\/disk(\/backingStore)*\/source@(file|dev)$/

/** Paths that lead to what the spec refers to, where they may stand. */
const knownPath = (uses: Uses) => (path: string, at: string): boolean => {
  if (DISK_SOURCE.test(at)) return path === uses.seed || uses.volumes.has(path) || [...uses.volumes.values()].some(volume => volume.backing.some(below => below.path === path))
  if (at === '/os/kernel' || at === '/os/initrd') return uses.bootFiles.has(path)
  return at === '/devices/rng/backend' && path === '/dev/urandom'
}

function checkFirmware(grant: Grant, os: XmlElement, uses: Uses): void {
  for (const part of elementsOf(os)) {
    if (part.name !== 'loader' && part.name !== 'nvram') continue
    const field = `the document's /os/${part.name}`
    if (part.name === 'nvram') oneOf('type', ['file'])(grant, part, uses, field)
    for (const format of [part.attributes.format, part.attributes.templateFormat]) if (format !== undefined) checkTrust(grant, format, field)
  }
}

/** Throws Forbidden where a domain's document holds what the namespace may not use, or what nobody knows to be harmless. */
export function checkDomain(grant: Grant, document: XmlElement, uses: Uses): void {
  checkDocument(grant, document, knownPath(uses))
  for (const section of elementsOf(document)) {
    if (!SECTIONS.has(section.name)) forbid(grant, `the document's /${section.name}`, 'vireo does not know it to be harmless', 'Take it out of the XML overlay')
    if (section.name === 'os') checkFirmware(grant, section, uses)
    if (section.name !== 'devices') continue
    for (const device of elementsOf(section)) {
      const field = fieldOf(device)
      const check = Object.hasOwn(DEVICES, device.name) ? DEVICES[device.name]! : forbid(grant, field, 'vireo does not know such a device to stay within the guest', 'Take it out of the XML overlay')
      check(grant, device, uses, field)
    }
  }
  const repeated = repeatIn(document, domainRules())
  if (repeated !== undefined) forbid(grant, `the document's /${repeated}`, 'it stands twice where libvirt reads one', 'Leave one')
}
