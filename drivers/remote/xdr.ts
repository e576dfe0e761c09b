// XDR (RFC 4506) codecs: one value describes bytes both ways, `struct({ name: string, uuid, id: int })`.
//
// A Reader works inside one frame's payload and a Writer appends to the outgoing bytes; neither copies what it
// does not hand out. A payload that does not fit its description throws ProtocolError: fatal to the connection.

import { isUtf8 } from 'node:buffer'

/** The peer sent what the protocol does not allow: its bytes mean nothing any more. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
}

/** The protocol's limit for every string that has no smaller one (REMOTE_STRING_MAX). */
export const STRING_MAX = 4 * 1024 * 1024

export interface Codec<T> {
  write(to: Writer, value: T): void
  read(from: Reader): T
}
/** The type that a codec describes. */
export type Of<C> = C extends Codec<infer T> ? T : never

const padded = (length: number) => (length + 3) & ~3

export class Reader {
  readonly bytes: Buffer
  at: number
  readonly end: number

  constructor(bytes: Buffer, at = 0, end = bytes.length) {
    this.bytes = bytes
    this.at = at
    this.end = end
  }

  /** Steps over `length` bytes and their padding; answers where they began. */
  take(length: number, what: string): number {
    const at = this.at
    const next = at + padded(length)
    if (next > this.end) throw new ProtocolError(`${what} of ${length} bytes reaches beyond the ${this.end - at} bytes that are left of its frame`)
    this.at = next
    return at
  }

  get left(): number {
    return this.end - this.at
  }
}

const slabSize = 64 * 1024

/**
 * Appends to one stretch of memory; `flush` hands over what was appended since the last time, in one piece.
 * What was handed over is never written again.
 */
export class Writer {
  bytes = Buffer.allocUnsafeSlow(slabSize)
  at = 0
  #flushed = 0

  /** Makes room for `length` bytes and their padding, steps over them and answers where they begin. */
  skip(length: number): number {
    const size = padded(length)
    if (this.at + size > this.bytes.length) this.#grow(size)
    const at = this.at
    this.at = at + size
    if (size !== length) this.bytes.fill(0, at + length, this.at)
    return at
  }

  /** Where the next byte goes, counted from the last flush: stays valid when the memory is exchanged. */
  get mark(): number {
    return this.at - this.#flushed
  }

  /** The place in `bytes` of a `mark`. */
  locate(mark: number): number {
    return this.#flushed + mark
  }

  /** Forgets what was appended since `mark`. */
  rewind(mark: number): void {
    this.at = this.#flushed + mark
  }

  flush(): Buffer {
    const out = this.bytes.subarray(this.#flushed, this.at)
    this.#flushed = this.at
    return out
  }

  #grow(size: number): void {
    const kept = this.at - this.#flushed
    const next = Buffer.allocUnsafeSlow(Math.max(slabSize, 2 * (kept + size)))
    this.bytes.copy(next, 0, this.#flushed, this.at)
    this.bytes = next
    this.#flushed = 0
    this.at = kept
  }
}

export const int: Codec<number> = {
  write: (to, value) => { const at = to.skip(4); to.bytes.writeInt32BE(value, at) },
  read: (from) => from.bytes.readInt32BE(from.take(4, 'an int')),
}
export const uint: Codec<number> = {
  write: (to, value) => { const at = to.skip(4); to.bytes.writeUInt32BE(value, at) },
  read: (from) => from.bytes.readUInt32BE(from.take(4, 'an unsigned int')),
}
export const hyper: Codec<bigint> = {
  write: (to, value) => { const at = to.skip(8); to.bytes.writeBigInt64BE(value, at) },
  read: (from) => from.bytes.readBigInt64BE(from.take(8, 'a hyper')),
}
export const uhyper: Codec<bigint> = {
  write: (to, value) => { const at = to.skip(8); to.bytes.writeBigUInt64BE(value, at) },
  read: (from) => from.bytes.readBigUInt64BE(from.take(8, 'an unsigned hyper')),
}
/** An unsigned hyper that counts bytes, KiB or seconds: exact to 2^53, rounded above (8 PiB as bytes). */
export const size: Codec<number> = {
  write: (to, value) => uhyper.write(to, BigInt(value)),
  read: (from) => {
    const at = from.take(8, 'an unsigned hyper')
    return from.bytes.readUInt32BE(at) * 0x1_0000_0000 + from.bytes.readUInt32BE(at + 4)
  },
}
export const double: Codec<number> = {
  write: (to, value) => { const at = to.skip(8); to.bytes.writeDoubleBE(value, at) },
  read: (from) => from.bytes.readDoubleBE(from.take(8, 'a double')),
}
/** A C int that is used as a truth value: everything but 0 is true. */
export const flag: Codec<boolean> = {
  write: (to, value) => int.write(to, value ? 1 : 0),
  read: (from) => int.read(from) !== 0,
}
/** No bytes at all. */
export const nothing: Codec<void> = { write: () => {}, read: () => {} }

const readLength = (from: Reader, what: string, max: number): number => {
  const length = uint.read(from)
  if (length > max) throw new ProtocolError(`${what} of ${length} is over the limit of ${max}`)
  return length
}

const writeString = (to: Writer, value: string): void => {
  const length = Buffer.byteLength(value)
  if (length > STRING_MAX) throw new RangeError(`a string of ${length} bytes is over the protocol's limit of ${STRING_MAX}`)
  uint.write(to, length)
  const at = to.skip(length)
  to.bytes.write(value, at, length, 'utf8')
}

/** A string in UTF-8. Anything else ends the connection, for it could not be sent back as it came. */
export const string: Codec<string> = {
  write: writeString,
  read: (from) => {
    const length = readLength(from, 'a string', STRING_MAX)
    const at = from.take(length, 'a string')
    if (!isUtf8(from.bytes.subarray(at, at + length))) throw new ProtocolError(`a string of ${length} bytes is not UTF-8`)
    return from.bytes.toString('utf8', at, at + length)
  },
}
/**
 * Words that libvirt passes on unchecked, such as a file's name or the C library's message: what is not UTF-8
 * becomes U+FFFD. One oddly named file must not cost the connection.
 */
export const text: Codec<string> = {
  write: writeString,
  read: (from) => {
    const length = readLength(from, 'a string', STRING_MAX)
    const at = from.take(length, 'a string')
    return from.bytes.toString('utf8', at, at + length)
  },
}

const DASH = 0x2d
/** The value of a hexadecimal digit: letters of either case have bit 6 and count from 1 in their lowest bits. */
const nibble = (code: number): number => (code & 0xf) + (code & 0x40 ? 9 : 0)

/** 16 raw bytes as lower-case hexadecimal with dashes. */
export const uuid: Codec<string> = {
  write: (to, value) => {
    if (!/^[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}$/.test(value)) throw new TypeError(`${JSON.stringify(value)} is not a UUID`)
    let at = to.skip(16)
    for (let i = 0; i < value.length; i += 2) {
      if (value.charCodeAt(i) === DASH) i++
      to.bytes[at++] = nibble(value.charCodeAt(i)) << 4 | nibble(value.charCodeAt(i + 1))
    }
  },
  read: (from) => {
    const at = from.take(16, 'a UUID')
    const hex = from.bytes.toString('hex', at, at + 16)
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  },
}

/** `char name[size]`: XDR gives each char four bytes. A zero ends the text. */
export const chars = (size: number): Codec<string> => ({
  write: (to, value) => {
    const bytes = Buffer.from(value, 'latin1')
    if (bytes.length > size) throw new RangeError(`${bytes.length} characters do not fit into ${size}`)
    for (let i = 0; i < size; i++) int.write(to, bytes[i] ?? 0)
  },
  read: (from) => {
    const at = from.take(4 * size, 'a character array')
    const bytes = Buffer.from(Array.from({ length: size }, (_, i) => from.bytes.readInt32BE(at + 4 * i) & 0xff))
    const zero = bytes.indexOf(0)
    return bytes.toString('utf8', 0, zero < 0 ? size : zero)
  },
})

/** `char name<max>`: a counted one of the same; a zero ends the text. */
export const charArray = (max: number): Codec<string> => mapped(
  array(int, max),
  (values) => {
    const zero = values.indexOf(0)
    return Buffer.from(zero < 0 ? values : values.slice(0, zero)).toString('utf8')
  },
  (value) => [...Buffer.from(value, 'utf8')],
)

/** Bytes of any content. What is read is a copy: it does not hold the frame it came in. */
export const opaque = (max: number): Codec<Uint8Array> => ({
  write: (to, value) => {
    if (value.length > max) throw new RangeError(`${value.length} bytes are over the protocol's limit of ${max}`)
    uint.write(to, value.length)
    const at = to.skip(value.length)
    to.bytes.set(value, at)
  },
  read: (from) => {
    const length = readLength(from, 'an opaque value', max)
    const at = from.take(length, 'an opaque value')
    return Uint8Array.prototype.slice.call(from.bytes, at, at + length)
  },
})

/** CPUs by number in a map of bytes, the lowest bit of the first byte for CPU 0. */
export const cpusOf = (map: Uint8Array): number[] => {
  const cpus: number[] = []
  map.forEach((byte, at) => {
    for (let bit = 0; bit < 8; bit++) if (byte & (1 << bit)) cpus.push(8 * at + bit)
  })
  return cpus
}
export const cpuset = (max: number): Codec<number[]> => mapped(opaque(max), cpusOf, (cpus) => {
  const map = new Uint8Array(Math.floor(Math.max(-1, ...cpus) / 8) + 1)
  for (const cpu of cpus) {
    if (!Number.isInteger(cpu) || cpu < 0) throw new RangeError(`${cpu} is not the number of a CPU`)
    map[cpu >> 3]! |= 1 << (cpu & 7)
  }
  return map
})

export const array = <T>(item: Codec<T>, max: number): Codec<T[]> => ({
  write: (to, values) => {
    if (values.length > max) throw new RangeError(`a list of ${values.length} is over the protocol's limit of ${max}`)
    uint.write(to, values.length)
    for (const value of values) item.write(to, value)
  },
  read: (from) => {
    const length = readLength(from, 'a list', max)
    const values: T[] = []
    for (let i = 0; i < length; i++) values.push(item.read(from))
    return values
  },
})

/** XDR's optional data: a flag of exactly 0 or 1, then the value. */
export const optional = <T>(item: Codec<T>): Codec<T | null> => ({
  write: (to, value) => {
    uint.write(to, value === null ? 0 : 1)
    if (value !== null) item.write(to, value)
  },
  read: (from) => {
    const present = uint.read(from)
    if (present > 1) throw new ProtocolError(`an optional value is marked ${present} instead of 0 or 1`)
    return present === 1 ? item.read(from) : null
  },
})

type Fields = Record<string, Codec<any>>
export const struct = <F extends Fields>(fields: F): Codec<{ [K in keyof F]: Of<F[K]> }> => {
  const entries = Object.entries(fields)
  return {
    write: (to, value) => {
      for (const [name, codec] of entries) codec.write(to, value[name])
    },
    read: (from) => {
      const value: Record<string, unknown> = {}
      for (const [name, codec] of entries) value[name] = codec.read(from)
      return value as { [K in keyof F]: Of<F[K]> }
    },
  }
}

/** Another view of the same bytes. */
export const mapped = <T, U>(codec: Codec<T>, decode: (value: T) => U, encode: (value: U) => T): Codec<U> => ({
  write: (to, value) => codec.write(to, encode(value)),
  read: (from) => decode(codec.read(from)),
})
