// All objects of one resource as they are on the disk, in the order in which lists have them: namespace, then name.

import type { Entry } from './entry.ts'

const compare = (a: Entry, namespace: string, name: string): number =>
  a.namespace === namespace ? (a.name < name ? -1 : a.name > name ? 1 : 0) : a.namespace < namespace ? -1 : 1

export class Collection {
  readonly #byKey = new Map<string, Entry>()
  readonly #sorted: Entry[] = []
  /** The revision of the last change of any of them. */
  changedAt = 0

  get(namespace: string, name: string): Entry | undefined {
    return this.#byKey.get(`${namespace}/${name}`)
  }

  get size(): number { return this.#byKey.size }

  set(entry: Entry): void {
    const key = `${entry.namespace}/${entry.name}`
    const at = this.#indexOf(entry.namespace, entry.name)
    this.#sorted.splice(at, this.#byKey.has(key) ? 1 : 0, entry)
    this.#byKey.set(key, entry)
    this.changedAt = entry.revision
  }

  delete(namespace: string, name: string, revision: number): void {
    if (this.#byKey.delete(`${namespace}/${name}`)) this.#sorted.splice(this.#indexOf(namespace, name), 1)
    this.changedAt = revision
  }

  /** At the start: entries in any order. */
  fill(entries: Entry[]): void {
    for (const entry of entries) {
      this.#byKey.set(`${entry.namespace}/${entry.name}`, entry)
      this.changedAt = Math.max(this.changedAt, entry.revision)
    }
    this.#sorted.push(...entries.toSorted((a, b) => compare(a, b.namespace, b.name)))
  }

  /** Those of one namespace, or of all; behind `after` where it is given. A copy. */
  list(namespace?: string, after?: { namespace: string; name: string }): Entry[] {
    let from = namespace === undefined ? 0 : this.#indexOf(namespace, '')
    const to = namespace === undefined ? this.#sorted.length : this.#indexOf(`${namespace}\0`, '')
    // Nothing sorts between a name and the same with a NUL behind.
    if (after !== undefined) from = Math.max(from, this.#indexOf(after.namespace, `${after.name}\0`))
    return this.#sorted.slice(from, to)
  }

  /** Where it stands, or would. */
  #indexOf(namespace: string, name: string): number {
    let low = 0
    let high = this.#sorted.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compare(this.#sorted[middle]!, namespace, name) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}
