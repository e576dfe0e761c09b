// Fuzzes the client: what a real libvirtd said, mutated, to a client that waits for answers, events and a stream.
//
// One run is one connection. Whatever the bytes are, the client must neither throw nor hang: it goes on, or it ends with a
// sentence, and every call and the stream end with it.

import { readFileSync } from 'node:fs'
import { CallTimeout, ConnectionLost, LibvirtError } from '../../drivers/errors.ts'
import { Client } from '../../drivers/remote/client.ts'
import { Events } from '../../drivers/remote/events.ts'
import { FrameParser, HEADER_SIZE, MessageStatus, MessageType, Program } from '../../drivers/remote/frame.ts'
import { procedures, type Procedure } from '../../drivers/remote/protocol.ts'
import type { TransportEvents } from '../../drivers/remote/transport/transport.ts'
import { ProtocolError, nothing } from '../../drivers/remote/xdr.ts'
import { FakeClock } from '../support/fakeclock.ts'
import type { Capture } from '../support/rpc/captured.ts'
import { random, type Random } from './random.ts'

/** What a run came to, for the counts that show what the fuzzing reaches. */
export interface Outcome { ended: boolean; answered: number; /** Messages that were understood. */ events: number }

const capture = JSON.parse(readFileSync(new URL('../unit/drivers/captured/libvirtd.json', import.meta.url), 'utf8')) as Capture
/** Every frame that the host has sent. */
const said: Buffer[] = []
const parser = new FrameParser(({ program, version, procedure, type, serial, status, payload }) => {
  const bytes = Buffer.alloc(HEADER_SIZE + payload.length)
  for (const [i, word] of [bytes.length, program, version, procedure, type, serial, status].entries()) bytes.writeUInt32BE(word, 4 * i)
  payload.copy(bytes, HEADER_SIZE)
  said.push(bytes)
})
for (const { direction, bytes } of capture.conversation) if (direction === '<') parser.push(Buffer.from(bytes, 'base64'))

// Arguments are not what is fuzzed: each procedure is called without.
const table = Object.values(procedures).map((procedure): Procedure<void, unknown> => ({ ...(procedure as Procedure<unknown, unknown>), args: nothing }))
const byNumber = new Map(table.filter(({ program }) => program === Program.REMOTE).map((procedure) => [procedure.number, procedure]))
const replies = said.filter((frame) => frame.readUInt32BE(16) === MessageType.REPLY && byNumber.has(frame.readInt32BE(12)))
const refusals = replies.filter((frame) => frame.readUInt32BE(24) === MessageStatus.ERROR)
const messages = said.filter((frame) => frame.readUInt32BE(16) === MessageType.MESSAGE)

const WORDS = [0, 1, 2, 3, 4, 7, 8, 27, 28, 29, 255, 256, 2048, 16_384, 16_385, 65_536, 4 * 1024 * 1024, 4 * 1024 * 1024 + 1, 32 * 1024 * 1024, 32 * 1024 * 1024 + 1, 0x7fff_ffff, 0x8000_0000, 0xffff_fffc, 0xffff_ffff]

/** A frame of the host: an event, a packet of the stream, or an answer to the call of this number, mostly of its own kind. */
const compose = (r: Random, calls: readonly Procedure<void, unknown>[], streamSerial: number, i: number): Buffer => {
  const kind = r.below(8)
  if (kind < 2) return Buffer.from(r.pick(messages))
  const own = replies.filter((frame) => frame.readInt32BE(12) === calls[i]!.number)
  const frame = Buffer.from(kind === 2 ? r.pick(refusals) : own.length > 0 && !r.oneIn(4) ? r.pick(own) : r.pick(replies))
  if (kind === 3) {
    frame.writeUInt32BE(procedures.storageVolDownload.number, 12)
    frame.writeUInt32BE(MessageType.STREAM, 16)
    frame.writeUInt32BE(streamSerial, 20)
    frame.writeUInt32BE(r.below(4), 24)
    return frame
  }
  frame.writeUInt32BE(calls[i]!.program, 4)
  frame.writeUInt32BE(calls[i]!.number, 12)
  frame.writeUInt32BE(i + 1, 20)
  return frame
}

const mutate = (r: Random, frame: Buffer): Buffer => {
  const word = (): number => 4 * r.below(Math.floor(frame.length / 4))
  switch (r.below(9)) {
    case 0: frame[r.below(frame.length)]! ^= 1 << r.below(8); return frame
    case 1: frame[r.below(frame.length)] = r.below(256); return frame
    case 2: frame.writeUInt32BE(r.pick(WORDS), word()); return frame
    // The rest mind the length word half of the time: a frame that ends in time is looked at more closely.
    case 3: return fitted(r, frame.subarray(0, r.below(frame.length) + 1))
    case 4: { const at = word(); return fitted(r, Buffer.concat([frame.subarray(0, at), frame.subarray(at + 4 * (1 + r.below(4)))])) }
    case 5: { const at = word(); return fitted(r, Buffer.concat([frame.subarray(0, at), Buffer.from(Array.from({ length: 4 * (1 + r.below(8)) }, () => r.below(256))), frame.subarray(at)])) }
    case 6: { const other = r.pick(said); const at = word(); return fitted(r, Buffer.concat([frame.subarray(0, at), other.subarray(4 * r.below(other.length / 4))])) }
    case 7: { const at = word(); return fitted(r, Buffer.concat([frame.subarray(0, at), frame.subarray(HEADER_SIZE), frame.subarray(at)])) }
    default: return frame
  }
}
const fitted = (r: Random, frame: Buffer): Buffer => {
  if (frame.length >= 4 && !r.oneIn(8)) {
    // A view of the captured frame must stay as it was captured.
    const own = Buffer.from(frame)
    own.writeUInt32BE(own.length)
    return own
  }
  return frame
}

const cut = (r: Random, bytes: Buffer): Buffer[] => {
  const chunks: Buffer[] = []
  for (let at = 0; at < bytes.length;) {
    const size = r.oneIn(4) ? 1 + r.below(40) : bytes.length
    chunks.push(bytes.subarray(at, at += size))
  }
  return chunks
}

/** Runs once. Throws an Error that says what the client did wrong. */
export const fuzz = async (seed: number): Promise<Outcome> => {
  const r = random(seed)
  const outcome: Outcome = { ended: false, answered: 0, events: 0 }
  const events = new Events()
  let transport: TransportEvents | null = null
  const client = await Client.connect({
    peer: '/fuzzed', open: (to) => { transport = to; return Promise.resolve() }, write: (_bytes, taken) => taken?.(), pause: () => {}, resume: () => {}, close: () => transport?.end(new Error('closed')),
  }, { callTimeout: 1000, keepAliveInterval: 0, keepAliveCount: 0, clock: new FakeClock() }, (procedure, payload) => { events.message(procedure, payload); outcome.events++ })

  const called = Array.from({ length: 4 }, () => (r.oneIn(2) ? byNumber.get(r.pick(replies).readInt32BE(12))! : r.pick(table)))
  let open = called.length
  const wrong: unknown[] = []
  const calls = called.map((procedure) => client.call(procedure, undefined).then(
    () => { outcome.answered++ },
    (error: unknown) => { if (error instanceof LibvirtError) outcome.answered++; else if (!(error instanceof ConnectionLost || error instanceof CallTimeout)) wrong.push(error) },
  ).finally(() => { open-- }))
  const streamSerial = 1000
  let streamOver = false
  client.addStream(streamSerial, { procedure: procedures.storageVolDownload, packet: () => {}, end: () => { streamOver = true } })

  const bytes = Buffer.concat(Array.from({ length: 1 + r.below(4) }, (_, i) => {
    let frame = compose(r, called, streamSerial, r.oneIn(16) ? r.below(4) : i)
    for (let rounds = r.below(3); rounds > 0 && frame.length >= 4; rounds--) frame = mutate(r, frame)
    return frame
  }))
  for (const chunk of cut(r, bytes)) transport!.data(chunk)
  const ended = await Promise.race([client.closed, Promise.resolve(null)])
  outcome.ended = ended !== null
  // What ended the connection is the host's fault, said in a sentence; anything else is ours.
  if (ended && !(ended.cause instanceof ProtocolError)) wrong.push(ended.cause)
  client.close()
  await Promise.all(calls)
  if (wrong.length > 0) throw new Error(`the client failed in a way of its own: ${String(wrong[0])}`, { cause: wrong[0] })
  if (open !== 0) throw new Error(`${open} calls never ended`)
  if (!streamOver) throw new Error('the stream never ended')
  return outcome
}
