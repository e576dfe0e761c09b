// The engine on a thread of its own: a slow disk holds up writes, and nothing else.

import { Worker } from 'node:worker_threads'
import type { Backend, Loaded } from './backend.ts'
import type { EngineOptions } from './engine.ts'
import { StoreError, type StoreErrorCode } from './errors.ts'
import type { Answer, Ask, Result } from './messages.ts'
import type { HistoryChange, Outcome, Version } from './types.ts'

/** Rejects with the StoreError that the engine was refused with. */
export async function onThread(options: EngineOptions): Promise<Backend> {
  // The program is run from its sources or from what was compiled of them.
  const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js'
  const worker = new Worker(new URL(file, import.meta.url), { workerData: { options } })
  const client = new ThreadClient(worker)
  await client.started
  return client
}

interface Waiting { resolve: (result: Result) => void; reject: (error: Error) => void }

class ThreadClient implements Backend {
  readonly started: Promise<void>
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  readonly #ended: Promise<void>
  #last = 0
  /** Why nothing can be asked any more. */
  #gone: StoreError | undefined

  constructor(worker: Worker) {
    this.#worker = worker
    const { promise: started, resolve: start, reject: refuse } = Promise.withResolvers<void>()
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    this.started = started
    this.#ended = ended
    worker.on('message', (message: 'ready' | { code: StoreErrorCode; message: string } | Answer[]) => {
      if (message === 'ready') start()
      else if (Array.isArray(message)) for (const answer of message) this.#settle(answer)
      else refuse(new StoreError(message.code, message.message))
    })
    worker.on('error', error => { this.#fail(new StoreError('Failed', `the database's thread failed: ${error instanceof Error ? error.message : String(error)}`, { cause: error })) })
    worker.on('exit', () => {
      this.#fail(new StoreError('Closed', 'the database is closed'))
      refuse(this.#gone)
      end()
    })
  }

  get failure(): Error | undefined { return this.#gone }

  async load(): Promise<Loaded> { return await this.#ask({ op: 'load' }) as Loaded }
  async commit(write: Parameters<Backend['commit']>[0]): Promise<Outcome> { return await this.#ask({ op: 'commit', write }) as Outcome }
  async changes(query: Parameters<Backend['changes']>[0]): Promise<HistoryChange[]> { return await this.#ask({ op: 'changes', query }) as HistoryChange[] }
  async page(query: Parameters<Backend['page']>[0]): Promise<Version[]> { return await this.#ask({ op: 'page', query }) as Version[] }
  async count(query: Parameters<Backend['count']>[0]): Promise<number> { return await this.#ask({ op: 'count', query }) as number }
  async compact(...[policy, now]: Parameters<Backend['compact']>): Promise<number> { return await this.#ask({ op: 'compact', policy, now }) as number }
  async constant(name: string, value: string): Promise<string> { return await this.#ask({ op: 'constant', name, value }) as string }

  async close(): Promise<void> {
    if (this.#gone === undefined) await this.#ask({ op: 'close' })
    await this.#ended
  }

  #ask(ask: Ask): Promise<Result> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone)
    const id = ++this.#last
    const { promise, resolve, reject } = Promise.withResolvers<Result>()
    this.#waiting.set(id, { resolve, reject })
    this.#worker.postMessage({ ...ask, id })
    return promise
  }

  #settle(answer: Answer): void {
    const waiting = this.#waiting.get(answer.id)
    this.#waiting.delete(answer.id)
    if ('error' in answer) waiting?.reject(new StoreError(answer.error.code, answer.error.message))
    else waiting?.resolve(answer.result)
  }

  #fail(error: StoreError): void {
    this.#gone ??= error
    for (const { reject } of this.#waiting.values()) reject(this.#gone)
    this.#waiting.clear()
  }
}
