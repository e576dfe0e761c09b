// Where the certificates of a TLS connection come from.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findCertificates } from '../../../../drivers/remote/transport/certificates.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'vireo-certificates-'))
  await mkdir(join(folder, 'home/.pki/libvirt'), { recursive: true })
  for (const name of ['cacert', 'cacrl', 'clientcert', 'clientkey']) await writeFile(join(folder, `${name}.pem`), `folder ${name}`)
  for (const name of ['cacert', 'clientcert', 'clientkey']) await writeFile(join(folder, `home/.pki/libvirt/${name}.pem`), `own ${name}`)
})
afterAll(() => rm(folder, { recursive: true }))

test('what is given takes the place of every file', async () => {
  expect(await findCertificates({ given: { ca: 'given' }, folder })).toEqual({ ca: 'given' })
})

test('a folder holds all four, under the names that libvirt gives them', async () => {
  expect(await findCertificates({ given: undefined, folder })).toEqual({ ca: 'folder cacert', crl: 'folder cacrl', cert: 'folder clientcert', key: 'folder clientkey' })
})

test('a folder that is not there holds none', async () => {
  expect(await findCertificates({ given: undefined, folder: join(folder, 'nowhere') })).toEqual({})
})

test('a user’s own come before the machine’s', async () => {
  expect(await findCertificates({ given: undefined, folder: undefined, environment: { HOME: join(folder, 'home') }, root: false })).toMatchObject({ ca: 'own cacert', cert: 'own clientcert', key: 'own clientkey' })
})

test('a file that cannot be read is named', async () => {
  await mkdir(join(folder, 'broken/cacert.pem'), { recursive: true })
  await expect(findCertificates({ given: undefined, folder: join(folder, 'broken') })).rejects.toThrow(`${join(folder, 'broken/cacert.pem')} cannot be read (EISDIR)`)
})
