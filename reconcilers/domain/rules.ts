// How domain documents merge: which elements are lists, which entry is which, and which spellings are the host's own.

import { type ListRule, type MergeRules, keyed } from '../../xml/merge.ts'
import { isRepeated } from '../repeats.ts'
import { type XmlElement, attributeOf, childOf, sameXml, serializeXml } from '../../xml/tree.ts'

const aliasOf = (device: XmlElement): string | undefined => attributeOf(childOf(device, 'alias'), 'name')
const userAliasOf = (device: XmlElement): string | undefined => {
  const alias = aliasOf(device)
  return alias?.startsWith('ua-') ? alias : undefined
}

/** Devices are one entry by user alias where both have one, else by what the guest or the host tells them apart with. */
const device = (...keys: ((entry: XmlElement) => string | undefined)[]): ListRule => ({
  type: 'entries',
  match: (entry, candidates) => {
    const alias = userAliasOf(entry)
    if (alias !== undefined) {
      const at = candidates.findIndex(candidate => userAliasOf(candidate) === alias)
      if (at >= 0) return at
    }
    for (const key of keys) {
      const value = key(entry)?.toLowerCase()
      if (value === undefined) continue
      const at = candidates.findIndex(candidate => key(candidate)?.toLowerCase() === value && (alias === undefined || userAliasOf(candidate) === undefined))
      if (at >= 0) return at
    }
    return -1
  },
  label: entry => labelOf(entry),
})

/** How an entry is named in the paths of changes. */
export const labelOf = (entry: XmlElement): string =>
  userAliasOf(entry) ?? attributeOf(childOf(entry, 'target'), 'dev') ?? attributeOf(childOf(entry, 'mac'), 'address') ?? attributeOf(childOf(entry, 'target'), 'name') ?? entry.attributes.type ?? entry.attributes.name ?? ''

const target = (entry: XmlElement): string | undefined => attributeOf(childOf(entry, 'target'), 'dev')
const mac = (entry: XmlElement): string | undefined => attributeOf(childOf(entry, 'mac'), 'address')
const channelName = (entry: XmlElement): string | undefined => attributeOf(childOf(entry, 'target'), 'name')
const port = (entry: XmlElement): string | undefined => attributeOf(childOf(entry, 'target'), 'port')
/** libvirt numbers a console that has no number: the first one is 0. */
const consolePort = (entry: XmlElement): string => port(entry) ?? '0'
/** The entry's own attributes; one that lacks any of them is told apart by its alias alone. */
const own = (...names: string[]) => (entry: XmlElement): string | undefined => (names.every(name => entry.attributes[name] !== undefined) ? names.map(name => entry.attributes[name]).join('/') : undefined)
const source = (entry: XmlElement): string | undefined => {
  const from = childOf(entry, 'source')
  return from === undefined ? undefined : serializeXml(from)
}

const DEVICES: Record<string, ListRule> = {
  disk: device(target),
  interface: device(mac),
  controller: device(own('type', 'index')),
  filesystem: device(entry => attributeOf(childOf(entry, 'target'), 'dir')),
  serial: device(port),
  parallel: device(port),
  console: device(consolePort),
  channel: device(channelName),
  graphics: device(own('type')),
  rng: device(entry => attributeOf(childOf(entry, 'backend'), 'model')),
  input: device(own('type', 'bus')),
  hostdev: device(source),
  redirdev: device(),
  sound: device(own('model')),
  shmem: device(own('name')),
  memory: device(),
  panic: device(own('model')),
  watchdog: device(own('model')),
  smartcard: device(own('mode')),
  lease: device(),
}

const LISTS: Record<string, ListRule> = {
  'os/boot': { type: 'atomic' },
  'os/initarg': { type: 'atomic' },
  'os/acpi/table': { type: 'atomic' },
  'os/firmware/feature': keyed(entry => entry.attributes.name),
  'cpu/feature': keyed(entry => entry.attributes.name),
  'cpu/numa/cell': keyed(entry => entry.attributes.id),
  'clock/timer': keyed(entry => entry.attributes.name),
  'cputune/vcpupin': keyed(entry => entry.attributes.vcpu),
  'iothreadids/iothread': keyed(entry => entry.attributes.id),
  'sysinfo/oemStrings/entry': { type: 'atomic' },
  'qemu:commandline/qemu:arg': { type: 'atomic' },
  'qemu:commandline/qemu:env': { type: 'atomic' },
}

/** A machine's short name (q35) stands for whatever version the host pinned it to (pc-q35-7.2). */
function sameMachine(found: string, wanted: string): boolean {
  if (wanted === 'pc') return /^pc(-i440fx)?-\d/.test(found)
  return found === `pc-${wanted}` || found.startsWith(`${wanted}-`) || found.startsWith(`pc-${wanted}-`)
}

/** Kinds of devices of which a domain may have several. */
export const isListed = (name: string): boolean => name in DEVICES

export function domainRules(): MergeRules {
  return {
    repeats: isRepeated,
    list: (path, name) => (path === 'devices' ? DEVICES[name] : LISTS[`${path}/${name}`]),
    equal: (path, found, wanted) => {
      if (path === 'os/type@machine') return sameMachine(found, wanted)
      // No domain has none: the driver does not tell.
      if (path === 'memory#text' || path === 'currentMemory#text') return Number(found) === 0
      if (path.endsWith('/mac@address')) return found.toLowerCase() === wanted.toLowerCase()
      return false
    },
    prepare: (path, found, wanted) => {
      if (!path.startsWith('devices/')) return
      const depth = path.split('/').length
      if (depth !== 2) return
      // Another kind of source shares nothing with the one before; another bus needs another address.
      if (wanted.attributes.type !== undefined && found.attributes.type !== wanted.attributes.type) drop(found, 'source')
      const bus = attributeOf(childOf(wanted, 'target'), 'bus')
      const was = attributeOf(childOf(found, 'target'), 'bus')
      if (bus !== undefined && was !== undefined && bus !== was) drop(found, 'address')
      const model = attributeOf(childOf(wanted, 'model'), 'type')
      const had = attributeOf(childOf(found, 'model'), 'type')
      if (found.name === 'interface' && model !== undefined && had !== undefined && model !== had) drop(found, 'address')
      // A source is one value: half of the old one beside half of the new one would be a third.
      const next = childOf(wanted, 'source')
      const last = childOf(found, 'source')
      if (next !== undefined && last !== undefined && next.name === last.name && !sameXml(next, last) && found.name === 'disk') {
        if (attributeOf(next, 'file') !== attributeOf(last, 'file') || attributeOf(next, 'dev') !== attributeOf(last, 'dev')) drop(found, 'backingStore')
      }
    },
  }
}

function drop(parent: XmlElement, name: string): void {
  parent.children = parent.children.filter(child => typeof child === 'string' || child.name !== name)
}
