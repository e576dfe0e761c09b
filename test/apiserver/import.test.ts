// What a host already holds, shown by --import: objects that look at it, made once, and gone without a trace on the host.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { controlPlanePrograms } from '../../scripts/devcluster/build.ts'
import { type RunResult, run, runOk } from '../../scripts/run.ts'
import { vireo } from '../support/program.ts'
import { Standalone } from './support/standalone.ts'

let folder: string
let server: Standalone
let program: string

beforeAll(async () => {
  program = join(await controlPlanePrograms(), 'kubectl')
  folder = await mkdtemp(join(tmpdir(), `vireo-import-${process.pid}-`))
  await start()
})
afterAll(async () => {
  await server?.end('SIGTERM')
  if (folder) await rm(folder, { recursive: true, force: true })
})

const start = async (): Promise<void> => { server = await Standalone.start(join(folder, 'data'), { flags: ['--import', 'test:///default', '--installation', 'my lab'] }) }
const environment = (): NodeJS.ProcessEnv => ({ ...process.env, KUBECONFIG: server.kubeconfig, KUBECACHEDIR: join(folder, 'cache') })
const kubectl = (...args: string[]): Promise<string> => runOk([program, ...args], { env: environment() })
const all = (): Promise<string> => kubectl('get', 'vd,virtualnetworks,storagepools,storagevolumes', '-A', '-o', 'name')

test('each thing on the host is an object that looks at it', async () => {
  expect(server.output()).toContain('Imported 3 objects from test:///default into namespace default')
  await kubectl('wait', '--for=condition=Ready', 'vd/test', 'virtualnetwork/default', 'storagepool/default-pool', '--timeout=30s')
  expect(await kubectl('get', 'vd', 'test', '-o', 'jsonpath={.status.powerState} {.status.conditions[?(@.type=="Ready")].reason} {.status.binding.origin}')).toBe('Running Observed Observed')
  expect(await kubectl('get', 'hypervisors', '-o', 'jsonpath={.items[*].metadata.name} {.items[*].spec.default} {.items[*].spec.policy.foreignObjects}')).toBe('embedded true Observe')
})

test('deleting one leaves the host as it is', async () => {
  await kubectl('delete', 'vd', 'test', '--timeout=30s')
  await kubectl('annotate', 'hypervisor', 'embedded', 'vireo.dev/reconcile=now')
  const seen = await run([program, 'apply', '-f', '-'], { env: environment(), input: 'apiVersion: vireo.dev/v1alpha1\nkind: VirtualDomain\nmetadata: {name: still}\nspec: {name: test, managementPolicy: ObserveOnly}\n' })
  expect(seen.code).toBe(0)
  await kubectl('wait', '--for=condition=Ready', 'vd/still', '--timeout=30s')
  expect(await kubectl('get', 'vd', 'still', '-o', 'jsonpath={.status.powerState}')).toBe('Running')
})

test('the next start makes what has no object, and nothing twice', async () => {
  const before = await all()
  await server.end('SIGTERM')
  await start()
  expect(await all()).toBe(before)
  await kubectl('delete', 'vd', 'still', '--timeout=30s')
  await server.end('SIGTERM')
  await start()
  expect(server.output()).toContain('Imported 1 object ')
  expect(await all()).toBe(before.replace('/still', '/test'))
})

test('a host that does not answer is told, and the rest is served', async () => {
  await server.end('SIGTERM')
  server = await Standalone.start(join(folder, 'data'), { flags: ['--import', 'qemu+tcp://127.0.0.1:1/system'] })
  expect(server.output()).toMatch(/Nothing was imported from qemu\+tcp:\/\/127\.0\.0\.1:1\/system: .+\. The next start looks again\./)
  expect(await kubectl('get', 'hypervisors', '-o', 'name')).toBe('hypervisor.vireo.dev/127.0.0.1\nhypervisor.vireo.dev/embedded\n')
})

test('vireo import prints manifests that kubectl applies', async () => {
  const printed = await runOk([process.execPath, vireo(), 'import', 'test:///default', '--namespace', 'printed', '--hypervisor', 'embedded'])
  const file = join(folder, 'printed.yaml')
  await writeFile(file, printed)
  await kubectl('create', 'namespace', 'printed')
  expect((await kubectl('apply', '-f', file)).match(/created/g)).toHaveLength(3)
  await kubectl('wait', '--for=condition=Ready', 'vd/test', '-n', 'printed', '--timeout=30s')
  const refused: RunResult = await run([process.execPath, vireo(), 'import', 'nonsense'])
  expect(refused.code).toBe(1)
  expect(refused.stderr).toMatch(/^vireo: /)
})
