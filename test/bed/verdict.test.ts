// What counts as passed: the rules of `npm test` for a report.
import { describe, expect, test } from 'vitest'
import { judge } from '../../scripts/verdict.ts'
import type { Report } from '../../scripts/verdict.ts'

type File = Report['files'][number]

function file(name: string, statuses: readonly string[], status = 'passed', message = ''): File {
  return { suite: name.split('/')[1]!, name: `/repo/${name}`, status, message, tests: statuses.map((each, index) => ({ name: `test ${index}`, status: each })) }
}

const cases: { reason: string; files: File[]; exitCode?: number; passed: number; failures: RegExp[] }[] = [
  { reason: 'every suite has passing tests', files: [file('test/a/x.test.ts', ['passed', 'passed']), file('test/b/y.test.ts', ['passed'])], passed: 3, failures: [] },
  { reason: 'a suite without a test fails', files: [file('test/a/x.test.ts', ['passed'])], passed: 1, failures: [/suite b has no passing test/] },
  {
    reason: 'a skipped test and a todo fail', files: [file('test/a/x.test.ts', ['passed', 'skipped']), file('test/b/y.test.ts', ['passed', 'todo'])],
    passed: 2, failures: [/test 1 did not run \(skipped\)/, /test 1 did not run \(todo\)/],
  },
  {
    reason: 'a file that does not load fails once, with its message',
    files: [file('test/a/x.test.ts', ['passed']), file('test/b/y.test.ts', ['passed']), file('test/b/z.test.ts', [], 'failed', 'Cannot find module\nat …')],
    passed: 2, failures: [/^b: test\/b\/z\.test\.ts: Cannot find module$/],
  },
  {
    reason: 'a failed test comes with what it threw, on one line and shortened',
    files: [{ ...file('test/a/x.test.ts', ['passed'], 'failed'), tests: [{ name: 'adds', status: 'failed', message: `expected 1\n  to be 2 ${'x'.repeat(900)}` }, { name: 'other', status: 'passed' }] }, file('test/b/y.test.ts', ['passed'])],
    passed: 2, failures: [/^a: test\/a\/x\.test\.ts: adds failed: expected 1 to be 2 x{600,690}\.\.\.$/],
  },
  {
    reason: 'a hook that fails after passing tests fails', files: [file('test/a/x.test.ts', ['passed'], 'failed', 'afterAll: boom'), file('test/b/y.test.ts', ['passed'])],
    passed: 2, failures: [/afterAll: boom/],
  },
  { reason: 'a test file outside the suites fails', files: [file('test/a/x.test.ts', ['passed']), file('test/b/y.test.ts', ['passed']), file('other/z/z.test.ts', ['passed'])], passed: 2, failures: [/belongs to no suite/] },
  { reason: 'an error outside any test fails', files: [file('test/a/x.test.ts', ['passed']), file('test/b/y.test.ts', ['passed'])], exitCode: 1, passed: 2, failures: [/outside any test/] },
]

describe('the verdict', () => {
  test.each(cases)('$reason', ({ files, exitCode = 0, passed, failures }) => {
    const verdict = judge({ files }, '/repo', ['a', 'b'], exitCode)
    expect(verdict.passed).toBe(passed)
    expect(verdict.failures).toHaveLength(failures.length)
    for (const [index, failure] of failures.entries()) expect(verdict.failures[index]).toMatch(failure)
  })
})
