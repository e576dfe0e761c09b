// Whole sets of objects (pool, volumes, network, domain) made many times side by side, each in a namespace of its own, and what
// of them is in the API and on the host: for tests that end the controller in the middle and look at what comes of it.
import { createHash, randomBytes } from 'node:crypto'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client } from '../../../controller/client.ts'
import { kubeConfigLoader } from '../../../controller/credentials.ts'
import type { Draft, KubeObject, Resource } from '../../../controller/resource.ts'
import { namespaces } from '../../../controller/resource.ts'
import { Transport } from '../../../controller/transport.ts'
import { kinds } from '../../../crds/kinds.ts'
import type { Connection } from '../../../drivers/driver.ts'
import { createRegistry } from '../../../drivers/registry.ts'
import { until } from '../../support/until.ts'
import { serveFiles } from './stage.ts'
import type { AnyObject, Stage } from './stage.ts'

const resources = new Map<string, Resource>(kinds.map(({ resource }) => [resource.kind, resource]))
const hostKinds = ['StoragePool', 'StorageVolume', 'VirtualNetwork', 'VirtualDomain']
const Mi = 2 ** 20

/** What a stack is made of, each after what it needs. */
export const everything = ['StoragePool/pool', 'StorageVolume/base', 'StorageVolume/root', 'StorageVolume/data', 'VirtualNetwork/lab', 'VirtualDomain/web'] as const

/** One set of objects; `token` is its namespace, and a part of every name that it has on the host. */
export interface Stack { token: string; hypervisor: string; number: number; /** Fields added to the spec of each kind. */ extra?: Record<string, Record<string, unknown>> }

export class Stacks implements AsyncDisposable {
  readonly #stage: Stage
  readonly #client: Client
  readonly #connection: Connection
  readonly #image: { url: string; checksum: string; close(): Promise<void> }

  private constructor(stage: Stage, connection: Connection, image: { url: string; checksum: string; close(): Promise<void> }) {
    this.#stage = stage
    this.#client = new Client({ transport: new Transport({ kubeConfig: kubeConfigLoader({ file: stage.plane.kubeconfig }) }) })
    this.#connection = connection
    this.#image = image
  }

  static async over(stage: Stage): Promise<Stacks> {
    // Three packets of a stream, so that half of an upload is something.
    const bytes = randomBytes(640 * 1024)
    const path = join(stage.folder, 'image.raw')
    await writeFile(path, bytes)
    const server = await serveFiles({ '/image.raw': path })
    const connection = await createRegistry({}, { allowLocal: true }).open(stage.host.uri(), { callTimeout: 60_000, keepAliveInterval: 5_000, keepAliveCount: 6, signal: new AbortController().signal })
    return new Stacks(stage, connection, { url: `${server.url}/image.raw`, checksum: `sha256:${createHash('sha256').update(bytes).digest('hex')}`, close: () => server.close() })
  }

  async createHypervisor(name: string, uri: string, spec: Record<string, unknown> = {}): Promise<void> {
    await this.apply('Hypervisor', undefined, name, { uri, connection: { callTimeout: '2m' }, ...spec })
  }

  async untilConnected(name: string): Promise<void> {
    await until(`Hypervisor ${name} is ready`, async () => {
      const found = await this.#client.find<KubeObject>(resources.get('Hypervisor')!, undefined, name)
      return isReady(found as unknown as AnyObject)
    })
  }

  /** Applies an object as somebody would. */
  async apply(kind: string, namespace: string | undefined, name: string, spec: Record<string, unknown>): Promise<void> {
    const body: Draft = { apiVersion: 'vireo.dev/v1alpha1', kind, metadata: { name, namespace }, spec }
    this.#stage.watched.observe(await this.#client.applyPatch<KubeObject>(resources.get(kind)!, namespace, name, body, { fieldManager: 'somebody', force: true }))
  }

  async create(stacks: readonly Stack[]): Promise<void> {
    await Promise.all(stacks.map(async stack => {
      await this.#client.create(namespaces, undefined, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: stack.token } })
      await this.#applyAll(stack, false)
    }))
  }

  /** Changes something of everything: live, staged, in place and grown. */
  async update(stacks: readonly Stack[]): Promise<void> {
    await Promise.all(stacks.map(stack => this.#applyAll(stack, true)))
  }

  async #applyAll({ token, hypervisor, number, extra }: Stack, updated: boolean): Promise<void> {
    const hypervisorRef = { name: hypervisor }
    const poolRef = { name: 'pool' }
    const net = `10.${100 + Math.floor(number / 250)}.${number % 250}`
    const objects: [string, string, Record<string, unknown>][] = [
      ['StoragePool', 'pool', { hypervisorRef, dir: { path: `/var/lib/vireo/${token}` } }],
      ['StorageVolume', 'base', { poolRef, source: { url: { url: this.#image.url, checksum: this.#image.checksum } } }],
      ['StorageVolume', 'root', { poolRef, capacity: '8Mi', backingStore: { volumeRef: { name: 'base' } } }],
      ['StorageVolume', 'data', { poolRef, capacity: updated ? '6Mi' : '4Mi' }],
      ['VirtualNetwork', 'lab', {
        hypervisorRef,
        bridge: { name: `vb-${token}` },
        ipv4: { address: `${net}.1/24`, dhcp: updated ? { hosts: [{ name: 'web', mac: '52:54:00:aa:bb:01', ip: `${net}.10` }] } : {} },
      }],
      ['VirtualDomain', 'web', {
        hypervisorRef, cpus: updated ? 2 : 1, maxCpus: 2, memory: updated ? '80Mi' : '64Mi', maxMemory: '80Mi', os: { machine: 'pc' },
        // No guest runs here that could shut itself down.
        shutdown: { gracePeriod: '0s' },
        // Nothing boots from it; without an order the firmware would go on to try the network, at great cost.
        disks: [{ name: 'root', volumeRef: { name: 'root' }, bootOrder: 1 }, ...(updated ? [{ name: 'data', volumeRef: { name: 'data' } }] : [])],
        interfaces: [{ name: 'lan', networkRef: { name: 'lab' } }],
        cloudInit: { userData: { inline: updated ? '#cloud-config\n{second: true}\n' : '#cloud-config\n{}\n' } },
        ...(updated ? { title: 'changed' } : {}),
      }],
    ]
    await Promise.all(objects.map(([kind, name, spec]) => this.apply(kind, token, name, { ...spec, ...extra?.[kind] })))
  }

  async delete(stacks: readonly Stack[]): Promise<void> {
    await Promise.all(stacks.map(stack => this.deleteInOrder(stack, everything)))
  }

  /** Asks for the deletion of one object after the other, without waiting for any to go. */
  async deleteInOrder({ token, hypervisor }: Stack, order: readonly string[]): Promise<void> {
    for (const each of order) {
      const [kind, name] = each.split('/') as [string, string]
      if (kind === 'Hypervisor') await this.#client.delete(resources.get(kind)!, undefined, hypervisor)
      else await this.#client.delete(resources.get(kind)!, token, name)
    }
  }

  /** All objects by their namespaces. */
  objects(): Map<string, AnyObject[]> {
    const found = new Map<string, AnyObject[]>()
    for (const item of hostKinds.flatMap(kind => this.#stage.watched.list(kind)) as unknown as AnyObject[]) found.set(item.metadata.namespace!, [...found.get(item.metadata.namespace!) ?? [], item])
    return found
  }

  /** Waits until `done` says so of every stack. The failure shows those that are not. */
  async until(what: string, stacks: readonly Stack[], done: (objects: AnyObject[], stack: Stack) => boolean, timeoutMs = 180_000): Promise<void> {
    let last: [Stack, AnyObject[]][] = []
    await until(what, () => {
      const objects = this.objects()
      last = stacks.map((stack): [Stack, AnyObject[]] => [stack, objects.get(stack.token) ?? []]).filter(([stack, found]) => !done(found, stack))
      return last.length === 0
    }, { timeoutMs, everyMs: 100 }).catch((error: unknown) => {
      throw new Error(`${what}: not ${last.map(([{ token }, objects]) => `${token} ${JSON.stringify(objects.filter(object => !isReady(object)).map(object => [object.metadata.name, object.metadata.deletionTimestamp, object.metadata.finalizers, object.status?.conditions]))}`).join('\n')}\nlog: ${this.#stage.controllerLog.slice(-3000)}`, { cause: error })
    })
  }

  /** What the API and the host say of each stack, without what differs between two of the same. */
  async look(stacks: readonly Stack[]): Promise<{ api: unknown; host: unknown }[]> {
    const objects = this.objects()
    return await Promise.all(stacks.map(async stack => ({ api: this.#standing(objects.get(stack.token) ?? []), host: await this.onHost(stack) })))
  }

  #standing(objects: AnyObject[]): unknown {
    return objects.map(({ metadata: { name }, status }) => ({
      name,
      conditions: status?.conditions?.map(({ type, status: is, reason }) => `${type}=${is} ${reason}`),
      pending: (status?.pendingChanges as { path: string }[] | undefined)?.map(change => change.path),
      powerState: status?.powerState as unknown, capacity: status?.path === undefined || name === 'pool' ? undefined : status.capacity as unknown, format: status?.binding?.format as unknown,
    })).toSorted((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** The running ids of all domains, by name: a guest that was started anew has another. */
  async domainIds(): Promise<Map<string, number>> {
    return new Map((await this.#connection.connectListAllDomains()).map(({ name, id }) => [name, id]))
  }

  /** What a stack has on the host, without what differs between two of the same. */
  async onHost({ token }: Stack): Promise<unknown> {
    const mine = (object: { name: string }): boolean => object.name.startsWith(`${token}.`)
    const connection = this.#connection
    const [domains, networks, pools] = [(await connection.connectListAllDomains()).filter(mine), (await connection.connectListAllNetworks()).filter(mine), (await connection.connectListAllStoragePools()).filter(mine)]
    const plain = (name: string): string => name.replace(`${token}.`, '').replace(/vireo-[0-9a-f-]{36}-[0-9a-f]+/, 'seed')
    return {
      domains: await Promise.all(domains.map(async domain => [plain(domain.name), (await connection.domainGetState(domain)).state, await connection.domainGetAutostart(domain)])),
      networks: await Promise.all(networks.map(async network => [plain(network.name), await connection.networkIsActive(network), await connection.networkGetAutostart(network)])),
      pools: await Promise.all(pools.map(async pool => {
        await connection.storagePoolRefresh(pool)
        const volumes = await connection.storagePoolListAllVolumes(pool)
        const sizes = await Promise.all(volumes.map(async volume => `${plain(volume.name)} ${(await connection.storageVolGetInfo(volume)).capacity / Mi}Mi`))
        return [plain(pool.name), await connection.storagePoolIsActive(pool), await connection.storagePoolGetAutostart(pool), ...sizes.toSorted()]
      })),
      files: (await readdir(join(this.#stage.host.root, 'var/lib/vireo', token)).catch(() => [])).map(plain).toSorted(),
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection.close()
    await this.#image.close()
  }
}

export const isReady = ({ metadata, status }: AnyObject): boolean =>
  status?.observedGeneration === metadata.generation && status.conditions?.find(entry => entry.type === 'Ready')?.status === 'True'
export const areReady = (objects: AnyObject[]): boolean => objects.length === 6 && objects.every(isReady)
export const areGone = (objects: AnyObject[]): boolean => objects.length === 0
