// Which change of a Hypervisor opens another connection, which makes it anew, and which leaves it alone.

import { afterEach, describe, expect, test } from 'vitest'
import { silentLog } from '../../../controller/log.ts'
import type { Hypervisor, HypervisorSpec } from '../../../crds/hypervisor.ts'
import type { Connection, OpenOptions } from '../../../drivers/driver.ts'
import { AuthenticationFailed } from '../../../drivers/errors.ts'
import { Hosts } from '../../../operator/hosts.ts'
import { FakeClock, settle } from '../../support/fakeclock.ts'

const opened: { uri: string; options: OpenOptions }[] = []
const hosts = new Hosts({
  open: (uri, options) => {
    opened.push({ uri, options })
    return new Promise<Connection>((_resolve, reject) => { options.signal!.addEventListener('abort', () => { reject(options.signal!.reason as Error) }) })
  },
  clock: new FakeClock(), log: silentLog, relistInterval: 600_000,
  onState: () => {}, onObserved: () => {}, onEvent: () => {}, onLeases: () => {}, onGuest: () => {}, refreshesPool: () => false,
})
afterEach(async () => {
  await hosts.close()
  opened.length = 0
})

const hypervisor = (spec: Partial<HypervisorSpec> = {}): Hypervisor => ({ apiVersion: 'vireo.dev/v1alpha1', kind: 'Hypervisor', metadata: { name: 'kvm7', uid: 'u', resourceVersion: '1' }, spec: { uri: 'qemu+tls://kvm7/system', ...spec } })
const sasl = (password: string) => ({ sasl: { username: 'u', password } })

describe('the connection is opened', () => {
  test('with credentials, without plaintext and for writing', async () => {
    hosts.keep(hypervisor(), sasl('one'))
    await settle()
    expect(opened).toMatchObject([{ uri: 'qemu+tls://kvm7/system', options: { credentials: sasl('one'), plaintext: 'Forbidden', readOnly: false, callTimeout: 30_000 } }])
  })

  test('in clear where that is allowed, and for reading alone where vireo only looks', async () => {
    hosts.keep(hypervisor({ connection: { plaintext: 'Allowed' }, managementPolicy: 'ObserveOnly' }), undefined)
    await settle()
    expect(opened).toMatchObject([{ options: { plaintext: 'Allowed', readOnly: true } }])
  })

  test('not at all without the credentials that are asked for', async () => {
    const host = hosts.keep(hypervisor(), new AuthenticationFailed('the Secret is missing'))
    await settle()
    expect([opened.length, host.state, host.error?.message]).toEqual([0, 'AuthFailed', 'the Secret is missing'])
  })
})

describe('a second look', () => {
  const look = async (first: [Partial<HypervisorSpec>, object], second: [Partial<HypervisorSpec>, object]) => {
    const one = hosts.keep(hypervisor(first[0]), first[1])
    await settle()
    const two = hosts.keep(hypervisor(second[0]), second[1])
    await settle()
    await settle()
    return { same: one === two, attempts: opened.length }
  }

  test('leaves what is the same alone, also what policy changed', async () => {
    expect(await look([{}, sasl('one')], [{ default: true, policy: { rawXML: 'Allowed' } }, sasl('one')])).toEqual({ same: true, attempts: 1 })
  })
  test('makes it anew where a credential changed, on the same mirror', async () => {
    expect(await look([{}, sasl('one')], [{}, sasl('two')])).toEqual({ same: true, attempts: 2 })
    expect(opened.at(-1)!.options.credentials).toEqual(sasl('two'))
  })
  test.each<[string, Partial<HypervisorSpec>]>([['URI', { uri: 'qemu+tls://kvm8/system' }], ['setting', { connection: { callTimeout: '5s' } }], ['managementPolicy', { managementPolicy: 'ObserveOnly' }]])('opens another where the %s changed', async (_what, spec) => {
    expect(await look([{}, sasl('one')], [spec, sasl('one')])).toEqual({ same: false, attempts: 2 })
  })
})
