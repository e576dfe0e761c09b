// What the in-memory host refuses: libvirt's code and domain with a sentence; the connection adds the call's name and makes a LibvirtError of it.

import { ErrorNumber as E } from '../errors.ts'

/** virErrorDomain, as far as this driver names it. */
export const From = { NONE: 0, XML: 5, RPC: 7, TEST: 12, STORAGE: 18, NETWORK: 19, DOMAIN: 20, STREAMS: 38 } as const

export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: number
  readonly domain: number
  constructor(code: number, domain: number, message: string) {
    super(message)
    this.code = code
    this.domain = domain
  }
}

export const invalid = (message: string, domain: number = From.TEST): Refusal => new Refusal(E.OPERATION_INVALID, domain, `Requested operation is not valid: ${message}`)
export const failed = (message: string, domain: number = From.TEST): Refusal => new Refusal(E.OPERATION_FAILED, domain, `operation failed: ${message}`)
export const badArgument = (message: string, domain: number = From.TEST): Refusal => new Refusal(E.INVALID_ARG, domain, `invalid argument: ${message}`)
export const badXml = (message: string, domain: number = From.DOMAIN): Refusal => new Refusal(E.XML_ERROR, domain, `XML error: ${message}`)
export const unsupportedConfig = (message: string, domain: number = From.DOMAIN): Refusal => new Refusal(E.CONFIG_UNSUPPORTED, domain, `unsupported configuration: ${message}`)
export const unsupportedOperation = (message: string, domain: number = From.TEST): Refusal => new Refusal(E.OPERATION_UNSUPPORTED, domain, `Operation not supported: ${message}`)
export const internal = (message: string, domain: number = From.TEST): Refusal => new Refusal(E.INTERNAL_ERROR, domain, `internal error: ${message}`)

/** The driver has no such function. */
export const noSupport = (operation: string): Refusal => new Refusal(E.NO_SUPPORT, From.NONE, `this function is not supported by the connection driver: ${operation}`)

/** Refuses the bits of `flags` outside of `known`. */
export function checkFlags(flags: number, known: number, operation: string): void {
  const unknown = flags & ~known
  if (unknown !== 0) throw badArgument(`unsupported flags (0x${(unknown >>> 0).toString(16)}) in function ${operation}`)
}
