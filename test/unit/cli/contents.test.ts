// Objects that only look: one for each thing on a host, under names that the API takes.

import { describe, expect, test } from 'vitest'
import { type Contents, contentsOf, observers } from '../../../cli/contents.ts'
import { manifestsOf, nameFor } from '../../../cli/import.ts'
import { validateObject } from '../../../crds/validate.ts'
import { TestDriver } from '../../../drivers/test/driver.ts'

const empty: Contents = { domains: [], networks: [], pools: [] }
const named = (contents: Partial<Contents>): unknown => observers({ ...empty, ...contents }, 'kvm7', 'default').manifests.map(({ kind, metadata, spec }) => [kind, metadata.name, spec['name']])

describe('objects', () => {
  test('stand for what is there: pools before their volumes, and every one is valid', () => {
    const { manifests, skipped } = observers({ domains: ['web'], networks: ['default'], pools: [{ name: 'images', volumes: ['a.img', 'b/c'] }, { name: 'off', volumes: [] }] }, 'kvm7', 'team')
    expect(manifests).toEqual([
      { apiVersion: 'vireo.dev/v1alpha1', kind: 'VirtualNetwork', metadata: { name: 'default', namespace: 'team' }, spec: { managementPolicy: 'ObserveOnly', hypervisorRef: { name: 'kvm7' }, name: 'default' } },
      { apiVersion: 'vireo.dev/v1alpha1', kind: 'StoragePool', metadata: { name: 'images', namespace: 'team' }, spec: { managementPolicy: 'ObserveOnly', hypervisorRef: { name: 'kvm7' }, name: 'images' } },
      { apiVersion: 'vireo.dev/v1alpha1', kind: 'StorageVolume', metadata: { name: 'a.img', namespace: 'team' }, spec: { managementPolicy: 'ObserveOnly', poolRef: { name: 'images' }, name: 'a.img' } },
      { apiVersion: 'vireo.dev/v1alpha1', kind: 'StoragePool', metadata: { name: 'off', namespace: 'team' }, spec: { managementPolicy: 'ObserveOnly', hypervisorRef: { name: 'kvm7' }, name: 'off' } },
      { apiVersion: 'vireo.dev/v1alpha1', kind: 'VirtualDomain', metadata: { name: 'web', namespace: 'team' }, spec: { managementPolicy: 'ObserveOnly', hypervisorRef: { name: 'kvm7' }, name: 'web' } },
    ])
    expect(skipped).toEqual(['the volume b/c of the pool images'])
    for (const manifest of manifests) expect(validateObject(manifest)).toEqual([])
  })

  test('have names that the API takes, whatever libvirt calls them, and no two the same', () => {
    expect(named({ domains: ['Win 10 (Büro)', 'win-10-b-ro', '---', 'a..b', 'x'.repeat(255), '日本'] })).toEqual([
      ['VirtualDomain', 'win-10-b-ro', 'Win 10 (Büro)'],
      ['VirtualDomain', expect.stringMatching(/^win-10-b-ro-[0-9a-f]{8}$/), 'win-10-b-ro'],
      ['VirtualDomain', expect.stringMatching(/^[0-9a-f]{8}$/), '---'],
      ['VirtualDomain', 'a.b', 'a..b'],
      ['VirtualDomain', 'x'.repeat(200), 'x'.repeat(255)],
      ['VirtualDomain', expect.stringMatching(/^[0-9a-f]{8}$/), '日本'],
    ])
  })

  test('volumes of the same name in two pools have the pool in the name of the second', () => {
    expect(named({ pools: [{ name: 'one', volumes: ['root'] }, { name: 'two', volumes: ['root'] }] })).toEqual([
      ['StoragePool', 'one', 'one'], ['StorageVolume', 'root', 'root'], ['StoragePool', 'two', 'two'], ['StorageVolume', 'two-root', 'root'],
    ])
  })

  test('are named alike each time', () => {
    const contents = { ...empty, domains: ['A', 'a', 'ä'] }
    expect(observers(contents, 'h', 'n')).toEqual(observers(contents, 'h', 'n'))
  })
})

test('seeds of cloud-init are no objects of their own', async () => {
  const connection = await new TestDriver().open('test:///default', { callTimeout: 1_000, keepAliveInterval: 1_000, keepAliveCount: 1 })
  const [pool] = await connection.connectListAllStoragePools()
  for (const name of ['vireo-6f1c2d3e-0000-5000-8000-000000000001-0123abcd', 'data']) await connection.storageVolCreateXML(pool!, `<volume><name>${name}</name><capacity>1024</capacity></volume>`, 0)
  expect(await contentsOf(connection)).toEqual({ domains: ['test'], networks: ['default'], pools: [{ name: 'default-pool', volumes: ['data'] }] })
})

test('vireo import prints what may be applied', async () => {
  const text = await manifestsOf('test:///default', { namespace: 'default', allowLocalUris: false }, () => undefined, new AbortController().signal)
  expect(text).toMatch(/^apiVersion: vireo\.dev\/v1alpha1\nkind: Hypervisor\nmetadata:\n {2}name: embedded\nspec:\n {2}uri: test:\/\/\/default\n {2}policy:\n {4}foreignObjects: Observe\n---\n/)
  expect(text.split('---\n')).toHaveLength(4)
})

test('a Hypervisor is called after its host', () => {
  expect(['qemu:///system', 'lxc:///system', 'test:///default', 'qemu+ssh://root@KVM_7.example.org/system', 'qemu+tls://[fd00::1]/system'].map(nameFor)).toEqual(['local', 'lxc', 'embedded', 'kvm-7.example.org', 'fd00-1'])
})
