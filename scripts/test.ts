// `npm test`: installs and builds what the suites need, checks the sources, runs every suite, and ends with one line that counts.
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildEverything } from '../test/support/build.ts'
import { ensurePackages } from './packages.ts'
import { judge } from './verdict.ts'
import type { Report, Verdict } from './verdict.ts'

/** Each is a project of vitest.config.ts; none may be empty. */
const suites = ['unit', 'bed', 'real', 'conformance', 'apiserver', 'e2e', 'e2e-standalone', 'breaks']

const root = join(import.meta.dirname, '..')
const say = (line: string): void => console.log(line)

async function main(): Promise<Verdict> {
  await ensurePackages(say)
  if (process.getuid?.() !== 0) throw new Error('the tests make namespaces of their own, which needs root: sudo npm test')
  await buildEverything(say)

  const checks = await Promise.all([
    check('types', ['tsc', '--noEmit']),
    check('lint', ['oxlint', '--type-aware', '--deny-warnings']),
  ])
  const { passed, failures } = await runSuites()
  return {
    passed: passed + checks.filter(failure => failure === undefined).length,
    failures: [...checks.filter(failure => failure !== undefined), ...failures],
  }
}

/** Answers a sentence where the check fails. */
async function check(name: string, command: readonly string[]): Promise<string | undefined> {
  say(`\n${name}: ${command.join(' ')}`)
  const code = await show(command)
  return code === 0 ? undefined : `${name}: ${command.join(' ')} ended with code ${code}`
}

async function runSuites(): Promise<Verdict> {
  const folder = await mkdtemp(join(tmpdir(), 'vireo-report-'))
  try {
    const path = join(folder, 'report.json')
    const code = await show(['vitest', 'run', '--reporter=default', `--reporter=${join(import.meta.dirname, 'reporter.ts')}`], { VIREO_REPORT: path })
    const text = await readFile(path, 'utf8').catch(() => undefined)
    if (text === undefined) return { passed: 0, failures: [`vitest ended with code ${code} and left no report`] }
    return judge(JSON.parse(text) as Report, root, suites, code)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Runs a program of node_modules with its output shown; answers its exit code. */
function show([program, ...args]: readonly string[], env: Record<string, string> = {}): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(root, 'node_modules/.bin', program ?? ''), args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, ...env } })
    child.once('error', reject)
    child.once('exit', code => resolve(code ?? -1))
  })
}

const { passed, failures } = await main().catch((error: unknown): Verdict => ({
  passed: 0,
  failures: [error instanceof Error ? error.message : String(error)],
}))
if (failures.length > 0) console.log(`\n${failures.map(failure => `FAILED ${failure}`).join('\n')}`)
console.log(`\n${passed} passed, ${failures.length} failed`)
process.exitCode = failures.length > 0 ? 1 : 0
