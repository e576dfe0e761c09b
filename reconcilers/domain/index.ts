// The VirtualDomain kind: what the shared loop needs, and what the process remembers of each domain.

import { virtualDomain, type VirtualDomain } from '../../crds/virtualdomain.ts'
import { DomainState } from '../../drivers/driver.ts'
import { isActive } from '../../observed/objects.ts'
import { idOf } from '../../observed/mirror.ts'
import { type Kind } from '../kind.ts'
import { keyOf } from '../world.ts'
import { describeDomain } from './describe.ts'
import { appliedOf, nextDocument } from './document.ts'
import { gatherDomain } from './gather.ts'
import { performDomain } from './perform.ts'
import { type DomainAction, type DomainInputs, type DomainMemory, planDomain } from './plan.ts'
import { reasonName } from './power.ts'
import { devicesOf } from './render.ts'
import { labelOf } from './rules.ts'

const fresh = (): DomainMemory => ({ ends: 0, accepted: new Map(), detaching: new Set(), refusedLive: new Map() })

export interface DomainKindOptions {
  /** True while the CRD is being deleted: everything stays on the hosts. */
  retainAll?: () => boolean
}

export function domainKind({ retainAll = () => false }: DomainKindOptions = {}): Kind<VirtualDomain, DomainInputs, DomainAction> & { detachFailed(uuid: string, alias: string): void } {
  const memories = new Map<string, DomainMemory>()
  const keys = new Map<string, string>()
  const verifiedSeeds = new Set<string>()
  /** Domains that were just defined: what then still differs is the host's spelling. */
  const defined = new Set<string>()

  const memoryOf = (uuid: string): DomainMemory => {
    const known = memories.get(uuid)
    if (known !== undefined) return known
    const memory = fresh()
    memories.set(uuid, memory)
    return memory
  }

  return {
    resource: virtualDomain.resource,
    mirror: world => world.mirrors.VirtualDomain,

    gather(world, object) {
      const inputs = gatherDomain(world, object, { memory: memoryOf, verifiedSeeds, retainAll: retainAll() })
      keys.set(keyOf(object), inputs.binding.uuid!)
      notice(inputs)
      if (defined.delete(inputs.binding.uuid!)) learn(inputs)
      return inputs
    },

    plan: planDomain,
    observedId: ({ binding }) => idOf.domain(binding.uuid!),

    async perform(action, inputs) {
      await performDomain(action, inputs, verifiedSeeds)
      if (action.type === 'Defined') defined.add(inputs.binding.uuid!)
    },

    describe: describeDomain,

    forget(key) {
      const uuid = keys.get(key)
      keys.delete(key)
      if (uuid !== undefined) memories.delete(uuid)
    },

    detachFailed(uuid, alias) {
      memories.get(uuid)?.detaching.delete(alias)
    },
  }
}

/** Keeps the memory in step with what is observed: a new run of the guest, an end of its own, a device that went. */
function notice({ observed, memory, found, now }: DomainInputs): void {
  if (observed === undefined) return
  const id = isActive(observed) ? observed.ref.id : undefined
  if (id !== memory.id) {
    memory.id = id
    memory.detaching.clear()
    memory.refusedLive.clear()
    memory.askedMemory = undefined
  }
  if (isActive(observed)) {
    memory.ended = undefined
    if (memory.detaching.size > 0 && found?.live !== undefined) {
      const present = new Set(['disk', 'interface'].flatMap(kind => devicesOf(found.live, kind).map(labelOf)))
      for (const alias of memory.detaching) if (!present.has(alias)) memory.detaching.delete(alias)
    }
    return
  }
  const reason = reasonName(observed.state, observed.reason)
  if (memory.ended === undefined && memory.stopping === undefined && (reason === 'Shutdown' || reason === 'Crashed' || observed.state === DomainState.Crashed)) {
    if (memory.started !== undefined && now - memory.started >= 600_000) memory.ends = 0
    memory.ended = now
    memory.ends++
  }
}

/** What still differs right after a define is how the host spells it: no drift, now or later. */
function learn({ rendered, owner, found, memory }: DomainInputs): void {
  if (rendered === undefined || found === undefined || appliedOf(found.inactive) === undefined) return
  const { changes } = nextDocument({ ...rendered, owner, found: found.inactive, accepted: memory.accepted, correct: true })
  for (const change of changes) if (change.found !== undefined && change.kind === 'set' && !/passwd/.test(change.path)) memory.accepted.set(change.path, change.found)
}
