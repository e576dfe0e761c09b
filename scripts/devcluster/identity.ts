// Makes and keeps what a control plane proves identities with: tokens of its users and the key of its service accounts.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface User {
  name: string
  /** Besides system:authenticated. */
  groups?: readonly string[]
}

export interface Identity {
  tokenFile: string
  serviceAccountKey: string
  token(user: string): string
}

/** Reads the identity in `folder`, made on first use; a user's token stays the same from start to start. */
export async function loadIdentity(folder: string, users: readonly User[]): Promise<Identity> {
  const tokensPath = join(folder, 'tokens.json')
  const tokens = JSON.parse(await unlessMissing(readFile(tokensPath, 'utf8')) ?? '{}') as Record<string, string>
  for (const { name } of users) tokens[name] ??= randomBytes(24).toString('hex')
  await writeFile(tokensPath, JSON.stringify(tokens), { mode: 0o600 })

  const tokenFile = join(folder, 'tokens.csv')
  const lines = users.map(({ name, groups = [] }) => `${tokens[name]},${name},${name}${groups.length > 0 ? `,"${groups.join(',')}"` : ''}\n`)
  await writeFile(tokenFile, lines.join(''), { mode: 0o600 })

  const serviceAccountKey = join(folder, 'service-account.key')
  if (await unlessMissing(readFile(serviceAccountKey)) === undefined) {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    await writeFile(serviceAccountKey, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  }
  return {
    tokenFile,
    serviceAccountKey,
    token(user) {
      const token = tokens[user]
      if (token === undefined) throw new Error(`the control plane has no user ${user}`)
      return token
    },
  }
}

async function unlessMissing<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
