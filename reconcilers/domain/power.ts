// Decides about power: the wish, what the guest did by itself, and what somebody else did on purpose. Pure.

import { type DomainState, DomainState as State } from '../../drivers/driver.ts'
import { type DriftEntry, type Standing } from '../plan.ts'

/** libvirt's reasons by state, in its own words (virDomain*Reason), CamelCase. */
const REASONS: Record<number, string[]> = {
  [State.NoState]: ['Unknown'],
  [State.Running]: ['Unknown', 'Booted', 'Migrated', 'Restored', 'FromSnapshot', 'Unpaused', 'MigrationCanceled', 'SaveCanceled', 'Wakeup', 'Crashed', 'Postcopy', 'PostcopyFailed'],
  [State.Blocked]: ['Unknown'],
  [State.Paused]: ['Unknown', 'User', 'Migration', 'Save', 'Dump', 'IOError', 'Watchdog', 'FromSnapshot', 'ShuttingDown', 'Snapshot', 'Crashed', 'StartingUp', 'Postcopy', 'PostcopyFailed', 'APIError'],
  [State.Shutdown]: ['Unknown', 'User'],
  [State.Shutoff]: ['Unknown', 'Shutdown', 'Destroyed', 'Crashed', 'Migrated', 'Saved', 'Failed', 'FromSnapshot', 'Daemon'],
  [State.Crashed]: ['Unknown', 'Panicked'],
  [State.PMSuspended]: ['Unknown'],
}
export const reasonName = (state: DomainState, reason: number): string => REASONS[state]?.[reason] ?? 'Unknown'

export const powerStateName = (state: DomainState): 'Running' | 'Stopped' | 'Paused' | 'Crashed' | 'ShuttingDown' | 'PMSuspended' | 'Blocked' => {
  switch (state) {
    case State.Running: return 'Running'
    case State.Blocked: return 'Blocked'
    case State.Paused: return 'Paused'
    case State.Shutdown: return 'ShuttingDown'
    case State.Crashed: return 'Crashed'
    case State.PMSuspended: return 'PMSuspended'
    default: return 'Stopped'
  }
}

export type PowerAction =
  | { type: 'Started'; reason: string; guarded: true; paused: boolean; ownEnd: boolean }
  | { type: 'ShutdownRequested'; reason: string; restart?: boolean }
  | { type: 'PoweredOff'; reason: string }
  | { type: 'Resumed' | 'Suspended'; reason: string }
  | { type: 'Reset'; reason: string }

/** What the process remembers of a domain's comings and goings; a restart of the controller begins anew. */
export interface PowerMemory {
  /** Ends of its own since the guest last ran long enough. */
  ends: number
  /** When it was last started, ms. */
  started?: number
  /** When its last own end was seen, ms. */
  ended?: number
  /** When the guest was asked to shut down, ms. */
  stopping?: number
  /** A restart was asked for: once it is off it is started, whatever restartPolicy says. */
  restarting?: boolean
}

export interface PowerInput {
  wish: 'Running' | 'Stopped' | 'Paused' | 'Unmanaged'
  restartPolicy: 'Always' | 'OnFailure' | 'Never'
  state: DomainState
  reason: number
  active: boolean
  memory: Readonly<PowerMemory>
  now: number
  gracePeriod: number
  onTimeout: 'PowerOff' | 'Wait'
  /** What is to happen to drift; a guest that somebody stopped or paused is drift. */
  correct: boolean
  /** Verbs with a new token. */
  verbs: { restart?: string; reset?: string; 'power-off'?: string }
  terminating: boolean
}

export interface PowerPlan {
  actions: PowerAction[]
  standing: Standing
  drift: DriftEntry[]
  verbs: { name: string; token: string; outcome: string }[]
  requeueAfter?: number
}

const CRASH = { first: 10_000, last: 300_000, healthy: 600_000 }

/** How long a guest that ended by itself waits before it is started again, ms. */
export const restartDelay = (ends: number): number => (ends <= 1 ? 0 : Math.min(CRASH.first * 2 ** (ends - 2), CRASH.last))
/** A guest that ran this long is healthy: its earlier ends are forgotten. */
export const isHealthyRun = (memory: PowerMemory, now: number): boolean => memory.started !== undefined && now - memory.started >= CRASH.healthy

const plan = (standing: Standing, rest: Partial<PowerPlan> = {}): PowerPlan => ({ actions: [], drift: [], verbs: [], standing, ...rest })
const running = (message = 'The guest runs.'): Standing => ({ reason: 'Available', message })
const stopped = (message: string): Standing => ({ reason: 'Stopped', message })
const start = (reason: string, { paused = false, ownEnd = false } = {}): PowerAction => ({ type: 'Started', reason, guarded: true, paused, ownEnd })

export function powerPlan(input: PowerInput): PowerPlan {
  const { verbs, active, wish, terminating } = input
  if (!terminating) {
    const handled = verbPlan(input)
    if (handled !== undefined) return handled
    if (Object.keys(verbs).length > 0 && !active) {
      const records = Object.entries(verbs).map(([name, token]) => ({ name, token: token!, outcome: 'Done' }))
      const rest = powerPlan({ ...input, verbs: {} })
      return { ...rest, verbs: [...records, ...rest.verbs] }
    }
  }
  if (terminating || wish === 'Stopped' || (input.memory.restarting && active)) return active ? stopping(input) : staysOff(input)
  if (wish === 'Unmanaged') return plan(active ? running(`The guest is ${powerStateName(input.state).toLowerCase()}; its power is not managed (powerState: Unmanaged).`) : stopped('The guest is off; its power is not managed (powerState: Unmanaged).'))
  return active ? whileActive(input) : whileOff(input)
}

/** Verbs act on a running guest. */
function verbPlan({ verbs, active }: PowerInput): PowerPlan | undefined {
  if (!active) return undefined
  const record = (name: 'restart' | 'reset' | 'power-off'): { name: string; token: string; outcome: string }[] => [{ name, token: verbs[name]!, outcome: 'Done' }]
  if (verbs['power-off'] !== undefined) return plan({ reason: 'Stopping', message: 'Cutting the power, as asked by the annotation.' }, { actions: [{ type: 'PoweredOff', reason: 'Cut the power, as the annotation vireo.dev/power-off asks.' }], verbs: record('power-off') })
  if (verbs.reset !== undefined) return plan(running('The guest was reset.'), { actions: [{ type: 'Reset', reason: 'Reset the guest, as the annotation vireo.dev/reset asks.' }], verbs: record('reset') })
  if (verbs.restart !== undefined) return plan({ reason: 'Stopping', message: 'Restarting: the guest was asked to shut down.' }, { actions: [{ type: 'ShutdownRequested', reason: 'Asked the guest to shut down for the restart that the annotation vireo.dev/restart asks for.', restart: true }], verbs: record('restart') })
  return undefined
}

function stopping({ memory, now, gracePeriod, onTimeout, state, terminating }: PowerInput): PowerPlan {
  const reason = terminating ? 'Deleting' as const : 'Stopping' as const
  if (state === State.Crashed) return plan({ reason, message: 'Removing the crashed guest.' }, { actions: [{ type: 'PoweredOff', reason: 'Cut the power of the crashed guest.' }] })
  if (memory.stopping === undefined) {
    return plan({ reason, message: 'The guest was asked to shut down.' }, { actions: [{ type: 'ShutdownRequested', reason: `Asked the guest to shut down; it has ${gracePeriod / 1000} s.` }] })
  }
  const left = memory.stopping + gracePeriod - now
  if (left > 0) return plan({ reason, message: `The guest was asked to shut down and has not yet; ${onTimeout === 'PowerOff' ? 'its power is cut when spec.shutdown.gracePeriod has passed' : 'vireo keeps waiting'}.` }, { requeueAfter: left })
  if (onTimeout === 'Wait') return plan({ reason, message: `The guest has not shut down within ${gracePeriod / 1000} s; waiting on, as spec.shutdown.onTimeout says. Annotate with vireo.dev/power-off to cut its power.` })
  return plan({ reason, message: 'Cutting the power of the guest.' }, { actions: [{ type: 'PoweredOff', reason: `Cut the power: the guest did not shut down within ${gracePeriod / 1000} s.` }] })
}

const staysOff = ({ reason }: PowerInput): PowerPlan =>
  plan(stopped(reasonName(State.Shutoff, reason) === 'Saved' ? 'The guest is off; its saved state is kept.' : 'The guest is off, as powerState says.'))

/** Somebody else's decision about a guest that is off or paused: never undone, said with what to do. */
const HANDS_OFF: Record<string, string> = {
  Migrated: 'The guest was migrated to another host and may run there: starting it here would let two machines write to its disks. If it does not run elsewhere, start it once with virsh start; otherwise delete this object with deletionPolicy: Retain.',
  Saved: 'The guest was saved to disk (virsh managedsave or save) and is not started by itself, so that its saved state is not lost. Start it with virsh start to resume it, or drop the state with virsh managedsave-remove and start it.',
  FromSnapshot: 'The guest is off because it was reverted to a snapshot. Start it once with virsh start, or set powerState: Stopped.',
}

function whileOff(input: PowerInput): PowerPlan {
  const { reason, wish, restartPolicy, memory, now, correct } = input
  const paused = wish === 'Paused'
  const why = reasonName(State.Shutoff, reason)
  if (HANDS_OFF[why] !== undefined) return plan({ reason: 'Conflict', message: HANDS_OFF[why] })
  if (memory.restarting) return plan(running(), { actions: [start('Started the guest again for the restart that was asked for.', { paused })] })
  const failed = input.state === State.Crashed || why === 'Crashed'
  const ownEnd = failed || why === 'Shutdown'
  if (ownEnd && memory.stopping === undefined) {
    const how = failed ? 'crashed' : 'shut itself down'
    if (restartPolicy === 'Never' || (restartPolicy === 'OnFailure' && !failed)) return plan(stopped(`The guest ${how} and stays off, as restartPolicy: ${restartPolicy} says.`))
    const due = (memory.ended ?? now) + restartDelay(memory.ends)
    if (due > now) return plan({ reason: 'CrashLoop', message: `The guest ${how} ${memory.ends} times without running for ${CRASH.healthy / 60_000} minutes; it is started again ${restartDelay(memory.ends) / 1000} s after its last end. Look at its console, or set powerState: Stopped.` }, { requeueAfter: due - now })
    return plan(running(), { actions: [start(`Started the guest again after it ${how} (restartPolicy: ${restartPolicy}).`, { paused, ownEnd: true })] })
  }
  if (why === 'Destroyed' && !correct && memory.stopping === undefined) {
    return plan(stopped('The guest was powered off on the host and is left so, as driftPolicy says.'), { drift: [{ path: 'powerState', expected: wish, found: 'Stopped' }] })
  }
  return plan(paused ? { reason: 'Paused', message: 'The guest is paused, as powerState says.' } : running(), { actions: [start(why === 'Destroyed' ? 'Started the guest again: it was powered off on the host.' : 'Started the guest.', { paused })] })
}

function whileActive(input: PowerInput): PowerPlan {
  const { state, wish, restartPolicy } = input
  if (state === State.Crashed) {
    if (restartPolicy === 'Never') return plan({ reason: 'CrashLoop', message: 'The guest crashed and is kept as it is (restartPolicy: Never). Restart it with the annotation vireo.dev/restart.' })
    return plan({ reason: 'Starting', message: 'Restarting the crashed guest.' }, { actions: [{ type: 'PoweredOff', reason: `Removed the crashed guest to start it again (restartPolicy: ${restartPolicy}).` }] })
  }
  if (state === State.Shutdown) return plan({ reason: 'Stopping', message: 'The guest is shutting down.' })
  if (state === State.Paused) return whilePaused(input)
  if (wish === 'Paused') return plan({ reason: 'Paused', message: 'The guest is paused, as powerState says.' }, { actions: [{ type: 'Suspended', reason: 'Paused the guest.' }] })
  if (state === State.PMSuspended) return plan(running('The guest suspended itself (PMSuspended); it wakes by itself or by virsh dompmwakeup.'))
  return plan(running())
}

function whilePaused({ reason, wish, correct }: PowerInput): PowerPlan {
  const why = reasonName(State.Paused, reason)
  if (why === 'IOError') return plan({ reason: 'HostError', message: 'The guest is paused by an I/O error of a disk and is not resumed by itself: make room or repair the storage, then resume it with virsh resume (or restart it with the annotation vireo.dev/restart).' })
  if (why === 'Watchdog' || why === 'PostcopyFailed' || why === 'APIError' || why === 'Crashed') return plan({ reason: 'HostError', message: `The guest is paused (${why}) and is not resumed by itself. Look at it, then resume it with virsh resume or restart it with the annotation vireo.dev/restart.` })
  if (['Migration', 'Save', 'Dump', 'Snapshot', 'StartingUp', 'Postcopy', 'ShuttingDown'].includes(why)) return plan({ reason: 'Updating', message: `The host has paused the guest for an operation of its own (${why}).` })
  if (wish === 'Paused') return plan({ reason: 'Paused', message: 'The guest is paused, as powerState says.' })
  if (why === 'FromSnapshot') return plan({ reason: 'Conflict', message: 'The guest is paused because it was reverted to a snapshot. Resume it with virsh resume.' })
  if (!correct) return plan({ reason: 'Paused', message: 'The guest was paused on the host and is left so, as driftPolicy says.' }, { drift: [{ path: 'powerState', expected: wish, found: 'Paused' }] })
  return plan(running(), { actions: [{ type: 'Resumed', reason: why === 'User' ? 'Resumed the guest: it was paused on the host.' : 'Resumed the guest.' }] })
}
