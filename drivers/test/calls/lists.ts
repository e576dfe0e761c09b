// Bulk lists with libvirt's filters: within a pair of flags either, between the pairs both; no flag is all.

/** Whether an object that is (or is not) so passes the pair of flags. */
export const passes = (flags: number, yes: number, no: number, is: boolean): boolean => (flags & (yes | no)) === 0 || (flags & (is ? yes : no)) !== 0

interface Listed<R> { ref: R; active: boolean; persistent: boolean; autostart: boolean }

/** The references of the networks or pools that pass. */
export const refs = <R>(objects: Iterable<Listed<R>>, flags: number): R[] =>
  Array.from(objects).filter(({ active, persistent, autostart }) => passes(flags, 2, 1, active) && passes(flags, 4, 8, persistent) && passes(flags, 16, 32, autostart)).map(({ ref }) => ref)
