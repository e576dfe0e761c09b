// Turns a domain document into the definition that the host keeps: refuses what libvirt refuses, and fills in what libvirt fills in.

import { ErrorNumber } from '../../errors.ts'
import { attributeOf, childOf, childrenOf, el, elementsOf, textOf, type XmlElement } from '../../../xml/tree.ts'
import { StoredDocument, readRoot, type Document } from '../document.ts'
import { From, Refusal, badXml, internal, unsupportedConfig } from '../refusal.ts'
import { kibOf, putAfter, removeChildren, setText, uuidOf } from '../values.ts'
import { checkAliases, completeDevice, isDevice, isOwnAlias, sourceOf } from './device.ts'

/** What is asked often, kept beside the text. Memory in KiB. */
export interface Sizes { maxMemory: number; memory: number; maxVcpus: number; vcpus: number }
/** What statistics and addresses need of the devices. */
export interface Parts { disks: { target: string; path: string | undefined; type: string }[]; interfaces: { target: string | undefined; mac: string; network: string | undefined; type: string }[]; agent: boolean }

export interface DomainDocument extends Document {
  readonly sizes: Sizes
  readonly parts: Parts
}

export class StoredDomain extends StoredDocument implements DomainDocument {
  readonly sizes: Sizes
  #parts: Parts | undefined

  constructor(tree: XmlElement) {
    super(tree)
    this.sizes = sizesOf(tree)
  }

  get parts(): Parts {
    return this.#parts ??= partsOf(this.tree)
  }
}

const domainTypes = ['qemu', 'kvm', 'xen', 'lxc', 'test', 'vmware', 'hyperv', 'vbox', 'vz', 'bhyve', 'openvz', 'parallels', 'hvf']
const known = new Set([
  'name', 'uuid', 'genid', 'title', 'description', 'metadata', 'maxMemory', 'memory', 'currentMemory', 'blkiotune', 'memtune', 'memoryBacking', 'vcpu', 'vcpus', 'iothreads', 'iothreadids',
  'defaultiothread', 'cputune', 'numatune', 'resource', 'fibrechannel', 'sysinfo', 'bootloader', 'bootloader_args', 'os', 'idmap', 'features', 'cpu', 'clock', 'on_poweroff', 'on_reboot',
  'on_crash', 'on_lockfailure', 'pm', 'perf', 'devices', 'seclabel', 'keywrap', 'launchSecurity',
])
/** Children of <domain> that come before the one named, in libvirt's order. */
const before = (name: string): string[] => order.slice(0, order.indexOf(name))
const order = ['name', 'uuid', 'title', 'description', 'metadata', 'maxMemory', 'memory', 'currentMemory', 'memtune', 'memoryBacking', 'blkiotune', 'vcpu', 'vcpus', 'iothreads', 'cputune', 'numatune', 'resource', 'sysinfo', 'os', 'features', 'cpu', 'clock', 'on_poweroff', 'on_reboot', 'on_crash', 'pm', 'perf', 'devices']

const actions: Record<string, readonly string[]> = {
  on_poweroff: ['destroy', 'restart', 'preserve', 'rename-restart'],
  on_reboot: ['destroy', 'restart', 'preserve', 'rename-restart'],
  on_crash: ['destroy', 'restart', 'preserve', 'rename-restart', 'coredump-destroy', 'coredump-restart'],
}
const actionDefaults: Record<string, string> = { on_poweroff: 'destroy', on_reboot: 'restart', on_crash: 'destroy' }

/** Rejects with libvirt's own codes. */
export function readDomain(text: string, validate = false): { name: string; uuid: string; document: DomainDocument } {
  const tree = readRoot(text, 'domain', 'domain_definition', From.DOMAIN)
  return completeDomain(tree, validate)
}

/** The tree becomes the document's own. */
export function completeDomain(tree: XmlElement, validate = false): { name: string; uuid: string; document: DomainDocument } {
  checkType(tree)
  const name = nameOf(tree)
  if (validate) checkSchema(tree)
  removeChildren(tree, child => !known.has(child.name))
  delete tree.attributes.id
  const uuid = uuidOf(tree, From.DOMAIN)
  if (/\n/.test(textOf(childOf(tree, 'title')))) throw badXml("Domain title can't contain newlines")
  completeMemory(tree)
  completeVcpus(tree)
  completeOS(tree)
  if (childOf(tree, 'clock') === undefined) putAfter(tree, el('clock', { offset: 'utc' }), before('clock'))
  for (const [event, fallback] of Object.entries(actionDefaults)) {
    const found = childOf(tree, event)
    if (found === undefined) putAfter(tree, el(event, {}, fallback), before(event))
    else if (!actions[event]!.includes(textOf(found))) throw unsupportedConfig(`unknown ${event} action: ${textOf(found)}`)
  }
  completeDevices(tree)
  return { name, uuid, document: new StoredDomain(tree) }
}

function checkType(tree: XmlElement): void {
  const type = attributeOf(tree, 'type')
  if (type === undefined) throw internal('missing domain type attribute', From.DOMAIN)
  if (!domainTypes.includes(type)) throw unsupportedConfig(`invalid domain type ${type}`)
  if (type !== 'test') throw unsupportedConfig(`could not find capabilities for domaintype=${type}`)
}

function nameOf(tree: XmlElement): string {
  const name = textOf(childOf(tree, 'name'))
  if (name === '') throw new Refusal(ErrorNumber.NO_NAME, From.DOMAIN, 'missing name information')
  if (name.includes('/')) throw badXml(`name ${name} cannot contain '/'`)
  if (name.includes('\n')) throw new Refusal(ErrorNumber.XML_DETAIL, From.XML, 'invalid char in name: \n')
  return name
}

function checkSchema(tree: XmlElement): void {
  const stray = elementsOf(tree).find(child => !known.has(child.name)) ?? elementsOf(childOf(tree, 'devices') ?? tree).find(child => childOf(tree, 'devices') !== undefined && !isDevice(child.name))
  if (stray !== undefined) throw new Refusal(ErrorNumber.XML_INVALID_SCHEMA, From.XML, `XML document failed to validate against schema: Element domain has extra content: ${stray.name}`)
}

function completeMemory(tree: XmlElement): void {
  const memory = childOf(tree, 'memory')
  const kib = memory === undefined ? 0 : kibOf(memory)
  if (memory === undefined || kib === 0) throw badXml('Memory size must be specified via <memory> or in the <numa> configuration')
  const current = childOf(tree, 'currentMemory')
  setKiB(tree, 'memory', kib)
  setKiB(tree, 'currentMemory', current === undefined ? kib : Math.min(kibOf(current), kib) || kib)
}

/** Writes a size as libvirt does. */
export function setKiB(tree: XmlElement, name: 'memory' | 'currentMemory', kib: number): void {
  setText(tree, name, String(kib), before(name))
  childOf(tree, name)!.attributes = { ...childOf(tree, name)!.attributes, unit: 'KiB' }
}

function completeVcpus(tree: XmlElement): void {
  const vcpu = childOf(tree, 'vcpu')
  if (vcpu === undefined) {
    putAfter(tree, el('vcpu', { placement: 'static' }, '1'), before('vcpu'))
    return
  }
  const text = textOf(vcpu).trim() || '1'
  const current = attributeOf(vcpu, 'current') ?? text
  if (!/^\d+$/.test(text)) throw badXml('maximum vcpus count must be an integer')
  if (!/^\d+$/.test(current)) throw badXml('current vcpus count must be an integer')
  if (Number(text) === 0 || Number(current) === 0) throw internal('CPU IDs in <numa> exceed the <vcpu> count', From.DOMAIN)
  if (Number(current) > Number(text)) throw unsupportedConfig('maximum vCPU count must not be less than current vCPU count')
  setVcpus(tree, Number(text), Number(current))
}

export function setVcpus(tree: XmlElement, maximum: number, current: number): void {
  const vcpu = childOf(tree, 'vcpu')!
  const { current: _, placement = 'static', ...rest } = vcpu.attributes
  vcpu.attributes = { placement, ...rest, ...(current === maximum ? {} : { current: String(current) }) }
  vcpu.children = [String(maximum)]
}

function completeOS(tree: XmlElement): void {
  const os = childOf(tree, 'os')
  const type = childOf(os, 'type')
  if (os === undefined || type === undefined || textOf(type) === '') throw badXml('an os <type> must be specified')
  if (!['hvm', 'xen'].includes(textOf(type))) throw unsupportedConfig(`unknown OS type '${textOf(type)}'`)
  const arch = attributeOf(type, 'arch')
  if (arch !== undefined && !['x86_64', 'i686'].includes(arch)) throw unsupportedConfig(['aarch64', 'armv7l', 'ppc64', 'ppc64le', 's390x', 'riscv64'].includes(arch) ? `could not find capabilities for arch=${arch}` : `Unknown architecture ${arch}`)
  type.attributes = { arch: arch ?? 'x86_64', ...type.attributes }
  const perDevice = elementsOf(childOf(tree, 'devices') ?? el('devices')).some(device => childOf(device, 'boot') !== undefined)
  if (childOf(os, 'boot') === undefined && !perDevice) os.children.push(el('boot', { dev: 'hd' }))
}

function completeDevices(tree: XmlElement): void {
  const devices = childOf(tree, 'devices')
  if (devices === undefined) {
    tree.children.push(el('devices'))
    return
  }
  removeChildren(devices, child => !isDevice(child.name))
  for (const device of elementsOf(devices)) {
    removeChildren(device, child => child.name === 'alias' && !isOwnAlias(attributeOf(child, 'name') ?? ''))
    completeDevice(device)
  }
  checkTargets(devices)
  checkAliases(devices)
}

function checkTargets(devices: XmlElement): void {
  const disks = new Map<string, XmlElement>()
  for (const disk of childrenOf(devices, 'disk')) {
    const target = attributeOf(childOf(disk, 'target'), 'dev') ?? ''
    const other = disks.get(target)
    if (other !== undefined) throw badXml(`target '${target}' duplicated for disk sources '${sourceOf(other) ?? '(null)'}' and '${sourceOf(disk) ?? '(null)'}'`)
    disks.set(target, disk)
  }
}

function sizesOf(tree: XmlElement): Sizes {
  const maxVcpus = Number(textOf(childOf(tree, 'vcpu')))
  return {
    maxMemory: Number(textOf(childOf(tree, 'memory'))), memory: Number(textOf(childOf(tree, 'currentMemory'))),
    maxVcpus, vcpus: Number(attributeOf(childOf(tree, 'vcpu'), 'current') ?? maxVcpus),
  }
}

export function partsOf(tree: XmlElement): Parts {
  const devices = childOf(tree, 'devices')
  return {
    disks: childrenOf(devices, 'disk').map(disk => ({ target: attributeOf(childOf(disk, 'target'), 'dev') ?? '', path: sourceOf(disk), type: attributeOf(disk, 'type') ?? '' })),
    interfaces: childrenOf(devices, 'interface').map(nic => ({
      target: attributeOf(childOf(nic, 'target'), 'dev'), mac: attributeOf(childOf(nic, 'mac'), 'address') ?? '',
      network: attributeOf(childOf(nic, 'source'), 'network'), type: attributeOf(nic, 'type') ?? '',
    })),
    agent: childrenOf(devices, 'channel').some(channel => attributeOf(childOf(channel, 'target'), 'name') === 'org.qemu.guest_agent.0'),
  }
}
