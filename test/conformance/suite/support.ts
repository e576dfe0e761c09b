// What the driver has, operation by operation, and the table in docs/hypervisors.md that says so.

import { expect, test } from 'vitest'
import { ErrorNumber } from '../../../drivers/errors.ts'
import { answer } from '../answer.ts'
import { type Bed, codeOf } from '../bed.ts'
import { column, writeColumn } from '../table.ts'
import { attempts, castOf, dismiss, has, type Asked } from './attempts.ts'
import { once } from './once.ts'

const [WORKS, UNSUPPORTED] = ['works', 'Unsupported']

export function support(bed: Bed): void {
  test('every operation works, or is error 3 where the driver is said to lack it, and docs/hypervisors.md says the same', async () => {
    const cast = await castOf(bed)
    const words = new Map<string, string>()
    const surprises: string[] = []
    for (const operation of Object.keys(attempts) as Asked[]) {
      const outcome = await has(bed, cast, operation).catch((error: unknown) => String(error))
      if (outcome !== bed.has(operation)) surprises.push(`${operation}: ${outcome}`)
      words.set(operation, outcome === true ? WORKS : UNSUPPORTED)
    }
    for (const [operation, ask] of Object.entries(once) as [keyof typeof once, (typeof once)[keyof typeof once]][]) {
      if (!bed.has(operation)) expect([operation, await codeOf((bed.c[operation] as () => Promise<unknown>)())]).toEqual([operation, ErrorNumber.NO_SUPPORT])
      words.set(operation, !bed.has(operation) ? UNSUPPORTED : typeof ask === 'string' ? `not asked: ${ask}` : await answer(ask(bed, cast)))
    }
    await dismiss(bed, cast)
    expect(surprises).toEqual([])
    if (process.env.WRITE_SUPPORT_TABLE !== undefined) await writeColumn(bed.subject.title, words)
    expect(await column(bed.subject.title), 'docs/hypervisors.md is stale: WRITE_SUPPORT_TABLE=1 npm run conformance writes it').toEqual(words)
  }, 180_000)
}
