// The server's own certificate authority: made at the first start, it signs the server's certificate and those of clients.

import { X509Certificate, createPrivateKey, webcrypto } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type * as X509 from '@peculiar/x509'
import { join } from 'node:path'

export interface Tls { ca: string; cert: string; key: string }

export interface Pair { cert: string; key: string }

const DAY = 24 * 3_600_000
const AUTHORITY_LASTS = 3_650 * DAY
const LEAF_LASTS = 365 * DAY
/** A certificate that ends sooner than this is made anew at the start. */
const RENEW_WITHIN = 90 * DAY

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

/**
 * The authority's certificate and the server's pair from `folder`; what is missing, ends soon or lacks one of `names` is made.
 * `names` are DNS names and IP addresses that clients may reach the server by.
 */
export async function loadTls(folder: string, names: readonly string[], now: number): Promise<Tls> {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const authority = await loadAuthority(folder, now)
  const found = readPair(folder, 'server')
  if (found !== undefined && serves(found, authority.cert, names, now)) return { ca: authority.cert, ...found }
  const made = await sign(authority, { name: 'CN=vireo', names, use: 'server' }, now)
  writePair(folder, 'server', made)
  return { ca: authority.cert, ...made }
}

/** A client's certificate: `name` is its CN, each group an O. Throws where the authority is missing. */
export async function issueClient(folder: string, name: string, groups: readonly string[], now: number): Promise<Pair> {
  const authority = readPair(folder, 'ca')
  if (authority === undefined) throw new Error(`there is no authority in ${folder}: start "vireo standalone" once, it makes one`)
  const subject = [{ CN: [name] }, ...groups.map(group => ({ O: [group] }))]
  return await sign(authority, { name: subject, names: [], use: 'client' }, now)
}

async function loadAuthority(folder: string, now: number): Promise<Pair> {
  const found = readPair(folder, 'ca')
  if (found !== undefined) return found
  const x509 = await library()
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(), name: 'CN=vireo authority', notBefore: new Date(now - 60_000), notAfter: new Date(now + AUTHORITY_LASTS), signingAlgorithm: ALGORITHM, keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  const made = { cert: certificate.toString('pem'), key: await exportKey(keys.privateKey) }
  writePair(folder, 'ca', made)
  return made
}

async function sign(authority: Pair, { name, names, use }: { name: string | { [type: string]: string[] }[]; names: readonly string[]; use: 'server' | 'client' }, now: number): Promise<Pair> {
  const x509 = await library()
  const issuer = new x509.X509Certificate(authority.cert)
  const signingKey = await webcrypto.subtle.importKey('pkcs8', createPrivateKey(authority.key).export({ type: 'pkcs8', format: 'der' }), ALGORITHM, false, ['sign'])
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serial(), subject: name, issuer: issuer.subject, notBefore: new Date(now - 60_000), notAfter: new Date(Math.min(now + LEAF_LASTS, issuer.notAfter.getTime())),
    publicKey: keys.publicKey, signingKey, signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([use === 'server' ? x509.ExtendedKeyUsage.serverAuth : x509.ExtendedKeyUsage.clientAuth]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      ...names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names.map(one => ({ type: isIP(one) === 0 ? 'dns' as const : 'ip' as const, value: one })))],
    ],
  })
  return { cert: certificate.toString('pem'), key: await exportKey(keys.privateKey) }
}

/** Only where a certificate is made: a start that finds its own does not load it. */
async function library(): Promise<typeof X509> {
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  x509.cryptoProvider.set(webcrypto)
  return x509
}

const serial = (): string => Buffer.from(webcrypto.getRandomValues(new Uint8Array(16))).toString('hex').replace(/^[89a-f]/, '1')

async function exportKey(key: webcrypto.CryptoKey): Promise<string> {
  const body = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64')
  return `-----BEGIN PRIVATE KEY-----\n${body.match(/.{1,64}/g)!.join('\n')}\n-----END PRIVATE KEY-----\n`
}

function serves({ cert }: Pair, ca: string, names: readonly string[], now: number): boolean {
  const certificate = new X509Certificate(cert)
  return certificate.verify(new X509Certificate(ca).publicKey) && Date.parse(certificate.validTo) > now + RENEW_WITHIN &&
    names.every(name => (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined)
}

function readPair(folder: string, name: string): Pair | undefined {
  const [cert, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)]
  return existsSync(cert) && existsSync(key) ? { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') } : undefined
}

/** The certificate last, each file whole: a start in between finds no pair. */
function writePair(folder: string, name: string, { cert, key }: Pair): void {
  for (const [suffix, text, mode] of [['key', key, 0o600], ['crt', cert, 0o644]] as const) {
    const file = join(folder, `${name}.${suffix}`)
    writeFileSync(`${file}.new`, text, { mode })
    renameSync(`${file}.new`, file)
  }
}
