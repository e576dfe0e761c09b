// Tunables of domains over RPC.

import type { DomainTuningCalls } from '../../driver.ts'
import { ProtocolError, cpusOf } from '../xdr.ts'
import { procedures as p } from '../protocol.ts'
import { STRING_OKAY, type Rpc } from './rpc.ts'

/** How many fields a daemon may answer with; asking for the protocol's limit spares the question how many there are. */
const FIELDS = 16
const DISK_FIELDS = 32

export const tuningCalls = (rpc: Rpc): DomainTuningCalls => ({
  domainGetSchedulerType: async (dom) => (await rpc.call(p.domainGetSchedulerType, { dom })).type,
  domainGetSchedulerParameters: (dom, flags) => rpc.call(p.domainGetSchedulerParametersFlags, { dom, nparams: FIELDS, flags: flags | STRING_OKAY }),
  domainSetSchedulerParameters: (dom, params, flags) => rpc.call(p.domainSetSchedulerParametersFlags, { dom, params, flags }),
  domainGetMemoryParameters: (dom, flags) => rpc.call(p.domainGetMemoryParameters, { dom, nparams: FIELDS, flags: flags | STRING_OKAY }),
  domainSetMemoryParameters: (dom, params, flags) => rpc.call(p.domainSetMemoryParameters, { dom, params, flags }),
  domainGetBlkioParameters: (dom, flags) => rpc.call(p.domainGetBlkioParameters, { dom, nparams: FIELDS, flags: flags | STRING_OKAY }),
  domainSetBlkioParameters: (dom, params, flags) => rpc.call(p.domainSetBlkioParameters, { dom, params, flags }),
  domainGetNumaParameters: (dom, flags) => rpc.call(p.domainGetNumaParameters, { dom, nparams: FIELDS, flags: flags | STRING_OKAY }),
  domainSetNumaParameters: (dom, params, flags) => rpc.call(p.domainSetNumaParameters, { dom, params, flags }),
  domainGetInterfaceParameters: (dom, device, flags) => rpc.call(p.domainGetInterfaceParameters, { dom, device, nparams: FIELDS, flags: flags | STRING_OKAY }),
  domainSetInterfaceParameters: (dom, device, params, flags) => rpc.call(p.domainSetInterfaceParameters, { dom, device, params, flags }),
  domainGetBlockIoTune: (dom, disk, flags) => rpc.call(p.domainGetBlockIoTune, { dom, disk, nparams: DISK_FIELDS, flags: flags | STRING_OKAY }),
  domainSetBlockIoTune: (dom, disk, params, flags) => rpc.call(p.domainSetBlockIoTune, { dom, disk, params, flags }),
  domainSetThrottleGroup: (dom, group, params, flags) => rpc.call(p.domainSetThrottleGroup, { dom, group, params, flags }),
  domainDelThrottleGroup: (dom, group, flags) => rpc.call(p.domainDelThrottleGroup, { dom, group, flags }),
  domainGetPerfEvents: (dom, flags) => rpc.call(p.domainGetPerfEvents, { dom, flags }),
  domainSetPerfEvents: (dom, params, flags) => rpc.call(p.domainSetPerfEvents, { dom, params, flags }),

  domainPinVcpu: (dom, vcpu, cpumap, flags) => rpc.call(p.domainPinVcpuFlags, { dom, vcpu, cpumap, flags }),
  domainGetVcpuPinInfo: async (dom, vcpus, cpus, flags) => {
    const maplen = Math.ceil(cpus / 8)
    const { cpumaps, num } = await rpc.call(p.domainGetVcpuPinInfo, { dom, ncpumaps: vcpus, maplen, flags })
    if (num < 0 || cpumaps.length < num * maplen) throw new ProtocolError(`the host described the pinning of ${num} vCPUs with ${cpumaps.length} bytes of CPU maps`)
    return Array.from({ length: num }, (_, i) => cpusOf(cpumaps.subarray(i * maplen, (i + 1) * maplen)))
  },
  domainPinEmulator: (dom, cpumap, flags) => rpc.call(p.domainPinEmulator, { dom, cpumap, flags }),
  domainGetEmulatorPinInfo: async (dom, cpus, flags) => (await rpc.call(p.domainGetEmulatorPinInfo, { dom, maplen: Math.ceil(cpus / 8), flags })).cpumaps,

  domainGetIOThreadInfo: (dom, flags) => rpc.call(p.domainGetIOThreadInfo, { dom, flags }),
  domainPinIOThread: (dom, id, cpumap, flags) => rpc.call(p.domainPinIOThread, { dom, iothreads_id: id, cpumap, flags }),
  domainAddIOThread: (dom, id, flags) => rpc.call(p.domainAddIOThread, { dom, iothread_id: id, flags }),
  domainDelIOThread: (dom, id, flags) => rpc.call(p.domainDelIOThread, { dom, iothread_id: id, flags }),
  domainSetIOThreadParams: (dom, id, params, flags) => rpc.call(p.domainSetIOThreadParams, { dom, iothread_id: id, params, flags }),
  domainSetBlockThreshold: (dom, dev, threshold) => rpc.call(p.domainSetBlockThreshold, { dom, dev, threshold, flags: 0 }),
})
