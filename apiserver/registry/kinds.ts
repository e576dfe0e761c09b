// Which kinds are served now: the built-in ones and those that definitions bring and take away.

import { qualified } from './failure.ts'
import type { ServedKind, ServedVersion } from './kind.ts'

export class Kinds {
  readonly #byName = new Map<string, ServedKind>()
  /** Rises with every change: what is made of all kinds is made anew then. */
  generation = 0

  constructor(builtin: readonly ServedKind[]) {
    for (const kind of builtin) this.#byName.set(qualified(kind), kind)
  }

  /** In the order of group and plural. */
  all(): ServedKind[] {
    return [...this.#byName.values()].toSorted((a, b) => a.group === b.group ? compare(a.plural, b.plural) : compare(a.group, b.group))
  }

  find(group: string, version: string, plural: string): { kind: ServedKind; version: ServedVersion } | undefined {
    const kind = this.#byName.get(qualified({ group, plural }))
    const found = kind?.versions.find(({ name, served }) => served && name === version)
    return kind && found && { kind, version: found }
  }

  /** The kind whose objects are kept under `resource`. */
  kept(resource: string): ServedKind | undefined { return this.#byName.get(resource) }

  set(kind: ServedKind): void {
    this.#byName.set(qualified(kind), kind)
    this.generation++
  }

  delete(name: string): void {
    if (this.#byName.get(name)?.custom === true && this.#byName.delete(name)) this.generation++
  }
}

const compare = (a: string, b: string): number => a < b ? -1 : a > b ? 1 : 0

/** Kubernetes' order of versions: stable ones first, then beta, then alpha, each with the highest number first; others last, by name. */
export function compareVersionNames(a: string, b: string): number {
  const [left, right] = [parseVersion(a), parseVersion(b)]
  if (left === undefined || right === undefined) return left === right ? compare(a, b) : left === undefined ? 1 : -1
  return right.stage - left.stage || right.major - left.major || right.minor - left.minor
}

function parseVersion(name: string): { stage: number; major: number; minor: number } | undefined {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(name)
  if (match === null) return undefined
  return { stage: match[2] === undefined ? 2 : match[2] === 'beta' ? 1 : 0, major: Number(match[1]), minor: Number(match[3] ?? 0) }
}
