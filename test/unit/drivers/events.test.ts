// Events reach their handler by the kind and id of their registration, whenever they come.

import { describe, expect, test } from 'vitest'
import type { DriverEvent } from '../../../drivers/driver.ts'
import { ConnectionLost } from '../../../drivers/errors.ts'
import type { Client } from '../../../drivers/remote/client.ts'
import { Events } from '../../../drivers/remote/events.ts'
import { MessageType, type Frame } from '../../../drivers/remote/frame.ts'
import { procedures as p } from '../../../drivers/remote/protocol.ts'
import { Domain, Network, StoragePool } from '../../../drivers/remote/types.ts'
import { Reader, int, string, type Writer } from '../../../drivers/remote/xdr.ts'
import { settle } from '../../support/fakeclock.ts'
import { connected, frameOf, refusalOf, replyTo, type ScriptedPeer } from '../../support/rpc/scripted-peer.ts'

const features = { eventCallback: true, closeCallback: true, networkUpdateOrder: true }
const dom = { name: 'vm', uuid: '6695eb01-f6a4-8304-79aa-97f2502e193f', id: 1 }
const net = { name: 'net', uuid: 'dd8fe884-6c02-601e-7551-cca97df1c5df' }

const message = (procedure: number, id: number, body: (to: Writer) => void): Buffer =>
  frameOf({ procedure, type: MessageType.MESSAGE, serial: 1 }, (to) => { int.write(to, id); body(to) })
const lifecycle = (id: number, detail = 0): Buffer => message(318, id, (to) => { Domain.write(to, dom); int.write(to, 4); int.write(to, detail) })
const networkLifecycle = (id: number): Buffer => message(315, id, (to) => { Network.write(to, net); int.write(to, 2); int.write(to, 0) })

const registrations = [
  p.connectDomainEventCallbackRegisterAny, p.connectNetworkEventRegisterAny, p.connectStoragePoolEventRegisterAny, p.connectNodeDeviceEventRegisterAny, p.connectSecretEventRegisterAny,
]
const eventOf = (frame: Frame): number => new Reader(frame.payload).bytes.readInt32BE(0)

/** Answers the registrations until all are: `answer` gives the callback id, or null to refuse. */
const answerAll = async (peer: ScriptedPeer, answer: (kind: string, eventID: number, frame: Frame) => number | null): Promise<void> => {
  for (let answered = 0; ; answered++) {
    await settle()
    const frame = peer.calls[answered]
    if (!frame) return
    const procedure = registrations.find(({ number }) => number === frame.procedure)
    if (!procedure) {
      peer.reply(frame, p.connectRegisterCloseCallback, undefined)
      continue
    }
    const id = answer(procedure.name, eventOf(frame), frame)
    peer.send(id === null ? refusalOf(frame, { code: 1, message: 'internal error: unknown event' }) : replyTo(frame, procedure, id))
  }
}

const setUp = async (): Promise<{ events: Events; seen: DriverEvent[]; client: Client; peer: ScriptedPeer }> => {
  const events = new Events()
  const seen: DriverEvent[] = []
  events.onEvent((event) => seen.push(event))
  const { client, peer } = await connected({}, (procedure, payload) => events.message(procedure, payload))
  return { events, seen, client, peer }
}

describe('registration', () => {
  test('answers the kinds whose lifecycle events come', async () => {
    const { events, client, peer } = await setUp()
    const classes = events.register(client, features)
    await answerAll(peer, (kind, eventID) => (kind === 'connectStoragePoolEventRegisterAny' ? null : eventID))
    expect([...(await classes)].toSorted()).toEqual(['connection', 'domain', 'network', 'nodedev', 'secret'])
  })

  test('an event id that the daemon does not know is left out, and the others work', async () => {
    const { events, client, peer, seen } = await setUp()
    const classes = events.register(client, features)
    await answerAll(peer, (_, eventID) => (eventID > 20 ? null : eventID))
    expect(await classes).toContain('domain')
    peer.send(lifecycle(0), message(333, 15, (to) => { Domain.write(to, dom); string.write(to, 'ua-disk') }))
    expect(seen.map(({ name }) => name)).toEqual(['lifecycle', 'device-removed'])
  })

  test('without a domain lifecycle event the driver has to be polled', async () => {
    const { events, client, peer } = await setUp()
    const classes = events.register(client, features)
    await answerAll(peer, (kind, eventID) => (kind === 'connectDomainEventCallbackRegisterAny' && eventID === 0 ? null : eventID))
    expect(await classes).not.toContain('domain')
  })

  test('a daemon without callback ids is asked for nothing', async () => {
    const { events, client, peer } = await setUp()
    expect(await events.register(client, { ...features, eventCallback: false })).toEqual(new Set())
    expect(peer.calls).toEqual([])
  })

  test('rejects when the connection ends meanwhile', async () => {
    const { events, client, peer } = await setUp()
    const classes = events.register(client, features).catch((error: unknown) => error)
    await settle()
    peer.drop(new Error('gone'))
    expect(await classes).toBeInstanceOf(ConnectionLost)
  })
})

describe('routing', () => {
  test('an event that comes before the reply to its registration is delivered, in order', async () => {
    const { events, client, peer, seen } = await setUp()
    const classes = events.register(client, features)
    await answerAll(peer, (kind, eventID) => {
      if (kind === 'connectDomainEventCallbackRegisterAny' && eventID === 0) peer.send(lifecycle(7, 1), lifecycle(7, 2))
      return kind === 'connectDomainEventCallbackRegisterAny' && eventID === 0 ? 7 : 100 + eventID
    })
    await classes
    peer.send(lifecycle(7, 3))
    expect(seen.map((event) => 'detail' in event && event.detail)).toEqual([1, 2, 3])
  })

  test('an event in the same chunk as the reply to its registration is delivered', async () => {
    const { events, client, peer, seen } = await setUp()
    const classes = events.register(client, features)
    await settle()
    const frame = peer.calls.find((call) => call.procedure === 316 && eventOf(call) === 0)
      ?? peer.calls[0]!
    const procedure = registrations.find(({ number }) => number === frame.procedure)!
    peer.send(replyTo(frame, procedure, 9), frame.procedure === 316 ? lifecycle(9) : networkLifecycle(9))
    expect(seen.length).toBe(1)
    client.close()
    await classes.catch(() => {})
  })

  test('callback ids are counted per kind: one of a network is none of a domain', async () => {
    const { events, client, peer, seen } = await setUp()
    const classes = events.register(client, features)
    await answerAll(peer, (kind, eventID) => (kind === 'connectNetworkEventRegisterAny' ? 500 : eventID))
    await classes
    peer.send(lifecycle(500), networkLifecycle(0), networkLifecycle(500))
    expect(seen).toEqual([{ type: 'network', name: 'lifecycle', net, event: 2, detail: 0 }])
  })

  test('events that nobody registered for, and messages of a newer daemon, are passed over', async () => {
    const { peer, seen, client } = await setUp()
    peer.send(lifecycle(0), message(99_999, 0, () => {}))
    expect(seen).toEqual([])
    expect(peer.closed).toBe(false)
    client.close()
  })

  test('an event cut short ends the connection', async () => {
    const { peer, client } = await setUp()
    peer.send(frameOf({ procedure: 318, type: MessageType.MESSAGE }, (to) => int.write(to, 0)))
    expect((await client.closed).message).toContain('an unsigned int of 4 bytes reaches beyond')
  })
})

describe('what events say', () => {
  const cases: [DriverEvent, Buffer][] = [
    [{ type: 'domain', name: 'lifecycle', dom, event: 4, detail: 3 }, lifecycle(1, 3)],
    [{ type: 'domain', name: 'reboot', dom }, message(319, 1, (to) => Domain.write(to, dom))],
    [{ type: 'domain', name: 'io-error', dom, srcPath: '/d', devAlias: 'a', action: 1, reason: 'enospc' }, message(324, 1, (to) => { Domain.write(to, dom); string.write(to, '/d'); string.write(to, 'a'); int.write(to, 1); string.write(to, 'enospc') })],
    [{ type: 'domain', name: 'agent-lifecycle', dom, state: 1, reason: 2 }, message(348, 1, (to) => { Domain.write(to, dom); int.write(to, 1); int.write(to, 2) })],
    [{ type: 'domain', name: 'device-removal-failed', dom, devAlias: 'a' }, message(367, 1, (to) => { Domain.write(to, dom); string.write(to, 'a') })],
    [{ type: 'pool', name: 'refresh', pool: net }, message(373, 1, (to) => StoragePool.write(to, net))],
    [{ type: 'connection', name: 'closed', reason: 2 }, frameOf({ procedure: 362, type: MessageType.MESSAGE }, (to) => int.write(to, 2))],
  ]
  test.each(cases)('$type $name', async (event, bytes) => {
    const { events, client, peer, seen } = await setUp()
    const classes = events.register(client, features)
    await answerAll(peer, () => 1)
    await classes
    peer.send(bytes)
    expect(seen).toEqual([event])
  })
})
