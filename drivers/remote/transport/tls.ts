// Carries the bytes over TLS: the host proves its name, this side its certificate, and the host says whether it lets us in.
//
// After the handshake libvirt's daemon sends one byte, 1, once it has accepted our certificate; otherwise it ends the connection.

import { isIP } from 'node:net'
import { connect, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls'
import type { TLSCredentials } from '../../credentials.ts'
import { AuthenticationFailed } from '../../errors.ts'
import { explained, socketStream, streamTransport, untilSocket } from './stream.ts'
import { addressText, type Address } from './tcp.ts'
import type { Transport } from './transport.ts'

export interface TLSOptions {
  /** Found anew for each connection. */
  credentials: () => Promise<TLSCredentials>
  /** False: any host is believed to be who it says it is (`no_verify=1`). */
  verify: boolean
}

const CONFIRMED = 1

/** What is wrong with the host's certificate, by OpenSSL's name of it (X509_V_ERR_…). */
const distrust: Record<string, string> = {
  CERT_HAS_EXPIRED: 'its certificate (or that of its authority) has expired: renew it on the host',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: compare the clocks of both machines',
  CERT_REVOKED: 'its certificate is revoked by its authority: issue another one for the host',
  CRL_HAS_EXPIRED: 'the list of revoked certificates is out of date: fetch a new one from the authority',
  CRL_NOT_YET_VALID: 'the list of revoked certificates is not valid yet: compare the clocks of both machines',
  UNABLE_TO_GET_CRL: 'the list of revoked certificates is not of the authority that signed the host’s certificate: give the list of that one',
  CRL_SIGNATURE_FAILURE: 'the list of revoked certificates is not signed by its authority',
  ...Object.fromEntries([
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'UNABLE_TO_GET_ISSUER_CERT',
    'UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'CERT_SIGNATURE_FAILURE', 'CERT_UNTRUSTED', 'INVALID_CA', 'ERR_SSL_CERTIFICATE_VERIFY_FAILED',
  ].map((code) => [code, 'its certificate is signed by an authority that is not the trusted one: give the authority’s certificate, or one of this authority to the host'])),
}

/** What the host's alert says about our certificate (RFC 8446, 6.2). */
const alerts: [RegExp, string][] = [
  [/ALERT_CERTIFICATE_REQUIRED|ALERT_HANDSHAKE_FAILURE/, 'the host asks for a certificate of this side: give one (cert and key) that its authority signed'],
  [/ALERT_CERTIFICATE_EXPIRED/, 'the host says that the certificate of this side has expired: renew it'],
  [/ALERT_CERTIFICATE_REVOKED/, 'the host says that the certificate of this side is revoked: have another one issued'],
  [/ALERT_UNKNOWN_CA/, 'the host does not know the authority that signed the certificate of this side: have it signed by the host’s'],
  [/ALERT_BAD_CERTIFICATE|ALERT_CERTIFICATE_UNKNOWN|ALERT_UNSUPPORTED_CERTIFICATE|ALERT_ACCESS_DENIED/, 'the host refuses the certificate of this side: have one signed by the host’s authority, and look at tls_allowed_dn_list in its libvirtd.conf'],
]

const names = (subject: string | undefined): string => subject?.replaceAll(/(DNS|IP Address):/g, '') ?? ''

/** The sentence for what went wrong between connecting and the confirmation. */
const refusal = (error: Error & { code?: string; cert?: { subjectaltname?: string; subject?: { CN?: string } } }, host: string): Error => {
  const code = error.code ?? ''
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const held = names(error.cert?.subjectaltname) || error.cert?.subject?.CN || 'no name'
    return new AuthenticationFailed(`the host’s certificate is for ${held}, not for ${host}: use a name that it holds, or issue one that holds ${host}`, { cause: error })
  }
  if (Object.hasOwn(distrust, code)) return new AuthenticationFailed(`the host cannot be trusted: ${distrust[code]}`, { cause: error })
  const alert = alerts.find(([pattern]) => pattern.test(code))
  if (alert) return new AuthenticationFailed(alert[1], { cause: error })
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') return new Error('what listens there does not speak TLS: is it the port of plain TCP?', { cause: error })
  if (code === 'ECONNRESET') return new Error('the host broke the connection off in the midst of the handshake: it may not accept the certificate of this side, or what listens there is no libvirt', { cause: error })
  return explained(error)
}

const contextOf = ({ ca, cert, key, crl }: TLSCredentials, verify: boolean): SecureContext => {
  if (verify && ca === undefined) throw new AuthenticationFailed('no authority is trusted to vouch for the host: give its certificate (ca; of files, cacert.pem)')
  if ((cert === undefined) !== (key === undefined)) throw new AuthenticationFailed(`this side has a ${cert === undefined ? 'key without the certificate' : 'certificate without the key'} that belongs to it: give both or neither`)
  try {
    // Without an authority of one's own OpenSSL would fall back to those of the web.
    return createSecureContext({ ca: ca ?? [], cert, key, crl: verify ? crl : undefined })
  } catch (error) {
    throw new AuthenticationFailed(`the certificates or the key are not what TLS can use: ${(error as Error).message}`, { cause: error })
  }
}

/** The one byte that lets us in; what came with it is put back. */
const confirmation = (socket: TLSSocket, signal?: AbortSignal): Promise<void> => new Promise((resolve, reject) => {
  const settle = (): void => {
    signal?.removeEventListener('abort', abort)
    socket.off('error', fail).off('end', end).off('close', end).off('readable', read)
  }
  const fail = (error: Error): void => {
    settle()
    socket.on('error', () => {})
    socket.destroy()
    reject(error)
  }
  const abort = (): void => fail(signal!.reason as Error)
  const end = (): void => fail(new AuthenticationFailed('the host ended the connection after the handshake: it refuses the certificate of this side; have one signed by the host’s authority, and look at tls_allowed_dn_list in its libvirtd.conf'))
  const read = (): void => {
    const byte = socket.read(1) as Buffer | null
    if (byte === null) return
    if (byte[0] !== CONFIRMED) return fail(new Error(`the host confirms the connection with ${byte[0]} instead of ${CONFIRMED}: what listens there is not libvirt`))
    settle()
    resolve()
  }
  signal?.addEventListener('abort', abort, { once: true })
  socket.on('error', fail).on('end', end).on('close', end).on('readable', read)
  read()
})

export const tlsTransport = (address: Address, { credentials, verify }: TLSOptions): Transport => streamTransport(addressText(address), async (signal) => {
  const secureContext = contextOf(await credentials(), verify)
  signal?.throwIfAborted()
  const { host } = address
  // An address is no name: it is checked against the certificate's addresses, and not sent ahead (RFC 6066, 3).
  const socket = connect({ ...address, secureContext, servername: isIP(host) === 0 ? host : '', rejectUnauthorized: verify, minVersion: 'TLSv1.2' })
  socket.setNoDelay()
  try {
    await untilSocket(socket, 'secureConnect', signal)
    await confirmation(socket, signal)
  } catch (error) {
    throw signal?.aborted ? error : refusal(error as Error, host)
  }
  // Writes that wait would be joined into one record otherwise.
  socket._writev = undefined
  return socketStream(socket)
}, { frameByFrame: true })
