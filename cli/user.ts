// vireo user: lets somebody into a standalone vireo, and prints the kubeconfig that does.

import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { addAccount, readAccounts, writeAccounts } from '../apiserver/access/accountfile.ts'
import { issueClient } from '../apiserver/access/authority.ts'
import { type Role, parseAccounts } from '../apiserver/access/users.ts'
import { certificateFolder } from '../apiserver/server.ts'
import { systemClock } from '../clock/clock.ts'
import { kubeconfig } from './kubeconfig.ts'

export interface UserFlags { data: string; role: Role; namespace?: string[]; certificate?: boolean; remove?: boolean; server?: string }

/** Answers what is to be printed. Throws a sentence where there is no server's folder or no such user. */
export async function user(name: string, flags: UserFlags): Promise<string> {
  const folder = resolve(flags.data)
  const accounts = readAccounts(folder)
  if (accounts === undefined) throw new Error(`there are no users in ${folder}: start "vireo standalone" once with this --data`)
  if (flags.remove === true) {
    if (!accounts.some(account => account.name === name)) throw new Error(`there is no user ${name} in ${folder}`)
    writeAccounts(folder, accounts.filter(account => account.name !== name))
    return `User ${name} is gone: its token is refused from now on.\n`
  }
  const own = JSON.parse(readFileSync(join(folder, 'kubeconfig'), 'utf8')) as { clusters: { cluster: { server: string } }[] }
  const url = flags.server ?? own.clusters[0]!.cluster.server
  const authority = readFileSync(join(certificateFolder(folder), 'ca.crt'), 'utf8')
  const account = { name, role: flags.role, ...flags.namespace === undefined ? {} : { namespaces: flags.namespace } }
  if (flags.certificate !== true) {
    const token = addAccount(folder, account)
    return `${JSON.stringify(kubeconfig({ url, authority, user: name, credentials: { token } }), null, 2)}\n`
  }
  const { cert, key } = await issueClient(certificateFolder(folder), name, [], systemClock.now())
  writeAccounts(folder, parseAccounts([...accounts.filter(one => one.name !== name), account], folder))
  return `${JSON.stringify(kubeconfig({ url, authority, user: name, credentials: { certificate: cert, key } }), null, 2)}\n`
}
