// What a running guest takes without a restart: compares its live document with the wanted one and answers the changes to make now. Pure.

import { isOurAlias } from '../../crds/names.ts'
import { formatBytes } from '../../crds/quantity.ts'
import type { Change } from '../../xml/merge.ts'
import { type XmlElement, attributeOf, childOf, cloneXml, el, serializeXml, textOf } from '../../xml/tree.ts'
import type { PendingChange } from '../plan.ts'
import { seedAlias } from './devices.ts'
import { changesBetween } from './document.ts'
import { LIFECYCLE, isLive, specPath } from './paths.ts'
import { devicesOf } from './render.ts'
import { domainRules, labelOf } from './rules.ts'

/** What a change is about: the field of the spec, what the guest has and what it is to have. */
interface About { reason: string; path: string; found?: string; expected?: string }

export type LiveAction = About & (
  | { type: 'MemorySet'; kib: number }
  | { type: 'VcpusSet'; count: number }
  | { type: 'TitleSet' | 'DescriptionSet'; text: string | null }
  | { type: 'LifecycleSet'; event: number; action: number; armed: boolean }
  | { type: 'DeviceAttached'; xml: string }
  | { type: 'DeviceDetached'; xml: string; alias: string }
  | { type: 'DeviceUpdated'; xml: string; removable: boolean })

/** Devices that come and go while the guest runs. */
export const HOT_DEVICES = ['disk', 'interface', 'rng', 'channel'] as const

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
  return device?.name === 'interface' ? (device.attributes.type === 'network' ? `network ${network}${portgroup === undefined ? '' : `/${portgroup}`}` : `bridge ${bridge}`) : file ?? dev ?? ''
}

const removable = (device: XmlElement): boolean => device.name === 'disk' && ['cdrom', 'floppy'].includes(device.attributes.device ?? '')
const pathOf = (device: XmlElement): string => specPath(`devices/${device.name}[${labelOf(device)}]`)

/** What was asked of the balloon, KiB, and when, ms. */
export interface AskedMemory { kib: number; at: number }

/** How long a guest has to take memory or to give it back, ms. */
const BALLOON = 60_000

/** Memory that was asked for and is not reached; `left`: how long it has yet before that is worth a word, ms. */
export function balloonOf({ live, wanted, asked, now }: { live: XmlElement; wanted: XmlElement; asked: AskedMemory | undefined; now: number }): { left: number; change: PendingChange; message: string } | undefined {
  const [had, memory] = [live, wanted].map(document => number(childOf(document, 'currentMemory'))) as [number, number]
  if (asked?.kib !== memory || memory === had || memory > number(childOf(live, 'memory'))) return undefined
  const [current, desired] = [had, memory].map(kib => shown('memory', String(kib)))
  return {
    left: Math.max(0, asked.at + BALLOON - now),
    change: { path: 'memory', current, desired, apply: 'ColdStart' },
    message: `The guest was asked for ${desired} of memory and has ${current}: its balloon did not move there within a minute. See that its virtio_balloon driver is loaded and that it has memory to spare; a cold start (annotation vireo.dev/restart) asks anew, and spec.memory: ${current} takes it as it is.`,
  }
}

export interface LiveInput {
  live: XmlElement
  wanted: XmlElement
  /** The document that is, or is about to be, defined for the next start. */
  next: XmlElement
  /** What we rendered when the guest was started, and what we rendered last. */
  started: XmlElement | undefined
  applied: XmlElement | undefined
  /** True for devices whose removal was asked for and is not to be asked for again yet. */
  detaching: (alias: string) => boolean
  /** Memory asked of the balloon before: the guest may take its time. */
  asked?: AskedMemory
  /** The guest's next reboot is to be a cold start. */
  rebootEnds: boolean
}

export function liveActions(input: LiveInput): LiveAction[] {
  const { live, wanted, started, applied, asked } = input
  const actions: LiveAction[] = []
  const memory = number(childOf(wanted, 'currentMemory'))
  const had = number(childOf(live, 'currentMemory'))
  if (memory !== had && memory <= number(childOf(live, 'memory')) && asked?.kib !== memory) {
    actions.push({ type: 'MemorySet', path: 'memory', found: shown('memory', String(had)), expected: shown('memory', String(memory)), reason: `Set memory from ${shown('memory', String(had))} to ${shown('memory', String(memory))} while the guest runs.`, kib: memory })
  }
  const cpus = currentCpus(wanted)
  if (cpus !== currentCpus(live) && cpus <= number(childOf(live, 'vcpu'))) {
    actions.push({ type: 'VcpusSet', path: 'cpus', found: String(currentCpus(live)), expected: String(cpus), reason: `Set CPUs from ${currentCpus(live)} to ${cpus} while the guest runs.`, count: cpus })
  }
  for (const [name, type] of [['title', 'TitleSet'], ['description', 'DescriptionSet']] as const) {
    const text = textOf(childOf(wanted, name))
    const was = textOf(childOf(live, name))
    const ours = [started, applied].some(document => document !== undefined && childOf(document, name) !== undefined)
    if (text !== was && (text !== '' || ours)) actions.push({ type, path: name, found: was, expected: text, reason: text === '' ? `Removed the ${name}.` : `Set the ${name}.`, text: text === '' ? null : text })
  }
  actions.push(...lifecycleActions(input), ...diskActions(live, wanted), ...interfaceActions(live, wanted))
  for (const kind of HOT_DEVICES) actions.push(...comings(live, wanted, kind), ...goings(input, kind))
  return [...actions, ...passwordActions(live, wanted)]
}

/** libvirt's defaults. */
const ON_ITS_OWN: Record<string, string> = { on_poweroff: 'destroy', on_reboot: 'restart', on_crash: 'destroy' }
/** virDomainLifecycleAction, by its name in documents. */
const ACTIONS = ['destroy', 'restart', 'rename-restart', 'preserve', 'coredump-destroy', 'coredump-restart']

function lifecycleActions({ live, next, rebootEnds }: LiveInput): LiveAction[] {
  return LIFECYCLE.flatMap(([element, field], event) => {
    const armed = rebootEnds && element === 'on_reboot'
    const was = textOf(childOf(live, element))
    const to = armed ? 'destroy' : textOf(childOf(next, element)) || ON_ITS_OWN[element]!
    const action = ACTIONS.indexOf(to)
    if (action < 0 || was === '' || was === to) return []
    const reason = armed ? "The guest's next reboot is made a cold start, as updatePolicy says." : `Set ${field} to ${to}.`
    return [{ type: 'LifecycleSet' as const, path: field, found: was, expected: to, reason, event, action, armed }]
  })
}

/** Media of trays. */
function diskActions(live: XmlElement, wanted: XmlElement): LiveAction[] {
  return pair(live, wanted, 'disk').flatMap(({ wanted: disk, live: present }) => {
    if (present === undefined || !removable(present) || sourceKey(present) === sourceKey(disk)) return []
    const next = cloneXml(present)
    replaceChild(next, childOf(disk, 'source'), 'source')
    replaceChild(next, undefined, 'backingStore')
    const driver = childOf(disk, 'driver')
    if (driver !== undefined) replaceChild(next, driver, 'driver')
    const name = labelOf(disk) === seedAlias ? 'the cloud-init seed' : pathOf(disk)
    const reason = sourceKey(disk) === '' ? `Ejected the medium of ${name}.` : sourceKey(present) === '' ? `Inserted a medium into ${name}.` : `Changed the medium of ${name}.`
    return [{ type: 'DeviceUpdated' as const, path: pathOf(disk), found: sourceKey(present), expected: sourceKey(disk), reason, xml: serializeXml(next), removable: true }]
  })
}

/** Cables: plugged in or not, and where to. */
function interfaceActions(live: XmlElement, wanted: XmlElement): LiveAction[] {
  return pair(live, wanted, 'interface').flatMap(({ wanted: nic, live: present }) => {
    if (present === undefined) return []
    const name = pathOf(nic)
    const link = attributeOf(childOf(nic, 'link'), 'state') ?? 'up'
    const was = attributeOf(childOf(present, 'link'), 'state') ?? 'up'
    const moved = sourceKey(nic) !== sourceKey(present)
    if (link === was && !moved) return []
    const next = cloneXml(present)
    replaceChild(next, el('link', { state: link }), 'link')
    if (moved) {
      next.attributes.type = nic.attributes.type!
      replaceChild(next, childOf(nic, 'source'), 'source')
    }
    const about = moved
      ? { path: `${name}.${nic.attributes.type === 'network' ? 'networkRef' : 'bridge'}`, found: sourceKey(present), expected: sourceKey(nic), reason: `Moved ${name} from ${sourceKey(present)} to ${sourceKey(nic)}.` }
      : { path: `${name}.linkState`, found: was, expected: link, reason: `Set the link of ${name} ${link}.` }
    return [{ type: 'DeviceUpdated' as const, ...about, xml: serializeXml(next), removable: false }]
  })
}

function comings(live: XmlElement, wanted: XmlElement, name: string): LiveAction[] {
  return pair(live, wanted, name)
    .filter(({ wanted: device, live: present }) => present === undefined && !removable(device))
    .map(({ wanted: device }) => ({ type: 'DeviceAttached' as const, path: pathOf(device), expected: 'attached', reason: `Attached ${pathOf(device)} to the running guest.`, xml: serializeXml(device) }))
}

/** Devices that we rendered when the guest was started (or attached since) and no longer want. Others' devices stay. */
function unwanted({ live, wanted, started }: Pick<LiveInput, 'live' | 'wanted' | 'started'>, name: string): XmlElement[] {
  const rule = domainRules().list('devices', name)
  if (rule?.type !== 'entries') return []
  const kept = devicesOf(wanted, name)
  const ours = devicesOf(started, name)
  return devicesOf(live, name)
    .filter(device => rule.match(device, kept) < 0)
    .filter(device => isOurAlias(labelOf(device)) || rule.match(device, ours) >= 0)
}

function goings(input: LiveInput, name: string): LiveAction[] {
  return unwanted(input, name)
    .filter(device => !removable(device) && !input.detaching(labelOf(device)))
    .map(device => ({ type: 'DeviceDetached' as const, path: pathOf(device), found: 'attached', reason: `Asked the guest to let go of ${pathOf(device)}.`, xml: serializeXml(device), alias: labelOf(device) }))
}

function passwordActions(live: XmlElement, wanted: XmlElement): LiveAction[] {
  return pair(live, wanted, 'graphics').flatMap(({ wanted: display, live: present }) => {
    const password = display.attributes.passwd
    // A display that began without a password can't get one, and one that has one can't lose it, before the next start.
    if (present?.attributes.passwd === undefined || password === present.attributes.passwd || password === undefined) return []
    const next = cloneXml(present)
    next.attributes.passwd = password
    return [{ type: 'DeviceUpdated' as const, path: `${pathOf(display)}.passwordSecretRef`, reason: `Set the password of ${pathOf(display)}.`, xml: serializeXml(next), removable: false }]
  })
}

/** What was rendered when the guest was started, what is wanted now, and what of the difference waits for a cold start. */
export function pendingChanges(live: XmlElement, wanted: XmlElement, started: XmlElement | undefined): PendingChange[] {
  const pending = new Map<string, PendingChange>()
  const add = (path: string, current: string | undefined, desired: string | undefined): void => {
    if (!pending.has(path)) pending.set(path, { path, current: shown(path, current), desired: shown(path, desired), apply: 'ColdStart' })
  }
  const cpus = currentCpus(wanted)
  if (cpus > number(childOf(live, 'vcpu'))) add('cpus', String(currentCpus(live)), String(cpus))
  const memory = number(childOf(wanted, 'currentMemory'))
  if (memory > number(childOf(live, 'memory'))) add('memory', textOf(childOf(live, 'currentMemory')), String(memory))
  if (started === undefined) return [...pending.values()]
  for (const change of changesBetween(started, wanted)) if (waits(wanted, change)) add(specPath(change.path), change.found, change.wanted)
  // A tray comes and goes with the machine only.
  for (const { wanted: disk, live: present } of pair(live, wanted, 'disk')) if (present === undefined && removable(disk)) add(pathOf(disk), undefined, 'attached')
  for (const disk of unwanted({ live, wanted, started }, 'disk')) if (removable(disk)) add(pathOf(disk), 'attached', undefined)
  return [...pending.values()]
}

/** True for a difference that only a cold start brings to the guest. */
export function waits(wanted: XmlElement, change: Change): boolean {
  if (isLive(change.path)) return false
  if (/@passwd/.test(change.path)) return change.kind !== 'set'
  if (/^(currentMemory|vcpu@current)/.test(change.path)) return false
  const disk = /^devices\/disk\[([^\]]*)\]/.exec(change.path)?.[1]
  // A medium, and what goes with it, is changed live.
  const device = disk === undefined ? undefined : devicesOf(wanted, 'disk').find(entry => labelOf(entry) === disk)
  return device === undefined || !removable(device) || !/\/(source|driver|backingStore)/.test(change.path)
}

export const shown = (path: string, value: string | undefined): string | undefined => {
  if (value === undefined) return undefined
  if ((path === 'memory' || path === 'maxMemory') && /^\d+$/.test(value)) return formatBytes(Number(value) * 1024)
  // A whole element is no value for a person: that it comes or goes is what counts.
  if (value.startsWith('<')) return 'present'
  return value.length > 200 ? `${value.slice(0, 197)}...` : value
}
