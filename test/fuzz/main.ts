// npm run fuzz [-- --runs 1000000 --seed N --from I]: many runs, counted; a failure or a hang prints how to repeat it.
import { parseArgs } from 'node:util'
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
import { fuzz } from './frames.ts'

interface Work { seed: number; from: number; runs: number }
interface Progress { done: number; ended: number; answered: number; events: number }
type Report = { type: 'progress'; progress: Progress } | { type: 'failed'; run: number; error: unknown }

/** How long (ms) a thousand runs may take, and how much memory (MB) all of it, before that is the failure. */
const PATIENCE = 30_000
const MEMORY = 1024

async function work({ seed, from, runs }: Work): Promise<void> {
  const progress: Progress = { done: 0, ended: 0, answered: 0, events: 0 }
  for (let run = from; run < from + runs; run++) {
    try {
      const { ended, answered, events } = await fuzz(seed + run)
      progress.done++
      progress.ended += Number(ended)
      progress.answered += answered
      progress.events += events
    } catch (error) {
      parentPort!.postMessage({ type: 'failed', run, error } satisfies Report)
      return
    }
    if (progress.done % 1000 === 0 || progress.done === runs) parentPort!.postMessage({ type: 'progress', progress: { ...progress } } satisfies Report)
  }
}

/** The work is another thread's: this one sees that it goes on. */
async function watch(given: Work): Promise<void> {
  const began = performance.now()
  const worker = new Worker(new URL(import.meta.url), { workerData: given })
  const over = Promise.withResolvers<string | undefined>()
  let last: Progress = { done: 0, ended: 0, answered: 0, events: 0 }
  const hang = (): void => over.resolve(`it hangs somewhere in the ${1000} runs from ${given.from + last.done} on`)
  let patience = setTimeout(hang, PATIENCE)
  worker.on('message', (report: Report) => {
    if (report.type === 'failed') {
      over.resolve(`run ${report.run} failed (repeat it with --seed ${given.seed} --from ${report.run} --runs 1): ${String(report.error)}`)
      return
    }
    last = report.progress
    clearTimeout(patience)
    patience = setTimeout(hang, PATIENCE)
    const megabytes = process.memoryUsage.rss() / 1e6
    if (megabytes > MEMORY) over.resolve(`${Math.round(megabytes)} MB are in use after run ${given.from + last.done}`)
    if (last.done === given.runs) over.resolve(undefined)
  })
  worker.on('error', (error) => over.resolve(String(error)))
  const failure = await over.promise
  clearTimeout(patience)
  await worker.terminate()
  const seconds = (performance.now() - began) / 1000
  process.stdout.write(`fuzz: seed ${given.seed}, ${last.done} runs in ${seconds.toFixed(1)} s: ${last.ended} connections ended by the host's fault, ${last.answered} calls answered, ${last.events} events; ${Math.round(process.resourceUsage().maxRSS / 1000)} MB at most\n`)
  if (failure !== undefined) {
    process.stderr.write(`fuzz: ${failure}\n`)
    process.exitCode = 1
  }
}

if (isMainThread) {
  const { values } = parseArgs({ options: { runs: { type: 'string', default: '1000000' }, seed: { type: 'string', default: String(Date.now() % 1e9) }, from: { type: 'string', default: '0' } } })
  await watch({ seed: Number(values.seed), from: Number(values.from), runs: Number(values.runs) })
} else {
  await work(workerData as Work)
}
