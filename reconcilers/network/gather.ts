// Gathers what the plan of a network looks at, from the mirrors alone: host, identity, ownership, the wanted network, its users.

import type { Binding } from '../../crds/common.ts'
import type { VirtualNetwork } from '../../crds/virtualnetwork.ts'
import { idOf } from '../../observed/mirror.ts'
import type { ObservedNetwork } from '../../observed/objects.ts'
import { type XmlElement, childOf } from '../../xml/tree.ts'
import { parsed } from '../../xml/parsed.ts'
import { uuidOf } from '../defaults.ts'
import { type Owner, computedUUID, describeOwner, isOfOtherNamespace, libvirtName, ownerOf, ownership } from '../identity.ts'
import { Refusal } from '../plan.ts'
import { checkDocument, checkHostInterface, checkRawXML } from '../policy.ts'
import { type BoundHost, boundHost, holderCalled, holderOf, isProven, notForeign, requireForeign } from '../references.ts'
import type { World } from '../world.ts'
import { type Documents, compare } from './compare.ts'
import type { NetworkInputs } from './inputs.ts'
import { fieldsOf } from './paths.ts'
import { type Spec, hasOwnBridge, hostInterfaces, renderNetwork } from './render.ts'
import { connectionsOf, runningOn, usersOf } from './users.ts'


export function gatherNetwork(world: World, object: VirtualNetwork, retainAll: boolean): NetworkInputs {
  const spec: Spec = object.spec
  const { namespace, name, uid, deletionTimestamp } = object.metadata
  const terminating = deletionTimestamp !== undefined
  const computed = computedUUID(world.installation, 'VirtualNetwork', namespace!, name)
  const uuid = uuidOf(world, object)
  const bound = boundHost(world, object, uuid)
  const owner: Owner = { installation: world.installation, cluster: world.cluster, namespace: namespace!, name, uid, released: false }

  const hostName = object.status?.binding?.name ?? spec.name ?? libvirtName(bound.hypervisor.spec.nameFormat, namespace!, name)
  const observed = lookUp(object, bound, uuid, hostName)
  const found = observed && documentsOf(observed)
  const mark = found && ownerOf(found.inactive)
  const whose = describeOwner(mark)
  const relation = found === undefined ? 'Ours' : ownership(mark, owner)
  const binding: Binding = {
    hypervisor: bound.name,
    name: observed?.ref.name ?? hostName,
    uuid: observed?.ref.uuid ?? uuid,
    origin: originOf(object, observed, relation, computed),
  }
  const inputs: NetworkInputs = {
    object, spec, bound, binding, terminating, owner, observed, found, whose, retainAll,
    ownership: relation,
    running: runningOn(bound, binding.name).length,
    connections: connectionsOf(bound, binding.name),
    users: terminating ? usersOf(world, object, bound, binding.name) : [],
    verified: isProven(world, bound.host, idOf.network(binding.uuid)),
    released: relation === 'Remade' && mark?.uid === uid && mark.released,
  }
  if (terminating) return inputs
  if (spec.managementPolicy === 'ObserveOnly') {
    if (found !== undefined && relation !== 'Ours') {
      if (isOfOtherNamespace(mark, owner)) throw notForeign(`The network ${binding.name}`, bound.name)
      requireForeign(world, object, binding.uuid, `The network ${binding.name}`, bound.name)
    }
    if (found !== undefined && relation !== 'Ours' && relation !== 'Rebuilt' && bound.grant.foreignObjects === 'Forbidden') {
      throw new Refusal('Forbidden', `The network ${binding.name} on Hypervisor ${bound.name}: ${whose}, and policy.foreignObjects there does not let namespace ${namespace} look at such objects. Ask for the grant Observe.`)
    }
    return inputs
  }
  const rival = bound.host.mirror.networkByName(binding.name)
  if (rival !== undefined && rival.ref.uuid !== binding.uuid) {
    throw new Refusal('Conflict', `Another network named ${binding.name} (UUID ${rival.ref.uuid}) is on Hypervisor ${bound.name}. It is left untouched. ${object.status?.binding === undefined ? 'Choose another spec.name, or leave spec.uuid out and take that network over with adoptionPolicy: IfUnchanged or Always.' : 'Remove or rename it on the host: this object is bound to its own name and UUID.'}`)
  }
  inputs.wanted = want(inputs)
  if (observed !== undefined) checkTaking(world, inputs, inputs.wanted, observed)
  return inputs
}

/** By UUID; before vireo has made or taken it also by name, unless the spec names a UUID. */
function lookUp(object: VirtualNetwork, bound: BoundHost, uuid: string, name: string): ObservedNetwork | undefined {
  const { mirror } = bound.host
  const byUUID = mirror.network(uuid)
  const origin = object.status?.binding?.origin
  const free = (origin === undefined || origin === 'Observed') && object.spec.uuid === undefined
  return byUUID ?? (free ? mirror.networkByName(name) : undefined)
}

const documentsOf = ({ inactive, live, stagedUnreadable }: ObservedNetwork): Documents =>
  ({ inactive: parsed(inactive), live: live === undefined ? undefined : parsed(live), stagedUnreadable: stagedUnreadable === true })

/** Once known it stays. What carries our mark under the computed UUID was made by us; under another one it was adopted. */
function originOf(object: VirtualNetwork, observed: ObservedNetwork | undefined, relation: ReturnType<typeof ownership>, computed: string): Binding['origin'] {
  const known = object.status?.binding?.origin
  if (known === 'Created' || known === 'Adopted') return known
  const ours = relation === 'Ours' || relation === 'Rebuilt'
  if (object.spec.managementPolicy === 'ObserveOnly' && (observed === undefined || !ours)) return 'Observed'
  return observed === undefined || (ours && observed.ref.uuid === computed) ? 'Created' : 'Adopted'
}

/** Renders the spec and checks what the namespace may use. Throws Invalid or Forbidden. */
function want({ spec, bound, found, owner }: NetworkInputs): XmlElement {
  if (spec.xml !== undefined) checkRawXML(bound.grant, 'spec.xml')
  const wanted = renderNetwork(spec)
  const mode = childOf(wanted, 'forward')?.attributes.mode
  if (mode !== undefined && hasOwnBridge(mode) && childOf(wanted, 'ip') === undefined) throw new Refusal('Invalid', `spec.forward.mode: libvirt forwards (${mode}) only for a network with an address. Add ipv4 or ipv6, or leave forward out for an isolated network.`)
  for (const { name, field } of hostInterfaces(wanted)) checkHostInterface(bound.grant, name, field)
  const document = found === undefined ? wanted : compare(found, wanted, owner, true).document
  const known = new Set(found === undefined ? [] : hostInterfaces(found.inactive).map(({ name }) => name))
  for (const { name, field } of hostInterfaces(document)) if (!known.has(name)) checkHostInterface(bound.grant, name, field)
  checkDocument(bound.grant, document, () => false, found?.inactive)
  return wanted
}

/** Throws Conflict or Forbidden where the network found is not ours and may not be taken over. */
function checkTaking(world: World, inputs: NetworkInputs, wanted: XmlElement, observed: ObservedNetwork): void {
  const { spec, bound, whose, found, owner, ownership: relation, object } = inputs
  if (relation === 'Ours' || relation === 'Rebuilt') return
  const policy = spec.adoptionPolicy ?? 'Never'
  const what = `The network ${observed.ref.name} is on Hypervisor ${bound.name} already: ${whose}. It is left untouched.`
  const holder = holderOf(world, object, observed.ref.uuid)
  if (holder !== undefined) throw new Refusal('Conflict', `The network ${observed.ref.name} on Hypervisor ${bound.name} belongs to ${holderCalled(holder, object.metadata.namespace!)}. It is left untouched. Choose another spec.name.`)
  if (relation === 'Others') throw new Refusal('Conflict', `${what} Choose another spec.name.`)
  if (policy === 'Never') throw new Refusal('Conflict', `${what} To take it over set adoptionPolicy to IfUnchanged or Always (this needs policy.foreignObjects: Adopt on the Hypervisor), or choose another spec.name.`)
  if (bound.grant.foreignObjects !== 'Adopt') throw new Refusal('Forbidden', `${what} adoptionPolicy: ${policy} would take it over, but policy.foreignObjects of Hypervisor ${bound.name} does not grant that to namespace ${object.metadata.namespace}. Ask for the grant Adopt, or choose another spec.name.`)
  if (policy === 'Always') return
  const { changes, updates } = compare(found!, wanted, owner, true)
  const fields = [
    ...fieldsOf(changes, spec),
    ...(changes.length === 0 && updates.length > 0 ? ['the running network'] : []),
    ...(observed.active === (spec.state !== 'Inactive') ? [] : ['state']),
    ...(observed.autostart === (spec.autostart !== 'Disabled') ? [] : ['autostart']),
  ]
  if (fields.length > 0) throw new Refusal('Conflict', `${what} adoptionPolicy: IfUnchanged takes it over only as it is, and the spec would change ${fields.join(', ')}. Write these as the network has them, or set adoptionPolicy: Always.`)
}
