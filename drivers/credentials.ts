// What a connection proves itself with and what it trusts. Held in memory only; no message repeats any of it.

/** PEM texts. Without `ca` nothing is trusted, without `cert` and `key` this side stays anonymous. */
export interface TLSCredentials {
  /** Certificates of the authorities that may vouch for the host. */
  ca?: string
  /** This side's certificate, with those between it and the authority. */
  cert?: string
  key?: string
  /** What the authorities have revoked; with it, a host is only trusted while the list is in date. */
  crl?: string
}

export interface SSHCredentials {
  /** A private key as OpenSSH reads it, without a passphrase. */
  privateKey?: string
  /** Lines of a known_hosts file: with them no other host key is accepted. */
  knownHosts?: string
}

/** What vireo speaks, the strongest first. */
export const saslMechanisms = ['SCRAM-SHA-512', 'SCRAM-SHA-256', 'SCRAM-SHA-1', 'PLAIN'] as const
export type SASLMechanism = (typeof saslMechanisms)[number]

export interface SASLCredentials {
  username: string
  password: string
  /** Only this one; else the strongest that both sides know. */
  mechanism?: SASLMechanism
}

export interface Credentials { tls?: TLSCredentials; ssh?: SSHCredentials; sasl?: SASLCredentials }
