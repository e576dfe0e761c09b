// All domains of a host: look-up, definition and power, each change with its events in the order of QEMU's driver.

import { CreateFlags, DomainState, ListDomainsFlags as F, SnapshotCreateFlags, SnapshotRevertFlags, UndefineFlags, type DomainRef } from '../../driver.ts'
import { ErrorNumber } from '../../errors.ts'
import { childOf, textOf } from '../../../xml/tree.ts'
import { passes } from '../calls/lists.ts'
import type { Guests } from '../guests.ts'
import { From, Refusal, badArgument, badXml, checkFlags, failed, invalid } from '../refusal.ts'
import { normalUUID } from '../values.ts'
import { StoredDomain, readDomain, type DomainDocument } from './definition.ts'
import { Domain, Reason } from './domain.ts'
import { Snapshots, readSnapshot, type Snapshot } from './snapshots.ts'
import { inactiveOf, inactiveText, withoutSecrets } from './live.ts'

/** virDomainEventType with its details. */
const Lifecycle = {
  defined: { added: [0, 0], updated: [0, 1], renamed: [0, 2], fromSnapshot: [0, 3] }, undefined: { removed: [1, 0], renamed: [1, 1] }, started: { booted: [2, 0], restored: [2, 2], fromSnapshot: [2, 3] }, suspended: { paused: [3, 0], restored: [3, 4], fromSnapshot: [3, 5] },
  resumed: { unpaused: [4, 0], restored: [4, 2] }, stopped: { shutdown: [5, 0], destroyed: [5, 1], saved: [5, 4], fromSnapshot: [5, 6] }, shutdown: { guest: [6, 1], host: [6, 2] },
} as const
const stateFlags: Partial<Record<DomainState, number>> = { [DomainState.Running]: F.RUNNING, [DomainState.Paused]: F.PAUSED, [DomainState.Shutoff]: F.SHUTOFF }
type LifecycleEvent = readonly [event: number, detail: number]

/** A run that goes on under another id. */
function withID(live: DomainDocument, id: number): DomainDocument {
  const tree = live.copy()
  tree.attributes.id = String(id)
  return new StoredDomain(tree)
}

const noDomain = (what: string): Refusal => new Refusal(ErrorNumber.NO_DOMAIN, From.TEST, `Domain not found: no domain with matching ${what}`)

export class Domains {
  readonly #guests: Guests
  readonly #byUUID = new Map<string, Domain>()
  readonly #byName = new Map<string, Domain>()
  readonly #byID = new Map<number, Domain>()
  #nextID = 1

  constructor(guests: Guests) { this.#guests = guests }

  values(): Iterable<Domain> { return this.#byUUID.values() }

  /** Flags of ListDomainsFlags. */
  list(flags: number): DomainRef[] {
    const states = flags & (F.RUNNING | F.PAUSED | F.SHUTOFF | F.OTHER)
    return Array.from(this.values()).filter(domain => flags === 0 || (
      passes(flags, F.ACTIVE, F.INACTIVE, domain.active) && passes(flags, F.PERSISTENT, F.TRANSIENT, domain.persistent) && passes(flags, F.AUTOSTART, F.NO_AUTOSTART, domain.autostart)
      && passes(flags, F.MANAGEDSAVE, F.NO_MANAGEDSAVE, domain.saved !== null) && passes(flags, F.HAS_SNAPSHOT, F.NO_SNAPSHOT, (domain.snapshots?.all.size ?? 0) > 0) && passes(flags, F.HAS_CHECKPOINT, F.NO_CHECKPOINT, false)
      && (states === 0 || (states & (stateFlags[domain.state] ?? F.OTHER)) !== 0))).map(({ ref }) => ref)
  }

  find({ uuid, name }: { uuid: string; name?: string }): Domain {
    const found = this.#byUUID.get(uuid) ?? this.#byUUID.get(normalUUID(uuid) ?? '')
    if (found === undefined) throw noDomain(`uuid '${uuid}'${name === undefined ? '' : ` (${name})`}`)
    return found
  }

  findByName(name: string): Domain {
    const found = this.#byName.get(name)
    if (found === undefined) throw noDomain(`name '${name}'`)
    return found
  }

  findByID(id: number): Domain {
    if (id < 0) throw new Refusal(ErrorNumber.INVALID_ARG, From.DOMAIN, 'id in virDomainLookupByID must be zero or greater')
    const found = this.#byID.get(id)
    if (found === undefined) throw noDomain(`id ${id}`)
    return found
  }

  /** `flags` of XMLFlags; what else libvirt knows (UPDATE_CPU, MIGRATABLE) changes nothing here. */
  text(domain: Domain, flags: number): string {
    checkFlags(flags, 15, 'domainGetXMLDesc')
    const inactive = (flags & 2) !== 0
    if (inactive && domain.config === null) return inactiveText(domain.live!)
    const document = inactive ? domain.config! : domain.current
    return (flags & 1) === 0 ? withoutSecrets(document) : document.text
  }

  define(text: string, flags: number): Domain {
    checkFlags(flags, 1, 'domainDefineXMLFlags')
    return this.place(readDomain(text, (flags & 1) !== 0))
  }

  /** Puts a definition into the table: a new domain, the next configuration of one that is there, or what makes a transient one persistent. */
  place({ name, uuid, document }: { name: string; uuid: string; document: DomainDocument }): Domain {
    const domain = this.#match(uuid, name) ?? this.#add(uuid, name)
    const updated = domain.everDefined
    domain.config = document
    domain.everDefined = true
    this.#emit(domain, updated ? Lifecycle.defined.updated : Lifecycle.defined.added)
    return domain
  }

  #match(uuid: string, name: string): Domain | undefined {
    const known = this.#byUUID.get(uuid)
    if (known !== undefined && known.name !== name) throw failed(`domain '${known.name}' is already defined with uuid ${uuid}`, From.DOMAIN)
    const namesake = this.#byName.get(name)
    if (namesake !== undefined && namesake !== known) throw failed(`domain '${name}' already exists with uuid ${namesake.uuid}`, From.DOMAIN)
    return known
  }

  #add(uuid: string, name: string): Domain {
    const domain = new Domain(uuid, name)
    this.#byUUID.set(uuid, domain)
    this.#byName.set(name, domain)
    return domain
  }

  #remove(domain: Domain): void {
    this.#byUUID.delete(domain.uuid)
    this.#byName.delete(domain.name)
    domain.snapshots?.clear()
  }

  undefine(domain: Domain, flags: number): void {
    checkFlags(flags, 127, 'domainUndefineFlags')
    if ((flags & UndefineFlags.NVRAM) !== 0 && (flags & UndefineFlags.KEEP_NVRAM) !== 0) throw invalid('cannot both keep and delete nvram')
    if ((flags & UndefineFlags.TPM) !== 0 && (flags & UndefineFlags.KEEP_TPM) !== 0) throw invalid('cannot both keep and delete TPM')
    if (domain.config === null) throw invalid('cannot undefine transient domain')
    if (domain.saved !== null && (flags & UndefineFlags.MANAGED_SAVE) === 0) throw invalid('Refusing to undefine while domain managed save image exists')
    const snapshots = domain.snapshots?.all.size ?? 0
    if (!domain.active && snapshots > 0 && (flags & UndefineFlags.SNAPSHOTS_METADATA) === 0) throw invalid(`cannot delete inactive domain with ${snapshots} snapshots`)
    domain.saved = null
    domain.config = null
    domain.autostart = false
    if (!domain.active) this.#remove(domain)
    this.#emit(domain, Lifecycle.undefined.removed)
  }

  /** Makes a running domain one that never was defined. */
  forget(domain: Domain): void {
    domain.config = null
    domain.everDefined = false
  }

  setAutostart(domain: Domain, autostart: boolean): void {
    if (!domain.persistent) throw invalid('cannot set autostart for transient domain')
    domain.autostart = autostart
  }

  /** Starts a domain that is defined, from its managed save where it has one. */
  create(domain: Domain, flags: number): void {
    checkFlags(flags, CreateFlags.PAUSED | CreateFlags.FORCE_BOOT | 38, 'domainCreateWithFlags')
    if (domain.active) throw invalid('domain is already running')
    const saved = (flags & CreateFlags.FORCE_BOOT) === 0 ? domain.saved : null
    domain.saved = null
    const paused = (flags & CreateFlags.PAUSED) !== 0
    if (saved === null) this.#boot(domain, domain.config!, paused)
    else this.#restore(domain, saved.live, paused || saved.paused)
  }

  /** Starts what the document says: a transient domain, or one run of a domain that is defined and shut off. */
  createXML(text: string, flags: number): Domain {
    checkFlags(flags, CreateFlags.PAUSED | 38 | 64, 'domainCreateXML')
    const { name, uuid, document } = readDomain(text, (flags & 64) !== 0)
    const known = this.#match(uuid, name)
    if (known?.active) throw invalid(`domain '${name}' is already active`, From.DOMAIN)
    const domain = known ?? this.#add(uuid, name)
    try {
      this.#boot(domain, document, (flags & CreateFlags.PAUSED) !== 0)
    } catch (error) {
      if (known === undefined) this.#remove(domain)
      throw error
    }
    return domain
  }

  #boot(domain: Domain, definition: DomainDocument, paused: boolean): void {
    try {
      this.#guests.check(definition.parts)
    } catch (error) {
      domain.set(DomainState.Shutoff, Reason.shutoff.failed)
      throw error
    }
    this.#run(domain, this.#guests.enter(definition, this.#nextID))
    if (definition.parts.agent) this.#guests.agent(domain, false)
    if (!paused) {
      domain.set(DomainState.Running, Reason.running.booted)
      this.#emit(domain, Lifecycle.resumed.unpaused)
    }
    this.#emit(domain, Lifecycle.started.booted)
    if (paused) {
      domain.set(DomainState.Paused, Reason.paused.user)
      this.#emit(domain, Lifecycle.suspended.paused)
    } else if (definition.parts.agent) this.#guests.agent(domain, true)
  }

  #restore(domain: Domain, live: DomainDocument, paused: boolean): void {
    this.#run(domain, withID(live, this.#nextID))
    this.#emit(domain, Lifecycle.started.restored)
    if (paused) {
      // A restored guest came in as a migrated one does.
      domain.set(DomainState.Paused, Reason.paused.migration)
      this.#emit(domain, Lifecycle.suspended.restored)
      return
    }
    this.#resumed(domain, Reason.running.restored, Lifecycle.resumed.restored)
  }

  /** The document runs from now on. */
  #run(domain: Domain, live: DomainDocument): void {
    domain.id = this.#nextID++
    domain.live = live
    domain.started = this.#guests.clock.now()
    this.#byID.set(domain.id, domain)
    this.#guests.lease(domain)
  }

  suspend(domain: Domain): void {
    domain.needActive()
    if (domain.state === DomainState.Paused) return
    domain.set(DomainState.Paused, Reason.paused.user)
    this.#emit(domain, Lifecycle.suspended.paused)
  }

  resume(domain: Domain): void {
    domain.needActive()
    if (domain.state !== DomainState.Paused) throw invalid('domain is already running')
    this.#resumed(domain, Reason.running.unpaused, Lifecycle.resumed.unpaused)
  }

  /** Asks the guest, which takes its time. */
  shutdown(domain: Domain, flags: number): void {
    checkFlags(flags, 3, 'domainShutdownFlags')
    if (domain.live === null || domain.state === DomainState.Paused) throw invalid('domain is not running')
    this.#needAgent(domain, (flags & 2) !== 0 && (flags & 1) === 0)
    const run = domain.id
    this.#guests.later(domain, () => {
      if (domain.id !== run || domain.state !== DomainState.Running) return
      this.#endsItself(domain, 'on_poweroff')
    })
  }

  reboot(domain: Domain, flags: number): void {
    checkFlags(flags, 3, 'domainReboot')
    domain.needActive()
    this.#needAgent(domain, (flags & 2) !== 0 && (flags & 1) === 0)
    const run = domain.id
    this.#guests.later(domain, () => {
      if (domain.id !== run || domain.state !== DomainState.Running) return
      this.#endsItself(domain, 'on_reboot')
    })
  }

  /** The guest powers off or reboots; the domain's own settings say what comes of it. */
  #endsItself(domain: Domain, event: 'on_poweroff' | 'on_reboot'): void {
    const action = textOf(childOf(domain.live!.tree, event))
    if (action === 'restart' || action === 'rename-restart') return this.#emitOther(domain, 'reboot')
    this.#emit(domain, Lifecycle.shutdown.guest)
    this.#stop(domain, Reason.shutoff.shutdown, Lifecycle.stopped.shutdown)
  }

  #needAgent(domain: Domain, wanted: boolean): void {
    if (wanted && !domain.live!.parts.agent) throw new Refusal(ErrorNumber.ARGUMENT_UNSUPPORTED, From.TEST, 'argument unsupported: QEMU guest agent is not configured')
  }

  reset(domain: Domain): void {
    domain.needActive()
    this.#emitOther(domain, 'reboot')
  }

  destroy(domain: Domain, flags: number): void {
    checkFlags(flags, 1, 'domainDestroyFlags')
    domain.needActive()
    this.#emit(domain, Lifecycle.shutdown.host)
    this.#stop(domain, Reason.shutoff.destroyed, Lifecycle.stopped.destroyed)
  }

  /** The run is over: a transient domain is gone with it. */
  #stop(domain: Domain, reason: number, event: LifecycleEvent): void {
    this.#byID.delete(domain.id)
    this.#guests.release(domain)
    domain.id = -1
    domain.live = null
    domain.removing = undefined
    domain.set(DomainState.Shutoff, reason)
    if (!domain.persistent) this.#remove(domain)
    this.#emit(domain, event)
  }

  managedSave(domain: Domain, flags: number): void {
    checkFlags(flags, 7, 'domainManagedSave')
    const live = domain.needActive()
    if (!domain.persistent) throw invalid('cannot do managed save for transient domain')
    if ((flags & 6) === 6) throw badArgument('VIR_DOMAIN_SAVE_RUNNING and VIR_DOMAIN_SAVE_PAUSED are mutually exclusive', From.DOMAIN)
    const paused = (flags & 4) !== 0 || ((flags & 2) === 0 && domain.state === DomainState.Paused)
    if (domain.state === DomainState.Running) this.#emit(domain, Lifecycle.suspended.paused)
    this.#emitOther(domain, 'job-completed')
    this.#stop(domain, Reason.shutoff.saved, Lifecycle.stopped.saved)
    domain.saved = { live, paused }
  }

  /** The saved run as it was. */
  savedText(domain: Domain, flags: number): string {
    checkFlags(flags, 1, 'domainManagedSaveGetXMLDesc')
    if (domain.saved === null) throw invalid('domain does not have managed save image')
    return (flags & 1) === 0 ? withoutSecrets(domain.saved.live) : domain.saved.live.text
  }

  /** Only of a domain that is shut off and has no save or snapshots. */
  rename(domain: Domain, name: string): void {
    if (domain.active) throw invalid('cannot rename active domain')
    if (domain.saved !== null) throw invalid('cannot rename a domain with managed save image')
    if (name === domain.name) throw invalid('Can\'t rename domain to itself', From.DOMAIN)
    if (name === '' || /[/\n]/.test(name)) throw badXml(`name ${name} cannot be empty or contain '/' or a newline`)
    if (this.#byName.has(name)) throw invalid(`domain with name '${name}' already exists`, From.DOMAIN)
    this.#emit(domain, Lifecycle.undefined.renamed)
    this.#byName.delete(domain.name)
    const tree = domain.config!.copy()
    childOf(tree, 'name')!.children = [name]
    domain.config = new StoredDomain(tree)
    domain.name = name
    this.#byName.set(name, domain)
    this.#emit(domain, Lifecycle.defined.renamed)
  }

  managedSaveRemove(domain: Domain): void {
    if (domain.saved === null) throw new Refusal(ErrorNumber.SYSTEM_ERROR, From.TEST, `Failed to remove managed save file of '${domain.name}': No such file or directory`)
    domain.saved = null
  }

  /** A state of the domain to come back to: what is defined, what runs, what its disks hold. */
  snapshot(domain: Domain, text: string, flags: number): Snapshot {
    checkFlags(flags, SnapshotCreateFlags.HALT | SnapshotCreateFlags.ATOMIC | SnapshotCreateFlags.VALIDATE, 'domainSnapshotCreateXML')
    const halt = (flags & SnapshotCreateFlags.HALT) !== 0
    if (halt && !domain.persistent) throw invalid('cannot halt after transient domain snapshot')
    const wish = readSnapshot(text, this.#guests.clock.now())
    domain.snapshots ??= new Snapshots()
    const { live, state } = domain
    const snapshot = { ...wish, parent: domain.snapshots.current, state, live, config: domain.config ?? inactiveOf(live!), disks: this.#guests.keepDisks(domain) }
    domain.snapshots.add(snapshot)
    // A guest stands still while its memory is written, and is not told apart from a suspended one.
    const ran = domain.state === DomainState.Running
    if (ran) this.#emit(domain, Lifecycle.suspended.paused)
    if (halt && domain.active) this.#stop(domain, Reason.shutoff.fromSnapshot, Lifecycle.stopped.fromSnapshot)
    else if (ran) this.#resumed(domain, Reason.running.unpaused, Lifecycle.resumed.unpaused)
    return snapshot
  }

  /** What the domain did since is lost; a running one is stopped and started as it was. */
  revert(domain: Domain, snapshot: Snapshot, flags: number): void {
    checkFlags(flags, 15, 'domainRevertToSnapshot')
    const { RUNNING, PAUSED } = SnapshotRevertFlags
    if ((flags & RUNNING) !== 0 && (flags & PAUSED) !== 0) throw new Refusal(ErrorNumber.INVALID_ARG, From.DOMAIN, "Flags 'VIR_DOMAIN_SNAPSHOT_REVERT_RUNNING' and 'VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED' are mutually exclusive")
    if (domain.active) this.#stop(domain, Reason.shutoff.fromSnapshot, Lifecycle.stopped.fromSnapshot)
    this.#guests.putBackDisks(snapshot.disks)
    domain.snapshots!.current = snapshot.name
    if (domain.persistent) domain.config = snapshot.config
    this.#rerun(domain, snapshot, flags)
    if (domain.persistent) this.#emit(domain, Lifecycle.defined.fromSnapshot)
  }

  #rerun(domain: Domain, snapshot: Snapshot, flags: number): void {
    const { RUNNING, PAUSED } = SnapshotRevertFlags
    const paused = (flags & PAUSED) !== 0 || ((flags & RUNNING) === 0 && snapshot.state === DomainState.Paused)
    if (snapshot.live === null && (flags & (RUNNING | PAUSED)) === 0) {
      domain.set(DomainState.Shutoff, Reason.shutoff.fromSnapshot)
      return
    }
    const live = snapshot.live === null ? this.#guests.enter(snapshot.config, this.#nextID) : withID(snapshot.live, this.#nextID)
    this.#run(domain, live)
    this.#emit(domain, Lifecycle.started.fromSnapshot)
    if (paused) {
      domain.set(DomainState.Paused, Reason.paused.fromSnapshot)
      this.#emit(domain, Lifecycle.suspended.fromSnapshot)
    } else this.#resumed(domain, Reason.running.fromSnapshot, Lifecycle.resumed.restored)
  }

  #resumed(domain: Domain, reason: number, event: LifecycleEvent): void {
    domain.set(DomainState.Running, reason)
    this.#emit(domain, event)
  }

  #emit(domain: Domain, [event, detail]: LifecycleEvent): void {
    this.#guests.hub.emit({ type: 'domain', name: 'lifecycle', dom: domain.ref, event, detail })
  }

  #emitOther(domain: Domain, name: 'reboot' | 'job-completed'): void {
    this.#guests.hub.emit({ type: 'domain', name, dom: domain.ref })
  }
}
