// The StoragePool kind against a real libvirtd: what is built, started, kept, lost and left.

import { existsSync } from 'node:fs'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { startLibvirtd, type PrivateLibvirtd } from '../../support/libvirtd.ts'
import { until } from '../../support/until.ts'
import { Stage } from './volume-stage.ts'

let libvirtd: PrivateLibvirtd
let stage: Stage
const outside = (path: string): string => join(libvirtd.root, path)
const virsh = (...args: string[]): Promise<string> => libvirtd.execOk(['virsh', ...args])

beforeAll(async () => { libvirtd = await startLibvirtd({ name: 'pools' }) })
afterAll(async () => { await libvirtd?.stop() })
beforeEach(async () => { stage = await Stage.open(libvirtd) })
afterEach(async () => {
  await stage.close()
  for (const name of (await virsh('pool-list', '--all', '--name')).split('\n').filter(line => line.trim() !== '')) {
    await libvirtd.exec(['virsh', 'pool-destroy', name.trim()])
    await virsh('pool-undefine', name.trim())
  }
  await libvirtd.execOk(['sh', '-c', 'rm -rf /var/lib/vireo/* /srv/*'])
})

describe('a dir pool', () => {
  test('gets its folder, starts, shows sizes, and takes the empty folder along when it goes', async () => {
    const images = stage.pool('images', { dir: { path: '/var/lib/vireo/images' } })
    await stage.settle(images, 'Available')
    expect(existsSync(outside('var/lib/vireo/images'))).toBe(true)
    const { status, metadata } = stage.get(images)
    expect(status).toMatchObject({ state: 'Active', path: '/var/lib/vireo/images', volumes: 0, binding: { hypervisor: 'local', name: 'images', origin: 'Created' } })
    expect(status!.capacity).toMatch(/^[0-9]+[MG]i$/)
    expect(metadata.annotations).toEqual({ 'vireo.dev/intent': 'folder:/var/lib/vireo/images' })
    expect(await virsh('pool-info', 'images')).toMatch(/Autostart:\s+yes/)
    const before = stage.actions.length
    await stage.reconcile(images)
    expect(stage.actions.length, 'in sync, nothing is done').toBe(before)
    stage.delete(images)
    await stage.gone(images)
    expect(await virsh('pool-list', '--all', '--name')).not.toContain('images')
    expect(existsSync(outside('var/lib/vireo/images'))).toBe(false)
  })

  test('leaves a folder that was there before, and one that holds something', async () => {
    await mkdir(outside('var/lib/vireo/old'))
    const old = stage.pool('old', { dir: { path: '/var/lib/vireo/old' } })
    const full = stage.pool('full', { dir: { path: '/var/lib/vireo/full' } })
    await stage.settle(old, 'Available')
    await stage.settle(full, 'Available')
    expect(stage.actions).not.toContain('old: Built')
    await writeFile(outside('var/lib/vireo/full/precious'), 'data')
    for (const pool of [old, full]) {
      stage.delete(pool)
      await stage.gone(pool)
    }
    expect(existsSync(outside('var/lib/vireo/old'))).toBe(true)
    expect(existsSync(outside('var/lib/vireo/full/precious'))).toBe(true)
  })

  test('whose folder vanished is Lost: the folder is not made again', async () => {
    const pool = stage.pool('gone', { dir: { path: '/var/lib/vireo/gone' } })
    await stage.settle(pool, 'Available')
    await virsh('pool-destroy', 'gone')
    await rm(outside('var/lib/vireo/gone'), { recursive: true })
    await until('the stop is seen', () => stage.host.mirror.poolByName('gone')?.active === false)
    await stage.settle(pool, 'Lost')
    expect(existsSync(outside('var/lib/vireo/gone'))).toBe(false)
    expect(stage.message(pool)).toContain('/var/lib/vireo/gone')
    await mkdir(outside('var/lib/vireo/gone'))
    await stage.reconcile(pool)
    expect(stage.reason(pool)).toBe('Available')
  })

  test('undefined by hand is Lost, also after a restart, and never holds its object', async () => {
    const pool = stage.pool('lost', { dir: { path: '/var/lib/vireo/lost' } })
    await stage.settle(pool, 'Available')
    await virsh('pool-destroy', 'lost')
    await virsh('pool-undefine', 'lost')
    await until('the host says so', () => stage.host.mirror.poolByName('lost') === undefined)
    await stage.settle(pool, 'Lost')
    stage.restart()
    stage.change(pool, { autostart: 'Disabled' })
    await stage.reconcile(pool)
    expect(stage.reason(pool)).toBe('Lost')
    expect(await virsh('pool-list', '--all', '--name')).not.toContain('lost')
    stage.delete(pool)
    await stage.gone(pool)
  })

  test('follows state and autostart', async () => {
    const pool = stage.pool('still', { dir: { path: '/var/lib/vireo/still' }, state: 'Inactive', autostart: 'Disabled' })
    await stage.settle(pool, 'Stopped')
    expect(await virsh('pool-info', 'still')).toMatch(/State:\s+inactive[^]*Autostart:\s+no/)
    stage.change(pool, { state: 'Active', autostart: 'Enabled' })
    await stage.settle(pool, 'Available')
    stage.change(pool, { state: 'Inactive' })
    await stage.settle(pool, 'Stopped')
  })
})

describe('what is not ours', () => {
  test('with our name, or at our path, is a Conflict and stays untouched', async () => {
    await mkdir(outside('srv/theirs'))
    await virsh('pool-define-as', 'theirs', 'dir', '--target', '/srv/theirs')
    await until('it is seen', () => stage.host.mirror.poolByName('theirs'))
    const xml = await virsh('pool-dumpxml', 'theirs')
    const named = stage.pool('theirs', { dir: { path: '/var/lib/vireo/a' } })
    await stage.settle(named, 'Conflict')
    expect(stage.message(named)).toMatch(/adoptionPolicy/)
    await virsh('pool-define-as', 'placed', 'dir', '--target', '/var/lib/vireo/b')
    await until('it is seen', () => stage.host.mirror.poolByName('placed'))
    const placed = stage.pool('mine', { dir: { path: '/var/lib/vireo/b' } })
    await stage.settle(placed, 'Conflict')
    expect(stage.message(placed)).toContain('spec.name: placed')
    for (const pool of [named, placed]) {
      stage.delete(pool)
      await stage.gone(pool)
    }
    expect(await virsh('pool-dumpxml', 'theirs')).toBe(xml)
  })

  test('is taken over by IfUnchanged where the policy allows, and stays when the object goes', async () => {
    await virsh('pool-define-as', 'legacy', 'dir', '--target', '/var/lib/vireo/legacy')
    await mkdir(outside('var/lib/vireo/legacy'))
    await virsh('pool-start', 'legacy')
    await until('it is seen', () => stage.host.mirror.poolByName('legacy')?.active)
    const spec = { dir: { path: '/var/lib/vireo/legacy' }, adoptionPolicy: 'IfUnchanged' as const }
    const pool = stage.pool('legacy', spec)
    await stage.settle(pool, 'Forbidden')
    await stage.close()
    stage = await Stage.open(libvirtd, { foreignObjects: 'Adopt' })
    const adopting = stage.pool('legacy', spec)
    await stage.settle(adopting, 'Conflict')
    expect(stage.message(adopting)).toContain('would change autostart')
    stage.change(adopting, { autostart: 'Disabled' })
    await stage.settle(adopting, 'Available')
    expect(stage.get(adopting).status?.binding).toMatchObject({ name: 'legacy', origin: 'Adopted', uuid: stage.host.mirror.poolByName('legacy')!.ref.uuid })
    stage.restart()
    await stage.settle(adopting, 'Available')
    stage.delete(adopting)
    await stage.gone(adopting)
    expect(await virsh('pool-list', '--name')).toContain('legacy')
  })

  test('is only looked at under ObserveOnly', async () => {
    await mkdir(outside('srv/shown'))
    await virsh('pool-define-as', 'shown', 'dir', '--target', '/srv/shown')
    await until('it is seen', () => stage.host.mirror.poolByName('shown'))
    const closed = stage.pool('shown', { managementPolicy: 'ObserveOnly' })
    await stage.settle(closed, 'Forbidden')
    expect(stage.get(closed).status).not.toHaveProperty('path')
    await stage.close()
    stage = await Stage.open(libvirtd, { foreignObjects: 'Observe' })
    const open = stage.pool('shown', { managementPolicy: 'ObserveOnly' })
    await stage.settle(open, 'Observed')
    expect(stage.get(open).status).toMatchObject({ state: 'Inactive', path: '/srv/shown', binding: { origin: 'Observed' } })
    expect(stage.actions).toEqual([])
  })
})

test('a path outside of the policy is Forbidden and nothing is sent', async () => {
  const pool = stage.pool('out', { dir: { path: '/var/lib/vireo/../../etc' } })
  await stage.settle(pool, 'Forbidden')
  expect(stage.actions).toEqual([])
})

test('a UUID that the spec names is created with, and found again after a crash before the status', async () => {
  const uuid = '6f1c2d3e-0000-5000-8000-00000000abcd'
  const pool = stage.pool('named', { uuid, dir: { path: '/var/lib/vireo/named' } })
  await stage.reconcile(pool)
  await stage.reconcile(pool, 'status')
  stage.restart()
  await stage.settle(pool, 'Available')
  expect(stage.get(pool).status?.binding).toMatchObject({ uuid, origin: 'Created' })
})
