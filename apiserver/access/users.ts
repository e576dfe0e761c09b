// Who may come in, and by what: bearer tokens kept as hashes, and client certificates of the server's own authority.

import { createHash, timingSafeEqual } from 'node:crypto'

export type Role = 'admin' | 'view'

export interface User {
  name: string
  uid: string
  groups: readonly string[]
}

/** One line of the users' file. Without `namespaces` the role holds everywhere. */
export interface Account {
  name: string
  role: Role
  namespaces?: readonly string[]
  groups?: readonly string[]
  /** SHA-256 of the bearer token, hexadecimal. Without it the account has a certificate only. */
  tokenHash?: string
}

export const MASTERS = 'system:masters'
const AUTHENTICATED = 'system:authenticated'

export const hashToken = (token: string): string => createHash('sha256').update(token).digest('hex')

export class Accounts {
  readonly #accounts: readonly Account[]
  readonly #byName: ReadonlyMap<string, Account>

  constructor(accounts: readonly Account[]) {
    this.#accounts = accounts
    this.#byName = new Map(accounts.map(account => [account.name, account]))
  }

  byName(name: string): Account | undefined { return this.#byName.get(name) }

  byToken(token: string): User | undefined {
    const hash = Buffer.from(hashToken(token), 'hex')
    let found: Account | undefined
    // All are compared, so that time tells nothing.
    for (const account of this.#accounts) {
      if (account.tokenHash !== undefined && timingSafeEqual(hash, Buffer.from(account.tokenHash, 'hex'))) found = account
    }
    return found && userOf(found)
  }
}

/** Who there is; `fresh`: not as of a second ago. */
export type AccountSource = (options?: { fresh?: boolean }) => Accounts

const userOf = ({ name, groups = [] }: Account): User => ({ name, uid: '', groups: [...groups, AUTHENTICATED] })

/** `subject` of a certificate that the authority signed: CN is the user, each O a group. */
export const userOfCertificate = (subject: { CN?: string | string[]; O?: string | string[] }): User | undefined => {
  const name = [subject.CN ?? []].flat()[0]
  return name === undefined || name === '' ? undefined : { name, uid: '', groups: [...[subject.O ?? []].flat(), AUTHENTICATED] }
}

/** Throws a sentence for what is no list of accounts. `file` is named in it. */
export function parseAccounts(value: unknown, file: string): Account[] {
  const refuse = (why: string): Error => new Error(`${file}: ${why}; it is a list of {name, role: admin | view, namespaces?, groups?, tokenHash?: SHA-256 of the token in hexadecimal}`)
  const texts = (list: unknown): list is string[] => Array.isArray(list) && list.every(one => typeof one === 'string' && one !== '')
  if (!Array.isArray(value)) throw refuse('is not a list')
  const seen = new Set<string>()
  return value.map((one: unknown, at) => {
    const where = `entry ${at + 1}`
    if (typeof one !== 'object' || one === null) throw refuse(`${where} is not an object`)
    const { name, role, namespaces, groups, tokenHash, ...unknown } = one as Record<string, unknown>
    if (typeof name !== 'string' || name === '') throw refuse(`${where} has no name`)
    if (seen.has(name)) throw refuse(`${where} repeats the name ${name}`)
    seen.add(name)
    if (role !== 'admin' && role !== 'view') throw refuse(`the role of ${name} is neither admin nor view`)
    if (namespaces !== undefined && !texts(namespaces)) throw refuse(`the namespaces of ${name} are no list of names`)
    if (groups !== undefined && !texts(groups)) throw refuse(`the groups of ${name} are no list of names`)
    if (tokenHash !== undefined && (typeof tokenHash !== 'string' || !/^[0-9a-f]{64}$/.test(tokenHash))) throw refuse(`the tokenHash of ${name} is not 64 hexadecimal digits`)
    const [stray] = Object.keys(unknown)
    if (stray !== undefined) throw refuse(`${name} has an unknown field ${stray}`)
    return { name, role, namespaces, groups, tokenHash }
  })
}
