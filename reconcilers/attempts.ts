// Remembers which plan of an object its host refused, so that it is tried ever more rarely, and at once when something changes.

import type { Clock } from '../clock/clock.ts'
import { annotations } from '../crds/names.ts'
import type { HostObject } from './world.ts'

/** The same refusal of the host so many times in a row is final until something changes. */
const SAME_ANSWERS = 3

/** How often (ms) a plan that the host refused is tried again: events that the attempt itself causes must not hurry it. */
const REFUSED = { first: 1_000, last: 60_000 }

/** The host refused this very plan: it is not tried again before `until`, unless what was asked changes. */
interface Attempt { asked: string; plan: string; count: number; until: number; final: boolean; session: number | undefined }

export interface Refused {
  /** The plan's actions, or whatever else is the same when the same was refused. */
  plan: string
  /** No number of tries helps: it takes a change, or another connection. */
  final: boolean
  /** Of the connection at the time: another one may lead to a daemon that can do more. */
  session: number | undefined
  /** ms that the next try has to wait at least. */
  atLeast: number
}

export class Attempts {
  readonly #clock: Clock
  readonly #byKey = new Map<string, Attempt>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Records a refusal. Answers how often this plan was refused in a row, and whether that is for good. */
  refused(key: string, object: HostObject, { plan, final, session, atLeast }: Refused): { count: number; stalled: boolean } {
    const asked = askedOf(object)
    const before = this.#byKey.get(key)
    const count = before?.plan === plan && before.asked === asked ? before.count + 1 : 1
    const delay = Math.max(Math.min(REFUSED.first * 2 ** (count - 1), REFUSED.last), atLeast)
    this.#byKey.set(key, { asked, plan, count, final, session, until: this.#clock.now() + (final ? Infinity : delay) })
    return { count, stalled: final || count >= SAME_ANSWERS }
  }

  /** Throws Held where the host refused this very plan a short time ago. */
  holdBack(key: string, object: HostObject, plan: string, session: number | undefined): void {
    const before = this.#byKey.get(key)
    if (before === undefined || before.plan !== plan || before.asked !== askedOf(object)) return
    const left = before.until - this.#clock.now()
    if (before.final && before.session !== session) return
    if (left > 0) throw new Held(before.final ? undefined : left)
  }

  forget(key: string): void {
    this.#byKey.delete(key)
  }
}

/** The plan was refused so recently that it is not tried yet; undefined: not before something changes. */
export class Held extends Error {
  override readonly name = 'Held'
  readonly ms: number | undefined
  constructor(ms: number | undefined) {
    super('refused a short time ago')
    this.ms = ms
  }
}

/** What a person can change to have a refused plan tried at once. */
const askedOf = ({ metadata }: HostObject): string => `${metadata.generation}/${metadata.annotations?.[annotations.reconcile] ?? ''}/${metadata.deletionTimestamp ?? ''}`
