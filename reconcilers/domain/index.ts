// The VirtualDomain kind: what the shared loop needs, and what the process remembers of each domain.

import { virtualDomain, type VirtualDomain } from '../../crds/virtualdomain.ts'
import { DomainState } from '../../drivers/driver.ts'
import { isActive } from '../../observed/objects.ts'
import { type XmlElement, childOf, parseXml, textOf } from '../../xml/tree.ts'
import { idOf } from '../../observed/mirror.ts'
import type { Kind } from '../kind.ts'
import { keyOf } from '../world.ts'
import { describeDomain } from './describe.ts'
import { appliedOf, learnSpelling } from './document.ts'
import { gatherDomain } from './gather.ts'
import { HOT_DEVICES } from './live.ts'
import { performDomain } from './perform.ts'
import { type DomainAction, type DomainInputs, type DomainMemory, planDomain, wasStopped } from './plan.ts'
import { RESTARTING, isHealthyRun, reasonName } from './power.ts'
import { devicesOf } from './render.ts'
import { labelOf } from './rules.ts'

const fresh = (): DomainMemory => ({ ends: 0, spelling: new Map(), detaching: new Map(), refusedLive: new Map(), handled: {}, adopted: [] })

export interface DomainKindOptions {
  /** True while the CRD is being deleted: everything stays on the hosts. */
  retainAll?: () => boolean
  /** News of an object, by its key. */
  wake?: (key: string) => void
}

export function domainKind({ retainAll = () => false, wake = () => undefined }: DomainKindOptions = {}): Kind<VirtualDomain, DomainInputs, DomainAction> & { detachFailed(uuid: string, alias: string): void } {
  const memories = new Map<string, DomainMemory>()
  const keys = new Map<string, string>()
  const verifiedSeeds = new Set<string>()
  /** The documents of domains that were just defined: what then differs is the host's spelling. */
  const defined = new Map<string, string>()

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
      keys.set(keyOf(object), inputs.binding.uuid)
      notice(inputs)
      const sent = defined.get(inputs.binding.uuid)
      if (sent !== undefined) learn(inputs, parseXml(sent))
      defined.delete(inputs.binding.uuid)
      return inputs
    },

    plan: planDomain,
    observedId: ({ binding }) => idOf.domain(binding.uuid),

    async perform(action, inputs) {
      await performDomain(action, inputs, { verifiedSeeds, wake })
      if (action.type === 'Defined') defined.set(inputs.binding.uuid, action.xml)
    },

    describe: describeDomain,

    forget(key) {
      const uuid = keys.get(key)
      keys.delete(key)
      if (uuid !== undefined) memories.delete(uuid)
    },

    detachFailed(uuid, alias) {
      const asked = memories.get(uuid)?.detaching.get(alias)
      if (asked !== undefined) asked.refused = true
    },
  }
}

/** Keeps the memory in step with what is observed: a new run of the guest, an end of its own, a device that went. */
function notice({ observed, memory, found, now, object, terminating, rendered }: DomainInputs): void {
  if (observed === undefined) return
  const id = isActive(observed) ? observed.ref.id : undefined
  if (id !== memory.id) {
    memory.id = id
    memory.detaching.clear()
    memory.refusedLive.clear()
    memory.adopted = []
    memory.askedMemory = undefined
    // A new run, by whomever it was started, was asked for nothing yet.
    if (id !== undefined) Object.assign(memory, { stopping: undefined, recalled: undefined, restarting: undefined, rebootEnds: undefined })
  }
  const crashed = observed.state === DomainState.Crashed
  if (isActive(observed)) {
    if (!crashed) memory.ended = undefined
    if (memory.stopping !== undefined && !memory.restarting && !terminating && object.spec.powerState !== 'Stopped' && object.status?.actions?.every(action => action.outcome !== RESTARTING) !== false) {
      memory.stopping = undefined
      memory.recalled = true
    }
    if (memory.detaching.size > 0 && found?.live !== undefined) {
      const present = new Set(HOT_DEVICES.flatMap(kind => devicesOf(found.live, kind).map(labelOf)))
      for (const alias of memory.detaching.keys()) if (!present.has(alias)) memory.detaching.delete(alias)
    }
    // Once the balloon is where it was asked to be, another size is somebody else's doing.
    const wanted = rendered && textOf(childOf(rendered.wanted, 'currentMemory'))
    if (found?.live !== undefined && wanted === textOf(childOf(found.live, 'currentMemory'))) memory.askedMemory = undefined
    if (!crashed) return
  }
  const reason = reasonName(observed.state, observed.reason)
  const byUs = memory.stopping !== undefined || memory.recalled === true || memory.rebootEnds === true || wasStopped(object)
  if (memory.ended === undefined && !byUs && (reason === 'Shutdown' || reason === 'Crashed' || crashed)) {
    if (isHealthyRun(memory, now)) memory.ends = 0
    memory.ended = now
    memory.ends++
  }
}

/** What differs right after a define is how the host spells it: no drift, now or later. */
function learn({ rendered, owner, found, memory, limits }: DomainInputs, sent: XmlElement): void {
  const unmarked = !limits.keepsMetadata
  if (rendered === undefined || found === undefined || (!unmarked && appliedOf(found.inactive) === undefined)) return
  memory.spelling = learnSpelling({ ...rendered, owner, found: found.inactive, correct: true, unmarked }, sent)
}
