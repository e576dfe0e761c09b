// `npm start` and `npm run dev` on a machine without a libvirtd: everything comes up, says what to type next, and is found again.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { controlPlanePrograms } from '../../scripts/devcluster/build.ts'
import { runOk } from '../../scripts/run.ts'
import { startLibvirtd } from '../support/libvirtd.ts'
import type { PrivateLibvirtd } from '../support/libvirtd.ts'
import { until } from '../support/until.ts'
import { besideLibvirt, withoutLibvirt } from '../support/views.ts'

const checkout = join(import.meta.dirname, '../..')
let folder: string
let kubectlProgram: string
let kubeconfig: string
let started: { child: ChildProcess; printed: () => string } | undefined

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), `vireo-start-${process.pid}-`))
  kubectlProgram = join(await controlPlanePrograms(), 'kubectl')
})
afterEach(async context => {
  if (context.task.result?.state === 'fail') await stop()
})
afterAll(async () => {
  await stop()
  await rm(folder, { recursive: true, force: true })
})

/** What a script of package.json runs, with its state in `data`; by default as on a machine without a libvirtd. */
async function start(script: 'start' | 'dev', data: string, flags: string[], ready: string, { view = withoutLibvirt, path = process.env['PATH']! }: { view?: readonly string[]; path?: string } = {}): Promise<() => string> {
  const { scripts } = JSON.parse(await readFile(join(checkout, 'package.json'), 'utf8')) as { scripts: Record<string, string> }
  const [, program, ...args] = scripts[script]!.replace(/ --data \S+/, '').split(' ') as [string, string, ...string[]]
  const [command, ...rest] = [...view, 'env', `PATH=${path}`, process.execPath, join(checkout, program), ...args, '--data', data, ...flags]
  const child = spawn(command!, rest, { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (part: string) => { text += part })
  started = { child, printed: () => text }
  await until(`${script} says "${ready}"`, () => text.includes(ready) || child.exitCode !== null, { timeoutMs: 60_000 })
  kubeconfig = join(data, 'kubeconfig')
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

const kubectl = (...args: string[]): Promise<string> => runOk([kubectlProgram, '--kubeconfig', kubeconfig, ...args])
const apply = (manifest: string): Promise<string> => runOk([kubectlProgram, '--kubeconfig', kubeconfig, 'apply', '-f', '-'], { input: manifest })

describe('npm start', () => {
  const run = (): Promise<() => string> => start('start', join(folder, 'standalone'), ['--listen', '127.0.0.1:0'], 'snap install kubectl', { path: '/var/empty' })

  test('says where it is, what to type next, and what the default Hypervisor is', async () => {
    const printed = await run()
    expect(printed()).toMatch(/vireo runs at https:\/\/127\.0\.0\.1:\d+\. In another terminal, type:/)
    expect(printed()).toContain(`export KUBECONFIG=${join(folder, 'standalone')}/kubeconfig`)
    expect(printed()).toContain('kubectl apply -f manifests/samples/')
    expect(printed()).toContain('There is no kubectl on the PATH.')
    expect(printed()).toContain('No libvirtd answers on this machine: the default Hypervisor "embedded" is the embedded test driver (test:///default)')
  })

  test('the default Hypervisor is as if it had been applied', async () => {
    const sample = (await readFile(join(checkout, 'manifests/samples/00-hypervisor.yaml'), 'utf8')).replace('local', 'embedded').replace('qemu:///system', 'test:///default')
    expect(await apply(sample)).toBe('hypervisor.vireo.dev/embedded unchanged\n')
  })

  test('the samples apply, and what needs no image from the internet is there', async () => {
    const applied = await kubectl('apply', '-f', join(checkout, 'manifests/samples/'))
    expect(applied.trim().split('\n')).toHaveLength(6)
    await kubectl('wait', '--for=condition=Ready', '--timeout=60s', 'hypervisor/embedded', 'storagepool/images', 'virtualnetwork/lab')
    const waits = await kubectl('wait', '--for=jsonpath={.status.conditions[?(@.type=="Ready")].reason}=WaitingForReference', '--timeout=60s', 'virtualdomain/web')
    expect(waits).toContain('condition met')
  })

  test('ends at Ctrl-C, and the next start finds everything as it was', async () => {
    const before = await kubectl('get', 'virt', '-o', 'name')
    const { printed } = started!
    expect(await stop()).toBe(0)
    expect(printed()).toContain('The next start finds everything as it was.')
    await run()
    expect(await kubectl('get', 'virt', '-o', 'name')).toBe(before)
    await kubectl('delete', '--timeout=60s', '-f', join(checkout, 'manifests/samples/'))
    expect(await kubectl('get', 'virt', '-o', 'name')).toBe('hypervisor.vireo.dev/embedded\n')
    expect(await stop()).toBe(0)
  })
})

describe('npm start beside a libvirtd', () => {
  let host: PrivateLibvirtd
  beforeAll(async () => { host = await startLibvirtd({ name: 'start' }) })
  afterAll(async () => { await host?.stop() })
  const run = (...flags: string[]): Promise<() => string> => start('start', join(folder, `beside-${flags.length}`), ['--listen', '127.0.0.1:0', ...flags], 'vireo runs at', { view: besideLibvirt(dirname(host.socket)) })

  test('takes it for the default Hypervisor, and says so', async () => {
    expect((await run())()).toContain('The libvirtd of this machine answers: it is the Hypervisor "local" (qemu:///system), the default.')
    await kubectl('wait', '--for=condition=Ready', '--timeout=60s', 'hypervisor/local')
    expect(await kubectl('get', 'hypervisors', '-o', 'jsonpath={.items[*].metadata.name} {.items[*].spec.default} {.items[*].status.driver}')).toBe('local true QEMU')
    expect(await stop()).toBe(0)
  })

  test('with --import shows what is on it, and changes nothing there', async () => {
    const xml = "<domain type='qemu'><name>Old Server</name><memory>65536</memory><os><type>hvm</type></os></domain>"
    await host.execOk(['virsh', '-c', 'qemu:///system', 'define', '/dev/stdin'], { input: xml })
    const before = await host.execOk(['virsh', '-c', 'qemu:///system', 'dumpxml', 'Old Server'])
    expect((await run('--import', 'qemu:///system'))()).toContain('Imported 1 object from qemu:///system')
    await kubectl('wait', '--for=condition=Ready', '--timeout=60s', 'vd/old-server')
    expect(await kubectl('get', 'vd', 'old-server', '-o', 'jsonpath={.status.powerState} {.status.binding.name} {.status.binding.origin}')).toBe('Stopped Old Server Observed')
    await kubectl('delete', 'vd', 'old-server', '--timeout=30s')
    expect(await host.execOk(['virsh', '-c', 'qemu:///system', 'dumpxml', 'Old Server'])).toBe(before)
    expect(await stop()).toBe(0)
  })
})

describe('npm run dev', () => {
  const run = (): Promise<() => string> => start('dev', join(folder, 'dev'), ['--health-address', '127.0.0.1:0'], 'reconciling begins')

  test('says what to type next, and what to install where no libvirtd answers', async () => {
    const printed = await run()
    expect(printed()).toContain(`export KUBECONFIG=${join(folder, 'dev')}/kubeconfig`)
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
    expect(printed()).toContain('The next npm run dev finds everything as it was.')
    await run()
    expect(await kubectl('get', 'hv', '-o', 'name')).toBe('hypervisor.vireo.dev/local\n')
    expect(await stop()).toBe(0)
  })
})
