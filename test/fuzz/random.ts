// Random choices that a seed repeats.

export interface Random {
  /** A whole number from 0 to below `limit`. */
  below(limit: number): number
  pick<T>(from: readonly T[]): T
  /** True in one of `n` cases. */
  oneIn(n: number): boolean
}

/** mulberry32: 32 bits of state, good enough to choose and the same everywhere. */
export const random = (seed: number): Random => {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b_79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  const below = (limit: number): number => next() % limit
  return { below, pick: (from) => from[below(from.length)]!, oneIn: (n) => below(n) === 0 }
}
