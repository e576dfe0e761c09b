// A domain is read by several calls; what happens between them must not make a state that never was.
import { expect, test } from 'vitest'
import { type Connection, DomainState } from '../../../drivers/driver.ts'
import { isActive, isEnding } from '../../../observed/objects.ts'
import { readDomain } from '../../../observed/read.ts'

const RUNNING = "<domain type='kvm' id='7'><name>web</name><devices/></domain>"
const OFF = "<domain type='kvm'><name>web</name><devices/></domain>"
interface State { state: DomainState; reason: number }

/** Answers the states one after the other, and always the same document. */
function guest(document: string, ...states: State[]): { connection: Connection; left: State[] } {
  const connection = {
    domainGetState: async () => states.shift()!,
    domainGetXMLDesc: async (_: unknown, flags: number) => ((flags & 2) === 0 ? document : OFF),
    domainGetAutostart: async () => false,
    domainIsPersistent: async () => true,
  } as unknown as Connection
  return { connection, left: states }
}
const ref = { name: 'web', uuid: 'a6b0f1de-0a4c-4d0e-a0d4-3a1b6c1f7e52', id: -1 }
const shutdown = { state: DomainState.Shutdown, reason: 0 }
const ended = { state: DomainState.Shutoff, reason: 1 }

test('a guest that runs, and one that is off, are asked for their state once', async () => {
  for (const [document, state] of [[RUNNING, { state: DomainState.Running, reason: 1 }], [OFF, ended]] as const) {
    const { connection, left } = guest(document, state, shutdown)
    const domain = await readDomain(connection, ref, undefined, true)
    expect(domain).toMatchObject(state)
    expect([isActive(domain), isEnding(domain)]).toEqual([document === RUNNING, false])
    expect(left).toEqual([shutdown])
  }
})

test.each([['ran', { state: DomainState.Running, reason: 1 }], ['was shutting down', shutdown]])('a guest that %s when its state was read and is gone from its document has ended meanwhile: its reason is asked for again', async (_, before) => {
  const domain = await readDomain(guest(OFF, before, ended).connection, ref, undefined, true)
  expect(domain).toMatchObject({ ...ended, live: undefined, ref: { id: -1 } })
  expect([isActive(domain), isEnding(domain)]).toEqual([false, false])
})

test('while the host takes the guest down it is neither active nor off', async () => {
  const domain = await readDomain(guest(OFF, shutdown, shutdown).connection, ref, undefined, true)
  expect([isActive(domain), isEnding(domain)]).toEqual([false, true])
})
