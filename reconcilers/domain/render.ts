// Renders a VirtualDomain: spec and resolved references in, the wanted domain document out. Pure.

import { parseDuration } from '../../crds/duration.ts'
import type { VirtualDomainSpec } from '../../crds/virtualdomain.ts'
import { type XmlElement, childOf, childrenOf, el } from '../../xml/tree.ts'
import { renderDevices } from './devices.ts'
import { type Platform, type Rendering, cpusOf, isQemu, maxCpusOf, maxMemoryKiB, memoryKiB, platformOf } from './rendering.ts'

const isX86 = (arch: string | undefined): boolean => arch === 'x86_64' || arch === 'i686'

/** A whole machine where the host offers one for this type of domain; else what it offers: a container, a paravirtual guest. */
function osTypeOf({ guests }: Rendering, platform: Platform): string {
  const offered = guests.filter(guest => guest.types.includes(platform.type)).map(guest => guest.osType)
  return offered.includes('hvm') ? 'hvm' : offered[0] ?? 'hvm'
}

function renderOs(rendering: Rendering, platform: Platform): XmlElement {
  const { spec, driver } = rendering
  const os = spec.os ?? {}
  const uefi = os.firmware?.uefi ?? (isQemu(driver) && platform.machine?.startsWith('virt') && os.firmware?.bios === undefined ? {} : undefined)
  const anyOrder = [...spec.disks ?? [], ...spec.interfaces ?? []].some(device => device.bootOrder !== undefined)
  const secure = uefi?.secureBoot
  const timeout = os.bootMenu?.timeout
  return el('os', { firmware: uefi !== undefined && uefi.loader === undefined ? 'efi' : undefined },
    el('type', { arch: platform.arch, machine: platform.machine }, osTypeOf(rendering, platform)),
    secure !== undefined && el('firmware', {},
      el('feature', { enabled: secure === 'Enabled' ? 'yes' : 'no', name: 'secure-boot' }),
      secure === 'Enabled' && el('feature', { enabled: 'yes', name: 'enrolled-keys' })),
    uefi?.loader !== undefined && el('loader', { readonly: 'yes', type: 'pflash', secure: secure === 'Enabled' ? 'yes' : undefined }, uefi.loader),
    uefi?.nvram !== undefined && el('nvram', { template: uefi.nvram.template }, uefi.nvram.path),
    rendering.kernel !== undefined && el('kernel', {}, rendering.kernel),
    rendering.initrd !== undefined && el('initrd', {}, rendering.initrd),
    os.kernelBoot?.cmdline !== undefined && el('cmdline', {}, os.kernelBoot.cmdline),
    isQemu(driver) && !anyOrder && [el('boot', { dev: 'hd' }), el('boot', { dev: 'cdrom' })],
    os.bootMenu !== undefined && el('bootmenu', { enable: os.bootMenu.state === 'Enabled' ? 'yes' : 'no', timeout: timeout === undefined ? undefined : Math.round(parseDuration(timeout)) }),
  )
}

function renderCpu(spec: VirtualDomainSpec, platform: Platform): XmlElement | undefined {
  const { cpu } = spec
  const mode = cpu?.mode ?? (platform.type === 'kvm' ? 'host-model' : undefined)
  if (mode === undefined && cpu?.topology === undefined && !cpu?.features?.length) return undefined
  const topology = cpu?.topology
  return el('cpu', { mode: mode ?? (cpu?.features?.length ? 'maximum' : undefined) },
    cpu?.model !== undefined && el('model', {}, cpu.model),
    topology !== undefined && el('topology', { sockets: topology.sockets ?? 1, dies: topology.dies ?? 1, cores: topology.cores ?? 1, threads: topology.threads ?? 1 }),
    (cpu?.features ?? []).map(feature => el('feature', { policy: feature.policy, name: feature.name })),
  )
}

/** The whole wanted document, metadata left out. Secrets are in it: it never leaves the process but to the host. */
export function renderDomain(rendering: Rendering): XmlElement {
  const { spec, driver } = rendering
  const platform = platformOf(rendering)
  const cpus = cpusOf(spec)
  const maxCpus = maxCpusOf(spec)
  return el('domain', { type: platform.type },
    el('name', {}, rendering.name),
    el('uuid', {}, rendering.uuid),
    spec.title !== undefined && el('title', {}, spec.title),
    spec.description !== undefined && el('description', {}, spec.description),
    el('memory', { unit: 'KiB' }, maxMemoryKiB(spec)),
    el('currentMemory', { unit: 'KiB' }, memoryKiB(spec)),
    el('vcpu', { current: cpus < maxCpus ? cpus : undefined }, maxCpus),
    renderOs(rendering, platform),
    isQemu(driver) && isX86(platform.arch) && el('features', {}, el('acpi'), el('apic')),
    renderCpu(spec, platform),
    el('clock', { offset: 'utc' }),
    spec.lifecycle?.onPoweroff !== undefined && el('on_poweroff', {}, spec.lifecycle.onPoweroff),
    spec.lifecycle?.onReboot !== undefined && el('on_reboot', {}, spec.lifecycle.onReboot),
    spec.lifecycle?.onCrash !== undefined && el('on_crash', {}, spec.lifecycle.onCrash),
    el('devices', {}, renderDevices(rendering, platform)),
  )
}

/** Paths of changes, and texts of elements, that hold a secret: passwords of displays, cookies of disks on the web. */
export const isSecret = (path: string): boolean => /@passwd|\/cookies?([/[@#]|$)/.test(path)
export const holdsSecret = (text: string): boolean => /passwd|<cookie/.test(text)

/** A copy without secrets: what is kept in the metadata and may be shown. That there is one is kept, so that it can be taken away. */
export function withoutSecrets(document: XmlElement): XmlElement {
  const { passwd, ...attributes } = document.attributes
  if (document.name === 'cookie') return { ...document, children: ['***'] }
  return {
    name: document.name,
    attributes: document.name === 'graphics' && passwd !== undefined ? { ...attributes, passwd: '***' } : document.attributes,
    children: document.children.map(child => (typeof child === 'string' ? child : withoutSecrets(child))),
  }
}

/** The device of an entry in a document, by its user alias or what else tells it apart. */
export const devicesOf = (document: XmlElement | undefined, name: string): XmlElement[] => childrenOf(childOf(document, 'devices'), name)
