// Uploads, downloads and consoles against a scripted host: order, back-pressure, the confirmed end, and every way of breaking off.

import { describe, expect, test } from 'vitest'
import type { DownloadStream, DuplexStream, UploadStream } from '../../../drivers/driver.ts'
import { ConnectionLost, LibvirtError } from '../../../drivers/errors.ts'
import { MessageStatus, MessageType, type Frame } from '../../../drivers/remote/frame.ts'
import { procedures as p } from '../../../drivers/remote/protocol.ts'
import { openDownload, openDuplex, openUpload } from '../../../drivers/remote/stream.ts'
import { FakeClock, settle } from '../../support/fakeclock.ts'
import { connected, frameOf, raw, refusalOf, replyTo, type ScriptedPeer } from '../../support/rpc/scripted-peer.ts'

const args = { vol: { pool: 'default', name: 'v', key: '/v' }, offset: 0, length: 0, flags: 0 }
const clock = () => new FakeClock()
const failure = (promise: Promise<unknown>): Promise<Error> => promise.then(() => { throw new Error('it succeeded') }, (reason: unknown) => reason as Error)
const packets = (peer: ScriptedPeer): Frame[] => peer.frames.filter(({ type }) => type === MessageType.STREAM)

const packet = (peer: ScriptedPeer, status: number, data: Uint8Array = Buffer.alloc(0)): Buffer =>
  frameOf({ procedure: peer.calls[0]!.procedure, serial: peer.calls[0]!.serial, type: MessageType.STREAM, status }, raw(data))
const streamError = (peer: ScriptedPeer): Buffer => refusalOf({ ...peer.calls[0]!, type: MessageType.STREAM }, { code: 38, message: 'No space left on device' })
const data = (text: string) => (peer: ScriptedPeer) => packet(peer, MessageStatus.CONTINUE, Buffer.from(text))
const end = (peer: ScriptedPeer) => packet(peer, MessageStatus.CONTINUE)

const upload = async (): Promise<{ stream: UploadStream; peer: ScriptedPeer }> => {
  const { client, peer } = await connected({ clock: clock() })
  const opening = openUpload(client, p.storageVolUpload, args)
  await settle()
  peer.reply(peer.calls[0]!, p.storageVolUpload, undefined)
  return { stream: (await opening).stream, peer }
}
const download = async (...first: ((peer: ScriptedPeer) => Buffer)[]): Promise<{ stream: DownloadStream; peer: ScriptedPeer; time: FakeClock }> => {
  const time = clock()
  const { client, peer } = await connected({ clock: time })
  const opening = openDownload(client, p.storageVolDownload, args)
  await settle()
  peer.send(replyTo(peer.calls[0]!, p.storageVolDownload, undefined), ...first.map((make) => make(peer)))
  return { stream: (await opening).stream, peer, time }
}
const bytesOf = async (stream: DownloadStream): Promise<Buffer> => {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

describe('upload', () => {
  test('bytes travel in order, in packets that every daemon takes, and count once the host confirms', async () => {
    const { stream, peer } = await upload()
    const bytes = Buffer.alloc(600_000, 'abcdefg')
    await stream.write(bytes.subarray(0, 10))
    await stream.write(bytes.subarray(10))
    const finishing = stream.finish()
    await settle()
    const sent = packets(peer)
    expect(sent.map(({ status, payload }) => [status, payload.length])).toEqual([[2, 10], [2, 262_120], [2, 262_120], [2, 75_750], [0, 0]])
    expect(Buffer.concat(sent.map(({ payload }) => payload)).equals(bytes)).toBe(true)
    expect(sent.every(({ serial, procedure }) => serial === peer.calls[0]!.serial && procedure === 208)).toBe(true)
    let done = false
    void finishing.then(() => { done = true })
    await settle()
    expect(done).toBe(false)
    peer.send(packet(peer, MessageStatus.OK))
    await finishing
    expect(peer.closed).toBe(true)
  })

  test('write resolves when the system has taken the bytes, not before', async () => {
    const { stream, peer } = await upload()
    peer.stalled = true
    let taken = false
    const writing = stream.write(Buffer.alloc(3_000_000)).then(() => { taken = true })
    await settle()
    // A few packets on the way, never a whole write of any size.
    expect([taken, packets(peer).length]).toEqual([false, 4])
    peer.takeAll()
    await writing
    expect(packets(peer).length).toBe(12)
  })

  test('the host\'s error rejects the write that waits, and everything after', async () => {
    const { stream, peer } = await upload()
    peer.stalled = true
    const writing = failure(stream.write(Buffer.alloc(10)))
    await settle()
    peer.send(streamError(peer))
    expect(await writing).toMatchObject({ name: 'LibvirtError', code: 38, message: 'No space left on device', procedure: 'storageVolUpload' })
    expect(await failure(stream.write(Buffer.alloc(10)))).toBeInstanceOf(LibvirtError)
    expect(await failure(stream.finish())).toBeInstanceOf(LibvirtError)
    await stream.abort('too late to matter')
  })

  test('an error in place of the confirmation rejects finish', async () => {
    const { stream, peer } = await upload()
    const finishing = failure(stream.finish())
    await settle()
    peer.send(streamError(peer))
    expect(await finishing).toBeInstanceOf(LibvirtError)
  })

  test('abort tells the host, waits for its acknowledgement, and fails what is under way', async () => {
    const { stream, peer } = await upload()
    peer.stalled = true
    const writing = failure(stream.write(Buffer.alloc(10)))
    const aborting = stream.abort('the source broke')
    await settle()
    expect(packets(peer).at(-1)).toMatchObject({ status: MessageStatus.ERROR, payload: Buffer.alloc(0) })
    expect((await writing).message).toContain('was aborted: the source broke')
    peer.send(packet(peer, MessageStatus.ERROR))
    await aborting
    expect(peer.closed).toBe(true)
    expect(await failure(stream.finish())).toBeInstanceOf(ConnectionLost)
  })

  test.each([MessageStatus.OK, MessageStatus.ERROR])('a host that ends it too early (status %i) fails it: nothing waits for ever', async (status) => {
    const { stream, peer } = await upload()
    peer.stalled = true
    const writing = failure(stream.write(Buffer.alloc(10)))
    await settle()
    peer.send(packet(peer, status))
    expect((await writing).message).toContain('the host ended the stream of storageVolUpload before all bytes were through')
    expect(await failure(stream.finish())).toBeInstanceOf(ConnectionLost)
  })

  test('the end of the connection fails it', async () => {
    const { stream, peer } = await upload()
    const finishing = failure(stream.finish())
    peer.drop(new Error('gone'))
    expect(await finishing).toBeInstanceOf(ConnectionLost)
    await stream.abort('again')
  })

  test('a refused opening rejects and closes its connection', async () => {
    const { client, peer } = await connected()
    const opening = failure(openUpload(client, p.storageVolUpload, args))
    await settle()
    peer.refuse(peer.calls[0]!, { code: 50 })
    expect(await opening).toMatchObject({ code: 50 })
    expect(peer.closed).toBe(true)
  })
})

describe('download', () => {
  test('bytes that come in the same chunk as the reply are not lost', async () => {
    const { stream, peer } = await download(data('abc'), data('defgh'), end)
    const reading = bytesOf(stream)
    await settle()
    expect(packets(peer).map(({ status }) => status)).toEqual([MessageStatus.OK])
    peer.send(packet(peer, MessageStatus.OK))
    expect((await reading).toString()).toBe('abcdefgh')
    expect(peer.closed).toBe(true)
  })

  test('bytes that come before the reply are not lost, and the end of them is answered only after it', async () => {
    const { client, peer } = await connected({ clock: clock() })
    const opening = openDownload(client, p.storageVolDownload, args)
    await settle()
    peer.send(data('abc')(peer))
    peer.send(data('de')(peer), end(peer))
    await settle()
    expect(packets(peer)).toEqual([])
    peer.reply(peer.calls[0]!, p.storageVolDownload, undefined)
    const reading = bytesOf((await opening).stream)
    await settle()
    expect(packets(peer).map(({ status }) => status)).toEqual([MessageStatus.OK])
    peer.send(packet(peer, MessageStatus.OK))
    expect((await reading).toString()).toBe('abcde')
  })

  test('an error that comes before the reply is why it does not open', async () => {
    const { client, peer } = await connected({ clock: clock() })
    const opening = failure(openDownload(client, p.storageVolDownload, args))
    await settle()
    peer.send(streamError(peer))
    expect(await opening).toMatchObject({ name: 'LibvirtError', message: 'No space left on device' })
    expect(peer.closed).toBe(true)
  })

  test('the iteration ends only after the host confirmed the end', async () => {
    const { stream, peer } = await download(end)
    let done = false
    const reading = bytesOf(stream).then((bytes) => { done = true; return bytes })
    await settle()
    expect(done).toBe(false)
    peer.send(packet(peer, MessageStatus.OK))
    expect((await reading).length).toBe(0)
  })

  test('a host that confirms an end that it never announced fails it', async () => {
    const { stream, peer } = await download(data('abc'))
    const reading = failure(bytesOf(stream))
    peer.send(packet(peer, MessageStatus.OK))
    expect((await reading).message).toContain('before all bytes were through')
  })

  test('an error in the middle rejects the iteration', async () => {
    const { stream, peer } = await download(data('abc'))
    const reading = failure(bytesOf(stream))
    await settle()
    peer.send(streamError(peer))
    expect(await reading).toBeInstanceOf(LibvirtError)
  })

  test('a slow reader stops the socket at a bounded amount, and starts it again', async () => {
    const { stream, peer } = await download()
    const chunk = Buffer.alloc(262_120)
    let sent = 0
    while (!peer.paused) {
      peer.send(packet(peer, MessageStatus.CONTINUE, chunk))
      sent++
    }
    expect(sent).toBe(17)
    const iterator = stream[Symbol.asyncIterator]()
    let read = 0
    while (peer.paused) {
      await iterator.next()
      read++
    }
    expect(read).toBeGreaterThan(12)
    peer.send(end(peer), packet(peer, MessageStatus.OK))
    while (!(await iterator.next()).done) read++
    expect(read).toBe(sent)
  })

  test('a reader that leaves early aborts it', async () => {
    const { stream, peer } = await download(data('abc'), data('def'))
    const reading = (async () => { for await (const chunk of stream) return Buffer.from(chunk).toString() })()
    await settle()
    expect(packets(peer).map(({ status }) => status)).toEqual([MessageStatus.ERROR])
    peer.send(data('late')(peer), packet(peer, MessageStatus.ERROR))
    expect(await reading).toBe('abc')
    expect(peer.closed).toBe(true)
  })

  test('an abort that the host never acknowledges closes the connection at the call timeout', async () => {
    const { stream, peer, time } = await download()
    const aborting = stream.abort('enough')
    await time.advance(9999)
    expect(peer.closed).toBe(false)
    await time.advance(1)
    await aborting
    expect(peer.closed).toBe(true)
  })
})

describe('console', () => {
  const console = async (): Promise<{ stream: DuplexStream; peer: ScriptedPeer }> => {
    const { client, peer } = await connected({ clock: clock() })
    const opening = openDuplex(client, p.domainOpenConsole, { dom: { name: 'vm', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: 1 }, name: null, flags: 0 })
    await settle()
    peer.reply(peer.calls[0]!, p.domainOpenConsole, undefined)
    return { stream: (await opening).stream, peer }
  }
  const text = async (stream: DuplexStream): Promise<string> => (await bytesOf(stream)).toString()

  test('bytes go both ways at once', async () => {
    const { stream, peer } = await console()
    const reading = text(stream)
    peer.send(data('login: ')(peer))
    await stream.write(Buffer.from('root'))
    peer.send(data('root')(peer))
    expect(packets(peer).map(({ payload }) => payload.toString())).toEqual(['root'])
    const finishing = stream.finish()
    await settle()
    expect(packets(peer).at(-1)).toMatchObject({ status: MessageStatus.OK })
    peer.send(packet(peer, MessageStatus.OK))
    await finishing
    expect(await reading).toBe('login: root')
    expect(peer.closed).toBe(true)
  })

  test('ends when the guest\'s side does, and takes nothing more', async () => {
    const { stream, peer } = await console()
    const reading = text(stream)
    peer.send(data('bye')(peer), end(peer))
    await settle()
    expect(packets(peer).map(({ status }) => status)).toEqual([MessageStatus.OK])
    expect((await failure(stream.write(Buffer.from('x')))).message).toBe('the host has ended the stream of domainOpenConsole')
    peer.send(packet(peer, MessageStatus.OK))
    expect(await reading).toBe('bye')
  })

  test('takes nothing after finish, and what the guest still says is dropped', async () => {
    const { stream, peer } = await console()
    const finishing = stream.finish()
    await settle()
    expect(await failure(stream.write(Buffer.from('x')))).toBeInstanceOf(TypeError)
    peer.send(data('late')(peer), packet(peer, MessageStatus.OK))
    await finishing
    expect(await text(stream)).toBe('')
  })

  test('a finish gets through though nobody reads what the guest says', async () => {
    const { stream, peer } = await console()
    while (!peer.paused) peer.send(packet(peer, MessageStatus.CONTINUE, Buffer.alloc(262_120)))
    const finishing = stream.finish()
    await settle()
    expect(peer.paused).toBe(false)
    peer.send(packet(peer, MessageStatus.OK))
    await finishing
  })

  test('an error of the host rejects reader and writer', async () => {
    const { stream, peer } = await console()
    const reading = failure(text(stream))
    peer.send(streamError(peer))
    expect(await reading).toBeInstanceOf(LibvirtError)
    expect(await failure(stream.write(Buffer.from('x')))).toBeInstanceOf(LibvirtError)
  })
})
