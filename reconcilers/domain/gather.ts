// Gathers what the plan of a domain looks at, from the mirrors alone: host, identity, references, documents, seed.

import type { Binding } from '../../crds/common.ts'
import { parseDuration } from '../../crds/duration.ts'
import { verbAnnotations } from '../../crds/names.ts'
import type { StorageVolume } from '../../crds/storagevolume.ts'
import type { VirtualDomain } from '../../crds/virtualdomain.ts'
import { idOf } from '../../observed/mirror.ts'
import type { ObservedDomain, ObservedVolume } from '../../observed/objects.ts'
import { XmlError, type XmlElement, childOf, parseFragment } from '../../xml/tree.ts'
import { overlay } from '../../xml/merge.ts'
import { guestsOf, hostArch } from '../capabilities.ts'
import { uuidOf } from '../defaults.ts'
import { parsed } from '../../xml/parsed.ts'
import { type Owner, type Ownership, describeOwner, isOfOtherNamespace, libvirtName, ownerOf, ownership } from '../identity.ts'
import { Refusal } from '../plan.ts'
import { type Grant, checkHostInterface, checkRawXML } from '../policy.ts'
import { type BoundHost, boundHost, holderCalled, holderOf, isBegun, isProven, notForeign, requireForeign, requireReady, requireSameHost, resolve } from '../references.ts'
import { listUsers } from '../pool/users.ts'
import { formatOf, volumesAbove } from '../volume/record.ts'
import { type World, call } from '../world.ts'
import { nameOverlayDevices, withoutAliases } from './devices.ts'
import { appliedOf, recordOf } from './document.ts'
import { limitsOf } from './limits.ts'
import type { DomainInputs, DomainMemory } from './plan.ts'
import { renderDomain } from './render.ts'
import { type VolumeUse, checkDomain } from './policy.ts'
import { type Rendering, type VolumeSource, isQemu } from './rendering.ts'
import { domainRules } from './rules.ts'
import { type SeedInput, seedFiles, seedName, seedPrefix } from './seed.ts'

interface Found { uuid: string; observed?: ObservedDomain; ownership: Ownership; owner?: Owner }

/** The domain on the host that is this object's, or that stands in its way. Throws Conflict or Forbidden. */
function identify(world: World, object: VirtualDomain, bound: BoundHost, self: Owner, name: string): Found {
  const { mirror } = bound.host
  const { namespace } = object.metadata
  const expected = uuidOf(world, object)
  const holder = mirror.domainByName(name)
  // What was only looked at binds nothing: another domain of that name is looked at as well.
  const bindingOf = object.status?.binding
  const observed = mirror.domain(expected) ?? (bindingOf === undefined || bindingOf.origin === 'Observed' ? holder : undefined)
  if (observed === undefined) {
    if (holder !== undefined && object.metadata.deletionTimestamp === undefined) throw conflict(bound, name, undefined)
    return { uuid: expected, ownership: 'Ours' }
  }
  const owner = ownerOf(parsed(observed.inactive))
  const whose = owner === undefined && !limitsOf(bound.host.facts!.driver).keepsMetadata ? unmarkedOwnership(object, observed, expected) : ownership(owner, self)
  const found: Found = { uuid: observed.ref.uuid, observed, owner, ownership: whose }
  if (found.ownership === 'Ours' || object.metadata.deletionTimestamp !== undefined) return found
  if (found.ownership === 'Rebuilt' && object.spec.managementPolicy !== 'ObserveOnly') return found
  if (object.spec.managementPolicy === 'ObserveOnly') {
    if (isOfOtherNamespace(owner, self)) throw notForeign(`Domain ${name}`, bound.name)
    requireForeign(world, object, observed.ref.uuid, `Domain ${name}`, bound.name)
    if (bound.grant.foreignObjects === 'Forbidden') throw new Refusal('Forbidden', `Domain ${name}: ${describeOwner(owner)}, and policy.foreignObjects of Hypervisor ${bound.name} does not let namespace ${namespace} observe such objects. Ask for Observe or Adopt.`)
    return found
  }
  const claimed = holderOf(world, object, observed.ref.uuid)
  if (claimed !== undefined) throw new Refusal('Conflict', `Domain ${name} on Hypervisor ${bound.name} belongs to ${holderCalled(claimed, namespace!)}. It is left untouched. Choose another spec.name.`)
  if (found.ownership === 'Others' || (object.spec.adoptionPolicy ?? 'Never') === 'Never') throw conflict(bound, name, found)
  if (bound.grant.foreignObjects !== 'Adopt') throw new Refusal('Forbidden', `Domain ${name}: ${describeOwner(owner)}, and policy.foreignObjects of Hypervisor ${bound.name} does not let namespace ${namespace} adopt it. Ask for the grant Adopt, or choose another spec.name.`)
  return found
}

/**
 * Where no mark can stand the UUID tells: what is bound is ours, and so is what bears the computed UUID once its creation was
 * begun. Before that it is what an object of this name left behind.
 */
function unmarkedOwnership(object: VirtualDomain, observed: ObservedDomain, expected: string): Ownership {
  if (observed.ref.uuid !== expected) return 'Foreign'
  const origin = object.status?.binding?.origin
  if (origin !== undefined && origin !== 'Observed') return 'Ours'
  return object.spec.uuid !== undefined ? 'Foreign' : isBegun(object) ? 'Ours' : 'Remade'
}

function conflict(bound: BoundHost, name: string, found: Found | undefined): Refusal {
  const whose = found === undefined ? 'another domain has that name' : describeOwner(found.owner)
  return new Refusal('Conflict', `Domain ${name} exists on Hypervisor ${bound.name}: ${whose}. It is left untouched. ${found?.ownership === 'Others' ? 'Choose another spec.name.' : 'Set adoptionPolicy to take it (IfUnchanged or Always; needs the grant policy.foreignObjects: Adopt), or choose another spec.name.'}`)
}

function volumeSource(world: World, object: VirtualDomain, volume: StorageVolume, bound: BoundHost, field: string, depth = 0): VolumeSource {
  requireSameHost(world, object, volume, bound.name, field)
  // What a domain already has keeps its place while the volume is being grown or its host's pool is away.
  if (object.status?.binding === undefined || observedVolume(world, volume, bound) === undefined) requireReady(volume, field, object.metadata.namespace!)
  const observed = observedVolume(world, volume, bound)
  if (observed === undefined) throw new Refusal('WaitingForReference', `${field}: waiting for ${call('StorageVolume', volume.metadata.namespace, volume.metadata.name, object.metadata.namespace)} to be seen on the host.`)
  const type = observed.type === 'block' ? 'block' as const : 'file' as const
  const format = formatOf(volume, bound, field, object.metadata.namespace!)
  const ref = volume.spec.backingStore?.volumeRef
  const base = ref && depth < 16 ? world.mirrors.StorageVolume.get(ref.namespace ?? volume.metadata.namespace, ref.name) : undefined
  const next = base && volumeSource(world, object, base, bound, field, depth + 1)
  return { type, path: observed.path, format, backing: next === undefined ? [] : [{ type: next.type, path: next.path, format: next.format }, ...next.backing] }
}

/** Why a disk may not write the volume, a sentence with what to do; undefined where it may. */
function onlyRead(world: World, object: VirtualDomain, volume: StorageVolume, bound: BoundHost): string | undefined {
  const { namespace } = object.metadata
  const called = call('StorageVolume', volume.metadata.namespace, volume.metadata.name, namespace)
  const instead = 'Set readOnly: true, or use a volume of your own with backingStore on it'
  if (volume.metadata.namespace !== namespace) return `${called} is exported to be read, as backing or clone, and a writable disk would change it for everybody. ${instead}.`
  if (volume.status?.binding?.origin === 'Observed' && bound.grant.foreignObjects !== 'Adopt') return `vireo only looks at ${called}, and policy.foreignObjects of Hypervisor ${bound.name} does not let namespace ${namespace} change such objects. ${instead}.`
  const observed = observedVolume(world, volume, bound)
  const above = observed && volumesAbove(world, volume, bound.name, observed, bound.host.mirror)
  if (above === undefined || above.objects.length + above.foreign === 0) return undefined
  const users = listUsers(world, bound.name, namespace!, { objects: above.objects, domains: [] })
  return `${called} is what lies below ${[...users, ...(above.foreign > 0 ? [`${above.foreign} that vireo does not manage`] : [])].join(', ')}: writing it would destroy what they hold. ${instead}.`
}

function observedVolume(world: World, volume: StorageVolume, bound: BoundHost): ObservedVolume | undefined {
  const pool = world.mirrors.StoragePool.get(volume.spec.poolRef.namespace ?? volume.metadata.namespace, volume.spec.poolRef.name)
  const poolUUID = pool?.status?.binding?.uuid
  const name = volume.status?.binding?.name
  return poolUUID === undefined || name === undefined ? undefined : bound.host.mirror.volume(poolUUID, name)
}

/** Text from a Secret or ConfigMap. Throws WaitingForReference. */
function dataOf(world: World, object: VirtualDomain, kind: 'Secret' | 'ConfigMap', ref: { name: string; key: string }, field: string): string {
  const values = world.data.get(kind, object.metadata.namespace!, ref.name)
  if (values === 'loading') throw new Refusal('WaitingForReference', `${field}: reading ${kind} ${ref.name}.`)
  if (values === undefined) throw new Refusal('WaitingForReference', `${field}: waiting for ${kind} ${ref.name}, which does not exist.`)
  const value = values[ref.key]
  if (value === undefined) throw new Refusal('WaitingForReference', `${field}: ${kind} ${ref.name} has no key ${ref.key}.`)
  return value
}

type TextSource = { inline?: string; secretRef?: { name: string; key: string }; configMapRef?: { name: string; key: string } } | undefined

function textFrom(world: World, object: VirtualDomain, source: TextSource, field: string): string | undefined {
  if (source === undefined) return undefined
  if (source.secretRef !== undefined) return dataOf(world, object, 'Secret', source.secretRef, `${field}.secretRef`)
  if (source.configMapRef !== undefined) return dataOf(world, object, 'ConfigMap', source.configMapRef, `${field}.configMapRef`)
  return source.inline
}

/** Where the seed goes, what is in it, and which older ones nothing refers to any more. */
function gatherSeed(world: World, object: VirtualDomain, bound: BoundHost, uuid: string, observed: ObservedDomain | undefined, verified: ReadonlySet<string>): SeedInput {
  const { mirror } = bound.host
  const { cloudInit } = object.spec
  const used = new Set(observed?.disks.map(disk => disk.source))
  const mine = [...mirror.pools()].filter(pool => pool.active).flatMap(pool => mirror.volumesOf(pool.ref.uuid).filter(volume => volume.ref.name.startsWith(seedPrefix(uuid))))
  let wanted: SeedInput['wanted']
  if (cloudInit !== undefined && object.metadata.deletionTimestamp === undefined) {
    const firstVolume = object.spec.disks?.find(disk => disk.volumeRef !== undefined)?.volumeRef
    const volume = firstVolume && world.mirrors.StorageVolume.get(firstVolume.namespace ?? object.metadata.namespace, firstVolume.name)
    const poolRef = cloudInit.poolRef ?? (volume && { name: volume.spec.poolRef.name, namespace: volume.spec.poolRef.namespace ?? volume.metadata.namespace })
    if (poolRef === undefined) throw new Refusal('Invalid', 'spec.cloudInit: no pool for the seed: no disk refers to a volume whose pool could hold it. Set spec.cloudInit.poolRef.')
    const pool = resolve(world, object, 'StoragePool', poolRef, 'spec.cloudInit.poolRef')
    requireSameHost(world, object, pool, bound.name, 'spec.cloudInit.poolRef')
    requireReady(pool, 'spec.cloudInit.poolRef', object.metadata.namespace!)
    const observedPool = mirror.pool(pool.status?.binding?.uuid ?? '')
    if (observedPool?.path === undefined) throw new Refusal('WaitingForReference', `spec.cloudInit.poolRef: waiting for ${call('StoragePool', pool.metadata.namespace, pool.metadata.name, object.metadata.namespace)} to be seen on the host.`)
    const files = seedFiles(cloudInit, { hostname: object.metadata.name, uuid }, {
      userData: textFrom(world, object, cloudInit.userData, 'spec.cloudInit.userData'),
      networkData: textFrom(world, object, cloudInit.networkData, 'spec.cloudInit.networkData'),
      metaData: textFrom(world, object, cloudInit.metaData, 'spec.cloudInit.metaData'),
    })
    const name = seedName(uuid, files)
    const present = mirror.volume(observedPool.ref.uuid, name)
    const path = present?.path ?? `${observedPool.path}/${name}`
    // A seed that a document refers to was written to the end before; any other may be half of one.
    wanted = { pool: observedPool.ref.uuid, name, path, files, present: present !== undefined && (used.has(path) || verified.has(path)) }
  }
  const stale = mine.filter(volume => volume.path !== wanted?.path && !used.has(volume.path)).map(volume => ({ pool: volume.poolUUID, name: volume.ref.name }))
  return { wanted, stale }
}

function render(world: World, object: VirtualDomain, bound: BoundHost, identity: { uuid: string; name: string }, seed: SeedInput, found: XmlElement | undefined): { wanted: XmlElement; record: XmlElement } {
  const { spec } = object
  const facts = bound.host.facts!
  const volumes = new Map<string, VolumeUse>()
  const networks = new Map<string, string>()
  const passwords = new Map<string, string>()
  for (const disk of spec.disks ?? []) {
    if (disk.volumeRef === undefined) continue
    const field = `spec.disks[${disk.name}].volumeRef`
    const volume = resolve(world, object, 'StorageVolume', disk.volumeRef, field)
    volumes.set(disk.name, { ...volumeSource(world, object, volume, bound, field), onlyRead: onlyRead(world, object, volume, bound) })
  }
  for (const nic of spec.interfaces ?? []) {
    if (nic.bridge !== undefined) checkHostInterface(bound.grant, nic.bridge.name, `spec.interfaces[${nic.name}].bridge`)
    if (nic.networkRef === undefined) continue
    const field = `spec.interfaces[${nic.name}].networkRef`
    const network = resolve(world, object, 'VirtualNetwork', nic.networkRef, field)
    requireSameHost(world, object, network, bound.name, field)
    if (object.status?.binding === undefined || network.status?.binding?.name === undefined) requireReady(network, field, object.metadata.namespace!)
    networks.set(nic.name, network.status!.binding!.name)
  }
  for (const display of spec.graphics ?? []) {
    const ref = (display.vnc ?? display.spice)?.passwordSecretRef
    if (ref !== undefined) passwords.set(display.name, dataOf(world, object, 'Secret', ref, `spec.graphics[${display.name}].passwordSecretRef`))
  }
  const bootFile = (part: 'kernel' | 'initrd'): string | undefined => {
    const source = spec.os?.kernelBoot?.[part]
    if (source?.volumeRef === undefined) return source?.path
    const field = `spec.os.kernelBoot.${part}.volumeRef`
    return volumeSource(world, object, resolve(world, object, 'StorageVolume', source.volumeRef, field), bound, field).path
  }
  const rendering: Rendering = {
    ...identity,
    spec,
    driver: facts.driver,
    guests: guestsOf(facts),
    arch: hostArch(facts),
    volumes,
    networks,
    passwords,
    kernel: bootFile('kernel'),
    initrd: bootFile('initrd'),
    seed: seed.wanted?.path,
    applied: found && appliedOf(found),
    foreign: found !== undefined && appliedOf(found) === undefined,
    kept: found !== undefined && (appliedOf(found) === undefined || ownerOf(found)?.adopted) ? { type: found.attributes.type, machine: childOf(found, 'os', 'type')?.attributes.machine } : undefined,
  }
  checkRaw(bound.grant, object)
  const full = withOverlay(renderDomain(rendering), object)
  const bootFiles = (['kernel', 'initrd'] as const).flatMap(part => (spec.os?.kernelBoot?.[part]?.volumeRef === undefined ? [] : [rendering[part]!]))
  checkDomain(bound.grant, full, { volumes: new Map([...volumes.values()].map(volume => [volume.path, volume])), bootFiles: new Set(bootFiles), seed: seed.wanted?.path, networks: new Set(networks.values()) })
  return { wanted: isQemu(facts.driver) ? full : withoutAliases(full), record: recordOf(full) }
}

function checkRaw(grant: Grant, object: VirtualDomain): void {
  const { spec } = object
  if (spec.xml !== undefined) checkRawXML(grant, 'spec.xml')
  for (const list of ['disks', 'interfaces', 'graphics', 'serials'] as const) {
    for (const entry of spec[list] ?? []) if (entry.xml !== undefined) checkRawXML(grant, `spec.${list}[${entry.name}].xml`)
  }
}

function withOverlay(document: XmlElement, object: VirtualDomain): XmlElement {
  const { xml } = object.spec
  if (xml === undefined) return document
  try {
    const fragment = parseFragment(xml)
    for (const element of fragment) {
      if (['name', 'uuid'].includes(element.name)) throw new XmlError(`it may not set <${element.name}>: use spec.${element.name}`)
      if (element.name === 'metadata') throw new XmlError('it may not set <metadata>: vireo keeps its mark there, and leaves what others keep there as it is')
    }
    return nameOverlayDevices(overlay(document, fragment, domainRules()))
  } catch (error) {
    if (error instanceof XmlError) throw new Refusal('Invalid', `spec.xml: ${error.message}.`)
    throw error
  }
}

function newVerbs(object: VirtualDomain, { handled }: DomainMemory): DomainInputs['verbs'] {
  const verbs: DomainInputs['verbs'] = {}
  for (const [verb, annotation] of Object.entries(verbAnnotations) as [keyof DomainInputs['verbs'], string][]) {
    const token = object.metadata.annotations?.[annotation]
    if (handled[verb] === token) continue
    if (token !== undefined && token !== '' && object.status?.actions?.find(action => action.name === verb)?.token !== token) verbs[verb] = token
  }
  return verbs
}

export interface GatherOptions { memory: (uuid: string) => DomainMemory; verifiedSeeds: ReadonlySet<string>; retainAll: boolean }

export function gatherDomain(world: World, object: VirtualDomain, { memory: memoryOf, verifiedSeeds, retainAll }: GatherOptions): DomainInputs {
  const { namespace, name: objectName, uid } = object.metadata
  const bound = boundHost(world, object, uuidOf(world, object))
  const name = object.status?.binding?.name ?? object.spec.name ?? libvirtName(bound.hypervisor.spec.nameFormat, namespace!, objectName)
  const owner: Owner = { installation: world.installation, cluster: world.cluster, namespace: namespace!, name: objectName, uid, released: false }
  const found = identify(world, object, bound, owner, name)
  const { observed, uuid } = found
  const terminating = object.metadata.deletionTimestamp !== undefined
  const observeOnly = object.spec.managementPolicy === 'ObserveOnly'
  const documents = observed && { inactive: parsed(observed.inactive), live: observed.live === undefined ? undefined : parsed(observed.live) }
  const seed = observeOnly ? undefined : gatherSeed(world, object, bound, uuid, observed, verifiedSeeds)
  const rendered = terminating || observeOnly ? undefined : render(world, object, bound, { uuid, name: observed?.ref.name ?? name }, seed!, documents?.inactive)
  if (object.spec.autostart === 'Once') throw new Refusal('Unsupported', `spec.autostart: Once needs libvirt 11.2, and Hypervisor ${bound.name} does not offer it through vireo yet. Use Enabled or Disabled.`)
  const foreign = found.ownership === 'Foreign' || found.ownership === 'Remade'
  const recorded = object.status?.binding?.origin
  // What the mark says outlives a status that was never written, and the cluster.
  const origin: Binding['origin'] = recorded === 'Created' || recorded === 'Adopted' ? recorded : observeOnly ? 'Observed' : foreign || found.owner?.adopted ? 'Adopted' : 'Created'
  return {
    object,
    bound,
    binding: { hypervisor: bound.name, name: observed?.ref.name ?? name, uuid, origin },
    terminating,
    owner: origin === 'Adopted' ? { ...owner, adopted: true } : owner,
    ownership: found.ownership,
    adoption: object.spec.adoptionPolicy ?? 'Never',
    observed,
    found: documents,
    verified: isProven(world, bound.host, idOf.domain(uuid)),
    rendered,
    seed,
    memory: memoryOf(uuid),
    verbs: observeOnly ? {} : newVerbs(object, memoryOf(uuid)),
    now: world.clock.now(),
    retainAll,
    leases: (mac, network) => world.leases(bound.name, mac, network),
    guest: world.guest(bound.name, uuid),
    limits: limitsOf(bound.host.facts!.driver),
    gracePeriod: parseDuration(object.spec.shutdown?.gracePeriod ?? '90s'),
  }
}
