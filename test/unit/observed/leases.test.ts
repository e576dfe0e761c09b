// When the networks are asked for leases, counted on a clock that the test moves.

import { beforeEach, describe, expect, test } from 'vitest'
import type { DhcpLease, NetworkRef } from '../../../drivers/driver.ts'
import { ConnectionLost, ErrorNumber, LibvirtError } from '../../../drivers/errors.ts'
import type { HostState } from '../../../observed/state.ts'
import { type LeaseHost, LeaseWatch } from '../../../observed/leases.ts'
import { HostMirror, idOf } from '../../../observed/mirror.ts'
import { type ObservedDomain, type ObservedNetwork, interfaceFacts } from '../../../observed/objects.ts'
import { parseXml } from '../../../xml/tree.ts'
import { FakeClock } from '../../support/fakeclock.ts'

const lease = (mac: string, ipaddr: string): DhcpLease => ({ iface: 'virbr0', expirytime: 0, type: 'ipv4', mac, iaid: null, ipaddr, prefix: 24, hostname: null, clientid: null })

class FakeHost implements LeaseHost {
  readonly mirror = new HostMirror()
  state: HostState = 'Open'
  asked: string[] = []
  answers = new Map<string, DhcpLease[]>()
  failure: Error | undefined
  readonly #handlers: ((state: HostState) => void)[] = []
  onState(handler: (state: HostState) => void): void { this.#handlers.push(handler) }
  enter(state: HostState): void {
    this.state = state
    for (const handler of this.#handlers) handler(state)
  }
  use(): { networkGetDHCPLeases(net: NetworkRef): Promise<DhcpLease[]> } {
    return {
      networkGetDHCPLeases: async ({ name }) => {
        this.asked.push(name)
        if (this.failure) throw this.failure
        return this.answers.get(name) ?? []
      },
    }
  }
}

const network = (name: string, dhcp = true, active = true): ObservedNetwork => {
  const xml = `<network><name>${name}</name><ip address="10.0.0.1" prefix="24">${dhcp ? '<dhcp><range start="10.0.0.2" end="10.0.0.254"/></dhcp>' : ''}</ip></network>`
  return { kind: 'network', ref: { name, uuid: `uuid-${name}` }, active, autostart: true, inactive: xml, live: active ? xml : undefined }
}

interface Nic { mac: string; network: string; link?: 'down' }
const domain = (name: string, nics: Nic[], { id = 1, running = true } = {}): ObservedDomain => {
  const xml = `<domain id="${id}"><devices>${nics.map(nic => `<interface type="network"><mac address="${nic.mac}"/><source network="${nic.network}"/>${nic.link ? `<link state="${nic.link}"/>` : ''}</interface>`).join('')}</devices></domain>`
  return {
    kind: 'domain', ref: { name, uuid: `uuid-${name}`, id: running ? id : -1 }, state: running ? 1 : 5, reason: 1, persistent: true, autostart: false,
    inactive: xml, live: running ? xml : undefined, disks: [], bootFiles: [], interfaces: interfaceFacts(parseXml(xml)),
  }
}

const A = '52:54:00:00:00:0a'
const B = '52:54:00:00:00:0b'

describe('LeaseWatch', () => {
  let host: FakeHost
  let clock: FakeClock
  let watch: LeaseWatch
  let told: string[][]

  beforeEach(() => {
    host = new FakeHost()
    clock = new FakeClock()
    watch = new LeaseWatch({ host, clock })
    told = []
    watch.onChange(macs => told.push([...macs]))
    host.mirror.set(network('lab'))
  })

  test('asks nothing while no running domain has an interface on a network with DHCP', async () => {
    host.mirror.set(network('plain', false))
    host.mirror.set(network('stopped', true, false))
    host.mirror.set(domain('off', [{ mac: A, network: 'lab' }], { running: false }))
    host.mirror.set(domain('on', [{ mac: B, network: 'plain' }, { mac: A, network: 'stopped' }]))
    await clock.advance(3_600_000)
    expect(host.asked).toEqual([])
    expect(clock.timers).toEqual([])
  })

  test('asks a network each second for two minutes after a start, then ever more rarely up to a minute', async () => {
    host.mirror.set(domain('web', [{ mac: A, network: 'lab' }]))
    await clock.advance(120_000)
    expect(host.asked).toHaveLength(120)
    host.asked = []
    await clock.advance(2_000 + 4_000 + 8_000 + 16_000 + 32_000)
    expect(host.asked).toHaveLength(5)
    host.asked = []
    await clock.advance(600_000)
    expect(host.asked).toHaveLength(10)
  })

  test('asks once a minute when every interface has its address', async () => {
    host.mirror.set(domain('web', [{ mac: A, network: 'lab' }]))
    host.mirror.set(domain('db', [{ mac: B, network: 'lab' }], { id: 2 }))
    host.answers.set('lab', [lease(A, '10.0.0.5')])
    await clock.advance(3_000)
    expect(host.asked).toHaveLength(3)
    host.answers.set('lab', [lease(A, '10.0.0.5'), lease(B.toUpperCase(), '10.0.0.6')])
    await clock.advance(1_000)
    host.asked = []
    await clock.advance(300_000)
    expect(host.asked).toHaveLength(5)
    expect(told).toEqual([[A], [B]])
    expect(watch.leasesFor(B, 'lab').map(({ ipaddr }) => ipaddr)).toEqual(['10.0.0.6'])
    expect(watch.leasesFor(B, 'dmz'), 'a MAC address is anybody\'s to write: on another network it is another interface').toEqual([])
  })

  test('asks each network in bulk, with a timer of its own', async () => {
    host.mirror.set(network('dmz'))
    for (let i = 0; i < 100; i++) host.mirror.set(domain(`vm${i}`, [{ mac: `52:54:00:00:01:${i.toString(16).padStart(2, '0')}`, network: i % 2 ? 'lab' : 'dmz' }], { id: i + 1 }))
    await clock.advance(1_000)
    expect(host.asked.toSorted()).toEqual(['dmz', 'lab'])
    expect(clock.timers).toHaveLength(2)
  })

  test('a stream of starts does not put the question off', async () => {
    for (let i = 0; i < 20; i++) {
      host.mirror.set(domain(`vm${i}`, [{ mac: `52:54:00:00:01:${i.toString(16).padStart(2, '0')}`, network: 'lab' }], { id: i + 1 }))
      await clock.advance(500)
    }
    expect(host.asked).toHaveLength(10)
  })

  test('a renewal is no change; another address and a lease that went are', async () => {
    host.mirror.set(domain('web', [{ mac: A, network: 'lab' }]))
    host.answers.set('lab', [lease(A, '10.0.0.5')])
    await clock.advance(1_000)
    host.answers.set('lab', [{ ...lease(A, '10.0.0.5'), expirytime: 7 }])
    await clock.advance(60_000)
    expect(told).toHaveLength(1)
    host.answers.set('lab', [lease(A, '10.0.0.9')])
    await clock.advance(60_000)
    host.answers.set('lab', [])
    await clock.advance(60_000)
    expect(told).toEqual([[A], [A], [A]])
    expect(watch.leasesFor(A, 'lab')).toEqual([])
  })

  test('a guest that starts again, an interface that came and a link that came up are asked for at once', async () => {
    const settle = async (): Promise<void> => {
      host.answers.set('lab', [lease(A, '10.0.0.5')])
      await clock.advance(10_000)
      host.asked = []
    }
    host.mirror.set(domain('web', [{ mac: A, network: 'lab' }]))
    await settle()
    host.mirror.set(domain('web', [{ mac: A, network: 'lab' }], { id: 2 }))
    await clock.advance(1_000)
    expect(host.asked).toHaveLength(1)
    await settle()
    host.mirror.set(domain('web', [{ mac: A, network: 'lab' }, { mac: B, network: 'lab', link: 'down' }], { id: 2 }))
    await clock.advance(1_000)
    expect(host.asked).toHaveLength(1)
    await clock.advance(600_000)
    host.asked = []
    host.mirror.set(domain('web', [{ mac: A, network: 'lab' }, { mac: B, network: 'lab' }], { id: 2 }))
    await clock.advance(5_000)
    expect(host.asked).toHaveLength(5)
  })

  test('stops when the last guest of a network stops, and when it is closed', async () => {
    host.mirror.set(domain('web', [{ mac: A, network: 'lab' }]))
    host.mirror.set(domain('db', [{ mac: B, network: 'lab' }], { id: 2 }))
    host.mirror.set(domain('web', [{ mac: A, network: 'lab' }], { running: false }))
    expect(clock.timers).toHaveLength(1)
    host.mirror.remove(idOf.domain('uuid-db'))
    expect(clock.timers).toEqual([])
    host.mirror.set(domain('web', [{ mac: A, network: 'lab' }]))
    expect(clock.timers).toHaveLength(1)
    watch.close()
    expect(clock.timers).toEqual([])
  })

  test('a network that is stopped is not asked, one that is started again is', async () => {
    host.mirror.set(domain('web', [{ mac: A, network: 'lab' }]))
    host.mirror.set(network('lab', true, false))
    expect(clock.timers).toEqual([])
    host.mirror.set(network('lab'))
    await clock.advance(2_000)
    expect(host.asked).toHaveLength(2)
  })

  test('a driver without leases is asked once a connection', async () => {
    host.failure = new LibvirtError({ code: ErrorNumber.NO_SUPPORT, domain: 0, level: 2, message: 'not supported', procedure: 'x' })
    host.mirror.set(domain('web', [{ mac: A, network: 'lab' }]))
    await clock.advance(600_000)
    expect(host.asked).toHaveLength(1)
    host.mirror.set(network('lab'))
    expect(clock.timers).toEqual([])
    host.enter('Broken')
    host.enter('Open')
    await clock.advance(600_000)
    expect(host.asked).toHaveLength(2)
  })

  test('waits while the host is away, and asks at once when it is back', async () => {
    host.mirror.set(domain('web', [{ mac: A, network: 'lab' }]))
    host.failure = new ConnectionLost('gone')
    await clock.advance(2_000)
    host.enter('Broken')
    host.asked = []
    await clock.advance(600_000)
    expect(host.asked).toEqual([])
    host.failure = undefined
    host.enter('Open')
    await clock.advance(0)
    expect(host.asked).toHaveLength(1)
  })

  test('another refusal of the host is asked again in its time', async () => {
    host.failure = new LibvirtError({ code: ErrorNumber.OPERATION_INVALID, domain: 0, level: 2, message: 'network is not active', procedure: 'x' })
    host.mirror.set(domain('web', [{ mac: A, network: 'lab' }]))
    await clock.advance(3_000)
    expect(host.asked).toHaveLength(3)
  })
})
