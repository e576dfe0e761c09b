// Deliberate breaks: a patch that breaks a promise of the design, applied to a copy of the sources, must turn named tests red.

import { mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run, runOk } from './run.ts'

/** A test by its file and its full name: the names of its describe blocks and its own, with spaces between. */
export interface Named { file: string; test: string }

/** A patch file: `Promise:`, `Break:` and one or more `Red: FILE > NAME`, then a unified diff. */
export interface Break {
  /** The patch's file name. */
  name: string
  /** Number of the promise in design.md §4. */
  promise: number
  /** What the patch breaks, a sentence. */
  what: string
  /** Tests that pass, and fail with the patch. */
  red: Named[]
  text: string
}

export function parseBreak(name: string, text: string): Break {
  const header = text.slice(0, Math.max(text.search(/^--- /m), 0)).split('\n')
  const values = (key: string): string[] => header.filter(line => line.startsWith(`${key}: `)).map(line => line.slice(key.length + 2).trim())
  const promise = Number(/^(\d+)\. /.exec(values('Promise')[0] ?? '')?.[1] ?? Number.NaN)
  const red = values('Red').map(line => {
    const at = line.indexOf(' > ')
    if (at < 0) throw new Error(`${name}: "Red: ${line}" is not FILE > NAME OF THE TEST`)
    return { file: line.slice(0, at), test: line.slice(at + 3) }
  })
  const [what] = values('Break')
  if (!(promise >= 1 && promise <= 10) || what === undefined || red.length === 0) throw new Error(`${name}: its header needs "Promise: N. …", "Break: …" and at least one "Red: FILE > NAME" before the diff`)
  return { name, promise, what, red, text }
}

export async function readBreaks(folder: string): Promise<Break[]> {
  const names = (await readdir(folder)).filter(name => name.endsWith('.patch')).toSorted()
  return await Promise.all(names.map(async name => parseBreak(name, await readFile(join(folder, name), 'utf8'))))
}

/** The sources as they stand, uncommitted ones included, in a new folder; the installed packages are shared. The caller removes it. */
export async function copySources(root: string): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'vireo-break-'))
  // A file that was deleted and not yet committed is in the list and not in the folder.
  const deleted = new Set(await listed(root, ['--deleted']))
  const files = (await listed(root, ['--cached', '--others', '--exclude-standard'])).filter(file => !deleted.has(file))
  await runOk(['cp', '--parents', '--target-directory', copy, '--', ...files], { cwd: root })
  await symlink(join(root, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

async function listed(root: string, which: readonly string[]): Promise<string[]> {
  // Whoever owns the checkout: nothing of it is run by git.
  const output = await runOk(['git', '-c', 'safe.directory=*', 'ls-files', '-z', ...which], { cwd: root })
  return output.split('\0').filter(file => file !== '')
}

/** Applies the patch. Throws a sentence where it no longer fits. */
export async function applyBreak(copy: string, { name, text }: Break): Promise<void> {
  const path = join(copy, name)
  await writeFile(path, text)
  const { code, stderr } = await run(['git', 'apply', '--recount', '-C1', name], { cwd: copy })
  if (code !== 0) throw new Error(`${name} no longer applies to the code it breaks; bring it in step: ${stderr.trim()}`)
}

export type Outcome = 'passed' | 'failed' | 'missing'

/** Runs the named tests in a folder of sources; answers what became of each. A file that does not load leaves its tests missing. */
export async function runNamed(folder: string, tests: readonly Named[]): Promise<{ outcome(test: Named): Outcome; output: string }> {
  const report = join(folder, 'break-report.json')
  const pattern = [...new Set(tests.map(({ test }) => escape(test)))].join('|')
  const files = [...new Set(tests.map(({ file }) => file))]
  // A test runner that was started by another must not take itself for one of its workers.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(VITEST|TEST$|NODE_ENV$|NODE_OPTIONS$)/.test(name)))
  const { stdout, stderr } = await run([
    process.execPath, join(folder, 'node_modules/vitest/vitest.mjs'), 'run', '--project', 'unit', '--pool=threads', ...files, '--testNamePattern', `^(${pattern})$`, '--reporter=json', `--outputFile=${report}`,
  ], { cwd: folder, env })
  const text = await readFile(report, 'utf8').catch(() => '{"testResults":[]}')
  const { testResults } = JSON.parse(text) as { testResults: { name: string; assertionResults: { fullName: string; status: string }[] }[] }
  const found = new Map(testResults.flatMap(({ name, assertionResults }) => assertionResults.map(({ fullName, status }) => [`${name} > ${fullName}`, status])))
  return {
    output: stdout + stderr,
    outcome: ({ file, test }) => {
      const status = found.get(`${join(folder, file)} > ${test}`)
      return status === 'passed' || status === 'failed' ? status : 'missing'
    },
  }
}

export const removeCopy = (copy: string): Promise<void> => rm(copy, { recursive: true, force: true })

const escape = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)
