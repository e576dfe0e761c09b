// What libvirt's drivers cannot do with a domain's configuration although they have the calls: told from the driver's name,
// for no call answers it. Each entry is proven in test/real/hosts.

export interface DriverLimits {
  /** Keeps a domain's metadata: without it there is no mark of whose a domain is, and no record of what was rendered last. */
  keepsMetadata: boolean
  /** When it takes another configuration of a domain that is defined already. */
  redefines: 'Always' | 'WhileOff' | 'Never'
}

const LIMITS: Record<string, DriverLimits> = {
  ESX: { keepsMetadata: false, redefines: 'Never' },
  OpenVZ: { keepsMetadata: false, redefines: 'Never' },
  VMware: { keepsMetadata: false, redefines: 'WhileOff' },
}

/** `driver` is libvirt's name of it. */
export const limitsOf = (driver: string): DriverLimits => LIMITS[driver] ?? { keepsMetadata: true, redefines: 'Always' }
