// Backups: everything a standalone server keeps, copied while it runs, and put back into an empty folder.

import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { accountFile } from './access/accountfile.ts'
import { certificateFolder } from './server.ts'
import { StoreError, storeErrorOf } from './store/errors.ts'
import { databaseFile, keyFile } from './store/open.ts'

/** What lies beside the database; the audit log stays where it is. */
const others = (folder: string): string[] => [keyFile(folder), accountFile(folder), join(folder, 'kubeconfig'), certificateFolder(folder)]

/**
 * Copies `folder` to `target`, which must not exist. The database is copied as of one moment, whoever writes meanwhile.
 * The copy holds the key of the Secrets: whoever has it can read them. Throws StoreError or a sentence.
 */
export function backUp(folder: string, target: string): void {
  if (existsSync(target)) throw new Error(`${target} is there already: a backup goes into a new folder`)
  const source = databaseFile(folder)
  if (!existsSync(source)) throw new Error(`there is no database in ${folder}: name the folder of "vireo standalone --data" with --data`)
  const draft = join(dirname(target), `.${basename(target)}.part`)
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { recursive: true, mode: 0o700 })
  try {
    copyDatabase(source, databaseFile(draft))
    for (const file of others(folder)) if (existsSync(file)) cpSync(file, join(draft, basename(file)), { recursive: true, preserveTimestamps: true })
    renameSync(draft, target)
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    throw error instanceof StoreError ? error : storeErrorOf(error, source)
  }
}

function copyDatabase(from: string, to: string): void {
  const db = new DatabaseSync(from, { readOnly: true })
  try {
    db.prepare('VACUUM INTO ?').run(to)
  } finally {
    db.close()
  }
  chmodSync(to, 0o600)
}

/** Puts a backup into `folder`, which must hold no database. Throws StoreError for a backup that is damaged. */
export function restore(backup: string, folder: string): void {
  const source = databaseFile(backup)
  if (!existsSync(source)) throw new Error(`${backup} is no backup: it holds no ${basename(source)}`)
  if (existsSync(databaseFile(folder))) throw new Error(`${folder} holds a database, which is not overwritten: move it away first, or name another folder with --data`)
  check(source)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const strays = readdirSync(folder).filter(name => name.startsWith('vireo.db-'))
  // The log of another database would be played into this one.
  if (strays.length > 0) throw new Error(`${folder} holds ${strays.join(' and ')}, which belong to another database: move them away first`)
  for (const file of others(backup)) if (existsSync(file)) cpSync(file, join(folder, basename(file)), { recursive: true, preserveTimestamps: true })
  const draft = `${databaseFile(folder)}.part`
  copyFileSync(source, draft)
  renameSync(draft, databaseFile(folder))
}

function check(file: string): void {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    const found = db.prepare('PRAGMA quick_check(1)').get()?.['quick_check']
    if (found !== 'ok') throw new Error(String(found))
  } catch (error) {
    throw new StoreError('Corrupt', `the backup ${file} is damaged (${error instanceof Error ? error.message : String(error)}): take an older one`, { cause: error })
  } finally {
    db.close()
  }
}
