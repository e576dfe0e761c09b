// A linked list of strings for the work queue: first in, first out, and any key can leave the middle, all in O(1).

interface Node { key: string; previous: Node | undefined; next: Node | undefined }

export class Fifo {
  readonly #nodes = new Map<string, Node>()
  #head: Node | undefined
  #tail: Node | undefined

  get size(): number { return this.#nodes.size }
  has(key: string): boolean { return this.#nodes.has(key) }

  /** To the end, unless it is in the list already. */
  push(key: string): void {
    if (this.#nodes.has(key)) return
    const node: Node = { key, previous: this.#tail, next: undefined }
    if (this.#tail) this.#tail.next = node
    else this.#head = node
    this.#tail = node
    this.#nodes.set(key, node)
  }

  shift(): string | undefined {
    const node = this.#head
    if (node) this.remove(node.key)
    return node?.key
  }

  remove(key: string): boolean {
    const node = this.#nodes.get(key)
    if (!node) return false
    if (node.previous) node.previous.next = node.next
    else this.#head = node.next
    if (node.next) node.next.previous = node.previous
    else this.#tail = node.previous
    this.#nodes.delete(key)
    return true
  }
}
