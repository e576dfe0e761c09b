// The errors of the driver layer: what the host said, and what nobody can know.

/** virErrorNumber, as far as decisions are taken on it. */
export const ErrorNumber = {
  INTERNAL_ERROR: 1, NO_MEMORY: 2, NO_SUPPORT: 3, NO_CONNECT: 5, INVALID_ARG: 8, OPERATION_FAILED: 9,
  XML_ERROR: 27, XML_DETAIL: 35, SYSTEM_ERROR: 38, RPC: 39, AUTH_FAILED: 45, NO_DOMAIN: 42, NO_NETWORK: 43,
  NO_STORAGE_POOL: 49, NO_STORAGE_VOL: 50, OPERATION_INVALID: 55, NO_SECRET: 66, CONFIG_UNSUPPORTED: 67,
  OPERATION_TIMEOUT: 68, NO_DOMAIN_SNAPSHOT: 72, NO_DOMAIN_METADATA: 80, OPERATION_UNSUPPORTED: 84,
  AUTH_UNAVAILABLE: 79, AGENT_UNRESPONSIVE: 86, RESOURCE_BUSY: 87, ACCESS_DENIED: 88, STORAGE_VOL_EXIST: 90, DEVICE_MISSING: 99,
} as const

/** The host refused: libvirt's own code, domain, level and message. */
export class LibvirtError extends Error {
  override readonly name = 'LibvirtError'
  readonly code: number
  readonly domain: number
  readonly level: number
  readonly procedure: string
  constructor(fields: { code: number; domain: number; level: number; message: string; procedure: string }) {
    super(fields.message)
    this.code = fields.code
    this.domain = fields.domain
    this.level = fields.level
    this.procedure = fields.procedure
  }
}

/** The deadline passed without an answer. A changing call may still take effect: its object is unknown until read again. */
export class CallTimeout extends Error {
  override readonly name = 'CallTimeout'
  readonly procedure: string
  constructor(procedure: string, ms: number) {
    super(`the host did not answer ${procedure} within ${ms / 1000} s`)
    this.procedure = procedure
  }
}

/** The connection ended (or never came about). `cause` says why. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
}

/** "No such object", a code for each kind of object. */
const absence = {
  domain: ErrorNumber.NO_DOMAIN, network: ErrorNumber.NO_NETWORK, pool: ErrorNumber.NO_STORAGE_POOL, volume: ErrorNumber.NO_STORAGE_VOL,
  secret: ErrorNumber.NO_SECRET, snapshot: ErrorNumber.NO_DOMAIN_SNAPSHOT, metadata: ErrorNumber.NO_DOMAIN_METADATA,
} as const
export type ObjectClass = keyof typeof absence

/**
 * True only for libvirt's own "no such object" of that very kind: nothing else means that something is absent. A pool whose
 * refresh fails for want of a secret is there.
 */
export const isAbsent = (error: unknown, kind: ObjectClass): boolean => error instanceof LibvirtError && error.code === absence[kind]

/** True where something that the call needed is absent, whatever it is: the driver does have the call. */
export const isSomethingAbsent = (error: unknown): boolean => Object.keys(absence).some(kind => isAbsent(error, kind as ObjectClass))

/** The driver lacks the function (3), or this daemon or hypervisor does (84). */
export const isUnsupported = (error: unknown): boolean =>
  error instanceof LibvirtError && (error.code === ErrorNumber.NO_SUPPORT || error.code === ErrorNumber.OPERATION_UNSUPPORTED)

/** Nobody knows whether the call took effect. */
export const isUnknown = (error: unknown): boolean => error instanceof CallTimeout || error instanceof ConnectionLost

/** The connection URI cannot be used, whatever the host says. The message tells why and what would do. */
export class UriError extends Error {
  override readonly name = 'UriError'
  /** `removed`: libvirt itself dropped the driver; `unbuilt`: vireo does not have this transport or driver yet. */
  readonly reason: 'malformed' | 'unknown' | 'removed' | 'unbuilt'
  constructor(reason: UriError['reason'], message: string) {
    super(message)
    this.reason = reason
  }
}
