// Makes the certificates that a test of TLS needs: authorities, what they sign, and what they revoke.
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const DAY = 86_400_000

export interface Issued { /** PEM. */ cert: string; /** PEM. */ key: string; serial: string }

export interface Authority {
  /** PEM. */
  readonly ca: string
  /** `names` are DNS names and IP addresses; days count from now. */
  issue(commonName: string, options?: { names?: readonly string[]; from?: number; until?: number }): Promise<Issued>
  /** A list that names these; `until` in days. PEM. */
  revoke(issued: readonly Issued[], until?: number): Promise<string>
}

const pemOf = async (key: webcrypto.CryptoKey): Promise<string> => x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')
const inDays = (days: number): Date => new Date(Date.now() + days * DAY)
const keyPair = async (): Promise<webcrypto.CryptoKeyPair> => await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])

/** `until` in days from now. */
export async function createAuthority(name: string, until = 30): Promise<Authority> {
  const keys = await keyPair()
  let serial = 1
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: '01', name: `CN=${name}`, notBefore: inDays(-30), notAfter: inDays(until), signingAlgorithm: algorithm, keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return {
    ca: root.toString('pem'),
    async issue(commonName, { names = [], from = -1, until = 10 } = {}) {
      const own = await keyPair()
      const number = (++serial).toString(16).padStart(2, '0')
      const alternatives = names.map(entry => ({ type: /^[\d.]+$|:/.test(entry) ? 'ip' as const : 'dns' as const, value: entry }))
      const cert = await x509.X509CertificateGenerator.create({
        serialNumber: number, subject: `CN=${commonName}`, issuer: root.subject, notBefore: inDays(from), notAfter: inDays(until),
        signingAlgorithm: algorithm, publicKey: own.publicKey, signingKey: keys.privateKey,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          // libvirt asks for both.
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
          await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
          ...(alternatives.length > 0 ? [new x509.SubjectAlternativeNameExtension(alternatives)] : []),
        ],
      })
      return { cert: cert.toString('pem'), key: await pemOf(own.privateKey), serial: number }
    },
    async revoke(issued, until = 10) {
      const list = await x509.X509CrlGenerator.create({
        issuer: root.subject, thisUpdate: inDays(-2), nextUpdate: inDays(until), signingAlgorithm: algorithm, signingKey: keys.privateKey,
        entries: issued.map(({ serial: serialNumber }) => ({ serialNumber, revocationDate: inDays(-1) })),
        extensions: [await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey)],
      })
      // OpenSSL and GnuTLS know the list by this label.
      return x509.PemConverter.encode(list.rawData, 'X509 CRL')
    },
  }
}
