// What every group of calls goes through: one client for the calls, further ones for what takes long.

import type { DownloadStream, DuplexStream, UploadStream } from '../../driver.ts'
import { ErrorNumber, LibvirtError, Unsupported } from '../../errors.ts'
import type { Client, ClientOptions } from '../client.ts'
import type { Features } from '../handshake.ts'
import { procedures, type Procedure } from '../protocol.ts'
import { openDownload, openDuplex, openUpload, type Opened } from '../stream.ts'

/** virTypedParameterFlags: without it a daemon leaves strings out of typed parameters. */
export const STRING_OKAY = 4
/** For calls that ask for a bulk list of everything. */
export const listAll = { need_results: true, flags: 0 }

export interface RpcParts {
  client: Client
  features: Features
  /** Nothing can be changed, and no secret is shown. */
  readOnly?: boolean
  /** Opens a further connection to the same place: streams and calls without a deadline have their own, so that they delay no other call. */
  dial: (options?: Pick<ClientOptions, 'jammed'>) => Promise<Client>
  /**
   * Calls to storage have a connection of their own. Only where a connection has no state of its own: the daemon serves the
   * same storage to each.
   */
  storageAside: boolean
}

export class Rpc {
  readonly client: Client
  readonly features: Features
  readonly readOnly: boolean
  readonly #dial: RpcParts['dial']
  readonly #storageAside: boolean
  #storage: Promise<Client> | undefined
  readonly #others = new Set<Client>()
  #closing = false
  /** What the driver turned out not to have. */
  readonly #lacking = new Map<string, Unsupported>()
  /** Answers that stay true as long as the connection lives. */
  readonly #learnt = new Map<string, Promise<any>>()

  constructor({ client, features, readOnly = false, dial, storageAside }: RpcParts) {
    this.client = client
    this.features = features
    this.readOnly = readOnly
    this.#dial = dial
    this.#storageAside = storageAside
  }

  /** Rejects with Unsupported, and asks no more, where the driver lacks the function. */
  call<A, R>(procedure: Procedure<A, R>, args: A): Promise<R> {
    const lacking = this.#lacking.get(procedure.name)
    if (lacking) return Promise.reject(lacking)
    if (procedure.since !== undefined) return this.#ofLater(procedure, procedure.since, args)
    return this.client.call(procedure, args).catch((error: unknown) => this.#refused(procedure, error))
  }

  async #ofLater<A, R>(procedure: Procedure<A, R>, since: number, args: A): Promise<R> {
    const version = await this.once(procedures.connectGetLibVersion, undefined)
    if (version >= since) return this.client.call(procedure, args).catch((error: unknown) => this.#refused(procedure, error))
    const text = (number: number): string => `${Math.floor(number / 1_000_000)}.${Math.floor(number / 1000) % 1000}`
    const message = `the host has libvirt ${text(version)}, and ${procedure.name} came with ${text(since)}`
    throw this.#learn(procedure, new LibvirtError({ code: ErrorNumber.NO_SUPPORT, domain: 0, level: 2, procedure: procedure.name, message }), await this.#driver(), message)
  }

  /** The older form of a call takes its place where the driver has only that one. */
  either<A, R, B>(procedure: Procedure<A, R>, args: A, older: Procedure<B, R>, olderArgs: B): Promise<R> {
    return this.call(procedure, args).catch((error: unknown) => {
      if (error instanceof Unsupported) return this.call(older, olderArgs)
      throw error
    })
  }

  /** Asks once per connection; a failure is not kept. */
  once<A, R>(procedure: Procedure<A, R>, args: A): Promise<R> {
    const key = `${procedure.name} ${JSON.stringify(args ?? null)}`
    let answer = this.#learnt.get(key) as Promise<R> | undefined
    if (!answer) {
      answer = this.call(procedure, args)
      this.#learnt.set(key, answer)
      answer.catch(() => this.#learnt.delete(key))
    }
    return answer
  }

  /**
   * A call that touches storage. Where a server of files went away the daemon hangs in it, and holds its locks over all storage:
   * that takes the slots of one connection, once, and nothing from domains, networks and events.
   */
  async storage<A, R>(procedure: Procedure<A, R>, args: A): Promise<R> {
    if (!this.#storageAside) return await this.call(procedure, args)
    const lacking = this.#lacking.get(procedure.name)
    if (lacking) throw lacking
    try {
      return await (await this.#storageClient()).call(procedure, args)
    } catch (error) {
      return await this.#refused(procedure, error)
    }
  }

  /** Made when it is first needed, and anew after it ended. */
  #storageClient(): Promise<Client> {
    if (this.#storage !== undefined) return this.#storage
    const made = this.#other({ jammed: 'refuse' })
    this.#storage = made
    const forget = (): void => { if (this.#storage === made) this.#storage = undefined }
    made.then(client => { void client.closed.then(forget) }, forget)
    return made
  }

  /** A call that takes as long as its bytes take: four of them on the one connection would leave no slot for anything else. */
  async aside<A, R>(procedure: Procedure<A, R>, args: A): Promise<R> {
    const lacking = this.#lacking.get(procedure.name)
    if (lacking) throw lacking
    const client = await this.#other()
    try {
      return await client.call(procedure, args)
    } catch (error) {
      return await this.#refused(procedure, error)
    } finally {
      if (client !== this.client) client.close()
    }
  }

  // A stream has a connection of its own, which ends with it.
  upload<A, R>(procedure: Procedure<A, R>, args: A): Promise<Opened<UploadStream, R>> { return this.#stream(openUpload, procedure, args) }
  download<A, R>(procedure: Procedure<A, R>, args: A): Promise<Opened<DownloadStream, R>> { return this.#stream(openDownload, procedure, args) }
  duplex<A, R>(procedure: Procedure<A, R>, args: A): Promise<Opened<DuplexStream, R>> { return this.#stream(openDuplex, procedure, args) }

  async #stream<A, R, S>(open: (client: Client, procedure: Procedure<A, R>, args: A) => Promise<Opened<S, R>>, procedure: Procedure<A, R>, args: A): Promise<Opened<S, R>> {
    const lacking = this.#lacking.get(procedure.name)
    if (lacking) throw lacking
    try {
      return await open(await this.#other(), procedure, args)
    } catch (error) {
      return await this.#refused(procedure, error)
    }
  }

  async #other(options?: Pick<ClientOptions, 'jammed'>): Promise<Client> {
    const client = await this.#dial(options)
    // What is closed opens nothing any more; the calls on it reject.
    if (this.#closing) client.close()
    this.#others.add(client)
    void client.closed.then(() => this.#others.delete(client))
    return client
  }

  /** Calls that have no answer yet. */
  get pending(): number {
    return [this.client, ...this.#others].reduce((sum, client) => sum + client.pending, 0)
  }

  /** Ends the streams and the long calls too. */
  async close(): Promise<void> {
    this.#closing = true
    for (const client of this.#others) client.close()
    this.client.close()
    await this.client.closed
  }

  async #refused(procedure: Procedure<any, any>, error: unknown): Promise<never> {
    if (!(error instanceof LibvirtError) || !error.lacksFunction) throw error
    throw this.#learn(procedure, error, await this.#driver())
  }

  #driver(): Promise<string> {
    return this.once(procedures.connectGetType, undefined).catch(() => 'own')
  }

  #learn(procedure: Procedure<any, any>, refusal: LibvirtError, driver: string, message?: string): Unsupported {
    const unsupported = new Unsupported(refusal, driver, message)
    this.#lacking.set(procedure.name, unsupported)
    return unsupported
  }
}
