// The shared loop of the four host-object kinds: get, gather, plan, observe afresh, perform, observe again, write status once.

import { findCondition } from '../controller/conditions.ts'
import { timestamp } from '../controller/timestamp.ts'
import type { Client } from '../controller/client.ts'
import type { Result } from '../controller/controller.ts'
import { isNotFound } from '../controller/errors.ts'
import type { EventRecorder } from '../controller/events.ts'
import { hasFinalizer, patchMetadata, writersOfAnnotation } from '../controller/finalizers.ts'
import type { Log } from '../controller/log.ts'
import type { StatusWriter } from '../controller/status.ts'
import { annotations, finalizer } from '../crds/names.ts'
import { CallTimeout, LibvirtError, isUnknown, isUnsupported } from '../drivers/errors.ts'
import { Attempts, Held } from './attempts.ts'
import type { AnyKind, Inputs } from './kind.ts'
import { commonStatus } from './outcome.ts'
import { type Action, type Plan, Refusal, type Standing, isSettled } from './plan.ts'
import { asManaged, boundHost } from './references.ts'
import { type HostObject, type HostObjectKind, type World, keyOf, splitKey } from './world.ts'

export interface LoopOptions {
  world: World
  kinds: Record<HostObjectKind, AnyKind>
  client: Client
  status: Record<HostObjectKind, Pick<StatusWriter<any>, 'write'>> // oxlint-disable-line typescript/no-explicit-any -- one writer per kind
  recorder: Pick<EventRecorder, 'event'>
  log: Log
  /**
   * Asks the API server itself whether the kind's definition is being deleted, before anything of the kind is destroyed: the
   * plans made after it know, and then retain everything.
   */
  confirmDefinition(kind: HostObjectKind): Promise<void>
  onAction?: (kind: string, action: string, outcome: 'ok' | 'error') => void
  onError?: (kind: string) => void
}

/** A plan leads to the next one at most this often within one reconcile; the rest is for another (ms later), after others had their turn. */
const ROUNDS = 8
const NEXT_ROUNDS = 1_000
/** An object read so recently (ms) is not read again before an action. */
const FRESH = 500

/** A call without an answer keeps its place on the connection, and makes others to the same guest wait in the daemon for so long (ms): they would only take more places. */
const UNANSWERED = 30_000

/** What a reconcile has learnt so far. */
interface Run { object: HostObject; inputs?: Inputs; plan?: Plan; guarded: boolean; attempting?: string; recorded: { name: string; token: string; outcome: string }[] }

export class Loop {
  readonly #options: LoopOptions
  readonly #attempts: Attempts
  /** UIDs of objects without our finalizer, of which the mirror has not heard yet. */
  readonly #left = new Map<string, string>()
  /** The last token of the reconcile annotation that was answered by a refresh, empty for none: of every object that was ever looked at. */
  readonly #refreshed = new Map<string, string>()

  constructor(options: LoopOptions) {
    this.#options = options
    this.#attempts = new Attempts(options.world.clock)
  }

  async reconcile(key: string): Promise<Result> {
    const { kind: name, namespace, name: objectName } = splitKey(key)
    const kind = this.#options.kinds[name as HostObjectKind]
    const object = kind.mirror(this.#options.world).get(namespace, objectName) as HostObject | undefined
    if (object === undefined) return this.#forget(kind, key)
    const terminating = object.metadata.deletionTimestamp !== undefined
    if (terminating && (!hasFinalizer(object, finalizer) || this.#left.get(key) === object.metadata.uid)) return { type: 'done' }
    if (terminating && object.metadata.annotations?.[annotations.release] === 'true') return await this.#release(kind, object)
    const run: Run = { object, guarded: false, recorded: [] }
    try {
      return await this.#attempt(kind, key, run)
    } catch (error) {
      // Whatever the mirror is behind by will come as a change, and wake this key.
      if (error instanceof StaleMirror || isNotFound(error)) return { type: 'done' }
      return { type: 'retry', error: error instanceof Error ? error : new Error(String(error)) }
    }
  }

  async #attempt(kind: AnyKind, key: string, run: Run): Promise<Result> {
    try {
      const standing = await this.#drive(kind, key, run)
      if (isSettled(standing) || run.plan?.gone) this.#attempts.forget(key)
      return await this.#settle(kind, run, standing)
    } catch (error) {
      if (error instanceof Held) return error.ms === undefined ? { type: 'done' } : { type: 'requeueAfter', ms: error.ms }
      return await this.#failed(kind, key, run, error)
    }
  }

  /** Plans and performs until the plan is empty. Answers where the object then stands. */
  async #drive(kind: AnyKind, key: string, run: Run): Promise<Standing> {
    const { world } = this.#options
    const paused = run.object.metadata.annotations?.[annotations.paused] === 'true'
    await this.#refreshOnRequest(kind, key, run)
    let afresh = false
    let last = ''
    for (let round = 0; round < ROUNDS; round++) {
      const inputs: Inputs = kind.gather(world, asManaged(world, run.object))
      run.inputs = inputs
      const unread = inputs.bound.host.unread(kind.observedId(inputs))
      if (unread !== undefined) throw unread
      const plan: Plan = kind.plan(inputs)
      run.plan = plan
      if (paused && !plan.gone && plan.actions.length > 0) return { reason: 'Updating', message: `Paused by the annotation ${annotations.paused}; left undone: ${plan.actions[0]!.reason}` }
      if (plan.gone || plan.actions.length === 0) {
        run.recorded.push(...plan.verbs ?? [])
        return plan.standing
      }
      const text = JSON.stringify(plan.actions.map(action => [action.type, action.reason]))
      this.#attempts.holdBack(key, run.object, text, inputs.bound.host.session)
      if (!afresh) {
        const { host } = inputs.bound
        const id = kind.observedId(inputs)
        const fresh = host.readSince(id, world.clock.now() - FRESH)
        // An intention is for what a look at the host did not find: it has to come after that look.
        const guard = intends(kind, run) ? undefined : this.#guard(kind, run, plan)
        await Promise.all([guard, fresh ? undefined : host.refresh(id)])
        afresh = true
        if (!fresh || run.guarded) continue
      }
      const intending = intends(kind, run)
      if (!run.guarded && (intending || plan.actions.some(action => action.guarded))) {
        const { generation } = run.object.metadata
        await this.#guard(kind, run, plan)
        // What turned up since that look is a stranger's. A plan made anew would take it for what we began; the create refuses.
        if (!intending || run.object.metadata.generation !== generation) continue
      }
      if (text === last) throw new Refusal('HostError', `The host accepted the change but it did not take effect: ${plan.actions[0]!.reason}`)
      last = text
      run.recorded.push(...plan.verbs ?? [])
      run.attempting = text
      const letGo = inputs.bound.host.hold(kind.observedId(inputs))
      try {
        for (const action of plan.actions) await this.#perform(kind, run, action)
        await inputs.bound.host.refresh(kind.observedId(inputs))
      } catch (error) {
        const intended = plan.actions.some(action => action.intended)
        if (intended && !isUnknown(error)) await this.#retract(kind, run)
        if (intended || error instanceof LibvirtError || error instanceof CallTimeout) await this.#lookAgain(kind, run)
        throw error
      } finally {
        letGo()
      }
    }
    const left = run.plan!
    run.plan = { ...left, requeueAfter: Math.min(left.requeueAfter ?? NEXT_ROUNDS, NEXT_ROUNDS) }
    return isSettled(left.standing) ? { reason: 'Updating', message: 'Still changing.' } : left.standing
  }

  /** The host refused what the annotation announces: whatever comes up under that name is not what we began. */
  async #retract(kind: AnyKind, run: Run): Promise<void> {
    const live = await patchMetadata(this.#options.client, kind.resource, run.object, { annotations: { [annotations.intent]: null } })
    if (live === undefined) throw new StaleMirror()
    run.object = live
    kind.mirror(this.#options.world).observeWrite(live)
  }

  /** What a refused attempt left behind is observed before anybody acts on what was there during it. */
  async #lookAgain(kind: AnyKind, run: Run): Promise<void> {
    const { host } = run.inputs!.bound
    try {
      await host.refresh(kind.observedId(run.inputs))
      run.inputs = kind.gather(this.#options.world, asManaged(this.#options.world, run.object))
    } catch { /* the refusal itself is what is told */ }
  }

  async #perform(kind: AnyKind, run: Run, action: Action): Promise<void> {
    const { log, recorder, onAction } = this.#options
    const started = performance.now()
    const fields = { object: keyOf(run.object), hypervisor: run.inputs!.bound.name, plan: run.plan!.actions.map(({ type }) => type), action: action.type }
    try {
      await kind.perform(action, run.inputs, this.#options.world)
    } catch (error) {
      onAction?.(run.object.kind, action.type, 'error')
      log.warn({ ...fields, reason: action.reason, error: error instanceof Error ? error.message : String(error) }, 'action failed')
      throw error
    }
    onAction?.(run.object.kind, action.type, 'ok')
    log.info({ ...fields, ms: Math.round(performance.now() - started) }, action.reason)
    recorder.event(run.object, 'Normal', action.type, action.reason)
  }

  /** A token in vireo.dev/reconcile asks for a look at the host itself. */
  async #refreshOnRequest(kind: AnyKind, key: string, run: Run): Promise<void> {
    const token = run.object.metadata.annotations?.[annotations.reconcile] ?? ''
    const answered = this.#refreshed.get(key)
    this.#refreshed.set(key, token)
    // A token that stands there at the first look was answered by the first list.
    if (answered === undefined || answered === token || token === '') return
    const inputs: Inputs = kind.gather(this.#options.world, asManaged(this.#options.world, run.object))
    run.inputs = inputs
    await inputs.bound.host.refresh(kind.observedId(inputs))
  }

  /**
   * Reads the object live, with its UID, before anything is created or destroyed: a stale mirror must not bring back the dead.
   * Of what is being deleted every action takes something away, the shutdown of a guest included.
   */
  async #guard(kind: AnyKind, run: Run, plan: Plan): Promise<void> {
    const { client } = this.#options
    const { object } = run
    const { namespace, name, uid } = object.metadata
    const intent = kind.intent?.(run.inputs)
    const wanting = !run.inputs!.terminating && (!hasFinalizer(object, finalizer) || intends(kind, run))
    if (wanting) {
      // The patch names UID and version, so its answer is the live object.
      const live = await patchMetadata(client, kind.resource, object, { addFinalizers: [finalizer], ...(intent === undefined ? {} : { annotations: { [annotations.intent]: intent } }) })
      if (live === undefined) throw new StaleMirror()
      run.object = live
    } else {
      const { terminating } = run.inputs!
      if (!terminating && !plan.actions.some(action => action.guarded)) return
      const [live] = await Promise.all([
        client.find<HostObject>(kind.resource, namespace, name),
        terminating ? this.#options.confirmDefinition(object.kind as HostObjectKind) : undefined,
      ])
      if (live?.metadata.uid !== uid || (live.metadata.deletionTimestamp !== undefined) !== terminating) throw new StaleMirror()
      run.object = live
    }
    kind.mirror(this.#options.world).observeWrite(run.object)
    run.guarded = true
  }

  async #settle(kind: AnyKind, run: Run, standing: Standing): Promise<Result> {
    if (run.plan?.gone) {
      this.#options.recorder.event(run.object, 'Normal', 'Deleted', standing.message)
      return await this.#letGo(kind, run.object)
    }
    await this.#write(kind, run, standing)
    return run.plan?.requeueAfter === undefined ? { type: 'done' } : { type: 'requeueAfter', ms: run.plan.requeueAfter }
  }

  async #write(kind: AnyKind, run: Run, standing: Standing, { told = false }: { told?: boolean } = {}): Promise<void> {
    const { world, status, recorder } = this.#options
    const { object, inputs, plan } = run
    const previous = object.status as Record<string, unknown> | undefined
    const common = commonStatus(standing, plan, {
      generation: object.metadata.generation ?? 0,
      now: world.clock.now(),
      previous: object.status,
      paused: object.metadata.annotations?.[annotations.paused] === 'true',
    })
    const actions = mergeVerbs(object.status?.actions, run.recorded, world.clock.now())
    const { conditions: _conditions, pendingChanges: _pending, drift: _drift, ...kept } = previous ?? {}
    const own = inputs === undefined ? kept : { binding: object.status?.binding, ...kind.describe(inputs) }
    const before = findCondition(object.status?.conditions, 'Ready')
    const normal = REPORTED_AS_NORMAL.has(standing.reason)
    // While objects wait for each other their sentences change as the others get on: the first one is news, the condition has the rest.
    if (!told && !isSettled(standing) && (before?.reason !== standing.reason || (!normal && before.message !== standing.message))) {
      recorder.event(object, normal ? 'Normal' : 'Warning', standing.reason, standing.message)
    }
    const synced = (conditions: typeof common.conditions | undefined): string | undefined => findCondition(conditions, 'Synced')?.message
    if (plan?.unsynced !== undefined && synced(common.conditions) === plan.unsynced && synced(object.status?.conditions) !== plan.unsynced) recorder.event(object, 'Warning', 'Unsynced', plan.unsynced)
    const written = await status[object.kind as HostObjectKind].write(object, { ...own, ...common, ...(actions.length > 0 ? { actions } : {}) })
    if (written === undefined) throw new StaleMirror()
  }

  /** The one place where errors of hosts become conditions and a way to go on; those of the API server are thrown on. */
  async #failed(kind: AnyKind, key: string, run: Run, error: unknown): Promise<Result> {
    if (error instanceof Refusal) return await this.#refused(kind, key, run, error)
    if (error instanceof CallTimeout && run.attempting !== undefined && run.inputs?.bound.host.state === 'Open') {
      const standing = { reason: 'HostError' as const, message: `Hypervisor ${run.inputs.bound.name} answers, but not this: ${error.message}. A guest's process may hang. What was asked may still take effect.` }
      return await this.#hostError(kind, key, run, standing, false, UNANSWERED)
    }
    if (isUnknown(error)) {
      // The host's own state tells when to go on; its objects are written only when it stays away.
      const state = run.inputs?.bound.host.state
      return state === 'Open' ? { type: 'retry', error: error as Error } : { type: 'done' }
    }
    if (error instanceof LibvirtError) {
      const unsupported = isUnsupported(error)
      const message = unsupported
        ? `Hypervisor ${run.inputs?.bound.name} (driver ${run.inputs?.bound.host.facts?.driver}) does not support this: ${error.message}`
        : `The host refused: ${error.message.replaceAll(TIMESTAMP, '')}`
      return await this.#hostError(kind, key, run, { reason: unsupported ? 'Unsupported' : 'HostError', message }, unsupported)
    }
    throw error
  }

  async #refused(kind: AnyKind, key: string, run: Run, refusal: Refusal): Promise<Result> {
    const { standing } = refusal
    if (standing.reason === 'HostError') return await this.#hostError(kind, key, run, standing, false)
    // A flapping host must not mean a status write for each of its objects.
    const bound = run.object.status?.binding !== undefined
    if (standing.reason === 'WaitingForHypervisor' && bound && run.object.metadata.deletionTimestamp === undefined) return again(refusal)
    const terminating = run.object.metadata.deletionTimestamp !== undefined
    if (terminating) {
      if (!bound && run.inputs === undefined && this.#neverTouched(run.object)) return await this.#letGo(kind, run.object)
      if (standing.reason === 'WaitingForHypervisor' || standing.reason === 'HypervisorUnreachable' || standing.reason === 'HostChanged') {
        run.plan = { actions: [], pending: [], restartRequired: false, drift: [], standing, deletionBlocked: { reason: 'HypervisorUnreachable', message: `${standing.message} If the host is gone for good, annotate this object with ${annotations.release}=true: vireo then forgets it without touching the host.` } }
      }
    }
    await this.#write(kind, run, standing)
    return again(refusal)
  }

  /** Nothing was ever begun on a host for this object: there is nothing to take away. */
  #neverTouched(object: HostObject): boolean {
    if (object.metadata.annotations?.[annotations.intent] !== undefined) return false
    try {
      boundHost(this.#options.world, object)
      return false
    } catch (refusal) {
      return refusal instanceof Refusal && refusal.standing.reason === 'Forbidden'
    }
  }

  async #hostError(kind: AnyKind, key: string, run: Run, standing: Standing, final: boolean, atLeast = 0): Promise<Result> {
    this.#options.onError?.(run.object.kind)
    const { count, stalled } = this.#attempts.refused(key, run.object, { plan: run.attempting ?? standing.message, final, session: run.inputs?.bound.host.session, atLeast })
    this.#options.recorder.event(run.object, 'Warning', standing.reason, standing.message)
    await this.#write(kind, run, stalled ? standing : { reason: 'Updating', message: `${standing.message} Trying again (${count}).` }, { told: true })
    return final ? { type: 'done' } : { type: 'retry', error: new Error(standing.message) }
  }

  /** The annotation lets go of an object whose host is gone for good; the host is not touched, and an Event says so. */
  async #release(kind: AnyKind, object: HostObject): Promise<Result> {
    const { namespace, name } = object.metadata
    // The mirror keeps no record of who wrote what.
    const live = await this.#options.client.find<HostObject>(kind.resource, namespace, name)
    const by = live === undefined ? [] : writersOfAnnotation(live, annotations.release)
    this.#options.recorder.event(object, 'Warning', 'Released', `Released by the annotation ${annotations.release}${by.length === 0 ? '' : `, written by ${by.join(', ')}`}: vireo forgets the object without touching what it may have left on Hypervisor ${object.status?.binding?.hypervisor ?? '(none)'}.`)
    return await this.#letGo(kind, object)
  }

  async #letGo(kind: AnyKind, object: HostObject): Promise<Result> {
    await patchMetadata(this.#options.client, kind.resource, object, { removeFinalizers: [finalizer] })
    const key = keyOf(object)
    this.#forget(kind, key)
    this.#left.set(key, object.metadata.uid)
    return { type: 'done' }
  }

  #forget(kind: AnyKind, key: string): Result {
    this.#attempts.forget(key)
    this.#refreshed.delete(key)
    this.#left.delete(key)
    kind.forget?.(key)
    return { type: 'done' }
  }
}

/** The annotation is still to say what a plan of the kind begins. */
function intends(kind: AnyKind, { object, inputs }: Run): boolean {
  const intent = inputs!.terminating ? undefined : kind.intent?.(inputs)
  return intent !== undefined && object.metadata.annotations?.[annotations.intent] !== intent
}

const again = ({ requeueAfter }: Refusal): Result => (requeueAfter === undefined ? { type: 'done' } : { type: 'requeueAfter', ms: requeueAfter })

/** QEMU begins its messages with the time: the same refusal would look new each time. */
const TIMESTAMP = /\d{4}-\d\d-\d\dT[\d:.]+Z /g

/** The mirror told of an object that the API server no longer has so; its watch will tell. */
class StaleMirror extends Error {
  override readonly name = 'StaleMirror'
}

const REPORTED_AS_NORMAL = new Set<string>(['WaitingForReference', 'WaitingForHypervisor', 'Creating', 'Starting', 'Stopping', 'Updating', 'Transferring', 'Deleting'])

function mergeVerbs(before: { name: string; token: string; time: string; outcome: string }[] | undefined, handled: { name: string; token: string; outcome: string }[], now: number): { name: string; token: string; time: string; outcome: string }[] {
  const time = timestamp(now)
  const byName = new Map((before ?? []).map(record => [record.name, record]))
  for (const verb of handled) byName.set(verb.name, { ...verb, time })
  return [...byName.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1))
}
