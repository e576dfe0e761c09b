// Elects the one process that works: holds a Lease, renews it, and says when it is lost.

import { deadline, sleep, type Clock, type Timer } from '../clock/clock.ts'
import { microTimestamp } from './timestamp.ts'
import type { Client } from './client.ts'
import { isAlreadyExists, isConflict } from './errors.ts'
import type { Log } from './log.ts'
import { apiVersion, leases, type KubeObject } from './resource.ts'

export interface LeaseSpec {
  holderIdentity?: string
  leaseDurationSeconds?: number
  acquireTime?: string
  renewTime?: string
  leaseTransitions?: number
}
type Lease = KubeObject<LeaseSpec>

export interface LeaderOptions {
  client: Client
  clock: Clock
  log: Log
  namespace: string
  name: string
  /** Unique to this process: `hostname_uuid`. */
  identity: string
  /** Milliseconds without a renewal after which others may take the lease; 15 s. */
  leaseDuration?: number
  /** Milliseconds of failing renewals after which we stop being the leader; 10 s. Must be less than leaseDuration. */
  renewDeadline?: number
  /** Milliseconds between attempts; 2 s, with jitter while somebody else holds the lease. */
  retryPeriod?: number
  random?: () => number
  metrics?: (leading: boolean) => void
}

/** Somebody else may be leading: the process must end, since nothing fences what it still does. */
export class LeaseLost extends Error {
  override readonly name = 'LeaseLost'
}

/** client-go's jitter for those who wait. */
const jitter = 1.2

export class LeaderElection {
  readonly #options: Required<Omit<LeaderOptions, 'metrics'>> & Pick<LeaderOptions, 'metrics'>
  #lease: Lease | undefined
  /** True once the record has not changed for a lease duration of our own time: remote timestamps are never compared. */
  #expired = false
  #expiry: Timer | undefined
  /** True while the record is our own last write, so that a renewal need not read it first. */
  #isOurs = false

  constructor(options: LeaderOptions) {
    this.#options = { leaseDuration: 15_000, renewDeadline: 10_000, retryPeriod: 2_000, random: Math.random, ...options }
    const { leaseDuration, renewDeadline, retryPeriod } = this.#options
    if (leaseDuration <= renewDeadline || renewDeadline <= retryPeriod * jitter) throw new RangeError('leader election needs leaseDuration > renewDeadline > 1.2 × retryPeriod')
  }

  /**
   * Waits for the lease, then runs `lead` with a signal that aborts when the lease is lost or `signal` aborts. The lease is
   * renewed until `lead` has ended, and released last.
   * Resolves when `signal` aborted or `lead` ended by itself.
   * @throws LeaseLost; what `lead` throws.
   */
  async run(lead: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    try {
      if (!await this.#acquire(signal)) return
      await this.#leadUntilEnd(lead, signal)
    } finally {
      this.#expiry?.cancel()
      this.#options.metrics?.(false)
    }
  }

  async #leadUntilEnd(lead: (signal: AbortSignal) => Promise<void>, signal: AbortSignal): Promise<void> {
    const { log, name, identity, metrics } = this.#options
    log.info({ lease: name, identity }, 'this process leads now')
    metrics?.(true)
    const ended = new AbortController()
    const lost = new AbortController()
    const renewing = this.#renewUntil(ended.signal).catch((error: unknown) => { lost.abort(error) })
    // A lost lease does not wait for `lead`: the caller ends the process, whatever hangs in it.
    const leading = Promise.resolve(AbortSignal.any([signal, lost.signal])).then(lead)
    try {
      await Promise.race([leading, renewing.then(() => lost.signal.throwIfAborted())])
    } finally {
      leading.catch((error: unknown) => { log.debug({ err: error }, 'the leader stopped') })
      ended.abort()
      await renewing
      if (!lost.signal.aborted) await this.#release()
    }
    lost.signal.throwIfAborted()
  }

  /** True with the lease; false when the signal aborted first. */
  async #acquire(signal: AbortSignal): Promise<boolean> {
    const { clock, retryPeriod, random } = this.#options
    while (!signal.aborted) {
      if (await this.#attempt(signal)) return true
      await sleep(clock, retryPeriod * (1 + (jitter - 1) * random()), signal).catch(() => undefined)
    }
    return false
  }

  /** @throws LeaseLost when no renewal succeeded for renewDeadline, or somebody else holds the lease. */
  async #renewUntil(ended: AbortSignal): Promise<void> {
    const { clock, renewDeadline, retryPeriod, name, identity } = this.#options
    const pause = (): Promise<void> => sleep(clock, retryPeriod, ended).catch(() => undefined)
    await pause()
    while (!ended.aborted) {
      // The end does not cut a renewal off: the release must know whether it took effect.
      using limit = deadline(clock, renewDeadline, () => new LeaseLost(`the lease ${name} could not be renewed within ${renewDeadline / 1000} s`))
      while (!await this.#attempt(limit.signal) && !ended.aborted) {
        limit.signal.throwIfAborted()
        const holder = this.#lease?.spec.holderIdentity
        if (holder && holder !== identity) throw new LeaseLost(`the lease ${name} is held by ${holder} now`)
        await pause()
      }
      await pause()
    }
  }

  /** One attempt to take or renew the lease. Never rejects: what went wrong is logged, and tried again. */
  async #attempt(signal: AbortSignal): Promise<boolean> {
    const { client, clock, namespace, name, identity, leaseDuration, log } = this.#options
    const renewTime = microTimestamp(clock.now())
    const holding = { holderIdentity: identity, leaseDurationSeconds: Math.ceil(leaseDuration / 1000), renewTime }
    try {
      const live = this.#isOurs ? this.#lease : await client.find<Lease>(leases, namespace, name, { signal })
      if (!live) {
        const draft = { apiVersion: apiVersion(leases), kind: leases.kind, metadata: { name, namespace }, spec: { ...holding, acquireTime: renewTime, leaseTransitions: 0 } }
        this.#observe(await client.create<Lease>(leases, namespace, draft, { signal }))
        this.#isOurs = true
        return true
      }
      this.#observe(live)
      const holder = live.spec.holderIdentity
      if (holder && holder !== identity && !this.#expired) return false
      const taken = holder === identity ? {} : { acquireTime: renewTime, leaseTransitions: (live.spec.leaseTransitions ?? 0) + 1 }
      this.#observe(await this.#patch(live, { ...holding, ...taken }, signal))
      this.#isOurs = true
      return true
    } catch (error) {
      this.#isOurs = false
      if (signal.aborted) return false
      const raced = isConflict(error) || isAlreadyExists(error)
      log[raced ? 'debug' : 'warn']({ lease: name, err: error }, 'could not take or renew the lease')
      return false
    }
  }

  /** Lets the next process take over at once. */
  async #release(): Promise<void> {
    const { clock, log, name, renewDeadline, identity } = this.#options
    if (this.#lease?.spec.holderIdentity !== identity) return
    try {
      using limit = deadline(clock, renewDeadline, () => new LeaseLost('the lease could not be released in time'))
      await this.#patch(this.#lease, { holderIdentity: '', leaseDurationSeconds: 1, renewTime: microTimestamp(clock.now()) }, limit.signal)
    } catch (error) {
      log.warn({ lease: name, err: error }, 'could not release the lease: others wait until it expires')
    }
  }

  /** Guarded by the version that we decided on: of two who write at once, one gets 409. */
  #patch({ metadata: { resourceVersion } }: Lease, spec: LeaseSpec, signal: AbortSignal): Promise<Lease> {
    const { client, namespace, name } = this.#options
    return client.mergePatch<Lease>(leases, namespace, name, { metadata: { resourceVersion }, spec }, { signal })
  }

  #observe(lease: Lease): void {
    const changed = !this.#lease || JSON.stringify(lease.spec) !== JSON.stringify(this.#lease.spec)
    this.#lease = lease
    if (!changed) return
    this.#expired = false
    this.#expiry?.cancel()
    this.#expiry = this.#options.clock.setTimeout(() => { this.#expired = true }, this.#options.leaseDuration)
  }
}
