// When garbage is collected: at rest, and only where memory has grown since.
import { expect, test } from 'vitest'
import { type Usage, collectWhenQuiet } from '../../../cli/garbage.ts'
import { FakeClock } from '../../support/fakeclock.ts'

const MB = 1e6

/** Advances 5 s after 5 s, each with its CPU time (ms) and the memory at its end; answers in which of them it collected. */
async function collections(steps: readonly [cpu: number, memory: number][], ends = Infinity): Promise<number[]> {
  const clock = new FakeClock()
  const over = new AbortController()
  const used: Usage = { cpu: 0, memory: 100 * MB }
  const found: number[] = []
  let step = 0
  collectWhenQuiet({ clock, usage: () => ({ ...used }), collect: () => { found.push(step) } }, over.signal)
  for (const [cpu, memory] of steps) {
    used.cpu += cpu
    used.memory = memory * MB
    if (step === ends) over.abort()
    await clock.advance(5_000)
    step++
  }
  return found
}

test('what work has left is collected once the work is over', async () => {
  expect(await collections([[4_000, 300], [3_000, 460], [100, 460], [10, 210], [10, 210], [10, 212]])).toEqual([2])
})

test('memory that has not grown since is left alone, and what has grown is collected again', async () => {
  expect(await collections([[0, 400], [0, 200], [0, 240], [0, 249], [0, 251], [0, 202], [0, 240]])).toEqual([0, 4])
})

test('nothing is collected in the middle of work', async () => {
  expect(await collections([[300, 500], [2_000, 600], [251, 700], [249, 700]])).toEqual([3])
})

test('a collection that gives nothing back is not repeated', async () => {
  expect(await collections(Array.from({ length: 10 }, () => [0, 500]))).toEqual([0])
})

test('ends with its signal', async () => {
  expect(await collections([[1_000, 400], [0, 400], [0, 200], [0, 400]], 1)).toEqual([])
})
