// The main job: the samples, applied as a person applies them, give a virtual machine that has an address; deleted, they leave nothing.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildGuestImage } from '../support/guest.ts'
import { until } from '../support/until.ts'
import { Stage, condition, sample, serveFiles } from './support/stage.ts'

const files = ['00-hypervisor.yaml', '10-pool-images.yaml', '20-volume-debian-12.yaml', '21-volume-web-root.yaml', '30-network-lab.yaml', '40-domain-web.yaml']

describe('the samples', () => {
  let stage: Stage
  let server: Awaited<ReturnType<typeof serveFiles>>
  let manifests: string
  let before: string

  beforeAll(async () => {
    const image = await buildGuestImage()
    stage = await Stage.start()
    server = await serveFiles({ '/debian-12-genericcloud-amd64.qcow2': image.qcow2 })
    const texts = await Promise.all(files.map(sample))
    manifests = texts.join('---\n')
      .replace(/https:\/\/cloud\.debian\.org\S+\/(\S+\.qcow2)/, `${server.url}/$1`)
      .replace('verification: None', `checksum: "sha512:${image.sha512}"`)
    before = await stage.inventory()
    await stage.startController({}, undefined, { leaderElection: true })
  })
  afterAll(async () => {
    await server?.close()
    await stage?.stop()
  })

  test('give a running guest with an address', async () => {
    await stage.apply(manifests)
    await stage.kubectl(['wait', '--for=condition=Ready', 'virtualdomain/web', '--timeout=150s'])
    const domain = await stage.until('virtualdomain', 'web', object => object.status?.address, { timeoutMs: 90_000 })
    expect(domain.status?.address).toMatch(/^192\.168\.150\.\d+$/)
    expect(domain.status?.powerState).toBe('Running')
    expect(condition(domain, 'Synced')?.status).toBe('True')
    // The guest took its name from the cloud-init seed and told the DHCP server.
    expect(await stage.virsh('net-dhcp-leases', 'lab')).toMatch(/192\.168\.150\.\d+\S*\s+web\s/)
  })

  test('are shown as a person reads them', async () => {
    const shown = await stage.kubectl(['get', 'virt', '-o', 'wide'])
    const row = (kind: string, name: string): string[] => new RegExp(`^${kind}\\.vireo\\.dev/${name}\\s+(.*)$`, 'm').exec(shown)?.[1]?.trim().split(/\s{2,}|\s+/) ?? []
    expect(shown).toMatch(/^NAME\s+STATE\s+READY\s+CPUS\s+MEMORY\s+ADDRESS\s+AGE\s+RESTART\s+HYPERVISOR\s+UUID\s+REASON$/m)
    expect(row('virtualdomain', 'web')).toEqual(expect.arrayContaining(['Running', 'True', '2', '1Gi', 'local', 'Available', expect.stringMatching(/^192\.168\.150\.\d+$/)]))
    expect(row('virtualnetwork', 'lab')).toEqual(expect.arrayContaining(['Active', 'True', 'nat', '192.168.150.1/24', expect.stringMatching(/^virbr\d+$/), 'local', 'Available']))
    expect(row('storagepool', 'images')).toEqual(expect.arrayContaining(['Active', 'True', 'local', '/var/lib/vireo/images', 'Available']))
    expect(row('storagevolume', 'web-root')).toEqual(expect.arrayContaining(['True', '10Gi', 'qcow2', 'images', 'local', '/var/lib/vireo/images/web-root', 'Available']))
    expect(row('hypervisor', 'local')).toEqual(expect.arrayContaining(['True', 'QEMU', '2', 'true', 'qemu:///system', 'Available']))
  })

  test('are described with the story of what was done', async () => {
    const story = async (kind: string, name: string): Promise<string> => (await stage.kubectl(['describe', kind, name])).split('\nEvents:')[1] ?? ''
    // Events are told beside the work, so they may come after the condition.
    await until('the story of the domain is told', async () => /Defined[\s\S]*Started/.test(await story('virtualdomain', 'web')))
    expect(await story('virtualdomain', 'web')).toMatch(/Defined domain web on Hypervisor local\.[\s\S]*Started the guest\./)
    expect(await story('storagepool', 'images')).toMatch(/Made the folder \/var\/lib\/vireo\/images, which was missing\.[\s\S]*Started pool images\./)
    expect(await story('virtualnetwork', 'lab')).toMatch(/Defined network lab\.[\s\S]*Started network lab\./)
  })

  test('deleted in one go, leave the host as it was', async () => {
    await stage.kubectl(['delete', '-f', '-', '--wait=true', '--timeout=150s'], manifests)
    expect(await stage.inventory()).toBe(before)
  })
})
