// What can go wrong between a request and the disk, as values that the registry maps to a metav1.Status.

export type StoreErrorCode =
  /** The disk or the file's allowance is full: nothing was written, reads go on. */
  | 'Full'
  /** The disk refused a read or a write. */
  | 'Failed'
  /** The file holds no database, or a damaged one. */
  | 'Corrupt'
  /** The file was written by a newer release. */
  | 'Newer'
  /** Another process serves the same folder. */
  | 'InUse'
  /** The key file is missing, foreign or open to others. */
  | 'Key'
  /** The revision asked for is older than the history that is kept. */
  | 'Compacted'
  /** The store was closed. */
  | 'Closed'

export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: StoreErrorCode
  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** SQLite's primary result codes: https://www.sqlite.org/rescode.html */
const SQLITE = { BUSY: 5, LOCKED: 6, IOERR: 10, CORRUPT: 11, FULL: 13, NOTADB: 26 }

/** The primary result code of an error of node:sqlite; undefined for any other error. */
export function sqliteCode(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number' ? error.errcode & 0xff : undefined
}

/** Puts what SQLite said into a sentence about `file`. */
export function storeErrorOf(error: unknown, file: string): StoreError {
  if (error instanceof StoreError) return error
  const said = error instanceof Error ? error.message : String(error)
  switch (sqliteCode(error)) {
    case SQLITE.FULL: return new StoreError('Full', `the disk that holds ${file} is full: nothing was written; free some space there, reads go on meanwhile`, { cause: error })
    case SQLITE.CORRUPT:
    case SQLITE.NOTADB: return corrupt(file, said, error)
    case SQLITE.BUSY:
    case SQLITE.LOCKED: return new StoreError('InUse', `${file} is in use by another process: one folder is served by one process`, { cause: error })
    default: return new StoreError('Failed', `${file} could not be read or written: ${said}`, { cause: error })
  }
}

export const corrupt = (file: string, said: string, cause?: unknown): StoreError =>
  new StoreError('Corrupt', `the database ${file} is damaged (${said.replaceAll(/\s+/g, ' ')}) and is not touched: put back a backup made by "vireo backup" with "vireo restore BACKUP --data FOLDER"`, { cause })
