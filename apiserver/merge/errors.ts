// A patch that cannot be applied.

const reasons = { 400: 'BadRequest', 413: 'RequestEntityTooLarge', 422: 'Invalid', 500: undefined } as const

/** `code`, `reason` and message are of the Status that answers it; a 500 has no reason. */
export class PatchError extends Error {
  readonly code: keyof typeof reasons
  readonly reason: (typeof reasons)[keyof typeof reasons]

  constructor(code: keyof typeof reasons, message: string, cause?: unknown) {
    super(message, { cause })
    this.code = code
    this.reason = reasons[code]
  }
}

/** A patch that does not fit the object. kube-apiserver does not say why; the cause does. */
export const doesNotApply = (cause: unknown): PatchError => new PatchError(422, 'the server rejected our request due to an error in our request', cause)
