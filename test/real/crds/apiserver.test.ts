// The CRDs on a real kube-apiserver, through the real kubectl.

import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { kinds } from '../../../crds/kinds.ts'
import { startControlPlane, type ControlPlane } from '../../../scripts/devcluster/controlplane.ts'
import { changes, refused, refusedByClient } from './refused.ts'

const manifests = join(import.meta.dirname, '../../../manifests')
let dir: string
let plane: ControlPlane

const strict = ['--validate=strict', '--server-side']

/** kubectl that has to succeed; answers what it printed. */
async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await plane.kubectl(args, input)
  expect(code, `kubectl ${args.join(' ')}\n${stderr}`).toBe(0)
  return stdout
}

const manifest = (kind: string, name: string, spec: string): string => `apiVersion: vireo.dev/v1alpha1\nkind: ${kind}\nmetadata: {name: ${name}}\nspec: ${spec}\n`

/** kubectl takes a patch that begins with a brace for JSON. */
const mergePatch = (kind: string, name: string, yaml: string, ...args: string[]): string[] =>
  ['patch', kind, name, '--type=merge', ...args, '-p', JSON.stringify(parse(yaml))]
const patchStatus = (kind: string, name: string, status: string): Promise<string> =>
  kubectl(mergePatch(kind, name, `{status: ${status}}`, '--subresource=status'))

/** What the API server complained about, without kubectl's preamble and the note that CEL was not tried on what has the wrong shape. */
function complaints(stderr: string): string[] {
  return stderr.trim()
    .replace(/^The \w+ "[^"]+" is invalid: ?/, '')
    .replace(/^Error from server[^\n]*?\): /, '')
    .replace(/^error when creating "STDIN": \w+ in version "\w+" cannot be handled as a \w+: /, '')
    .split(/\n?\* /)
    .filter(line => line !== '' && !line.startsWith('<nil>: Invalid value: null: some validation rules were not checked'))
}

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vireo-crds-'))
  plane = await startControlPlane({ dir, durable: false })
  await kubectl(['apply', '-k', join(manifests, 'install')])
  await kubectl(['wait', '--for=condition=Established', '--timeout=30s', ...kinds.map(({ resource }) => `crd/${resource.plural}.${resource.group}`)])
}, 900_000)

afterAll(async () => {
  await plane?.stop()
  if (dir) await rm(dir, { recursive: true, force: true })
})

test('every CRD is accepted as it was written: nothing is dropped, no rule is over the budget', async () => {
  for (const { resource } of kinds) {
    const name = `${resource.plural}.${resource.group}`
    const stored = JSON.parse(await kubectl(['get', 'crd', name, '-o', 'json'])) as { spec: unknown; status: { conditions: { type: string; status: string }[] } }
    const written = parse(await readFile(join(manifests, 'crds', `${name}.yaml`), 'utf8')) as { spec: object }
    expect(stored.spec).toMatchObject(written.spec)
    expect(stored.status.conditions.filter(({ type, status }) => type === 'NonStructuralSchema' || (type === 'Established' && status !== 'True'))).toEqual([])
  }
})

test.each([['the samples', '-f', join(manifests, 'samples')], ['every field of this release', '-f', join(import.meta.dirname, 'manifests.yaml')]])(
  '%s apply, server-side and client-side, and applying again changes nothing', async (_, ...file) => {
    const output = ['-o', 'jsonpath={range .items[*]}{.kind}/{.metadata.name} {.metadata.generation}{"\\n"}{end}']
    await kubectl(['apply', ...strict, ...file])
    const first = await kubectl(['get', ...file, ...output])
    await kubectl(['apply', ...strict, ...file])
    expect(await kubectl(['get', ...file, ...output])).toBe(first)
    await kubectl(['delete', ...file])
    await kubectl(['apply', '--validate=strict', ...file])
    await kubectl(['apply', '--validate=strict', ...file])
    expect(await kubectl(['get', ...file, ...output])).toBe(first)
    await kubectl(['delete', ...file])
  })

test('what the API server fills in are policies that are true of every object, and a status that nobody has seen', async () => {
  const filled = async (kind: string, spec: string): Promise<unknown> => {
    const { spec: stored, status } = JSON.parse(await kubectl(['apply', ...strict, '--dry-run=server', '-o', 'json', '-f', '-'], manifest(kind, 'probe', spec))) as { spec: unknown; status: unknown }
    expect(status).toEqual({ observedGeneration: -1 })
    return stored
  }
  const host = { managementPolicy: 'Full', adoptionPolicy: 'Never' }
  expect(await filled('Hypervisor', '{uri: "test:///default"}')).toEqual({
    uri: 'test:///default', managementPolicy: 'Full', nameFormat: 'Auto',
    policy: { namespaceSelector: {}, hostPaths: ['/var/lib/vireo'], rawXML: 'Forbidden', foreignObjects: 'Forbidden' },
  })
  expect(await filled('StoragePool', '{dir: {path: /x}}')).toEqual({ ...host, dir: { path: '/x' }, state: 'Active' })
  expect(await filled('StorageVolume', '{poolRef: {name: p}, capacity: 1Gi}')).toEqual({ ...host, poolRef: { name: 'p' }, capacity: '1Gi' })
  expect(await filled('VirtualNetwork', '{}')).toEqual({ ...host, state: 'Active' })
  expect(await filled('VirtualDomain', '{memory: 1Gi, disks: [{name: cd, device: cdrom}, {name: a, file: {path: /x}}]}')).toEqual({
    ...host, memory: '1Gi', powerState: 'Running', disks: [{ name: 'cd', device: 'cdrom' }, { name: 'a', device: 'disk', file: { path: '/x' } }],
  })
})

describe('refused at apply', () => {
  test.each(refused)('%s (%s)', async (_, kind, spec, ...expected) => {
    const { code, stderr } = await plane.kubectl(['apply', ...strict, '--dry-run=server', '-f', '-'], manifest(kind, 'probe', spec))
    expect(complaints(stderr)).toEqual(expected)
    expect(code).toBe(1)
  })

  test.each(refusedByClient)('client-side: %s (%s)', async (_, kind, spec, ...expected) => {
    const { code, stderr } = await plane.kubectl(['apply', '--validate=strict', '--dry-run=server', '-f', '-'], manifest(kind, 'probe', spec))
    expect(complaints(stderr)).toEqual(expected)
    expect(code).toBe(1)
  })

  test('client-side apply drops a null without a word: that is kubectl, and why vireo says to write {}', async () => {
    const applied = await kubectl(['apply', '--validate=strict', '--dry-run=server', '-o', 'json', '-f', '-'], manifest('VirtualDomain', 'probe', '{memory: 1Gi, tpm: }'))
    expect((JSON.parse(applied) as { spec: object }).spec).not.toHaveProperty('tpm')
  })
})

describe('changes of what is bound', () => {
  test.each(changes)('$kind: $reason', async ({ kind, spec, status, change, complaints: expected }) => {
    await kubectl(['apply', ...strict, '-f', '-'], manifest(kind, 'bound', spec))
    try {
      await patchStatus(kind, 'bound', status)
      const { stderr, code } = await plane.kubectl(mergePatch(kind, 'bound', `{spec: ${change}}`))
      expect(complaints(stderr)).toEqual(expected)
      expect(code).toBe(expected.length === 0 ? 0 : 1)
    } finally {
      await kubectl(['delete', kind, 'bound'])
    }
  })

  test('the status can follow a volume that somebody grew by hand', async () => {
    await kubectl(['apply', ...strict, '-f', '-'], manifest('StorageVolume', 'grown', '{poolRef: {name: p}, capacity: 20Gi}'))
    const status = (capacity: string) => patchStatus('StorageVolume', 'grown', `{capacity: ${capacity}, binding: {hypervisor: kvm7, name: w, pool: p, format: qcow2, origin: Created}}`)
    await status('20Gi')
    await status('50Gi')
    await status('60Gi')
    await kubectl(mergePatch('StorageVolume', 'grown', '{spec: {driftPolicy: {action: Report}}}'))
    expect(await kubectl(['get', 'vvol', 'grown', '-o', 'jsonpath={.spec.capacity} {.status.capacity}'])).toBe('20Gi 60Gi')
    await kubectl(['delete', 'vvol', 'grown'])
  })
})

describe('kubectl', () => {
  test('explain knows every field', async () => {
    expect(await kubectl(['explain', 'virtualdomain.spec.disks.cache'])).toContain("libvirt's cache mode, such as none or writeback.")
  })

  test('columns and selectors work on every kind', async () => {
    await kubectl(['apply', ...strict, '-f', join(manifests, 'samples')])
    await patchStatus('VirtualDomain', 'web', '{powerState: Running, cpus: 2, memory: 1Gi, address: 192.168.150.23, conditions: [{type: Ready, status: "True", reason: Available, message: m, lastTransitionTime: "2026-01-01T00:00:00Z"}], binding: {hypervisor: local, name: web, uuid: u, origin: Created}}')
    const columns = (text: string) => text.trim().split('\n').map(line => line.split(/ {2,}/))
    const [header, row] = columns(await kubectl(['get', 'vdom', '-o', 'wide']))
    expect(header).toEqual(['NAME', 'STATE', 'READY', 'CPUS', 'MEMORY', 'ADDRESS', 'AGE', 'RESTART', 'HYPERVISOR', 'UUID', 'REASON'])
    expect(row).toEqual(expect.arrayContaining(['web', 'Running', 'True', '2', '1Gi', '192.168.150.23', 'local', 'u', 'Available']))
    expect(await kubectl(['get', 'vd', '-o', 'name', '--field-selector=status.binding.hypervisor=local,status.powerState=Running'])).toBe('virtualdomain.vireo.dev/web\n')
    expect(await kubectl(['get', 'vd', '-o', 'name', '--field-selector=status.powerState=Stopped'])).toBe('')
    expect((await kubectl(['get', 'vvol', '-o', 'name', '--field-selector=spec.poolRef.name=images'])).trim().split('\n')).toHaveLength(2)
    expect((await kubectl(['get', 'virt', '-o', 'name'])).trim().split('\n')).toHaveLength(6)
    await kubectl(['delete', '-f', join(manifests, 'samples')])
  })
})

describe('the service account of the install', () => {
  const vireo = '--as=system:serviceaccount:vireo-system:vireo'
  const can = async (...what: string[]) => (await plane.kubectl(['auth', 'can-i', ...what, vireo])).stdout.trim()

  test('may read and patch every kind of ours and its status, and not make or delete any', async () => {
    const asked = kinds.flatMap(({ resource: { group, plural: resource } }) => [
      ...['get', 'list', 'watch', 'patch'].map(verb => ({ allowed: true, attributes: { group, resource, verb } })),
      { allowed: true, attributes: { group, resource, subresource: 'status', verb: 'patch' } },
      ...['create', 'update', 'delete', 'deletecollection'].map(verb => ({ allowed: false, attributes: { group, resource, verb } })),
    ])
    const reviews = asked.map(({ attributes }) => ({ apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', metadata: {}, spec: { user: 'system:serviceaccount:vireo-system:vireo', resourceAttributes: attributes } }))
    // One question for all: a kubectl for each verb of each kind would take longer than the rest of this file.
    const answers = (await kubectl(['create', '-f', '-', '-o', String.raw`jsonpath={.status.allowed}{"\n"}`], JSON.stringify({ apiVersion: 'v1', kind: 'List', items: reviews }))).trim().split('\n')
    expect(asked.map(({ attributes }, i) => ({ allowed: answers[i] === 'true', attributes }))).toEqual(asked)
    expect(answers).toHaveLength(asked.length)
  })

  test.each([
    ['yes', 'watch', 'secrets', '-A'], ['no', 'create', 'secrets', '-A'], ['no', 'patch', 'secrets', '-n', 'vireo-system'],
    ['yes', 'watch', 'configmaps', '-A'], ['no', 'update', 'configmaps', '-A'],
    ['yes', 'get', 'namespaces'], ['no', 'delete', 'namespaces'],
    ['yes', 'create', 'events', '-A'], ['yes', 'patch', 'events', '-A'], ['no', 'delete', 'events', '-A'],
    ['yes', 'watch', 'customresourcedefinitions'], ['no', 'patch', 'customresourcedefinitions'],
    ['yes', 'patch', 'leases', '-n', 'vireo-system'], ['no', 'patch', 'leases', '-n', 'default'], ['no', 'update', 'leases', '-n', 'vireo-system'], ['no', 'delete', 'leases', '-n', 'vireo-system'],
    ['no', 'create', 'pods', '-A'], ['no', 'impersonate', 'users'], ['no', 'escalate', 'clusterroles'],
  ])('%s: %s %s', async (answer, ...what) => {
    expect(await can(...what)).toBe(answer)
  })
})
