// What `vireo standalone` is told on its command line, and by which name the operator in it is known to the API.

import type { LogLevel } from '../controller/log.ts'

export interface StandaloneFlags {
  data: string
  listen: string
  /** Without it, addresses beyond loopback are refused. */
  public?: boolean
  name?: string[]
  installation?: string
  /** Hosts whose contents become objects that look at them. */
  import?: string[]
  healthAddress?: string
  /** False: the API alone. */
  operator: boolean
  allowLocalUris: boolean
  relistInterval: string
  sourceAddresses?: string[]
  logLevel: LogLevel
}

export const OPERATOR = 'vireo'
