// The errors of the API server's side: what it answered, and what became of a connection to it.

export interface StatusDetails {
  name?: string
  group?: string
  kind?: string
  uid?: string
  causes?: { reason?: string; message?: string; field?: string }[]
  retryAfterSeconds?: number
}

/** metav1.Status, as an answer to a request or as the object of an ERROR watch event. */
export interface Status {
  kind?: 'Status'
  code?: number
  reason?: string
  message?: string
  metadata?: { continue?: string }
  details?: StatusDetails
}

/** The API server refused: HTTP status, and the reason, message and details of its metav1.Status. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  /** metav1.StatusReason ('NotFound', 'Conflict', 'Expired', …), '' when the answer held none. */
  readonly reason: string
  readonly details: StatusDetails
  /** Seconds the server asked us to wait, from the header or from the Status. */
  readonly retryAfter: number | undefined
  constructor(fields: { status: number; reason?: string; message: string; details?: StatusDetails; retryAfter?: number }) {
    super(fields.message)
    this.status = fields.status
    this.reason = fields.reason ?? ''
    this.details = fields.details ?? {}
    this.retryAfter = fields.retryAfter ?? fields.details?.retryAfterSeconds
  }
}

/** Reads an answer that is not 2xx. `body` may be anything a proxy on the way made up. */
export function apiErrorFrom(status: number, body: string, retryAfterHeader?: string): ApiError {
  const seconds = retryAfterHeader === undefined ? NaN : Number(retryAfterHeader)
  const retryAfter = Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined
  const parsed = parseStatus(body)
  return new ApiError({
    status,
    reason: parsed?.reason,
    message: parsed?.message ?? `the API server answered ${status}: ${body.trim().slice(0, 200)}`,
    details: parsed?.details,
    retryAfter,
  })
}

export const apiErrorOf = (status: Status): ApiError =>
  new ApiError({ status: status.code ?? 0, reason: status.reason, message: status.message ?? status.reason ?? 'the API server sent an error without a message', details: status.details })

function parseStatus(body: string): Status | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Status' ? value as Status : undefined
  } catch {
    return undefined
  }
}

/** No answer within the deadline. A write may still have taken effect. */
export class RequestTimeout extends Error {
  override readonly name = 'RequestTimeout'
}

/** The connection failed before an answer was complete. A write may still have taken effect; `cause` says why. */
export class ApiUnreachable extends Error {
  override readonly name = 'ApiUnreachable'
}

/** A watch ended otherwise than at the end of a line: cut off, silent for too long, or not JSON. */
export class WatchBroken extends Error {
  override readonly name = 'WatchBroken'
}

const hasStatus = (error: unknown, status: number): boolean => error instanceof ApiError && error.status === status

/** 404: over a good connection, the object (or its resource) is not there. */
export const isNotFound = (error: unknown): boolean => hasStatus(error, 404)
/** 409 of a resourceVersion or UID that is no longer the current one. */
export const isConflict = (error: unknown): boolean => hasStatus(error, 409) && (error as ApiError).reason !== 'AlreadyExists'
export const isAlreadyExists = (error: unknown): boolean => hasStatus(error, 409) && (error as ApiError).reason === 'AlreadyExists'
/** 410 as status, or its two reasons: the resourceVersion or continue token is too old. */
export const isExpired = (error: unknown): boolean =>
  error instanceof ApiError && (error.status === 410 || error.reason === 'Expired' || error.reason === 'Gone')
/** 403 because the namespace is being deleted, and nothing can be created in it any more. */
export const isNamespaceTerminating = (error: unknown): boolean =>
  hasStatus(error, 403) && ((error as ApiError).details.causes?.some((cause) => cause.reason === 'NamespaceTerminating') ?? false)
/** The same request may succeed later: nobody answered, or the server is overloaded or broken. */
export const isTransient = (error: unknown): boolean =>
  error instanceof RequestTimeout || error instanceof ApiUnreachable || error instanceof WatchBroken ||
  (error instanceof ApiError && (error.status === 429 || error.status >= 500))
