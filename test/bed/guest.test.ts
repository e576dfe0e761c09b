// The guest boots from its disk on a private host, gets a lease, reads its seed, and obeys.
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { runOk } from '../../scripts/run.ts'
import { openGuestConsole } from '../support/console.ts'
import { buildGuestImage } from '../support/guest.ts'
import type { GuestImage } from '../support/guest.ts'
import { startLibvirtd } from '../support/libvirtd.ts'
import type { PrivateLibvirtd } from '../support/libvirtd.ts'
import { until } from '../support/until.ts'

const network = `<network><name>lab</name><forward mode='nat'/><ip address='192.168.150.1' netmask='255.255.255.0'>
  <dhcp><range start='192.168.150.10' end='192.168.150.99'/></dhcp></ip></network>`

let host: PrivateLibvirtd
let guest: GuestImage

beforeAll(async () => {
  guest = await buildGuestImage()
  host = await startLibvirtd({ name: 'guest' })
  await host.execOk(['virsh', 'net-define', '/dev/stdin'], { input: network })
  await host.execOk(['virsh', 'net-start', 'lab'])
})
afterAll(() => host?.stop())

/** Creates a transient domain; a cloud-init seed is attached on an SCSI CD drive where user-data is given. */
async function boot(name: string, userData?: string, devices = ''): Promise<void> {
  const folder = join(host.root, 'var/lib/vireo', name)
  await mkdir(folder)
  await copyFile(guest.qcow2, join(folder, 'root.qcow2'))
  if (userData !== undefined) await writeSeed(join(folder, 'seed.iso'), name, userData)
  const seed = `<controller type='scsi' model='virtio-scsi'/><disk type='file' device='cdrom'><source file='/var/lib/vireo/${name}/seed.iso'/>
    <target dev='sda' bus='scsi'/><readonly/></disk>`
  await host.execOk(['virsh', 'create', '/dev/stdin'], {
    input: `<domain type='qemu'><name>${name}</name><memory unit='MiB'>256</memory><vcpu current='1'>2</vcpu>
      <os><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features><on_crash>destroy</on_crash>
      <devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/var/lib/vireo/${name}/root.qcow2'/>
      <target dev='vda' bus='virtio'/></disk>${userData === undefined ? '' : seed}
      <interface type='network'><source network='lab'/><model type='virtio'/></interface>
      <serial type='pty'/><console type='pty'/>${devices}</devices></domain>`,
  })
}

async function writeSeed(path: string, hostname: string, userData: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'vireo-seed-'))
  await writeFile(join(folder, 'meta-data'), `instance-id: ${hostname}\nlocal-hostname: ${hostname}\n`)
  await writeFile(join(folder, 'user-data'), userData)
  await runOk(['xorriso', '-as', 'mkisofs', '-quiet', '-V', 'cidata', '-J', '-r', '-o', path, folder])
  await rm(folder, { recursive: true })
}

async function state(name: string): Promise<string> {
  const answer = await host.exec(['virsh', 'domstate', name])
  return answer.code === 0 ? answer.stdout.trim() : 'gone'
}

const goneWithin = (name: string): Promise<unknown> => until(`${name} is gone`, async () => await state(name) === 'gone', { timeoutMs: 60_000 })

test('boots from its disk, gets a lease under the hostname of its seed, and obeys the power button', async () => {
  const begin = performance.now()
  await boot('web', '#cloud-config\nusers: []\n')
  await using console_ = await openGuestConsole(host, 'web')
  const lease = await until('the guest has a lease', async () =>
    /ipv4\s+(192\.168\.150\.\d+)\/24\s+web\s/.exec(await host.execOk(['virsh', 'net-dhcp-leases', 'lab'])), { timeoutMs: 90_000 })
  console.log(`lease ${((performance.now() - begin) / 1000).toFixed(1)} s after create`)
  await console_.waitFor(new RegExp(`lease eth0 ${lease[1]}`))
  expect(console_.text()).toContain('user-data: #cloud-config')
  await console_.waitFor(/vireo-guest: ready/)
  await host.execOk(['virsh', 'shutdown', '--mode', 'acpi', 'web'])
  await expect(goneWithin('web')).resolves.toBe(true)
})

test('tells of hot-plugged disks, NICs and processors, and of a resized disk', async () => {
  // A q35 machine has as many free slots as it has spare root ports.
  await boot('plug', undefined, `<controller type='pci' index='0' model='pcie-root'/>${`<controller type='pci' model='pcie-root-port'/>`.repeat(12)}`)
  await using console_ = await openGuestConsole(host, 'plug')
  await console_.waitFor(/vireo-guest: ready/)
  await host.execOk(['virsh', 'attach-interface', 'plug', 'network', 'lab', '--model', 'virtio', '--live'])
  await console_.waitFor(/lease eth1 192\.168\.150\.\d+/)
  await host.execOk(['qemu-img', 'create', '-f', 'raw', '/var/lib/vireo/plug/data.raw', '8M'])
  await host.execOk(['virsh', 'attach-disk', 'plug', '/var/lib/vireo/plug/data.raw', 'vdb', '--driver', 'qemu', '--subdriver', 'raw', '--live'])
  await console_.waitFor(/add block vdb 8388608/)
  await host.execOk(['virsh', 'blockresize', 'plug', 'vdb', '16M'])
  await expect(console_.waitFor(/change block vdb 16777216/)).resolves.toBeTruthy()
  await host.execOk(['virsh', 'setvcpus', 'plug', '2', '--live'])
  await expect(console_.waitFor(/add cpu cpu1/)).resolves.toBeTruthy()
  await host.execOk(['virsh', 'destroy', 'plug'])
})

test('powers itself off, or crashes, where its user-data says so', async () => {
  await boot('off', '#cloud-config\n# vireo-test: poweroff\n')
  await boot('crash', '#cloud-config\n# vireo-test: crash\n', `<panic model='isa'/>`)
  await expect(Promise.all([goneWithin('off'), goneWithin('crash')])).resolves.toEqual([true, true])
})

test('boots with kernel and initrd given directly', async () => {
  const folder = join(host.root, 'var/lib/vireo/direct')
  await mkdir(folder)
  await copyFile(guest.kernel, join(folder, 'vmlinuz'))
  await copyFile(guest.initrd, join(folder, 'initrd'))
  await host.execOk(['virsh', 'create', '/dev/stdin'], {
    input: `<domain type='qemu'><name>direct</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>
      <os><type arch='x86_64' machine='q35'>hvm</type><kernel>/var/lib/vireo/direct/vmlinuz</kernel><initrd>/var/lib/vireo/direct/initrd</initrd>
      <cmdline>console=ttyS0 vireo-test=poweroff</cmdline></os><features><acpi/></features>
      <devices><serial type='pty'/><console type='pty'/></devices></domain>`,
  })
  await expect(goneWithin('direct')).resolves.toBe(true)
})
