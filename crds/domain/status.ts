// VirtualDomain, the status: what the guest has now.

import type { Static } from 'typebox'
import { binding, hostObjectStatus, unseen } from '../common.ts'
import { about, bytes, choice, flag, integer, mapOf, object, optional, text } from '../schema.ts'

const entry = (what: string) => text(64, about(`Name of the ${what} in spec.`))

export const status = object({
  ...hostObjectStatus,
  binding,
  powerState: optional(choice(['Running', 'Stopped', 'Paused', 'Crashed', 'ShuttingDown', 'PMSuspended', 'Blocked'], about('State of the guest.'))),
  powerStateReason: optional(text(64, about("libvirt's reason of the state, in CamelCase, such as Booted or Migrated."))),
  id: optional(integer(0, 0x7fffffff, about('Number of the running domain on the host.'))),
  type: optional(text(64, about("libvirt's domain type, such as kvm."))),
  arch: optional(text(64, about('CPU architecture.'))),
  machine: optional(text(128, about('Machine type that the host pinned.'))),
  cpus: optional(integer(0, 65536, about('CPUs that the guest has now.'))),
  memory: optional(bytes(about('Memory that the guest has now.'))),
  address: optional(text(45, about('The address to show: the first global IPv4 address, else IPv6, in the order of spec.interfaces.'))),
  interfaces: optional(mapOf('name', object({
    name: entry('interface'),
    mac: optional(text(17, about('MAC address.'))),
    target: optional(text(32, about('Name of the device on the host, such as vnet3.'))),
    linkState: optional(choice(['up', 'down'], about('Whether the cable is plugged in.'))),
    addresses: optional(mapOf('address', object({
      address: text(45, about('The address.')),
      prefix: optional(integer(0, 128, about('Prefix length.'))),
      source: choice(['Lease', 'Agent', 'ARP'], about('Who says so: a DHCP lease, the guest agent, or the ARP table of the host.')),
    }, about('One address.')), 64, about('Addresses of the interface.'))),
  }, about('One interface.')), 32, about('Interfaces of spec as they are. Interfaces that the guest made itself are left out.'))),
  disks: optional(mapOf('name', object({
    name: entry('disk'),
    target: optional(text(32, about('Name of the device, such as vda.'))),
    source: optional(text(4096, about('Where the bytes are; absent for an empty tray.'))),
    capacity: optional(bytes(about('Size that the guest sees.'))),
  }, about('One disk.')), 64, about('Disks of spec as they are.'))),
  consoles: optional(mapOf('name', object({
    name: text(64, about("The host's own name for it, such as serial0.")),
    type: text(64, about("libvirt's type, such as pty.")),
    path: optional(text(4096, about('Where it is on the host.'))),
  }, about('One console.')), 64, about('Consoles of the running domain.'))),
  graphics: optional(mapOf('name', object({
    name: entry('display'),
    listen: optional(text(255, about('Address of the host that it listens on.'))),
    port: optional(integer(0, 65535, about('TCP port.'))),
  }, about('One display.')), 64, about('Displays of the running domain.'))),
  guestAgent: optional(object({
    connected: flag(about('Whether the agent answers.')),
    hostname: optional(text(255, about('Name that the guest gives itself.'))),
    os: optional(text(255, about('Operating system of the guest.'))),
  }, about('What the guest agent says.'))),
}, about('What vireo found.'), { default: unseen })

export type VirtualDomainStatus = Static<typeof status>
export type InterfaceStatus = NonNullable<VirtualDomainStatus['interfaces']>[number]
export type InterfaceAddress = NonNullable<InterfaceStatus['addresses']>[number]
export type DiskStatus = NonNullable<VirtualDomainStatus['disks']>[number]
export type ConsoleStatus = NonNullable<VirtualDomainStatus['consoles']>[number]
export type GraphicsStatus = NonNullable<VirtualDomainStatus['graphics']>[number]
export type DomainPowerState = NonNullable<VirtualDomainStatus['powerState']>
