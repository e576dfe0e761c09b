// Whose a network is and what may be used: adoption, conflicts, the Hypervisor's policy, and looking without touching.

import { describe, expect, test } from 'vitest'
import type { NetworkAction } from '../../../../reconcilers/network/inputs.ts'
import type { Spec } from '../../../../reconcilers/network/render.ts'
import { LAB, edited, foreign, gather, guest, hosted, kind, networkObject, ownerOf, plan, refusal, types, uuidOf } from './bed.ts'

const bound = { bound: 'Created' as const }
const xmlOf = (actions: NetworkAction[]): string => actions.flatMap(action => ('xml' in action ? [action.xml] : [])).join('')

describe('ownership', () => {
  const DEFAULT = '<forward mode="nat"/><bridge name="virbr0" stp="on" delay="0"/><mac address="52:54:00:00:00:01"/><ip address="192.168.150.1" netmask="255.255.255.0"><dhcp><range start="192.168.150.2" end="192.168.150.254"/></dhcp></ip>'
  const adopt = { policy: { foreignObjects: 'Adopt' as const } }

  test('a foreign network of that name is Conflict, and is told how to go on', () => {
    const { reason, message } = refusal(networkObject(), { observed: [foreign(DEFAULT)] })
    expect(reason).toBe('Conflict')
    expect(message).toMatch(/shop\.lab.*kvm7.*adoptionPolicy.*foreignObjects: Adopt.*spec\.name/)
  })

  test('adoption without the grant is Forbidden', () => {
    expect(refusal(networkObject({ spec: { ...LAB, adoptionPolicy: 'Always' } }), { observed: [foreign(DEFAULT)] }).reason).toBe('Forbidden')
  })

  test('IfUnchanged takes a network that is as the spec says, with only our mark, and keeps its UUID', () => {
    const object = networkObject({ spec: { ...LAB, adoptionPolicy: 'IfUnchanged' } })
    const made = plan(object, { ...adopt, observed: [foreign(DEFAULT), guest('web')] })
    expect(types(made)).toEqual(['Defined'])
    expect(made.actions[0]!.reason).toMatch(/Adopted/)
    expect(gather(object, { ...adopt, observed: [foreign(DEFAULT)] }).binding).toMatchObject({ uuid: '99999999-9999-4999-8999-999999999999', origin: 'Adopted' })
    const unmarked = xmlOf(made.actions).replace(/<metadata>.*<\/metadata>/, '')
    expect(unmarked).toContain('<mac address="52:54:00:00:00:01"/>')
  })

  const unlike: [string, Spec, string][] = [
    ['another range', edited(spec => { spec.ipv4!.dhcp = { ranges: [{ start: '192.168.150.9', end: '192.168.150.10' }] } }), 'ipv4.dhcp.ranges'],
    ['no forwarding', edited(spec => { spec.forward = undefined }), 'forward'],
    ['IPv6 more', edited(spec => { spec.ipv6 = { address: 'fd00::1/64' } }), 'ipv6'],
    ['IPv4 less', edited(spec => { spec.ipv4 = undefined; spec.forward = undefined }), 'ipv4'],
    ['another state', { ...LAB, state: 'Inactive' }, 'state'],
    ['no autostart', { ...LAB, autostart: 'Disabled' }, 'autostart'],
  ]
  test.each(unlike)('IfUnchanged refuses what the spec would change: %s', (_, spec, field) => {
    const { reason, message } = refusal(networkObject({ spec: { ...spec, adoptionPolicy: 'IfUnchanged' } }), { ...adopt, observed: [foreign(DEFAULT)] })
    expect([reason, message.includes(field)]).toEqual(['Conflict', true])
  })

  test('Always takes it and corrects it', () => {
    const made = plan(networkObject({ spec: { ...edited(spec => { spec.ipv4!.dhcp!.ranges = [{ start: '192.168.150.9', end: '192.168.150.19' }] }), adoptionPolicy: 'Always' } }), { ...adopt, observed: [foreign(DEFAULT), guest('web')] })
    expect(types(made)).toEqual(['Updated', 'Defined'])
    expect(xmlOf(made.actions)).toContain('<range start="192.168.150.9" end="192.168.150.19"/>')
    expect(xmlOf(made.actions).replace(/<metadata>.*<\/metadata>/, '')).not.toContain('192.168.150.254')
  })

  test('the network of a rebuilt cluster is taken over, with nothing but our mark', () => {
    const object = networkObject()
    const observed = [hosted(LAB, { owner: ownerOf({ cluster: 'gone', uid: 'gone' }) }), guest('web')]
    expect(types(plan(object, { observed }))).toEqual(['Defined'])
    expect(gather(object, { observed }).binding.origin).toBe('Created')
  })

  test("another namespace's is not looked at, whatever is granted: what it lends is in its export", () => {
    const look = networkObject({ spec: { managementPolicy: 'ObserveOnly', name: 'infra.lan' } })
    const theirs = (owner: object): object => ({ ...adopt, observed: [hosted(LAB, { name: 'infra.lan', uuid: '99999999-9999-4999-8999-999999999999', owner: ownerOf({ namespace: 'infra', name: 'lan', ...owner }) })] })
    expect(refusal(look, theirs({}))).toMatchObject({ reason: 'Forbidden', message: expect.stringMatching(/^The network infra\.lan on Hypervisor kvm7 belongs to an object of another namespace: .* refer to that object\.$/) })
    expect(plan(look, theirs({ released: true })).standing.reason).toBe('Observed')
    expect(plan(look, theirs({ namespace: 'shop' })).standing.reason).toBe('Observed')
  })

  test.each([
    ['of an object that was deleted and made again', { uid: 'before' }],
    ['that was released', { released: true }],
  ])('a network %s needs adoption', (_, owner) => {
    const observed = [hosted(LAB, { owner: ownerOf(owner) })]
    expect(refusal(networkObject(), { observed }).reason).toBe('Conflict')
    expect(types(plan(networkObject({ spec: { ...LAB, adoptionPolicy: 'Always' } }), { ...adopt, observed }))).toEqual(['Defined'])
  })

  test('the network of another object is Conflict whatever the policy', () => {
    const observed = [hosted(LAB, { owner: ownerOf({ name: 'other' }), uuid: uuidOf('shop', 'other') })]
    expect(refusal(networkObject({ spec: { ...LAB, adoptionPolicy: 'Always' } }), { ...adopt, observed }).reason).toBe('Conflict')
  })

  test('a bound object whose name another network took is Conflict', () => {
    expect(refusal(networkObject(bound), { observed: [foreign(DEFAULT)] }).reason).toBe('Conflict')
  })

  test('a spec.uuid and a foreign network of the name are Conflict', () => {
    expect(refusal(networkObject({ spec: { ...LAB, uuid: uuidOf('a', 'b'), adoptionPolicy: 'Always' } }), { ...adopt, observed: [foreign(DEFAULT)] }).reason).toBe('Conflict')
  })

  test('a crash after the adoption: the mark says whose it is, and the origin stays Adopted', () => {
    const observed = [hosted(LAB, { uuid: '99999999-9999-4999-8999-999999999999' })]
    expect([types(plan(networkObject(), { observed })), gather(networkObject(), { observed }).binding.origin]).toEqual([[], 'Adopted'])
  })
})

describe('policy', () => {
  const cases: { reason: string; spec: Spec; policy: object; is?: string }[] = [
    { reason: 'a bridge of the host that is not granted', spec: { forward: { mode: 'bridge' }, bridge: { name: 'br1' } }, policy: { hostInterfaces: ['br0'] }, is: 'Forbidden' },
    { reason: 'a bridge of the host that is granted', spec: { forward: { mode: 'bridge' }, bridge: { name: 'br0' } }, policy: { hostInterfaces: ['br0'] } },
    { reason: 'forward.dev that is not granted', spec: { forward: { mode: 'nat', dev: 'eth0' }, ipv4: { address: '10.0.0.1/24' } }, policy: {}, is: 'Forbidden' },
    { reason: 'translation without an address', spec: { forward: { mode: 'nat' } }, policy: {}, is: 'Invalid' },
    { reason: 'an overlay that is not granted', spec: { xml: '<mtu size="1400"/>' }, policy: {}, is: 'Forbidden' },
    { reason: 'an overlay that is', spec: { xml: '<mtu size="1400"/>' }, policy: { rawXML: 'Allowed' } },
    { reason: 'an interface of the host by overlay', spec: { xml: '<forward mode="bridge"/><bridge name="br1"/>' }, policy: { rawXML: 'Allowed' }, is: 'Forbidden' },
    { reason: 'a folder served by TFTP', spec: { ipv4: { address: '10.0.0.1/24' }, xml: '<ip address="10.0.0.1"><tftp root="/etc"/></ip>' }, policy: { rawXML: 'Allowed' }, is: 'Forbidden' },
    { reason: 'a device by overlay', spec: { xml: '<forward mode="hostdev"><address type="pci" domain="0" bus="3" slot="0" function="1"/></forward>' }, policy: { rawXML: 'Allowed' }, is: 'Forbidden' },
  ]
  test.each(cases)('$reason', ({ spec, policy, is }) => {
    if (is === undefined) expect(types(plan(networkObject({ spec }), { policy }))).toContain('Defined')
    else expect(refusal(networkObject({ spec }), { policy }).reason).toBe(is)
  })
})

describe('ObserveOnly', () => {
  const spec: Spec = { managementPolicy: 'ObserveOnly', name: 'default' }
  const observed = [foreign('<bridge name="virbr0"/>', { name: 'default' })]
  test('looks, with the grant', () => {
    const made = plan(networkObject({ spec }), { observed, policy: { foreignObjects: 'Observe' } })
    expect([made.actions, made.standing.reason]).toEqual([[], 'Observed'])
    const inputs = gather(networkObject({ spec }), { observed: [...observed, guest('web', { network: 'default' })], policy: { foreignObjects: 'Observe' } })
    expect(kind.describe(inputs)).toEqual({ binding: { hypervisor: 'kvm7', name: 'default', uuid: observed[0]!.ref.uuid, origin: 'Observed' }, state: 'Active', bridge: 'virbr0', mtu: 1500, connections: 1 })
  })
  test('is Forbidden without', () => { expect(refusal(networkObject({ spec }), { observed }).reason).toBe('Forbidden') })
  test('says NotFound', () => { expect(plan(networkObject({ spec })).standing.reason).toBe('NotFound') })
  test('its end touches nothing', () => {
    expect(plan(networkObject({ spec, terminating: true, bound: 'Observed' }), { observed })).toMatchObject({ actions: [], gone: true })
  })
})

test('an overlay says each thing once: a second forward is not looked past', () => {
  const twice = networkObject({ spec: { ...LAB, xml: '<forward mode="nat"/><forward mode="bridge"><interface dev="eth0"/></forward>' } })
  expect(refusal(twice, { policy: { rawXML: 'Allowed' } })).toEqual({ reason: 'Invalid', message: 'spec.xml: <forward> stands twice in one place (forward), and there is one at most: write what belongs into it once.' })
})
