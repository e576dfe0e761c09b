// A short run of the fuzzing of test/fuzz, another one each time: the seed in the message repeats it.

import { expect, test } from 'vitest'
import { fuzz } from '../../fuzz/frames.ts'

const RUNS = 20_000

test('a client survives whatever a host says: it goes on or ends with a sentence, and nothing hangs', async () => {
  const seed = Date.now() % 1_000_000_000
  console.log(`fuzz: seed ${seed}, ${RUNS} runs`)
  let ended = 0
  let answered = 0
  let events = 0
  for (let run = 0; run < RUNS; run++) {
    const outcome = await fuzz(seed + run).catch((error: unknown) => { throw new Error(`run ${run} failed; repeat it: npm run fuzz -- --seed ${seed} --from ${run} --runs 1`, { cause: error }) })
    ended += Number(outcome.ended)
    answered += outcome.answered
    events += outcome.events
  }
  // The fuzzing reaches both what passes and what does not.
  expect(ended).toBeGreaterThan(RUNS / 10)
  expect(RUNS - ended).toBeGreaterThan(RUNS / 10)
  expect(answered).toBeGreaterThan(RUNS / 10)
  expect(events).toBeGreaterThan(RUNS / 10)
})
