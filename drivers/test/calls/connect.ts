// The connection and the machine behind it.

import type { ConnectCalls } from '../../driver.ts'
import { DRIVER_VERSION, LIB_VERSION, MAX_VCPUS, capabilities, domainCapabilities, node } from '../host.ts'
import { freeMemory } from '../stats.ts'
import type { Desk } from './desk.ts'

export const connectCalls = (desk: Desk) => ({
  connectGetType: () => desk.call('connectGetType', () => 'TEST'),
  connectGetVersion: () => desk.call('connectGetVersion', () => DRIVER_VERSION),
  connectGetLibVersion: () => desk.call('connectGetLibVersion', () => LIB_VERSION),
  connectGetHostname: () => desk.call('connectGetHostname', world => `test-${world.name.replaceAll('/', '-')}`),
  connectGetURI: () => desk.call('connectGetURI', () => `test:///${desk.world.name}`),
  connectGetCapabilities: () => desk.call('connectGetCapabilities', world => capabilities(world.name)),
  connectGetDomainCapabilities: (_emulator, arch, machine) => desk.call('connectGetDomainCapabilities', () => domainCapabilities(arch ?? node.model, machine ?? 'pc')),
  nodeGetInfo: () => desk.call('nodeGetInfo', () => ({ ...node })),
  connectIsAlive: () => desk.call('connectIsAlive', () => { /* the answer is all that is asked for */ }),
  connectIsSecure: () => desk.call('connectIsSecure', () => true),
  connectGetMaxVcpus: () => desk.call('connectGetMaxVcpus', () => MAX_VCPUS),
  nodeGetFreeMemory: () => desk.call('nodeGetFreeMemory', world => freeMemory(world)),
  nodeGetCPUMap: () => desk.call('nodeGetCPUMap', () => ({ cpus: node.cpus, online: Array.from({ length: node.cpus }, (_, cpu) => cpu) })),
  nodeGetSecurityModel: () => desk.call('nodeGetSecurityModel', () => ({ model: 'testSecurity', doi: '' })),
} satisfies Partial<ConnectCalls>)
