// A way into a private host's network: each connection to a port of ours is carried to an address inside the host.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import type { PrivateLibvirtd } from './libvirtd.ts'

export interface Forward extends AsyncDisposable {
  readonly port: number
  /** How many connections have been taken so far. */
  readonly taken: number
  /** Bytes that have come from inside the host. */
  readonly received: number
  /** Breaks every connection that is open now. */
  drop(): void
  close(): Promise<void>
}

/** `to` as socat names it: `TCP:127.0.0.1:16514`, `UNIX-CONNECT:/run/…`. */
export async function forwardInto(host: Pick<PrivateLibvirtd, 'enter'>, to: string): Promise<Forward> {
  const open = new Set<Socket>()
  let taken = 0
  let received = 0
  const [file, ...args] = host.enter(['socat', 'STDIO', to]) as [string, ...string[]]
  const server = createServer({ allowHalfOpen: true }, client => {
    taken++
    const carrier = spawn(file, args, { stdio: ['pipe', 'pipe', 'ignore'] })
    open.add(client)
    client.pipe(carrier.stdin)
    carrier.stdout.pipe(client)
    carrier.stdout.on('data', (chunk: Buffer) => { received += chunk.length })
    // Either side ends the other; what was under way then goes nowhere.
    client.on('error', () => client.destroy())
    carrier.stdin.on('error', () => client.destroy())
    carrier.on('close', () => client.end())
    client.on('close', () => {
      open.delete(client)
      carrier.kill('SIGKILL')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const drop = (): void => { for (const client of open) client.destroy() }
  const close = async (): Promise<void> => {
    drop()
    await new Promise(resolve => { server.close(resolve) })
  }
  return {
    port: (server.address() as AddressInfo).port,
    get taken() { return taken },
    get received() { return received },
    drop,
    close,
    [Symbol.asyncDispose]: close,
  }
}
