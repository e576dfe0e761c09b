// virDomain* over RPC, without tuning, block jobs, snapshots and migration.

import { Affect, MemoryStatTags, XMLFlags, type DomainCalls } from '../../driver.ts'
import { Unsupported } from '../../errors.ts'
import { procedures as p } from '../protocol.ts'
import { ProtocolError, cpusOf } from '../xdr.ts'
import { STRING_OKAY, type Rpc } from './rpc.ts'

/** VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT. */
const STATS_NOWAIT = 1 << 29

export const domainCalls = (rpc: Rpc): DomainCalls => ({
  connectListAllDomains: (flags = 0) => rpc.call(p.connectListAllDomains, { need_results: true, flags }),
  connectGetAllDomainStats: (stats) => rpc.call(p.connectGetAllDomainStats, { doms: [], stats, flags: STATS_NOWAIT }),
  // To the daemon, no domains are all of them.
  domainListGetStats: (doms, stats) => (doms.length === 0 ? Promise.resolve([]) : rpc.call(p.connectGetAllDomainStats, { doms, stats, flags: STATS_NOWAIT })),

  domainLookupByUUID: (uuid) => rpc.call(p.domainLookupByUUID, { uuid }),
  domainLookupByName: (name) => rpc.call(p.domainLookupByName, { name }),
  domainLookupByID: (id) => rpc.call(p.domainLookupByID, { id }),

  // libvirt shows secrets to those alone who may write, and refuses the others the whole document.
  domainGetXMLDesc: (dom, flags) => rpc.call(p.domainGetXMLDesc, { dom, flags: rpc.readOnly ? flags & ~XMLFlags.SECURE : flags }),
  domainGetState: (dom) => rpc.call(p.domainGetState, { dom, flags: 0 }),
  domainGetInfo: (dom) => rpc.call(p.domainGetInfo, { dom }),
  domainGetControlInfo: (dom) => rpc.call(p.domainGetControlInfo, { dom, flags: 0 }),
  domainGetOSType: (dom) => rpc.call(p.domainGetOSType, { dom }),
  domainGetHostname: (dom, flags) => rpc.call(p.domainGetHostname, { dom, flags }),
  domainIsActive: (dom) => rpc.call(p.domainIsActive, { dom }),
  domainIsPersistent: (dom) => rpc.call(p.domainIsPersistent, { dom }),
  domainIsUpdated: (dom) => rpc.call(p.domainIsUpdated, { dom }),
  domainHasManagedSaveImage: (dom) => rpc.call(p.domainHasManagedSaveImage, { dom, flags: 0 }),
  domainInterfaceAddresses: (dom, source) => rpc.call(p.domainInterfaceAddresses, { dom, source, flags: 0 }),
  domainMemoryStats: async (dom) => {
    const stats = await rpc.call(p.domainMemoryStats, { dom, maxStats: 1024, flags: 0 })
    return Object.fromEntries(stats.map(({ tag, val }) => [MemoryStatTags[tag] ?? `tag-${tag}`, val]))
  },
  domainBlockStats: (dom, path) => rpc.call(p.domainBlockStats, { dom, path }),
  domainBlockStatsFlags: (dom, path, flags) => rpc.call(p.domainBlockStatsFlags, { dom, path, nparams: 16, flags: flags | STRING_OKAY }),
  domainInterfaceStats: (dom, device) => rpc.call(p.domainInterfaceStats, { dom, device }),
  domainGetCPUStats: (dom) => rpc.call(p.domainGetCPUStats, { dom, nparams: 16, start_cpu: -1, ncpus: 1, flags: STRING_OKAY }),
  domainGetDiskErrors: (dom) => rpc.call(p.domainGetDiskErrors, { dom, maxerrors: 256, flags: 0 }),
  domainGetMessages: (dom) => rpc.call(p.domainGetMessages, { dom, flags: 0 }),
  domainGetSecurityLabel: (dom) => rpc.call(p.domainGetSecurityLabel, { dom }),
  domainGetSecurityLabelList: (dom) => rpc.call(p.domainGetSecurityLabelList, { dom }),
  domainGetLaunchSecurityInfo: (dom) => rpc.call(p.domainGetLaunchSecurityInfo, { dom, flags: 0 }),
  domainSetLaunchSecurityState: (dom, params) => rpc.call(p.domainSetLaunchSecurityState, { dom, params, flags: 0 }),
  domainGetJobInfo: (dom) => rpc.call(p.domainGetJobInfo, { dom }),
  domainGetJobStats: (dom, flags) => rpc.call(p.domainGetJobStats, { dom, flags }),
  domainBlockPeek: (dom, path, offset, size) => rpc.call(p.domainBlockPeek, { dom, path, offset, size, flags: 0 }),
  domainMemoryPeek: (dom, offset, size, flags) => rpc.call(p.domainMemoryPeek, { dom, offset, size, flags }),
  domainStartDirtyRateCalc: (dom, seconds, flags) => rpc.call(p.domainStartDirtyRateCalc, { dom, seconds, flags }),

  domainGetGuestInfo: (dom, types) => rpc.call(p.domainGetGuestInfo, { dom, types, flags: 0 }),
  domainGetFSInfo: (dom) => rpc.call(p.domainGetFSInfo, { dom, flags: 0 }),
  domainGetGuestVcpus: (dom) => rpc.call(p.domainGetGuestVcpus, { dom, flags: 0 }),
  domainSetGuestVcpus: (dom, cpumap, state) => rpc.call(p.domainSetGuestVcpus, { dom, cpumap, state, flags: 0 }),
  domainGetTime: (dom) => rpc.call(p.domainGetTime, { dom, flags: 0 }),
  domainSetTime: (dom, { seconds, nseconds }, flags) => rpc.call(p.domainSetTime, { dom, seconds, nseconds, flags }),
  domainSetUserPassword: (dom, user, password, flags) => rpc.call(p.domainSetUserPassword, { dom, user, password, flags }),
  domainAuthorizedSSHKeysGet: (dom, user) => rpc.call(p.domainAuthorizedSSHKeysGet, { dom, user, flags: 0 }),
  domainAuthorizedSSHKeysSet: (dom, user, keys, flags) => rpc.call(p.domainAuthorizedSSHKeysSet, { dom, user, keys, flags }),
  domainAgentSetResponseTimeout: async (dom, timeout) => { await rpc.call(p.domainAgentSetResponseTimeout, { dom, timeout, flags: 0 }) },
  domainFSFreeze: (dom, mountpoints) => rpc.call(p.domainFSFreeze, { dom, mountpoints, flags: 0 }),
  domainFSThaw: (dom, mountpoints) => rpc.call(p.domainFSThaw, { dom, mountpoints, flags: 0 }),
  domainFSTrim: (dom, mountPoint, minimum) => rpc.call(p.domainFSTrim, { dom, mountPoint, minimum, flags: 0 }),

  domainGetAutostart: (dom) => rpc.call(p.domainGetAutostart, { dom }),
  domainSetAutostart: (dom, autostart) => rpc.call(p.domainSetAutostart, { dom, autostart }),
  domainGetAutostartOnce: (dom) => rpc.call(p.domainGetAutostartOnce, { dom }),
  domainSetAutostartOnce: (dom, autostart) => rpc.call(p.domainSetAutostartOnce, { dom, autostart }),
  domainSetMemoryFlags: (dom, memory, flags) => (flags === Affect.LIVE
    ? rpc.either(p.domainSetMemoryFlags, { dom, memory, flags }, p.domainSetMemory, { dom, memory })
    : rpc.call(p.domainSetMemoryFlags, { dom, memory, flags })),
  domainSetMemoryStatsPeriod: (dom, period, flags) => rpc.call(p.domainSetMemoryStatsPeriod, { dom, period, flags }),
  domainGetVcpusFlags: (dom, flags) => rpc.call(p.domainGetVcpusFlags, { dom, flags }),
  domainSetVcpusFlags: (dom, nvcpus, flags) => rpc.call(p.domainSetVcpusFlags, { dom, nvcpus, flags }),
  domainSetVcpu: (dom, cpumap, state, flags) => rpc.call(p.domainSetVcpu, { dom, cpumap, state, flags }),
  domainGetVcpus: async (dom, maxinfo, cpus) => {
    const maplen = Math.ceil(cpus / 8)
    const { info, cpumaps } = await rpc.call(p.domainGetVcpus, { dom, maxinfo, maplen })
    if (cpumaps.length < info.length * maplen) throw new ProtocolError(`the host described ${info.length} vCPUs with ${cpumaps.length} bytes of CPU maps`)
    return info.map((vcpu, i) => ({ ...vcpu, cpumap: cpusOf(cpumaps.subarray(i * maplen, (i + 1) * maplen)) }))
  },
  domainGetMetadata: (dom, type, uri, flags) => rpc.call(p.domainGetMetadata, { dom, type, uri, flags }),
  domainSetMetadata: (dom, type, metadata, key, uri, flags) => rpc.call(p.domainSetMetadata, { dom, type, metadata, key, uri, flags }),
  domainSetLifecycleAction: (dom, type, action, flags) => rpc.call(p.domainSetLifecycleAction, { dom, type, action, flags }),
  domainRename: async (dom, name) => { await rpc.call(p.domainRename, { dom, new_name: name, flags: 0 }) },

  domainDefineXMLFlags: (xml, flags) => (flags === 0
    ? rpc.either(p.domainDefineXMLFlags, { xml, flags }, p.domainDefineXML, { xml })
    : rpc.call(p.domainDefineXMLFlags, { xml, flags })),
  domainCreateXML: (xml, flags) => rpc.call(p.domainCreateXML, { xml, flags }),
  domainCreateWithFlags: (dom, flags) => rpc.call(p.domainCreateWithFlags, { dom, flags }),

  domainShutdownFlags: (dom, flags) => rpc.call(p.domainShutdownFlags, { dom, flags }),
  domainReboot: (dom, flags) => rpc.call(p.domainReboot, { dom, flags }),
  domainReset: (dom) => rpc.call(p.domainReset, { dom, flags: 0 }),
  domainDestroyFlags: (dom, flags) => rpc.call(p.domainDestroyFlags, { dom, flags }),
  domainUndefineFlags: (dom, flags) => rpc.call(p.domainUndefineFlags, { dom, flags }),

  domainManagedSave: (dom, flags) => rpc.aside(p.domainManagedSave, { dom, flags }),
  domainManagedSaveRemove: (dom) => rpc.call(p.domainManagedSaveRemove, { dom, flags: 0 }),
  domainManagedSaveGetXMLDesc: (dom, flags) => rpc.call(p.domainManagedSaveGetXMLDesc, { dom, flags }),
  domainManagedSaveDefineXML: (dom, dxml, flags) => rpc.call(p.domainManagedSaveDefineXML, { dom, dxml, flags }),
  domainSaveFlags: async (dom, to, dxml, flags) => {
    try {
      await rpc.aside(p.domainSaveFlags, { dom, to, dxml, flags })
    } catch (error) {
      if (!(error instanceof Unsupported) || dxml !== null || flags !== 0) throw error
      await rpc.aside(p.domainSave, { dom, to })
    }
  },
  domainSaveParams: (dom, params, flags) => rpc.aside(p.domainSaveParams, { dom, params, flags }),
  domainRestoreFlags: (from, dxml, flags) => rpc.aside(p.domainRestoreFlags, { from, dxml, flags }),
  domainRestoreParams: (params, flags) => rpc.aside(p.domainRestoreParams, { params, flags }),
  domainSaveImageGetXMLDesc: (file, flags) => rpc.call(p.domainSaveImageGetXMLDesc, { file, flags }),
  domainSaveImageDefineXML: (file, dxml, flags) => rpc.call(p.domainSaveImageDefineXML, { file, dxml, flags }),
  domainCoreDumpWithFormat: (dom, to, dumpformat, flags) => rpc.aside(p.domainCoreDumpWithFormat, { dom, to, dumpformat, flags }),

  domainSuspend: (dom) => rpc.call(p.domainSuspend, { dom }),
  domainResume: (dom) => rpc.call(p.domainResume, { dom }),
  domainPMSuspendForDuration: (dom, target, duration) => rpc.call(p.domainPMSuspendForDuration, { dom, target, duration, flags: 0 }),
  domainPMWakeup: (dom) => rpc.call(p.domainPMWakeup, { dom, flags: 0 }),
  domainInjectNMI: (dom) => rpc.call(p.domainInjectNMI, { dom, flags: 0 }),
  domainSendKey: (dom, codeset, holdtime, keycodes) => rpc.call(p.domainSendKey, { dom, codeset, holdtime, keycodes, flags: 0 }),
  domainSendProcessSignal: (dom, pid, signum) => rpc.call(p.domainSendProcessSignal, { dom, pid_value: pid, signum, flags: 0 }),
  domainAbortJob: (dom) => rpc.call(p.domainAbortJob, { dom }),
  domainAttachDeviceFlags: (dom, xml, flags) => rpc.call(p.domainAttachDeviceFlags, { dom, xml, flags }),
  domainDetachDeviceFlags: (dom, xml, flags) => rpc.call(p.domainDetachDeviceFlags, { dom, xml, flags }),
  domainDetachDeviceAlias: (dom, alias, flags) => rpc.call(p.domainDetachDeviceAlias, { dom, alias, flags }),
  domainUpdateDeviceFlags: (dom, xml, flags) => rpc.call(p.domainUpdateDeviceFlags, { dom, xml, flags }),
  domainGraphicsReload: (dom, type) => rpc.call(p.domainGraphicsReload, { dom, type, flags: 0 }),

  domainOpenConsole: async (dom, device, flags) => (await rpc.duplex(p.domainOpenConsole, { dom, name: device, flags })).stream,
  domainOpenChannel: async (dom, name, flags) => (await rpc.duplex(p.domainOpenChannel, { dom, name, flags })).stream,
  domainScreenshot: async (dom, screen) => {
    const { stream, ret } = await rpc.download(p.domainScreenshot, { dom, screen, flags: 0 })
    return { mime: ret ?? 'application/octet-stream', stream }
  },

  qemuDomainMonitorCommand: (dom, cmd, flags) => rpc.call(p.qemuDomainMonitorCommand, { dom, cmd, flags }),
  qemuDomainAgentCommand: async (dom, cmd, timeout) => await rpc.call(p.qemuDomainAgentCommand, { dom, cmd, timeout, flags: 0 }) ?? '',
})
