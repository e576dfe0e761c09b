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

/** Room for the beginning of a frame: all of one of a stream, and no more than this for one that is only claimed. */
const ROOM_FIRST = 1024 * 1024

/**
 * Takes chunks as they come and hands on whole frames, synchronously and in order. A frame inside one chunk is
 * never copied; of one that spans chunks each byte is copied once, into memory of its own (twice the first MiB of a
 * larger one), however small the chunks. Throws ProtocolError on a length outside the limits; the stream cannot be
 * followed any further then.
 */
export class FrameParser {
  readonly #onFrame: (frame: Frame) => void
  /** The frame whose rest has not arrived. */
  #bytes = Buffer.alloc(0)
  #have = 0
  /** Its length, 0 while the length word itself is incomplete. */
  #length = 0

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame
  }

  push(chunk: Buffer): void {
    let at = this.#have > 0 ? this.#complete(chunk) : 0
    while (chunk.length - at >= 4) {
      const length = checkedLength(chunk.readUInt32BE(at))
      if (chunk.length - at < length) {
        this.#length = length
        break
      }
      this.#onFrame(decode(chunk, at, length))
      at += length
    }
    if (at < chunk.length) this.#keep(chunk, at, chunk.length)
  }

  #keep(chunk: Buffer, from: number, to: number): void {
    const have = this.#have + to - from
    if (have > this.#bytes.length) {
      const length = this.#length || 4
      const room = Buffer.allocUnsafeSlow(have > ROOM_FIRST ? length : Math.min(length, ROOM_FIRST))
      this.#bytes.copy(room, 0, 0, this.#have)
      this.#bytes = room
    }
    chunk.copy(this.#bytes, this.#have, from, to)
    this.#have = have
  }

  /** Feeds the unfinished frame; answers how much of the chunk it took. */
  #complete(chunk: Buffer): number {
    let at = 0
    if (this.#length === 0) {
      at = Math.min(4 - this.#have, chunk.length)
      this.#keep(chunk, 0, at)
      if (this.#have < 4) return at
      this.#length = checkedLength(this.#bytes.readUInt32BE(0))
    }
    const rest = Math.min(this.#length - this.#have, chunk.length - at)
    this.#keep(chunk, at, at + rest)
    at += rest
    if (this.#have === this.#length) {
      const frame = decode(this.#bytes, 0, this.#length)
      this.#bytes = Buffer.alloc(0)
      this.#have = 0
      this.#length = 0
      this.#onFrame(frame)
    }
    return at
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
