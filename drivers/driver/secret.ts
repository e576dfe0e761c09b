// libvirt's own store of secrets, which disks and pools refer to.

/** `usageType` 0 none, 1 volume, 2 ceph, 3 iscsi, 4 tls, 5 vtpm. */
export interface SecretRef { uuid: string; usageType: number; usageID: string }

/** virSecretUsageType. */
export const SecretUsageType = { NONE: 0, VOLUME: 1, CEPH: 2, ISCSI: 3, TLS: 4, VTPM: 5 } as const
/** virConnectListAllSecretsFlags. */
export const ListSecretsFlags = { EPHEMERAL: 1, NO_EPHEMERAL: 2, PRIVATE: 4, NO_PRIVATE: 8 } as const

/** Absence is NO_SECRET; so is a value that was never set. */
export interface SecretCalls {
  /** Flags of `ListSecretsFlags`; default all. */
  connectListAllSecrets(flags?: number): Promise<SecretRef[]>
  secretLookupByUUID(uuid: string): Promise<SecretRef>
  secretLookupByUsage(usageType: number, usageID: string): Promise<SecretRef>
  /** Describes the secret, never its value. */
  secretGetXMLDesc(secret: SecretRef): Promise<string>
  /** Redefining the same UUID and usage keeps the value. */
  secretDefineXML(xml: string, flags: number): Promise<SecretRef>
  /** At most 64 KiB. */
  secretSetValue(secret: SecretRef, value: Uint8Array): Promise<void>
  /** INVALID_SECRET for a private one. */
  secretGetValue(secret: SecretRef): Promise<Uint8Array>
  secretUndefine(secret: SecretRef): Promise<void>
}
