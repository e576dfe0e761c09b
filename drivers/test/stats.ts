// What the in-memory host tells about running domains: statistics, addresses, sizes of disks.

import { AddressSource, DomainState, type DomainBlockInfo, type DomainInterface, type DomainInfo, type DomainStats, type TypedParams } from '../driver.ts'
import { ErrorNumber } from '../errors.ts'
import type { Domain } from './domain/domain.ts'
import { From, Refusal, badArgument, invalid } from './refusal.ts'
import type { Volume } from './storage/volume.ts'
import type { World } from './world.ts'

/** virDomainStatsTypes. */
const Group = { STATE: 1, CPU: 2, BALLOON: 4, VCPU: 8, INTERFACE: 16, BLOCK: 32 } as const
/** A guest in memory keeps one hundredth of a processor busy, or so it says. */
const cpuTime = (world: World, domain: Domain): bigint => (domain.active ? BigInt(Math.max(0, Math.floor(world.clock.now() - domain.started))) * 10_000n : 0n)

export function infoOf(world: World, domain: Domain): DomainInfo {
  const { maxMemory, memory, vcpus } = domain.current.sizes
  return { state: domain.state, maxMem: maxMemory, memory, nrVirtCpu: vcpus, cpuTime: cpuTime(world, domain) }
}

/** Of all domains; `groups` of virDomainStatsTypes, 0 for all. */
export function statsOf(world: World, groups: number): DomainStats[] {
  const wanted = (group: number): boolean => groups === 0 || (groups & group) !== 0
  return Array.from(world.domains.values(), domain => {
    // A record without a prototype, as the remote driver gives it.
    const params = Object.create(null) as TypedParams
    const { maxMemory, memory, maxVcpus, vcpus } = domain.current.sizes
    if (wanted(Group.STATE)) Object.assign(params, { 'state.state': domain.state, 'state.reason': domain.reason })
    if (wanted(Group.CPU)) Object.assign(params, { 'cpu.time': cpuTime(world, domain), 'cpu.user': cpuTime(world, domain), 'cpu.system': 0n })
    if (wanted(Group.BALLOON)) Object.assign(params, { 'balloon.current': BigInt(memory), 'balloon.maximum': BigInt(maxMemory) })
    if (wanted(Group.VCPU)) Object.assign(params, { 'vcpu.current': vcpus, 'vcpu.maximum': maxVcpus })
    if (domain.active && wanted(Group.INTERFACE)) Object.assign(params, interfaces(domain))
    if (wanted(Group.BLOCK)) Object.assign(params, blocks(world, domain))
    return { dom: domain.ref, params }
  })
}

function interfaces(domain: Domain): TypedParams {
  const all = domain.live!.parts.interfaces
  const params: TypedParams = { 'net.count': all.length }
  for (const [at, { target }] of all.entries()) {
    params[`net.${at}.name`] = target ?? ''
    for (const way of ['rx', 'tx']) for (const what of ['bytes', 'pkts', 'errs', 'drop']) params[`net.${at}.${way}.${what}`] = 0n
  }
  return params
}

function blocks(world: World, domain: Domain): TypedParams {
  const all = domain.current.parts.disks
  const params: TypedParams = { 'block.count': all.length }
  for (const [at, { target, path }] of all.entries()) {
    params[`block.${at}.name`] = target
    if (path === undefined) continue
    params[`block.${at}.path`] = path
    const { allocation, capacity, physical } = sizesOf(world.folders.file(path))
    Object.assign(params, { [`block.${at}.allocation`]: BigInt(allocation), [`block.${at}.capacity`]: BigInt(capacity), [`block.${at}.physical`]: BigInt(physical) })
  }
  return params
}

/** A file that belongs to no pool has no size that the host would know. */
const sizesOf = (volume: Volume | undefined): DomainBlockInfo => (volume === undefined ? { allocation: 0, capacity: 0, physical: 0 } : { allocation: volume.allocation, capacity: volume.capacity, physical: volume.content.length })

/** By target or path. */
function diskOf(domain: Domain, disk: string): { target: string; path: string | undefined } | undefined {
  return domain.current.parts.disks.find(({ target, path }) => target === disk || path === disk)
}

export function blockInfoOf(world: World, domain: Domain, disk: string): DomainBlockInfo {
  const found = diskOf(domain, disk)
  if (found === undefined) throw badArgument(`invalid path ${disk} not assigned to domain`)
  if (found.path === undefined) throw badArgument(`disk '${found.target}' does not currently have a source assigned`)
  return sizesOf(world.folders.file(found.path))
}

/** `bytes` as the disk's new capacity. */
export function blockResize(world: World, domain: Domain, disk: string, bytes: number): void {
  domain.needActive()
  const found = diskOf(domain, disk)
  if (found === undefined) throw badArgument(`disk '${disk}' was not found in the domain config`)
  if (found.path === undefined) throw invalid(`disk '${found.target}' is empty`)
  world.folders.file(found.path)?.resize(bytes, false)
}

/** From leases, from the guest's agent, or from the host's neighbour table. */
export function addressesOf(world: World, domain: Domain, source: number): DomainInterface[] {
  const live = domain.needActive()
  const leased = live.parts.interfaces.flatMap(({ network, mac, target }) => {
    const lease = network === undefined ? undefined : world.networks.leaseOf(network, mac)
    return lease === undefined ? [] : [{ name: target ?? '', hwaddr: mac, addrs: [{ type: lease.type, addr: lease.ipaddr, prefix: lease.prefix }] }]
  })
  switch (source) {
    case AddressSource.LEASE: case AddressSource.ARP: return leased
    case AddressSource.AGENT: {
      if (domain.state !== DomainState.Running) throw invalid('domain is not running')
      if (!live.parts.agent) throw new Refusal(ErrorNumber.ARGUMENT_UNSUPPORTED, From.TEST, 'argument unsupported: QEMU guest agent is not configured')
      return [{ name: 'lo', hwaddr: '00:00:00:00:00:00', addrs: [{ type: 'ipv4', addr: '127.0.0.1', prefix: 8 }] }, ...leased.map((each, at) => ({ ...each, name: `eth${at}` }))]
    }
    default: throw new Refusal(ErrorNumber.ARGUMENT_UNSUPPORTED, From.TEST, `argument unsupported: Unknown IP address data source ${source}`)
  }
}
