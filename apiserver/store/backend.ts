// The engine as the store sees it: calls that answer later, in the order in which they were made.

import { Engine, type EngineOptions } from './engine.ts'
import type { CompactionPolicy, HistoryChange, HistoryQuery, Outcome, PageQuery, Version, Write } from './types.ts'

/** What was on the disk at the start. */
export interface Loaded { revision: number; compacted: number; objects: Version[] }

export interface Backend {
  /** Why it answers nothing any more, if so. */
  readonly failure: Error | undefined
  load(): Promise<Loaded>
  /** Resolves once the write is on the disk, or was refused. Writes that wait together share one fsync. */
  commit(write: Write): Promise<Outcome>
  changes(query: HistoryQuery): Promise<HistoryChange[]>
  page(query: PageQuery): Promise<Version[]>
  count(query: Omit<PageQuery, 'limit'>): Promise<number>
  compact(policy: CompactionPolicy, now: number): Promise<number>
  constant(name: string, value: string): Promise<string>
  close(): Promise<void>
}

export const load = (engine: Engine): Loaded => ({ revision: engine.revision, compacted: engine.compacted, objects: [...engine.current()] })

/** The engine on this very thread. */
export function inProcess(options: EngineOptions): Backend {
  const engine = new Engine(options)
  return {
    failure: undefined,
    load: async () => load(engine),
    commit: async write => engine.commit([write])[0]!,
    changes: async query => engine.changes(query),
    page: async query => engine.page(query),
    count: async query => engine.count(query),
    compact: async (policy, now) => engine.compact(policy, now),
    constant: async (name, value) => engine.constant(name, () => value),
    close: async () => { engine.close() },
  }
}
