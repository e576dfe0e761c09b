// Tunables of domains.

import { Domain, counted, givenParams, listed, typedParams } from '../types.ts'
import { cpuset, int, nothing, opaque, optional, size, string, struct, uint } from '../xdr.ts'
import { changing, domain, domainFlags, flags, reading, since } from './procedure.ts'

const dom = Domain
const CPUMAP_MAX = 2048
const CPUMAPS_MAX = 8_388_608
const cpumap = cpuset(CPUMAP_MAX)
const nparams = int
const params = typedParams(16)
const asked = struct({ dom, nparams, flags })
const given = struct({ dom, params: givenParams(16), flags })
const thread = struct({ dom, iothread_id: uint, flags })

export const tuning = {
  domainGetSchedulerType: reading(56, domain, struct({ type: string, nparams })),
  domainSetMemoryParameters: changing(197, given, nothing),
  domainGetMemoryParameters: reading(198, asked, counted(params)),
  domainSetBlkioParameters: changing(205, given, nothing),
  domainGetBlkioParameters: reading(206, asked, counted(params)),
  domainSetSchedulerParametersFlags: changing(219, given, nothing),
  domainGetSchedulerParametersFlags: reading(223, asked, params),
  domainPinVcpuFlags: changing(225, struct({ dom, vcpu: uint, cpumap, flags }), nothing),
  domainGetVcpuPinInfo: reading(230, struct({ dom, ncpumaps: int, maplen: int, flags }), struct({ cpumaps: opaque(CPUMAPS_MAX), num: int })),
  domainSetBlockIoTune: changing(252, struct({ dom, disk: string, params: givenParams(32), flags }), nothing),
  domainGetBlockIoTune: reading(253, struct({ dom, disk: optional(string), nparams, flags }), counted(typedParams(32))),
  domainSetNumaParameters: changing(254, given, nothing),
  domainGetNumaParameters: reading(255, asked, counted(params)),
  domainSetInterfaceParameters: changing(256, struct({ dom, device: string, params: givenParams(16), flags }), nothing),
  domainGetInterfaceParameters: reading(257, struct({ dom, device: string, nparams, flags }), counted(params)),
  domainPinEmulator: changing(279, struct({ dom, cpumap, flags }), nothing),
  domainGetEmulatorPinInfo: reading(280, struct({ dom, maplen: int, flags }), struct({ cpumaps: cpuset(CPUMAPS_MAX), ret: int })),
  domainGetIOThreadInfo: reading(351, domainFlags, listed(struct({ id: uint, cpumap }))),
  domainPinIOThread: changing(352, struct({ dom, iothreads_id: uint, cpumap, flags }), nothing),
  domainAddIOThread: changing(355, thread, nothing),
  domainDelIOThread: changing(356, thread, nothing),
  domainGetPerfEvents: reading(365, domainFlags, typedParams(64)),
  domainSetPerfEvents: changing(366, struct({ dom, params: givenParams(64), flags }), nothing),
  domainSetBlockThreshold: changing(386, struct({ dom, dev: string, threshold: size, flags }), nothing),
  domainSetThrottleGroup: since(11, 2, changing(451, struct({ dom, group: string, params: givenParams(32), flags }), nothing)),
  domainDelThrottleGroup: since(11, 2, changing(452, struct({ dom, group: optional(string), flags }), nothing)),
  domainSetIOThreadParams: changing(402, struct({ dom, iothread_id: uint, params: givenParams(64), flags }), nothing),
}
