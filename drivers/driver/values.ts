// Shapes that several groups of calls share.

/** libvirt's typed parameters as they come: one flat record; 64-bit values stay bigint, so that none is rounded. */
export type TypedParams = Record<string, number | bigint | boolean | string>
/**
 * Typed parameters as they are sent. Each known field gets the type that libvirt wants for it, so that a plain number
 * serves for all of them; a list is a field that comes several times (`migrate_disks`). An unknown field's type follows
 * its value: a bigint is 64 bits wide, another integer 32, signed where negative.
 */
export type TypedParamsInput = Record<string, number | bigint | boolean | string | readonly string[]>

/** CPUs of the host (or of a guest, where it says so) by number, ascending, each once. */
export type CpuSet = number[]

/** virDomainModificationImpact, with the flags of vCPUs and memory beside it. */
export const Affect = { CURRENT: 0, LIVE: 1, CONFIG: 2, MAXIMUM: 4, VCPU_GUEST: 8, VCPU_HOTPLUGGABLE: 16 } as const
/** virDomainDefineFlags and its like for every other object: the document is held against libvirt's schema first. */
export const DefineFlags = { VALIDATE: 1 } as const
