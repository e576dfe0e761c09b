// The tables of the database file, and the steps that lead an older file to them.

import type { DatabaseSync } from 'node:sqlite'
import { StoreError } from './errors.ts'

/**
 * Each step leads from the user_version that is its place in the list to the next; a step that was released never changes.
 *
 * versions: one row per change. `previous` is the version it replaced, `next` the one that replaced it; a row without
 * `next` is the object as it is, or its tombstone. A row is needed while it is not replaced or was replaced after the
 * compaction: so every state since then can be listed, and every change since then told with what it replaced.
 * contents: the objects themselves, apart, so that marking a row as replaced does not write the object once more.
 */
const STEPS: readonly string[] = [
  `CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
   CREATE TABLE versions (
     revision INTEGER PRIMARY KEY,
     resource TEXT NOT NULL,
     namespace TEXT NOT NULL,
     name TEXT NOT NULL,
     previous INTEGER,
     next INTEGER,
     deleted INTEGER NOT NULL,
     time INTEGER NOT NULL
   );
   CREATE INDEX versions_by_key ON versions (resource, namespace, name, revision);
   CREATE INDEX versions_by_next ON versions (next) WHERE next IS NOT NULL;
   CREATE TABLE contents (revision INTEGER PRIMARY KEY, value BLOB NOT NULL);`,
]

/** Marks the file as ours: "vreo". */
const APPLICATION = 0x7672656f

/** Brings the tables to this release's form. Throws StoreError for a file of a newer release or of another program. */
export function migrate(db: DatabaseSync, file: string, steps: readonly string[] = STEPS): void {
  const number = (pragma: string): number => Number(Object.values(db.prepare(`PRAGMA ${pragma}`).get() ?? {})[0])
  const version = number('user_version')
  const application = number('application_id')
  const tables = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n']
  if (application !== APPLICATION && (tables !== 0 || version !== 0)) throw new StoreError('Corrupt', `${file} is a database of another program: name another folder with --data`)
  if (version > steps.length) throw new StoreError('Newer', `${file} was written by a newer vireo (its tables are of form ${version}, this one knows ${steps.length}): install that release, or restore a backup of this one`)
  for (let at = version; at < steps.length; at++) {
    db.exec('BEGIN IMMEDIATE')
    try {
      db.exec(steps[at]!)
      db.exec(`PRAGMA application_id = ${APPLICATION}; PRAGMA user_version = ${at + 1}`)
      db.exec('COMMIT')
    } catch (error) {
      db.exec('ROLLBACK')
      throw error
    }
  }
}
