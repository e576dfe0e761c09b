// Turns a StoragePool's spec into libvirt's pool document, and finds what an existing document has otherwise.

import type { PoolType, StoragePoolSpec } from '../../crds/storagepool.ts'
import { type XmlElement, attributeOf, childOf, childrenOf, el, textOf } from '../../xml/tree.ts'
import { type Grant, checkPath } from '../policy.ts'

const members = ['dir', 'netfs', 'logical', 'iscsi', 'zfs', 'rbd'] as const satisfies PoolType[]

/** libvirt's type of the pool; undefined where an ObserveOnly object names none. */
export const poolType = (spec: StoragePoolSpec): PoolType | undefined => members.find(member => spec[member] !== undefined)

/** Pools whose volumes are files with a format; the others hold bare block devices. */
export const holdsFiles = (type: string): boolean => type === 'dir' || type === 'netfs' || type === 'fs' || type === 'gluster' || type === 'vstorage'

const plain = (path: string): string => (path === '/' ? path : path.replace(/\/+$/, ''))

/** `ceph1`, `ceph1:3300`, `fd00::1` or `[fd00::1]:3300`. */
function monitor(text: string): XmlElement {
  const match = /^\[([^\]]+)\](?::([0-9]+))?$/.exec(text) ?? /^([^:]+):([0-9]+)$/.exec(text)
  return el('host', { name: match?.[1] ?? text, port: match?.[2] })
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
  if (rbd) return el('source', {}, rbd.monitors.map(monitor), el('name', {}, rbd.name))
  return undefined
}

/** Where the pool lies on the host, as far as the spec says so. */
export function targetPath(spec: StoragePoolSpec): string | undefined {
  if (spec.dir) return plain(spec.dir.path)
  if (spec.netfs) return plain(spec.netfs.path)
  if (spec.logical) return `/dev/${spec.logical.name}`
  if (spec.iscsi) return '/dev/disk/by-path'
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

/** What of the host the spec names has to be granted: folders, and volume groups and data sets by their device paths. */
export function checkPaths(grant: Grant, spec: StoragePoolSpec): void {
  if (spec.dir) checkPath(grant, spec.dir.path, 'spec.dir.path')
  if (spec.netfs) checkPath(grant, spec.netfs.path, 'spec.netfs.path')
  if (spec.logical) {
    checkPath(grant, `/dev/${spec.logical.name}`, 'spec.logical.name')
    for (const device of spec.logical.devices ?? []) checkPath(grant, device, 'spec.logical.devices')
  }
  if (spec.zfs) checkPath(grant, `/dev/zvol/${spec.zfs.name}`, 'spec.zfs.name')
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
