// The errors of the driver layer: what the host said, and what nobody can know.

/** virErrorNumber, as far as decisions are taken on it. */
export const ErrorNumber = {
  INTERNAL_ERROR: 1, NO_MEMORY: 2, NO_SUPPORT: 3, NO_CONNECT: 5, INVALID_ARG: 8, OPERATION_FAILED: 9,
  NO_SOURCE: 19, NO_TARGET: 20, NO_NAME: 21, XML_ERROR: 27, OPERATION_DENIED: 29, XML_DETAIL: 35, SYSTEM_ERROR: 38, RPC: 39, AUTH_FAILED: 45, NO_DOMAIN: 42, NO_NETWORK: 43,
  NO_STORAGE_POOL: 49, NO_STORAGE_VOL: 50, OPERATION_INVALID: 55, NO_SECRET: 66, CONFIG_UNSUPPORTED: 67,
  OPERATION_TIMEOUT: 68, NO_DOMAIN_SNAPSHOT: 72, NO_DOMAIN_METADATA: 80, OPERATION_UNSUPPORTED: 84,
  AGENT_UNRESPONSIVE: 86, RESOURCE_BUSY: 87, ACCESS_DENIED: 88, STORAGE_VOL_EXIST: 90, XML_INVALID_SCHEMA: 92, AUTH_UNAVAILABLE: 94, DEVICE_MISSING: 99,
  NO_NODE_DEVICE: 53, NO_INTERFACE: 57, NO_NWFILTER: 62, INVALID_SECRET: 65, ARGUMENT_UNSUPPORTED: 74, SNAPSHOT_REVERT_RISKY: 77, AUTH_CANCELLED: 79,
  NO_NWFILTER_BINDING: 101, NO_DOMAIN_CHECKPOINT: 103, NO_DOMAIN_BACKUP: 104, NO_NETWORK_PORT: 107, OVERFLOW: 82,
} as const

/** `qemuDomainAgentCommand` is `virDomainQemuAgentCommand` to libvirt; how each word is spelt differs too. */
const publicName = (procedure: string): string => `vir${procedure.replace(/^qemuDomain/, 'domainQemu')}`.toLowerCase()

/** The host refused: libvirt's own code, domain, level and message. */
export class LibvirtError extends Error {
  override readonly name: string = 'LibvirtError'
  readonly code: number
  readonly domain: number
  readonly level: number
  readonly procedure: string
  /**
   * The driver has no such function at all. Code 3 alone does not say that (a kind of pool that cannot make volumes answers
   * with it too, and so does the other host of a migration): libvirt then names this very function in the error's second string.
   */
  readonly lacksFunction: boolean
  constructor(fields: { code: number; domain: number; level: number; message: string; procedure: string; str2?: string | null }, options?: ErrorOptions) {
    super(fields.message, options)
    this.code = fields.code
    this.domain = fields.domain
    this.level = fields.level
    this.procedure = fields.procedure
    this.lacksFunction = fields.code === ErrorNumber.NO_SUPPORT && fields.str2?.toLowerCase() === publicName(fields.procedure)
  }
}

/** The driver lacks this call: no argument changes that, and it is not sent again as long as the connection lives. */
export class Unsupported extends LibvirtError {
  override readonly name: string = 'Unsupported'
  /** As libvirt spells it: QEMU, LXC, ESX … */
  readonly driver: string
  constructor(refusal: LibvirtError, driver: string, message = `libvirt's ${driver} driver has no ${refusal.procedure}`) {
    const { code, domain, level, procedure } = refusal
    super({ code, domain, level, procedure, message }, { cause: refusal })
    this.driver = driver
  }
}

/** The deadline passed without an answer. A changing call may still take effect: its object is unknown until read again. */
export class CallTimeout extends Error {
  override readonly name = 'CallTimeout'
  readonly procedure: string
  constructor(procedure: string, ms: number, message = `the host did not answer ${procedure} within ${ms / 1000} s`) {
    super(message)
    this.procedure = procedure
  }
}

/** The connection ended (or never came about). `cause` says why. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost'
}

/** One side does not trust the other: credentials are missing, wrong or out of date, or the host cannot prove who it is. */
export class AuthenticationFailed extends Error {
  override readonly name = 'AuthenticationFailed'
}

const refusals = new Set<number>([ErrorNumber.AUTH_FAILED, ErrorNumber.AUTH_CANCELLED, ErrorNumber.AUTH_UNAVAILABLE, ErrorNumber.ACCESS_DENIED])

/** True where trust is what failed, also where the connection's end only carries it as its cause. */
export const isAuthenticationFailure = (error: unknown): boolean =>
  error instanceof AuthenticationFailed
  || (error instanceof LibvirtError && refusals.has(error.code))
  || (error instanceof ConnectionLost && isAuthenticationFailure(error.cause))

/** "No such object", a code for each kind of object. */
const absence = {
  domain: ErrorNumber.NO_DOMAIN, network: ErrorNumber.NO_NETWORK, pool: ErrorNumber.NO_STORAGE_POOL, volume: ErrorNumber.NO_STORAGE_VOL,
  secret: ErrorNumber.NO_SECRET, snapshot: ErrorNumber.NO_DOMAIN_SNAPSHOT, metadata: ErrorNumber.NO_DOMAIN_METADATA,
  checkpoint: ErrorNumber.NO_DOMAIN_CHECKPOINT, backup: ErrorNumber.NO_DOMAIN_BACKUP, nodeDevice: ErrorNumber.NO_NODE_DEVICE, interface: ErrorNumber.NO_INTERFACE,
  nwfilter: ErrorNumber.NO_NWFILTER, nwfilterBinding: ErrorNumber.NO_NWFILTER_BINDING, networkPort: ErrorNumber.NO_NETWORK_PORT,
} as const
export type ObjectClass = keyof typeof absence

/**
 * True only for libvirt's own "no such object" of that very kind: nothing else means that something is absent. A pool whose
 * refresh fails for want of a secret is there.
 */
export const isAbsent = (error: unknown, kind: ObjectClass): boolean => error instanceof LibvirtError && error.code === absence[kind]

/** True where something that the call needed is absent, whatever it is: the driver does have the call. */
export const isSomethingAbsent = (error: unknown): boolean => Object.keys(absence).some(kind => isAbsent(error, kind as ObjectClass))

/** The driver lacks the function (3), or this daemon or hypervisor does (84), or this use of it: an argument (74), a flag. */
export const isUnsupported = (error: unknown): boolean =>
  error instanceof LibvirtError && (([ErrorNumber.NO_SUPPORT, ErrorNumber.OPERATION_UNSUPPORTED, ErrorNumber.ARGUMENT_UNSUPPORTED] as number[]).includes(error.code)
    // libvirt has no code of its own for a flag that a driver does not know.
    || (error.code === ErrorNumber.INVALID_ARG && /^(invalid argument: )?unsupported flags \(0x/.test(error.message)))

/** Nobody knows whether the call took effect. */
export const isUnknown = (error: unknown): boolean => error instanceof CallTimeout || error instanceof ConnectionLost

/** The connection URI cannot be used, whatever the host says. The message tells why and what would do. */
export class UriError extends Error {
  override readonly name = 'UriError'
  /** `removed`: libvirt itself dropped the driver; `forbidden`: what it asks for is not allowed here. */
  readonly reason: 'malformed' | 'unknown' | 'removed' | 'forbidden'
  constructor(reason: UriError['reason'], message: string) {
    super(message)
    this.reason = reason
  }
}
