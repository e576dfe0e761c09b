// What the driver has, operation by operation, and the table in docs/hypervisors.md that says so.

import { expect, test } from 'vitest'
import type { Operation } from '../../../drivers/test/faults.ts'
import type { Bed } from '../bed.ts'
import { column, writeColumn } from '../table.ts'
import { attempts, castOf, dismiss, has } from './attempts.ts'

export function support(bed: Bed): void {
  test('every operation works, or is error 3 where the driver is said to lack it, and docs/hypervisors.md says the same', async () => {
    const cast = await castOf(bed)
    const found = new Map<Operation, boolean>()
    for (const operation of Object.keys(attempts) as Operation[]) found.set(operation, await has(bed, cast, operation))
    await dismiss(bed, cast)
    expect([...found].filter(([, works]) => !works).map(([operation]) => operation).toSorted()).toEqual([...bed.subject.lacks].toSorted())
    const words = new Map([...found].map(([operation, works]) => [operation as string, works ? 'works' : 'Unsupported']))
    if (process.env.WRITE_SUPPORT_TABLE !== undefined) await writeColumn(bed.subject.title, words)
    expect(await column(bed.subject.title), 'docs/hypervisors.md is stale: WRITE_SUPPORT_TABLE=1 npm run conformance writes it').toEqual(words)
  })
}
