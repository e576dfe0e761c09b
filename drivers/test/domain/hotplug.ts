// Devices that come, go and change: in the live document, in the next configuration, or in both, all or nothing.

import { attributeOf, childOf, elementsOf, type XmlElement } from '../../../xml/tree.ts'
import { Affect } from '../../driver.ts'
import { From, badArgument, badXml, checkFlags, internal, invalid, unsupportedConfig, unsupportedOperation } from '../refusal.ts'
import { StoredDomain } from './definition.ts'
import { aliasOf, checkAliases, completeDevice, findDevice, isHot, isPersistent, readDevice, sourceOf, targetOf } from './device.ts'
import type { Domain } from './domain.ts'
import { enliven } from './live.ts'

/** What the rest of the host does about a device. */
export interface HotplugHost {
  vnet(): string
  /** Refuses a device whose network or file is not there; a running guest's interface gets its lease. */
  connect(domain: Domain, device: XmlElement): void
  added(domain: Domain, alias: string): void
  /** A removable drive was opened, and closed on something else. */
  trayMoved(domain: Domain): void
  /** The guest is asked to let go; `done` is called when it did. */
  ask(domain: Domain, alias: string, done: () => void): void
  /** The device is gone from the live document. */
  removed(domain: Domain, device: XmlElement, alias: string): void
}

const flagsKnown = Affect.LIVE | Affect.CONFIG
const devicesOf = (tree: XmlElement): XmlElement => childOf(tree, 'devices')!

export function attach(host: HotplugHost, domain: Domain, text: string, flags: number): void {
  checkFlags(flags, flagsKnown, 'domainAttachDeviceFlags')
  const { live, config } = domain.affected(flags)
  const device = readDevice(text, true)
  const next = config ? domain.config!.copy() : undefined
  if (next !== undefined) attachToConfig(devicesOf(next), structuredClone(device))
  if (live) {
    const tree = domain.live!.copy()
    const alias = attachLive(host, domain, devicesOf(tree), device)
    domain.live = new StoredDomain(tree)
    if (alias !== undefined) host.added(domain, alias)
  }
  if (next !== undefined) domain.config = new StoredDomain(next)
}

function attachToConfig(devices: XmlElement, device: XmlElement): void {
  if (!isPersistent(device.name)) throw unsupportedOperation(`persistent attach of device '${device.name}' is not supported`)
  if (device.name === 'disk' && elementsOf(devices).some(other => other.name === 'disk' && targetOf(other) === targetOf(device))) throw invalid(`target ${targetOf(device)} already exists`)
  devices.children.push(device)
  checkAliases(devices)
}

function attachLive(host: HotplugHost, domain: Domain, devices: XmlElement, device: XmlElement): string | undefined {
  if (!isHot(device.name)) throw unsupportedOperation(`live attach of device '${device.name}' is not supported`)
  const alike = elementsOf(devices).filter(other => other.name === device.name)
  if (device.name === 'watchdog' && alike.length > 0) throw invalid('domain already has a watchdog')
  if (device.name === 'disk') {
    const other = alike.find(disk => targetOf(disk) === targetOf(device))
    if (other !== undefined) throw badXml(`target '${targetOf(device)}' duplicated for disk sources '${sourceOf(other) ?? '(null)'}' and '${sourceOf(device) ?? '(null)'}'`)
    if (['cdrom', 'floppy'].includes(attributeOf(device, 'device') ?? '')) throw unsupportedOperation(`disk device type '${attributeOf(device, 'device')}' cannot be hotplugged`)
  }
  host.connect(domain, device)
  enliven(devices, device, { id: domain.id, vnet: () => host.vnet() })
  devices.children.push(device)
  checkAliases(devices)
  return aliasOf(device)
}

export function detach(host: HotplugHost, domain: Domain, text: string, flags: number): void {
  checkFlags(flags, flagsKnown, 'domainDetachDeviceFlags')
  const affected = domain.affected(flags)
  const wanted = readDevice(text, false)
  remove(host, domain, affected, (devices, part) => {
    checkRemovable(wanted, part)
    return findDevice(devices, wanted, part)
  })
}

export function detachAlias(host: HotplugHost, domain: Domain, alias: string, flags: number): void {
  checkFlags(flags, flagsKnown, 'domainDetachDeviceAlias')
  remove(host, domain, domain.affected(flags), devices => {
    const device = elementsOf(devices).find(other => other.name !== 'console' && aliasOf(other) === alias)
    if (device === undefined) throw internal(`no device found with alias ${alias}`, From.DOMAIN)
    return device
  })
}

function checkRemovable(device: XmlElement, part: 'live' | 'config'): void {
  if (part === 'live' ? isHot(device.name) : isPersistent(device.name)) return
  throw unsupportedOperation(`${part === 'live' ? 'live' : 'persistent'} detach of device '${device.name}' is not supported`)
}

function remove(host: HotplugHost, domain: Domain, { live, config }: { live: boolean; config: boolean }, find: (devices: XmlElement, part: 'live' | 'config') => XmlElement): void {
  const next = config ? domain.config!.copy() : undefined
  if (next !== undefined) {
    const devices = devicesOf(next)
    const device = find(devices, 'config')
    checkRemovable(device, 'config')
    devices.children.splice(devices.children.indexOf(device), 1)
  }
  if (live) {
    const device = find(devicesOf(domain.live!.tree), 'live')
    checkRemovable(device, 'live')
    const kind = attributeOf(device, 'device') ?? ''
    if (device.name === 'disk' && ['cdrom', 'floppy'].includes(kind)) throw unsupportedOperation(`disk device type '${kind}' cannot be detached`)
    const alias = aliasOf(device)!
    host.ask(domain, alias, () => letGo(host, domain, alias))
  }
  if (next !== undefined) domain.config = new StoredDomain(next)
}

/** The guest has let go of a device. */
function letGo(host: HotplugHost, domain: Domain, alias: string): void {
  const tree = domain.live!.copy()
  const devices = devicesOf(tree)
  const device = elementsOf(devices).find(other => aliasOf(other) === alias)
  if (device === undefined) return
  devices.children.splice(devices.children.indexOf(device), 1)
  domain.live = new StoredDomain(tree)
  host.removed(domain, device, alias)
}

export function update(host: HotplugHost, domain: Domain, text: string, flags: number): void {
  checkFlags(flags, flagsKnown, 'domainUpdateDeviceFlags')
  const { live, config } = domain.affected(flags)
  const wanted = readDevice(text, false)
  const next = config ? domain.config!.copy() : undefined
  if (next !== undefined) updateConfig(devicesOf(next), structuredClone(wanted))
  if (live) {
    const tree = domain.live!.copy()
    updateLive(host, domain, devicesOf(tree), wanted)
    domain.live = new StoredDomain(tree)
  }
  if (next !== undefined) domain.config = new StoredDomain(next)
}

function updateConfig(devices: XmlElement, wanted: XmlElement): void {
  if (!['disk', 'interface', 'graphics', 'memory'].includes(wanted.name)) throw unsupportedOperation(`persistent update of device '${wanted.name}' is not supported`)
  if (wanted.name === 'disk' && !elementsOf(devices).some(other => other.name === 'disk' && targetOf(other) === targetOf(wanted))) throw badArgument(`target ${targetOf(wanted)} doesn't exist.`)
  const found = wanted.name === 'graphics' ? graphicsOf(devices, wanted) : findDevice(devices, wanted, 'config')
  completeDevice(wanted)
  keepAlias(found, wanted)
  devices.children.splice(devices.children.indexOf(found), 1, wanted)
}

function updateLive(host: HotplugHost, domain: Domain, devices: XmlElement, wanted: XmlElement): void {
  switch (wanted.name) {
    case 'disk': return updateDisk(host, domain, devices, wanted)
    case 'interface': return updateInterface(host, domain, devices, wanted)
    case 'graphics': {
      const found = graphicsOf(devices, wanted)
      const port = attributeOf(wanted, 'port')
      if (port !== undefined && port !== '-1' && port !== attributeOf(found, 'port')) throw unsupportedOperation(`cannot change port settings on '${attributeOf(found, 'type')}' graphics`)
      const passwd = attributeOf(wanted, 'passwd')
      const { passwd: _, ...rest } = found.attributes
      found.attributes = { ...rest, ...(passwd === undefined ? {} : { passwd }) }
      return
    }
    default: throw unsupportedConfig(`live update of device '${wanted.name}' is not supported`, From.TEST)
  }
}

function graphicsOf(devices: XmlElement, wanted: XmlElement): XmlElement {
  const found = elementsOf(devices).find(other => other.name === 'graphics' && attributeOf(other, 'type') === attributeOf(wanted, 'type'))
  if (found === undefined) throw internal(`cannot find existing graphics device to modify of type '${attributeOf(wanted, 'type')}'`, From.TEST)
  return found
}

function keepAlias(found: XmlElement, wanted: XmlElement): void {
  const alias = childOf(found, 'alias')
  if (alias !== undefined && childOf(wanted, 'alias') === undefined) wanted.children.push(alias)
}

/** The medium of a removable drive; anything else of a disk stays. */
function updateDisk(host: HotplugHost, domain: Domain, devices: XmlElement, wanted: XmlElement): void {
  const found = elementsOf(devices).find(other => other.name === 'disk' && targetOf(other) === targetOf(wanted))
  if (found === undefined) throw internal(`disk '${targetOf(wanted)}' not found`, From.TEST)
  completeDevice(wanted)
  const removable = ['cdrom', 'floppy'].includes(attributeOf(found, 'device') ?? '')
  if (!removable && sourceOf(found) !== sourceOf(wanted)) throw unsupportedConfig('disk source can be changed only in removable drives', From.TEST)
  if (sourceOf(found) !== sourceOf(wanted)) {
    host.connect(domain, wanted)
    host.trayMoved(domain)
  }
  keepAlias(found, wanted)
  devices.children.splice(devices.children.indexOf(found), 1, wanted)
}

/** Link state, bandwidth, filter and network; never the MAC address or the model. */
function updateInterface(host: HotplugHost, domain: Domain, devices: XmlElement, wanted: XmlElement): void {
  const found = findDevice(devices, wanted, 'live')
  const model = attributeOf(childOf(wanted, 'model'), 'type')
  const has = attributeOf(childOf(found, 'model'), 'type')
  if (model !== undefined && model !== has) throw unsupportedOperation(`cannot modify network device model from ${has ?? '(null)'} to ${model}`)
  completeDevice(wanted)
  if (attributeOf(childOf(found, 'source'), 'network') !== attributeOf(childOf(wanted, 'source'), 'network')) host.connect(domain, wanted)
  keepAlias(found, wanted)
  const target = childOf(found, 'target')
  if (target !== undefined && childOf(wanted, 'target') === undefined) wanted.children.push(target)
  devices.children.splice(devices.children.indexOf(found), 1, wanted)
}
