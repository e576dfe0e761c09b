// `npm start` on a machine without a libvirtd: everything comes up, says what to type next and what to install, and is found again.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { controlPlanePrograms } from '../../scripts/devcluster/build.ts'
import { runOk } from '../../scripts/run.ts'
import { until } from '../support/until.ts'

const checkout = join(import.meta.dirname, '../..')
let data: string
let kubectlProgram: string
let started: { child: ChildProcess; printed: () => string } | undefined

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), `vireo-start-${process.pid}-`))
  kubectlProgram = join(await controlPlanePrograms(), 'kubectl')
})
afterAll(async () => {
  await stop()
  await rm(data, { recursive: true, force: true })
})

/** In a view of its own /run is empty: whatever libvirtd this machine has is neither seen nor touched. */
async function start(): Promise<() => string> {
  const child = spawn('unshare', ['--mount', '--propagation', 'private', 'setpriv', '--pdeathsig', 'KILL', '--', 'sh', '-c', 'mount -t tmpfs tmpfs /run && exec "$@"', 'sh',
    process.execPath, join(checkout, 'cli/vireo.ts'), 'dev', '--data', data, '--health-address', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part: string) => { text += part })
  started = { child, printed: () => text }
  await until('the controller works', () => text.includes('reconciling begins') || child.exitCode !== null, { timeoutMs: 60_000 })
  return started.printed
}

async function stop(): Promise<number | null> {
  if (started === undefined) return null
  const { child } = started
  started = undefined
  if (child.exitCode !== null) return child.exitCode
  child.kill('SIGINT')
  const [code] = await once(child, 'exit') as [number | null]
  return code
}

const kubectl = (...args: string[]): Promise<string> => runOk([kubectlProgram, '--kubeconfig', join(data, 'kubeconfig'), ...args])

test('says what to type next, and what to install where no libvirtd answers', async () => {
  const printed = await start()
  expect(printed()).toContain(`export KUBECONFIG=${data}/kubeconfig`)
  expect(printed()).toMatch(/kubectl apply -f manifests\/samples\/ +# 6 objects/)
  expect(printed()).toMatch(/No libvirtd answers on this machine.*apt-get install libvirt-daemon-system/s)
  expect((await kubectl('get', 'crd', '-o', 'name')).trim().split('\n')).toHaveLength(5)
  await kubectl('apply', '-f', join(checkout, 'manifests/samples/00-hypervisor.yaml'))
  const connected = '{.status.conditions[?(@.type=="Connected")].message}'
  await until('the Hypervisor says what is missing', async () => (await kubectl('get', 'hv', 'local', '-o', `jsonpath=${connected}`)).includes('/run/libvirt/libvirt-sock'))
})

test('ends at Ctrl-C, and the next start finds everything as it was', async () => {
  const { printed } = started!
  expect(await stop()).toBe(0)
  expect(printed()).toContain('The next npm start finds everything as it was.')
  await start()
  expect(await kubectl('get', 'hv', '-o', 'name')).toBe('hypervisor.vireo.dev/local\n')
  expect(await stop()).toBe(0)
})
