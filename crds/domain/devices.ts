// VirtualDomain, the devices: disks, interfaces, graphics, serials and the ones that every guest gets.

import type { Static } from 'typebox'
import { keyRef, overlay, refAcross } from '../common.ts'
import { about, choice, entryName, exactlyOne, flag, integer, ipAddress, macAddress, mapOf, object, optional, presence, text } from '../schema.ts'

const bootOrder = optional(integer(1, 1024, about('Place in the boot order, 1 first; one number for one device.', "none: libvirt's, first hard disk, then cdrom", 'coldStart')))
const entryOverlay = (element: string) => overlay(`XML merged into the <${element}> of this entry, and nothing else.`, 'coldStart')

const disk = object({
  name: entryName('disk'),
  volumeRef: optional(refAcross('The volume it holds.', 'StorageVolume', undefined, 'coldStart')),
  file: optional(object({
    path: text(1024, about('Path on the host. Has to lie below hostPaths of the Hypervisor, and in no pool.')),
    format: optional(text(64, about("libvirt's name of the format, such as raw or qcow2. Never probed from the content. Other than raw needs foreignObjects: Adopt of the Hypervisor, for a header can name any file of the host.", 'raw'))),
  }, about('A file on the host that vireo does not manage.', undefined, 'coldStart'))),
  device: optional(choice(['disk', 'cdrom', 'floppy', 'lun'], about('What the guest sees.', 'disk', 'coldStart'), { default: 'disk' })),
  bus: optional(text(64, about("libvirt's name of the bus, such as virtio, sata, scsi.", 'chosen by device and machine', 'coldStart'))),
  target: optional(text(32, about('Name of the device, such as vda.', 'the first free one, kept for life', 'coldStart'))),
  bootOrder,
  cache: optional(text(64, about("libvirt's cache mode, such as none or writeback.", "libvirt's", 'coldStart'))),
  io: optional(text(64, about("libvirt's I/O mode: threads, native or io_uring.", "libvirt's", 'coldStart'))),
  discard: optional(text(64, about("What becomes of the guest's discards: unmap or ignore.", "libvirt's", 'coldStart'))),
  serial: optional(text(256, about('Serial number that the guest sees.', 'none', 'coldStart'))),
  readOnly: optional(flag(about('Whether the guest can only read. Needed for a volume of another namespace, and for one that others lie on.', 'false', 'coldStart', 'A cdrom always is.'))),
  shareable: optional(flag(about('Whether several domains may use it at once. Their guests must be able to share it.', 'false', 'coldStart'))),
  xml: entryOverlay('disk'),
}, about('One disk. Exactly one of volumeRef, file; a cdrom or floppy may have neither, which is an empty tray.'), {
  rules: [
    {
      rule: "[has(self.volumeRef), has(self.file)].filter(x, x).size() == 1 || (has(self.device) && self.device in ['cdrom', 'floppy'] && !has(self.volumeRef) && !has(self.file))",
      message: 'a disk needs exactly one of volumeRef, file; only a cdrom or floppy may be empty',
      messageExpression: "'disk ' + self.name + ' needs exactly one of volumeRef, file' + (has(self.device) && self.device in ['cdrom', 'floppy'] ? ', or none for an empty tray' : '')",
    },
  ],
})

export const disks = mapOf('name', disk, 64, about('Disks of the domain.', 'none', 'live', 'Live for adding and removing entries and for the source of a cdrom or floppy; the rest is staged.'))

const iface = object({
  name: entryName('interface'),
  networkRef: optional(object({
    name: text(253, about('Name of the VirtualNetwork.')),
    namespace: optional(text(63, about('Namespace of the VirtualNetwork, whose spec.export has to select this one.', 'the namespace of this object'))),
    portgroup: optional(text(40, about('Portgroup of the network.', 'its default portgroup'))),
  }, about('The network it is plugged into.', undefined, 'live'), { atomic: true })),
  bridge: optional(object({
    name: text(15, about('Name of the bridge. Has to be listed in hostInterfaces of the Hypervisor.')),
  }, about('A bridge of the host it is plugged into.', undefined, 'live'))),
  mac: optional(macAddress(about('MAC address.', '52:54:00 and a hash of UUID and name, so that a rebuilt cluster keeps its leases', 'coldStart'))),
  model: optional(text(64, about("libvirt's name of the model, such as virtio or e1000e.", 'chosen by the machine', 'coldStart'))),
  linkState: optional(choice(['up', 'down'], about('Whether the cable is plugged in.', 'up', 'live'))),
  mtu: optional(integer(68, 65535, about('Largest packet, in bytes.', "the network's", 'coldStart'))),
  bootOrder,
  xml: entryOverlay('interface'),
}, about('One network interface. Exactly one of networkRef, bridge.'), {
  rules: [{
    rule: '[has(self.networkRef), has(self.bridge)].filter(x, x).size() == 1',
    message: 'an interface needs exactly one of networkRef, bridge',
    messageExpression: "'interface ' + self.name + ' needs exactly one of networkRef, bridge'",
  }],
})

export const interfaces = mapOf('name', iface, 32, about('Network interfaces of the domain.', 'none', 'live', 'Live for adding and removing entries and for moving between networks and bridges; the rest is staged.'))

const display = (protocol: string) => object({
  listen: optional(ipAddress(about('Address of the host to listen on.', "the host's, usually 127.0.0.1", 'coldStart'))),
  passwordSecretRef: optional(keyRef('Secret that holds the password. Default: none. Applied live.', 'Secret')),
}, about(`${protocol}; {} takes a free port.`, undefined, 'coldStart'))

const graphic = object({
  name: entryName('display'),
  vnc: optional(display('VNC')),
  spice: optional(display('SPICE')),
  xml: entryOverlay('graphics'),
}, about('One display. Exactly one of vnc, spice.'), { rules: [exactlyOne('a display', ['vnc', 'spice'], true)] })

export const graphics = mapOf('name', graphic, 64, about('Displays of the domain.', 'none', 'coldStart', 'Passwords are applied live.'))

const socketMode = (what: string) => optional(text(64, about(`libvirt's mode: bind ${what}, connect goes to somebody who listens.`, 'bind')))

const serial = object({
  name: entryName('serial port'),
  pty: optional(presence(about('A pseudo terminal of the host; status.consoles shows its path.'))),
  unix: optional(object({
    path: text(107, about('Path of the socket on the host. Has to lie below hostPaths of the Hypervisor.')),
    mode: socketMode('listens there'),
  }, about('A unix socket.'))),
  tcp: optional(object({
    host: text(255, about('Address to listen on or name to connect to.')),
    port: integer(1, 65535, about('TCP port.')),
    mode: socketMode('listens there'),
    protocol: optional(text(64, about("libvirt's protocol: raw, telnet or tls.", 'raw'))),
  }, about('A TCP connection. The host has to be listed in networkHosts of the Hypervisor.'))),
  file: optional(object({
    path: text(1024, about('File on the host that the output goes to. Has to lie below hostPaths of the Hypervisor.')),
  }, about('A file that takes the output.'))),
  log: optional(object({
    file: text(1024, about('File on the host. Has to lie below hostPaths of the Hypervisor.')),
  }, about('Copies the output into a file on the host too.', 'none'))),
  xml: entryOverlay('serial'),
}, about('One serial port. Exactly one of pty, unix, tcp, file.'), { rules: [exactlyOne('a serial port', ['pty', 'unix', 'tcp', 'file'], true)] })

export const serials = mapOf('name', serial, 64, about('Serial ports of the domain, in place of the default console.', 'the console of defaultDevices only', 'coldStart'))

const byDefault = (what: string, when: 'live' | 'coldStart') => optional(choice(['Enabled', 'Disabled'], about(what, 'Enabled where the driver has it', when)))

export const defaultDevices = object({
  serialConsole: byDefault('A serial console.', 'coldStart'),
  guestAgent: byDefault('The channel of the QEMU guest agent.', 'live'),
  rng: byDefault('A source of random numbers.', 'live'),
  memballoon: byDefault('The memory balloon, which memory needs to change live.', 'coldStart'),
}, about('Devices that a domain gets without being asked for.', 'all Enabled where the driver has them'))

export const video = object({
  model: optional(text(64, about("libvirt's name of the model, such as virtio, qxl, vga.", "libvirt's", 'coldStart'))),
  heads: optional(integer(1, 16, about('Screens.', '1', 'coldStart'))),
}, about('The graphics card.', "libvirt's with graphics, else none", 'coldStart'))

export const tpm = object({
  model: optional(text(64, about("libvirt's name of the model, such as tpm-crb or tpm-tis.", "libvirt's", 'coldStart'))),
  version: optional(text(8, about('Version of the standard, in quotes: "2.0" or "1.2".', "libvirt's", 'coldStart'))),
}, about('An emulated TPM.', 'none', 'coldStart'))

export type DiskEntry = Static<typeof disk>
export type InterfaceEntry = Static<typeof iface>
export type GraphicsEntry = Static<typeof graphic>
export type SerialEntry = Static<typeof serial>
export type DefaultDevices = Static<typeof defaultDevices>
export type VideoSpec = Static<typeof video>
export type TpmSpec = Static<typeof tpm>
