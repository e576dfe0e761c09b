// Go durations, as the API writes them: 90s, 5m, 1h30m.

const milliseconds: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
const whole = /^([+-]?)((?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+|0)$/
const part = /([0-9.]+)(ns|us|µs|μs|ms|s|m|h)/g

/** Milliseconds of a Go duration; fractions of a millisecond stay. Throws TypeError when it is none. */
export function parseDuration(duration: string): number {
  const match = whole.exec(duration)
  if (!match) throw new TypeError(`${duration} is not a duration: write 90s, 5m or 1h30m`)
  let total = 0
  for (const [, count, unit] of match[2]!.matchAll(part)) total += Number(count) * milliseconds[unit!]!
  return match[1] === '-' && total > 0 ? -total : total
}
