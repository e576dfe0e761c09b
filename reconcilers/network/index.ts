// The VirtualNetwork kind: joins gather, plan, perform and describe for the shared loop.

import { type VirtualNetwork, virtualNetwork } from '../../crds/virtualnetwork.ts'
import { idOf } from '../../observed/mirror.ts'
import type { Kind } from '../kind.ts'
import { describeNetwork } from './describe.ts'
import { gatherNetwork } from './gather.ts'
import type { NetworkAction, NetworkInputs } from './inputs.ts'
import { performNetwork } from './perform.ts'
import { planNetwork } from './plan.ts'

export interface NetworkKindOptions {
  /** True while the CRD is being deleted: everything stays on the hosts. */
  retainAll?: () => boolean
}

export const networkKind = ({ retainAll = () => false }: NetworkKindOptions = {}): Kind<VirtualNetwork, NetworkInputs, NetworkAction> => ({
  resource: virtualNetwork.resource,
  mirror: world => world.mirrors.VirtualNetwork,
  gather: (world, object) => gatherNetwork(world, object, retainAll()),
  plan: planNetwork,
  observedId: ({ binding }) => idOf.network(binding.uuid),
  perform: performNetwork,
  describe: describeNetwork,
})
