// What the shared loop needs of a kind: gather (mirrors only), plan (pure), perform (driver calls), describe (status).

import type { Mirror } from '../controller/mirror.ts'
import type { Resource } from '../controller/resource.ts'
import type { Binding } from '../crds/common.ts'
import type { Action, Plan } from './plan.ts'
import type { BoundHost } from './references.ts'
import type { HostObject, World } from './world.ts'

/** What every gathered input holds; kinds add what their plan looks at. */
export interface Inputs<O extends HostObject = HostObject> {
  object: O
  bound: BoundHost
  /** The identity the object has, or would have, on the host. */
  binding: Binding
  terminating: boolean
}

export interface Kind<O extends HostObject, I extends Inputs<O>, A extends Action> {
  readonly resource: Resource
  mirror(world: World): Mirror<O>
  /**
   * Everything the plan looks at, from the mirrors alone; makes no call.
   * Throws Refusal where the object can't be acted on: a missing reference, a closed policy, a host that is away.
   */
  gather(world: World, object: O): I
  /** Pure: the same inputs give the same plan. */
  plan(inputs: I): Plan<A>
  /** The id in the observed mirror that is read afresh before the first action and after the last one. */
  observedId(inputs: I): string
  /** Annotation to write together with the finalizer, before the first create. */
  intent?(inputs: I): string | undefined
  /** Makes the calls of one action. Rejects with the driver's errors or a Refusal. */
  perform(action: A, inputs: I, world: World): Promise<void>
  /** The kind's own part of the status: what is observed; undefined fields are left out. */
  describe(inputs: I): Record<string, unknown>
  /** The object is gone from the API, or was released: drop what is kept in memory for it. */
  forget?(key: string): void
}

/** A kind whose types the loop need not know. */
export type AnyKind = Kind<any, any, any> // oxlint-disable-line typescript/no-explicit-any -- the loop holds kinds of different objects
