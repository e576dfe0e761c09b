// How a Hypervisor's status tells of its connection: one condition for each state, and a sentence for what somebody has to change.

import { describe, expect, test } from 'vitest'
import type { Hypervisor } from '../../../crds/hypervisor.ts'
import { AuthenticationFailed, UriError } from '../../../drivers/errors.ts'
import type { HostState } from '../../../observed/state.ts'
import { HostMirror } from '../../../observed/mirror.ts'
import { describeHypervisor } from '../../../reconcilers/hypervisor/status.ts'

const object = { apiVersion: 'vireo.dev/v1alpha1', kind: 'Hypervisor', metadata: { name: 'kvm7', uid: 'u', generation: 3 }, spec: { uri: 'qemu+tls://kvm7/system' } } as Hypervisor
const conditions = (state: HostState, error?: Error): Record<string, string> => {
  const host = { state, error, facts: undefined, mirror: new HostMirror(), uri: object.spec.uri, unsupported: new Set<string>() }
  const status = describeHypervisor({ object, host, countsDue: false, now: 0 })
  return Object.fromEntries((status.conditions ?? []).map(({ type, status: is, reason, message }) => [type, `${is} ${reason}: ${message}`]))
}

describe('a state is the reason of Connected', () => {
  test.each<HostState>(['Connecting', 'Authenticating', 'Opening', 'Draining', 'Broken', 'AuthFailed', 'HostChanged'])('%s', (state) => {
    expect(conditions(state).Connected).toMatch(new RegExp(`^False ${state}: .+\\.$`))
  })
  test('Open', () => {
    expect(conditions('Open')).toEqual({ Connected: 'True Open: Connected.', Ready: 'True Available: Connected; its objects are watched.' })
  })
})

test('before its Secrets are read it waits for them', () => {
  const { conditions: told } = describeHypervisor({ object, host: undefined, countsDue: true, now: 0 })
  expect(told).toMatchObject([
    { type: 'Connected', status: 'False', reason: 'Connecting', message: 'Its Secrets are being read.' }, { type: 'Ready', status: 'False' }, { type: 'Reconciling', status: 'True' },
  ])
})

test('want of trust says why, and is tried again', () => {
  expect(conditions('AuthFailed', new AuthenticationFailed('kvm7:16514: the certificate has expired'))).toMatchObject({
    Connected: 'False AuthFailed: One side does not trust the other. kvm7:16514: the certificate has expired.',
    Reconciling: expect.stringContaining('True WaitingForHypervisor'),
  })
})

test.each([
  ['malformed', 'Invalid'], ['forbidden', 'Forbidden'], ['removed', 'Unsupported'], ['unknown', 'Unsupported'],
] as const)('a URI that is %s is Stalled, %s, until somebody changes it', (why, reason) => {
  const told = conditions('Broken', new UriError(why, 'it leads nowhere'))
  expect(told).toMatchObject({ Ready: `False ${reason}: spec.uri: it leads nowhere.`, Stalled: `True ${reason}: spec.uri: it leads nowhere.` })
  expect(told).not.toHaveProperty('Reconciling')
})
