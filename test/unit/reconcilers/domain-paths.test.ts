// Paths of documents as people know them: the fields of the spec.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { specPath } from '../../../reconcilers/domain/paths.ts'
import { Bed, FULL } from './domain-bed.ts'
import { anySpec } from './domain-specs.ts'

describe('a path of the spec', () => {
  test.each([
    ['memory#text', 'maxMemory'], ['currentMemory#text', 'memory'], ['vcpu#text', 'maxCpus'], ['vcpu@current', 'cpus'],
    ['title', 'title'], ['title#text', 'title'], ['description#text', 'description'], ['@type', 'type'],
    ['os/type@machine', 'os.machine'], ['os/type@arch', 'os.arch'], ['os@firmware', 'os.firmware'], ['os/loader', 'os.firmware'], ['os/nvram@template', 'os.firmware'],
    ['os/bootmenu@enable', 'os.bootMenu'], ['os/kernel#text', 'os.kernelBoot'], ['os/cmdline', 'os.kernelBoot'], ['os/boot', 'disks[].bootOrder'],
    ['cpu@mode', 'cpu.mode'], ['cpu/model#text', 'cpu.mode'], ['cpu/topology@cores', 'cpu.topology'], ['cpu/feature[vmx]', 'cpu.features'],
    ['on_reboot#text', 'lifecycle.onReboot'], ['on_poweroff', 'lifecycle.onPoweroff'], ['on_crash', 'lifecycle.onCrash'],
    ['devices/disk[ua-disk-root]', 'disks[root]'], ['devices/disk[ua-disk-root]/target@bus', 'disks[root].bus'], ['devices/disk[ua-disk-root]/driver@cache', 'disks[root].cache'],
    ['devices/disk[ua-disk-root]/serial#text', 'disks[root].serial'], ['devices/disk[ua-disk-root]/boot@order', 'disks[root].bootOrder'], ['devices/disk[ua-disk-root]/iotune', 'disks[root].xml'],
    ['devices/disk[vdz]', 'disks[vdz]'],
    ['devices/interface[ua-interface-lan]/link@state', 'interfaces[lan].linkState'], ['devices/interface[ua-interface-lan]/mac@address', 'interfaces[lan].mac'],
    ['devices/interface[ua-interface-lan]/model@type', 'interfaces[lan].model'], ['devices/interface[ua-interface-lan]/mtu@size', 'interfaces[lan].mtu'],
    ['devices/interface[ua-interface-lan]/source@network', 'interfaces[lan].networkRef'], ['devices/interface[ua-interface-lan]/source@bridge', 'interfaces[lan].bridge'],
    ['devices/graphics[vnc]@passwd', 'graphics[vnc].passwordSecretRef'], ['devices/graphics[vnc]@listen', 'graphics[vnc].listen'], ['devices/serial[ua-serial-log]', 'serials[log]'],
    ['devices/channel[ua-channel-agent]', 'defaultDevices.guestAgent'], ['devices/rng[ua-rng-default]', 'defaultDevices.rng'], ['devices/serial[ua-serial-default]', 'defaultDevices.serialConsole'], ['devices/memballoon@model', 'defaultDevices.memballoon'],
    ['devices/disk[ua-seed-cloudinit]/source@file', 'cloudInit'], ['devices/video/model@heads', 'video'], ['devices/tpm@model', 'tpm'],
    ['devices/controller[ua-controller-hotplug3]', 'os.machine'], ['devices/controller[pci]', 'os.machine'],
    ['memoryBacking/nosharepages', 'xml(memoryBacking/nosharepages)'],
  ])('%s is %s', (path, field) => { expect(specPath(path)).toBe(field) })

  test('names what is staged by its field, never by libvirt\'s element, whatever changes', () => {
    fc.assert(fc.property(anySpec, spec => {
      const bed = new Bed({ spec: FULL })
      bed.settle()
      bed.edit(old => { Object.assign(old, spec) }).settle()
      for (const change of bed.plan().pending) expect(change.path).not.toMatch(/^xml\(|\.xml$/)
    }), { numRuns: 20 })
  })
})
