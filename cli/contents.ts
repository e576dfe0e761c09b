// What a host already holds, as manifests of objects that only look at it.

import { createHash } from 'node:crypto'
import { apiVersion } from '../crds/names.ts'
import type { Connection } from '../drivers/driver.ts'
import { orElse } from '../observed/read.ts'

/** By libvirt's names. Of a pool that is not active the volumes are not known. */
export interface Contents { domains: string[]; networks: string[]; pools: { name: string; volumes: string[] }[] }

export interface Manifest { apiVersion: string; kind: string; metadata: { name: string; namespace?: string }; spec: Record<string, unknown> }

/** Seeds of cloud-init belong to their domains. */
const seed = /^vireo-[0-9a-f-]{36}-/

export async function contentsOf(connection: Connection): Promise<Contents> {
  const [domains, networks, pools] = await Promise.all([
    connection.connectListAllDomains(),
    connection.connectListAllNetworks().catch(orElse([])),
    connection.connectListAllStoragePools().catch(orElse([])),
  ])
  return {
    domains: domains.map(({ name }) => name).toSorted(),
    networks: networks.map(({ name }) => name).toSorted(),
    pools: (await Promise.all(pools.map(async pool => ({
      name: pool.name,
      volumes: (await connection.storagePoolListAllVolumes(pool).catch(orElse([]))).map(({ name }) => name).filter(name => !seed.test(name)).toSorted(),
    })))).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  }
}

/** The Hypervisor of that URI, which lets objects look at what vireo did not create. */
export const lookedAt = (name: string, uri: string, byDefault: boolean): Manifest => ({ apiVersion, kind: 'Hypervisor', metadata: { name }, spec: { uri, ...byDefault ? { default: true } : {}, policy: { foreignObjects: 'Observe' } } })

/**
 * An ObserveOnly object for each of them; pools stand before their volumes. `skipped` names what no object can name: a
 * volume with a slash in it.
 */
export function observers({ domains, networks, pools }: Contents, hypervisor: string, namespace: string): { manifests: Manifest[]; skipped: string[] } {
  const manifests: Manifest[] = []
  const skipped: string[] = []
  const add = (kind: string, taken: Set<string>, hostName: string, spec: Record<string, unknown>, readable = hostName): string => {
    const name = objectName(readable, hostName === readable ? readable : `${readable}/`, taken)
    manifests.push({ apiVersion, kind, metadata: { name, namespace }, spec: { managementPolicy: 'ObserveOnly', ...spec, name: hostName } })
    return name
  }
  const hypervisorRef = { name: hypervisor }
  const [networkNames, poolNames, volumeNames, domainNames] = [new Set<string>(), new Set<string>(), new Set<string>(), new Set<string>()]
  for (const network of networks) add('VirtualNetwork', networkNames, network, { hypervisorRef })
  for (const pool of pools) {
    const poolRef = { name: add('StoragePool', poolNames, pool.name, { hypervisorRef }) }
    for (const volume of pool.volumes) {
      if (/[/\n]/.test(volume)) skipped.push(`the volume ${volume} of the pool ${pool.name}`)
      else add('StorageVolume', volumeNames, volume, { poolRef }, volumeNames.has(plain(volume)) ? `${pool.name}-${volume}` : volume)
    }
  }
  for (const domain of domains) add('VirtualDomain', domainNames, domain, { hypervisorRef })
  return { manifests, skipped }
}

/** Letters, digits, dots and dashes, as the API wants them. */
const plain = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9.-]+/g, '-').replaceAll(/-*\.[.-]*/g, '.').replaceAll(/^[.-]+|[.-]+$/g, '').slice(0, 200).replace(/[.-]+$/, '')

/** A name that the API takes, always the same for the same thing: of two that would get the same one, the second has a part of its hash. */
function objectName(readable: string, whole: string, taken: Set<string>): string {
  const short = plain(readable)
  const hash = createHash('sha256').update(whole).digest('hex').slice(0, 8)
  const name = short === '' ? hash : taken.has(short) ? `${short}-${hash}` : short
  taken.add(name)
  return name
}
