// libvirt's streams as the rest of vireo sees them: bytes to the host, from it, or both ways.

/** Bytes to the host. `write` resolves when the transport has taken the bytes: awaiting it is the back-pressure. */
export interface UploadStream {
  write(chunk: Uint8Array): Promise<void>
  /** Says "that was all" and waits for the host's confirmation. Without it nothing counts as uploaded. */
  finish(): Promise<void>
  /** Tells the host to drop it. Never rejects. */
  abort(reason: string): Promise<void>
}
/** Bytes from the host; the iteration ends after the host confirmed the end. */
export interface DownloadStream extends AsyncIterable<Uint8Array> {
  abort(reason: string): Promise<void>
}
/**
 * A console or channel: bytes both ways. The iteration ends when the guest's side closes it or `finish` was called; it
 * rejects when the host ends it otherwise. Leaving the iteration closes the stream. What the guest says while nobody
 * reads waits on the host beyond a bounded amount.
 */
export interface DuplexStream extends AsyncIterable<Uint8Array> {
  write(chunk: Uint8Array): Promise<void>
  /** Closes it in good order. What was written before has reached the host then. */
  finish(): Promise<void>
  /** Never rejects. */
  abort(reason: string): Promise<void>
}
