// The remote driver against a real libvirtd with QEMU (TCG), dnsmasq and a directory pool.

import { copyFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Affect, BlockResizeFlags, DomainState, NetworkSection, NetworkUpdateCommand, XMLFlags, type Connection, type DomainRef, type StoragePoolRef, type StorageVolRef } from '../../../drivers/driver.ts'
import { ConnectionLost, ErrorNumber } from '../../../drivers/errors.ts'
import { createRegistry } from '../../../drivers/registry.ts'
import { forwardInto } from '../../support/forward.ts'
import { buildGuestImage } from '../../support/guest.ts'
import { startLibvirtd, type PrivateLibvirtd } from '../../support/libvirtd.ts'
import { until } from '../../support/until.ts'
import { failure, openAt, recorder, settings } from './libvirtd.ts'

let host: PrivateLibvirtd
let c: Connection
let pool: StoragePoolRef
let classes: Set<string>
let seen: ReturnType<typeof recorder>

const volume = async (name: string, capacity: number): Promise<StorageVolRef> =>
  c.storageVolCreateXML(pool, `<volume><name>${name}</name><capacity>${capacity}</capacity><target><format type='raw'/></target></volume>`, 0)

beforeAll(async () => {
  host = await startLibvirtd({ name: 'qemu' })
  c = await openAt(host, 'qemu:///system')
  seen = recorder(c)
  classes = await c.eventsRegister()
  pool = await c.storagePoolDefineXML(`<pool type='dir'><name>disks</name><target><path>/var/lib/vireo/disks</path></target></pool>`)
  await c.storagePoolBuild(pool, 0)
  await c.storagePoolCreate(pool)
})
afterAll(async () => {
  await c?.close()
  await host?.stop()
})

describe('connect', () => {
  test('every kind of event comes', () => {
    expect(classes).toEqual(new Set(['domain', 'network', 'pool', 'nodedev', 'secret', 'connection']))
  })

  test('capabilities', async () => {
    expect(await c.connectGetType()).toBe('QEMU')
    expect(await c.connectGetCapabilities()).toContain(`<uuid>${host.hostUUID}</uuid>`)
    const domain = await c.connectGetDomainCapabilities(null, 'x86_64', 'q35', 'qemu')
    expect(domain).toMatch(/^<domainCapabilities>/)
    expect(await c.connectGetDomainCapabilities(null, null, null, null)).toContain('<arch>')
    const node = await c.nodeGetInfo()
    expect(node.model).toBe('x86_64')
    expect(node.memory).toBe(Number(/Memory size:\s+(\d+) KiB/.exec(await host.execOk(['virsh', 'nodeinfo']))![1]))
  })
})

describe('streams', () => {
  const bytesOf = async (vol: StorageVolRef, offset = 0, length = 0): Promise<Buffer> => {
    const chunks: Uint8Array[] = []
    for await (const chunk of await c.storageVolDownload(vol, offset, length, 0)) chunks.push(chunk)
    return Buffer.concat(chunks)
  }
  const size = 9 * 1024 * 1024 + 12_345

  test('what is uploaded is there byte for byte, and comes back byte for byte', async () => {
    const vol = await volume('roundtrip', size)
    const bytes = randomBytes(size)
    const upload = await c.storageVolUpload(vol, 0, size, 0)
    for (let at = 0, step = 1; at < size; at += step, step = step * 3 + 1) await upload.write(bytes.subarray(at, at + step))
    await upload.finish()
    expect((await readFile(join(host.root, 'var/lib/vireo/disks/roundtrip'))).equals(bytes)).toBe(true)
    expect((await bytesOf(vol)).equals(bytes)).toBe(true)
    expect((await bytesOf(vol, 1_000_001, 77)).equals(bytes.subarray(1_000_001, 1_000_078))).toBe(true)
  })

  test('each of many downloads is whole: the host sends bytes and its reply from two threads', async () => {
    const vol = await volume('often', 65_536)
    const bytes = randomBytes(65_536)
    const upload = await c.storageVolUpload(vol, 0, 65_536, 0)
    await upload.write(bytes)
    await upload.finish()
    for (let i = 0; i < 200; i++) expect((await bytesOf(vol)).equals(bytes), `download ${i}`).toBe(true)
  })

  test('calls go on while a stream is open', async () => {
    const vol = await volume('beside', size)
    const upload = await c.storageVolUpload(vol, 0, size, 0)
    await upload.write(randomBytes(1024))
    expect(await c.storageVolLookupByName(pool, 'beside')).toEqual(vol)
    await upload.write(randomBytes(size - 1024))
    await upload.finish()
  })

  test('more than was announced is the host\'s error', async () => {
    const vol = await volume('overlong', size)
    const upload = await c.storageVolUpload(vol, 0, 1000, 0)
    const reason = await failure((async () => {
      for (let i = 0; i < 200; i++) await upload.write(randomBytes(1000))
      await upload.finish()
    })())
    expect(reason.name).toBe('LibvirtError')
    await upload.abort('it failed')
  })

  test('an upload aborted half-way ends, and the host lives', async () => {
    const vol = await volume('aborted', size)
    const upload = await c.storageVolUpload(vol, 0, size, 0)
    await upload.write(randomBytes(size / 2 | 0))
    await upload.abort('the source broke')
    expect(await failure(upload.finish())).toBeInstanceOf(ConnectionLost)
    expect((await stat(join(host.root, 'var/lib/vireo/disks/aborted'))).size).toBe(size)
    await c.storageVolDelete(vol, 0)
  })

  test('a download left half-way ends, and the host lives', async () => {
    const vol = await c.storageVolLookupByName(pool, 'roundtrip')
    for await (const chunk of await c.storageVolDownload(vol, 0, 0, 0)) {
      expect(chunk.length).toBeGreaterThan(0)
      break
    }
    const stream = await c.storageVolDownload(vol, 0, 0, 0)
    await stream.abort('not wanted')
    await c.connectIsAlive()
  })

  test('a download that nobody reads holds a bounded amount, and delays nothing', async () => {
    const big = 256 * 1024 * 1024
    const vol = await volume('big', big)
    await using way = await forwardInto(host, 'UNIX-CONNECT:/run/libvirt/libvirt-sock')
    const own = await createRegistry().open(`qemu+tcp://127.0.0.1:${way.port}/system`, { ...settings, plaintext: 'Allowed' })
    const before = way.received
    const stream = await own.storageVolDownload(vol, 0, big, 0)
    await until('what a stream holds has come', () => way.received - before > 4 * 1024 * 1024)
    for (let i = 0; i < 1000; i++) await own.connectIsAlive()
    // Beside what the stream holds there are the buffers of the sockets on the way.
    expect(way.received - before).toBeLessThan(64 * 1024 * 1024)
    let bytes = 0
    for await (const chunk of stream) bytes += chunk.length
    expect(bytes).toBe(big)
    await own.close()
    await c.storageVolDelete(vol, 0)
  })

  test('closing the connection ends its streams', async () => {
    const own = await openAt(host, 'qemu:///system')
    const vol = await own.storageVolLookupByName(pool, 'roundtrip')
    const upload = await own.storageVolUpload(vol, 0, size, 0)
    await upload.write(randomBytes(10))
    await own.close()
    expect(await failure(upload.finish())).toBeInstanceOf(ConnectionLost)
  })

  test('a volume that is not there refuses the opening', async () => {
    const reason = await failure(c.storageVolDownload({ pool: 'disks', name: 'none', key: '/none' }, 0, 0, 0))
    expect(reason).toMatchObject({ code: ErrorNumber.NO_STORAGE_VOL, procedure: 'storageVolDownload' })
  })
})

describe('volumes', () => {
  test('sizes are bytes', async () => {
    const vol = await volume('sized', 1_048_576)
    expect(await c.storageVolGetInfo(vol)).toMatchObject({ type: 0, capacity: 1_048_576 })
    await c.storageVolResize(vol, 3_000_000, 0)
    expect(await c.storageVolGetInfo(vol)).toMatchObject({ capacity: 3_000_000 })
    const copy = await c.storageVolCreateXMLFrom(pool, `<volume><name>copied</name><capacity>3000000</capacity><target><format type='qcow2'/></target></volume>`, vol, 0)
    expect(await c.storageVolGetXMLDesc(copy)).toContain(`<format type='qcow2'/>`)
    expect(await c.storagePoolGetInfo(pool)).toMatchObject({ state: 2, capacity: expect.any(Number) })
  })

  test('a file whose name is not UTF-8 does not cost the connection', async () => {
    await writeFile(Buffer.concat([Buffer.from(join(host.root, 'var/lib/vireo/disks/odd-')), Buffer.from([0xe9, 0xff])]), 'x')
    await c.storagePoolRefresh(pool)
    const names = (await c.storagePoolListAllVolumes(pool)).map(({ name }) => name)
    expect(names).toContain('roundtrip')
    await c.connectIsAlive()
  })
})

const guestXML = (name: string, devices: string, os = '') => `<domain type='qemu'><name>${name}</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type>${os}</os><features><acpi/></features><devices>${devices}</devices></domain>`

describe('networks and guests', () => {
  let dom: DomainRef

  test('a network gives its guest a lease, which the host tells', async () => {
    const net = await c.networkDefineXML(`<network><name>lab</name><forward mode='nat'/><ip address='192.168.151.1' netmask='255.255.255.0'><dhcp><range start='192.168.151.10' end='192.168.151.99'/></dhcp></ip></network>`)
    await c.networkCreate(net)
    await c.networkUpdate(net, NetworkUpdateCommand.ADD_LAST, NetworkSection.IP_DHCP_HOST, -1, `<host mac='52:54:00:00:00:17' ip='192.168.151.77'/>`, Affect.LIVE | Affect.CONFIG)
    expect(await c.networkGetDHCPLeases(net)).toEqual([])

    const guest = await buildGuestImage()
    await mkdir(join(host.root, 'var/lib/vireo/boot'))
    for (const file of [guest.kernel, guest.initrd]) await copyFile(file, join(host.root, 'var/lib/vireo/boot', file.endsWith('vmlinuz') ? 'vmlinuz' : 'initrd'))
    await volume('data', 8 * 1024 * 1024)
    await copyFile(guest.qcow2, join(host.root, 'var/lib/vireo/disks/root.qcow2'))
    dom = await c.domainDefineXMLFlags(guestXML('guest', `
      <disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/var/lib/vireo/disks/root.qcow2'/><target dev='vda' bus='virtio'/></disk>
      <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='/var/lib/vireo/disks/data'/><target dev='vdb' bus='virtio'/><alias name='ua-disk-data'/></disk>
      <interface type='network'><source network='lab'/><mac address='52:54:00:00:00:17'/><model type='virtio'/></interface><controller type='usb' model='qemu-xhci'/>`,
    `<kernel>/var/lib/vireo/boot/vmlinuz</kernel><initrd>/var/lib/vireo/boot/initrd</initrd><cmdline>console=ttyS0</cmdline>`), 0)
    dom = await c.domainCreateWithFlags(dom, 0)
    await seen.saw('domain', 'lifecycle', (event) => event.dom.uuid === dom.uuid && event.event === 2)

    const [lease] = await until('the guest has its lease', async () => {
      const leases = await c.networkGetDHCPLeases(net)
      return leases.length > 0 && leases
    }, { timeoutMs: 60_000 })
    expect(lease).toMatchObject({ type: 'ipv4', mac: '52:54:00:00:00:17', ipaddr: '192.168.151.77', prefix: 24 })
    expect(Math.abs(lease!.expirytime - Date.now() / 1000)).toBeLessThan(2 * 3600)
    expect(await c.domainInterfaceAddresses(dom, 0)).toEqual([{ name: expect.stringMatching(/^vnet/), hwaddr: '52:54:00:00:00:17', addrs: [{ type: 'ipv4', addr: '192.168.151.77', prefix: 24 }] }])
  })

  test('statistics in bulk, 64-bit values whole', async () => {
    const [record] = await c.connectGetAllDomainStats(0)
    expect(record!.dom).toEqual(dom)
    expect(record!.params).toMatchObject({ 'state.state': DomainState.Running, 'vcpu.current': 1, 'block.count': 2, 'net.count': 1 })
    expect(typeof record!.params['cpu.time']).toBe('bigint')
    expect(await c.domainGetBlockInfo(dom, 'vdb')).toMatchObject({ capacity: 8 * 1024 * 1024 })
  })

  test('statistics of a hung guest are not waited for', async () => {
    const pid = Number((await host.execOk(['cat', '/run/libvirt/qemu/guest.pid'])).trim())
    await host.execOk(['kill', '-STOP', String(pid)])
    const hung = c.domainSetMemoryFlags(dom, 131_072, Affect.LIVE).then(() => 'done', () => 'refused')
    try {
      // Only a call that has the guest already keeps others from waiting for it as well.
      await until('the guest\'s own call is under way', async () => (await c.domainGetControlInfo(dom)).state !== 0)
      for (let i = 0; i < 20; i++) expect((await c.connectGetAllDomainStats(0)).map(({ dom: { name } }) => name)).toEqual(['guest'])
      expect(await Promise.race([hung, Promise.resolve('still under way')])).toBe('still under way')
    } finally {
      await host.execOk(['kill', '-CONT', String(pid)])
    }
    await hung
  })

  test('devices come and go, each with its event', async () => {
    await c.domainUpdateDeviceFlags(dom, `<interface type='network'><source network='lab'/><mac address='52:54:00:00:00:17'/><model type='virtio'/><link state='down'/></interface>`, Affect.LIVE)
    expect(await c.domainGetXMLDesc(dom, 0)).toContain(`<link state='down'/>`)
    await c.domainBlockResize(dom, 'vdb', 9 * 1024 * 1024, BlockResizeFlags.BYTES)
    expect(await c.domainGetBlockInfo(dom, 'vdb')).toMatchObject({ capacity: 9 * 1024 * 1024 })

    const tablet = `<input type='tablet' bus='usb'><alias name='ua-input-t'/></input>`
    await c.domainAttachDeviceFlags(dom, tablet, Affect.LIVE)
    await seen.saw('domain', 'device-added', ({ devAlias }) => devAlias === 'ua-input-t')
    await c.domainDetachDeviceAlias(dom, 'ua-input-t', Affect.LIVE)
    await seen.saw('domain', 'device-removed', ({ devAlias }) => devAlias === 'ua-input-t')

    await c.domainDetachDeviceFlags(dom, `<disk type='file' device='disk'><source file='/var/lib/vireo/disks/data'/><target dev='vdb' bus='virtio'/></disk>`, Affect.LIVE)
    await seen.saw('domain', 'device-removed', ({ devAlias }) => devAlias === 'ua-disk-data')
    await c.domainSetMetadata(dom, 2, '<v/>', 'v', 'https://vireo.dev/test', Affect.LIVE | Affect.CONFIG)
    await seen.saw('domain', 'metadata-change', ({ name }) => name === 'metadata-change')
  })

  test('power: suspend, resume, reset, managed save, destroy', async () => {
    await c.domainSuspend(dom)
    expect(await c.domainGetState(dom)).toEqual({ state: DomainState.Paused, reason: 1 })
    await c.domainResume(dom)
    await c.domainReset(dom)
    expect(await c.domainHasManagedSaveImage(dom)).toBe(false)
    await host.execOk(['virsh', 'managedsave', 'guest'], { timeoutMs: 60_000 })
    await seen.saw('domain', 'lifecycle', ({ event, detail }) => event === 5 && detail === 4)
    expect(await c.domainHasManagedSaveImage(dom)).toBe(true)
    await c.domainManagedSaveRemove(dom)
    expect(await c.domainHasManagedSaveImage(dom)).toBe(false)
    expect((await c.domainLookupByUUID(dom.uuid)).id).toBe(-1)
    expect(await c.domainGetInfo(dom)).toMatchObject({ state: DomainState.Shutoff, maxMem: 262_144, nrVirtCpu: 1 })
    expect(await c.domainGetXMLDesc(dom, XMLFlags.INACTIVE | XMLFlags.SECURE)).toContain('ua-disk-data')
    await c.domainUndefineFlags(dom, 0)
  })
})
