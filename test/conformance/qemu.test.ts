// libvirt's QEMU driver with the network and storage drivers, in a libvirtd of its own. The firmware of its guests halts: they run, and obey nobody.

import { conform } from './conform.ts'
import { daemon, likeQEMU } from './traits.ts'

conform({
  title: 'QEMU (libvirtd 9.0)', domainType: 'qemu', os: "<os><type arch='x86_64' machine='pc'>hvm</type></os>",
  lacks: new Set(),
  traits: { ...likeQEMU, guestsObey: false },
  start: async () => await daemon('qemu:///system'),
})
