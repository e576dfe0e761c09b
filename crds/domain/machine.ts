// VirtualDomain, the machine: CPU model, firmware and boot.

import type { Static } from 'typebox'
import { refAcross } from '../common.ts'
import { about, choice, duration, exactlyOne, integer, mapOf, object, optional, presence, text } from '../schema.ts'

const part = (what: string) => integer(1, 65536, about(what, '1'))

export const cpu = object({
  mode: optional(text(64, about("libvirt's mode: host-model, host-passthrough, maximum or custom.", "host-model on kvm, else the driver's", 'coldStart'))),
  model: optional(text(64, about('CPU model, such as Skylake-Server, with mode custom.', 'none', 'coldStart'))),
  topology: optional(object({
    sockets: optional(part('Sockets.')),
    dies: optional(part('Dies in a socket.')),
    cores: optional(part('Cores in a die.')),
    threads: optional(part('Threads in a core.')),
  }, about('How the CPUs appear to the guest. The product has to be maxCpus, or cpus where that is not set.', 'as many sockets as CPUs', 'coldStart'))),
  features: optional(mapOf('name', object({
    name: text(64, about('Name of the feature: the key of this entry.')),
    policy: text(64, about("libvirt's policy: force, require, optional, disable or forbid.")),
  }, about('One feature.')), 64, about('CPU features that differ from the model.', 'none', 'coldStart'))),
}, about('What CPU the guest sees.', "host-model on kvm, else the driver's", 'coldStart'), {
  rules: [
    { rule: "!has(self.mode) || self.mode != 'custom' || has(self.model)", message: 'mode custom needs model, the name of a CPU model' },
    { rule: "!has(self.model) || (has(self.mode) && self.mode == 'custom')", message: 'model needs mode: custom' },
  ],
})

const bootFile = (what: string) => object({
  path: optional(text(1024, about('File on the host. Has to lie below hostPaths of the Hypervisor.'))),
  volumeRef: optional(refAcross('A volume that holds it.', 'StorageVolume', undefined, 'coldStart')),
}, about(`${what} Exactly one of path, volumeRef.`), { rules: [exactlyOne('the file', ['path', 'volumeRef'])] })

export const os = object({
  arch: optional(text(64, about('CPU architecture, such as x86_64.', "the host's", 'coldStart'))),
  machine: optional(text(128, about('Machine type, such as q35 or pc-q35-7.2. The host pins a short name when it defines the domain; status.machine shows the result.', 'the newest q35, pc or virt of the host', 'coldStart'))),
  firmware: optional(object({
    bios: optional(presence(about('The BIOS of the machine.'))),
    uefi: optional(object({
      secureBoot: optional(choice(['Enabled', 'Disabled'], about('Whether only signed boot loaders run.', "the host's", 'coldStart'))),
      loader: optional(text(1024, about('Firmware image on the host. Has to lie below hostPaths of the Hypervisor.', 'chosen by the host', 'coldStart'))),
      nvram: optional(object({
        path: optional(text(1024, about('File of the variables on the host. Has to lie below hostPaths of the Hypervisor.', "libvirt's"))),
        template: optional(text(1024, about('File that the variables start from. Has to lie below hostPaths of the Hypervisor.', 'chosen by the host'))),
      }, about('Where the firmware keeps its variables.', "libvirt's", 'coldStart'))),
    }, about('UEFI; {} lets the host choose the image.'))),
  }, about('Firmware: exactly one of bios, uefi.', 'bios where the machine has it, else uefi', 'coldStart'), {
    rules: [exactlyOne('firmware', ['bios', 'uefi'], true)],
  })),
  bootMenu: optional(object({
    state: choice(['Enabled', 'Disabled'], about('Whether the firmware offers a boot menu.')),
    timeout: optional(duration(about('How long the menu waits, at most 65s.', "the firmware's"))),
  }, about('The boot menu of the firmware.', 'Disabled', 'coldStart'))),
  kernelBoot: optional(object({
    kernel: bootFile('The kernel.'),
    initrd: optional(bootFile('The initial RAM disk.')),
    cmdline: optional(text(4096, about('Command line of the kernel.', 'none'), { minLength: 0 })),
  }, about('Starts a kernel directly, without a boot loader on a disk.', 'none', 'coldStart'))),
}, about('Machine, firmware and the way the guest starts.', "the host's", 'coldStart'))

export type CpuSpec = Static<typeof cpu>
export type OsSpec = Static<typeof os>
export type BootFile = NonNullable<OsSpec['kernelBoot']>['kernel']
