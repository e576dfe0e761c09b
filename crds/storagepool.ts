// StoragePool: where volumes lie on a host.

import type { Static } from 'typebox'
import {
  binding, boundHypervisorRule, boundNameRule, boundUUIDRule, exportTo, frozen, frozenChoice, hostObjectSpec, hostObjectStatus,
  hypervisorRef, objectUUID, observedOnly, recreatePolicy, unseen,
} from './common.ts'
import { columns, type Kind } from './kind.ts'
import type { KubeObject } from './meta.ts'
import { group, version } from './names.ts'
import { about, bytes, choice, hostPath, integer, listOf, object, optional, setOf, text } from './schema.ts'

const members = ['dir', 'netfs', 'logical', 'iscsi', 'zfs', 'rbd'] as const
export type PoolType = (typeof members)[number]
const memberNote = 'The choice of the member cannot change once bound.'

const spec = object({
  hypervisorRef,
  uuid: objectUUID,
  ...hostObjectSpec,
  dir: optional(object({
    path: hostPath(about('The folder.', undefined, 'bound', 'Has to lie below hostPaths of the Hypervisor, and apart from every other pool.')),
  }, about(`A folder on the host. ${memberNote}`))),
  netfs: optional(object({
    host: text(255, about('Name or address of the server.', undefined, 'recreate', 'Has to be listed in networkHosts of the Hypervisor: what it holds the host follows.')),
    dir: text(1024, about('The exported folder on the server.', undefined, 'recreate')),
    path: hostPath(about('Where the host mounts it.', undefined, 'recreate', 'Has to lie below hostPaths of the Hypervisor, and apart from every other pool.')),
    format: optional(text(64, about("libvirt's name of the file system: auto, nfs, glusterfs, cifs.", 'auto', 'recreate'))),
    protocolVersion: optional(text(16, about('NFS version to mount with, such as 4.', 'what server and host agree on', 'recreate'))),
  }, about(`A file system that the host mounts over the network. ${memberNote}`))),
  logical: optional(object({
    name: text(127, about('Name of the volume group.', undefined, 'recreate')),
    devices: optional(setOf(hostPath(about('A block device.')), 64, about('Block devices of the volume group.', 'those it has', 'recreate'))),
  }, about(`An LVM volume group. ${memberNote}`))),
  iscsi: optional(object({
    host: text(255, about('Name or address of the portal.', undefined, 'recreate', 'Has to be listed in networkHosts of the Hypervisor, and /dev/disk/by-path in hostPaths.')),
    port: optional(integer(1, 65535, about('TCP port of the portal.', '3260', 'recreate'))),
    target: text(255, about('iSCSI qualified name of the target.', undefined, 'recreate')),
  }, about(`The logical units of an iSCSI target, attached by the host. ${memberNote}`))),
  zfs: optional(object({
    name: text(255, about('Name of the ZFS pool or data set.', undefined, 'recreate')),
  }, about(`A ZFS pool. ${memberNote}`))),
  rbd: optional(object({
    name: text(255, about('Name of the Ceph pool.', undefined, 'recreate')),
    monitors: listOf(text(255, about('Name or address of a monitor, with :PORT where it is not the usual one. Has to be listed in networkHosts of the Hypervisor.')), 64, about('Monitors, in the order in which they are tried.', undefined, 'recreate')),
  }, about(`A Ceph RBD pool. ${memberNote}`))),
  state: optional(choice(['Active', 'Inactive'], about('Whether the host has the pool started.', 'Active', 'live'), { default: 'Active' })),
  autostart: optional(choice(['Enabled', 'Disabled'], about('Whether the host starts the pool when it boots.', 'Enabled', 'live'))),
  build: optional(choice(['IfMissing', 'Never'],
    about('Whether vireo makes the place the pool lives in, such as the folder, where it is missing. Never over data.', 'IfMissing for dir and netfs, else Never', 'policy'))),
  export: exportTo('pool'),
  updatePolicy: recreatePolicy(['Never', 'WhenUnused']),
}, about('What the pool is. Exactly one of dir, netfs, logical, iscsi, zfs, rbd.'))

const status = object({
  ...hostObjectStatus,
  binding,
  state: optional(choice(['Inactive', 'Building', 'Active', 'Degraded', 'Inaccessible'], about("libvirt's state of the pool."))),
  path: optional(text(4096, about('Where the pool lies on the host.'), { minLength: 0 })),
  capacity: optional(bytes(about('Size of the pool, rounded to Mi. Written after a move of 1 %, at most every 5 min.'))),
  allocation: optional(bytes(about('What of it is used, rounded to Mi. Written after a move of 1 %, at most every 5 min.'))),
  available: optional(bytes(about('What of it is free, rounded to Mi. Written after a move of 1 %, at most every 5 min.'))),
  volumes: optional(integer(0, 0x7fffffff, about('Volumes in it, also those vireo did not create.'))),
}, about('What vireo found.'), { default: unseen })

export type StoragePoolSpec = Static<typeof spec>
export type StoragePoolStatus = Static<typeof status>
export type StoragePool = KubeObject<StoragePoolSpec, StoragePoolStatus>

const count = `[${members.map(m => `has(self.spec.${m})`).join(', ')}].filter(x, x).size()`
const list = members.join(', ')

export const storagePool: Kind = {
  resource: { group, version, plural: 'storagepools', kind: 'StoragePool', namespaced: true },
  singular: 'storagepool',
  shortNames: ['vpool'],
  description: 'A StoragePool is a place on a host where volumes lie: a folder, a volume group, a share.',
  spec,
  status,
  rules: [
    { rule: `${count} == 1 || (${count} == 0 && ${observedOnly})`, message: `needs exactly one of ${list}`, fieldPath: '.spec' },
    boundHypervisorRule, boundNameRule, boundUUIDRule,
    frozenChoice(members, `the type of the pool is bound and cannot change: make a new pool, and clone the volumes into it`),
    frozen('dir.path', 'is bound and cannot change: make a new pool with the other path, and clone the volumes into it'),
  ],
  columns: [
    columns.of('State', '.status.state', 'State of the pool on the host.'),
    columns.ready,
    columns.of('Capacity', '.status.capacity', 'Size of the pool.'),
    columns.of('Available', '.status.available', 'What of it is free.'),
    columns.age,
    columns.hypervisor,
    columns.wide('Path', '.status.path', 'Where it lies on the host.'),
    columns.reason,
  ],
  selectableFields: ['.status.binding.hypervisor'],
}
