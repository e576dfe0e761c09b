// Carries the bytes over a unix socket.

import { createConnection, type Socket } from 'node:net'
import type { Transport } from './transport.ts'

export const unixTransport = (path: string): Transport => {
  let socket: Socket | null = null
  return {
    peer: path,
    open: (events, signal) => new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const opening = createConnection({ path })
      const abort = () => { opening.destroy(signal!.reason as Error) }
      const fail = (error: Error) => {
        signal?.removeEventListener('abort', abort)
        reject(error)
      }
      signal?.addEventListener('abort', abort, { once: true })
      opening.once('error', fail)
      opening.once('connect', () => {
        signal?.removeEventListener('abort', abort)
        opening.off('error', fail)
        let reason = new Error('the other side closed the connection')
        opening.on('error', (error) => { reason = error })
        opening.on('close', () => events.end(reason))
        opening.on('data', (chunk) => events.data(chunk))
        socket = opening
        resolve()
      })
    }),
    write: (bytes, taken) => {
      socket?.write(bytes, taken && ((error) => { if (!error) taken() }))
    },
    pause: () => { socket?.pause() },
    resume: () => { socket?.resume() },
    close: () => { socket?.destroy() },
  }
}
