// Networks on a real libvirtd: what is rendered, defined and read back needs nothing more, and changes cut off nobody.

import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CreateFlags } from '../../../drivers/driver.ts'
import { ErrorNumber, type LibvirtError } from '../../../drivers/errors.ts'
import { LeaseWatch } from '../../../observed/leases.ts'
import { Refusal } from '../../../reconcilers/plan.ts'
import type { Spec } from '../../../reconcilers/network/render.ts'
import { systemClock } from '../../../clock/clock.ts'
import { type PrivateLibvirtd, startLibvirtd } from '../../support/libvirtd.ts'
import { until } from '../../support/until.ts'
import { anySpec } from '../../unit/reconcilers/network/specs.ts'
import { NetworkStage } from './network-stage.ts'

/** Each with a subnet of its own, for they are all up at once. */
const specs: Record<string, Spec> = {
  isolated: {},
  nat: { forward: { mode: 'nat' }, ipv4: { address: '10.101.1.1/24', dhcp: {} } },
  natdev: { forward: { mode: 'nat', dev: 'lo', nat: { address: { start: '203.0.113.10', end: '203.0.113.20' }, port: { start: 2000, end: 3000 } } }, ipv4: { address: '10.101.2.1/24' } },
  route: { forward: { mode: 'route' }, ipv4: { address: '10.101.3.1/24', additionalAddresses: ['10.101.4.1/28'] } },
  open: { forward: { mode: 'open' }, ipv4: { address: '10.101.5.100/24', dhcp: {} } },
  bridge: { forward: { mode: 'bridge' }, bridge: { name: 'br0' } },
  six: { forward: { mode: 'route' }, ipv6: { address: 'FD00:0150:0::1/64', dhcp: { hosts: [{ name: 'web', ip: 'fd00:150::10', hostname: 'web' }] } } },
  both: { ipv4: { address: '10.101.6.1/24', dhcp: {} }, ipv6: { address: 'fd00:151::1/64', dhcp: {} } },
  large: { ipv4: { address: '10.112.0.1/12', dhcp: {} } },
  named: { domain: { name: 'lab.local', localOnly: true }, dns: { hosts: [{ ip: '10.101.7.9', hostnames: ['www', 'shop'] }] }, ipv4: { address: '10.101.7.1/24' } },
  hosts: {
    ipv4: {
      address: '10.101.8.1/24',
      dhcp: { ranges: [{ start: '10.101.8.100', end: '10.101.8.200', leaseTime: '90m' }], hosts: [{ name: 'web', mac: '52:54:00:AA:BB:01', ip: '10.101.8.10', hostname: 'web' }, { name: 'db', mac: '52:54:00:aa:bb:02', ip: '10.101.8.11' }] },
    },
  },
  settings: { mtu: 1400, bridge: { name: 'vbr7', stp: 'Disabled', delay: '2s' }, ipv4: { address: '10.101.9.1/24' } },
  portgroups: {
    forward: { mode: 'nat' }, ipv4: { address: '10.101.10.1/24' },
    portgroups: [{ name: 'dmz', default: true, bandwidth: { inbound: { average: '10Mi', peak: '20Mi', burst: '1Mi' }, outbound: { average: '1Mi' } } }, { name: 'slow', bandwidth: { inbound: { average: '1Ki' } } }],
  },
  vlans: { forward: { mode: 'bridge' }, bridge: { name: 'br0' }, portgroups: [{ name: 'trunk', vlan: { tags: [{ id: 43 }, { id: 42 }] } }], xml: "<virtualport type='openvswitch'/>" },
  overlay: {
    forward: { mode: 'nat' }, ipv4: { address: '10.101.11.1/24', dhcp: {} },
    xml: "<dns><txt name='version' value='1'/><srv service='ldap' protocol='tcp' target='web' port='389'/><forwarder addr='9.9.9.9'/></dns><route address='10.9.0.0' prefix='16' gateway='10.101.11.7'/><ip address='10.101.11.1'><dhcp><bootp file='pxe' server='10.101.11.1'/></dhcp></ip>",
  },
}
/** What libvirt starts only with means that the private host lacks. */
const onlyDefined = new Set(['vlans', 'natdev'])

let libvirtd: PrivateLibvirtd
beforeAll(async () => {
  libvirtd = await startLibvirtd({ name: 'networks' })
  await libvirtd.execOk(['ip', 'link', 'add', 'br0', 'type', 'bridge'])
})
afterAll(async () => { await libvirtd.stop() })

const bridgeIndex = async (bridge: string): Promise<string> => await libvirtd.execOk(['cat', `/sys/class/net/${bridge}/ifindex`])
const guestXml = (name: string, network: string, type: string): string =>
  `<domain type='${type}'><name>${name}</name><memory unit='MiB'>32</memory><os><type arch='${type === 'test' ? 'i686' : 'x86_64'}'>hvm</type></os><devices><interface type='network'><mac address='52:54:00:aa:bb:cc'/><source network='${network}'/></interface></devices></domain>`

describe.each(['qemu:///system', 'test:///default'])('%s', driver => {
  const isTest = driver.startsWith('test')
  let stage: NetworkStage
  beforeAll(async () => { stage = await NetworkStage.open(libvirtd.uri(driver)) })
  afterAll(async () => { await stage.close() })

  const startGuest = async (name: string, network: string): Promise<() => Promise<void>> => {
    const connection = stage.host.use()
    const dom = await connection.domainCreateXML(guestXml(name, network, isTest ? 'test' : 'qemu'), isTest ? 0 : CreateFlags.PAUSED)
    await stage.host.refresh(`domain/${dom.uuid}`)
    return async () => {
      await connection.domainDestroyFlags(dom, 0)
      await stage.host.refresh(`domain/${dom.uuid}`)
    }
  }

  test.each(Object.entries(specs))('what is defined and read back needs nothing more: %s', async (name, spec) => {
    const object = stage.object(name, onlyDefined.has(name) ? { ...spec, state: 'Inactive' } : spec)
    const first = await stage.drive(object)
    expect(first.types).toEqual(onlyDefined.has(name) ? ['Defined', 'AutostartSet'] : ['Defined', 'AutostartSet', 'Started'])
    expect([first.plan.pending, first.plan.drift]).toEqual([[], []])
    const again = await stage.drive(object)
    expect([again.types, again.calls]).toEqual([[], 0])
    expect(object.status).toMatchObject({ state: onlyDefined.has(name) ? 'Inactive' : 'Active', binding: { name, origin: 'Created' }, connections: 0 })

    const removed = await stage.remove(object)
    expect(removed.types).toEqual(onlyDefined.has(name) ? ['Undefined'] : ['Stopped', 'Undefined'])
    expect(removed.plan.gone).toBe(true)
    await expect(stage.host.use().networkLookupByName(name)).rejects.toMatchObject({ code: ErrorNumber.NO_NETWORK })
  })

  test('whatever the spec, what is defined and read back needs nothing more', async () => {
    await fc.assert(fc.asyncProperty(anySpec, anySpec, async (spec, next) => {
      const object = stage.object('any', { ...spec, state: 'Inactive' })
      try {
        expect((await stage.drive(object)).types).toEqual(['Defined', 'AutostartSet'])
        expect((await stage.drive(object)).types).toEqual([])
        // One changed into any other ends as that other.
        object.spec = { ...next, state: 'Inactive' }
        object.metadata.generation!++
        expect(['Defined', undefined]).toContain((await stage.drive(object)).types[0])
        expect((await stage.drive(object)).types).toEqual([])
      } finally {
        await stage.remove(object)
      }
    }), { numRuns: 100 })
  })

  test('a new controller on the same host finds its network and needs nothing', async () => {
    const object = stage.object('found', specs.hosts!)
    await stage.drive(object)
    expect((await stage.drive(stage.object('found', specs.hosts!))).types).toEqual([])
    await stage.remove(object)
  })

  test('a change that needs a recreation waits for the last running domain, of whoever', async () => {
    const object = stage.object('used', specs.nat!)
    await stage.drive(object)
    const stopGuest = await startGuest('foreign', 'used')
    const waiting = await stage.change(object, spec => { spec.mtu = 1400 })
    expect(waiting.types).toEqual(isTest ? [] : ['Defined'])
    expect(waiting.plan.pending).toEqual([{ path: 'mtu', current: undefined, desired: '1400', apply: 'Recreate' }])
    expect([object.status!.mtu, object.status!.connections]).toEqual([1500, 1])
    await stopGuest()
    const done = await stage.drive(object)
    expect([done.types, done.plan.pending, object.status!.mtu]).toEqual([['Recreated'], [], 1400])
    await stage.remove(object)
  })

  test('deletion waits for a foreign domain', async () => {
    const object = stage.object('kept', specs.nat!)
    await stage.drive(object)
    const stopGuest = await startGuest('foreign', 'kept')
    const blocked = await stage.remove(object)
    expect([blocked.types, blocked.plan.deletionBlocked?.reason]).toEqual([[], 'InUse'])
    await stopGuest()
    expect((await stage.drive(object)).types).toEqual(['Stopped', 'Undefined'])
  })

  test('a foreign network is left untouched, and adopted only when asked; its end leaves it', async () => {
    const connection = stage.host.use()
    const xml = "<network><name>theirs</name><bridge name='vbr9'/><ip address='10.101.20.1' netmask='255.255.255.0'/></network>"
    const ref = await connection.networkDefineXML(xml)
    await stage.host.refresh(`network/${ref.uuid}`)
    const spec: Spec = { state: 'Inactive', autostart: 'Disabled', ipv4: { address: '10.101.20.1/24' } }
    const object = stage.object('theirs', spec)
    await expect(stage.drive(object)).rejects.toThrow(Refusal)
    expect((await stage.change(object, edited => { edited.adoptionPolicy = 'IfUnchanged' })).types).toEqual(['Defined'])
    expect(object.status!.binding).toMatchObject({ uuid: ref.uuid, origin: 'Adopted' })
    expect((await stage.remove(object)).types).toEqual(['Released'])
    expect(await connection.networkGetXMLDesc(ref, 0)).toMatch(/released="yes"/)
    await connection.networkUndefine(ref)
    await stage.host.refresh(`network/${ref.uuid}`)
  })

  test('stopped, and removed, by hand: started, and made again', async () => {
    const object = stage.object('byhand', specs.nat!)
    await stage.drive(object)
    const connection = stage.host.use()
    const { uuid, name } = object.status!.binding!
    await connection.networkDestroy({ name, uuid })
    expect((await stage.drive(object)).types).toEqual(['Started'])
    await connection.networkDestroy({ name, uuid })
    await connection.networkUndefine({ name, uuid })
    expect((await stage.drive(object)).types).toEqual(['Defined', 'AutostartSet', 'Started'])
    expect(object.status!.binding!.uuid).toBe(uuid)
    await stage.remove(object)
  })
})

describe('qemu:///system in place', () => {
  let stage: NetworkStage
  beforeAll(async () => { stage = await NetworkStage.open(libvirtd.uri()) })
  afterAll(async () => { await stage.close() })

  const edits: [string, (spec: Spec) => void][] = [
    ['a DHCP host added', spec => { spec.ipv4!.dhcp!.hosts!.push({ name: 'new', mac: '52:54:00:aa:bb:03', ip: '10.101.8.12', hostname: 'new' }) }],
    ['a DHCP host with another address and name', spec => { Object.assign(spec.ipv4!.dhcp!.hosts![0]!, { ip: '10.101.8.20', hostname: 'www' }) }],
    ['DHCP hosts that exchange their addresses', spec => { spec.ipv4!.dhcp!.hosts![0]!.ip = '10.101.8.11'; spec.ipv4!.dhcp!.hosts![1]!.ip = '10.101.8.20' }],
    ['a DHCP host removed', spec => { spec.ipv4!.dhcp!.hosts!.shift() }],
    ['a range added', spec => { spec.ipv4!.dhcp!.ranges!.push({ start: '10.101.8.210', end: '10.101.8.220' }) }],
    ['a range with another end', spec => { spec.ipv4!.dhcp!.ranges![0]!.end = '10.101.8.205' }],
    ['a range removed', spec => { spec.ipv4!.dhcp!.ranges!.shift() }],
    ['an IPv6 DHCP host', spec => { spec.ipv6!.dhcp!.hosts = [{ name: 'six', ip: 'fd00:152::10', hostname: 'six' }] }],
    ['names', spec => { spec.dns = { hosts: [{ ip: '10.101.8.9', hostnames: ['www'] }] } }],
    ['more names', spec => { spec.dns!.hosts![0]!.hostnames.push('shop') }],
    ['no names', spec => { spec.dns = undefined }],
    ['portgroups', spec => { spec.portgroups = [{ name: 'a', default: true }, { name: 'b', bandwidth: { inbound: { average: '1Mi' } } }] }],
    ['another default portgroup', spec => { spec.portgroups![0]!.default = false; spec.portgroups![1]!.default = true }],
    ['another limit', spec => { spec.portgroups![1]!.bandwidth!.inbound!.average = '2Mi' }],
    ['no portgroups', spec => { spec.portgroups = undefined }],
  ]

  test('every list is changed in the running network, whose bridge stays', async () => {
    const object = stage.object('live', { ...structuredClone(specs.hosts!), ipv6: { address: 'fd00:152::1/64', dhcp: {} } })
    await stage.drive(object)
    const index = await bridgeIndex(object.status!.bridge!)
    const stopGuest = await stage.host.use().domainCreateXML(guestXml('user', 'live', 'qemu'), CreateFlags.PAUSED)
    await stage.host.refresh(`domain/${stopGuest.uuid}`)
    for (const [what, edit] of edits) {
      const done = await stage.change(object, edit)
      expect([what, done.types, done.plan.pending]).toEqual([what, ['Updated', 'Defined'], []])
      expect((await stage.drive(object)).types).toEqual([])
    }
    expect(await bridgeIndex(object.status!.bridge!)).toBe(index)
    await stage.host.use().domainDestroyFlags(stopGuest, 0)
    await stage.host.refresh(`domain/${stopGuest.uuid}`)
    // The next start has it all: nothing was only in the running network.
    const { name, uuid } = object.status!.binding!
    await stage.host.use().networkDestroy({ name, uuid })
    expect((await stage.drive(object)).types).toEqual(['Started'])
    await stage.remove(object)
  })

  test('a change by hand is put back where it was made', async () => {
    const object = stage.object('drift', structuredClone(specs.hosts!))
    await stage.drive(object)
    const { name, uuid } = object.status!.binding!
    const connection = stage.host.use()
    await connection.networkUpdate({ name, uuid }, 2, 4, 0, "<host mac='52:54:00:aa:bb:02' ip='10.101.8.11'/>", 1)
    expect((await stage.drive(object)).types).toEqual(['Updated'])
    await connection.networkUpdate({ name, uuid }, 2, 4, 0, "<host mac='52:54:00:aa:bb:02' ip='10.101.8.11'/>", 2)
    expect((await stage.drive(object)).types).toEqual(['Defined'])
    await stage.change(object, spec => { spec.driftPolicy = { action: 'Report' } })
    await connection.networkUpdate({ name, uuid }, 2, 4, 0, "<host mac='52:54:00:aa:bb:02' ip='10.101.8.11'/>", 3)
    const reported = await stage.drive(object)
    expect([reported.types, reported.plan.drift]).toEqual([[], [{ path: 'ipv4.dhcp.hosts[db]', expected: '10.101.8.11', found: undefined }]])
    await stage.remove(object)
  })

  test('a redefinition keeps what libvirt chose and what others added', async () => {
    const object = stage.object('patched', specs.nat!)
    await stage.drive(object)
    const { name, uuid } = object.status!.binding!
    const connection = stage.host.use()
    await connection.networkUpdate({ name, uuid }, 3, 11, -1, "<txt name='theirs' value='1'/>", 3)
    const before = await connection.networkGetXMLDesc({ name, uuid }, 1)
    await stage.change(object, spec => { spec.dns = { hosts: [{ ip: '10.101.1.9', hostnames: ['www'] }] } })
    await stage.change(object, spec => { spec.dns = undefined })
    const unmarked = (xml: string): string => xml.replace(/<metadata>[\s\S]*<\/metadata>/, '')
    expect(unmarked(await connection.networkGetXMLDesc({ name, uuid }, 1))).toBe(unmarked(before))
    await stage.remove(object)
  })

  test('from one kind of network to each other', async () => {
    const object = stage.object('kinds', {})
    await stage.drive(object)
    for (const next of ['nat', 'bridge', 'route', 'six', 'open', 'settings', 'isolated', 'bridge', 'hosts']) {
      object.spec = structuredClone(specs[next]!)
      object.metadata.generation!++
      const done = await stage.drive(object)
      expect([next, done.types, done.plan.pending]).toEqual([next, ['Recreated'], []])
    }
    await stage.remove(object)
  })

  test('an overlapping subnet is libvirt\'s own refusal', async () => {
    const [one, two] = [stage.object('first', specs.nat!), stage.object('second', specs.nat!)]
    await stage.drive(one)
    await expect(stage.drive(two)).rejects.toSatisfy((error: LibvirtError) => error.message.includes('already in use by interface'))
    expect((await stage.remove(two)).types).toEqual(['Undefined'])
    await stage.remove(one)
  })

  test('leases are asked for in bulk while a guest waits for its address', async () => {
    const object = stage.object('leased', specs.nat!)
    await stage.drive(object)
    const watch = new LeaseWatch({ host: stage.host, clock: systemClock })
    const told = new Promise<Set<string>>(resolve => { watch.onChange(resolve) })
    const guest = await stage.host.use().domainCreateXML(guestXml('waits', 'leased', 'qemu'), CreateFlags.PAUSED)
    await stage.host.refresh(`domain/${guest.uuid}`)
    // The guest stays paused: what dnsmasq would note of its lease is noted for it.
    const status = `[{"ip-address":"10.101.1.77","mac-address":"52:54:00:aa:bb:cc","expiry-time":${Math.floor(Date.now() / 1000) + 3600}}]`
    await libvirtd.execOk(['tee', `/var/lib/libvirt/dnsmasq/${object.status!.bridge!}.status`], { input: status })
    expect([...await told]).toEqual(['52:54:00:aa:bb:cc'])
    expect(watch.leasesFor('52:54:00:AA:BB:CC', 'leased')).toMatchObject([{ ipaddr: '10.101.1.77', prefix: 24 }])
    watch.close()
    await stage.host.use().domainDestroyFlags(guest, 0)
    await until('the guest is gone', () => stage.host.mirror.domain(guest.uuid) === undefined)
    await stage.remove(object)
  })
})
