// Power: every state and reason of a guest, with every wish and restart policy.

import { describe, expect, test } from 'vitest'
import { DomainState as State } from '../../../drivers/driver.ts'
import { type PowerInput, type PowerPlan, isHealthyRun, powerPlan, powerStateName, reasonName, restartDelay } from '../../../reconcilers/domain/power.ts'

const NOW = 1_000_000
const off = (state: number): boolean => state === State.Shutoff || state === State.NoState
const code = (state: State, reason: string): number => {
  for (let n = 0; n < 20; n++) if (reasonName(state, n) === reason) return n
  throw new Error(`no reason ${reason}`)
}
type StateName = keyof typeof State

type Fields = Partial<Omit<PowerInput, 'state' | 'reason' | 'active'>>

function power(state: StateName, reason: string, fields: Fields = {}): PowerPlan {
  return powerPlan({
    wish: 'Running', restartPolicy: 'Always', memory: { ends: 0 }, now: NOW, gracePeriod: 90_000, onTimeout: 'PowerOff', correct: true, verbs: {}, terminating: false, ...fields,
    state: State[state], reason: code(State[state], reason), active: !off(State[state]),
  })
}
const types = ({ actions }: PowerPlan): string[] => actions.map(action => action.type)

const REASONS: [StateName, string[]][] = [
  ['Running', ['Unknown', 'Booted', 'Migrated', 'Restored', 'FromSnapshot', 'Unpaused', 'MigrationCanceled', 'SaveCanceled', 'Wakeup', 'Crashed', 'Postcopy', 'PostcopyFailed']],
  ['Blocked', ['Unknown']],
  ['Paused', ['Unknown', 'User', 'Migration', 'Save', 'Dump', 'IOError', 'Watchdog', 'FromSnapshot', 'ShuttingDown', 'Snapshot', 'Crashed', 'StartingUp', 'Postcopy', 'PostcopyFailed', 'APIError']],
  ['Shutdown', ['Unknown', 'User']],
  ['Shutoff', ['Unknown', 'Shutdown', 'Destroyed', 'Crashed', 'Migrated', 'Saved', 'Failed', 'FromSnapshot', 'Daemon']],
  ['Crashed', ['Unknown', 'Panicked']],
  ['PMSuspended', ['Unknown']],
]
const WISHES = ['Running', 'Stopped', 'Paused', 'Unmanaged'] as const
const POLICIES = ['Always', 'OnFailure', 'Never'] as const

interface Situation { state: StateName; reason: string; wish: typeof WISHES[number]; restartPolicy: typeof POLICIES[number]; correct: boolean }
const SITUATIONS: Situation[] = REASONS.flatMap(([state, reasons]) => reasons.flatMap(reason => WISHES.flatMap(wish => POLICIES.flatMap(restartPolicy => [true, false].map(correct => ({ state, reason, wish, restartPolicy, correct }))))))

/** What is expected of a wish for Running or Paused; the other two are simple. `[actions, standing]`, of a wish for Paused where it differs. */
const TABLE: Record<string, Record<string, [string, string] | { running: [string, string]; paused: [string, string] }>> = {
  Running: Object.fromEntries(REASONS[0]![1].map(reason => [reason, { running: ['', 'Available'] as [string, string], paused: ['Suspended', 'Paused'] as [string, string] }])),
  Blocked: { Unknown: { running: ['', 'Available'], paused: ['Suspended', 'Paused'] } },
  Paused: {
    Unknown: { running: ['Resumed', 'Available'], paused: ['', 'Paused'] },
    User: { running: ['Resumed', 'Available'], paused: ['', 'Paused'] },
    FromSnapshot: { running: ['', 'Conflict'], paused: ['', 'Paused'] },
    Migration: ['', 'Updating'], Save: ['', 'Updating'], Dump: ['', 'Updating'], Snapshot: ['', 'Updating'], Postcopy: ['', 'Updating'], ShuttingDown: ['', 'Updating'], StartingUp: ['', 'Updating'],
    IOError: ['', 'HostError'], Watchdog: ['', 'HostError'], Crashed: ['', 'HostError'], PostcopyFailed: ['', 'HostError'], APIError: ['', 'HostError'],
  },
  Shutdown: { Unknown: ['', 'Stopping'], User: ['', 'Stopping'] },
  Shutoff: {
    Unknown: { running: ['Started', 'Available'], paused: ['Started', 'Paused'] },
    Destroyed: { running: ['Started', 'Available'], paused: ['Started', 'Paused'] },
    Failed: { running: ['Started', 'Available'], paused: ['Started', 'Paused'] },
    Daemon: { running: ['Started', 'Available'], paused: ['Started', 'Paused'] },
    Migrated: ['', 'Conflict'], Saved: ['', 'Conflict'], FromSnapshot: ['', 'Conflict'],
  },
  PMSuspended: { Unknown: { running: ['', 'Available'], paused: ['Suspended', 'Paused'] } },
}

function expected({ state, reason, wish, restartPolicy, correct }: Situation): [string, string] {
  const active = !off(State[state])
  if (wish === 'Unmanaged') return active ? ['', 'Available'] : ['', 'Stopped']
  if (wish === 'Stopped') {
    if (!active) return ['', 'Stopped']
    if (state === 'Crashed') return ['PoweredOff', 'Stopping']
    return [state === 'Paused' && ['User', 'Unknown', 'StartingUp'].includes(reason) ? 'Resumed ShutdownRequested' : 'ShutdownRequested', 'Stopping']
  }
  const failed = state === 'Crashed' || (state === 'Shutoff' && reason === 'Crashed')
  if (state === 'Crashed') return restartPolicy === 'Never' ? ['', 'CrashLoop'] : ['PoweredOff', 'Starting']
  if (state === 'Shutoff' && (reason === 'Shutdown' || failed)) {
    if (restartPolicy === 'Never' || (restartPolicy === 'OnFailure' && !failed)) return ['', 'Stopped']
    return ['Started', wish === 'Paused' ? 'Paused' : 'Available']
  }
  if (state === 'Shutoff' && reason === 'Destroyed' && !correct) return ['', 'Stopped']
  if (state === 'Paused' && (reason === 'User' || reason === 'Unknown') && !correct) return ['', 'Paused']
  const entry = TABLE[state]![reason]!
  return Array.isArray(entry) ? entry : entry[wish === 'Paused' ? 'paused' : 'running']
}

describe('power', () => {
  test.each(WISHES)(`powerState %s: each of ${SITUATIONS.length / WISHES.length} states, reasons and policies has its answer`, wish => {
    for (const at of SITUATIONS.filter(situation => situation.wish === wish)) {
      const plan = power(at.state, at.reason, at)
      expect([at, types(plan).join(' '), plan.standing.reason]).toEqual([at, ...expected(at)])
    }
  })

  test.each([['Shutoff', 'Migrated'], ['Shutoff', 'Saved'], ['Shutoff', 'FromSnapshot'], ['Paused', 'IOError'], ['Paused', 'Watchdog'], ['Paused', 'Migration'], ['Paused', 'Save'], ['Paused', 'Crashed'], ['Paused', 'PostcopyFailed'], ['Paused', 'APIError']] as [StateName, string][])(
    'a guest that is %s because of %s is never started or resumed by itself', (state, reason) => {
      for (const at of SITUATIONS.filter(situation => situation.state === state && situation.reason === reason)) {
        expect(types(power(state, reason, at)).filter(type => type === 'Started' || type === 'Resumed')).toEqual([])
      }
    })

  test('who is left alone is told why and what to do', () => {
    for (const [state, reason] of [['Shutoff', 'Migrated'], ['Shutoff', 'Saved'], ['Shutoff', 'FromSnapshot'], ['Paused', 'IOError'], ['Paused', 'Watchdog'], ['Paused', 'FromSnapshot']] as [StateName, string][]) {
      expect(power(state, reason).standing.message).toMatch(/virsh|annotation/)
    }
  })

  test('only a guest that is off is started, and only one that runs is stopped, suspended, resumed or reset', () => {
    for (const at of SITUATIONS) {
      const active = !off(State[at.state])
      for (const type of types(power(at.state, at.reason, at))) expect(type === 'Started').toBe(!active)
    }
  })

  test('nothing is ever started for an object that is being deleted', () => {
    for (const at of SITUATIONS) expect(types(power(at.state, at.reason, { ...at, terminating: true }))).not.toContain('Started')
  })

  test('every state has a name for people', () => {
    expect(Object.values(State).map(powerStateName)).toEqual(['Stopped', 'Running', 'Blocked', 'Paused', 'ShuttingDown', 'Stopped', 'Crashed', 'PMSuspended'])
    expect(reasonName(State.Running, 99)).toBe('Unknown')
  })

  test('what is drift under Report is said as drift', () => {
    expect(power('Shutoff', 'Destroyed', { correct: false }).drift).toEqual([{ path: 'powerState', expected: 'Running', found: 'Stopped' }])
    expect(power('Paused', 'User', { correct: false }).drift).toEqual([{ path: 'powerState', expected: 'Running', found: 'Paused' }])
  })
})

describe('a guest that keeps ending', () => {
  test.each([[0, 0], [1, 0], [2, 10_000], [3, 20_000], [4, 40_000], [5, 80_000], [6, 160_000], [7, 300_000], [100, 300_000]])('after %i ends it waits %i ms', (ends, ms) => { expect(restartDelay(ends)).toBe(ms) })

  test('is in a crash loop until the delay has passed since its end, then it is started', () => {
    const memory = { ends: 3, ended: NOW - 5_000 }
    const waiting = power('Shutoff', 'Shutdown', { memory })
    expect(waiting).toMatchObject({ actions: [], standing: { reason: 'CrashLoop' }, requeueAfter: 15_000 })
    expect(waiting.standing.message).toMatch(/3 times.*20 s.*console/)
    expect(power('Shutoff', 'Shutdown', { memory, now: NOW + 15_000 })).toMatchObject({ actions: [{ type: 'Started', ownEnd: true }] })
  })

  test('is healthy after ten minutes', () => {
    expect(isHealthyRun({ ends: 5, started: NOW - 599_999 }, NOW)).toBe(false)
    expect(isHealthyRun({ ends: 5, started: NOW - 600_000 }, NOW)).toBe(true)
    expect(isHealthyRun({ ends: 5 }, NOW)).toBe(false)
  })
})

describe('a shutdown', () => {
  const stop = (fields: Fields = {}): PowerPlan => power('Running', 'Booted', { wish: 'Stopped', ...fields })

  test('is asked for once and then waited for until its deadline, without holding anybody', () => {
    expect(stop()).toMatchObject({ actions: [{ type: 'ShutdownRequested' }], standing: { reason: 'Stopping' } })
    expect(stop({ memory: { ends: 0, stopping: NOW - 30_000 } })).toMatchObject({ actions: [], standing: { reason: 'Stopping' }, requeueAfter: 60_000 })
  })

  test('ends at its deadline by cutting the power, or waits on where that is asked for', () => {
    const memory = { ends: 0, stopping: NOW - 90_000 }
    expect(types(stop({ memory }))).toEqual(['PoweredOff'])
    const waiting = stop({ memory, onTimeout: 'Wait' })
    expect(waiting).toMatchObject({ actions: [], standing: { reason: 'Stopping' } })
    expect(waiting.standing.message).toMatch(/vireo\.dev\/power-off/)
  })

  test('of an object that is being deleted says Deleting', () => {
    expect(stop({ terminating: true, wish: 'Running' })).toMatchObject({ actions: [{ type: 'ShutdownRequested' }], standing: { reason: 'Deleting' } })
  })

  test('an end that was asked for is not the guest\'s own: the wish for Running starts it again, whatever restartPolicy says', () => {
    for (const restartPolicy of POLICIES) expect(types(power('Shutoff', 'Shutdown', { restartPolicy, memory: { ends: 0, stopping: NOW - 1_000 } }))).toEqual(['Started'])
  })
})

test('a guest whose process is gone and whose end the host has not told yet is left alone, and no verb of it is answered', () => {
  for (const at of SITUATIONS) {
    for (const terminating of [true, false]) {
      const plan = power(at.state, at.reason, { ...at, terminating, ending: true, verbs: { restart: '7' }, restart: { token: '6', sameRun: false } })
      expect(plan).toEqual({ actions: [], drift: [], verbs: [], standing: { reason: terminating ? 'Deleting' : 'Stopping', message: 'The guest is ending.' } })
    }
  }
})

describe('a verb', () => {
  test.each([['power-off', 'PoweredOff'], ['reset', 'Reset'], ['restart', 'ShutdownRequested']] as const)('%s acts on a running guest once and is recorded with its token', (verb, type) => {
    const plan = power('Running', 'Booted', { verbs: { [verb]: '7' } })
    expect(types(plan)).toEqual([type])
    expect(plan.verbs).toEqual([expect.objectContaining({ name: verb, token: '7' })])
    expect(plan.actions[0]!.reason).toContain(`vireo.dev/${verb}`)
  })

  test('power-off and reset find a guest that is off as they would leave it', () => {
    for (const verb of ['power-off', 'reset'] as const) {
      const plan = power('Shutoff', 'Shutdown', { wish: 'Stopped', verbs: { [verb]: '7' } })
      expect(plan).toMatchObject({ actions: [], verbs: [{ name: verb, token: '7', outcome: 'Done' }] })
    }
  })

  test('restart starts the guest after its end, whatever restartPolicy says', () => {
    expect(types(power('Shutoff', 'Shutdown', { restartPolicy: 'Never', memory: { ends: 0, restarting: true, stopping: NOW - 1_000 } }))).toEqual(['Started'])
  })

  test.each(['reset', 'restart'] as const)('%s is not acted on while the object is being deleted', verb => {
    expect(types(power('Running', 'Booted', { verbs: { [verb]: '7' }, terminating: true }))).toEqual(['ShutdownRequested'])
  })

  test('power-off ends a guest that is being deleted and does not shut down, as the message says it does', () => {
    const waiting = { terminating: true, onTimeout: 'Wait', memory: { ends: 0, stopping: NOW - 3_600_000 } } as const
    expect(power('Running', 'Booted', waiting)).toMatchObject({ actions: [], standing: { reason: 'Deleting', message: expect.stringContaining('vireo.dev/power-off') } })
    expect(power('Running', 'Booted', { ...waiting, verbs: { 'power-off': '7' } })).toMatchObject({ actions: [{ type: 'PoweredOff' }], standing: { reason: 'Deleting' } })
  })
})
