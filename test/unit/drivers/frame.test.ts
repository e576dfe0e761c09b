// The parser finds the frames in any cutting of the stream, and ends at the first length that cannot be.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FRAME_MAX, FrameParser, HEADER_SIZE, MessageStatus, MessageType, Program, writeFrame, type Frame } from '../../../drivers/remote/frame.ts'
import { ProtocolError, Writer } from '../../../drivers/remote/xdr.ts'
import { frameOf, raw } from '../../support/rpc/scripted-peer.ts'

const parse = (chunks: Uint8Array[]): Frame[] => {
  const frames: Frame[] = []
  const parser = new FrameParser((frame) => frames.push(frame))
  for (const chunk of chunks) parser.push(Buffer.from(chunk))
  return frames
}
const withLength = (length: number): Buffer => {
  const bytes = Buffer.alloc(HEADER_SIZE)
  bytes.writeUInt32BE(length)
  return bytes
}

describe('frames', () => {
  test('a header is read as it was written', () => {
    const header = { program: Program.KEEPALIVE, procedure: 2, type: MessageType.MESSAGE, serial: 0xffff_fffe, status: 2 }
    expect(parse([frameOf(header)])).toEqual([{ ...header, version: 1, payload: Buffer.alloc(0) }])
  })

  test('a stream cut at any one byte gives the same frames', () => {
    const bytes = Buffer.concat([frameOf({ serial: 1 }), frameOf({ serial: 2 }, raw(Buffer.from('payload'))), frameOf({ serial: 3 }, raw(Buffer.alloc(100, 7)))])
    const whole = parse([bytes])
    expect(whole.map(({ serial, payload }) => [serial, payload.length])).toEqual([[1, 0], [2, 7], [3, 100]])
    for (let at = 0; at <= bytes.length; at++) expect(parse([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(whole)
    expect(parse([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(whole)
  })

  test('frames glued and cut in any way come out in order and unchanged', () => {
    const cuts = fc.array(fc.nat({ max: 60 }), { maxLength: 40 })
    fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 80 }), { minLength: 1, maxLength: 10 }), cuts, (payloads, sizes) => {
      const stream = Buffer.concat(payloads.map((payload, serial) => frameOf({ serial }, raw(payload))))
      const chunks: Buffer[] = []
      let at = 0
      for (const size of sizes) chunks.push(stream.subarray(at, at += size))
      chunks.push(stream.subarray(at))
      expect(parse(chunks).map(({ serial, payload }) => [serial, [...payload]])).toEqual(payloads.map((payload, serial) => [serial, [...payload]]))
    }))
  })

  test('data of a stream is handed on as it comes, never put together, and no byte is lost in any cutting', () => {
    const data = Buffer.from(Array.from({ length: 200 }, (_, i) => i))
    const packet = (serial: number, payload: Buffer): Buffer => frameOf({ type: MessageType.STREAM, status: MessageStatus.CONTINUE, serial }, raw(payload))
    const bytes = Buffer.concat([frameOf({ serial: 1 }), packet(2, data), packet(2, Buffer.alloc(0)), packet(3, data.subarray(0, 1)), frameOf({ serial: 4, type: MessageType.STREAM, status: MessageStatus.OK })])
    const dataOf = (frames: Frame[], of: number): number[] => frames.filter(({ serial }) => serial === of).flatMap(({ payload }) => [...payload])
    for (let at = 0; at <= bytes.length; at++) {
      const frames = parse([bytes.subarray(0, at), bytes.subarray(at)])
      expect([dataOf(frames, 2), dataOf(frames, 3)]).toEqual([[...data], [0]])
      // An empty packet means something: it is handed on once, and no piece is empty.
      expect(frames.filter(({ payload }) => payload.length === 0).map(({ serial }) => serial)).toEqual([1, 2, 4])
      expect(frames.every(({ serial, type }) => (type === MessageType.STREAM) === (serial > 1))).toBe(true)
    }
    const each = parse([...bytes].map((byte) => Uint8Array.of(byte)))
    expect(dataOf(each, 2)).toEqual([...data])
    expect(each.filter(({ payload }) => payload.length === 0).map(({ serial }) => serial)).toEqual([1, 2, 4])
  })

  test('a frame that never gets complete is never handed on', () => {
    expect(parse([frameOf({}, raw(Buffer.alloc(50))).subarray(0, 77)])).toEqual([])
  })

  test.each([0, 3, 27])('a length of %i, less than a header, ends the stream', (length) => {
    expect(() => parse([withLength(length)])).toThrow(`a frame claims ${length} bytes, less than its own header`)
    expect(() => parse([...withLength(length)].map((byte) => Uint8Array.of(byte)))).toThrow(ProtocolError)
  })

  test.each([FRAME_MAX + 1, 0xffff_ffff])('a length of %i, over the limit, ends the stream before its bytes are awaited', (length) => {
    expect(() => parse([withLength(length).subarray(0, 4)])).toThrow(`a frame claims ${length} bytes, over the limit of ${FRAME_MAX}`)
  })

  test('the largest frame passes', () => {
    const head = withLength(FRAME_MAX)
    const frames = parse([head, Buffer.alloc(FRAME_MAX - HEADER_SIZE - 1), Buffer.alloc(1)])
    expect(frames.map(({ payload }) => payload.length)).toEqual([FRAME_MAX - HEADER_SIZE])
  })

  test('memory grows by what arrived, not by what a length claims nor by the number of its pieces', () => {
    const parser = new FrameParser(() => { throw new Error('it is not complete') })
    const used = (): number => { const { heapUsed, arrayBuffers } = process.memoryUsage(); return heapUsed + arrayBuffers }
    const before = used()
    parser.push(withLength(FRAME_MAX))
    expect(used() - before).toBeLessThan(4 * 1024 * 1024)
    const piece = Buffer.alloc(1)
    for (let i = 0; i < 2_000_000; i++) parser.push(piece)
    expect(used() - before).toBeLessThan(2 * FRAME_MAX)
  })

  test('what was handed on is never written again', () => {
    const frames: Frame[] = []
    const parser = new FrameParser((frame) => frames.push(frame))
    const bytes = frameOf({ serial: 1 }, raw(Buffer.alloc(40, 1)))
    for (const fill of [1, 2, 3]) {
      parser.push(bytes.subarray(0, 30))
      parser.push(Buffer.concat([Buffer.alloc(bytes.length - 30, fill), bytes.subarray(0, 2)]))
      parser.push(bytes.subarray(2))
    }
    expect(frames.map(({ payload }) => payload.at(-1))).toEqual([1, 1, 2, 1, 3, 1])
  })

  test('a frame whose payload cannot be written leaves nothing behind', () => {
    const to = new Writer()
    const header = { program: 1, procedure: 1, type: 0, serial: 1, status: 0 }
    writeFrame(to, header)
    expect(() => writeFrame(to, header, (to) => { to.skip(100_000); throw new RangeError('cannot be sent') })).toThrow('cannot be sent')
    expect(() => writeFrame(to, header, undefined, FRAME_MAX)).toThrow(RangeError)
    writeFrame(to, { ...header, serial: 2 })
    expect(parse([to.flush()]).map(({ serial }) => serial)).toEqual([1, 2])
  })
})
