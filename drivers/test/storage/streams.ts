// Streams to and from the content of a volume, with libvirt's rules about lengths.

import type { DownloadStream, UploadStream } from '../../driver.ts'
import { ConnectionLost, ErrorNumber, LibvirtError } from '../../errors.ts'
import { SpaceExhausted } from './content.ts'
import type { Volume } from './volume.ts'

/** libvirt's own packets. */
const CHUNK = 262_120
/** VIR_FROM_STREAMS. */
const FROM_STREAMS = 38

const full = (): LibvirtError => new LibvirtError({ code: ErrorNumber.SYSTEM_ERROR, domain: FROM_STREAMS, level: 2, message: 'cannot write to stream: No space left on device', procedure: 'stream' })

/** What a stream is opened with. */
export interface StreamParts {
  volume: Volume
  offset: number
  /** Bytes; 0 is "to the end". */
  length: number
  /** Called once, when it has ended in whatever way. */
  ended: () => void
  /** Called with what breaks it while it is open; answers what takes that back. */
  track: (breaks: (why: Error) => void) => () => void
}

type State = { is: 'open' } | { is: 'finished' } | { is: 'broken'; why: Error }

/** Bytes that were written stay written, whatever comes later. */
export function uploadTo({ volume, offset, length, ended, track }: StreamParts): UploadStream {
  let state: State = { is: 'open' }
  let written = 0
  const end = (next: State): void => {
    if (state.is !== 'open') return
    state = next
    untrack()
    ended()
  }
  const untrack = track(why => end({ is: 'broken', why }))
  const check = (): void => { if (state.is === 'broken') throw state.why }
  return {
    write: async chunk => {
      check()
      const room = length === 0 ? chunk.length : length - written
      try {
        volume.content.write(offset + written, chunk.subarray(0, room))
      } catch (error) {
        end({ is: 'broken', why: error instanceof SpaceExhausted ? full() : error as Error })
      }
      written += Math.min(room, chunk.length)
      if (chunk.length > room) end({ is: 'broken', why: full() })
      check()
    },
    finish: async () => {
      check()
      end({ is: 'finished' })
    },
    abort: async reason => end({ is: 'broken', why: new ConnectionLost(`the stream was aborted: ${reason}`) }),
  }
}

export function downloadFrom({ volume, offset, length, ended, track }: StreamParts): DownloadStream {
  let broken: Error | undefined
  let open = true
  const end = (why?: Error): void => {
    if (!open) return
    open = false
    broken = why
    untrack()
    ended()
  }
  const untrack = track(end)
  async function* chunks(): AsyncGenerator<Uint8Array> {
    try {
      const last = length === 0 ? Infinity : offset + length
      for (let at = offset; at < last;) {
        if (broken !== undefined) throw broken
        const chunk = volume.content.read(at, Math.min(CHUNK, last - at))
        if (chunk.length === 0) break
        at += chunk.length
        yield chunk
      }
    } finally {
      end()
    }
  }
  const iteration = chunks()
  return {
    [Symbol.asyncIterator]: () => iteration,
    abort: async reason => end(new ConnectionLost(`the stream was aborted: ${reason}`)),
  }
}
