// Why content could not be fetched or written, and whether trying again can help.

export type SourceFailure =
  /** Trying again as things are gives the same answer. */
  | 'Permanent'
  /** The content ended early: reported at once, and tried again. */
  | 'Truncated'
  /** A network or server that may be back soon: tried again, reported as a failure only when it stays so. */
  | 'Transient'

export class SourceError extends Error {
  override readonly name = 'SourceError'
  readonly failure: SourceFailure
  readonly reason: 'SourceFailed' | 'Invalid' | 'Conflict'
  constructor(failure: SourceFailure, message: string, options: { cause?: unknown; reason?: SourceError['reason'] } = {}) {
    super(message, { cause: options.cause })
    this.failure = failure
    this.reason = options.reason ?? 'SourceFailed'
  }
}
