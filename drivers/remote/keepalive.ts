// Tells a silent daemon from a dead one: a PING each interval, and the end after too many without any sign of life.
//
// libvirt answers a client's PING without negotiation; only the other direction has to be asked for (feature 10),
// and vireo does not ask: a pause of ours must not cost the connection.

import type { Clock, Timer } from '../../clock/clock.ts'

/** Procedures of the keepalive program. */
export const Keepalive = { PING: 1, PONG: 2 } as const

export interface KeepaliveOptions {
  clock: Clock
  /** ms; 0 switches it off. */
  interval: number
  /** Unanswered PINGs that are borne. */
  count: number
  ping: () => void
  broken: (reason: Error) => void
}

export const startKeepalive = ({ clock, interval, count, ping, broken }: KeepaliveOptions) => {
  let unanswered = 0
  let suspended = false
  let timer: Timer | null = null
  const beat = () => {
    if (!suspended) {
      if (unanswered >= count) {
        broken(new Error(`the host gave no sign of life for ${(interval * (count + 1)) / 1000} s (${count} keepalive questions unanswered)`))
        return
      }
      unanswered++
      ping()
    }
    timer = clock.setTimeout(beat, interval)
  }
  if (interval > 0) timer = clock.setTimeout(beat, interval)
  return {
    /** Whatever arrives proves that the host lives. */
    heard: () => { unanswered = 0 },
    /** While we ourselves do not read, silence means nothing. */
    suspend: (on: boolean) => { suspended = on; unanswered = 0 },
    stop: () => timer?.cancel(),
  }
}
