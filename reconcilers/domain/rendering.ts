// What rendering a domain looks at, and what follows from it for the whole document: platform, sizes. Pure.

import { parseQuantity } from '../../crds/quantity.ts'
import type { VirtualDomainSpec } from '../../crds/virtualdomain.ts'
import type { XmlElement } from '../../xml/tree.ts'
import type { GuestCapability } from '../capabilities.ts'

/** Where a disk's bytes are. The format is our own record; the backing chain is always written out, so that nothing is probed. */
export interface VolumeSource { type: 'file' | 'block'; path: string; format: string; backing: { type: 'file' | 'block'; path: string; format: string }[] }

export interface Rendering {
  name: string
  uuid: string
  spec: VirtualDomainSpec
  /** libvirt's driver name: QEMU, Test, LXC … */
  driver: string
  guests: GuestCapability[]
  arch: string | undefined
  /** Volumes behind disks, by the disk's name. */
  volumes: ReadonlyMap<string, VolumeSource>
  /** libvirt's names of networks, by the interface's name. */
  networks: ReadonlyMap<string, string>
  /** Paths of kernel and initrd. */
  kernel?: string
  initrd?: string
  /** Passwords of displays, by the display's name. */
  passwords: ReadonlyMap<string, string>
  /** Path of the cloud-init seed. */
  seed?: string
  /** The document rendered last: targets chosen then are kept for life. */
  applied?: XmlElement
  /** The domain stands on the host already and is not of our making. */
  foreign?: boolean
  /** Type and machine of an adopted domain: where the spec names none it keeps them. */
  kept?: { type?: string; machine?: string }
}

export const isQemu = (driver: string): boolean => driver === 'QEMU'
const kib = (bytes: number): number => Math.ceil(bytes / 1024)
export const memoryKiB = (spec: VirtualDomainSpec): number => kib(Number(parseQuantity(spec.memory ?? '1Mi')))
export const maxMemoryKiB = (spec: VirtualDomainSpec): number => (spec.maxMemory === undefined ? memoryKiB(spec) : kib(Number(parseQuantity(spec.maxMemory))))
export const cpusOf = (spec: VirtualDomainSpec): number => spec.cpus ?? 1
export const maxCpusOf = (spec: VirtualDomainSpec): number => spec.maxCpus ?? cpusOf(spec)

/** What the host offers for a spec: domain type, architecture, machine. */
export interface Platform { type: string; arch?: string; machine?: string }

const DRIVER_TYPES: Record<string, string> = { Test: 'test', TEST: 'test', LXC: 'lxc', Xen: 'xen', ESX: 'vmware', VMware: 'vmware', OPENVZ: 'openvz', 'Hyper-V': 'hyperv' }

export function platformOf({ spec, driver, guests, arch: hostArch, kept }: Rendering): Platform {
  if (driver === 'ESX' || driver === 'VMware') return { type: spec.type ?? 'vmware', arch: spec.os?.arch ?? hostArch ?? 'x86_64' }
  if (!isQemu(driver)) return { type: spec.type ?? DRIVER_TYPES[driver] ?? driver.toLowerCase(), arch: spec.os?.arch, machine: spec.os?.machine }
  const arch = spec.os?.arch ?? hostArch ?? guests[0]?.arch
  const guest = guests.find(candidate => candidate.arch === arch && candidate.osType === 'hvm')
  const type = spec.type ?? kept?.type ?? (guest?.types.includes('kvm') ? 'kvm' : 'qemu')
  const machine = spec.os?.machine ?? kept?.machine ?? ['q35', 'virt', 'pc'].find(name => guest?.machines.includes(name))
  return { type, arch, machine }
}
