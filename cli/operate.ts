// The operator's part of vireo standalone: loaded once the API answers, so that a client need not wait for it.

import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { KubeConfig } from '@kubernetes/client-node'
import type { ApiServer } from '../apiserver/server.ts'
import { systemClock } from '../clock/clock.ts'
import { Client } from '../controller/client.ts'
import { HealthServer } from '../controller/health.ts'
import type { Log } from '../controller/log.ts'
import { Metrics } from '../controller/metrics.ts'
import { type Draft, type KubeObject, customResourceDefinitions, namespaces } from '../controller/resource.ts'
import { Transport } from '../controller/transport.ts'
import { customResourceDefinition } from '../crds/crd.ts'
import { parseDuration } from '../crds/duration.ts'
import { hypervisors, kinds } from '../crds/kinds.ts'
import { createRegistry } from '../drivers/registry.ts'
import { TestDriver } from '../drivers/test/driver.ts'
import { Operator, type OperatorOptions } from '../operator/operator.ts'
import { installationUUID } from '../reconcilers/identity.ts'
import { collectWhenQuiet } from './garbage.ts'
import { importHost } from './import.ts'
import { kubeconfig } from './kubeconfig.ts'
import { localLibvirt } from './local.ts'
import { say } from './say.ts'

/** Holds the Secrets that Hypervisors name, as in a cluster. */
const NAMESPACE = 'vireo-system'

/** Its name in the managedFields of what it makes itself. */
const MANAGER = 'vireo'

export interface OperateFlags {
  installation?: string
  /** Hosts whose contents become objects that look at them. */
  import?: string[]
  healthAddress?: string
  allowLocalUris: boolean
  relistInterval: string
  sourceAddresses?: string[]
}

/** `user`: who the API knows by `token`. */
export interface Parts { api: ApiServer; url: string; user: string; token: string; log: Log }

/** Resolves when `signal` aborts and the operator has ended. `ready` is called once the kinds are served. */
export async function operate(flags: OperateFlags, { api, url, user, token, log }: Parts, ready: () => Promise<void>, signal: AbortSignal): Promise<void> {
  const metrics = new Metrics()
  metrics.collectProcess()
  const transport = new Transport({ kubeConfig: () => loadConfig(kubeconfig({ url, authority: api.authority, user, credentials: { token } })), metrics: metrics.requests })
  const health = flags.healthAddress === undefined ? undefined : new HealthServer({ address: flags.healthAddress, registry: metrics.registry })
  try {
    const client = new Client({ transport })
    const registry = createRegistry({ test: new TestDriver() }, { allowLocal: flags.allowLocalUris })
    const open: OperatorOptions['open'] = async (uri, options) => await registry.open(uri, options)
    await install(client, signal)
    for (const uri of flags.import ?? []) await importHost({ client, open, uri, namespace: 'default', fieldManager: MANAGER, say, signal })
    await ensureHypervisor(client, signal)
    const cluster = (await client.get<KubeObject>(namespaces, undefined, 'kube-system', { signal })).metadata.uid
    const installation = flags.installation === undefined ? await api.constant('installation', randomUUID()) : installationUUID(flags.installation)
    const operator = new Operator({
      transport,
      open,
      clock: systemClock,
      log,
      metrics,
      installation,
      cluster,
      namespace: NAMESPACE,
      relistInterval: parseDuration(flags.relistInterval),
      sourceAddresses: flags.sourceAddresses,
      instance: hostname(),
    })
    health?.addLivenessCheck('ping', () => undefined)
    health?.addReadinessCheck('mirrors', () => { if (!operator.synced) throw new Error('the mirrors are not synced yet') })
    await health?.listen()
    log.info({ installation, cluster, url }, 'vireo standalone started')
    collectWhenQuiet({ clock: systemClock }, signal)
    await ready()
    await operator.run(signal)
  } finally {
    await health?.close()
    await transport.close()
  }
}

/** The kinds, and the operator's own namespace. */
async function install(client: Client, signal: AbortSignal): Promise<void> {
  for (const kind of kinds) {
    const definition = customResourceDefinition(kind)
    await client.applyPatch(customResourceDefinitions, undefined, definition.metadata.name, definition as unknown as Draft, { fieldManager: MANAGER, force: true, signal })
  }
  if (await client.find(namespaces, undefined, NAMESPACE, { signal }) === undefined) await client.create(namespaces, undefined, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } }, { fieldManager: MANAGER, signal })
}

/** A Hypervisor that takes what names none, unless somebody made one already. */
async function ensureHypervisor(client: Client, signal: AbortSignal): Promise<void> {
  if ((await client.list(hypervisors, { signal })).items.length > 0) return
  const local = await localLibvirt()
  const [name, uri] = local ? ['local', 'qemu:///system'] : ['embedded', 'test:///default']
  const manifest = { apiVersion: 'vireo.dev/v1alpha1', kind: 'Hypervisor', metadata: { annotations: {}, name }, spec: { default: true, uri } }
  // As kubectl itself would have written it: who applies the sample of that name finds it unchanged, without a warning.
  const annotations = { 'kubectl.kubernetes.io/last-applied-configuration': `${JSON.stringify(manifest)}\n` }
  await client.create(hypervisors, undefined, { ...manifest, metadata: { name, annotations } }, { fieldManager: MANAGER, signal })
  say(local
    ? `The libvirtd of this machine answers: it is the Hypervisor "${name}" (${uri}), the default.`
    : `No libvirtd answers on this machine: the default Hypervisor "${name}" is the embedded test driver (${uri}), which keeps its machines in memory and runs none.`)
}

function loadConfig(config: object): KubeConfig {
  const loaded = new KubeConfig()
  loaded.loadFromString(JSON.stringify(config))
  return loaded
}
