// From the Secrets that a Hypervisor names to what its connection is made with.

import type { Hypervisor } from '../crds/hypervisor.ts'
import type { Credentials } from '../drivers/credentials.ts'
import { AuthenticationFailed } from '../drivers/errors.ts'
import type { DataSource } from '../reconcilers/world.ts'

/** Where manifests/install puts the controller, and with it the Secrets of Hypervisors. */
export const CONTROLLER_NAMESPACE = 'vireo-system'

const kinds = ['tls', 'ssh', 'sasl'] as const

/** The Secrets that a Hypervisor names, as `Secret/namespace/name`. */
export const secretsOf = ({ spec: { auth } }: Hypervisor, namespace: string): string[] =>
  kinds.flatMap(kind => (auth?.[kind] === undefined ? [] : [`Secret/${namespace}/${auth[kind].secretRef.name}`]))

/**
 * `loading`: a Secret was not read yet, and whoever asks is woken when it is. AuthenticationFailed: one is missing, or lacks what
 * it is for. No message repeats a value.
 */
export function credentialsOf(object: Hypervisor, namespace: string, data: DataSource): Credentials | undefined | 'loading' | AuthenticationFailed {
  const { auth } = object.spec
  if (auth === undefined) return undefined
  const read = kinds.map(kind => (auth[kind] === undefined ? undefined : data.get('Secret', namespace, auth[kind].secretRef.name)))
  if (read.includes('loading')) return 'loading'
  const [tls, ssh, sasl] = read as (Record<string, string> | undefined)[]
  const called = (kind: typeof kinds[number]): string => `Secret ${namespace}/${auth[kind]!.secretRef.name} (spec.auth.${kind})`
  for (const [kind, values] of [['tls', tls], ['ssh', ssh], ['sasl', sasl]] as const) {
    if (auth[kind] !== undefined && values === undefined) return new AuthenticationFailed(`${called(kind)} does not exist: create it, in the namespace of the controller`)
  }
  /** Of these keys at least one is needed, or all. An empty value is none. */
  const holds = (values: Record<string, string> | undefined, keys: readonly string[], needed: 'one' | 'all'): boolean => {
    const found = keys.filter(key => (values?.[key] ?? '') !== '')
    return needed === 'one' ? found.length > 0 : found.length === keys.length
  }
  if (tls && !holds(tls, ['ca.crt', 'tls.crt'], 'one')) return new AuthenticationFailed(`${called('tls')} holds neither ca.crt nor tls.crt with tls.key: put the certificate of the authority that vouches for the host into ca.crt, and this side's into the others`)
  if (ssh && !holds(ssh, ['ssh-privatekey', 'known_hosts'], 'one')) return new AuthenticationFailed(`${called('ssh')} holds neither ssh-privatekey nor known_hosts`)
  if (sasl && !holds(sasl, ['username', 'password'], 'all')) return new AuthenticationFailed(`${called('sasl')} has to hold both username and password`)
  const given = (values: Record<string, string>, key: string): string | undefined => values[key] || undefined
  return {
    ...(tls && { tls: { ca: given(tls, 'ca.crt'), cert: given(tls, 'tls.crt'), key: given(tls, 'tls.key'), crl: given(tls, 'ca.crl') } }),
    ...(ssh && { ssh: { privateKey: given(ssh, 'ssh-privatekey'), knownHosts: given(ssh, 'known_hosts') } }),
    ...(sasl && { sasl: { username: sasl['username']!, password: sasl['password']!, mechanism: auth.sasl!.mechanism } }),
  }
}
