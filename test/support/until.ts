// Waits for a condition of the outside world that announces itself by no event.

export interface UntilOptions {
  /** Milliseconds before the wait fails. */
  timeoutMs?: number
  /** Milliseconds between two looks. */
  everyMs?: number
}

/**
 * Looks until `probe` answers something other than undefined, null or false, and hands that back. A probe that throws counts
 * as "not yet"; its last error is the cause of the failure at the deadline.
 */
export async function until<T>(
  what: string,
  probe: () => T | Promise<T>,
  { timeoutMs = 30_000, everyMs = 50 }: UntilOptions = {},
): Promise<Exclude<T, undefined | null | false>> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    let last: unknown
    try {
      const value = await probe()
      if (value !== undefined && value !== null && value !== false) return value as Exclude<T, undefined | null | false>
    } catch (error) {
      last = error
    }
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain until ${what}`, { cause: last })
    await new Promise(resolve => setTimeout(resolve, everyMs))
  }
}
