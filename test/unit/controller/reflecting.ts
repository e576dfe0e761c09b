// A reflector between a scripted API server and a mirror, for its tests.

import { silentLog } from '../../../controller/log.ts'
import { Mirror } from '../../../controller/mirror.ts'
import { Reflector, type ReflectorOptions } from '../../../controller/reflector.ts'
import type { KubeObject, Resource } from '../../../controller/resource.ts'
import { Transport } from '../../../controller/transport.ts'
import { FakeClock } from '../../support/fakeclock.ts'
import { FaultyApi, type Exchange } from '../../support/faultyapi/server.ts'

const things: Resource = { group: 'vireo.dev', version: 'v1alpha1', plural: 'things', kind: 'Thing', namespaced: true }

export const thing = (name: string, version: string, { uid = `uid-${name}`, ...spec }: { uid?: string; [field: string]: unknown } = {}): KubeObject =>
  ({ apiVersion: 'vireo.dev/v1alpha1', kind: 'Thing', metadata: { name, namespace: 'default', uid, resourceVersion: version }, spec })

export const bookmark = (version: string): unknown =>
  ({ apiVersion: 'vireo.dev/v1alpha1', kind: 'Thing', metadata: { resourceVersion: version, creationTimestamp: null }, spec: {} })

export const status = (code: number, reason: string): unknown => ({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message: reason })

export class Reflecting {
  readonly api: FaultyApi
  readonly clock = new FakeClock()
  readonly transport: Transport
  readonly errors: unknown[] = []
  readonly mirror = new Mirror({ onError: (error) => this.errors.push(error) })
  readonly stop = new AbortController()
  /** `SOURCE TYPE NAME@VERSION` of each change that the mirror told. */
  readonly told: string[] = []
  /** Called after each of them. */
  changed: () => void = () => undefined
  running: Promise<void> = Promise.resolve()
  #reflector: Reflector | undefined

  private constructor(api: FaultyApi) {
    this.api = api
    this.transport = new Transport({ kubeConfig: api.kubeConfig(), clock: this.clock })
    this.mirror.onChange(({ type, object, source }) => {
      this.told.push(`${source} ${type} ${object.metadata.name}@${object.metadata.resourceVersion}`)
      this.changed()
    })
  }

  static async open(): Promise<Reflecting> { return new Reflecting(await FaultyApi.start()) }

  get reflector(): Reflector { return this.#reflector! }

  async close(): Promise<void> {
    this.stop.abort()
    await this.running
    await this.transport.close()
    await this.api.close()
  }

  start(options: Partial<ReflectorOptions<KubeObject>> = {}): void {
    const { transport, mirror, clock } = this
    this.#reflector = new Reflector({ transport, resource: things, mirror, clock, log: silentLog, random: () => 0, ...options })
    this.running = this.#reflector.run(this.stop.signal)
  }

  /** Answers the first list, with one object at version 1, and gives the watch that follows. */
  async startAndWatch(options: Partial<ReflectorOptions<KubeObject>> = {}): Promise<Exchange> {
    this.start(options)
    ;(await this.api.nextList()).list([thing('a', '1')], '10')
    return (await this.api.nextWatch()).open()
  }

  /** Waits until the mirror has told that many changes since the start. */
  async changes(count: number): Promise<string[]> {
    while (this.told.length < count) await new Promise<void>((resolve) => { this.changed = resolve })
    return this.told
  }

  /** Waits until the reflector backs off for exactly that long, and lets the time pass. */
  async passBackoff(ms: number): Promise<void> {
    await this.clock.asleep((delay) => delay === ms)
    await this.clock.advance(ms)
  }
}
