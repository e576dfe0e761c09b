// Refusals: each is a metav1.Status in the words of kube-apiserver, thrown where it is noticed and sent by the HTTP side.

import type { FieldError } from '../schema/types.ts'
export interface Cause { reason?: string; message?: string; field?: string }

export interface Details { name?: string; group?: string; kind?: string; uid?: string; causes?: readonly Cause[]; retryAfterSeconds?: number }

export interface Status {
  kind: 'Status'
  apiVersion: 'v1'
  metadata: { continue?: string; remainingItemCount?: number }
  status: 'Failure' | 'Success'
  message?: string
  reason?: string
  details?: Details
  code?: number
}

/** The names that a refusal has to give. */
export interface Named { group: string; plural: string; kind: string }

export class ApiFailure extends Error {
  override readonly name = 'ApiFailure'
  readonly status: Status
  constructor(code: number, reason: string, message: string, details?: Details, metadata: Status['metadata'] = {}) {
    super(message)
    this.status = { kind: 'Status', apiVersion: 'v1', metadata, status: 'Failure', message, ...reason === '' ? {} : { reason }, ...details === undefined ? {} : { details }, code }
  }
}

/** No such path: answered as text, as by kube-apiserver, where everything else is a Status. */
export class PageNotFound extends Error {
  override readonly name = 'PageNotFound'
}

/** `plural.group`, or `plural` in the core group. */
export const qualified = ({ group, plural }: { group: string; plural: string }): string => group === '' ? plural : `${plural}.${group}`

const details = ({ group, plural }: Named, name: string, more: Details = {}): Details =>
  ({ ...name === '' ? {} : { name }, ...group === '' ? {} : { group }, kind: plural, ...more })

export const notFound = (kind: Named, name: string): ApiFailure =>
  new ApiFailure(404, 'NotFound', `${qualified(kind)} "${name}" not found`, details(kind, name))

export const alreadyExists = (kind: Named, name: string): ApiFailure =>
  new ApiFailure(409, 'AlreadyExists', `${qualified(kind)} "${name}" already exists`, details(kind, name))

export const conflict = (kind: Named, name: string, why: string): ApiFailure =>
  new ApiFailure(409, 'Conflict', `Operation cannot be fulfilled on ${qualified(kind)} "${name}": ${why}`, details(kind, name))

export const MODIFIED = 'the object has been modified; please apply your changes to the latest version and try again'

export const badRequest = (message: string): ApiFailure => new ApiFailure(400, 'BadRequest', message)

/** Options of a request that are wrong: `kind` is CreateOptions, ListOptions … */
export function invalidOptions(kind: string, causes: readonly FieldError[]): ApiFailure {
  const said = causes.map(({ field, message }) => `${field}: ${message}`)
  return new ApiFailure(422, 'Invalid', `${kind}.meta.k8s.io "" is invalid: ${said.length === 1 ? said[0] : `[${said.join(', ')}]`}`, { group: 'meta.k8s.io', kind, causes })
}

/** `message` is what invalidMessage makes of the errors. */
export const invalid = ({ group, kind }: Pick<Named, 'group' | 'kind'>, name: string, errors: readonly FieldError[], message: string): ApiFailure =>
  new ApiFailure(422, 'Invalid', message, { ...name === '' ? {} : { name }, ...group === '' ? {} : { group }, kind, causes: errors })

export const forbidden = (kind: Named | undefined, name: string, message: string, causes?: readonly Cause[]): ApiFailure =>
  new ApiFailure(403, 'Forbidden', message, kind === undefined ? {} : details(kind, name, causes === undefined ? {} : { causes }))

export const unauthorized = (): ApiFailure => new ApiFailure(401, 'Unauthorized', 'Unauthorized')

export const methodNotAllowed = (): ApiFailure => new ApiFailure(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {})

export const notAcceptable = (accepted: readonly string[]): ApiFailure =>
  new ApiFailure(406, 'NotAcceptable', `only the following media types are accepted: ${accepted.join(', ')}`)

export const unsupportedMediaType = (accepted: readonly string[]): ApiFailure =>
  new ApiFailure(415, 'UnsupportedMediaType', `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`)

export const entityTooLarge = (message: string): ApiFailure => new ApiFailure(413, 'RequestEntityTooLarge', message)

export const expired = (message: string, continueToken?: string): ApiFailure =>
  new ApiFailure(410, 'Expired', message, undefined, continueToken === undefined ? {} : { continue: continueToken })

export const internal = (message: string): ApiFailure =>
  new ApiFailure(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] })

/** What a successful delete answers. */
export const success = ({ group, plural }: Named, name: string, uid: string): Status =>
  ({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details: { name, ...group === '' ? {} : { group }, kind: plural, uid } })
