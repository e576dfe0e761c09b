// A duplex byte stream to a libvirt daemon. What carries the bytes (a unix socket, TLS, TCP, a child process)
// knows nothing of frames.

/** What carries the bytes: it decides what may be said over it. */
export type Channel = 'unix' | 'tls' | 'tcp' | 'ssh' | 'ext'

export interface TransportEvents {
  /** Bytes arrived; the receiver may keep views into the chunk. */
  data(chunk: Buffer): void
  /** The stream is over, by whichever side; called once, after which nothing else is. */
  end(reason: Error): void
}

export interface Transport {
  /** Where it leads, for messages: `/run/libvirt/libvirt-sock`. */
  readonly peer: string
  /**
   * No write may hold more than one frame. libvirt's daemon waits for its socket, not for what its TLS library has
   * decrypted already: the second frame of a TLS record lies there until something else arrives.
   */
  readonly frameByFrame?: boolean
  /** Connects. Rejects with the reason; events come only after it has resolved. */
  open(events: TransportEvents, signal?: AbortSignal): Promise<void>
  /** Sends in order. `taken` is called when the system has the bytes and the memory may be used again; never after `end`. */
  write(bytes: Uint8Array, taken?: () => void): void
  /** Stops the arrival of data until `resume`: back-pressure on the peer. */
  pause(): void
  resume(): void
  /** Ends the stream; `end` is called if it has not been. */
  close(): void
}
