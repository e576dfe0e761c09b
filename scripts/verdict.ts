// Counts what vitest's JSON report says, and what it leaves unsaid: a required suite without tests, a skipped test, a file that
// does not load, and an error outside any test are failures.

export interface Report {
  testResults: {
    /** Absolute path of the test file. */
    name: string
    status: string
    message: string
    assertionResults: { fullName: string; status: string }[]
  }[]
}

export interface Verdict {
  passed: number
  /** A sentence for each failure. */
  failures: string[]
}

export function judge(report: Report, root: string, suites: readonly string[], exitCode: number): Verdict {
  const failures: string[] = []
  const passedBySuite = new Map(suites.map(suite => [suite, 0]))
  for (const { name, status, message, assertionResults } of report.testResults) {
    const file = name.startsWith(`${root}/`) ? name.slice(root.length + 1) : name
    const suite = suites.find(candidate => file.startsWith(`test/${candidate}/`))
    if (suite === undefined) failures.push(`${file} belongs to no suite`)
    let failed = 0
    for (const test of assertionResults) {
      if (test.status === 'passed') {
        if (suite !== undefined) passedBySuite.set(suite, (passedBySuite.get(suite) ?? 0) + 1)
        continue
      }
      failed += 1
      failures.push(`${file}: ${test.fullName} ${test.status === 'failed' ? 'failed' : `did not run (${test.status})`}`)
    }
    if (status !== 'passed' && failed === 0) failures.push(`${file}: ${message.split('\n')[0] || status}`)
    else if (assertionResults.length === 0) failures.push(`${file} holds no test`)
  }
  let passed = 0
  for (const [suite, count] of passedBySuite) {
    passed += count
    if (count === 0) failures.push(`the suite ${suite} has no passing test`)
  }
  if (exitCode !== 0 && failures.length === 0) failures.push(`vitest ended with code ${exitCode}: an error outside any test`)
  return { passed, failures }
}
