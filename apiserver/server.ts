// Puts the standalone API together: the store, the kinds, the upkeep, and the HTTPS server in front.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../clock/clock.ts'
import { AuditLog } from './access/audit.ts'
import { loadTls } from './access/authority.ts'
import type { AccountSource } from './access/users.ts'
import { configMaps, leases, namespaces, secrets, serviceAccounts } from './builtin/core.ts'
import { definitions } from './builtin/definitions.ts'
import { events, modernEvents } from './builtin/events.ts'
import { keptKinds } from './builtin/kept.ts'
import { reviews } from './builtin/reviews.ts'
import { Discovery } from './discovery/documents.ts'
import { OpenApi } from './discovery/openapi.ts'
import { Objects } from './http/objects.ts'
import { HttpServer, type LIMITS } from './http/server.ts'
import { Kinds } from './registry/kinds.ts'
import { Writing } from './registry/writing.ts'
import type { Backend } from './store/backend.ts'
import { Store } from './store/store.ts'
import { onThread } from './store/thread.ts'
import { Upkeep } from './upkeep/upkeep.ts'

export interface ApiServerOptions {
  /** Holds the database, the keys, the certificates and the audit log. Made where it is missing. */
  folder: string
  host: string
  /** 0: one that is free. */
  port: number
  /** DNS names and addresses that the server's certificate is for. */
  names: readonly string[]
  accounts: AccountSource
  clock: Clock
  /** The folder's database, where its opening was begun before the rest was loaded. The server closes it. */
  backend?: Promise<Backend>
  limits?: typeof LIMITS
  /** Hears what went wrong inside, with what was going on. */
  onError: (error: Error, what: string) => void
}

export interface ApiServer {
  readonly url: string
  /** PEM. */
  readonly authority: string
  /** Kept in the database: the UUID that identities derive from unless another is given. */
  constant(name: string, value: string): Promise<string>
  /** Resolves when the server's own upkeep has nothing left to do now. */
  idle(): Promise<void>
  close(): Promise<void>
}

/** The release whose behaviour the server follows. */
const KUBERNETES = { major: '1', minor: '36' }

export const certificateFolder = (folder: string): string => join(folder, 'certificates')

/** Rejects with StoreError where the database cannot be served, and with the system's error where the address cannot. */
export async function startApiServer({ folder, host, port, names, accounts, clock, backend: opening, limits, onError }: ApiServerOptions): Promise<ApiServer> {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const backend = await (opening ?? onThread({ folder }))
  const store = await Store.open(backend, clock)
  const stopping = new AbortController()
  const closers: (() => Promise<void>)[] = [() => store.close()]
  const close = async (): Promise<void> => {
    stopping.abort()
    for (const one of closers.splice(0).toReversed()) await one()
  }
  try {
    const tls = await loadTls(certificateFolder(folder), names, clock.now())
    const kinds = new Kinds([namespaces, secrets, configMaps, serviceAccounts, events, modernEvents, leases, ...keptKinds, definitions, ...reviews(accounts)])
    const writing = new Writing({ store, clock })
    const upkeep = new Upkeep({ store, kinds, writing, clock, authority: tls.ca, onError: (task, error) => { onError(error instanceof Error ? error : new Error(String(error)), task) } })
    closers.push(() => upkeep.close())
    const audit = new AuditLog(join(folder, 'audit.log'))
    closers.push(() => audit.close())
    await upkeep.begin()
    const gitVersion = `v${KUBERNETES.major}.${KUBERNETES.minor}.0+vireo`
    const server = new HttpServer({
      objects: new Objects({ store, writing, clock, signal: stopping.signal }),
      kinds,
      discovery: new Discovery(kinds),
      openapi: new OpenApi(kinds, gitVersion),
      accounts,
      tls,
      audit,
      clock,
      limits,
      version: { ...KUBERNETES, gitVersion, gitCommit: '', gitTreeState: '', buildDate: '1970-01-01T00:00:00Z', goVersion: '', compiler: '', platform: `${process.platform}/${process.arch}` },
      ready: () => { if (stopping.signal.aborted) throw new Error('the server is stopping'); if (store.failure !== undefined) throw store.failure },
      onError,
    })
    const address = await server.listen(host, port)
    closers.push(() => server.close())
    return {
      url: `https://${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`,
      authority: tls.ca,
      constant: (name, value) => store.constant(name, value),
      idle: () => upkeep.idle(),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
