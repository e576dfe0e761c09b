// What is planned for a domain: from nothing to running, through every change of its spec and of its host, to its end.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DomainState } from '../../../drivers/driver.ts'
import type { DomainAction } from '../../../reconcilers/domain/plan.ts'
import { attributeOf, childOf, childrenOf, el, parseFragment, parseXml, textOf } from '../../../xml/tree.ts'
import { Bed, FULL, INSTALLATION, PASSWORD, SHORTEST, type Spec, UUID, refusal, types } from './domain-bed.ts'
import { anySpec } from './domain-specs.ts'

const settled = (spec: Spec = FULL): Bed => {
  const bed = new Bed({ spec })
  bed.settle()
  return bed
}
const xmlOf = (actions: DomainAction[]): string => actions.flatMap(action => ('xml' in action ? [action.xml] : [])).join('\n')
const POWER = ['Started', 'ShutdownRequested', 'PoweredOff', 'Reset', 'Suspended', 'Resumed']

describe('a domain that is not there', () => {
  test('is defined under its computed UUID, marked, and started; what makes it is guarded', () => {
    const bed = new Bed()
    const plan = bed.plan()
    expect(types(plan.actions)).toEqual(['Defined', 'Started'])
    expect(plan.actions.map(action => 'guarded' in action && action.guarded)).toEqual([true, false])
    const document = parseXml(xmlOf(plan.actions))
    expect(textOf(childOf(document, 'uuid'))).toBe(UUID)
    expect(textOf(childOf(document, 'name'))).toBe('shop.web')
    expect(childOf(document, 'metadata', 'vireo:owner')!.attributes).toMatchObject({ installation: INSTALLATION, cluster: 'cluster', namespace: 'shop', name: 'web', uid: 'uid-web', released: 'no' })
  })

  test.each<[string, Partial<Spec>, string[]]>([
    ['Stopped: only defined', { powerState: 'Stopped' }, ['Defined']],
    ['Unmanaged: only defined', { powerState: 'Unmanaged' }, ['Defined']],
    ['Paused: started paused', { powerState: 'Paused' }, ['Defined', 'Started']],
    ['autostart', { autostart: 'Enabled' }, ['Defined', 'AutostartSet', 'Started']],
    ['without autostart', { autostart: 'Disabled' }, ['Defined', 'Started']],
  ])('%s', (_, fields, wanted) => {
    const { actions } = new Bed({ spec: { ...SHORTEST, ...fields } }).plan()
    expect(types(actions)).toEqual(wanted)
    const start = actions.find(action => action.type === 'Started')
    if (start?.type === 'Started') expect(start.paused).toBe(fields.powerState === 'Paused')
  })

  test('that was there is Lost, and nothing is made in its place', () => {
    const bed = settled()
    bed.mirror.remove(`domain/${UUID}`)
    const plan = bed.plan()
    expect(plan).toMatchObject({ actions: [], standing: { reason: 'Lost' } })
    expect(plan.standing.message).toMatch(/shop\.web .*kvm7.*delete this object/)
  })
})

describe('a domain as the spec says', () => {
  test('needs nothing, whatever the spec', () => {
    fc.assert(fc.property(anySpec, spec => {
      expect(settled(spec).plan()).toMatchObject({ actions: [], pending: [], drift: [], restartRequired: false, standing: { reason: 'Available' } })
    }), { numRuns: 25 })
  })

  test('is planned by a pure function: twice the same', () => {
    fc.assert(fc.property(anySpec, anySpec, (spec, next) => {
      const bed = settled(spec)
      bed.edit(old => { for (const key of Object.keys(old)) delete (old as Record<string, unknown>)[key]; Object.assign(old, next) })
      expect(bed.plan()).toEqual(bed.plan())
    }), { numRuns: 10 })
  })
})

describe('a running guest', () => {
  const become = (next: Spec) => (spec: Spec): void => {
    for (const key of Object.keys(spec)) delete (spec as Record<string, unknown>)[key]
    Object.assign(spec, structuredClone(next))
  }

  test('is never restarted, paused or undefined to apply a change, whatever changes', () => {
    fc.assert(fc.property(anySpec, anySpec, (spec, next) => {
      const bed = settled(spec)
      const done = types(bed.edit(become(next)).settle())
      expect(done.filter(type => POWER.includes(type) || type === 'Undefined')).toEqual([])
      expect(bed.observed!.state).toBe(DomainState.Running)
    }), { numRuns: 25 })
  })

  test('has each change in force or listed: at the next cold start nothing is left to do', () => {
    fc.assert(fc.property(anySpec, anySpec, (spec, next) => {
      const bed = settled(spec)
      bed.edit(become(next)).settle()
      bed.power(DomainState.Shutoff, 2)
      expect(types(bed.settle())).toEqual(['Started'])
      expect(bed.plan()).toMatchObject({ actions: [], pending: [], restartRequired: false })
    }), { numRuns: 25 })
  })

  const live: [string, (spec: Spec) => void, string[]][] = [
    ['memory below the maximum', spec => { spec.memory = '1536Mi' }, ['MemorySet']],
    ['CPUs below the maximum', spec => { spec.cpus = 3 }, ['VcpusSet']],
    ['the title', spec => { spec.title = 'Shop' }, ['TitleSet']],
    ['the title taken away', spec => { delete spec.title }, ['TitleSet']],
    ['the description', spec => { spec.description = 'other' }, ['DescriptionSet']],
    ['a link', spec => { spec.interfaces![0]!.linkState = 'down' }, ['DeviceUpdated']],
    ['a link that is no longer spoken of is up', spec => { delete spec.interfaces![1]!.linkState }, ['DeviceUpdated']],
    ['another network', spec => { spec.interfaces![0]!.networkRef = { name: 'dmz' } }, ['DeviceUpdated']],
    ['from a bridge to a network', spec => { spec.interfaces![1] = { name: 'mgmt', networkRef: { name: 'lab' }, linkState: 'down' } }, ['DeviceUpdated']],
    ['a medium', spec => { spec.disks![2]!.file = { path: '/var/lib/vireo/cd.iso', format: 'iso' } }, ['DeviceUpdated']],
    ['a disk more', spec => { spec.disks!.push({ name: 'more', volumeRef: { name: 'scratch' } }) }, ['DeviceAttached']],
    ['a disk less', spec => { spec.disks!.splice(1, 1) }, ['DeviceDetached']],
    ['an interface more', spec => { spec.interfaces!.push({ name: 'third', networkRef: { name: 'lab' } }) }, ['DeviceAttached']],
    ['an interface less', spec => { spec.interfaces!.pop() }, ['DeviceDetached']],
  ]
  test.each(live)('takes %s without a restart', (_, change, wanted) => {
    const bed = settled()
    const plan = bed.edit(change).plan()
    expect(types(plan.actions)).toEqual(['Defined', ...wanted])
    expect(plan).toMatchObject({ pending: [], restartRequired: false })
    bed.settle()
    expect(bed.plan()).toMatchObject({ actions: [], pending: [], standing: { reason: 'Available' } })
  })

  test('a display\'s new password is set live and shown to nobody', () => {
    const bed = settled()
    bed.secrets['web-vnc'] = { password: 'another-secret' }
    const { actions, ...rest } = bed.plan()
    expect(types(actions)).toEqual(['Defined', 'DeviceUpdated'])
    expect(xmlOf(actions)).toContain('another-secret')
    expect(JSON.stringify([rest, actions.map(action => action.reason)])).not.toMatch(/another-secret|correct-horse/)
  })

  const staged: [string, (spec: Spec) => void, string[]][] = [
    ['memory above the maximum', spec => { spec.memory = '4Gi'; spec.maxMemory = '4Gi' }, ['maxMemory', 'memory']],
    ['CPUs above the maximum', spec => { spec.cpus = 8; spec.maxCpus = 8 }, ['cpus', 'maxCpus']],
    ['the CPU model', spec => { spec.cpu = { mode: 'host-passthrough' } }, ['cpu.mode']],
    ['the machine', spec => { spec.os = { machine: 'pc' } }, ['os.machine']],
    ['the firmware', spec => { spec.os = { firmware: { uefi: {} } } }, ['os.firmware']],
    ['a disk\'s bus', spec => { spec.disks![1]!.bus = 'sata' }, ['disks[data].bus']],
    ['a disk\'s cache', spec => { spec.disks![0]!.cache = 'none' }, ['disks[root].cache']],
    ['an interface\'s model', spec => { spec.interfaces![0]!.model = 'e1000e' }, ['interfaces[lan].model']],
    ['an interface\'s MTU', spec => { spec.interfaces![0]!.mtu = 1400 }, ['interfaces[lan].mtu']],
    ['a TPM', spec => { spec.tpm = {} }, ['tpm']],
  ]
  test.each(staged)('keeps %s for the next cold start, and says so by the field\'s name', (_, change, paths) => {
    const bed = settled()
    const done = bed.edit(change).settle()
    expect(types(done).filter(type => POWER.includes(type))).toEqual([])
    expect(types(done)).toContain('Defined')
    const plan = bed.plan()
    expect(plan.actions).toEqual([])
    expect(plan.restartRequired).toBe(true)
    expect(plan.pending.map(change => change.path)).toEqual(expect.arrayContaining(paths))
    expect(plan.pending.every(change => change.apply === 'ColdStart')).toBe(true)
  })

  test('a maximum that nobody set is staged without asking for a restart', () => {
    const bed = settled({ ...SHORTEST, memory: '2Gi' })
    bed.edit(spec => { spec.memory = '1Gi' }).settle()
    expect(bed.plan()).toMatchObject({ pending: [{ path: 'maxMemory' }], restartRequired: false })
  })

  test('devices that others plugged in stay', () => {
    const bed = settled()
    bed.byHand(document => { childOf(document, 'devices')!.children.push(...parseFragment('<disk type="file" device="disk"><source file="/srv/x"/><target dev="vdz" bus="virtio"/></disk><interface type="network"><mac address="52:54:00:ff:ff:ff"/><source network="other"/></interface><hostdev mode="subsystem" type="usb"/><disk type="file" device="disk"><source file="/srv/backup"/><target dev="vdy" bus="virtio"/><alias name="ua-backup"/></disk>')) }, 'both')
    expect(bed.plan()).toMatchObject({ actions: [], pending: [], drift: [] })
    bed.edit(spec => { spec.disks!.pop(); spec.interfaces!.pop() })
    const done = bed.settle()
    expect(done.filter(action => action.type === 'DeviceDetached').map(action => action.reason).join()).not.toMatch(/vdz|ff:ff|backup/)
    for (const document of [bed.inactive, bed.live]) {
      expect(childrenOf(childOf(document, 'devices'), 'disk').map(disk => attributeOf(childOf(disk, 'target'), 'dev'))).toEqual(expect.arrayContaining(['vdz', 'vdy']))
      expect(childOf(document, 'devices', 'hostdev')).toBeDefined()
    }
  })
})

describe('a redefinition', () => {
  test('goes over the same UUID and changes nothing that it was not asked to change', () => {
    const bed = settled()
    bed.byHand(document => {
      document.children.push(el('seclabel', { type: 'dynamic' }))
      childOf(document, 'metadata')!.children.push(el('other:tool', { 'xmlns:other': 'https://other.example', note: 'kept' }))
    })
    const { actions } = bed.edit(spec => { spec.cpu = { mode: 'maximum' } }).plan()
    expect(types(actions)).toEqual(['Defined'])
    const document = parseXml(xmlOf(actions))
    expect(textOf(childOf(document, 'uuid'))).toBe(UUID)
    expect(childOf(document, 'seclabel')).toBeDefined()
    expect(childOf(document, 'metadata', 'other:tool')!.attributes['note']).toBe('kept')
    expect(childrenOf(childOf(document, 'metadata'), 'vireo:owner')).toHaveLength(1)
    expect(attributeOf(childOf(document, 'cpu'), 'mode')).toBe('maximum')
    const before = bed.inactive
    for (const kind of ['disk', 'interface', 'graphics', 'controller', 'emulator', 'serial']) expect(childrenOf(childOf(document, 'devices'), kind)).toEqual(childrenOf(childOf(before, 'devices'), kind))
    expect(attributeOf(childOf(document, 'devices', 'graphics'), 'passwd')).toBe(PASSWORD)
  })

  test('is not guarded and not made where only the host\'s own additions differ', () => {
    const bed = settled()
    bed.byHand(document => { childOf(document, 'devices')!.children.push(el('controller', { type: 'sata', index: 0 }), el('input', { type: 'mouse', bus: 'ps2' })) })
    expect(bed.plan().actions).toEqual([])
  })
})

describe('drift', () => {
  const tamper = (bed: Bed): Bed => bed.byHand(document => { childOf(document, 'currentMemory')!.children = ['524288'] })

  test('is corrected', () => {
    const bed = tamper(settled())
    const { actions, drift } = bed.plan()
    expect(types(actions)).toEqual(['Defined'])
    expect(drift).toEqual([])
    bed.settle()
    expect(textOf(childOf(bed.inactive, 'currentMemory'))).toBe('1048576')
  })

  test('is reported where the policy says Report', () => {
    const plan = tamper(settled({ ...FULL, driftPolicy: { action: 'Report' } })).plan()
    expect(plan.actions).toEqual([])
    expect(plan.drift).toEqual([expect.objectContaining({ path: 'memory', expected: '1Gi', found: '512Mi' })])
  })

  test('a password changed by hand is put right, and shown to nobody', () => {
    const plan = settled().byHand(document => { childOf(document, 'devices', 'graphics')!.attributes['passwd'] = 'by-hand' }).plan()
    expect(types(plan.actions)).toEqual(['Defined'])
    const { actions, ...rest } = plan
    expect(JSON.stringify([rest, actions.map(action => action.reason)])).not.toMatch(/by-hand|correct-horse/)
  })

  test('is passed over where the policy says Ignore', () => {
    expect(tamper(settled({ ...FULL, driftPolicy: { action: 'Ignore' } })).plan()).toMatchObject({ actions: [], drift: [] })
  })

  test('stays under Report while a change of the spec goes through', () => {
    const bed = tamper(settled({ ...FULL, driftPolicy: { action: 'Report' } }))
    bed.edit(spec => { spec.cpu = { mode: 'maximum' } }).settle()
    expect(attributeOf(childOf(bed.inactive, 'cpu'), 'mode')).toBe('maximum')
    expect(textOf(childOf(bed.inactive, 'currentMemory'))).toBe('524288')
    expect(bed.plan().drift.map(entry => entry.path)).toContain('memory')
  })

  test('what libvirt itself filled in is none, however often it is looked at', () => {
    const bed = settled()
    for (let i = 0; i < 3; i++) expect(bed.plan()).toMatchObject({ actions: [], drift: [] })
  })
})

describe('secrets', () => {
  test('reach the host and nothing else: not the record, the plan\'s words, pending changes or the status', () => {
    const bed = new Bed({ spec: FULL })
    const first = bed.plan()
    expect(xmlOf(first.actions)).toContain(`passwd="${PASSWORD}"`)
    expect(xmlOf(first.actions).split(PASSWORD)).toHaveLength(2)
    bed.settle()
    bed.secrets['web-vnc'] = { password: 'next-secret' }
    bed.edit(spec => { spec.graphics![0]!.vnc!.listen = '127.0.0.2' })
    const { actions, ...rest } = bed.plan()
    expect(JSON.stringify([rest, actions.map(action => action.reason), bed.status()])).not.toMatch(/correct-horse|next-secret/)
    const record = childOf(bed.inactive, 'metadata')
    expect(JSON.stringify(record)).not.toContain(PASSWORD)
  })

  test('are not in what a spice display leaves behind either', () => {
    const bed = new Bed({ spec: { ...SHORTEST, graphics: [{ name: 'main', spice: { passwordSecretRef: { name: 'web-vnc', key: 'password' } } }] } })
    bed.settle()
    expect(JSON.stringify(childOf(bed.inactive, 'metadata'))).not.toContain(PASSWORD)
  })
})

describe('ownership', () => {
  const foreign = (bed: Bed, change: (mark: Record<string, string>) => void | 'unmarked'): Bed => {
    bed.settle()
    bed.byHand(document => {
      const mark = childOf(document, 'metadata', 'vireo:owner')!
      if (change(mark.attributes) === 'unmarked') childOf(document, 'metadata')!.children = []
    })
    bed.object = { ...bed.object, status: undefined }
    return bed
  }

  test.each<[string, (mark: Record<string, string>) => void | 'unmarked', string]>([
    ['no mark', () => 'unmarked', 'Conflict'],
    ['another object\'s mark', mark => { mark['name'] = 'other' }, 'Conflict'],
    ['another installation\'s mark', mark => { mark['installation'] = 'other' }, 'Conflict'],
    ['the mark of an object of this name that is no more', mark => { mark['uid'] = 'other' }, 'Conflict'],
    ['a released mark', mark => { mark['released'] = 'yes' }, 'Conflict'],
  ])('a domain with %s is left untouched', (_, change, reason) => {
    expect(refusal(foreign(new Bed(), change)).reason).toBe(reason)
  })

  test('a domain of a cluster that was rebuilt is taken over', () => {
    const { actions } = foreign(new Bed(), mark => { mark['cluster'] = 'gone'; mark['uid'] = 'gone' }).plan()
    expect(types(actions)).toEqual(['Defined'])
    expect(actions[0]).toMatchObject({ guarded: true, reason: expect.stringMatching(/rebuilt/) as string })
  })

  test('IfUnchanged takes nothing that differs, and names the fields', () => {
    const bed = foreign(new Bed({ spec: { ...SHORTEST, adoptionPolicy: 'IfUnchanged' } }), () => 'unmarked')
    expect(types(bed.plan().actions)).toEqual(['Defined'])
    bed.edit(spec => { spec.memory = '2Gi' })
    const plan = bed.plan()
    expect(plan).toMatchObject({ actions: [], standing: { reason: 'Conflict' } })
    expect(plan.standing.message).toMatch(/memory/)
  })

  test('a password that an adoption gives the display of a running guest is staged, and nowhere to be read', () => {
    const bed = foreign(new Bed({ spec: { ...FULL, adoptionPolicy: 'Always' } }), () => 'unmarked')
    bed.byHand(document => { delete childOf(document, 'devices', 'graphics')!.attributes['passwd'] }, 'both')
    const { actions } = bed.plan()
    const adopted = actions.flatMap(action => (action.type === 'Defined' ? action.adopted ?? [] : []))
    expect(adopted.find(change => change.path.includes('passwordSecretRef'))).toMatchObject({ desired: '***' })
    expect(JSON.stringify(adopted)).not.toContain(PASSWORD)
  })

  test('adopting needs the grant', () => {
    const bed = foreign(new Bed({ spec: { ...SHORTEST, adoptionPolicy: 'Always' }, policy: { foreignObjects: 'Observe' } }), () => 'unmarked')
    expect(refusal(bed)).toMatchObject({ reason: 'Forbidden', message: expect.stringMatching(/foreignObjects/) as string })
  })

  test('ObserveOnly plans nothing, ever', () => {
    fc.assert(fc.property(anySpec, spec => {
      const bed = foreign(new Bed(), () => 'unmarked')
      bed.edit(old => { Object.assign(old, spec, { managementPolicy: 'ObserveOnly' }) })
      expect(bed.plan()).toMatchObject({ actions: [], standing: { reason: 'Observed' } })
    }), { numRuns: 10 })
  })
})

describe('the end of a domain', () => {
  test('asks the guest, waits, then undefines it and says that it is gone', () => {
    const bed = settled().delete()
    expect(types(bed.plan().actions)).toEqual(['ShutdownRequested'])
    expect(types(bed.settle())).toEqual(['ShutdownRequested', 'Undefined'])
    expect(bed.plan()).toMatchObject({ gone: true, actions: [], standing: { reason: 'Deleting' } })
  })

  test('is not reached while the guest runs: it is never undefined before it is off', () => {
    const bed = settled().delete()
    bed.remember(memory => { memory.stopping = bed.clock.now() })
    const plan = bed.plan()
    expect(plan.actions).toEqual([])
    expect(plan.gone).not.toBe(true)
    expect(plan.requeueAfter).toBe(90_000)
  })

  test.each<[string, Partial<Spec>, (bed: Bed) => void, string[]]>([
    ['Retain only marks it as released', { deletionPolicy: 'Retain' }, () => undefined, ['Released']],
    ['ObserveOnly touches nothing', { managementPolicy: 'ObserveOnly' }, () => undefined, []],
    ['one that lost our mark is left', {}, bed => { bed.byHand(document => { childOf(document, 'metadata')!.children = [] }) }, []],
    ['one that another object claims is left', {}, bed => { bed.byHand(document => { childOf(document, 'metadata', 'vireo:owner')!.attributes['uid'] = 'other' }) }, []],
    ['an adopted one stays', {}, bed => { bed.object.status!.binding!.origin = 'Adopted' }, ['Released']],
    ['an adopted one goes when Delete is asked for', { deletionPolicy: 'Delete' }, bed => { bed.object.status!.binding!.origin = 'Adopted' }, ['ShutdownRequested']],
  ])('%s', (_, fields, before, wanted) => {
    const bed = settled({ ...SHORTEST, ...fields, managementPolicy: 'Full' })
    if (fields.managementPolicy !== undefined) bed.edit(spec => { spec.managementPolicy = fields.managementPolicy })
    before(bed)
    const plan = bed.delete().plan()
    expect(types(plan.actions)).toEqual(wanted)
    expect(plan.gone === true).toBe(wanted.length === 0)
  })

  test('released keeps everything but the mark', () => {
    const bed = settled({ ...FULL, deletionPolicy: 'Retain' })
    const before = bed.inactive
    bed.delete().settle()
    const mark = childOf(bed.inactive, 'metadata', 'vireo:owner')!
    expect(mark.attributes['released']).toBe('yes')
    expect(childOf(bed.inactive, 'devices')).toEqual(childOf(before, 'devices'))
    expect(bed.observed!.live).toBeDefined()
    expect(bed.plan().gone).toBe(true)
  })
})

test('a guest that ends by itself under restartPolicy: Never is not started while the host takes it down, nor afterwards', () => {
  const bed = settled({ ...SHORTEST, restartPolicy: 'Never' })
  const { observed } = bed
  // No process any more, and not yet off: the state's own reason 0 would be that of a guest that was never started.
  bed.mirror.set({ ...observed!, state: DomainState.Shutdown, reason: 0, live: undefined, ref: { ...observed!.ref, id: -1 } })
  expect(bed.plan()).toMatchObject({ actions: [], standing: { reason: 'Stopping' } })
  bed.power(DomainState.Shutoff, 1)
  expect(bed.plan()).toMatchObject({ actions: [], standing: { reason: 'Stopped' } })
})

test('the domain of a deleted object is undefined only once the host is done taking its guest down', () => {
  const bed = settled().delete()
  const { observed } = bed
  bed.mirror.set({ ...observed!, state: DomainState.Shutdown, reason: 0, live: undefined, ref: { ...observed!.ref, id: -1 } })
  expect(bed.plan()).toMatchObject({ actions: [], standing: { reason: 'Deleting' } })
  bed.power(DomainState.Shutoff, 1)
  expect(types(bed.plan().actions)).toContain('Undefined')
})
