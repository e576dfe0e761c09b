// Secrets and ConfigMaps that specs name: each is watched by itself while something asks for it, so that vireo holds no other.

import type { Clock } from '../clock/clock.ts'
import type { Log } from '../controller/log.ts'
import { Mirror } from '../controller/mirror.ts'
import { Reflector } from '../controller/reflector.ts'
import { type KubeObject, configMaps, secrets } from '../controller/resource.ts'
import type { Transport } from '../controller/transport.ts'
import type { DataSource } from '../reconcilers/world.ts'

interface Holder extends KubeObject { data?: Record<string, string> }
interface Watched { mirror: Mirror<Holder>; stop: AbortController }

export interface DataWatchOptions {
  transport: Transport
  clock: Clock
  log: Log
  /** `Secret/namespace/name` was read for the first time or changed. */
  onChange: (reference: string) => void
}

export class DataWatch implements DataSource {
  readonly #options: DataWatchOptions
  readonly #watched = new Map<string, Watched>()

  constructor(options: DataWatchOptions) {
    this.#options = options
  }

  get(kind: 'Secret' | 'ConfigMap', namespace: string, name: string): Record<string, string> | undefined | 'loading' {
    const { mirror } = this.#watch(kind, namespace, name)
    if (!mirror.synced) return 'loading'
    const object = mirror.get(namespace, name)
    if (object === undefined) return undefined
    const entries = Object.entries(object.data ?? {})
    return Object.fromEntries(kind === 'Secret' ? entries.map(([key, value]) => [key, Buffer.from(value, 'base64').toString('utf8')]) : entries)
  }

  #watch(kind: 'Secret' | 'ConfigMap', namespace: string, name: string): Watched {
    const reference = `${kind}/${namespace}/${name}`
    const known = this.#watched.get(reference)
    if (known !== undefined) return known
    const { transport, clock, log, onChange } = this.#options
    const mirror = new Mirror<Holder>()
    const stop = new AbortController()
    const watched = { mirror, stop }
    this.#watched.set(reference, watched)
    mirror.onChange(() => { onChange(reference) })
    const reflector = new Reflector<Holder>({ transport, resource: kind === 'Secret' ? secrets : configMaps, mirror, namespace, fieldSelector: `metadata.name=${name}`, clock, log })
    void reflector.run(stop.signal)
    void mirror.whenSynced(stop.signal).then(() => { onChange(reference) }, () => { /* stopped before it was read */ })
    return watched
  }

  /** Ends the watches that nothing in `used` names any more. */
  keep(used: ReadonlySet<string>): void {
    for (const [reference, { stop }] of this.#watched) {
      if (used.has(reference)) continue
      stop.abort()
      this.#watched.delete(reference)
    }
  }

  close(): void {
    this.keep(new Set())
  }
}
