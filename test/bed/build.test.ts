// `npm run build`: what it makes runs on Node alone, without the sources and without node_modules.
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { build } from '../../scripts/build.ts'
import { run } from '../../scripts/run.ts'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { withoutLibvirt } from '../support/views.ts'
import { until } from '../support/until.ts'

let folder: string
let program: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vireo-built-'))
  await build(join(folder, 'made'))
  // Elsewhere than where it was made.
  await cp(join(folder, 'made'), join(folder, 'installed'), { recursive: true })
  await rm(join(folder, 'made'), { recursive: true })
  program = join(folder, 'installed/vireo.js')
})
afterAll(async () => { if (folder) await rm(folder, { recursive: true, force: true }) })

test('it tells its version', async () => {
  const { version } = JSON.parse(await readFile(join(import.meta.dirname, '../../package.json'), 'utf8')) as { version: string }
  expect(await run([process.execPath, program, '--version'])).toMatchObject({ code: 0, stdout: `${version}\n` })
})

test('it tells its commands, without those that need a checkout', async () => {
  const { code, stdout } = await run([process.execPath, program, '--help'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/controller .*standalone .*backup .*restore .*user /s)
  expect(stdout).not.toContain('dev ')
})

test('the standalone API and its operator serve, a user is let in, and a backup is made', async () => {
  const data = join(folder, 'data')
  const [command, ...before] = withoutLibvirt
  const child = spawn(command, [...before, process.execPath, program, 'standalone', '--data', data, '--listen', '127.0.0.1:0', '--health-address', '127.0.0.1:0', '--log-level', 'info'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { said += text })
  await until('the operator reconciles', () => said.includes('reconciling begins') || child.exitCode !== null, { timeoutMs: 60_000 })
  expect(said).toMatch(/vireo runs at https:\/\/127\.0\.0\.1:\d+/)
  const let_in = await run([process.execPath, program, 'user', 'ann', '--role', 'view', '--certificate', '--data', data])
  expect(let_in.stdout).toContain('client-certificate-data')
  expect((await run([process.execPath, program, 'backup', join(folder, 'backup'), '--data', data])).stdout).toContain('Backed up')
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  expect((await ended)[0], said).toBe(0)
})
