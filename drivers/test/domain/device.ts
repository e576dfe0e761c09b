// One device of a domain: which there are, what libvirt fills in, how one is found again, and what can be done while the guest runs.

import { ErrorNumber } from '../../errors.ts'
import { attributeOf, childOf, childrenOf, el, elementsOf, sameXml, textOf, type XmlElement } from '../../../xml/tree.ts'
import { readDocument } from '../document.ts'
import { From, Refusal, badXml, failed, unsupportedConfig } from '../refusal.ts'
import { drawnMAC, normalMAC } from '../values.ts'

/** By element name: the prefix of its alias, and whether a running guest takes and gives it. */
const kinds: Record<string, { alias: string; hot: boolean }> = {
  disk: { alias: 'disk', hot: true }, controller: { alias: '', hot: true }, interface: { alias: 'net', hot: true }, hostdev: { alias: 'hostdev', hot: true },
  redirdev: { alias: 'redir', hot: true }, channel: { alias: 'channel', hot: true }, serial: { alias: 'serial', hot: true }, rng: { alias: 'rng', hot: true },
  memory: { alias: 'dimm', hot: true }, shmem: { alias: 'shmem', hot: true }, watchdog: { alias: 'watchdog', hot: true }, input: { alias: 'input', hot: true },
  vsock: { alias: 'vsock', hot: true }, filesystem: { alias: 'fs', hot: true },
  console: { alias: 'console', hot: false }, parallel: { alias: 'parallel', hot: false }, sound: { alias: 'sound', hot: false }, video: { alias: 'video', hot: false },
  graphics: { alias: '', hot: false }, hub: { alias: 'hub', hot: false }, smartcard: { alias: 'smartcard', hot: false }, memballoon: { alias: 'balloon', hot: false },
  nvram: { alias: 'nvram', hot: false }, tpm: { alias: 'tpm', hot: false }, panic: { alias: 'panic', hot: false }, iommu: { alias: 'iommu', hot: false },
  audio: { alias: '', hot: false }, crypto: { alias: 'crypto', hot: false }, emulator: { alias: '', hot: false }, lease: { alias: '', hot: false },
}
/** What the configuration takes and gives by itself, without a whole new definition. */
const persistent = new Set(['disk', 'interface', 'sound', 'hostdev', 'lease', 'controller', 'channel', 'serial', 'parallel', 'console', 'filesystem', 'rng', 'memory', 'redirdev', 'shmem', 'tpm', 'input', 'vsock', 'watchdog', 'panic', 'memballoon', 'iommu'])

export const isDevice = (name: string): boolean => Object.hasOwn(kinds, name)
export const isHot = (name: string): boolean => kinds[name]?.hot ?? false
export const isPersistent = (name: string): boolean => persistent.has(name)

/** Aliases that users choose persist; all others belong to one run. */
export const isOwnAlias = (alias: string): boolean => alias.startsWith('ua-')
export const aliasOf = (device: XmlElement): string | undefined => attributeOf(childOf(device, 'alias'), 'name')
export const targetOf = (disk: XmlElement): string | undefined => attributeOf(childOf(disk, 'target'), 'dev')
const macOf = (nic: XmlElement): string | undefined => attributeOf(childOf(nic, 'mac'), 'address')

/** What a disk is read from, where it is one path. */
export function sourceOf(disk: XmlElement): string | undefined {
  const source = childOf(disk, 'source')
  return attributeOf(source, 'file') ?? attributeOf(source, 'dev') ?? attributeOf(source, 'dir')
}

/** The bus that a target's name speaks of. */
const buses: [RegExp, string][] = [[/^vd[a-z]+$/, 'virtio'], [/^sd[a-z]+$/, 'scsi'], [/^hd[a-z]+$/, 'ide'], [/^fd[a-z]+$/, 'fdc'], [/^xvd[a-z]+$/, 'xen'], [/^ubd[a-z]+$/, 'uml']]
const diskTypes = ['file', 'block', 'dir', 'network', 'volume', 'nvme', 'vhostuser', 'vhostvdpa']
const diskDevices = ['disk', 'lun', 'cdrom', 'floppy']
const diskBuses = ['ide', 'fdc', 'scsi', 'virtio', 'xen', 'usb', 'uml', 'sata', 'sd', 'none']

/** A device as a call gives it; `complete` for one that is to be added, as it is for one that is to be found. */
export function readDevice(text: string, complete: boolean): XmlElement {
  const device = readDocument(text, 'device_definition', From.DOMAIN)
  if (!isDevice(device.name)) throw unsupportedConfig(`unknown device type '${device.name}'`)
  if (complete) completeDevice(device)
  return device
}

/** Refuses what libvirt refuses of one device, and fills in what it fills in; changes `device`. */
export function completeDevice(device: XmlElement): void {
  if (device.name === 'disk') completeDisk(device)
  else if (device.name === 'interface') completeInterface(device)
  else if (device.name === 'graphics' && attributeOf(device, 'port') === undefined && attributeOf(device, 'autoport') !== 'no') device.attributes = { ...device.attributes, port: '-1', autoport: 'yes' }
}

const oneOf = (values: readonly string[], value: string, attribute: string, element: string): void => {
  if (!values.includes(value)) throw badXml(`Invalid value for attribute '${attribute}' in element '${element}': '${value}'.`, From.XML)
}

function completeDisk(disk: XmlElement): void {
  disk.attributes = { type: 'file', device: 'disk', ...disk.attributes }
  oneOf(diskTypes, disk.attributes.type!, 'type', 'disk')
  oneOf(diskDevices, disk.attributes.device!, 'device', 'disk')
  const target = childOf(disk, 'target')
  const dev = attributeOf(target, 'dev')
  const removable = ['cdrom', 'floppy'].includes(disk.attributes.device!)
  if (target === undefined || dev === undefined) throw new Refusal(ErrorNumber.NO_TARGET, From.DOMAIN, `missing target information${sourceOf(disk) === undefined ? '' : ` for device ${sourceOf(disk)}`}`)
  if (childOf(disk, 'source') === undefined && !removable) throw new Refusal(ErrorNumber.NO_SOURCE, From.DOMAIN, `missing source information for device ${dev}`)
  const bus = attributeOf(target, 'bus')
  if (bus !== undefined) oneOf(diskBuses, bus, 'bus', 'target')
  const guessed = buses.find(([pattern]) => pattern.test(dev))?.[1]
  if (guessed === undefined) throw badXml(`Unknown disk name '${dev}' and no address specified`)
  target.attributes = { ...target.attributes, bus: bus ?? guessed }
  if (disk.attributes.device === 'cdrom' && childOf(disk, 'readonly') === undefined) disk.children.push(el('readonly'))
}

function completeInterface(nic: XmlElement): void {
  nic.attributes = { type: 'ethernet', ...nic.attributes }
  if (nic.attributes.type === 'network' && !attributeOf(childOf(nic, 'source'), 'network')) throw badXml("interface type='network' requires a 'source' element")
  const mac = childOf(nic, 'mac')
  const given = attributeOf(mac, 'address')
  if (mac === undefined || given === undefined) {
    nic.children = [el('mac', { address: drawnMAC() }), ...nic.children.filter(child => child !== mac)]
    return
  }
  const address = normalMAC(given)
  if (address === undefined) throw badXml(`unable to parse mac address '${given}'`)
  if ((Number.parseInt(address.slice(0, 2), 16) & 1) === 1) throw badXml(`expected unicast mac address, found multicast '${given}'`)
  mac.attributes = { ...mac.attributes, address }
}

export function checkAliases(devices: XmlElement): void {
  const seen = new Set<string>()
  for (const device of elementsOf(devices)) {
    const alias = aliasOf(device)
    // A console is the first serial port under another name.
    if (alias === undefined || device.name === 'console') continue
    if (seen.has(alias)) throw unsupportedConfig(`non unique alias detected: ${alias}`)
    seen.add(alias)
  }
}

/** The alias of a device that has none yet, as QEMU's driver counts. */
export function newAlias(devices: XmlElement, device: XmlElement): string | undefined {
  if (device.name === 'disk') return diskAlias(device)
  if (device.name === 'controller') return controllerAlias(device)
  const prefix = kinds[device.name]!.alias
  if (prefix === '') return undefined
  const taken = new Set(elementsOf(devices).map(aliasOf))
  let at = 0
  while (taken.has(`${prefix}${at}`)) at++
  return `${prefix}${at}`
}

function diskAlias(disk: XmlElement): string {
  const bus = attributeOf(childOf(disk, 'target'), 'bus') ?? 'virtio'
  let at = 0
  for (const letter of (targetOf(disk) ?? '').replace(/^(fd|hd|sd|vd|xvd|ubd)/, '')) at = at * 26 + letter.charCodeAt(0) - 96
  switch (bus) {
    case 'virtio': case 'usb': case 'sd': return `${bus}-disk${at - 1}`
    case 'ide': return `ide0-${Math.floor((at - 1) / 2)}-${(at - 1) % 2}`
    case 'scsi': return `scsi0-0-0-${at - 1}`
    default: return `${bus}0-0-${at - 1}`
  }
}

function controllerAlias(controller: XmlElement): string {
  const { type = '', index = '0' } = controller.attributes
  if (type === 'pci') return attributeOf(controller, 'model') === 'pcie-root' ? 'pcie.0' : `pci.${index}`
  return type === 'usb' && index === '0' ? 'usb' : `${type}${index}`
}

/** Every child and attribute of `wanted` is there in `found`. */
const includes = (found: XmlElement, wanted: XmlElement): boolean =>
  Object.entries(wanted.attributes).every(([name, value]) => found.attributes[name] === value)
  && elementsOf(wanted).every(child => childrenOf(found, child.name).some(other => includes(other, child)))
  && (textOf(wanted) === '' || textOf(wanted) === textOf(found))

/** Which of the devices a call means. `where` only words the refusal. */
export function findDevice(devices: XmlElement, wanted: XmlElement, where: 'live' | 'config'): XmlElement {
  const candidates = childrenOf(devices, wanted.name)
  if (wanted.name === 'disk') {
    const found = candidates.find(disk => targetOf(disk) === targetOf(wanted))
    if (found === undefined) throw missing(where === 'live' ? `disk ${targetOf(wanted)} not found` : `no target device ${targetOf(wanted)}`)
    return found
  }
  const alias = aliasOf(wanted)
  if (wanted.name === 'interface') {
    const mac = macOf(wanted)
    const found = candidates.filter(nic => (mac === undefined || macOf(nic) === normalMAC(mac)) && (alias === undefined || aliasOf(nic) === alias))
    if (found.length > 1) throw failed(mac === undefined ? 'multiple matching devices found' : `multiple devices matching MAC address ${mac} found`, From.DOMAIN)
    if (found.length === 0) throw missing(`no device found at address '(<null>)' matching MAC address '${mac ?? '(<null>)'}' and alias '${alias ?? '(<null>)'}'`)
    return found[0]!
  }
  const found = candidates.find(device => sameXml(device, wanted)) ?? candidates.find(device => (alias === undefined ? includes(device, wanted) : aliasOf(device) === alias))
  if (found === undefined) throw missing(`matching ${wanted.name} device not found`)
  return found
}

const missing = (message: string): Refusal => new Refusal(ErrorNumber.DEVICE_MISSING, From.DOMAIN, `device not found: ${message}`)
