// The same reconcilers on both test drivers, libvirt's own and the embedded one: every kind goes through its life without a hypervisor behind it.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Stage, condition } from './support/stage.ts'

let stage: Stage
const manifests = (uri: string): string => `
apiVersion: vireo.dev/v1alpha1
kind: Hypervisor
metadata: {name: mock}
spec: {uri: "${uri}", default: true}
---
apiVersion: vireo.dev/v1alpha1
kind: StoragePool
metadata: {name: images}
spec: {dir: {path: /var/lib/vireo/images}}
---
apiVersion: vireo.dev/v1alpha1
kind: StorageVolume
metadata: {name: root}
spec: {poolRef: {name: images}, capacity: 1Gi}
---
apiVersion: vireo.dev/v1alpha1
kind: VirtualNetwork
metadata: {name: lab}
spec: {forward: {mode: nat}, ipv4: {address: 192.168.151.1/24, dhcp: {}}}
---
apiVersion: vireo.dev/v1alpha1
kind: VirtualDomain
metadata: {name: web}
spec: {memory: 64Mi, cpus: 1, maxCpus: 4, title: first, disks: [{name: root, volumeRef: {name: root}}], interfaces: [{name: lan, networkRef: {name: lab}}]}
`

beforeAll(async () => {
  stage = await Stage.start()
  await stage.startController()
})
afterAll(async () => { await stage?.stop() })

/** The controller runs inside the host's namespaces. */
const uris: [name: string, uri: () => string][] = [
  ['libvirtd', () => `test+unix:///default?socket=/run/libvirt/${stage.host.socket.split('/').at(-1)}`],
  ['embedded', () => 'test:///default'],
]

describe.each(uris)('%s', (_name, uri) => {
  beforeAll(async () => { await stage.apply(manifests(uri())) })

  test('all five kinds become ready', async () => {
    const domain = await stage.untilReady('virtualdomain', 'web')
    expect(domain.status).toMatchObject({ powerState: 'Running', type: 'test', cpus: 1, memory: '64Mi' })
    await stage.untilReady('hypervisor', 'mock')
    await stage.untilReady('storagepool', 'images')
    await stage.untilReady('storagevolume', 'root')
    await stage.untilReady('virtualnetwork', 'lab')
  })

  test('CPUs and title change live, memory above the maximum is staged', async () => {
    await stage.kubectl(['patch', 'virtualdomain', 'web', '--type=merge', '-p', '{"spec": {"cpus": 2, "title": "second", "maxMemory": "256Mi"}}'])
    const domain = await stage.until('virtualdomain', 'web', object => object.status?.cpus === 2 && condition(object, 'RestartRequired')?.status === 'True')
    expect(domain.status?.pendingChanges).toEqual([{ path: 'maxMemory', current: '64Mi', desired: '256Mi', apply: 'ColdStart' }])
    expect(condition(domain, 'Ready')?.status).toBe('True')
  })

  test('a restart by annotation is a cold start: nothing is pending after it', async () => {
    await stage.kubectl(['annotate', 'virtualdomain', 'web', 'vireo.dev/restart=1'])
    const domain = await stage.until('virtualdomain', 'web', object => object.status?.actions?.some((action: { token: string }) => action.token === '1') && object.status.pendingChanges === undefined && object.status.powerState === 'Running')
    expect(condition(domain, 'RestartRequired')).toBeUndefined()
  })

  test('stopped, paused and running again', async () => {
    for (const [wish, state] of [['Paused', 'Paused'], ['Running', 'Running'], ['Stopped', 'Stopped'], ['Running', 'Running']] as const) {
      await stage.kubectl(['patch', 'virtualdomain', 'web', '--type=merge', '-p', JSON.stringify({ spec: { powerState: wish } })])
      await stage.until('virtualdomain', 'web', object => object.status?.powerState === state && condition(object, 'Ready')?.status === 'True' && object.status.observedGeneration === object.metadata.generation)
    }
  })

  test('deleted in one go, nothing stays beside the objects that the driver has of its own', async () => {
    await stage.kubectl(['delete', 'virtualdomains,storagevolumes,virtualnetworks,storagepools', '--all', '--timeout=60s'])
    const metrics = await stage.metrics()
    const observed = Object.fromEntries(Array.from(metrics.matchAll(/^vireo_observed_objects\{.*kind="(\w+)".*\} (\d+)$/gm), ([, kind, count]) => [kind, Number(count)]))
    expect(observed).toEqual({ domain: 1, network: 1, pool: 1 })
    await stage.kubectl(['delete', 'hypervisors', '--all', '--timeout=60s'])
  })
})
