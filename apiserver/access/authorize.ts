// What a user may do: admins everything, viewers read all but Secrets, each everywhere or in the namespaces named.

import { type ApiFailure, forbidden } from '../registry/failure.ts'
import { type Accounts, MASTERS, type User } from './users.ts'

/** What a request does to a resource. `namespace` is '' for the cluster scope and for all namespaces. */
export interface Attempt { verb: string; group: string; plural: string; subresource: string; namespace: string; name: string }

const READING = new Set(['get', 'list', 'watch'])
/** Every user may ask about itself. */
const ABOUT_ONESELF = new Set(['selfsubjectaccessreviews', 'selfsubjectreviews', 'selfsubjectrulesreviews'])

export function isAllowed(accounts: Accounts, user: User, attempt: Attempt): boolean {
  if (user.groups.includes(MASTERS)) return true
  if (attempt.verb === 'create' && ABOUT_ONESELF.has(attempt.plural)) return true
  const account = accounts.byName(user.name)
  if (account === undefined) return false
  if (account.namespaces !== undefined && !reaches(account.namespaces, attempt)) return false
  return account.role === 'admin' || (READING.has(attempt.verb) && !(attempt.group === '' && attempt.plural === 'secrets'))
}

/** A user of some namespaces may look at the namespace objects themselves. */
function reaches(namespaces: readonly string[], { verb, group, plural, namespace, name }: Attempt): boolean {
  if (group === '' && plural === 'namespaces') return verb === 'get' && namespaces.includes(name)
  return namespace !== '' && namespaces.includes(namespace)
}

/** Reading documents (discovery, OpenAPI, version, health) is for every user; other paths are for masters. */
export const isPathAllowed = (user: User, verb: string, path: string): boolean =>
  user.groups.includes(MASTERS) || (verb === 'get' && /^\/(?:api|apis|openapi|version|healthz|livez|readyz)(?:\/|$)/.test(path))

/** In RBAC's words. */
export function refusal(user: User, { verb, group, plural, subresource, namespace, name }: Attempt): ApiFailure {
  const resource = subresource === '' ? plural : `${plural}/${subresource}`
  const qualified = group === '' ? plural : `${plural}.${group}`
  const where = namespace === '' ? 'at the cluster scope' : `in the namespace "${namespace}"`
  const subject = name === '' ? qualified : `${qualified} "${name}"`
  return forbidden({ group, plural, kind: plural }, name, `${subject} is forbidden: User "${user.name}" cannot ${verb} resource "${resource}" in API group "${group}" ${where}`)
}

export const pathRefusal = (user: User, verb: string, path: string): ApiFailure => forbidden(undefined, '', `forbidden: User "${user.name}" cannot ${verb} path "${path}"`)

export const impersonationRefusal = (user: User, name: string): ApiFailure =>
  forbidden({ group: '', plural: 'users', kind: 'users' }, name, `users "${name}" is forbidden: User "${user.name}" cannot impersonate resource "users" in API group "" at the cluster scope: this server knows no impersonation`)
