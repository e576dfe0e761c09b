// What outlives a reconcile of a domain: requests that the guest has not answered, spellings of the host, reasons that the daemon forgot.

import { describe, expect, test } from 'vitest'
import { DomainState } from '../../../drivers/driver.ts'
import { nameOverlayDevices } from '../../../reconcilers/domain/devices.ts'
import { learnSpelling, nextDocument, recordOf, spellingOf } from '../../../reconcilers/domain/document.ts'
import { liveActions } from '../../../reconcilers/domain/live.ts'
import { OFF_BY_WISH, reasonInForce, reasonName } from '../../../reconcilers/domain/power.ts'
import { attributeOf, childOf, childrenOf, cloneXml, parseXml } from '../../../xml/tree.ts'
import { commonStatus } from '../../../reconcilers/outcome.ts'
import { computedMac } from '../../../reconcilers/identity.ts'
import type { GuestAddress, GuestFacts } from '../../../observed/told.ts'
import { Bed, FULL, SHORTEST, type Spec, UUID, types } from './domain-bed.ts'

const settled = (spec: Spec = FULL): Bed => {
  const bed = new Bed({ spec: structuredClone(spec) })
  bed.settle()
  return bed
}
const OFF = DomainState.Shutoff

describe('a device that the guest does not let go of', () => {
  const asked = (bed: Bed): boolean => types(bed.plan().actions).includes('DeviceDetached')
  const held = (): Bed => {
    const bed = settled()
    bed.edit(spec => { spec.disks!.splice(1, 1) })
    const [defined] = bed.plan().actions
    if (defined?.type === 'Defined') bed.define(defined.xml)
    return bed.remember(memory => { memory.detaching.set('ua-disk-data', { asked: bed.clock.now(), times: 1, refused: false }) })
  }

  test('is asked for again, ever more rarely, and the object says so', async () => {
    const bed = held()
    expect(asked(bed)).toBe(false)
    expect(bed.plan()).toMatchObject({ standing: { reason: 'Updating' }, requeueAfter: 30_000 })
    expect(bed.plan().standing.message).toMatch(/let go of disks\[data\]\./)
    await bed.clock.advance(30_000)
    expect(asked(bed)).toBe(true)
    bed.remember(memory => { memory.detaching.set('ua-disk-data', { asked: bed.clock.now(), times: 2, refused: true }) })
    expect(bed.plan()).toMatchObject({ requeueAfter: 60_000 })
    expect(bed.plan().standing.message).toMatch(/disks\[data\] \(it refused\), asked 2 times/)
  })

  test('stays in the status until it is gone', () => {
    const bed = held()
    expect((bed.status()['disks'] as { name: string }[]).map(disk => disk.name)).toContain('data')
    bed.byHand(document => { const devices = childOf(document, 'devices')!; devices.children = devices.children.filter(device => typeof device === 'string' || attributeOf(childOf(device, 'alias'), 'name') !== 'ua-disk-data') }, 'live')
    expect((bed.status()['disks'] as { name: string }[]).map(disk => disk.name)).not.toContain('data')
    expect(bed.plan().standing.reason).toBe('Available')
  })

  test('is forgotten with the run of the guest', () => {
    const bed = held().power(OFF, 2)
    expect(types(bed.settle())).toEqual(['Started'])
    expect(bed.plan().standing.reason).toBe('Available')
  })
})

describe('memory that the balloon does not reach', () => {
  /** Asked for half of its memory, which it keeps. */
  const deaf = (fields: Partial<Spec> = {}): Bed => {
    const bed = settled({ ...FULL, ...fields }).edit(spec => { spec.memory = '512Mi' })
    const plan = bed.plan()
    expect(types(plan.actions)).toContain('MemorySet')
    for (const action of plan.actions) if (action.type === 'Defined') bed.define(action.xml)
    return bed.remember(memory => { memory.askedMemory = { kib: 512 * 1024, at: bed.clock.now() } })
  }
  const conditions = (bed: Bed): Record<string, string> => {
    const plan = bed.plan()
    const { conditions: list } = commonStatus(plan.standing, plan, { generation: 2, now: bed.clock.now(), previous: bed.object.status, paused: false })
    return Object.fromEntries(list.map(({ type, status, message }) => [type, `${status}: ${message}`]))
  }

  test('has a minute for it; then it is pending, and Synced says what to do while Ready stays', async () => {
    const bed = deaf()
    await bed.clock.advance(20_000)
    expect(bed.plan()).toMatchObject({ actions: [], pending: [], requeueAfter: 40_000, standing: { reason: 'Available' } })
    expect(conditions(bed)['Synced']).toMatch(/^True/)
    await bed.clock.advance(40_000)
    expect(bed.plan()).toMatchObject({ actions: [], pending: [{ path: 'memory', current: '1Gi', desired: '512Mi', apply: 'ColdStart' }], requeueAfter: undefined })
    expect(conditions(bed)).toMatchObject({ Ready: expect.stringMatching(/^True/), Synced: expect.stringMatching(/^False: The guest was asked for 512Mi of memory and has 1Gi: its balloon did not move.*virtio_balloon/) })
  })

  test('restarts nobody, whatever updatePolicy says: where the driver is missing that would never end', async () => {
    const bed = deaf({ updatePolicy: { restart: 'WhenRequired' } })
    await bed.clock.advance(120_000)
    expect(bed.plan()).toMatchObject({ actions: [], restartRequired: false })
    expect(conditions(bed)).not.toHaveProperty('RestartRequired')
    const armed = deaf({ updatePolicy: { restart: 'OnGuestReboot' } }).byHand(document => { document.children.push({ name: 'on_reboot', attributes: {}, children: ['restart'] }) }, 'live')
    await armed.clock.advance(120_000)
    expect(armed.plan().actions).toEqual([])
  })

  test('goes once it is reached, once another size is wanted, and with the run of the guest', async () => {
    const reached = deaf()
    await reached.clock.advance(120_000)
    reached.byHand(document => { childOf(document, 'currentMemory')!.children = [String(512 * 1024)] }, 'live')
    expect(reached.plan()).toMatchObject({ actions: [], pending: [] })
    expect(conditions(reached)['Synced']).toMatch(/^True/)
    const taken = deaf()
    await taken.clock.advance(120_000)
    taken.edit(spec => { spec.memory = '1Gi' }).settle()
    expect(taken.plan()).toMatchObject({ actions: [], pending: [] })
    const ended = deaf()
    await ended.clock.advance(120_000)
    ended.power(OFF, 2).settle()
    expect(ended.plan()).toMatchObject({ actions: [], pending: [] })
  })

  test('is told on by the next controller, which asks for it once more', async () => {
    const bed = deaf()
    await bed.clock.advance(60_000)
    bed.object = { ...bed.object, status: { ...bed.object.status!, id: bed.observed!.ref.id, pendingChanges: bed.plan().pending } }
    bed.remember(memory => { memory.askedMemory = undefined })
    expect(types(bed.plan().actions)).toEqual(['MemorySet'])
    bed.remember(memory => { memory.askedMemory = { kib: 512 * 1024, at: bed.clock.now() } })
    expect(bed.plan()).toMatchObject({ actions: [], pending: [{ path: 'memory' }] })
  })

  test('of a run before this one is no reason to say so: a guest that was just started has its minute', () => {
    const bed = deaf()
    bed.object = { ...bed.object, status: { ...bed.object.status!, id: bed.observed!.ref.id - 1, pendingChanges: [{ path: 'memory', current: '1Gi', desired: '512Mi', apply: 'ColdStart' }] } }
    expect(bed.plan()).toMatchObject({ pending: [], requeueAfter: 60_000 })
    expect(conditions(bed)['Synced']).toMatch(/^True/)
  })
})

describe('a change of a running guest by hand', () => {
  const unplugged = (action: 'Correct' | 'Report' | 'Ignore'): Bed => settled({ ...FULL, driftPolicy: { action } }).byHand(document => { childOf(document, 'devices', 'interface')!.children.push({ name: 'link', attributes: { state: 'down' }, children: [] }) }, 'live')

  test.each([['Correct', ['DeviceUpdated'], []], ['Report', [], ['interfaces[lan].linkState']], ['Ignore', [], []]] as const)('under %s', (action, actions, drift) => {
    const plan = unplugged(action).plan()
    expect(types(plan.actions)).toEqual(actions)
    expect(plan.drift.map(entry => entry.path)).toEqual(drift)
  })

  test('what is asked for at that very place is done, whatever driftPolicy says, and before the record says so', () => {
    const plan = unplugged('Report').edit(spec => { spec.interfaces![0]!.linkState = 'up' }).plan()
    expect(types(plan.actions)).toEqual(['DeviceUpdated', 'Defined'])
    expect(plan.drift).toEqual([])
  })
})

describe('updatePolicy.restart', () => {
  const staged = (fields: Partial<Spec>): Bed => settled({ ...FULL, ...fields }).edit(spec => { spec.cpu = { mode: 'maximum' } })

  test('WhenRequired asks the guest to end, once nothing else is left to do, and starts it whatever restartPolicy says', () => {
    const bed = staged({ updatePolicy: { restart: 'WhenRequired' }, restartPolicy: 'Never' })
    expect(types(bed.plan().actions)).toEqual(['Defined', 'ShutdownRequested'])
    const [defined] = bed.plan().actions
    if (defined?.type === 'Defined') bed.define(defined.xml)
    const [asked] = bed.plan().actions
    expect(asked).toMatchObject({ type: 'ShutdownRequested', restart: true })
    expect(asked?.reason).toMatch(/cpu\.mode.*WhenRequired/)
    bed.remember(memory => { Object.assign(memory, { stopping: bed.clock.now(), restarting: true }) }).power(OFF, 1)
    expect(types(bed.settle())).toEqual(['Started'])
    expect(bed.plan()).toMatchObject({ actions: [], pending: [] })
  })

  test('WhenRequired leaves a guest alone for a maximum that nobody set', () => {
    const { maxMemory: _none, ...rest } = FULL
    const bed = settled({ ...rest, updatePolicy: { restart: 'WhenRequired' } }).edit(spec => { spec.memory = '768Mi' })
    expect(types(bed.plan().actions)).toEqual(['Defined', 'MemorySet'])
    bed.settle()
    expect(bed.plan()).toMatchObject({ actions: [], restartRequired: false, pending: [{ path: 'maxMemory' }] })
  })

  test.each([['Always', true], ['OnFailure', false], ['Never', false]] as const)('OnGuestReboot with restartPolicy %s: a guest that powers itself off must not be taken for one that reboots', (restartPolicy, arms) => {
    const bed = staged({ updatePolicy: { restart: 'OnGuestReboot' }, restartPolicy })
      .byHand(document => { document.children.push({ name: 'on_reboot', attributes: {}, children: ['restart'] }) }, 'live')
    expect(types(bed.plan().actions).includes('LifecycleSet')).toBe(arms)
  })
})

describe('what the agent and others tell', () => {
  const lan = computedMac(UUID, 'lan')
  const mgmt = computedMac(UUID, 'mgmt')
  const agent = (address: string, prefix = 24): GuestAddress => ({ address, prefix, source: 'Agent' })
  const facts = (fields: Partial<GuestFacts>): GuestFacts => ({ byAgent: new Map(), byARP: new Map(), ...fields })
  const addresses = (bed: Bed): unknown => (bed.status()['interfaces'] as { name: string; addresses?: unknown }[]).map(({ name, addresses: list }) => [name, list])

  test('AgentConnected stands in the conditions while the agent holds its channel open, its words in the status', () => {
    const bed = settled()
    expect(bed.plan().conditions).toBeUndefined()
    expect(bed.status()['guestAgent']).toEqual({ connected: false })
    bed.byHand(document => { childOf(document, 'devices', 'channel', 'target')!.attributes['state'] = 'connected' }, 'live')
    expect(bed.plan().conditions).toMatchObject([{ type: 'AgentConnected' }])
    bed.guest = facts({ hostname: 'web', os: 'Debian GNU/Linux 12 (bookworm)' })
    expect(bed.status()['guestAgent']).toEqual({ connected: true, hostname: 'web', os: 'Debian GNU/Linux 12 (bookworm)' })
  })

  test('an address stands once, by whom it is known best; ARP counts where nobody else knows any', () => {
    const bed = settled()
    bed.guest = facts({
      byAgent: new Map([[lan, [agent('192.168.150.23'), agent('10.9.9.9'), agent('fe80::1', 64)]]]),
      byARP: new Map([[lan, [{ address: '192.168.150.99', source: 'ARP' }]], [mgmt, [{ address: '10.0.0.7', source: 'ARP' }]]]),
    })
    expect(addresses(bed)).toEqual([
      ['lan', [agent('10.9.9.9'), agent('192.168.150.23'), agent('fe80::1', 64)]],
      ['mgmt', [{ address: '10.0.0.7', source: 'ARP' }]],
    ])
    bed.leases = [{ ipaddr: '192.168.150.23', prefix: 24 }]
    expect((addresses(bed) as [string, unknown][])[0]).toEqual(['lan', [agent('10.9.9.9'), { address: '192.168.150.23', prefix: 24, source: 'Lease' }, agent('fe80::1', 64)]])
  })

  test("the address to show is the first global one, whoever told it; a guest's link-local and loopback ones are not", () => {
    const bed = settled()
    bed.guest = facts({ byAgent: new Map([[lan, [agent('169.254.3.4', 16), agent('fe80::1', 64)]], [mgmt, [agent('2001:db8::7', 64)]]]) })
    expect(bed.status()['address']).toBe('2001:db8::7')
    bed.guest = facts({ byAgent: bed.guest.byAgent, byARP: new Map([[mgmt, [{ address: '10.0.0.7', source: 'ARP' }]]]) })
    expect(bed.status()['address']).toBe('2001:db8::7')
    bed.guest = facts({ byARP: bed.guest.byARP })
    expect(bed.status()['address']).toBe('10.0.0.7')
  })

  test('addresses of a guest that is off, and of interfaces that the spec does not have, are left out', () => {
    const bed = settled()
    bed.guest = facts({ byAgent: new Map([['52:54:00:99:99:99', [agent('172.17.0.1', 16)]]]) })
    expect(JSON.stringify(bed.status())).not.toContain('172.17')
    bed.guest = facts({ byAgent: new Map([[lan, [agent('10.9.9.9')]]]) })
    bed.power(OFF, 1)
    expect(JSON.stringify(bed.status())).not.toContain('10.9.9.9')
  })
})

describe('a guest that is off', () => {
  const once = (): Bed => settled({ ...SHORTEST, restartPolicy: 'Never' })
  const seen = (bed: Bed, status: object): Bed => { bed.object = { ...bed.object, status: { ...bed.object.status!, ...status } }; return bed }

  test('for a reason that the daemon forgot is off for the reason that was seen', () => {
    const off = { state: OFF, reason: 0 }
    expect(reasonName(OFF, reasonInForce(off, { powerState: 'Stopped', powerStateReason: 'Migrated' }))).toBe('Migrated')
    expect(reasonName(OFF, reasonInForce(off, { powerState: 'Stopped', powerStateReason: 'Unheard' }))).toBe('Unknown')
    // It ran when it was last seen: the host went down under it.
    expect(reasonName(OFF, reasonInForce(off, { powerState: 'Running', powerStateReason: 'Booted' }))).toBe('Unknown')
    expect(reasonName(OFF, reasonInForce({ state: OFF, reason: 5 }, { powerState: 'Stopped', powerStateReason: 'Shutdown' }))).toBe('Saved')
    expect(seen(once().power(OFF, 0), { powerState: 'Stopped', powerStateReason: 'Saved' }).plan()).toMatchObject({ actions: [], standing: { reason: 'Conflict' } })
  })

  test('by its own end stays off under Never; by the wish for Stopped it is started when Running is wished again, also by the next controller', () => {
    expect(once().power(OFF, 1).plan()).toMatchObject({ actions: [], standing: { reason: 'Stopped' } })
    const stopped = seen(once().power(OFF, 1), { conditions: [{ type: 'Ready', status: 'True', reason: 'Stopped', message: OFF_BY_WISH }] })
    expect(types(stopped.plan().actions)).toEqual(['Started'])
  })
})

describe('a shutdown that was called off', () => {
  test('leaves the whole grace period to the next one, and an end that comes nevertheless is not the guest\'s own', async () => {
    const bed = settled({ ...SHORTEST, powerState: 'Stopped', restartPolicy: 'Never' })
    bed.edit(spec => { spec.powerState = 'Running' }).settle()
    bed.edit(spec => { spec.powerState = 'Stopped' }).remember(memory => { memory.stopping = bed.clock.now() })
    await bed.clock.advance(60_000)
    bed.edit(spec => { spec.powerState = 'Running' })
    expect(bed.plan().actions).toEqual([])
    bed.edit(spec => { spec.powerState = 'Stopped' })
    expect(types(bed.plan().actions)).toEqual(['ShutdownRequested'])
    bed.edit(spec => { spec.powerState = 'Running' }).power(OFF, 1)
    expect(types(bed.plan().actions)).toEqual(['Started'])
  })
})

describe('the overlay', () => {
  test('gives devices that only it holds a name from their content; what is rendered keeps its own', () => {
    const document = parseXml("<domain><devices><controller type='pci' index='0' model='pcie-root'/><disk><alias name='ua-disk-root'/></disk><hostdev mode='subsystem'/><hostdev mode='subsystem'/><graphics type='vnc'/><video/></devices></domain>")
    const devices = childOf(nameOverlayDevices(document), 'devices')!
    const names = (kind: string): (string | undefined)[] => childrenOf(devices, kind).map(device => attributeOf(childOf(device, 'alias'), 'name'))
    expect(names('disk')).toEqual(['ua-disk-root'])
    const [one, two] = names('hostdev')
    expect(one).toMatch(/^ua-xml-hostdev-[0-9a-f]{8}$/)
    expect(two).toBe(`${one}-2`)
    expect([...names('graphics'), ...names('video'), ...names('controller')]).toEqual([undefined, undefined, undefined])
  })
})

describe("a value that the host spells otherwise", () => {
  const owner = { installation: 'i', cluster: 'c', namespace: 'n', name: 'web', uid: 'u', released: false }
  const input = (cpuset: string) => {
    const wanted = parseXml(`<domain><memory unit='KiB'>1024</memory><vcpu cpuset='${cpuset}'>1</vcpu><clock offset='utc'/></domain>`)
    return { wanted, record: recordOf(wanted), owner, correct: true }
  }
  const sent = nextDocument(input('1,0')).document
  const spelled = (): ReturnType<typeof parseXml> => {
    const found = cloneXml(sent)
    childOf(found, 'vcpu')!.attributes['cpuset'] = '0-1'
    // The host keeps nothing of this one.
    found.children = found.children.filter(child => typeof child === 'string' || child.name !== 'clock')
    return found
  }

  test('is learnt once, kept with the record, and then no difference', () => {
    const found = spelled()
    expect(nextDocument({ ...input('1,0'), found }).changes.map(change => change.path)).toEqual(['vcpu@cpuset', 'clock'])
    const spelling = learnSpelling({ ...input('1,0'), found }, sent)
    const next = nextDocument({ ...input('1,0'), found, spelling })
    expect(next).toMatchObject({ differs: true, changes: [], drift: [] })
    expect(spellingOf(next.document)).toEqual(spelling)
    // Another controller reads it there.
    expect(nextDocument({ ...input('1,0'), found: next.document })).toMatchObject({ differs: false, changes: [], drift: [] })
    expect(nextDocument({ ...input('1,0'), found: next.document, correct: false })).toMatchObject({ differs: false, drift: [] })
  })

  test('is not what somebody changed by hand and driftPolicy left in the document that was sent', () => {
    const found = spelled()
    const left = cloneXml(sent)
    childOf(left, 'vcpu')!.attributes['cpuset'] = '0-1'
    expect([...learnSpelling({ ...input('1,0'), found }, left).keys()]).toEqual(['clock'])
  })

  test('says nothing about another wish, or another change by hand', () => {
    const found = spelled()
    const known = nextDocument({ ...input('1,0'), found, spelling: learnSpelling({ ...input('1,0'), found }, sent) }).document
    expect(nextDocument({ ...input('1'), found: known }).changes).toMatchObject([{ path: 'vcpu@cpuset', found: '0-1', wanted: '1' }])
    childOf(known, 'vcpu')!.attributes['cpuset'] = '0-3'
    expect(nextDocument({ ...input('1,0'), found: known }).changes).toMatchObject([{ path: 'vcpu@cpuset', found: '0-3', wanted: '1,0' }])
  })
})

test('a lifecycle action that nobody wishes any more goes back to the default of libvirt', () => {
  const document = (onReboot: string): string => `<domain><memory>1</memory><currentMemory>1</currentMemory><vcpu>1</vcpu>${onReboot}<devices/></domain>`
  const actions = liveActions({ live: parseXml(document('<on_reboot>destroy</on_reboot>')), wanted: parseXml(document('')), next: parseXml(document('')), started: undefined, applied: undefined, detaching: () => false, rebootEnds: false })
  expect(actions).toMatchObject([{ type: 'LifecycleSet', event: 1, action: 1, path: 'lifecycle.onReboot', found: 'destroy', expected: 'restart' }])
})
