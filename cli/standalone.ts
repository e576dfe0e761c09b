// vireo standalone: a Kubernetes-compatible API on an embedded database and the operator on it, in one process.

import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { accountFile, addAccount, followAccounts, newToken } from '../apiserver/access/accountfile.ts'
import { hashToken } from '../apiserver/access/users.ts'
import { onThread } from '../apiserver/store/thread.ts'
import { sleep, systemClock } from '../clock/clock.ts'
import { type LogLevel, createLog } from '../controller/log.ts'
import { writeKubeconfig } from './kubeconfig.ts'
import { onPath } from './local.ts'
import type { OperateFlags } from './operate.ts'
import { say } from './say.ts'

export interface StandaloneFlags extends OperateFlags {
  data: string
  listen: string
  /** Without it, addresses beyond loopback are refused. */
  public?: boolean
  name?: string[]
  /** False: the API alone. */
  operator: boolean
  logLevel: LogLevel
}

const OPERATOR = 'vireo'
const ADMIN = 'admin'
/** Loading the operator takes the thread for a tenth of a second: who waited for the API to come up is answered before that, ms. */
const CLIENTS_FIRST = 50

/** Resolves when `signal` aborts and everything has ended. */
export async function runStandalone(flags: StandaloneFlags, signal: AbortSignal): Promise<void> {
  const log = createLog({ level: flags.logLevel })
  const folder = resolve(flags.data)
  const { host, port } = parseAddress(flags.listen)
  if (!isLoopback(host) && flags.public !== true) throw new Error(`--listen ${flags.listen} is reachable from other machines: add --public if that is meant`)
  // The database is opened on its thread while the server is loaded on this one.
  const backend = onThread({ folder })
  backend.catch(() => { /* told where it is awaited */ })
  const { startApiServer } = await import('../apiserver/server.ts')
  const token = newToken()
  const accounts = followAccounts(folder, [{ name: OPERATOR, role: 'admin', tokenHash: hashToken(token) }], systemClock, error => { log.error({ error: error.message }, 'the users could not be read anew') })
  const api = await startApiServer({
    folder, host, port, accounts, backend, clock: systemClock,
    names: ['localhost', '127.0.0.1', '::1', ...isLoopback(host) ? [] : [hostname()], ...isWildcard(host) ? [] : [host], ...flags.name ?? []].filter((name, at, all) => all.indexOf(name) === at),
    onError: (error, what) => { log.error({ error: error.message, what }, 'the API server met an error') },
  })
  try {
    const url = api.url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')
    const file = join(folder, 'kubeconfig')
    keepKubeconfig(folder, file, url, api.authority)
    if (flags.operator) {
      await sleep(systemClock, CLIENTS_FIRST, signal).catch(() => undefined)
      const { operate } = await import('./operate.ts')
      await operate(flags, { api, url, user: OPERATOR, token, log }, async () => { await tellNext(file, url) }, signal)
    } else {
      await tellNext(file, url)
      if (!signal.aborted) await once(signal, 'abort')
    }
  } finally {
    await api.close()
    say('Stopped. The next start finds everything as it was.')
  }
}

/** The administrator's, made at the first start; later only its address changes. */
function keepKubeconfig(folder: string, file: string, url: string, authority: string): void {
  const found = existsSync(accountFile(folder)) && existsSync(file) ? tokenIn(file) : undefined
  const token = found ?? addAccount(folder, { name: ADMIN, role: 'admin', groups: ['system:masters'] })
  writeKubeconfig(file, { url, authority, user: ADMIN, credentials: { token } })
}

function tokenIn(file: string): string | undefined {
  try {
    const { users } = JSON.parse(readFileSync(file, 'utf8')) as { users: { user: { token?: string } }[] }
    return users[0]?.user.token
  } catch {
    return undefined
  }
}

async function tellNext(file: string, url: string): Promise<void> {
  say()
  say(`vireo runs at ${url}. In another terminal, type:`)
  say()
  say(`  export KUBECONFIG=${file}`)
  say('  kubectl apply -f manifests/samples/')
  say('  kubectl get virt -o wide')
  say()
  if (await onPath('kubectl')) return
  say('There is no kubectl on the PATH. It is one program: https://kubernetes.io/docs/tasks/tools/ says how to get it;')
  say('on Debian and Ubuntu with snap:  snap install kubectl --classic')
  say()
}

/** Throws a sentence for what is no HOST:PORT. */
export function parseAddress(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]*)):(\d{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) throw new Error(`--listen ${text} is no address: write HOST:PORT, such as 127.0.0.1:6443 or [::1]:6443`)
  return { host: match[1] ?? (match[2] === '' ? '0.0.0.0' : match[2]!), port }
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.')
const isWildcard = (host: string): boolean => host === '0.0.0.0' || host === '::'
