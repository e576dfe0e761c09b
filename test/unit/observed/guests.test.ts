// When agents and the ARP table are asked, counted on a clock that the test moves, and what an agent may say.

import { beforeEach, describe, expect, test } from 'vitest'
import { AddressSource, type Connection, type DomainInterface, type DomainRef, type DriverEvent, GuestInfoTypes, type TypedParams } from '../../../drivers/driver.ts'
import { CallTimeout, ConnectionLost, ErrorNumber, LibvirtError } from '../../../drivers/errors.ts'
import { type GuestHost, GuestWatch } from '../../../observed/guests.ts'
import { HostMirror, idOf } from '../../../observed/mirror.ts'
import { type ObservedDomain, interfaceFacts } from '../../../observed/objects.ts'
import type { HostState } from '../../../observed/state.ts'
import { parseXml } from '../../../xml/tree.ts'
import { FakeClock } from '../../support/fakeclock.ts'

const refusal = (code: number): LibvirtError => new LibvirtError({ code, domain: 10, level: 2, message: 'scripted', procedure: 'scripted' })
const RELIST = 600_000
const A = '52:54:00:00:00:0a'
const B = '52:54:00:00:00:0b'

const nic = (mac: string, ...addresses: string[]): DomainInterface => ({
  name: 'eth0', hwaddr: mac, addrs: addresses.map(text => { const [addr = '', prefix = '0'] = text.split('/'); return { type: addr.includes(':') ? 'ipv6' : 'ipv4', addr, prefix: Number(prefix) } }),
})

/** What the agent of a guest does. */
interface Agent { hostname?: string; os?: TypedParams; nics: DomainInterface[]; lacks?: string[]; fails?: Error; hangs?: PromiseWithResolvers<never> }

class FakeHost implements GuestHost {
  readonly mirror = new HostMirror()
  state: HostState = 'Open'
  readonly agents = new Map<string, Agent>()
  arp: DomainInterface[] = []
  arpFailure: Error | undefined
  asked: string[] = []
  atOnce = 0
  mostAtOnce = 0
  opened = 0
  deadline = Infinity
  /** No agent answers before. */
  gate: Promise<void> | undefined
  openConnections = 0
  readonly #states: ((state: HostState) => void)[] = []
  readonly #events: ((event: DriverEvent) => void)[] = []
  onState(handler: (state: HostState) => void): void { this.#states.push(handler) }
  onEvent(handler: (event: DriverEvent) => void): void { this.#events.push(handler) }
  enter(state: HostState): void { this.state = state; for (const handler of this.#states) handler(state) }
  tell(event: DriverEvent): void { for (const handler of this.#events) handler(event) }

  use(): Pick<Connection, 'domainInterfaceAddresses'> {
    return {
      domainInterfaceAddresses: async ({ name }, source) => {
        this.asked.push(`${source === AddressSource.ARP ? 'arp' : 'agent on the connection of all calls'} ${name}`)
        if (this.arpFailure) throw this.arpFailure
        return this.arp
      },
    }
  }
  async openFurther({ callTimeout }: { callTimeout: number }): ReturnType<GuestHost['openFurther']> {
    this.deadline = callTimeout
    this.opened++
    this.openConnections++
    const ended = Promise.withResolvers<Error>()
    const answer = async <T>(dom: DomainRef, what: string, value: (agent: Agent) => T): Promise<T> => {
      this.asked.push(`${what} ${dom.name}`)
      this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce)
      const agent = this.agents.get(dom.name)!
      try {
        if (agent.hangs) await Promise.race([agent.hangs.promise, ended.promise.then(reason => { throw reason })])
        await this.gate
        if (agent.fails) throw agent.fails
        if (agent.lacks?.includes(what)) throw refusal(ErrorNumber.INTERNAL_ERROR)
        return value(agent)
      } finally {
        this.atOnce--
      }
    }
    return {
      closed: ended.promise,
      close: async () => { this.openConnections--; ended.resolve(new ConnectionLost('closed')); await ended.promise },
      domainInterfaceAddresses: async (dom, source) => await answer(dom, source === AddressSource.AGENT ? 'nics' : 'wrong', agent => agent.nics),
      domainGetGuestInfo: async (dom, types) => await answer(dom, types === GuestInfoTypes.OS ? 'os' : 'hostname', agent => (types === GuestInfoTypes.OS ? agent.os ?? {} : { hostname: agent.hostname ?? '' })),
    }
  }
}

interface Nic { mac: string; bridge?: string; network?: string; link?: 'down' }
const domain = (name: string, nics: Nic[], { id = 1, agent = false, running = true } = {}): ObservedDomain => {
  const devices = nics.map(({ mac, bridge, network, link }) => `<interface type="${bridge ? 'bridge' : 'network'}"><mac address="${mac}"/><source ${bridge ? `bridge="${bridge}"` : `network="${network}"`}/>${link ? '<link state="down"/>' : ''}</interface>`).join('')
  const xml = `<domain id="${id}"><devices>${devices}<channel type="unix"><target type="virtio" name="org.qemu.guest_agent.0" state="${agent ? 'connected' : 'disconnected'}"/></channel></devices></domain>`
  return {
    kind: 'domain', ref: { name, uuid: `uuid-${name}`, id: running ? id : -1 }, state: running ? 1 : 5, reason: 1, persistent: true, autostart: false,
    inactive: xml, live: running ? xml : undefined, disks: [], interfaces: interfaceFacts(parseXml(xml)), bootFiles: [],
  }
}
const onBridge: Nic[] = [{ mac: A, bridge: 'br0' }]
const connected = (name: string, state = 1): DriverEvent => ({ type: 'domain', name: 'agent-lifecycle', dom: { name, uuid: `uuid-${name}`, id: 1 }, state, reason: 0 })

let host: FakeHost
let clock: FakeClock
let leases: Set<string>
let watch: GuestWatch
let told: string[]

beforeEach(() => {
  host = new FakeHost()
  clock = new FakeClock()
  leases = new Set()
  watch = new GuestWatch({ host, clock, leased: (mac, network) => leases.has(`${mac} ${network}`), again: RELIST })
  told = []
  watch.onChange(uuid => told.push(uuid))
})
const count = (what: string): number => host.asked.filter(asked => asked.startsWith(what)).length

describe('the agent', () => {
  test('is asked when it connects, and tells name, system and addresses', async () => {
    host.agents.set('web', { hostname: 'web', os: { 'os.pretty-name': 'Debian GNU/Linux 12 (bookworm)' }, nics: [nic(A.toUpperCase(), '192.168.1.7/24', 'fe80::1/64'), nic(B, '10.0.0.9/24')] })
    host.mirror.set(domain('web', onBridge))
    await clock.advance(0)
    expect(host.opened).toBe(0)
    host.mirror.set(domain('web', onBridge, { agent: true }))
    await clock.advance(0)
    expect(host.asked).toEqual(['nics web', 'hostname web', 'os web'])
    expect(host.deadline).toBeLessThan(10_000)
    expect(watch.factsOf('uuid-web')).toMatchObject({ hostname: 'web', os: 'Debian GNU/Linux 12 (bookworm)' })
    expect([...watch.factsOf('uuid-web')!.byAgent]).toEqual([[A, [{ address: '192.168.1.7', prefix: 24, source: 'Agent' }, { address: 'fe80::1', prefix: 64, source: 'Agent' }]]])
    expect(told).toEqual(['uuid-web'])
  })

  test('is left alone once everything is known, but for a look at each relist; then news are told, and only news', async () => {
    host.agents.set('web', { hostname: 'web', nics: [nic(A, '192.168.1.7/24')] })
    host.mirror.set(domain('web', onBridge, { agent: true }))
    await clock.advance(0)
    host.asked = []
    await clock.advance(RELIST - 1)
    expect(host.asked).toEqual([])
    expect(host.openConnections).toBe(0)
    expect(clock.timers).toHaveLength(1)
    await clock.advance(1)
    expect(host.asked).toEqual(['nics web', 'hostname web', 'os web'])
    expect(told).toHaveLength(1)
    host.agents.get('web')!.nics = [nic(A, '192.168.1.8/24')]
    await clock.advance(RELIST)
    expect(told).toHaveLength(2)
  })

  test('is asked for an address that is missing, ever more rarely; a lease ends that', async () => {
    host.agents.set('web', { hostname: 'web', nics: [] })
    host.mirror.set(domain('web', [{ mac: A, network: 'lab' }], { agent: true }))
    await clock.advance(0)
    expect(host.asked).toEqual(['nics web', 'hostname web', 'os web'])
    host.asked = []
    await clock.advance(2_000 + 4_000 + 8_000 + 16_000)
    expect(host.asked).toEqual(['nics web', 'nics web', 'nics web', 'nics web'])
    leases.add(`${A} lab`)
    await clock.advance(32_000)
    host.asked = []
    await clock.advance(RELIST - 1)
    expect(host.asked).toEqual([])
  })

  test('of a guest without one is never asked, nor of one that is off', async () => {
    host.mirror.set(domain('web', [{ mac: A, network: 'lab' }]))
    host.mirror.set(domain('off', onBridge, { agent: true, running: false }))
    await clock.advance(RELIST * 2)
    expect(host.opened).toBe(0)
  })

  test('that went is believed no more; one that came back is asked anew, however short it was away', async () => {
    host.agents.set('web', { hostname: 'web', nics: [nic(A, '192.168.1.7/24')] })
    host.mirror.set(domain('web', onBridge, { agent: true }))
    await clock.advance(0)
    host.tell(connected('web', 2))
    host.asked = []
    await clock.advance(0)
    expect(host.asked).toEqual([])
    host.agents.get('web')!.hostname = 'renamed'
    host.tell(connected('web'))
    await clock.advance(0)
    expect(watch.factsOf('uuid-web')?.hostname).toBe('renamed')
    host.mirror.set(domain('web', onBridge))
    expect(watch.factsOf('uuid-web')).toMatchObject({ hostname: undefined, os: undefined, byAgent: new Map() })
    expect(told).toHaveLength(3)
    host.mirror.set(domain('web', onBridge, { running: false }))
    expect(watch.factsOf('uuid-web')).toBeUndefined()
    expect(clock.timers.filter(ms => ms > 10_000)).toEqual([])
  })

  test('that lacks a command tells the rest', async () => {
    host.agents.set('web', { hostname: 'web', os: {}, lacks: ['nics', 'os'], nics: [] })
    host.mirror.set(domain('web', [], { agent: true }))
    await clock.advance(0)
    expect(watch.factsOf('uuid-web')).toMatchObject({ hostname: 'web', os: undefined })
  })

  test('that does not answer is asked ever more rarely, one question at a time', async () => {
    host.agents.set('web', { nics: [], fails: refusal(ErrorNumber.AGENT_UNRESPONSIVE) })
    host.mirror.set(domain('web', [], { agent: true }))
    await clock.advance(0)
    expect(host.asked).toEqual(['nics web'])
    await clock.advance(2_000 + 4_000 + 8_000)
    expect(host.asked).toHaveLength(4)
    host.agents.get('web')!.fails = undefined
    host.agents.get('web')!.hostname = 'late'
    await clock.advance(16_000)
    expect(watch.factsOf('uuid-web')?.hostname).toBe('late')
  })

  test('that hangs costs its connection, holds up nobody, and is not asked again before the next relist or its return', async () => {
    const hangs = Promise.withResolvers<never>()
    host.agents.set('hung', { nics: [], hangs })
    host.agents.set('web', { hostname: 'web', nics: [] })
    host.mirror.set(domain('hung', [], { agent: true }))
    await clock.advance(0)
    host.mirror.set(domain('web', [], { agent: true, id: 2 }))
    await clock.advance(0)
    expect(watch.factsOf('uuid-web')?.hostname).toBe('web')
    hangs.reject(new CallTimeout('domainInterfaceAddresses', 7_000))
    await clock.advance(0)
    expect(host.openConnections).toBe(0)
    await clock.advance(RELIST - 1)
    expect(count('nics hung')).toBe(1)
    host.agents.set('hung', { hostname: 'awake', nics: [] })
    host.tell(connected('hung'))
    await clock.advance(0)
    expect(watch.factsOf('uuid-hung')?.hostname).toBe('awake')
  })

  test('of the others is asked no more where many hang, until one of those has gone', async () => {
    for (let i = 0; i < 6; i++) {
      const hangs = Promise.withResolvers<never>()
      hangs.reject(new CallTimeout('domainInterfaceAddresses', 7_000))
      hangs.promise.catch(() => undefined)
      host.agents.set(`hung${i}`, { nics: [], hangs })
      host.mirror.set(domain(`hung${i}`, [], { agent: true, id: i + 1 }))
      await clock.advance(10)
    }
    host.agents.set('web', { hostname: 'web', nics: [] })
    host.mirror.set(domain('web', [], { agent: true, id: 9 }))
    await clock.advance(60_000)
    expect(count('nics web')).toBe(0)
    host.mirror.set(domain('hung0', [], { agent: false, id: 1 }))
    await clock.advance(RELIST)
    expect(watch.factsOf('uuid-web')?.hostname).toBe('web')
  })

  test('of many guests: a few are asked at once, over one connection', async () => {
    const gate = Promise.withResolvers<void>()
    host.gate = gate.promise
    for (let i = 0; i < 50; i++) {
      host.agents.set(`vm${i}`, { hostname: `vm${i}`, nics: [] })
      host.mirror.set(domain(`vm${i}`, [], { agent: true, id: i + 1 }))
    }
    await clock.advance(0)
    expect(host.asked).toEqual(['nics vm0', 'nics vm1', 'nics vm2'])
    gate.resolve()
    await clock.advance(0)
    expect(watch.factsOf('uuid-vm49')?.hostname).toBe('vm49')
    expect(host.mostAtOnce).toBe(3)
    expect(host.opened).toBe(1)
  })

  test('is not asked while the host is away, and asked anew when it is back', async () => {
    host.agents.set('web', { hostname: 'web', nics: [] })
    host.mirror.set(domain('web', onBridge, { agent: true }))
    await clock.advance(0)
    host.enter('Broken')
    expect(clock.timers).toEqual([])
    host.asked = []
    await clock.advance(RELIST * 2)
    expect(host.asked).toEqual([])
    expect(watch.factsOf('uuid-web')?.hostname).toBe('web')
    host.enter('Open')
    await clock.advance(0)
    expect(count('hostname web')).toBe(1)
  })

  test('says nothing that could not be shown', async () => {
    const long = 'x'.repeat(300)
    const many = Array.from({ length: 300 }, (_, i) => `10.1.${i >> 8}.${i & 255}/24`)
    host.agents.set('web', { hostname: ` evil\u001B[31m\u202Ename\n${long}`, os: { 'os.name': 'Plan 9', 'os.version-id': '4' }, nics: [nic(A, 'no address', 'FE80:0::7/64', 'fe80::7/64', 'fe80::8%eth0/999', ...many)] })
    host.mirror.set(domain('web', onBridge, { agent: true }))
    await clock.advance(0)
    const { hostname, os, byAgent } = watch.factsOf('uuid-web')!
    expect(hostname).toMatch(/^evil \[31m name x+$/)
    expect(hostname).toHaveLength(255)
    expect(os).toBe('Plan 9 4')
    expect(byAgent.get(A)).toHaveLength(64)
    expect(byAgent.get(A)!.filter(({ address }) => address.includes(':'))).toEqual([{ address: 'fe80::7', prefix: 64, source: 'Agent' }, { address: 'fe80::8', source: 'Agent' }])
  })
})

describe('the ARP table', () => {
  test('is asked each second for two minutes after a start, then ever more rarely up to a minute', async () => {
    host.mirror.set(domain('web', onBridge))
    await clock.advance(120_000)
    expect(host.asked).toHaveLength(120)
    host.asked = []
    await clock.advance(2_000 + 4_000 + 8_000 + 16_000 + 32_000)
    expect(host.asked).toHaveLength(5)
    host.asked = []
    await clock.advance(600_000)
    expect(host.asked).toHaveLength(10)
    expect(host.opened).toBe(0)
  })

  test('is asked no more once it told the address, but at each relist; without a prefix, which it does not know', async () => {
    host.mirror.set(domain('web', onBridge))
    await clock.advance(2_000)
    host.arp = [nic(A, '192.168.1.7'), nic(B, '192.168.1.9')]
    await clock.advance(1_000)
    expect([...watch.factsOf('uuid-web')!.byARP]).toEqual([[A, [{ address: '192.168.1.7', source: 'ARP' }]]])
    expect(told).toEqual(['uuid-web'])
    host.asked = []
    await clock.advance(RELIST - 1)
    expect(host.asked).toEqual([])
    await clock.advance(1)
    expect(host.asked).toEqual(['arp web'])
  })

  test.each<[string, Nic, boolean]>([
    ['an interface on a host bridge', { mac: A, bridge: 'br0' }, true],
    ['an interface whose link is down', { mac: A, bridge: 'br0', link: 'down' }, false],
    ['an interface on a network that gives out addresses', { mac: A, network: 'lab' }, false],
    ['an interface on a network that gives out none', { mac: A, network: 'plain' }, true],
    ['an interface on a network without a bridge', { mac: A, network: 'macvtap' }, false],
  ])('is asked or not for %s', async (_, wanted, asks) => {
    const network = (name: string, bridge: string | undefined, live: string): void => { host.mirror.set({ kind: 'network', ref: { name, uuid: `uuid-${name}` }, active: true, autostart: true, inactive: live, live, bridge }) }
    network('lab', 'virbr1', '<network><ip><dhcp></dhcp></ip></network>')
    network('plain', 'virbr2', '<network/>')
    network('macvtap', undefined, '<network/>')
    host.mirror.set(domain('web', [wanted]))
    await clock.advance(1_000)
    expect(host.asked).toEqual(asks ? ['arp web'] : [])
  })

  test('is not asked for what a lease or the agent tells, and again once the agent has gone', async () => {
    host.agents.set('web', { hostname: 'web', nics: [nic(A, '192.168.1.7/24')] })
    host.mirror.set(domain('web', onBridge, { agent: true }))
    host.mirror.set({ kind: 'network', ref: { name: 'plain', uuid: 'uuid-plain' }, active: true, autostart: true, inactive: '<network/>', live: '<network/>', bridge: 'virbr2' })
    leases.add(`${B} plain`)
    host.mirror.set(domain('leased', [{ mac: B, network: 'plain' }], { id: 2 }))
    await clock.advance(60_000)
    expect(count('arp')).toBe(0)
    host.mirror.set(domain('web', onBridge))
    await clock.advance(3_000)
    expect(count('arp web')).toBe(3)
  })

  test('says of a MAC address that two guests have nothing of either', async () => {
    host.arp = [nic(A, '192.168.1.7')]
    host.mirror.set(domain('web', onBridge))
    host.mirror.set(domain('thief', [{ mac: A, bridge: 'br1' }], { id: 2 }))
    await clock.advance(10_000)
    expect(host.asked).toEqual([])
    host.mirror.set(domain('web', onBridge, { running: false }))
    host.mirror.set(domain('web', onBridge, { running: false }))
    host.mirror.set(domain('thief', [{ mac: A, bridge: 'br1' }, { mac: B, bridge: 'br1' }], { id: 2 }))
    await clock.advance(1_000)
    expect(host.asked).toEqual(['arp thief'])
  })

  test('is asked at once for an interface that came, or whose link came up', async () => {
    host.arp = [nic(A, '192.168.1.7')]
    host.mirror.set(domain('web', onBridge))
    await clock.advance(1_000)
    host.asked = []
    host.mirror.set(domain('web', [...onBridge, { mac: B, bridge: 'br0', link: 'down' }]))
    await clock.advance(60_000)
    expect(host.asked).toEqual([])
    host.mirror.set(domain('web', [...onBridge, { mac: B, bridge: 'br0' }]))
    await clock.advance(3_000)
    expect(host.asked).toHaveLength(3)
  })

  test.each([['has none', ErrorNumber.ARGUMENT_UNSUPPORTED], ['cannot read it', ErrorNumber.INTERNAL_ERROR]])('of a host that %s is asked once for all guests, and again at the next relist or over another connection', async (_, code) => {
    host.arpFailure = refusal(code)
    host.mirror.set(domain('web', onBridge))
    host.mirror.set(domain('db', [{ mac: B, bridge: 'br0' }], { id: 2 }))
    await clock.advance(RELIST)
    expect(host.asked).toHaveLength(1)
    await clock.advance(1_000)
    expect(host.asked).toHaveLength(2)
    host.enter('Broken')
    host.enter('Open')
    await clock.advance(1_000)
    expect(host.asked).toHaveLength(3)
  })

  test('is asked for anew in its time where only this guest could not be told of', async () => {
    host.arpFailure = refusal(ErrorNumber.OPERATION_INVALID)
    host.mirror.set(domain('web', onBridge))
    await clock.advance(3_000)
    expect(host.asked).toHaveLength(3)
  })

  test('a guest that stops, or goes, is asked about no more', async () => {
    host.mirror.set(domain('web', onBridge))
    host.mirror.set(domain('db', [{ mac: B, bridge: 'br0' }], { id: 2 }))
    host.mirror.set(domain('web', onBridge, { running: false }))
    host.mirror.remove(idOf.domain('uuid-db'))
    expect(clock.timers).toEqual([])
    host.mirror.set(domain('web', onBridge, { id: 3 }))
    expect(clock.timers).toEqual([1_000])
    watch.close()
    expect(clock.timers).toEqual([])
  })
})
