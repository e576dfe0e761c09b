// What all transports share: an open pair of byte streams, from a socket or a child process, as a Transport.

import type { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'
import type { Transport } from './transport.ts'

export interface ByteStream {
  input: Readable
  output: Writable
  /** Resolves (never rejects) with the reason once nothing can arrive any more. */
  ended: Promise<Error>
  destroy(): void
}

/** Reasons that every transport meets, as words. */
const words: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there', ENOENT: 'there is no such socket', EACCES: 'this process may not open it',
  ENOTFOUND: 'no address is known for that name', EAI_AGAIN: 'the name service does not answer',
  ETIMEDOUT: 'no answer came', EHOSTUNREACH: 'there is no route to it', ENETUNREACH: 'there is no route to it', ECONNRESET: 'the other side broke the connection off',
}

/** The error, with a sentence in place of the system's abbreviation where there is one. */
export const explained = (error: Error & { code?: string }): Error => {
  const known = error.code === undefined ? undefined : words[error.code]
  return known === undefined ? error : new Error(`${known} (${error.code})`, { cause: error })
}

/** Resolves when `socket` says `event`; destroys it and rejects when it fails or the signal aborts first. */
export const untilSocket = (socket: Socket, event: 'connect' | 'secureConnect', signal?: AbortSignal): Promise<void> => new Promise((resolve, reject) => {
  const settle = (): void => {
    signal?.removeEventListener('abort', abort)
    socket.off('error', fail).off('close', close).off(event, done)
  }
  const fail = (error: Error): void => {
    settle()
    // What else it has to say is part of the same failure.
    socket.on('error', () => {})
    socket.destroy()
    reject(error)
  }
  const abort = (): void => fail(signal!.reason as Error)
  const close = (): void => fail(new Error('the other side closed the connection'))
  const done = (): void => { settle(); resolve() }
  signal?.addEventListener('abort', abort, { once: true })
  socket.on('error', fail).on('close', close).on(event, done)
})

/** A connected socket. To be called in the turn in which it connected: later, its end would go unseen. */
export const socketStream = (socket: Socket): ByteStream => ({
  input: socket,
  output: socket,
  ended: new Promise((resolve) => {
    let reason = new Error('the other side closed the connection')
    socket.on('error', (error) => { reason = explained(error) })
    socket.on('close', () => resolve(reason))
  }),
  destroy: () => { socket.destroy() },
})

/** `dial` connects; it rejects with the reason, and leaves nothing behind where it does. */
export const streamTransport = (peer: string, dial: (signal?: AbortSignal) => Promise<ByteStream>, { frameByFrame = false } = {}): Transport => {
  let stream: ByteStream | undefined
  return {
    peer,
    frameByFrame,
    open: async (events, signal) => {
      signal?.throwIfAborted()
      const opened = await dial(signal)
      stream = opened
      void opened.ended.then((reason) => events.end(reason))
      // The bytes flow from the next turn on.
      opened.input.on('data', (chunk: Buffer) => events.data(chunk)).resume()
    },
    write: (bytes, taken) => {
      stream?.output.write(bytes, taken && ((error) => { if (!error) taken() }))
    },
    pause: () => { stream?.input.pause() },
    resume: () => { stream?.input.resume() },
    close: () => { stream?.destroy() },
  }
}
