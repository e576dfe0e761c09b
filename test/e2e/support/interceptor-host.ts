// libvirtd's side of the interceptor: a unix socket that forwards whole frames and knows from their headers which calls change something.
import { createConnection, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { once } from 'node:events'
import { FrameParser, HEADER_SIZE, MessageStatus, MessageType, PROTOCOL_VERSION, Program } from '../../../drivers/remote/frame.ts'
import type { Frame } from '../../../drivers/remote/frame.ts'
import { procedures } from '../../../drivers/remote/protocol.ts'
import type { Call, Gate, InterceptorOptions } from './interceptor.ts'

/** A refresh makes libvirt look at its own storage again: the host is the same after it. */
const changing = new Map(Object.values(procedures).filter(({ changing: alters, name }) => alters && name !== 'storagePoolRefresh').map(({ number, name }) => [number, name]))

/** Bytes of a stream from one of its points to the next: in how many packets they come is different each time. No packet is larger. */
const STEP = 256 * 1024

/** Answers how to close it. */
export async function createHostProxy({ token, libvirtSocket, socket }: InterceptorOptions, gate: Gate): Promise<() => Promise<void>> {
  const open = new Set<Socket>()
  const server = createServer(client => {
    const daemon = createConnection(libvirtSocket)
    for (const [end, other] of [[client, daemon], [daemon, client]] as const) {
      open.add(end)
      end.on('error', () => end.destroy())
      end.once('close', () => {
        open.delete(end)
        other.destroy()
      })
    }
    relay(client, daemon, token, gate)
  })
  server.listen(socket)
  await once(server, 'listening')
  return async () => {
    for (const end of open) end.destroy()
    await new Promise(resolve => { server.close(resolve) })
  }
}

/** Frames of one serial stay in order, as a stream needs; frames of different serials wait for nobody. */
function relay(client: Socket, daemon: Socket, token: RegExp, gate: Gate): void {
  const calls = new Map<number, { procedure: string; owner: string; call: Call; bytes: number; finishing?: Call }>()
  const requests = new Map<number, Promise<void>>()
  const replies = new Map<number, Promise<void>>()
  const inOrder = (queue: Map<number, Promise<void>>, serial: number, work: () => Promise<void>): void => {
    const before = queue.get(serial)
    const done = before === undefined ? work() : before.then(work)
    queue.set(serial, done)
  }

  const request = async (frame: Frame): Promise<void> => {
    const known = calls.get(frame.serial)
    if (frame.type === MessageType.STREAM && known !== undefined) {
      const last = frame.status === MessageStatus.OK
      const from = known.bytes
      known.bytes += frame.payload.length
      if (frame.status === MessageStatus.CONTINUE && from > 0 && Math.floor(from / STEP) === Math.floor(known.bytes / STEP)) {
        send(daemon, frame)
        return
      }
      const call = gate.begin('host', known.owner, `${known.call.what} ${last ? 'end' : frame.status === MessageStatus.ERROR ? 'abort' : `data at ${Math.floor(known.bytes / STEP)}`}`)
      if (last) known.finishing = call
      await gate.pass(call, 'before')
      send(daemon, frame)
      if (!last) await gate.pass(call, 'after')
      return
    }
    const procedure = frame.type === MessageType.CALL && frame.program === Program.REMOTE ? changing.get(frame.procedure) : undefined
    const text = procedure === undefined ? '' : frame.payload.toString('latin1')
    const owner = token.exec(text)?.[0]
    if (procedure === undefined || owner === undefined) {
      send(daemon, frame)
      return
    }
    const call = gate.begin('host', owner, `${procedure} ${subjectOf(text, owner)}`)
    calls.set(frame.serial, { procedure, owner, call, bytes: 0 })
    await gate.pass(call, 'before')
    send(daemon, frame)
  }

  const reply = async (frame: Frame): Promise<void> => {
    const known = calls.get(frame.serial)
    if (known !== undefined && frame.type === MessageType.REPLY) await gate.pass(known.call, 'after')
    if (known?.finishing !== undefined && frame.type === MessageType.STREAM) await gate.pass(known.finishing, 'after')
    send(client, frame)
  }

  const fromClient = new FrameParser(frame => { inOrder(requests, frame.serial, () => request(frame)) })
  const fromDaemon = new FrameParser(frame => { inOrder(replies, frame.serial, () => reply(frame)) })
  client.on('data', (chunk: Buffer) => { fromClient.push(chunk) })
  daemon.on('data', (chunk: Buffer) => { fromDaemon.push(chunk) })
}

/** The object a call is about: the name in its document, else the last of the names in its arguments, which a volume's pool precedes. */
function subjectOf(text: string, owner: string): string {
  const named = /<name>([^<]*)<\/name>/.exec(text)?.[1]
  if (named !== undefined && !/<device|<disk|<interface/.test(text.slice(0, 16))) return short(named, owner)
  if (/vireo-[0-9a-f-]{36}-[0-9a-f]+\.iso/.test(text)) return 'seed'
  const names = [...text.matchAll(new RegExp(`(?<!/)${owner}\\.([a-z]+)`, 'g'))].map(match => match[1]!)
  return names.at(names[0] === 'pool' && names.length > 1 ? 1 : 0) ?? ''
}

const short = (name: string, owner: string): string => (name.startsWith('vireo-') ? 'seed' : name.replace(`${owner}.`, ''))

function send(to: Socket, { program, version, procedure, type, serial, status, payload }: Frame): void {
  if (to.destroyed) return
  const header = Buffer.alloc(HEADER_SIZE)
  for (const [index, word] of [HEADER_SIZE + payload.length, program, version ?? PROTOCOL_VERSION, procedure >>> 0, type, serial, status].entries()) header.writeUInt32BE(word >>> 0, index * 4)
  to.cork()
  to.write(header)
  to.write(payload)
  to.uncork()
}
