// Opens a connection: transport, handshake, and the object that the rest of vireo calls.

import { deadline, monotonicClock } from '../../clock/clock.ts'
import { AuthenticationFailed, ConnectionLost } from '../errors.ts'
import type { Connection, OpenOptions } from '../driver.ts'
import { Client, type ClientOptions } from './client.ts'
import { remoteConnection } from './connection.ts'
import { Events } from './events.ts'
import { handshake, type Features, type Login } from './handshake.ts'
import type { Transport } from './transport/transport.ts'

export interface Target {
  /** What the daemon opens: a URI without transport. */
  name: string
  /** Ways to the daemon, the preferred one first; each call makes a fresh transport. */
  transports: (() => Transport)[]
  /** How to answer a daemon that asks who we are; without it, as over a unix socket. */
  login?: Login
}

interface Opened { client: Client; features: Features }

/**
 * The first transport that connects. Rejects with ConnectionLost naming every way that was tried, and with
 * AuthenticationFailed where the only one failed for want of trust.
 */
const connect = async (target: Target, options: ClientOptions, onMessage: ((procedure: number, payload: Buffer) => void) | undefined, signal?: AbortSignal): Promise<Client> => {
  const errors: Error[] = []
  const peers: string[] = []
  for (const make of target.transports) {
    const transport = make()
    using limit = deadline(options.clock ?? monotonicClock, options.callTimeout, () => new Error(`no connection came about within ${options.callTimeout / 1000} s`), signal)
    try {
      return await Client.connect(transport, options, onMessage, limit.signal)
    } catch (error) {
      signal?.throwIfAborted()
      peers.push(transport.peer)
      errors.push(error as Error)
    }
  }
  const said = errors.map((error, i) => `${peers[i]} (${error.message})`).join(', ')
  if (errors.length === 1 && errors[0] instanceof AuthenticationFailed) throw new AuthenticationFailed(`${peers[0]}: ${errors[0].message}`, { cause: errors[0] })
  throw new ConnectionLost(`libvirt cannot be reached: ${said}`, { cause: errors.length === 1 ? errors[0] : new AggregateError(errors) })
}

const dial = async (target: Target, options: OpenOptions & ClientOptions, onMessage?: (procedure: number, payload: Buffer) => void, signal?: AbortSignal, onProgress?: OpenOptions['onProgress']): Promise<Opened> => {
  const client = await connect(target, options, onMessage, signal)
  const abort = () => client.close(signal!.reason as Error)
  signal?.addEventListener('abort', abort, { once: true })
  try {
    return { client, features: await handshake(client, target.name, target.login, onProgress) }
  } catch (error) {
    client.close()
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

/** Drivers whose storage is the daemon's own: every connection sees the same. `test:///FILE` and the client-side drivers keep theirs with the connection. */
const servedByDaemon = /^(?:(?:qemu|lxc|xen|bhyve|ch):|test:\/\/\/default$)/

/**
 * Opens `target`. Rejects with LibvirtError where the daemon refuses, AuthenticationFailed where one side does not
 * trust the other, ConnectionLost where it cannot be reached, CallTimeout where it does not answer.
 * The signal ends the opening only, never an open connection.
 */
export const openRemote = async (target: Target, options: OpenOptions & ClientOptions): Promise<Connection> => {
  const events = new Events()
  const { client, features } = await dial(target, options, (procedure, payload) => events.message(procedure, payload), options.signal, options.onProgress)
  return remoteConnection({
    name: target.name, client, events, features, readOnly: target.login?.readOnly ?? false,
    // One that is there for work that takes long does it itself.
    dial: async (more) => (options.unhurried ? client : (await dial(target, { ...options, ...more })).client),
    storageAside: !options.unhurried && servedByDaemon.test(target.name),
  })
}
