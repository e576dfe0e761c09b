// The StorageVolume kind against a real libvirtd: made, filled, grown, lost, refused and removed; foreign data stays untouched.

import { execFile } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { type Server, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { StoragePool } from '../../../crds/storagepool.ts'
import type { StorageVolumeSpec } from '../../../crds/storagevolume.ts'
import { startLibvirtd, type PrivateLibvirtd } from '../../support/libvirtd.ts'
import { until } from '../../support/until.ts'
import { Stage } from './volume-stage.ts'

let libvirtd: PrivateLibvirtd
let stage: Stage
let pool: StoragePool
let server: Server
let scratch: string
const served = new Map<string, Buffer>()
const run = promisify(execFile)
const folder = '/var/lib/vireo/images'
const outside = (name: string): string => join(libvirtd.root, folder, name)
const virsh = (...args: string[]): Promise<string> => libvirtd.execOk(['virsh', ...args])
const files = async (): Promise<string[]> => (await libvirtd.execOk(['ls', folder])).split('\n').filter(name => name !== '').toSorted()
const info = async (name: string): Promise<{ format: string; 'virtual-size': number; 'backing-filename'?: string }> =>
  JSON.parse(await libvirtd.execOk(['qemu-img', 'info', '-U', '--output=json', `${folder}/${name}`]))
const sha256 = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`

/** What the server does beside sending what it has. */
const faults: Record<string, (response: ServerResponse) => void> = {
  '/truncated': response => { response.writeHead(200, { 'content-length': 3_000_000 }); response.write(randomBytes(1_000_000), () => { response.destroy() }) },
  '/to-file': response => { response.writeHead(302, { location: 'file:///etc/passwd' }).end() },
  '/loop': response => { response.writeHead(302, { location: '/loop' }).end() },
  '/huge': response => { response.writeHead(200, { 'content-length': 2 ** 52 }); response.write(randomBytes(10_000)) },
  '/busy': response => { response.writeHead(503).end() },
  '/unsized': response => { response.writeHead(200); response.end(randomBytes(1000)) },
  '/moved': response => { response.writeHead(301, { location: '/disk.qcow2' }).end() },
}
/** Held back until released: a transfer that is under way for as long as a test needs. */
let release: (() => void) | undefined

beforeAll(async () => {
  libvirtd = await startLibvirtd({ name: 'volumes' })
  scratch = await mkdtemp(join(tmpdir(), 'vireo-images-'))
  server = createServer((request, response) => {
    const path = request.url!.split('?')[0]!
    const fault = faults[path]
    if (fault) return fault(response)
    const bytes = served.get(path === '/slow' ? '/disk.qcow2' : path)
    if (bytes === undefined) return response.writeHead(404).end()
    response.writeHead(200, { 'content-length': bytes.length })
    if (path !== '/slow') return response.end(bytes)
    response.write(bytes.subarray(0, 300_000))
    release = () => { response.end(bytes.subarray(300_000)) }
  })
  await new Promise<void>(resolve => { server.listen(0, '127.0.0.1', resolve) })
  await run('qemu-img', ['create', '-q', '-f', 'raw', join(scratch, 'raw'), '8M'])
  const raw = await open(join(scratch, 'raw'), 'r+')
  await raw.write(randomBytes(3_000_000), 0, 3_000_000, 1_000_000)
  await raw.close()
  await run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', join(scratch, 'raw'), join(scratch, 'qcow2')])
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-b', '/etc/passwd', '-F', 'raw', join(scratch, 'backed'), '8M'])
  await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', `data_file=${join(scratch, 'data')}`, join(scratch, 'external'), '8M'])
  served.set('/disk.raw', await readFile(join(scratch, 'raw')))
  served.set('/disk.qcow2', await readFile(join(scratch, 'qcow2')))
  served.set('/backed', await readFile(join(scratch, 'backed')))
  served.set('/external', await readFile(join(scratch, 'external')))
  served.set('/packed.gz', Buffer.from([0x1f, 0x8b, 8, 0, 1, 2, 3, 4]))
})
afterAll(async () => {
  server?.closeAllConnections()
  await new Promise(resolve => { server.close(resolve) })
  await rm(scratch, { recursive: true, force: true })
  await libvirtd?.stop()
})
beforeEach(async () => {
  stage = await Stage.open(libvirtd)
  pool = stage.pool('images', { dir: { path: folder } })
  await stage.settle(pool, 'Available')
})
afterEach(async () => {
  await stage.close()
  for (const name of (await virsh('list', '--all', '--name')).split('\n').filter(line => line.trim() !== '')) {
    await libvirtd.exec(['virsh', 'destroy', name.trim()])
    await virsh('undefine', name.trim())
  }
  await virsh('pool-destroy', 'images')
  await virsh('pool-undefine', 'images')
  await libvirtd.execOk(['sh', '-c', 'rm -rf /var/lib/vireo/*'])
})

const url = (path: string, checksum?: string): NonNullable<StorageVolumeSpec['source']> => {
  const bytes = served.get(path === '/slow' || path === '/moved' ? '/disk.qcow2' : path)
  const sum = checksum ?? (bytes === undefined ? undefined : sha256(bytes))
  return { url: { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, ...(sum === undefined ? { verification: 'None' as const } : { checksum: sum }) } }
}

describe('a volume is made', () => {
  test('empty, qcow2 by default or raw, and deleted', async () => {
    const disk = stage.volume('disk', { capacity: '1Gi' })
    const bare = stage.volume('bare', { capacity: '16Mi', format: 'raw' })
    await stage.settle(disk, 'Available')
    await stage.settle(bare, 'Available')
    expect(await info('disk')).toMatchObject({ format: 'qcow2', 'virtual-size': 2 ** 30 })
    expect(await info('bare')).toMatchObject({ format: 'raw', 'virtual-size': 2 ** 24 })
    expect(stage.get(disk).status).toMatchObject({ type: 'file', path: `${folder}/disk`, format: 'qcow2', capacity: '1Gi', binding: { hypervisor: 'local', name: 'disk', pool: 'images', format: 'qcow2', origin: 'Created' } })
    const before = stage.actions.length
    await stage.reconcile(disk)
    expect(stage.actions.length, 'in sync, nothing is done').toBe(before)
    stage.delete(disk)
    await stage.gone(disk)
    expect(await files()).toEqual(['bare'])
    stage.change(bare, { deletionPolicy: 'Retain' })
    stage.delete(bare)
    await stage.gone(bare)
    expect(await files()).toEqual(['bare'])
  })

  test('with its space taken at once', async () => {
    const full = stage.volume('full', { capacity: '8Mi', preallocation: 'Full' })
    await stage.settle(full, 'Available')
    expect(Number(/Allocation:\s+([0-9.]+) MiB/.exec(await virsh('vol-info', 'full', 'images'))?.[1])).toBeGreaterThanOrEqual(8)
    expect(stage.get(full).status?.binding).toMatchObject({ format: 'qcow2', origin: 'Created' })
  })

  test('above another one, whose deletion then waits for it', async () => {
    const base = stage.volume('base', { capacity: '64Mi' })
    const thin = stage.volume('thin', { backingStore: { volumeRef: { name: 'base' } }, capacity: '128Mi' })
    await stage.settle(thin, 'WaitingForReference')
    await stage.settle(base, 'Available')
    await stage.settle(thin, 'Available')
    expect(await info('thin')).toMatchObject({ 'virtual-size': 2 ** 27, 'backing-filename': `${folder}/base`, 'backing-filename-format': 'qcow2' })
    const small = stage.volume('small', { backingStore: { volumeRef: { name: 'base' } }, capacity: '32Mi' })
    await stage.settle(small, 'Invalid')
    stage.delete(small)
    stage.delete(base)
    await stage.reconcile(base)
    expect(stage.get(base).status?.conditions).toContainEqual(expect.objectContaining({ type: 'DeletionBlocked', reason: 'InUse', message: expect.stringContaining('StorageVolume thin') }))
    stage.delete(pool)
    await stage.reconcile(pool)
    expect(stage.get(pool).status?.conditions).toContainEqual(expect.objectContaining({ type: 'DeletionBlocked', reason: 'InUse' }))
    stage.delete(thin)
    await stage.gone(thin)
    await stage.gone(base)
    expect(await files()).toEqual([])
  })

  test('as a full copy', async () => {
    const origin = stage.volume('origin', { source: url('/disk.qcow2') })
    await stage.settle(origin, 'Available')
    const copy = stage.volume('copy', { source: { clone: { volumeRef: { name: 'origin' } } }, capacity: '32Mi' })
    const raw = stage.volume('raw', { source: { clone: { volumeRef: { name: 'origin' } } }, format: 'raw' })
    await stage.settle(copy, 'Available')
    await stage.settle(raw, 'Available')
    expect(await info('copy')).toMatchObject({ format: 'qcow2', 'virtual-size': 2 ** 25 })
    expect(stage.get(copy).status?.binding?.format).toBe('qcow2')
    expect((await readFile(outside('raw'))).equals(served.get('/disk.raw')!)).toBe(true)
  })
})

describe('an image from the web', () => {
  test('arrives byte for byte, and grows to the size asked for', async () => {
    const raw = stage.volume('raw', { source: url('/disk.raw') })
    const qcow2 = stage.volume('qcow2', { source: url('/moved'), capacity: '64Mi' })
    await stage.settle(raw, 'Available')
    await stage.settle(qcow2, 'Available')
    expect((await readFile(outside('raw'))).equals(served.get('/disk.raw')!)).toBe(true)
    expect(stage.get(raw).status).toMatchObject({ format: 'raw', capacity: '8Mi' })
    expect(stage.get(qcow2).status).toMatchObject({ format: 'qcow2', capacity: '64Mi', binding: { format: 'qcow2' } })
    expect(await info('qcow2')).toMatchObject({ 'virtual-size': 2 ** 26 })
    await libvirtd.execOk(['qemu-img', 'convert', '-O', 'raw', `${folder}/qcow2`, `${folder}/compared`])
    expect((await readFile(outside('compared'))).subarray(0, 2 ** 23).equals(served.get('/disk.raw')!)).toBe(true)
  })

  test.each([
    ['/nothing', undefined, 'SourceFailed', '404'],
    ['/disk.qcow2', `sha256:${'0'.repeat(64)}`, 'SourceFailed', 'has the checksum sha256:'],
    ['/disk.raw', `sha512:${'0'.repeat(128)}`, 'SourceFailed', 'has the checksum sha512:'],
    ['/truncated', undefined, 'SourceFailed', 'of 3000000 bytes'],
    ['/to-file', undefined, 'SourceFailed', 'redirects to file:'],
    ['/loop', undefined, 'SourceFailed', 'more than 5 times'],
    ['/huge', undefined, 'SourceFailed', 'has room for'],
    ['/unsized', undefined, 'SourceFailed', 'Content-Length'],
    ['/backed', undefined, 'SourceFailed', 'names a backing file'],
    ['/external', undefined, 'SourceFailed', 'external data file'],
    ['/packed.gz', undefined, 'SourceFailed', 'gzip'],
    ['/busy', undefined, 'Transferring', '503'],
  ])('%s %s: %s, and no half volume', async (path, checksum, reason, words) => {
    const volume = stage.volume('image', { source: url(path, checksum) })
    if (reason === 'Transferring') await until('the server was asked', async () => { await stage.reconcile(volume); return stage.message(volume)?.includes(words) })
    else await stage.settle(volume, reason)
    expect(stage.reason(volume)).toBe(reason)
    expect(stage.message(volume)).toContain(words)
    expect(stage.get(volume).status?.binding, 'the spec may be mended in place').toBeUndefined()
    expect(await files()).toEqual([])
    stage.delete(volume)
    await stage.gone(volume)
  })

  test('a mended spec is tried at once', async () => {
    const volume = stage.volume('image', { source: url('/nothing') })
    await stage.settle(volume, 'SourceFailed')
    stage.change(volume, { source: url('/disk.qcow2') })
    await stage.settle(volume, 'Available')
    expect(await files()).toEqual(['image'])
  })

  test('half written when the controller dies is begun again, never passed for whole', async () => {
    const volume = stage.volume('image', { source: url('/slow') })
    await until('bytes are on the host', async () => { await stage.reconcile(volume); return existsSync(outside('image')) })
    expect(stage.reason(volume)).toBe('Transferring')
    expect(stage.get(volume).status?.binding).toEqual({ hypervisor: 'local', name: 'image', pool: 'images', origin: 'Created' })
    stage.restart()
    release!()
    await stage.host.refresh(`pool/${stage.get(pool).status!.binding!.uuid}`)
    await until('it begins again', async () => { await stage.reconcile(volume); return stage.actions.includes('image: HalfRemoved') })
    await until('bytes are on the host', async () => { await stage.reconcile(volume); return stage.actions.filter(action => action === 'image: TransferStarted').length === 2 })
    release!()
    await stage.settle(volume, 'Available')
    expect((await readFile(outside('image'))).subarray(0, served.get('/disk.qcow2')!.length).equals(served.get('/disk.qcow2')!)).toBe(true)
  })

  test('under way when the object is deleted is stopped and removed', async () => {
    const volume = stage.volume('image', { source: url('/slow') })
    await until('bytes are on the host', async () => { await stage.reconcile(volume); return existsSync(outside('image')) })
    stage.delete(volume)
    await stage.gone(volume)
    expect(await files()).toEqual([])
  })
})

describe('what is not ours', () => {
  test('a volume of that name, or a file that the pool has not seen, is a Conflict and stays', async () => {
    await virsh('vol-create-as', 'images', 'theirs', '1M', '--format', 'raw')
    await writeFile(outside('unseen'), 'precious')
    await writeFile(outside('unseen2'), 'precious')
    await stage.host.refresh(`volume/${stage.get(pool).status!.binding!.uuid}/theirs`)
    for (const [name, spec] of [['theirs', { capacity: '1Mi' }], ['unseen', { capacity: '1Gi' }], ['unseen2', { source: url('/disk.qcow2') }]] as const) {
      const volume = stage.volume(name, spec)
      await stage.settle(volume, 'Conflict')
      stage.delete(volume)
      await stage.gone(volume)
    }
    expect(await files()).toEqual(['theirs', 'unseen', 'unseen2'])
    expect(await readFile(outside('unseen'), 'utf8')).toBe('precious')
  })

  test('an annotation that anybody can write takes no data from anybody', async () => {
    await virsh('vol-create-as', 'images', 'victim', '8M', '--format', 'raw', '--allocation', '8M')
    await stage.host.refresh(`volume/${stage.get(pool).status!.binding!.uuid}/victim`)
    const forged = { annotations: { 'vireo.dev/intent': 'images/victim' }, finalizers: ['vireo.dev/finalizer'] }
    for (const spec of [{ capacity: '8Mi', format: 'raw' }, { source: url('/disk.qcow2') }]) {
      const volume = stage.volume('victim', spec, forged)
      await stage.settle(volume, 'Conflict')
      stage.delete(volume)
      await stage.gone(volume)
      expect(await files()).toEqual(['victim'])
    }
  })

  test('is taken over where policy and spec say so, and stays when the object goes', async () => {
    await stage.close()
    stage = await Stage.open(libvirtd, { foreignObjects: 'Adopt' })
    pool = stage.pool('images', { dir: { path: folder } })
    await stage.settle(pool, 'Available')
    await virsh('vol-create-as', 'images', 'legacy', '8M', '--format', 'qcow2')
    await stage.host.refresh(`volume/${stage.get(pool).status!.binding!.uuid}/legacy`)
    const volume = stage.volume('legacy', { capacity: '16Mi', adoptionPolicy: 'IfUnchanged' })
    await stage.settle(volume, 'Conflict')
    stage.change(volume, { adoptionPolicy: 'Always' })
    await stage.settle(volume, 'Available')
    expect(stage.get(volume).status?.binding).toMatchObject({ format: 'qcow2', origin: 'Adopted' })
    expect(await info('legacy')).toMatchObject({ 'virtual-size': 2 ** 24 })
    stage.delete(volume)
    await stage.gone(volume)
    expect(await files()).toEqual(['legacy'])
  })
})

describe('a volume that is there', () => {
  test('crashed before the status, is found again and not made twice', async () => {
    const volume = stage.volume('disk', { capacity: '1Gi' })
    await stage.reconcile(volume, 'status')
    expect(await files()).toEqual(['disk'])
    stage.restart()
    await stage.settle(volume, 'Available')
    expect(stage.actions.filter(action => action === 'disk: Created')).toHaveLength(1)
    expect(stage.get(volume).status?.binding?.origin).toBe('Created')
  })

  test('grows in place and never shrinks', async () => {
    const volume = stage.volume('disk', { capacity: '64Mi' })
    await stage.settle(volume, 'Available')
    stage.change(volume, { capacity: '128Mi' })
    await stage.settle(volume, 'Available')
    await stage.reconcile(volume)
    expect(await info('disk')).toMatchObject({ 'virtual-size': 2 ** 27 })
    expect(stage.get(volume).status?.capacity).toBe('128Mi')
    stage.change(volume, { capacity: '64Mi' })
    await stage.settle(volume, 'Invalid')
    expect(await info('disk')).toMatchObject({ 'virtual-size': 2 ** 27 })
  })

  test('grows under a running domain, which also keeps it from being deleted', async () => {
    const volume = stage.volume('disk', { capacity: '64Mi' })
    await stage.settle(volume, 'Available')
    await libvirtd.execOk(['sh', '-c', 'cat > /tmp/guest.xml && virsh create /tmp/guest.xml && rm /tmp/guest.xml'], {
      input: `<domain type='qemu'><name>guest</name><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='q35'>hvm</type></os>
        <devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='${folder}/disk'/><target dev='vda' bus='virtio'/></disk></devices></domain>`,
      timeoutMs: 60_000,
    })
    await until('the guest is seen', () => stage.host.mirror.domainByName('guest')?.live)
    stage.change(volume, { capacity: '128Mi' })
    await stage.reconcile(volume)
    expect(stage.actions.at(-1)).toBe('disk: BlockResized')
    expect(stage.reason(volume)).toBe('Available')
    expect(stage.get(volume).status?.capacity).toBe('128Mi')
    expect(await virsh('domblkinfo', 'guest', 'vda')).toMatch(/Capacity:\s+134217728/)
    stage.delete(volume)
    await stage.reconcile(volume)
    expect(stage.get(volume).status?.conditions).toContainEqual(expect.objectContaining({ type: 'DeletionBlocked', message: expect.stringContaining('1 domain that vireo does not manage') }))
    await virsh('destroy', 'guest')
    await until('its end is seen', () => stage.host.mirror.domainByName('guest') === undefined)
    await stage.gone(volume)
    expect(await files()).toEqual([])
  }, 90_000)

  test('removed by hand is Lost and not made anew, whatever changes; deleting the object ends it', async () => {
    const volume = stage.volume('disk', { capacity: '64Mi' })
    await stage.settle(volume, 'Available')
    await rm(outside('disk'))
    await stage.host.refresh(`pool/${stage.get(pool).status!.binding!.uuid}`)
    await stage.settle(volume, 'Lost')
    stage.restart()
    stage.change(volume, { capacity: '128Mi' })
    await stage.settle(volume, 'Lost')
    expect(await files()).toEqual([])
    expect(stage.get(volume).status?.binding?.format).toBe('qcow2')
    stage.delete(volume)
    await stage.gone(volume)
  })

  test('raw into which a guest wrote a qcow2 header stays raw: not followed, not grown, not copied, and no one else\'s deletion waits for it', async () => {
    const other = stage.volume('other', { capacity: '8Mi' })
    const volume = stage.volume('disk', { capacity: '8Mi', format: 'raw' })
    await stage.settle(other, 'Available')
    await stage.settle(volume, 'Available')
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-u', '-b', `${folder}/other`, '-F', 'qcow2', join(scratch, 'evil'), '1T'])
    const file = await open(outside('disk'), 'r+')
    await file.write(await readFile(join(scratch, 'evil')))
    await file.close()
    await stage.host.refresh(`pool/${stage.get(pool).status!.binding!.uuid}`)
    expect(stage.host.mirror.volumeByPath(`${folder}/disk`)).toMatchObject({ format: 'qcow2', backing: `${folder}/other`, capacity: 2 ** 40 })
    await stage.reconcile(volume)
    expect(stage.reason(volume)).toBe('Available')
    expect(stage.get(volume).status).toMatchObject({ format: 'raw', capacity: '8Mi', binding: { format: 'raw' } })
    const copy = stage.volume('copy', { source: { clone: { volumeRef: { name: 'disk' } } } })
    await stage.settle(copy, 'SourceFailed')
    expect(stage.message(copy)).toContain('looks like qcow2 though it is raw by record')
    stage.change(volume, { capacity: '16Mi' })
    await stage.settle(volume, 'Unsupported')
    stage.delete(other)
    await stage.gone(other)
    expect(await files()).toEqual(['disk'])
  })

  test('goes with a pool that was undefined by hand', async () => {
    const volume = stage.volume('disk', { capacity: '8Mi' })
    await stage.settle(volume, 'Available')
    await virsh('pool-destroy', 'images')
    await virsh('pool-undefine', 'images')
    await until('the host says so', () => stage.host.mirror.poolByName('images') === undefined)
    stage.delete(volume)
    await stage.gone(volume)
    expect(await files()).toEqual(['disk'])
    await virsh('pool-define-as', 'images', 'dir', '--target', folder)
    await virsh('pool-start', 'images')
  })
})
