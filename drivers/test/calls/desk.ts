// What every call to a host in memory goes through: done at once and whole, answered in a later turn, with the faults that are injected.

import type { Calls, DomainRef, DriverEvent, OpenOptions, StorageVolRef } from '../../driver.ts'
import { CallTimeout, ConnectionLost, ErrorNumber, LibvirtError, Unsupported } from '../../errors.ts'
import { procedures } from '../../remote/protocol.ts'
import type { Domain } from '../domain/domain.ts'
import type { Operation } from '../faults.ts'
import { From, Refusal, checkFlags, noSupport } from '../refusal.ts'
import type { StreamParts } from '../storage/streams.ts'
import type { World } from '../world.ts'

/** libvirt gives these to nobody who may only read, though they change nothing. */
const guarded = new Set<Operation>(['storageVolDownload', 'secretGetValue'])
const changes = (procedure: Operation): boolean => guarded.has(procedure) || (procedure in procedures && procedures[procedure as keyof typeof procedures].changing)

export class Desk {
  readonly closed: Promise<Error>
  readonly world: World
  readonly readOnly: boolean
  readonly #options: OpenOptions
  readonly #handlers: ((event: DriverEvent) => void)[] = []
  /** What breaks each open stream, and what rejects each call that still waits for its answer. */
  readonly #open = new Set<(why: Error) => void>()
  #ended: Error | undefined
  #end!: (why: Error) => void

  constructor(world: World, options: OpenOptions) {
    this.world = world
    this.#options = options
    this.readOnly = options.readOnly ?? false
    this.closed = new Promise(resolve => { this.#end = resolve })
  }

  onEvent(handler: (event: DriverEvent) => void): void { this.#handlers.push(handler) }
  readonly #listener = (event: DriverEvent): void => { for (const handler of this.#handlers) handler(event) }
  eventsRegister(): Promise<Set<DriverEvent['type']>> {
    return this.call('eventsRegister', world => {
      world.hub.add(this.#listener)
      return new Set<DriverEvent['type']>(['domain', 'network', 'pool', 'secret', 'connection'])
    })
  }

  async close(): Promise<void> { this.#lose(new ConnectionLost('the connection was closed')) }

  /** Ends the connection, its streams and the calls that wait for an answer. */
  #lose(why: Error): void {
    if (this.#ended !== undefined) return
    this.#ended = why
    this.world.hub.remove(this.#listener)
    for (const breaks of this.#open) breaks(new ConnectionLost(why.message, { cause: why }))
    this.#end(why)
  }

  /** One call: refused with LibvirtError, or done at once and answered in a later turn. */
  async call<R>(procedure: Operation, work: (world: World) => R): Promise<R> {
    const since = performance.now()
    const finish = (outcome: 'ok' | 'error' | 'timeout' | 'lost', code?: number, lacking = false): void => this.#options.onCall?.({ procedure, seconds: (performance.now() - since) / 1000, outcome, ...(code === undefined ? {} : { code }), ...(lacking ? { lacking } : {}) })
    try {
      if (this.#ended !== undefined) throw new ConnectionLost(this.#ended.message, { cause: this.#ended })
      if (this.readOnly && changes(procedure)) throw new LibvirtError({ code: ErrorNumber.OPERATION_DENIED, domain: From.NONE, level: 2, message: `operation forbidden: read only access prevents ${procedure}`, procedure })
      const answer = this.world.faults.none ? this.#do(procedure, work) : await this.#doFaulty(procedure, work)
      finish('ok')
      return answer
    } catch (error) {
      if (error instanceof LibvirtError) finish('error', error.code, error instanceof Unsupported)
      else finish(error instanceof CallTimeout ? 'timeout' : 'lost')
      throw error
    }
  }

  #do<R>(procedure: Operation, work: (world: World) => R): R {
    try {
      return work(this.world)
    } catch (error) {
      if (error instanceof Refusal) throw new LibvirtError({ code: error.code, domain: error.domain, level: 2, message: error.message, procedure })
      throw error
    }
  }

  async #doFaulty<R>(procedure: Operation, work: (world: World) => R): Promise<R> {
    const { faults } = this.world
    const here = (fault: { call?: Operation }): boolean => (fault.call ?? procedure) === procedure
    const cut = faults.take('disconnect', here)
    if (cut !== undefined) {
      if (cut.effect === 'done') this.#do(procedure, work)
      this.#lose(new ConnectionLost(`the connection was cut during ${procedure}`))
      throw new ConnectionLost(this.#ended!.message, { cause: this.#ended })
    }
    const refused = faults.take('error', here)
    if (refused !== undefined) throw new LibvirtError({ code: refused.code, domain: From.TEST, level: 2, message: refused.message, procedure })
    const delay = faults.take('delay', here)
    const answer = this.#do(procedure, work)
    if (delay !== undefined) await this.#wait(procedure, delay.ms)
    return answer
  }

  /** Keeps an answer back, at most for the deadline of a call. */
  #wait(procedure: Operation, ms: number): Promise<void> {
    const { callTimeout } = this.#options
    return new Promise((resolve, reject) => {
      const settle = (then: () => void): void => {
        this.#open.delete(lost)
        timer.cancel()
        then()
      }
      const lost = (why: Error): void => settle(() => reject(why))
      const timer = this.world.clock.setTimeout(() => settle(ms > callTimeout ? () => reject(new CallTimeout(procedure, callTimeout)) : resolve), Math.min(ms, callTimeout))
      this.#open.add(lost)
    })
  }

  /** A call that is about one domain. */
  domain<R>(procedure: Operation, dom: DomainRef, work: (domain: Domain, world: World) => R): Promise<R> {
    return this.call(procedure, world => work(world.domains.find(dom), world))
  }

  /** A call that this driver does not have. */
  lacking(procedure: keyof Calls): Promise<never> {
    return this.call(procedure, () => {
      const { code, domain, message } = noSupport(procedure)
      throw new Unsupported(new LibvirtError({ code, domain, level: 2, message, procedure }), 'TEST')
    })
  }

  /** Opens a stream on a volume, which is busy until it ends. */
  stream<S>(procedure: 'storageVolUpload' | 'storageVolDownload', open: (parts: StreamParts) => S, { vol, offset, length, flags }: { vol: StorageVolRef; offset: number; length: number; flags: number }): Promise<S> {
    return this.call(procedure, ({ pools }) => {
      checkFlags(flags, 0, procedure)
      const volume = pools.volume(vol)
      volume.streams++
      return open({
        volume, offset, length,
        ended: () => { if (procedure === 'storageVolUpload') pools.streamEnded(vol, volume); else volume.streams-- },
        track: breaks => {
          this.#open.add(breaks)
          return () => { this.#open.delete(breaks) }
        },
      })
    })
  }
}
