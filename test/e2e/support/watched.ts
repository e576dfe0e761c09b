// The objects of vireo's kinds as a watch tells of them: waiting for one to change costs nothing then, and asks nobody.
import { systemClock } from '../../../clock/clock.ts'
import { silentLog } from '../../../controller/log.ts'
import { Mirror } from '../../../controller/mirror.ts'
import { Reflector } from '../../../controller/reflector.ts'
import type { KubeObject } from '../../../controller/resource.ts'
import type { Transport } from '../../../controller/transport.ts'
import { kinds } from '../../../crds/kinds.ts'

export class Watched implements AsyncDisposable {
  readonly #mirrors = new Map<string, Mirror>()
  readonly #ended = new AbortController()
  readonly #running: Promise<void>[] = []

  /** Resolves when the objects that are there are known. */
  static async start(transport: Transport): Promise<Watched> {
    const watched = new Watched()
    for (const { resource } of kinds) {
      const mirror = new Mirror()
      watched.#mirrors.set(resource.kind, mirror)
      watched.#running.push(new Reflector({ transport, resource, mirror, clock: systemClock, log: silentLog }).run(watched.#ended.signal))
    }
    await Promise.all([...watched.#mirrors.values()].map(async mirror => { await mirror.whenSynced() }))
    return watched
  }

  get(kind: string, namespace: string | undefined, name: string): KubeObject | undefined { return this.#mirrors.get(kind)!.get(namespace, name) }
  list(kind: string): KubeObject[] { return this.#mirrors.get(kind)!.list() }

  /** What was read or written is known from then on, and nothing older. */
  observe(object: KubeObject): void { this.#mirrors.get(object.kind)!.observeWrite(structuredClone(object)) }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended.abort()
    await Promise.all(this.#running)
  }
}
