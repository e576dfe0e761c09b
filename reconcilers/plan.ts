// A plan is data: the actions that lead from what is observed to what is wanted, and the words for where things stand.

import { type DeletionBlockedReason, ReadyReason, type ReconcilingReason, StalledReason, type UnknownReason } from '../crds/conditions.ts'

/** One driver call (or a few that belong together) with its reason as a sentence: printed, recorded as an Event, then performed. */
export interface Action {
  /** CamelCase, the Event's reason: Defined, Started, PowerOff … */
  type: string
  /** What is done and why, for a person. Holds no secret. */
  reason: string
  /** Creates or destroys something on the host: the object is read live before it. */
  guarded?: boolean
  /** The one call that the object's intent annotation announces: where the host refuses it, the annotation goes. */
  intended?: boolean
}

export type ReasonOfReady = ReadyReason | ReconcilingReason | StalledReason | UnknownReason

const SETTLED = new Set<string>(Object.values(ReadyReason))
const STALLED = new Set<string>(Object.values(StalledReason))

/** Where an object stands: the Ready condition, and by its reason Reconciling and Stalled. */
export interface Standing { reason: ReasonOfReady; message: string }
export const isSettled = (standing: Standing): boolean => SETTLED.has(standing.reason)
export const isStalled = (standing: Standing): boolean => STALLED.has(standing.reason)

export interface PendingChange { path: string; current?: string; desired?: string; apply: 'ColdStart' | 'Recreate' | 'Window' }
export interface DriftEntry { path: string; expected?: string; found?: string }

export interface Plan<A extends Action = Action> {
  actions: A[]
  /** Where the object stands once the actions are done (or, without any, now). */
  standing: Standing
  /** What is staged and when it takes effect. */
  pending: PendingChange[]
  /** False: the pending changes were not asked for by a field that is set; they are listed, RestartRequired is not raised. */
  restartRequired: boolean
  /** Why the host does not hold what the spec says although the object stands well: a sentence with what to do. */
  unsynced?: string
  /** Differences that stay because driftPolicy says so. */
  drift: DriftEntry[]
  /** Conditions of the kind's own that hold now. */
  conditions?: { type: string; reason: string; message: string }[]
  /** Who keeps the object from going; a sentence. */
  deletionBlocked?: { reason: DeletionBlockedReason; message: string }
  /** When something is due that no event announces, ms from now. */
  requeueAfter?: number
  /** Verbs that these actions (or none) handle; recorded in status.actions. */
  verbs?: { name: string; token: string; outcome: string }[]
  /** Deletion: nothing of ours is left on the host (or it is meant to stay). */
  gone?: boolean
}

export const planOf = <A extends Action>(standing: Standing, rest: Partial<Plan<A>> = {}): Plan<A> =>
  ({ actions: [], pending: [], restartRequired: false, drift: [], standing, ...rest })

/** Thrown by whoever finds that an object can't be acted on now; the loop turns it into the Ready condition. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly standing: Standing
  readonly requeueAfter?: number
  constructor(reason: ReasonOfReady, message: string, requeueAfter?: number) {
    super(message)
    this.standing = { reason, message }
    this.requeueAfter = requeueAfter
  }
}
