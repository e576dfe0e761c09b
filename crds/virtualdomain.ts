// VirtualDomain: a virtual machine.

import type { Static } from 'typebox'
import {
  boundHypervisorRule, boundNameRule, boundUUIDRule, hostObjectSpec, hypervisorRef, objectUUID, observedOnly, overlay,
} from './common.ts'
import { cloudInit } from './domain/cloudinit.ts'
import { defaultDevices, disks, graphics, interfaces, serials, tpm, video } from './domain/devices.ts'
import { cpu, os } from './domain/machine.ts'
import { status, type VirtualDomainStatus } from './domain/status.ts'
import { columns, type Kind } from './kind.ts'
import type { KubeObject } from './meta.ts'
import { group, version } from './names.ts'
import { about, choice, duration, integer, object, optional, quantity, text } from './schema.ts'

const spec = object({
  hypervisorRef,
  uuid: objectUUID,
  ...hostObjectSpec,
  powerState: optional(choice(['Running', 'Stopped', 'Paused', 'Unmanaged'],
    about('The wished state. Unmanaged: starting and stopping is the business of somebody else. Ignored under ObserveOnly.', 'Running', 'live'), { default: 'Running' })),
  restartPolicy: optional(choice(['Always', 'OnFailure', 'Never'],
    about('Whether a Running guest that ended by itself is started again. A guest that keeps ending is started with growing delays.', 'Always', 'policy'))),
  autostart: optional(choice(['Enabled', 'Disabled', 'Once'],
    about('Whether the host itself starts the domain when it boots; vireo starts Running domains anyway, after their networks and pools. Once needs libvirt 11.2.', 'Disabled', 'live'))),
  shutdown: optional(object({
    mode: optional(text(64, about('How the guest is asked: auto, acpi, agent, initctl, signal or paravirt.', 'auto', 'policy'))),
    gracePeriod: optional(duration(about('How long the guest has to end by itself.', '90s', 'policy'))),
    onTimeout: optional(choice(['PowerOff', 'Wait'], about('What happens after that: cut its power, or keep waiting.', 'PowerOff', 'policy'))),
  }, about('How a guest is shut down.', 'that of its fields', 'policy'))),
  lifecycle: optional(object({
    onPoweroff: optional(text(64, about("libvirt's action when the guest powers off.", "libvirt's, destroy", 'live'))),
    onReboot: optional(text(64, about("libvirt's action when the guest reboots.", "libvirt's, restart", 'live'))),
    onCrash: optional(text(64, about("libvirt's action when the guest crashes, such as preserve.", "libvirt's, destroy", 'live'))),
  }, about('What libvirt itself does when the guest ends.', "libvirt's", 'live'))),
  title: optional(text(255, about('Short title, shown by other libvirt tools.', 'none', 'live'))),
  description: optional(text(4096, about('Description, shown by other libvirt tools.', 'none', 'live'))),
  type: optional(text(64, about("libvirt's domain type.", "kvm where the host has it, else qemu; on other drivers theirs", 'coldStart'))),
  cpus: optional(integer(1, 65536, about('CPUs that the guest has.', '1', 'live', 'Above the maxCpus in force: staged.'))),
  maxCpus: optional(integer(1, 65536, about('CPUs that it may have without a cold start.', 'cpus', 'coldStart'))),
  memory: optional(quantity('1Mi', about('Memory that the guest has, in bytes as a quantity such as 2Gi. Required unless ObserveOnly.', undefined, 'live', 'Above the maxMemory in force: staged.'))),
  maxMemory: optional(quantity('1Mi', about('Memory that it may have without a cold start, in bytes as a quantity.', 'memory', 'coldStart'))),
  cpu: optional(cpu),
  os: optional(os),
  disks: optional(disks),
  interfaces: optional(interfaces),
  graphics: optional(graphics),
  serials: optional(serials),
  defaultDevices: optional(defaultDevices),
  video: optional(video),
  tpm: optional(tpm),
  cloudInit: optional(cloudInit),
  updatePolicy: optional(object({
    restart: optional(choice(['Never', 'OnGuestReboot', 'WhenRequired'],
      about('Whether a running guest is restarted for staged changes. Never: they wait. OnGuestReboot: the next reboot of the guest becomes a cold start; only with restartPolicy Always, for its powering off looks the same then. WhenRequired: vireo asks it to shut down and starts it.', 'Never', 'policy'))),
  }, about('How changes that cannot be applied live reach the guest.', 'restart Never', 'policy'))),
  xml: overlay('XML merged into the <domain> after everything else.', undefined),
}, about('What the virtual machine is.'), {
  rules: [
    {
      rule: '!has(self.memory) || !has(self.maxMemory) || !isQuantity(string(self.memory)) || !isQuantity(string(self.maxMemory)) || quantity(string(self.memory)).compareTo(quantity(string(self.maxMemory))) <= 0',
      message: 'memory must not be above maxMemory',
      messageExpression: "'memory ' + string(self.memory) + ' is above maxMemory ' + string(self.maxMemory)",
    },
    {
      rule: '!has(self.maxCpus) || (has(self.cpus) ? self.cpus : 1) <= self.maxCpus',
      message: 'cpus must not be above maxCpus',
      messageExpression: "'cpus ' + (has(self.cpus) ? string(dyn(self.cpus)) : '1') + ' is above maxCpus ' + string(dyn(self.maxCpus))",
    },
    {
      rule: '!has(self.cpu) || !has(self.cpu.topology)'
        + ' || (has(self.cpu.topology.sockets) ? self.cpu.topology.sockets : 1) * (has(self.cpu.topology.dies) ? self.cpu.topology.dies : 1)'
        + ' * (has(self.cpu.topology.cores) ? self.cpu.topology.cores : 1) * (has(self.cpu.topology.threads) ? self.cpu.topology.threads : 1)'
        + ' == (has(self.maxCpus) ? self.maxCpus : (has(self.cpus) ? self.cpus : 1))',
      message: 'the product of cpu.topology must be maxCpus, or cpus where maxCpus is not set',
      messageExpression: "'the product of cpu.topology must be ' + (has(self.maxCpus) ? string(dyn(self.maxCpus)) : has(self.cpus) ? string(dyn(self.cpus)) : '1') + ', the number of CPUs at most'",
      fieldPath: '.cpu',
    },
  ],
})

export type VirtualDomainSpec = Static<typeof spec>
export type VirtualDomain = KubeObject<VirtualDomainSpec, VirtualDomainStatus>
export { type VirtualDomainStatus }
export type {
  DefaultDevices, DiskEntry, GraphicsEntry, InterfaceEntry, SerialEntry, TpmSpec, VideoSpec,
} from './domain/devices.ts'
export type { BootFile, CpuSpec, OsSpec } from './domain/machine.ts'
export type { CloudInitSpec, CloudInitText } from './domain/cloudinit.ts'
export type {
  ConsoleStatus, DiskStatus, DomainPowerState, GraphicsStatus, InterfaceAddress, InterfaceStatus,
} from './domain/status.ts'

export const virtualDomain: Kind = {
  resource: { group, version, plural: 'virtualdomains', kind: 'VirtualDomain', namespaced: true },
  singular: 'virtualdomain',
  shortNames: ['vd', 'vdom'],
  description: 'A VirtualDomain is a virtual machine on a libvirt host.',
  spec,
  status,
  rules: [
    {
      rule: `has(self.spec.memory) || (${observedOnly})`,
      message: 'is needed: how much memory the guest has, such as 2Gi',
      fieldPath: '.spec.memory',
      reason: 'FieldValueRequired',
    },
    boundHypervisorRule, boundNameRule, boundUUIDRule,
  ],
  columns: [
    columns.of('State', '.status.powerState', 'State of the guest.'),
    columns.ready,
    columns.of('CPUs', '.status.cpus', 'CPUs that the guest has now.', 'integer'),
    columns.of('Memory', '.status.memory', 'Memory that the guest has now.'),
    columns.of('Address', '.status.address', 'Address of the guest.'),
    columns.age,
    columns.wide('Restart', '.status.conditions[?(@.type=="RestartRequired")].status', 'Whether changes wait for a cold start.'),
    columns.hypervisor,
    columns.wide('UUID', '.status.binding.uuid', "libvirt's UUID."),
    columns.reason,
  ],
  selectableFields: ['.status.binding.hypervisor', '.status.powerState'],
}
