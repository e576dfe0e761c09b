// The bytes of a volume in memory: pages that hold only zeros are not kept, and all volumes of a host share one bound.

const PAGE = 64 * 1024
const zeros = Buffer.alloc(PAGE)

/** What the contents of one host may take, bytes. */
export class Space {
  readonly limit: number
  used = 0
  constructor(limit: number) { this.limit = limit }
}

export class SpaceExhausted extends Error {
  override readonly name = 'SpaceExhausted'
}

export class Content {
  readonly #space: Space
  readonly #pages = new Map<number, Buffer>()
  /** The file's length, bytes. */
  length: number

  constructor(space: Space, length: number) {
    this.#space = space
    this.length = length
  }

  /** Bytes that are held: what a sparse file occupies. */
  get held(): number { return this.#pages.size * PAGE }

  /** Rejects with SpaceExhausted when the host's bound is reached; what fitted stays written. */
  write(offset: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const number = Math.floor((offset + at) / PAGE)
      const start = (offset + at) % PAGE
      const part = bytes.subarray(at, at + PAGE - start)
      this.#page(number, start, part)
      at += part.length
      this.length = Math.max(this.length, offset + at)
    }
  }

  #page(number: number, start: number, part: Uint8Array): void {
    const page = this.#pages.get(number)
    const blank = zeros.compare(part, 0, part.length, 0, part.length) === 0
    if (page === undefined && blank) return
    if (page !== undefined) {
      page.set(part, start)
      if (blank && page.equals(zeros)) this.#drop(number)
      return
    }
    if (this.#space.used + PAGE > this.#space.limit) throw new SpaceExhausted(`the volumes of this host hold ${this.#space.used} bytes; more than ${this.#space.limit} are not kept in memory`)
    this.#space.used += PAGE
    const made = Buffer.alloc(PAGE)
    made.set(part, start)
    this.#pages.set(number, made)
  }

  #drop(number: number): void {
    if (this.#pages.delete(number)) this.#space.used -= PAGE
  }

  /** Answers at most `count` bytes; fewer only at the end. A copy. */
  read(offset: number, count: number): Buffer {
    const bytes = Buffer.alloc(Math.max(0, Math.min(count, this.length - offset)))
    for (let at = 0; at < bytes.length;) {
      const start = (offset + at) % PAGE
      const length = Math.min(PAGE - start, bytes.length - at)
      this.#pages.get(Math.floor((offset + at) / PAGE))?.copy(bytes, at, start, start + length)
      at += length
    }
    return bytes
  }

  truncate(length: number): void {
    if (length < this.length) {
      for (const number of this.#pages.keys()) if (number * PAGE >= length) this.#drop(number)
      this.#pages.get(Math.floor(length / PAGE))?.fill(0, length % PAGE)
    }
    this.length = length
  }

  copy(): Content {
    const copied = new Content(this.#space, 0)
    for (const [number, page] of this.#pages) copied.write(number * PAGE, page)
    copied.length = this.length
    return copied
  }

  free(): void {
    for (const number of this.#pages.keys()) this.#drop(number)
  }
}
