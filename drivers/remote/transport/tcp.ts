// Carries the bytes over TCP, in clear: whoever is on the way reads and changes them.

import { createConnection } from 'node:net'
import { explained, socketStream, streamTransport, untilSocket } from './stream.ts'
import type { Transport } from './transport.ts'

export interface Address { host: string; port: number }

/** `kvm7:16509`, `[::1]:16509`. */
export const addressText = ({ host, port }: Address): string => `${host.includes(':') ? `[${host}]` : host}:${port}`

export const tcpTransport = (address: Address): Transport => streamTransport(addressText(address), async (signal) => {
  const socket = createConnection({ ...address, noDelay: true })
  await untilSocket(socket, 'connect', signal).catch((error: Error) => { throw explained(error) })
  return socketStream(socket)
})
