// What a driver turned out not to have, as the host reports it.
import { expect, onTestFinished, test } from 'vitest'
import { type Connection, DomainState, type OpenOptions } from '../../../drivers/driver.ts'
import { ConnectionLost, ErrorNumber, LibvirtError, Unsupported } from '../../../drivers/errors.ts'
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

test('a driver that describes neither itself nor its autostart, and tells no events, is read and polled all the same', async () => {
  const clock = new FakeClock()
  const lacking = new Set(['connectGetCapabilities', 'connectGetHostname', 'nodeGetInfo', 'connectListAllNetworks', 'connectListAllStoragePools', 'domainGetAutostart'])
  const uuid = 'a6b0f1de-0a4c-4d0e-a0d4-3a1b6c1f7e52'
  let state: DomainState = DomainState.Running
  const answers: Record<string, () => unknown> = {
    connectGetType: () => 'VMware', connectGetVersion: () => 17_005_000, connectGetLibVersion: () => 9_000_000, eventsRegister: () => new Set(['connection']),
    connectListAllDomains: () => [{ name: 'web', uuid, id: 7 }], domainGetState: () => ({ state, reason: 0 }), domainIsPersistent: () => true,
    domainGetXMLDesc: () => `<domain type='vmware' id='7'><name>web</name><uuid>${uuid}</uuid><devices/></domain>`,
  }
  const { promise: closed, resolve } = Promise.withResolvers<Error>()
  const methods = { closed, onEvent: () => {}, close: () => { resolve(new ConnectionLost('closed')); return Promise.resolve() } }
  const open = (): Promise<Connection> => Promise.resolve(new Proxy(methods as unknown as Connection, {
    get: (target, name: keyof Connection) => name in target ? target[name] : String(name) === 'then' ? undefined : async () => {
      if (lacking.has(name)) throw new Unsupported(new LibvirtError({ code: ErrorNumber.NO_SUPPORT, domain: 39, level: 2, message: 'no', procedure: name }), 'VMware')
      return answers[name]!()
    },
  }))
  const host = new Host({ uri: 'vmwarews:///session', open, clock, callTimeout: 30_000, keepAliveInterval: 5_000, keepAliveCount: 3, pollInterval: 5_000, relistInterval: 600_000, maxConnections: 4 })
  host.start()
  onTestFinished(async () => { await host.close() })
  await rest()
  expect(host.facts).toMatchObject({ driver: 'VMware', hostname: '', cpus: 0, capabilities: '' })
  expect(host.mirror.domain(uuid)).toMatchObject({ state: DomainState.Running, autostart: false })
  state = DomainState.Shutoff
  await clock.advance(6_000)
  await rest()
  expect(host.mirror.domain(uuid)).toMatchObject({ state: DomainState.Shutoff })
})
