// Reads one object from the host: the calls that describe it, made into what the mirror holds.

import { type Connection, type DomainRef, DomainState, type NetworkRef, type StoragePoolRef, XMLFlags } from '../drivers/driver.ts'
import { ErrorNumber, LibvirtError, isAbsent, isSomethingAbsent } from '../drivers/errors.ts'
import { parsed } from '../xml/parsed.ts'
import { attributeOf, childOf, parseXml, textOf } from '../xml/tree.ts'
import { type HostMirror, idOf } from './mirror.ts'
import { type ObservedDomain, type ObservedNetwork, type ObservedPool, bootFiles, diskFacts, interfaceFacts, volumeFrom } from './objects.ts'

/** Parsed facts of a text that has not changed are not computed again. */
function factsOf(before: ObservedDomain | undefined, inactive: string, live: string | undefined): Pick<ObservedDomain, 'disks' | 'interfaces' | 'bootFiles'> {
  if (before !== undefined && before.inactive === inactive && before.live === live) return { disks: before.disks, interfaces: before.interfaces, bootFiles: before.bootFiles }
  const documents = [inactive, ...(live !== undefined && live !== inactive ? [live] : [])].map(parsed)
  return { disks: documents.flatMap(diskFacts), interfaces: documents.flatMap(interfaceFacts), bootFiles: [...new Set(documents.flatMap(bootFiles))] }
}

/**
 * `full` also reads what no event tells of (autostart, persistence); otherwise those are taken from `before`.
 * Rejects with NO_DOMAIN where the domain is absent.
 */
export async function readDomain(connection: Connection, ref: DomainRef, before: ObservedDomain | undefined, full: boolean): Promise<ObservedDomain> {
  const SECURE = XMLFlags.SECURE
  const everything = full || before === undefined
  // What is not known may not be there: one refusal tells as much as four.
  const found = before === undefined ? await connection.domainGetState(ref) : undefined
  const [first, inactive, autostart, persistent] = await Promise.all([
    found ?? connection.domainGetState(ref),
    connection.domainGetXMLDesc(ref, XMLFlags.INACTIVE | SECURE),
    everything ? connection.domainGetAutostart(ref).catch(unsupportedIs(false)) : before.autostart,
    everything ? connection.domainIsPersistent(ref) : before.persistent,
  ])
  // The running id stands in the live document: a look-up would be one more call. A crashed guest may be kept or gone.
  const document = first.state === DomainState.Shutoff ? '' : await connection.domainGetXMLDesc(ref, SECURE)
  const id = Number(/^<domain [^>]*\bid=['"](\d+)/.exec(document)?.[1] ?? -1)
  // A guest that ended between the two calls is off for a reason that only a later look tells.
  const state = first.state !== DomainState.Shutoff && id < 0 ? await connection.domainGetState(ref) : first
  const live = id < 0 ? undefined : document
  const name = /<name>([^<]*)<\/name>/.exec(inactive)?.[1] ?? ref.name
  return { kind: 'domain', ref: { ...ref, id, name: unescape(name) }, ...state, persistent, autostart, inactive, live, ...factsOf(before, inactive, live) }
}

const unescape = (text: string): string => (text.includes('&') ? textOf(parseXml(`<name>${text}</name>`)) : text)

/** Autostart and the like are missing on some drivers; their absence has a plain value. */
const unsupportedIs = <T>(value: T) => (error: unknown): T => {
  if (isSomethingAbsent(error) || !(error instanceof LibvirtError)) throw error
  return value
}

/** A driver that lacks a description, or a pool that cannot look at its volumes now, is no reason to give the connection up. */
export const orElse = <T>(value: T) => (error: unknown): T => {
  if (error instanceof LibvirtError && !isAbsent(error, 'pool') && error.code !== ErrorNumber.RPC) return value
  throw error
}

export async function readNetwork(connection: Connection, ref: NetworkRef): Promise<ObservedNetwork> {
  const [active, autostart, staged] = await Promise.all([
    connection.networkIsActive(ref),
    connection.networkGetAutostart(ref).catch(unsupportedIs(false)),
    // The test driver knows no INACTIVE: a running network's next configuration cannot be read there.
    connection.networkGetXMLDesc(ref, 1).catch((error: unknown) => {
      if (error instanceof LibvirtError && error.code === ErrorNumber.INVALID_ARG) return undefined
      throw error
    }),
  ])
  const live = active || staged === undefined ? await connection.networkGetXMLDesc(ref, 0) : undefined
  const inactive = staged ?? live!
  const bridge = /<bridge [^>]*name=['"]([^'"]+)/.exec(live ?? inactive)?.[1]
  return { kind: 'network', ref, active, autostart, inactive, live: active ? live : undefined, bridge, ...(staged === undefined ? { stagedUnreadable: true } : {}) }
}

export async function readPool(connection: Connection, ref: StoragePoolRef): Promise<ObservedPool> {
  const [active, autostart, xml, info] = await Promise.all([
    connection.storagePoolIsActive(ref),
    connection.storagePoolGetAutostart(ref).catch(unsupportedIs(false)),
    connection.storagePoolGetXMLDesc(ref, 0),
    connection.storagePoolGetInfo(ref),
  ])
  const pool = parsed(xml)
  return { kind: 'pool', ref, active, autostart, xml, info, path: textOf(childOf(pool, 'target', 'path')) || attributeOf(childOf(pool, 'source', 'dir'), 'path') }
}

/** Reads the volumes of an active pool into the mirror, and looks up (never presumes gone) those that the list omits. */
export async function readVolumes(connection: Connection, pool: ObservedPool, mirror: HostMirror): Promise<void> {
  const listed = pool.active ? await connection.storagePoolListAllVolumes(pool.ref) : []
  const names = new Set(listed.map(volume => volume.name))
  if (pool.active) {
    for (const known of mirror.volumesOf(pool.ref.uuid)) if (!names.has(known.ref.name)) listed.push(known.ref)
    await Promise.all(listed.map(async ref => await readVolume(connection, pool, ref.name, mirror)))
  }
}

/** Reads one volume into the mirror. Answers whether it is there. */
export async function readVolume(connection: Connection, pool: Pick<ObservedPool, 'ref'>, name: string, mirror: HostMirror): Promise<boolean> {
  try {
    const ref = await connection.storageVolLookupByName(pool.ref, name)
    mirror.set(volumeFrom(ref, pool.ref.uuid, await connection.storageVolGetXMLDesc(ref)))
    return true
  } catch (error) {
    if (!isAbsent(error, 'volume')) throw error
    mirror.remove(idOf.volume(pool.ref.uuid, name))
    return false
  }
}
