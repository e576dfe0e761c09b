// What a host is made with changes while it lives: credentials come, go and are rotated, and each state is seen.

import { describe, expect, test } from 'vitest'
import { AuthenticationFailed, ConnectionLost, UriError } from '../../../drivers/errors.ts'
import { A, Machine, opened, rest, start, title } from './host-bed.ts'

const first = { sasl: { username: 'u', password: 'old' } }
const second = { sasl: { username: 'u', password: 'new' } }

describe('rotated credentials', () => {
  test('make an open connection anew, without a backoff, and the mirror stays', async () => {
    const { host, machine, states } = await opened()
    const old = machine.latest
    states.length = 0
    host.renew(second)
    expect(host.state).toBe('Draining')
    expect(() => host.use()).toThrow(ConnectionLost)
    expect(title(host, A)).toBe('one')
    await rest()
    expect(states).toEqual(['Draining', 'Connecting', 'Authenticating', 'Opening', 'Open'])
    expect([old.isOver, machine.connections.length, machine.asked.at(-1)!.credentials]).toEqual([true, 2, second])
    expect(host.error).toBeUndefined()
  })

  test('let the calls that are under way end first', async () => {
    const { host, machine } = await opened()
    const old = machine.latest
    old.pending = 1
    host.renew(second)
    await rest()
    expect([host.state, old.isOver]).toEqual(['Draining', false])
    old.pending = 0
    machine.asked[0]!.onCall!({ procedure: 'domainDefineXMLFlags', seconds: 1, outcome: 'ok' })
    await rest()
    expect([host.state, old.isOver]).toEqual(['Open', true])
  })

  test('but not longer than two seconds', async () => {
    const { host, machine, clock } = await opened()
    machine.latest.pending = 1
    host.renew(second)
    await clock.advance(1_999)
    expect(host.state).toBe('Draining')
    await clock.advance(1)
    await rest()
    expect(host.state).toBe('Open')
  })

  test('twice while it drains: the newest count', async () => {
    const { host, machine, clock } = await opened()
    machine.latest.pending = 1
    host.renew(first)
    host.renew(second)
    await clock.advance(2_000)
    await rest()
    expect([host.state, machine.connections.length, machine.asked.at(-1)!.credentials]).toEqual(['Open', 2, second])
  })

  test('end an attempt that still waits for the host', async () => {
    const machine = new Machine()
    machine.openGate = new Promise(() => {})
    const { host, states } = start(machine)
    await rest()
    expect(states).toEqual(['Authenticating'])
    machine.openGate = undefined
    host.renew(second)
    await rest()
    expect([host.state, machine.asked.length]).toEqual(['Open', 2])
  })

  test('end an opening whose lists still come', async () => {
    const machine = new Machine()
    machine.listGate = new Promise(() => {})
    const { host } = start(machine)
    await rest()
    expect(host.state).toBe('Opening')
    machine.listGate = undefined
    host.renew(second)
    await rest()
    expect([host.state, machine.connections.map(({ isOver }) => isOver)]).toEqual(['Open', [true, false]])
  })

  test('cut a backoff short', async () => {
    const { host, machine } = await opened()
    machine.down = true
    machine.latest.breakDown()
    await rest()
    expect(host.state).toBe('Broken')
    machine.down = false
    host.renew(second)
    await rest()
    expect(host.state).toBe('Open')
  })

  test('do not bring back what is closed', async () => {
    const { host, machine, clock } = await opened()
    await host.close()
    host.renew(second)
    await clock.advance(60_000)
    expect([host.state, machine.connections.length]).toEqual(['Draining', 1])
  })

  test('a close while it drains is the end', async () => {
    const { host, machine, clock } = await opened()
    machine.latest.pending = 1
    host.renew(second)
    await host.close()
    await clock.advance(60_000)
    expect([host.state, machine.connections.length, clock.timers]).toEqual(['Draining', 1, []])
  })
})

describe('missing credentials', () => {
  const missing = new AuthenticationFailed('Secret vireo-system/kvm7 does not exist')

  test('are AuthFailed with their sentence, and nothing is opened', async () => {
    const { host, machine, clock } = await opened()
    host.renew(missing)
    await rest()
    expect([host.state, host.error?.message, machine.latest.isOver]).toEqual(['AuthFailed', 'Secret vireo-system/kvm7 does not exist', true])
    await clock.advance(40_000)
    expect(machine.connections.length).toBe(1)
    host.renew(first)
    await rest()
    expect(host.state).toBe('Open')
  })
})

test('another reason for the same state is told, the same reason is not told again', async () => {
  const { host } = await opened()
  const told: string[] = []
  host.onState((state, again) => { told.push(again ? `${state} again` : state) })
  for (const message of ['one is missing', 'the other is missing', 'the other is missing']) {
    host.renew(new AuthenticationFailed(message))
    await rest()
    expect([host.state, host.error?.message]).toEqual(['AuthFailed', message])
  }
  expect(told).toEqual(['Draining', 'Connecting', 'AuthFailed', 'AuthFailed again'])
})

describe('an attempt that fails', () => {
  test.each([
    ['for want of trust', new AuthenticationFailed('the certificate has expired'), 'AuthFailed'],
    ['for want of trust, told by the end of the connection', new ConnectionLost('ended', { cause: new AuthenticationFailed('no key fits') }), 'AuthFailed'],
    ['because nothing is there', new ConnectionLost('libvirt cannot be reached'), 'Broken'],
    ['because the URI leads nowhere', new UriError('forbidden', 'socket is not allowed'), 'Broken'],
  ] as const)('%s', async (_what, error, state) => {
    const machine = new Machine()
    machine.openFails = error
    const { host } = start(machine)
    await rest()
    expect([host.state, host.error]).toEqual([state, error])
  })
})

test('a password in a URI is not repeated', async () => {
  const { host } = start(new Machine(), undefined, 'qemu+ssh://root:hunter2@kvm7/system')
  expect(host.uri).toBe('qemu+ssh://root:***@kvm7/system')
  await rest()
})
