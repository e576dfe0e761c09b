// What the observed mirror holds of each libvirt object: its documents as text and the few facts that are asked often.

import { type DomainRef, DomainState, type NetworkRef, type StoragePoolInfo, type StoragePoolRef, type StorageVolRef } from '../drivers/driver.ts'
import { type XmlElement, attributeOf, childOf, childrenOf, parseXml, textOf } from '../xml/tree.ts'

export interface DiskFacts { target: string; device: string; alias?: string; source?: string; pool?: string; volume?: string; backing: string[]; readOnly: boolean }
export interface InterfaceFacts { mac: string; type: string; network?: string; bridge?: string; target?: string; alias?: string }

export interface ObservedDomain {
  kind: 'domain'
  ref: DomainRef
  state: DomainState
  /** libvirt's reason code within the state. */
  reason: number
  persistent: boolean
  autostart: boolean
  /** The next start's document, secrets included: never leaves the process. For a transient domain the live one. */
  inactive: string
  /** The running guest's document, secrets included. */
  live?: string
  disks: DiskFacts[]
  interfaces: InterfaceFacts[]
  /** What it starts from beside its disks: kernel, initrd, firmware and its variables, which go with the domain. */
  bootFiles: string[]
}
export interface ObservedNetwork {
  kind: 'network'
  ref: NetworkRef
  active: boolean
  autostart: boolean
  /** The next start's document. */
  inactive: string
  /** The running network's document. */
  live?: string
  bridge?: string
  /** The host shows a running network's live document only: `inactive` then repeats it, and what is staged is not known. */
  stagedUnreadable?: boolean
}
export interface ObservedPool { kind: 'pool'; ref: StoragePoolRef; active: boolean; autostart: boolean; xml: string; info: StoragePoolInfo; path?: string }
/** Sizes in bytes. `format` is what libvirt's probe says: a guest may have written it. */
export interface ObservedVolume { kind: 'volume'; ref: StorageVolRef; poolUUID: string; path: string; key: string; type: string; format: string; capacity: number; allocation: number; backing?: string; xml: string }
export type Observed = ObservedDomain | ObservedNetwork | ObservedPool | ObservedVolume

/** True while a process of the host stands behind the domain, paused and crashed ones included. */
export const isActive = (domain: ObservedDomain): boolean => domain.live !== undefined

/** True while the host takes a guest down that has no process any more: why it ended is told when the host is done, with an event. */
export const isEnding = (domain: Pick<ObservedDomain, 'live' | 'state'>): boolean => domain.live === undefined && domain.state !== DomainState.Shutoff && domain.state !== DomainState.Crashed && domain.state !== DomainState.NoState

const lower = (text: string | undefined): string | undefined => text?.toLowerCase()

export function diskFacts(domain: XmlElement): DiskFacts[] {
  return childrenOf(childOf(domain, 'devices'), 'disk').map(disk => {
    const source = childOf(disk, 'source')
    const backing: string[] = []
    for (let at = childOf(disk, 'backingStore'); at !== undefined; at = childOf(at, 'backingStore')) {
      const from = childOf(at, 'source')
      const path = attributeOf(from, 'file') ?? attributeOf(from, 'dev')
      if (path !== undefined) backing.push(path)
    }
    return {
      target: attributeOf(childOf(disk, 'target'), 'dev') ?? '',
      device: disk.attributes.device ?? 'disk',
      alias: attributeOf(childOf(disk, 'alias'), 'name'),
      source: attributeOf(source, 'file') ?? attributeOf(source, 'dev'),
      pool: attributeOf(source, 'pool'),
      volume: attributeOf(source, 'volume'),
      backing,
      readOnly: childOf(disk, 'readonly') !== undefined,
    }
  })
}

const BOOT_FILES = ['kernel', 'initrd', 'dtb', 'loader', 'nvram'] as const

export function bootFiles(domain: XmlElement): string[] {
  const os = childOf(domain, 'os')
  const nvram = childOf(os, 'nvram')
  const source = childOf(nvram, 'source')
  return [...BOOT_FILES.map(name => textOf(childOf(os, name)).trim()), attributeOf(nvram, 'template'), attributeOf(source, 'file'), attributeOf(source, 'dev')].filter((path): path is string => path !== undefined && path !== '')
}

export function interfaceFacts(domain: XmlElement): InterfaceFacts[] {
  return childrenOf(childOf(domain, 'devices'), 'interface').map(nic => {
    const source = childOf(nic, 'source')
    return {
      mac: lower(attributeOf(childOf(nic, 'mac'), 'address')) ?? '',
      type: nic.attributes.type ?? '',
      network: attributeOf(source, 'network'),
      bridge: attributeOf(source, 'bridge'),
      target: attributeOf(childOf(nic, 'target'), 'dev'),
      alias: attributeOf(childOf(nic, 'alias'), 'name'),
    }
  })
}

/** True while the guest agent holds its end of the channel open. */
export const agentConnected = (live: XmlElement | undefined): boolean =>
  childrenOf(childOf(live, 'devices'), 'channel').some(channel => attributeOf(childOf(channel, 'target'), 'name') === 'org.qemu.guest_agent.0' && attributeOf(childOf(channel, 'target'), 'state') === 'connected')

/** Sizes of libvirt's documents carry a unit; without one they are bytes (or KiB for memory: `base`). */
export function bytesOf(element: XmlElement | undefined, base = 'bytes'): number {
  if (element === undefined) return 0
  const scale: Record<string, number> = {
    b: 1, bytes: 1, k: 1024, KiB: 1024, KB: 1000, M: 2 ** 20, MiB: 2 ** 20, MB: 1e6, G: 2 ** 30, GiB: 2 ** 30, GB: 1e9, T: 2 ** 40, TiB: 2 ** 40, TB: 1e12,
  }
  return Number(textOf(element).trim()) * (scale[element.attributes.unit ?? base] ?? 1)
}

export function volumeFrom(ref: StorageVolRef, poolUUID: string, xml: string): ObservedVolume {
  const volume = parseXml(xml)
  const target = childOf(volume, 'target')
  return {
    kind: 'volume',
    ref,
    poolUUID,
    path: textOf(childOf(target, 'path')),
    key: textOf(childOf(volume, 'key')) || ref.key,
    type: volume.attributes.type ?? 'file',
    format: attributeOf(childOf(target, 'format'), 'type') ?? 'raw',
    capacity: bytesOf(childOf(volume, 'capacity')),
    allocation: bytesOf(childOf(volume, 'allocation')),
    backing: textOf(childOf(volume, 'backingStore', 'path')) || undefined,
    xml,
  }
}

