// npm run bench -- NAME [--json]: runs one comparison and prints a table for people, or one JSON object.
import { Command } from 'commander'
import { benchApiServer } from './apiserver.ts'
import { benchApply } from './apply.ts'
import { benchDrift } from './drift.ts'
import { benchIdle } from './idle.ts'
import { benchRpc } from './rpc.ts'
import { show } from './support.ts'
import { benchTestDriver } from './testdriver.ts'
import type { BenchResult } from './support.ts'

interface Flags { json?: boolean; count?: string; rounds?: string; seconds?: string; events?: string }
const given = (value: string | undefined): number | undefined => (value === undefined ? undefined : Number(value))

const benches: Record<string, (flags: Flags) => Promise<BenchResult>> = {
  apply: async ({ count, rounds }) => await benchApply({ count: given(count), rounds: given(rounds) }),
  drift: async ({ count }) => await benchDrift({ kills: given(count) }),
  idle: async ({ count, seconds }) => await benchIdle({ count: given(count), seconds: given(seconds) }),
  rpc: async ({ count, rounds, events }) => await benchRpc({ count: given(count), rounds: given(rounds), events: given(events) }),
  apiserver: async ({ count }) => await benchApiServer({ count: given(count) }),
  testdriver: async ({ count, rounds }) => await benchTestDriver({ count: given(count), rounds: given(rounds) }),
}

await new Command('bench')
  .description('Measures vireo beside a floor in the same run. Needs root, for the private libvirt host.')
  .argument('<name>', Object.keys(benches).join(', '))
  .option('--json', 'print one JSON object')
  .option('--count <n>', 'domains (apply, idle, testdriver), kills (drift), calls (rpc) or writes (apiserver)')
  .option('--rounds <n>', 'measured rounds (apply, rpc, testdriver)')
  .option('--seconds <n>', 'how long to watch (idle)')
  .option('--events <n>', 'events to count (rpc)')
  .action(async (name: string, flags: Flags) => {
    const bench = benches[name]
    if (bench === undefined) throw new Error(`there is no benchmark ${name}; there are ${Object.keys(benches).join(', ')}`)
    const result = await bench(flags)
    if (flags.json) process.stdout.write(`${JSON.stringify(result)}\n`)
    else show(result)
  })
  .parseAsync()
