// Stands between the controller and both of its servers, sees every call that changes something, and can hold one: held before
// it is forwarded, or after its answer came and before that is delivered. A controller that is killed then died at that point.
import { createApiProxy } from './interceptor-api.ts'
import { createHostProxy } from './interceptor-host.ts'

export interface Call {
  side: 'api' | 'host'
  /** The word of `token` that the call holds: whose call it is. */
  owner: string
  /** What the call is, the owner's name left out: `networkDefineXML lab`, `PATCH virtualnetworks/lab/status`. */
  what: string
  /** The first, the second … such call of its owner since the last reset. */
  occurrence: number
  /** The server has it: it was not held before. */
  forwarded: boolean
}

export interface Point { what: string; occurrence: number; when: 'before' | 'after' }
export const pointOf = ({ what, occurrence }: Call, when: Point['when']): Point => ({ what, occurrence, when })
export const nameOf = ({ what, occurrence, when }: Point): string => `${when} ${what} #${occurrence}`

/** Asked twice about each changing call; resolves when it may go on, which for a held one is never. */
export interface Gate {
  begin(side: Call['side'], owner: string, what: string): Call
  pass(call: Call, when: Point['when']): Promise<void>
}

export interface InterceptorOptions {
  /** Finds the owner in a call's bytes or path; calls without one are nobody's. */
  token: RegExp
  libvirtSocket: string
  /** Where the proxy of libvirtd listens. */
  socket: string
  /** An admin's or the controller's kubeconfig; the one of the proxy is written to `proxiedKubeconfig`. */
  kubeconfig: string
  proxiedKubeconfig: string
}

export class Interceptor implements Gate, AsyncDisposable {
  /** Every changing call since the last reset, in the order of arrival. */
  calls: Call[] = []
  readonly #counts = new Map<string, number>()
  readonly #armed = new Map<string, Point>()
  readonly #held = new Map<string, Point>()
  #closers: (() => Promise<void>)[] = []

  static async start(options: InterceptorOptions): Promise<Interceptor> {
    const interceptor = new Interceptor()
    interceptor.#closers = [
      await createHostProxy(options, interceptor),
      await createApiProxy(options, interceptor),
    ]
    return interceptor
  }

  /** Begins to count anew; nothing is held any more. What was held is dropped for good: its sender is dead. */
  reset(): void {
    this.calls = []
    this.#counts.clear()
    this.#armed.clear()
    this.#held.clear()
  }

  /** Holds the owner's call at the point, everything that would follow it on the same stream, and its repetitions. */
  arm(owner: string, point: Point): void {
    this.#armed.set(owner, point)
  }

  /** Whether the owner's armed point was reached. */
  holds(owner: string): boolean {
    return this.#held.has(owner)
  }

  begin(side: Call['side'], owner: string, what: string): Call {
    const key = `${owner} ${what}`
    const occurrence = (this.#counts.get(key) ?? 0) + 1
    this.#counts.set(key, occurrence)
    const call: Call = { side, owner, what, occurrence, forwarded: false }
    this.calls.push(call)
    return call
  }

  async pass(call: Call, when: Point['when']): Promise<void> {
    if (this.#holds(call, when)) return await new Promise<never>(() => {})
    if (when === 'before') call.forwarded = true
  }

  /** Whether the call stands still from here on. Nothing leaves that state but the end of the sender, whose connections then go. */
  #holds(call: Call, when: Point['when']): boolean {
    const armed = this.#armed.get(call.owner)
    if (armed?.what !== call.what) return false
    const isAtPoint = call.occurrence === armed.occurrence && when === armed.when
    // A sender that waits in vain for the answer to a held call makes that call again: that one must not get through either.
    const isRepeat = this.#held.has(call.owner) && call.occurrence > armed.occurrence && when === 'before'
    if (!isAtPoint && !isRepeat) return false
    this.#held.set(call.owner, armed)
    return true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#closers.map(close => close()))
  }
}
