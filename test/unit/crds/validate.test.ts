import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { describe, expect, test } from 'vitest'
import { validateObject } from '../../../crds/validate.ts'

const domain = (spec: unknown) => ({ apiVersion: 'vireo.dev/v1alpha1', kind: 'VirtualDomain', metadata: { name: 'web' }, spec })

test.each([
  ['an unknown field', { memori: '1Gi' }, 'spec', 'has no field memori'],
  ['an unknown field of an entry', { disks: [{ name: 'root', iotune: {} }] }, 'spec.disks[0]', 'has no field iotune'],
  ['a word that is none of the enumeration', { powerState: 'On' }, 'spec.powerState', 'On is none of Running, Stopped, Paused, Unmanaged'],
  ['a boolean where YAML 1.1 read one', { autostart: false }, 'spec.autostart', 'is the boolean false, as kubectl reads on, off, yes and no: write a text in quotes'],
  ['null for an object', { tpm: null }, 'spec.tpm', 'is null: write {} for an object without settings, or leave it out'],
  ['settings of what has none', { os: { firmware: { bios: { x: 1 } } } }, 'spec.os.firmware.bios', 'takes no settings: write {}'],
  ['null for a quantity', { memory: null }, 'spec.memory', 'is null: write a value, or leave it out'],
  ['a boolean for a quantity', { memory: true }, 'spec.memory', 'true is neither a number nor a text'],
  ['too small a number', { cpus: 0 }, 'spec.cpus', '0 is less than 1'],
  ['an empty text', { title: '' }, 'spec.title', 'is empty'],
  ['too long a text', { title: 'x'.repeat(256) }, 'spec.title', 'is longer than 255 characters'],
  ['a missing key', { disks: [{}] }, 'spec.disks[0]', 'needs the field name'],
  ['a name twice', { interfaces: [{ name: 'lan' }, { name: 'wan' }, { name: 'lan' }] }, 'spec.interfaces', 'has lan more than once as name'],
  ['a member of a set twice', { cloudInit: { user: { name: 'a', sshAuthorizedKeys: ['k', 'k'] } } }, 'spec.cloudInit.user.sshAuthorizedKeys', 'has "k" more than once'],
  ['too many entries', { interfaces: Array.from({ length: 33 }, (_, i) => ({ name: `n${i}` })) }, 'spec.interfaces', 'has more than 32 entries'],
])('refuses %s', (_, spec, path, message) => {
  expect(validateObject(domain(spec))).toEqual([{ path, message }])
})

test('names every fault of an object, not only the first', () => {
  expect(validateObject(domain({ cpus: 0, maxCpus: 'two', tpm: null }))).toHaveLength(3)
})

test('refuses what is of no kind', () => {
  expect(validateObject({ apiVersion: 'v1', kind: 'Pod' })[0]?.message).toMatch(/^is of no kind of vireo.dev\/v1alpha1: Hypervisor,/)
  expect(validateObject(null)).toHaveLength(1)
})

describe('samples', async () => {
  const folder = join(import.meta.dirname, '../../../manifests/samples')
  test.each(await readdir(folder))('%s is valid', async file => {
    for (const document of parseAllDocuments(await readFile(join(folder, file), 'utf8'), { version: '1.1' })) expect(validateObject(document.toJS())).toEqual([])
  })
})
