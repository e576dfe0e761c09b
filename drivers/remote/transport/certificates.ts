// Finds what a TLS connection is made with: given in memory, or in libvirt's places on this machine (libvirt: docs/kbase/tlscerts.rst).

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TLSCredentials } from '../../credentials.ts'
import { AuthenticationFailed } from '../../errors.ts'

type Files = Record<keyof Required<TLSCredentials>, string>

const inOneFolder = (folder: string): Files => ({
  ca: join(folder, 'cacert.pem'), crl: join(folder, 'cacrl.pem'), cert: join(folder, 'clientcert.pem'), key: join(folder, 'clientkey.pem'),
})
const system: Files = {
  ca: '/etc/pki/CA/cacert.pem', crl: '/etc/pki/CA/cacrl.pem',
  cert: '/etc/pki/libvirt/clientcert.pem', key: '/etc/pki/libvirt/private/clientkey.pem',
}

const readIfThere = (path: string): Promise<string | undefined> => readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined
  throw new AuthenticationFailed(`${path} cannot be read (${error.code})`, { cause: error })
})

const readAll = async (files: Files): Promise<TLSCredentials> => {
  const entries = await Promise.all(Object.entries(files).map(async ([name, path]) => [name, await readIfThere(path)] as const))
  return Object.fromEntries(entries.filter(([, text]) => text !== undefined))
}

export interface CertificateSource {
  /** Takes the place of every file. */
  given: TLSCredentials | undefined
  /** A folder that holds all four files; else the user's own, then the machine's. */
  folder: string | undefined
  environment?: NodeJS.ProcessEnv
  /** root has no folder of its own. */
  root?: boolean
}

/** Rejects with AuthenticationFailed where a file is there and cannot be read. */
export const findCertificates = async ({ given, folder, environment = process.env, root = process.getuid?.() === 0 }: CertificateSource): Promise<TLSCredentials> => {
  if (given !== undefined) return given
  if (folder !== undefined) return await readAll(inOneFolder(folder))
  const machine = await readAll(system)
  if (root || environment.HOME === undefined) return machine
  const own = await readAll(inOneFolder(join(environment.HOME, '.pki/libvirt')))
  // One pair: the user's certificate does not fit the machine's key.
  return { ...machine, ...(own.cert !== undefined || own.key !== undefined ? { cert: undefined, key: undefined } : {}), ...own }
}
