// The users' file of a standalone server: read anew when it changes, so that a new user need not wait for a restart.

import { randomBytes } from 'node:crypto'
import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../clock/clock.ts'
import { type Account, type AccountSource, Accounts, hashToken, parseAccounts } from './users.ts'

/** How often it is looked at, ms. */
const LOOK_EVERY = 1_000

export const accountFile = (folder: string): string => join(folder, 'users.json')

/** 256 bits. */
export const newToken = (): string => randomBytes(32).toString('base64url')

/** Undefined where there is no file yet. Throws a sentence for one that cannot be read. */
export function readAccounts(folder: string): Account[] | undefined {
  const file = accountFile(folder)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  try {
    return parseAccounts(JSON.parse(text), file)
  } catch (error) {
    if (error instanceof SyntaxError) throw new Error(`${file} is not JSON: ${error.message}`, { cause: error })
    throw error
  }
}

export function writeAccounts(folder: string, accounts: readonly Account[]): void {
  const file = accountFile(folder)
  writeFileSync(`${file}.new`, `${JSON.stringify(accounts, null, 2)}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

/** Puts an account in, or in place of the one of that name, and answers its token; only the token's hash is kept. */
export function addAccount(folder: string, account: Omit<Account, 'tokenHash'>): string {
  const token = newToken()
  const others = (readAccounts(folder) ?? []).filter(({ name }) => name !== account.name)
  writeAccounts(folder, [...others, { ...account, tokenHash: hashToken(token) }])
  return token
}

/** The accounts of the file and of `own`, as of a second ago at most, or as of now. A file that cannot be read leaves them as they were. */
export function followAccounts(folder: string, own: readonly Account[], clock: Clock, onError: (error: Error) => void): AccountSource {
  let looked = -Infinity
  let stamp = ''
  let accounts = new Accounts(own)
  return ({ fresh = false } = {}) => {
    const now = clock.now()
    if (!fresh && now - looked < LOOK_EVERY) return accounts
    looked = now
    try {
      const { mtimeMs, ino, size } = statSync(accountFile(folder))
      const found = `${mtimeMs} ${ino} ${size}`
      if (found !== stamp) {
        accounts = new Accounts([...readAccounts(folder) ?? [], ...own])
        stamp = found
      }
    } catch (error) {
      onError(error instanceof Error ? error : new Error(String(error)))
    }
    return accounts
  }
}
