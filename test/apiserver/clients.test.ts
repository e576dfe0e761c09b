// Other clients on vireo standalone than the kubectl of its own minor: the minors beside it, and Kubernetes' library for Node.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type KubernetesObject, ApiException, CoreV1Api, CustomObjectsApi, KubeConfig, KubernetesObjectApi, PatchStrategy, VersionApi, Watch, makeInformer } from '@kubernetes/client-node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunResult, run } from '../../scripts/run.ts'
import { kubectlOf, otherKubectls } from '../support/clients/index.ts'
import { Standalone } from './support/standalone.ts'

const manifests = join(import.meta.dirname, '../../manifests')
let folder: string
let server: Standalone

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), `vireo-clients-${process.pid}-`))
  server = await Standalone.start(join(folder, 'data'))
})
afterAll(async () => {
  await server?.end('SIGTERM')
  if (folder) await rm(folder, { recursive: true, force: true })
})

describe.each(otherKubectls)('kubectl %s', minor => {
  let program: string
  beforeAll(async () => { program = await kubectlOf(minor) })

  const attempt = (args: readonly string[], input?: string): Promise<RunResult> => run([program, ...args], { input, env: { ...process.env, KUBECONFIG: server.kubeconfig, KUBECACHEDIR: join(folder, minor), KUBE_EDITOR: join(folder, 'editor') } })
  const kubectl = async (args: readonly string[], input?: string): Promise<string> => {
    const { code, stdout, stderr } = await attempt(args, input)
    expect(code, `kubectl ${args.join(' ')}\n${stderr}`).toBe(0)
    return stdout
  }

  test('knows the server and its kinds', async () => {
    expect(await kubectl(['version'])).toMatch(new RegExp(`Client Version: v${minor}\\.\\d+[^]*Server Version: v1\\.36\\.\\d+\\+vireo`))
    expect(await kubectl(['api-resources', '--categories=virt', '-o', 'name'])).toBe('hypervisors.vireo.dev\nstoragepools.vireo.dev\nstoragevolumes.vireo.dev\nvirtualdomains.vireo.dev\nvirtualnetworks.vireo.dev\n')
    expect(await kubectl(['explain', 'vd.spec.memory'])).toMatch(/FIELD: memory <Object>[^]*Memory that the guest has/)
    expect(await kubectl(['auth', 'can-i', 'delete', 'virtualdomains'])).toBe('yes\n')
  })

  test('applies the samples in both ways, and sees no difference afterwards', async () => {
    const samples = ['-f', join(manifests, 'samples')]
    await kubectl(['apply', ...samples])
    await kubectl(['apply', '--server-side', '--force-conflicts', ...samples])
    expect(await kubectl(['diff', ...samples])).toBe('')
    expect(await kubectl(['get', 'virt', '-o', 'wide'])).toMatch(/virtualdomain\.vireo\.dev\/web/)
    expect(await kubectl(['get', 'vd', 'web'])).toMatch(/^NAME +STATE +READY +CPUS +MEMORY +ADDRESS +AGE\nweb /)
    expect(await kubectl(['describe', 'vd', 'web'])).toMatch(/^Name: +web\nNamespace: +default/)
    expect(await kubectl(['events', '--for', 'storagepool/images'])).toMatch(/^LAST SEEN/)
  })

  test('changes an object in every way', async () => {
    await kubectl(['label', 'vd', 'web', `by=v${minor}`])
    await kubectl(['annotate', 'vd', 'web', 'note=x'])
    for (const [type, patch] of [['merge', '{"spec":{"cpus":3}}'], ['json', '[{"op":"replace","path":"/spec/cpus","value":4}]']]) await kubectl(['patch', 'vd', 'web', `--type=${type}`, '-p', patch!])
    await writeFile(join(folder, 'editor'), '#!/bin/sh\nsed -i "s/cpus: 4/cpus: 5/" "$1"\n', { mode: 0o755 })
    await kubectl(['edit', 'vd', 'web'])
    expect(await kubectl(['get', 'vd', '-l', `by=v${minor}`, '-o', 'jsonpath={.items[0].spec.cpus}'])).toBe('5')
    expect(await kubectl(['wait', 'vd/web', '--for=jsonpath={.spec.cpus}=5', '--timeout=10s'])).toContain('condition met')
    expect((await attempt(['patch', 'vd', 'web', '--type=merge', '-p', '{"spec":{"cpuz":3}}'])).stderr).toContain('unknown field "spec.cpuz"')
  })

  test('makes built-in kinds, and deletes with and without waiting', async () => {
    await kubectl(['create', 'namespace', 'other'])
    await kubectl(['create', 'secret', 'generic', 'word', '--from-literal=a=b', '-n', 'other'])
    await kubectl(['create', 'configmap', 'settings', '--from-literal=a=b', '-n', 'other'])
    expect(await kubectl(['get', 'secret', 'word', '-n', 'other', '-o', 'jsonpath={.data.a}'])).toBe('Yg==')
    await kubectl(['delete', 'configmap', 'settings', '-n', 'other', '--cascade=foreground'])
    await kubectl(['delete', 'namespace', 'other', '--timeout=30s'])
    await kubectl(['delete', '-f', join(manifests, 'samples'), '--timeout=60s'])
    expect(await kubectl(['get', 'virt', '-o', 'name'])).toBe('hypervisor.vireo.dev/embedded\n')
  })
})

describe('client-node', () => {
  const config = new KubeConfig()
  const network = (name: string): KubernetesObject & { spec: object } => ({ apiVersion: 'vireo.dev/v1alpha1', kind: 'VirtualNetwork', metadata: { name, namespace: 'default' }, spec: { ipv4: { address: '192.168.180.1/24' } } })
  const group = { group: 'vireo.dev', version: 'v1alpha1', namespace: 'default', plural: 'virtualnetworks' }
  beforeAll(() => { config.loadFromFile(server.kubeconfig) })

  test('its typed clients read and write', async () => {
    const core = config.makeApiClient(CoreV1Api)
    expect((await config.makeApiClient(VersionApi).getCode()).gitVersion).toMatch(/\+vireo$/)
    await core.createNamespacedConfigMap({ namespace: 'default', body: { metadata: { generateName: 'settings-' }, data: { a: 'b' } } })
    const { items: [made] } = await core.listNamespacedConfigMap({ namespace: 'default', fieldSelector: 'metadata.name!=kube-root-ca.crt' })
    expect(made!.data).toEqual({ a: 'b' })
    await core.deleteNamespacedConfigMap({ namespace: 'default', name: made!.metadata!.name! })
    await expect(core.readNamespacedConfigMap({ namespace: 'default', name: made!.metadata!.name! })).rejects.toMatchObject({ code: 404 })
  })

  test('objects of any kind are applied, patched, listed and deleted', async () => {
    const objects = KubernetesObjectApi.makeApiClient(config)
    const made = await objects.create(network('one'))
    expect(made.metadata!.uid).toMatch(/^[0-9a-f-]{36}$/)
    const applied = await objects.patch({ ...network('one'), spec: { ipv4: { address: '192.168.181.1/24' } } }, undefined, undefined, 'node', true, PatchStrategy.ServerSideApply)
    expect(applied).toMatchObject({ spec: { ipv4: { address: '192.168.181.1/24' } }, metadata: { generation: 2 } })
    const custom = config.makeApiClient(CustomObjectsApi)
    expect(await custom.listNamespacedCustomObject({ ...group, labelSelector: '!nothing' })).toMatchObject({ items: [{ metadata: { name: 'one' } }] })
    await expect(objects.create(network('one'))).rejects.toSatisfy(error => error instanceof ApiException && error.code === 409 && String(error.body).includes('AlreadyExists'))
    await objects.delete(network('one'))
  })

  test('an informer hears of what comes, changes and goes; a watch goes on from where it is told to', async () => {
    const objects = KubernetesObjectApi.makeApiClient(config)
    const custom = config.makeApiClient(CustomObjectsApi)
    const heard: string[] = []
    const gone = Promise.withResolvers<void>()
    const informer = makeInformer(config, '/apis/vireo.dev/v1alpha1/namespaces/default/virtualnetworks', () => custom.listNamespacedCustomObject(group) as ReturnType<Parameters<typeof makeInformer>[2]>)
    informer.on('add', object => heard.push(`add ${object.metadata!.name}`))
    informer.on('delete', object => {
      heard.push(`delete ${object.metadata!.name}`)
      if (object.metadata!.name === 'two') gone.resolve()
    })
    informer.on('error', error => { gone.reject(error) })
    await informer.start()
    const made = await objects.create(network('two'))
    const watched: string[] = []
    const deleted = Promise.withResolvers<void>()
    const watch = await new Watch(config).watch('/apis/vireo.dev/v1alpha1/namespaces/default/virtualnetworks', { resourceVersion: made.metadata!.resourceVersion }, type => {
      watched.push(type)
      if (type === 'DELETED') deleted.resolve()
    }, () => undefined)
    await objects.delete(network('two'))
    await Promise.all([gone.promise, deleted.promise])
    await informer.stop()
    watch.abort()
    // The one before may still have been on its way out.
    expect(heard.filter(line => line.endsWith(' two'))).toEqual(['add two', 'delete two'])
    expect(watched.at(0)).not.toBe('ADDED')
    expect(watched.at(-1)).toBe('DELETED')
  })

  test('what is not served is not found', async () => {
    await expect(config.makeApiClient(CoreV1Api).listNamespacedPod({ namespace: 'default' })).rejects.toMatchObject({ code: 404 })
  })
})
