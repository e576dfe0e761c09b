// What a driver turned out not to have, as the host reports it.
import { expect, onTestFinished, test } from 'vitest'
import type { Connection, OpenOptions } from '../../../drivers/driver.ts'
import { ConnectionLost, ErrorNumber } from '../../../drivers/errors.ts'
import { Host } from '../../../observed/host.ts'
import { FakeClock, settle } from '../../support/fakeclock.ts'

const rest = async (): Promise<void> => { for (let i = 0; i < 20; i++) await settle() }

test('what the driver lacks is known for one connection: another may lead to a daemon that has it', async () => {
  const clock = new FakeClock()
  const ends: ((reason: Error) => void)[] = []
  let report: NonNullable<OpenOptions['onCall']> = () => {}
  const open = (_uri: string, { onCall }: OpenOptions): Promise<Connection> => {
    report = onCall!
    const { promise: closed, resolve } = Promise.withResolvers<Error>()
    ends.push(resolve)
    const answers: Record<string, unknown> = { connectGetType: 'QEMU', connectGetCapabilities: '<capabilities><host/></capabilities>', eventsRegister: new Set(['domain']) }
    const methods = { closed, onEvent: () => {}, close: () => { resolve(new ConnectionLost('closed')); return Promise.resolve() } }
    return Promise.resolve(new Proxy(methods as unknown as Connection, {
      get: (target, name: keyof Connection) => name in target ? target[name] : String(name) === 'then' ? undefined : () => Promise.resolve(answers[name] ?? (/List/.test(name) ? [] : 1)),
    }))
  }
  const host = new Host({ uri: 'qemu:///system', open, clock, maxConnections: 2, callTimeout: 30_000, keepAliveInterval: 5_000, keepAliveCount: 3, pollInterval: 30_000, relistInterval: 600_000 })
  host.start()
  onTestFinished(async () => { await host.close() })
  await rest()
  // A pool that cannot make volumes answers with the same code as a driver without volumes.
  report({ procedure: 'storageVolCreateXML', seconds: 0, outcome: 'error', code: ErrorNumber.NO_SUPPORT, lacking: false })
  report({ procedure: 'domainReset', seconds: 0, outcome: 'error', code: ErrorNumber.NO_SUPPORT, lacking: true })
  expect({ state: host.state, session: host.session, unsupported: [...host.unsupported] }).toEqual({ state: 'Open', session: 1, unsupported: ['domainReset'] })
  ends[0]!(new ConnectionLost('the daemon was restarted'))
  await rest()
  await clock.advance(36_000)
  await rest()
  expect({ state: host.state, session: host.session, unsupported: [...host.unsupported] }).toEqual({ state: 'Open', session: 2, unsupported: [] })
})
