// What is planned for a network: for each change of the spec and for each state of the host.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { NetworkAction } from '../../../../reconcilers/network/inputs.ts'
import { childOf, el, parseXml } from '../../../../xml/tree.ts'
import type { Spec } from '../../../../reconcilers/network/render.ts'
import { INSTALLATION, LAB, edited, gather, guest, hosted, networkObject, plan, types, uuidOf } from './bed.ts'
import { anySpec } from './specs.ts'

const bound = { bound: 'Created' as const }
const updatesOf = (actions: NetworkAction[]): string[] => actions.flatMap(action => (action.type === 'Updated' ? action.updates.map(update => update.what) : []))
const xmlOf = (actions: NetworkAction[]): string => actions.flatMap(action => ('xml' in action ? [action.xml] : [])).join('')

/** Two hosts, a range, a portgroup and a DNS host: something of everything that is live. */
const FULL: Spec = {
  forward: { mode: 'nat' },
  domain: { name: 'lab.local' },
  ipv4: {
    address: '192.168.150.1/24',
    dhcp: {
      ranges: [{ start: '192.168.150.100', end: '192.168.150.200' }],
      hosts: [{ name: 'web', mac: '52:54:00:aa:bb:01', ip: '192.168.150.10', hostname: 'web' }, { name: 'db', mac: '52:54:00:aa:bb:02', ip: '192.168.150.11' }],
    },
  },
  ipv6: { address: 'fd00:150::1/64', dhcp: { hosts: [{ name: 'six', ip: 'fd00:150::10', hostname: 'six' }] } },
  dns: { hosts: [{ ip: '192.168.150.10', hostnames: ['www'] }] },
  portgroups: [{ name: 'dmz', default: true, bandwidth: { inbound: { average: '10Mi' } } }, { name: 'slow', bandwidth: { inbound: { average: '1Mi' } } }],
}
const full = (change: (spec: Spec) => void): Spec => edited(change, FULL)

describe('a network that is not there', () => {
  test('is defined, set to start with the host, and started', () => {
    const made = plan(networkObject())
    expect(types(made)).toEqual(['Defined', 'AutostartSet', 'Started'])
    expect(made.actions[0]!.guarded).toBe(true)
    const document = parseXml(xmlOf(made.actions))
    expect(childOf(document, 'uuid')!.children).toEqual([uuidOf('shop', 'lab')])
    expect(childOf(document, 'name')!.children).toEqual(['shop.lab'])
    expect(childOf(document, 'metadata', 'vireo:owner')!.attributes).toMatchObject({ installation: INSTALLATION, namespace: 'shop', name: 'lab', released: 'no' })
    expect(made.standing.reason).toBe('Creating')
  })

  const names: [string, Spec, string, string][] = [
    ['in the namespace default it has its own name', {}, 'default', 'lab'],
    ['elsewhere it has the namespace before it', {}, 'shop', 'shop.lab'],
    ['unless spec.name says otherwise', { name: 'other' }, 'shop', 'other'],
  ]
  test.each(names)('%s', (_, spec, namespace, name) => {
    expect(gather(networkObject({ spec, namespace })).binding).toEqual({ hypervisor: 'kvm7', name, uuid: uuidOf(namespace, 'lab'), origin: 'Created' })
  })

  test('spec.uuid is the UUID', () => {
    expect(gather(networkObject({ spec: { uuid: '6F1C2D3E-0000-5000-8000-000000000001' } })).binding.uuid).toBe('6f1c2d3e-0000-5000-8000-000000000001')
  })

  test('Inactive and Disabled: only defined', () => {
    expect(types(plan(networkObject({ spec: { state: 'Inactive', autostart: 'Disabled' } })))).toEqual(['Defined'])
  })

  test('that was undefined by hand is defined again: it held no data', () => {
    const made = plan(networkObject(bound))
    expect(types(made)).toEqual(['Defined', 'AutostartSet', 'Started'])
    expect(made.actions[0]!.reason).toMatch(/again/)
  })

  test.each(['Report', 'Ignore'] as const)('that was undefined by hand stays away under driftPolicy %s', action => {
    const made = plan(networkObject({ ...bound, spec: { ...LAB, driftPolicy: { action } } }))
    expect(made.actions).toEqual([])
    expect(made.standing.reason).toBe('NotFound')
    expect(plan(networkObject({ ...bound, reason: 'NotFound', spec: { ...LAB, driftPolicy: { action } } })).actions).toEqual([])
    expect(made.drift).toEqual(action === 'Report' ? [{ path: 'state', expected: 'Active', found: 'Absent' }] : [])
  })
})

describe('a network as the spec says', () => {
  test('needs nothing', () => {
    for (const spec of [LAB, FULL]) {
      const made = plan(networkObject({ ...bound, spec }), { observed: [hosted(spec)] })
      expect(made).toMatchObject({ actions: [], drift: [], pending: [], restartRequired: false, standing: { reason: 'Available', message: 'The network shop.lab is active on bridge virbr3.' } })
    }
  })

  test('needs nothing whatever the spec, as it is shown', () => {
    fc.assert(fc.property(anySpec, spec => {
      const made = plan(networkObject({ ...bound, spec }), { observed: [hosted(spec)], policy: { hostInterfaces: ['lo'] } })
      expect([made.actions, made.pending, made.drift]).toEqual([[], [], []])
    }))
  })

  test('what libvirt and others added stays through a redefinition', () => {
    const byHand = (document: ReturnType<typeof parseXml>): void => { document.children.push(el('route', { address: '10.9.0.0', prefix: 16, gateway: '192.168.150.10' })) }
    const made = plan(networkObject({ ...bound, inForce: false, spec: edited(spec => { spec.mtu = 1400 }) }), { observed: [hosted(LAB, { byHand })] })
    const xml = xmlOf(made.actions)
    expect(xml).toContain('<route address="10.9.0.0" prefix="16" gateway="192.168.150.10"/>')
    expect(xml).toContain('<bridge name="virbr3" stp="on" delay="0"/>')
    expect(xml).toContain('<mac address="52:54:00:12:34:56"/>')
    expect(xml).toContain('<mtu size="1400"/>')
  })
})

const inPlace: { reason: string; to: Spec; whats: string[] }[] = [
  { reason: 'a DHCP host added', to: full(spec => { spec.ipv4!.dhcp!.hosts!.push({ name: 'new', mac: '52:54:00:aa:bb:03', ip: '192.168.150.12' }) }), whats: ['adds DHCP host 52:54:00:aa:bb:03 (192.168.150.12)'] },
  { reason: 'a DHCP host removed', to: full(spec => { spec.ipv4!.dhcp!.hosts!.shift() }), whats: ['removes DHCP host web (192.168.150.10)'] },
  { reason: 'a DHCP host with another address', to: full(spec => { spec.ipv4!.dhcp!.hosts![0]!.ip = '192.168.150.20' }), whats: ['changes DHCP host web (192.168.150.20)'] },
  {
    reason: 'two DHCP hosts that exchange their addresses',
    to: full(spec => { spec.ipv4!.dhcp!.hosts![0]!.ip = '192.168.150.11'; spec.ipv4!.dhcp!.hosts![1]!.ip = '192.168.150.10' }),
    whats: ['removes DHCP host web (192.168.150.10)', 'removes DHCP host 52:54:00:aa:bb:02 (192.168.150.11)', 'adds DHCP host web (192.168.150.11)', 'adds DHCP host 52:54:00:aa:bb:02 (192.168.150.10)'],
  },
  { reason: 'a renamed entry of the spec is no change', to: full(spec => { spec.ipv4!.dhcp!.hosts![0]!.name = 'other' }), whats: [] },
  { reason: 'an IPv6 DHCP host', to: full(spec => { spec.ipv6!.dhcp!.hosts!.push({ name: 'seven', ip: 'fd00:150::7', hostname: 'seven' }) }), whats: ['adds DHCP host seven (fd00:150::7)'] },
  { reason: 'a DHCP range added', to: full(spec => { spec.ipv4!.dhcp!.ranges!.push({ start: '192.168.150.210', end: '192.168.150.220' }) }), whats: ['adds DHCP range 192.168.150.210 to 192.168.150.220'] },
  { reason: 'a DHCP range with another end', to: full(spec => { spec.ipv4!.dhcp!.ranges![0]!.end = '192.168.150.220' }), whats: ['removes DHCP range 192.168.150.100 to 192.168.150.200', 'adds DHCP range 192.168.150.100 to 192.168.150.220'] },
  { reason: 'a DNS host added', to: full(spec => { spec.dns!.hosts!.push({ ip: '192.168.150.11', hostnames: ['db'] }) }), whats: ['adds DNS host 192.168.150.11'] },
  { reason: 'a DNS host with another name', to: full(spec => { spec.dns!.hosts![0]!.hostnames = ['www', 'shop'] }), whats: ['removes DNS host 192.168.150.10', 'adds DNS host 192.168.150.10'] },
  { reason: 'the last DNS host removed', to: full(spec => { spec.dns = undefined }), whats: ['removes DNS host 192.168.150.10'] },
  { reason: 'a portgroup added', to: full(spec => { spec.portgroups!.push({ name: 'new' }) }), whats: ['adds portgroup new'] },
  { reason: 'a portgroup changed', to: full(spec => { spec.portgroups![0]!.bandwidth!.inbound!.average = '20Mi' }), whats: ['changes portgroup dmz'] },
  { reason: 'a portgroup removed', to: full(spec => { spec.portgroups!.pop() }), whats: ['removes portgroup slow'] },
  { reason: 'another default portgroup', to: full(spec => { spec.portgroups![0]!.default = false; spec.portgroups![1]!.default = true }), whats: ['removes portgroup slow', 'changes portgroup dmz', 'adds portgroup slow'] },
]

describe('what a running network takes in place', () => {
  test.each(inPlace)('$reason', ({ to, whats }) => {
    const made = plan(networkObject({ ...bound, inForce: false, spec: to }), { observed: [hosted(FULL), guest('web')] })
    expect(updatesOf(made.actions)).toEqual(whats)
    expect(types(made)).toEqual(whats.length === 0 ? [] : ['Updated', 'Defined'])
    expect(made.pending).toEqual([])
  })

  test.each(inPlace)('of a stopped network is defined: $reason', ({ to, whats }) => {
    const made = plan(networkObject({ ...bound, inForce: false, spec: { ...to, state: 'Inactive' } }), { observed: [hosted(FULL, { active: false })] })
    expect(types(made)).toEqual(whats.length === 0 ? [] : ['Defined'])
  })

  test.each(inPlace)('is in force afterwards: $reason', ({ to }) => {
    const after = hosted(to)
    expect(plan(networkObject({ ...bound, spec: to }), { observed: [{ ...after, live: after.live!.replace(/<metadata>.*<\/metadata>/, /<metadata>.*<\/metadata>/.exec(hosted(FULL).live!)![0]) }] }).actions).toEqual([])
  })

  test('an IPv6 entry names its own subnet', () => {
    const made = plan(networkObject({ ...bound, spec: full(spec => { spec.ipv6!.dhcp!.hosts!.push({ name: 'seven', ip: 'fd00:150::7', hostname: 'seven' }) }) }), { observed: [hosted(FULL)] })
    expect(made.actions[0]).toMatchObject({ type: 'Updated', updates: [{ parentIndex: 1 }] })
  })

  test('after a crash between the call and the record only the record is written', () => {
    const to = full(spec => { spec.ipv4!.dhcp!.hosts!.shift() })
    const made = plan(networkObject({ ...bound, inForce: false, spec: to }), { observed: [hosted(FULL, { liveByHand: document => { document.children = parseXml(hosted(to).live!).children } })] })
    expect(types(made)).toEqual(['Defined'])
  })
})

const recreated: { reason: string; to: Spec; pending: { path: string; current?: string; desired?: string }[] }[] = [
  { reason: 'another mode', to: edited(spec => { spec.forward!.mode = 'route' }), pending: [{ path: 'forward.mode', current: 'nat', desired: 'route' }] },
  { reason: 'no forwarding', to: edited(spec => { spec.forward = undefined }), pending: [{ path: 'forward', current: 'nat' }] },
  { reason: 'ports of translation', to: edited(spec => { spec.forward!.nat = { port: { start: 2000, end: 3000 } } }), pending: [{ path: 'forward.nat', current: '1024', desired: '2000' }] },
  { reason: 'another bridge', to: edited(spec => { spec.bridge = { name: 'virbr9' } }), pending: [{ path: 'bridge.name', current: 'virbr3', desired: 'virbr9' }] },
  { reason: 'spanning tree', to: edited(spec => { spec.bridge = { stp: 'Disabled' } }), pending: [{ path: 'bridge.stp', current: 'on', desired: 'off' }] },
  { reason: 'mtu', to: edited(spec => { spec.mtu = 1400 }), pending: [{ path: 'mtu', desired: '1400' }] },
  { reason: 'a DNS domain', to: edited(spec => { spec.domain = { name: 'lab.local' } }), pending: [{ path: 'domain', desired: 'lab.local' }] },
  { reason: 'another subnet', to: edited(spec => { spec.ipv4!.address = '192.168.151.1/24' }), pending: [{ path: 'ipv4.address', current: '192.168.150.1/24', desired: '192.168.151.1/24' }] },
  { reason: 'another address', to: edited(spec => { spec.ipv4!.additionalAddresses = ['10.0.0.1/24'] }), pending: [{ path: 'ipv4.additionalAddresses', desired: '10.0.0.1/24' }] },
  { reason: 'IPv6 instead', to: edited(spec => { spec.ipv4 = undefined; spec.ipv6 = { address: 'fd00:150::1/64' } }), pending: [{ path: 'ipv4', current: '192.168.150.1/24' }, { path: 'ipv6.address', desired: 'fd00:150::1/64' }] },
  { reason: 'no DHCP', to: edited(spec => { spec.ipv4!.dhcp = undefined }), pending: [{ path: 'ipv4.dhcp', current: '192.168.150.2 to 192.168.150.254' }] },
  { reason: 'IPv6', to: edited(spec => { spec.ipv6 = { address: 'fd00:150::1/64' } }), pending: [{ path: 'ipv6.address', desired: 'fd00:150::1/64' }] },
]

describe('what only a recreation brings', () => {
  test.each(recreated)('$reason: recreated at once while no running domain uses the network', ({ to }) => {
    const made = plan(networkObject({ ...bound, inForce: false, spec: to }), { observed: [hosted(LAB), guest('off', { running: false }), guest('elsewhere', { network: 'other' })] })
    expect(types(made)).toEqual(['Recreated'])
    expect(made.actions[0]!.guarded).toBe(true)
    expect(made.pending).toEqual([])
  })

  test.each(recreated)('$reason: defined and pending while a running domain, foreign too, uses it', ({ to, pending }) => {
    const made = plan(networkObject({ ...bound, inForce: false, spec: to }), { observed: [hosted(LAB), guest('foreign')] })
    expect(types(made)).toEqual(['Defined'])
    expect(made.pending).toEqual(pending.map(change => ({ ...change, apply: 'Recreate' })))
    expect(made.restartRequired).toBe(true)
  })

  test.each(recreated)('$reason: stays pending after it is defined, and is recreated once the last domain stops', ({ to, pending }) => {
    const object = networkObject({ ...bound, spec: to })
    const staged = hosted(to, { liveSpec: LAB })
    const waiting = plan(object, { observed: [staged, guest('web')] })
    expect([types(waiting), waiting.pending.map(({ path }) => path)]).toEqual([[], pending.map(({ path }) => path)])
    expect(waiting.standing.reason).toBe('Available')
    expect(types(plan(object, { observed: [staged, guest('web', { running: false })] }))).toEqual(['Recreated'])
  })

  test('updatePolicy Always recreates below running domains, Never does not even without', () => {
    const to = edited(spec => { spec.mtu = 1400 })
    const always = plan(networkObject({ ...bound, spec: { ...to, updatePolicy: { recreate: 'Always' } } }), { observed: [hosted(LAB), guest('web')] })
    expect(types(always)).toEqual(['Recreated'])
    const never = plan(networkObject({ ...bound, spec: { ...to, updatePolicy: { recreate: 'Never' } } }), { observed: [hosted(LAB)] })
    expect([types(never), never.pending.length]).toEqual([['Defined'], 1])
  })

  test('what can be done in place is done beside what is pending', () => {
    const made = plan(networkObject({ ...bound, spec: full(spec => { spec.mtu = 1400; spec.ipv4!.dhcp!.hosts!.pop() }) }), { observed: [hosted(FULL), guest('web')] })
    expect(types(made)).toEqual(['Updated', 'Defined'])
    expect(made.pending.map(({ path }) => path)).toEqual(['mtu'])
  })

  test('a stopped network only takes the definition', () => {
    const made = plan(networkObject({ ...bound, spec: edited(spec => { spec.mtu = 1400; spec.state = 'Inactive' }) }), { observed: [hosted(LAB, { active: false })] })
    expect([types(made), made.pending]).toEqual([['Defined'], []])
  })

  test('the bridge that libvirt chose stays when the spec no longer names it', () => {
    const made = plan(networkObject({ ...bound, spec: LAB }), { observed: [hosted({ ...LAB, bridge: { name: 'virbr3' } }), guest('web')] })
    expect([types(made), made.pending]).toEqual([['Defined'], []])
    expect(xmlOf(made.actions)).toContain('name="virbr3"')
  })

  test('from libvirt\'s bridge to one of the host, what libvirt would refuse beside it goes', () => {
    const made = plan(networkObject({ ...bound, spec: { forward: { mode: 'bridge' }, bridge: { name: 'br0' } } }), { observed: [hosted(LAB)] })
    expect(types(made)).toEqual(['Recreated'])
    expect(xmlOf(made.actions)).toContain('<forward mode="bridge"/><bridge name="br0"/>')
    expect(xmlOf(made.actions).replace(/<metadata>.*<\/metadata>/, '')).not.toMatch(/<(mac|ip)|stp=/)
  })

  test('a host whose staged documents cannot be read takes a change only while the network is stopped', () => {
    const to = full(spec => { spec.ipv4!.dhcp!.hosts!.pop() })
    const observed = hosted(FULL, { stagedUnreadable: true })
    const made = plan(networkObject({ ...bound, spec: to }), { observed: [{ ...observed, live: observed.inactive }] })
    expect(made.actions).toMatchObject([{ type: 'Recreated', defineStopped: true }])
    const used = plan(networkObject({ ...bound, spec: to }), { observed: [{ ...observed, live: observed.inactive }, guest('web')] })
    expect([types(used), used.pending.map(({ path }) => path)]).toEqual([[], ['ipv4.dhcp.hosts[52:54:00:aa:bb:02]']])
  })
})

describe('state and autostart', () => {
  const cases: { reason: string; spec: Spec; active: boolean; autostart: boolean; actions: string[] }[] = [
    { reason: 'stopped by hand is started again', spec: LAB, active: false, autostart: true, actions: ['Started'] },
    { reason: 'started by hand is stopped again', spec: { ...LAB, state: 'Inactive' }, active: true, autostart: true, actions: ['Stopped'] },
    { reason: 'autostart is set', spec: LAB, active: true, autostart: false, actions: ['AutostartSet'] },
    { reason: 'autostart is cleared', spec: { ...LAB, autostart: 'Disabled' }, active: true, autostart: true, actions: ['AutostartSet'] },
  ]
  test.each(cases)('$reason', ({ spec, active, autostart, actions }) => {
    expect(types(plan(networkObject({ ...bound, spec }), { observed: [hosted(spec, { active, autostart })] }))).toEqual(actions)
  })

  test.each(cases)('under Report it is listed, under Ignore not even that, and a new wish is acted on: $reason', ({ spec, active, autostart, actions }) => {
    const observed = [hosted(spec, { active, autostart })]
    const left = (action: 'Report' | 'Ignore', inForce = true): ReturnType<typeof plan> => plan(networkObject({ ...bound, inForce, spec: { ...spec, driftPolicy: { action } } }), { observed })
    expect([left('Report').actions, left('Report').drift.length, left('Report').standing.reason]).toEqual([[], 1, active ? 'Available' : 'Stopped'])
    expect([left('Ignore').actions, left('Ignore').drift]).toEqual([[], []])
    expect(types(left('Report', false))).toEqual(actions)
  })
})

describe('drift of the documents', () => {
  const byHand = (document: ReturnType<typeof parseXml>): void => {
    childOf(document, 'domain')!.attributes.name = 'other.local'
    childOf(document, 'ip', 'dhcp')!.children.pop()
  }

  test('is put back: configuration by a definition, the running network in place', () => {
    expect(types(plan(networkObject({ ...bound, spec: FULL }), { observed: [hosted(FULL, { byHand })] }))).toEqual(['Defined'])
    const live = plan(networkObject({ ...bound, spec: FULL }), { observed: [hosted(FULL, { liveByHand: document => { childOf(document, 'ip', 'dhcp')!.children.pop() } })] })
    expect([types(live), updatesOf(live.actions)]).toEqual([['Updated'], ['adds DHCP host 52:54:00:aa:bb:02 (192.168.150.11)']])
  })

  test('is listed by field under Report', () => {
    const made = plan(networkObject({ ...bound, spec: { ...FULL, driftPolicy: { action: 'Report' } } }), { observed: [hosted(FULL, { byHand })] })
    expect(made.actions).toEqual([])
    expect(made.drift).toEqual([
      { path: 'domain.name', expected: 'lab.local', found: 'other.local' },
      { path: 'ipv4.dhcp.hosts[db]', expected: '192.168.150.11', found: undefined },
    ])
  })

  test('stays under Report and Ignore while a wish beside it is acted on', () => {
    for (const action of ['Report', 'Ignore'] as const) {
      const made = plan(networkObject({ ...bound, spec: { ...full(spec => { spec.mtu = 1400 }), driftPolicy: { action } } }), { observed: [hosted(FULL, { byHand }), guest('web')] })
      expect(types(made)).toEqual(['Defined'])
      expect(xmlOf(made.actions)).toContain('<domain name="other.local"/><')
      expect(xmlOf(made.actions)).toContain('<mtu size="1400"/>')
    }
  })

  test('what somebody added to the running network is none', () => {
    const liveByHand = (document: ReturnType<typeof parseXml>): void => { childOf(document, 'ip', 'dhcp')!.children.push(el('host', { mac: '52:54:00:00:00:99', ip: '192.168.150.99' })) }
    expect(plan(networkObject({ ...bound, spec: FULL }), { observed: [hosted(FULL, { liveByHand })] }).actions).toEqual([])
  })
})
