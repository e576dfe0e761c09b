// What the in-memory host says about itself: a node, and the guests that it could run.

import type { NodeInfo } from '../driver.ts'
import { el, serializeXml } from '../../xml/tree.ts'
import { uuidFrom } from './values.ts'

/** libvirt's version whose behaviour this driver has: major * 1,000,000 + minor * 1,000 + release. */
export const LIB_VERSION = 9_000_000
/** The version that libvirt's own test driver gives itself. */
export const DRIVER_VERSION = 2
/** The most that a domain may have. */
export const MAX_VCPUS = 255
/** As in libvirt's test driver: memory in KiB. */
export const node: NodeInfo = { model: 'x86_64', memory: 64 * 1024 * 1024, cpus: 16, mhz: 1400, nodes: 2, sockets: 1, cores: 8, threads: 1 }

const EMULATOR = '/usr/bin/test-hv'
const machines = ['pc', 'q35']

/** The same for a host of the same name, in every process: whoever pins its host finds it again. */
const hostUUID = (name: string): string => uuidFrom(`vireo test host ${name}`)

export function capabilities(name: string): string {
  const guest = (arch: string, wordsize: number): ReturnType<typeof el> => el('guest', {},
    el('os_type', {}, 'hvm'),
    el('arch', { name: arch }, el('wordsize', {}, wordsize), el('emulator', {}, EMULATOR), machines.map(machine => el('machine', { maxCpus: MAX_VCPUS }, machine)), el('domain', { type: 'test' })),
    el('features', {}, el('acpi', { default: 'on', toggle: 'yes' }), el('apic', { default: 'on', toggle: 'no' })))
  return serializeXml(el('capabilities', {},
    el('host', {},
      el('uuid', {}, hostUUID(name)),
      el('cpu', {}, el('arch', {}, node.model), el('topology', { sockets: node.sockets, dies: 1, cores: node.cores, threads: node.threads })),
      el('topology', {}, el('cells', { num: node.nodes }, Array.from({ length: node.nodes }, (_, id) => el('cell', { id }, el('memory', { unit: 'KiB' }, node.memory / node.nodes), el('cpus', { num: node.cpus / node.nodes }))))),
      el('secmodel', {}, el('model', {}, 'testSecurity'), el('doi'))),
    guest('x86_64', 64), guest('i686', 32)))
}

export function domainCapabilities(arch: string, machine: string): string {
  const values = (name: string, ...all: string[]): ReturnType<typeof el> => el('enum', { name }, all.map(value => el('value', {}, value)))
  return serializeXml(el('domainCapabilities', {},
    el('path', {}, EMULATOR), el('domain', {}, 'test'), el('machine', {}, machine), el('arch', {}, arch), el('vcpu', { max: MAX_VCPUS }),
    el('os', { supported: 'yes' }, values('firmware'), el('loader', { supported: 'no' })),
    el('cpu', {}, el('mode', { name: 'host-passthrough', supported: 'no' }), el('mode', { name: 'host-model', supported: 'no' }), el('mode', { name: 'custom', supported: 'no' })),
    el('devices', {},
      el('disk', { supported: 'yes' }, values('diskDevice', 'disk', 'cdrom', 'floppy', 'lun'), values('bus', 'ide', 'fdc', 'scsi', 'virtio', 'usb', 'sata'), values('model', 'virtio')),
      el('graphics', { supported: 'yes' }, values('type', 'vnc', 'spice')),
      el('video', { supported: 'yes' }, values('modelType', 'vga', 'cirrus', 'virtio', 'qxl', 'none')),
      el('rng', { supported: 'yes' }, values('model', 'virtio'), values('backendModel', 'random', 'builtin'))),
    el('features', {})))
}
