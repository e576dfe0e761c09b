// Pools and volumes: their life, sizes, copies, and what is refused.

import { describe, expect, test } from 'vitest'
import { StoragePoolState, VolResizeFlags, type StoragePoolRef } from '../../../drivers/driver.ts'
import { ErrorNumber as E } from '../../../drivers/errors.ts'
import { type Bed, codeOf } from '../bed.ts'
import { expectUnsupported } from './attempts.ts'

const other = '6f1c2d3e-0000-5000-8000-000000000079'

export function storage(bed: Bed): void {
  const { traits } = bed
  const remove = async (pool: StoragePoolRef): Promise<void> => {
    for (const vol of await bed.c.storagePoolListAllVolumes(pool)) await bed.c.storageVolDelete(vol, 0)
    await bed.c.storagePoolDestroy(pool)
    await bed.c.storagePoolDelete(pool, 0)
    await bed.c.storagePoolUndefine(pool)
  }

  describe('pools', () => {
    test('defined, built, started, refreshed, stopped, deleted, undefined: each step with its event', async () => {
      const pool = await bed.c.storagePoolDefineXML(bed.poolXML(bed.name('pool')))
      expect([await bed.c.storagePoolLookupByName(pool.name), await bed.c.storagePoolLookupByUUID(pool.uuid)]).toEqual([pool, pool])
      expect(await bed.c.connectListAllStoragePools()).toContainEqual(pool)
      expect([await bed.c.storagePoolIsActive(pool), await bed.c.storagePoolGetAutostart(pool), (await bed.c.storagePoolGetInfo(pool)).state]).toEqual([false, false, StoragePoolState.Inactive])
      await bed.c.storagePoolBuild(pool, 0)
      await bed.c.storagePoolCreate(pool)
      expect(await bed.c.storagePoolIsActive(pool)).toBe(true)
      const { state, capacity, allocation, available } = await bed.c.storagePoolGetInfo(pool)
      expect(state).toBe(StoragePoolState.Running)
      expect(allocation + available).toBe(capacity)
      await bed.c.storagePoolRefresh(pool)
      await bed.c.storagePoolSetAutostart(pool, true)
      expect(await bed.c.storagePoolGetAutostart(pool)).toBe(true)
      const refused = [bed.c.storagePoolCreate(pool), bed.c.storagePoolBuild(pool, 0), bed.c.storagePoolDelete(pool, 0), bed.c.storagePoolUndefine(pool)]
      expect(await Promise.all(refused.map(codeOf))).toEqual(refused.map(() => E.OPERATION_INVALID))
      await remove(pool)
      expect(await bed.lifecycle(pool)).toEqual([[0, 0], [4, 0], [2, 0], [3, 0], [5, 0], [1, 0]])
      expect(await bed.others(pool)).toEqual(['refresh'])
    })

    test('an inactive pool shows no volumes, takes none, and cannot be refreshed', async () => {
      const pool = await bed.c.storagePoolDefineXML(bed.poolXML(bed.name('inactive')))
      const calls = [bed.c.storagePoolRefresh(pool), bed.c.storagePoolListAllVolumes(pool), bed.c.storageVolLookupByName(pool, 'v'), bed.volume(pool, 'v')]
      expect(await Promise.all(calls.map(codeOf))).toEqual(calls.map(() => E.OPERATION_INVALID))
      if (traits.stopsOnce) expect(await codeOf(bed.c.storagePoolDestroy(pool))).toBe(E.OPERATION_INVALID)
      await bed.c.storagePoolUndefine(pool)
    })

    test('a pool that is gone is error 49 and nothing else, in every call', async () => {
      const pool = await bed.c.storagePoolDefineXML(bed.poolXML(bed.name('gone')))
      await bed.c.storagePoolUndefine(pool)
      const calls = [
        bed.c.storagePoolLookupByName(pool.name), bed.c.storagePoolLookupByUUID(pool.uuid), bed.c.storagePoolGetXMLDesc(pool, 0), bed.c.storagePoolGetInfo(pool), bed.c.storagePoolIsActive(pool), bed.c.storagePoolGetAutostart(pool), bed.c.storagePoolSetAutostart(pool, true),
        bed.c.storagePoolBuild(pool, 0), bed.c.storagePoolCreate(pool), bed.c.storagePoolDestroy(pool), bed.c.storagePoolDelete(pool, 0), bed.c.storagePoolUndefine(pool), bed.c.storagePoolRefresh(pool), bed.c.storagePoolListAllVolumes(pool),
        bed.c.storageVolGetInfo({ pool: pool.name, name: 'v', key: '/v' }),
      ]
      expect(await Promise.all(calls.map(codeOf))).toEqual(calls.map(() => E.NO_STORAGE_POOL))
    })

    test('a name, a UUID and a target are taken once', async () => {
      const pool = await bed.c.storagePoolDefineXML(bed.poolXML(bed.name('unique')))
      const documents = [bed.poolXML(pool.name, { uuid: other, path: '/var/lib/vireo/z' }), bed.poolXML(`${pool.name}x`, { uuid: pool.uuid, path: '/var/lib/vireo/z' }), bed.poolXML(`${pool.name}y`, { path: `/var/lib/vireo/${pool.name}` })]
      for (const document of documents) expect(await codeOf(bed.c.storagePoolDefineXML(document))).toBe(E.OPERATION_FAILED)
      expect(await bed.c.storagePoolDefineXML(bed.poolXML(pool.name, { uuid: pool.uuid }))).toEqual(pool)
      await bed.c.storagePoolUndefine(pool)
    })

    test('a running pool keeps its target until it is started again', async () => {
      const pool = await bed.pool('next')
      await bed.c.storagePoolDefineXML(bed.poolXML(pool.name, { uuid: pool.uuid, path: `/var/lib/vireo/${pool.name}-next` }))
      expect(await bed.c.storagePoolGetXMLDesc(pool, 0)).toContain(`<path>/var/lib/vireo/${pool.name}</path>`)
      if (traits.keepsNext) expect(await bed.c.storagePoolGetXMLDesc(pool, 1)).toContain(`${pool.name}-next</path>`)
      else expect(await codeOf(bed.c.storagePoolGetXMLDesc(pool, 1))).toBe(E.INVALID_ARG)
      await bed.c.storagePoolDefineXML(bed.poolXML(pool.name, { uuid: pool.uuid }))
      await remove(pool)
    })

    test('a folder must be there to start, and be empty to be deleted, where pools lie in folders', async () => {
      const pool = await bed.c.storagePoolDefineXML(bed.poolXML(bed.name('folder')))
      if (traits.hasFolders) {
        expect(await codeOf(bed.c.storagePoolCreate(pool))).toBe(E.SYSTEM_ERROR)
        expect(await codeOf(bed.c.storagePoolBuild(pool, 4))).toBe(E.OPERATION_INVALID)
      } else expect(await codeOf(bed.c.storagePoolBuild(pool, 4))).toBe(E.INVALID_ARG)
      await bed.c.storagePoolBuild(pool, 0)
      await bed.c.storagePoolCreate(pool)
      await bed.volume(pool, 'v')
      await bed.c.storagePoolDestroy(pool)
      if (traits.hasFolders) expect(await codeOf(bed.c.storagePoolDelete(pool, 0))).toBe(E.SYSTEM_ERROR)
      await bed.c.storagePoolCreate(pool)
      expect((await bed.c.storagePoolListAllVolumes(pool)).map(({ name }) => name)).toEqual(['v'])
      await remove(pool)
    })

    test.each<[reason: string, code: number, document: string]>([
      ['no XML', E.XML_DETAIL, '<pool'], ['another root', E.XML_ERROR, '<network/>'], ['no name', E.XML_ERROR, "<pool type='dir'><target><path>/x</path></target></pool>"], ['a slash in the name', E.XML_ERROR, "<pool type='dir'><name>a/b</name><target><path>/x</path></target></pool>"],
      ['no target', E.XML_ERROR, "<pool type='dir'><name>refused</name></pool>"], ['an unknown type', E.XML_ERROR, "<pool type='bogus'><name>refused</name></pool>"], ['no type', E.XML_ERROR, '<pool><name>refused</name></pool>'],
    ])('%s is error %i', async (_reason, code, document) => {
      expect(await codeOf(bed.c.storagePoolDefineXML(document))).toBe(code)
    })
  })

  describe('volumes', () => {
    test('made, found in every way, described in bytes, deleted', async () => {
      const pool = await bed.pool('volumes')
      const vol = await bed.volume(pool, 'one', 3_000_001)
      const path = `/var/lib/vireo/${pool.name}/one`
      expect(vol).toEqual({ pool: pool.name, name: 'one', key: path })
      expect([await bed.c.storageVolLookupByName(pool, 'one'), await bed.c.storageVolLookupByKey(path), await bed.c.storageVolLookupByPath(path)]).toEqual([vol, vol, vol])
      expect(await bed.c.storagePoolListAllVolumes(pool)).toEqual([vol])
      expect(await bed.c.storageVolGetPath(vol)).toBe(path)
      expect(await bed.c.storageVolGetInfo(vol)).toMatchObject({ type: 0, capacity: 3_000_001 })
      const xml = await bed.c.storageVolGetXMLDesc(vol)
      for (const piece of ['<name>one</name>', `<key>${path}</key>`, `<path>${path}</path>`]) expect(xml).toContain(piece)
      expect(xml).toMatch(/<capacity unit=['"]bytes['"]>3000001<\/capacity>/)
      await bed.c.storageVolDelete(vol, 0)
      expect(await bed.c.storagePoolListAllVolumes(pool)).toEqual([])
      const gone = [bed.c.storageVolLookupByName(pool, 'one'), bed.c.storageVolLookupByKey(path), bed.c.storageVolLookupByPath(path), bed.c.storageVolGetXMLDesc(vol), bed.c.storageVolGetInfo(vol), bed.c.storageVolGetPath(vol), bed.c.storageVolDelete(vol, 0), bed.c.storageVolCreateXMLFrom(pool, bed.volumeXML('copy'), vol, 0)]
      expect(await Promise.all(gone.map(codeOf))).toEqual(gone.map(() => E.NO_STORAGE_VOL))
      await remove(pool)
    })

    test('formats, units, thin ones and backing stores are as they were asked for', async () => {
      const pool = await bed.pool('formats')
      const base = await bed.volume(pool, 'base', 1_048_576, 'qcow2')
      expect(await bed.c.storageVolGetXMLDesc(base)).toMatch(/<format type=['"]qcow2['"]\/>/)
      expect(await bed.c.storageVolGetInfo(base)).toMatchObject({ capacity: 1_048_576 })
      const thin = await bed.c.storageVolCreateXML(pool, bed.volumeXML('thin', 1, 'raw', '<allocation>0</allocation>').replace('<capacity>', "<capacity unit='MiB'>"), 0)
      expect(await bed.c.storageVolGetInfo(thin)).toEqual({ type: 0, capacity: 1_048_576, allocation: 0 })
      const path = await bed.c.storageVolGetPath(base)
      const overlay = await bed.c.storageVolCreateXML(pool, `<volume><name>overlay</name><capacity>2097152</capacity><target><format type='qcow2'/></target><backingStore><path>${path}</path><format type='qcow2'/></backingStore></volume>`, 0)
      expect((await bed.c.storageVolGetXMLDesc(overlay)).replaceAll(/\s+/g, '')).toContain(`<backingStore><path>${path}</path>`)
      await remove(pool)
    })

    test('a copy is at least as large as its source, and a name is taken once', async () => {
      const pool = await bed.pool('copies')
      const source = await bed.volume(pool, 'source', 65_536)
      const copy = await bed.c.storageVolCreateXMLFrom(pool, bed.volumeXML('copy', 131_072), source, 0)
      expect((await bed.c.storageVolGetInfo(copy)).capacity).toBe(131_072)
      expect(await codeOf(bed.volume(pool, 'source'))).toBe(traits.volumeExists.made)
      expect(await codeOf(bed.c.storageVolCreateXMLFrom(pool, bed.volumeXML('source'), copy, 0))).toBe(traits.volumeExists.copied)
      await remove(pool)
    })

    test('names are file names, where pools lie in folders', async () => {
      const pool = await bed.pool('names')
      if (traits.hasFolders) for (const name of ['a/b', '.', '..']) expect(await codeOf(bed.volume(pool, name))).toBe(E.OPERATION_INVALID)
      const odd = 'däß 虚拟 🚀'
      expect((await bed.volume(pool, odd, 1024)).name).toBe(odd)
      expect((await bed.c.storageVolLookupByName(pool, odd)).name).toBe(odd)
      await remove(pool)
    })

    test.each<[reason: string, code: number, change: (document: string) => string]>([
      ['no XML', E.XML_DETAIL, () => '<volume'], ['another root', E.XML_ERROR, () => '<pool/>'], ['no name', E.XML_ERROR, document => document.replace('<name>refused</name>', '')], ['no capacity', E.XML_ERROR, document => document.replace(/<capacity>.*<\/capacity>/, '')],
      ['a capacity that is no number', E.XML_ERROR, document => document.replace(/<capacity>.*<\/capacity>/, '<capacity>big</capacity>')], ['a capacity beyond all numbers', E.OVERFLOW, document => document.replace(/<capacity>.*<\/capacity>/, '<capacity>18446744073709551615</capacity>')],
      ['an unknown format', E.CONFIG_UNSUPPORTED, document => document.replace("type='raw'", "type='bogus'")],
    ])('%s is error %i, and nothing is made', async (_reason, code, change) => {
      const pool = await bed.pool('refused')
      expect(await codeOf(bed.c.storageVolCreateXML(pool, change(bed.volumeXML('refused')), 0))).toBe(code)
      expect(await bed.c.storagePoolListAllVolumes(pool)).toEqual([])
      await remove(pool)
    })

    test('a capacity grows, shrinks only with the flag, and an equal one changes nothing', async () => {
      if (!bed.has('storageVolResize')) return await expectUnsupported(bed, 'storageVolResize')
      const pool = await bed.pool('resize')
      for (const format of ['raw', 'qcow2']) {
        const vol = await bed.volume(pool, format, 1_048_576, format)
        const capacity = (): Promise<number> => bed.c.storageVolGetInfo(vol).then(info => info.capacity)
        await bed.c.storageVolResize(vol, 2_097_152, 0)
        await bed.c.storageVolResize(vol, 2_097_152, 0)
        expect(await capacity()).toBe(2_097_152)
        expect(await codeOf(bed.c.storageVolResize(vol, 1_048_576, 0))).toBe(E.INVALID_ARG)
        await bed.c.storageVolResize(vol, 1_048_576, VolResizeFlags.SHRINK)
        await bed.c.storageVolResize(vol, 512, VolResizeFlags.DELTA)
        expect(await capacity()).toBe(1_049_088)
      }
      await remove(pool)
    })
  })
}
