// Opens the database file: one process at a time, durable, checked, and in this release's form.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StoreError, corrupt, sqliteCode, storeErrorOf } from './errors.ts'
import { migrate } from './schema.ts'

export const databaseFile = (folder: string): string => join(folder, 'vireo.db')
export const keyFile = (folder: string): string => join(folder, 'secrets.key')

export interface OpenDatabase {
  db: DatabaseSync
  file: string
  close(): void
}

/** Throws StoreError: Corrupt, Newer, InUse or Failed. `maxPages` limits the file, in pages of 4 KiB. */
export function openDatabase(folder: string, { maxPages }: { maxPages?: number } = {}): OpenDatabase {
  const file = databaseFile(folder)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const lock = lockFolder(folder)
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(file)
    // FULL: a commit returns after the write-ahead log is on the disk.
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = OFF')
    if (maxPages !== undefined) db.exec(`PRAGMA max_page_count = ${maxPages}`)
    const found = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check']
    if (found !== 'ok') throw corrupt(file, String(found))
    migrate(db, file)
  } catch (error) {
    db?.close()
    lock.close()
    throw storeErrorOf(error, file)
  }
  const opened = db
  return { db: opened, file, close: () => { opened.close(); lock.close() } }
}

/** A database that nobody reads, held open in an exclusive transaction: the system lets go of it however the process ends. */
function lockFolder(folder: string): DatabaseSync {
  const lock = new DatabaseSync(join(folder, 'lock'))
  try {
    lock.exec('PRAGMA journal_mode = DELETE; BEGIN EXCLUSIVE')
    return lock
  } catch (error) {
    lock.close()
    if (sqliteCode(error) === 5) throw new StoreError('InUse', `another vireo serves the folder ${folder}: stop it first, or name another folder with --data`, { cause: error })
    throw storeErrorOf(error, join(folder, 'lock'))
  }
}
