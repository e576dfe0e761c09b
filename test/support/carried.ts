// A transport in use, for tests: what arrives, and how it ends.

import type { Transport } from '../../drivers/remote/transport/transport.ts'

export interface Carried {
  transport: Transport
  /** All bytes that have arrived, as text. */
  text(): string
  /** Resolves once `wanted` has arrived in full. */
  until(wanted: string): Promise<void>
  ended: Promise<Error>
}

/** Opens `transport`; rejects with its reason. */
export async function carry(transport: Transport, signal?: AbortSignal): Promise<Carried> {
  const chunks: Buffer[] = []
  const ended = Promise.withResolvers<Error>()
  const waiting: { wanted: string; done: () => void }[] = []
  const text = (): string => Buffer.concat(chunks).toString()
  await transport.open({
    data: (chunk) => {
      chunks.push(chunk)
      for (const { wanted, done } of waiting) if (text().includes(wanted)) done()
    },
    end: ended.resolve,
  }, signal)
  return {
    transport, text, ended: ended.promise,
    until: (wanted) => new Promise((resolve, reject) => {
      if (text().includes(wanted)) return resolve()
      waiting.push({ wanted, done: resolve })
      void ended.promise.then((reason) => reject(new Error(`${wanted} did not arrive before the end: ${reason.message}`)))
    }),
  }
}

/** The error of an opening that has to fail. */
export const refusalOf = (transport: Transport, signal?: AbortSignal): Promise<Error> =>
  carry(transport, signal).then(({ transport: { close } }) => { close(); throw new Error('it opened') }, (error: unknown) => error as Error)
