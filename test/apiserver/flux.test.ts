// Flux's kustomize-controller on vireo standalone: it applies what a source holds, waits for it, and prunes what the source holds no more.

import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { controlPlanePrograms } from '../../scripts/devcluster/build.ts'
import { runOk } from '../../scripts/run.ts'
import { fluxDefinitions, kustomizeController } from '../support/clients/index.ts'
import { Standalone } from './support/standalone.ts'

let folder: string
let server: Standalone
let kubectlProgram: string
let artifacts: Server
let controller: ChildProcess
let said = ''

beforeAll(async () => {
  kubectlProgram = join(await controlPlanePrograms(), 'kubectl')
  folder = await mkdtemp(join(tmpdir(), `vireo-flux-${process.pid}-`))
  server = await Standalone.start(join(folder, 'data'))
  artifacts = createServer((asked, answer) => {
    readFile(join(folder, 'artifacts', asked.url!.slice(1))).then(content => answer.end(content), () => answer.writeHead(404).end())
  }).listen(0, '127.0.0.1')
  await once(artifacts, 'listening')
  await kubectl(['apply', '--server-side', '-f', await fluxDefinitions()])
  await kubectl(['wait', '--for=condition=Established', 'crd/kustomizations.kustomize.toolkit.fluxcd.io', 'crd/gitrepositories.source.toolkit.fluxcd.io', '--timeout=30s'])
  await kubectl(['create', 'namespace', 'flux-system'])
  controller = spawn(await kustomizeController(), ['--enable-leader-election=false', '--watch-all-namespaces', '--events-addr=', '--metrics-addr=127.0.0.1:0', '--health-addr=127.0.0.1:0', '--requeue-dependency=5s'],
    { env: { ...process.env, KUBECONFIG: server.kubeconfig, RUNTIME_NAMESPACE: 'flux-system' }, stdio: ['ignore', 'pipe', 'pipe'] })
  for (const stream of [controller.stdout!, controller.stderr!]) stream.setEncoding('utf8').on('data', (part: string) => { said += part })
})
afterAll(async () => {
  if (controller?.exitCode === null) {
    const ended = once(controller, 'exit')
    controller.kill('SIGTERM')
    await ended
  }
  artifacts?.close()
  await server?.end('SIGTERM')
  if (folder) await rm(folder, { recursive: true, force: true })
})

const kubectl = (args: readonly string[], input?: string): Promise<string> => runOk([kubectlProgram, ...args], { input, env: { ...process.env, KUBECONFIG: server.kubeconfig, KUBECACHEDIR: join(folder, 'cache') } })

const network = (name: string, address: string): string => `apiVersion: vireo.dev/v1alpha1\nkind: VirtualNetwork\nmetadata: {name: ${name}}\nspec: {ipv4: {address: ${address}}}\n`
const domain = (memory: string): string => `apiVersion: vireo.dev/v1alpha1\nkind: VirtualDomain\nmetadata: {name: machine}\nspec: {memory: ${memory}, interfaces: [{name: lan, networkRef: {name: one}}]}\n`

/** What source-controller does with a commit: the files become an artifact, and the source's status tells of it. */
async function publish(commit: string, files: Record<string, string>): Promise<void> {
  const source = join(folder, 'source', commit)
  await mkdir(source, { recursive: true })
  await mkdir(join(folder, 'artifacts'), { recursive: true })
  for (const [name, content] of Object.entries(files)) await writeFile(join(source, name), content)
  const archive = join(folder, 'artifacts', `${commit}.tar.gz`)
  await runOk(['tar', '-czf', archive, '-C', source, ...Object.keys(files)])
  const digest = createHash('sha256').update(await readFile(archive)).digest('hex')
  const status = {
    observedGeneration: 1,
    artifact: { url: `http://127.0.0.1:${(artifacts.address() as AddressInfo).port}/${commit}.tar.gz`, path: `${commit}.tar.gz`, digest: `sha256:${digest}`, revision: `main@sha1:${commit}`, lastUpdateTime: new Date().toISOString() },
    conditions: [{ type: 'Ready', status: 'True', reason: 'Succeeded', message: 'stored artifact', lastTransitionTime: new Date().toISOString(), observedGeneration: 1 }],
  }
  await kubectl(['patch', 'gitrepository', 'machines', '-n', 'flux-system', '--subresource=status', '--type=merge', '-p', JSON.stringify({ status })])
}

/** Resolves when the Kustomization has applied that commit and everything in it is ready. */
async function applied(commit: string): Promise<void> {
  await kubectl(['wait', 'kustomization/machines', '-n', 'flux-system', `--for=jsonpath={.status.lastAppliedRevision}=main@sha1:${commit}`, '--timeout=60s']).catch((error: unknown) => { throw new Error(`${String(error)}\n${said}`) })
  await kubectl(['wait', 'kustomization/machines', '-n', 'flux-system', '--for=condition=Ready', '--timeout=60s'])
}

const names = (): Promise<string> => kubectl(['get', 'virtualnetworks,vd', '-o', 'name'])
const [first, second, third] = ['1', '2', '3'].map(digit => digit.repeat(40)) as [string, string, string]

test('what a source holds is applied, and the Kustomization is ready when the machine runs', async () => {
  await kubectl(['apply', '-f', '-'], [
    'apiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\nmetadata: {name: machines, namespace: flux-system}\nspec: {url: "https://example.org/machines", interval: 10m, suspend: true}\n',
    'apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: machines, namespace: flux-system}\nspec: {interval: 10m, path: ./, prune: true, wait: true, timeout: 1m, targetNamespace: default, sourceRef: {kind: GitRepository, name: machines}}\n',
  ].join('---\n'))
  await publish(first, { 'one.yaml': network('one', '192.168.161.1/24'), 'two.yaml': network('two', '192.168.162.1/24'), 'machine.yaml': domain('64Mi') })
  await applied(first)
  expect(await names()).toBe('virtualnetwork.vireo.dev/one\nvirtualnetwork.vireo.dev/two\nvirtualdomain.vireo.dev/machine\n')
  expect(await kubectl(['get', 'vd', 'machine', '-o', 'jsonpath={.status.powerState} {.metadata.labels.kustomize\\.toolkit\\.fluxcd\\.io/name}'])).toBe('Running machines')
  expect(await kubectl(['get', 'vd', 'machine', '-o', 'jsonpath={.metadata.managedFields[*].manager}', '--show-managed-fields'])).toContain('kustomize-controller')
})

test('the next revision changes what it changes, and prunes what it holds no more', async () => {
  await publish(second, { 'one.yaml': network('one', '192.168.161.1/24'), 'machine.yaml': domain('128Mi') })
  await applied(second)
  await kubectl(['wait', '--for=delete', 'virtualnetwork/two', '--timeout=30s'])
  expect(await kubectl(['get', 'vd', 'machine', '-o', 'jsonpath={.spec.memory}'])).toBe('128Mi')
})

test('somebody else\'s change is taken back', async () => {
  await kubectl(['patch', 'virtualnetwork', 'one', '--type=merge', '-p', '{"spec":{"ipv4":{"address":"192.168.170.1/24"}}}'])
  await kubectl(['annotate', 'kustomization', 'machines', '-n', 'flux-system', `reconcile.fluxcd.io/requestedAt=${Date.now()}`])
  expect(await kubectl(['wait', 'virtualnetwork/one', '--for=jsonpath={.spec.ipv4.address}=192.168.161.1/24', '--timeout=60s'])).toContain('condition met')
})

test('a revision that the API refuses is told in the Kustomization, and nothing of it is applied', async () => {
  await publish(third, { 'one.yaml': network('one', 'nonsense'), 'machine.yaml': domain('256Mi') })
  await kubectl(['wait', 'kustomization/machines', '-n', 'flux-system', '--for=condition=Ready=False', '--timeout=60s'])
  expect(await kubectl(['get', 'kustomization', 'machines', '-n', 'flux-system', '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].message}'])).toMatch(/VirtualNetwork\/default\/one .*ipv4\.address/)
  expect(await kubectl(['get', 'vd', 'machine', '-o', 'jsonpath={.spec.memory}'])).toBe('128Mi')
})

test('with the Kustomization goes all that it applied', async () => {
  await kubectl(['delete', 'kustomization', 'machines', '-n', 'flux-system', '--timeout=60s'])
  await kubectl(['wait', '--for=delete', 'vd/machine', 'virtualnetwork/one', '--timeout=60s'])
  expect(await names()).toBe('')
})
