// The database: what is on the disk, in which order, and for how long.

import { chmodSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, truncateSync, writeSync, closeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Engine } from '../../../apiserver/store/engine.ts'
import { migrate } from '../../../apiserver/store/schema.ts'
import type { Version, Write } from '../../../apiserver/store/types.ts'

let folder: string
let engine: Engine

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vireo-engine-'))
  engine = new Engine({ folder })
})
afterEach(() => {
  engine.close()
  rmSync(folder, { recursive: true, force: true })
})

const write = (revision: number, name: string, expected: number, text: string, more: Partial<Write> = {}): Write =>
  ({ resource: 'things', namespace: 'default', name, revision, expected, deleted: false, value: Buffer.from(text), time: revision * 1_000, ...more })
const text = (versions: Iterable<Version>): string[] => Array.from(versions, ({ name, value }) => `${name}=${Buffer.from(value).toString()}`).toSorted()
const ok = (writes: Write[]): void => { expect(engine.commit(writes).filter(({ error }) => error !== undefined)).toEqual([]) }
const reopen = (options = {}): void => {
  engine.close()
  engine = new Engine({ folder, ...options })
}

describe('writes', () => {
  test('are there after the file was closed and opened, and the revision goes on', () => {
    ok([write(1, 'a', 0, 'one'), write(2, 'b', 0, 'two'), write(3, 'a', 1, 'three'), write(4, 'b', 2, 'two', { deleted: true })])
    reopen()
    expect(text(engine.current())).toEqual(['a=three'])
    expect(engine.revision).toBe(4)
  })

  test('of which one meets another revision than it expects is refused, and the others of its group are written', () => {
    ok([write(1, 'a', 0, 'one')])
    const outcomes = engine.commit([write(2, 'a', 0, 'again'), write(3, 'b', 0, 'two'), write(4, 'c', 7, 'none')])
    expect(outcomes.map(({ error }) => error?.code)).toEqual(['Conflict', undefined, 'Conflict'])
    expect(text(engine.current())).toEqual(['a=one', 'b=two'])
  })

  test('never lower the revision', () => {
    ok([write(5, 'a', 0, 'one')])
    expect(engine.commit([write(5, 'b', 0, 'two')])[0]?.error?.code).toBe('Failed')
    expect(engine.commit([write(4, 'b', 0, 'two')])[0]?.error?.code).toBe('Failed')
    expect(engine.revision).toBe(5)
  })

  test('make an object anew after it was deleted', () => {
    ok([write(1, 'a', 0, 'one'), write(2, 'a', 1, 'one', { deleted: true }), write(3, 'a', 0, 'two')])
    expect(text(engine.current())).toEqual(['a=two'])
  })

  test('are refused one by one when the disk is full; reads and smaller writes go on, and nothing is lost', () => {
    reopen({ maxPages: 20 })
    ok([write(1, 'a', 0, 'one')])
    const outcomes = engine.commit([write(2, 'big', 0, 'x'.repeat(100_000)), write(3, 'b', 0, 'two')])
    expect(outcomes[0]?.error).toMatchObject({ code: 'Full', message: expect.stringContaining('is full: nothing was written') })
    expect(outcomes[1]?.error).toBeUndefined()
    reopen()
    expect(text(engine.current())).toEqual(['a=one', 'b=two'])
    expect(engine.revision).toBe(3)
  })
})

describe('history', () => {
  test('is told in order, each change with what it replaced', () => {
    ok([write(1, 'a', 0, 'one'), write(2, 'x', 0, 'other', { resource: 'others' }), write(3, 'a', 1, 'two'), write(4, 'a', 3, 'two', { deleted: true }), write(5, 'a', 0, 'three')])
    const changes = engine.changes({ resource: 'things', after: 0, upto: 9, limit: 10 })
    expect(changes.map(({ revision, deleted, previous }) => [revision, deleted, previous?.revision])).toEqual([[1, false, undefined], [3, false, 1], [4, true, 3], [5, false, undefined]])
    expect(engine.changes({ resource: 'things', after: 1, upto: 4, limit: 1 }).map(({ revision }) => revision)).toEqual([3])
  })

  test('gives pages of the state of any revision, whatever was written since', () => {
    ok([write(1, 'a', 0, '1'), write(2, 'b', 0, '2'), write(3, 'c', 0, '3', { namespace: 'z' })])
    ok([write(4, 'a', 1, '4'), write(5, 'b', 2, '2', { deleted: true }), write(6, 'd', 0, '6')])
    expect(text(engine.page({ resource: 'things', revision: 3, limit: 10 }))).toEqual(['a=1', 'b=2', 'c=3'])
    expect(text(engine.page({ resource: 'things', revision: 3, limit: 1, after: { namespace: 'default', name: 'a' } }))).toEqual(['b=2'])
    expect(text(engine.page({ resource: 'things', namespace: 'z', revision: 6, limit: 10 }))).toEqual(['c=3'])
    expect(text(engine.page({ resource: 'things', revision: 6, limit: 10 }))).toEqual(['a=4', 'c=3', 'd=6'])
  })

  test('that is too old is forgotten, with every tombstone in it; what is current stays', () => {
    ok([write(1, 'a', 0, '1'), write(2, 'a', 1, '2'), write(3, 'b', 0, '3'), write(4, 'b', 3, '3', { deleted: true }), write(5, 'a', 2, '5')])
    expect(engine.compact({ age: 1_000, changes: 100 }, 5_000)).toBe(4)
    expect(() => engine.changes({ resource: 'things', after: 3, upto: 5, limit: 9 })).toThrow(expect.objectContaining({ code: 'Compacted' }))
    expect(() => engine.page({ resource: 'things', revision: 3, limit: 9 })).toThrow(expect.objectContaining({ code: 'Compacted' }))
    expect(engine.changes({ resource: 'things', after: 4, upto: 5, limit: 9 }).map(({ revision, previous }) => [revision, previous?.revision])).toEqual([[5, 2]])
    expect(text(engine.page({ resource: 'things', revision: 4, limit: 9 }))).toEqual(['a=2'])
    engine.compact({ age: 0, changes: 100 }, 6_000)
    reopen()
    expect(text(engine.current())).toEqual(['a=5'])
    expect([engine.revision, engine.compacted]).toEqual([5, 5])
  })

  test('beyond the number of changes is forgotten even if it is young', () => {
    ok([write(1, 'a', 0, '1'), write(2, 'a', 1, '2'), write(3, 'a', 2, '3')])
    expect(engine.compact({ age: 1_000_000, changes: 1 }, 3_000)).toBe(2)
    expect(engine.compact({ age: 1_000_000, changes: 1 }, 3_000)).toBe(2)
  })

  test('of which a deletion was the last leaves the revision where it was', () => {
    ok([write(1, 'a', 0, '1'), write(2, 'a', 1, '1', { deleted: true })])
    engine.compact({ age: 0, changes: 0 }, 9_000)
    reopen()
    expect(engine.revision).toBe(2)
    ok([write(3, 'a', 0, '3')])
  })
})

describe('secrets', () => {
  const secret = 'a word nobody should find'
  const all = (): Buffer => Buffer.concat(['vireo.db', 'vireo.db-wal'].map(name => { try { return readFileSync(join(folder, name)) } catch { return Buffer.alloc(0) } }))

  test('are not on the disk in the clear, in the file or its log, and are read back', () => {
    ok([write(1, 's', 0, secret, { resource: 'secrets' }), write(2, 'c', 0, 'a public word')])
    expect(all().includes('a public word')).toBe(true)
    expect(all().includes(secret)).toBe(false)
    reopen()
    expect(all().includes(secret)).toBe(false)
    expect(text(engine.current())).toContain(`s=${secret}`)
    expect(statSync(join(folder, 'secrets.key')).mode & 0o777).toBe(0o600)
  })

  test('without their key file, with another one or with one that others may read: the start is refused with what to do', () => {
    ok([write(1, 's', 0, secret, { resource: 'secrets' })])
    engine.close()
    const key = join(folder, 'secrets.key')
    chmodSync(key, 0o640)
    expect(() => new Engine({ folder })).toThrow(/open to others \(mode 0640\): run chmod 600/)
    chmodSync(key, 0o600)
    truncateSync(key, 10)
    expect(() => new Engine({ folder })).toThrow(/does not hold a key/)
    rmSync(key)
    expect(() => new Engine({ folder })).toThrow(/secrets.key is missing/)
    const other = mkdtempSync(join(tmpdir(), 'vireo-engine-'))
    new Engine({ folder: other }).close()
    writeFileCopy(join(other, 'secrets.key'), key)
    rmSync(other, { recursive: true })
    expect(() => new Engine({ folder })).toThrow(/is not the one that the Secrets/)
    rmSync(folder, { recursive: true })
    engine = new Engine({ folder })
  })
})

describe('the file', () => {
  test('that is damaged is refused, with the command that puts a backup back', () => {
    ok(Array.from({ length: 200 }, (_, at) => write(at + 1, `n${at}`, 0, 'x'.repeat(500))))
    engine.close()
    const handle = openSync(join(folder, 'vireo.db'), 'r+')
    writeSync(handle, Buffer.alloc(8_192, 0xa5), 0, 8_192, 4_096)
    closeSync(handle)
    expect(() => new Engine({ folder })).toThrow(/is damaged .*"vireo restore/)
    truncateSync(join(folder, 'vireo.db'), 0)
    engine = new Engine({ folder })
  })

  test('that holds no database, or one of another program, is refused', () => {
    engine.close()
    writeFileText(join(folder, 'vireo.db'), 'not a database, but a long enough text to be taken for the header of one '.repeat(20))
    expect(() => new Engine({ folder })).toThrow(expect.objectContaining({ code: 'Corrupt' }))
    rmSync(join(folder, 'vireo.db'))
    const foreign = new DatabaseSync(join(folder, 'vireo.db'))
    foreign.exec('CREATE TABLE notes (text)')
    foreign.close()
    expect(() => new Engine({ folder })).toThrow(/database of another program/)
    rmSync(join(folder, 'vireo.db'))
    engine = new Engine({ folder })
  })

  test('is served by one process at a time', () => {
    expect(() => new Engine({ folder })).toThrow(expect.objectContaining({ code: 'InUse' }))
  })

  test('of an older form is led forward step by step, each once; of a newer form it is refused', () => {
    const db = new DatabaseSync(join(folder, 'steps.db'))
    const steps = ['CREATE TABLE one (a)', 'ALTER TABLE one ADD COLUMN b', 'CREATE TABLE two (a)']
    migrate(db, 'steps.db', steps.slice(0, 1))
    migrate(db, 'steps.db', steps)
    migrate(db, 'steps.db', steps)
    expect(() => migrate(db, 'steps.db', steps.slice(0, 2))).toThrow(expect.objectContaining({ code: 'Newer' }))
    expect(() => migrate(db, 'steps.db', [...steps, 'CREATE TABLE three (a); CREATE TABLE two (a)'])).toThrow(/already exists/)
    expect(db.prepare('SELECT name FROM sqlite_schema ORDER BY name').all().map(row => row['name'])).toEqual(['one', 'two'])
    db.close()
  })
})

function writeFileText(path: string, content: string): void {
  const handle = openSync(path, 'w')
  writeSync(handle, content)
  closeSync(handle)
}

function writeFileCopy(from: string, to: string): void {
  const handle = openSync(to, 'w', 0o600)
  writeSync(handle, readFileSync(from))
  closeSync(handle)
}
