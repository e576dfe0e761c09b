// The cloud-init seed: what is in its files, what the image says to a reader of our own, and when it is made and removed.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { Connection, StorageVolRef, UploadStream } from '../../../drivers/driver.ts'
import { ErrorNumber, LibvirtError } from '../../../drivers/errors.ts'
import type { Host } from '../../../observed/host.ts'
import { Streams } from '../../../observed/streams.ts'
import { isoImage } from '../../../reconcilers/domain/iso.ts'
import { performDomain } from '../../../reconcilers/domain/perform.ts'
import { seedActions, seedFiles, seedName, seedPrefix } from '../../../reconcilers/domain/seed.ts'
import { Bed, SHORTEST, types } from './domain-bed.ts'

const SECTOR = 2048
interface Volume { label: string; sectors: number; files: Record<string, string> }

/** Reads one of the two trees of an image as ECMA-119 lays it down: the descriptor, its root directory, the files. */
function read(image: Buffer, type: 1 | 2): Volume {
  let at = 16
  while (image[at * SECTOR] !== type) {
    if (image[at * SECTOR] === 255) throw new Error(`no volume descriptor of type ${type}`)
    at++
  }
  const descriptor = image.subarray(at * SECTOR, (at + 1) * SECTOR)
  expect(descriptor.toString('latin1', 1, 6)).toBe('CD001')
  const both = (bytes: Buffer, offset: number): number => { expect(bytes.readUInt32LE(offset)).toBe(bytes.readUInt32BE(offset + 4)); return bytes.readUInt32LE(offset) }
  const text = (bytes: Buffer): string => (type === 1 ? bytes.toString('latin1') : Buffer.from(bytes).swap16().toString('utf16le')).trimEnd()
  expect([descriptor.readUInt16LE(128), descriptor.readUInt16BE(130)]).toEqual([SECTOR, SECTOR])
  const root = { sector: both(descriptor, 158), size: both(descriptor, 166) }
  const directory = image.subarray(root.sector * SECTOR, root.sector * SECTOR + root.size)
  const files: Record<string, string> = {}
  for (let offset = 0; directory[offset]! > 0; offset += directory[offset]!) {
    const record = directory.subarray(offset, offset + directory[offset]!)
    const identifier = record.subarray(33, 33 + record[32]!)
    if ((record[25]! & 2) !== 0) { expect(identifier.length).toBe(1); expect(both(record, 2)).toBe(root.sector); continue }
    const start = both(record, 2) * SECTOR
    files[text(identifier)] = image.toString('utf8', start, start + both(record, 10))
  }
  // The path tables of both byte orders lead to the same root.
  expect(image.readUInt32LE(descriptor.readUInt32LE(140) * SECTOR + 2)).toBe(root.sector)
  expect(image.readUInt32BE(descriptor.readUInt32BE(148) * SECTOR + 2)).toBe(root.sector)
  return { label: text(descriptor.subarray(40, 72)), sectors: both(descriptor, 80), files }
}

describe('the image', () => {
  test('holds its files under their own names, with the label that cloud-init looks for', () => {
    const files = { 'meta-data': 'instance-id: "1"\n', 'user-data': '#cloud-config\nß 🐦\n', 'network-config': '' }
    const image = isoImage('cidata', files)
    expect(read(image, 2)).toEqual({ label: 'cidata', sectors: image.length / SECTOR, files })
    expect(read(image, 1)).toEqual({ label: expect.stringMatching(/^cidata$/i) as string, sectors: image.length / SECTOR, files: { 'META_DAT.;1': files['meta-data'], 'USER_DAT.;1': files['user-data'], 'NETWORK_.;1': '' } })
  })

  test('holds whatever is put in, whole', () => {
    const content = fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }).filter(text => text.isWellFormed()), fc.integer({ min: 2040, max: 6200 }).map(length => 'x'.repeat(length)))
    fc.assert(fc.property(content, content, (meta, user) => {
      const files = { 'meta-data': meta, 'user-data': user }
      const image = isoImage('cidata', files)
      expect(read(image, 2).files).toEqual(files)
      expect(image.length % SECTOR).toBe(0)
    }))
  })

  test('is the same bytes for the same files, in whatever order', () => {
    expect(isoImage('cidata', { a: '1', b: '2' }).equals(isoImage('cidata', { b: '2', a: '1' }))).toBe(true)
  })
})

describe('the files', () => {
  const defaults = { hostname: 'web', uuid: '6f1c2d3e-0000-5000-8000-000000000001' }
  test('the short form is a user with keys and no password', () => {
    const files = seedFiles({ user: { name: 'admin', sshAuthorizedKeys: ['ssh-ed25519 AAAA admin@host'] } }, defaults, {})
    expect(files['user-data'].startsWith('#cloud-config\n')).toBe(true)
    expect(parse(files['user-data'])).toEqual({ users: [expect.objectContaining({ name: 'admin', lock_passwd: true, ssh_authorized_keys: ['ssh-ed25519 AAAA admin@host'] })] })
    expect(parse(files['meta-data'])).toEqual({ 'instance-id': defaults.uuid, 'local-hostname': 'web' })
    expect(files).not.toHaveProperty('network-config')
  })

  test('no value can break out of its place', () => {
    const text = fc.string({ unit: 'grapheme-ascii', maxLength: 40 })
    fc.assert(fc.property(text, text, text, (name, key, hostname) => {
      const files = seedFiles({ hostname, user: { name, sshAuthorizedKeys: [key] } }, defaults, {})
      expect(parse(files['meta-data'])).toMatchObject({ 'local-hostname': hostname })
      expect(parse(files['user-data'])).toMatchObject({ users: [{ name, ssh_authorized_keys: [key] }] })
    }))
  })

  test('userData, networkData and metaData are given as they are', () => {
    const files = seedFiles({ instanceID: '7' }, defaults, { userData: '#!/bin/sh\n', networkData: 'version: 2\n', metaData: 'region: x\n' })
    expect([files['user-data'], files['network-config']]).toEqual(['#!/bin/sh\n', 'version: 2\n'])
    expect(parse(files['meta-data'])).toEqual({ 'instance-id': '7', 'local-hostname': 'web', region: 'x' })
  })

  test('the name tells whose it is and what is in it', () => {
    const name = (user: string): string => seedName(defaults.uuid, { 'meta-data': 'm', 'user-data': user })
    expect(name('a')).toMatch(new RegExp(`^${seedPrefix(defaults.uuid)}[0-9a-f]{12}\\.iso$`))
    expect(name('a')).toBe(name('a'))
    expect(name('a')).not.toBe(name('b'))
  })
})

describe('the plan', () => {
  const spec = { ...SHORTEST, cloudInit: { user: { name: 'admin' } } }
  const wanted = { pool: 'p', name: 'n.iso', path: '/n.iso', files: { 'meta-data': '', 'user-data': '' }, present: false }

  test('writes the seed before the domain that refers to it, and the seed is its last disk', () => {
    const { actions } = new Bed({ spec }).plan()
    expect(types(actions)).toEqual(['SeedWritten', 'Defined', 'Started'])
    const [seed, defined] = actions
    const name = seed?.type === 'SeedWritten' ? seed.name : ''
    expect(defined?.type === 'Defined' && defined.xml).toContain(`<source file="/var/lib/vireo/images/${name}"/>`)
  })

  test.each<[string, Parameters<typeof seedActions>[0], string[]]>([
    ['none wanted, none there', undefined, []],
    ['wanted and there', { wanted: { ...wanted, present: true }, stale: [] }, []],
    ['wanted and not there', { wanted, stale: [] }, ['SeedWritten']],
    ['an older one beside it', { wanted: { ...wanted, present: true }, stale: [{ pool: 'p', name: 'old.iso' }] }, ['SeedRemoved']],
    ['none wanted, one left', { stale: [{ pool: 'p', name: 'old.iso' }] }, ['SeedRemoved']],
  ])('%s', (_, input, actions) => {
    expect(types(seedActions(input))).toEqual(actions)
    expect(seedActions(input).every(action => action.guarded)).toBe(true)
  })

  test('its secrets are in no sentence', () => {
    const bed = new Bed({ spec: { ...SHORTEST, cloudInit: { userData: { secretRef: { name: 'ci', key: 'userData' } } } } })
    bed.secrets['ci'] = { userData: '#cloud-config\npassword: hunter2\n' }
    const { actions, ...rest } = bed.plan()
    expect(types(actions)).toContain('SeedWritten')
    expect(JSON.stringify([rest, actions.map(action => action.reason)])).not.toContain('hunter2')
    expect(actions.flatMap(action => (action.type === 'Defined' ? [action.xml] : [])).join()).not.toContain('hunter2')
  })
})

describe('writing it', () => {
  test('waits for no upload in a worker: the next free connection is kept for it, and it is woken then', async () => {
    const bed = new Bed({ spec: { ...SHORTEST, cloudInit: { user: { name: 'admin' } } } })
    const inputs = bed.kind.gather(bed.world, bed.object)
    const [seed] = bed.plan().actions
    const log: string[] = []
    const volume: StorageVolRef = { pool: 'images', name: 'seed', key: '/seed' }
    const upload: UploadStream = { write: async chunk => { log.push(`wrote ${chunk.length > 0}`) }, finish: async () => { log.push('finished') }, abort: async () => undefined }
    const connection = {
      storageVolLookupByName: () => Promise.reject(new LibvirtError({ code: ErrorNumber.NO_STORAGE_VOL, domain: 18, level: 2, message: 'no volume', procedure: 'storageVolLookupByName' })),
      storageVolCreateXML: async () => { log.push('created'); return volume },
      storageVolGetPath: async () => '/seed',
      storageVolUpload: async () => upload,
      close: async () => { log.push('closed') },
    } as unknown as Connection
    const streams = new Streams({ max: 1, clock: bed.clock, open: async () => connection })
    const host = { mirror: bed.mirror, streams, use: () => connection, refresh: async () => undefined } as unknown as Host
    const verifiedSeeds = new Set<string>()
    const perform = (): Promise<void> => performDomain(seed!, { ...inputs, bound: { ...inputs.bound, host } }, { verifiedSeeds, wake: key => { log.push(`woken ${key}`) } })
    const busy = await streams.take(new AbortController().signal)
    await expect(perform()).rejects.toMatchObject({ standing: { reason: 'Updating', message: expect.stringMatching(/Hypervisor kvm7 .*maxConnections is 1/) } })
    expect(log).toEqual([])
    await busy.release()
    expect(log).toEqual(['woken VirtualDomain/shop/web'])
    await perform()
    expect(log.slice(1)).toEqual(['created', 'wrote true', 'finished', 'closed'])
    expect([...verifiedSeeds]).toEqual(['/seed'])
    expect(streams.takeSoon('another', () => undefined), 'its place is free again').toBeDefined()
  })
})
