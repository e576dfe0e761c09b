// Helm on vireo standalone: a small chart of vireo's objects is installed, upgraded, rolled back and taken away, each time waited for.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { controlPlanePrograms } from '../../scripts/devcluster/build.ts'
import { type RunResult, run, runOk } from '../../scripts/run.ts'
import { helm as helmProgram } from '../support/clients/index.ts'
import { Standalone } from './support/standalone.ts'

const chart = join(import.meta.dirname, 'chart')
let folder: string
let server: Standalone
let program: string
let kubectlProgram: string

beforeAll(async () => {
  program = await helmProgram()
  kubectlProgram = join(await controlPlanePrograms(), 'kubectl')
  folder = await mkdtemp(join(tmpdir(), `vireo-helm-${process.pid}-`))
  server = await Standalone.start(join(folder, 'data'))
})
afterAll(async () => {
  await server?.end('SIGTERM')
  if (folder) await rm(folder, { recursive: true, force: true })
})

const environment = (): NodeJS.ProcessEnv => ({ ...process.env, KUBECONFIG: server.kubeconfig, KUBECACHEDIR: join(folder, 'cache'), HELM_CACHE_HOME: join(folder, 'helm'), HELM_CONFIG_HOME: join(folder, 'helm'), HELM_DATA_HOME: join(folder, 'helm') })
const attempt = (...args: string[]): Promise<RunResult> => run([program, ...args], { env: environment() })
const helm = (...args: string[]): Promise<string> => runOk([program, ...args], { env: environment() })
const kubectl = (...args: string[]): Promise<string> => runOk([kubectlProgram, ...args], { env: environment() })

const memory = (): Promise<string> => kubectl('get', 'vd', 'lab', '-o', 'jsonpath={.spec.memory} {.status.memory} {.status.powerState} {.status.conditions[?(@.type=="Ready")].status}')

test('install waits until the machine runs', async () => {
  expect(await helm('install', 'lab', chart, '--wait', '--timeout', '60s')).toMatch(/STATUS: deployed\nREVISION: 1/)
  expect(await memory()).toBe('64Mi 64Mi Running True')
  expect(await helm('list')).toMatch(/^lab\s+default\s+1\s.*deployed\s+lab-1\.0\.0/m)
  expect(await helm('get', 'manifest', 'lab')).toContain('kind: VirtualDomain')
})

test('upgrade changes the running machine, and adds what is new', async () => {
  const uuid = await kubectl('get', 'vd', 'lab', '-o', 'jsonpath={.status.binding.uuid} {.status.id}')
  expect(await helm('upgrade', 'lab', chart, '--set', 'memory=128Mi,extra=true', '--wait', '--timeout', '60s')).toMatch(/STATUS: deployed\nREVISION: 2/)
  expect(await memory()).toBe('128Mi 128Mi Running True')
  expect(await kubectl('get', 'vd', 'lab', '-o', 'jsonpath={.status.binding.uuid} {.status.id}')).toBe(uuid)
  expect(await kubectl('get', 'virtualnetworks', '-o', 'name')).toBe('virtualnetwork.vireo.dev/lab\nvirtualnetwork.vireo.dev/lab-extra\n')
})

test('an upgrade that a rule refuses tells which, and leaves everything', async () => {
  const { code, stderr } = await attempt('upgrade', 'lab', chart, '--set', 'memory=1Gi,extra=true', '--wait', '--timeout', '60s')
  expect(code).not.toBe(0)
  expect(stderr).toMatch(/spec\.memory|memory .*maxMemory/)
  expect(await memory()).toBe('128Mi 128Mi Running True')
})

test('rollback brings the first revision back, and takes what only the second had', async () => {
  expect(await helm('rollback', 'lab', '1', '--wait', '--timeout', '60s')).toContain('Rollback was a success')
  expect(await memory()).toBe('64Mi 64Mi Running True')
  await kubectl('wait', '--for=delete', 'virtualnetwork/lab-extra', '--timeout=30s')
  expect(await helm('history', 'lab')).toMatch(/Rollback to 1/)
})

test('uninstall waits until all of it is gone', async () => {
  expect(await helm('uninstall', 'lab', '--wait', '--timeout', '60s')).toContain('release "lab" uninstalled')
  expect(await kubectl('get', 'vd,virtualnetworks,storagepools,storagevolumes', '-o', 'name')).toBe('')
  expect(await kubectl('get', 'secrets', '-o', 'name')).toBe('')
})
