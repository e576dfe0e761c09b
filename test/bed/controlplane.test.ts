// The development control plane serves, keeps its state, tells users apart, and ends with its owner.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startControlPlane } from '../../scripts/devcluster/controlplane.ts'
import type { ControlPlane } from '../../scripts/devcluster/controlplane.ts'
import { until } from '../support/until.ts'

let dir: string
let plane: ControlPlane

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'vireo-plane-'))
  const begin = performance.now()
  plane = await startControlPlane({ dir, durable: false, users: [{ name: 'alice', groups: ['team'] }] })
  console.log(`control plane up after ${((performance.now() - begin) / 1000).toFixed(1)} s`)
})
afterAll(async () => {
  await plane?.stop()
  await rm(dir, { recursive: true, force: true })
})

test('deletes a namespace, which takes the controller manager', async () => {
  expect((await plane.kubectl(['create', 'namespace', 'short-lived'])).stdout).toContain('created')
  expect((await plane.kubectl(['delete', 'namespace', 'short-lived', '--timeout=60s'])).code).toBe(0)
})

test('knows its users and the tokens of service accounts, and refuses what RBAC does not grant', async () => {
  const alice = await plane.kubectl(['get', 'secrets'], undefined, await plane.kubeconfigForUser('alice'))
  expect(alice.stderr).toContain('User "alice" cannot list resource "secrets"')
  await plane.kubectl(['create', 'serviceaccount', 'robot'])
  const robot = await plane.kubeconfigForServiceAccount('default', 'robot')
  expect((await plane.kubectl(['get', 'secrets'], undefined, robot)).stderr).toContain('system:serviceaccount:default:robot')
})

test('keeps objects and tokens over a restart', async () => {
  await plane.kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kept' } }))
  const token = /"token": "(.*)"/.exec(await readFile(plane.kubeconfig, 'utf8'))?.[1]
  await plane.restartApiserver()
  expect((await plane.kubectl(['get', 'configmap', 'kept'])).code).toBe(0)
  await plane.stop()
  plane = await startControlPlane({ dir, durable: false })
  expect((await plane.kubectl(['get', 'configmap', 'kept'])).code).toBe(0)
  expect(await readFile(plane.kubeconfig, 'utf8')).toContain(token)
})

test('ends with its owner, however that ends', async () => {
  const own = await mkdtemp(join(tmpdir(), 'vireo-plane-'))
  const owner = spawn(process.execPath, ['--input-type=module', '-e', `
    import { startControlPlane } from ${JSON.stringify(join(import.meta.dirname, '../../scripts/devcluster/controlplane.ts'))}
    const plane = await startControlPlane({ dir: ${JSON.stringify(own)}, durable: false })
    console.log(plane.url)
    setInterval(() => {}, 1000)
  `], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [said] = await once(owner.stdout, 'data') as [Buffer]
  const url = said.toString().trim()
  owner.kill('SIGKILL')
  const refused = until('the API server is gone', () => fetch(url).then(() => false, error => error.cause?.code === 'ECONNREFUSED'))
  await expect(refused).resolves.toBe(true)
  await rm(own, { recursive: true, force: true })
})
