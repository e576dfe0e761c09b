// The main job: the samples, applied as a person applies them, give a virtual machine that has an address; deleted, they leave nothing.
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildGuestImage } from '../support/guest.ts'
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
    await stage.startController()
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

  test('deleted in one go, leave the host as it was', async () => {
    await stage.kubectl(['delete', '-f', '-', '--wait=true', '--timeout=150s'], manifests)
    expect(await stage.inventory()).toBe(before)
  })
})
