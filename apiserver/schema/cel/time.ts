// Durations as rules know them: Go's strings, to the nanosecond.

import { parse } from '@marcbachmann/cel-js'

/** The library's own duration; it does not export the class. */
export interface Duration { readonly seconds: bigint; readonly nanos: number }

const second = 1_000_000_000n
const read = parse('duration(text)')

/** Undefined where the text is no duration. */
export function celDuration(text: string): Duration | undefined {
  try {
    return read({ text }) as Duration
  } catch {
    return undefined
  }
}

export const nanosOf = (duration: Duration): bigint => duration.seconds * second + BigInt(duration.nanos)
export const durationOf = (nanos: bigint): Duration => read({ text: durationText(nanos) }) as Duration

/** Seconds with a fraction, as CEL writes a duration. */
export function durationText(nanos: bigint): string {
  const size = nanos < 0n ? -nanos : nanos
  const fraction = (size % second).toString().padStart(9, '0').replace(/0+$/, '')
  return `${nanos < 0n ? '-' : ''}${size / second}${fraction === '' ? '' : `.${fraction}`}s`
}
