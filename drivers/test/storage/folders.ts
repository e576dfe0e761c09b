// The host's folders that pools lie in: what is in them stays while pools come and go.

import { dirname } from 'node:path'
import type { Volume } from './volume.ts'

/** The volumes of one folder by name. */
export type Folder = Map<string, Volume>

export class Folders {
  readonly #folders = new Map<string, Folder>()

  get(path: string): Folder | undefined { return this.#folders.get(path) }
  make(path: string): Folder {
    const found = this.#folders.get(path) ?? new Map<string, Volume>()
    this.#folders.set(path, found)
    return found
  }
  /** The caller knows it to be empty. */
  remove(path: string): void { this.#folders.delete(path) }

  file(path: string): Volume | undefined { return this.#folders.get(dirname(path))?.get(path.slice(dirname(path).length + 1)) }
  /** False where a folder of ours would have to hold it; files elsewhere on the host are taken to be there. */
  mayHold(path: string): boolean { return this.#folders.get(dirname(path)) === undefined || this.file(path) !== undefined }
}
