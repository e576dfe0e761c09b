// Turns a StoragePool's spec into libvirt's pool document, and finds what an existing document has otherwise.

import type { PoolType, StoragePoolSpec } from '../../crds/storagepool.ts'
import { type XmlElement, attributeOf, childOf, childrenOf, el, textOf } from '../../xml/tree.ts'
import { type Grant, checkFolder, checkNetworkHost, checkPlace, plainPath } from '../policy.ts'

const members = ['dir', 'netfs', 'logical', 'iscsi', 'zfs', 'rbd'] as const satisfies PoolType[]

/** libvirt's type of the pool; undefined where an ObserveOnly object names none. */
export const poolType = (spec: StoragePoolSpec): PoolType | undefined => members.find(member => spec[member] !== undefined)

/** Pools whose volumes are files with a format; the others hold bare block devices. */
export const holdsFiles = (type: string): boolean => type === 'dir' || type === 'netfs' || type === 'fs' || type === 'gluster' || type === 'vstorage'

const plain = (path: string): string => plainPath(path) || '/'

/** `ceph1`, `ceph1:3300`, `fd00::1` or `[fd00::1]:3300`. */
function monitor(text: string): { name: string; port?: string } {
  const match = /^\[([^\]]+)\](?::([0-9]+))?$/.exec(text) ?? /^([^:]+):([0-9]+)$/.exec(text)
  return { name: match?.[1] ?? text, port: match?.[2] }
}

function source(spec: StoragePoolSpec): XmlElement | undefined {
  const { netfs, logical, iscsi, zfs, rbd } = spec
  if (netfs) {
    return el('source', {},
      el('host', { name: netfs.host }), el('dir', { path: netfs.dir }), el('format', { type: netfs.format ?? 'auto' }),
      netfs.protocolVersion !== undefined && el('protocol', { ver: netfs.protocolVersion }))
  }
  if (logical) return el('source', {}, (logical.devices ?? []).toSorted().map(path => el('device', { path })), el('name', {}, logical.name), el('format', { type: 'lvm2' }))
  if (iscsi) return el('source', {}, el('host', { name: iscsi.host, port: iscsi.port }), el('device', { path: iscsi.target }))
  if (zfs) return el('source', {}, el('name', {}, zfs.name))
  if (rbd) return el('source', {}, rbd.monitors.map(text => el('host', monitor(text))), el('name', {}, rbd.name))
  return undefined
}

/** Where the pool lies on the host, as far as the spec says so. */
export function targetPath(spec: StoragePoolSpec): string | undefined {
  if (spec.dir) return plain(spec.dir.path)
  if (spec.netfs) return plain(spec.netfs.path)
  if (spec.logical) return `/dev/${spec.logical.name}`
  if (spec.iscsi) return BY_PATH
  return undefined
}

export function renderPool(spec: StoragePoolSpec, identity: { name: string; uuid: string }): XmlElement {
  const path = targetPath(spec)
  return el('pool', { type: poolType(spec) },
    el('name', {}, identity.name),
    el('uuid', {}, identity.uuid),
    source(spec),
    path !== undefined && el('target', {}, el('path', {}, path)))
}

/** Block devices of what an iSCSI target offers: a folder of links that all such pools share. */
const BY_PATH = '/dev/disk/by-path'

/**
 * What of the host the spec names has to be granted: folders, volume groups and data sets by their device paths, and the
 * servers whose content the host will follow, links included.
 */
export function checkPlaces(grant: Grant, spec: StoragePoolSpec): void {
  const { dir, netfs, logical, iscsi, zfs, rbd } = spec
  if (dir) checkFolder(grant, dir.path, 'spec.dir.path')
  if (netfs) {
    checkFolder(grant, netfs.path, 'spec.netfs.path')
    checkNetworkHost(grant, netfs.host, undefined, 'spec.netfs.host')
  }
  if (logical) {
    checkPlace(grant, `/dev/${logical.name}`, 'spec.logical.name')
    for (const device of logical.devices ?? []) checkPlace(grant, device, 'spec.logical.devices')
  }
  if (iscsi) {
    checkPlace(grant, BY_PATH, 'spec.iscsi')
    checkNetworkHost(grant, iscsi.host, iscsi.port ?? 3260, 'spec.iscsi.host')
  }
  if (zfs) checkPlace(grant, `/dev/zvol/${zfs.name}`, 'spec.zfs.name')
  // Without a monitor it would be whatever cluster the host is set up for.
  if (rbd) for (const { name, port } of rbd.monitors.length === 0 ? [{ name: '', port: undefined }] : rbd.monitors.map(monitor)) checkNetworkHost(grant, name, port, 'spec.rbd.monitors')
}

export interface Difference { path: string; found?: string; wanted?: string }

const listed = (elements: XmlElement[], attribute: string): string => elements.map(element => element.attributes[attribute] ?? '').toSorted().join(', ')
const hosts = (elements: XmlElement[]): string => elements.map(host => [host.attributes.name, host.attributes.port].filter(part => part !== undefined).join(':')).join(', ')

/** What the spec says otherwise than the document that the host holds. What the spec leaves out is not compared. */
export function differences(found: XmlElement, spec: StoragePoolSpec): Difference[] {
  const type = poolType(spec)
  if (type === undefined) return []
  if (found.attributes.type !== type) return [{ path: 'type', found: found.attributes.type, wanted: type }]
  const wanted = renderPool(spec, { name: '', uuid: '' })
  const list: Difference[] = []
  const compare = (path: string, read: (pool: XmlElement) => string | undefined): void => {
    const [was, is] = [read(found) || undefined, read(wanted) || undefined]
    if (is !== undefined && was !== is) list.push({ path: `${type}.${path}`, found: was, wanted: is })
  }
  const ofHost = (name: string) => (pool: XmlElement): string | undefined => attributeOf(childOf(pool, 'source', 'host'), name)
  const sourceName = (pool: XmlElement): string => textOf(childOf(pool, 'source', 'name')).trim()
  const target = (pool: XmlElement): string => textOf(childOf(pool, 'target', 'path')).trim()
  switch (type) {
    case 'dir':
      compare('path', target)
      break
    case 'netfs':
      compare('host', ofHost('name'))
      compare('dir', pool => attributeOf(childOf(pool, 'source', 'dir'), 'path'))
      compare('path', target)
      compare('format', pool => attributeOf(childOf(pool, 'source', 'format'), 'type'))
      compare('protocolVersion', pool => attributeOf(childOf(pool, 'source', 'protocol'), 'ver'))
      break
    case 'logical':
      compare('name', sourceName)
      if (spec.logical?.devices) compare('devices', pool => listed(childrenOf(childOf(pool, 'source'), 'device'), 'path'))
      break
    case 'iscsi':
      compare('host', ofHost('name'))
      compare('port', ofHost('port'))
      compare('target', pool => attributeOf(childOf(pool, 'source', 'device'), 'path'))
      break
    case 'zfs':
      compare('name', sourceName)
      break
    case 'rbd':
      compare('name', sourceName)
      compare('monitors', pool => hosts(childrenOf(childOf(pool, 'source'), 'host')))
      break
  }
  return list
}
