// Puts the parts together: mirrors of the API, connections to hosts, one queue, the workers and the kinds they reconcile.

import { Client } from '../controller/client.ts'
import { type Clock, sleep } from '../clock/clock.ts'
import { type Result, runWorkers } from '../controller/controller.ts'
import { EventRecorder } from '../controller/events.ts'
import type { Log } from '../controller/log.ts'
import type { Metrics } from '../controller/metrics.ts'
import { Mirror } from '../controller/mirror.ts'
import { Reflector } from '../controller/reflector.ts'
import { type KubeObject, type Resource, customResourceDefinitions, namespaces } from '../controller/resource.ts'
import { StatusWriter } from '../controller/status.ts'
import type { Transport } from '../controller/transport.ts'
import { WorkQueue } from '../controller/workqueue.ts'
import type { Hypervisor } from '../crds/hypervisor.ts'
import { kinds as definitions } from '../crds/kinds.ts'
import { group } from '../crds/names.ts'
import type { StoragePool } from '../crds/storagepool.ts'
import type { StorageVolume } from '../crds/storagevolume.ts'
import type { VirtualDomain } from '../crds/virtualdomain.ts'
import type { VirtualNetwork } from '../crds/virtualnetwork.ts'
import type { Connection, OpenOptions } from '../drivers/driver.ts'
import { domainKind } from '../reconcilers/domain/index.ts'
import type { AnyKind } from '../reconcilers/kind.ts'
import { Loop } from '../reconcilers/loop.ts'
import { networkKind } from '../reconcilers/network/index.ts'
import { poolKind } from '../reconcilers/pool/index.ts'
import { hypervisorNameOf } from '../reconcilers/references.ts'
import { type VolumeKind, volumeKind } from '../reconcilers/volume/index.ts'
import { type HostObject, type HostObjectKind, type KindName, type Mirrors, type World, splitKey } from '../reconcilers/world.ts'
import { CONTROLLER_NAMESPACE, secretsOf } from './credentials.ts'
import { DataWatch } from './data.ts'
import { Hosts } from './hosts.ts'
import { Hypervisors } from './hypervisors.ts'
import { OperatorMetrics } from './metrics.ts'
import { Wake, addIndexes, dataOf } from './wake.ts'

export interface OperatorOptions {
  transport: Transport
  /** Opens a connection to a hypervisor: the driver registry. */
  open: (uri: string, options: OpenOptions) => Promise<Connection>
  clock: Clock
  log: Log
  metrics: Metrics
  /** The UUID that computed identities derive from. */
  installation: string
  /** The UID of this cluster. */
  cluster: string
  /** The controller's own namespace: where the Secrets of Hypervisors lie. */
  namespace?: string
  /** How often each host is listed anew for what has no event, ms. */
  relistInterval: number
  /** Ranges of addresses that images may come from although they are closed otherwise. */
  sourceAddresses?: readonly string[]
  /** Keys of one host that are worked on at once. */
  perHost?: number
  instance?: string
}

const CLUSTER_WIDE = ''
/** How long transfers have to let go of their hosts when the process ends, ms. */
const TRANSFERS_END = 5_000

const definitionOf = (kind: HostObjectKind): string => `${definitions.find(({ resource }) => resource.kind === kind)!.resource.plural}.${group}`

export class Operator {
  readonly world: World
  readonly queue: WorkQueue
  readonly hosts: Hosts
  readonly #options: OperatorOptions
  readonly #namespace: string
  readonly #client: Client
  readonly #loop: Loop
  readonly #hypervisors: Hypervisors
  readonly #data: DataWatch
  readonly #volumes: VolumeKind
  readonly #recorder: EventRecorder
  readonly #reflectors: Reflector<any>[] = [] // oxlint-disable-line typescript/no-explicit-any -- reflectors of different kinds
  readonly #mirrors: Mirrors
  readonly #namespaces = new Mirror<KubeObject>()
  readonly #definitions = new Mirror<KubeObject>()

  constructor(options: OperatorOptions) {
    this.#options = options
    const { transport, open, clock, log, metrics, installation, cluster, namespace = CONTROLLER_NAMESPACE } = options
    this.#namespace = namespace
    const operatorMetrics = new OperatorMetrics(metrics.registry, () => [...this.hosts.entries()].map(([name, host]) => [name, host.mirror.ids()]))
    this.#client = new Client({ transport })
    this.#recorder = new EventRecorder({ client: this.#client, component: 'vireo', instance: options.instance, clock, log })
    this.#mirrors = {
      Hypervisor: new Mirror<Hypervisor>(),
      StoragePool: new Mirror<StoragePool>(),
      StorageVolume: new Mirror<StorageVolume>(),
      VirtualNetwork: new Mirror<VirtualNetwork>(),
      VirtualDomain: new Mirror<VirtualDomain>(),
    }
    this.queue = new WorkQueue({ clock, groupOf: key => this.#groupOf(key), perGroup: options.perHost ?? 16, metrics: metrics.queue('vireo') })
    this.#data = new DataWatch({ transport, clock, log, onChange: reference => { wake.data(reference) } })
    this.hosts = new Hosts({
      open,
      clock,
      log,
      relistInterval: options.relistInterval,
      onCall: call => { operatorMetrics.called(call) },
      onState: (name, state, again) => { wake.host(name, state, again) },
      onObserved: (name, change) => { wake.observed(name, change) },
      onEvent: (_name, event) => {
        if (event.type === 'domain' && event.name === 'device-removal-failed') kinds.VirtualDomain.detachFailed(event.dom.uuid, event.devAlias)
      },
      onLeases: (_name, macs) => { wake.leases(macs) },
      onGuest: (_name, uuid) => { wake.guest(uuid) },
      refreshesPool: uuid => this.#mirrors.StoragePool.by('uuid', uuid).length > 0,
    })
    this.world = {
      installation,
      cluster,
      clock,
      mirrors: this.#mirrors,
      namespaces: this.#namespaces,
      data: this.#data,
      host: name => this.hosts.get(name),
      hosts: () => this.hosts.entries(),
      leases: (name, mac, network) => this.hosts.leases(name)?.leasesFor(mac, network) ?? [],
      guest: (name, uuid) => this.hosts.guests(name)?.factsOf(uuid),
    }
    addIndexes(this.world, namespace)
    const wake = new Wake(this.world, this.queue)
    const wakeKey = (key: string): void => { this.queue.add(key) }
    const retainAll = (kind: HostObjectKind) => (): boolean => this.#definitionTerminating(kind)
    const kinds = {
      StoragePool: poolKind({ retainAll: retainAll('StoragePool') }),
      StorageVolume: volumeKind({ wake: wakeKey, clock, retainAll: retainAll('StorageVolume'), sourceAddresses: options.sourceAddresses }),
      VirtualNetwork: networkKind({ retainAll: retainAll('VirtualNetwork') }),
      VirtualDomain: domainKind({ wake: wakeKey, retainAll: retainAll('VirtualDomain') }),
    }
    this.#volumes = kinds.StorageVolume
    const status = Object.fromEntries(definitions.map(({ resource }) => [resource.kind, new StatusWriter<any>({ client: this.#client, resource, mirror: this.#mirrors[resource.kind as KindName] })])) // oxlint-disable-line typescript/no-explicit-any -- one writer per kind
    this.#loop = new Loop({
      world: this.world,
      kinds: kinds as Record<HostObjectKind, AnyKind>,
      client: this.#client,
      status: status as Record<HostObjectKind, StatusWriter<any>>, // oxlint-disable-line typescript/no-explicit-any -- one writer per kind
      recorder: this.#recorder,
      log,
      confirmDefinition: kind => this.#confirmDefinition(kind),
      onAction: (kind, action, outcome) => { operatorMetrics.acted(kind, action, outcome) },
    })
    this.#hypervisors = new Hypervisors({ namespace, world: this.world, hosts: this.hosts, client: this.#client, status: status.Hypervisor as StatusWriter<Hypervisor>, recorder: this.#recorder })
    this.#connectMirrors(wake)
  }

  #connectMirrors(wake: Wake): void {
    const { transport, clock, log } = this.#options
    const reflect = <T extends KubeObject>(resource: Resource, mirror: Mirror<T>, fieldSelector?: string): void => {
      this.#reflectors.push(new Reflector<T>({ transport, resource, mirror, fieldSelector, clock, log }))
    }
    for (const { resource } of definitions) {
      const kind = resource.kind as KindName
      const mirror = this.#mirrors[kind] as unknown as Mirror<HostObject>
      mirror.onChange(change => { wake.object(kind, change) })
      reflect(resource, mirror)
    }
    this.#mirrors.VirtualDomain.onChange(({ object, old }) => { if ([object, old].some(one => one !== undefined && dataOf(one).length > 0)) this.#dataUsed = undefined })
    this.#mirrors.Hypervisor.onChange(({ type, object, old }) => {
      const named = (hypervisor: Hypervisor | undefined): string => (hypervisor === undefined ? '' : secretsOf(hypervisor, this.#namespace).join())
      if (type === 'updated' ? named(object) !== named(old) : named(object) !== '') this.#dataUsed = undefined
    })
    this.#namespaces.onChange(change => {
      const labels = (object: KubeObject | undefined): string => JSON.stringify(object?.metadata.labels)
      // A new namespace may be seen later than its first objects.
      const labelled = change.type === 'added' ? change.source !== 'list' || this.synced : change.type === 'updated' && labels(change.old) !== labels(change.object)
      if (labelled) wake.namespace(change.object.metadata.name)
    })
    reflect(namespaces, this.#namespaces)
    reflect(customResourceDefinitions, this.#definitions)
  }

  /** Undefined: to be found again, since an object that may name a Secret or ConfigMap changed. */
  #dataUsed: Set<string> | undefined

  #pruneData(): void {
    if (this.#dataUsed !== undefined) return
    this.#dataUsed = new Set([...this.#mirrors.VirtualDomain.list().flatMap(dataOf), ...this.#mirrors.Hypervisor.list().flatMap(object => secretsOf(object, this.#namespace))])
    this.#data.keep(this.#dataUsed)
  }

  #definitionTerminating(kind: HostObjectKind): boolean {
    return this.#definitions.get(undefined, definitionOf(kind))?.metadata.deletionTimestamp !== undefined
  }

  /** Puts the kind's definition into the mirror as it is now. */
  async #confirmDefinition(kind: HostObjectKind): Promise<void> {
    const name = definitionOf(kind)
    const live = await this.#client.find<KubeObject>(customResourceDefinitions, undefined, name)
    if (live !== undefined) this.#definitions.observeWrite(live)
    else if (this.#definitions.get(undefined, name) !== undefined) throw new Error(`the CustomResourceDefinition ${name} is gone: nothing of its kind is destroyed`)
  }

  /** Fairness is by host: the name of the Hypervisor a key belongs to. */
  #groupOf(key: string): string {
    const { kind, namespace, name } = splitKey(key)
    if (kind === 'Hypervisor') return CLUSTER_WIDE
    const object: HostObject | undefined = this.#mirrors[kind].get(namespace, name)
    return object === undefined ? CLUSTER_WIDE : hypervisorNameOf(this.world, object) ?? CLUSTER_WIDE
  }

  /** True once every mirror holds a whole list. */
  get synced(): boolean {
    return [...Object.values(this.#mirrors), this.#namespaces, this.#definitions].every(mirror => (mirror as Mirror).synced)
  }

  /** Fills the mirrors; workers start when all are synced. Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, metrics } = this.#options
    const reflecting = this.#reflectors.map(async reflector => { await reflector.run(signal) })
    await Promise.all([...Object.values(this.#mirrors), this.#namespaces, this.#definitions].map(async mirror => { await (mirror as Mirror).whenSynced(signal) })).catch(() => { /* stopped before all were read */ })
    if (!signal.aborted) {
      log.info({ objects: Object.fromEntries(Object.entries(this.#mirrors).map(([kind, mirror]) => [kind, (mirror as Mirror).size])) }, 'mirrors are synced, reconciling begins')
      await runWorkers({ queue: this.queue, reconcile: key => this.reconcile(key), concurrency: 64, clock, log, signal, metrics: metrics.controller('vireo') })
    }
    // What is due later would keep the process.
    this.queue.shutdown()
    await Promise.all(reflecting)
    await this.#recorder.flush()
    this.#recorder.stop()
    this.#data.close()
    // Half volumes are removed while there is a connection to remove them by; a host that hangs is not waited for.
    const ended = new AbortController()
    await Promise.race([this.#volumes.close(), sleep(clock, TRANSFERS_END, ended.signal).catch(() => undefined)])
    ended.abort()
    await this.hosts.close()
  }

  /** Resolves when the Events recorded so far were told or given up. */
  async flushEvents(): Promise<void> {
    await this.#recorder.flush()
  }

  async reconcile(key: string): Promise<Result> {
    this.#pruneData()
    const { kind, name } = splitKey(key)
    return kind === 'Hypervisor' ? await this.#hypervisors.reconcile(name) : await this.#loop.reconcile(key)
  }
}
