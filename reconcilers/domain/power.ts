// Decides about power: the wish, what the guest did by itself, and what somebody else did on purpose. Pure.

import { type DomainState, DomainState as State } from '../../drivers/driver.ts'
import type { DriftEntry, Standing } from '../plan.ts'

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

/** A daemon that was restarted no longer knows why a guest is off; what we saw before still holds. */
export function reasonInForce(observed: { state: DomainState; reason: number }, seen: { powerState?: string; powerStateReason?: string } | undefined): number {
  if (observed.state !== State.Shutoff || observed.reason !== 0 || seen?.powerState !== 'Stopped') return observed.reason
  return Math.max(0, REASONS[State.Shutoff]!.indexOf(seen.powerStateReason ?? 'Unknown'))
}

export type VerbName = 'restart' | 'reset' | 'power-off'
interface Verbs { restart?: string; reset?: string; 'power-off'?: string }
/** `verb`: the token of the annotation that this action answers. */
interface Asked { verb?: { name: VerbName; token: string } }

export type PowerAction =
  /** Creates nothing: what is started was defined, and its object holds our finalizer. */
  | { type: 'Started'; reason: string; paused: boolean; ownEnd: boolean }
  | { type: 'ShutdownRequested' | 'PoweredOff'; reason: string; restart?: boolean } & Asked
  | { type: 'Resumed' | 'Suspended'; reason: string }
  | { type: 'Reset'; reason: string } & Asked

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
  /** It was asked to shut down, and then no longer meant to: an end that comes nevertheless is not its own. */
  recalled?: boolean
  /** A restart was asked for: once it is off it is started, whatever restartPolicy says. */
  restarting?: boolean
  /** Its next reboot was made its end: it is started anew then. */
  rebootEnds?: boolean
}

export interface PowerInput {
  wish: 'Running' | 'Stopped' | 'Paused' | 'Unmanaged'
  restartPolicy: 'Always' | 'OnFailure' | 'Never'
  state: DomainState
  reason: number
  active: boolean
  /** Its process is gone and the host still cleans up after it: why it ended is not yet known. */
  ending?: boolean
  memory: Readonly<PowerMemory>
  now: number
  gracePeriod: number
  onTimeout: 'PowerOff' | 'Wait'
  /** What is to happen to drift; a guest that somebody stopped or paused is drift. */
  correct: boolean
  /** Verbs with a new token. */
  verbs: Verbs
  /** The restart that the status says was begun: its token, and whether the guest is still the one that was asked to end. */
  restart?: { token: string; sameRun: boolean }
  /** The guest was off as powerState said when it was last looked at: a start is then no restart. */
  wasStopped?: boolean
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
/** Recorded for a restart that was begun and not yet ended. */
export const RESTARTING = 'Stopping'

/** How long a guest that ended by itself waits before it is started again, ms. */
export const restartDelay = (ends: number): number => (ends <= 1 ? 0 : Math.min(CRASH.first * 2 ** (ends - 2), CRASH.last))
/** A guest that ran this long is healthy: its earlier ends are forgotten. */
export const isHealthyRun = (memory: PowerMemory, now: number): boolean => memory.started !== undefined && now - memory.started >= CRASH.healthy

const plan = (standing: Standing, rest: Partial<PowerPlan> = {}): PowerPlan => ({ actions: [], drift: [], verbs: [], standing, ...rest })
const running = (message = 'The guest runs.'): Standing => ({ reason: 'Available', message })
const stopped = (message: string): Standing => ({ reason: 'Stopped', message })
const start = (reason: string, { paused = false, ownEnd = false } = {}): PowerAction => ({ type: 'Started', reason, paused, ownEnd })

const isRestarting = ({ memory, restart, active }: PowerInput): boolean => memory.restarting === true || (restart !== undefined && (!active || restart.sameRun))

export function powerPlan(input: PowerInput): PowerPlan {
  const { verbs, active, restart } = input
  // A verdict now would be one about a guest that was cut off, or never started; the event of the end is on its way.
  if (input.ending) return plan({ reason: input.terminating ? 'Deleting' : 'Stopping', message: 'The guest is ending.' })
  const next = activePlan(input)
  // Only a running guest can be reset or cut off; one that is off is as it would be after that.
  const idle = active ? [] : Object.entries(verbs).map(([name, token]) => ({ name, token: token as string, outcome: 'Done' }))
  const over = restart !== undefined && (next.actions.some(action => action.type === 'Started') || (active && !restart.sameRun)) ? [{ name: 'restart', token: restart.token, outcome: 'Done' }] : []
  return { ...next, verbs: [...over, ...idle, ...next.verbs] }
}

function activePlan(input: PowerInput): PowerPlan {
  const { active, wish, terminating } = input
  if (active) {
    const asked = verbPlan(input)
    if (asked !== undefined) return asked
  }
  if (terminating || wish === 'Stopped') return active ? stopping(input) : staysOff(input)
  if (isRestarting(input)) return active ? stopping(input) : whileOff(input)
  if (wish === 'Unmanaged') return plan(active ? running(`The guest is ${powerStateName(input.state).toLowerCase()}; its power is not managed (powerState: Unmanaged).`) : stopped('The guest is off; its power is not managed (powerState: Unmanaged).'))
  return active ? whileActive(input) : whileOff(input)
}

/** Verbs act on a running guest. One that is being removed is only cut off: it is not to run on. */
function verbPlan(input: PowerInput): PowerPlan | undefined {
  const { verbs, terminating } = input
  const cut = verbs['power-off']
  if (cut !== undefined) {
    const verb = { name: 'power-off', token: cut } as const
    return plan({ reason: terminating ? 'Deleting' : 'Stopping', message: 'Cutting the power, as asked by the annotation.' }, { actions: [{ type: 'PoweredOff', reason: 'Cut the power, as the annotation vireo.dev/power-off asks.', verb }], verbs: [{ ...verb, outcome: 'Done' }] })
  }
  if (terminating) return undefined
  if (verbs.reset !== undefined) {
    const verb = { name: 'reset', token: verbs.reset } as const
    return plan(running('The guest was reset.'), { actions: [{ type: 'Reset', reason: 'Reset the guest, as the annotation vireo.dev/reset asks.', verb }], verbs: [{ ...verb, outcome: 'Done' }] })
  }
  if (verbs.restart !== undefined) {
    const verb = { name: 'restart', token: verbs.restart } as const
    return { ...askToEnd(input, 'for the restart that the annotation vireo.dev/restart asks for', verb), verbs: [{ ...verb, outcome: RESTARTING }] }
  }
  return undefined
}

/** Asks the guest to end so that it is started anew; one that cannot hear is not asked. */
export function askToEnd({ state, reason, gracePeriod }: Pick<PowerInput, 'state' | 'reason' | 'gracePeriod'>, why: string, verb?: Asked['verb']): PowerPlan {
  const standing: Standing = { reason: 'Stopping', message: 'Restarting: the guest was asked to shut down.' }
  if (state === State.Crashed || (state === State.Paused && !isPausedByWill(reason))) return plan(standing, { actions: [{ type: 'PoweredOff', restart: true, reason: `Cut the power ${why}: the guest (${powerStateName(state)}, ${reasonName(state, reason)}) cannot shut down.`, verb }] })
  const resumed: PowerAction[] = state === State.Paused ? [{ type: 'Resumed', reason: 'Resumed the guest, so that it can shut down.' }] : []
  return plan(standing, { actions: [...resumed, { type: 'ShutdownRequested', restart: true, reason: `Asked the guest to shut down ${why}.`, verb }], requeueAfter: gracePeriod })
}

const isPausedByWill = (reason: number): boolean => ['User', 'Unknown', 'StartingUp'].includes(reasonName(State.Paused, reason))

function stopping(input: PowerInput): PowerPlan {
  const { memory, now, gracePeriod, onTimeout, state, reason: why, terminating, wish } = input
  const reason = terminating ? 'Deleting' as const : 'Stopping' as const
  const restart = !terminating && wish !== 'Stopped' && isRestarting(input)
  if (state === State.Crashed) return plan({ reason, message: 'Removing the crashed guest.' }, { actions: [{ type: 'PoweredOff', restart, reason: 'Cut the power of the crashed guest.' }] })
  if (memory.stopping === undefined) {
    const resumed: PowerAction[] = state === State.Paused && isPausedByWill(why) ? [{ type: 'Resumed', reason: 'Resumed the guest, so that it can shut down.' }] : []
    return plan({ reason, message: 'The guest was asked to shut down.' }, { actions: [...resumed, { type: 'ShutdownRequested', restart, reason: `Asked the guest to shut down; it has ${gracePeriod / 1000} s.` }], requeueAfter: gracePeriod })
  }
  const left = memory.stopping + gracePeriod - now
  if (left > 0) return plan({ reason, message: `The guest was asked to shut down and has not yet; ${onTimeout === 'PowerOff' ? 'its power is cut when spec.shutdown.gracePeriod has passed' : 'vireo keeps waiting'}.` }, { requeueAfter: left })
  if (onTimeout === 'Wait') return plan({ reason, message: `The guest has not shut down within ${gracePeriod / 1000} s; waiting on, as spec.shutdown.onTimeout says. Annotate with vireo.dev/power-off to cut its power.` })
  return plan({ reason, message: 'Cutting the power of the guest.' }, { actions: [{ type: 'PoweredOff', restart, reason: `Cut the power: the guest did not shut down within ${gracePeriod / 1000} s.` }] })
}

/** Ready's message while a guest is off by wish; it also tells a later look that its end was not its own. */
export const OFF_BY_WISH = 'The guest is off, as powerState says.'

const staysOff = ({ reason }: PowerInput): PowerPlan =>
  plan(stopped(reasonName(State.Shutoff, reason) === 'Saved' ? `${OFF_BY_WISH} Its saved state is kept.` : OFF_BY_WISH))

/** Somebody else's decision about a guest that is off or paused: never undone, said with what to do. */
const HANDS_OFF: Record<string, string> = {
  Migrated: 'The guest was migrated to another host and may run there: starting it here would let two machines write to its disks. If it does not run elsewhere, start it once with virsh start; otherwise delete this object with deletionPolicy: Retain.',
  Saved: 'The guest was saved to disk (virsh managedsave or save) and is not started by itself, so that its saved state is not lost. Start it with virsh start to resume it, or drop the state with virsh managedsave-remove and start it.',
  FromSnapshot: 'The guest is off because it was reverted to a snapshot. Start it once with virsh start, or set powerState: Stopped.',
}

const crashLoop = (how: string, { ends }: PowerMemory): Standing =>
  ({ reason: 'CrashLoop', message: `The guest ${how} ${ends} times without running for ${CRASH.healthy / 60_000} minutes; it is started again ${restartDelay(ends) / 1000} s after its last end. Look at its console, or set powerState: Stopped.` })

function whileOff(input: PowerInput): PowerPlan {
  const { reason, wish, restartPolicy, memory, now, correct, verbs, wasStopped } = input
  const paused = wish === 'Paused'
  const settled = paused ? { reason: 'Paused' as const, message: 'The guest is paused, as powerState says.' } : running()
  const why = reasonName(State.Shutoff, reason)
  if (HANDS_OFF[why] !== undefined) return plan({ reason: 'Conflict', message: HANDS_OFF[why] })
  if (isRestarting(input)) return plan(settled, { actions: [start('Started the guest again for the restart that was asked for.', { paused })] })
  if (memory.rebootEnds) return plan(settled, { actions: [start('Started the guest anew: its reboot became a cold start, as updatePolicy says.', { paused })] })
  if (verbs.restart !== undefined) return plan(settled, { actions: [start('Started the guest, as the annotation vireo.dev/restart asks.', { paused })] })
  const failed = input.state === State.Crashed || why === 'Crashed'
  const ownEnd = failed || why === 'Shutdown'
  const byUs = memory.stopping !== undefined || memory.recalled === true || wasStopped === true
  if (ownEnd && !byUs) {
    const how = failed ? 'crashed' : 'shut itself down'
    if (restartPolicy === 'Never' || (restartPolicy === 'OnFailure' && !failed)) return plan(stopped(`The guest ${how} and stays off, as restartPolicy: ${restartPolicy} says.`))
    const due = (memory.ended ?? now) + restartDelay(memory.ends)
    if (due > now) return plan(crashLoop(how, memory), { requeueAfter: due - now })
    return plan(settled, { actions: [start(`Started the guest again after it ${how} (restartPolicy: ${restartPolicy}).`, { paused, ownEnd: true })] })
  }
  if (why === 'Destroyed' && !correct && !byUs) {
    return plan(stopped('The guest was powered off on the host and is left so, as driftPolicy says.'), { drift: [{ path: 'powerState', expected: wish, found: 'Stopped' }] })
  }
  return plan(settled, { actions: [start(why === 'Destroyed' && !byUs ? 'Started the guest again: it was powered off on the host.' : 'Started the guest.', { paused })] })
}

function whileActive(input: PowerInput): PowerPlan {
  const { state, wish, restartPolicy, memory, now } = input
  if (state === State.Crashed) {
    if (restartPolicy === 'Never') return plan({ reason: 'CrashLoop', message: 'The guest crashed and is kept as it is (restartPolicy: Never). Restart it with the annotation vireo.dev/restart.' })
    const due = (memory.ended ?? now) + restartDelay(memory.ends)
    if (due > now) return plan(crashLoop('crashed', memory), { requeueAfter: due - now })
    return plan({ reason: 'Starting', message: 'Restarting the crashed guest.' }, { actions: [{ type: 'PoweredOff', restart: true, reason: `Removed the crashed guest to start it again (restartPolicy: ${restartPolicy}).` }] })
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
