// Faults on a host in memory: what a test injects strikes the call it names, as often as it says, and leaves everything else alone.

import { beforeEach, describe, expect, test } from 'vitest'
import { DomainState, type Connection, type DriverEvent } from '../../../../drivers/driver.ts'
import { CallTimeout, ConnectionLost, ErrorNumber, LibvirtError } from '../../../../drivers/errors.ts'
import { TestDriver } from '../../../../drivers/test/driver.ts'
import { Faults } from '../../../../drivers/test/faults.ts'
import { FakeClock, settle } from '../../../support/fakeclock.ts'

const settings = { callTimeout: 30_000, keepAliveInterval: 5000, keepAliveCount: 3 }
const domainXML = (name: string, devices = ''): string => `<domain type='test'><name>${name}</name><memory>65536</memory><os><type>hvm</type></os><devices>${devices}</devices></domain>`

let clock: FakeClock
let faults: Faults
let driver: TestDriver
let c: Connection
let events: DriverEvent[]
let calls: { procedure: string; outcome: string; code?: number }[]

beforeEach(async () => {
  clock = new FakeClock()
  faults = new Faults()
  driver = new TestDriver({ clock, faults })
  calls = []
  events = []
  c = await driver.open('test:///faults', { ...settings, onCall: ({ procedure, outcome, code }) => calls.push({ procedure, outcome, code }) })
  c.onEvent(event => events.push(event))
  await c.eventsRegister()
})

const failure = (call: Promise<unknown>): Promise<unknown> => call.then(value => { throw new Error(`it answered ${JSON.stringify(value)}`) }, (error: unknown) => error)
const lifecycle = (): [number, number][] => events.flatMap(event => (event.type === 'domain' && event.name === 'lifecycle' ? [[event.event, event.detail] as [number, number]] : []))

describe('delay', () => {
  test('the answer comes later, the effect does not', async () => {
    const dom = await c.domainDefineXMLFlags(domainXML('slow'), 0)
    faults.inject({ type: 'delay', call: 'domainCreateWithFlags', ms: 2000 }, 1)
    let answered = false
    const call = c.domainCreateWithFlags(dom, 0).then(() => { answered = true })
    await clock.advance(1999)
    expect([answered, (await c.domainGetState(dom)).state]).toEqual([false, DomainState.Running])
    await clock.advance(1)
    await call
    expect(answered).toBe(true)
  })

  test('an answer that comes after the deadline is CallTimeout at the deadline', async () => {
    faults.inject({ type: 'delay', call: 'connectIsAlive', ms: 60_000 })
    const call = failure(c.connectIsAlive())
    await clock.advance(30_000)
    expect(await call).toBeInstanceOf(CallTimeout)
    expect(calls.at(-1)).toEqual({ procedure: 'connectIsAlive', outcome: 'timeout', code: undefined })
    expect(await c.connectGetType()).toBe('TEST')
  })

  test('a connection that ends takes waiting calls with it', async () => {
    faults.inject({ type: 'delay', call: 'connectIsAlive', ms: 10_000 })
    const call = failure(c.connectIsAlive())
    await settle()
    await c.close()
    expect(await call).toBeInstanceOf(ConnectionLost)
    expect(clock.timers).toEqual([])
  })
})

describe('error', () => {
  test('the host refuses with the code, does nothing, and only as often as it was told', async () => {
    faults.inject({ type: 'error', call: 'domainDefineXMLFlags', code: ErrorNumber.SYSTEM_ERROR, message: 'no space' }, 1)
    const reason = await failure(c.domainDefineXMLFlags(domainXML('refused'), 0))
    expect(reason).toMatchObject({ name: 'LibvirtError', code: ErrorNumber.SYSTEM_ERROR, message: 'no space', procedure: 'domainDefineXMLFlags' })
    expect(calls.at(-1)).toEqual({ procedure: 'domainDefineXMLFlags', outcome: 'error', code: ErrorNumber.SYSTEM_ERROR })
    expect(await failure(c.domainLookupByName('refused'))).toMatchObject({ code: ErrorNumber.NO_DOMAIN })
    expect((await c.domainDefineXMLFlags(domainXML('refused'), 0)).name).toBe('refused')
  })

  test('taken back, it strikes no more', async () => {
    const takeBack = faults.inject({ type: 'error', code: 1, message: 'all calls' })
    expect(await failure(c.connectGetType())).toBeInstanceOf(LibvirtError)
    takeBack()
    expect(await c.connectGetType()).toBe('TEST')
  })
})

describe('disconnect', () => {
  test.each(['done', 'lost'] as const)('a call during which the connection ends is unknown; here it was %s, which a new connection finds', async effect => {
    faults.inject({ type: 'disconnect', call: 'domainDefineXMLFlags', effect }, 1)
    expect(await failure(c.domainDefineXMLFlags(domainXML('cut'), 0))).toBeInstanceOf(ConnectionLost)
    expect((await c.closed).message).toContain('domainDefineXMLFlags')
    expect(await failure(c.connectIsAlive())).toBeInstanceOf(ConnectionLost)
    const again = await driver.open('test:///faults', settings)
    expect((await again.connectListAllDomains()).map(({ name }) => name)).toEqual(effect === 'done' ? ['cut'] : [])
  })

  test('what happens after it is told to nobody', async () => {
    await c.close()
    const again = await driver.open('test:///faults', settings)
    await again.domainDefineXMLFlags(domainXML('unseen'), 0)
    await settle()
    expect(events).toEqual([])
  })
})

test('a lost event never arrives, the next one of its kind does', async () => {
  faults.inject({ type: 'lostEvent', of: 'domain', name: 'lifecycle' }, 1)
  const dom = await c.domainDefineXMLFlags(domainXML('quiet'), 0)
  await c.domainUndefineFlags(dom, 0)
  expect(lifecycle()).toEqual([[1, 0]])
})

describe('slow shutdown', () => {
  test('the guest goes on until its time is over', async () => {
    faults.inject({ type: 'slowShutdown', domain: 'slow', ms: 90_000 })
    const dom = await c.domainCreateXML(domainXML('slow'), 0)
    const other = await c.domainCreateXML(domainXML('quick'), 0)
    events = []
    await c.domainShutdownFlags(dom, 0)
    await c.domainShutdownFlags(other, 0)
    await clock.advance(89_999)
    expect((await c.connectListAllDomains()).map(({ name }) => name)).toEqual(['slow'])
    events = []
    await clock.advance(1)
    expect(lifecycle()).toEqual([[6, 1], [5, 0]])
    expect(await c.connectListAllDomains()).toEqual([])
  })

  test('one that ignores the request runs until it is destroyed, and a run that came later is not ended by it', async () => {
    faults.inject({ type: 'slowShutdown', ms: Infinity }, 1)
    faults.inject({ type: 'slowShutdown', ms: 1000 }, 1)
    const dom = await c.domainDefineXMLFlags(domainXML('deaf'), 0)
    await c.domainCreateWithFlags(dom, 0)
    await c.domainShutdownFlags(dom, 0)
    await c.domainShutdownFlags(dom, 0)
    await c.domainDestroyFlags(dom, 0)
    await c.domainCreateWithFlags(dom, 0)
    await clock.advance(3_600_000)
    expect((await c.domainGetState(dom)).state).toBe(DomainState.Running)
  })
})

describe('removal that fails', () => {
  const tablet = "<input type='tablet' bus='usb'><alias name='ua-tablet'/></input>"

  test.each([['refused', ['device-removal-failed']], ['silent', []]] as const)('%s: the device stays', async (how, told) => {
    const dom = await c.domainCreateXML(domainXML('kept', tablet), 0)
    await settle()
    events = []
    faults.inject({ type: 'removalFails', domain: 'kept', alias: 'ua-tablet', how }, 1)
    await c.domainDetachDeviceAlias(dom, 'ua-tablet', 1)
    await settle()
    expect(events.map(({ name }) => name)).toEqual(told)
    expect(await c.domainGetXMLDesc(dom, 0)).toContain('ua-tablet')
    await c.domainDetachDeviceAlias(dom, 'ua-tablet', 1)
    await settle()
    expect(events.at(-1)).toMatchObject({ name: 'device-removed', devAlias: 'ua-tablet' })
    expect(await c.domainGetXMLDesc(dom, 0)).not.toContain('ua-tablet')
  })
})
