// Counts what the report of a run says, and what it leaves unsaid: a required suite without tests, a skipped test, a file that
// does not load, and an error outside any test are failures.

export interface Report {
  files: {
    /** The project of vitest.config.ts that ran it. */
    suite: string
    /** Absolute path of the test file. */
    name: string
    status: string
    /** Errors outside its tests. */
    message: string
    /** `message`: what a failed one threw. */
    tests: { name: string; status: string; message?: string }[]
  }[]
}

export interface Verdict {
  passed: number
  /** A sentence for each failure. */
  failures: string[]
}

/** Enough of an error to begin with where only the end of the output is at hand. */
const brief = (message = ''): string => {
  const line = message.replaceAll(/\s+/g, ' ').trim()
  return line === '' ? '' : `: ${line.length > 700 ? `${line.slice(0, 697)}...` : line}`
}

export function judge(report: Report, root: string, suites: readonly string[], exitCode: number): Verdict {
  const failures: string[] = []
  const passedBySuite = new Map(suites.map(suite => [suite, 0]))
  for (const { suite, name, status, message, tests } of report.files) {
    const file = `${suite}: ${name.startsWith(`${root}/`) ? name.slice(root.length + 1) : name}`
    const passed = passedBySuite.get(suite)
    if (passed === undefined) failures.push(`${file} belongs to no suite that is required`)
    else passedBySuite.set(suite, passed + tests.filter(test => test.status === 'passed').length)
    let failed = 0
    for (const test of tests) {
      if (test.status === 'passed') continue
      failed += 1
      failures.push(`${file}: ${test.name} ${test.status === 'failed' ? `failed${brief(test.message)}` : `did not run (${test.status})`}`)
    }
    if (status !== 'passed' && failed === 0) failures.push(`${file}: ${message.split('\n')[0] || status}`)
    else if (tests.length === 0) failures.push(`${file} holds no test`)
  }
  let passed = 0
  for (const [suite, count] of passedBySuite) {
    passed += count
    if (count === 0) failures.push(`the suite ${suite} has no passing test`)
  }
  if (exitCode !== 0 && failures.length === 0) failures.push(`vitest ended with code ${exitCode}: an error outside any test`)
  return { passed, failures }
}
