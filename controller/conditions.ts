// Conditions of a status: the pure part of writing one.

import { timestamp } from './timestamp.ts'

export type ConditionStatus = 'True' | 'False' | 'Unknown'

/** metav1.Condition. */
export interface Condition {
  type: string
  status: ConditionStatus
  reason: string
  /** One sentence for a person. */
  message: string
  observedGeneration?: number
  lastTransitionTime: string
}

/** The conditions with this one set, sorted by type. lastTransitionTime moves only when the status does. `now` in milliseconds. */
export function setCondition(conditions: readonly Condition[] | undefined, condition: Omit<Condition, 'lastTransitionTime'>, now: number): Condition[] {
  const old = findCondition(conditions, condition.type)
  const lastTransitionTime = old && old.status === condition.status ? old.lastTransitionTime : timestamp(now)
  return [...removeCondition(conditions, condition.type), { ...condition, lastTransitionTime }].toSorted((a, b) => a.type < b.type ? -1 : 1)
}

/** For the types that stand only while they are True. */
export const removeCondition = (conditions: readonly Condition[] | undefined, type: string): Condition[] =>
  (conditions ?? []).filter((condition) => condition.type !== type)

export const findCondition = <C extends { type: string }>(conditions: readonly C[] | undefined, type: string): C | undefined =>
  conditions?.find((condition) => condition.type === type)
