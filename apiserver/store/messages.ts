// What goes between the server's thread and the database's.

import type { Loaded } from './backend.ts'
import type { StoreErrorCode } from './errors.ts'
import type { CompactionPolicy, HistoryChange, HistoryQuery, Outcome, PageQuery, Version, Write } from './types.ts'

export type Ask =
  | { op: 'load' }
  | { op: 'commit'; write: Write }
  | { op: 'changes'; query: HistoryQuery }
  | { op: 'page'; query: PageQuery }
  | { op: 'count'; query: Omit<PageQuery, 'limit'> }
  | { op: 'compact'; policy: CompactionPolicy; now: number }
  | { op: 'constant'; name: string; value: string }
  | { op: 'close' }

export type Request = Ask & { id: number }

export type Result = Loaded | Outcome | HistoryChange[] | Version[] | number | string | undefined

export type Answer = { id: number; result: Result } | { id: number; error: { code: StoreErrorCode; message: string } }
