// Cuts the byte stream into libvirt's RPC frames and writes their headers: u32 length (itself included), program,
// version, procedure, type, serial, status, then the payload.

import { ProtocolError, type Writer } from './xdr.ts'

export const Program = { REMOTE: 0x2000_8086, QEMU: 0x2000_8087, KEEPALIVE: 0x6b65_6570 } as const
export const PROTOCOL_VERSION = 1
/** virNetMessageType. */
export const MessageType = { CALL: 0, REPLY: 1, MESSAGE: 2, STREAM: 3, CALL_WITH_FDS: 4, REPLY_WITH_FDS: 5, STREAM_HOLE: 6 } as const
/** virNetMessageStatus. */
export const MessageStatus = { OK: 0, ERROR: 1, CONTINUE: 2 } as const

export const HEADER_SIZE = 28
/** The largest frame of either side, its length word included. */
export const FRAME_MAX = 32 * 1024 * 1024

export interface Header { program: number; procedure: number; type: number; serial: number; status: number }
/** `payload` is a view into the bytes that arrived: valid as long as it is held, never written again. */
export interface Frame extends Header { version: number; payload: Buffer }

const decode = (bytes: Buffer, at: number, length: number): Frame => ({
  program: bytes.readUInt32BE(at + 4),
  version: bytes.readUInt32BE(at + 8),
  procedure: bytes.readInt32BE(at + 12),
  type: bytes.readUInt32BE(at + 16),
  serial: bytes.readUInt32BE(at + 20),
  status: bytes.readUInt32BE(at + 24),
  payload: bytes.subarray(at + HEADER_SIZE, at + length),
})

const checkedLength = (length: number): number => {
  if (length < HEADER_SIZE) throw new ProtocolError(`a frame claims ${length} bytes, less than its own header`)
  if (length > FRAME_MAX) throw new ProtocolError(`a frame claims ${length} bytes, over the limit of ${FRAME_MAX}`)
  return length
}

/** Room for the beginning of a frame: no more than this for one that is only claimed. */
const ROOM_FIRST = 1024 * 1024

/** Data of a stream may arrive in any pieces: two packets say the same as one with both their bytes. */
const divisible = ({ type, status }: Header): boolean => type === MessageType.STREAM && status === MessageStatus.CONTINUE

/**
 * Takes chunks as they come and hands on whole frames, synchronously and in order. A frame inside one chunk is
 * never copied; of one that spans chunks each byte is copied once, into memory of its own (twice the first MiB of a
 * larger one), however small the chunks. Data of a stream is never put together: what a chunk has of it is handed on as a
 * frame of its own. Throws ProtocolError on a length outside the limits; the bytes cannot be followed any further then.
 */
export class FrameParser {
  readonly #onFrame: (frame: Frame) => void
  /** The frame whose rest has not arrived. */
  #bytes = Buffer.alloc(0)
  #have = 0
  /** Its length, 0 while the length word itself is incomplete. */
  #length = 0
  /** The data packet whose beginning was handed on, and how much of it has not arrived. */
  #packet: Frame | null = null
  #rest = 0

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame
  }

  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#packet) at += this.#pass(this.#packet, chunk, at)
      else if (this.#have > 0) at += this.#complete(chunk, at)
      else if (chunk.length - at < 4) at += this.#keep(chunk, at, chunk.length)
      else {
        const length = checkedLength(chunk.readUInt32BE(at))
        const here = chunk.length - at
        if (here >= length) {
          this.#onFrame(decode(chunk, at, length))
          at += length
        } else {
          this.#length = length
          at += here < HEADER_SIZE || !this.#divided(chunk, at) ? this.#keep(chunk, at, chunk.length) : HEADER_SIZE
        }
      }
    }
  }

  /** Whether the frame that begins here is handed on in pieces from now on. */
  #divided(bytes: Buffer, at: number): boolean {
    const header = decode(bytes, at, HEADER_SIZE)
    if (!divisible(header)) return false
    this.#packet = header
    this.#rest = this.#length - HEADER_SIZE
    this.#length = 0
    return true
  }

  /** Hands on what the chunk has of the packet's data; answers how much that is. */
  #pass(packet: Frame, chunk: Buffer, at: number): number {
    const size = Math.min(this.#rest, chunk.length - at)
    this.#rest -= size
    if (this.#rest === 0) this.#packet = null
    this.#onFrame({ ...packet, payload: chunk.subarray(at, at + size) })
    return size
  }

  /** Takes a part of the unfinished frame into its own memory; answers how much that is. */
  #keep(chunk: Buffer, from: number, to: number): number {
    const have = this.#have + to - from
    if (have > this.#bytes.length) {
      const length = this.#length || 4
      const room = Buffer.allocUnsafeSlow(have > ROOM_FIRST ? length : Math.min(length, ROOM_FIRST))
      this.#bytes.copy(room, 0, 0, this.#have)
      this.#bytes = room
    }
    chunk.copy(this.#bytes, this.#have, from, to)
    this.#have = have
    return to - from
  }

  /** Feeds the unfinished frame: its length, its header, then the rest of it. Answers how much of the chunk it took. */
  #complete(chunk: Buffer, at: number): number {
    const wanted = this.#length === 0 ? 4 : this.#have < HEADER_SIZE ? HEADER_SIZE : this.#length
    const took = this.#keep(chunk, at, Math.min(at + wanted - this.#have, chunk.length))
    if (this.#have < wanted) return took
    if (wanted === 4) this.#length = checkedLength(this.#bytes.readUInt32BE(0))
    const whole = this.#have === this.#length
    if (!whole && (this.#have !== HEADER_SIZE || !this.#divided(this.#bytes, 0))) return took
    const bytes = this.#bytes
    this.#bytes = Buffer.alloc(0)
    this.#have = 0
    this.#length = 0
    if (whole) this.#onFrame(decode(bytes, 0, bytes.length))
    return took
  }
}

/** Appends one frame; `body` appends its payload, or `extra` bytes of payload follow by another way. */
export const writeFrame = (to: Writer, header: Header, body?: (to: Writer) => void, extra = 0): void => {
  const mark = to.mark
  try {
    to.skip(HEADER_SIZE)
    body?.(to)
    const length = to.mark - mark + extra
    if (length > FRAME_MAX) throw new RangeError(`a frame of ${length} bytes is over the protocol's limit of ${FRAME_MAX}`)
    const at = to.locate(mark)
    to.bytes.writeUInt32BE(length, at)
    to.bytes.writeUInt32BE(header.program, at + 4)
    to.bytes.writeUInt32BE(PROTOCOL_VERSION, at + 8)
    to.bytes.writeInt32BE(header.procedure, at + 12)
    to.bytes.writeUInt32BE(header.type, at + 16)
    to.bytes.writeUInt32BE(header.serial, at + 20)
    to.bytes.writeUInt32BE(header.status, at + 24)
  } catch (error) {
    // Half a frame must not reach the wire.
    to.rewind(mark)
    throw error
  }
}
