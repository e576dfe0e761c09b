// The remote driver against a real libvirtd and its test driver: calls, objects, errors, events, and the connection's life.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Affect, DomainState, NetworkSection, NetworkUpdateCommand, StoragePoolState, XMLFlags, type Connection } from '../../../drivers/driver.ts'
import { CallTimeout, ConnectionLost, ErrorNumber, LibvirtError, isAbsent, isUnsupported } from '../../../drivers/errors.ts'
import { createRegistry } from '../../../drivers/registry.ts'
import { forwardInto } from '../../support/forward.ts'
import { startLibvirtd, type PrivateLibvirtd } from '../../support/libvirtd.ts'
import { until } from '../../support/until.ts'
import { failure, openAt, recorder, settings } from './libvirtd.ts'

let host: PrivateLibvirtd
let c: Connection

beforeAll(async () => {
  host = await startLibvirtd({ name: 'testdriver' })
  c = await openAt(host, 'test:///default')
})
afterAll(async () => {
  await c?.close()
  await host?.stop()
})

const domainXML = (name: string) => `<domain type='test'><name>${name}</name><memory>65536</memory><vcpu>1</vcpu><os><type>hvm</type></os></domain>`
const nobody = '00000000-0000-0000-0000-00000000dead'

describe('connect and node', () => {
  test('the connection tells what it is', async () => {
    expect(c.name).toBe('test:///default')
    expect(await c.connectGetType()).toBe('TEST')
    expect(await c.connectGetVersion()).toBe(2)
    expect(await c.connectGetLibVersion()).toBeGreaterThan(9_000_000 - 1)
    expect(await c.connectGetHostname()).toBe((await host.execOk(['hostname'])).trim())
    expect(await c.connectGetURI()).toBe('test:///default')
    expect(await c.connectGetCapabilities()).toMatch(/^<capabilities>/)
    expect(await c.nodeGetInfo()).toEqual({ model: 'i686', memory: 3_145_728, cpus: 16, mhz: 1400, nodes: 2, sockets: 2, cores: 2, threads: 2 })
    await c.connectIsAlive()
  })

  test('what the driver lacks is NO_SUPPORT', async () => {
    const [dom] = await c.connectListAllDomains()
    const reason = await failure(c.domainBlockResize(dom!, 'vda', 4096, 0))
    expect([reason.code, isUnsupported(reason)]).toEqual([ErrorNumber.NO_SUPPORT, true])
  })
})

describe('other drivers of the same daemon', () => {
  test.each([['lxc:///system', 'LXC'], ['qemu:///system', 'QEMU']])('%s', async (uri, type) => {
    const own = await openAt(host, uri)
    expect([own.name, await own.connectGetType(), await own.connectListAllDomains()]).toEqual([uri, type, []])
    await own.close()
  })
})

describe('domains', () => {
  test('lookups agree, and absence is NO_DOMAIN', async () => {
    const [dom] = await c.connectListAllDomains()
    expect(dom).toEqual({ name: 'test', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: 1 })
    expect(await c.domainLookupByUUID(dom!.uuid)).toEqual(dom)
    expect(await c.domainLookupByName('test')).toEqual(dom)
    expect(await c.domainLookupByID(1)).toEqual(dom)
    for (const absent of [c.domainLookupByUUID(nobody), c.domainLookupByName('nobody'), c.domainLookupByID(999)]) {
      const reason = await failure(absent)
      expect(reason).toBeInstanceOf(LibvirtError)
      expect([reason.code, isAbsent(reason, 'domain')]).toEqual([ErrorNumber.NO_DOMAIN, true])
    }
  })

  test('define, start, suspend, resume, change, destroy, undefine', async () => {
    const dom = await c.domainDefineXMLFlags(domainXML('life'), 0)
    expect(dom).toMatchObject({ name: 'life', id: -1 })
    expect(await c.domainGetState(dom)).toMatchObject({ state: DomainState.Shutoff })
    expect(await c.domainIsPersistent(dom)).toBe(true)
    expect(await c.domainGetAutostart(dom)).toBe(false)
    await c.domainSetAutostart(dom, true)
    expect(await c.domainGetAutostart(dom)).toBe(true)
    expect(await c.domainHasManagedSaveImage(dom)).toBe(false)

    const running = await c.domainCreateWithFlags(dom, 0)
    expect(running.id).toBeGreaterThan(0)
    await c.domainSuspend(running)
    expect(await c.domainGetState(running)).toMatchObject({ state: DomainState.Paused })
    await c.domainResume(running)
    expect(await c.domainGetInfo(running)).toMatchObject({ state: DomainState.Running, maxMem: 65_536, memory: 65_536, nrVirtCpu: 1 })
    await c.domainSetMemoryFlags(running, 32_768, Affect.LIVE)
    expect(await c.domainGetInfo(running)).toMatchObject({ memory: 32_768 })
    await c.domainSetVcpusFlags(running, 1, Affect.LIVE)
    await c.domainSetMetadata(running, 1, 'a title', null, null, Affect.CONFIG)
    await c.domainSetMetadata(running, 2, '<v/>', 'v', 'https://vireo.dev/test', Affect.CONFIG)
    const xml = await c.domainGetXMLDesc(running, XMLFlags.INACTIVE | XMLFlags.SECURE)
    expect(xml).toContain('<title>a title</title>')
    expect(xml).toContain('https://vireo.dev/test')
    await c.domainSetLifecycleAction(running, 0, 1, Affect.LIVE | Affect.CONFIG)
    expect(await c.domainGetXMLDesc(running, 0)).toContain('<on_poweroff>restart</on_poweroff>')
    await c.domainReboot(running, 0)

    await c.domainDestroyFlags(await c.domainLookupByName('life'), 0)
    await c.domainUndefineFlags(dom, 0)
    expect(isAbsent(await failure(c.domainLookupByName('life')), 'domain')).toBe(true)
  })

  test('a transient domain is gone after its shutdown', async () => {
    const dom = await c.domainCreateXML(domainXML('transient'), 0)
    expect(await c.domainIsPersistent(dom)).toBe(false)
    await c.domainShutdownFlags(dom, 0)
    expect(isAbsent(await failure(c.domainLookupByName('transient')), 'domain')).toBe(true)
  })

  test('addresses and statistics', async () => {
    const [dom] = await c.connectListAllDomains()
    const interfaces = await c.domainInterfaceAddresses(dom!, 0)
    for (const { name, hwaddr, addrs } of interfaces) expect([name, hwaddr, addrs[0]]).toEqual([expect.any(String), expect.stringMatching(/^([0-9a-f]{2}:){5}/), { type: 'ipv4', addr: expect.any(String), prefix: expect.any(Number) }])
    const stats = await c.connectGetAllDomainStats(0)
    expect(stats.find(({ dom: { name } }) => name === 'test')?.params['state.state']).toBe(DomainState.Running)
  })

  test('names and descriptions survive the trip in any script', async () => {
    const name = 'däß-虚拟-🚀'
    const dom = await c.domainDefineXMLFlags(domainXML(name), 0)
    expect([dom.name, (await c.domainLookupByName(name)).uuid]).toEqual([name, dom.uuid])
    expect(await c.domainGetXMLDesc(dom, 0)).toContain(`<name>${name}</name>`)
    await c.domainUndefineFlags(dom, 0)
  })

  test('an XML error tells its line, and harms nothing', async () => {
    const reason = await failure(c.domainDefineXMLFlags('<domain', 0))
    expect(reason).toMatchObject({ name: 'LibvirtError', code: ErrorNumber.XML_DETAIL, procedure: 'domainDefineXMLFlags' })
    await c.connectIsAlive()
  })

  test('a document over the limit of the protocol is refused here, and harms nothing', async () => {
    expect(await failure(c.domainDefineXMLFlags(' '.repeat(5 * 1024 * 1024), 0))).toBeInstanceOf(RangeError)
    await c.connectIsAlive()
  })

  test('a document of 3 MiB arrives whole', async () => {
    const description = 'ä'.repeat(1.5 * 1024 * 1024)
    const dom = await c.domainDefineXMLFlags(domainXML('big').replace('<memory>', `<description>${description}</description><memory>`), 0)
    expect((await c.domainGetXMLDesc(dom, 0)).includes(description)).toBe(true)
    await c.domainUndefineFlags(dom, 0)
  })
})

describe('networks', () => {
  const xml = `<network><name>n1</name><forward mode='nat'/><bridge name='vtest1'/><ip address='192.168.66.1' netmask='255.255.255.0'><dhcp><range start='192.168.66.10' end='192.168.66.20'/></dhcp></ip></network>`

  test('define, start, update, stop, undefine', async () => {
    const net = await c.networkDefineXML(xml)
    expect(await c.networkLookupByName('n1')).toEqual(net)
    expect(await c.networkLookupByUUID(net.uuid)).toEqual(net)
    expect(await c.connectListAllNetworks()).toContainEqual(net)
    expect(await c.networkIsActive(net)).toBe(false)
    await c.networkCreate(net)
    expect(await c.networkIsActive(net)).toBe(true)
    expect(await c.networkGetAutostart(net)).toBe(false)
    await c.networkSetAutostart(net, true)
    expect(await c.networkGetAutostart(net)).toBe(true)
    await c.networkUpdate(net, NetworkUpdateCommand.ADD_LAST, NetworkSection.IP_DHCP_HOST, -1, `<host mac='52:54:00:00:00:01' ip='192.168.66.11'/>`, Affect.LIVE)
    expect(await c.networkGetXMLDesc(net, 0)).toContain('52:54:00:00:00:01')
    await c.networkDestroy(net)
    await c.networkUndefine(net)
    expect(await failure(c.networkLookupByName('n1'))).toMatchObject({ code: ErrorNumber.NO_NETWORK })
  })
})

describe('storage', () => {
  const poolXML = `<pool type='dir'><name>p1</name><target><path>/p1</path></target></pool>`
  const volXML = (name: string, capacity: number) => `<volume><name>${name}</name><capacity>${capacity}</capacity><target><format type='raw'/></target></volume>`

  test('pools and volumes from definition to deletion', async () => {
    const pool = await c.storagePoolDefineXML(poolXML)
    expect(await c.storagePoolLookupByName('p1')).toEqual(pool)
    expect(await c.storagePoolLookupByUUID(pool.uuid)).toEqual(pool)
    expect(await c.connectListAllStoragePools()).toContainEqual(pool)
    expect(await c.storagePoolGetXMLDesc(pool, 0)).toContain('<path>/p1</path>')
    await c.storagePoolBuild(pool, 0)
    await c.storagePoolCreate(pool)
    expect(await c.storagePoolIsActive(pool)).toBe(true)
    await c.storagePoolRefresh(pool)
    expect(await c.storagePoolGetInfo(pool)).toMatchObject({ state: StoragePoolState.Running, capacity: 107_374_182_400 })
    await c.storagePoolSetAutostart(pool, true)
    expect(await c.storagePoolGetAutostart(pool)).toBe(true)

    const vol = await c.storageVolCreateXML(pool, volXML('v1', 1_048_576), 0)
    expect(vol).toEqual({ pool: 'p1', name: 'v1', key: '/p1/v1' })
    expect(await c.storagePoolListAllVolumes(pool)).toEqual([vol])
    expect(await c.storageVolLookupByName(pool, 'v1')).toEqual(vol)
    expect(await c.storageVolLookupByKey('/p1/v1')).toEqual(vol)
    expect(await c.storageVolLookupByPath('/p1/v1')).toEqual(vol)
    expect(await c.storageVolGetPath(vol)).toBe('/p1/v1')
    expect(await c.storageVolGetInfo(vol)).toMatchObject({ type: 0, capacity: 1_048_576 })
    expect(await c.storageVolGetXMLDesc(vol)).toContain('<name>v1</name>')
    const copy = await c.storageVolCreateXMLFrom(pool, volXML('v2', 1_048_576), vol, 0)
    expect(copy.name).toBe('v2')
    for (const each of [vol, copy]) await c.storageVolDelete(each, 0)
    expect(await failure(c.storageVolLookupByName(pool, 'v1'))).toMatchObject({ code: ErrorNumber.NO_STORAGE_VOL })

    await c.storagePoolDestroy(pool)
    await c.storagePoolDelete(pool, 0)
    await c.storagePoolUndefine(pool)
    expect(await failure(c.storagePoolLookupByName('p1'))).toMatchObject({ code: ErrorNumber.NO_STORAGE_POOL })
  })
})

describe('events', () => {
  test('domains, networks and pools announce their changes in order', async () => {
    const own = await openAt(host, 'test:///default')
    const { events, saw } = recorder(own)
    expect(await own.eventsRegister()).toEqual(new Set(['domain', 'network', 'pool', 'nodedev', 'connection']))
    const dom = await c.domainCreateXML(domainXML('announced'), 0)
    await c.domainDestroyFlags(dom, 0)
    const net = await c.connectListAllNetworks()
    await c.networkDestroy(net[0]!)
    await c.networkCreate(net[0]!)
    const [pool] = await c.connectListAllStoragePools()
    await c.storagePoolDestroy(pool!)
    await c.storagePoolCreate(pool!)
    await c.storagePoolRefresh(pool!)
    await saw('pool', 'refresh', (event) => event.pool.name === pool!.name)
    // Order is promised within a kind, not between kinds.
    const of = (type: string) => events.filter((event) => event.type === type).map((event) => 'event' in event ? event.event : event.name)
    expect(of('domain')).toEqual([2, 5])
    expect(of('network')).toEqual([3, 2])
    expect(of('pool')).toEqual([3, 2, 'refresh'])
    expect(events.find(({ type }) => type === 'domain')).toMatchObject({ dom: { name: 'announced', uuid: dom.uuid } })
    await own.close()
  })
})

describe('many calls', () => {
  test('2,000 pipelined calls are all answered, each with its own answer', async () => {
    const names = Array.from({ length: 1000 }, (_, i) => `many-${i}`)
    const defined = await Promise.all(names.map((name) => c.domainDefineXMLFlags(domainXML(name), 0)))
    expect(defined.map(({ name }) => name)).toEqual(names)
    const found = await Promise.all(defined.map(({ uuid }) => c.domainLookupByUUID(uuid)))
    expect(found).toEqual(defined)
    expect((await c.connectListAllDomains()).length).toBeGreaterThanOrEqual(1001)
    await Promise.all(defined.map((dom) => c.domainUndefineFlags(dom, 0)))
  })
})

describe('opening and ending', () => {
  test('a socket that is not there is ConnectionLost, with the path and the reason', async () => {
    const reason = await failure(createRegistry({}, { allowLocal: true }).open('test+unix:///default?socket=/nowhere/sock', settings))
    expect(reason).toBeInstanceOf(ConnectionLost)
    expect(reason.message).toBe('libvirt cannot be reached: /nowhere/sock (there is no such socket (ENOENT))')
  })

  test('what the daemon has no driver for is its own refusal', async () => {
    const reason = await failure(createRegistry({}, { allowLocal: true }).open(`test+unix:///default?socket=${host.socket}&name=bhyve%3A%2F%2F%2Fsystem`, settings))
    expect(reason).toMatchObject({ name: 'LibvirtError', code: ErrorNumber.NO_CONNECT, procedure: 'connectOpen' })
  })

  test('an opening that is aborted ends at once', async () => {
    const stopped = new AbortController()
    await host.kill('SIGSTOP')
    const opening = failure(openAt(host, 'test:///default', { signal: stopped.signal }))
    setTimeout(() => stopped.abort(new Error('no longer wanted')), 100)
    expect((await opening).message).toBe('no longer wanted')
    await host.kill('SIGCONT')
  })

  test('a daemon that does not answer is CallTimeout, then works on', async () => {
    const own = await openAt(host, 'test:///default', { callTimeout: 300 })
    await host.kill('SIGSTOP')
    expect(await failure(own.connectGetHostname())).toBeInstanceOf(CallTimeout)
    await host.kill('SIGCONT')
    await until('the slot is free and calls are answered', async () => { await own.connectIsAlive(); return true })
    await own.close()
  })

  test('a daemon that gives no sign of life loses the connection', async () => {
    const own = await openAt(host, 'test:///default', { keepAliveInterval: 200, keepAliveCount: 2 })
    await host.kill('SIGSTOP')
    const call = failure(own.connectGetHostname())
    expect((await own.closed).message).toContain('the host gave no sign of life for 0.6 s')
    expect(await call).toBeInstanceOf(ConnectionLost)
    await host.kill('SIGCONT')
  })

  test('keepalive keeps an idle connection', async () => {
    await using way = await forwardInto(host, 'UNIX-CONNECT:/run/libvirt/libvirt-sock')
    const own = await createRegistry().open(`test+tcp://127.0.0.1:${way.port}/default`, { ...settings, plaintext: 'Allowed', keepAliveInterval: 50, keepAliveCount: 2 })
    const idleFrom = way.received
    await until('twenty answers of 28 bytes have come', () => way.received - idleFrom >= 20 * 28)
    expect(await own.connectGetType()).toBe('TEST')
    await own.close()
  })

  test('calls in flight when the daemon dies are ConnectionLost, all of them', async () => {
    const own = await openAt(host, 'test:///default')
    const calls = Array.from({ length: 500 }, () => own.connectGetCapabilities().catch((error: unknown) => error))
    await calls[0]
    await host.kill('SIGKILL')
    const outcomes = await Promise.all(calls)
    const lost = outcomes.filter((outcome) => typeof outcome !== 'string')
    expect(lost.length).toBeGreaterThan(0)
    expect(lost.every((outcome) => outcome instanceof ConnectionLost)).toBe(true)
    expect(await own.closed).toBeInstanceOf(ConnectionLost)
    await own.close()
    await host.restart()
    c = await openAt(host, 'test:///default')
    await c.connectIsAlive()
  })
})
