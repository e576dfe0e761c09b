// From a fresh transport to an open connection: what each kind of daemon is asked, and how it fails.

import { describe, expect, test } from 'vitest'
import { AuthenticationFailed, ConnectionLost, LibvirtError } from '../../../drivers/errors.ts'
import { handshake } from '../../../drivers/remote/handshake.ts'
import { openRemote } from '../../../drivers/remote/open.ts'
import { procedures as p } from '../../../drivers/remote/protocol.ts'
import { Reader } from '../../../drivers/remote/xdr.ts'
import { FakeClock, settle } from '../../support/fakeclock.ts'
import { ScriptedPeer, connected, quiet } from '../../support/rpc/scripted-peer.ts'

/** Answers one connection's handshake. */
const greet = async (peer: ScriptedPeer, { types = [0], features = [14, 15, 16] }: { types?: number[]; features?: number[] } = {}): Promise<void> => {
  for (let answered = 0; ; answered++) {
    await settle()
    const frame = peer.calls[answered]
    if (!frame) return
    if (frame.procedure === p.authList.number) peer.reply(frame, p.authList, types)
    else if (frame.procedure === p.authPolkit.number) peer.reply(frame, p.authPolkit, true)
    else if (frame.procedure === p.connectOpen.number) peer.reply(frame, p.connectOpen, undefined)
    else if (frame.procedure === p.connectSupportsFeature.number) peer.reply(frame, p.connectSupportsFeature, features.includes(frame.payload.readInt32BE(0)))
  }
}
const asked = (peer: ScriptedPeer): number[] => peer.calls.map(({ procedure }) => procedure)

describe('handshake', () => {
  test('a daemon without authentication is opened by the name, then asked for its features', async () => {
    const { client, peer } = await connected()
    const opening = handshake(client, 'qemu:///system')
    await greet(peer, { features: [14, 16] })
    expect(await opening).toEqual({ eventCallback: true, closeCallback: false, networkUpdateOrder: true })
    expect(asked(peer)).toEqual([66, 1, 60, 60, 60])
    expect(p.connectOpen.args.read(new Reader(peer.calls[1]!.payload))).toEqual({ name: 'qemu:///system', flags: 0 })
  })

  test('polkit is asked before the opening', async () => {
    const { client, peer } = await connected()
    const opening = handshake(client, 'qemu:///system')
    await greet(peer, { types: [2] })
    await opening
    expect(asked(peer).slice(0, 3)).toEqual([66, 70, 1])
  })

  test.each([
    [[1], 'unix', 'AuthenticationFailed', 'asks for a user name and a password (SASL): give them'],
    [[1], 'tcp', 'AuthenticationFailed', 'over plain TCP nothing would protect it: use the transport tls or ssh'],
    [[9], 'unix', 'ConnectionLost', 'asks for authentication of type 9'],
  ] as const)('authentication %j over %s ends with a sentence', async (types, channel, name, sentence) => {
    const { client, peer } = await connected()
    const opening = handshake(client, 'qemu:///system', { channel }).catch((error: unknown) => error)
    await greet(peer, { types: [...types] })
    expect(await opening).toMatchObject({ name, message: expect.stringContaining(sentence) })
  })

  test('over plain TCP no password is sent, even where one is given', async () => {
    const { client, peer } = await connected()
    const opening = handshake(client, 'qemu:///system', { channel: 'tcp', sasl: { username: 'u', password: 'secret' } }).catch((error: unknown) => error)
    await greet(peer, { types: [1] })
    expect(await opening).toMatchObject({ name: 'AuthenticationFailed' })
    expect(asked(peer)).toEqual([66])
  })

  test('what polkit refuses is a sentence, with its own words', async () => {
    const { client, peer } = await connected()
    const opening = handshake(client, 'qemu:///system').catch((error: unknown) => error)
    await settle()
    peer.reply(peer.calls[0]!, p.authList, [2])
    await settle()
    peer.refuse(peer.calls[1]!, { code: 45, message: 'access denied by policy' })
    expect(await opening).toMatchObject({
      name: 'AuthenticationFailed',
      message: 'polkit on /scripted does not let this user in (access denied by policy): add the user to the group libvirt, allow org.libvirt.unix.manage for it by a polkit rule, or set auth_unix_rw in libvirtd.conf',
    })
  })

  test('the states of the opening are told in order', async () => {
    const { client, peer } = await connected()
    const states: string[] = []
    const opening = handshake(client, 'qemu:///system', undefined, (state) => { states.push(`${state} after ${peer.calls.length}`) })
    await greet(peer)
    await opening
    expect(states).toEqual(['Authenticating after 0', 'Opening after 1'])
  })
})

describe('opening', () => {
  const target = (...peers: ScriptedPeer[]) => ({ name: 'qemu:///system', transports: peers.map((peer) => () => peer.transport) })
  const unreachable = (peer: string): ScriptedPeer => {
    const scripted = new ScriptedPeer()
    return Object.assign(scripted, { transport: { ...scripted.transport, peer, open: () => Promise.reject(new Error(`connect ENOENT ${peer}`)) } })
  }

  test('the first way that connects is taken', async () => {
    const peer = new ScriptedPeer()
    const opening = openRemote(target(unreachable('/a'), peer), quiet)
    await settle()
    await greet(peer)
    expect((await opening).name).toBe('qemu:///system')
  })

  test('when none connects, every way is named with its reason', async () => {
    const reason = await openRemote(target(unreachable('/a'), unreachable('/b')), quiet).catch((error: unknown) => error)
    expect(reason).toBeInstanceOf(ConnectionLost)
    expect((reason as Error).message).toBe('libvirt cannot be reached: /a (connect ENOENT /a), /b (connect ENOENT /b)')
  })

  test('a way that leads nowhere is given up after the deadline of a call', async () => {
    const clock = new FakeClock()
    const silent = new ScriptedPeer()
    const transport = { ...silent.transport, open: (_events: unknown, signal?: AbortSignal) => new Promise<void>((_resolve, reject) => { signal?.addEventListener('abort', () => reject(signal.reason as Error)) }) }
    const opening = openRemote({ name: 'qemu:///system', transports: [() => transport] }, { ...quiet, clock }).catch((error: unknown) => error)
    await clock.advance(quiet.callTimeout)
    expect(await opening).toMatchObject({ name: 'ConnectionLost', message: 'libvirt cannot be reached: /scripted (no connection came about within 10 s)' })
    expect(clock.timers).toEqual([])
  })

  test('want of trust is told from a host that is away', async () => {
    const scripted = new ScriptedPeer()
    const transport = { ...scripted.transport, open: () => Promise.reject(new AuthenticationFailed('the certificate has expired')) }
    expect(await openRemote({ name: 'qemu:///system', transports: [() => transport] }, quiet).catch((error: unknown) => error)).toMatchObject({ name: 'AuthenticationFailed', message: '/scripted: the certificate has expired' })
  })

  test('a daemon that refuses is not asked again elsewhere, and its connection is closed', async () => {
    const [peer, other] = [new ScriptedPeer(), new ScriptedPeer()]
    const opening = openRemote(target(peer, other), quiet).catch((error: unknown) => error)
    await settle()
    peer.refuse(peer.calls[0]!, { code: 45, message: 'authentication failed' })
    expect(await opening).toBeInstanceOf(LibvirtError)
    expect([peer.closed, other.frames.length]).toEqual([true, 0])
  })

  test('an abort ends the opening with its reason, and no open connection', async () => {
    const peer = new ScriptedPeer()
    const aborter = new AbortController()
    const opening = openRemote(target(peer), { ...quiet, signal: aborter.signal }).catch((error: unknown) => error)
    await settle()
    aborter.abort(new Error('shutting down'))
    expect(await opening).toMatchObject({ message: 'shutting down' })
    expect(peer.closed).toBe(true)

    const second = new ScriptedPeer()
    const signal = new AbortController()
    const open = openRemote(target(second), { ...quiet, signal: signal.signal })
    await settle()
    await greet(second)
    await open
    signal.abort()
    expect(second.closed).toBe(false)
  })
})

describe('the connection', () => {
  test.each([[true, [3, 4]], [false, [4, 3]]])('networkUpdate on a daemon whose order is correct: %s', async (correct, wire) => {
    const peer = new ScriptedPeer()
    const opening = openRemote({ name: 'qemu:///system', transports: [() => peer.transport] }, quiet)
    await settle()
    await greet(peer, { features: correct ? [14, 15, 16] : [14, 15] })
    const connection = await opening
    const net = { name: 'n', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f' }
    const update = connection.networkUpdate(net, 3, 4, -1, '<host/>', 0)
    await settle()
    const frame = peer.calls.at(-1)!
    const { command, section } = p.networkUpdate.args.read(new Reader(frame.payload))
    expect([command, section]).toEqual(wire)
    peer.reply(frame, p.networkUpdate, undefined)
    await update
  })

  test('four long calls leave every slot to the others: each has a connection of its own, closed when it is answered', async () => {
    const peers: ScriptedPeer[] = []
    const opening = openRemote({ name: 'qemu:///system', transports: [() => { const peer = new ScriptedPeer(); peers.push(peer); return peer.transport }] }, quiet)
    await settle()
    await greet(peers[0]!)
    const connection = await opening
    const pool = { name: 'p', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f' }
    const vol = { pool: 'p', name: 'v', key: '/v' }
    const copies = Array.from({ length: 4 }, () => connection.storageVolCreateXMLFrom(pool, '<volume/>', vol, 0).catch((error: unknown) => error))
    await settle()
    for (const peer of peers.slice(1)) await greet(peer)
    const call = connection.connectGetType()
    await settle()
    peers[0]!.reply(peers[0]!.calls.at(-1)!, p.connectGetType, 'QEMU')
    expect(await call).toBe('QEMU')
    peers[1]!.reply(peers[1]!.calls.at(-1)!, p.storageVolCreateXMLFrom, vol)
    expect(await copies[0]).toEqual(vol)
    expect(peers.map(({ closed }) => closed)).toEqual([false, true, false, false, false])
    // One more is on its way to its connection while the close happens.
    const last = connection.storageVolUpload(vol, 0, 0, 0).catch((error: unknown) => error)
    await settle()
    await connection.close()
    expect(await copies[1]).toBeInstanceOf(ConnectionLost)
    await greet(peers.at(-1)!)
    expect(await last).toBeInstanceOf(ConnectionLost)
    expect(peers.length).toBe(6)
    expect(peers.every(({ closed }) => closed)).toBe(true)
  })
})
