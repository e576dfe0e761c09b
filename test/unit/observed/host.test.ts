// The observed side of one hypervisor, against a connection whose answers the test holds in its hands.
import { describe, expect, test } from 'vitest'
import { CallTimeout, ConnectionLost, ErrorNumber } from '../../../drivers/errors.ts'
import { idOf } from '../../../observed/mirror.ts'
import { A, B, HOST, Machine, OTHER, lifecycle, opened, reconnect, refusal, relist, rest, start, title } from './host-bed.ts'

describe('the mirror', () => {
  test('is complete before the host is Open', async () => {
    const machine = new Machine()
    const gate = Promise.withResolvers<void>()
    machine.gate = gate.promise
    const { host, states } = start(machine)
    await rest()
    expect(host.state).toBe('Opening')
    expect(() => host.use()).toThrow(ConnectionLost)
    machine.gate = undefined
    gate.resolve()
    await rest()
    expect(states).toEqual(['Authenticating', 'Opening', 'Open'])
    expect(title(host, A)).toBe('one')
  })

  test('a relist never proves absence', async () => {
    const { host, clock, machine } = await opened()
    machine.omitted.add(A)
    await relist(clock)
    expect(title(host, A)).toBe('one')
    machine.broken.set(A, refusal(ErrorNumber.INTERNAL_ERROR, 'internal error'))
    await relist(clock)
    expect(title(host, A), 'any other error is not absence either').toBe('one')
    machine.broken.clear()
    machine.domains.delete(A)
    await relist(clock)
    expect(host.mirror.domain(A)).toBeUndefined()
  })

  test('storage that hangs keeps no host from being opened, and its pools stay as they were, and are unread', async () => {
    const { host, machine, clock } = await opened(Object.assign(new Machine(), { pools: [{ name: 'nfs', uuid: B }] }))
    expect(host.mirror.pool(B)?.ref.name).toBe('nfs')
    machine.storageFails = new CallTimeout('connectListAllStoragePools', 30_000)
    await relist(clock)
    expect([host.state, host.mirror.pool(B)?.ref.name, host.unread(idOf.pool(B))]).toEqual(['Open', 'nfs', machine.storageFails])
    machine.latest.breakDown()
    await reconnect(clock)
    expect([host.state, title(host, A), host.mirror.pool(B)?.ref.name]).toEqual(['Open', 'one', 'nfs'])
  })

  test('a relist finds what no event told of', async () => {
    const { host, clock, machine } = await opened()
    machine.domains.set(A, 'two')
    machine.domains.set(B, 'new')
    await relist(clock)
    expect([title(host, A), title(host, B)]).toEqual(['two', 'new'])
  })

  test('events during the first list are not lost', async () => {
    const machine = new Machine()
    const gate = Promise.withResolvers<void>()
    machine.listGate = gate.promise
    const { host } = start(machine)
    await rest()
    // The list was taken before these came about.
    machine.domains.set(B, 'new')
    machine.latest.handler!(lifecycle(B, 0))
    machine.listGate = undefined
    gate.resolve()
    await rest()
    expect(host.state).toBe('Open')
    expect(title(host, B)).toBe('new')
  })

  test('what vanishes between list and look-up is not there, and what appears stays', async () => {
    const { host, clock, machine } = await opened()
    const gate = Promise.withResolvers<void>()
    machine.listGate = gate.promise
    await relist(clock)
    machine.domains.delete(A)
    machine.domains.set(B, 'new')
    machine.latest.handler!(lifecycle(B, 0))
    await rest()
    machine.listGate = undefined
    gate.resolve()
    await rest()
    expect(host.mirror.domain(A)).toBeUndefined()
    expect(title(host, B)).toBe('new')
  })

  test('only marks by an event: its content is never applied', async () => {
    const { host, machine } = await opened()
    machine.latest.handler!(lifecycle(A, 1)) // "undefined"
    await rest()
    expect(title(host, A)).toBe('one')
  })

  test('nothing is removed when the connection ends', async () => {
    const { host, machine, clock } = await opened()
    machine.down = true
    machine.domains.clear()
    machine.latest.breakDown()
    await rest()
    expect(host.state).toBe('Broken')
    expect(title(host, A)).toBe('one')
    await reconnect(clock)
    expect(title(host, A)).toBe('one')
    machine.down = false
    await reconnect(clock)
    expect(host.state).toBe('Open')
    expect(host.mirror.domain(A), 'now the host itself says so').toBeUndefined()
  })
})

describe('reading', () => {
  test('a dirty object is read once, and once more if dirtied while being read', async () => {
    const { host, machine } = await opened()
    machine.reads.length = 0
    const gate = Promise.withResolvers<void>()
    machine.gate = gate.promise
    machine.latest.handler!(lifecycle(A))
    await rest()
    for (let i = 0; i < 5; i++) machine.latest.handler!(lifecycle(A))
    machine.domains.set(A, 'two')
    machine.gate = undefined
    gate.resolve()
    await rest()
    expect(machine.reads).toEqual([A, A])
    expect(title(host, A), 'the first read may have been answered before the change').toBe('two')
  })

  test('a refresh resolves after a read that began after it was asked for', async () => {
    const { host, machine } = await opened()
    const gate = Promise.withResolvers<void>()
    machine.gate = gate.promise
    machine.latest.handler!(lifecycle(A))
    await rest()
    machine.domains.set(A, 'two')
    const refreshed = host.refresh(idOf.domain(A))
    machine.gate = undefined
    gate.resolve()
    expect((await refreshed)?.kind).toBe('domain')
    expect(title(host, A)).toBe('two')
  })

  test('what is held is read when it is asked for, and after it is let go only if an event came since', async () => {
    const { host, machine } = await opened()
    const letGo = host.hold(idOf.domain(A))
    machine.reads.length = 0
    machine.domains.set(A, 'two')
    for (let i = 0; i < 3; i++) machine.latest.handler!(lifecycle(A))
    await rest()
    expect([machine.reads, title(host, A)]).toEqual([[], 'one'])
    await host.refresh(idOf.domain(A))
    expect([machine.reads, title(host, A)]).toEqual([[A], 'two'])
    letGo()
    await rest()
    expect(machine.reads, 'nothing came since').toEqual([A])
  })

  test('an event that comes after the last read of what is held is not lost', async () => {
    const { host, machine } = await opened()
    const letGo = [host.hold(idOf.domain(A)), host.hold(idOf.domain(A))]
    await host.refresh(idOf.domain(A))
    machine.domains.set(A, 'two')
    machine.latest.handler!(lifecycle(A))
    letGo[0]!()
    await rest()
    expect(title(host, A), 'one still holds it').toBe('one')
    letGo[1]!()
    await rest()
    expect(title(host, A)).toBe('two')
  })

  test('a refresh while there is no connection rejects and changes nothing', async () => {
    const { host, machine } = await opened()
    machine.down = true
    machine.latest.breakDown()
    await rest()
    await expect(host.refresh(idOf.domain(A))).rejects.toThrow(ConnectionLost)
    expect(title(host, A)).toBe('one')
    expect(host.unread(idOf.domain(A)), 'the next list reads it').toBeUndefined()
  })

  test('a refresh under way when the connection ends rejects', async () => {
    const { host, machine } = await opened()
    machine.gate = Promise.withResolvers<void>().promise
    const refreshed = host.refresh(idOf.domain(A)).then(() => undefined, (error: unknown) => error)
    await rest()
    machine.latest.breakDown()
    expect(await refreshed).toBeInstanceOf(ConnectionLost)
    expect(title(host, A)).toBe('one')
  })

  test('a read of the connection before never answers for the present one', async () => {
    const { host, machine, clock } = await opened()
    const gate = Promise.withResolvers<void>()
    machine.gate = gate.promise
    const refreshed = host.refresh(idOf.domain(A)).catch(() => 'rejected')
    await rest()
    machine.latest.breakDown()
    machine.gate = undefined
    machine.domains.set(A, 'two')
    await reconnect(clock)
    expect(host.state).toBe('Open')
    gate.resolve()
    await rest()
    expect(await refreshed).toBe('rejected')
    expect(title(host, A)).toBe('two')
  })

  test.each([
    ['a refusal', refusal(ErrorNumber.INTERNAL_ERROR, 'internal error: cannot format')],
    ['no answer in time', new CallTimeout('domainGetState', 30_000)],
  ])('that fails half-way (%s) leaves the object unknown, the others and the connection as they are, and is tried again', async (_what, error) => {
    const { host, machine, clock } = await opened()
    machine.domains.set(B, 'b')
    await host.refresh(idOf.domain(B))
    machine.broken.set(A, error)
    machine.domains.set(A, 'two')
    machine.latest.handler!(lifecycle(A))
    await rest()
    expect(host.state).toBe('Open')
    expect(host.unread(idOf.domain(A))).toBe(error)
    expect(host.readSince(idOf.domain(A), 0), 'an older read proves nothing any more').toBe(false)
    expect(host.unread(idOf.domain(B))).toBeUndefined()
    expect(title(host, A)).toBe('one')
    machine.broken.clear()
    await clock.advance(1_000)
    await rest()
    expect(title(host, A)).toBe('two')
    expect(host.unread(idOf.domain(A))).toBeUndefined()
    expect(host.readSince(idOf.domain(A), clock.now())).toBe(true)
  })

  test('is announced when it is read again, also where it is as it was before', async () => {
    const { host, machine, clock } = await opened()
    const told: string[] = []
    host.mirror.onChange(({ id }) => told.push(id))
    machine.broken.set(A, refusal(ErrorNumber.INTERNAL_ERROR, 'broken'))
    machine.latest.handler!(lifecycle(A))
    await rest()
    machine.broken.clear()
    await clock.advance(1_000)
    await rest()
    expect(told).toEqual([idOf.domain(A)])
    await host.refresh(idOf.domain(A))
    expect(told, 'and a read that finds nothing new is not').toHaveLength(1)
  })

  test('is tried again ever more rarely, up to a minute', async () => {
    const { machine, clock } = await opened()
    machine.broken.set(A, refusal(ErrorNumber.INTERNAL_ERROR, 'broken'))
    machine.latest.handler!(lifecycle(A))
    await rest()
    machine.reads.length = 0
    for (const seconds of [1, 2, 4, 8, 16, 32, 60, 60]) {
      await clock.advance(seconds * 1_000 - 1)
      await rest()
      expect(machine.reads, `not before ${seconds} s`).toEqual([])
      await clock.advance(1)
      await rest()
      expect(machine.reads.splice(0), `after ${seconds} s`).toEqual([A])
    }
  })

  test.each([ErrorNumber.NO_STORAGE_POOL, ErrorNumber.NO_NETWORK, ErrorNumber.NO_SECRET])('of a domain that fails because something else is absent (code %i) is no absence of the domain', async code => {
    const { host, machine } = await opened()
    machine.broken.set(A, refusal(code, 'no such other thing'))
    await expect(host.refresh(idOf.domain(A))).rejects.toThrow('no such other thing')
    expect(host.mirror.domain(A)).toBeDefined()
    expect(host.unread(idOf.domain(A))?.message).toBe('no such other thing')
  })

  test('of one object that fails does not keep the host from being opened, and is no absence', async () => {
    const machine = new Machine()
    machine.domains.set(B, 'b')
    machine.broken.set(A, refusal(ErrorNumber.INTERNAL_ERROR, 'broken'))
    const { host } = await opened(machine)
    expect(title(host, B)).toBe('b')
    expect(host.unread(idOf.domain(A))?.message).toBe('broken')
  })
})

describe('who answers', () => {
  test('is learnt at first contact', async () => {
    const { host } = await opened()
    expect(host.facts).toMatchObject({ driver: 'QEMU', hostname: 'kvm7', hostUUID: HOST })
  })

  test('another host UUID is HostChanged and closes the connection; nothing is read of it', async () => {
    const machine = new Machine()
    machine.uuid = OTHER
    const { host } = start(machine, HOST)
    await rest()
    expect(host.state).toBe('HostChanged')
    expect(host.error?.message).toMatch(new RegExp(`${OTHER}, not ${HOST}.*accept-host=${OTHER}`))
    expect(machine.latest.isOver).toBe(true)
    expect(machine.calls.filter(call => call.startsWith('connectList') || call.startsWith('domain') || call === 'eventsRegister')).toEqual([])
    expect(host.mirror.size).toBe(0)
  })

  test('a host that was made anew between two connections is HostChanged, and what was known stays', async () => {
    const { host, machine, clock, states } = await opened()
    machine.uuid = OTHER
    machine.domains.clear()
    machine.latest.breakDown()
    await reconnect(clock)
    expect(host.state).toBe('HostChanged')
    expect(title(host, A)).toBe('one')
    expect(states.slice(-2)).toEqual(['Broken', 'HostChanged'])

    host.expect(OTHER)
    await rest()
    expect(host.state, 'accepted, it is tried at once').toBe('Open')
    expect(host.mirror.domain(A)).toBeUndefined()
    expect(host.facts?.hostUUID).toBe(OTHER)
  })

  test('a UUID that is pinned while another one is connected ends that connection', async () => {
    const { host, machine } = await opened()
    host.expect(HOST.toUpperCase())
    expect(host.state, 'the case of letters means nothing').toBe('Open')
    host.expect(OTHER)
    await rest()
    expect(host.state).toBe('HostChanged')
    expect(machine.latest.isOver).toBe(true)
  })

  test('what was learnt is not forgotten because nobody says it', async () => {
    const { host, machine, clock } = await opened()
    host.expect(undefined)
    machine.uuid = OTHER
    machine.latest.breakDown()
    await reconnect(clock)
    expect(host.state).toBe('HostChanged')
  })

  test('a host that cannot say who it is has not changed', async () => {
    const machine = new Machine()
    machine.capabilitiesFail = refusal(ErrorNumber.INTERNAL_ERROR, 'cannot probe emulators')
    const { host } = start(machine, HOST)
    await rest()
    expect(host.state).toBe('Broken')
    expect(host.error?.message).toBe('cannot probe emulators')
  })

  test('a stream connection that leads elsewhere is closed unused', async () => {
    const { host, machine } = await opened()
    const place = await host.streams.take(new AbortController().signal)
    await place.open()
    await place.release()
    machine.uuid = OTHER
    await expect((await host.streams.take(new AbortController().signal)).open()).rejects.toThrow(/is 4c4c4544-0000-4000-8000-000000000008, not/)
    expect(machine.latest.isOver).toBe(true)
    expect(host.state, 'the connection that is held stays what it is').toBe('Open')
  })
})

describe('a host that is away', () => {
  test('is asked again after a backoff that grows to half a minute, and is at once told Broken', async () => {
    const { host, machine, clock, states } = await opened()
    machine.down = true
    machine.latest.breakDown(new ConnectionLost('the host gave no sign of life'))
    await rest()
    expect(host.state).toBe('Broken')
    expect(host.error?.message).toBe('the host gave no sign of life')
    expect(clock.timers).toHaveLength(1)
    for (const seconds of [1, 2, 4, 8, 16, 30, 30]) {
      const wait = clock.timers[0]!
      expect(wait).toBeGreaterThanOrEqual(seconds * 800)
      expect(wait).toBeLessThanOrEqual(seconds * 1200)
      await clock.advance(wait)
      await rest()
    }
    expect(states, 'one state, whatever is tried').toEqual(['Authenticating', 'Opening', 'Open', 'Broken'])
  })

  test('is away since it ceased to be Open, whatever became of the attempts', async () => {
    const { host, machine, clock } = await opened()
    await clock.advance(5_000)
    const left = clock.now()
    machine.down = true
    machine.latest.breakDown()
    await rest()
    await reconnect(clock)
    machine.down = false
    machine.uuid = OTHER
    await reconnect(clock)
    expect(host.state).toBe('HostChanged')
    expect(host.since).toBe(left)
    host.expect(OTHER)
    await rest()
    expect(host.since).toBe(clock.now())
  })

  test('closed, it stays so and answers nobody', async () => {
    const { host, machine, clock } = await opened()
    await host.close()
    expect(host.state).toBe('Draining')
    expect(machine.latest.isOver).toBe(true)
    expect(() => host.use()).toThrow(ConnectionLost)
    await clock.advance(3_600_000)
    expect(machine.connections).toHaveLength(1)
    expect(clock.timers, 'no timer is left').toEqual([])
  })
})
