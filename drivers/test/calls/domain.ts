// Domains: look-up, description, accessors.

import { XMLFlags, type DomainBlockCalls, type DomainCalls } from '../../driver.ts'
import { titleOf, elementOf, setLifecycleAction, setMemory, setMetadata, setVcpusFlags, vcpusOf } from '../domain/tuning.ts'
import { checkFlags } from '../refusal.ts'
import { addressesOf, blockInfoOf, blockResize, blockStatsOf, cpuStatsOf, infoOf, interfaceStatsOf, memoryStatsOf, statsOf } from '../stats.ts'
import type { Desk } from './desk.ts'

export const domainCalls = (desk: Desk) => ({
  connectListAllDomains: (flags = 0) => desk.call('connectListAllDomains', ({ domains }) => domains.list(flags)),
  connectGetAllDomainStats: stats => desk.call('connectGetAllDomainStats', world => statsOf(world, stats)),
  domainLookupByUUID: uuid => desk.call('domainLookupByUUID', ({ domains }) => domains.find({ uuid }).ref),
  domainLookupByName: name => desk.call('domainLookupByName', ({ domains }) => domains.findByName(name).ref),
  domainLookupByID: id => desk.call('domainLookupByID', ({ domains }) => domains.findByID(id).ref),
  domainGetXMLDesc: (dom, flags) => desk.domain('domainGetXMLDesc', dom, (domain, { domains }) => domains.text(domain, desk.readOnly ? flags & ~XMLFlags.SECURE : flags)),
  domainGetState: dom => desk.domain('domainGetState', dom, ({ state, reason }) => ({ state, reason })),
  domainGetInfo: dom => desk.domain('domainGetInfo', dom, (domain, world) => infoOf(world, domain)),
  domainIsPersistent: dom => desk.domain('domainIsPersistent', dom, domain => domain.persistent),
  domainHasManagedSaveImage: dom => desk.domain('domainHasManagedSaveImage', dom, domain => domain.saved !== null),
  domainInterfaceAddresses: (dom, source) => desk.domain('domainInterfaceAddresses', dom, (domain, world) => addressesOf(world, domain, source)),
  domainGetBlockInfo: (dom, path) => desk.domain('domainGetBlockInfo', dom, (domain, world) => blockInfoOf(world, domain, path)),
  domainGetAutostart: dom => desk.domain('domainGetAutostart', dom, ({ autostart }) => autostart),
  domainListGetStats: (doms, stats) => desk.call('domainListGetStats', world => statsOf(world, stats, new Set(doms.map(({ uuid }) => uuid)))),
  domainIsActive: dom => desk.domain('domainIsActive', dom, ({ active }) => active),
  domainIsUpdated: dom => desk.domain('domainIsUpdated', dom, () => false),
  domainGetOSType: dom => desk.domain('domainGetOSType', dom, () => 'hvm'),
  domainGetControlInfo: dom => desk.domain('domainGetControlInfo', dom, domain => {
    domain.needActive()
    return { state: 0, details: 0, stateTime: 0 }
  }),
  domainGetJobInfo: dom => desk.domain('domainGetJobInfo', dom, () => ({ type: 0, timeElapsed: 0, timeRemaining: 0, dataTotal: 0, dataProcessed: 0, dataRemaining: 0, memTotal: 0, memProcessed: 0, memRemaining: 0, fileTotal: 0, fileProcessed: 0, fileRemaining: 0 })),
  domainGetDiskErrors: dom => desk.domain('domainGetDiskErrors', dom, domain => {
    domain.needActive()
    return []
  }),
  domainMemoryStats: dom => desk.domain('domainMemoryStats', dom, memoryStatsOf),
  domainBlockStats: (dom, path) => desk.domain('domainBlockStats', dom, domain => blockStatsOf(domain, path)),
  domainInterfaceStats: (dom, device) => desk.domain('domainInterfaceStats', dom, domain => interfaceStatsOf(domain, device)),
  domainGetCPUStats: dom => desk.domain('domainGetCPUStats', dom, (domain, world) => cpuStatsOf(world, domain)),
  domainGetVcpusFlags: (dom, flags) => desk.domain('domainGetVcpusFlags', dom, domain => vcpusOf(domain, flags)),
  domainGetMetadata: (dom, type, uri, flags) => desk.domain('domainGetMetadata', dom, domain => (type === 2 ? elementOf(domain, uri, flags) : titleOf(domain, type, flags))),
  domainSetAutostart: (dom, autostart) => desk.domain('domainSetAutostart', dom, (domain, { domains }) => domains.setAutostart(domain, autostart)),
  domainSetMemoryFlags: (dom, memory, flags) => desk.call('domainSetMemoryFlags', ({ domains }) => setMemory(() => domains.find(dom), memory, flags)),
  domainSetVcpusFlags: (dom, nvcpus, flags) => desk.call('domainSetVcpusFlags', ({ domains }) => setVcpusFlags(() => domains.find(dom), nvcpus, flags)),
  domainSetMetadata: (dom, type, metadata, key, uri, flags) => desk.call('domainSetMetadata', ({ domains, hub }) => {
    setMetadata(() => domains.find(dom), type, metadata, key, uri, flags)
    hub.emit({ type: 'domain', name: 'metadata-change', dom: domains.find(dom).ref })
  }),
  domainSetLifecycleAction: (dom, type, action, flags) => desk.call('domainSetLifecycleAction', ({ domains }) => setLifecycleAction(() => domains.find(dom), type, action, flags)),
  domainBlockResize: (dom, disk, size, flags) => desk.domain('domainBlockResize', dom, (domain, world) => {
    checkFlags(flags, 1, 'domainBlockResize')
    blockResize(world, domain, disk, (flags & 1) === 0 ? size * 1024 : size)
  }),
} satisfies Partial<DomainCalls & DomainBlockCalls>)
