// What a person reads in the conditions of an object.
import { expect, test } from 'vitest'
import { findCondition } from '../../../controller/conditions.ts'
import { commonStatus } from '../../../reconcilers/outcome.ts'
import { type PendingChange, planOf } from '../../../reconcilers/plan.ts'

const standing = { reason: 'Available' as const, message: 'The guest runs.' }
const change = (path: string, apply: PendingChange['apply']): PendingChange => ({ path, current: 'a', desired: 'b', apply })
const restartRequired = (pending: PendingChange[]): string | undefined =>
  findCondition(commonStatus(standing, planOf(standing, { pending, restartRequired: pending.length > 0 }), { generation: 1, now: 0, previous: undefined, paused: false }).conditions, 'RestartRequired')?.message

test('RestartRequired says when what waits takes effect: a guest is started anew, a network is made anew', () => {
  expect(restartRequired([change('maxMemory', 'ColdStart'), change('cpu.mode', 'ColdStart')])).toBe('Takes effect at the next cold start: maxMemory, cpu.mode.')
  expect(restartRequired([change('bridge', 'Recreate')])).toBe('Takes effect once it is made anew on the host, which updatePolicy.recreate decides: bridge.')
  expect(restartRequired([change('mtu', 'Recreate'), change('cpus', 'ColdStart')])).toBe('Takes effect once it is made anew on the host, which updatePolicy.recreate decides: mtu. Takes effect at the next cold start: cpus.')
  expect(restartRequired([])).toBeUndefined()
})

test('names six fields and counts the rest', () => {
  expect(restartRequired(Array.from({ length: 8 }, (_, i) => change(`disks[${i}]`, 'ColdStart')))).toMatch(/disks\[5\] and 2 more\.$/)
})
