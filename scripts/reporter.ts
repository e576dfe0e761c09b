// vitest's reporter for `npm test`: what became of every test, with the project that ran it, as JSON in the file that VIREO_REPORT names.

import { writeFileSync } from 'node:fs'
import type { Reporter, TestModule } from 'vitest/node'
import type { Report } from './verdict.ts'

const fileOf = (module: TestModule): Report['files'][number] => ({
  suite: module.project.name,
  name: module.moduleId,
  status: module.state(),
  // Hooks fail on the group of tests that they belong to.
  message: [module, ...module.children.allSuites()].flatMap(part => part.errors()).map(error => error.message).join('\n'),
  tests: [...module.children.allTests()].map(test => {
    const { state, errors } = test.result()
    const status = state === 'skipped' ? (test.options.mode === 'todo' ? 'todo' : 'skipped') : state
    return { name: test.fullName, status, message: errors?.map(error => error.message).join(' ') }
  }),
})

export default class ReportWriter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    writeFileSync(process.env['VIREO_REPORT']!, JSON.stringify({ files: modules.map(fileOf) } satisfies Report))
  }
}
