// Turns where an object stands into its conditions and the common part of its status.

import { timestamp } from '../controller/timestamp.ts'
import { type Condition, findCondition, setCondition } from '../controller/conditions.ts'
import { type DriftEntry, type PendingChange, type Plan, type Standing, isSettled, isStalled } from './plan.ts'

export interface CommonStatus {
  observedGeneration: number
  conditions: Condition[]
  pendingChanges?: PendingChange[]
  drift?: (DriftEntry & { since: string })[]
}

const list = (paths: string[]): string => (paths.length <= 6 ? paths.join(', ') : `${paths.slice(0, 6).join(', ')} and ${paths.length - 6} more`)

const WHEN: Record<PendingChange['apply'], string> = {
  ColdStart: 'Takes effect at the next cold start',
  Recreate: 'Takes effect once it is made anew on the host, which updatePolicy.recreate decides',
  Window: 'Takes effect in the next maintenance window',
}

/** When what waits takes effect, by what it takes: one sentence for each. */
function takesEffect(pending: readonly PendingChange[]): string {
  const paths = Map.groupBy(pending, change => change.apply)
  return [...paths].map(([apply, changes]) => `${WHEN[apply]}: ${list(changes.map(change => change.path))}.`).join(' ')
}

/** These conditions and no others, sorted by type. Transition times stay while a condition's status stays. */
export function conditionsOf(previous: Condition[] | undefined, wanted: Omit<Condition, 'lastTransitionTime'>[], now: number): Condition[] {
  const kept = (previous ?? []).filter(({ type }) => findCondition(wanted, type) !== undefined)
  return wanted.reduce((conditions, condition) => setCondition(conditions, { ...condition, message: condition.message.slice(0, 4096) }, now), kept)
}

export interface Circumstances { generation: number; now: number; previous: Partial<CommonStatus> | undefined; paused: boolean }

/** The common part of the status of the four host-object kinds. */
export function commonStatus(standing: Standing, plan: Plan | undefined, at: Circumstances): CommonStatus {
  const observedGeneration = at.generation
  const settled = isSettled(standing)
  const unknown = standing.reason === 'HypervisorUnreachable'
  const wanted: Omit<Condition, 'lastTransitionTime'>[] = [
    { type: 'Ready', status: unknown ? 'Unknown' : settled ? 'True' : 'False', reason: standing.reason, message: standing.message, observedGeneration },
  ]
  const drift = plan?.drift ?? []
  if (at.paused) wanted.push({ type: 'Synced', status: 'Unknown', reason: 'ReconcilePaused', message: 'Reconciling is paused by the annotation vireo.dev/paused; remove it to go on.', observedGeneration })
  else if (drift.length > 0) wanted.push({ type: 'Synced', status: 'False', reason: 'Drifted', message: `Changed on the host and left so by driftPolicy: ${list(drift.map(entry => entry.path))}.`, observedGeneration })
  else if (plan?.unsynced !== undefined && settled) wanted.push({ type: 'Synced', status: 'False', reason: 'Updating', message: plan.unsynced, observedGeneration })
  else wanted.push({ type: 'Synced', status: unknown ? 'Unknown' : settled ? 'True' : 'False', reason: standing.reason, message: settled ? 'The host holds what the spec says.' : standing.message, observedGeneration })
  if (!at.paused && !settled) {
    if (isStalled(standing)) wanted.push({ type: 'Stalled', status: 'True', reason: standing.reason, message: standing.message, observedGeneration })
    else if (!unknown) wanted.push({ type: 'Reconciling', status: 'True', reason: standing.reason, message: standing.message, observedGeneration })
  }
  if (drift.length > 0) wanted.push({ type: 'DriftDetected', status: 'True', reason: 'Drifted', message: `Found other than the spec says: ${list(drift.map(entry => entry.path))}.`, observedGeneration })
  if (plan?.restartRequired) {
    wanted.push({ type: 'RestartRequired', status: 'True', reason: 'Staged', message: takesEffect(plan.pending), observedGeneration })
  }
  for (const condition of plan?.conditions ?? []) wanted.push({ ...condition, status: 'True', observedGeneration })
  if (plan?.deletionBlocked) wanted.push({ type: 'DeletionBlocked', status: 'True', ...plan.deletionBlocked, observedGeneration })
  const since = timestamp(at.now)
  return {
    observedGeneration,
    conditions: conditionsOf(at.previous?.conditions, wanted, at.now),
    ...(plan && plan.pending.length > 0 ? { pendingChanges: plan.pending.slice(0, 64) } : {}),
    ...(drift.length > 0 ? { drift: drift.slice(0, 64).map(entry => ({ ...entry, since: at.previous?.drift?.find(other => other.path === entry.path)?.since ?? since })) } : {}),
  }
}
