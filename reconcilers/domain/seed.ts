// Plans the cloud-init seed: a small image whose name holds the hash of its content, made before the domain refers to it, removed after.

import { createHash } from 'node:crypto'
import type { VirtualDomainSpec } from '../../crds/virtualdomain.ts'

export interface SeedFiles { 'meta-data': string; 'user-data': string; 'network-config'?: string }
export type SeedAction =
  | { type: 'SeedWritten'; reason: string; guarded: true; pool: string; name: string; files: SeedFiles }
  | { type: 'SeedRemoved'; reason: string; guarded: true; pool: string; name: string }

export interface SeedInput {
  /** Wanted now; absent when there is no cloudInit or the object is being deleted. */
  wanted?: { pool: string; name: string; path: string; files: SeedFiles; present: boolean }
  /** Seeds of this domain that are on the host and that no document refers to any more. */
  stale: { pool: string; name: string }[]
}

/** `vireo-UUID-HASH.iso`: the computed UUID makes it ours, the hash says what is in it. */
export const seedPrefix = (uuid: string): string => `vireo-${uuid}-`
export const seedName = (uuid: string, files: SeedFiles): string =>
  `${seedPrefix(uuid)}${createHash('sha256').update(JSON.stringify(files)).digest('hex').slice(0, 12)}.iso`

/** cloud-init's NoCloud files. JSON is YAML, so that no value needs a quoting rule of ours. */
export function seedFiles(spec: NonNullable<VirtualDomainSpec['cloudInit']>, defaults: { hostname: string; uuid: string }, texts: { userData?: string; networkData?: string; metaData?: string }): SeedFiles {
  const hostname = spec.hostname ?? defaults.hostname
  const meta = `instance-id: ${JSON.stringify(spec.instanceID ?? defaults.uuid)}\nlocal-hostname: ${JSON.stringify(hostname)}\n${texts.metaData ?? ''}`
  const account = spec.user
  const user = texts.userData ?? (account === undefined
    ? '#cloud-config\n{}\n'
    : `#cloud-config\n${JSON.stringify({ users: [{ name: account.name, sudo: 'ALL=(ALL) NOPASSWD:ALL', shell: '/bin/bash', lock_passwd: true, ssh_authorized_keys: account.sshAuthorizedKeys ?? [] }] }, null, 2)}\n`)
  return { 'meta-data': meta, 'user-data': user, ...(texts.networkData === undefined ? {} : { 'network-config': texts.networkData }) }
}

export function seedActions(seed: SeedInput | undefined): SeedAction[] {
  if (seed === undefined) return []
  const { wanted, stale } = seed
  const actions: SeedAction[] = []
  if (wanted !== undefined && !wanted.present) actions.push({ type: 'SeedWritten', guarded: true, reason: `Wrote the cloud-init seed ${wanted.name}.`, pool: wanted.pool, name: wanted.name, files: wanted.files })
  for (const { pool, name } of stale) actions.push({ type: 'SeedRemoved', guarded: true, reason: `Removed the cloud-init seed ${name}, which is no longer used.`, pool, name })
  return actions
}
