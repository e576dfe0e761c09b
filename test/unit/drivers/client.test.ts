// The protocol core against a scripted host: slots, order, deadlines, keepalive, and the end of the connection.

import { describe, expect, test } from 'vitest'
import { CallTimeout, ConnectionLost, LibvirtError } from '../../../drivers/errors.ts'
import { Client } from '../../../drivers/remote/client.ts'
import { MessageStatus, MessageType, Program } from '../../../drivers/remote/frame.ts'
import { procedures as p, type Procedure } from '../../../drivers/remote/protocol.ts'
import { Domain } from '../../../drivers/remote/types.ts'
import { Reader, int, string } from '../../../drivers/remote/xdr.ts'
import { FakeClock, settle } from '../../support/fakeclock.ts'
import { ScriptedPeer, connected, frameOf, quiet, raw, refusalOf, replyTo } from '../../support/rpc/scripted-peer.ts'

const vm = { name: 'vm', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: 1 }
const outcome = <T>(promise: Promise<T>): Promise<T | Error> => promise.catch((error: unknown) => error as Error)
const error = <T>(promise: Promise<T>): Promise<Error> => promise.then(() => { throw new Error('it succeeded') }, (reason: unknown) => reason as Error)

describe('calls', () => {
  test('replies find their calls in any order', async () => {
    const { client, peer } = await connected()
    const calls = ['a', 'b', 'c', 'd'].map((name) => client.call(p.domainLookupByName, { name }))
    await settle()
    for (const i of [2, 0, 3, 1]) peer.reply(peer.calls[i]!, p.domainLookupByName, { ...vm, name: 'abcd'[i]! })
    expect((await Promise.all(calls)).map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd'])
  })

  test('what is called in one turn travels in one write', async () => {
    const { client, peer } = await connected()
    for (let i = 0; i < 4; i++) void outcome(client.call(p.connectGetType, undefined))
    await settle()
    expect([peer.calls.length, peer.writes]).toEqual([4, 1])
  })

  test('what has no answer yet is counted, sent or not', async () => {
    const { client, peer } = await connected()
    const calls = Array.from({ length: 6 }, () => client.call(p.connectGetType, undefined))
    await settle()
    expect([client.pending, peer.calls.length]).toEqual([6, 4])
    for (let answered = 0; answered < 6; answered++) {
      peer.reply(peer.calls[answered]!, p.connectGetType, 'QEMU')
      await settle()
      expect(client.pending).toBe(5 - answered)
    }
    await Promise.all(calls)
    void outcome(client.call(p.connectGetType, undefined))
    client.close()
    expect(client.pending).toBe(0)
  })

  test('but one by one where the transport takes no more than a frame at a time', async () => {
    const peer = new ScriptedPeer()
    const client = await Client.connect({ ...peer.transport, frameByFrame: true }, quiet)
    for (let i = 0; i < 4; i++) void outcome(client.call(p.connectGetType, undefined))
    await settle()
    expect([peer.calls.length, peer.writes]).toEqual([4, 4])
  })

  test('at most four are in flight; the others follow in the order of their calls', async () => {
    const { client, peer } = await connected()
    const names = Array.from({ length: 50 }, (_, i) => `vm${i}`)
    const calls = names.map((name) => client.call(p.domainLookupByName, { name }))
    const seen: string[] = []
    for (let answered = 0; answered < 50; answered++) {
      await settle()
      expect(peer.calls.length).toBeLessThanOrEqual(answered + 4)
      const frame = peer.calls[answered]!
      seen.push(p.domainLookupByName.args.read(new Reader(frame.payload)).name)
      peer.reply(frame, p.domainLookupByName, vm)
    }
    await Promise.all(calls)
    expect(seen).toEqual(names)
  })

  test('the host\'s refusal carries its code, domain, level and message', async () => {
    const { client, peer } = await connected()
    const call = error(client.call(p.domainLookupByName, { name: 'vm' }))
    await settle()
    peer.refuse(peer.calls[0]!, { code: 42, message: 'Domain not found' })
    const refusal = await call as LibvirtError
    expect(refusal).toBeInstanceOf(LibvirtError)
    expect(refusal).toMatchObject({ code: 42, domain: 10, level: 2, message: 'Domain not found', procedure: 'domainLookupByName' })
  })

  test('a refusal without a message still says something', async () => {
    const { client, peer } = await connected()
    const call = error(client.call(p.connectGetType, undefined))
    await settle()
    peer.refuse(peer.calls[0]!, { code: 1, message: null })
    expect((await call).message).toBe('libvirt error 1 without a message')
  })

  test('arguments that cannot be sent reject alone: no slot is lost, nothing reaches the wire', async () => {
    const { client, peer } = await connected()
    for (let i = 0; i < 5; i++) expect(await error(client.call(p.domainLookupByUUID, { uuid: 'nonsense' }))).toBeInstanceOf(TypeError)
    const calls = Array.from({ length: 4 }, () => client.call(p.connectGetType, undefined))
    await settle()
    expect(peer.calls.length).toBe(4)
    for (const frame of peer.calls) peer.reply(frame, p.connectGetType, 'TEST')
    expect(await Promise.all(calls)).toEqual(['TEST', 'TEST', 'TEST', 'TEST'])
  })

  test('every call is reported once, with how it ended', async () => {
    const clock = new FakeClock()
    const reported: string[] = []
    const { client, peer } = await connected({ clock, onCall: ({ procedure, seconds, outcome }) => reported.push(`${procedure} ${seconds} ${outcome}`) })
    const calls = [p.connectGetType, p.connectGetHostname, p.connectGetURI].map((procedure) => outcome(client.call(procedure, undefined)))
    await settle()
    await clock.advance(1000)
    peer.reply(peer.calls[0]!, p.connectGetType, 'TEST')
    peer.refuse(peer.calls[1]!, { code: 1 })
    await clock.advance(9000)
    peer.reply(peer.calls[2]!, p.connectGetURI, 'too late')
    calls.push(outcome(client.call(p.connectGetType, undefined)))
    client.close()
    await Promise.all(calls)
    expect(reported).toEqual(['connectGetType 1 ok', 'connectGetHostname 1 error', 'connectGetURI 10 timeout', 'connectGetType 0 lost'])
  })
})

describe('deadlines', () => {
  test('a call past its deadline rejects with CallTimeout and keeps its slot until its reply comes', async () => {
    const clock = new FakeClock()
    const { client, peer } = await connected({ clock })
    const hung = Array.from({ length: 4 }, () => error(client.call(p.domainCreateWithFlags, { dom: vm, flags: 0 })))
    await settle()
    await clock.advance(10_000)
    for (const reason of await Promise.all(hung)) {
      expect(reason).toBeInstanceOf(CallTimeout)
      expect(reason.message).toBe('the host did not answer domainCreateWithFlags within 10 s')
    }
    const next = client.call(p.connectGetType, undefined)
    await settle()
    expect(peer.calls.length).toBe(4)
    peer.reply(peer.calls[1]!, p.domainCreateWithFlags, vm)
    await settle()
    expect(peer.calls.length).toBe(5)
    peer.reply(peer.calls[4]!, p.connectGetType, 'TEST')
    expect(await next).toBe('TEST')
  })

  test('a late refusal frees the slot too', async () => {
    const clock = new FakeClock()
    const { client, peer } = await connected({ clock })
    const hung = Array.from({ length: 4 }, () => error(client.call(p.domainCreateWithFlags, { dom: vm, flags: 0 })))
    await settle()
    await clock.advance(10_000)
    await Promise.all(hung)
    peer.refuse(peer.calls[0]!, { code: 68 })
    void outcome(client.call(p.connectGetType, undefined))
    await settle()
    expect(peer.calls.length).toBe(5)
  })

  test('a call that waits for a slot has a deadline too, and is then never sent', async () => {
    const clock = new FakeClock()
    const { client, peer } = await connected({ clock })
    const calls = Array.from({ length: 6 }, () => outcome(client.call(p.connectGetType, undefined)))
    await settle()
    await clock.advance(10_000)
    expect((await Promise.all(calls)).every((reason) => reason instanceof CallTimeout)).toBe(true)
    for (const frame of peer.calls.slice()) peer.reply(frame, p.connectGetType, 'TEST')
    await settle()
    expect(peer.calls.length).toBe(4)
  })

  test('a call that spent its whole time behind overdue ones ends the connection: only a new one has free slots', async () => {
    const clock = new FakeClock()
    const { client, peer } = await connected({ clock })
    const hung = Array.from({ length: 6 }, () => outcome(client.call(p.domainCreateWithFlags, { dom: vm, flags: 0 })))
    await clock.advance(10_000)
    await Promise.all(hung)
    expect(peer.closed).toBe(false)
    const late = error(client.call(p.connectGetType, undefined))
    await clock.advance(9_999)
    expect(peer.closed).toBe(false)
    await clock.advance(1)
    expect(await late).toBeInstanceOf(CallTimeout)
    expect((await client.closed).message).toContain('4 calls (domainCreateWithFlags, domainCreateWithFlags, domainCreateWithFlags, domainCreateWithFlags) have been without an answer')
  })

  test.each([p.storageVolCreateXMLFrom, p.storageVolUpload, p.storageVolDownload] as Procedure<any, any>[])('$name takes as long as it takes', ({ deadline }) => {
    expect(deadline).toBe('none')
  })

  test('where jammed connections refuse, a call behind overdue ones is CallTimeout at once, until a late answer comes', async () => {
    const clock = new FakeClock()
    const { client, peer } = await connected({ clock, jammed: 'refuse' })
    const hung = Array.from({ length: 5 }, () => outcome(client.call(p.storagePoolRefresh, { pool: { name: 'nfs', uuid: vm.uuid }, flags: 0 })))
    await settle()
    await clock.advance(10_000)
    await Promise.all(hung)
    const refused = await error(client.call(p.connectGetType, undefined))
    expect(refused).toBeInstanceOf(CallTimeout)
    expect(refused.message).toBe('the host has not answered storagePoolRefresh, storagePoolRefresh, storagePoolRefresh, storagePoolRefresh for 10 s and more: connectGetType was not sent')
    expect([peer.closed, peer.calls.length]).toEqual([false, 4])
    peer.reply(peer.calls[0]!, p.storagePoolRefresh, undefined)
    const next = client.call(p.connectGetType, undefined)
    await settle()
    peer.reply(peer.calls[4]!, p.connectGetType, 'TEST')
    expect(await next).toBe('TEST')
  })

  test('on an unhurried connection no call has a deadline', async () => {
    const clock = new FakeClock()
    const { client } = await connected({ clock, unhurried: true })
    void outcome(client.call(p.storageVolCreateXML, { pool: { name: 'images', uuid: vm.uuid }, xml: '<volume/>', flags: 0 }))
    expect(clock.timers).toEqual([])
  })

  test('no timer outlives its call', async () => {
    const clock = new FakeClock()
    const { client, peer } = await connected({ clock })
    const call = client.call(p.connectGetType, undefined)
    const lost = error(client.call(p.connectGetType, undefined))
    await settle()
    peer.reply(peer.calls[0]!, p.connectGetType, 'TEST')
    await call
    client.close()
    await lost
    expect(clock.timers).toEqual([])
  })
})

describe('the end of the connection', () => {
  test('rejects what is in flight and what waits with ConnectionLost, never with LibvirtError', async () => {
    const { client, peer } = await connected()
    const calls = Array.from({ length: 4 }, () => error(client.call(p.domainCreateWithFlags, { dom: vm, flags: 0 })))
    calls.push(error(client.call(p.connectGetType, undefined)))
    await settle()
    peer.drop(new Error('read ECONNRESET'))
    const reasons = await Promise.all(calls)
    expect(reasons.every((reason) => reason instanceof ConnectionLost)).toBe(true)
    expect(reasons[0]!.message).toBe('the connection to /scripted has ended: read ECONNRESET; domainCreateWithFlags got no answer and may have taken effect')
    expect(reasons[4]!.message).toBe('the connection to /scripted has ended: read ECONNRESET; connectGetType was not sent')
    expect((reasons[0]!.cause as Error).message).toBe('read ECONNRESET')
    expect((await client.closed).message).toBe('the connection to /scripted has ended: read ECONNRESET')
    expect(await error(client.call(p.connectGetType, undefined))).toBeInstanceOf(ConnectionLost)
  })

  test('closing on this side says so, twice is once', async () => {
    const { client, peer } = await connected()
    client.close()
    client.close(new Error('another reason'))
    expect((await client.closed).message).toBe('the connection to /scripted has ended: it was closed on this side')
    expect(peer.closed).toBe(true)
  })

  test('an overdue call is not reported a second time', async () => {
    const clock = new FakeClock()
    const reported: string[] = []
    const { client } = await connected({ clock, onCall: ({ outcome }) => reported.push(outcome) })
    const call = error(client.call(p.connectGetType, undefined))
    await settle()
    await clock.advance(10_000)
    client.close()
    expect(await call).toBeInstanceOf(CallTimeout)
    expect(reported).toEqual(['timeout'])
  })
})

describe('a host that breaks the protocol loses the connection', () => {
  const cases: [string, (peer: ScriptedPeer) => Uint8Array[], string][] = [
    ['a frame of another program', ({ calls }) => [frameOf({ ...calls[0]!, program: 0x2000_8087, type: MessageType.REPLY })], 'answered connectGetType as program 0x20008087 instead of 0x20008086'],
    ['an event of another program', () => [frameOf({ program: 0x2000_8087, procedure: 6, type: MessageType.MESSAGE })], 'an event of program 0x20008087, which nobody asked for'],
    ['another protocol version', ({ calls }) => { const bytes = replyTo(calls[0]!, p.connectGetType, 'X'); bytes.writeUInt32BE(2, 8); return [bytes] }, 'version 2'],
    ['a reply that names another procedure', ({ calls }) => [frameOf({ procedure: 4, serial: calls[0]!.serial })], 'answered connectGetType (3) as procedure 4'],
    ['a reply to a serial that was never used', () => [frameOf({ serial: 999 })], 'answered serial 999, which no call waits for'],
    ['a reply that comes twice', ({ calls }) => [replyTo(calls[0]!, p.connectGetType, 'X'), replyTo(calls[0]!, p.connectGetType, 'X')], 'which no call waits for'],
    ['a call in the wrong direction', ({ calls }) => [frameOf({ ...calls[0]!, type: MessageType.CALL })], 'a message of type 0'],
    ['a reply with status CONTINUE', ({ calls }) => [frameOf({ procedure: 3, serial: calls[0]!.serial, status: MessageStatus.CONTINUE })], 'has status 2 instead of 0 or 1'],
    ['a reply with more than its description', ({ calls }) => [frameOf({ procedure: 3, serial: calls[0]!.serial }, (to) => { string.write(to, 'TEST'); int.write(to, 0) })], 'the reply to connectGetType has 4 bytes more'],
    ['a reply with less than its description', ({ calls }) => [frameOf({ procedure: 3, serial: calls[0]!.serial }, (to) => int.write(to, 12))], 'a string of 12 bytes reaches beyond'],
    ['a reply that is not UTF-8', ({ calls }) => [frameOf({ procedure: 3, serial: calls[0]!.serial }, (to) => { int.write(to, 1); raw(Buffer.from([0xff, 0, 0, 0]))(to) })], 'a string of 1 bytes is not UTF-8'],
    ['a list over its limit', ({ calls }) => [frameOf({ procedure: 273, serial: calls[2]!.serial }, (to) => int.write(to, 16_385))], 'a list of 16385 is over the limit of 16384'],
    ['a list that is longer than its frame', ({ calls }) => [frameOf({ procedure: 273, serial: calls[2]!.serial }, (to) => int.write(to, 16_384))], 'an unsigned int of 4 bytes reaches beyond the 0 bytes'],
    ['an optional value that is neither there nor absent', ({ calls }) => [frameOf({ procedure: 3, serial: calls[0]!.serial, status: MessageStatus.ERROR }, (to) => { for (const value of [1, 1, 2]) int.write(to, value) })], 'an optional value is marked 2 instead of 0 or 1'],
    ['an error that is none', ({ calls }) => [frameOf({ procedure: 3, serial: calls[0]!.serial, status: MessageStatus.ERROR })], 'an int of 4 bytes reaches beyond'],
    ['a length of nothing', () => [Buffer.alloc(28)], 'a frame claims 0 bytes'],
    ...([3, 27, 32 * 1024 * 1024 + 1, 2 ** 31, 2 ** 32 - 1].map((length) => [`a length of ${length}`, () => { const head = Buffer.alloc(28); head.writeUInt32BE(length); return [head] }, `a frame claims ${length} bytes`] as (typeof cases)[number])),
    ['a string over its limit within a list', ({ calls }) => [frameOf({ procedure: 273, serial: calls[2]!.serial }, (to) => { int.write(to, 1); int.write(to, 4_194_305) })], 'a string of 4194305 is over the limit of 4194304'],
  ]
  test.each(cases)('%s', async (_, bytes, sentence) => {
    const { client, peer } = await connected()
    const calls: Promise<unknown>[] = [p.connectGetType, p.connectGetHostname].map((procedure) => outcome(client.call(procedure, undefined)))
    calls.push(outcome(client.call(p.connectListAllDomains, { need_results: true, flags: 0 })))
    await settle()
    peer.send(...bytes(peer))
    const reason = await client.closed
    expect(reason.message).toContain(sentence)
    expect(reason).toBeInstanceOf(ConnectionLost)
    expect(peer.closed).toBe(true)
    expect(await calls[1]).toBeInstanceOf(ConnectionLost)
    await calls[0]
  })

  test('what follows the violation in the same chunk is not looked at', async () => {
    const messages: number[] = []
    const { client, peer } = await connected({}, (procedure) => messages.push(procedure))
    const event = frameOf({ type: MessageType.MESSAGE, procedure: 318 })
    peer.send(event, frameOf({ serial: 999 }), event)
    await client.closed
    expect(messages).toEqual([318])
  })
})

describe('messages', () => {
  test('are routed by their type: an event with the serial of a call is no reply', async () => {
    const messages: number[] = []
    const { client, peer } = await connected({}, (procedure) => messages.push(procedure))
    const call = client.call(p.connectGetType, undefined)
    await settle()
    peer.send(frameOf({ type: MessageType.MESSAGE, procedure: 318, serial: peer.calls[0]!.serial }), replyTo(peer.calls[0]!, p.connectGetType, 'TEST'))
    expect(await call).toBe('TEST')
    expect(messages).toEqual([318])
  })

  test('the hooks of a call run before it is sent, and before the next frame of the same chunk as its answer is looked at', async () => {
    const order: string[] = []
    const { client, peer } = await connected({}, () => order.push('event'))
    void client.call(p.connectGetType, undefined, { sending: serial => order.push(`${serial} before ${peer.calls.length} calls`), answered: ret => order.push(ret) })
    await settle()
    peer.send(replyTo(peer.calls[0]!, p.connectGetType, 'TEST'), frameOf({ type: MessageType.MESSAGE }))
    expect(order).toEqual(['1 before 0 calls', 'TEST', 'event'])
  })

  test('packets of a stream that is over are dropped', async () => {
    const { client, peer } = await connected()
    peer.send(frameOf({ type: MessageType.STREAM, serial: 7, status: MessageStatus.CONTINUE }))
    const call = client.call(p.connectGetType, undefined)
    await settle()
    peer.reply(peer.calls[0]!, p.connectGetType, 'TEST')
    expect(await call).toBe('TEST')
  })

  test('a refused call leaves the others alone', async () => {
    const { client, peer } = await connected()
    const calls = [outcome(client.call(p.domainGetXMLDesc, { dom: vm, flags: 0 })), outcome(client.call(p.domainLookupByName, { name: 'vm' }))]
    await settle()
    peer.send(refusalOf(peer.calls[0]!, { code: 42 }), frameOf({ procedure: 23, serial: peer.calls[1]!.serial }, (to) => Domain.write(to, vm)))
    expect(await calls[0]).toBeInstanceOf(LibvirtError)
    expect(await calls[1]).toEqual(vm)
  })
})

describe('keepalive', () => {
  const ping = { program: Program.KEEPALIVE, procedure: 1, type: MessageType.MESSAGE, serial: 0 }
  const pong = { ...ping, procedure: 2 }
  const pings = (peer: ScriptedPeer) => peer.frames.filter(({ program }) => program === Program.KEEPALIVE).map(({ procedure, type, serial }) => ({ procedure, type, serial }))

  test('a PING of the host is answered at once, though every slot is taken', async () => {
    const { client, peer } = await connected()
    for (let i = 0; i < 8; i++) void outcome(client.call(p.connectGetType, undefined))
    await settle()
    peer.send(frameOf(ping))
    await settle()
    expect(pings(peer)).toEqual([{ procedure: 2, type: 2, serial: 0 }])
  })

  test('a PING is sent each interval, though every slot is taken', async () => {
    const clock = new FakeClock()
    const { client, peer } = await connected({ clock, keepAliveInterval: 1000, keepAliveCount: 3 })
    for (let i = 0; i < 8; i++) void outcome(client.call(p.connectGetType, undefined))
    for (let beat = 1; beat <= 20; beat++) {
      await clock.advance(1000)
      await settle()
      expect(pings(peer).length).toBe(beat)
      peer.send(frameOf(pong))
    }
  })

  test('a host that gives no sign of life loses the connection, and every call with it', async () => {
    const clock = new FakeClock()
    const { client, peer } = await connected({ clock, callTimeout: 3_600_000, keepAliveInterval: 1000, keepAliveCount: 3 })
    const call = error(client.call(p.connectGetType, undefined))
    await settle()
    for (let beat = 1; beat <= 3; beat++) {
      await clock.advance(1000)
      await settle()
      expect([pings(peer).length, peer.closed]).toEqual([beat, false])
    }
    await clock.advance(1000)
    expect(peer.closed).toBe(true)
    expect((await call).message).toContain('the host gave no sign of life for 4 s (3 keepalive questions unanswered)')
  })

  test('anything that arrives is a sign of life', async () => {
    const clock = new FakeClock()
    const { client, peer } = await connected({ clock, keepAliveInterval: 1000, keepAliveCount: 1 })
    for (let beat = 0; beat < 10; beat++) {
      await clock.advance(1000)
      peer.send(frameOf({ type: MessageType.MESSAGE, procedure: 9999 }))
    }
    expect(peer.closed).toBe(false)
    client.close()
  })

  test('silence means nothing while we do not read', async () => {
    const clock = new FakeClock()
    const { client, peer } = await connected({ clock, keepAliveInterval: 1000, keepAliveCount: 1 })
    client.pause()
    await clock.advance(60_000)
    expect([peer.closed, peer.paused]).toEqual([false, true])
    client.resume()
    await clock.advance(2000)
    expect([peer.closed, peer.paused]).toEqual([true, false])
  })
})
