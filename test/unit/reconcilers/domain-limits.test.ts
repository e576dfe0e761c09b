// Domains on drivers that keep no metadata, and on those that cannot define anew: ESX, VMware, OpenVZ.

import { describe, expect, test } from 'vitest'
import { type XmlElement, attributeOf, childOf, childrenOf, el, parseXml, serializeXml } from '../../../xml/tree.ts'
import { Bed, type Spec, UUID, refusal, types } from './domain-bed.ts'

const SPEC: Spec = { memory: '1Gi', disks: [{ name: 'root', volumeRef: { name: 'web-root' } }] }

/** A host that keeps what its driver can express, and no more. */
class ForgetfulBed extends Bed {
  override define(xml: string): void {
    super.define(serializeXml(kept(parseXml(xml))))
  }
}
const kept = (document: XmlElement): XmlElement => ({ ...document, children: document.children.filter(child => typeof child === 'string' || !['metadata', 'clock'].includes(child.name)) })

const settled = (driver: string, spec: Spec = SPEC): ForgetfulBed => {
  const bed = new ForgetfulBed({ driver, spec })
  bed.settle()
  return bed
}
const unbound = (bed: Bed): Bed => {
  bed.object = { ...bed.object, status: undefined }
  return bed
}

describe.each(['ESX', 'VMware', 'OpenVZ'])('on %s a domain without a mark', (driver) => {
  test('is defined once and started, and then is as the spec says', () => {
    const bed = new ForgetfulBed({ driver, spec: SPEC })
    expect(types(bed.settle())).toEqual(['Defined', 'Started'])
    expect(bed.plan()).toMatchObject({ standing: { reason: 'Available' }, drift: [] })
  })

  test('is ours by its UUID once its creation was begun: a crash before the status was written costs nothing', () => {
    expect(unbound(settled(driver)).plan()).toMatchObject({ actions: [], standing: { reason: 'Available' } })
  })

  test('is what an object of this name left behind where nothing was begun', () => {
    const bed = unbound(settled(driver))
    bed.object = { ...bed.object, metadata: { ...bed.object.metadata, finalizers: [] } }
    expect(refusal(bed)).toMatchObject({ reason: 'Conflict' })
  })

  test('of another UUID is foreign', () => {
    const bed = new ForgetfulBed({ driver, spec: SPEC })
    bed.host(parseXml(`<domain type='vmware'><name>shop.web</name><uuid>${UUID.replace(/^./, 'f')}</uuid><os><type>hvm</type></os><devices/></domain>`))
    expect(refusal(bed)).toMatchObject({ reason: 'Conflict' })
  })

  test('that is to stay is left without a word to the host', () => {
    expect(settled(driver, { ...SPEC, powerState: 'Stopped', deletionPolicy: 'Retain' }).delete().plan()).toMatchObject({ actions: [], gone: true })
  })
})

test('the same on a driver that does keep metadata is a conflict', () => {
  const bed = unbound(settled('VMware'))
  bed.world.host('kvm7')!.facts!.driver = 'Xen'
  expect(refusal(bed)).toMatchObject({ reason: 'Conflict' })
})

describe('a change of the spec', () => {
  const stopped: Spec = { ...SPEC, powerState: 'Stopped' }

  test.each(['ESX', 'OpenVZ'])('is Unsupported at once on %s, with the driver and the field', (driver) => {
    const bed = settled(driver, stopped).edit(spec => { spec.memory = '2Gi' })
    expect(bed.plan()).toMatchObject({ actions: [], standing: { reason: 'Unsupported', message: `Hypervisor kvm7 (driver ${driver}) cannot change the configuration of a domain that exists; it differs in maxMemory, memory. Write these as they are on the host, or delete the object and create it again.` } })
  })

  test('taken back, all is well again', () => {
    const bed = settled('ESX', stopped).edit(spec => { spec.memory = '2Gi' }).edit(spec => { spec.memory = '1Gi' })
    expect(bed.plan()).toMatchObject({ actions: [], standing: { reason: 'Stopped' } })
  })

  test('that adds a device is one, although what the driver drops of a device is none', () => {
    const bed = settled('ESX', stopped).edit(spec => { spec.disks!.push({ name: 'data', volumeRef: { name: 'scratch' } }) })
    expect(bed.plan()).toMatchObject({ actions: [], standing: { reason: 'Unsupported', message: expect.stringContaining('disk') } })
  })

  test('promises nothing there that a cold start would not bring', () => {
    const bed = settled('ESX').edit(spec => { spec.memory = '2Gi' })
    bed.plan()
    expect(bed.plan()).toMatchObject({ pending: [], restartRequired: false })
  })

  test('waits on VMware while the guest runs, and is defined once it is off', () => {
    const bed = settled('VMware').edit(spec => { spec.maxCpus = 2 })
    expect(bed.plan()).toMatchObject({ actions: [], standing: { reason: 'Available' }, restartRequired: true, pending: [{ path: 'maxCpus', current: '1', desired: '2', apply: 'ColdStart' }] })
    bed.power(5, 0)
    expect(types(bed.settle())).toEqual(['Defined', 'Started'])
    expect(bed.plan()).toMatchObject({ actions: [], pending: [], restartRequired: false })
  })

  test('is defined on VMware, which takes it', () => {
    const bed = settled('VMware', stopped).edit(spec => { spec.memory = '2Gi' })
    expect(types(bed.settle())).toEqual(['Defined'])
    expect(bed.plan()).toMatchObject({ actions: [], standing: { reason: 'Stopped' } })
  })

  test('a guest that is cut off there is started again all the same', () => {
    const bed = settled('ESX').edit(spec => { spec.maxMemory = '2Gi' })
    bed.power(5, 0)
    expect(types(bed.plan().actions)).toEqual(['Started'])
  })
})

test('a configuration that was changed on the host is drift, reported where it is not to be repaired', () => {
  const bed = settled('VMware', { ...SPEC, powerState: 'Stopped', driftPolicy: { action: 'Report' } })
  bed.byHand(document => { childOf(document, 'memory')!.children = ['524288'] })
  expect(bed.plan()).toMatchObject({ actions: [], drift: [{ path: 'maxMemory' }] })
})

test('OpenVZ tells no memory after a reconnect: that is no drift', () => {
  const bed = settled('OpenVZ', { ...SPEC, powerState: 'Stopped' })
  bed.byHand(document => { for (const name of ['memory', 'currentMemory']) childOf(document, name)!.children = ['0'] })
  expect(bed.plan()).toMatchObject({ actions: [], drift: [], standing: { reason: 'Stopped' } })
})

describe('what is rendered', () => {
  const defined = (driver: string, capabilities: string): XmlElement => {
    const bed = new Bed({ driver, spec: SPEC })
    bed.world.host('kvm7')!.facts!.capabilities = capabilities
    const action = bed.plan().actions.find(({ type }) => type === 'Defined')
    return parseXml(action !== undefined && 'xml' in action ? action.xml : '')
  }
  const offering = (osType: string, type: string): string => serializeXml(el('capabilities', {}, el('guest', {}, el('os_type', {}, osType), el('arch', { name: 'x86_64' }, el('domain', { type })))))

  test.each([['LXC', 'exe', 'lxc'], ['OpenVZ', 'exe', 'openvz'], ['ESX', 'hvm', 'vmware'], ['Xen', 'xen', 'xen']])('%s has a guest of type %s', (driver, osType, type) => {
    const document = defined(driver, offering(osType, type))
    expect(document.attributes.type).toBe(type)
    expect(childOf(document, 'os', 'type')!.children).toEqual([osType])
  })

  test('a console that an overlay adds is the one that the host numbered', () => {
    const bed = new Bed({ driver: 'LXC', spec: { memory: '1Gi', xml: `<devices><console type='pty'/></devices>` } })
    bed.settle()
    bed.byHand(document => { childrenOf(childOf(document, 'devices'), 'console')[0]!.children.push(el('target', { type: 'lxc', port: 0 })) }, 'both')
    expect(bed.plan()).toMatchObject({ actions: [], standing: { reason: 'Available' } })
  })

  test('a machine of VMware\'s is one of 64 bits, although the host describes none', () => {
    expect(childOf(defined('VMware', '<capabilities/>'), 'os', 'type')!.attributes.arch).toBe('x86_64')
  })

  test('a disk is shown in the status, although no name of ours stands in the domain', () => {
    const bed = settled('ESX')
    expect(bed.status()).toMatchObject({ disks: [{ name: 'root', target: 'sda' }] })
  })

  test('a disk of VMware\'s is on SCSI, which its machines have', () => {
    const [disk] = childrenOf(childOf(defined('ESX', offering('hvm', 'vmware')), 'devices'), 'disk')
    expect([attributeOf(childOf(disk, 'target'), 'bus'), attributeOf(childOf(disk, 'target'), 'dev')]).toEqual(['scsi', 'sda'])
  })
})
