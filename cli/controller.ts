// vireo controller: runs the operator against a cluster until it is told to stop.

import { hostname } from 'node:os'
import { randomUUID } from 'node:crypto'
import { Client } from '../controller/client.ts'
import { systemClock } from '../clock/clock.ts'
import { kubeConfigLoader } from '../controller/credentials.ts'
import { HealthServer } from '../controller/health.ts'
import { LeaderElection } from '../controller/leader.ts'
import { type LogLevel, createLog } from '../controller/log.ts'
import { Metrics } from '../controller/metrics.ts'
import { namespaces } from '../controller/resource.ts'
import { Transport } from '../controller/transport.ts'
import { parseDuration } from '../crds/duration.ts'
import { createRegistry } from '../drivers/registry.ts'
import { TestDriver } from '../drivers/test/driver.ts'
import { Operator } from '../operator/operator.ts'
import { installationUUID } from '../reconcilers/identity.ts'
import { collectWhenQuiet } from './garbage.ts'

export interface ControllerFlags {
  kubeconfig?: string
  context?: string
  installation?: string
  healthAddress: string
  leaderElection: boolean
  leaseNamespace: string
  allowLocalUris: boolean
  relistInterval: string
  sourceAddresses?: string[]
  logLevel: LogLevel
}

/** Resolves when `signal` aborts and everything has ended; rejects when the lease is lost. */
export async function runController(flags: ControllerFlags, signal: AbortSignal): Promise<void> {
  const log = createLog({ level: flags.logLevel })
  const metrics = new Metrics()
  metrics.collectProcess()
  const transport = new Transport({ kubeConfig: kubeConfigLoader({ file: flags.kubeconfig, context: flags.context }), metrics: metrics.requests })
  const client = new Client({ transport })
  const cluster = (await client.get(namespaces, undefined, 'kube-system', { signal })).metadata.uid
  const installation = flags.installation === undefined ? cluster : installationUUID(flags.installation)
  const instance = `${hostname()}_${randomUUID()}`
  const registry = createRegistry({ test: new TestDriver() }, { allowLocal: flags.allowLocalUris })
  const operator = new Operator({
    transport,
    open: async (uri, options) => await registry.open(uri, options),
    clock: systemClock,
    log,
    metrics,
    installation,
    cluster,
    namespace: flags.leaseNamespace,
    relistInterval: parseDuration(flags.relistInterval),
    sourceAddresses: flags.sourceAddresses,
    instance,
  })
  const health = new HealthServer({ address: flags.healthAddress, registry: metrics.registry })
  let leading = !flags.leaderElection
  health.addLivenessCheck('ping', () => undefined)
  health.addReadinessCheck('mirrors', () => { if (leading && !operator.synced) throw new Error('the mirrors are not synced yet') })
  const port = await health.listen()
  log.info({ installation, cluster, port }, 'vireo controller started')
  collectWhenQuiet({ clock: systemClock }, signal)
  try {
    if (!flags.leaderElection) return await operator.run(signal)
    const election = new LeaderElection({ client, clock: systemClock, log, namespace: flags.leaseNamespace, name: 'vireo-controller', identity: instance, metrics: metrics.leader('vireo-controller') })
    await election.run(async lead => {
      leading = true
      await operator.run(lead)
    }, signal)
  } finally {
    await health.close()
    await transport.close()
    log.info('vireo controller stopped')
  }
}
