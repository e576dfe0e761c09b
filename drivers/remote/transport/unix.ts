// Carries the bytes over a unix socket.

import { createConnection } from 'node:net'
import { explained, socketStream, streamTransport, untilSocket } from './stream.ts'
import type { Transport } from './transport.ts'

export const unixTransport = (path: string): Transport => streamTransport(path, async (signal) => {
  const socket = createConnection({ path })
  await untilSocket(socket, 'connect', signal).catch((error: Error) => { throw explained(error) })
  return socketStream(socket)
})
