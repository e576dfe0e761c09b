// Bytes to and from volumes: whole, in part, broken off, and beyond what was announced.

import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { StoragePoolRef, StorageVolRef } from '../../../drivers/driver.ts'
import { ConnectionLost, ErrorNumber as E, LibvirtError } from '../../../drivers/errors.ts'
import type { Asked } from './attempts.ts'
import { until } from '../../support/until.ts'
import { type Bed, codeOf } from '../bed.ts'

const size = 700_001

export const streamOperations: Asked[] = ['storageVolUpload', 'storageVolDownload']

export function streams(bed: Bed): void {
  let pool: StoragePoolRef
  beforeAll(async () => { pool = await bed.pool('streams') })
  afterAll(async () => {
    for (const vol of await bed.c.storagePoolListAllVolumes(pool)) await bed.c.storageVolDelete(vol, 0)
    await bed.c.storagePoolDestroy(pool)
  })
  const bytesOf = async (vol: StorageVolRef, offset = 0, length = 0): Promise<Buffer> => {
    const chunks: Uint8Array[] = []
    for await (const chunk of await bed.c.storageVolDownload(vol, offset, length, 0)) chunks.push(chunk)
    return Buffer.concat(chunks)
  }
  const upload = async (vol: StorageVolRef, bytes: Uint8Array, offset = 0): Promise<void> => {
    const stream = await bed.c.storageVolUpload(vol, offset, bytes.length, 0)
    for (let at = 0, step = 1; at < bytes.length; at += step, step = step * 3 + 1) await stream.write(bytes.subarray(at, at + step))
    await stream.finish()
  }

  test('what was uploaded comes back byte for byte, whole and in part, and the pool tells that it was looked at', async () => {
    const vol = await bed.volume(pool, 'bytes', size)
    const bytes = randomBytes(size)
    await bed.forgetEvents()
    await upload(vol, bytes)
    await until('the pool is refreshed', async () => (await bed.others(pool)).includes('refresh'), { everyMs: 5 })
    expect((await bytesOf(vol)).equals(bytes)).toBe(true)
    expect((await bytesOf(vol, 100_001, 77)).equals(bytes.subarray(100_001, 100_078))).toBe(true)
    expect((await bytesOf(vol, size - 5, 100)).equals(bytes.subarray(size - 5))).toBe(true)
    expect((await bytesOf(vol, size + 5, 100)).length).toBe(0)
    await upload(vol, Buffer.from('patch'), 300_000)
    bytes.set(Buffer.from('patch'), 300_000)
    expect((await bytesOf(vol)).equals(bytes)).toBe(true)
  })

  test('a copy has the bytes of its source, and is its own', async () => {
    const source = await bed.volume(pool, 'source', size)
    const bytes = randomBytes(size)
    await upload(source, bytes)
    const copy = await bed.c.storageVolCreateXMLFrom(pool, bed.volumeXML('copy', size), source, 0)
    expect((await bytesOf(copy)).equals(bytes)).toBe(true)
    await upload(source, Buffer.alloc(10))
    expect((await bytesOf(copy)).equals(bytes)).toBe(true)
  })

  test('a short upload succeeds and leaves the rest; one beyond the end grows a raw volume', async () => {
    const vol = await bed.volume(pool, 'short', 1000)
    const stream = await bed.c.storageVolUpload(vol, 0, 1000, 0)
    await stream.write(Buffer.alloc(10, 7))
    await stream.finish()
    expect((await bytesOf(vol)).equals(Buffer.concat([Buffer.alloc(10, 7), Buffer.alloc(990)]))).toBe(true)
    await upload(vol, Buffer.alloc(100, 8), 950)
    await until('the volume has grown', async () => (await bed.c.storageVolGetInfo(vol)).capacity === 1050, { everyMs: 5 })
  })

  test('more than was announced is an error', async () => {
    const vol = await bed.volume(pool, 'overlong', size)
    const stream = await bed.c.storageVolUpload(vol, 0, 1000, 0)
    const reason = await (async () => {
      for (let times = 0; times < 200; times++) await stream.write(randomBytes(1000))
      await stream.finish()
    })().then(() => undefined, (error: unknown) => error)
    expect(reason).toBeInstanceOf(LibvirtError)
    await stream.abort('it failed')
  })

  test('an upload that is broken off counts for nothing, and its volume can be deleted', async () => {
    const vol = await bed.volume(pool, 'aborted', size)
    const stream = await bed.c.storageVolUpload(vol, 0, size, 0)
    await stream.write(randomBytes(size >> 1))
    await stream.abort('the source broke')
    expect(await stream.finish().then(() => undefined, (error: unknown) => error)).toBeInstanceOf(ConnectionLost)
    await until('the volume is free', async () => await bed.c.storageVolDelete(vol, 0).then(() => true), { everyMs: 5 })
  })

  test('a download that is left half-way ends, and calls go on beside open streams', async () => {
    const vol = await bed.volume(pool, 'left', size)
    await upload(vol, randomBytes(size))
    for await (const chunk of await bed.c.storageVolDownload(vol, 0, 0, 0)) {
      expect(chunk.length).toBeGreaterThan(0)
      break
    }
    const stream = await bed.c.storageVolDownload(vol, 0, 0, 0)
    expect(await bed.c.storageVolLookupByName(pool, 'left')).toEqual(vol)
    await stream.abort('not wanted')
  })

  test('a stream ends with its connection', async () => {
    const own = await bed.open()
    const vol = await bed.volume(pool, 'lost', size)
    const stream = await own.storageVolUpload(vol, 0, size, 0)
    await stream.write(randomBytes(10))
    await own.close()
    expect(await stream.finish().then(() => undefined, (error: unknown) => error)).toBeInstanceOf(ConnectionLost)
  })

  test('a volume that is not there refuses the stream', async () => {
    const none = { pool: pool.name, name: 'none', key: '/none' }
    expect([await codeOf(bed.c.storageVolUpload(none, 0, 0, 0)), await codeOf(bed.c.storageVolDownload(none, 0, 0, 0))]).toEqual([E.NO_STORAGE_VOL, E.NO_STORAGE_VOL])
  })

  test('a raw volume into which an image is written is what the image says', async () => {
    const image = await bed.volume(pool, 'image', 5 * 2 ** 20, 'qcow2')
    const header = await bytesOf(image)
    expect(header.subarray(0, 4).toString('latin1')).toBe('QFI\xfb')
    const vol = await bed.volume(pool, 'disguised', header.length)
    await upload(vol, header)
    await bed.c.storagePoolRefresh(pool)
    expect(await bed.c.storageVolGetXMLDesc(vol)).toMatch(/<format type=['"]qcow2['"]\/>/)
    expect((await bed.c.storageVolGetInfo(vol)).capacity).toBe(5 * 2 ** 20)
  })
}
