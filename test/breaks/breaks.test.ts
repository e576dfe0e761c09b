// The ten promises: for each, breaking it on purpose turns tests red.

import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Break, type Named, type Outcome, applyBreak, copySources, parseBreak, readBreaks, removeCopy, runNamed } from '../../scripts/breaks.ts'

const root = join(import.meta.dirname, '../..')
const breaks = await readBreaks(import.meta.dirname)
const copies: string[] = []

async function copy(): Promise<string> {
  const made = await copySources(root)
  copies.push(made)
  return made
}
afterAll(async () => { await Promise.all(copies.map(removeCopy)) })

describe('the breaks', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])('break promise %i', promise => {
    expect(breaks.filter(entry => entry.promise === promise).map(entry => entry.name)).not.toEqual([])
  })

  test('a header that lacks something is refused with a sentence', () => {
    expect(() => parseBreak('x.patch', '--- a/x\n+++ b/x\n')).toThrow(/header needs/)
    expect(() => parseBreak('x.patch', 'Promise: 1. a\nBreak: b\nRed: no test\n--- a/x\n')).toThrow(/FILE > NAME/)
  })

  test('a patch that no longer applies is refused with a sentence', async () => {
    const text = '--- a/package.json\n+++ b/package.json\n@@ -1,3 +1,3 @@\n {\n-  "name": "another",\n+  "name": "broken",\n   "version": "0.1.0",\n'
    await expect(applyBreak(await copy(), { name: 'x.patch', promise: 1, what: 'b', red: [], text })).rejects.toThrow(/x\.patch no longer applies to the code it breaks; bring it in step: .*package\.json/s)
  })
})

describe('broken on purpose', () => {
  let unbroken: (test: Named) => Outcome
  beforeAll(async () => {
    const { outcome } = await runNamed(await copy(), breaks.flatMap(({ red }) => red))
    unbroken = outcome
  }, 120_000)

  const title = ({ name, what }: Break): string => `${name.replace('.patch', '')}: ${what}`
  test.concurrent.each(breaks.map(entry => [title(entry), entry] as const))('%s', { timeout: 120_000 }, async (_, entry) => {
    const folder = await copy()
    await applyBreak(folder, entry)
    const { outcome, output } = await runNamed(folder, entry.red)
    for (const named of entry.red) {
      expect(unbroken(named), `${named.file} > ${named.test}: without the break`).toBe('passed')
      expect(outcome(named), `${named.file} > ${named.test}: with the break\n${output}`).toBe('failed')
    }
  })
})
