// What a running guest takes without a restart: compares its live document with the wanted one and answers the changes to make now. Pure.

import { type Change } from '../../xml/merge.ts'
import { type XmlElement, attributeOf, childOf, cloneXml, el, serializeXml, textOf } from '../../xml/tree.ts'
import { type PendingChange } from '../plan.ts'
import { seedAlias } from './devices.ts'
import { changesBetween } from './document.ts'
import { isLive, specPath } from './paths.ts'
import { devicesOf } from './render.ts'
import { domainRules, labelOf } from './rules.ts'

export type LiveAction =
  | { type: 'MemorySet'; reason: string; kib: number }
  | { type: 'VcpusSet'; reason: string; count: number }
  | { type: 'TitleSet' | 'DescriptionSet'; reason: string; text: string | null }
  | { type: 'DeviceAttached'; reason: string; xml: string }
  | { type: 'DeviceDetached'; reason: string; xml: string; alias: string }
  | { type: 'DeviceUpdated'; reason: string; xml: string }

const number = (element: XmlElement | undefined): number => Number(textOf(element).trim())
const currentCpus = (document: XmlElement): number => Number(attributeOf(childOf(document, 'vcpu'), 'current') ?? textOf(childOf(document, 'vcpu')))

/** Entries of one device list beside their live counterparts. */
function pair(live: XmlElement, wanted: XmlElement, name: string): { wanted: XmlElement; live?: XmlElement }[] {
  const rule = domainRules().list('devices', name)
  const free = devicesOf(live, name)
  if (rule?.type !== 'entries') return []
  return devicesOf(wanted, name).map(entry => {
    const at = rule.match(entry, free)
    return { wanted: entry, live: at < 0 ? undefined : free.splice(at, 1)[0] }
  })
}

const replaceChild = (parent: XmlElement, child: XmlElement | undefined, name: string): void => {
  parent.children = parent.children.filter(other => typeof other === 'string' || other.name !== name)
  if (child !== undefined) parent.children.push(child)
}

const sourceKey = (device: XmlElement | undefined): string => {
  const source = device && childOf(device, 'source')
  if (source === undefined) return ''
  const { network, bridge, portgroup, file, dev } = source.attributes
  return device?.name === 'interface' ? (device.attributes.type === 'network' ? `network ${network}/${portgroup ?? ''}` : `bridge ${bridge}`) : file ?? dev ?? ''
}

const removable = (disk: XmlElement): boolean => ['cdrom', 'floppy'].includes(disk.attributes.device ?? '')

export interface LiveInput {
  live: XmlElement
  wanted: XmlElement
  /** What we rendered when the guest was started. */
  started: XmlElement | undefined
  /** Devices whose removal was asked for and not yet confirmed, by alias or target. */
  detaching: ReadonlySet<string>
  /** Memory asked of the balloon before, KiB: the guest may take its time. */
  askedMemory?: number
}

export function liveActions({ live, wanted, started, detaching, askedMemory }: LiveInput): LiveAction[] {
  const actions: LiveAction[] = []
  const memory = number(childOf(wanted, 'currentMemory'))
  if (memory !== number(childOf(live, 'currentMemory')) && memory <= number(childOf(live, 'memory')) && askedMemory !== memory) {
    actions.push({ type: 'MemorySet', reason: `Set memory from ${number(childOf(live, 'currentMemory'))} to ${memory} KiB while the guest runs.`, kib: memory })
  }
  const cpus = currentCpus(wanted)
  if (cpus !== currentCpus(live) && cpus <= number(childOf(live, 'vcpu'))) {
    actions.push({ type: 'VcpusSet', reason: `Set CPUs from ${currentCpus(live)} to ${cpus} while the guest runs.`, count: cpus })
  }
  for (const [name, type] of [['title', 'TitleSet'], ['description', 'DescriptionSet']] as const) {
    const text = textOf(childOf(wanted, name))
    if (text !== textOf(childOf(live, name)) && (text !== '' || (started !== undefined && childOf(started, name) !== undefined))) {
      actions.push({ type, reason: `Set the ${name}.`, text: text === '' ? null : text })
    }
  }
  actions.push(...diskActions(live, wanted, started, detaching), ...interfaceActions(live, wanted, started, detaching), ...passwordActions(live, wanted))
  return actions
}

function diskActions(live: XmlElement, wanted: XmlElement, started: XmlElement | undefined, detaching: ReadonlySet<string>): LiveAction[] {
  const actions: LiveAction[] = []
  for (const { wanted: disk, live: present } of pair(live, wanted, 'disk')) {
    const name = labelOf(disk)
    if (present === undefined) {
      actions.push({ type: 'DeviceAttached', reason: `Attached ${specPath(`devices/disk[${name}]`)} to the running guest.`, xml: serializeXml(disk) })
    } else if (removable(present) && sourceKey(present) !== sourceKey(disk)) {
      const next = cloneXml(present)
      replaceChild(next, childOf(disk, 'source'), 'source')
      replaceChild(next, undefined, 'backingStore')
      const driver = childOf(disk, 'driver')
      if (driver !== undefined) replaceChild(next, driver, 'driver')
      actions.push({ type: 'DeviceUpdated', reason: sourceKey(disk) === '' ? `Ejected the medium of ${name}.` : `Changed the medium of ${name}${labelOf(disk) === seedAlias ? ' (cloud-init seed)' : ''}.`, xml: serializeXml(next) })
    }
  }
  actions.push(...detached(live, wanted, started, detaching, 'disk'))
  return actions
}

function interfaceActions(live: XmlElement, wanted: XmlElement, started: XmlElement | undefined, detaching: ReadonlySet<string>): LiveAction[] {
  const actions: LiveAction[] = []
  for (const { wanted: nic, live: present } of pair(live, wanted, 'interface')) {
    const name = specPath(`devices/interface[${labelOf(nic)}]`)
    if (present === undefined) {
      actions.push({ type: 'DeviceAttached', reason: `Attached ${name} to the running guest.`, xml: serializeXml(nic) })
      continue
    }
    const link = attributeOf(childOf(nic, 'link'), 'state') ?? 'up'
    const was = attributeOf(childOf(present, 'link'), 'state') ?? 'up'
    const moved = sourceKey(nic) !== sourceKey(present)
    if (link === was && !moved) continue
    const next = cloneXml(present)
    replaceChild(next, el('link', { state: link }), 'link')
    if (moved) {
      next.attributes.type = nic.attributes.type!
      replaceChild(next, childOf(nic, 'source'), 'source')
    }
    actions.push({ type: 'DeviceUpdated', reason: moved ? `Moved ${name} from ${sourceKey(present)} to ${sourceKey(nic)}.` : `Set the link of ${name} ${link}.`, xml: serializeXml(next) })
  }
  actions.push(...detached(live, wanted, started, detaching, 'interface'))
  return actions
}

/** Devices that we rendered when the guest was started (or attached since) and no longer want. Others' devices stay. */
function detached(live: XmlElement, wanted: XmlElement, started: XmlElement | undefined, detaching: ReadonlySet<string>, name: 'disk' | 'interface'): LiveAction[] {
  const rule = domainRules().list('devices', name)
  if (rule?.type !== 'entries') return []
  const kept = devicesOf(wanted, name)
  const ours = devicesOf(started, name)
  return devicesOf(live, name)
    .filter(device => rule.match(device, kept) < 0)
    .filter(device => labelOf(device).startsWith('ua-') || rule.match(device, ours) >= 0)
    .filter(device => !detaching.has(labelOf(device)))
    .map(device => ({ type: 'DeviceDetached' as const, reason: `Asked the guest to let go of ${specPath(`devices/${name}[${labelOf(device)}]`)}.`, xml: serializeXml(device), alias: labelOf(device) }))
}

function passwordActions(live: XmlElement, wanted: XmlElement): LiveAction[] {
  return pair(live, wanted, 'graphics').flatMap(({ wanted: display, live: present }) => {
    const password = display.attributes.passwd
    if (present === undefined || password === present.attributes.passwd || password === undefined) return []
    const next = cloneXml(present)
    next.attributes.passwd = password
    return [{ type: 'DeviceUpdated' as const, reason: `Set the password of display ${labelOf(display)}.`, xml: serializeXml(next) }]
  })
}

/** What was rendered when the guest was started, what is wanted now, and what of the difference waits for a cold start. */
export function pendingChanges(live: XmlElement, wanted: XmlElement, started: XmlElement | undefined): PendingChange[] {
  if (started === undefined) return []
  const pending = new Map<string, PendingChange>()
  for (const change of changesBetween(started, wanted)) {
    if (isLive(change.path) || inForce(live, wanted, change)) continue
    const path = specPath(change.path)
    if (!pending.has(path)) pending.set(path, { path, current: shown(path, change.found), desired: shown(path, change.wanted), apply: 'ColdStart' })
  }
  return [...pending.values()]
}

function inForce(live: XmlElement, wanted: XmlElement, change: Change): boolean {
  if (change.path.startsWith('currentMemory')) return number(childOf(wanted, 'currentMemory')) <= number(childOf(live, 'memory'))
  if (change.path === 'vcpu@current') return currentCpus(wanted) <= number(childOf(live, 'vcpu'))
  if (/@passwd/.test(change.path)) return true
  const disk = /^devices\/disk\[([^\]]*)\]/.exec(change.path)?.[1]
  if (disk !== undefined) {
    // A medium, and what goes with it, is changed live; a disk attached since the start is as it was attached.
    const device = devicesOf(wanted, 'disk').find(entry => labelOf(entry) === disk)
    if (device !== undefined && removable(device) && /\/(source|driver|backingStore)/.test(change.path)) return true
  }
  return false
}

const shown = (path: string, value: string | undefined): string | undefined => {
  if (value === undefined) return undefined
  if ((path === 'memory' || path === 'maxMemory') && /^\d+$/.test(value)) return Number(value) % 1024 === 0 ? `${Number(value) / 1024}Mi` : `${value}Ki`
  return value.length > 200 ? `${value.slice(0, 197)}...` : value
}
