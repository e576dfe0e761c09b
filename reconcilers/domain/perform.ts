// Makes the driver calls of a domain's actions.

import { Affect, type Connection, CreateFlags, DestroyFlags, type DomainRef, ShutdownFlags, UndefineFlags } from '../../drivers/driver.ts'
import { CallTimeout, ErrorNumber, LibvirtError, isAbsent, isUnsupported } from '../../drivers/errors.ts'
import type { Host } from '../../observed/host.ts'
import { idOf } from '../../observed/mirror.ts'
import { el, serializeXml } from '../../xml/tree.ts'
import { Refusal } from '../plan.ts'
import { keyOf } from '../world.ts'
import { isoImage } from './iso.ts'
import type { LiveAction } from './live.ts'
import { type DomainAction, type DomainInputs, type DomainMemory, type RefusedLive, STAGES_LIVE } from './plan.ts'
import { isHealthyRun } from './power.ts'
import type { SeedAction } from './seed.ts'

const SHUTDOWN: Record<string, number> = { auto: ShutdownFlags.DEFAULT, acpi: ShutdownFlags.ACPI_POWER_BTN, agent: ShutdownFlags.GUEST_AGENT, initctl: ShutdownFlags.INITCTL, signal: ShutdownFlags.SIGNAL, paravirt: ShutdownFlags.PARAVIRT }

const UNDEFINE_ALL = UndefineFlags.MANAGED_SAVE | UndefineFlags.SNAPSHOTS_METADATA | UndefineFlags.CHECKPOINTS_METADATA | UndefineFlags.NVRAM

const LIVE_ACTIONS = new Set<string>(['MemorySet', 'VcpusSet', 'TitleSet', 'DescriptionSet', 'LifecycleSet', 'DeviceAttached', 'DeviceDetached', 'DeviceUpdated'] satisfies LiveAction['type'][])
const isLiveAction = (action: DomainAction): action is LiveAction => LIVE_ACTIONS.has(action.type)

export interface DomainTools {
  /** Learns of each seed that was written to the end. */
  verifiedSeeds: Set<string>
  /** News of an object, by its key. */
  wake: (key: string) => void
}

export async function performDomain(action: DomainAction, inputs: DomainInputs, tools: DomainTools): Promise<void> {
  const { host } = inputs.bound
  const connection = host.use()
  const dom: DomainRef = inputs.observed?.ref ?? { name: inputs.binding.name, uuid: inputs.binding.uuid, id: -1 }
  if (!isLiveAction(action)) return await performOther(action, connection, dom, inputs, tools)
  try {
    await performLive(action, connection, dom, inputs)
  } catch (error) {
    const verdict = error instanceof LibvirtError ? refusal(action, error, inputs.now) : undefined
    if (verdict === undefined) throw error
    if (verdict !== 'asked') inputs.memory.refusedLive.set(action.reason, verdict)
  }
}

/** A guest that holds its tray shut, or a CPU, may give in later. */
const AGAIN = 60_000

/** What a refused live change comes to: staged, tried again later, or (undefined) an error to show. */
function refusal(action: LiveAction, error: LibvirtError, now: number): RefusedLive | 'asked' | undefined {
  const staged: RefusedLive = { path: action.path, current: action.found, desired: action.expected, apply: 'ColdStart' }
  const { code, message } = error
  if (STAGES_LIVE.has(code) || isUnsupported(error)) return staged
  // libvirt has no code of its own for these.
  if (action.type === 'DeviceAttached' && /No more available PCI/.test(message)) return staged
  if (action.type === 'VcpusSet' && /unplug|device_del|timed out/.test(message)) return staged
  if (action.type === 'DeviceUpdated' && action.removable && /tray|locked/.test(message)) return { ...staged, again: now + AGAIN }
  // It stands in `detaching` and is asked for again when that is due.
  return action.type === 'DeviceDetached' ? 'asked' : undefined
}

async function performLive(action: LiveAction, connection: Connection, dom: DomainRef, { memory, now }: DomainInputs): Promise<void> {
  switch (action.type) {
    case 'MemorySet':
      await connection.domainSetMemoryFlags(dom, action.kib, Affect.LIVE)
      memory.askedMemory = { kib: action.kib, at: now }
      return
    case 'VcpusSet': return await connection.domainSetVcpusFlags(dom, action.count, Affect.LIVE)
    case 'TitleSet': return await connection.domainSetMetadata(dom, 1, action.text, null, null, Affect.LIVE)
    case 'DescriptionSet': return await connection.domainSetMetadata(dom, 0, action.text, null, null, Affect.LIVE)
    case 'LifecycleSet':
      await connection.domainSetLifecycleAction(dom, action.event, action.action, Affect.LIVE)
      // The host refuses some pairs of them: what did not go with the old value may go with the new one.
      for (const [reason, refused] of memory.refusedLive) if (refused.path.startsWith('lifecycle.')) memory.refusedLive.delete(reason)
      memory.rebootEnds = action.armed || (action.event === 1 ? undefined : memory.rebootEnds)
      return
    case 'DeviceAttached': return await connection.domainAttachDeviceFlags(dom, action.xml, Affect.LIVE)
    case 'DeviceUpdated': return await connection.domainUpdateDeviceFlags(dom, action.xml, Affect.LIVE)
    case 'DeviceDetached': {
      // The guest lets go later, with an event; until then the request is not repeated. It may do so before the call returns.
      const times = (memory.detaching.get(action.alias)?.times ?? 0) + 1
      memory.detaching.set(action.alias, { asked: now, times, refused: false })
      try {
        await connection.domainDetachDeviceFlags(dom, action.xml, Affect.LIVE)
      } catch (error) {
        if (error instanceof LibvirtError && STAGES_LIVE.has(error.code)) memory.detaching.delete(action.alias)
        throw error
      }
    }
  }
}

async function performOther(action: DomainAction, connection: Connection, dom: DomainRef, inputs: DomainInputs, tools: DomainTools): Promise<void> {
  const { memory, now, object } = inputs
  switch (action.type) {
    case 'Defined':
      await connection.domainDefineXMLFlags(action.xml, 0)
      if (action.adopted !== undefined) memory.adopted = action.adopted
      return
    case 'Released':
      await connection.domainDefineXMLFlags(action.xml, 0)
      return
    case 'AutostartSet': return await connection.domainSetAutostart(dom, action.enabled)
    case 'Started': {
      if (isHealthyRun(memory, now)) memory.ends = 0
      Object.assign(memory, { started: now, ended: undefined, stopping: undefined, recalled: undefined, restarting: undefined, rebootEnds: undefined })
      await connection.domainCreateWithFlags(dom, action.paused ? CreateFlags.PAUSED : CreateFlags.NONE)
      return
    }
    case 'ShutdownRequested':
      try {
        await connection.domainShutdownFlags(dom, SHUTDOWN[object.spec.shutdown?.mode ?? 'auto'] ?? ShutdownFlags.DEFAULT)
      } catch (error) {
        // A guest that hangs, or that cannot be asked in this way, has no more time than another.
        if (error instanceof CallTimeout || (error instanceof LibvirtError && !isAbsent(error, 'domain'))) ending(action, memory, now)
        throw error
      }
      return ending(action, memory, now)
    case 'PoweredOff':
      await connection.domainDestroyFlags(dom, DestroyFlags.DEFAULT)
      return ending(action, memory, now)
    case 'Reset':
      await connection.domainReset(dom)
      if (action.verb !== undefined) memory.handled.reset = action.verb.token
      return
    case 'Resumed': return await connection.domainResume(dom)
    case 'Suspended': return await connection.domainSuspend(dom)
    case 'Undefined': return await undefine(connection, dom)
    // The loop reads the domain after every action; that read is the answer.
    case 'LookedUp': return
    case 'SeedWritten': return await writeSeed(action, inputs, tools)
    case 'SeedRemoved': return await removeSeed(action, inputs.bound.host, tools.verifiedSeeds)
    default: throw new TypeError(`unknown action ${action.type}`)
  }
}

/** From now on the guest's end is not its own. */
function ending({ restart, verb }: Extract<DomainAction, { type: 'ShutdownRequested' | 'PoweredOff' }>, memory: DomainMemory, now: number): void {
  memory.stopping ??= now
  if (restart) memory.restarting = true
  if (verb !== undefined) memory.handled[verb.name] = verb.token
}

/** Gone is what was wanted; drivers that lack a flag are asked again without any. */
async function undefine(connection: Connection, dom: DomainRef): Promise<void> {
  for (const flags of [UNDEFINE_ALL, UNDEFINE_ALL & ~UndefineFlags.NVRAM, UndefineFlags.MANAGED_SAVE | UndefineFlags.SNAPSHOTS_METADATA, 0]) {
    try {
      return await connection.domainUndefineFlags(dom, flags)
    } catch (error) {
      if (isAbsent(error, 'domain')) return
      const lacksFlag = error instanceof LibvirtError && (error.code === ErrorNumber.INVALID_ARG || error.code === ErrorNumber.NO_SUPPORT || error.code === ErrorNumber.OPERATION_UNSUPPORTED)
      if (!lacksFlag || flags === 0) throw error
    }
  }
}

async function writeSeed({ pool, name, files }: Extract<SeedAction, { type: 'SeedWritten' }>, { object, bound: { host, name: hypervisor } }: DomainInputs, { verifiedSeeds, wake }: DomainTools): Promise<void> {
  const key = keyOf(object)
  // A worker waits for no upload: the next place that is free is kept for this object, which is woken then.
  const place = host.streams.takeSoon(key, () => { wake(key) })
  if (place === undefined) throw new Refusal('Updating', `Waiting to write the cloud-init seed: all connections for streams to Hypervisor ${hypervisor} carry transfers (its spec.connection.maxConnections is ${host.streams.max}). The next free one is this domain's.`)
  try {
    const image = isoImage('cidata', { ...files })
    const ref = host.mirror.pool(pool)!.ref
    const connection = host.use()
    const half = await connection.storageVolLookupByName(ref, name).catch((error: unknown) => { if (isAbsent(error, 'volume')) return undefined; throw error })
    if (half !== undefined) await connection.storageVolDelete(half, 0)
    const xml = el('volume', {}, el('name', {}, name), el('capacity', { unit: 'bytes' }, image.length), el('target', {}, el('format', { type: 'raw' }), el('permissions', {}, el('mode', {}, '0600'))))
    const volume = await connection.storageVolCreateXML(ref, serializeXml(xml), 0)
    const path = await connection.storageVolGetPath(volume)
    // One of the same content may have been whole before, and removed.
    verifiedSeeds.delete(path)
    const upload = await (await place.open()).storageVolUpload(volume, 0, image.length, 0)
    await upload.write(image)
    await upload.finish()
    await host.refresh(idOf.volume(pool, name))
    verifiedSeeds.add(path)
  } finally {
    await place.release()
  }
}

async function removeSeed({ pool, name }: Extract<SeedAction, { type: 'SeedRemoved' }>, host: Host, verified: Set<string>): Promise<void> {
  const volume = host.mirror.volume(pool, name)
  if (volume !== undefined) verified.delete(volume.path)
  try {
    if (volume !== undefined) await host.use().storageVolDelete(volume.ref, 0)
  } catch (error) {
    if (!isAbsent(error, 'volume')) throw error
  }
  await host.refresh(idOf.volume(pool, name))
}
