// The status of a Hypervisor: how the connection stands and what the host is. Pure.

import type { Condition } from '../../controller/conditions.ts'
import type { Hypervisor, HypervisorStatus } from '../../crds/hypervisor.ts'
import { formatBytes } from '../../crds/quantity.ts'
import { UriError } from '../../drivers/errors.ts'
import type { Host } from '../../observed/host.ts'
import { guestsOf } from '../capabilities.ts'
import { conditionsOf } from '../outcome.ts'

/** 9,000,000 → 9.0.0, libvirt's own arithmetic. */
export const versionText = (version: number): string | undefined =>
  version === 0 ? undefined : `${Math.floor(version / 1_000_000)}.${Math.floor(version / 1_000) % 1_000}.${version % 1_000}`

/** Counts are written at most this often, ms. */
export const COUNTS_EVERY = 10_000

export interface HypervisorInputs {
  object: Hypervisor
  /** Undefined until the Secrets that it is made with are read. */
  host: Pick<Host, 'state' | 'error' | 'facts' | 'mirror' | 'uri' | 'unsupported'> | undefined
  /** Why the object can't serve, before any connection is asked. */
  invalid?: string
  /** What still refers to it, while it is being deleted. */
  users?: string
  /** Counts may be written anew. */
  countsDue: boolean
  now: number
}

const sentence: Record<Host['state'], string> = {
  Connecting: 'Connecting to the host.',
  Authenticating: 'Connected; each side learns who the other is.',
  Opening: 'Connected; reading what is on the host.',
  Open: 'Connected.',
  Broken: 'The connection is broken.',
  AuthFailed: 'One side does not trust the other.',
  HostChanged: 'Another host answers.',
  Draining: 'What is under way ends before the connection is closed or made anew.',
}

export function describeHypervisor({ object, host, invalid, users, countsDue, now }: HypervisorInputs): HypervisorStatus {
  const observedGeneration = object.metadata.generation ?? 0
  const before = object.status
  const state = host?.state ?? 'Connecting'
  const open = state === 'Open'
  const why = host?.error?.message
  const message = host === undefined ? 'Its Secrets are being read.' : why === undefined ? sentence[state] : state === 'HostChanged' ? `${why}.` : `${sentence[state]} ${why}.`
  const wanted: Omit<Condition, 'lastTransitionTime'>[] = [{ type: 'Connected', status: open ? 'True' : 'False', reason: state, message, observedGeneration }]
  const ready = (status: Condition['status'], reason: string, text: string): void => { wanted.push({ type: 'Ready', status, reason, message: text, observedGeneration }) }
  const stalled = (reason: string, text: string): void => { wanted.push({ type: 'Stalled', status: 'True', reason, message: text, observedGeneration }) }
  if (users !== undefined) {
    ready('False', 'Deleting', `Stays until nothing refers to it: ${users}.`)
    wanted.push({ type: 'DeletionBlocked', status: 'True', reason: 'InUse', message: `Still used by ${users}.`, observedGeneration })
  } else if (invalid !== undefined) {
    ready('False', 'Invalid', invalid)
    stalled('Invalid', invalid)
  } else if (open) ready('True', 'Available', 'Connected; its objects are watched.')
  else if (host?.error instanceof UriError) {
    // However often it is tried, it leads nowhere: somebody has to change the URI, or what the controller allows.
    const reason = host.error.reason === 'forbidden' ? 'Forbidden' : host.error.reason === 'malformed' ? 'Invalid' : 'Unsupported'
    ready('False', reason, `spec.uri: ${why}.`)
    stalled(reason, `spec.uri: ${why}.`)
  } else if (state === 'HostChanged') {
    ready('False', 'HostChanged', message)
    stalled('HostChanged', message)
  } else {
    ready('False', 'WaitingForHypervisor', message)
    wanted.push({ type: 'Reconciling', status: 'True', reason: 'WaitingForHypervisor', message, observedGeneration })
  }
  const conditions: Condition[] = conditionsOf(before?.conditions, wanted, now)
  return { ...facts(host, before, countsDue), observedGeneration, conditions }
}

function facts(host: HypervisorInputs['host'], before: HypervisorStatus | undefined, countsDue: boolean): Partial<HypervisorStatus> {
  const known = host?.facts
  const { observedGeneration: _generation, conditions: _conditions, ...kept } = before ?? { observedGeneration: -1 }
  if (known === undefined) return kept
  const counts = countsDue || kept.domains === undefined
    ? { ...host!.mirror.counts }
    : { domains: kept.domains, runningDomains: kept.runningDomains }
  return {
    driver: known.driver,
    hostname: known.hostname || undefined,
    hostUUID: known.hostUUID,
    libvirtVersion: versionText(known.libvirtVersion),
    hypervisorVersion: versionText(known.hypervisorVersion),
    cpus: known.cpus,
    memory: formatBytes(Math.floor(known.memoryKiB / 1024) * 2 ** 20),
    ...(host!.state === 'Open' ? counts : { domains: kept.domains, runningDomains: kept.runningDomains }),
    guests: guests(known),
    unsupported: host!.unsupported.size === 0 ? undefined : [...host!.unsupported].toSorted().slice(0, 64),
  }
}

const SHORT = /^(q35|pc|virt|microvm|[a-z0-9]+)$/

/** One entry an architecture; machines by their short names, for there are hundreds of versions. */
function guests(known: NonNullable<Host['facts']>): HypervisorStatus['guests'] {
  const byArch = new Map<string, { types: Set<string>; machines: Set<string> }>()
  for (const guest of guestsOf(known)) {
    const entry = byArch.get(guest.arch) ?? { types: new Set<string>(), machines: new Set<string>() }
    for (const type of guest.types) entry.types.add(type)
    for (const machine of guest.machines) if (SHORT.test(machine)) entry.machines.add(machine)
    byArch.set(guest.arch, entry)
  }
  const list = [...byArch].map(([arch, { types, machines }]) => ({ arch, types: [...types].toSorted(), machines: [...machines].toSorted().slice(0, 256) })).toSorted((a, b) => (a.arch < b.arch ? -1 : 1)).slice(0, 64)
  return list.length === 0 ? undefined : list
}

