// The five kinds, in the order in which they depend on each other.

import { hypervisor } from './hypervisor.ts'
import type { Kind } from './kind.ts'
import { storagePool } from './storagepool.ts'
import { storageVolume } from './storagevolume.ts'
import { virtualDomain } from './virtualdomain.ts'
import { virtualNetwork } from './virtualnetwork.ts'

export { hypervisor, storagePool, storageVolume, virtualDomain, virtualNetwork }

export const kinds: readonly Kind[] = [hypervisor, storagePool, storageVolume, virtualNetwork, virtualDomain]

/** The kinds that stand for something on a host: all but the Hypervisor. */
export const hostObjectKinds: readonly Kind[] = [storagePool, storageVolume, virtualNetwork, virtualDomain]

export const hypervisors = hypervisor.resource
export const storagePools = storagePool.resource
export const storageVolumes = storageVolume.resource
export const virtualNetworks = virtualNetwork.resource
export const virtualDomains = virtualDomain.resource
