// The API server's side of the interceptor: plain HTTP on loopback, forwarded with the caller's own token.
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, request } from 'node:https'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import type { Gate, InterceptorOptions } from './interceptor.ts'

interface Kubeconfig { clusters: { cluster: { server: string; 'certificate-authority-data'?: string } }[] }

/** Answers how to close it. */
export async function createApiProxy({ token, kubeconfig, proxiedKubeconfig }: InterceptorOptions, gate: Gate): Promise<() => Promise<void>> {
  const config = JSON.parse(await readFile(kubeconfig, 'utf8')) as Kubeconfig
  const { cluster } = config.clusters[0]!
  const upstream = new URL(cluster.server)
  const agent = new Agent({ keepAlive: true, ca: Buffer.from(cluster['certificate-authority-data']!, 'base64') })

  const forward = async (asked: IncomingMessage, body: Buffer, to: ServerResponse): Promise<IncomingMessage> => {
    const { host: _host, ...headers } = asked.headers
    const sent = request({ host: upstream.hostname, port: upstream.port, method: asked.method, path: asked.url, headers, agent })
    // A watch ends with its asker.
    to.once('close', () => { sent.destroy() })
    sent.end(body)
    const [answer] = await once(sent, 'response') as [IncomingMessage]
    return answer
  }

  const serve = async (asked: IncomingMessage, to: ServerResponse): Promise<void> => {
    const body = await bytesOf(asked)
    if (asked.method === 'GET') {
      const answer = await forward(asked, body, to)
      to.writeHead(answer.statusCode!, answer.headers)
      // A watch without news has nothing but headers to send.
      to.flushHeaders()
      answer.pipe(to)
      return
    }
    const owner = token.exec(asked.url!)?.[0] ?? token.exec(body.toString('utf8'))?.[0]
    const call = owner === undefined ? undefined : gate.begin('api', owner, describe(asked, body, owner))
    if (call !== undefined) await gate.pass(call, 'before')
    const answer = await forward(asked, body, to)
    const text = await bytesOf(answer)
    if (call !== undefined) await gate.pass(call, 'after')
    to.writeHead(answer.statusCode!, answer.headers)
    to.end(text)
  }

  const server = createServer({ keepAliveTimeout: 60_000 }, (asked, to) => { serve(asked, to).catch(() => { to.destroy() }) })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cluster.server = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  delete cluster['certificate-authority-data']
  await writeFile(proxiedKubeconfig, JSON.stringify(config), { mode: 0o600 })
  return async () => {
    server.closeAllConnections()
    agent.destroy()
    await new Promise(resolve => { server.close(resolve) })
  }
}

async function bytesOf(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** `PATCH virtualdomains/web/status`, `PATCH virtualdomains/web finalizers`, `POST events Defined web`. */
function describe({ method, url }: IncomingMessage, body: Buffer, owner: string): string {
  const [path] = url!.split('?')
  const parts = path!.split('/').slice(path!.startsWith('/apis/') ? 4 : 3)
  const rest = (parts[0] === 'namespaces' ? parts.slice(2) : parts).filter(part => part !== owner)
  if (rest[0] === 'events') {
    const event = JSON.parse(body.toString('utf8')) as { reason?: string; involvedObject?: { kind: string; name: string } }
    return `${method} events ${event.reason ?? 'again'} ${event.involvedObject?.kind ?? ''} ${event.involvedObject?.name.replace(owner, '') ?? ''}`.trim()
  }
  const { metadata } = JSON.parse(body.toString('utf8')) as { metadata?: { finalizers?: string[] } }
  const finalizers = rest.at(-1) === 'status' || metadata?.finalizers === undefined ? '' : metadata.finalizers.length > 0 ? ' finalizer on' : ' finalizer off'
  return `${method} ${rest.join('/')}${finalizers}`
}

