// What reconcilers look at: the desired mirrors, the hosts with their observed mirrors, and how a key names an object.

import type { Clock } from '../clock/clock.ts'
import type { Mirror } from '../controller/mirror.ts'
import type { KubeObject } from '../controller/resource.ts'
import type { Hypervisor } from '../crds/hypervisor.ts'
import type { StoragePool } from '../crds/storagepool.ts'
import type { StorageVolume } from '../crds/storagevolume.ts'
import type { VirtualDomain } from '../crds/virtualdomain.ts'
import type { VirtualNetwork } from '../crds/virtualnetwork.ts'
import type { GuestFacts } from '../observed/told.ts'
import type { Host } from '../observed/host.ts'

export interface Mirrors {
  Hypervisor: Mirror<Hypervisor>
  StoragePool: Mirror<StoragePool>
  StorageVolume: Mirror<StorageVolume>
  VirtualNetwork: Mirror<VirtualNetwork>
  VirtualDomain: Mirror<VirtualDomain>
}
export type KindName = keyof Mirrors
/** The four kinds whose objects live on a host. */
export type HostObject = StoragePool | StorageVolume | VirtualNetwork | VirtualDomain
export type HostObjectKind = Exclude<KindName, 'Hypervisor'>

/** Secrets and ConfigMaps that specs name: watched one by one while something refers to them. */
export interface DataSource {
  /** Decoded values by key; undefined: there is no such object; 'loading': not known yet, the asker is woken when it is. */
  get(kind: 'Secret' | 'ConfigMap', namespace: string, name: string): Record<string, string> | undefined | 'loading'
}

export interface World {
  /** The UUID that computed identities derive from. */
  readonly installation: string
  /** The UID of this cluster. */
  readonly cluster: string
  readonly clock: Clock
  readonly mirrors: Mirrors
  readonly namespaces: Mirror<KubeObject>
  readonly data: DataSource
  /** The connection to a Hypervisor, by its object's name; undefined before its first reconcile. */
  host(hypervisor: string): Host | undefined
  /** Addresses that the DHCP server of a Hypervisor's network (libvirt's name) leased to a MAC address. */
  leases(hypervisor: string, mac: string, network: string): { ipaddr: string; prefix: number }[]
  /** What a running guest's agent and the host's ARP table told of it. */
  guest(hypervisor: string, uuid: string): GuestFacts | undefined
  hosts(): Iterable<[string, Host]>
}

export const keyOf = (object: { kind: string; metadata: { namespace?: string; name: string } }): string =>
  `${object.kind}/${object.metadata.namespace ?? ''}/${object.metadata.name}`

export function splitKey(key: string): { kind: KindName; namespace: string | undefined; name: string } {
  const [kind, namespace, name] = key.split('/') as [KindName, string, string]
  return { kind, namespace: namespace === '' ? undefined : namespace, name }
}

/** `VirtualNetwork default/lab`, or `VirtualNetwork lab` for a reader in the same namespace. */
export const call = (kind: string, namespace: string | undefined, name: string, from?: string): string =>
  namespace === undefined || namespace === from ? `${kind} ${name}` : `${kind} ${namespace}/${name}`
