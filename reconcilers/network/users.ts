// Who uses a network: running and defined domains of its host, foreign ones too, and VirtualDomain objects that refer to it.

import type { VirtualNetwork } from '../../crds/virtualnetwork.ts'
import { type ObservedDomain, isActive } from '../../observed/objects.ts'
import { type BoundHost, referencesOf } from '../references.ts'
import type { World } from '../world.ts'

/** Domains that would lose their interface if the network were recreated now. */
export const runningOn = (bound: BoundHost, network: string): ObservedDomain[] => bound.host.mirror.domainsOnNetwork(network).filter(isActive)

/** Interfaces of running domains that are plugged into the network. */
export const connectionsOf = (bound: BoundHost, network: string): number =>
  runningOn(bound, network).reduce((sum, domain) => sum + new Set(domain.interfaces.filter(nic => nic.network === network).map(nic => nic.mac)).size, 0)

/** Everybody who keeps the network from being removed: of its own namespace by name, others as a count. */
export function usersOf(world: World, object: VirtualNetwork, bound: BoundHost, network: string): string[] {
  const { namespace, name } = object.metadata
  const named = new Set<string>()
  let others = 0
  const counted = new Set<string>()
  const ours = world.mirrors.VirtualDomain.list()
  const bindings = new Map(ours.filter(domain => domain.status?.binding?.hypervisor === bound.name).map(domain => [domain.status!.binding!.uuid, domain]))
  const count = (domain: (typeof ours)[number]): void => {
    if (domain.metadata.namespace === namespace) named.add(`VirtualDomain ${domain.metadata.name}`)
    else counted.add(domain.metadata.uid)
  }
  for (const domain of ours) {
    if (referencesOf(domain).some(({ kind, ref }) => kind === 'VirtualNetwork' && ref.name === name && (ref.namespace ?? domain.metadata.namespace) === namespace)) count(domain)
  }
  for (const domain of bound.host.mirror.domainsOnNetwork(network)) {
    const object = bindings.get(domain.ref.uuid)
    if (object === undefined) others++
    else count(object)
  }
  others += counted.size
  return [...[...named].toSorted(), ...(others > 0 ? [`${others} ${others === 1 ? 'domain' : 'domains'} of others`] : [])]
}
