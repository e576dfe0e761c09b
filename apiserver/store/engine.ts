// The database itself, synchronous: commits writes in groups, answers pages of any kept revision, and forgets old history.

import type { SQLInputValue, SQLOutputValue, StatementSync } from 'node:sqlite'
import { type Cipher, loadCipher } from './cipher.ts'
import { StoreError, sqliteCode, storeErrorOf } from './errors.ts'
import { type OpenDatabase, keyFile, openDatabase } from './open.ts'
import type { CompactionPolicy, HistoryChange, HistoryQuery, Key, Outcome, PageQuery, Version, Write } from './types.ts'

export interface EngineOptions {
  folder: string
  /** Resources whose values are encrypted on the disk. */
  encrypted?: readonly string[]
  /** Limits the file, in pages of 4 KiB. */
  maxPages?: number
}

type Row = Record<string, SQLOutputValue>

const FULL = 13

/** Used by one thread. Methods throw StoreError where the disk fails, and answer outcomes for writes. */
export class Engine {
  readonly #open: OpenDatabase
  readonly #cipher: Cipher
  readonly #encrypted: ReadonlySet<string>
  readonly #statements = new Map<string, StatementSync>()
  #revision: number
  #compacted: number

  constructor({ folder, encrypted = ['secrets'], maxPages }: EngineOptions) {
    this.#open = openDatabase(folder, { maxPages })
    this.#encrypted = new Set(encrypted)
    try {
      const known = this.#meta('key')
      this.#cipher = loadCipher(keyFile(folder), known === undefined)
      if (known === undefined) this.#setMeta('key', this.#cipher.fingerprint)
      else if (known !== this.#cipher.fingerprint) throw new StoreError('Key', `the key file ${keyFile(folder)} is not the one that the Secrets in ${this.#open.file} were encrypted with: put that one back from where it is kept, or from a backup`)
      this.#revision = Number(this.#meta('revision') ?? 0)
      this.#compacted = Number(this.#meta('compacted') ?? 0)
    } catch (error) {
      this.#open.close()
      throw storeErrorOf(error, this.#open.file)
    }
  }

  /** The newest revision on the disk; never less than any that was answered. */
  get revision(): number { return this.#revision }

  /** History up to and including this revision is gone. */
  get compacted(): number { return this.#compacted }

  /** What was kept under `name`, or what `make` gives, kept from now on. */
  constant(name: string, make: () => string): string {
    const found = this.#meta(`constant/${name}`)
    if (found !== undefined) return found
    const made = make()
    this.#setMeta(`constant/${name}`, made)
    return made
  }

  /** All objects as they are, in no order that counts. */
  *current(): Generator<Version> {
    const rows = this.#statement('SELECT revision, resource, namespace, name, deleted, value FROM versions JOIN contents USING (revision) WHERE next IS NULL AND deleted = 0').iterate()
    for (const row of rows) yield this.#version(row)
  }

  /** One transaction for all that can be written; each outcome is its own. When this returns, what has no error is on the disk. */
  commit(writes: readonly Write[]): Outcome[] {
    try {
      return this.#transaction(writes)
    } catch (error) {
      const failed = this.#failure(error)
      // One write too large for the disk must not take the others with it.
      return writes.length === 1 ? [failed] : writes.map(write => {
        try {
          return this.#transaction([write])[0]!
        } catch (alone) {
          return this.#failure(alone)
        }
      })
    }
  }

  /** Changes of one resource with `after` < revision <= `upto`, oldest first, at most `limit`. Throws Compacted. */
  changes({ resource, after, upto, limit }: HistoryQuery): HistoryChange[] {
    this.#notCompacted(after)
    const rows = this.#all(`SELECT v.revision, v.resource, v.namespace, v.name, v.deleted, c.value, v.previous, p.deleted AS was_deleted, pc.value AS previous_value
      FROM versions v JOIN contents c ON c.revision = v.revision
      LEFT JOIN versions p ON p.revision = v.previous LEFT JOIN contents pc ON pc.revision = v.previous
      WHERE v.revision > ? AND v.revision <= ? AND v.resource = ? ORDER BY v.revision LIMIT ?`, after, upto, resource, limit)
    return rows.map(row => {
      const version = this.#version(row)
      if (row['previous_value'] === null || row['was_deleted'] === 1) return version
      return { ...version, previous: { revision: Number(row['previous']), value: this.#plain(version, row['previous_value'] as Uint8Array) } }
    })
  }

  /** Objects as they were at a revision. Throws Compacted. */
  page({ resource, namespace, revision, after = { namespace: '', name: '' }, limit }: PageQuery): Version[] {
    this.#notCompacted(revision)
    const rows = this.#all(`SELECT revision, resource, namespace, name, deleted, value FROM versions JOIN contents USING (revision)
      WHERE resource = ? AND (namespace, name) > (?, ?) AND (? IS NULL OR namespace = ?) AND revision <= ? AND (next IS NULL OR next > ?) AND deleted = 0
      ORDER BY namespace, name LIMIT ?`, resource, after.namespace, after.name, namespace ?? null, namespace ?? null, revision, revision, limit)
    return rows.map(row => this.#version(row))
  }

  /** How many objects there were at a revision behind `after`. Throws Compacted. */
  count({ resource, namespace, revision, after = { namespace: '', name: '' } }: Omit<PageQuery, 'limit'>): number {
    this.#notCompacted(revision)
    return Number(this.#all(`SELECT count(*) AS n FROM versions WHERE resource = ? AND (namespace, name) > (?, ?) AND (? IS NULL OR namespace = ?) AND revision <= ? AND (next IS NULL OR next > ?) AND deleted = 0`,
      resource, after.namespace, after.name, namespace ?? null, namespace ?? null, revision, revision)[0]?.['n'])
  }

  /** Forgets history that the policy no longer keeps; what is current stays. Answers the compacted revision. */
  compact({ age, changes }: CompactionPolicy, now: number): number {
    const old = Number(this.#all('SELECT coalesce(max(revision), 0) AS revision FROM versions WHERE time <= ? AND revision > ?', now - age, this.#compacted)[0]?.['revision'] ?? 0)
    const upto = Math.max(old, this.#revision - changes)
    if (upto <= this.#compacted) return this.#compacted
    this.#atomically(() => {
      this.#run('DELETE FROM contents WHERE revision IN (SELECT revision FROM versions WHERE next <= ?1 UNION ALL SELECT revision FROM versions WHERE deleted = 1 AND next IS NULL AND revision <= ?1)', upto)
      this.#run('DELETE FROM versions WHERE next <= ?', upto)
      this.#run('DELETE FROM versions WHERE deleted = 1 AND next IS NULL AND revision <= ?', upto)
      this.#setMeta('compacted', String(upto))
    })
    this.#compacted = upto
    return upto
  }

  close(): void {
    this.#statements.clear()
    this.#open.close()
  }

  #transaction(writes: readonly Write[]): Outcome[] {
    let highest = this.#revision
    const outcomes = this.#atomically(() => {
      const each = writes.map(write => {
        if (write.revision <= highest) throw new StoreError('Failed', `revision ${write.revision} was given after ${highest}: revisions only rise`)
        const outcome = this.#write(write)
        if (outcome.error === undefined) highest = write.revision
        return outcome
      })
      if (highest > this.#revision) this.#setMeta('revision', String(highest))
      return each
    })
    this.#revision = highest
    return outcomes
  }

  #write(write: Write): Outcome {
    const { resource, namespace, name, revision, expected, deleted, value, time } = write
    const head = this.#all('SELECT revision, deleted FROM versions WHERE resource = ? AND namespace = ? AND name = ? ORDER BY revision DESC LIMIT 1', resource, namespace, name)[0]
    const found = head === undefined || head['deleted'] === 1 ? 0 : Number(head['revision'])
    if (found !== expected) return { error: { code: 'Conflict', message: `${resource} ${namespace}/${name} is at revision ${found}, not ${expected}` } }
    this.#run('INSERT INTO versions (revision, resource, namespace, name, previous, deleted, time) VALUES (?, ?, ?, ?, ?, ?, ?)', revision, resource, namespace, name, head === undefined ? null : Number(head['revision']), deleted ? 1 : 0, time)
    if (head !== undefined) this.#run('UPDATE versions SET next = ? WHERE revision = ?', revision, Number(head['revision']))
    this.#run('INSERT INTO contents (revision, value) VALUES (?, ?)', revision, this.#encrypted.has(resource) ? this.#cipher.seal(value, context(write)) : value)
    return {}
  }

  #atomically<T>(work: () => T): T {
    const { db } = this.#open
    db.exec('BEGIN IMMEDIATE')
    try {
      const result = work()
      db.exec('COMMIT')
      return result
    } catch (error) {
      // A full disk has already undone everything by itself.
      if (db.isTransaction) db.exec('ROLLBACK')
      throw error
    }
  }

  #failure(error: unknown): Outcome {
    const { message } = storeErrorOf(error, this.#open.file)
    return { error: { code: sqliteCode(error) === FULL ? 'Full' : 'Failed', message } }
  }

  #notCompacted(revision: number): void {
    if (revision < this.#compacted) throw new StoreError('Compacted', `revision ${revision} is older than the history, which begins at ${this.#compacted}`)
  }

  #version(row: Row): Version {
    const key = { resource: row['resource'] as string, namespace: row['namespace'] as string, name: row['name'] as string }
    return { ...key, revision: Number(row['revision']), deleted: row['deleted'] === 1, value: this.#plain(key, row['value'] as Uint8Array) }
  }

  #plain(key: Key, value: Uint8Array): Uint8Array {
    return this.#encrypted.has(key.resource) ? this.#cipher.open(value, context(key)) : value
  }

  #meta(name: string): string | undefined {
    return this.#all('SELECT value FROM meta WHERE name = ?', name)[0]?.['value'] as string | undefined
  }

  #setMeta(name: string, value: string): void {
    this.#run('INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value', name, value)
  }

  #all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#statement(sql).all(...values)
  }

  #run(sql: string, ...values: SQLInputValue[]): void {
    this.#statement(sql).run(...values)
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql)
    if (statement === undefined) this.#statements.set(sql, statement = this.#open.db.prepare(sql))
    return statement
  }
}

const context = ({ resource, namespace, name }: Key): string => `${resource}/${namespace}/${name}`
