// Builds the guest that the tests boot: Debian's cloud kernel and a busybox root, as a bootable disk and as kernel and initrd.
// It is built once into the cache; guest/*.sh say what the guest does.
import { createHash, randomUUID } from 'node:crypto'
import { chmod, copyFile, mkdir, mkdtemp, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { cacheFolder } from '../../scripts/cache.ts'
import { runOk } from '../../scripts/run.ts'
import { copyModules, fetchKernel, installBusybox, packInitrd, unpackPackage } from './linux.ts'
import type { Kernel } from './linux.ts'

export interface GuestImage {
  /** A bootable (BIOS) disk, compressed. */
  qcow2: string
  /** The same disk, raw. */
  raw: string
  /** For `os.kernelBoot` with the command line `console=ttyS0`. */
  kernel: string
  initrd: string
  /** The same with QEMU's guest agent in it. */
  agentInitrd: string
  /** Bytes that a volume needs to hold the disk. */
  virtualSize: number
  /** Checksums of the qcow2 file, in hexadecimal. */
  sha256: string
  sha512: string
}

const sources = join(import.meta.dirname, 'guest')

/** In the order of loading; `modprobe --show-depends` adds what each one needs. */
const modules = [
  'virtio_pci', 'virtio_blk', 'virtio_net', 'virtio_scsi', 'virtio_balloon', 'virtio_rng', 'virtio_console', 'sd_mod', 'sr_mod', 'ata_piix',
  'isofs', 'vfat', 'nls_cp437', 'nls_iso8859-1', 'nls_ascii', 'nls_utf8', 'button', 'evdev', 'pvpanic-mmio', 'pvpanic-pci',
]
const sector = 512
const partitionStart = 2048 * sector

/** The guest image, built where the cache does not have it yet (half a minute). Needs Debian's package servers only then. */
export async function buildGuestImage(): Promise<GuestImage> {
  const folder = join(cacheFolder(), `guest-${await inputsHash()}`)
  if (await stat(folder).catch(() => undefined) === undefined) {
    const draft = await mkdtemp(join(tmpdir(), 'vireo-guest-'))
    try {
      await build(draft)
      await mkdir(cacheFolder(), { recursive: true })
      // Another run may build at the same time: the folder appears whole, and the first one stays.
      const staged = `${folder}.${randomUUID()}`
      await runOk(['cp', '-r', '--sparse=always', join(draft, 'image'), staged])
      await rename(staged, folder).catch(() => rm(staged, { recursive: true }))
    } finally {
      await rm(draft, { recursive: true, force: true })
    }
  }
  const qcow2 = await readFile(join(folder, 'guest.qcow2'))
  return {
    qcow2: join(folder, 'guest.qcow2'),
    raw: join(folder, 'guest.raw'),
    kernel: join(folder, 'vmlinuz'),
    initrd: join(folder, 'initrd'),
    agentInitrd: join(folder, 'initrd-agent'),
    virtualSize: (await stat(join(folder, 'guest.raw'))).size,
    sha256: createHash('sha256').update(qcow2).digest('hex'),
    sha512: createHash('sha512').update(qcow2).digest('hex'),
  }
}

async function inputsHash(): Promise<string> {
  const hash = createHash('sha256')
  for (const file of [import.meta.filename, join(import.meta.dirname, 'linux.ts')]) hash.update(await readFile(file))
  for (const file of (await readdir(sources)).toSorted()) hash.update(file).update(await readFile(join(sources, file)))
  return hash.digest('hex').slice(0, 16)
}

async function build(draft: string): Promise<void> {
  const image = join(draft, 'image')
  await mkdir(image)
  const kernel = await fetchKernel(join(draft, 'kernel'), 'linux-image-cloud-amd64')
  await copyFile(kernel.vmlinuz, join(image, 'vmlinuz'))
  await buildInitrd(draft, kernel, join(image, 'initrd'))
  await addAgent(draft, join(image, 'initrd'), join(image, 'initrd-agent'))
  await buildDisk(draft, image)
  await runOk(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', '-c', join(image, 'guest.raw'), join(image, 'guest.qcow2')])
}

async function buildInitrd(draft: string, kernel: Kernel, target: string): Promise<void> {
  const root = join(draft, 'root')
  for (const folder of ['dev', 'etc/acpi/PWRF', 'proc', 'run', 'sys', 'var/log', 'var/run']) {
    await mkdir(join(root, folder), { recursive: true })
  }
  await installBusybox(join(root, 'bin'))
  const scripts: Record<string, string> = {
    'init.sh': 'init', 'nic.sh': 'etc/nic', 'lease.sh': 'etc/lease', 'hotplug.sh': 'etc/hotplug',
    'power-button.sh': 'etc/acpi/PWRF/00000080',
  }
  for (const [source, place] of Object.entries(scripts)) {
    await copyFile(join(sources, source), join(root, place))
    await chmod(join(root, place), 0o755)
  }
  const files = await copyModules(kernel, modules, join(root, 'lib/modules'))
  await writeFile(join(root, 'etc/modules'), files.map(file => `${file}\n`).join(''))
  await packInitrd(root, target)
}

/** QEMU's guest agent with the libraries that it needs, which QEMU's own package brought: a second archive behind the first, as the kernel takes them. */
async function addAgent(draft: string, initrd: string, target: string): Promise<void> {
  const root = join(draft, 'agent')
  const program = join(await unpackPackage('qemu-guest-agent', join(draft, 'qemu-guest-agent')), 'usr/sbin/qemu-ga')
  await mkdir(join(root, 'bin'), { recursive: true })
  await mkdir(join(root, 'etc'))
  await copyFile(program, join(root, 'bin/qemu-ga'))
  await writeFile(join(root, 'etc/os-release'), 'NAME="vireo test guest"\nVERSION_ID=1\nPRETTY_NAME="vireo test guest 1 (busybox)"\n')
  for (const [path] of (await runOk(['ldd', program])).matchAll(/\/lib\S+/g)) {
    await mkdir(join(root, dirname(path)), { recursive: true })
    await copyFile(path, join(root, path))
  }
  await copyFile(initrd, target)
  await packInitrd(root, join(draft, 'agent.cpio'))
  await writeFile(target, await readFile(join(draft, 'agent.cpio')), { flag: 'a' })
}

/** An MBR and one FAT partition with syslinux, kernel and initrd: made of plain files, without mounting anything. */
async function buildDisk(draft: string, image: string): Promise<void> {
  const partition = join(draft, 'partition')
  const content = ['vmlinuz', 'initrd'].map(file => join(image, file))
  const bytes = (await Promise.all(content.map(file => stat(file)))).reduce((sum, { size }) => sum + size, 0)
  const sectors = Math.ceil((bytes + 4 * 2 ** 20) / (63 * 16 * sector)) * 63 * 16
  await writeFile(partition, '')
  await truncate(partition, sectors * sector)
  await runOk(['mformat', '-i', partition, '-T', String(sectors), '-h', '16', '-s', '63', '-H', String(partitionStart / sector), '::'])
  await runOk(['mcopy', '-i', partition, ...content, join(sources, 'syslinux.cfg'), '::'])
  await runOk(['syslinux', '--install', partition])

  const raw = join(image, 'guest.raw')
  const mbr = Buffer.alloc(sector)
  ;(await readFile('/usr/lib/SYSLINUX/mbr.bin')).copy(mbr)
  mbr.set([0x80, 0xfe, 0xff, 0xff, 0x0e, 0xfe, 0xff, 0xff], 446) // active, FAT16 with LBA
  mbr.writeUInt32LE(partitionStart / sector, 454)
  mbr.writeUInt32LE(sectors, 458)
  mbr.writeUInt16LE(0xaa55, 510)
  await writeFile(raw, mbr)
  await truncate(raw, partitionStart)
  await writeFile(raw, await readFile(partition), { flag: 'a' })
}

async function truncate(path: string, size: number): Promise<void> {
  await using file = await open(path, 'r+')
  await file.truncate(size)
}
