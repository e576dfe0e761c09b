// What the in-memory host tells about running domains: statistics, addresses, sizes of disks.

import { AddressSource, DomainState, StatsTypes as Group, type DomainBlockStats, type DomainInterfaceStats, type DomainBlockInfo, type DomainInterface, type DomainInfo, type DomainStats, type TypedParams } from '../driver.ts'
import { ErrorNumber } from '../errors.ts'
import type { Domain } from './domain/domain.ts'
import { node } from './host.ts'
import { From, Refusal, badArgument, invalid } from './refusal.ts'
import type { Volume } from './storage/volume.ts'
import type { World } from './world.ts'

/** A guest in memory keeps one hundredth of a processor busy, or so it says. */
const cpuTime = (world: World, domain: Domain): bigint => (domain.active ? BigInt(Math.max(0, Math.floor(world.clock.now() - domain.started))) * 10_000n : 0n)

export function infoOf(world: World, domain: Domain): DomainInfo {
  const { maxMemory, memory, vcpus } = domain.current.sizes
  return { state: domain.state, maxMem: maxMemory, memory, nrVirtCpu: vcpus, cpuTime: cpuTime(world, domain) }
}

/** Of all domains, or of these; `groups` of StatsTypes, 0 for all. */
export function statsOf(world: World, groups: number, only?: ReadonlySet<string>): DomainStats[] {
  const wanted = (group: number): boolean => groups === 0 || (groups & group) !== 0
  return Array.from(world.domains.values()).filter(({ uuid }) => only?.has(uuid) ?? true).map(domain => {
    // A record without a prototype, as the remote driver gives it.
    const params = Object.create(null) as TypedParams
    const { maxMemory, memory, maxVcpus, vcpus } = domain.current.sizes
    if (wanted(Group.STATE)) Object.assign(params, { 'state.state': domain.state, 'state.reason': domain.reason })
    if (wanted(Group.CPU_TOTAL)) Object.assign(params, { 'cpu.time': cpuTime(world, domain), 'cpu.user': cpuTime(world, domain), 'cpu.system': 0n })
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

/** Bytes: what running guests leave. */
export function freeMemory(world: World): number {
  let used = 0
  for (const domain of world.domains.values()) if (domain.active) used += domain.current.sizes.memory
  return Math.max(0, node.memory - used) * 1024
}

export function memoryStatsOf(domain: Domain): Record<string, bigint> {
  const memory = BigInt(domain.needActive().sizes.memory)
  return { actual_balloon: memory, available: memory, unused: memory, rss: 0n }
}

export function cpuStatsOf(world: World, domain: Domain): TypedParams {
  domain.needActive()
  const time = cpuTime(world, domain)
  return { cpu_time: time, user_time: time, system_time: 0n }
}

/** Guests in memory read and send nothing. */
export function blockStatsOf(domain: Domain, disk: string): DomainBlockStats {
  domain.needActive()
  if (diskOf(domain, disk) === undefined) throw badArgument(`invalid path: ${disk}`)
  return { rdReq: 0n, rdBytes: 0n, wrReq: 0n, wrBytes: 0n, errs: 0n }
}

/** By the host's end, or by MAC address. */
export function interfaceStatsOf(domain: Domain, device: string): DomainInterfaceStats {
  if (!domain.needActive().parts.interfaces.some(({ target, mac }) => target === device || mac === device)) throw badArgument(`invalid path, '${device}' is not a known interface`)
  return { rxBytes: 0n, rxPackets: 0n, rxErrs: 0n, rxDrop: 0n, txBytes: 0n, txPackets: 0n, txErrs: 0n, txDrop: 0n }
}
