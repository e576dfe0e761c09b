// One API server that requests are sent to: the real kube-apiserver or ours.

import { readFile } from 'node:fs/promises'
import { Agent, request } from 'undici'
import { parse as parseYaml } from 'yaml'

export interface Answer {
  code: number
  type: string
  warnings: string[]
  /** Parsed where it is JSON; of a watch, the events. */
  body: unknown
}

export interface Asked {
  method: string
  path: string
  body?: string | Buffer
  headers: Record<string, string>
}

export class Endpoint {
  readonly name: string
  readonly #url: string
  readonly #agent: Agent
  readonly #token: string

  private constructor(name: string, url: string, ca: string, token: string) {
    this.name = name
    this.#url = url
    this.#token = token
    this.#agent = new Agent({ connect: { ca }, allowH2: false, keepAliveTimeout: 10_000 })
  }

  static async fromKubeconfig(name: string, file: string): Promise<Endpoint> {
    const config = JSON.parse(await readFile(file, 'utf8')) as { clusters: { cluster: { server: string; 'certificate-authority-data': string } }[]; users: { user: { token: string } }[] }
    const { cluster } = config.clusters[0]!
    return new Endpoint(name, cluster.server, Buffer.from(cluster['certificate-authority-data'], 'base64').toString(), config.users[0]!.user.token)
  }

  async ask({ method, path, body, headers }: Asked): Promise<Answer> {
    const answer = await request(this.#url + path, { method, body, dispatcher: this.#agent, headers: { authorization: `Bearer ${this.#token}`, 'user-agent': 'differential/1', ...headers } })
    const text = await answer.body.text()
    const type = String(answer.headers['content-type'] ?? '')
    return { code: answer.statusCode, type, warnings: [answer.headers['warning'] ?? []].flat().flatMap(one => one.split(/, (?=299 )/)).toSorted(), body: parse(text, type, path) }
  }

  async close(): Promise<void> {
    await this.#agent.close()
  }
}

function parse(text: string, type: string, path: string): unknown {
  if (type.startsWith('application/yaml')) return parseYaml(text.replaceAll(/^(\s*)\.: /gm, '$1".": '), { version: '1.1' })
  if (!type.startsWith('application/json')) return text
  try {
    if (path.includes('watch=')) return text.split('\n').filter(line => line !== '').map(line => JSON.parse(line) as unknown)
    return JSON.parse(text)
  } catch {
    return text
  }
}
