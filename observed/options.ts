// What the connection to one hypervisor is made with, and how it is kept.

import type { Clock } from '../clock/clock.ts'
import type { Credentials } from '../drivers/credentials.ts'
import type { Connection, OpenOptions } from '../drivers/driver.ts'
import type { AuthenticationFailed } from '../drivers/errors.ts'

export interface HostOptions {
  uri: string
  open: (uri: string, options: OpenOptions) => Promise<Connection>
  clock: Clock
  /** The host UUID that was learnt before; another one is HostChanged. */
  expectedUUID?: string
  /** Connections for streams beside the one of all calls. */
  maxConnections: number
  callTimeout: number
  keepAliveInterval: number
  keepAliveCount: number
  /** Or why there are none, which is what each attempt then fails with. */
  credentials?: Credentials | AuthenticationFailed
  plaintext?: OpenOptions['plaintext']
  readOnly?: boolean
  /** How often drivers without events are listed, ms. */
  pollInterval: number
  /** How often everything is listed again for what has no event, ms. */
  relistInterval: number
  onCall?: OpenOptions['onCall']
  log?: (message: string, fields: Record<string, unknown>) => void
}
