// The real kubectl on vireo standalone: what people type, and what comes of it.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { controlPlanePrograms } from '../../scripts/devcluster/build.ts'
import { type RunResult, run } from '../../scripts/run.ts'
import { vireo } from '../support/program.ts'
import { Standalone } from './support/standalone.ts'

const manifests = join(import.meta.dirname, '../../manifests')
const samples = ['-f', join(manifests, 'samples')]

let folder: string
let server: Standalone
let program: string

beforeAll(async () => {
  program = join(await controlPlanePrograms(), 'kubectl')
  folder = await mkdtemp(join(tmpdir(), 'vireo-kubectl-'))
  server = await Standalone.start(join(folder, 'data'))
}, 900_000)

afterAll(async () => {
  await server?.end('SIGTERM')
  if (folder) await rm(folder, { recursive: true, force: true })
})

const attempt = (args: readonly string[], input?: string, kubeconfig = server.kubeconfig): Promise<RunResult> =>
  run([program, ...args], { input, env: { ...process.env, KUBECONFIG: kubeconfig, KUBECACHEDIR: join(folder, 'cache') } })

/** kubectl that has to succeed; answers what it printed. */
async function kubectl(args: readonly string[], input?: string): Promise<string> {
  const { code, stdout, stderr } = await attempt(args, input)
  expect(code, `kubectl ${args.join(' ')}\n${stderr}`).toBe(0)
  return stdout
}

const manifest = (kind: string, name: string, spec: string): string => `apiVersion: vireo.dev/v1alpha1\nkind: ${kind}\nmetadata: {name: ${name}}\nspec: ${spec}\n`

describe('what is there', () => {
  test('api-resources and api-versions name the kinds, their short names and the category', async () => {
    const resources = await kubectl(['api-resources'])
    for (const line of [/^virtualdomains +vd\S* +vireo\.dev\/v1alpha1 +true +VirtualDomain$/m, /^hypervisors +hv +vireo\.dev\/v1alpha1 +false +Hypervisor$/m, /^secrets +v1 +true +Secret$/m, /^customresourcedefinitions +crd,crds +apiextensions\.k8s\.io\/v1 +false +CustomResourceDefinition$/m]) expect(resources).toMatch(line)
    expect(await kubectl(['api-resources', '--categories=virt', '-o', 'name'])).toBe('hypervisors.vireo.dev\nstoragepools.vireo.dev\nstoragevolumes.vireo.dev\nvirtualdomains.vireo.dev\nvirtualnetworks.vireo.dev\n')
    expect(await kubectl(['api-versions'])).toContain('vireo.dev/v1alpha1\n')
  })

  test('explain tells fields and their descriptions, of the project\'s kinds and the built-in ones', async () => {
    expect(await kubectl(['explain', 'vd.spec.memory'])).toMatch(/FIELD: memory <Object>[^]*Memory that the guest has/)
    expect(await kubectl(['explain', 'virtualdomain', '--recursive'])).toMatch(/powerState\s+<string>/)
    expect(await kubectl(['explain', 'secret.stringData'])).toContain('FIELD: stringData <map[string]string>')
  })

  test('version, cluster health and who I am', async () => {
    expect(await kubectl(['version'])).toMatch(/Server Version: v1\.\d+\.\d+\+vireo/)
    expect(await kubectl(['get', '--raw', '/readyz?verbose'])).toContain('readyz check passed')
    expect(await kubectl(['auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}'])).toBe('admin')
    expect(await kubectl(['auth', 'can-i', 'delete', 'virtualdomains'])).toBe('yes\n')
    expect(await kubectl(['auth', 'can-i', '--list'])).toMatch(/\*\.\* +\[\] +\[\] +\[\*\]/)
    expect((await attempt(['get', 'vd', '--as', 'somebody'])).stderr).toContain('cannot impersonate')
  })
})

describe('the samples', () => {
  test('apply, apply server-side, diff, and applying again changes nothing', async () => {
    expect((await kubectl(['apply', ...samples])).match(/created|configured/g)?.length).toBe(6)
    // Lists of custom kinds are merged by kubectl as a whole, defaults and all: it may say `configured`, and yet nothing changes.
    const made = await kubectl(['get', ...samples, '-o', 'jsonpath={.items[*].metadata.generation}'])
    expect(await kubectl(['apply', ...samples])).not.toContain('created')
    expect(await kubectl(['get', ...samples, '-o', 'jsonpath={.items[*].metadata.generation}'])).toBe(made)
    expect(await kubectl(['diff', ...samples])).toBe('')
    await kubectl(['apply', '--server-side', '--force-conflicts', '--field-manager=ci', ...samples])
    const generations = await kubectl(['get', ...samples, '-o', 'jsonpath={.items[*].metadata.generation}'])
    await kubectl(['apply', '--server-side', '--field-manager=ci', ...samples])
    expect(await kubectl(['get', ...samples, '-o', 'jsonpath={.items[*].metadata.generation}'])).toBe(generations)
  })

  test('a List is checked before anything is sent, and applied as a whole', async () => {
    const list = (...specs: object[]): string => JSON.stringify({ apiVersion: 'v1', kind: 'List', items: specs.map((spec, at) => ({ apiVersion: 'vireo.dev/v1alpha1', kind: 'VirtualNetwork', metadata: { name: `listed-${at}` }, spec })) })
    expect((await attempt(['apply', '-f', '-'], list({}, { bogus: 1 }))).stderr).toContain('ValidationError(VirtualNetwork.spec): unknown field "bogus" in dev.vireo.v1alpha1.VirtualNetwork.spec')
    expect(await kubectl(['apply', '-f', '-'], list({}, { mtu: 1400 }))).toBe('virtualnetwork.vireo.dev/listed-0 created\nvirtualnetwork.vireo.dev/listed-1 created\n')
    await kubectl(['delete', '-f', '-'], list({}, {}))
  })

  test('get shows the columns, the wide ones, the category, and describe the object with its events', async () => {
    expect(await kubectl(['get', 'vd', 'web'])).toMatch(/^NAME +STATE +READY +CPUS +MEMORY +ADDRESS +AGE\nweb /)
    expect(await kubectl(['get', 'virt', '-o', 'wide'])).toMatch(/hypervisor\.vireo\.dev\/local[^]*storagepool\.vireo\.dev\/images[^]*virtualdomain\.vireo\.dev\/web[^]*virtualnetwork\.vireo\.dev\/lab/)
    expect(await kubectl(['describe', 'vd', 'web'])).toMatch(/^Name: +web\nNamespace: +default/)
    expect(await kubectl(['get', 'vd', 'web', '-o', 'yaml'])).toContain('kind: VirtualDomain\n')
    expect(await kubectl(['get', 'events'])).toMatch(/^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE\n/)
    expect(await kubectl(['events'])).toMatch(/^LAST SEEN/)
  })

  test('label, annotate, patch in every way, edit with an editor, wait', async () => {
    await kubectl(['label', 'vd', 'web', 'tier=front'])
    await kubectl(['annotate', 'vd', 'web', 'note=x'])
    await kubectl(['patch', 'vd', 'web', '--type=merge', '-p', '{"spec":{"cpus":3}}'])
    await kubectl(['patch', 'vd', 'web', '--type=json', '-p', '[{"op":"replace","path":"/spec/cpus","value":4}]'])
    await kubectl(['patch', 'configmap', 'kube-root-ca.crt', '-p', '{"data":{"more":"x"}}'])
    const editor = join(folder, 'editor')
    await writeFile(editor, '#!/bin/sh\nsed -i "s/cpus: 4/cpus: 5/" "$1"\n', { mode: 0o755 })
    const edited = await run([program, 'edit', 'vd', 'web'], { env: { ...process.env, KUBECONFIG: server.kubeconfig, KUBECACHEDIR: join(folder, 'cache'), KUBE_EDITOR: editor } })
    expect(edited.stdout).toBe('virtualdomain.vireo.dev/web edited\n')
    expect(await kubectl(['get', 'vd', '-l', 'tier=front', '-o', 'jsonpath={.items[0].spec.cpus} {.items[0].metadata.annotations.note}'])).toBe('5 x')
    expect(await kubectl(['wait', 'vd/web', '--for=jsonpath={.spec.cpus}=5', '--timeout=10s'])).toContain('condition met')
    expect(await kubectl(['wait', 'crd/virtualdomains.vireo.dev', '--for=condition=Established', '--timeout=10s'])).toContain('condition met')
  })

  test('delete, with and without waiting, and by selector', async () => {
    await kubectl(['delete', '-f', join(manifests, 'samples/40-domain-web.yaml'), '--timeout=30s'])
    expect((await attempt(['get', 'vd', 'web'])).stderr).toBe('Error from server (NotFound): virtualdomains.vireo.dev "web" not found\n')
    await kubectl(['delete', 'storagevolumes', '--all', '--timeout=30s'])
    expect(await kubectl(['get', 'storagevolumes', '-o', 'name'])).toBe('')
  })
})

describe('what is refused', () => {
  test('unknown fields and broken rules, in sentences', async () => {
    expect((await attempt(['apply', '-f', '-'], manifest('VirtualDomain', 'x', '{memroy: 1Gi}'))).stderr).toContain('strict decoding error: unknown field "spec.memroy"')
    expect((await attempt(['apply', '-f', '-'], manifest('Hypervisor', 'x', '{uri: "qemu://user:secret@host/system"}'))).stderr).toMatch(/must not hold a password/)
    expect((await attempt(['create', '-f', '-'], manifest('Hypervisor', 'x', '{}'))).stderr).toMatch(/spec\.uri: Required value/)
  })

  test('a conflict names the manager that owns the field', async () => {
    await kubectl(['apply', '--server-side', '--field-manager=one', '-f', '-'], manifest('StoragePool', 'shared', '{dir: {path: /srv/one}}'))
    const { code, stderr } = await attempt(['apply', '--server-side', '--field-manager=two', '-f', '-'], manifest('StoragePool', 'shared', '{dir: {path: /srv/two}}'))
    expect(code).not.toBe(0)
    expect(stderr).toContain('conflict with "one": .spec.dir.path')
  })
})

describe('other kinds', () => {
  test('typed clients make namespaces, secrets, config maps and service accounts; the end of a namespace takes all', async () => {
    await kubectl(['create', 'namespace', 'team'])
    await kubectl(['create', 'secret', 'generic', 'word', '--from-literal=a=b', '-n', 'team'])
    await kubectl(['create', 'configmap', 'settings', '--from-literal=a=b', '-n', 'team'])
    await kubectl(['create', 'serviceaccount', 'robot', '-n', 'team'])
    expect(await kubectl(['get', 'secret', 'word', '-n', 'team', '-o', 'jsonpath={.data.a}'])).toBe('Yg==')
    expect(await kubectl(['get', 'cm,secret,sa', '-n', 'team', '-o', 'name'])).toBe('configmap/kube-root-ca.crt\nconfigmap/settings\nsecret/word\nserviceaccount/default\nserviceaccount/robot\n')
    await kubectl(['delete', 'namespace', 'team', '--timeout=30s'])
    expect(await kubectl(['get', 'cm', '-n', 'team', '-o', 'name'])).toBe('')
  })

  test('the kinds of somebody else are served as soon as their definition is applied, and pruned by apply --prune', async () => {
    const definition = 'apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: things.kinds.dev}\nspec: {group: kinds.dev, scope: Namespaced, names: {plural: things, kind: Thing}, versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {a: {type: string}}}}}}}]}\n'
    await kubectl(['apply', '-f', '-'], definition)
    await kubectl(['wait', 'crd/things.kinds.dev', '--for=condition=Established', '--timeout=10s'])
    const thing = (name: string): string => `---\napiVersion: kinds.dev/v1\nkind: Thing\nmetadata: {name: ${name}, labels: {app: x}}\nspec: {a: b}\n`
    await kubectl(['apply', '-f', '-'], thing('one') + thing('two'))
    await kubectl(['apply', '--prune', '-l', 'app=x', '--prune-allowlist=kinds.dev/v1/Thing', '-f', '-'], thing('two'))
    expect(await kubectl(['get', 'things', '-o', 'name'])).toBe('thing.kinds.dev/two\n')
    await kubectl(['delete', 'crd', 'things.kinds.dev', '--timeout=30s'])
    expect((await attempt(['get', 'things'])).stderr).toMatch(/the server (?:doesn't have a resource type "things"|could not find the requested resource)/)
  })

  test('the manifests of the controller apply as they are, again too, and what has no effect here is said', async () => {
    const install = ['-k', join(manifests, 'install')]
    const { code, stdout, stderr } = await attempt(['apply', ...install])
    expect(code, stderr).toBe(0)
    expect(stdout.match(/ (?:created|configured|unchanged)$/gm)).toHaveLength(12)
    expect(stderr).toContain('Warning: ClusterRole: kept, but not enforced')
    expect(stderr).toContain('Warning: Deployment: kept, but nothing runs it: this server has no nodes')
    expect((await kubectl(['apply', ...install])).match(/ unchanged$/gm)).toHaveLength(12)
    await kubectl(['apply', '--server-side', '--force-conflicts', ...install])
    expect(await kubectl(['diff', ...install])).toBe('')
    expect((await attempt(['rollout', 'status', 'deployment/vireo', '-n', 'vireo-system'])).stderr).toContain('exceeded its progress deadline')
  })

  test('roles and bindings are made by name, what only pods could run is refused in protobuf', async () => {
    expect(await kubectl(['create', 'clusterrole', 'reader', '--verb=get,list', '--resource=secrets'])).toBe('clusterrole.rbac.authorization.k8s.io/reader created\n')
    expect(await kubectl(['create', 'rolebinding', 'readers', '--clusterrole=reader', '--serviceaccount=default:default', '--user=ann'])).toContain('readers created')
    expect(await kubectl(['get', 'clusterrole', 'reader', '-o', 'jsonpath={.rules[*].verbs} {.rules[*].resources}'])).toBe('["get","list"] ["secrets"]')
    expect(await kubectl(['get', 'rolebinding', 'readers', '-o', 'jsonpath={.roleRef.name} {.subjects[*].name}'])).toBe('reader ann default')
    expect((await attempt(['create', 'deployment', 'x', '--image=x'])).stderr).toContain('the body of the request was in an unknown format')
    await kubectl(['delete', 'clusterrole/reader', 'rolebinding/readers'])
  })

  test('a patch of a Deployment merges its lists as Kubernetes does', async () => {
    await kubectl(['set', 'env', 'deployment/vireo', '-n', 'vireo-system', 'VIREO_LOG_LEVEL=debug'])
    expect(await kubectl(['get', 'deployment', 'vireo', '-n', 'vireo-system', '-o', 'jsonpath={.spec.template.spec.containers[*].env[*].name} {.spec.template.spec.containers[0].image}'])).toBe('VIREO_NAMESPACE VIREO_HEALTH_ADDRESS VIREO_LOG_LEVEL vireo/vireo:0.1.0')
    await kubectl(['delete', 'deployment', 'vireo', '-n', 'vireo-system', '--timeout=30s'])
  })

  test('what is not served is said to be missing', async () => {
    expect((await attempt(['get', 'pods'])).stderr).toContain(`the server doesn't have a resource type "pods"`)
  })
})

test('a user of a namespace sees that and nothing else, and is gone when it is removed', async () => {
  const command = (...args: string[]): Promise<RunResult> => run([process.execPath, vireo(), ...args, '--data', join(folder, 'data')], { env: process.env })
  const kubeconfig = join(folder, 'bob')
  await writeFile(kubeconfig, (await command('user', 'bob', '--role', 'view', '--namespace', 'default')).stdout)
  await expect.poll(async () => (await attempt(['get', 'vd'], undefined, kubeconfig)).code, { timeout: 10_000 }).toBe(0)
  expect((await attempt(['get', 'vd', '-A'], undefined, kubeconfig)).stderr).toContain('User "bob" cannot list resource "virtualdomains" in API group "vireo.dev" at the cluster scope')
  expect((await attempt(['get', 'secrets'], undefined, kubeconfig)).stderr).toContain('forbidden')
  await command('user', 'bob', '--remove')
  await expect.poll(async () => (await attempt(['get', 'vd'], undefined, kubeconfig)).stderr, { timeout: 10_000 }).toMatch(/Unauthorized|must be logged in/)
})

test('a backup made meanwhile is a server of its own, with all that was there; Ctrl-C ends cleanly and the next start finds everything', async () => {
  await kubectl(['create', 'configmap', 'kept', '--from-literal=a=b'])
  const kept = await kubectl(['get', 'configmap', 'kept', '-o', 'json'])
  const command = (...args: string[]): Promise<RunResult> => run([process.execPath, vireo(), ...args], { env: process.env })
  expect(await command('backup', join(folder, 'backup'), '--data', join(folder, 'data'))).toMatchObject({ code: 0 })
  expect((await command('restore', join(folder, 'backup'), '--data', join(folder, 'data'))).stderr).toMatch(/holds a database, which is not overwritten/)
  expect(await command('restore', join(folder, 'backup'), '--data', join(folder, 'restored'))).toMatchObject({ code: 0 })
  await using second = await Standalone.start(join(folder, 'restored'))
  expect((await attempt(['get', 'configmap', 'kept', '-o', 'json'], undefined, second.kubeconfig)).stdout).toBe(kept)
  expect(await server.end('SIGINT')).toBe(0)
  expect(server.output()).toContain('Stopped. The next start finds everything as it was.')
  server = await Standalone.start(join(folder, 'data'))
  expect(await kubectl(['get', 'configmap', 'kept', '-o', 'json'])).toBe(kept)
  expect(await readFile(join(folder, 'data/audit.log'), 'utf8')).toContain('"user":"admin"')
})
