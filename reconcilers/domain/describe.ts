// The domain's own part of the status: what is observed, in the spec's words. Pure.

import { alias } from '../../crds/names.ts'
import type { InterfaceAddress } from '../../crds/virtualdomain.ts'
import { formatBytes } from '../../crds/quantity.ts'
import { type XmlElement, attributeOf, childOf, textOf } from '../../xml/tree.ts'
import { agentConnected } from '../../observed/objects.ts'
import { computedMac } from '../identity.ts'
import type { DomainInputs } from './plan.ts'
import { powerStateName, reasonInForce, reasonName } from './power.ts'
import { devicesOf } from './render.ts'

const number = (element: XmlElement | undefined): number => Number(textOf(element).trim())

/** Entries of the spec, and those that it no longer has while the guest still holds their device. */
function entriesOf(entries: { name: string }[] | undefined, document: XmlElement, kind: 'disk' | 'interface'): { name: string }[] {
  const prefix = alias(kind, '')
  const names = new Set((entries ?? []).map(entry => entry.name))
  const held = devicesOf(document, kind).map(device => attributeOf(childOf(device, 'alias'), 'name') ?? '').filter(name => name.startsWith(prefix)).map(name => ({ name: name.slice(prefix.length) }))
  return [...entries ?? [], ...held.filter(entry => !names.has(entry.name))]
}

/** The live device of an entry: by our alias, else by target or MAC address. */
function deviceOf(document: XmlElement, kind: 'disk' | 'interface' | 'graphics', name: string, other: (device: XmlElement) => boolean): XmlElement | undefined {
  const devices = devicesOf(document, kind)
  return devices.find(device => attributeOf(childOf(device, 'alias'), 'name') === alias(kind, name)) ?? devices.find(other)
}

const isGlobal4 = (address: string): boolean => /^\d+\.\d+\.\d+\.\d+$/.test(address) && !address.startsWith('127.') && !address.startsWith('169.254.')
const isGlobal6 = (address: string): boolean => address.includes(':') && !/^(fe[89ab]|::1$)/i.test(address)

/** By whom they are known best: an address leased is known by its lease, and what ARP saw counts only where nobody knows any. */
function addressesOf(inputs: DomainInputs, mac: string, network: string | undefined): InterfaceAddress[] {
  const key = mac.toLowerCase()
  // Anybody may write any MAC address: what another network leased to it is another's.
  const leased: InterfaceAddress[] = (network === undefined ? [] : inputs.leases(mac, network)).map(({ ipaddr, prefix }) => ({ address: ipaddr, prefix, source: 'Lease' }))
  const told = [...leased, ...inputs.guest?.byAgent.get(key) ?? []]
  const known = told.length > 0 ? told : inputs.guest?.byARP.get(key) ?? []
  return [...new Map(known.toReversed().map(entry => [entry.address, entry])).values()].toSorted((a, b) => (a.address < b.address ? -1 : 1)).slice(0, 64)
}

function interfaces(inputs: DomainInputs, document: XmlElement): Record<string, unknown>[] {
  const { object, binding, observed } = inputs
  return entriesOf(object.spec.interfaces, document, 'interface').flatMap((entry: { name: string; mac?: string }) => {
    const mac = (entry.mac ?? computedMac(binding.uuid, entry.name)).toLowerCase()
    const device = deviceOf(document, 'interface', entry.name, nic => attributeOf(childOf(nic, 'mac'), 'address')?.toLowerCase() === mac)
    if (device === undefined) return []
    const found = attributeOf(childOf(device, 'mac'), 'address') ?? mac
    const running = observed?.live !== undefined
    const network = attributeOf(childOf(device, 'source'), 'network')
    const addresses = running ? addressesOf(inputs, found, network) : []
    return [{
      name: entry.name,
      mac: found,
      target: running ? attributeOf(childOf(device, 'target'), 'dev') : undefined,
      linkState: attributeOf(childOf(device, 'link'), 'state') ?? 'up',
      addresses: listOrNone(addresses),
    }]
  })
}

function disks(inputs: DomainInputs, document: XmlElement): Record<string, unknown>[] {
  const { object, bound } = inputs
  // The record has the names that a driver may not keep.
  const wanted = inputs.rendered?.record
  return entriesOf(object.spec.disks, document, 'disk').flatMap((entry: { name: string; target?: string }) => {
    const target = entry.target ?? attributeOf(childOf(devicesOf(wanted, 'disk').find(disk => attributeOf(childOf(disk, 'alias'), 'name') === alias('disk', entry.name)), 'target'), 'dev')
    const device = deviceOf(document, 'disk', entry.name, disk => target !== undefined && attributeOf(childOf(disk, 'target'), 'dev') === target)
    if (device === undefined) return []
    const source = childOf(device, 'source')
    const path = attributeOf(source, 'file') ?? attributeOf(source, 'dev')
    const volume = path === undefined ? undefined : bound.host.mirror.volumeByPath(path)
    return [{ name: entry.name, target: attributeOf(childOf(device, 'target'), 'dev'), source: path, capacity: volume === undefined ? undefined : formatBytes(volume.capacity) }]
  })
}

function consoles(live: XmlElement): Record<string, unknown>[] {
  return ['serial', 'console'].flatMap(kind => devicesOf(live, kind).map(device => ({
    name: attributeOf(childOf(device, 'alias'), 'name') ?? `${kind}${attributeOf(childOf(device, 'target'), 'port') ?? ''}`,
    type: device.attributes.type ?? 'pty',
    path: attributeOf(childOf(device, 'source'), 'path'),
    port: attributeOf(childOf(device, 'target'), 'port'),
    kind,
  }))).filter((entry, _, all) => entry.kind === 'serial' || !all.some(other => other.kind === 'serial' && other.path === entry.path))
    .map(({ name, type, path }, i) => ({ name: name.startsWith('ua-serial-') ? `serial${i}` : name, type, path }))
}

function graphics(inputs: DomainInputs, live: XmlElement): Record<string, unknown>[] {
  return (inputs.object.spec.graphics ?? []).flatMap(entry => {
    const type = entry.vnc === undefined ? 'spice' : 'vnc'
    const device = deviceOf(live, 'graphics', entry.name, display => display.attributes.type === type)
    if (device === undefined) return []
    const port = Number(device.attributes.port ?? -1)
    return [{ name: entry.name, listen: device.attributes.listen ?? attributeOf(childOf(device, 'listen'), 'address'), port: port > 0 ? port : undefined }]
  })
}

const listOrNone = <T>(list: T[]): T[] | undefined => (list.length === 0 ? undefined : list)

export function describeDomain(inputs: DomainInputs): Record<string, unknown> {
  const { observed, found, binding, object } = inputs
  if (observed === undefined || found === undefined) return { binding: object.status?.binding, ...(object.status?.binding === undefined ? {} : { powerState: object.status.powerState }) }
  // What stands in the way is not ours, and binds nothing.
  const taken = object.status?.binding !== undefined || inputs.ownership === 'Ours' || inputs.ownership === 'Rebuilt' || binding.origin === 'Observed'
  if (!taken) return {}
  const document = found.live ?? found.inactive
  const nics = interfaces(inputs, document)
  const addresses = nics.flatMap(nic => (nic.addresses as { address: string }[] | undefined) ?? []).map(entry => entry.address)
  const vcpu = childOf(document, 'vcpu')
  return {
    binding,
    powerState: powerStateName(observed.state),
    powerStateReason: reasonName(observed.state, reasonInForce(observed, object.status)),
    id: observed.ref.id > 0 ? observed.ref.id : undefined,
    type: document.attributes.type,
    arch: attributeOf(childOf(document, 'os', 'type'), 'arch'),
    machine: attributeOf(childOf(document, 'os', 'type'), 'machine'),
    cpus: Number(attributeOf(vcpu, 'current') ?? textOf(vcpu)),
    memory: formatBytes(number(childOf(document, 'currentMemory') ?? childOf(document, 'memory')) * 1024),
    address: addresses.find(isGlobal4) ?? addresses.find(isGlobal6),
    interfaces: listOrNone(nics),
    disks: listOrNone(disks(inputs, document)),
    consoles: found.live && listOrNone(consoles(found.live)),
    graphics: found.live && listOrNone(graphics(inputs, found.live)),
    guestAgent: found.live !== undefined && devicesOf(found.live, 'channel').length > 0 ? { connected: agentConnected(found.live), hostname: inputs.guest?.hostname, os: inputs.guest?.os } : undefined,
  }
}
